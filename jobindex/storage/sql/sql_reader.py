"""The queries of the index in SQL, each answered from one snapshot."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Concatenate, ParamSpec, TypeVar

from jobindex.model.listing import Filters, JobPage, ListJobsQuery
from jobindex.model.reader import JobsById
from jobindex.model.views import (
    ExecutionPage,
    ExecutionState,
    JobChange,
    JobDescription,
    JobExecution,
    JobOutcome,
    Namespace,
    Thing,
    ThingGroupMembers,
)
from jobindex.storage.sql import changes, group_members, index, things
from jobindex.storage.sql.connection import Connection
from jobindex.storage.sql.engine import Engine
from jobindex.storage.sql.executions import ExecutionReader
from jobindex.storage.sql.scope import Visible
from jobindex.storage.sql.search import read_jobs_by_id
from jobindex.storage.sql.source import read_arn_prefix

T = TypeVar("T")
P = ParamSpec("P")


class SqlReader:
    """A Reader on an engine, of all jobs or of those in some namespaces."""

    def __init__(self, engine: Engine, visible: Visible = None) -> None:
        self._engine = engine
        self._visible = visible

    @property
    def version(self) -> int:
        return self._engine.version

    async def list_jobs(self, query: ListJobsQuery) -> JobPage:
        return await self._engine.read_page(query, self._visible)

    async def jobs_by_id(self, prefix: str, filters: Filters, *, after: str, limit: int) -> JobsById:
        arn_prefix = self._engine.arn_prefix
        return await self._read(
            read_jobs_by_id, prefix=prefix, filters=filters, after=after, limit=limit, arn_prefix=arn_prefix
        )

    async def job(self, job_id: str) -> JobDescription:
        return await self._read(
            index.read_job, rows=self._engine.rows, job_id=job_id, arn_prefix=self._engine.arn_prefix
        )

    async def job_document(self, job_id: str) -> str | None:
        return await self._read(index.read_job_document, rows=self._engine.rows, job_id=job_id)

    async def job_changes(self, job_id: str, *, limit: int) -> Sequence[JobChange]:
        return await self._read(changes.read_changes, job_id=job_id, limit=limit)

    async def job_namespaces(self, job_ids: Collection[str]) -> Mapping[str, str]:
        return await self._read(index.read_job_namespaces, job_ids=job_ids)

    async def job_outcomes(self, job_ids: Collection[str]) -> Mapping[str, JobOutcome]:
        return await self._read(index.read_job_outcomes, rows=self._engine.rows, job_ids=job_ids)

    async def job_execution(self, job_id: str, thing_name: str) -> JobExecution:
        return await self._read_executions(lambda reader: reader.read(job_id=job_id, thing_name=thing_name))

    async def executions_of_job(
        self,
        job_id: str,
        *,
        state: ExecutionState | None,
        after: str | None,
        limit: int,
        with_former: bool = False,
    ) -> ExecutionPage:
        return await self._read_executions(
            lambda reader: reader.of_job(job_id=job_id, state=state, after=after, limit=limit, with_former=with_former)
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
        with_former: bool = False,
    ) -> ExecutionPage:
        return await self._read_executions(
            lambda reader: reader.of_thing(
                thing_name=thing_name,
                namespace_id=namespace_id,
                state=state,
                job_id=job_id,
                after=after,
                limit=limit,
                with_former=with_former,
            )
        )

    async def waiting_executions(
        self, *, since: datetime, namespace_id: str | None, after: str | None, limit: int
    ) -> ExecutionPage:
        return await self._read_executions(
            lambda reader: reader.waiting(since=since, namespace_id=namespace_id, after=after, limit=limit)
        )

    async def count_waiting(self, *, since: datetime, maximum: int) -> int:
        return await self._read_executions(lambda reader: reader.count_waiting(since=since, maximum=maximum))

    async def things(self, *, prefix: str, after: str, limit: int) -> Sequence[str]:
        return await self._read(things.read_things, prefix=prefix, after=after, limit=limit)

    async def thing(self, thing_name: str) -> Thing:
        return await self._read(things.read_thing, thing_name=thing_name)

    async def thing_group_members(self, thing_group_name: str, *, after: str, limit: int) -> ThingGroupMembers:
        return await self._read(group_members.read_members, thing_group_name=thing_group_name, after=after, limit=limit)

    async def namespaces(self, *, after: str | None, limit: int, now: datetime) -> Sequence[Namespace]:
        return await self._read(index.read_namespaces, after=after, limit=limit, now=now)

    async def _read_executions(self, ask: Callable[[ExecutionReader], T]) -> T:
        engine = self._engine

        def read(connection: Connection) -> T:
            arn_prefix = read_arn_prefix(connection, engine.arn_prefix)
            return ask(ExecutionReader(connection, engine.rows, arn_prefix, self._visible))

        return await engine.read(read)

    async def _read(self, read: Callable[Concatenate[Connection, P], T], *_: P.args, **parameters: P.kwargs) -> T:
        """Read the visible part; `read` takes all but the connection by name."""
        of_visible: Callable[..., T] = read  # ParamSpec cannot express `visible`
        return await self._engine.read(partial(of_visible, visible=self._visible, **parameters))
