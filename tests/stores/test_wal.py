"""The write-ahead log stays short while readers never stop."""

import asyncio
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.job_pages import summaries
from support.writers import writer_of

from jobindex.model.jobs import to_milliseconds
from jobindex.model.listing import ListJobsQuery
from jobindex.model.reports import JobReport
from jobindex.storage.sqlite import wal
from jobindex.storage.sqlite.store import SqliteStore, open_store
from jobindex.storage.sqlite.wal import WalLimit, wal_bytes

NOW = datetime(2030, 1, 1, tzinfo=UTC)
KIB, MIB = 1024, 1024 * 1024


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the path of a new database."""
    return tmp_path / "jobindex.db"


@contextmanager
def reading(path: Path, seconds: float) -> Iterator[None]:
    """Read in overlapping transactions of this many seconds."""
    stopping = threading.Event()
    stagger = threading.Barrier(3)

    def read(delay: float) -> None:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)) as connection:
            stagger.wait()
            stopping.wait(delay)
            while not stopping.is_set():
                connection.execute("BEGIN")
                connection.execute("SELECT count(*) FROM jobs").fetchone()
                stopping.wait(seconds)
                connection.execute("ROLLBACK")

    threads = [threading.Thread(target=read, args=(delay,)) for delay in (0, seconds / 2)]
    for thread in threads:
        thread.start()
    stagger.wait()
    try:
        yield
    finally:
        stopping.set()
        for thread in threads:
            thread.join()


async def ask(store: SqliteStore) -> None:
    """Read pages without a pause."""
    while True:
        await store.list_jobs(ListJobsQuery())
        await asyncio.sleep(0)


def batch(number: int) -> Sequence[JobReport]:
    """Return reports of a few hundred jobs, which the next batch changes again."""
    time = to_milliseconds(NOW + timedelta(seconds=number))
    return [JobReport(job_id=f"j{job}", time=time, earliest_at=time, latest_at=time) for job in range(300)]


@pytest.mark.parametrize(
    "lives",
    [
        pytest.param(None, id="own readers"),
        pytest.param(1.0, id="own readers and one that stays for a second", marks=pytest.mark.slow),
    ],
)
async def test_the_log_is_bounded_while_readers_never_stop(
    path: Path, monkeypatch: pytest.MonkeyPatch, lives: float | None
) -> None:
    """Many times its bound is written, but the log never exceeds it, and readers see complete pages."""
    monkeypatch.setattr(wal, "SHORT_BYTES", 256 * KIB)
    monkeypatch.setattr(wal, "LONG_BYTES", 1 * MIB)
    bound = 2 * MIB
    async with open_store(path) as store:
        writer_of(store).connection.execute("PRAGMA journal_size_limit = 0")
        writer_of(store).connection.execute("PRAGMA synchronous = OFF")  # durability does not matter here
        asking = [asyncio.create_task(ask(store)) for _ in range(4)]
        with ExitStack() as stack:
            if lives is not None:
                stack.enter_context(reading(path, lives))
            written = longest = length = number = 0
            while written < 3 * bound:
                await store.apply(batch(number), (), now=NOW)
                length, before, number = wal_bytes(path), length, number + 1
                written += max(0, length - before)
                longest = max(longest, length)
        for task in asking:
            task.cancel()
        await asyncio.wait(asking)
        assert longest < bound
        assert 250 == len(summaries(await store.list_jobs(ListJobsQuery())))


async def test_a_reader_that_stays_does_not_stop_the_writer(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The writer waits for a long reader only a few times, and empties the log when the reader has ended."""
    monkeypatch.setattr(wal, "SHORT_BYTES", 256 * KIB)
    monkeypatch.setattr(wal, "LONG_BYTES", 512 * KIB)
    monkeypatch.setattr(wal, "_WHILE_MS", 100)
    async with open_store(path) as store:
        writer_of(store).connection.execute("PRAGMA journal_size_limit = 0")  # otherwise the file keeps some length
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN")
            other.execute("SELECT count(*) FROM jobs").fetchone()
            number = 0
            while wal_bytes(path) < 4 * MIB:
                await store.apply(batch(number), (), now=NOW)
                number += 1
            other.execute("ROLLBACK")
        while wal_bytes(path) >= 4 * MIB:
            await store.apply(batch(number), (), now=NOW)
            number += 1
        assert wal_bytes(path) < 512 * KIB
        assert [(1000,)] == [tuple(row) for row in writer_of(store).connection.execute("PRAGMA busy_timeout")]


async def test_a_checkpoint_that_fails_takes_nothing_back(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch is applied even if the checkpoint fails."""
    monkeypatch.setattr(wal, "SHORT_BYTES", 1)
    monkeypatch.setattr(wal, "_MOMENT_MS", "no number;SELECT x")
    async with open_store(path) as store:
        await store.apply(batch(0), (), now=NOW)
        assert wal_bytes(path) > 0
        assert 250 == len(summaries(await store.list_jobs(ListJobsQuery())))


def test_patience_grows_with_the_log() -> None:
    """The wait is short above the short limit and long above the long one, and repeats only after the log has grown."""
    limit = WalLimit()
    lengths = [0, 24, 25, 48, 63, 64, 72, 127, 128, 136, 192, 0, 23, 24, 64]
    expected = [None, 50, None, 50, None, None, 5000, 50, None, None, 5000, None, None, 50, 5000]
    assert expected == [limit.patience_ms(length * MIB) for length in lengths]


def test_a_database_without_a_log_has_none(path: Path) -> None:
    """A missing log is empty."""
    assert 0 == wal_bytes(path)
