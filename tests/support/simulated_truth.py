"""The states of AWS's jobs and their transitions: the values by which an index is judged.

Times are whole milliseconds since the epoch. The rules come from the developer guide's "Jobs and job execution states",
and from live AWS as captured by MiniStack's authors (retries, rejoining things, order of deletion).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

PENDING_STATUSES = frozenset({"QUEUED", "IN_PROGRESS"})
RETRIED_STATUSES = frozenset({"FAILED", "TIMED_OUT"})


@dataclass(slots=True, kw_only=True, eq=False)
class TrueAttempt:
    """One execution number of a job on a thing."""

    execution: "TrueExecution"
    number: int
    queued_at: int
    last_updated_at: int
    status: str = "QUEUED"
    version: int = 1
    started_at: int | None = None
    ended_at: int | None = None
    details: Mapping[str, str] = field(default_factory=dict)
    """The statusDetails."""
    details_changes: int = 0
    """The number of times the statusDetails were replaced."""

    @property
    def is_pending(self) -> bool:
        """Whether AWS lists the attempt as pending."""
        return self.status in PENDING_STATUSES and self.execution.exists


@dataclass(slots=True, kw_only=True, eq=False)
class TrueExecution:
    """The execution of a job on a thing, from its first attempt until it is deleted."""

    job: "TrueJob"
    thing_name: str
    attempts: list[TrueAttempt] = field(default_factory=list)
    retry_due: bool = False
    """AWS will queue another attempt."""
    deleted_at: int | None = None

    @property
    def current(self) -> TrueAttempt:
        """The last attempt, which DescribeJobExecution returns without an executionNumber."""
        return self.attempts[-1]

    @property
    def exists(self) -> bool:
        """Whether AWS still has it."""
        return self.deleted_at is None and self.job.deleted_at is None

    @property
    def key(self) -> tuple[str, str]:
        """The job id and the thing name."""
        return self.job.job_id, self.thing_name


@dataclass(slots=True, kw_only=True, eq=False)
class TrueJob:
    """A job, from its creation until it is deleted; other jobs may have its id before and after."""

    job_id: str
    namespace_id: str | None
    target_selection: str
    targets: tuple[str, ...]
    group_name: str | None
    description: str
    document: Mapping[str, object]
    retries: int
    created_at: int
    last_updated_at: int
    status: str = "IN_PROGRESS"
    completed_at: int | None = None
    comment: str | None = None
    reason_code: str | None = None
    deleted_at: int | None = None
    rollouts_due: int = 0
    """Things among its targets whose execution is not queued yet."""
    executions: dict[str, TrueExecution] = field(default_factory=dict)
    """By thing name, existing executions only."""
    numbers: dict[str, int] = field(default_factory=dict)
    """The last execution number of each thing."""

    def process_details(self) -> dict[str, int]:
        """Return `jobProcessDetails` as AWS counts them: attempts, not things."""
        statuses = [attempt.status for execution in self.executions.values() for attempt in execution.attempts]
        names = {"CANCELED": "Canceled", "REJECTED": "Rejected", "FAILED": "Failed", "REMOVED": "Removed"}
        names |= {"SUCCEEDED": "Succeeded", "TIMED_OUT": "TimedOut"}
        return {f"numberOf{name}Things": statuses.count(status) for status, name in names.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetSwitches:
    """The features of AWS, the broker and the reader's subscription in one fleet."""

    events: bool
    """JOB and JOB_EXECUTION events are turned on."""
    lists: bool
    answers: bool
    """The fleet has its own broker, which shows the answers to the things' requests."""
    event_details: bool
    """Events of executions carry statusDetails."""
    numbered_events: bool
    """Events of executions carry executionNumber."""
    event_time_is_publication: bool
    """An event's `timestamp` is the time of its publication, not of the change."""
    deletion_moves_last_updated: bool
    """A `deleted` event's lastUpdatedAt is the time of the deletion."""
    canceled_event_is_full: bool
    """A `canceled` event carries comment, reasonCode and jobProcessDetails."""
    stale_lists: bool
    """A list's `timestamp` may be up to two seconds later than its content."""
    lists_on_start: bool
    """A list is published when an execution starts; sources disagree."""
    events_from: int
    """Events were turned on at this time."""
    reader_from: int
    """The reader subscribed at this time."""


class FleetObserver(Protocol):
    """Receives each change at its moment, when the fleet's state can be read."""

    def queue_changed(self, thing_name: str, namespace_id: str | None, *, at: int, started: bool = False) -> None:
        """An execution became pending, ceased to be pending, or only started."""

    def job_changed(self, job: TrueJob, operation: str, *, at: int) -> None:
        """A job changed in a way for which AWS has an event."""

    def execution_ended(self, attempt: TrueAttempt, operation: str, *, at: int) -> None:
        """An execution ended, or was deleted."""

    def group_changed(self, group_name: str, operation: str, *, at: int) -> None:
        """A thing group was created or updated."""

    def update_requested(self, attempt: TrueAttempt, *, at: int, accepted: bool) -> None:
        """A thing updated an execution, or tried to."""

    def start_requested(self, attempt: TrueAttempt, *, at: int) -> None:
        """A thing started its next execution."""

    def execution_requested(self, attempt: TrueAttempt, *, at: int) -> None:
        """A thing requested one of its executions."""

    def pending_requested(self, thing_name: str, *, at: int) -> None:
        """A thing requested its pending executions."""
