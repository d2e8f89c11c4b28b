"""The connections to PostgreSQL: one writes, some read, and one is for the lease.

A server limits its connections. The writer's and the lease's are made first and kept; a reader's is closed when idle,
or to make room while one of the first two is lost. Not chosen: psycopg's pool, which reports a failed login, or the
limit, only as a timeout.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from itertools import count
from queue import Empty, LifoQueue
from typing import TypeVar

from jobindex.durations import SHUTDOWN
from jobindex.errors import DatabaseUnavailableError
from jobindex.model.listing import JobPage, ListJobsQuery
from jobindex.storage.postgres import pages, scoped_pages
from jobindex.storage.postgres.connection import ReconnectingConnection, Transaction
from jobindex.storage.postgres.rows import PostgresRows
from jobindex.storage.postgres.writer import PostgresWriter
from jobindex.storage.sql.connection import Connection
from jobindex.storage.sql.engine import WriteTransaction
from jobindex.storage.sql.pages import read_page
from jobindex.storage.sql.scope import Visible
from jobindex.storage.writers import Workplace, done_anyway, started, workplace

T = TypeVar("T")

READERS = 8
"""Concurrent reads; others wait."""

# A frozen server keeps its connections, while another may have replaced it: after this time a new one is tried.
_READ_ATTEMPTS = 4
_READ_SECONDS = 10
_WRITE_SECONDS = 60
_IDLE_SECONDS = 10
"""A reader's connection is closed after this idle time."""


class PostgresEngine:
    """An Engine on a database; `name` identifies this process."""

    page_statement = staticmethod(pages.page_statement)
    scoped_statement = staticmethod(scoped_pages.scoped_statement)

    def __init__(self, conninfo: str, *, name: str, arn_prefix: str, writes_apart: bool = False) -> None:
        self.name = name
        self.generation: int | None = None
        """Of the last lease of this process; None if it never had one, or released it."""
        self.arn_prefix = arn_prefix
        make = partial(PostgresWriter, conninfo, name=name)
        self._writer = _WriterSession(workplace(make, writes_apart=writes_apart, seconds=_WRITE_SECONDS))
        steward = ReconnectingConnection(conninfo, writes=True, attempts=2, make_room=self._make_room)
        self._steward = _Lane([steward], seconds=_READ_SECONDS)
        first = (steward, self._writer)
        link = partial(ReconnectingConnection, conninfo, writes=False, attempts=_READ_ATTEMPTS, first=first)
        self._readers = _Lane([link() for _ in range(READERS)], seconds=_READ_SECONDS)
        self._versions = count(1)

    @staticmethod
    def rows(connection: Connection, /) -> PostgresRows:
        assert isinstance(connection, Transaction)  # noqa: S101 (this engine made it)
        return PostgresRows(connection.connection)

    @property
    def version(self) -> int:
        """Never the same twice: another process may have written."""
        return next(self._versions)

    async def read(self, work: Callable[[Connection], T], /) -> T:
        return await self._readers.run(work, done="read")

    async def read_page(self, query: ListJobsQuery, visible: Visible, /) -> JobPage:
        return await self.read(partial(read_page, engine=self, query=query, known={}, visible=visible))

    async def write(self, work: Callable[[WriteTransaction], T], /, *, by_owner: bool = False) -> T:
        write = partial(PostgresWriter.write, work=work, by_owner=by_owner, generation=self.generation)
        return await done_anyway(self._write(write))

    async def _write(self, write: Callable[[PostgresWriter], T]) -> T:
        try:
            return await self._writer.run(write)
        except DatabaseUnavailableError:
            if self._writer.is_connected or not self._readers.has_sessions:
                raise
        self._make_room()  # the readers may occupy its session
        return await self._writer.run(write)

    async def attend(self, work: Callable[[Transaction], T], *, done: str) -> T:
        """Do some work without waiting for reads or batches; a replica calls this every second."""
        self._readers.close_idle(_IDLE_SECONDS)
        return await self._steward.run(work, done=done)

    def _make_room(self) -> None:
        self._readers.close_idle()

    async def close(self) -> None:
        await asyncio.gather(self._readers.close(), self._writer.workplace.close(), self._steward.close())


class _WriterSession:
    def __init__(self, workplace: Workplace[PostgresWriter]) -> None:
        self.workplace = workplace
        self.is_connected = False
        """As of its last work."""
        self._connecting: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def run(self, work: Callable[[PostgresWriter], T]) -> T:
        self._loop = asyncio.get_running_loop()
        await self._connected()
        try:
            done = await self.workplace.run(work)
        except DatabaseUnavailableError:
            self.is_connected = False
            self.is_connected = await self.workplace.run(PostgresWriter.has_session)
            raise
        self.is_connected = True
        return done

    def connect(self) -> None:
        """Connect if needed; never called in the event loop's thread."""
        if not self.is_connected and self._loop is not None:
            connecting = asyncio.run_coroutine_threadsafe(self._connected(), self._loop)
            try:
                connecting.result(_READ_SECONDS)
            except TimeoutError as error:
                raise DatabaseUnavailableError("The index cannot be read: the writer is not connected") from error

    async def _connected(self) -> None:
        """Connect if needed; all callers share one attempt."""
        if self.is_connected:
            return
        if self._connecting is None or self._connecting.done():
            self._connecting = started(self.workplace.run(PostgresWriter.connect))
        await asyncio.shield(self._connecting)
        self.is_connected = True


class _Lane:
    """A pool of connections, with a thread for each."""

    def __init__(self, links: Sequence[ReconnectingConnection], *, seconds: float) -> None:
        self._links = links
        self._seconds = seconds
        self._threads = ThreadPoolExecutor(len(links), thread_name_prefix="postgres")
        self._idle: LifoQueue[ReconnectingConnection] = LifoQueue()
        """The last one used comes first, so that the others expire."""
        for link in links:
            self._idle.put(link)

    @property
    def has_sessions(self) -> bool:
        return any(link.is_connected for link in self._links)

    async def run(self, work: Callable[[Transaction], T], *, done: str) -> T:
        """Do some work in a transaction; cut the connection if it takes too long."""
        loop = asyncio.get_running_loop()
        deadlines: list[asyncio.TimerHandle] = []

        def begin(link: ReconnectingConnection) -> None:
            if not doing.done():
                deadlines.append(loop.call_later(self._seconds, loop.run_in_executor, None, link.abort))

        def end(_: object) -> None:
            for deadline in deadlines:
                deadline.cancel()

        def do() -> T:
            link = self._idle.get()
            try:
                loop.call_soon_threadsafe(begin, link)
                return link.run(work, done=done)
            finally:
                self._idle.put(link)

        doing = loop.run_in_executor(self._threads, do)
        doing.add_done_callback(end)
        return await doing

    def close_idle(self, seconds: float = 0) -> None:
        links: list[ReconnectingConnection] = []
        with suppress(Empty):
            while True:
                links.append(self._idle.get_nowait())
        for link in reversed(links):
            if time.monotonic() - link.used_at >= seconds:
                link.close()
            self._idle.put(link)

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        closing = asyncio.ensure_future(asyncio.to_thread(self._threads.shutdown))
        await asyncio.wait((closing,), timeout=SHUTDOWN.close_seconds)
        if not closing.done():
            cutting = ThreadPoolExecutor(len(self._links), thread_name_prefix="postgres-end")
            for link in self._links:
                cutting.submit(link.end)
            cutting.shutdown(wait=False)
        await closing
        for link in self._links:
            link.close()
