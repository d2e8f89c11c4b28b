"""The contract of an engine."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeVar

from jobindex.model.listing import JobPage, ListJobsQuery
from jobindex.storage.sql.connection import Connection
from jobindex.storage.sql.group_keys import GroupKey
from jobindex.storage.sql.row_access import RowAccess
from jobindex.storage.sql.scope import Visible
from jobindex.storage.sql.state_cache import StateCache

T = TypeVar("T")


class WriteTransaction(Connection, Protocol):
    """An open write transaction, used only by the writing thread."""

    @property
    def access(self) -> RowAccess:
        """The access to its rows."""

    @property
    def cache(self) -> StateCache:
        """The states of the last batches."""


class Engine(Protocol):
    """Opens transactions, each with a connection for one thread.

    Methods raise DatabaseUnavailableError if the database cannot be used now.
    """

    @property
    def arn_prefix(self) -> str:
        """The prefix of ARNs that no message reported."""

    @property
    def version(self) -> int:
        """As in Reader."""

    def rows(self, connection: Connection, /) -> RowAccess:
        """Return the access to rows in an open transaction."""

    def page_statement(self, query: ListJobsQuery, keys: Sequence[GroupKey] | None, /) -> str | None:
        """Return the statement that reads a page and the next job; None if no job can pass the filters."""

    def scoped_statement(self, query: ListJobsQuery, keys: Sequence[GroupKey] | None, /) -> str:
        """Return the same for a restricted reader, by partitions."""

    def read(self, work: Callable[[Connection], T], /) -> Awaitable[T]:
        """Read from one snapshot."""

    def read_page(self, query: ListJobsQuery, visible: Visible, /) -> Awaitable[JobPage]:
        """Read a page of ListJobs from one snapshot."""

    def write(self, work: Callable[[WriteTransaction], T], /, *, by_owner: bool = False) -> Awaitable[T]:
        """Run work in one durable transaction, which completes even if the wait is canceled.

        Raises:
            LeaseLostError: another process ingests, and the work is `by_owner`.
            DataRefusedError: the database refuses the data.
        """
