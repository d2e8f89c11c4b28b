"""The request for a page, and the content of a page, as values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import quote, urlencode

from jobindex.model.page_tokens import seal_text, unseal_text
from jobindex.model.parameters import Constraints, Text, Values, parse_parameters

PAGE_SIZE = 50
"""Rows of a list on a page."""
POSITION = Text()
"""The start of a page in a list, sealed for the other parameters."""
POSITIONS: Constraints = {"after": POSITION, "before": POSITION}


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A request for a page."""

    path: str
    subject: str = ""
    """The job, thing or message in the path."""
    parameters: Sequence[tuple[str, str]] = ()
    """The query parameters that the page knows, without empty ones: a form also sends its empty fields."""
    now: datetime

    def parse(self, constraints: Constraints) -> Values:
        """Return the values of the parameters.

        Raises:
            InvalidRequestException: parameters outside their constraints, all of them in one message.
        """
        return parse_parameters(constraints, self.parameters)

    def position(self) -> str | None:
        """Return the position from `forward_pager` after which the page starts; None for the first page.

        Raises:
            InvalidRequestException: it was sealed for other parameters, or is given twice.
        """
        return unseal_text(self.parse(POSITIONS).optional("after"), (self.address(),), "after")

    def seal(self, position: str | None) -> str | None:
        """Return a position for a link from this page."""
        return seal_text(position, (self.address(),))

    def whole_address(self) -> str:
        """Return this page's address with all parameters."""
        return _address(self.path, self.parameters)

    def address(self, **changes: str | None) -> str:
        """Return this page's address with changed parameters and without positions; None removes a parameter."""
        kept = [(name, value) for name, value in self.parameters if name not in {*POSITIONS, *changes}]
        added = [(name, value) for name, value in changes.items() if value is not None]
        return _address(self.path, [*kept, *added])


def _address(path: str, parameters: Sequence[tuple[str, str]]) -> str:
    return f"{quote(path)}?{urlencode(parameters)}" if parameters else quote(path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pager:
    """Links to other pages of a list; None for a page that does not exist."""

    first: str | None = None
    previous: str | None = None
    next: str | None = None

    def __bool__(self) -> bool:
        return any((self.first, self.previous, self.next))


def forward_pager(question: Question, next_position: str | None) -> Pager:
    """Return the links of a list that is only paged forward."""
    return Pager(
        first=question.address() if any(name == "after" for name, _ in question.parameters) else None,
        next=None if next_position is None else question.address(after=question.seal(next_position)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """The content of a page."""

    template: str
    title: str
    section: str
    """The current link in the navigation."""
    values: Mapping[str, object] = field(default_factory=dict)
    watched: Mapping[str, str] | None = field(default_factory=dict)
    """The parameters that narrow its event stream; None if the page follows no events."""
    status: int = 200
