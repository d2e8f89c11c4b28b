"""Reports: what one message says of a job, an execution, a thing's pending list or a thing group.

Reports are merged, never replayed: the index is a function of the set of reports received, so each carries the time
of its message, and none depends on the one before it. Times are integers: a job's in milliseconds since the epoch,
an execution's in milliseconds, too, where it shows them, and in seconds where it compares them, as AWS's lists know
nothing finer. A report is sparse: it has no member for what its message leaves out.

Not chosen: frozen dataclasses (one takes seven times as long to make as a tuple), and datetimes (made twice for each
time: to parse it and to store it).
"""

from collections.abc import Mapping
from typing import NamedTuple

from jobindex.model.jobs import JobExecutionStatus, JobStatus

UNTIMED = -1
"""The time of a message without any: less than every other."""

MemberValue = str | int
"""A member's value: text, JSON as text, a number, milliseconds, or 0 and 1."""


class JobReport(NamedTuple):
    """What a message reports of a job; a report of an execution comes with one, as its job exists."""

    job_id: str
    time: int = UNTIMED
    """The time of its stamp in milliseconds: the first present of `lastUpdatedAt`, `timestamp`, `completedAt`,
    `startedAt`, `queuedAt` and `createdAt`."""
    members: Mapping[str, MemberValue] = {}
    """The values reported, by the name of their register (`job.REGISTERS`)."""
    earliest_at: int = UNTIMED
    """The least of the stamp's time and the times reported of the job or its execution, without `timestamp`."""
    latest_at: int = UNTIMED
    """The greatest of them."""
    published_at: int = UNTIMED
    """The second at which a job event was published; UNTIMED for every other message."""

    @property
    def status(self) -> JobStatus | None:
        """The status reported, or None."""
        status = self.members.get("status")
        return None if status is None else JobStatus(str(status))


class JobDeletion(NamedTuple):
    """A job's `deleted` event."""

    job_id: str
    time: int = UNTIMED
    """The greatest time inside in milliseconds: of `createdAt`, `completedAt` and `lastUpdatedAt`; `timestamp` only
    without them."""
    published_at: int = UNTIMED
    """The second of its publication: of the greatest of all its times."""


class ExecutionReport(NamedTuple):
    """What a message reports of the execution of a job on a thing."""

    job_id: str
    thing_name: str
    status: JobExecutionStatus
    time: int = UNTIMED
    """The time of its stamp in milliseconds; UNTIMED if its state was reached at some time before `heard_at`."""
    heard_at: int = UNTIMED
    """The second of the message's `timestamp`, else of its stamp."""
    execution_number: int | None = None
    version_number: int | None = None
    queued_at: int | None = None
    started_at: int | None = None
    status_details: str | None = None
    """A JSON object of texts with sorted keys; None if there are none."""
    thing_arn: str | None = None
    is_event: bool = False
    """Whether an execution event reports it: events are published late."""
    is_details_cut: bool = False
    """Whether `status_details` lacks members that were too long to keep."""


class ListEntry(NamedTuple):
    """An entry of a pending list, as far as it identifies an attempt."""

    job_id: str
    queued_second: int
    """UNTIMED if the entry has no `queuedAt`."""
    execution_number: int
    """NO_NUMBER if the entry has none."""


class PendingListReport(NamedTuple):
    """The pending executions of a thing, in a namespace or in none, as listed at a second.

    The entries are reports of their own, too; here they say what the list leaves out.
    """

    thing_name: str
    namespace_id: str | None
    listed_at: int
    """The second of the list's `timestamp`."""
    entries: frozenset[ListEntry] = frozenset()
    """Empty for a cut list."""
    last_entry: tuple[bool, int] | None = None
    """Of a list that may be cut: whether its last entry is QUEUED, and the second of its `queuedAt`. None for a
    complete list."""


class ThingGroupReport(NamedTuple):
    """A message named a thing group: by name, by id, or by both, which ties them for good."""

    thing_group_name: str | None = None
    thing_group_id: str | None = None


NO_NUMBER = -1
"""The execution number of an attempt without one: less than every other."""

Report = JobReport | JobDeletion | ExecutionReport | PendingListReport | ThingGroupReport


class RejectedMessage(NamedTuple):
    """A message that could not be understood, kept whole, with the reason."""

    topic: str
    payload: bytes
    reason: str
    due_at: int | None = None
    """When it can be applied, in milliseconds: its times are too far ahead until then. None if never."""


Told = tuple[Report, ...] | RejectedMessage
"""The reports of a message, or the rejected message."""
