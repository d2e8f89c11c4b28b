"""Retention by example: deleted and remaining jobs, and the effect of later messages."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from support.messages import (
    LEARNT_ARN,
    Index,
    at,
    entry,
    event,
    execution,
    execution_event,
    job,
    parsed,
    pending,
    summary,
)
from test_sqlite import is_cheap, plan

from jobindex import service
from jobindex.config.settings import read_settings
from jobindex.ingest.retention import retain as rounds
from jobindex.model.jobs import JobStatus
from jobindex.model.store import NAMED_MAXIMUM, Changed, RetentionStep, Store
from jobindex.monitoring.metrics import Metrics
from jobindex.monitoring.state import ServiceState
from jobindex.storage.sql import retention
from jobindex.storage.sqlite.store import migrate, open_store

NOW = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.fixture
def index(store: Store) -> Index:
    """Apply messages in the order of the test."""
    return Index(store, reverse=False)


async def rows(store: Any, statement: str) -> list[tuple[object, ...]]:
    """Return rows of a store's tables."""
    return [tuple(row) for row in await store._engine.read(lambda reader: reader.execute(statement).fetchall())]


async def retain(store: Store, horizon: int, now: datetime = NOW) -> int:
    """Delete jobs before a horizon, in the unit of messages, and return their number."""
    return sum([step.jobs async for step in store.retain(now - at(horizon), now=now)])


@pytest.mark.parametrize("status", ["COMPLETED", "CANCELED", "DELETION_IN_PROGRESS"])
async def test_an_ended_job_is_forgotten_beyond_the_horizon(store: Store, index: Index, status: str) -> None:
    """An ended job is deleted if its lastUpdatedAt is before the horizon, but not if it is equal."""
    await index.tell(job(status=status, createdAt=5, lastUpdatedAt=10))
    assert 0 == await retain(store, 10)
    assert summary(5, 10, status=JobStatus(status)) == await index.job()
    assert 1 == await retain(store, 11)
    assert [] == list(await index.jobs())


@pytest.mark.parametrize("status", ["SCHEDULED", "IN_PROGRESS"])
async def test_a_job_that_has_not_ended_stays(store: Store, index: Index, status: str) -> None:
    """A job that may continue is never deleted."""
    await index.tell(job(status=status, lastUpdatedAt=10), execution("SUCCEEDED", lastUpdatedAt=9))
    assert 0 == await retain(store, 1000)
    assert summary(9, 10, status=JobStatus(status)) == await index.job()


async def test_a_job_that_reads_as_completed_is_forgotten(store: Store, index: Index) -> None:
    """A job with an inferred status is deleted like one with a reported status."""
    await index.tell(execution("SUCCEEDED", lastUpdatedAt=10), execution("QUEUED", "j2", lastUpdatedAt=10))
    assert 1 == await retain(store, 11)
    assert {"j2"} == await index.job_ids()


async def test_a_job_seen_pending_since_the_horizon_stays(store: Store, index: Index) -> None:
    """A job that a list since the horizon shows as pending stays."""
    await index.tell(pending(20, entry(lastUpdatedAt=5)), event("completed", timestamp=10))
    assert 0 == await retain(store, 20)
    assert 1 == await retain(store, 21)


async def test_what_was_forgotten_is_not_brought_back_by_old_messages(store: Store, index: Index) -> None:
    """A message stamped before the horizon creates no job, not even a deleted one."""
    await index.tell(event("completed", timestamp=10))
    await retain(store, 20)
    await index.tell(
        event("completed", timestamp=10),
        event("deleted", timestamp=19),
        execution("SUCCEEDED", lastUpdatedAt=19),
        pending(19, entry(lastUpdatedAt=5)),
        job("j2", lastUpdatedAt=19),
    )
    assert [] == list(await index.jobs())
    await index.tell(job(lastUpdatedAt=20))
    assert summary(20) == await index.job()


async def test_what_is_older_than_the_horizon_changes_only_a_job_that_exists(store: Store, index: Index) -> None:
    """A message stamped before the horizon creates no job, but counts once a later message has created it."""
    await retain(store, 20)
    old = job(isConcurrent=True, lastUpdatedAt=10), execution("QUEUED", thing="t2", lastUpdatedAt=10)
    await index.tell(*old, execution_event("succeeded", timestamp=20))
    made = summary(20, status=JobStatus.COMPLETED, completed_at=at(20), job_arn=LEARNT_ARN)
    assert made == await index.job()
    await index.tell(*old)
    assert summary(10, 20, is_concurrent=True, job_arn=LEARNT_ARN) == await index.job()


async def test_a_list_since_the_horizon_tells_of_an_older_job(store: Store, index: Index) -> None:
    """An execution that a list since the horizon shows creates its job, however early it was queued."""
    await retain(store, 20)
    await index.tell(pending(20, entry(queuedAt=5, lastUpdatedAt=10)))
    assert summary(5, 10) == await index.job()


async def test_a_known_job_is_told_of_however_late(store: Store, index: Index) -> None:
    """A message stamped before the horizon still ends a known job, which is deleted then."""
    await index.tell(job(status="IN_PROGRESS", lastUpdatedAt=10))
    await retain(store, 30)
    await index.tell(event("completed", timestamp=20))
    assert summary(10, 20, status=JobStatus.COMPLETED) == await index.job()
    assert 1 == await retain(store, 30)


async def test_a_later_horizon_leaves_what_exists(store: Store, index: Index) -> None:
    """A message stamped before any horizon changes a known job."""
    await retain(store, 20)
    await index.tell(job(lastUpdatedAt=25))
    await retain(store, 30)
    await index.tell(job(isConcurrent=False, lastUpdatedAt=19), job(isConcurrent=True, lastUpdatedAt=20))
    assert summary(19, 25, is_concurrent=True) == await index.job()


async def test_nothing_is_left_of_a_job_that_is_forgotten(store: Store, index: Index) -> None:
    """Executions and groups are deleted with their job."""
    await index.tell(
        job(status="COMPLETED", thingGroupName="g", lastUpdatedAt=10), execution("QUEUED", lastUpdatedAt=9)
    )
    await retain(store, 20)
    for table in ("jobs", "executions", "job_summaries", "job_thing_groups"):
        assert [] == await rows(store, f"SELECT job_id FROM {table}")


async def test_an_old_list_of_a_thing_that_is_not_known_is_not_kept(store: Store, index: Index) -> None:
    """Pending lists are deleted with the last execution of their thing; only lists since the horizon return."""
    await index.tell(pending(5, entry(queuedAt=4)), event("completed", timestamp=10))
    assert 1 == await retain(store, 20)
    await index.tell(pending(19), pending(19, *(entry(f"j{n}", queuedAt=4, lastUpdatedAt=4) for n in range(10))))
    assert [] == await rows(store, "SELECT * FROM pending_lists")
    await index.tell(pending(20))
    assert [("t1", "n1", 20)] == await rows(store, "SELECT thing_name, namespace_id, listed_at FROM pending_lists")
    await index.tell(pending(19))
    assert [("t1", "n1", 20)] == await rows(store, "SELECT thing_name, namespace_id, listed_at FROM pending_lists")


async def test_a_late_message_takes_no_other_with_it(store: Store) -> None:
    """Of a batch, only reports stamped before the horizon are ignored."""
    await retain(store, 20)
    told = job("j1", lastUpdatedAt=19), job("j2", lastUpdatedAt=20), job("j3"), pending(19, thing="t2")
    reports = parsed(*told)
    await store.apply(reports, (), now=NOW)
    index = Index(store, reverse=False)
    await index.tell(execution("QUEUED", "j2", "t2", lastUpdatedAt=20))
    assert {"j2", "j3"} == await index.job_ids()


async def test_a_late_execution_is_held_against_the_list_that_left_it_out(store: Store, index: Index) -> None:
    """A late execution has ended if a stored list omits it."""
    await index.tell(job(lastUpdatedAt=5), pending(15))
    await retain(store, 20)
    await index.tell(execution("QUEUED", lastUpdatedAt=10))
    assert summary(5, 10, status=JobStatus.COMPLETED) == await index.job()


async def test_a_message_without_time_makes_a_job_as_before(store: Store, index: Index) -> None:
    """A message without a time creates a job despite the horizon, and its arrival counts as its time."""
    await index.tell(event("completed", timestamp=10))
    await retain(store, 20)
    await index.tell(job(status="COMPLETED"))
    assert JobStatus.COMPLETED == (await index.job()).status
    assert 0 == await retain(store, 30)
    later = NOW + timedelta(days=2)
    assert 1 == sum([step.jobs async for step in store.retain(timedelta(days=1), now=later)])


async def test_deletion_marks_are_forgotten(store: Store, index: Index) -> None:
    """A deletion before the horizon is deleted with all that it hides, unless something later was reported."""
    await index.tell(
        job(lastUpdatedAt=5),
        event("deleted", timestamp=10),
        event("deleted", "j2"),
        event("deleted", "j3", timestamp=9),
    )
    await index.tell(job("j3", lastUpdatedAt=30))
    assert 1 == await retain(store, 20)
    assert [("j2",), ("j3",)] == await rows(store, "SELECT job_id FROM jobs ORDER BY 1")
    assert [] == list(await index.jobs())


async def test_a_job_made_again_after_its_deletion_stays(store: Store, index: Index) -> None:
    """A deletion is deleted only if it still hides its job, even one created at the same moment."""
    await index.tell(event("deleted", timestamp=10), job(createdAt=11), event("deleted", "j2", timestamp=10))
    await index.tell(job("j2", createdAt=10))
    assert 1 == await retain(store, 20)
    assert summary(11) == await index.job()


async def test_the_horizon_outlives_the_process_and_never_goes_back(tmp_path: Path) -> None:
    """A later, lower horizon brings nothing back, even after a restart."""
    async with open_store(tmp_path / "jobindex.db") as store:
        await retain(store, 20)
        await retain(store, 10)
    async with open_store(tmp_path / "jobindex.db") as store:
        index = Index(store, reverse=False)
        await index.tell(job(lastUpdatedAt=19))
        assert [] == list(await index.jobs())
        await index.tell(job(lastUpdatedAt=20))
        assert summary(20) == await index.job()


async def test_a_horizon_in_the_future_does_not_count(store: Store, index: Index) -> None:
    """A horizon in the future has no effect once the clock is right."""
    ahead = NOW + timedelta(days=1000)
    async for _ in store.retain(timedelta(days=1), now=ahead):
        pass
    await index.tell(job(lastUpdatedAt=20))
    assert summary(20) == await index.job()
    await retain(store, 30)
    await index.tell(job("j2", lastUpdatedAt=29), job("j3", lastUpdatedAt=30))
    assert {"j1", "j3"} == await index.job_ids()


async def test_a_step_tells_what_it_has_forgotten(store: Store, index: Index) -> None:
    """A step names its jobs, their namespaces and their things; an already deleted job has no namespace."""
    await index.tell(
        job("j1", status="COMPLETED", lastUpdatedAt=10),
        job("j2", "n2", status="COMPLETED", lastUpdatedAt=11),
        execution("SUCCEEDED", "j2", "t2", lastUpdatedAt=11),
        event("completed", "j3", timestamp=12),
        event("deleted", "gone", timestamp=5),
        job("stays", "n3", lastUpdatedAt=1),
    )
    steps = [step async for step in store.retain(NOW - at(20), now=NOW)]
    jobs = Changed(
        job_ids=frozenset({"j1", "j2", "j3"}), namespace_ids=frozenset({"n1", "n2"}), thing_names=frozenset({"t2"})
    )
    gone = Changed(job_ids=frozenset({"gone"}), namespace_ids=frozenset(), thing_names=frozenset())
    assert [RetentionStep(jobs=3, changed=jobs), RetentionStep(jobs=1, changed=gone)] == steps


async def test_a_step_that_forgets_much_names_none_of_it(store: Store, index: Index) -> None:
    """A step that deletes too much names only namespaces."""
    ended = [execution("SUCCEEDED", f"j{number}", f"t{number}", lastUpdatedAt=1) for number in range(NAMED_MAXIMUM + 1)]
    await index.tell(*ended, job("j0", "n1"), job("j1", "n2"))
    [step] = [step async for step in store.retain(NOW - at(20), now=NOW)]
    changed = Changed(job_ids=None, namespace_ids=frozenset({"n1", "n2"}), thing_names=None)
    assert RetentionStep(jobs=NAMED_MAXIMUM + 1, changed=changed) == step


@pytest.mark.parametrize(("jobs", "executions"), [(2, 100), (500, 3), (1, 1)])
async def test_jobs_are_forgotten_a_few_at_a_time(
    store: Store, index: Index, monkeypatch: pytest.MonkeyPatch, jobs: int, executions: int
) -> None:
    """A transaction deletes only a few jobs and executions, and messages are applied in between."""
    monkeypatch.setattr(retention, "JOBS_MAXIMUM", jobs)
    monkeypatch.setattr(retention, "EXECUTIONS_MAXIMUM", executions)
    for number in range(10):
        things = [execution("SUCCEEDED", f"j{number}", f"t{thing}", lastUpdatedAt=number) for thing in range(2)]
        await index.tell(*things)
    await index.tell(*(event("deleted", f"m{number}", timestamp=15) for number in range(10)))
    forgotten = []
    async for step in store.retain(NOW - at(20), now=NOW):
        forgotten.append(step.jobs)
        await index.tell(job("running", lastUpdatedAt=20 + len(forgotten)))
    assert 20 == sum(forgotten)
    assert max(forgotten) <= jobs
    assert {"running"} == await index.job_ids()


async def test_a_job_told_of_meanwhile_is_not_forgotten(
    store: Store, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job that changes after its page was read is checked again, and stays."""
    monkeypatch.setattr(retention, "EXECUTIONS_MAXIMUM", 1)
    await index.tell(*(execution("SUCCEEDED", f"j{number}", lastUpdatedAt=number) for number in range(3)))
    async for _ in store.retain(NOW - at(10), now=NOW):
        await index.tell(execution("QUEUED", "j1", "t2", lastUpdatedAt=10))
    assert {"j1"} == await index.job_ids()


@pytest.fixture
async def migrated(tmp_path: Path) -> AsyncIterator[sqlite3.Connection]:
    """Open a migrated file."""
    await migrate(tmp_path / "jobindex.db")
    with closing(sqlite3.connect(tmp_path / "jobindex.db")) as connection:
        yield connection


@pytest.mark.parametrize("statement", [one for pair in retention.statements() for one in pair])
def test_forgetting_costs_the_same_at_any_size(migrated: sqlite3.Connection, statement: str) -> None:
    """Retention reads pages in index order, and deletes by key."""
    parameters = {"horizon": 0, "time": 0, "job_id": "", "limit": 1, "job_ids": "[]"}
    allowed = ("SCAN given VIRTUAL TABLE",)  # json_each is not a table of the file
    assert [] == [step for step in plan(migrated, statement, parameters) if not is_cheap(step, allowed)]


# During ingestion


async def comes(told: Callable[[], Awaitable[object]], expected: object) -> bool:
    """Return whether a result becomes the expected one within ten seconds."""
    for _ in range(1000):
        if await told() == expected:
            return True
        await asyncio.sleep(0.01)
    return False


async def test_rounds_forget_and_count(
    store: Store, index: Index, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Each round deletes and counts old jobs, even after a failed round."""
    metrics = Metrics(ServiceState())
    noted: list[Changed] = []
    await index.tell(job("j1", status="COMPLETED", lastUpdatedAt=10), job("j2", lastUpdatedAt=10))
    retaining = asyncio.create_task(
        rounds(
            store,
            timedelta(days=1),
            state=ServiceState(),
            metrics=metrics,
            on_applied=lambda _, changed: noted.append(changed),
            clock=lambda: NOW,
            round_seconds=0.01,
        )
    )

    async def failures() -> int:
        return min(1, caplog.text.count("retention continues in the next round"))

    assert await comes(index.job_ids, {"j2"})
    with monkeypatch.context() as patched:
        patched.setattr(retention, "_RAISE_HORIZON", "SELECT x")
        assert await comes(failures, 1)
    await index.tell(event("completed", "j2", timestamp=20))
    assert await comes(index.job_ids, set())

    async def counted() -> bool:
        return b"jobindex_jobs_forgotten_total 2.0" in metrics.encode()

    assert await comes(counted, expected=True)
    retaining.cancel()
    await asyncio.wait([retaining])
    assert {"j1", "j2"} == {job_id for changed in noted for job_id in changed.job_ids or ()}


class Rounds:
    """Retention in quick rounds, by a clock that the test sets."""

    def __init__(self, store: Store, state: ServiceState, now: datetime) -> None:
        self.now = now
        self.read = 0
        """How often a round has read the clock."""
        self._task = asyncio.create_task(
            rounds(
                store,
                timedelta(days=1),
                state=state,
                metrics=Metrics(state),
                on_applied=lambda *_: None,
                clock=self._clock,
                round_seconds=0.01,
            )
        )

    def _clock(self) -> datetime:
        self.read += 1
        return self.now

    async def whole(self) -> None:
        """Wait for the end of a round that began after this call."""
        before = self.read
        while self.read < before + 3:  # noqa: ASYNC110 (a clock has no event)
            await asyncio.sleep(0.01)

    async def end(self) -> None:
        """Stop the rounds."""
        self._task.cancel()
        await asyncio.wait([self._task])


AHEAD = NOW + timedelta(days=30)
JUST_NOW = int(NOW.timestamp()) - 1


async def test_a_clock_that_jumps_ahead_forgets_nothing(
    store: Store, index: Index, caplog: pytest.LogCaptureFixture
) -> None:
    """If the clock jumps ahead, nothing is deleted and the log says why; rounds resume when it is right."""
    await index.tell(job(status="COMPLETED", lastUpdatedAt=JUST_NOW), job("old", status="COMPLETED", lastUpdatedAt=10))
    retention_rounds = Rounds(store, ServiceState(), AHEAD)
    await retention_rounds.whole()
    assert {"j1", "old"} == await index.job_ids()
    expected = (
        "Retention skipped: the clock says 2030-01-31T00:00:00Z, 30d 00h ahead of the newest message, "
        "2030-01-01T00:00:00Z; it resumes when a message confirms the time"
    )
    assert [expected] == caplog.messages
    assert [] == await rows(store, "SELECT horizon FROM retention")
    retention_rounds.now = NOW
    assert await comes(index.job_ids, {"j1"})
    await retention_rounds.end()


async def test_the_times_of_messages_count_more_than_their_arrival(store: Store, index: Index) -> None:
    """Times in messages confirm the clock, but their arrival times do not."""
    await index.tell(job(status="COMPLETED", lastUpdatedAt=JUST_NOW), now=AHEAD)
    state = ServiceState(newest_stamp_at=at(JUST_NOW))
    retention_rounds = Rounds(store, state, AHEAD)
    await retention_rounds.whole()
    assert {"j1"} == await index.job_ids()
    state.newest_stamp_at = AHEAD - timedelta(hours=1)
    assert await comes(index.job_ids, set())
    await retention_rounds.end()


async def test_a_round_does_not_come_a_day_late(store: Store, index: Index, caplog: pytest.LogCaptureFixture) -> None:
    """Without times in messages, a round does not trust a clock that has jumped since the last round."""
    await index.tell(job(status="COMPLETED"))
    retention_rounds = Rounds(store, ServiceState(), NOW)
    await retention_rounds.whole()
    await index.tell(job("j2", status="COMPLETED"), now=AHEAD)
    retention_rounds.now = AHEAD
    await retention_rounds.whole()
    assert {"j1", "j2"} == await index.job_ids()
    assert "29d 23h ahead of 2030-01-01T00:00:00Z, when this round was due" in caplog.text
    await retention_rounds.end()


@pytest.mark.parametrize(("days", "kept"), [("1", {"j2"}), ("", {"j1", "j2"})], ids=["with the setting", "without"])
async def test_the_service_forgets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, days: str, kept: set[str]) -> None:
    """A service deletes old jobs only if retention is set, even without a broker."""
    monkeypatch.setattr(service, "ROUND_SECONDS", 0.01)
    environment = {
        "JOBINDEX_DATABASE_URL": f"sqlite:///{tmp_path}/jobindex.db",
        "JOBINDEX_MQTT_URL": "mqtt://127.0.0.1:1",
        "JOBINDEX_HTTP_PORT": "0",
        "JOBINDEX_RETENTION_DAYS": days,
    }
    async with open_store(tmp_path / "jobindex.db") as store:
        told = job("j1", status="COMPLETED", lastUpdatedAt=10), job("j2", lastUpdatedAt=10)
        await Index(store, reverse=False).tell(*told, now=datetime.now(UTC))
    state, stopping = ServiceState(), asyncio.Event()
    serving = asyncio.create_task(service.serve(read_settings(environment, is_terminal=False), stopping, state))

    async def job_ids() -> set[str]:
        return set() if state.store is None else await Index(state.store, reverse=False).job_ids()

    assert await comes(job_ids, kept)
    stopping.set()
    await asyncio.wait_for(serving, 10)
