"""The connections to a SQLite file: one writes, and each of the others reads from a snapshot."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import TypeVar, cast

import aiosqlite

from jobindex.model.listing import JobPage, ListJobsQuery
from jobindex.storage.sql import pages, scoped_pages
from jobindex.storage.sql.connection import Connection
from jobindex.storage.sql.engine import WriteTransaction
from jobindex.storage.sql.scope import Visible
from jobindex.storage.sqlite.quick import QuickReader
from jobindex.storage.sqlite.rows import SqliteRows
from jobindex.storage.sqlite.writer import SqliteWriter, code, unavailable
from jobindex.storage.writers import Workplace, done_anyway

T = TypeVar("T")

# A read in a thread may succeed after these errors, because it can wait.
_WORTH_WAITING = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_INTERRUPT}


class SqliteEngine:
    """An Engine on one SQLite file."""

    @staticmethod
    def rows(connection: Connection, /) -> SqliteRows:
        assert isinstance(connection, sqlite3.Connection)  # noqa: S101 (this engine made it)
        return SqliteRows(connection)

    page_statement = staticmethod(pages.page_statement)
    scoped_statement = staticmethod(scoped_pages.scoped_statement)

    def __init__(
        self,
        writer: Workplace[SqliteWriter],
        idle_readers: "asyncio.Queue[aiosqlite.Connection]",
        quick: QuickReader,
        *,
        arn_prefix: str,
    ) -> None:
        self._writer = writer
        self._idle_readers = idle_readers
        self._quick = quick
        self.arn_prefix = arn_prefix
        self.version = 0
        """Increased after each write, also after a failed one."""

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

    async def write(self, work: Callable[[WriteTransaction], T], /, *, by_owner: bool = False) -> T:  # noqa: ARG002
        # The process with the lock of the file is the owner.
        return await done_anyway(self._write(work))

    async def _write(self, work: Callable[[WriteTransaction], T]) -> T:
        try:
            return await self._writer.run(partial(SqliteWriter.write, work=work))
        finally:
            self.version += 1

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[aiosqlite.Connection]:
        reader = await self._idle_readers.get()
        try:
            with unavailable("read"):
                try:
                    await reader.execute("BEGIN")
                    yield reader
                except asyncio.CancelledError:
                    await reader.interrupt()  # else the rollback waits for the whole statement
                    raise
                finally:
                    await asyncio.shield(reader.rollback())
        finally:
            self._idle_readers.put_nowait(reader)


async def _in_its_thread(connection: aiosqlite.Connection, work: Callable[[sqlite3.Connection], T]) -> T:
    """Run all statements in the connection's thread: between awaited ones, the event loop may be busy."""
    return cast("T", await connection._execute(work, connection._conn))  # noqa: SLF001
