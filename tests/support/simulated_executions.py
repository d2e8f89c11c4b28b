"""An ideal reader's knowledge of an execution, derived member by member from the simulation's own records.

The hard case is a message without executionNumber: it is about the attempt that was the last one when it was written,
and only the message's second indicates when that was.
"""

from collections.abc import Iterator
from functools import cached_property

from support.simulated_evidence import AttemptShown
from support.simulated_fleet import ACCOUNT
from support.simulated_knowledge import (
    Basis,
    Evidence,
    Fact,
    Key,
    Knowledge,
    Known,
    Match,
    Reason,
    Unknowable,
    after,
    may_be_after,
)
from support.simulated_truth import TrueAttempt

_MEMBERS = (
    "status",
    "executionNumber",
    "versionNumber",
    "queuedAt",
    "startedAt",
    "lastUpdatedAt",
    "statusDetails",
    "thingArn",
)


def execution_facts(evidence: Evidence, key: Key) -> Iterator[Fact]:
    """Yield the knowledge of all members of an execution, or only that there is none."""
    job_id, thing_name = key
    existence = _existence(evidence, key)
    yield Fact(job_id=job_id, thing_name=thing_name, member="exists", knowledge=existence)
    execution = evidence.fleet.executions.get(key)
    if execution is None:
        return
    reader = LastAttempt(evidence, execution.current)
    members = {
        "status": lambda: reader.status,
        "executionNumber": reader.number,
        "versionNumber": reader.version,
        "queuedAt": reader.queued_at,
        "startedAt": reader.started_at,
        "lastUpdatedAt": reader.last_updated_at,
        "statusDetails": reader.details,
        "thingArn": reader.thing_arn,
    }
    for member in _MEMBERS:
        knowledge = existence if isinstance(existence, Unknowable) else members[member]()
        yield Fact(job_id=job_id, thing_name=thing_name, member=member, knowledge=knowledge)
    for attempt in execution.attempts[:-1]:
        for member, knowledge in _former(evidence, attempt):
            if isinstance(existence, Unknowable):
                knowledge = existence  # noqa: PLW2901
            yield Fact(job_id=job_id, thing_name=thing_name, member=member, number=attempt.number, knowledge=knowledge)


def _existence(evidence: Evidence, key: Key) -> Knowledge:
    last = evidence.fleet.execution_lives[key][-1]
    if last.exists:
        shown = [shown for attempt in last.attempts for shown in evidence.of_attempt[attempt]]
        if not shown:
            return Unknowable(reason=Reason.NOT_NAMED)
        if evidence.moved_unseen(last.job):
            return Unknowable(reason=Reason.DELETION_NOT_SHOWN)
        if not evidence.shows_birth(last.job):
            return Unknowable(reason=Reason.BIRTH_NOT_SHOWN)
        if after(shown, evidence.last_wipe(last), lag=evidence.event_lag):
            return Known(value=True)
        return Unknowable(reason=Reason.REUSE_SECOND)
    if not evidence.of_key[key]:
        return Unknowable(reason=Reason.NOT_NAMED)
    deleted_at = max(evidence.wipes(last), default=None)
    if deleted_at is None:
        return Unknowable(reason=Reason.DELETION_NOT_SHOWN)
    if any(may_be_after(shown, deleted_at) for shown in evidence.of_key[key]):
        return Unknowable(reason=Reason.REUSE_SECOND)
    return Known(value=False)


class LastAttempt:
    """The evidence of the last attempt, and of others on the same thing for the same job id."""

    def __init__(self, evidence: Evidence, attempt: TrueAttempt) -> None:
        self.evidence = evidence
        self.attempt = attempt
        self.execution = attempt.execution
        self.queued_second = attempt.queued_at // 1000
        lives = evidence.fleet.execution_lives[self.execution.key]
        self.is_only_life = len(lives) == 1
        self.is_only_attempt = self.is_only_life and len(self.execution.attempts) == 1
        self.shown = after(evidence.of_attempt[attempt], evidence.last_wipe(self.execution), lag=evidence.event_lag)
        self.tight = [shown for shown in self.shown if self.is_tight(shown)]
        self.loose = [shown for shown in self.shown if not self.is_tight(shown)]
        self.foreign = [
            shown
            for shown in evidence.of_key[self.execution.key]
            if shown.attempt is not attempt
            and not shown.shows_queued_at
            and not (shown.is_numbered and shown.attempt.execution is self.execution)
        ]
        """The evidence of other attempts in messages that do not identify their attempt."""

    @cached_property
    def status(self) -> Knowledge:
        """The knowledge of the status, on which most other members depend."""
        if not self.shown:
            return Unknowable(reason=Reason.LAST_ATTEMPT_NOT_SHOWN)
        return self._pending_status() if self.attempt.is_pending else self._ended_status()

    def number(self) -> Knowledge:
        """Return the knowledge of executionNumber."""
        if not any(shown.is_numbered for shown in self.shown):
            return Unknowable(reason=Reason.NUMBER_NOT_SHOWN)
        return self._if_status_known(self.attempt.number)

    def version(self) -> Knowledge:
        """Return the knowledge of versionNumber."""
        shown = [shown for shown in self.shown if shown.version == self.attempt.version]
        if not shown:
            return Unknowable(reason=Reason.VERSION_NOT_SHOWN)
        if self._is_mixed("version") or not self._any_stated(shown):
            return Unknowable(reason=Reason.RETRY_SECOND)
        return self._if_status_known(self.attempt.version)

    def queued_at(self) -> Knowledge:
        """Return the knowledge of queuedAt."""
        if not self.queue_time_shown:
            return Unknowable(reason=Reason.NUMBER_NOT_SHOWN)
        return self._if_status_known(self.attempt.queued_at, Match.SAME_SECOND)

    def started_at(self) -> Knowledge:
        """Return the knowledge of startedAt."""
        if self.attempt.started_at is None and self.attempt.status == "QUEUED":
            return self._if_status_known(None)
        if not any(shown.shows_start for shown in self.shown):
            return Unknowable(reason=Reason.START_NOT_SHOWN)
        return self._if_status_known(self.attempt.started_at, Match.SAME_SECOND)

    def last_updated_at(self) -> Knowledge:
        """Return the knowledge of lastUpdatedAt."""
        attempt = self.attempt
        last = [
            shown for shown in self.shown if shown.status == attempt.status and shown.version in {attempt.version, None}
        ]
        if not last:
            return Unknowable(reason=Reason.VERSION_NOT_SHOWN if attempt.is_pending else Reason.END_NOT_SHOWN)
        if self.evidence.event_lag and not any(shown.shows_queued_at for shown in last):
            return Unknowable(reason=Reason.PUBLICATION_TIME)
        if self._is_mixed("any") or not self._any_stated(last):
            return Unknowable(reason=Reason.RETRY_SECOND)
        return self._if_status_known(attempt.last_updated_at, Match.SAME_SECOND)

    def details(self) -> Knowledge:
        """Return the knowledge of statusDetails."""
        changes = self.attempt.details_changes
        shown = [each for each in self.shown if each.details is not None and each.details_changes == changes]
        if not shown and (changes or not self.queue_time_shown):
            return Unknowable(reason=Reason.DETAILS_NOT_SHOWN)
        if self._is_mixed("details") or (changes and not self._any_stated(shown)):
            return Unknowable(reason=Reason.RETRY_SECOND)
        return self._if_status_known({**self.attempt.details})

    def thing_arn(self) -> Knowledge:
        """Return the knowledge of thingArn."""
        of_life = [shown for attempt in self.execution.attempts for shown in self.evidence.of_attempt[attempt]]
        of_life = after(of_life, self.evidence.last_wipe(self.execution), lag=self.evidence.event_lag)
        if not any(shown.shows_thing_arn for shown in of_life):
            return Unknowable(reason=Reason.EVENT_NOT_SHOWN)
        return Known(value=f"arn:aws:iot:{ACCOUNT}:thing/{self.execution.thing_name}")

    def is_tight(self, shown: AttemptShown) -> bool:
        """Return whether a message identifies the attempt that it shows."""
        return shown.shows_queued_at or (shown.is_numbered and self.is_only_life)

    @property
    def queue_time_shown(self) -> bool:
        """Whether a message carries the attempt's queuedAt, which distinguishes it from other attempts."""
        return any(shown.shows_queued_at for shown in self.shown)

    @property
    def all_ends_shown(self) -> bool:
        """Whether a reader that counts distinct end events finds one for each attempt that ended."""
        return self.is_only_life and all(
            any(not shown.is_pending and shown.shows_thing_arn for shown in self.evidence.of_attempt[attempt])
            for attempt in self.execution.attempts
            if not attempt.is_pending
        )

    @property
    def has_equal_ends(self) -> bool:
        """Whether events of two attempts differ only in their eventId."""
        ends = [
            (shown.at, shown.status, shown.attempt.number)
            for attempt in self.execution.attempts
            for shown in self.evidence.of_attempt[attempt]
            if not shown.is_pending and shown.shows_thing_arn and not shown.is_numbered
        ]
        return len({(at, status) for at, status, _ in ends}) < len({*ends})

    def _if_status_known(self, value: object, match: Match = Match.EQUAL) -> Knowledge:
        if isinstance(self.status, Unknowable):
            return self.status
        return Known(value=value, basis=self.status.basis, match=match)

    def belongs(self, shown: AttemptShown) -> Basis | None:
        """Return the basis on which a reader attributes a message without number or queuedAt to the last attempt."""
        if self.is_only_attempt:
            return Basis.STATED
        if not self.queue_time_shown:
            return Basis.STATED if all(other.at < shown.at for other in self.foreign) else None
        if shown.at > self.queued_second + (self.evidence.event_lag if shown.shows_thing_arn else 0):
            return Basis.STATED
        return Basis.SUCCESSION if not shown.is_pending and self.all_ends_shown else None

    def _any_stated(self, shown: list[AttemptShown]) -> bool:
        return any(self.is_tight(each) or self.belongs(each) is Basis.STATED for each in shown)

    def _is_mixed(self, member: str) -> bool:
        """Return whether an unnumbered message shows this member of another attempt since the last one was queued."""
        return any(
            shown.at >= self.queued_second
            and (member == "any" or (shown.version is not None if member == "version" else bool(shown.details)))
            for shown in self.foreign
        )

    def _pending_status(self) -> Knowledge:
        status = self.attempt.status
        shown = [each for each in self.shown if each.status == status]
        if not shown:
            return Unknowable(reason=Reason.START_NOT_SHOWN)
        if not self._any_stated(shown):
            return Unknowable(reason=Reason.RETRY_SECOND)
        pending = [each.at for each in self.shown if each.is_pending and each.shows_queued_at]
        last_pending_at = max(pending, default=0)
        for left_out in self._lists_without():
            if last_pending_at <= left_out:
                return Unknowable(reason=Reason.STALE_LIST)
        basis = Basis.STATED
        for other in self.foreign:
            harmless = other.is_pending and status == "IN_PROGRESS"
            if other.at < self.queued_second or other.at + self.evidence.list_lag < last_pending_at or harmless:
                continue
            if other.attempt.execution is not self.execution:
                return Unknowable(reason=Reason.REUSE_SECOND)
            if other.is_pending or not self.all_ends_shown:
                return Unknowable(reason=Reason.RETRY_SECOND)
            basis = Basis.SUCCESSION
        return Known(value=status, basis=basis)

    def _ended_status(self) -> Knowledge:
        status = self.attempt.status
        ends = [shown for shown in self.shown if shown.status == status]
        if any(self.is_tight(shown) for shown in ends):
            return Known(value=status)
        if not ends:
            return self._absent_status()
        bases = [self.belongs(shown) for shown in ends]
        basis = Basis.STATED if Basis.STATED in bases else Basis.SUCCESSION if Basis.SUCCESSION in bases else None
        if basis is None:
            return Unknowable(reason=Reason.RETRY_SECOND)
        ended_at = max(shown.at for shown in ends)
        for other in self.foreign:
            if other.is_pending or other.at < ended_at or other.status == status:
                continue
            if other.attempt.execution is not self.execution:
                return Unknowable(reason=Reason.REUSE_SECOND)
            return Unknowable(reason=Reason.RETRY_SECOND)
        return Known(value=status, basis=basis)

    def _absent_status(self) -> Knowledge:
        """Return that the attempt ended, if a complete list omits it; no message shows its final status."""
        lists = [at for at in self._lists_without() if at > self.queued_second + self.evidence.list_lag]
        if not self.queue_time_shown or not lists:
            return Unknowable(reason=Reason.END_NOT_SHOWN)
        if any(shown.is_pending and shown.at > max(lists) for shown in self.shown):
            return Unknowable(reason=Reason.STALE_LIST)
        return Known(value="ended", match=Match.ENDED)

    def _lists_without(self) -> list[int]:
        """Return the seconds of complete lists after the queuing that omit the attempt."""
        lists = self.evidence.lists[self.execution.thing_name, self.execution.job.namespace_id]
        return [each.at for each in lists if each.at > self.queued_second and self.attempt not in each.attempts]


def _former(evidence: Evidence, attempt: TrueAttempt) -> Iterator[tuple[str, Knowledge]]:
    """Yield the knowledge of a former attempt's status and statusDetails."""
    reader = LastAttempt(evidence, attempt)
    attempts = attempt.execution.attempts
    following = attempts[attempts.index(attempt) + 1]
    ends = [shown for shown in reader.shown if not shown.is_pending]
    yield "attempt status", _former_status(reader, ends, following)
    with_details = [shown for shown in ends if shown.details is not None]
    if ends and not with_details:
        yield "attempt statusDetails", Unknowable(reason=Reason.DETAILS_NOT_SHOWN)
        return
    status = _former_status(reader, with_details, following)
    if isinstance(status, Unknowable):
        yield "attempt statusDetails", status
    else:
        yield "attempt statusDetails", Known(value={**attempt.details}, basis=status.basis)


def _former_status(reader: LastAttempt, ends: list[AttemptShown], following: TrueAttempt) -> Knowledge:
    """Return the knowledge of an attempt's status from messages of its end."""
    attempt, attempts = reader.attempt, reader.execution.attempts
    if not ends:
        return Unknowable(reason=Reason.END_NOT_SHOWN)
    if any(reader.is_tight(shown) for shown in ends):
        return Known(value=attempt.status)
    if reader.has_equal_ends:
        return Unknowable(reason=Reason.SAME_SECOND_ENDS)
    if not any(shown.shows_queued_at for shown in reader.evidence.of_attempt[following]):
        return Unknowable(reason=Reason.NUMBER_NOT_SHOWN)
    is_first = reader.is_only_life and attempt is attempts[0]
    in_time = [shown for shown in ends if shown.at < following.queued_at // 1000]
    if any(is_first or (reader.queue_time_shown and reader.belongs(shown) is Basis.STATED) for shown in in_time):
        return Known(value=attempt.status)
    in_order = all(
        end.at < other.at if other.attempt.number > attempt.number else end.at > other.at
        for end in ends
        for other in reader.foreign
        if not other.is_pending
    )
    if reader.all_ends_shown and in_order:
        return Known(value=attempt.status, basis=Basis.SUCCESSION)
    return Unknowable(reason=Reason.RETRY_SECOND)
