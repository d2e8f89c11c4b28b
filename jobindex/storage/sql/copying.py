"""How far a copy of an index has come: one row in what it is made in, for as long as it is not whole.

It is written in the transaction of each page, so that a copy that was interrupted, however it was, goes on right
behind the last row that is there, and no row is written twice. Not chosen: the greatest key that is there, which says
nothing of where it came from; a file beside the source, which is only read.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass

from jobindex.errors import DatabaseRefusedError
from jobindex.storage.migrations import load_migrations
from jobindex.storage.sql.connection import Connection
from jobindex.storage.sql.tables import TABLES, Values

TABLE = "copying"

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
_INTERRUPT_SESSION = "UPDATE session SET complete_since = NULL"


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """How far a copy has come."""

    source: str = ""
    """The digest of all that it is a copy of; "" where that is not known yet."""
    table_name: str = ""
    """The table that was written last; "" before the first."""
    last_key: Values = ()
    """The key of the last row that is there of that table."""
    row_count: int = 0
    """Rows of all tables."""


def create_copied(connection: Connection) -> None:
    """Note that a copy has begun.

    Raises:
        DatabaseRefusedError: something is there already.
    """
    for table in TABLES:
        if connection.execute(f"SELECT 1 FROM {table.name} LIMIT 1").fetchone() is not None:
            raise DatabaseRefusedError("it holds an index already: a copy is made in an empty database")
    connection.execute(_CREATE)
    write_copied(connection, Copied())


def read_copied(connection: Connection) -> Copied:
    """Return how far a copy has come that is not whole."""
    source, table_name, last_key, row_count = connection.execute(_READ).fetchone()
    return Copied(source=source, table_name=table_name, last_key=tuple(json.loads(last_key)), row_count=row_count)


def write_copied(connection: Connection, copied: Copied) -> None:
    """Note how far a copy has come."""
    connection.execute(_WRITE, {**asdict(copied), "last_key": json.dumps(copied.last_key)})


def end_copied(connection: Connection, *, is_complete: bool) -> None:
    """Note that a copy is whole; unless it `is_complete`, the index says that it may lack something."""
    if not is_complete:
        connection.execute(_INTERRUPT_SESSION)
    connection.execute("DROP TABLE copying")


def check_whole(tables: frozenset[str]) -> None:
    """Return where tables are those of a whole index, or of none.

    Raises:
        DatabaseRefusedError: they are those of a copy that is not whole.
    """
    if TABLE in tables:
        raise DatabaseRefusedError(
            "it is a copy that is not whole: call `jobindex copy` again as before, which goes on with it"
        )


def check_source(tables: frozenset[str], newest: Callable[[], int], engine: str) -> None:
    """Return where a database is a whole index of this version; `newest` tells its newest migration.

    Raises:
        DatabaseRefusedError: it is not.
    """
    if "migrations" not in tables:
        raise DatabaseRefusedError("it is no database of jobindex")
    check_whole(tables)
    if (applied := newest()) != (known := load_migrations(engine)[-1].number):
        raise DatabaseRefusedError(
            f"it is at migration {applied}, this version knows {known}: `jobindex migrate` brings an older one up"
        )


def check_begun(newest: int, engine: str) -> None:
    """Return where a copy that is not whole was begun by this version, as its newest migration tells.

    Raises:
        DatabaseRefusedError: it was begun by another.
    """
    if newest != load_migrations(engine)[-1].number:
        raise DatabaseRefusedError("another version of jobindex has begun a copy here: --anew begins another")
