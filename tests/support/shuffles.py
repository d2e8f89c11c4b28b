"""An index that is filled with the same messages in many ways, and compared row by row."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from jobindex.errors import ResourceNotFoundException
from jobindex.model.listing import Filters, ListJobsQuery
from jobindex.model.store import Store
from support.job_pages import JobSummary, summaries
from support.message_streams import Arrival
from support.pure_answers import execution_members, job_members

StoreT = TypeVar("StoreT", bound=Store)

NOW = datetime(2030, 1, 1, tzinfo=UTC)

# Rows of these do not depend on the order of arrival, except for the number of a rejected message.
TABLES = {
    "jobs": "*",
    "executions": "*",
    "pending_lists": "*",
    "thing_groups": "*",
    "source": "*",
    "rejected_messages": "digest, rejected_at, topic, payload, reason, due_at",
    "job_summaries": "*",
    "job_thing_groups": "*",
    "namespace_jobs": "*",
    "namespace_executions": "*",
    "deferred_work": "*",
}
# Rows of these depend on the arrival.
ARRIVALS = ("namespace_activity", "job_changes")

Rows = dict[str, list[tuple[object, ...]]]


class Index:
    """An index that can be emptied and filled again; `execute` runs a statement on its tables without the store."""

    def __init__(
        self, runner: asyncio.Runner, store: Store, execute: Callable[[str], Any], *, notes_write: str | None = None
    ) -> None:
        """`notes_write` is the statement with which another process notes its write; a store then drops its cache."""
        self._notes_write = notes_write
        self._runner = runner
        self._store = store
        self._execute = execute

    def fill(self, arrival: Arrival, later: timedelta = timedelta()) -> Rows:
        """Return the rows of an index that contains only this arrival, each batch `later` than the previous one."""
        self.empty()
        return self.add(arrival, later)

    def empty(self) -> None:
        """Delete everything."""
        for table in (*TABLES, *ARRIVALS, "retention"):
            self._execute(f"DELETE FROM {table}")
        if self._notes_write is not None:
            self._execute(self._notes_write)

    def add(self, arrival: Arrival, later: timedelta = timedelta()) -> Rows:
        """Return the rows of the index after this additional arrival."""
        self._runner.run(self._add(arrival, later))
        return self.rows()

    def retain(self, horizon: datetime) -> int:
        """Delete everything past a horizon; return the number of deleted jobs."""
        return self._runner.run(self._retain(horizon))

    def rows(self) -> Rows:
        """Return the rows of every table."""
        return {
            table: sorted(self._execute(f"SELECT {columns} FROM {table}"), key=repr)
            for table, columns in TABLES.items()
        }

    def pages(self, filters: Filters, max_results: int) -> Sequence[JobSummary] | None:
        """Return the jobs of all pages; None if a thing group is unknown."""
        try:
            return self._runner.run(self._pages(filters, max_results))
        except ResourceNotFoundException:
            return None

    def namespaces(self) -> dict[str | None, tuple[Counter[str], Counter[str]]]:
        """Return each namespace's counts."""
        namespaces = self._runner.run(self._store.namespaces(after=None, limit=100, now=NOW))
        return {one.namespace_id: (Counter(one.jobs), Counter(one.executions)) for one in namespaces}

    def executions(self) -> dict[tuple[str, str], dict[str, Any]]:
        """Return the members of every execution of a listed job, with its former attempts."""
        read: dict[tuple[str, str], dict[str, Any]] = {}
        for job in self.pages(Filters(), 250) or ():
            reading = self._store.executions_of_job(job.job_id, state=None, after=None, limit=1000)
            found = self._runner.run(reading).executions
            read |= {(one.job_id, one.thing_name): execution_members(one) for one in found}
        return read

    def jobs(self) -> dict[str, dict[str, Any]]:
        """Return the members of every listed job."""
        listed = self.pages(Filters(), 250) or ()
        return {job.job_id: job_members(self._runner.run(self._store.job(job.job_id))) for job in listed}

    async def _add(self, arrival: Arrival, later: timedelta) -> None:
        for number, (reports, rejected) in enumerate(arrival.batches):
            await self._store.apply(reports, rejected, now=NOW + number * later)

    async def _retain(self, horizon: datetime) -> int:
        return sum([step.jobs async for step in self._store.retain(NOW - horizon, now=NOW)])

    async def _pages(self, filters: Filters, max_results: int) -> list[JobSummary]:
        jobs: list[JobSummary] = []
        query = ListJobsQuery(filters=filters, max_results=max_results)
        while True:
            page = await self._store.list_jobs(query)
            jobs += summaries(page)
            after = page.next_position
            if after is None:
                return jobs
            query = ListJobsQuery(filters=filters, max_results=max_results, after=after)


@contextmanager
def opened(runner: asyncio.Runner, opening: AbstractAsyncContextManager[StoreT]) -> Iterator[StoreT]:
    """Open a store on an event loop that runs only during calls."""
    try:
        yield runner.run(opening.__aenter__())
    finally:
        runner.run(opening.__aexit__(None, None, None))
