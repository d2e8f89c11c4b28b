"""An index that is filled with the same messages in many ways, and looked at row by row."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from jobindex.errors import ResourceNotFoundException
from jobindex.model.listing import Filters, ListJobsQuery
from jobindex.model.store import Store
from support.job_pages import summaries
from support.message_streams import Arrival
from support.oracle import Execution, JobSummary

StoreT = TypeVar("StoreT", bound=Store)

NOW = datetime(2030, 1, 1, tzinfo=UTC)

# A row for each of these is the same however it came; what numbers the rejected messages is their arrival.
TABLES = {
    "jobs": "*",
    "executions": "*",
    "pending_lists": "*",
    "thing_groups": "*",
    "rejected_messages": "digest, rejected_at, topic, payload, reason",
    "job_summaries": "*",
    "job_thing_groups": "*",
    "namespace_jobs": "*",
    "namespace_executions": "*",
}
# What arrival shows in.
ARRIVALS = ("namespace_activity", "job_changes")

Rows = dict[str, list[tuple[object, ...]]]


class Index:
    """An index that is emptied and filled again; `execute` runs a statement on its tables beside the store."""

    def __init__(self, runner: asyncio.Runner, store: Store, execute: Callable[[str], Any]) -> None:
        self._runner = runner
        self._store = store
        self._execute = execute

    def fill(self, arrival: Arrival, later: timedelta = timedelta()) -> Rows:
        """Return the rows of an index that has had nothing but this, each batch `later` than the one before."""
        self.empty()
        return self.add(arrival, later)

    def empty(self) -> None:
        """Forget everything."""
        for table in (*TABLES, *ARRIVALS, "retention"):
            self._execute(f"DELETE FROM {table}")

    def add(self, arrival: Arrival, later: timedelta = timedelta()) -> Rows:
        """Return the rows of the index when this too has arrived."""
        self._runner.run(self._add(arrival, later))
        return self.rows()

    def retain(self, horizon: datetime) -> int:
        """Forget what is past a horizon; return how many jobs went."""
        return self._runner.run(self._retain(horizon))

    def rows(self) -> Rows:
        """Return the rows of every table."""
        return {
            table: sorted(self._execute(f"SELECT {columns} FROM {table}"), key=repr)
            for table, columns in TABLES.items()
        }

    def pages(self, filters: Filters, max_results: int) -> Sequence[JobSummary] | None:
        """Return the jobs of all pages, None where a thing group is unknown."""
        try:
            return self._runner.run(self._pages(filters, max_results))
        except ResourceNotFoundException:
            return None

    def hidden_executions(self) -> list[tuple[object, ...]]:
        """Return the executions of which all was told up to the deletion of their job."""
        hidden = self._execute("""
            SELECT executions.*
            FROM executions
            JOIN jobs USING (job_id)
            WHERE deleted_at > -2 AND max(status_at, pending_at, queued_at, started_at) <= deleted_at
        """)
        return list(hidden)

    def namespaces(self) -> dict[str | None, tuple[Counter[str], Counter[str]]]:
        """Return the counts of every namespace."""
        namespaces = self._runner.run(self._store.namespaces(after=None, limit=100, now=NOW))
        return {one.namespace_id: (Counter(one.jobs), Counter(one.executions)) for one in namespaces}

    def executions(self) -> dict[tuple[str, str], Execution]:
        """Return every execution of a job that is listed."""
        read: dict[tuple[str, str], Execution] = {}
        for job in self.pages(Filters(), 250) or ():
            page = self._runner.run(self._store.executions_of_job(job.job_id, state=None, after=None, limit=1000))
            read |= {
                (one.job_id, one.thing_name): Execution(
                    state=one.state,
                    queued_at=one.queued_at,
                    started_at=one.started_at,
                    waiting_since=one.waiting_since,
                )
                for one in page.executions
            }
        return read

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
    """Open a store on a loop that runs now and then."""
    try:
        yield runner.run(opening.__aenter__())
    finally:
        runner.run(opening.__aexit__(None, None, None))
