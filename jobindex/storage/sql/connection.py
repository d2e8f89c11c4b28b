"""The part of a database connection that this folder uses."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol


class Row(Protocol):
    """A row; columns are read by name or position."""

    def __getitem__(self, column: str | int, /) -> Any: ...  # noqa: ANN401

    def __iter__(self) -> Iterator[Any]: ...


class Cursor(Protocol):
    """The result of a statement."""

    @property
    def rowcount(self) -> int:
        """Rows written."""

    def fetchone(self) -> Any:  # noqa: ANN401
        """Return the next row, or None."""

    def fetchall(self) -> Sequence[Any]:
        """Return all rows."""

    def __iter__(self) -> Iterator[Any]: ...


class Connection(Protocol):
    """Runs statements with `:name` parameters in an open transaction."""

    def execute(self, statement: str, parameters: Mapping[str, Any] = ..., /) -> Cursor:
        """Run a statement."""

    def executemany(self, statement: str, parameters: Iterable[Mapping[str, Any]], /) -> Cursor:
        """Run a statement once for each set of parameters."""
