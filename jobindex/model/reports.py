"""Reports: the facts in one message about a job, an execution, a pending list or a thing group.

None depends on an earlier message. Times are milliseconds since the epoch, but executions compare by the second, as in
AWS's lists. Not chosen: frozen dataclasses (seven times as slow to construct as tuples), and datetimes (each time would
be converted twice).
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from jobindex.errors import DataRefusedError
from jobindex.model.jobs import JobExecutionStatus, JobStatus

UNTIMED = -1
"""The time of a message without one: less than every other."""

MemberValue = str | int
"""A text, JSON as text, a number, milliseconds, or a flag as 0 or 1."""


class JobReport(NamedTuple):
    """A report of a job; each ExecutionReport comes with one, as its job must exist."""

    job_id: str
    time: int = UNTIMED
    """The time of its stamp in milliseconds: the first present of `lastUpdatedAt`, `timestamp`, `completedAt`,
    `startedAt`, `queuedAt` and `createdAt`."""
    members: Mapping[str, MemberValue] = {}
    """By register (`job.REGISTERS`)."""
    earliest_at: int = UNTIMED
    """The least of the stamp's time and the times reported of the job or its execution, without `timestamp`."""
    latest_at: int = UNTIMED
    """The greatest of them."""
    published_at: int = UNTIMED
    """The second at which a job event was published; UNTIMED for other messages."""
    ranked_as: str | None = None
    """The status whose rank its stamp has, if it reports none."""

    @property
    def status(self) -> JobStatus | None:
        """The status reported."""
        status = self.members.get("status")
        return None if status is None else JobStatus(str(status))


class JobDeletion(NamedTuple):
    """A job's `deleted` event."""

    job_id: str
    time: int = UNTIMED
    """Milliseconds: the greatest of `createdAt`, `completedAt` and `lastUpdatedAt`; without them `timestamp`."""
    published_at: int = UNTIMED
    """The second of its publication: of the greatest of all its times."""


class ExecutionReport(NamedTuple):
    """A report of an execution."""

    job_id: str
    thing_name: str
    status: JobExecutionStatus
    time: int = UNTIMED
    """The time of its stamp in milliseconds; UNTIMED if the state is older than `heard_at` by an unknown time."""
    heard_at: int = UNTIMED
    """The second of the message's `timestamp`, else of its stamp."""
    execution_number: int | None = None
    version_number: int | None = None
    queued_at: int | None = None
    started_at: int | None = None
    status_details: str | None = None
    """A JSON object of texts with sorted keys."""
    thing_arn: str | None = None
    is_event: bool = False
    """Whether an execution event reports it: AWS publishes events late."""
    is_details_cut: bool = False
    """Whether `status_details` lacks members that were too long to store."""


class ListEntry(NamedTuple):
    """The members of an entry that identify an attempt."""

    job_id: str
    queued_second: int
    """UNTIMED if the entry has no `queuedAt`."""
    execution_number: int
    """NO_NUMBER if the entry has none."""


class PendingListReport(NamedTuple):
    """The pending executions of a thing in a namespace or none; entries have reports of their own, too."""

    thing_name: str
    namespace_id: str | None
    listed_at: int
    """The second of the list's `timestamp`."""
    entries: frozenset[ListEntry] = frozenset()
    """Empty for a cut list."""
    last_entry: tuple[bool, int] | None = None
    """For a list that may be cut: whether its last entry is QUEUED, and the second of its `queuedAt`. None for a
    complete list."""


class ThingGroupReport(NamedTuple):
    """The name of a thing group, its id, or both, which ties them permanently."""

    thing_group_name: str | None = None
    thing_group_id: str | None = None


NO_NUMBER = -1
"""The execution number of an attempt without one: less than every other."""

Report = JobReport | JobDeletion | ExecutionReport | PendingListReport | ThingGroupReport

_KINDS = (JobReport, JobDeletion, ExecutionReport, PendingListReport, ThingGroupReport)
_NUMBERS = {kind: number for number, kind in enumerate(_KINDS)}


class Reports(list[Report]):
    """Reports that pickle as plain tuples, in a fifth of the time."""

    def __reduce__(self) -> tuple[object, ...]:
        return _reports, ([(_NUMBERS[type(report)], tuple(report)) for report in self],)


def _reports(pickled: Iterable[tuple[int, Iterable[Any]]]) -> Reports:
    return Reports(_KINDS[number]._make(members) for number, members in pickled)


class RejectedMessage(NamedTuple):
    """A rejected message, stored whole."""

    topic: str
    payload: bytes
    reason: str
    due_at: int | None = None
    """The time in milliseconds from which it can be applied, because its times are no longer too far ahead. None if
    never."""


def refusal(error: DataRefusedError) -> str:
    """Return the reason of data that the database refuses."""
    return f"the database refuses it: {error}"


def refused(topic: str, payload: bytes, error: DataRefusedError) -> RejectedMessage:
    """Return the rejected message for data that the database refuses."""
    return RejectedMessage(topic, payload, refusal(error))


Parsed = tuple[Report, ...] | RejectedMessage
"""The reports of a message, or the rejected message."""


def latest_time(parsed: Parsed) -> int:
    """Return the greatest time in a message's reports, in milliseconds; UNTIMED if there is none."""
    latest = UNTIMED
    if type(parsed) is not RejectedMessage:
        for report in parsed:
            if type(report) is JobReport:
                latest = max(latest, report.latest_at)
            elif type(report) is PendingListReport:
                latest = max(latest, report.listed_at * 1000)
            elif type(report) is JobDeletion:
                latest = max(latest, report.published_at * 1000)
    return latest
