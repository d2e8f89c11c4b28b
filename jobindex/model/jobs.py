"""Jobs, job executions and what messages report of them, in AWS's words.

A report is what one message tells of one thing. Reports are merged, never replayed: the index is a
function of the set of reports received, so each carries the time that its message bears (its stamp),
and no report depends on the one before it.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache

THING_NAME = re.compile(r"[a-zA-Z0-9:_-]{1,128}")
JOB_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
# AWS gives no bound; PostgreSQL refuses an index row of more than 2,704 bytes.
NAMESPACE_ID = re.compile(r"[a-zA-Z0-9_-]{1,128}")
THING_GROUP_NAME = re.compile(r"[a-zA-Z0-9:_-]{1,128}")
THING_GROUP_ID = re.compile(r"[a-zA-Z0-9\-]{1,128}")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


class JobStatus(StrEnum):
    """The status of a job, from the least to the most advanced (JobSummary's `status`)."""

    SCHEDULED = "SCHEDULED"
    IN_PROGRESS = "IN_PROGRESS"
    COMPLETED = "COMPLETED"
    CANCELED = "CANCELED"
    DELETION_IN_PROGRESS = "DELETION_IN_PROGRESS"


class JobExecutionStatus(StrEnum):
    """The status of a job execution, from the least to the most advanced.

    DELETED is told only by the event of that name.
    """

    QUEUED = "QUEUED"
    IN_PROGRESS = "IN_PROGRESS"
    TIMED_OUT = "TIMED_OUT"
    FAILED = "FAILED"
    REJECTED = "REJECTED"
    REMOVED = "REMOVED"
    CANCELED = "CANCELED"
    SUCCEEDED = "SUCCEEDED"
    DELETED = "DELETED"


JOB_STATUS_RANK = {status: rank for rank, status in enumerate(JobStatus, start=1)}
EXECUTION_STATUS_RANK = {status: rank for rank, status in enumerate(JobExecutionStatus, start=1)}


class TargetSelection(StrEnum):
    """Whether a job goes on to things that join its targets later (JobSummary's `targetSelection`)."""

    CONTINUOUS = "CONTINUOUS"
    SNAPSHOT = "SNAPSHOT"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobReport:
    """What a message tells of a job; None is what it does not tell."""

    job_id: str
    namespace_id: str | None = None
    time: datetime | None = None
    """The stamp's time; None in a message without any."""
    earliest_at: datetime | None = None
    """The least of the times that the message tells of the job and its execution."""
    latest_at: datetime | None = None
    """The greatest of them."""
    born_at: datetime | None = None
    """The greater of `createdAt` and `queuedAt`: what brings a deleted job id back when it is later."""
    pending_at: datetime | None = None
    """The timestamp of the pending list that shows an execution of the job."""
    status: JobStatus | None = None
    target_selection: TargetSelection | None = None
    thing_group_id: str | None = None
    thing_group_name: str | None = None
    target_group_names: tuple[str, ...] | None = None
    """The thing groups among `targets`, sorted; empty where the targets are things alone."""
    is_concurrent: bool | None = None
    created_at: datetime | None = None
    completed_at: datetime | None = None
    job_arn: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobDeletion:
    """A job was deleted at `time` (None: the message bears no time)."""

    job_id: str
    time: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobExecutionReport:
    """What a message tells of the execution of a job on a thing."""

    job_id: str
    thing_name: str
    status: JobExecutionStatus
    time: datetime | None
    execution_number: int | None = None
    version_number: int | None = None
    queued_at: datetime | None = None
    started_at: datetime | None = None
    pending_at: datetime | None = None
    """The timestamp of the pending list that shows the execution."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingListReport:
    """The pending executions of a thing, in a namespace or in none, were listed completely at `listed_at`.

    The executions listed are reports of their own; what the list leaves out is no longer pending.
    """

    thing_name: str
    namespace_id: str | None
    listed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ThingGroupReport:
    """A message named a thing group: by name, by id, or by both, which ties them for good."""

    thing_group_name: str | None = None
    thing_group_id: str | None = None


Report = JobReport | JobDeletion | JobExecutionReport | PendingListReport | ThingGroupReport


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectedMessage:
    """A message that could not be understood, kept whole, with the reason."""

    topic: str
    payload: bytes
    reason: str


Told = tuple[Report, ...] | RejectedMessage
"""What a message tells, or why it cannot be understood."""


@lru_cache(maxsize=1024)  # what messages tell at one time bears few times
def to_milliseconds(time: datetime) -> int:
    """Return `time` as whole milliseconds since the epoch."""
    return (time - _EPOCH) // _MILLISECOND


@lru_cache(maxsize=1024)
def from_milliseconds(milliseconds: int) -> datetime:
    """Return the UTC time that is `milliseconds` after the epoch, without rounding."""
    return _EPOCH + timedelta(microseconds=1000 * milliseconds)
