"""Names and statuses, in AWS's words."""

import re
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache

THING_NAME = re.compile(r"[a-zA-Z0-9:_-]{1,128}")
JOB_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
# AWS sets no limit; PostgreSQL refuses an index row of more than 2,704 bytes.
NAMESPACE_ID = re.compile(r"[a-zA-Z0-9_-]{1,128}")
THING_GROUP_NAME = re.compile(r"[a-zA-Z0-9:_-]{1,128}")
THING_GROUP_ID = re.compile(r"[a-zA-Z0-9\-]{1,128}")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


class Name(StrEnum):
    """A text of a closed set."""

    __hash__ = str.__hash__  # Enum's is not in C, and every message looks names up


class JobStatus(Name):
    """JobSummary's `status`, from the least to the most advanced."""

    SCHEDULED = "SCHEDULED"
    IN_PROGRESS = "IN_PROGRESS"
    COMPLETED = "COMPLETED"
    CANCELED = "CANCELED"
    DELETION_IN_PROGRESS = "DELETION_IN_PROGRESS"


class JobExecutionStatus(Name):
    """A job execution's status, from the least to the most advanced."""

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
    """CONTINUOUS jobs also run on things that join the targets later."""

    CONTINUOUS = "CONTINUOUS"
    SNAPSHOT = "SNAPSHOT"


@lru_cache(maxsize=1024)  # messages that arrive together share few times
def to_milliseconds(time: datetime) -> int:
    """Return whole milliseconds since the epoch."""
    return (time - _EPOCH) // _MILLISECOND


@lru_cache(maxsize=1024)
def from_milliseconds(milliseconds: int) -> datetime:
    """Return the UTC time, without rounding."""
    return _EPOCH + timedelta(microseconds=1000 * milliseconds)
