"""The certainty of an ideal reader's knowledge, and the evidence about a fleet, sorted by subject.

The reader has the delivered messages as a set: their order, repetition and time of arrival give no information.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import Enum, StrEnum, auto

from support.simulated_aws import SimulatedFleet
from support.simulated_evidence import AttemptShown, ExecutionDeletionShown, JobShown, ListShown, Message
from support.simulated_truth import TrueAttempt, TrueExecution, TrueJob

Key = tuple[str, str]


class Reason(StrEnum):
    """Why a member cannot be known."""

    NOT_NAMED = "no message names it"
    DELETION_NOT_SHOWN = "no message shows its deletion"
    REUSE_SECOND = "deleted and made again in one second, or too close for the messages' times"
    RETRY_SECOND = "a message without number could belong to the attempt before or after"
    LAST_ATTEMPT_NOT_SHOWN = "no message shows the last attempt"
    START_NOT_SHOWN = "no message shows the start"
    END_NOT_SHOWN = "no message shows the end"
    NUMBER_NOT_SHOWN = "no message with the number shows the attempt"
    VERSION_NOT_SHOWN = "no message shows the last version"
    DETAILS_NOT_SHOWN = "no message shows the last statusDetails"
    EVENT_NOT_SHOWN = "no event of it was delivered"
    MEMBER_NOT_SHOWN = "no message carries the member"
    COMPLETION_UNSAID = "all its known executions ended, and no event would say whether it did"
    COUNTS_CHANGED = "the counts changed after the event"
    PUBLICATION_TIME = "the only time is that of the event's publication"
    BIRTH_NOT_SHOWN = "an id used again is named, surely later than the deletion, only without createdAt and queuedAt"
    SAME_SECOND_ENDS = "two events of one second tell of the same end, but for their eventId"
    STALE_LIST = "a list later than its content contradicts"


class Basis(Enum):
    """The evidence that a reader needs to know a member."""

    STATED = auto()
    """Numbers, versions and times of the messages."""
    SUCCESSION = auto()
    """Also the count of distinct events: a second attempt exists, so the only end event is the first one's."""
    SILENCE = auto()
    """Also the absence of an event, in a fleet with such events turned on."""


class Match(Enum):
    """The rule for right answers."""

    EQUAL = auto()
    SAME_SECOND = auto()
    """A time, in milliseconds, of the same second."""
    ENDED = auto()
    """Any status that is not pending."""
    NOT_LATER = auto()
    NONE_OR_EQUAL = auto()
    """No message reports the value, but a former job with the same id had another one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """The reader can know the true value."""

    value: object
    basis: Basis = Basis.STATED
    match: Match = Match.EQUAL

    def accepts(self, answer: object) -> bool:
        """Return whether an answer is right."""
        match self.match:
            case Match.EQUAL:
                return answer == self.value
            case Match.SAME_SECOND:
                return isinstance(answer, int) and isinstance(self.value, int) and answer // 1000 == self.value // 1000
            case Match.ENDED:
                return answer not in {"QUEUED", "IN_PROGRESS"}
            case Match.NOT_LATER:
                return answer is None or (
                    isinstance(answer, int) and isinstance(self.value, int) and answer <= self.value
                )
            case Match.NONE_OR_EQUAL:
                return answer is None or answer == self.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknowable:
    """The reader cannot know it."""

    reason: Reason


Knowledge = Known | Unknowable


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """The knowledge of one member of a job or an execution."""

    job_id: str
    thing_name: str | None
    """None for a member of a job."""
    member: str
    """AWS's name; `exists` for the whole, `attempt status` and `attempt statusDetails` for a former attempt."""
    number: int | None = None
    """The execution number of a former attempt."""
    knowledge: Knowledge


class Evidence:
    """The evidence in the delivered messages, by subject."""

    def __init__(self, fleet: SimulatedFleet, messages: Iterable[Message] | None = None) -> None:
        came: Collection[Message] | None = None if messages is None else {*messages}
        self.fleet = fleet
        self.event_lag = 3 if fleet.switches.event_time_is_publication else 0
        """The maximum delay of an event's time after the change, in seconds."""
        self.list_lag = 2 if fleet.switches.stale_lists else 0
        self.of_key: defaultdict[Key, list[AttemptShown]] = defaultdict(list)
        self.of_attempt: defaultdict[TrueAttempt, list[AttemptShown]] = defaultdict(list)
        self.of_job: defaultdict[TrueJob, list[JobShown]] = defaultdict(list)
        self.executions_of_job: defaultdict[TrueJob, list[AttemptShown]] = defaultdict(list)
        self.lists: defaultdict[tuple[str, str | None], list[ListShown]] = defaultdict(list)
        self.deletions: defaultdict[TrueExecution, list[int]] = defaultdict(list)
        """The seconds of an execution's own deletion events."""
        for published in fleet.published:
            if came is not None and published.message not in came:
                continue
            for shown in published.shown:
                self._sort(shown)

    def _sort(self, shown: AttemptShown | ListShown | JobShown | ExecutionDeletionShown) -> None:
        match shown:
            case AttemptShown():
                self.of_key[shown.attempt.execution.key].append(shown)
                self.of_attempt[shown.attempt].append(shown)
                self.executions_of_job[shown.attempt.execution.job].append(shown)
            case ListShown():
                self.lists[shown.thing_name, shown.namespace_id].append(shown)
            case JobShown():
                self.of_job[shown.job].append(shown)
            case ExecutionDeletionShown():
                self.deletions[shown.execution].append(shown.at)

    def job_deletions(self, job: TrueJob) -> list[int]:
        """Return the seconds of the events of a job's deletion."""
        return [shown.at for shown in self.of_job[job] if shown.operation == "deleted"]

    def shows_job_events(self, at: int) -> bool:
        """Return whether messages show that job events were turned on at this second."""
        return any(shown.at <= at for events in self.of_job.values() for shown in events)

    def shows_birth(self, job: TrueJob) -> bool:
        """Return whether the time of a job's creation is known, if its id was deleted before."""
        deleted_at = self.last_job_deletion(job)
        if deleted_at is None or self.of_job[job]:
            return True
        return any(
            shown.shows_queued_at and is_after(shown, deleted_at, lag=self.event_lag)
            for shown in self.executions_of_job[job]
        )

    def wipes(self, execution: TrueExecution) -> list[int]:
        """Return the seconds of the events of an execution's deletion, its own or its job's."""
        return self.deletions[execution] + self.job_deletions(execution.job)

    def last_wipe(self, execution: TrueExecution) -> int | None:
        """Return the second of the last deletion before an execution: of a former one, or of a job with the same id."""
        lives = self.fleet.execution_lives[execution.key]
        wipes = [at for life in lives[: lives.index(execution)] for at in self.wipes(life)]
        deleted_at = self.last_job_deletion(execution.job)
        return max(wipes if deleted_at is None else [*wipes, deleted_at], default=None)

    def last_job_deletion(self, job: TrueJob) -> int | None:
        """Return the second of the last deletion of a former job with the same id."""
        jobs = self.fleet.job_lives[job.job_id]
        return max((at for former in jobs[: jobs.index(job)] for at in self.job_deletions(former)), default=None)

    def moved_unseen(self, job: TrueJob) -> bool:
        """Return whether a former job with this id had another namespace, and no message shows its deletion."""
        jobs = self.fleet.job_lives[job.job_id]
        return any(
            former.namespace_id != job.namespace_id
            and (self.executions_of_job[former] or self.of_job[former])
            and not self.job_deletions(former)
            for former in jobs[: jobs.index(job)]
        )


def after(shown: Iterable[AttemptShown], deleted_at: int | None, *, lag: int) -> list[AttemptShown]:
    """Return the messages that certainly show attempts after a deletion.

    `lag` is the maximum delay of an event's time after the change, in seconds. If one message shows a later attempt,
    the others with the same number and queuedAt show it, too.
    """
    shown = [*shown]
    if deleted_at is None:
        return shown
    later = {id(each) for each in shown if is_after(each, deleted_at, lag=lag)}
    named = {each.attempt for each in shown if each.shows_queued_at and id(each) in later}
    return [each for each in shown if id(each) in later or (each.shows_queued_at and each.attempt in named)]


def is_after(shown: AttemptShown, deleted_at: int, *, lag: int) -> bool:
    """Return whether a message certainly shows an attempt after a deletion in this second."""
    if shown.shows_queued_at and shown.attempt.queued_at // 1000 > deleted_at:
        return True
    if shown.shows_thing_arn:
        return shown.at > deleted_at + lag
    return shown.at > deleted_at and (shown.is_pending or not shown.shows_queued_at)


def may_be_after(shown: AttemptShown, deleted_at: int) -> bool:
    """Return whether a message may show an attempt after a deletion in this second."""
    return shown.at > deleted_at or (shown.shows_queued_at and shown.attempt.queued_at // 1000 >= deleted_at)
