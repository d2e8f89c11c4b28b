"""Status of a job, and how ListJobs shows the job.

The status with the greatest stamp counts. If none was reported, it is inferred from the executions; pages, CLI and
`/index/` say so.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from jobindex.model.groups import known_groups
from jobindex.model.job import PLACES, Job, stamp_status
from jobindex.model.jobs import JobStatus, TargetSelection
from jobindex.model.lives import Life
from jobindex.model.reports import UNTIMED
from jobindex.model.views import STATE_PLACES, ExecutionState

_STATUS, _SELECTION, _NAMESPACE = PLACES["status"], PLACES["target_selection"], PLACES["namespace_id"]
_CREATED_AT, _COMPLETED_AT = PLACES["created_at"], PLACES["completed_at"]
_TARGETS, _GROUP_NAME, _GROUP_ID = PLACES["targets"], PLACES["thing_group_name"], PLACES["thing_group_id"]
_QUEUED, _IN_PROGRESS = STATE_PLACES[ExecutionState.QUEUED], STATE_PLACES[ExecutionState.IN_PROGRESS]
_STATUSES: Mapping[Any, JobStatus] = {status.value: status for status in JobStatus}
_SELECTIONS: Mapping[Any, TargetSelection] = {selection.value: selection for selection in TargetSelection}


class JobView(NamedTuple):
    """A job as ListJobs shows it; times in milliseconds, None if unknown."""

    created_at: int
    status: JobStatus
    is_status_reported: bool
    target_selection: TargetSelection | None
    namespace_id: str | None
    completed_at: int | None
    last_updated_at: int
    is_timed: bool
    """False if no message has a time: `last_updated_at` is then the arrival of the last change."""
    groups: Sequence[str]
    """As `groups.known_groups` returns them."""
    values: Sequence[Any]
    """The values that count, in the order of REGISTERS."""


def view(job: Job, life: Life | None, *, last_end_at: int | None, events_since: int | None, now: int) -> JobView | None:
    """Return the job as ListJobs shows it; None without a `life`.

    `last_end_at` is the greatest end of its executions in milliseconds, `events_since` the second of the earliest job
    event published (None if unknown), `now` the arrival of the message that causes this view.
    """
    if life is None:
        return None
    values: Sequence[Any] = job.values_in(life)
    status, selection, completed_at = values[_STATUS], values[_SELECTION], values[_COMPLETED_AT]
    groups = known_groups(values[_TARGETS], values[_GROUP_NAME], values[_GROUP_ID])
    is_completed = status is None and _is_inferred_completed(
        job, selection, has_groups=bool(groups), last_end_at=last_end_at, since=events_since
    )
    if is_completed and completed_at is None and not job.untimed_ends:
        completed_at = last_end_at
    return JobView(
        created_at=_created_at(job, life, values[_CREATED_AT]),
        status=_STATUSES[status or ("COMPLETED" if is_completed else "IN_PROGRESS")],
        is_status_reported=status is not None,
        target_selection=_SELECTIONS.get(selection),
        namespace_id=values[_NAMESPACE],
        completed_at=completed_at,
        last_updated_at=job.latest_at if job.latest_at > UNTIMED else now,
        is_timed=job.latest_at > UNTIMED,
        groups=groups,
        values=values,
    )


def needs_last_end(job: Job, life: Life) -> bool:
    """Return whether the status depends on the last end of the executions."""
    return _have_all_ended(job) and job.text("status", life) is None


def _is_inferred_completed(
    job: Job, selection: object, *, has_groups: bool, last_end_at: int | None, since: int | None
) -> bool:
    """Infer completion from the executions.

    Not while one is pending; if job events were published before the last end, as AWS would have reported the
    completion; if the job is CONTINUOUS; or if its selection is unknown and a thing group is known, as the rollout may
    go on.
    """
    if not _have_all_ended(job) or selection == TargetSelection.CONTINUOUS or (selection is None and has_groups):
        return False
    if since is None:
        return True
    return not job.untimed_ends and last_end_at is not None and last_end_at // 1000 < since


def _have_all_ended(job: Job) -> bool:
    counts = job.executions
    return not (counts[_QUEUED] or counts[_IN_PROGRESS]) and any(counts)


def _created_at(job: Job, life: Life, reported: int | None) -> int:
    if reported is not None:
        return reported
    if life.born_at > UNTIMED:
        return life.born_at
    return job.earliest_at if job.earliest_at > UNTIMED else job.arrived_at


def process_details(job: Job, life: Life) -> Mapping[str, int] | None:
    """Return AWS's `jobProcessDetails`, if they count.

    They do if the latest job event with counts reported COMPLETED or CANCELED, and no later event reports another
    status than DELETION_IN_PROGRESS.
    """
    reported = job.text("process_details", life)
    stamp = job.stamp("process_details")
    status_then, status = stamp_status(stamp), job.text("status", life)
    if reported is None or status_then not in {JobStatus.COMPLETED, JobStatus.CANCELED}:
        return None
    if job.stamp("status") > stamp and status not in {JobStatus.DELETION_IN_PROGRESS, status_then}:
        return None
    counts: Mapping[str, int] = json.loads(reported)
    return counts
