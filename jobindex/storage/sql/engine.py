"""The contract of an engine: its transactions, and the statements that differ between engines."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeVar

from jobindex.model.listing import JobPage, ListJobsQuery
from jobindex.storage.sql.connection import Connection
from jobindex.storage.sql.group_keys import GroupKey
from jobindex.storage.sql.row_access import RowAccess
from jobindex.storage.sql.scope import Visible
from jobindex.storage.sql.state_cache import StateCache

T = TypeVar("T")


class Engine(Protocol):
    """Opens transactions, each with a connection that is used in one thread.

    Its methods raise DatabaseUnavailableError where it cannot just now.
    """

    @property
    def arn_prefix(self) -> str:
        """What stands before the ids of jobs that were told without an ARN."""

    @property
    def cache(self) -> StateCache:
        """The states of the last batches."""

    @property
    def version(self) -> int:
        """As in Reader."""

    def rows(self, connection: Connection, /) -> RowAccess:
        """Return what reads and writes rows in an open transaction."""

    def page_statement(self, query: ListJobsQuery, keys: Sequence[GroupKey] | None, /) -> str | None:
        """Return the statement that reads a page and the job behind it; None if no job can pass the filters."""

    def scoped_statement(self, query: ListJobsQuery, keys: Sequence[GroupKey] | None, /) -> str:
        """Return the statement that reads the same of some namespaces, from their places."""

    def read(self, work: Callable[[Connection], T], /) -> Awaitable[T]:
        """Read from one snapshot."""

    def read_page(self, query: ListJobsQuery, visible: Visible, /) -> Awaitable[JobPage]:
        """Read a page of ListJobs from one snapshot."""

    def write(self, work: Callable[[Connection], T], /, *, by_owner: bool = False) -> Awaitable[T]:
        """Do some work in one durable transaction; canceled, it is done all the same.

        `by_owner`: it is refused (LeaseLostError) where another process ingests.
        """
