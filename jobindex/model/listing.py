"""ListJobs: its parameters, its order and its tokens.

Jobs are listed newest first (`createdAt`, then `jobId`, both descending); `nextToken` names the last job of its page. A
scan returns a job exactly once if it exists throughout and its `createdAt` is not corrected. Not chosen: a cursor in
the service, which would have to survive restarts, and OFFSET, which skips and repeats jobs under writes. A token is
bound to its filters, but not to `maxResults`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from jobindex.model.jobs import JobStatus, TargetSelection, from_milliseconds, to_milliseconds
from jobindex.model.page_tokens import NEXT_TOKEN, invalid_token, seal, unseal
from jobindex.model.parameters import (
    MAX_RESULTS,
    NAMESPACE_ID,
    PAGE_SIZE,
    THING_GROUP_ID,
    THING_GROUP_NAME,
    Choice,
    Constraints,
    Values,
    parse_parameters,
)

FILTERS: Constraints = {
    "namespaceId": NAMESPACE_ID,
    "status": Choice(JobStatus),
    "targetSelection": Choice(TargetSelection),
    "thingGroupId": THING_GROUP_ID,
    "thingGroupName": THING_GROUP_NAME,
}
PARAMETERS: Constraints = {"maxResults": PAGE_SIZE, "nextToken": NEXT_TOKEN, **FILTERS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """The filters of ListJobs, combined with AND."""

    namespace_id: str | None = None
    status: JobStatus | None = None
    target_selection: TargetSelection | None = None
    thing_group_id: str | None = None
    thing_group_name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """The key of a job in the list's order."""

    created_at: datetime
    job_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListJobsQuery:
    """A query for at most `max_results` jobs after `after`."""

    filters: Filters = Filters()
    max_results: int = MAX_RESULTS
    after: Position | None = None
    is_backwards: bool = False
    """Whether to return the nearest jobs before `after` instead, still newest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPage:
    """A page of jobs."""

    jobs: bytes
    """Comma-separated JSON objects with the known members of AWS's JobSummary."""
    next_position: Position | None
    """The last job of the page (backwards, the first); None if no more follow."""


def parse_list_jobs(parameters: Sequence[tuple[str, str]]) -> ListJobsQuery:
    """Return the query in the parameters of a query string.

    Raises:
        InvalidRequestException: parameters violate AWS's constraints; it names all of them.
    """
    values = parse_parameters(PARAMETERS, parameters)
    filters = filters_of(values)
    token = values.optional("nextToken")
    return ListJobsQuery(
        filters=filters,
        max_results=values.integer("maxResults"),
        after=None if token is None else decode_token(token, filters),
    )


def filters_of(values: Values) -> Filters:
    """Return the filters among parsed parameters."""
    return Filters(
        namespace_id=values.optional("namespaceId"),
        status=values.choice("status", JobStatus),
        target_selection=values.choice("targetSelection", TargetSelection),
        thing_group_id=values.optional("thingGroupId"),
        thing_group_name=values.optional("thingGroupName"),
    )


def parameters_of(filters: Filters) -> Mapping[str, str | None]:
    """Return the filters by their parameter names."""
    return {
        "namespaceId": filters.namespace_id,
        "status": filters.status,
        "targetSelection": filters.target_selection,
        "thingGroupId": filters.thing_group_id,
        "thingGroupName": filters.thing_group_name,
    }


def encode_token(position: Position, filters: Filters) -> str:
    """Return the token of a position with these filters."""
    created_at = to_milliseconds(position.created_at).to_bytes(8, "big", signed=True)
    return seal(created_at + position.job_id.encode(), _bound(filters))


def decode_token(token: str, filters: Filters) -> Position:
    """Return the position in a token.

    Raises:
        InvalidRequestException: as in `page_tokens.unseal`.
    """
    content = unseal(token, _bound(filters))
    try:
        created_at = from_milliseconds(int.from_bytes(content[:8], "big", signed=True))
        job_id = content[8:].decode()
    except (ValueError, OverflowError) as error:
        raise invalid_token(token) from error
    if not job_id:
        raise invalid_token(token)
    return Position(created_at=created_at, job_id=job_id)


def _bound(filters: Filters) -> Sequence[str | None]:
    return tuple(parameters_of(filters).values())
