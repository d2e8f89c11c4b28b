"""The writer of an index: a thread, or a process that ends with its parent and is restarted if it ends."""

import asyncio
import os
import pickle
import signal
import time
import traceback
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, get_args

import pytest
from support.empty_indexes import empty_index
from support.job_pages import summaries
from support.message_streams import parse
from support.messages import NOW, event, execution, group, job, parsed, pending
from support.simulated_aws import simulate

from jobindex.durations import ShutdownBudget
from jobindex.errors import DatabaseUnavailableError, DataRefusedError
from jobindex.model.listing import ListJobsQuery
from jobindex.model.reports import JobReport, Parsed, RejectedMessage, Report, Reports
from jobindex.model.store import Session
from jobindex.storage import writers
from jobindex.storage.databases import Database, PostgresDatabase, SqliteDatabase
from jobindex.storage.opening import open_store
from jobindex.storage.sqlite.writer import SqliteWriter
from jobindex.storage.writers import Workplace, WriterProcess, WriterThread


class Scribe:
    """A writer whose work stops on `abort` or `end`, and which logs its calls."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self.is_cut = False

    def abort(self) -> None:
        """Stop the work, and log the call."""
        self.is_cut = True
        self.note("aborted")

    def end(self) -> None:
        """Stop the work for good, and log the call."""
        self.is_cut = True
        self.note("ended")

    def close(self) -> None:
        """Log the call."""
        self.note("closed")

    def note(self, what: str) -> None:
        """Write a line."""
        with self.log.open("a") as log:
            log.write(f"{what}\n")


def pid(scribe: Scribe) -> int:  # noqa: ARG001 (the signature of work)
    """Return the process id."""
    return os.getpid()


def refuse(scribe: Scribe) -> None:
    """Raise one of jobindex's errors."""
    raise DataRefusedError(f"not {scribe.log.name}")


def fail_oddly(scribe: Scribe) -> None:  # noqa: ARG001
    """Raise an error that `pickle` cannot serialize."""
    raise ValueError("odd", lambda: None)


def wait_for_cut(scribe: Scribe) -> str:
    """Work until it is stopped; a second run ends at once."""
    scribe.note("begun")
    end = time.monotonic() + 30
    while not scribe.is_cut and time.monotonic() < end:
        time.sleep(0.01)
    return "cut" if scribe.is_cut else "never cut"


@pytest.fixture(params=[WriterThread, WriterProcess])
def kind(request: pytest.FixtureRequest) -> Any:
    """Return each kind of Workplace; its process imports this module from the same path."""
    return request.param


def lines(log: Path) -> list[str]:
    """Return the lines of a log."""
    return log.read_text().splitlines() if log.exists() else []


async def test_work_is_done_there(kind: Any, tmp_path: Path) -> None:
    """Work returns its result or its error with the traceback, and the writer is closed at the end."""
    log = tmp_path / "log"
    place: Workplace[Scribe] = kind(partial(Scribe, log))
    assert (kind is WriterThread) == (await place.run(pid) == os.getpid())
    with pytest.raises(DataRefusedError, match="not log") as refused:
        await place.run(refuse)
    assert "in refuse\n" in "".join(traceback.format_exception(refused.value))
    with pytest.raises((ValueError, RuntimeError), match="odd"):
        await place.run(fail_oddly)
    assert (kind is WriterThread) == (await place.run(pid) == os.getpid())
    await place.close()
    assert ["closed"] == lines(log)
    with pytest.raises(DatabaseUnavailableError, match="The index cannot be written: it is closed"):
        await place.run(pid)


async def test_work_that_takes_too_long_is_cut(kind: Any, tmp_path: Path) -> None:
    """Work that takes too long is stopped by `abort`, and the writer may retry it."""
    log = tmp_path / "log"
    place: Workplace[Scribe] = kind(partial(Scribe, log), seconds=2)
    assert "cut" == await place.run(wait_for_cut)
    await place.close()
    assert ["begun", "aborted", "closed"] == lines(log)


async def test_work_that_does_not_end_does_not_stop_the_end(
    kind: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Work that does not end is stopped for good shortly after the index is closed."""
    monkeypatch.setattr(writers, "SHUTDOWN", ShutdownBudget(close_seconds=0.1))
    log = tmp_path / "log"
    place: Workplace[Scribe] = kind(partial(Scribe, log))
    working = asyncio.ensure_future(place.run(wait_for_cut))
    while "begun" not in lines(log):  # noqa: ASYNC110 (it may be another process)
        await asyncio.sleep(0.01)
    started = time.monotonic()
    await place.close()
    assert time.monotonic() - started < 5
    assert "ended" in lines(log)
    await asyncio.wait([working])


async def test_a_process_that_is_killed_is_started_again(tmp_path: Path) -> None:
    """If the process is killed, its current work fails, and the next work has a new process."""
    place = WriterProcess(partial(Scribe, tmp_path / "log"))
    first = await place.run(pid)
    working = asyncio.ensure_future(place.run(wait_for_cut))
    while "begun" not in lines(tmp_path / "log"):  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    os.kill(first, signal.SIGKILL)
    with pytest.raises(DatabaseUnavailableError, match="the process that writes has ended with status -9"):
        await working
    second = await place.run(pid)
    assert first != second
    os.kill(second, signal.SIGKILL)  # nothing fails while it is idle
    while place._process is not None and place._process.returncode is None:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    assert second != await place.run(pid)
    await place.close()


async def test_a_writer_that_cannot_be_made_is_an_error_of_its_own(tmp_path: Path) -> None:
    """If a writer cannot be created, the error has the reason, and the next work tries again."""
    place = WriterProcess(partial(SqliteWriter, tmp_path / "missing.db"))
    for _ in range(2):
        with pytest.raises(DatabaseUnavailableError, match="unable to open database file"):
            await place.run(SqliteWriter.abort)
    await place.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    """Return an empty database of each engine."""
    if request.param == "sqlite":
        return SqliteDatabase(path=empty_index(tmp_path / "jobindex.db"))
    return PostgresDatabase(conninfo=request.getfixturevalue("postgres_url"), shown="postgresql")


async def test_whatever_is_written_can_be_written_apart(database: Database) -> None:
    """Every write of a store works in a process."""
    async with open_store(database, writes_apart=True) as store:
        assert await store.take_lease("{}", seconds=3600)
        session = Session(topic_filters=frozenset({"a"}), complete_since=NOW)
        await store.remember_session(session)
        queued = [execution("QUEUED", f"j{number}", queuedAt=10, lastUpdatedAt=10) for number in range(600)]
        rejected = [
            RejectedMessage("a", b"{}", "old"),
            RejectedMessage("b", b"{}", "old"),
            RejectedMessage("c", b"{}", "old"),
        ]
        applied = await store.apply(parsed(*queued), rejected, now=NOW)
        assert (0, frozenset()) == (applied.discarded, applied.deferred)
        ended = await store.apply(parsed(pending(20, namespace=None)), (), now=NOW)
        assert ended.deferred
        steps = 0
        while await store.settle(now=NOW):
            steps += 1
        assert steps > 1
        assert (await store.job_execution("j599", "t1")).waiting_since is None
        told: dict[str, Parsed] = {
            "a": tuple(parsed(job("late", status="COMPLETED", lastUpdatedAt=10, completedAt=10))),
            "b": RejectedMessage("b", b"{}", "new"),
        }
        retried = await store.retry_rejected([1, 2], lambda topic, _: told[topic], now=NOW)
        assert ((1,), {2: "new"}) == (retried.applied, retried.rejected)
        assert 2 == await store.purge_rejected(None)
        await store.retry_set_aside()
        forgotten = [one.jobs async for one in store.retain(timedelta(days=1), now=NOW)]
        assert sum(forgotten) >= 1
        assert session == await store.session()


async def test_data_that_is_refused_apart_is_an_error_of_the_data(database: Database) -> None:
    """Refused data raises the same error in a process, which continues."""
    async with open_store(database, writes_apart=True) as store:
        assert await store.take_lease("{}", seconds=3600)
        with pytest.raises(DataRefusedError):
            await store.apply([JobReport(job_id="j1", members={"description": 2**70})], (), now=NOW)
        await store.apply(parsed(job("j2", lastUpdatedAt=10)), (), now=NOW)
        assert ["j2"] == [one.job_id for one in summaries(await store.list_jobs(ListJobsQuery()))]


def test_reports_that_go_to_a_process_stay_the_same() -> None:
    """Reports of every kind stay the same in another process."""
    messages = [(one.topic, one.payload) for one in simulate(1).messages]
    told = [*parse(messages)[0], *parsed(group("g", "i"), event("deleted", timestamp=20))]
    there = pickle.loads(pickle.dumps(Reports(told)))
    assert told == there
    assert {*get_args(Report)} == {type(one) for one in there}
    assert [*map(type, told)] == [*map(type, there)]
