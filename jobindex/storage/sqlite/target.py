"""A SQLite file to copy to: no service opens it meanwhile, nor later unless the copy is whole."""

import asyncio
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from jobindex.storage.sql.copying import (
    TABLE,
    Copied,
    RefusedRow,
    check_begun,
    create_copied,
    drop_copied,
    end_copied,
    read_copied,
    read_refused,
    write_copied,
)
from jobindex.storage.sql.tables import TABLES, Table, Values
from jobindex.storage.sqlite.file import locked, newest_migration, tables_of, uri
from jobindex.storage.sqlite.source import naming, read_page
from jobindex.storage.sqlite.store import migrate
from jobindex.storage.sqlite.writer import data_refused


@contextmanager
def open_target(path: Path, *, is_anew: bool) -> Iterator["SqliteTarget"]:
    """Open a file to copy to; resume a partial copy unless `is_anew`.

    Raises:
        DatabaseRefusedError, DatabaseUnavailableError: see `open_copy`.
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
        with _writing(self._path, self._connection) as connection:
            if TABLE in tables_of(connection):
                check_begun(newest_migration(connection), "sqlite")
            else:
                create_copied(connection)
            self.copied = read_copied(connection)

    def hold(self) -> None:
        """Do nothing: the lock of the file is held."""

    def page(self, table: Table, after: Values) -> Sequence[Values]:
        with naming(self._path):
            return read_page(self._connection, table, after)

    def refused(self) -> Sequence[RefusedRow]:
        with naming(self._path):
            return read_refused(self._connection)

    def write(
        self,
        copied: Copied,
        rows: Sequence[Values] = (),
        table: Table | None = None,
        *,
        refused: RefusedRow | None = None,
    ) -> None:
        with _writing(self._path, self._connection) as connection:
            if table is not None:
                columns, placeholders = ", ".join(table.columns), ", ".join("?" * len(table.columns))
                connection.executemany(f"INSERT INTO {table.name} ({columns}) VALUES ({placeholders})", rows)
            write_copied(connection, copied, refused)
        self.copied = copied

    def end(self, *, is_complete: bool) -> None:
        # Without ANALYZE: with statistics SQLite would choose other plans than the tested ones.
        with _writing(self._path, self._connection) as connection:
            end_copied(connection, is_complete=is_complete)


def _tables(path: Path) -> frozenset[str]:
    if not path.exists():
        return frozenset()
    with naming(path), closing(sqlite3.connect(uri(path, "ro"), uri=True, isolation_level=None)) as connection:
        return tables_of(connection)


def _clear(path: Path) -> None:
    """Delete a partial copy."""
    if TABLE not in _tables(path):
        return
    with locked(path), closing(_connect(path)) as connection, _writing(path, connection):
        for table in {table.name for table in TABLES} & tables_of(connection):
            connection.execute(f"DELETE FROM {table}")
        drop_copied(connection)


def _connect(path: Path) -> sqlite3.Connection:
    with naming(path):
        connection = sqlite3.connect(uri(path, "rw"), uri=True, isolation_level=None)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        return connection


@contextmanager
def _writing(path: Path, connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    with naming(path), data_refused():
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
            connection.execute("COMMIT")
        finally:
            connection.rollback()
