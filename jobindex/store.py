"""What a store of the index promises, whatever engine it stands on."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Protocol

from jobindex.jobs import RejectedMessage, Report
from jobindex.listing import JobPage, ListJobsQuery


class Store(Protocol):
    """An index of jobs that outlives the process.

    The index is a function of the set of reports applied: any order, any repetition, any cut into batches
    gives the same answers (where no message of a job bears a time, its arrival shows).
    """

    async def apply(self, reports: Sequence[Report], rejected: Sequence[RejectedMessage], *, now: datetime) -> None:
        """Merge reports into the index and keep rejected messages, in one durable transaction.

        When this returns, everything given survives a loss of power; when it raises, nothing was applied.
        Applying anything again changes nothing. `now` is the time of arrival.

        Raises:
            DatabaseUnavailableError: it cannot be written just now; the same call may be tried again.
        """
        ...

    async def list_jobs(self, query: ListJobsQuery) -> JobPage:
        """Return the jobs that pass the filters, newest first, from one moment of the index.

        A job told with a thing group's name is found by the id tied to it, and the other way round.

        Raises:
            ResourceNotFoundException: a thing group that no message ever named.
            DatabaseUnavailableError: it cannot be read just now.
        """
        ...

    async def check(self) -> None:
        """Return when the index can be read, without waiting for the questions under way.

        Raises:
            DatabaseUnavailableError: it cannot be read just now.
        """
        ...

    async def subscriptions(self) -> frozenset[str]:
        """Return the topic filters that the broker's session may still hold.

        Raises:
            DatabaseUnavailableError: it cannot be read just now.
        """
        ...

    async def remember_subscriptions(self, topic_filters: Collection[str]) -> None:
        """Keep the topic filters that the broker's session may hold from now on, in place of the former.

        Raises:
            DatabaseUnavailableError: it cannot be written just now.
        """
        ...
