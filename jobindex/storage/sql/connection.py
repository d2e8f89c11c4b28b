"""The connection of any engine, as far as the statements of this folder use it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol


class Row(Protocol):
    """A row, whose columns are known by their names and in their order."""

    def __getitem__(self, column: str | int, /) -> Any: ...  # noqa: ANN401

    def __iter__(self) -> Iterator[Any]: ...


class Cursor(Protocol):
    """The outcome of a statement."""

    @property
    def rowcount(self) -> int:
        """How many rows it wrote."""

    def fetchone(self) -> Any:  # noqa: ANN401
        """Return the next row; None behind the last."""

    def fetchall(self) -> Sequence[Any]:
        """Return all rows."""

    def __iter__(self) -> Iterator[Any]: ...


class Connection(Protocol):
    """Runs statements, whose parameters stand in them as `:name`, in a transaction that is open."""

    def execute(self, statement: str, parameters: Mapping[str, Any] = ..., /) -> Cursor:
        """Run a statement."""

    def executemany(self, statement: str, parameters: Iterable[Mapping[str, Any]], /) -> Cursor:
        """Run a statement with each of these parameters."""
