"""ListJobs: its seven parameters, its order and its tokens.

Paging is by key, never by offset: jobs are listed newest first (`createdAt`, then `jobId`, both descending)
and a `nextToken` names the last job of its page. Every job that exists during a whole scan, and whose
`createdAt` is not corrected meanwhile, is seen exactly once, however much is written. Not chosen: a cursor
kept by the service (it would have to survive restarts) and OFFSET (it skips and repeats under writes).

A token (see page_tokens.py) is bound to the filters that it was made for, but not to `maxResults`.
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
    values = parse_parameters(PARAMETERS, parameters)
    filters = filters_of(values)
    token = values.optional("nextToken")
    return ListJobsQuery(
        filters=filters,
        max_results=values.integer("maxResults"),
        after=None if token is None else decode_token(token, filters),
    )


def filters_of(values: Values) -> Filters:
    """Return the filters among what was given."""
    return Filters(
        namespace_id=values.optional("namespaceId"),
        status=values.choice("status", JobStatus),
        target_selection=values.choice("targetSelection", TargetSelection),
        thing_group_id=values.optional("thingGroupId"),
        thing_group_name=values.optional("thingGroupName"),
    )


def parameters_of(filters: Filters) -> Mapping[str, str | None]:
    """Return the filters by their names on the wire."""
    return {
        "namespaceId": filters.namespace_id,
        "status": filters.status,
        "targetSelection": filters.target_selection,
        "thingGroupId": filters.thing_group_id,
        "thingGroupName": filters.thing_group_name,
    }


def encode_token(position: Position, filters: Filters) -> str:
    """Return the token that goes on behind `position`, for the same filters alone."""
    created_at = to_milliseconds(position.created_at).to_bytes(8, "big", signed=True)
    return seal(created_at + position.job_id.encode(), _bound(filters))


def decode_token(token: str, filters: Filters) -> Position:
    """Return the position in a token that `encode_token` made for these filters.

    Raises:
        InvalidRequestException: the token is malformed, of another version, or made for other filters.
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
