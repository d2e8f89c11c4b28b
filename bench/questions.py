"""The requests: every combination of the five filters, with the slowest values.

Each combination has several sets of values; the slowest is measured, not assumed.
"""

from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from itertools import combinations, count, islice
from urllib.parse import urlencode

from bench.jobs import LEFT, RIGHT, Told, group_id, jobs
from jobindex.model.jobs import JobStatus, TargetSelection
from jobindex.model.listing import Filters, Position, encode_token, parameters_of

NAMES = tuple(field.name for field in fields(Filters))
COMBINATIONS = tuple(names for length in range(len(NAMES) + 1) for names in combinations(NAMES, length))

_IN_FRONT = datetime(2099, 1, 1, tzinfo=UTC)


def _filters(told: Told, thing_group_id: str | None = None) -> Filters:
    return Filters(
        namespace_id=told.namespace_id,
        status=told.status,
        target_selection=told.target_selection,
        thing_group_id=thing_group_id or group_id(told.group),
        thing_group_name=told.group,
    )


_CROSSED = Told(
    namespace_id="harbour-1",
    status=JobStatus.DELETION_IN_PROGRESS,
    target_selection=TargetSelection.CONTINUOUS,
    group="quay-1",
)
_SETS = (
    # Values that go together: pages are full.
    _filters(LEFT),
    _filters(_CROSSED),
    # One value of the other side: no job, or five of the oldest.
    _filters(replace(LEFT, namespace_id=RIGHT.namespace_id)),
    _filters(replace(LEFT, status=RIGHT.status)),
    _filters(replace(LEFT, target_selection=RIGHT.target_selection)),
    _filters(replace(LEFT, group=RIGHT.group)),
    _filters(LEFT, group_id(RIGHT.group)),
    # Two values of the other side.
    _filters(replace(LEFT, namespace_id=RIGHT.namespace_id, status=RIGHT.status)),
    _filters(replace(LEFT, namespace_id=RIGHT.namespace_id, target_selection=RIGHT.target_selection)),
    _filters(replace(LEFT, status=RIGHT.status, target_selection=RIGHT.target_selection)),
    # Any two go together, all three never do.
    _filters(replace(_CROSSED, target_selection=TargetSelection.SNAPSHOT)),
    _filters(replace(_CROSSED, group="quay-2"), group_id("quay-1")),
    # Five jobs have such a value, or none does.
    _filters(replace(LEFT, namespace_id="rare")),
    _filters(replace(RIGHT, namespace_id="nowhere")),
    _filters(replace(RIGHT, status=JobStatus.SCHEDULED)),
    _filters(replace(RIGHT, group="rare")),
)


def questions(names: tuple[str, ...]) -> list[Filters]:
    """Return the sets of values for a combination of filters."""
    left_out = {name: None for name in NAMES if name not in names}
    return list(dict.fromkeys(replace(filters, **left_out) for filters in _SETS))


def label(filters: Filters) -> str:
    """Return the names of the filters in AWS's words."""
    return " ".join(name for name, value in parameters_of(filters).items() if value) or "no filter"


def path(filters: Filters, after: Position | None = None) -> str:
    """Return the request for a page."""
    parameters = {name: value for name, value in parameters_of(filters).items() if value}
    if after is not None:
        parameters["nextToken"] = encode_token(after, filters)
    return f"/jobs?{urlencode(parameters)}" if parameters else "/jobs"


def in_front() -> Iterator[Position]:
    """Yield different positions in front of all jobs."""
    return (Position(created_at=_IN_FRONT + timedelta(milliseconds=number), job_id="any") for number in count())


def from_the_middle(size: int, asked: int) -> Iterator[Position]:
    """Yield `asked` different positions from the middle of an index."""
    for job in islice(jobs(size), size // 2, size // 2 + asked):
        yield Position(created_at=job.created_at, job_id=job.job_id)
