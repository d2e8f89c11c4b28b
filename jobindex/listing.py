"""ListJobs: its seven parameters, its order and its tokens.

Paging is by key, never by offset: jobs are listed newest first (`createdAt`, then `jobId`, both descending)
and a `nextToken` names the last job of its page. Every job that exists during a whole scan, and whose
`createdAt` is not corrected meanwhile, is seen exactly once, however much is written. Not chosen: a cursor
kept by the service (it would have to survive restarts) and OFFSET (it skips and repeats under writes).

Clients may rely on this of a token: it is opaque, of at most 512 characters, bound to the filters that it
was made for but not to `maxResults`, and valid as long as the service's version of tokens.
"""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import blake2b

from jobindex.errors import InvalidRequestException
from jobindex.jobs import (
    JobStatus,
    TargetSelection,
    from_milliseconds,
    to_milliseconds,
)

MAX_RESULTS = 250

_TOKEN_VERSION = b"\x01"
_TOKEN_MAX_LENGTH = 512
_DIGEST_BYTES = 8
_INTEGER = re.compile(r"-?[0-9]{1,4000}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """The filters of ListJobs; they combine with AND, None does not filter."""

    namespace_id: str | None = None
    status: JobStatus | None = None
    target_selection: TargetSelection | None = None
    thing_group_id: str | None = None
    thing_group_name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """The key of a job in the order of the list."""

    created_at: datetime
    job_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListJobsQuery:
    """A question to the index: at most `max_results` jobs, all of them after `after`."""

    filters: Filters = Filters()
    max_results: int = MAX_RESULTS
    after: Position | None = None
    is_backwards: bool = False
    """The jobs before `after` instead, those next to it; still newest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPage:
    """An answer: the jobs, and where the next page starts."""

    jobs: bytes
    """The members of AWS's JobSummary that are known, a JSON object for each job, with commas between them."""
    next_position: Position | None
    """The last job of the page, or backwards the first; None where no more are behind it."""


def parse_list_jobs(parameters: Sequence[tuple[str, str]]) -> ListJobsQuery:
    """Return the question in the parameters of a query string; unknown ones are ignored.

    Raises:
        InvalidRequestException: parameters outside AWS's constraints, all of them in one message.
    """
    known = [(name, value) for name, value in parameters if name in _CONSTRAINTS]
    values = dict(known)
    problems = [
        _problem(name, [value for other, value in known if other == name], "Member must not be repeated")
        for name in values
        if len(known) > len(values) and sum(other == name for other, _ in known) > 1
    ]
    problems += [
        _problem(name, value, constraint) for name, value in values.items() for constraint in _CONSTRAINTS[name](value)
    ]
    if problems:
        count = f"{len(problems)} validation error{'s' if len(problems) > 1 else ''} detected"
        raise InvalidRequestException(f"{count}: {'; '.join(problems)}")

    filters = Filters(
        namespace_id=values.get("namespaceId"),
        status=JobStatus(values["status"]) if "status" in values else None,
        target_selection=TargetSelection(values["targetSelection"]) if "targetSelection" in values else None,
        thing_group_id=values.get("thingGroupId"),
        thing_group_name=values.get("thingGroupName"),
    )
    return ListJobsQuery(
        filters=filters,
        max_results=int(values.get("maxResults", MAX_RESULTS)),
        after=decode_token(values["nextToken"], filters) if "nextToken" in values else None,
    )


def encode_token(position: Position, filters: Filters) -> str:
    """Return the token that goes on behind `position`, for the same filters alone."""
    body = (
        _TOKEN_VERSION + to_milliseconds(position.created_at).to_bytes(8, "big", signed=True) + position.job_id.encode()
    )
    return _encoded(body + _digest(body, filters))


def decode_token(token: str, filters: Filters) -> Position:
    """Return the position in a token that `encode_token` made for these filters.

    Raises:
        InvalidRequestException: the token is malformed, of another version, or made for other filters.
    """
    try:
        content = urlsafe_b64decode(token.encode("ascii") + b"=" * (-len(token) % 4))
        body, digest = content[:-_DIGEST_BYTES], content[-_DIGEST_BYTES:]
        position = Position(
            created_at=from_milliseconds(int.from_bytes(body[1:9], "big", signed=True)),
            job_id=body[9:].decode(),
        )
    except (ValueError, OverflowError) as error:
        raise _invalid(token) from error
    # base64 lets some changed characters pass.
    if (
        not position.job_id
        or body[:1] != _TOKEN_VERSION
        or digest != _digest(body, filters)
        or _encoded(content) != token
    ):
        raise _invalid(token)
    return position


def _encoded(content: bytes) -> str:
    return urlsafe_b64encode(content).decode().rstrip("=")


def _invalid(token: str) -> InvalidRequestException:
    return InvalidRequestException(
        f"Invalid nextToken: '{token}' is malformed, of an unknown version, or made for other filters"
    )


def _digest(body: bytes, filters: Filters) -> bytes:
    named = (
        filters.namespace_id,
        filters.status,
        filters.target_selection,
        filters.thing_group_id,
        filters.thing_group_name,
    )
    # No value of a filter holds a NUL or is empty.
    bound = "\0".join(value or "" for value in named).encode()
    return blake2b(body, digest_size=_DIGEST_BYTES, key=blake2b(bound, digest_size=32).digest()).digest()


def _problem(name: str, value: object, constraint: str) -> str:
    return f"Value '{value}' at '{name}' failed to satisfy constraint: {constraint}"


def _check_max_results(value: str) -> Iterator[str]:
    if _INTEGER.fullmatch(value) is None:
        yield "Member must be an integer"
    elif int(value) > MAX_RESULTS:
        yield f"Member must have value less than or equal to {MAX_RESULTS}"
    elif int(value) < 1:
        yield "Member must have value greater than or equal to 1"


def _check_length(value: str, greatest: int) -> Iterator[str]:
    if not value:
        yield "Member must have length greater than or equal to 1"
    elif len(value) > greatest:
        yield f"Member must have length less than or equal to {greatest}"


def _check_pattern(value: str, pattern: str) -> Iterator[str]:
    if re.fullmatch(pattern, value) is None:
        yield f"Member must satisfy regular expression pattern: {pattern}"


def _check_choice(value: str, choices: type[StrEnum]) -> Iterator[str]:
    if value not in choices.__members__:
        yield f"Member must satisfy enum value set: [{', '.join(choices)}]"


# As the API reference gives them; of nextToken it gives none.
_CONSTRAINTS: dict[str, Callable[[str], Iterable[str]]] = {
    "maxResults": _check_max_results,
    "namespaceId": lambda value: _check_pattern(value, "[a-zA-Z0-9_-]+"),
    "nextToken": lambda value: _check_length(value, _TOKEN_MAX_LENGTH),
    "status": lambda value: _check_choice(value, JobStatus),
    "targetSelection": lambda value: _check_choice(value, TargetSelection),
    "thingGroupId": lambda value: [*_check_length(value, 128), *_check_pattern(value, r"[a-zA-Z0-9\-]+")],
    "thingGroupName": lambda value: [*_check_length(value, 128), *_check_pattern(value, "[a-zA-Z0-9:_-]+")],
}
