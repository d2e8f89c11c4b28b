"""What the index tells beside ListJobs, as values: of a job, its executions, things and namespaces.

What is not known is None. Counts are of what the index knows: executions of which no message came are in none.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from jobindex.model.jobs import JobStatus, Name, TargetSelection


class ExecutionState(Name):
    """The state of a job execution: its status, or that it has ended and no message reports how."""

    QUEUED = "QUEUED"
    IN_PROGRESS = "IN_PROGRESS"
    TIMED_OUT = "TIMED_OUT"
    FAILED = "FAILED"
    REJECTED = "REJECTED"
    REMOVED = "REMOVED"
    CANCELED = "CANCELED"
    SUCCEEDED = "SUCCEEDED"
    ENDED = "ENDED"
    """A list of its thing's pending executions leaves it out; its outcome was not reported."""


STATE_PLACES = {state: place for place, state in enumerate(ExecutionState)}
"""The place of each state in their order."""

STUCK_AFTER = timedelta(hours=1)
"""How long an execution may be pending before it counts as stuck, unless a setting says otherwise."""

PENDING = frozenset({ExecutionState.QUEUED, ExecutionState.IN_PROGRESS})
FAILURES = (ExecutionState.FAILED, ExecutionState.TIMED_OUT, ExecutionState.REJECTED)
"""The states of executions that went wrong."""


def count_failures(executions: Mapping[ExecutionState, int], reported: Mapping[str, int] | None) -> int:
    """Return how many executions of a job went wrong: of those known, or of AWS's own counts if these are more."""
    known = sum(executions.get(state, 0) for state in FAILURES)
    names = ("numberOfFailedThings", "numberOfTimedOutThings", "numberOfRejectedThings")
    return max(known, sum((reported or {}).get(name, 0) for name in names))


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionAttempt:
    """What is known of one attempt of an execution: AWS calls it a job execution with an executionNumber."""

    state: ExecutionState
    queued_at: datetime | None
    started_at: datetime | None
    last_updated_at: datetime | None
    execution_number: int | None
    version_number: int | None
    status_details: Mapping[str, str] | None
    is_status_details_cut: bool
    """Whether `status_details` lacks members that were too long to keep."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobExecution(ExecutionAttempt):
    """What is known of the execution of a job on a thing: its current attempt, and the earlier ones."""

    job_id: str
    thing_name: str
    thing_arn: str
    namespace_id: str | None
    """Its job's."""
    seen_pending_at: datetime | None
    """When a message last showed it QUEUED or IN_PROGRESS, to the second."""
    waiting_since: datetime | None
    """Since when it has been QUEUED or IN_PROGRESS: its startedAt, its queuedAt, or the time of its status, whichever
    is the first known; None once it has ended, or if no time is known."""
    former_attempts: Sequence[ExecutionAttempt] = ()
    """The latest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionPage:
    """Some executions, in the order of what was asked for."""

    executions: Sequence[JobExecution]
    next_position: str | None
    """What to go on behind; None where no more follow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobDescription:
    """What is known of a job."""

    job_id: str
    job_arn: str
    namespace_id: str | None
    status: JobStatus
    is_status_reported: bool
    """False if no message reported a status, and it is inferred from the job's executions."""
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
    reported_process_details: Mapping[str, int] | None
    """AWS's own counts, `jobProcessDetails` of its last job event, if they are of its end."""
    description: str | None
    targets: Sequence[str] | None
    """ARNs, in their order."""
    comment: str | None
    reason_code: str | None
    deployment_id: str | None
    """Of a Greengrass deployment, as the next two."""
    deployment_name: str | None
    configuration_arn: str | None

    @property
    def failures(self) -> int:
        """How many of its executions went wrong, as `count_failures` counts them."""
        return count_failures(self.executions, self.reported_process_details)

    @property
    def revision(self) -> str | None:
        """The revision of the deployment: the last part of `configuration_arn`."""
        return None if self.configuration_arn is None else self.configuration_arn.rpartition(":")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOutcome:
    """What a list of jobs shows beside AWS's JobSummary."""

    is_status_reported: bool
    failures: int
    """How many of its executions went wrong, as `count_failures` counts them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobChange:
    """A change of a job's reported status or namespace, as the index noticed it."""

    changed_at: datetime
    """When the message arrived that brought it about."""
    status: JobStatus | None
    """None: the job was deleted."""
    former_status: JobStatus | None
    """None: the job was not listed before."""
    namespace_id: str | None
    is_status_reported: bool
    """False for IN_PROGRESS if no message reported a status; an inferred completion is no change."""


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
