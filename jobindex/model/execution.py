"""State of an execution: its attempts, the reports that name no attempt, and its deletions.

AWS queues an execution again after FAILED, TIMED_OUT or REMOVED, often within the same second, and its events have no
number. So a merge only takes maxima and unions, which no order or repetition changes; `attempts.py` assigns ends to
attempts on reading. Limits drop only elements with a fixed key, never the result of a comparison: otherwise the order
of arrival would show.
"""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from jobindex.model.jobs import EXECUTION_STATUS_RANK, JobExecutionStatus
from jobindex.model.reports import NO_NUMBER, UNTIMED, ExecutionReport

ATTEMPTS_MAXIMUM = 12
"""Attempts stored for an execution, those with the greatest keys: AWS retries ten times."""
ENDS_MAXIMUM = 24
"""Loose ends stored for an execution, those with the greatest keys."""

QUEUED_RANK = EXECUTION_STATUS_RANK[JobExecutionStatus.QUEUED]
IN_PROGRESS_RANK = EXECUTION_STATUS_RANK[JobExecutionStatus.IN_PROGRESS]
STATUS_OF_RANK = {rank: status for status, rank in EXECUTION_STATUS_RANK.items()}
NEVER = -2
"""The time of something that was never reported: less than UNTIMED."""
NO_VERSION = -1
"""The version number of a report without one: less than every other."""

AttemptKey = tuple[int, int]
"""The second of `queuedAt`, and the execution number or NO_NUMBER."""


class Details(NamedTuple):
    """The `statusDetails` of a report; clients see the greatest."""

    second: int
    rank: int
    version: int
    text: str
    is_cut: bool


class Loose(NamedTuple):
    """A report with a status but no `queuedAt`; its first five fields are its key."""

    second: int
    rank: int
    version: int
    is_event: bool
    number: int
    time: int
    """Milliseconds."""
    started_at: int
    details: Details | None

    @property
    def key(self) -> tuple[int, int, int, bool, int]:
        """The key."""
        return self[:5]


@dataclass(slots=True)
class Attempt:
    """One attempt, which AWS calls a job execution with an `executionNumber`."""

    second: int
    """The second of `queuedAt`; with the number, it is the key."""
    number: int
    queued_at: int
    """Milliseconds, the greatest in that second."""
    seen_at: int = UNTIMED
    """The second of the last sighting: of the last message that shows it QUEUED or IN_PROGRESS."""
    waited_at: int = UNTIMED
    """The second of the last sighting as QUEUED."""
    is_started: bool = False
    """Whether a sighting shows it IN_PROGRESS."""
    started_at: int = UNTIMED
    version: int = NO_VERSION
    updated_at: int = UNTIMED
    """Milliseconds: the greatest stamp."""
    details: Details | None = None
    end: Loose | None = None
    """The greatest end with the `queuedAt` of this attempt."""

    @property
    def key(self) -> AttemptKey:
        """The key; the greatest is current."""
        return self.second, self.number

    def merge(self, report: ExecutionReport, rank: int, details: Details | None) -> None:
        """Merge a report with the `queuedAt` of this attempt."""
        assert report.queued_at is not None  # noqa: S101 (the caller found the attempt by it)
        self.queued_at = max(self.queued_at, report.queued_at)
        if report.started_at is not None and report.started_at > self.started_at:
            self.started_at = report.started_at
        if report.version_number is not None and report.version_number > self.version:
            self.version = report.version_number
        self.updated_at = max(self.updated_at, report.time)
        if details is not None and (self.details is None or details > self.details):
            self.details = details
        if rank > IN_PROGRESS_RANK:
            end = _loose(report, rank, None)  # the details are the attempt's
            self.end = end if self.end is None else greater(end, self.end)
            return
        self.seen_at = max(self.seen_at, report.heard_at)
        if rank == QUEUED_RANK:
            self.waited_at = max(self.waited_at, report.heard_at)
        else:
            self.is_started = True

    def joined(self, other: "Attempt") -> "Attempt":
        """Return this attempt merged with the one of its second without a number."""
        details = [details for details in (self.details, other.details) if details is not None]
        return Attempt(
            self.second,
            self.number,
            max(self.queued_at, other.queued_at),
            max(self.seen_at, other.seen_at),
            max(self.waited_at, other.waited_at),
            self.is_started or other.is_started,
            max(self.started_at, other.started_at),
            max(self.version, other.version),
            max(self.updated_at, other.updated_at),
            max(details) if details else None,
            greater(self.end, other.end) if self.end and other.end else self.end or other.end,
        )


@dataclass(slots=True)
class Execution:
    """The stored state of an execution."""

    job_id: str
    thing_name: str
    attempts: dict[AttemptKey, Attempt] = field(default_factory=dict)
    ends: dict[tuple[int, int, int, bool, int], Loose] = field(default_factory=dict)
    """Loose, by key."""
    progress: dict[int, Loose] = field(default_factory=dict)
    """The greatest loose IN_PROGRESS of each number."""
    waiting: Loose | None = None
    """The greatest loose QUEUED."""
    deletions: dict[int, int] = field(default_factory=dict)
    """The second of the last `deleted` event of each number, or of NO_NUMBER."""
    thing_arn: str | None = None
    """The greatest ARN reported for the thing."""
    heard_at: int = UNTIMED
    """The greatest time in a report, in milliseconds."""

    def merge(self, report: ExecutionReport) -> None:
        """Merge a report."""
        self.heard_at = max(self.heard_at, report.time, report.heard_at * 1000)
        if report.thing_arn is not None and (self.thing_arn is None or report.thing_arn > self.thing_arn):
            self.thing_arn = report.thing_arn
        rank = EXECUTION_STATUS_RANK[report.status]
        if report.status is JobExecutionStatus.DELETED:
            deleted = NO_NUMBER if report.execution_number is None else report.execution_number
            self.deletions[deleted] = max(self.deletions.get(deleted, NEVER), report.time // 1000)
            _drop_least(self.deletions)
        elif report.queued_at is not None:
            self._merge_attempt(report, rank)
        else:
            self._merge_loose(_loose(report, rank, _details(report, rank)))

    def _merge_attempt(self, report: ExecutionReport, rank: int) -> None:
        assert report.queued_at is not None  # noqa: S101
        key = (report.queued_at // 1000, NO_NUMBER if report.execution_number is None else report.execution_number)
        attempt = self.attempts.get(key)
        if attempt is None:
            attempt = self.attempts[key] = Attempt(*key, queued_at=report.queued_at)
        attempt.merge(report, rank, _details(report, rank))
        if len(self.attempts) > ATTEMPTS_MAXIMUM:
            del self.attempts[min(self.attempts)]

    def _merge_loose(self, loose: Loose) -> None:
        if loose.rank == QUEUED_RANK:
            self.waiting = loose if self.waiting is None else greater(loose, self.waiting)
        elif loose.rank == IN_PROGRESS_RANK:
            known = self.progress.get(loose.number)
            self.progress[loose.number] = loose if known is None else greater(loose, known)
            _drop_least(self.progress)
        else:
            known = self.ends.get(loose.key)
            self.ends[loose.key] = loose if known is None else greater(loose, known)
            if len(self.ends) > ENDS_MAXIMUM:
                del self.ends[min(self.ends)]

    def known_attempts(self) -> list[Attempt]:
        """Return the attempts in order, the current one last.

        Reports without a number join the attempt of their second with the greatest number.
        """
        if len(self.attempts) == 1:
            return [*self.attempts.values()]
        known: list[Attempt] = []
        for key in sorted(self.attempts, reverse=True):
            attempt = self.attempts[key]
            if attempt.number == NO_NUMBER:  # the least key of its second, so `known` has the others
                of_second = [place for place, other in enumerate(known) if other.second == attempt.second]
                if of_second:
                    known[of_second[0]] = known[of_second[0]].joined(attempt)
                    continue
            known.append(attempt)
        return known[::-1]

    def ordered_ends(self) -> list[Loose]:
        """Return the loose ends in order."""
        return sorted(self.ends.values()) if len(self.ends) > 1 else [*self.ends.values()]

    def loose_pending(self) -> list[Loose]:
        """Return the loose QUEUED and IN_PROGRESS reports."""
        return [*self.progress.values()] if self.waiting is None else [*self.progress.values(), self.waiting]


def _drop_least(by_number: dict[int, Any]) -> None:
    if len(by_number) > ATTEMPTS_MAXIMUM + (NO_NUMBER in by_number):
        del by_number[min(number for number in by_number if number != NO_NUMBER)]


def greater(one: Loose, other: Loose) -> Loose:
    """Return the greater report, with the greatest start and details of both.

    AWS keeps `statusDetails` if an update has none.
    """
    first, second = (one, other) if one[:6] >= other[:6] else (other, one)
    details, started_at = first.details, first.started_at
    if second.details is not None and (details is None or second.details > details):
        details = second.details
    started_at = max(started_at, second.started_at)
    if details is first.details and started_at == first.started_at:
        return first
    return first._replace(details=details, started_at=started_at)


def _details(report: ExecutionReport, rank: int) -> Details | None:
    if report.status_details is None:
        return None
    version = NO_VERSION if report.version_number is None else report.version_number
    return Details(report.time // 1000, rank, version, report.status_details, report.is_details_cut)


def _loose(report: ExecutionReport, rank: int, details: Details | None) -> Loose:
    return Loose(
        # QUEUED and IN_PROGRESS are true at the time of the message, not only at that of the change.
        second=report.heard_at if rank <= IN_PROGRESS_RANK or report.time == UNTIMED else report.time // 1000,
        rank=rank,
        version=NO_VERSION if report.version_number is None else report.version_number,
        is_event=report.is_event,
        number=NO_NUMBER if report.execution_number is None else report.execution_number,
        time=report.time,
        started_at=UNTIMED if report.started_at is None else report.started_at,
        details=details,
    )
