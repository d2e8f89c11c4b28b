"""Views: values that the index returns.

None is unknown. Counts cover the executions that messages reported.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from jobindex.model.jobs import JobStatus, Name, TargetSelection


class ExecutionState(Name):
    """The status of an execution, or ENDED if no message reports its outcome."""

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

STUCK_AFTER = timedelta(hours=1)
"""By default, an execution that has been pending for this long counts as stuck."""

PENDING = frozenset({ExecutionState.QUEUED, ExecutionState.IN_PROGRESS})
FAILURES = (ExecutionState.FAILED, ExecutionState.TIMED_OUT, ExecutionState.REJECTED)


def count_failures(executions: Mapping[ExecutionState, int], reported: Mapping[str, int] | None) -> int:
    """Return how many known executions of a job failed, or AWS's count if it is greater."""
    known = sum(executions.get(state, 0) for state in FAILURES)
    names = ("numberOfFailedThings", "numberOfTimedOutThings", "numberOfRejectedThings")
    return max(known, sum((reported or {}).get(name, 0) for name in names))


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionAttempt:
    """One attempt, which AWS calls a job execution with an executionNumber."""

    state: ExecutionState
    queued_at: datetime | None
    started_at: datetime | None
    last_updated_at: datetime | None
    execution_number: int | None
    version_number: int | None
    status_details: Mapping[str, str] | None
    is_status_details_cut: bool
    """Whether `status_details` lacks members that were too long to store."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobExecution(ExecutionAttempt):
    """A job's execution on a thing: its current attempt and the earlier ones."""

    job_id: str
    thing_name: str
    thing_arn: str
    namespace_id: str | None
    seen_pending_at: datetime | None
    """When a message last showed it QUEUED or IN_PROGRESS, to the second."""
    waiting_since: datetime | None
    """If it is pending, the first that is known of startedAt, queuedAt and the time of its status."""
    former_attempts: Sequence[ExecutionAttempt] = ()
    """Latest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionPage:
    """A page of executions, shorter than requested if their details are long."""

    executions: Sequence[JobExecution]
    next_position: str | None
    """None if no more follow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobDescription:
    """A job as the index describes it."""

    job_id: str
    job_arn: str
    namespace_id: str | None
    status: JobStatus
    is_status_reported: bool
    """False if the status is inferred from the job's executions."""
    target_selection: TargetSelection | None
    thing_group_ids: Sequence[str]
    """Reported for the job, or tied to one of its names."""
    thing_group_names: Sequence[str]
    is_concurrent: bool | None
    created_at: datetime
    is_created_at_reported: bool
    """False if it is inferred: the beginning of a later life (`lives.py`), the least time reported, or the first
    arrival."""
    last_updated_at: datetime
    completed_at: datetime | None
    first_heard_at: datetime
    """When the first message of the job arrived."""
    executions: Mapping[ExecutionState, int]
    """Those known in each state, without zeros."""
    reported_process_details: Mapping[str, int] | None
    """AWS's own counts, `jobProcessDetails` of its last job event, if that reports its end."""
    description: str | None
    targets: Sequence[str] | None
    """ARNs, sorted."""
    comment: str | None
    reason_code: str | None
    deployment_id: str | None
    """Of a Greengrass deployment, like the next two."""
    deployment_name: str | None
    configuration_arn: str | None

    @property
    def failures(self) -> int:
        """The number of failed executions."""
        return count_failures(self.executions, self.reported_process_details)

    @property
    def revision(self) -> str | None:
        """The revision of the deployment: the last part of `configuration_arn`."""
        return None if self.configuration_arn is None else self.configuration_arn.rpartition(":")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOutcome:
    """Facts about a listed job that AWS's JobSummary lacks."""

    is_status_reported: bool
    failures: int


class ChangeOrigin(Name):
    """What changed a job."""

    MESSAGE = "message"
    SYNC = "sync"
    """A row of AWS's answer to a sync."""
    IMPORT = "import"
    """A row of AWS's answer that a client has imported."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobChange:
    """A change of a job's reported status or namespace."""

    changed_at: datetime
    """The arrival of the message or row that caused it."""
    status: JobStatus | None
    """None if the job was deleted."""
    former_status: JobStatus | None
    """None if the job was not listed before."""
    namespace_id: str | None
    is_status_reported: bool
    """False for IN_PROGRESS if no message reported a status; an inferred completion is not a change."""
    origin: ChangeOrigin = ChangeOrigin.MESSAGE


@dataclass(frozen=True, slots=True, kw_only=True)
class Namespace:
    """A namespace, with counts of its jobs and executions."""

    namespace_id: str | None
    """None for the jobs without one."""
    jobs: Mapping[JobStatus, int]
    executions: Mapping[ExecutionState, int]
    last_change_at: datetime | None
    """When a message last changed one of its jobs."""
    activity: Sequence[int]
    """How often a batch of messages changed one of its jobs, in each of the last ACTIVITY_HOURS hours, oldest first."""


OTHER_NAMESPACES = "other"
"""The name for namespaces that are counted together; a namespace of this name is always one of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NamespaceCounts:
    """All jobs and executions, counted by namespace.

    "" is for jobs without one, OTHER_NAMESPACES for those that are not counted separately.
    """

    jobs: Mapping[str, Mapping[JobStatus, int]]
    executions: Mapping[str, Mapping[ExecutionState, int]]


ACTIVITY_HOURS = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """A thing and its executions."""

    thing_name: str
    executions: Mapping[ExecutionState, int]
    waiting_since: datetime | None
    """The least `waiting_since` of its pending executions."""
    last_heard_at: datetime | None
    """The greatest time in a message of it."""
    pending_lists: Mapping[str | None, datetime]
    """The time of the last complete list of its pending executions, by namespace (None: without one)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ThingGroupMember:
    """A thing of a thing group."""

    thing_name: str
    is_heard_of: bool
    """Whether a message, or a row of AWS's answers, has named an execution or a pending list of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ThingGroupMembers:
    """A page of the things of a thing group."""

    members: Sequence[ThingGroupMember]
    members_as_of: datetime | None
    """The group has had these things at this time, by AWS's clock; None if they were never listed completely."""
