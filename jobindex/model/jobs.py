"""The names and statuses of jobs and job executions, in AWS's words."""

import re
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


class Name(StrEnum):
    """A text of a fixed set."""

    __hash__ = str.__hash__  # Enum's own is not in C; names are looked up for every message


class JobStatus(Name):
    """The status of a job, from the least to the most advanced (JobSummary's `status`)."""

    SCHEDULED = "SCHEDULED"
    IN_PROGRESS = "IN_PROGRESS"
    COMPLETED = "COMPLETED"
    CANCELED = "CANCELED"
    DELETION_IN_PROGRESS = "DELETION_IN_PROGRESS"


class JobExecutionStatus(Name):
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


class TargetSelection(Name):
    """Whether a job goes on to things that join its targets later (JobSummary's `targetSelection`)."""

    CONTINUOUS = "CONTINUOUS"
    SNAPSHOT = "SNAPSHOT"


@lru_cache(maxsize=1024)  # what messages tell at one time bears few times
def to_milliseconds(time: datetime) -> int:
    """Return `time` as whole milliseconds since the epoch."""
    return (time - _EPOCH) // _MILLISECOND


@lru_cache(maxsize=1024)
def from_milliseconds(milliseconds: int) -> datetime:
    """Return the UTC time that is `milliseconds` after the epoch, without rounding."""
    return _EPOCH + timedelta(microseconds=1000 * milliseconds)
