"""The only connection that writes a SQLite file, and the only one that checkpoints."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from jobindex.errors import DatabaseUnavailableError, DataRefusedError
from jobindex.storage.sql.engine import WriteTransaction
from jobindex.storage.sql.state_cache import StateCache
from jobindex.storage.sqlite.file import uri
from jobindex.storage.sqlite.rows import SqliteRows
from jobindex.storage.sqlite.wal import CHECKPOINT_PAGES, KEPT_BYTES, WalLimit, wal_bytes

T = TypeVar("T")

BUSY_TIMEOUT_MS = 1000
_CACHE_KIB = 16_000

# Errors of the data: a retry fails, too.
_OF_THE_DATA = {sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH}


class SqliteTransaction:
    """A WriteTransaction of a connection."""

    def __init__(self, connection: sqlite3.Connection, cache: StateCache) -> None:
        self.execute = connection.execute
        self.executemany = connection.executemany
        self.access = SqliteRows(connection)
        self.cache = cache


class SqliteWriter:
    """Writes the existing file at `path`, in one thread at a time (except `abort` and `end`).

    Raises:
        DatabaseUnavailableError: it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._wal_limit = WalLimit()
        self._data_version: int | None = None
        self.cache = StateCache()
        with unavailable("written"):
            self.connection = sqlite3.connect(uri(path, "rw"), uri=True, isolation_level=None, check_same_thread=False)
            self.connection.row_factory = sqlite3.Row
            for pragma in (
                f"busy_timeout = {BUSY_TIMEOUT_MS}",
                "journal_mode = WAL",
                "synchronous = FULL",
                f"wal_autocheckpoint = {CHECKPOINT_PAGES}",
                f"journal_size_limit = {KEPT_BYTES}",
                "temp_store = MEMORY",
                f"cache_size = -{_CACHE_KIB}",
            ):
                self.connection.execute(f"PRAGMA {pragma}")

    def write(self, work: Callable[[WriteTransaction], T]) -> T:
        """Do some work in one durable transaction.

        Raises:
            DataRefusedError, DatabaseUnavailableError: see `Engine.write`.
        """
        with unavailable("written"), data_refused():
            self.cache.begin()
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                self._check_alone()
                done = work(SqliteTransaction(self.connection, self.cache))
                self.connection.execute("COMMIT")
                self.cache.commit()
            finally:
                self.connection.rollback()
            self._shorten_wal()
            return done

    def abort(self) -> None:
        """Interrupt the running statement, and so its transaction."""
        self.connection.interrupt()

    end = abort

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()

    def _check_alone(self) -> None:
        """Clear the cache if another connection has written; none should."""
        [(version,)] = self.connection.execute("PRAGMA data_version").fetchall()
        if version != self._data_version:
            self.cache.clear()
            self._data_version = version

    def _shorten_wal(self) -> None:
        patience_ms = self._wal_limit.patience_ms(wal_bytes(self._path))
        if patience_ms is None:
            return
        reset = f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS};"
        try:
            self.connection.executescript(
                f"PRAGMA busy_timeout = {patience_ms}; PRAGMA wal_checkpoint(TRUNCATE); {reset}"
            )
        except sqlite3.Error:  # the commit is durable all the same
            self.connection.executescript(reset)


@contextmanager
def unavailable(done: str) -> Iterator[None]:
    """Convert SQLite's errors to DatabaseUnavailableError; `done` is `read` or `written`."""
    try:
        yield
    except sqlite3.Error as error:
        raise DatabaseUnavailableError(f"The index cannot be {done}: {error}") from error


@contextmanager
def data_refused() -> Iterator[None]:
    """Convert SQLite's errors of the data to DataRefusedError."""
    try:
        yield
    except sqlite3.Error as error:
        if code(error) in _OF_THE_DATA:
            raise DataRefusedError(str(error)) from error
        raise


def code(error: sqlite3.Error) -> int:
    """Return the primary result code."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF
