"""What the index tells beside ListJobs, as values: of a job, its executions, things and namespaces.

What is not known is None. Counts are of what the index knows: executions of which no message came are in none.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from jobindex.model.jobs import JobStatus, TargetSelection


class ExecutionState(StrEnum):
    """How a job execution reads: its status, or that it has ended while nobody told how."""

    QUEUED = "QUEUED"
    IN_PROGRESS = "IN_PROGRESS"
    TIMED_OUT = "TIMED_OUT"
    FAILED = "FAILED"
    REJECTED = "REJECTED"
    REMOVED = "REMOVED"
    CANCELED = "CANCELED"
    SUCCEEDED = "SUCCEEDED"
    ENDED = "ENDED"
    """A complete list of its thing's pending executions leaves it out; its outcome was not told."""


STUCK_AFTER = timedelta(hours=1)
"""How long an execution may be pending before it counts as stuck, unless a setting says otherwise."""

PENDING = frozenset({ExecutionState.QUEUED, ExecutionState.IN_PROGRESS})


@dataclass(frozen=True, slots=True, kw_only=True)
class JobExecution:
    """What is known of the execution of a job on a thing."""

    job_id: str
    thing_name: str
    namespace_id: str | None
    """Its job's."""
    state: ExecutionState
    queued_at: datetime | None
    started_at: datetime | None
    last_updated_at: datetime | None
    """The time of its status."""
    seen_pending_at: datetime | None
    """The timestamp of the last pending list that shows it."""
    waiting_since: datetime | None
    """Since when it has been QUEUED or IN_PROGRESS: its startedAt, its queuedAt, or the time of its status, whichever
    is the first known; None once it has ended, or where no time is known."""
    execution_number: int | None
    version_number: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionPage:
    """Some executions, in the order of what was asked for."""

    executions: Sequence[JobExecution]
    next_position: str | None
    """What to go on behind; None where no more follow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What is known of a job."""

    job_id: str
    job_arn: str
    namespace_id: str | None
    status: JobStatus
    is_status_reported: bool
    """False where no message told a status, and it is inferred from the job's executions."""
    target_selection: TargetSelection | None
    thing_group_ids: Sequence[str]
    """Told for the job, or tied to one of its names."""
    thing_group_names: Sequence[str]
    is_concurrent: bool | None
    created_at: datetime
    is_created_at_reported: bool
    """False where it is the least time that any message of the job bears, or the arrival of the first."""
    last_updated_at: datetime
    completed_at: datetime | None
    first_heard_at: datetime
    """When the first message of the job arrived."""
    executions: Mapping[ExecutionState, int]
    """How many of its known executions are in each state; without those of which there are none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobChange:
    """A change of how a job reads, as the index noticed it."""

    changed_at: datetime
    """When the message arrived that brought it about."""
    status: JobStatus | None
    """None: the job was deleted."""
    former_status: JobStatus | None
    """None: the job was not listed before."""
    namespace_id: str | None
    is_status_reported: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Namespace:
    """What is known of a namespace: its jobs and their executions, counted."""

    namespace_id: str | None
    """None: the jobs that have none."""
    jobs: Mapping[JobStatus, int]
    executions: Mapping[ExecutionState, int]
    last_change_at: datetime | None
    """When a message last changed one of its jobs."""
    activity: Sequence[int]
    """How often a batch of messages changed a job of it, in each of the last ACTIVITY_HOURS hours, oldest first."""


ACTIVITY_HOURS = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """What is known of a thing."""

    thing_name: str
    executions: Mapping[ExecutionState, int]
    waiting_since: datetime | None
    """The least `waiting_since` of its pending executions."""
    last_heard_at: datetime | None
    """The greatest time that a message of it bears."""
    pending_lists: Mapping[str | None, datetime]
    """When its pending executions were last listed completely, by namespace (None: without one)."""
