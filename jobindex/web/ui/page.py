"""What is asked of a page, and what a page shows, as values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import quote, urlencode

from jobindex.model.page_tokens import seal_text, unseal_text
from jobindex.model.parameters import Constraints, Text, Values, parse_parameters

PAGE_SIZE = 50
"""Rows of a list in a page."""
POSITION = Text()
"""Where in a list a page starts, sealed for the rest of what is asked."""
POSITIONS: Constraints = {"after": POSITION, "before": POSITION}


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked of a page: its address and the time."""

    path: str
    subject: str = ""
    """The job, thing or message that the path names."""
    parameters: Sequence[tuple[str, str]] = ()
    """Those of the query string that the page knows and that are not empty: a form sends its empty fields too."""
    now: datetime

    def parse(self, constraints: Constraints) -> Values:
        """Return what was asked.

        Raises:
            InvalidRequestException: parameters outside their constraints, all of them in one message.
        """
        return parse_parameters(constraints, self.parameters)

    def position(self) -> str | None:
        """Return what the page goes on behind, as `forward_pager` sealed it; None for the first one.

        Raises:
            InvalidRequestException: it was not sealed for what is asked, or is given twice.
        """
        return unseal_text(self.parse(POSITIONS).optional("after"), (self.address(),), "after")

    def seal(self, position: str | None) -> str | None:
        """Return a position for a link from this page; None for None."""
        return seal_text(position, (self.address(),))

    def whole_address(self) -> str:
        """Return the address of this page with all that was asked."""
        return _address(self.path, self.parameters)

    def address(self, **changes: str | None) -> str:
        """Return the address of this page with some parameters in place of those given, None for without.

        What pages through a list is never taken over.
        """
        kept = [(name, value) for name, value in self.parameters if name not in {*POSITIONS, *changes}]
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
        first=question.address() if any(name == "after" for name, _ in question.parameters) else None,
        next=None if next_position is None else question.address(after=question.seal(next_position)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What a page shows."""

    template: str
    title: str
    section: str
    """The link of the navigation that is the current one."""
    values: Mapping[str, object] = field(default_factory=dict)
    watched: Mapping[str, str] | None = field(default_factory=dict)
    """The parameters of its event stream, which narrow that; None if the page follows no events."""
    status: int = 200
