"""What is asked of a page, and what a page shows, as values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import quote, urlencode

from jobindex.ui.invalid import invalid

PAGE_SIZE = 50
"""Rows of a list in a page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked of a page: its address and the time."""

    path: str
    parameters: Sequence[tuple[str, str]] = ()
    """Those of the query string that are not empty: a form sends its empty fields too."""
    now: datetime

    def text(self, name: str) -> str | None:
        """Return a parameter; None where it is not given.

        Raises:
            InvalidRequestException: it is given twice.
        """
        values = [value for other, value in self.parameters if other == name]
        if len(values) > 1:
            raise invalid(name, values, "Member must not be repeated")
        return values[0] if values else None

    def whole_address(self) -> str:
        """Return the address of this page with all that was asked."""
        return _address(self.path, self.parameters)

    def address(self, **changes: str | None) -> str:
        """Return the address of this page with some parameters in place of those given, None for without.

        What pages through a list is never taken over.
        """
        kept = [(name, value) for name, value in self.parameters if name not in {"after", "before", *changes}]
        added = [(name, value) for name, value in changes.items() if value is not None]
        return _address(self.path, [*kept, *added])


def _address(path: str, parameters: Sequence[tuple[str, str]]) -> str:
    return f"{quote(path)}?{urlencode(parameters)}" if parameters else quote(path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pager:
    """Where the pages before and after one are; None where there is none."""

    first: str | None = None
    previous: str | None = None
    next: str | None = None

    def __bool__(self) -> bool:
        return any((self.first, self.previous, self.next))


def forward_pager(question: Question, next_position: str | None) -> Pager:
    """Return the links of a list that is paged forward alone: on, and back to its start."""
    return Pager(
        first=question.address() if question.text("after") else None,
        next=None if next_position is None else question.address(after=next_position),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What a page shows."""

    template: str
    title: str
    section: str
    """The link of the navigation that is the current one."""
    values: Mapping[str, object] = field(default_factory=dict)
    watched: Mapping[str, str] = field(default_factory=dict)
    """What narrows the events that concern it."""
    status: int = 200
