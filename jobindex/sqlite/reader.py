"""Questions to the index in a SQLite file, each answered from one snapshot of it."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Collection, Generator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, TypeVar, cast

import aiosqlite

from jobindex.errors import DatabaseUnavailableError
from jobindex.index import ExecutionPage, ExecutionState, Job, JobChange, JobExecution, Namespace, Thing
from jobindex.listing import Filters, JobPage, ListJobsQuery
from jobindex.reader import JobsById
from jobindex.sqlite import changes, executions, index, things
from jobindex.sqlite.pages import known_of, read_page
from jobindex.sqlite.quick import QuickReader
from jobindex.sqlite.search import read_jobs_by_id
from jobindex.sqlite.seen import Seen

T = TypeVar("T")

# What a reader that may take its time gets through.
_WORTH_WAITING = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_INTERRUPT}


@dataclass(slots=True, kw_only=True)
class Source:
    """What is read by; jobs told without an ARN have `arn_prefix` before their ids."""

    quick: QuickReader
    idle_readers: "asyncio.Queue[aiosqlite.Connection]"
    arn_prefix: str
    version: int = 0
    """As in Reader. The writer's thread counts it, at once behind a commit, or what was to become one."""


class SqliteReader:
    """A Reader of one SQLite file, or of the jobs of some namespaces in it."""

    def __init__(self, source: Source, seen: Seen = None) -> None:
        self._source = source
        self._seen = seen
        self._quick = source.quick
        self._idle_readers = source.idle_readers
        self._arn_prefix = source.arn_prefix

    @property
    def version(self) -> int:
        """See Reader."""
        return self._source.version

    async def list_jobs(self, query: ListJobsQuery) -> JobPage:
        """See Reader."""
        with unavailable("read"):
            try:
                return self._quick.read(query, self._seen)
            except sqlite3.OperationalError as error:
                if code(error) not in _WORTH_WAITING:
                    raise
        async with self._reading() as reader:
            return await _read_in_thread(reader, read_page(query, known_of(self._arn_prefix), self._seen))

    async def jobs_by_id(self, prefix: str, filters: Filters, *, after: str, limit: int) -> JobsById:
        """See Reader."""
        async with self._reading() as reader:
            return await _read_in_thread(
                reader,
                read_jobs_by_id(prefix, filters, after, limit, known=known_of(self._arn_prefix), seen=self._seen),
            )

    async def job(self, job_id: str) -> Job:
        """See Reader."""
        return await self._read(partial(index.read_job, job_id=job_id, arn_prefix=self._arn_prefix))

    async def job_changes(self, job_id: str, *, limit: int) -> Sequence[JobChange]:
        """See Reader."""
        return await self._read(partial(changes.read_changes, job_id=job_id, limit=limit))

    async def job_namespaces(self, job_ids: Collection[str]) -> Mapping[str, str]:
        """See Reader."""
        return await self._read(partial(index.read_job_namespaces, job_ids=job_ids))

    async def job_execution(self, job_id: str, thing_name: str) -> JobExecution:
        """See Reader."""
        return await self._read(partial(executions.read_execution, job_id=job_id, thing_name=thing_name))

    async def executions_of_job(
        self, job_id: str, *, state: ExecutionState | None, after: str | None, limit: int
    ) -> ExecutionPage:
        """See Reader."""
        return await self._read(
            partial(executions.read_executions_of_job, job_id=job_id, state=state, after=after, limit=limit)
        )

    async def executions_of_thing(
        self,
        thing_name: str,
        *,
        namespace_id: str | None,
        state: ExecutionState | None,
        job_id: str | None,
        after: str | None,
        limit: int,
    ) -> ExecutionPage:
        """See Reader."""
        return await self._read(
            partial(
                executions.read_executions_of_thing,
                thing_name=thing_name,
                namespace_id=namespace_id,
                state=state,
                job_id=job_id,
                after=after,
                limit=limit,
            )
        )

    async def waiting_executions(
        self, *, since: datetime, namespace_id: str | None, after: str | None, limit: int
    ) -> ExecutionPage:
        """See Reader."""
        return await self._read(
            partial(executions.read_waiting, since=since, namespace_id=namespace_id, after=after, limit=limit)
        )

    async def count_waiting(self, *, since: datetime, maximum: int) -> int:
        """See Reader."""
        return await self._read(partial(executions.count_waiting, since=since, maximum=maximum))

    async def things(self, *, prefix: str, after: str, limit: int) -> Sequence[str]:
        """See Reader."""
        return await self._read(partial(things.read_things, prefix=prefix, after=after, limit=limit))

    async def thing(self, thing_name: str) -> Thing:
        """See Reader."""
        return await self._read(partial(things.read_thing, thing_name=thing_name))

    async def namespaces(self, *, after: str | None, limit: int, now: datetime) -> Sequence[Namespace]:
        """See Reader."""
        return await self._read(partial(index.read_namespaces, after=after, limit=limit, now=now))

    async def _read(self, read: Callable[..., T]) -> T:
        """Read what is seen of something in one snapshot, in a reader's thread."""
        async with self._reading() as reader:
            return await in_its_thread(reader, partial(read, seen=self._seen))

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


async def _read_in_thread(
    reader: aiosqlite.Connection, steps: Generator[tuple[str, Mapping[str, object]], Sequence[Any], T]
) -> T:
    try:
        step = next(steps)
        while True:
            cursor = await reader.execute(*step)
            step = steps.send(list(await cursor.fetchall()))
    except StopIteration as end:
        return cast("T", end.value)


async def in_its_thread(connection: aiosqlite.Connection, work: Callable[[sqlite3.Connection], T]) -> T:
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
