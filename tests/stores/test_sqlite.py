"""SQLite's own behaviour: opening, migrating and refusing a file, durability, locks, and query plans."""

import asyncio
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from itertools import product
from math import inf
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from starlette.requests import Request
from support.job_pages import summaries
from support.message_streams import parse
from support.simulated_aws import simulate
from support.writers import writer_of

from jobindex.errors import DatabaseRefusedError, DatabaseUnavailableError, DataRefusedError
from jobindex.model.jobs import JobStatus, TargetSelection, to_milliseconds
from jobindex.model.listing import Filters, ListJobsQuery, Position
from jobindex.model.reports import JobReport, RejectedMessage, ThingGroupReport
from jobindex.model.store import Lease, RejectedLimits, Session
from jobindex.monitoring.metrics import Metrics
from jobindex.monitoring.state import ServiceState
from jobindex.storage.migrations import Migration, load_migrations
from jobindex.storage.sql import pages
from jobindex.storage.sql.applying import apply
from jobindex.storage.sql.group_keys import GroupKey
from jobindex.storage.sql.pages import page_parameters, page_statement
from jobindex.storage.sql.state_cache import StateCache
from jobindex.storage.sqlite import quick, writer
from jobindex.storage.sqlite import store as sqlite
from jobindex.storage.sqlite.store import SqliteStore, migrate, open_store
from jobindex.storage.sqlite.writer import SqliteTransaction
from jobindex.web.api.metrics import metrics_endpoint

NOW = datetime(2030, 1, 1, tzinfo=UTC)

NOW_MS = to_milliseconds(NOW)
JOB = JobReport(job_id="j1", time=NOW_MS, earliest_at=NOW_MS, latest_at=NOW_MS)
REJECTED = RejectedMessage(topic="$aws/things/t1/jobs/notify", payload=b"\xff", reason="payload: not JSON")

# Opens the database named on the command line, not as root, which ignores permissions, and prints the outcome.
OPEN = """
import asyncio, os, sys
from math import inf
from pathlib import Path
from jobindex.storage.sqlite import store as sqlite
from jobindex.errors import JobindexError

migrations = sqlite.load_migrations("sqlite")
sqlite.load_migrations = lambda engine: migrations
if os.geteuid() == 0:
    os.seteuid(65534)
try:
    asyncio.run(sqlite.migrate(Path(sys.argv[1])))
except JobindexError as error:
    print(type(error).__name__, error)
else:
    print("opened")
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the path of a new database, with characters that a URI must escape."""
    return tmp_path / "job index?100%.db"


@pytest.fixture
def shared_path() -> Iterator[Path]:
    """Return a path in a folder that any user can write, unlike pytest's folders."""
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        yield Path(folder) / "jobindex.db"


@pytest.fixture
async def opened(path: Path) -> AsyncIterator[SqliteStore]:
    """Open a new index."""
    async with open_store(path) as store:
        yield store


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait only briefly for another process's lock."""
    monkeypatch.setattr(writer, "BUSY_TIMEOUT_MS", 10)


def rows(path: Path, statement: str) -> list[tuple[object, ...]]:
    """Return rows of the file, read as by another process."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(statement).fetchall()


def open_elsewhere(path: Path) -> str:
    """Open the database in another process, not as root, and return the outcome."""
    command = [sys.executable, "-c", OPEN, str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.removesuffix("\n")


def plan(connection: sqlite3.Connection, statement: str, parameters: Mapping[str, object]) -> list[str]:
    """Return the steps of a statement's query plan."""
    return [detail for _, _, _, detail in connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)]


# Opening


async def test_a_database_is_made(path: Path) -> None:
    """Opening makes the database with every migration, each recorded."""
    async with open_store(path):
        pass
    expected = [(migration.number, migration.name) for migration in load_migrations("sqlite")]
    assert expected == rows(path, "SELECT number, name FROM migrations ORDER BY number")


def _rights(path: Path) -> int:
    return path.stat().st_mode & 0o777


@pytest.mark.parametrize("mode", [None, 0o640])
async def test_a_new_database_is_open_to_its_owner_alone(path: Path, mode: int | None) -> None:
    """A new database and its WAL are open to their owner only; an existing file keeps its permissions."""
    if mode is not None:
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, mode))
    async with open_store(path) as store:
        await store.apply([JOB], (), now=NOW)
        files = [path, Path(f"{path}-wal"), Path(f"{path}-shm")]
        assert {mode or 0o600} == {*map(_rights, files)}


async def test_opening_again_does_nothing(path: Path) -> None:
    """A database that is up to date does not change."""
    await migrate(path)
    expected = rows(path, "SELECT * FROM migrations"), rows(path, "SELECT * FROM sqlite_schema")
    await migrate(path)
    assert expected == (rows(path, "SELECT * FROM migrations"), rows(path, "SELECT * FROM sqlite_schema"))


async def test_what_was_applied_is_there_after_opening_again(path: Path) -> None:
    """The index survives a restart."""
    async with open_store(path) as store:
        await store.apply([JOB], (), now=NOW)
        expected = await store.list_jobs(ListJobsQuery())
    async with open_store(path) as store:
        assert expected == await store.list_jobs(ListJobsQuery())
    assert 1 == len(summaries(expected))


async def test_a_migration_applies_whole_or_not_at_all(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A migration that fails leaves no table and no record, and is applied once it is fixed."""
    migrations = load_migrations("sqlite")
    broken = Migration(number=migrations[-1].number + 1, name="more", sql="CREATE TABLE more (x); SELECT x;")
    monkeypatch.setattr(sqlite, "load_migrations", lambda _: (*migrations, broken))
    with pytest.raises(DatabaseRefusedError, match="no such column: x"):
        await migrate(path)
    assert [(migrations[-1].number,)] == rows(path, "SELECT max(number) FROM migrations")
    assert [] == rows(path, "SELECT name FROM sqlite_schema WHERE name = 'more'")

    mended = Migration(number=broken.number, name="more", sql="CREATE TABLE more (x);")
    monkeypatch.setattr(sqlite, "load_migrations", lambda _: (*migrations, mended))
    await migrate(path)
    assert [(mended.number,)] == rows(path, "SELECT max(number) FROM migrations")
    assert [("more",)] == rows(path, "SELECT name FROM sqlite_schema WHERE name = 'more'")


# Refusals


def test_a_file_that_is_no_database_is_refused(path: Path) -> None:
    """A file that is not a database is refused, and does not change."""
    path.write_bytes(b"not a database, " * 100)
    with pytest.raises(DatabaseRefusedError, match="file is not a database"):
        asyncio.run(migrate(path))
    assert b"not a database, " * 100 == path.read_bytes()


async def test_a_database_of_another_application_is_refused(path: Path) -> None:
    """A SQLite file with foreign tables is refused, and gets no others."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE jobs (x)")
    with pytest.raises(DatabaseRefusedError, match="is not a jobindex database"):
        await migrate(path)
    assert [("jobs",)] == rows(path, "SELECT name FROM sqlite_schema")


async def test_a_database_newer_than_the_code_is_refused(path: Path) -> None:
    """A database of a newer version is refused, and the error names both migrations."""
    await migrate(path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("INSERT INTO migrations (number, name) VALUES (9999, 'future')")
    newest = load_migrations("sqlite")[-1].number
    with pytest.raises(
        DatabaseRefusedError, match=f"is at migration 9999 of a newer jobindex; this version has {newest}"
    ):
        await migrate(path)


async def test_a_folder_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    """A database in a missing folder is refused."""
    with pytest.raises(DatabaseRefusedError, match="No such file or directory"):
        await migrate(tmp_path / "missing" / "jobindex.db")


def test_a_folder_is_refused(shared_path: Path) -> None:
    """A path that names a folder is refused."""
    shared_path.mkdir()
    assert f"DatabaseRefusedError {shared_path}: unable to open database file" == open_elsewhere(shared_path)


async def test_a_database_in_use_by_another_jobindex_is_refused(path: Path, opened: SqliteStore) -> None:
    """A second service is refused, and the first one continues."""
    with pytest.raises(DatabaseRefusedError, match="is in use by another jobindex"):
        await migrate(path)
    await opened.apply([JOB], (), now=NOW)
    assert 1 == len(summaries(await opened.list_jobs(ListJobsQuery())))


async def test_who_has_the_file_has_its_lease(opened: SqliteStore) -> None:
    """A process that opened the file has the lease, and no other process changes the index."""
    expected = Lease(holder="", is_mine=True, seconds_left=inf, status="{}")
    assert (False, expected) == (opened.is_shared, await opened.lease())
    await opened.apply([JOB], (), now=NOW)
    assert [] == list(await opened.changed_by_others())
    await opened.release_lease()
    assert await opened.take_lease("{}", seconds=1)
    assert expected == await opened.lease()


def test_any_user_may_open_a_database(shared_path: Path) -> None:
    """Any user who can write the folder can create a database."""
    assert "opened" == open_elsewhere(shared_path)


def test_a_folder_that_cannot_be_written_is_refused(shared_path: Path) -> None:
    """A database in a folder without write permission is refused."""
    shared_path.parent.chmod(0o555)
    assert f"DatabaseRefusedError {shared_path}: Permission denied" == open_elsewhere(shared_path)


@pytest.mark.parametrize(
    ("mode", "reason"),
    [(0o444, "attempt to write a readonly database"), (0o000, "unable to open database file")],
    ids=["read-only", "closed"],
)
def test_a_file_that_cannot_be_written_is_refused(shared_path: Path, mode: int, reason: str) -> None:
    """A database without permission to write or to read is refused."""
    assert "opened" == open_elsewhere(shared_path)
    shared_path.chmod(mode)
    assert f"DatabaseRefusedError {shared_path}: {reason}" == open_elsewhere(shared_path)


# Locks and failures


@pytest.fixture
def other(path: Path) -> Iterator[sqlite3.Connection]:
    """Open the file as another process would."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        yield connection


@pytest.mark.usefixtures("impatient")
async def test_a_locked_database_can_be_opened_later(path: Path, other: sqlite3.Connection) -> None:
    """A locked database is unavailable until the lock is released."""
    await migrate(path)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(DatabaseUnavailableError, match="database is locked"):
        await migrate(path)
    other.execute("ROLLBACK")
    await migrate(path)


@pytest.mark.usefixtures("impatient")
async def test_while_another_process_has_the_lock_nothing_is_applied(path: Path) -> None:
    """A batch that meets a lock leaves no rows, reads continue, and the batch succeeds later."""
    async with open_store(path) as store:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(DatabaseUnavailableError, match="The index cannot be written: database is locked"):
                await store.apply([JOB], [REJECTED], now=NOW)
            with pytest.raises(DatabaseUnavailableError, match="The index cannot be written: database is locked"):
                await store.remember_session(Session())
            assert () == summaries(await store.list_jobs(ListJobsQuery()))
            other.execute("ROLLBACK")
        assert [] == rows(path, "SELECT * FROM rejected_messages")
        await store.apply([JOB], [REJECTED], now=NOW)
        assert 1 == len(summaries(await store.list_jobs(ListJobsQuery())))


async def test_a_batch_that_fails_in_the_middle_leaves_nothing(
    path: Path, opened: SqliteStore, other: sqlite3.Connection
) -> None:
    """A batch that fails in the middle is rolled back, and can be applied again."""
    other.execute("CREATE TRIGGER refuse BEFORE INSERT ON rejected_messages BEGIN SELECT RAISE(FAIL, 'planted'); END")
    with pytest.raises(DataRefusedError, match="planted"):
        await opened.apply([JOB], [REJECTED], now=NOW)
    assert () == summaries(await opened.list_jobs(ListJobsQuery()))
    assert [] == rows(path, "SELECT * FROM jobs")
    other.execute("DROP TRIGGER refuse")
    await opened.apply([JOB], [REJECTED], now=NOW)
    assert 1 == len(summaries(await opened.list_jobs(ListJobsQuery())))


async def test_a_batch_that_is_canceled_leaves_the_store_working(opened: SqliteStore) -> None:
    """After a canceled batch, the next one is applied."""
    for steps in range(20):
        task = asyncio.create_task(opened.apply([JOB], [REJECTED], now=NOW))
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await opened.apply([JOB], (), now=NOW)


async def test_a_batch_that_is_canceled_is_another_version(opened: SqliteStore) -> None:
    """A canceled batch is still applied and changes the version, so that cached answers expire."""
    version = opened.version
    task = asyncio.create_task(opened.apply([JOB], (), now=NOW))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with asyncio.timeout(10):
        while opened.version == version:  # noqa: ASYNC110 (a store has no event)
            await asyncio.sleep(0.01)
    assert 1 == len(summaries(await opened.list_jobs(ListJobsQuery())))


async def test_a_question_that_is_canceled_leaves_the_store_working(opened: SqliteStore) -> None:
    """After a canceled read in a thread, the next ones are answered."""
    opened._engine._quick._connection.set_progress_handler(lambda: True, 1)
    for steps in range(20):
        task = asyncio.create_task(opened.list_jobs(ListJobsQuery()))
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        for _ in range(sqlite.READERS):
            assert () == summaries(await opened.list_jobs(ListJobsQuery()))


async def test_a_question_that_is_canceled_ends_at_once(opened: SqliteStore) -> None:
    """A canceled read ends within its statement: a scrape's time limit holds, and the next read does not wait."""
    slow = "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 50000000) SELECT count(*) FROM n"
    began = time.monotonic()
    for _ in range(sqlite.READERS):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await opened._engine.read(lambda connection: connection.execute(slow).fetchone())
    assert [] == list(await opened.things(prefix="", after="", limit=1))
    assert time.monotonic() - began < 1


async def test_a_table_that_is_gone_makes_the_index_unreadable(opened: SqliteStore, other: sqlite3.Connection) -> None:
    """An unreadable index is unavailable, never empty."""
    other.execute("DROP TABLE job_summaries")
    with pytest.raises(DatabaseUnavailableError, match="The index cannot be read: no such table: job_summaries"):
        await opened.list_jobs(ListJobsQuery())


async def test_a_rejected_message_is_kept_once(path: Path, opened: SqliteStore) -> None:
    """A rejected message is stored with its reason, in one row however often it arrives."""
    other = REJECTED._replace(payload=b"\xfe")
    await opened.apply((), [REJECTED, other, REJECTED], now=NOW)
    await opened.apply((), [REJECTED], now=NOW + timedelta(hours=1))
    expected = [(1893456000000, message.topic, message.payload, message.reason) for message in (REJECTED, other)]
    assert expected == rows(path, "SELECT rejected_at, topic, payload, reason FROM rejected_messages ORDER BY 3 DESC")


# Connections


async def test_a_commit_survives_a_loss_of_power(opened: SqliteStore) -> None:
    """The writer uses a write-ahead log, and its commits wait for the disk."""
    pragmas = [
        tuple(row)
        for pragma in ("journal_mode", "synchronous")
        for row in writer_of(opened).connection.execute(f"PRAGMA {pragma}")
    ]
    assert [("wal",), (2,)] == pragmas


async def test_readers_cannot_write(opened: SqliteStore) -> None:
    """A reading connection is refused every change."""
    for _ in range(sqlite.READERS):
        async with opened._engine._reading() as reader:
            with pytest.raises(sqlite3.OperationalError, match="attempt to write a readonly database"):
                await reader.execute("DELETE FROM jobs")
            opened._engine._idle_readers.put_nowait(opened._engine._idle_readers.get_nowait())


# Pages


async def test_a_page_that_takes_long_is_read_in_a_thread(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that takes long is read in a thread, with the same result."""
    monkeypatch.setattr(quick, "INSTRUCTIONS_MAXIMUM", 1)
    async with open_store(path) as store:
        await store.apply([JOB._replace(job_id=f"j{number}") for number in range(300)], (), now=NOW)
        with pytest.raises(sqlite3.OperationalError, match="interrupted"):
            store._engine._quick.read(store._engine, ListJobsQuery(), None)
        page = await store.list_jobs(ListJobsQuery())
        rest = await store.list_jobs(ListJobsQuery(after=page.next_position))
    assert {f"j{number}" for number in range(300)} == {job.job_id for job in (*summaries(page), *summaries(rest))}


async def test_pages_asked_for_again_and_again_are_still_read_at_once(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limit of instructions is that of one page, although SQLite counts all uses of a statement."""
    monkeypatch.setattr(quick, "INSTRUCTIONS_MAXIMUM", 10_000)
    async with open_store(path) as store:
        await store.apply([JOB._replace(job_id=f"j{number}") for number in range(300)], (), now=NOW)
        pages = [store._engine._quick.read(store._engine, ListJobsQuery(), None) for _ in range(50)]
    assert 250 == len(summaries(pages[0]))
    assert [pages[0]] * 50 == pages


@pytest.mark.parametrize("streams_maximum", [2, 3, 400])
async def test_any_number_of_streams_is_merged(
    path: Path, monkeypatch: pytest.MonkeyPatch, streams_maximum: int
) -> None:
    """A group's name finds the jobs of all its ids, in order, and once each."""
    monkeypatch.setattr(pages, "STREAMS_MAXIMUM", streams_maximum)
    numbers = range(40)
    groups = [ThingGroupReport(thing_group_name="g", thing_group_id=f"g-{number}") for number in numbers]
    jobs = [
        JOB._replace(
            job_id=f"j{number:02}",
            members={"thing_group_id": f"g-{number}", "thing_group_name": "g", "namespace_id": "n"},
        )
        for number in numbers
    ]
    async with open_store(path) as store:
        await store.apply([*groups, *jobs], (), now=NOW)
        for filters in (Filters(thing_group_name="g"), Filters(thing_group_name="g", namespace_id="n")):
            page = await store.list_jobs(ListJobsQuery(filters=filters, max_results=30))
            rest = await store.list_jobs(ListJobsQuery(filters=filters, max_results=30, after=page.next_position))
            found = [job.job_id for job in (*summaries(page), *summaries(rest))]
            assert [f"j{number:02}" for number in reversed(numbers)] == found


# Query plans

ALLOWED = (
    "SCAN changed",  # the rows of a statement
    "SCAN places",
    "SCAN CONSTANT ROW",
    "SCAN source",  # one row
    "SCAN retention",
    "SCAN namespace_jobs",
    "SCAN namespace_executions",
    "SCAN few",  # at most as many as are counted
)
"""The tables that a statement of a batch may scan."""


@pytest.fixture
async def migrated(path: Path) -> AsyncIterator[sqlite3.Connection]:
    """Open a migrated file."""
    await migrate(path)
    with closing(sqlite3.connect(path)) as connection:
        yield connection


@pytest.mark.parametrize("after", [None, Position(created_at=NOW, job_id="j1")], ids=["first page", "next page"])
@pytest.mark.parametrize("names", list(product([False, True], repeat=5)))
def test_a_page_costs_the_same_at_any_size(
    migrated: sqlite3.Connection, names: tuple[bool, ...], after: Position | None
) -> None:
    """A page with any combination of filters is read in index order, without a sort."""
    filters = Filters(
        namespace_id="n" if names[0] else None,
        status=JobStatus.CANCELED if names[1] else None,
        target_selection=TargetSelection.SNAPSHOT if names[2] else None,
        thing_group_id="g-1" if names[3] else None,
        thing_group_name="g" if names[4] else None,
    )
    keys = [GroupKey("name:g"), GroupKey("both:g/g-1"), GroupKey("name:g", "name:h")] if any(names[3:]) else None
    query = ListJobsQuery(filters=filters, after=after)
    statement = page_statement(query, keys)
    assert statement is not None
    steps = plan(migrated, statement, page_parameters(query, keys))
    assert not any("job_summaries_by_job" in step for step in steps)
    streams = [step for step in steps if step.startswith(("SEARCH member", "SEARCH job USING INDEX"))]
    if any(names):
        assert streams
        assert after is None or all(step.endswith("(created_at,job_id)<(?,?))") for step in streams)
        assert names[0] == any("by_namespace" in step for step in streams)
    allowed = ("SCAN (subquery", "SCAN page", *(() if any(names) else ("SCAN job",)))
    assert [] == [step for step in steps if not is_cheap(step, allowed)]


def is_cheap(step: str, allowed: tuple[str, ...]) -> bool:
    """Return whether a step neither scans a table, nor sorts, nor builds an index."""
    return (not step.startswith("SCAN") or step.startswith(allowed)) and not any(
        word in step for word in ("B-TREE", "AUTOMATIC")
    )


@pytest.mark.parametrize("count", [1, 50])
def test_a_batch_costs_the_same_at_any_size(migrated: sqlite3.Connection, count: int) -> None:
    """Every statement of a batch starts from the batch's reports, and finds the rest by key.

    The messages of two fleets correct namespaces, delete jobs and reuse their ids, omit executions, and publish an
    earlier job event.
    """
    statements: set[str] = set()
    messages = [message for seed in (1, 2) for message in reversed(simulate(seed).messages)]
    migrated.set_trace_callback(statements.add)
    for start in range(0, len(messages), count):
        reports, _ = parse([(one.topic, one.payload) for one in messages[start : start + count]])
        apply(
            reports=reports,
            rejected=(),  # their number is bounded
            now=NOW_MS,
            limits=RejectedLimits(),
            writer=SqliteTransaction(migrated, StateCache()),
        )
    migrated.set_trace_callback(None)
    asked = [one for one in statements if one.lstrip().startswith(("SELECT", "INSERT", "UPDATE", "DELETE", "WITH"))]
    whole = {text.split("json_each")[0][:200]: text for text in asked}.values()  # one of each kind
    steps = {step: text for text in whole for step in plan(migrated, text, {})}
    assert len(whole) > 20
    assert [] == [
        (step, text)
        for step, text in steps.items()
        if "VIRTUAL TABLE" not in step  # json_each
        and not is_cheap(step, ALLOWED)
    ]


async def test_namespaces_are_counted_by_two_statements(opened: SqliteStore, other: sqlite3.Connection) -> None:
    """Two statements count all namespaces: each scans a table twice, and finds the rest by key."""
    jobs = [JOB._replace(job_id=f"j{n}", members={"namespace_id": f"n{n}"}) for n in range(300)]
    await opened.apply(jobs, (), now=NOW)
    statements: list[str] = []
    for _ in range(sqlite.READERS):
        reader = opened._engine._idle_readers.get_nowait()
        await reader.set_trace_callback(statements.append)
        opened._engine._idle_readers.put_nowait(reader)
    state = ServiceState(store=opened)
    serve = metrics_endpoint(state, Metrics(state), stuck_after=timedelta(hours=1))
    text = bytes((await serve(Request({"type": "http"}))).body).decode()
    assert '\njobindex_jobs{namespace_id="other",status="IN_PROGRESS"} 250.0\n' in text
    counting = [statement for statement in statements if "namespace_" in statement]
    assert 2 == len(counting)
    steps = [plan(other, statement, {}) for statement in counting]
    assert [2, 2] == [sum(step.startswith("SCAN namespace_") for step in plan) for plan in steps]
    assert not any("CORRELATED" in step for plan in steps for step in plan)


@pytest.mark.parametrize(
    ("limits", "kept"),
    [
        (RejectedLimits(max_messages=3), [7, 8, 9]),
        (RejectedLimits(max_bytes=25), [8, 9]),
        (RejectedLimits(max_messages=1, max_bytes=25), [9]),
        (RejectedLimits(max_messages=0), []),
        (RejectedLimits(max_bytes=9), []),
        (RejectedLimits(), list(range(10))),
    ],
)
async def test_the_oldest_rejected_messages_go_first(tmp_path: Path, limits: RejectedLimits, kept: list[int]) -> None:
    """Rejected messages are limited by number and bytes, and the discarded ones are counted."""
    path = tmp_path / "jobindex.db"
    discarded = 0
    async with open_store(path, limits) as store:
        for number in range(0, 10, 2):
            # Ten bytes each: "é" is two.
            pair = [RejectedMessage(topic=f"é{n}", payload=b"payload", reason="no") for n in (number, number + 1)]
            discarded += (await store.apply([], pair, now=NOW)).discarded
    with closing(sqlite3.connect(path)) as database:
        topics = [row[0] for row in database.execute("SELECT topic FROM rejected_messages ORDER BY 1")]
    assert [f"é{number}" for number in kept] == topics
    assert 10 - len(kept) == discarded
