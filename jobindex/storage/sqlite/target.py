"""A SQLite file that a copy is made in: nobody else opens it meanwhile, nor later, unless the copy is whole."""

import asyncio
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from jobindex.storage.sql.copying import (
    TABLE,
    Copied,
    check_begun,
    create_copied,
    end_copied,
    read_copied,
    write_copied,
)
from jobindex.storage.sql.tables import TABLES, Table, Values
from jobindex.storage.sqlite.file import locked, newest_migration, tables_of, uri
from jobindex.storage.sqlite.source import naming, read_page
from jobindex.storage.sqlite.store import migrate


@contextmanager
def open_target(path: Path, *, is_anew: bool) -> Iterator["SqliteTarget"]:
    """Open a file to make a copy in it, or to go on with one that is not whole, unless `is_anew`.

    Raises:
        DatabaseRefusedError: it holds an index already, is in use, or cannot be written.
        DatabaseUnavailableError: it cannot be read or written just now.
    """
    if is_anew:
        _clear(path)
    if TABLE not in _tables(path):
        asyncio.run(migrate(path))
    with locked(path), closing(_connect(path)) as connection:
        target = SqliteTarget(path, connection)
        target.begin()
        yield target


class SqliteTarget:
    """A Target in a SQLite file."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path = path
        self._connection = connection
        self.copied = Copied()

    def begin(self) -> None:
        """Note that a copy is made here, where that is not noted yet."""
        with _writing(self._path, self._connection) as connection:
            if TABLE in tables_of(connection):
                check_begun(newest_migration(connection), "sqlite")
            else:
                create_copied(connection)
            self.copied = read_copied(connection)

    def hold(self) -> None:
        """See Target: the file's lock is held."""

    def page(self, table: Table, after: Values) -> Sequence[Values]:
        with naming(self._path):
            return read_page(self._connection, table, after)

    def write(self, copied: Copied, rows: Sequence[Values] = (), table: Table | None = None) -> None:
        with _writing(self._path, self._connection) as connection:
            if table is not None:
                columns, marks = ", ".join(table.columns), ", ".join("?" * len(table.columns))
                connection.executemany(f"INSERT INTO {table.name} ({columns}) VALUES ({marks})", rows)
            write_copied(connection, copied)
        self.copied = copied

    def end(self, *, is_complete: bool) -> None:
        """See Target. Without statistics: they would lead SQLite to other plans than those that are tested."""
        with _writing(self._path, self._connection) as connection:
            end_copied(connection, is_complete=is_complete)


def _tables(path: Path) -> frozenset[str]:
    if not path.exists():
        return frozenset()
    with naming(path), closing(sqlite3.connect(uri(path, "ro"), uri=True, isolation_level=None)) as connection:
        return tables_of(connection)


def _clear(path: Path) -> None:
    """Remove what a copy that is not whole has left in a file."""
    if TABLE not in _tables(path):
        return
    with locked(path), closing(_connect(path)) as connection, _writing(path, connection):
        for table in {table.name for table in TABLES} & tables_of(connection) | {TABLE}:
            connection.execute(f"DELETE FROM {table}")
        connection.execute(f"DROP TABLE {TABLE}")


def _connect(path: Path) -> sqlite3.Connection:
    with naming(path):
        connection = sqlite3.connect(uri(path, "rw"), uri=True, isolation_level=None)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        return connection


@contextmanager
def _writing(path: Path, connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    with naming(path):
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
            connection.execute("COMMIT")
        finally:
            connection.rollback()
