"""Contract for reading an index, for every engine."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from jobindex.model.listing import Filters, JobPage, ListJobsQuery
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

CHANGES_MAXIMUM = 100
"""The changes of its reported status that the index stores for each job."""


OUTCOMES_MAXIMUM = 100
"""The most jobs in a request for their outcomes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobsById:
    """Jobs in the order of their ids."""

    jobs: bytes
    """As in JobPage."""
    next_position: str | None
    """The id after which the next page starts; None if no more follow."""


class Reader(Protocol):
    """Answers queries, each from one moment of the index.

    Its answers are as if anything that it does not have had never existed. Every coroutine raises
    DatabaseUnavailableError if the index cannot be read; those that return an ExecutionPage raise
    InvalidRequestException if `after` is not a position of an earlier page.
    """

    @property
    def version(self) -> int:
        """Counts possible writes to the index; the same version gives the same answers."""

    async def list_jobs(self, query: ListJobsQuery) -> JobPage:
        """Return jobs that pass the filters, newest first.

        A group's name also finds jobs reported with the id tied to it, and vice versa.

        Raises:
            ResourceNotFoundException: no message ever named the thing group.
        """

    async def job(self, job_id: str) -> JobDescription:
        """Return a job.

        Raises:
            ResourceNotFoundException: the job is not listed.
        """

    async def job_document(self, job_id: str) -> str | None:
        """Return a job's document as JSON; None if it is not stored.

        Raises:
            ResourceNotFoundException: the job is not listed.
        """

    async def job_changes(self, job_id: str, *, limit: int) -> Sequence[JobChange]:
        """Return the last changes of a job's reported status, newest first."""

    async def job_namespaces(self, job_ids: Collection[str]) -> Mapping[str, str]:
        """Return the namespaces of the listed jobs among these that have one."""

    async def job_outcomes(self, job_ids: Collection[str]) -> Mapping[str, JobOutcome]:
        """Return the outcomes of the listed jobs among these."""

    async def jobs_by_id(self, prefix: str, filters: Filters, *, after: str, limit: int) -> JobsById:
        """Return jobs with ids that start with `prefix` and are greater than `after`, ordered by id.

        Each call reads a bounded number of ids: a page may be short or empty although more follow.

        Raises:
            ResourceNotFoundException: no message ever named the thing group.
        """

    async def job_execution(self, job_id: str, thing_name: str) -> JobExecution:
        """Return an execution.

        Raises:
            ResourceNotFoundException: no message reported it, or it was deleted.
        """

    async def executions_of_job(
        self,
        job_id: str,
        *,
        state: ExecutionState | None,
        after: str | None,
        limit: int,
        with_former: bool = False,
    ) -> ExecutionPage:
        """Return executions of a job by thing.

        `with_former` also returns earlier attempts, each after the later one.

        Raises:
            ResourceNotFoundException: the job is not listed.
        """

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
        """Return executions on a thing, last queued first, then those without a known queuedAt.

        `with_former` is as in `executions_of_job`; None does not filter.

        Raises:
            ResourceNotFoundException: no message reported the thing.
        """

    async def waiting_executions(
        self, *, since: datetime, namespace_id: str | None, after: str | None, limit: int
    ) -> ExecutionPage:
        """Return executions that have been pending since before `since`, the longest first.

        With `namespace_id`, a page may be short although more follow.
        """

    async def count_waiting(self, *, since: datetime, maximum: int) -> int:
        """Return how many executions have been pending since before `since`, up to `maximum`."""

    async def things(self, *, prefix: str, after: str, limit: int) -> Sequence[str]:
        """Return names of things that start with `prefix`, greater than `after`."""

    async def thing(self, thing_name: str) -> Thing:
        """Return a thing.

        Raises:
            ResourceNotFoundException: no message reported it.
        """

    async def thing_group_members(self, thing_group_name: str, *, after: str, limit: int) -> ThingGroupMembers:
        """Return the things of a thing group with names greater than `after`, in order, as AWS listed them.

        Raises:
            ResourceNotFoundException: no message and no list named the group, or the reader is restricted.
        """

    async def namespaces(self, *, after: str | None, limit: int, now: datetime) -> Sequence[Namespace]:
        """Return namespaces greater than `after`, in order; None starts with the jobs without one.

        The cost does not depend on the number of jobs.
        """
