"""`jobindex copy`: a copy of an index in another database, with interruptions, refusals and differences."""

import asyncio
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.commands import jobindex
from support.message_streams import NAMESPACE_IDS, Arrival, Message, arrivals, parse, streams
from support.messages import NOW, Index, arn, entry, event, execution, group, job, pending
from support.postgresql_servers import Databases, execute
from support.questions import Asking, askings, values
from support.waiting import wait_until

from jobindex.errors import DatabaseRefusedError, DatabaseUnavailableError, DataRefusedError
from jobindex.model.listing import Filters
from jobindex.model.reports import JobReport, RejectedMessage
from jobindex.model.store import Session, Settled, Store
from jobindex.model.sync import SyncKind, SyncStep
from jobindex.storage import copying
from jobindex.storage.copying import open_copy
from jobindex.storage.databases import Database, PostgresDatabase, SqliteDatabase
from jobindex.storage.migrations import load_migrations
from jobindex.storage.opening import migrate, open_store
from jobindex.storage.sql.copying import Copied
from jobindex.storage.sql.tables import TABLES
from jobindex.storage.sqlite.check import check
from jobindex.storage.sqlite.file import CREATE_MIGRATIONS, migration_script

SHOWN = "postgresql://there/db"
SESSION = Session(topic_filters=frozenset({"$aws/Ä/#", "$aws/a/#", "$aws/B/#"}), complete_since=NOW)
MESSAGES = [
    job("job-1", namespace="fleet", thingGroupName="blue", targetSelection="SNAPSHOT", createdAt=20, lastUpdatedAt=30),
    job(
        "job-2",
        namespace="next-fleet",
        jobArn=arn("job/job-2", region='"%(g %d'),
        isConcurrent=True,
        createdAt=20.5,
    ),
    job("job-3", namespace="fleet", targets=[arn(f"thinggroup/{name}") for name in ("blue", "green")]),
    job("job-5", namespace="fleet", status="COMPLETED", completedAt=5, lastUpdatedAt=5),
    execution("SUCCEEDED", "job-1", "thing-1", lastUpdatedAt=40, executionNumber=2**63 - 1),
    execution("QUEUED", "job-1", "thing-2", queuedAt=21),
    execution("FAILED", "job-1", "thing-2", queuedAt=20),
    execution("IN_PROGRESS", "job-1", "thing-2", lastUpdatedAt=22, statusDetails={"progress": "1/2"}),
    pending(50, entry("job-2", queuedAt=20), thing="thing-1", namespace="next-fleet"),
    event("deleted", "job-4", timestamp=60),
    group("blue", "1-a"),
]
REJECTED = [
    RejectedMessage(topic="$aws/things/thing-1/jobs/notify", payload=b"\xff\0", reason="payload: is not JSON"),
    RejectedMessage(topic="a", payload=b"", reason="topic: is not known"),
]
LATE = [("$aws/events/job/late/completed", b'{"timestamp": 90}')]
EVERYTHING = Asking(limit=2, filters=[Filters(), Filters(namespace_id="fleet"), Filters(thing_group_name="blue")])

_few = settings(max_examples=max(6, settings().max_examples // 12))


def postgres(url: str) -> PostgresDatabase:
    """Return the database at a URL."""
    return PostgresDatabase(conninfo=url, shown=SHOWN)


@pytest.fixture(params=["sqlite", "postgresql"])
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """Make an index with every kind of row, in each engine."""
    if request.param == "sqlite":
        made: Database = SqliteDatabase(path=tmp_path / "old?100%.db")
        asyncio.run(fill(made))
        yield made
        return
    databases: Databases = request.getfixturevalue("postgresql")
    with databases.fresh() as url:
        asyncio.run(fill(made := postgres(url)))
        yield made


@pytest.fixture(params=["sqlite", "postgresql"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    """Return a missing SQLite file, or an empty PostgreSQL database."""
    if request.param == "sqlite":
        return SqliteDatabase(path=tmp_path / "new.db")
    return postgres(request.getfixturevalue("postgres_url"))


@pytest.fixture
def old(tmp_path: Path) -> SqliteDatabase:
    """Make a SQLite index with every kind of row."""
    made = SqliteDatabase(path=tmp_path / "old.db")
    asyncio.run(fill(made))
    return made


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limit a page to two rows."""
    monkeypatch.setattr(copying, "TABLES", tuple(replace(table, page_rows=2) for table in TABLES))


async def fill(database: Database) -> None:
    """Apply all messages, delete a job by retention, and store a session and a sync."""
    async with open_store(database) as store:
        await tell(store, [(topic, json.dumps(payload).encode()) for topic, payload in MESSAGES], REJECTED)
        assert [1] == [step.jobs async for step in store.retain(timedelta(seconds=NOW.timestamp() - 10), now=NOW)]
        await store.remember_session(SESSION)
        await store.request_sync(SyncKind.ALL, now=NOW)
        run = await store.next_sync()
        assert run is not None
        missing = JobReport("job-6", 20_000, {}, 20_000, 20_000)
        step = SyncStep(run=run, rows=[(missing,)], listed=[("job-1", "")], compared=frozenset({("job-6", "")}))
        await store.record_sync(replace(step, repairs=False, reconciled_at=NOW), now=NOW)
        members = [("group-1", f"thing-{number}") for number in range(3)]
        await store.record_sync(SyncStep(run=replace(run, as_of=NOW), members=members, whole_group="group-1"), now=NOW)
        await store.release_lease()


async def tell(store: Store, messages: Sequence[Message], rejected: Sequence[RejectedMessage] = ()) -> None:
    """Apply each message as its own batch, and then the rejected messages."""
    assert await store.take_lease("{}", seconds=3600)
    for number, message in enumerate(messages):
        reports, failed = parse([message])
        await store.apply(reports, failed, now=NOW + timedelta(minutes=number))
    await store.apply([], rejected, now=NOW)


async def answers(
    database: Database,
    asking: Asking = EVERYTHING,
    messages: Sequence[Message] = (),
) -> dict[str, object]:
    """Apply these messages to an index, and return all its answers."""
    async with open_store(database) as store:
        if messages:
            await tell(store, messages)
            await store.release_lease()
        found = {name: values(answer) for name, answer in (await asking.answers(store)).items()}
        limited = await asking.answers(store.visible_to(frozenset(NAMESPACE_IDS[:1])))
        kept = await store.rejected_messages(after=0, limit=1000)
        return {
            **found,
            "seen": {name: values(answer) for name, answer in limited.items()},
            "session": await store.session(),
            "rejected_messages": kept,
            "rejected_message": [await store.rejected_message(one.id) for one in kept],
        }


def ignore(done: int, total: int | None) -> None:
    """Ignore the progress of a copy."""


def copied(source: Database, target: Database, *, is_anew: bool = False, skips_refused: bool = False) -> list[str]:
    """Copy an index, end the copy if it has no problems, and return the problems."""
    with open_copy(source, target, is_anew=is_anew) as made:
        made.survey(ignore)
        made.write(ignore, skips_refused=skips_refused)
        problems = [str(finding) for finding in made.compare(ignore) if finding.problem]
        if not problems:
            made.end()
        return problems


def interrupted(source: Database, target: Database, *, pages: int = 1, skips_refused: bool = False) -> int:
    """Copy some pages, stop as with Ctrl-C, and return the number of rows copied."""
    calls = 0

    def count(done: int, total: int | None) -> None:  # noqa: ARG001 (the signature of Advance)
        nonlocal calls
        calls += 1
        if calls > pages:
            raise KeyboardInterrupt

    with open_copy(source, target, is_anew=False) as made:
        made.survey(ignore)
        with suppress(KeyboardInterrupt):
            made.write(count, skips_refused=skips_refused)
        return made.rows_copied


def change(database: Database, *statements: str) -> None:
    """Change a database directly, without jobindex."""
    for statement in statements:
        if isinstance(database, PostgresDatabase):
            execute(database.conninfo, statement)
        else:
            with closing(sqlite3.connect(database.path, isolation_level=None)) as connection:
                connection.execute(statement)


def url(database: Database) -> str:
    """Return a database in the form of an option."""
    return (
        database.conninfo
        if isinstance(database, PostgresDatabase)
        else f"sqlite:///{str(database.path).replace('%', '%25')}"
    )


# Content


def test_every_column_is_copied(tmp_path: Path, postgres_url: str) -> None:
    """A copy covers each column and key of both engines, except tables of migrations, rebuilds and replicas."""
    file = SqliteDatabase(path=tmp_path / "jobindex.db")
    asyncio.run(migrate(file))
    asyncio.run(migrate(postgres(postgres_url)))
    expected = {table.name: (sorted(table.columns), list(table.key)) for table in TABLES}
    with closing(sqlite3.connect(file.path)) as connection:
        names = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
        described = {name: connection.execute(f"PRAGMA table_info({name})").fetchall() for name in names}
    found = {
        name: (
            sorted(column[1] for column in columns),
            [key[1] for key in sorted(columns, key=lambda key: key[5]) if key[5]],
        )
        for name, columns in described.items()
    }
    assert expected == {name: columns for name, columns in found.items() if name not in {"migrations", "rebuild"}}
    columns = execute(
        postgres_url,
        """
        SELECT
            columns.table_name,
            array_agg(CAST(columns.column_name AS text) ORDER BY columns.column_name COLLATE "C"),
            array_agg(CAST(keys.column_name AS text) ORDER BY keys.ordinal_position)
                FILTER (WHERE keys.column_name IS NOT NULL)
        FROM information_schema.columns
        JOIN information_schema.tables USING (table_schema, table_name)
        LEFT JOIN information_schema.key_column_usage AS keys
            ON (keys.table_schema, keys.table_name, keys.column_name)
                = (columns.table_schema, columns.table_name, columns.column_name)
            AND keys.constraint_name LIKE '%_pkey'
        WHERE columns.table_schema = 'public'
        AND table_type = 'BASE TABLE'
        GROUP BY columns.table_name
        """,
    )
    found = {name: (names, key) for name, names, key in columns}
    assert expected == {name: found[name] for name in expected}
    assert {"migrations", "rebuild", "lease", "writes", "changes"} == found.keys() - expected.keys()


def test_a_copy_answers_what_its_source_answers(source: Database, target: Database) -> None:
    """A copy gives the same answers as its source, before and after further messages."""
    assert [] == copied(source, target)
    expected = asyncio.run(answers(source))
    assert expected == asyncio.run(answers(target))
    more = [event("completed", "job-1", timestamp=70), event("completed", "job-5", timestamp=9)]
    told = [(topic, json.dumps(payload).encode()) for topic, payload in more]
    assert asyncio.run(answers(source, messages=told)) == asyncio.run(answers(target, messages=told)) != expected
    for database in (source, target):
        if isinstance(database, SqliteDatabase):
            assert [] == [str(finding) for finding in check(database.path) if finding.problem]


def test_every_table_has_rows_here(old: SqliteDatabase) -> None:
    """The index of these tests has rows in every table except `deferred_work`, which has its own test."""
    with closing(sqlite3.connect(old.path)) as connection:
        empty = [table.name for table in TABLES if not connection.execute(f"SELECT 1 FROM {table.name}").fetchall()]
    assert ["deferred_work"] == empty


def test_deferred_work_goes_on_in_the_copy(source: Database, target: Database) -> None:
    """A copy continues the deferred work of its source."""
    change(source, "INSERT INTO deferred_work (work, name) VALUES ('job', 'job-1')")
    assert [] == copied(source, target)

    async def settle() -> Sequence[Settled | None]:
        async with open_store(target) as store:
            assert await store.take_lease("{}", seconds=3600)
            return [await store.settle(now=NOW) for _ in range(2)]

    [done, nothing] = asyncio.run(settle())
    assert done is not None
    assert nothing is None


@_few
@given(
    data=st.data(),
    messages=st.lists(streams(), min_size=1, max_size=4).map(lambda some: [message for one in some for message in one]),
    asking=askings(),
)
def test_any_index_can_be_moved_there_and_back(
    postgresql: Databases,
    tmp_path_factory: pytest.TempPathFactory,
    data: st.DataObject,
    messages: list[Message],
    asking: Asking,
) -> None:
    """A copy to PostgreSQL gives the same answers, and a copy back to SQLite has the same content."""
    directory = tmp_path_factory.mktemp("moved")
    first, last = (SqliteDatabase(path=directory / name) for name in ("first.db", "last.db"))
    asyncio.run(arrive(first, data.draw(arrivals(messages))))
    with postgresql.fresh() as there:
        assert [] == copied(first, postgres(there))
        assert asyncio.run(answers(first, asking)) == asyncio.run(answers(postgres(there), asking))
        assert [] == copied(postgres(there), last)
    assert content(first) == content(last)
    assert [] == [str(finding) for finding in check(last.path) if finding.problem]


def test_a_text_with_nul_is_as_postgresql_keeps_it(tmp_path: Path, postgres_url: str) -> None:
    """A copy replaces NUL in rejected messages, as PostgreSQL's store does."""
    database = SqliteDatabase(path=tmp_path / "old.db")
    asyncio.run(arrive(database, Arrival(batches=[((), [RejectedMessage(topic="a\0b", payload=b"\0", reason="\0")])])))
    assert [] == copied(database, postgres(postgres_url))
    rows = execute(postgres_url, "SELECT topic, payload, reason FROM rejected_messages")
    assert [("a\N{REPLACEMENT CHARACTER}b", b"\0", "\N{REPLACEMENT CHARACTER}")] == rows


async def arrive(database: Database, arrival: Arrival) -> None:
    """Apply batches to an index."""
    async with open_store(database) as store:
        for reports, rejected in arrival.batches:
            await store.apply(reports, rejected, now=NOW)


def content(database: SqliteDatabase) -> list[str]:
    """Return the content of a file, except its migrations, as sorted SQL statements."""
    with closing(sqlite3.connect(database.path)) as connection:
        return sorted(line for line in connection.iterdump() if '"migrations"' not in line)


def test_postgresql_knows_how_large_a_copy_is(old: SqliteDatabase, postgres_url: str) -> None:
    """A copy updates PostgreSQL's statistics."""
    assert [] == copied(old, postgres(postgres_url))
    sizes = execute(postgres_url, "SELECT reltuples FROM pg_class WHERE relname IN ('jobs', 'executions') ORDER BY 1")
    assert [(3.0,), (4.0,)] == sizes


# Interruptions


@pytest.mark.usefixtures("small_pages")
def test_a_copy_goes_on_wherever_it_was_interrupted(old: SqliteDatabase, target: Database) -> None:
    """An interrupted copy resumes after its last page, and copies no row twice."""
    expected = asyncio.run(answers(old))
    done = [0]
    while (rows := interrupted(old, target)) > done[-1]:
        done.append(rows)
    assert {1, 2} == {later - earlier for earlier, later in pairwise(done)}
    assert [] == copied(old, target)
    assert expected == asyncio.run(answers(target))


def test_a_copy_that_was_killed_goes_on(old: SqliteDatabase, postgres_url: str) -> None:
    """A killed copy resumes after its last committed page, once its lease has expired."""
    asyncio.run(migrate(postgres(postgres_url)))
    for table, expected in (("job_summaries", "source"), ("job_changes", "namespace_activity")):
        kill_at(table, old, postgres_url)
        assert [(expected,)] == execute(postgres_url, "SELECT table_name FROM copying")
        execute(postgres_url, "UPDATE lease SET expires_at = now() + INTERVAL '1 second'")
    ((there,),) = execute(postgres_url, "SELECT row_count FROM copying")
    ended = jobindex("copy", "--from", url(old), "--to", postgres_url)
    first, *lines = ended.stdout.splitlines()
    (all_rows,) = {int(word) for word in first.split() if word.isdecimal()}
    shown = postgres_url.replace("jobindex@", "")
    assert (0, f"{shown}: {there} of {all_rows} rows already copied\n") == (ended.returncode, ended.stderr)
    assert f"{shown}: {all_rows} rows copied from {old}" == first
    assert [f"ok      {table.name}:" for table in TABLES] == [line[: line.index(":") + 1] for line in lines]
    assert f"ok      jobs: 4 rows, as in {old}" == lines[0]
    assert asyncio.run(answers(old)) == asyncio.run(answers(postgres(postgres_url)))


def kill_at(table: str, source: SqliteDatabase, there: str) -> None:
    """Copy an index in a process, and kill it while it writes a table."""
    import psycopg  # noqa: PLC0415 (needs psycopg)

    waiting = "SELECT 1 FROM pg_stat_activity WHERE application_name = 'jobindex' AND wait_event_type = 'Lock'"
    command = [sys.executable, "-m", "jobindex", "copy", "--from", url(source), "--to", there]
    with psycopg.connect(there) as other:
        other.execute(f"LOCK TABLE {table} IN SHARE MODE".encode())
        process = subprocess.Popen(command, env={**os.environ, "JOBINDEX_LOG_FORMAT": "text"})
        wait_until(lambda: execute(there, waiting) or process.poll() is not None, "the copy to come to the table")
        process.kill()
        assert -signal.SIGKILL == process.wait()
    wait_until(lambda: not execute(there, waiting), "its connection's end")


def test_connections_may_be_lost_on_the_way(old: SqliteDatabase, postgres_url: str) -> None:
    """A copy reconnects if the server closes its connections."""
    lost = 0

    def lose(done: int, total: int | None) -> None:  # noqa: ARG001 (the signature of Advance)
        nonlocal lost
        lost += len(execute(postgres_url, LOSE))

    with open_copy(old, postgres(postgres_url), is_anew=False) as made:
        made.survey(ignore)
        made.write(lose)
        assert not [str(finding) for finding in made.compare(ignore) if finding.problem]
        made.end()
    assert lost > 5
    assert asyncio.run(answers(old)) == asyncio.run(answers(postgres(postgres_url)))


LOSE = """
SELECT pg_terminate_backend(pid)
FROM pg_stat_activity
WHERE datname = current_database()
AND pid <> pg_backend_pid()
"""


def test_a_page_that_was_written_unheard_is_not_written_again(postgres_url: str) -> None:
    """A committed page is not written again after a lost reply; rows that the server lost are reported."""
    from jobindex.storage.postgres.target import open_target  # noqa: PLC0415 (needs psycopg)

    page = Copied(source="s", table_name="session", last_key=(1,), row_count=1)
    with open_target(postgres(postgres_url), is_anew=False) as there:
        for _ in range(2):
            there.write(page, [(1, None)], TABLES[[table.name for table in TABLES].index("session")])
        change(postgres(postgres_url), "UPDATE copying SET row_count = 0")
        with pytest.raises(DatabaseUnavailableError, match=f"{SHOWN}: .*lost rows .*again"):
            there.write(replace(page, row_count=2))
    assert [(1, None)] == execute(postgres_url, "SELECT * FROM session")


# Refusals


@pytest.mark.usefixtures("small_pages")
def test_no_service_starts_on_a_copy_that_is_not_whole(old: SqliteDatabase, target: Database) -> None:
    """No service starts on an unfinished copy, because it would answer from part of an index."""
    interrupted(old, target, pages=3)
    with pytest.raises(DatabaseRefusedError, match=f"{target}: .*an unfinished copy"):
        asyncio.run(migrate(target))
    found = jobindex("doctor", HTTP_PORT=1, MQTT_URL="mqtt://127.0.0.1:1", DATABASE_URL=url(target)).stdout
    assert re.search("problem database: .* is an unfinished copy\n +-> Run `jobindex copy` again", found)
    assert [] == copied(old, target)
    asyncio.run(migrate(target))


def test_an_index_is_not_written_over(old: SqliteDatabase, target: Database) -> None:
    """A copy never overwrites an existing index, even when asked to start again."""
    asyncio.run(fill(target))
    expected = asyncio.run(answers(target))
    for is_anew in (False, True):
        with pytest.raises(DatabaseRefusedError, match=f"{target}: it already holds an index"):
            copied(old, target, is_anew=is_anew)
    assert expected == asyncio.run(answers(target))


def test_of_two_copies_into_one_file_one_goes_on(old: SqliteDatabase, tmp_path: Path) -> None:
    """A second copy into a file is refused while the first one runs."""
    target = SqliteDatabase(path=tmp_path / "new.db")
    with open_copy(old, target, is_anew=False):
        for is_anew in (False, True):
            with pytest.raises(DatabaseRefusedError, match=f"{target}: is in use by another jobindex"):
                copied(old, target, is_anew=is_anew)


@pytest.mark.usefixtures("small_pages")
def test_a_copy_of_another_source_is_begun_anew_on_demand_alone(old: SqliteDatabase, target: Database) -> None:
    """A copy of a changed source starts again only on request, because it must not mix two states of an index."""
    interrupted(old, target, pages=4)
    asyncio.run(answers(old, messages=[("$aws/events/thingGroup/red/created", b"{}")]))
    with pytest.raises(DatabaseRefusedError, match=f"{target}: .*has changed since: --anew"):
        copied(old, target)
    assert [] == copied(old, target, is_anew=True)
    assert asyncio.run(answers(old)) == asyncio.run(answers(target))


async def test_nothing_is_copied_into_what_is_in_use(old: SqliteDatabase, target: Database) -> None:
    """A copy into a database that a service uses is refused."""
    name = f"{target}: (is in use by another jobindex|it is in use by .*-{os.getpid()}-)"
    async with open_store(target) as store:
        assert await store.take_lease("{}", seconds=3600)
        with pytest.raises(DatabaseRefusedError, match=name):
            await asyncio.to_thread(copied, old, target)
        await store.release_lease()
    assert [] == await asyncio.to_thread(copied, old, target)


def test_of_two_copies_into_one_database_one_goes_on(
    old: SqliteDatabase, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second copy waits briefly for the first one's lease, and is then refused."""
    from jobindex.storage.postgres import target  # noqa: PLC0415 (needs psycopg)

    monkeypatch.setattr(target, "_LEASE_SECONDS", 0.2)
    monkeypatch.setattr(target, "_LOOK_SECONDS", 0.05)
    there = postgres(postgres_url)
    with open_copy(old, there, is_anew=False):
        change(there, "UPDATE lease SET expires_at = now() + INTERVAL '1 hour'")
        with pytest.raises(DatabaseRefusedError, match=f"{SHOWN}: it is in use by copy-"):
            copied(old, there)
        change(there, "UPDATE lease SET expires_at = now()")
        assert [] == copied(old, there)


def test_who_has_lost_the_lease_writes_no_more(old: SqliteDatabase, postgres_url: str) -> None:
    """A copy that has lost its lease writes nothing more."""
    there = postgres(postgres_url)
    with open_copy(old, there, is_anew=False) as made:
        made.survey(ignore)
        change(there, "UPDATE lease SET generation = generation + 1, holder = 'host-7'")
        with pytest.raises(DatabaseRefusedError, match=f"{SHOWN}: another process has taken its lease"):
            made.write(ignore)
    assert [] == execute(postgres_url, "SELECT job_id FROM jobs")
    assert [("host-7",)] == execute(postgres_url, "SELECT holder FROM lease")


def test_a_source_that_is_no_whole_index_of_this_version_is_refused(
    target: Database, tmp_path: Path, old: SqliteDatabase
) -> None:
    """A copy is refused unless its source is a complete index of this version, and creates no target then."""
    other = SqliteDatabase(path=tmp_path / "other.db")
    with pytest.raises(DatabaseUnavailableError, match=r"other\.db: does not exist"):
        copied(other, target)
    with closing(sqlite3.connect(other.path)) as connection:
        connection.execute("CREATE TABLE theirs (a)")
    with pytest.raises(DatabaseRefusedError, match=r"other\.db: it is not a database of jobindex"):
        copied(other, target)
    other.path.unlink()
    with closing(sqlite3.connect(other.path, isolation_level=None)) as connection:
        connection.executescript(CREATE_MIGRATIONS + migration_script(load_migrations("sqlite")[0]))
    with pytest.raises(DatabaseRefusedError, match=r"other\.db: it is at migration 1, .*`jobindex migrate`"):
        copied(other, target)
    asyncio.run(migrate(other))
    interrupted(old, other)
    with pytest.raises(DatabaseRefusedError, match=r"other\.db: it is an unfinished copy"):
        copied(other, target)
    assert not isinstance(target, SqliteDatabase) or not target.path.exists()


def test_a_copy_that_another_version_began_is_not_gone_on_with(old: SqliteDatabase, target: Database) -> None:
    """A copy that another version began is not continued and, if that version is newer, not replaced either."""
    interrupted(old, target)
    change(target, "INSERT INTO migrations (number, name) VALUES (9999, 'later')")
    with pytest.raises(DatabaseRefusedError, match=f"{target}: another version of jobindex began this copy"):
        copied(old, target)
    with pytest.raises(DatabaseRefusedError, match=f"{target}: .*of a newer jobindex"):
        copied(old, target, is_anew=True)


# Refused rows

REASON = {"SqliteDatabase": "not this one", "PostgresDatabase": 'new row .* violates check constraint "refused_'}


def refuse(target: Database, *job_ids: str) -> None:
    """Make the target of a new copy refuse the rows of some jobs."""
    for job_id in job_ids:
        statement = (
            f"ALTER TABLE jobs ADD CONSTRAINT refused_{job_id[-1]} CHECK (job_id <> '{job_id}')"
            if isinstance(target, PostgresDatabase)
            else f"CREATE TRIGGER refused_{job_id[-1]} BEFORE INSERT ON jobs WHEN NEW.job_id = '{job_id}' "
            "BEGIN SELECT RAISE(ABORT, 'not this one'); END"
        )
        change(target, statement)


def job_ids(database: Database) -> list[str]:
    """Return the ids in the table of jobs."""
    statement = "SELECT job_id FROM jobs ORDER BY job_id"
    if isinstance(database, PostgresDatabase):
        return [job_id for (job_id,) in execute(database.conninfo, statement)]
    with closing(sqlite3.connect(database.path)) as connection:
        return [job_id for (job_id,) in connection.execute(statement)]


def test_a_copy_stops_at_a_row_that_is_refused_and_goes_on_from_there(old: SqliteDatabase, target: Database) -> None:
    """A copy stops at a refused row, names it with the database's reason, and resumes from there."""
    interrupted(old, target, pages=0)
    refuse(target, "job-3")
    for _ in range(2):
        named = f"{target} refuses a row of jobs 'job-3': {REASON[type(target).__name__]}"
        with pytest.raises(DataRefusedError, match=named):
            copied(old, target)
        assert ["job-1", "job-2"] == job_ids(target)
    is_postgres = isinstance(target, PostgresDatabase)
    change(target, "ALTER TABLE jobs DROP CONSTRAINT refused_3" if is_postgres else "DROP TRIGGER refused_3")
    assert [] == copied(old, target)
    assert asyncio.run(answers(old)) == asyncio.run(answers(target))


@pytest.mark.usefixtures("small_pages")
def test_a_copy_leaves_out_rows_that_are_refused(old: SqliteDatabase, target: Database) -> None:
    """On request, a copy skips and lists refused rows, even after an interruption, and is marked incomplete.

    A job is skipped with all its rows, so that the next message about it creates it.
    """
    interrupted(old, target, pages=0)
    refuse(target, "job-1", "job-4")
    assert interrupted(old, target, pages=2, skips_refused=True)
    with open_copy(old, target, is_anew=False) as made:
        made.survey(ignore)
        made.write(ignore, skips_refused=True)
        assert [("jobs", ("job-1",)), ("jobs", ("job-4",))] == [(row.table_name, row.key) for row in made.refused]
        assert all(re.match(REASON[type(target).__name__], row.reason) for row in made.refused)
        findings = [str(finding) for finding in made.compare(ignore)]
        assert not [finding for finding in findings if finding.startswith("FAILED")]
        assert not made.end()
    assert ["job-2", "job-3"] == job_ids(target)
    assert f"ok      jobs: 2 rows, as in {old}, except 2 skipped" == findings[0]
    assert f"ok      executions: 1 row, as in {old}, except 2 skipped" == findings[1]
    assert asyncio.run(session(target)) == replace(SESSION, complete_since=None)
    assert {"fleet": (1, {}), "next-fleet": (1, {"QUEUED": 1})} == asyncio.run(counted(target))
    is_postgres = isinstance(target, PostgresDatabase)
    change(target, "ALTER TABLE jobs DROP CONSTRAINT refused_1" if is_postgres else "DROP TRIGGER refused_1")
    assert ["job-1", "job-2", "job-3"] == asyncio.run(listed(target, [job("job-1", createdAt=99)]))


async def counted(database: Database) -> dict[str | None, tuple[int, dict[str, int]]]:
    """Return the number of jobs, and of executions by state, in each namespace of an index."""
    async with open_store(database) as store:
        namespaces = await store.namespaces(after=None, limit=9, now=NOW)
    return {
        one.namespace_id: (sum(one.jobs.values()), {str(state): count for state, count in one.executions.items()})
        for one in namespaces
    }


async def listed(database: Database, messages: Sequence[tuple[str, dict[str, object]]]) -> list[str]:
    """Apply messages to an index, and return the sorted ids of its jobs."""
    async with open_store(database) as store:
        await tell(store, [(topic, json.dumps(payload).encode()) for topic, payload in messages])
        return sorted(one.job_id for one in await Index(store, reverse=False).jobs())


async def session(database: Database) -> Session:
    """Return the session that an index stores."""
    async with open_store(database) as store:
        return await store.session()


@pytest.mark.usefixtures("small_pages")
def test_a_row_that_was_not_refused_is_still_missed(old: SqliteDatabase, target: Database) -> None:
    """The comparison reports a missing row that was not skipped."""
    interrupted(old, target, pages=0)
    refuse(target, "job-3")
    with open_copy(old, target, is_anew=False) as made:
        made.survey(ignore)
        made.write(ignore, skips_refused=True)
        change(target, "DELETE FROM jobs WHERE job_id = 'job-4'")
        (problem,) = (str(finding) for finding in made.compare(ignore) if finding.problem)
    assert f"FAILED  jobs: 1 row not the same as in {old}: job-4" == problem
    assert [] == copied(old, target, is_anew=True, skips_refused=True)


def test_a_key_that_postgresql_does_not_take_is_named(old: SqliteDatabase, postgres_url: str) -> None:
    """A copy names each row whose key is too long for PostgreSQL; `--skip-refused` copies the others."""
    long = "long-" + "".join(Random(1).choices("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", k=9000))
    asyncio.run(arrive(old, Arrival(batches=[((JobReport(long, time=90_000, latest_at=90_000),), ())])))
    change(old, f"INSERT INTO thing_groups VALUES ('{long}', '')")
    options = ("--from", url(old), "--to", postgres_url)
    shown_url = postgres_url.replace("jobindex@", "")
    ended = jobindex("copy", *options)
    assert (1, "") == (ended.returncode, ended.stdout)
    stopped = f"jobindex copy: {shown_url} refuses a row of jobs 'long-"
    assert ended.stderr.startswith(stopped)
    assert "index row" in ended.stderr
    ended = jobindex("copy", *options, "--skip-refused")
    first, *lines = ended.stdout.splitlines()
    named = [line for line in lines if line.startswith("refused ")]
    assert 1 == ended.returncode
    assert ["jobs", "thing_groups"] == [line.split()[1] for line in named]
    assert all("index row" in line for line in named)
    assert len(TABLES) + len(named) == len(lines)
    assert f"{shown_url} lacks 4 rows: the refused rows, and all rows of refused jobs. Its " in ended.stderr
    with closing(sqlite3.connect(old.path)) as connection:
        rows = sum(connection.execute(f"SELECT count(*) FROM {table.name}").fetchone()[0] for table in TABLES) - 4
    assert f"{shown_url}: {rows} rows copied from {old}" == first
    assert {"job-1", "job-2", "job-3"} <= {*job_ids(postgres(postgres_url))}
    assert asyncio.run(session(postgres(postgres_url))) == replace(SESSION, complete_since=None)


# Comparison


@pytest.mark.usefixtures("small_pages")
@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        (
            "UPDATE jobs SET namespace_id_stamp = namespace_id_stamp + 1 WHERE job_id = 'job-2'",
            "jobs: 1 row .*: job-2",
        ),
        ("DELETE FROM job_summaries WHERE job_id = 'job-3'", "job_summaries: 1 row .*: [0-9]+/job-3"),
        ("INSERT INTO thing_groups VALUES ('a', 'b')", "thing_groups: 1 row .*: a/b"),
        ("UPDATE job_changes SET changed_at = changed_at + 1", "job_changes: 6 rows .*; and 1 more"),
        ("UPDATE session SET complete_since = NULL", "session: 1 row .*: 1"),
        ("UPDATE rejected_messages SET topic = 'b' WHERE topic = 'a'", "rejected_messages: 1 row .*: 2"),
    ],
)
def test_what_differs_is_found(old: SqliteDatabase, target: Database, statement: str, expected: str) -> None:
    """The comparison names each row that differs or that only one side has, and no service starts on the copy."""
    with open_copy(old, target, is_anew=False) as made:
        made.survey(ignore)
        made.write(ignore)
        change(target, statement)
        (problem,) = (str(finding) for finding in made.compare(ignore) if finding.problem)
    assert re.fullmatch(f"FAILED  {expected}", problem)
    with pytest.raises(DatabaseRefusedError, match="an unfinished copy"):
        asyncio.run(migrate(target))


def test_the_command_fails_where_something_differs(old: SqliteDatabase, tmp_path: Path) -> None:
    """If rows differ, the command fails and names the option that starts again."""
    target = SqliteDatabase(path=tmp_path / "new.db")
    with open_copy(old, target, is_anew=False) as made:
        made.survey(ignore)
        made.write(ignore)
    change(target, "UPDATE jobs SET status_stamp = 0 WHERE job_id = 'job-2'")
    options = ("--from", url(old), "--to", url(target))
    ended = jobindex("copy", *options)
    assert (1, True) == (ended.returncode, f"FAILED  jobs: 1 row not the same as in {old}: job-2\n" in ended.stdout)
    assert ended.stderr.endswith(f"{target} differs from {old}, and no service starts on it: start again with --anew\n")
    assert 0 == jobindex("copy", *options, "--anew").returncode
    assert asyncio.run(answers(old)) == asyncio.run(answers(target))


async def test_what_a_service_is_told_meanwhile_is_missing_and_the_copy_says_so(
    source: Database, target: Database
) -> None:
    """A copy of an index in use contains one moment of it, and is marked incomplete."""
    expected = await answers(source)
    async with open_store(source) as store:
        assert await store.take_lease("{}", seconds=3600)

        def copy() -> bool:
            with open_copy(source, target, is_anew=False) as made:
                made.survey(ignore)
                asyncio.run_coroutine_threadsafe(tell(store, LATE), loop).result(10)
                made.write(ignore)
                assert not [str(finding) for finding in made.compare(ignore) if finding.problem]
                return made.end()

        loop = asyncio.get_running_loop()
        assert await asyncio.to_thread(copy)
    assert {**expected, "session": replace(SESSION, complete_since=None)} == await answers(target)


# The command


def test_options_that_are_wrong_are_named(tmp_path: Path) -> None:
    """Both wrong options are reported in one message, without a password."""
    ended = jobindex("copy", "--from", "mysql://x", "--to", "postgresql://me:secret@h/db?x=:y")
    expected = (
        "jobindex copy: wrong settings:\n"
        "--from: 'mysql://x' is neither sqlite:///PATH, with a file as PATH, nor postgresql://HOST/DATABASE\n"
        "--to: is not a PostgreSQL URL: invalid URI query parameter: …\n"
    )
    assert (2, "", expected) == (ended.returncode, ended.stdout, ended.stderr)
    file = f"sqlite:///{tmp_path}/a.db"
    ended = jobindex("copy", "--from", file, "--to", file)
    assert (2, "jobindex copy: wrong settings:\n--to: is the same database as --from\n") == (
        ended.returncode,
        ended.stderr,
    )


def test_a_password_is_shown_nowhere(old: SqliteDatabase, tmp_path: Path) -> None:
    """An error never shows a password, neither of a URL nor of a setting."""
    (tmp_path / "password").write_text("secret\n")
    address = "postgresql://me:secret@127.0.0.1:1/db"
    ended = jobindex("copy", "--from", url(old), "--to", address, DATABASE_PASSWORD_FILE=tmp_path / "password")
    assert (1, "") == (ended.returncode, ended.stdout)
    assert ended.stderr.startswith("jobindex cannot use its database: postgresql://127.0.0.1:1/db: ")
    assert "secret" not in ended.stderr
