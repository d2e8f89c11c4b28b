"""The connections to a SQLite file: one writes, and it alone checkpoints; the others read, each from a snapshot."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar, cast

import aiosqlite

from jobindex.errors import DatabaseUnavailableError
from jobindex.model.listing import JobPage, ListJobsQuery
from jobindex.storage.sql import pages, scoped_pages
from jobindex.storage.sql.connection import Connection
from jobindex.storage.sql.scope import Visible
from jobindex.storage.sql.state_cache import StateCache
from jobindex.storage.sqlite.quick import QuickReader
from jobindex.storage.sqlite.rows import SqliteRows
from jobindex.storage.sqlite.wal import WalLimit, wal_bytes

T = TypeVar("T")

BUSY_TIMEOUT_MS = 1000

# What a reader that may take its time gets through.
_WORTH_WAITING = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_INTERRUPT}


class SqliteEngine:
    """An Engine on one SQLite file; `arn_prefix` begins the ARNs that no message reported."""

    @staticmethod
    def rows(connection: Connection, /) -> SqliteRows:
        """Return what reads and writes rows in a transaction of this engine."""
        assert isinstance(connection, sqlite3.Connection)  # noqa: S101 (this engine made it)
        return SqliteRows(connection)

    page_statement = staticmethod(pages.page_statement)
    scoped_statement = staticmethod(scoped_pages.scoped_statement)

    def __init__(
        self,
        path: Path,
        writer: aiosqlite.Connection,
        idle_readers: "asyncio.Queue[aiosqlite.Connection]",
        quick: QuickReader,
        *,
        arn_prefix: str,
    ) -> None:
        self._path = path
        self._wal_limit = WalLimit()
        self._writer = writer
        self._idle_readers = idle_readers
        self._quick = quick
        self.arn_prefix = arn_prefix
        self.cache = StateCache()
        self._data_version: int | None = None
        self.version = 0
        """As in Reader. The writer's thread counts it, at once behind a commit, or what was to become one."""

    async def read(self, work: Callable[[Connection], T], /) -> T:
        async with self._reading() as reader:
            return await _in_its_thread(reader, work)

    async def read_page(self, query: ListJobsQuery, visible: Visible, /) -> JobPage:
        with unavailable("read"):
            try:
                return self._quick.read(self, query, visible)
            except sqlite3.OperationalError as error:
                if code(error) not in _WORTH_WAITING:
                    raise
        return await self.read(partial(pages.read_page, engine=self, query=query, known={}, visible=visible))

    async def write(self, work: Callable[[Connection], T], /, *, by_owner: bool = False) -> T:  # noqa: ARG002
        """See Engine; who has the file's lock owns it."""

        def write(writer: sqlite3.Connection) -> T:
            self.cache.begin()
            writer.execute("BEGIN IMMEDIATE")
            try:
                self._check_alone(writer)
                done = work(writer)
                writer.execute("COMMIT")
                self.cache.commit()
                return done
            finally:
                writer.rollback()
                self.version += 1

        with unavailable("written"):
            done = await _in_its_thread(self._writer, write)
        await self._shorten_wal()
        return done

    def _check_alone(self, writer: sqlite3.Connection) -> None:
        """Drop the cached states if another connection has written, which none should."""
        [(version,)] = writer.execute("PRAGMA data_version").fetchall()
        if version != self._data_version:
            self.cache.clear()
            self._data_version = version

    async def _shorten_wal(self) -> None:
        """Empty the write-ahead log where it is too long; what was committed stays so, whatever comes of it."""
        patience_ms = self._wal_limit.patience_ms(wal_bytes(self._path))
        if patience_ms is None:
            return
        reset = f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS};"
        try:
            await self._writer.executescript(
                f"PRAGMA busy_timeout = {patience_ms}; PRAGMA wal_checkpoint(TRUNCATE); {reset}"
            )
        except sqlite3.Error:
            await self._writer.executescript(reset)

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[aiosqlite.Connection]:
        reader = await self._idle_readers.get()
        try:
            with unavailable("read"):
                try:
                    await reader.execute("BEGIN")
                    yield reader
                finally:
                    await asyncio.shield(reader.rollback())
        finally:
            self._idle_readers.put_nowait(reader)


async def _in_its_thread(connection: aiosqlite.Connection, work: Callable[[sqlite3.Connection], T]) -> T:
    """Run many statements in the connection's thread; one at a time, each waits for the event loop on its way back."""
    return cast("T", await connection._execute(work, connection._conn))  # noqa: SLF001


@contextmanager
def unavailable(done: str) -> Iterator[None]:
    """Raise as DatabaseUnavailableError what SQLite raises, as the index cannot be `done`: read, or written."""
    try:
        yield
    except sqlite3.Error as error:
        raise DatabaseUnavailableError(f"The index cannot be {done}: {error}") from error


def code(error: sqlite3.Error) -> int:
    """Return the primary result code, which is the low byte of the extended one."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF
