"""Checks a database file without the service: is it whole, and do its rows follow from the states?

One read-only transaction reads everything, so a service may run meanwhile. No rule is written twice: the batch that
derives columns runs over all jobs, and each row that it would write is wrong.
"""

import sqlite3
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from itertools import product
from pathlib import Path

from jobindex.model.jobs import JobStatus, TargetSelection
from jobindex.model.listing import Filters, ListJobsQuery, Position
from jobindex.storage.findings import SHOWN, Finding
from jobindex.storage.migrations import load_migrations
from jobindex.storage.sql.batch import Batch
from jobindex.storage.sql.counts import COUNTED_EXECUTIONS, COUNTED_JOBS
from jobindex.storage.sql.group_keys import GroupKey
from jobindex.storage.sql.pages import page_parameters, page_statement
from jobindex.storage.sql.summaries import group_rows
from jobindex.storage.sql.tables import EXECUTIONS, JOBS, SUMMARIES, Table, Values
from jobindex.storage.sqlite.file import CREATE_MIGRATIONS, migration_script, newest_migration, tables_of, uri
from jobindex.storage.sqlite.rows import SqliteRows

_KEYS = [GroupKey("name:g"), GroupKey("both:g/h"), GroupKey("name:g", "name:h")]
_POSITION = Position(created_at=datetime(2030, 1, 1, tzinfo=UTC), job_id="job")

_DERIVED = (JOBS, EXECUTIONS, SUMMARIES)
"""The tables with derived columns."""
_JOBS = 1000
"""Jobs in a batch."""

_CREATE_KEYS = """
CREATE TEMP TABLE expected_keys (
    thing_group TEXT, kind INTEGER, created_at INTEGER, job_id TEXT, namespace_id TEXT
)
"""
_COUNTS = {
    "job_summaries": """
        SELECT created_at, job_id FROM job_summaries
        EXCEPT SELECT listed_created_at, job_id FROM jobs WHERE listed_created_at IS NOT NULL
    """,
    "job_thing_groups": """
        SELECT thing_group, kind, created_at, job_id, namespace_id FROM
        (SELECT * FROM job_thing_groups EXCEPT SELECT * FROM expected_keys)
        UNION
        SELECT * FROM (SELECT * FROM expected_keys EXCEPT SELECT * FROM job_thing_groups)
    """,
    "namespace_jobs": f"""
        WITH counted AS ({COUNTED_JOBS})
        SELECT namespace_id, kind FROM (SELECT * FROM counted EXCEPT SELECT * FROM namespace_jobs)
        UNION
        SELECT namespace_id, kind FROM (SELECT * FROM namespace_jobs EXCEPT SELECT * FROM counted)
    """,
    "namespace_executions": f"""
        WITH counted AS ({COUNTED_EXECUTIONS})
        SELECT namespace_id, state FROM (SELECT * FROM counted EXCEPT SELECT * FROM namespace_executions)
        UNION
        SELECT namespace_id, state FROM (SELECT * FROM namespace_executions EXCEPT SELECT * FROM counted)
    """,
}
"""For each table that is counted from others: its missing and its wrong rows."""

_Connection = sqlite3.Connection


class _WrongError(Exception):
    """The problem that a check has found."""


def check(path: Path) -> Iterator[Finding]:
    """Yield the finding of each check; for a file of an older version, only integrity and schema are checked."""
    try:
        with closing(sqlite3.connect(uri(path, "ro"), uri=True, isolation_level=None)) as connection:
            connection.execute("BEGIN")
            connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            whole = _find("integrity", _check_integrity, connection)
            yield whole
            schema = _find("schema", _check_schema, connection)
            yield schema
            if whole.problem or schema.problem:
                return
            if newest_migration(connection) < load_migrations("sqlite")[-1].number:
                yield Finding(name="plans, states", detail="not checked until `jobindex migrate` has run")
                return
            yield _find("plans", _check_plans, connection)
            (left,) = connection.execute("SELECT count(*) FROM deferred_work").fetchone()
            if left:
                detail = f"not checked: {left} pieces of deferred work are left, which the service does while it runs"
                yield Finding(name="states", detail=detail)
                return
            try:
                wrong = _rebuild(connection)
            except (sqlite3.Error, ValueError) as error:
                yield Finding(name="states", problem=str(error))
                return
            for table in _DERIVED:
                yield _find(table.name, partial(_result, wrong=wrong[table.name], table=table.name), connection)
            for name, statement in _COUNTS.items():
                yield _find(f"{name}, counted", partial(_compare, name=name, statement=statement), connection)
    except sqlite3.Error as error:
        yield Finding(name="file", problem=f"{path}: {error}")


def _find(name: str, run: Callable[[_Connection], str], connection: _Connection) -> Finding:
    try:
        return Finding(name=name, detail=run(connection))
    except (_WrongError, sqlite3.Error) as error:
        return Finding(name=name, problem=str(error))


def _check_integrity(connection: _Connection) -> str:
    lines = [row[0] for row in connection.execute(f"PRAGMA integrity_check({SHOWN})")]
    if lines != ["ok"]:
        raise _WrongError(_shown(line.replace("\n", " ") for line in lines))
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    return f"{pages} pages"


def _check_schema(connection: _Connection) -> str:
    if "migrations" not in tables_of(connection):
        raise _WrongError("this is not a jobindex database")
    migrations = load_migrations("sqlite")
    applied = newest_migration(connection)
    if applied > migrations[-1].number:
        raise _WrongError(f"is at migration {applied} of a newer jobindex; this version has {migrations[-1].number}")
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as fresh:
        fresh.executescript(CREATE_MIGRATIONS)
        for migration in migrations:
            if migration.number <= applied:
                fresh.executescript(migration_script(migration))
        expected, found = _schema(fresh), _schema(connection)
    problems = [f"{name} is missing" for name in sorted(expected.keys() - found.keys())]
    problems += [f"{name} is not part of the schema" for name in sorted(found.keys() - expected.keys())]
    problems += [f"{name} differs" for name in sorted(expected.keys() & found.keys()) if expected[name] != found[name]]
    if problems:
        raise _WrongError(_shown(problems))
    newest = migrations[-1].number
    return f"as migration {applied} leaves it" + ("" if applied == newest else f", of {newest} that this version knows")


def _schema(connection: _Connection) -> dict[str, str | None]:
    # The tables of ANALYZE change no answer, and the plans are checked.
    rows = connection.execute("SELECT type, name, sql FROM sqlite_schema WHERE name NOT GLOB 'sqlite_stat*'")
    schema = {f"{kind} {name}": sql for kind, name, sql in rows}
    for number, name in connection.execute("SELECT number, name FROM migrations"):
        schema[f"migration {number}"] = name
    return schema


def _check_plans(connection: _Connection) -> str:
    questions = list(product([False, True], repeat=5))
    problems = []
    for names in questions:
        filters = Filters(
            namespace_id="n" if names[0] else None,
            status=JobStatus.CANCELED if names[1] else None,
            target_selection=TargetSelection.SNAPSHOT if names[2] else None,
            thing_group_id="g" if names[3] else None,
            thing_group_name="g" if names[4] else None,
        )
        keys = _KEYS if names[4] or names[3] else None
        for after in (None, _POSITION):
            query = ListJobsQuery(filters=filters, after=after)
            statement, parameters = page_statement(query, keys), page_parameters(query, keys)
            steps = connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
            problems += [step for *_, step in steps if not _is_cheap(step, is_filtered=any(names))]
    if problems:
        raise _WrongError(_shown(dict.fromkeys(problems)))
    return f"{len(questions)} combinations of filters, no scan and no sort"


def _is_cheap(step: str, *, is_filtered: bool) -> bool:
    """Return whether a step's cost does not grow with the index."""
    if step.startswith("SCAN"):
        # Merged streams are scanned, and so is the list without filters, in the order of the table.
        return step.startswith(("SCAN (subquery", "SCAN page")) or (step == "SCAN job" and not is_filtered)
    return "B-TREE" not in step and "AUTOMATIC" not in step


class _Recorder(SqliteRows):
    """Records the writes of a batch, and writes nothing."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        super().__init__(connection)
        self.wrong: dict[str, list[Values]] = defaultdict(list)

    def insert(self, table: Table, columns: Sequence[str], rows: Collection[Values]) -> None:  # noqa: ARG002
        self.wrong[table.name] += [table.key_of(row) for row in rows]

    def update(self, table: Table, columns: Sequence[str], rows: Collection[Values]) -> None:  # noqa: ARG002
        self.wrong[table.name] += [table.key_of(row) for row in rows]

    def delete(self, table: Table, keys: Collection[Values]) -> None:
        self.wrong[table.name] += keys


def _rebuild(connection: _Connection) -> Mapping[str, list[Values]]:
    """Return the keys of wrong rows, by table."""
    connection.execute(_CREATE_KEYS)
    recorder = _Recorder(connection)
    after = ""
    while True:
        found = connection.execute(
            "SELECT job_id, listed_created_at FROM jobs WHERE job_id > ? ORDER BY job_id LIMIT ?", (after, _JOBS)
        ).fetchall()
        if not found:
            return recorder.wrong
        after = found[-1][0]
        Batch(connection, recorder, 0, keeps_history=False).rebuild([job_id for job_id, _ in found])
        summaries = recorder.select(SUMMARIES, SUMMARIES.key, [(at, job_id) for job_id, at in found if at is not None])
        keys = [key + others for summary in summaries for key, others in group_rows(summary).items()]
        connection.executemany("INSERT INTO expected_keys VALUES (?, ?, ?, ?, ?)", keys)


def _result(connection: _Connection, *, wrong: Sequence[Values], table: str) -> str:
    if wrong:
        rows = _shown("/".join(map(str, row)) for row in wrong)
        raise _WrongError(f"{len(wrong)} rows are not consistent with the states: {rows}")
    (count,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    return f"{count} rows, consistent with the states"


def _compare(connection: _Connection, *, name: str, statement: str) -> str:
    return _result(connection, wrong=connection.execute(statement).fetchall(), table=name)


def _shown(problems: Sequence[str] | Iterator[str] | dict[str, None]) -> str:
    first, *others = problems
    shown = "; ".join((first, *others[: SHOWN - 1]))
    return shown + (f"; and {len(others) - SHOWN + 1} more" if len(others) >= SHOWN else "")
