"""What is read of an index, whatever engine it stands on."""

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
)

CHANGES_MAXIMUM = 100
"""Changes of how a job reads that are kept of each job."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobsById:
    """Some jobs in the order of their ids."""

    jobs: bytes
    """As in JobPage."""
    next_position: str | None
    """The id to go on behind; None where no more follow."""


class Reader(Protocol):
    """Answers questions, each from one moment of the index.

    A job, an execution, a thing, a namespace that it does not have is the same to it as one that never was.

    Every coroutine raises DatabaseUnavailableError if the index cannot be read just now.
    """

    @property
    def version(self) -> int:
        """How often the index was, or may have been, written; while it is the same, so is the answer to a question."""

    async def list_jobs(self, query: ListJobsQuery) -> JobPage:
        """Return the jobs that pass the filters, newest first, from one moment of the index.

        A job told with a thing group's name is found by the id tied to it, and the other way round.

        Raises:
            ResourceNotFoundException: a thing group that no message ever named.
        """

    async def job(self, job_id: str) -> JobDescription:
        """Return what is known of a job.

        Raises:
            ResourceNotFoundException: no such job is listed.
        """

    async def job_document(self, job_id: str) -> str | None:
        """Return the document of a job, JSON; None if it is not kept.

        Raises:
            ResourceNotFoundException: no such job is listed.
        """

    async def job_changes(self, job_id: str, *, limit: int) -> Sequence[JobChange]:
        """Return the last changes of a job's reported status, newest first; at most CHANGES_MAXIMUM are kept."""

    async def job_namespaces(self, job_ids: Collection[str]) -> Mapping[str, str]:
        """Return the namespace of each of these jobs that is listed and has one."""

    async def job_outcomes(self, job_ids: Collection[str]) -> Mapping[str, JobOutcome]:
        """Return of each of these jobs that is listed whether its status was reported, and its failures."""

    async def jobs_by_id(self, prefix: str, filters: Filters, *, after: str, limit: int) -> JobsById:
        """Return jobs whose ids begin with `prefix` and are greater than `after`, in the order of their ids.

        A bounded number of ids is looked at, however few pass the filters; a page may be short, even empty, and
        go on nevertheless.

        Raises:
            ResourceNotFoundException: a thing group that no message ever named.
        """

    async def job_execution(self, job_id: str, thing_name: str) -> JobExecution:
        """Return what is known of an execution.

        Raises:
            ResourceNotFoundException: no message told of it, or it was deleted.
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
        """Return executions of a job, in the order of their things' names; `after` is a position of a page before.

        `with_former` returns each earlier attempt, too, as an execution of its own behind the later one.

        Raises:
            ResourceNotFoundException: no such job is listed.
            InvalidRequestException: `after` is no position.
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
        """Return executions on a thing, those queued last first; `after` is a position of a page before.

        `with_former` is as in `executions_of_job`.

        None does not filter. Executions whose queuedAt is unknown come last.

        Raises:
            ResourceNotFoundException: no message ever told of this thing.
            InvalidRequestException: `after` is no position.
        """

    async def waiting_executions(
        self, *, since: datetime, namespace_id: str | None, after: str | None, limit: int
    ) -> ExecutionPage:
        """Return executions that have been pending since before `since`, those that wait longest first.

        `after` is a position of a page before. With `namespace_id` a page may be short and go on nevertheless.

        Raises:
            InvalidRequestException: `after` is no position.
        """

    async def count_waiting(self, *, since: datetime, maximum: int) -> int:
        """Return how many executions have been pending since before `since`; it counts no further than `maximum`."""

    async def things(self, *, prefix: str, after: str, limit: int) -> Sequence[str]:
        """Return the names of things that begin with `prefix` and are greater than `after`, in their order."""

    async def thing(self, thing_name: str) -> Thing:
        """Return what is known of a thing.

        Raises:
            ResourceNotFoundException: no message ever told of it.
        """

    async def namespaces(self, *, after: str | None, limit: int, now: datetime) -> Sequence[Namespace]:
        """Return namespaces greater than `after`, in their order, the jobs without one first (for None).

        Counted when messages are applied, not when asked: it costs the same at any number of jobs.
        """
