"""A SQLite file to copy from, read in one snapshot, even while a service writes it."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

from jobindex.errors import DatabaseRefusedError, DatabaseUnavailableError
from jobindex.storage.sql.copying import check_source
from jobindex.storage.sql.tables import Table, Values
from jobindex.storage.sqlite.file import newest_migration, tables_of, uri
from jobindex.storage.sqlite.inspection import inspect_file

_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


@contextmanager
def open_source(path: Path) -> Iterator["SqliteSource"]:
    """Open a file to copy from.

    Raises:
        DatabaseRefusedError, DatabaseUnavailableError: see `open_copy`.
    """
    if not path.exists():
        raise DatabaseUnavailableError(f"{path}: does not exist")
    with naming(path):
        connection = sqlite3.connect(uri(path, "ro"), uri=True, isolation_level=None)
    with closing(connection):
        with naming(path):
            connection.execute("BEGIN")
            check_source(tables_of(connection), partial(newest_migration, connection), "sqlite")
        yield SqliteSource(path, connection)


class SqliteSource:
    """A Source in a SQLite file."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path = path
        self._connection = connection

    def is_in_use(self) -> bool:
        return inspect_file(self._path).is_locked

    def count(self, table: Table) -> int:
        with naming(self._path):
            return int(self._connection.execute(f"SELECT count(*) FROM {table.name}").fetchone()[0])

    def page(self, table: Table, after: Values) -> Sequence[Values]:
        with naming(self._path):
            return read_page(self._connection, table, after)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Convert errors of a file to errors that name it."""
    try:
        yield
    except DatabaseRefusedError as error:
        raise DatabaseRefusedError(f"{path}: {error}") from error
    except sqlite3.Error as error:
        raise DatabaseUnavailableError(f"{path}: {error}") from error


def read_page(connection: sqlite3.Connection, table: Table, after: Values) -> Sequence[Values]:
    """Return a page of rows, the same from every engine."""
    rows: list[Values] = connection.execute(*table.page(after)).fetchall()
    if table.name != "rejected_messages":
        return rows
    # Any publisher may have sent them, and PostgreSQL cannot store NUL in a text.
    return [
        tuple(value.replace("\0", _REPLACEMENT) if isinstance(value, str) else value for value in row) for row in rows
    ]
