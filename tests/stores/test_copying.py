"""`jobindex copy`: an index moved from one database to another, whatever interrupts it."""

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

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.commands import jobindex
from support.message_streams import NAMESPACE_IDS, Arrival, Message, arrivals, parse, streams
from support.messages import NOW, arn, entry, event, execution, group, job, pending
from support.postgresql_servers import Databases, execute
from support.questions import Asking, askings, values
from support.waiting import wait_until

from jobindex.errors import DatabaseRefusedError, DatabaseUnavailableError
from jobindex.model.listing import Filters
from jobindex.model.reports import RejectedMessage
from jobindex.model.store import Session, Store
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
    """Make an index with every kind of row."""
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
    """Return a database that is not there, or empty."""
    if request.param == "sqlite":
        return SqliteDatabase(path=tmp_path / "new.db")
    return postgres(request.getfixturevalue("postgres_url"))


@pytest.fixture
def old(tmp_path: Path) -> SqliteDatabase:
    """Make an index with every kind of row, in SQLite."""
    made = SqliteDatabase(path=tmp_path / "old.db")
    asyncio.run(fill(made))
    return made


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a page have two rows."""
    monkeypatch.setattr(copying, "TABLES", tuple(replace(table, page_rows=2) for table in TABLES))


async def fill(database: Database) -> None:
    """Tell an index all there is to tell, and forget what has ended long ago."""
    async with open_store(database) as store:
        await tell(store, [(topic, json.dumps(payload).encode()) for topic, payload in MESSAGES], REJECTED)
        assert [1] == [step.jobs async for step in store.retain(timedelta(seconds=NOW.timestamp() - 10), now=NOW)]
        await store.remember_session(SESSION)
        await store.release_lease()


async def tell(store: Store, messages: Sequence[Message], rejected: Sequence[RejectedMessage] = ()) -> None:
    """Apply messages, each as a batch of its own."""
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
    """Return all that an index answers once it was told these messages too."""
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
    """Show nothing."""


def copied(source: Database, target: Database, *, is_anew: bool = False) -> list[str]:
    """Copy an index; return what is wrong with the copy, which is ended where nothing is."""
    with open_copy(source, target, is_anew=is_anew) as made:
        made.survey(ignore)
        made.write(ignore)
        problems = [str(finding) for finding in made.compare(ignore) if finding.problem]
        if not problems:
            made.end()
        return problems


def interrupted(source: Database, target: Database, *, pages: int = 1) -> int:
    """Copy some pages, and end as by Ctrl-C; return how many rows are there, less where there was no more to do."""
    calls = 0

    def count(done: int, total: int | None) -> None:  # noqa: ARG001 (as Advance has it)
        nonlocal calls
        calls += 1
        if calls > pages:
            raise KeyboardInterrupt

    with open_copy(source, target, is_anew=False) as made:
        made.survey(ignore)
        with suppress(KeyboardInterrupt):
            made.write(count)
        return made.rows_copied


def change(database: Database, *statements: str) -> None:
    """Change a database behind jobindex's back."""
    for statement in statements:
        if isinstance(database, PostgresDatabase):
            execute(database.conninfo, statement)
        else:
            with closing(sqlite3.connect(database.path, isolation_level=None)) as connection:
                connection.execute(statement)


def url(database: Database) -> str:
    """Return a database as an option names it."""
    return (
        database.conninfo
        if isinstance(database, PostgresDatabase)
        else f"sqlite:///{str(database.path).replace('%', '%25')}"
    )


# What is copied


def test_every_column_is_copied(tmp_path: Path, postgres_url: str) -> None:
    """Both engines have the tables that are copied, with these columns and keys, and no other but those of replicas."""
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
    """Whatever is asked, before something more is told and after, the same; and both engines write what they read."""
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
    """What these tests copy is of every kind."""
    with closing(sqlite3.connect(old.path)) as connection:
        empty = [table.name for table in TABLES if not connection.execute(f"SELECT 1 FROM {table.name}").fetchall()]
    assert [] == empty


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
    """PostgreSQL answers as SQLite did, and the file that is made of it holds what the first one held."""
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
    """Only a rejected message may have one, which its store would have replaced too."""
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
    """Return all that a file holds, but when it was migrated, as statements, in no order."""
    with closing(sqlite3.connect(database.path)) as connection:
        return sorted(line for line in connection.iterdump() if '"migrations"' not in line)


def test_postgresql_knows_how_large_a_copy_is(old: SqliteDatabase, postgres_url: str) -> None:
    """Statistics do not wait until something is told."""
    assert [] == copied(old, postgres(postgres_url))
    sizes = execute(postgres_url, "SELECT reltuples FROM pg_class WHERE relname IN ('jobs', 'executions') ORDER BY 1")
    assert [(3.0,), (4.0,)] == sizes


# Interrupted


@pytest.mark.usefixtures("small_pages")
def test_a_copy_goes_on_wherever_it_was_interrupted(old: SqliteDatabase, target: Database) -> None:
    """Each run writes one page, and no row twice; then the copy is whole."""
    expected = asyncio.run(answers(old))
    done = [0]
    while (rows := interrupted(old, target)) > done[-1]:
        done.append(rows)
    assert {1, 2} == {later - earlier for earlier, later in pairwise(done)}
    assert [] == copied(old, target)
    assert expected == asyncio.run(answers(target))


def test_a_copy_that_was_killed_goes_on(old: SqliteDatabase, postgres_url: str) -> None:
    """Whatever was in hand, nothing of it counts, and what was written before is there; the lease ends by itself."""
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
    assert (0, f"{shown}: {there} rows of {all_rows} are there from before\n") == (ended.returncode, ended.stderr)
    assert f"{shown}: {all_rows} rows copied from {old}" == first
    assert [f"ok      {table.name}:" for table in TABLES] == [line[: line.index(":") + 1] for line in lines]
    assert f"ok      jobs: 4 rows, as in {old}" == lines[0]
    assert asyncio.run(answers(old)) == asyncio.run(answers(postgres(postgres_url)))


def kill_at(table: str, source: SqliteDatabase, there: str) -> None:
    """Copy an index by a process that is killed while it writes a table."""
    import psycopg  # noqa: PLC0415 (where it is)

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
    """A server that ends them, as when it is restarted, is asked again."""
    lost = 0

    def lose(done: int, total: int | None) -> None:  # noqa: ARG001 (as Advance has it)
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
    """The connection was lost once it was committed; what a server has lost that took another's place is told."""
    from jobindex.storage.postgres.target import open_target  # noqa: PLC0415 (where it is)

    page = Copied(source="s", table_name="session", last_key=(1,), row_count=1)
    with open_target(postgres(postgres_url), is_anew=False) as there:
        for _ in range(2):
            there.write(page, [(1, None)], TABLES[[table.name for table in TABLES].index("session")])
        change(postgres(postgres_url), "UPDATE copying SET row_count = 0")
        with pytest.raises(DatabaseUnavailableError, match=f"{SHOWN}: .*lost rows .*again"):
            there.write(replace(page, row_count=2))
    assert [(1, None)] == execute(postgres_url, "SELECT * FROM session")


# Refused


@pytest.mark.usefixtures("small_pages")
def test_no_service_starts_on_a_copy_that_is_not_whole(old: SqliteDatabase, target: Database) -> None:
    """It would answer from a part of an index."""
    interrupted(old, target, pages=3)
    with pytest.raises(DatabaseRefusedError, match=f"{target}: .*a copy that is not whole"):
        asyncio.run(migrate(target))
    found = jobindex("doctor", HTTP_PORT=1, MQTT_URL="mqtt://127.0.0.1:1", DATABASE_URL=url(target)).stdout
    assert re.search("WRONG   database: .* is a copy that is not whole\n +-> Call `jobindex copy` again", found)
    assert [] == copied(old, target)
    asyncio.run(migrate(target))


def test_an_index_is_not_written_over(old: SqliteDatabase, target: Database) -> None:
    """Whatever a database holds that is not a copy begun from here stays as it is, with --anew too."""
    asyncio.run(fill(target))
    expected = asyncio.run(answers(target))
    for is_anew in (False, True):
        with pytest.raises(DatabaseRefusedError, match=f"{target}: it holds an index already"):
            copied(old, target, is_anew=is_anew)
    assert expected == asyncio.run(answers(target))


def test_of_two_copies_into_one_file_one_goes_on(old: SqliteDatabase, tmp_path: Path) -> None:
    """The other is refused, also where there is something to go on with."""
    target = SqliteDatabase(path=tmp_path / "new.db")
    with open_copy(old, target, is_anew=False):
        for is_anew in (False, True):
            with pytest.raises(DatabaseRefusedError, match=f"{target}: is in use by another jobindex"):
                copied(old, target, is_anew=is_anew)


@pytest.mark.usefixtures("small_pages")
def test_a_copy_of_another_source_is_begun_anew_on_demand_alone(old: SqliteDatabase, target: Database) -> None:
    """Rows of two indexes, or of two moments of one, make none."""
    interrupted(old, target, pages=4)
    asyncio.run(answers(old, messages=[("$aws/events/thingGroup/red/created", b"{}")]))
    with pytest.raises(DatabaseRefusedError, match=f"{target}: .*or not as it is now: --anew"):
        copied(old, target)
    assert [] == copied(old, target, is_anew=True)
    assert asyncio.run(answers(old)) == asyncio.run(answers(target))


async def test_nothing_is_copied_into_what_is_in_use(old: SqliteDatabase, target: Database) -> None:
    """Neither where a service ingests, nor where another copy is made."""
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
    """The second waits for the first to end, but not for long."""
    from jobindex.storage.postgres import target  # noqa: PLC0415 (where it is)

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
    """A copy that was stopped for a while finds that another has taken its place."""
    there = postgres(postgres_url)
    with open_copy(old, there, is_anew=False) as made:
        made.survey(ignore)
        change(there, "UPDATE lease SET generation = generation + 1, holder = 'host-7'")
        with pytest.raises(DatabaseRefusedError, match=f"{SHOWN}: another has taken its lease"):
            made.write(ignore)
    assert [] == execute(postgres_url, "SELECT job_id FROM jobs")
    assert [("host-7",)] == execute(postgres_url, "SELECT holder FROM lease")


def test_a_source_that_is_no_whole_index_of_this_version_is_refused(
    target: Database, tmp_path: Path, old: SqliteDatabase
) -> None:
    """It is only read, so it is not migrated; and nothing is made in its target."""
    other = SqliteDatabase(path=tmp_path / "other.db")
    with pytest.raises(DatabaseUnavailableError, match=r"other\.db: is not there"):
        copied(other, target)
    with closing(sqlite3.connect(other.path)) as connection:
        connection.execute("CREATE TABLE theirs (a)")
    with pytest.raises(DatabaseRefusedError, match=r"other\.db: it is no database of jobindex"):
        copied(other, target)
    other.path.unlink()
    with closing(sqlite3.connect(other.path, isolation_level=None)) as connection:
        connection.executescript(CREATE_MIGRATIONS + migration_script(load_migrations("sqlite")[0]))
    with pytest.raises(DatabaseRefusedError, match=r"other\.db: it is at migration 1, .*`jobindex migrate`"):
        copied(other, target)
    asyncio.run(migrate(other))
    interrupted(old, other)
    with pytest.raises(DatabaseRefusedError, match=r"other\.db: it is a copy that is not whole"):
        copied(other, target)
    assert not isinstance(target, SqliteDatabase) or not target.path.exists()


def test_a_copy_that_another_version_began_is_not_gone_on_with(old: SqliteDatabase, target: Database) -> None:
    """Its tables may be others; where they are newer, they are not begun anew either."""
    interrupted(old, target)
    change(target, "INSERT INTO migrations (number, name) VALUES (9999, 'later')")
    with pytest.raises(DatabaseRefusedError, match=f"{target}: another version of jobindex has begun"):
        copied(old, target)
    with pytest.raises(DatabaseRefusedError, match=f"{target}: .*made by a newer jobindex"):
        copied(old, target, is_anew=True)


# Compared


@pytest.mark.usefixtures("small_pages")
@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        (
            "UPDATE jobs SET namespace_id_stamp = namespace_id_stamp + 1 WHERE job_id = 'job-2'",
            "jobs: 1 rows .*: job-2",
        ),
        ("DELETE FROM job_summaries WHERE job_id = 'job-3'", "job_summaries: 1 rows .*: [0-9]+/job-3"),
        ("INSERT INTO thing_groups VALUES ('a', 'b')", "thing_groups: 1 rows .*: a/b"),
        ("UPDATE job_changes SET changed_at = changed_at + 1", "job_changes: 6 rows .*; and 1 more"),
        ("UPDATE session SET complete_since = NULL", "session: 1 rows .*: 1"),
        ("UPDATE rejected_messages SET topic = 'b' WHERE topic = 'a'", "rejected_messages: 1 rows .*: 2"),
    ],
)
def test_what_differs_is_found(old: SqliteDatabase, target: Database, statement: str, expected: str) -> None:
    """Each row that only one side has, or that is not the same, is told by its key; and no service starts on it."""
    with open_copy(old, target, is_anew=False) as made:
        made.survey(ignore)
        made.write(ignore)
        change(target, statement)
        (problem,) = (str(finding) for finding in made.compare(ignore) if finding.problem)
    assert re.fullmatch(f"FAILED  {expected}", problem)
    with pytest.raises(DatabaseRefusedError, match="not whole"):
        asyncio.run(migrate(target))


def test_the_command_fails_where_something_differs(old: SqliteDatabase, tmp_path: Path) -> None:
    """It says how to go on, and does so."""
    target = SqliteDatabase(path=tmp_path / "new.db")
    with open_copy(old, target, is_anew=False) as made:
        made.survey(ignore)
        made.write(ignore)
    change(target, "UPDATE jobs SET status_stamp = 0 WHERE job_id = 'job-2'")
    options = ("--from", url(old), "--to", url(target))
    ended = jobindex("copy", *options)
    assert (1, True) == (ended.returncode, f"FAILED  jobs: 1 rows are not as in {old}: job-2\n" in ended.stdout)
    assert ended.stderr.endswith(f"{target} is no copy of {old}, and no service starts on it: --anew begins another\n")
    assert 0 == jobindex("copy", *options, "--anew").returncode
    assert asyncio.run(answers(old)) == asyncio.run(answers(target))


async def test_what_a_service_is_told_meanwhile_is_missing_and_the_copy_says_so(
    source: Database, target: Database
) -> None:
    """The copy is the index at one moment, and not complete: the broker will not repeat what came after."""
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
    """Both in one message, and no password in it."""
    ended = jobindex("copy", "--from", "mysql://x", "--to", "postgresql://me:secret@h/db?x=:y")
    expected = (
        "jobindex copy: wrong settings:\n"
        "--from: 'mysql://x' is neither sqlite:///PATH, with a file as PATH, nor postgresql://HOST/DATABASE\n"
        "--to: is no URL that PostgreSQL takes: invalid URI query parameter: …\n"
    )
    assert (2, "", expected) == (ended.returncode, ended.stdout, ended.stderr)
    file = f"sqlite:///{tmp_path}/a.db"
    ended = jobindex("copy", "--from", file, "--to", file)
    assert (2, "jobindex copy: wrong settings:\n--to: is what --from is\n") == (ended.returncode, ended.stderr)


def test_a_password_is_shown_nowhere(old: SqliteDatabase, tmp_path: Path) -> None:
    """Neither that of a URL nor that of the setting, where no server answers."""
    (tmp_path / "password").write_text("secret\n")
    address = "postgresql://me:secret@127.0.0.1:1/db"
    ended = jobindex("copy", "--from", url(old), "--to", address, DATABASE_PASSWORD_FILE=tmp_path / "password")
    assert (1, "") == (ended.returncode, ended.stdout)
    assert ended.stderr.startswith("jobindex cannot use its database: postgresql://127.0.0.1:1/db: ")
    assert "secret" not in ended.stderr
