"""The connections to PostgreSQL: one writes, some read, and one sees to the lease; each has a thread of its own."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import count
from typing import TypeVar

from jobindex.durations import SHUTDOWN
from jobindex.model.listing import JobPage, ListJobsQuery
from jobindex.storage.postgres import changes, lease, pages, scoped_pages
from jobindex.storage.postgres.connection import ReconnectingConnection, Transaction
from jobindex.storage.postgres.rows import PostgresRows
from jobindex.storage.sql.connection import Connection
from jobindex.storage.sql.pages import read_page
from jobindex.storage.sql.scope import Visible
from jobindex.storage.sql.state_cache import StateCache

T = TypeVar("T")

READERS = 8
"""Questions that are answered at once; others wait."""

# A server that stands still keeps its connections, while another may have taken its place: who waits longer than any
# question or batch takes tries again with a new connection.
_READ_ATTEMPTS = 4
_READ_SECONDS = 10
_WRITE_SECONDS = 60

_COUNT_WRITE = "UPDATE writes SET version = version + 1 WHERE the_one = 1 RETURNING version"


class PostgresEngine:
    """An Engine on a database; `name` is that of this process among those that share it."""

    page_statement = staticmethod(pages.page_statement)
    scoped_statement = staticmethod(scoped_pages.scoped_statement)

    def __init__(self, conninfo: str, *, name: str, arn_prefix: str) -> None:
        self.name = name
        self.generation: int | None = None
        """Of the lease that this process took last; None where it never did, or gave it back."""
        self.arn_prefix = arn_prefix
        self._readers = _Lane(
            partial(ReconnectingConnection, conninfo, writes=False, attempts=_READ_ATTEMPTS),
            READERS,
            seconds=_READ_SECONDS,
        )
        self._writer = _Lane(partial(ReconnectingConnection, conninfo, writes=True), 1, seconds=_WRITE_SECONDS)
        self._steward = _Lane(
            partial(ReconnectingConnection, conninfo, writes=True, attempts=2), 1, seconds=_READ_SECONDS
        )
        self._versions = count(1)
        self.cache = StateCache()
        self._written_version = -1
        """Of the last write of this process, committed or not: one that was not drops the cache."""

    @staticmethod
    def rows(connection: Connection, /) -> PostgresRows:
        """Return what reads and writes rows in a transaction of this engine."""
        assert isinstance(connection, Transaction)  # noqa: S101 (this engine made it)
        return PostgresRows(connection.connection)

    @property
    def version(self) -> int:
        """As in Reader: another process may have written since, so it is never the same twice."""
        return next(self._versions)

    async def read(self, work: Callable[[Connection], T], /) -> T:
        return await self._readers.run(work, done="read")

    async def read_page(self, query: ListJobsQuery, visible: Visible, /) -> JobPage:
        return await self.read(partial(read_page, engine=self, query=query, known={}, visible=visible))

    async def write(self, work: Callable[[Connection], T], /, *, by_owner: bool = False) -> T:
        def write(transaction: Transaction) -> T:
            # Who writes has this row until the end: writers take turns, and each reads what the one before has written.
            [(version,)] = transaction.execute(_COUNT_WRITE).fetchall()
            self.cache.begin()
            if version != self._written_version + 1:
                self.cache.clear()  # another process has written
            if by_owner:
                lease.check_held(transaction.connection, holder=self.name, generation=self.generation)
            done = work(transaction)
            changes.tell(transaction.connection, version, self.name, done)
            self._written_version = version
            return done

        return await self._writer.run(write, done="written", after=self.cache.commit)

    async def attend(self, work: Callable[[Transaction], T], *, done: str) -> T:
        """Do something that waits neither for questions nor for batches."""
        return await self._steward.run(work, done=done)

    async def close(self) -> None:
        """Close the connections, once what is under way is done."""
        await asyncio.gather(*(lane.close() for lane in (self._readers, self._writer, self._steward)))


class _Lane:
    """Threads, each with a connection of its own."""

    def __init__(self, make: Callable[[], ReconnectingConnection], threads: int, *, seconds: float) -> None:
        self._make = make
        self._seconds = seconds
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="postgres")
        self._own = threading.local()
        self._links: list[ReconnectingConnection] = []

    async def run(self, work: Callable[[Transaction], T], *, done: str, after: Callable[[], None] = lambda: None) -> T:
        """Do some work in a transaction, and call `after` in its thread once it is committed.

        A server that is silent for too long once it began loses the connection.
        """
        loop = asyncio.get_running_loop()
        deadlines: list[asyncio.TimerHandle] = []

        def begin(link: ReconnectingConnection) -> None:
            if not doing.done():
                deadlines.append(loop.call_later(self._seconds, link.abort))

        def end(_: object) -> None:
            for deadline in deadlines:
                deadline.cancel()

        def do() -> T:
            link = self._link()
            loop.call_soon_threadsafe(begin, link)
            outcome = link.run(work, done=done)
            after()
            return outcome

        doing = loop.run_in_executor(self._threads, do)
        doing.add_done_callback(end)
        return await doing

    async def close(self) -> None:
        """End the threads, in order where the server answers."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        closing = asyncio.ensure_future(asyncio.to_thread(self._threads.shutdown))
        await asyncio.wait((closing,), timeout=SHUTDOWN.close_seconds)
        for link in self._links:
            link.end()
        await closing
        for link in self._links:
            link.close()

    def _link(self) -> ReconnectingConnection:
        if not hasattr(self._own, "link"):
            self._own.link = self._make()
            self._links.append(self._own.link)
        link: ReconnectingConnection = self._own.link
        return link
