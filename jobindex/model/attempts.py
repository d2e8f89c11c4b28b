"""Attempts of an execution: the current one, and the outcome of each.

Events and answers to `update` do not name an attempt. Ends go to earlier attempts first, in order; the rest belong to
the current one. A pending list may leave it out (`lists.py`); a `deleted` event removes the execution, unless it was
sighted or ended later. Times compare by the second, as in AWS's lists.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from jobindex.model.execution import (
    IN_PROGRESS_RANK,
    NEVER,
    STATUS_OF_RANK,
    Attempt,
    AttemptKey,
    Details,
    Execution,
    Loose,
)
from jobindex.model.jobs import EXECUTION_STATUS_RANK, JobExecutionStatus
from jobindex.model.lists import Lists
from jobindex.model.lives import FIRST_LIFE, Life
from jobindex.model.reports import NO_NUMBER, UNTIMED
from jobindex.model.views import PENDING, ExecutionState

LATE_SECONDS = 5
"""AWS publishes an event at most this much later than its change."""
_AGAIN = frozenset(
    EXECUTION_STATUS_RANK[status]
    for status in (JobExecutionStatus.FAILED, JobExecutionStatus.TIMED_OUT, JobExecutionStatus.REMOVED)
)
"""After these ends AWS queues the next attempt at once."""


class AttemptView(NamedTuple):
    """An attempt as clients see it; times in milliseconds, None if unknown."""

    key: AttemptKey | None
    """None if no attempt of the execution is known."""
    state: ExecutionState
    execution_number: int | None
    version_number: int | None
    queued_at: int | None
    started_at: int | None
    last_updated_at: int | None
    ended_at: int | None
    details: Details | None


class ExecutionView(NamedTuple):
    """An execution as clients see it."""

    current: AttemptView
    former: Sequence[AttemptView]
    """The earlier attempts, latest first."""
    seen_at: int | None
    """The second of the last sighting of the current attempt."""
    waiting_since: int | None
    """Milliseconds; None if it has ended, or if no time is known."""
    is_left_out: bool
    """Whether only a pending list reports that it has ended."""


_Dealt = dict[bool, dict[float, Loose]]
"""The ends of earlier attempts by the index of the attempt, for events (True) and answers (False)."""


_NOTHING_DEALT: _Dealt = {True: {}, False: {}}


@dataclass(slots=True)
class _Known:
    """The reports that count in one life of the job."""

    job_id: str
    attempts: Sequence[Attempt]
    ends: Sequence[Loose]
    """Loose, in order."""
    pending: Sequence[Loose]
    """Loose QUEUED and IN_PROGRESS reports."""
    deletions: Mapping[int, int]
    """The second of the last `deleted` event of each number."""
    published_at: int
    """The second of the deletion before this life; NEVER if there was none."""

    def deleted_at(self, number: int) -> int:
        return max((at for other, at in self.deletions.items() if other == NO_NUMBER or other >= number), default=NEVER)


def view(execution: Execution, life: Life, lists: Lists | None) -> ExecutionView | None:
    """Return an execution in a life of its job; None if it was deleted or no report counts.

    `lists` are those of its thing in its job's namespace.
    """
    known = _known(execution, life)
    if known.attempts:
        return _view_attempts(known, lists)
    if known.ends or known.pending:
        return _view_without_attempts(known, lists)
    return None


def _known(execution: Execution, life: Life) -> _Known:
    attempts, ends, pending = execution.known_attempts(), execution.ordered_ends(), execution.loose_pending()
    deletions: Mapping[int, int] = execution.deletions
    if life is not FIRST_LIFE:
        since = life.since
        attempts = [attempt for attempt in attempts if attempt.second >= since]
        ends = [end for end in ends if end.second >= since]
        pending = [loose for loose in pending if loose.second >= since]
        deletions = {number: at for number, at in deletions.items() if life.counts_deletion(at)}
    return _Known(execution.job_id, attempts, ends, pending, deletions, life.deletions.published_at)


def _view_attempts(known: _Known, lists: Lists | None) -> ExecutionView | None:
    current = known.attempts[-1]
    dealt, ends, own, pending, is_started = _NOTHING_DEALT, known.ends, known.ends, known.pending, current.is_started
    if ends:
        dealt = _deal_all(known)
        ends = [end for end in ends if _can_be_of(end, current)]
        taken = [end for of_kind in dealt.values() for end in of_kind.values()]
        own = [end for end in ends if end not in taken] if taken else ends
    if pending:
        pending = [loose for loose in pending if _can_be_of(loose, current) and loose.second >= current.waited_at]
        is_started = is_started or any(loose.rank == IN_PROGRESS_RANK for loose in pending)
    end = current.end
    if (
        end is None
        and own
        and own[-1].second + _grace(known, dealt[own[-1].is_event], own[-1].second) >= current.seen_at
    ):
        end = own[-1]
    is_left_out = (
        end is None
        and lists is not None
        and lists.leave_out(
            known.job_id, current.second, current.number, seen_at=current.seen_at, is_started=is_started
        )
    )
    if is_left_out and own:
        end = own[-1]
    elif is_left_out and ends and ends[-1].second > current.second:
        end = ends[-1]  # assigned to an earlier attempt, but the only end since this attempt was queued
    if known.deletions:
        last_seconds = [one.second for one in (current.end, *own[-1:]) if one is not None]
        if _is_deleted(known, dealt, max([current.seen_at, *last_seconds])):
            return None
    if end is not None:
        state = _state_of(end)
    elif is_left_out:
        state = ExecutionState.ENDED
    else:
        state = ExecutionState.IN_PROGRESS if is_started else ExecutionState.QUEUED
    return ExecutionView(
        current=_attempt_view(current, state, end, [*pending, *_repetitions(end, own)] if end is not None else pending),
        former=_former_views(known, dealt) if known.ends or len(known.attempts) > 1 else (),
        seen_at=current.seen_at if current.seen_at > UNTIMED else None,
        waiting_since=_waiting_since(current, state),
        is_left_out=is_left_out,
    )


def _can_be_of(loose: Loose, current: Attempt) -> bool:
    return loose.second >= current.second and (loose.number == NO_NUMBER or loose.number >= current.number)


def _deal_all(known: _Known) -> _Dealt:
    if len(known.attempts) == 1 and known.attempts[0].number <= 1:
        return _NOTHING_DEALT  # no earlier attempt exists
    return {is_event: _deal(known, is_event=is_event) for is_event in (True, False)}


def _deal(known: _Known, *, is_event: bool) -> dict[float, Loose]:
    """Assign ends without a number to earlier attempts.

    Each takes the earliest end not before its `queuedAt` but before the next attempt's or, for FAILED, TIMED_OUT and
    REMOVED, at most LATE_SECONDS later (answers: 0 s). A gap in the numbers is one attempt that no message showed, with
    the index of the next attempt less a half.
    """
    left = [end for end in known.ends if end.is_event == is_event and end.number == NO_NUMBER]
    if not left:
        return {}
    late_seconds = LATE_SECONDS if is_event else 0
    dealt: dict[float, Loose] = {}
    for place, second, next_second in _windows(known.attempts):
        for end in left:
            if second <= end.second and (
                end.second < next_second or (end.rank in _AGAIN and end.second <= next_second + late_seconds)
            ):
                dealt[place] = end
                left.remove(end)
                break
    return dealt


def _windows(attempts: Sequence[Attempt]) -> Iterator[tuple[float, int, int]]:
    """Yield the index of each earlier attempt or gap, its second, and that of the next attempt."""
    second, number = UNTIMED, 0
    for place, attempt in enumerate(attempts):
        if place:
            yield place - 1, second, attempt.second
        if attempt.number > number + 1:
            yield place - 0.5, second, attempt.second
        second, number = attempt.second, max(attempt.number, number + 1)


def _grace(known: _Known, dealt: Mapping[float, Loose], second: int) -> int:
    """Return by how many seconds a sighting may follow an end or a deletion without reopening the attempt.

    A list may have been written before the event that precedes it. This is assumed if every earlier attempt has its own
    end, and the event cannot be of an earlier life.
    """
    *former, current = known.attempts
    ended = set(dealt) | {place for place, attempt in enumerate(former) if _named_end(attempt, known.ends) is not None}
    is_of_this_life = known.published_at == NEVER or second > known.published_at + LATE_SECONDS
    return LATE_SECONDS if is_of_this_life and len(ended) >= max(current.number, len(known.attempts)) - 1 else 0


def _is_deleted(known: _Known, dealt: _Dealt, last_second: int) -> bool:
    current = known.attempts[-1]
    deleted_at = known.deleted_at(current.number)
    return deleted_at >= current.second and deleted_at + _grace(known, dealt[True], deleted_at) >= last_second


def _named_end(attempt: Attempt, ends: Sequence[Loose]) -> Loose | None:
    numbered = [end for end in ends if NO_NUMBER < end.number == attempt.number and end.second >= attempt.second]
    return attempt.end or (numbered[-1] if numbered else None)


def _former_views(known: _Known, dealt: _Dealt) -> Sequence[AttemptView]:
    *former, current = known.attempts
    views = [
        _former_view(attempt, known, [of_kind.get(place) for of_kind in dealt.values()])
        for place, attempt in enumerate(former)
    ]
    unseen = _numbered_ends(known, current.number)
    for of_kind in dealt.values():
        for place, end in of_kind.items():
            # A gap of one number is the attempt of that number.
            number = known.attempts[int(place + 0.5)].number - 1
            if place % 1 and number not in unseen and number not in {attempt.number for attempt in known.attempts}:
                unseen[number] = end._replace(number=number)
    views += [_unseen_view(end) for end in unseen.values()]
    views = [view for view in views if view.execution_number is None or view.execution_number not in known.deletions]
    return sorted(views, key=_order, reverse=True)


def _numbered_ends(known: _Known, current_number: int) -> dict[int, Loose]:
    numbers = {attempt.number for attempt in known.attempts}
    return {
        end.number: end for end in known.ends if NO_NUMBER < end.number < current_number and end.number not in numbers
    }


def _order(view: AttemptView) -> tuple[int, int]:
    at = view.ended_at if view.queued_at is None else view.queued_at
    return (UNTIMED if at is None else at) // 1000, view.execution_number or NO_NUMBER


def _unseen_view(end: Loose) -> AttemptView:
    return AttemptView(
        key=None,
        state=_state_of(end),
        execution_number=end.number,
        version_number=_given(end.version),
        queued_at=None,
        started_at=_given(end.started_at),
        last_updated_at=_given(end.time),
        ended_at=_given(end.time),
        details=end.details,
    )


def _former_view(attempt: Attempt, known: _Known, dealt: Iterable[Loose | None]) -> AttemptView:
    ends = [end for end in (_named_end(attempt, known.ends), *dealt) if end is not None]
    end = attempt.end or max(ends, default=None)
    return _attempt_view(attempt, _state_of(end) if end else ExecutionState.ENDED, end, [*_repetitions(end, ends)])


def _repetitions(end: Loose | None, ends: Iterable[Loose]) -> Iterator[Loose]:
    """Yield other reports of an end: they may have a version or details that it lacks."""
    return (one for one in ends if end is not None and one is not end and one.rank == end.rank)


def _attempt_view(attempt: Attempt, state: ExecutionState, end: Loose | None, others: Sequence[Loose]) -> AttemptView:
    if end is None and not others:
        return AttemptView(
            key=attempt.key,
            state=state,
            execution_number=_given(attempt.number),
            version_number=_given(attempt.version),
            queued_at=attempt.queued_at,
            started_at=_given(attempt.started_at),
            last_updated_at=_given(attempt.updated_at),
            ended_at=None,
            details=attempt.details,
        )
    loose = [*others, end] if end is not None else [*others]
    timed = [one.time for one in loose if one is end or one.rank <= IN_PROGRESS_RANK]
    details = [one for one in (attempt.details, None if end is None else end.details) if one is not None]
    details += [one.details for one in others if one.details is not None and one.details.second >= attempt.waited_at]
    return AttemptView(
        key=attempt.key,
        state=state,
        execution_number=_given(max([attempt.number, *[report.number for report in loose]])),
        version_number=_given(max([attempt.version, *[report.version for report in loose]])),
        queued_at=attempt.queued_at,
        started_at=_given(max([attempt.started_at, *[report.started_at for report in loose]])),
        last_updated_at=_given(max([attempt.updated_at, *timed])),
        ended_at=None if end is None else _given(end.time),
        details=max((one for one in details if one.second >= attempt.second), default=None),
    )


def _waiting_since(current: Attempt, state: ExecutionState) -> int | None:
    if state not in PENDING:
        return None
    if state is ExecutionState.IN_PROGRESS and current.started_at > UNTIMED:
        return current.started_at
    return current.queued_at


def _view_without_attempts(known: _Known, lists: Lists | None) -> ExecutionView | None:
    last = max((*known.ends, *known.pending))
    seen_at = max((loose.second for loose in known.pending), default=UNTIMED)
    last_end_at = known.ends[-1].second if known.ends else UNTIMED
    deleted_at = known.deleted_at(NO_NUMBER)
    if deleted_at > NEVER and deleted_at >= max(last_end_at, seen_at - LATE_SECONDS):
        return None
    is_left_out = (
        last.rank <= IN_PROGRESS_RANK
        and lists is not None
        and lists.leave_out(known.job_id, UNTIMED, NO_NUMBER, seen_at=seen_at, is_started=last.rank == IN_PROGRESS_RANK)
    )
    state = ExecutionState.ENDED if is_left_out else _state_of(last)
    # An answer and an event may report the same end; either may lack the number, version or details.
    same = [end for end in known.ends if (end.second, end.rank) == (last.second, last.rank)]
    counting = [last, *known.pending, *same]
    started_at, updated_at = (
        max(times) for times in zip(*((one.started_at, one.time) for one in counting), strict=True)
    )
    is_pending = state in PENDING
    return ExecutionView(
        current=AttemptView(
            key=None,
            state=state,
            execution_number=_given(max(loose.number for loose in counting)),
            version_number=_given(max(loose.version for loose in counting)),
            queued_at=None,
            started_at=_given(started_at),
            last_updated_at=_given(updated_at),
            ended_at=None if is_pending or is_left_out else _given(last.time),
            details=max((loose.details for loose in counting if loose.details is not None), default=None),
        ),
        former=sorted(
            map(_unseen_view, _numbered_ends(known, max(end.number for end in [last, *same])).values()),
            key=_order,
            reverse=True,
        ),
        seen_at=_given(seen_at),
        waiting_since=(_given(started_at) or _given(updated_at)) if is_pending else None,
        is_left_out=is_left_out,
    )


def _state_of(loose: Loose) -> ExecutionState:
    return ExecutionState(STATUS_OF_RANK[loose.rank].value)


def _given(value: int) -> int | None:
    return value if value >= 0 else None
