"""What the statements of this folder are run on, whatever engine it leads to."""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from jobindex.listing import JobPage, ListJobsQuery
from jobindex.sql.seen import Seen

T = TypeVar("T")


class Row(Protocol):
    """A row, whose columns are known by their names and in their order."""

    def __getitem__(self, column: str | int, /) -> Any: ...  # noqa: ANN401

    def __iter__(self) -> Iterator[Any]: ...


class Cursor(Protocol):
    """The outcome of a statement."""

    @property
    def rowcount(self) -> int:
        """How many rows it wrote."""
        ...

    def fetchone(self) -> Any:  # noqa: ANN401
        """Return the next row; None behind the last."""
        ...

    def fetchall(self) -> Sequence[Any]:
        """Return all rows."""
        ...

    def __iter__(self) -> Iterator[Any]: ...


class Connection(Protocol):
    """Runs statements, whose parameters stand in them as `:name`, in a transaction that is open."""

    def execute(self, statement: str, parameters: Mapping[str, Any] = ..., /) -> Cursor:
        """Run a statement."""
        ...

    def executemany(self, statement: str, parameters: Iterable[Mapping[str, Any]], /) -> Cursor:
        """Run a statement with each of these parameters."""
        ...


class Engine(Protocol):
    """Opens transactions, each with a connection that is used in one thread.

    Its methods raise DatabaseUnavailableError where it cannot just now.
    """

    @property
    def arn_prefix(self) -> str:
        """What stands before the ids of jobs that were told without an ARN."""
        ...

    @property
    def version(self) -> int:
        """As in Reader."""
        ...

    def read(self, work: Callable[[Connection], T], /) -> Awaitable[T]:
        """Read from one snapshot."""
        ...

    def read_page(self, query: ListJobsQuery, seen: Seen, /) -> Awaitable[JobPage]:
        """Read a page of ListJobs from one snapshot."""
        ...

    def write(self, work: Callable[[Connection], T], /, *, by_owner: bool = False) -> Awaitable[T]:
        """Do some work in one durable transaction; canceled, it is done all the same.

        `by_owner`: it is refused (LeaseLostError) where another process ingests.
        """
        ...
