"""`jobindex backup`, `check` and `restore`: copies of an index in use, and the problems that a check finds."""

import asyncio
import json
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.commands import jobindex
from support.message_streams import parse
from support.services import Service, running

from jobindex.errors import BackupError, DatabaseRefusedError, DatabaseUnavailableError
from jobindex.model.store import Session
from jobindex.model.views import ExecutionState
from jobindex.storage.migrations import load_migrations
from jobindex.storage.sqlite.backup import back_up, restore
from jobindex.storage.sqlite.check import check
from jobindex.storage.sqlite.file import CREATE_MIGRATIONS, migration_script
from jobindex.storage.sqlite.store import migrate, open_store

NOW = datetime(2030, 1, 1, tzinfo=UTC)
CHANGE_INDEX = """
DROP INDEX executions_pending;
CREATE INDEX executions_pending ON executions (thing_name) WHERE state = 'QUEUED'
"""
WRITE_AND_DIE = """
import os, sqlite3, sys

sqlite3.connect(sys.argv[1], isolation_level=None).execute(sys.argv[2])
os.kill(os.getpid(), 9)
"""
AWAY = "mqtt://127.0.0.1:1"  # no broker listens there

THING = "$aws/things/t1/jobs"
MESSAGES = [
    *[(f"$aws/things/t{n % 7}/jobs/job-{n:03}/notify-namespace-n", b'{"timestamp": %d}' % n) for n in range(300)],
    (f"{THING}/notify-namespace-n", b'{"timestamp": 5, "jobs": {"QUEUED": [{"jobId": "job-001", "queuedAt": 5}]}}'),
    (f"{THING}/job-001/notify-namespace-n", b'{"job": {"thingGroupName": "g", "targetSelection": "SNAPSHOT"}}'),
    (f"{THING}/job-009/get/accepted", b'{"execution": {"status": "FAILED", "queuedAt": 5, "executionNumber": 1}}'),
    (f"{THING}/job-009/get/accepted", b'{"execution": {"status": "FAILED", "queuedAt": 6, "executionNumber": 2}}'),
    (f"{THING}/job-009/update/accepted", b'{"timestamp": 7, "executionState": {"status": "IN_PROGRESS"}}'),
    (f"{THING}/job-008/get/accepted", b'{"execution": {"status": "SUCCEEDED", "lastUpdatedAt": 9}}'),
    (f"{THING}/notify-namespace-n", b'{"timestamp": 8, "jobs": {}}'),
    ("$aws/events/job/job-002/deleted", b'{"timestamp": 20}'),
]


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Make an index with rows in every table that ListJobs reads."""
    path = tmp_path / "job index?100%.db"
    asyncio.run(fill(path, MESSAGES))
    return path


async def fill(path: Path, messages: Sequence[tuple[str, bytes]]) -> None:
    """Apply messages to an index, and store a session."""
    async with open_store(path) as store:
        await store.apply(parse(messages)[0], (), now=NOW)
        await store.remember_session(Session(topic_filters=frozenset({"a/#"}), complete_since=NOW))


def findings(path: Path) -> dict[str, str | None]:
    """Return the problem that each check finds, or None."""
    return {finding.name: finding.problem for finding in check(path)}


def rows(path: Path, statement: str) -> list[tuple[object, ...]]:
    """Return rows of a file."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(statement).fetchall()


def change(path: Path, *statements: str) -> None:
    """Change a file directly, without jobindex."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


def content(path: Path) -> list[str]:
    """Return the content of a file as sorted SQL statements."""
    with closing(sqlite3.connect(path)) as connection:
        return sorted(connection.iterdump())


# Backup


def test_a_backup_holds_what_the_database_holds(database: Path, tmp_path: Path) -> None:
    """A backup contains all data, and the database does not change."""
    before = database.read_bytes()
    size = back_up(database, tmp_path / "copy.db")
    assert size == (tmp_path / "copy.db").stat().st_size
    assert content(database) == content(tmp_path / "copy.db")
    assert before == database.read_bytes()


def test_a_backup_holds_what_a_killed_service_left_in_the_wal(database: Path, tmp_path: Path) -> None:
    """A backup contains transactions that are committed only in the WAL."""
    late = "INSERT INTO thing_groups VALUES ('late', '')"
    subprocess.run([sys.executable, "-c", WRITE_AND_DIE, str(database), late], check=False)
    assert Path(f"{database}-wal").stat().st_size > 0
    back_up(database, tmp_path / "copy.db")
    assert ("late", "") in rows(tmp_path / "copy.db", "SELECT * FROM thing_groups")


def test_a_file_that_exists_is_not_overwritten(database: Path, tmp_path: Path) -> None:
    """A backup never overwrites a file, and leaves no temporary file behind."""
    target = tmp_path / "copy.db"
    target.write_text("precious")
    ended = jobindex("backup", target, DATABASE_URL=f"sqlite:///{database}")
    assert (1, f"jobindex backup: {target}: already exists\n") == (ended.returncode, ended.stderr)
    assert "precious" == target.read_text()
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda _: None, "cannot be copied to"),
        (lambda path: path.write_bytes(b"not a database" * 100), "file is not a database"),
    ],
    ids=["missing", "no database"],
)
def test_what_cannot_be_read_leaves_no_backup(tmp_path: Path, make: Callable[[Path], None], expected: str) -> None:
    """A backup of an unreadable database fails and leaves no file behind."""
    make(tmp_path / "jobindex.db")
    with pytest.raises(BackupError, match=expected):
        back_up(tmp_path / "jobindex.db", tmp_path / "copies.db")
    assert {"jobindex.db"} >= {path.name for path in tmp_path.iterdir()}


def test_a_folder_that_does_not_exist_is_told(database: Path, tmp_path: Path) -> None:
    """A backup into a missing folder fails, and the error names the folder."""
    with pytest.raises(BackupError, match="missing: is not a folder"):
        back_up(database, tmp_path / "missing" / "copy.db")


# Check


def test_nothing_is_wrong_with_a_good_index(database: Path) -> None:
    """A check of a good index prints one line for each check."""
    ended = jobindex("check", DATABASE_URL=f"sqlite:///{str(database).replace('%', '%25')}")
    integrity, *others = ended.stdout.splitlines()
    assert (0, "") == (ended.returncode, ended.stderr)
    assert integrity.startswith("ok      integrity: ")
    newest = rows(database, "SELECT max(number) FROM migrations")[0][0]
    assert [
        f"ok      schema: as migration {newest} leaves it",
        "ok      plans: 32 combinations of filters, no scan and no sort",
        "ok      jobs: 300 rows, consistent with the states",
        "ok      executions: 3 rows, consistent with the states",
        "ok      job_summaries: 299 rows, consistent with the states",
        "ok      job_summaries, counted: 299 rows, consistent with the states",
        "ok      job_thing_groups, counted: 1 rows, consistent with the states",
        "ok      namespace_jobs, counted: 3 rows, consistent with the states",
        "ok      namespace_executions, counted: 3 rows, consistent with the states",
    ] == others


def test_a_corrupted_page_is_found(database: Path) -> None:
    """A check reports a damaged page as an integrity failure."""
    (page,) = rows(database, "SELECT rootpage FROM sqlite_schema WHERE name = 'job_summaries_by_kind'")[0]
    (size,) = rows(database, "PRAGMA page_size")[0]
    assert isinstance(page, int)
    assert isinstance(size, int)
    with database.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xa5" * size)
    ended = jobindex("check", database)
    assert 1 == ended.returncode
    assert "FAILED  integrity: " in ended.stdout


@pytest.mark.parametrize(
    ("statement", "name", "problem"),
    [
        ("DROP INDEX job_summaries_by_kind", "schema", "index job_summaries_by_kind is missing"),
        ("CREATE TABLE mine (x)", "schema", "table mine is not part of the schema"),
        (CHANGE_INDEX, "schema", "index executions_pending differs"),
        ("UPDATE migrations SET name = 'other' WHERE number = 1", "schema", "migration 1 differs"),
        ("INSERT INTO migrations (number, name) VALUES (9999, 'x')", "schema", "of a newer jobindex"),
        (
            "UPDATE job_summaries SET kind = 5 WHERE job_id = 'job-003'",
            "job_summaries|namespace_jobs, counted",
            "1 rows .*/job-003",
        ),
        (
            "DELETE FROM job_summaries WHERE job_id = 'job-004'",
            "job_summaries|namespace_jobs, counted",
            "1 rows .*/job-004",
        ),
        ("DELETE FROM jobs WHERE job_id = 'job-005'", "job_summaries, counted", "1 rows .*/job-005"),
        ("UPDATE job_summaries SET listed = listed || ' '", "job_summaries", "299 rows .*; and 294 more"),
        (
            "UPDATE jobs SET listed_created_at = 1 WHERE job_id = 'job-006'",
            "jobs|job_summaries|job_summaries, counted",
            "1 rows .*: job-006",
        ),
        *(
            (f"UPDATE jobs SET {column} = 7 WHERE job_id = 'job-008'", "jobs", "1 rows .*: job-008")
            for column in (
                *(f"{state.lower()}_executions" for state in ExecutionState),
                "untimed_ends",
                "born_at",
                "inferred_end_at",
            )
        ),
        ("DELETE FROM job_thing_groups", "job_thing_groups, counted", "1 rows .*: name:g/.*/job-001"),
        (
            "INSERT INTO job_thing_groups VALUES ('id:x', 0, 1, 'job-001', '')",
            "job_thing_groups, counted",
            "1 rows .*: id:x/0/1/job-001",
        ),
        (
            "UPDATE namespace_jobs SET jobs = jobs + 1 WHERE namespace_id = 'n'",
            "namespace_jobs, counted",
            "rows .*: n/",
        ),
        (
            "UPDATE namespace_executions SET executions = 9 WHERE state = 'FAILED'",
            "namespace_executions, counted",
            "1 rows .*: n/FAILED",
        ),
        (
            "UPDATE executions SET state = 'FAILED' WHERE job_id = 'job-001'",
            "executions|namespace_executions, counted",
            "1 rows .*: job-001/t1",
        ),
        *(
            (f"UPDATE executions SET {column} = 1 WHERE job_id = 'job-008'", "executions", "1 rows .*: job-008/t1")
            for column in ("waiting_since", "is_left_out", "born_at")
        ),
        (
            "UPDATE executions SET ended_at = 1 WHERE job_id = 'job-008'",
            "jobs|executions|job_summaries",
            "1 rows .*: job-008",
        ),
        (
            "UPDATE executions SET further = further || ' ' WHERE job_id = 'job-009'",
            "executions",
            "1 rows .*: job-009/t1",
        ),
        ("UPDATE executions SET further = 'x' WHERE job_id = 'job-008'", "states", "unexpected character"),
    ],
)
def test_what_is_wrong_is_found(database: Path, statement: str, name: str, problem: str) -> None:
    """A check names each foreign or missing schema object, and each row that contradicts the stored states."""
    change(database, *statement.split(";"))
    found = {name: wrong for name, wrong in findings(database).items() if wrong}
    assert name.split("|") == list(found)
    assert re.search(problem, next(iter(found.values())))


def test_a_plan_that_would_sort_is_found(database: Path) -> None:
    """A check finds a query plan that scans or sorts, here because of false statistics."""
    few = "INSERT INTO sqlite_stat1 VALUES ('job_summaries', 'job_summaries', '1 1')"
    change(database, "ANALYZE", "DELETE FROM sqlite_stat1", few)
    assert {"plans": "SCAN job"} == {name: wrong for name, wrong in findings(database).items() if wrong}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, {"file": "{path}: unable to open database file"}),
        (b"", {"integrity": None, "schema": "this is not a jobindex database"}),
        (b"not a database" * 100, {"file": "{path}: file is not a database"}),
    ],
    ids=["missing", "empty", "no database"],
)
def test_a_file_that_is_no_index_fails(tmp_path: Path, content: bytes | None, expected: dict[str, str | None]) -> None:
    """A check reports a missing or foreign file, and creates nothing."""
    path = tmp_path / "some.db"
    if content is not None:
        path.write_bytes(content)
    before = list(tmp_path.iterdir())
    assert {name: wrong and wrong.format(path=path) for name, wrong in expected.items()} == findings(path)
    assert before == list(tmp_path.iterdir())


def test_an_index_of_an_older_version_is_whole(tmp_path: Path) -> None:
    """A check accepts an older schema; plans and derived state are checked only after a migration."""
    path = tmp_path / "old.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript(CREATE_MIGRATIONS + migration_script(load_migrations("sqlite")[0]))
    assert {"integrity": None, "schema": None, "plans, states": None} == findings(path)
    restore(path, tmp_path / "new.db", now=NOW)
    asyncio.run(migrate(tmp_path / "new.db"))
    assert {None} == set(findings(tmp_path / "new.db").values())


# Restore


def test_a_restore_is_refused_while_a_service_runs(tmp_path: Path) -> None:
    """A restore is refused while a service runs, and the service continues."""
    with running(Service(tmp_path, MQTT_URL=AWAY), until="connecting") as service:
        url = f"sqlite:///{service.database}"
        assert jobindex("backup", tmp_path / "copy.db", DATABASE_URL=url).returncode == 0
        inode = service.database.stat().st_ino
        ended = jobindex("restore", tmp_path / "copy.db", DATABASE_URL=url)
        assert 1 == ended.returncode
        assert f"{service.database}: is in use by another jobindex" in ended.stderr
        assert inode == service.database.stat().st_ino
        assert service.get("/jobs")[0] == 200


def test_a_restore_keeps_what_was_there(database: Path, tmp_path: Path) -> None:
    """A restore renames the former database, which keeps all data, including that of its WAL."""
    back_up(database, tmp_path / "copy.db")
    late = "INSERT INTO thing_groups VALUES ('late', '')"
    subprocess.run([sys.executable, "-c", WRITE_AND_DIE, str(database), late], check=False)
    database.chmod(0o640)
    former = restore(tmp_path / "copy.db", database, now=NOW)
    assert Path(f"{database}.before-20300101T000000Z") == former
    assert former is not None
    assert ("late", "") in rows(former, "SELECT * FROM thing_groups")
    assert rows(tmp_path / "copy.db", "SELECT * FROM job_summaries") == rows(database, "SELECT * FROM job_summaries")
    assert 0o640 == database.stat().st_mode & 0o777
    assert 0o600 == (tmp_path / "copy.db").stat().st_mode & 0o777
    expected = {database.name, former.name, f"{database.name}.lock", "copy.db"}
    assert expected == {path.name for path in tmp_path.iterdir()}


async def test_a_restored_index_is_complete_since_no_time(database: Path, tmp_path: Path) -> None:
    """A restored index is not complete, because the broker does not redeliver the messages since the backup."""
    back_up(database, tmp_path / "copy.db")
    restore(tmp_path / "copy.db", tmp_path / "new.db", now=NOW)
    async with open_store(tmp_path / "new.db") as store:
        assert Session(topic_filters=frozenset({"a/#"}), complete_since=None) == await store.session()
    assert [(1893456000000,)] == rows(tmp_path / "copy.db", "SELECT complete_since FROM session")


def test_a_damaged_database_is_replaced(database: Path, tmp_path: Path) -> None:
    """A restore also renames a damaged database and its WAL, which SQLite would replay into the new file."""
    back_up(database, tmp_path / "copy.db")
    database.write_bytes(b"damaged" * 1000)
    Path(f"{database}-wal").write_bytes(b"wal")
    Path(f"{database}-shm").write_bytes(b"shm")
    former = restore(tmp_path / "copy.db", database, now=NOW)
    assert former is not None
    assert (b"damaged" * 1000, b"wal") == (former.read_bytes(), Path(f"{former}-wal").read_bytes())
    assert not Path(f"{database}-shm").exists()
    assert {None} == set(findings(database).values())


def test_a_bad_backup_is_not_restored(database: Path, tmp_path: Path) -> None:
    """A restore checks the backup first, and reports its problems without changing the database."""
    back_up(database, tmp_path / "copy.db")
    change(tmp_path / "copy.db", "DELETE FROM job_thing_groups")
    before = database.read_bytes()
    with pytest.raises(
        BackupError, match=r"does not pass `jobindex check`:\nFAILED  job_thing_groups, counted: 1 rows"
    ):
        restore(tmp_path / "copy.db", database, now=NOW)
    assert before == database.read_bytes()


def test_a_database_that_is_being_read_is_not_replaced(database: Path, tmp_path: Path) -> None:
    """A restore fails while another process reads the database, and succeeds afterwards."""
    back_up(database, tmp_path / "copy.db")
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("BEGIN")
        other.execute("SELECT * FROM jobs").fetchone()
        with pytest.raises(DatabaseUnavailableError, match="is being read by another process"):
            restore(tmp_path / "copy.db", database, now=NOW)
    assert restore(tmp_path / "copy.db", database, now=NOW)


async def test_a_restore_is_refused_while_the_database_is_open(database: Path, tmp_path: Path) -> None:
    """A restore is refused while a store has the database open."""
    back_up(database, tmp_path / "copy.db")
    async with open_store(database):
        with pytest.raises(DatabaseRefusedError, match="is in use by another jobindex"):
            restore(tmp_path / "copy.db", database, now=NOW)


def test_a_second_restore_in_the_same_second_is_refused(database: Path, tmp_path: Path) -> None:
    """A restore never overwrites the former database of an earlier restore."""
    back_up(database, tmp_path / "copy.db")
    restore(tmp_path / "copy.db", database, now=NOW)
    with pytest.raises(BackupError, match="File exists"):
        restore(tmp_path / "copy.db", database, now=NOW)


async def test_a_time_told_that_is_that_of_the_arrival_is_no_fault(tmp_path: Path) -> None:
    """A reported time that equals the arrival time of its job passes the check."""
    async with open_store(tmp_path / "jobindex.db") as store:
        for told in ({}, {"lastUpdatedAt": NOW.timestamp()}):
            topic = "$aws/things/t1/jobs/job-1/notify-namespace-n1"
            await store.apply(parse([(topic, json.dumps({"job": told}).encode())])[0], (), now=NOW)
    assert not any(findings(tmp_path / "jobindex.db").values())


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    """Each command reports a missing database in one line, and creates nothing."""
    missing = tmp_path / "none.db"
    settings = {"DATABASE_URL": f"sqlite:///{missing}"}
    for arguments in (("check", missing), ("check",), ("backup", tmp_path / "copy.db"), ("restore", missing)):
        ended = jobindex(*arguments, **settings)
        told = f"jobindex {arguments[0]}: {missing} does not exist\n"
        assert (1, "", told) == (ended.returncode, ended.stdout, ended.stderr)
    assert [] == list(tmp_path.iterdir())
