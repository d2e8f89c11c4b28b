"""What can be told of a database file without the service: is it whole, and does it say what it was told?

Everything is read in one transaction on a read-only connection, so a service may run meanwhile. What the
registers say is not written down a second time here: the statements of `readings.py` that read them
run over all jobs, on temporary tables that stand in front of the real ones under the same names, and the
outcome is compared with what is stored.
"""

import re
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from itertools import product
from pathlib import Path

from jobindex.model.jobs import JobStatus, TargetSelection
from jobindex.model.listing import Filters, ListJobsQuery, Position
from jobindex.storage.findings import SHOWN, Finding
from jobindex.storage.migrations import load_migrations
from jobindex.storage.sql import readings
from jobindex.storage.sql.counts import CHANGES_KEPT
from jobindex.storage.sql.group_keys import GroupKey
from jobindex.storage.sql.pages import page_parameters, page_statement
from jobindex.storage.sqlite.file import CREATE_MIGRATIONS, migration_script, newest_migration, tables_of, uri

_KEYS = [GroupKey("name:g"), GroupKey("both:g/h"), GroupKey("name:g", "name:h")]
_POSITION = Position(created_at=datetime(2030, 1, 1, tzinfo=UTC), job_id="job")

# What is read of the registers.
_READINGS = ("executions", "job_summaries", "job_thing_groups", "namespace_jobs", "namespace_executions")
# What is told of arrival, which nobody can say again.
_ARRIVALS = ("namespace_activity", "job_changes")
_JOBS = """
CREATE TEMP TABLE jobs (job_id TEXT PRIMARY KEY, deleted_at INTEGER, listed_created_at INTEGER) WITHOUT ROWID
"""
_CREATE = re.compile(r"^(CREATE (?:TABLE|INDEX|UNIQUE INDEX) )")

_Connection = sqlite3.Connection


class _WrongError(Exception):
    """A check has found something; the message says what."""


def check(path: Path) -> Iterator[Finding]:
    """Check a database file; yield what each check has found, in their order.

    A file that an older version made is whole when its schema is that version's; what this version reads
    of it is checked only after it is migrated.
    """
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
                yield Finding(name="plans, readings", detail="not checked before `jobindex migrate`")
                return
            yield _find("plans", _check_plans, connection)
            try:
                _read_again(connection)
            except sqlite3.Error as error:
                yield Finding(name="readings", problem=str(error))
                return
            for table in (*_READINGS, "jobs"):
                yield _find(table, _compare(table), connection)
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
        raise _WrongError("this is no database of jobindex")
    migrations = load_migrations("sqlite")
    applied = newest_migration(connection)
    if applied > migrations[-1].number:
        raise _WrongError(
            f"is at migration {applied}, made by a newer jobindex; this one knows {migrations[-1].number}"
        )
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as fresh:
        fresh.executescript(CREATE_MIGRATIONS)
        for migration in migrations:
            if migration.number <= applied:
                fresh.executescript(migration_script(migration))
        expected, found = _schema(fresh), _schema(connection)
    problems = [f"{name} is missing" for name in sorted(expected.keys() - found.keys())]
    problems += [f"{name} is none of ours" for name in sorted(found.keys() - expected.keys())]
    problems += [f"{name} differs" for name in sorted(expected.keys() & found.keys()) if expected[name] != found[name]]
    if problems:
        raise _WrongError(_shown(problems))
    newest = migrations[-1].number
    return f"as migration {applied} leaves it" + ("" if applied == newest else f", of {newest} that this version knows")


def _schema(connection: _Connection) -> dict[str, str | None]:
    # What ANALYZE leaves changes no answer; what it does to plans is checked.
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
    """Tell whether a step of a query plan costs the same at any size of the index."""
    if step.startswith("SCAN"):
        # What is merged is scanned; the list without any filter begins at the newest, in the order of the table.
        return step.startswith(("SCAN (subquery", "SCAN page")) or (step == "SCAN job" and not is_filtered)
    return "B-TREE" not in step and "AUTOMATIC" not in step


def _read_again(connection: _Connection) -> None:
    """Make temporary tables of what the registers say of all jobs, in front of the stored readings."""
    for table in (*_READINGS, *_ARRIVALS):
        rows = connection.execute(
            "SELECT sql FROM main.sqlite_schema WHERE tbl_name = ? AND sql IS NOT NULL ORDER BY type = 'index'",
            (table,),
        )
        for (sql,) in rows.fetchall():
            connection.execute(_CREATE.sub(r"\1temp.", sql))
    for statement in readings.CREATE_CHANGED.split(";"):  # executescript would end the transaction
        connection.execute(statement)
    connection.execute(_JOBS)
    connection.execute("INSERT INTO temp.jobs SELECT job_id, deleted_at, NULL FROM main.jobs")
    connection.execute("INSERT INTO temp.executions SELECT * FROM main.executions")
    connection.execute("UPDATE temp.executions SET has_ended = NULL, ended_at = NULL, waiting_since = NULL")
    connection.execute("INSERT INTO changed_jobs SELECT job_id FROM main.jobs")
    connection.execute("INSERT INTO changed_executions SELECT job_id, thing_name, NULL FROM main.executions")
    for statement in readings.READ_AGAIN:
        connection.execute(statement, {"now": 0, "changes_maximum": CHANGES_KEPT})
    # When a job that bears no time was read cannot be said again.
    connection.execute(
        """
        UPDATE temp.job_summaries
        SET
            changed_at = stored.changed_at,
            listed = replace(
                temp.job_summaries.listed,
                '"lastUpdatedAt":0.0}',
                '"lastUpdatedAt":' || (stored.changed_at / 1000.0) || '}'
            )
        FROM main.job_summaries AS stored
        WHERE stored.created_at = temp.job_summaries.created_at
        AND stored.job_id = temp.job_summaries.job_id
        AND temp.job_summaries.changed_at = 0
        """
    )


def _compare(table: str) -> Callable[[_Connection], str]:
    def compare(connection: _Connection) -> str:
        described = connection.execute("SELECT name, pk FROM pragma_table_info(?, 'temp') ORDER BY cid", (table,))
        names = described.fetchall()
        columns = ", ".join(name for name, _ in names)
        key = ", ".join(name for name, place in names if place)
        # Rows that only one side has: stored and not said, or said and not stored.
        wrong = connection.execute(
            f"""
            SELECT {key} FROM (SELECT {columns} FROM main.{table} EXCEPT SELECT {columns} FROM temp.{table})
            UNION
            SELECT {key} FROM (SELECT {columns} FROM temp.{table} EXCEPT SELECT {columns} FROM main.{table})
            """
        ).fetchall()
        if wrong:
            rows = _shown("/".join(map(str, row)) for row in wrong)
            raise _WrongError(f"{len(wrong)} rows are not what the registers say: {rows}")
        (count,) = connection.execute(f"SELECT count(*) FROM main.{table}").fetchone()
        return f"{count} rows, as the registers say"

    return compare


def _shown(problems: Sequence[str] | Iterator[str] | dict[str, None]) -> str:
    first, *others = problems
    shown = "; ".join((first, *others[: SHOWN - 1]))
    return shown + (f"; and {len(others) - SHOWN + 1} more" if len(others) >= SHOWN else "")
