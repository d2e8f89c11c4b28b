"""The progress of a copy: one row in the target, until the copy is whole.

Not chosen: the greatest key in the target, which does not identify the source; a file beside the source, which is only
read.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass

from jobindex.errors import DatabaseRefusedError, shown
from jobindex.storage.migrations import load_migrations
from jobindex.storage.sql.connection import Connection
from jobindex.storage.sql.counts import COUNTED_EXECUTIONS, COUNTED_JOBS
from jobindex.storage.sql.tables import TABLES, Values

TABLE = "copying"
REFUSED_TABLE = "copying_refused"

_CREATE = """
CREATE TABLE copying (
    the_one    INTEGER NOT NULL PRIMARY KEY CHECK (the_one = 1),
    source     TEXT    NOT NULL,
    table_name TEXT    NOT NULL,
    last_key   TEXT    NOT NULL,
    row_count  BIGINT  NOT NULL
)
"""
_WRITE = """
INSERT INTO copying (the_one, source, table_name, last_key, row_count)
VALUES (1, :source, :table_name, :last_key, :row_count)
ON CONFLICT (the_one) DO UPDATE SET
    source = excluded.source,
    table_name = excluded.table_name,
    last_key = excluded.last_key,
    row_count = excluded.row_count
"""
_READ = "SELECT source, table_name, last_key, row_count FROM copying"
# Without a unique index, which might refuse the same key.
_CREATE_REFUSED = """
CREATE TABLE copying_refused (
    table_name TEXT NOT NULL,
    row_key    TEXT NOT NULL,
    reason     TEXT NOT NULL
)
"""
_WRITE_REFUSED = "INSERT INTO copying_refused (table_name, row_key, reason) VALUES (:table_name, :row_key, :reason)"
_READ_REFUSED = "SELECT table_name, row_key, reason FROM copying_refused"
# The source's counts of namespaces include skipped rows.
_RECOUNT = (
    "DELETE FROM namespace_jobs",
    f"INSERT INTO namespace_jobs (namespace_id, kind, jobs) {COUNTED_JOBS}",
    "DELETE FROM namespace_executions",
    f"INSERT INTO namespace_executions (namespace_id, state, executions) {COUNTED_EXECUTIONS}",
)
_INTERRUPT_SESSION = "UPDATE session SET complete_since = NULL"


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """The progress of a copy."""

    source: str = ""
    """The digest of the source; "" if it is not known yet."""
    table_name: str = ""
    """The last table written; "" before the first."""
    last_key: Values = ()
    row_count: int = 0
    """Rows of all tables, including skipped ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedRow:
    """A row that the target refuses and the copy skips."""

    table_name: str
    key: Values
    reason: str
    """As reported by the database."""

    def __str__(self) -> str:
        return f"{self.table_name} {', '.join(map(shown, self.key))}: {self.reason}"


def create_copied(connection: Connection) -> None:
    """Begin a copy, or raise DatabaseRefusedError if the database is not empty."""
    for table in TABLES:
        if connection.execute(f"SELECT 1 FROM {table.name} LIMIT 1").fetchone() is not None:
            raise DatabaseRefusedError("it already holds an index: a copy needs an empty database")
    connection.execute(_CREATE)
    connection.execute(_CREATE_REFUSED)
    write_copied(connection, Copied())


def read_copied(connection: Connection) -> Copied:
    """Return the progress of an unfinished copy."""
    source, table_name, last_key, row_count = connection.execute(_READ).fetchone()
    return Copied(source=source, table_name=table_name, last_key=tuple(json.loads(last_key)), row_count=row_count)


def read_refused(connection: Connection) -> list[RefusedRow]:
    """Return the skipped rows of an unfinished copy."""
    return [
        RefusedRow(table_name=table_name, key=tuple(json.loads(key)), reason=reason)
        for table_name, key, reason in connection.execute(_READ_REFUSED).fetchall()
    ]


def write_copied(connection: Connection, copied: Copied, refused: RefusedRow | None = None) -> None:
    """Record the progress of a copy, and a skipped row."""
    connection.execute(_WRITE, {**asdict(copied), "last_key": json.dumps(copied.last_key)})
    if refused is not None:
        row = {"table_name": refused.table_name, "row_key": json.dumps(refused.key), "reason": refused.reason}
        connection.execute(_WRITE_REFUSED, row)


def end_copied(connection: Connection, *, is_complete: bool) -> None:
    """End a copy; unless it `is_complete`, mark the index as possibly incomplete."""
    if not is_complete:
        connection.execute(_INTERRUPT_SESSION)
    if read_refused(connection):
        for statement in _RECOUNT:
            connection.execute(statement)
    drop_copied(connection)


def drop_copied(connection: Connection) -> None:
    """Drop the tables of the progress."""
    for table in (TABLE, REFUSED_TABLE):
        connection.execute(f"DROP TABLE {table}")


def check_whole(tables: frozenset[str]) -> None:
    """Raise DatabaseRefusedError if the tables are those of an unfinished copy."""
    if TABLE in tables:
        raise DatabaseRefusedError("it is an unfinished copy: run `jobindex copy` again with the same options")


def check_source(tables: frozenset[str], newest: Callable[[], int], engine: str) -> None:
    """Raise DatabaseRefusedError unless a database is a whole index whose `newest` migration is this version's."""
    if "migrations" not in tables:
        raise DatabaseRefusedError("it is not a database of jobindex")
    check_whole(tables)
    if (applied := newest()) != (known := load_migrations(engine)[-1].number):
        raise DatabaseRefusedError(
            f"it is at migration {applied}, this version at {known}: `jobindex migrate` migrates an older database"
        )


def check_begun(newest: int, engine: str) -> None:
    """Raise DatabaseRefusedError if the `newest` migration of an unfinished copy is another version's."""
    if newest != load_migrations(engine)[-1].number:
        raise DatabaseRefusedError("another version of jobindex began this copy: --anew deletes it and starts again")
