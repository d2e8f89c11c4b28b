"""Attempts of an execution, the current one and the outcome of each: every rule by example and at its limits."""

from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.core_reports import (
    CANCELED,
    DELETED,
    FAILED,
    IN_PROGRESS,
    QUEUED,
    REJECTED,
    REMOVED,
    SUCCEEDED,
    TIMED_OUT,
    T,
    answer,
    current,
    event,
    named_end,
    shown,
    sighting,
    states,
)

from jobindex.model.attempts import LATE_SECONDS, AttemptView, ExecutionView
from jobindex.model.execution import NO_VERSION, Details
from jobindex.model.jobs import JobExecutionStatus
from jobindex.model.lists import DecidedLists, PendingLists
from jobindex.model.lives import Deletions, Life
from jobindex.model.reports import UNTIMED, ExecutionReport, JobDeletion, ListEntry, PendingListReport
from jobindex.model.views import ExecutionState

AGAIN = [FAILED, TIMED_OUT, REMOVED]
FOR_GOOD = [REJECTED, CANCELED, SUCCEEDED]
LEFT_OUT = DecidedLists(is_left_out=True)


def pending_list(listed_at: int, *entries: tuple[int, int]) -> PendingLists:
    """Return the lists of a thing: a complete one, with these attempts of job j."""
    lists = PendingLists("t", None)
    held = frozenset(ListEntry("j", queued, number) for queued, number in entries)
    lists.merge(PendingListReport("t", None, listed_at, held))
    return lists


def details(text: str, second: int, rank: int, version: int = NO_VERSION) -> Details:
    """Return details that were not cut."""
    return Details(second, rank, version, text, is_cut=False)


def test_events_are_published_up_to_five_seconds_late() -> None:
    """The five seconds are part of the merge rules."""
    assert 5 == LATE_SECONDS


# 1. Attempts


def test_an_attempt_is_shown_with_all_its_values() -> None:
    """An attempt in progress has its own times, number and version, and waits since its start."""
    expected = ExecutionView(
        current=AttemptView(
            key=(T, 2),
            state=ExecutionState.IN_PROGRESS,
            execution_number=2,
            version_number=3,
            queued_at=T * 1000 + 250,
            started_at=(T + 4) * 1000,
            last_updated_at=(T + 4) * 1000,
            ended_at=None,
            details=details('{"a":"1"}', T + 4, 2, 3),
        ),
        former=[],
        seen_at=T + 9,
        waiting_since=(T + 4) * 1000,
        is_left_out=False,
    )
    told = sighting(T + 0.25, 2, heard=T + 9, started=T + 4, version_number=3, status_details='{"a":"1"}')
    view = shown(told)
    assert view is not None
    assert expected == view._replace(former=[*view.former])


def test_an_attempt_of_which_little_is_known() -> None:
    """A value that no message reported is None; the attempt waits since it was queued."""
    expected = ExecutionView(
        current=AttemptView(
            key=(T, -1),
            state=ExecutionState.QUEUED,
            execution_number=None,
            version_number=None,
            queued_at=T * 1000,
            started_at=None,
            last_updated_at=None,
            ended_at=None,
            details=None,
        ),
        former=(),
        seen_at=None,
        waiting_since=T * 1000,
        is_left_out=False,
    )
    assert expected == shown(ExecutionReport("j", "t", QUEUED, queued_at=T * 1000))


def test_an_attempt_that_ended_with_all_its_values() -> None:
    """An ended attempt has the number, version and start of its loose end, and no longer waits."""
    end = answer(SUCCEEDED, T + 8.5, 1, version_number=4, started_at=(T + 3) * 1000, status_details='{"p":"done"}')
    expected = AttemptView(
        key=(T, -1),
        state=ExecutionState.SUCCEEDED,
        execution_number=1,
        version_number=4,
        queued_at=T * 1000,
        started_at=(T + 3) * 1000,
        last_updated_at=T * 1000 + 8500,
        ended_at=T * 1000 + 8500,
        details=details('{"p":"done"}', T + 8, 8, 4),
    )
    view = shown(sighting(T, None, version_number=1), end)
    assert view is not None
    assert (expected, None, T) == (view.current, view.waiting_since, view.seen_at)


def test_the_greatest_attempt_is_current() -> None:
    """The attempt with the greatest second is current; within a second, the greatest number decides."""
    assert [(2, "QUEUED"), (1, "ENDED")] == states(sighting(T, 1), sighting(T, 2))
    assert [(1, "QUEUED"), (2, "ENDED")] == states(sighting(T + 1, 1), sighting(T, 2))
    assert [(2, "QUEUED"), (1, "ENDED")] == states(sighting(T + 0.9, 1), sighting(T, 2))


def test_a_message_with_queued_at_and_no_number_is_about_the_attempt_of_that_second_with_the_greatest_number() -> None:
    """A report without a number is an attempt of its own only if its second has no numbered attempt."""
    assert [(2, "FAILED"), (1, "ENDED")] == states(sighting(T, 1), sighting(T, 2), named_end(FAILED, T, T + 3, None))
    assert [(1, "QUEUED"), (None, "FAILED")] == states(sighting(T + 1, 1), named_end(FAILED, T, T + 3, None))
    assert [(2, "QUEUED"), (1, "ENDED")] == states(sighting(T - 60, 1), sighting(T, 2), sighting(T, None))


def test_a_message_without_numbers_changes_no_number() -> None:
    """An event without numbers ends an attempt and keeps the number from a list (case 4)."""
    view = current(sighting(T, 1, version_number=1), event(SUCCEEDED, T + 5))
    assert (1, 1, ExecutionState.SUCCEEDED) == (view.execution_number, view.version_number, view.state)


@pytest.mark.parametrize("status", [*AGAIN, *FOR_GOOD])
def test_an_end_that_names_its_attempt_ends_it(status: JobExecutionStatus) -> None:
    """An end with `queuedAt` counts even if the attempt is sighted later, as a list may be old."""
    view = shown(sighting(T, heard=T + 100), named_end(status, T, T + 50))
    assert view is not None
    assert (status.value, (T + 50) * 1000) == (view.current.state.value, view.current.ended_at)


def test_an_end_without_a_time_that_names_its_attempt() -> None:
    """An end without a time ends its attempt at an unknown time."""
    view = shown(ExecutionReport("j", "t", FAILED, queued_at=T * 1000))
    assert view is not None
    assert (ExecutionState.FAILED, None) == (view.current.state, view.current.ended_at)


# 3. Loose reports that can be of the current attempt


@pytest.mark.parametrize(("second", "state"), [(T - 1, "QUEUED"), (T, "SUCCEEDED"), (T + 1, "SUCCEEDED")])
def test_a_loose_end_before_the_attempt_was_queued_is_not_its_own(second: int, state: str) -> None:
    """A loose end counts from the second of `queuedAt` on, as AWS's lists have whole seconds."""
    assert state == current(sighting(T + 0.9), event(SUCCEEDED, second)).state


@pytest.mark.parametrize(("number", "state"), [(1, "QUEUED"), (2, "SUCCEEDED"), (3, "SUCCEEDED"), (None, "SUCCEEDED")])
def test_a_loose_end_of_a_lesser_number_is_not_of_the_attempt(number: int | None, state: str) -> None:
    """A loose end with a lesser number does not end the attempt; an end without a number does."""
    assert state == current(sighting(T, 2), event(SUCCEEDED, T + 9, number)).state


def test_a_loose_end_of_a_number_is_of_an_attempt_without_one() -> None:
    """A missing number is below every number, so a numbered end can end an attempt without a number."""
    assert (ExecutionState.SUCCEEDED, 0) == (
        (view := current(sighting(T, None), event(SUCCEEDED, T + 9, 0))).state,
        view.execution_number,
    )


@pytest.mark.parametrize(
    ("second", "number", "state"),
    [
        (T - 1, None, "QUEUED"),
        (T, None, "IN_PROGRESS"),
        (T + 1, 1, "QUEUED"),
        (T + 1, 2, "IN_PROGRESS"),
        (T + 1, 3, "IN_PROGRESS"),
    ],
)
def test_a_loose_in_progress_that_can_be_of_the_attempt(second: int, number: int | None, state: str) -> None:
    """A loose IN_PROGRESS belongs to the attempt unless its second or its number is less."""
    assert state == current(sighting(T, 2), answer(IN_PROGRESS, second, number)).state


# 4. The ends of earlier attempts


def test_a_retry_in_a_group_that_a_thing_rejoins() -> None:
    """A removal in the second in which the next attempt was queued belongs to the earlier attempt (case 1)."""
    told = [sighting(T - 60, 1), event(REMOVED, T), sighting(T, 2), sighting(T, 2, heard=T + 1800)]
    assert [(2, "QUEUED"), (1, "REMOVED")] == states(*told)
    view = shown(*told)
    assert view is not None
    assert (T + 1800, T * 1000) == (view.seen_at, view.waiting_since)


def test_an_event_two_seconds_late_is_of_the_attempt_before() -> None:
    """A FAILED event two seconds after the next attempt was queued ends the earlier attempt (case 2)."""
    told = [sighting(T - 60, 1), sighting(T, 2), event(FAILED, T + 2), sighting(T, 2, heard=T + 1800)]
    assert [(2, "QUEUED"), (1, "FAILED")] == states(*told)


def test_an_event_a_second_before_the_retry() -> None:
    """A FAILED event a second before the next attempt was queued ends the earlier attempt (case 3)."""
    assert [(2, "QUEUED"), (1, "FAILED")] == states(sighting(T - 60, 1), event(FAILED, T - 1), sighting(T, 2))


@pytest.mark.parametrize("status", AGAIN)
@pytest.mark.parametrize(("late", "expected"), [(0, "former"), (5, "former"), (6, "current")])
def test_an_end_after_which_aws_queues_again_may_be_late(status: JobExecutionStatus, late: int, expected: str) -> None:
    """FAILED, TIMED_OUT and REMOVED end the earlier attempt up to five seconds after the next was queued."""
    found = states(sighting(T - 60, 1), sighting(T, 2), event(status, T + late))
    ended = [(2, "QUEUED"), (1, status.value)] if expected == "former" else [(2, status.value), (1, "ENDED")]
    assert ended == found


@pytest.mark.parametrize("status", FOR_GOOD)
@pytest.mark.parametrize(("late", "is_former"), [(-1, True), (0, False), (5, False)])
def test_another_end_is_of_the_attempt_before_only_before_the_next(
    status: JobExecutionStatus, late: int, *, is_former: bool
) -> None:
    """REJECTED, CANCELED and SUCCEEDED are never late, as AWS queues no attempt after them."""
    found = states(sighting(T - 60, 1), sighting(T, 2), event(status, T + late))
    assert ([(2, "QUEUED"), (1, status.value)] if is_former else [(2, status.value), (1, "ENDED")]) == found


@pytest.mark.parametrize(("late", "is_former"), [(-1, True), (0, True), (1, False)])
def test_an_answer_is_not_late(late: int, *, is_former: bool) -> None:
    """An answer comes at once, so after the second in which the next attempt was queued it ends that attempt."""
    found = states(sighting(T - 60, 1), sighting(T, 2), answer(FAILED, T + late))
    assert ([(2, "QUEUED"), (1, "FAILED")] if is_former else [(2, "FAILED"), (1, "ENDED")]) == found


@pytest.mark.parametrize(("second", "is_former"), [(T - 61, False), (T - 60, True)])
def test_an_end_before_an_attempt_was_queued_is_not_dealt_to_it(second: int, *, is_former: bool) -> None:
    """An end before an attempt was queued goes neither to this attempt nor to a later one."""
    found = states(sighting(T - 60, 1), sighting(T, 2), event(FAILED, second))
    assert [(2, "QUEUED"), (1, "FAILED" if is_former else "ENDED")] == found


def test_each_earlier_attempt_takes_the_earliest_end() -> None:
    """Each earlier attempt, in order, takes the earliest end; the rest belongs to the current attempt."""
    attempts = [sighting(T, 1), sighting(T + 10, 2), sighting(T + 20, 3)]
    ends = [event(FAILED, T + 5), event(TIMED_OUT, T + 12), event(SUCCEEDED, T + 25)]
    assert [(3, "SUCCEEDED"), (2, "TIMED_OUT"), (1, "FAILED")] == states(*attempts, *ends)
    assert [(3, "QUEUED"), (2, "TIMED_OUT"), (1, "FAILED")] == states(*attempts, *ends[:2])
    assert [(3, "QUEUED"), (2, "ENDED"), (1, "FAILED")] == states(*attempts, ends[0])


def test_an_end_without_a_number_names_no_attempt_without_one() -> None:
    """An end without a number that was not dealt out ends only the current attempt."""
    found = states(sighting(T - 60, None), sighting(T, None), event(SUCCEEDED, T + 9))
    assert [(None, "SUCCEEDED"), (None, "ENDED")] == found


def test_an_end_is_dealt_once() -> None:
    """Of three attempts within a second, the current one is not ended by an end that another took."""
    told = [sighting(T, 1), sighting(T, 2), sighting(T, 3), event(FAILED, T), event(FAILED, T + 1)]
    assert [(3, "QUEUED"), (2, "FAILED"), (1, "FAILED")] == states(*told)
    assert [(3, "FAILED"), (2, "FAILED"), (1, "FAILED")] == states(*told, event(FAILED, T + 2))


def test_a_gap_in_the_numbers_is_one_attempt_that_no_message_showed() -> None:
    """A gap takes an end before the next attempt does, and is shown if it lacks exactly one number."""
    assert [(2, "QUEUED"), (1, "FAILED")] == states(sighting(T, 2), event(FAILED, T - 3))
    assert [(2, "QUEUED"), (1, "FAILED")] == states(sighting(T, 2), event(FAILED, T + 5))
    assert [(2, "FAILED")] == states(sighting(T, 2), event(FAILED, T + 6))
    assert [(1, "FAILED")] == states(sighting(T, 1), event(FAILED, T + 5))
    assert [(None, "FAILED")] == states(sighting(T, None), event(FAILED, T + 5))
    told = [sighting(T - 9, 2), sighting(T, 4), event(FAILED, T - 20), event(TIMED_OUT, T - 5)]
    assert [(4, "QUEUED"), (2, "TIMED_OUT"), (1, "FAILED")] == states(*told)
    assert [(4, "QUEUED"), (3, "REMOVED"), (2, "TIMED_OUT"), (1, "FAILED")] == states(*told, event(REMOVED, T - 1))


def test_an_attempt_in_a_gap_is_shown_with_what_its_end_says() -> None:
    """An attempt in a gap has the values of its end; its `queuedAt` is unknown."""
    end = event(FAILED, T - 3, version_number=7, started_at=(T - 8) * 1000, status_details='{"a":"1"}')
    view = shown(sighting(T, 2), end)
    expected = AttemptView(
        key=None,
        state=ExecutionState.FAILED,
        execution_number=1,
        version_number=7,
        queued_at=None,
        started_at=(T - 8) * 1000,
        last_updated_at=(T - 3) * 1000,
        ended_at=(T - 3) * 1000,
        details=details('{"a":"1"}', T - 3, 4, 7),
    )
    assert view is not None
    assert [expected] == view.former


def test_a_gap_between_attempts_takes_the_end_of_its_window() -> None:
    """The first attempt takes its own end, and the gap takes the next one."""
    told = [sighting(T, 1), sighting(T + 20, 3), event(FAILED, T + 5), event(TIMED_OUT, T + 15)]
    assert [(3, "QUEUED"), (2, "TIMED_OUT"), (1, "FAILED")] == states(*told)
    assert [(3, "QUEUED"), (1, "FAILED")] == states(*told[:3])


def test_an_end_dealt_behind_a_gap_is_no_attempt_of_the_gap() -> None:
    """An end dealt to the attempt after a gap adds no attempt in the gap."""
    told = [sighting(T, 1), sighting(T + 10, 4), sighting(T + 20, 5), event(FAILED, T + 16)]
    assert [(5, "QUEUED"), (4, "FAILED"), (1, "ENDED")] == states(*told)


def test_an_attempt_without_a_number_leaves_no_gap() -> None:
    """An attempt without a number counts as the first, so attempt 2 follows it without a gap."""
    told = [sighting(T, None), sighting(T + 10, 2), event(FAILED, T + 5), event(FAILED, T + 11)]
    assert [(2, "FAILED"), (None, "FAILED")] == states(*told)


def test_events_and_answers_are_dealt_out_apart() -> None:
    """The event and the answer of an end both go to the earlier attempt, and none to the current one."""
    told = [sighting(T - 60, 1), sighting(T, 2), answer(FAILED, T - 1, version_number=3), event(FAILED, T + 1)]
    view = shown(*told)
    assert view is not None
    assert [(2, "QUEUED"), (1, "FAILED")] == states(*told)
    assert (3, (T + 1) * 1000) == (view.former[0].version_number, view.former[0].ended_at)


def test_an_end_that_bears_a_number_is_not_dealt_out() -> None:
    """A numbered end belongs to the attempt with its number, or to the current one if its number is greater."""
    first, second = sighting(T - 60, 1), sighting(T, 2)
    assert [(2, "QUEUED"), (1, "FAILED")] == states(first, second, event(FAILED, T + 1000, 1))
    assert [(2, "FAILED"), (1, "ENDED")] == states(first, second, event(FAILED, T, 2))
    assert [(3, "FAILED"), (1, "ENDED")] == states(first, second, event(FAILED, T, 3))
    assert [(2, "QUEUED"), (1, "ENDED")] == states(first, second, event(FAILED, T - 61, 1))
    assert [(2, "QUEUED"), (1, "FAILED")] == states(first, second, event(FAILED, T - 60, 1))


def test_an_earlier_attempt_that_only_its_end_reports() -> None:
    """An end with an unknown number below the current one's is an earlier attempt."""
    assert [(3, "QUEUED"), (2, "FAILED"), (1, "TIMED_OUT")] == states(
        sighting(T, 3), event(FAILED, T - 1, 2), event(TIMED_OUT, T - 5, 1)
    )
    assert [(3, "QUEUED"), (0, "FAILED")] == states(sighting(T, 3), event(FAILED, T - 1, 0))


def test_the_end_that_names_an_earlier_attempt_counts_before_those_dealt_to_it() -> None:
    """An end with `queuedAt` wins; otherwise the greatest of the numbered and dealt ends counts."""
    told = [sighting(T - 60, 1), sighting(T, 2)]
    assert [(2, "QUEUED"), (1, "TIMED_OUT")] == states(*told, named_end(TIMED_OUT, T - 60, T - 9), event(FAILED, T - 5))
    assert [(2, "QUEUED"), (1, "REMOVED")] == states(*told, event(REMOVED, T - 5, 1), event(FAILED, T - 9))
    assert [(2, "QUEUED"), (1, "FAILED")] == states(*told, event(REMOVED, T - 9, 1), event(FAILED, T - 5))
    found = states(*told, event(REMOVED, T - 9, 1), event(FAILED, T - 5, 1))
    assert [(2, "QUEUED"), (1, "FAILED")] == found


def test_former_attempts_come_latest_first() -> None:
    """Former attempts are sorted by `queuedAt`, or by their end if it is unknown, and then by number."""
    view = shown(sighting(T, 2), sighting(T + 30, 9), sighting(T, 1), event(FAILED, T + 10, 4))
    assert view is not None
    assert [4, 2, 1] == [one.execution_number for one in view.former]
    view = shown(sighting(T + 30, 9), ExecutionReport("j", "t", FAILED, heard_at=T, execution_number=0))
    assert view is not None
    assert [(0, None)] == [(one.execution_number, one.ended_at) for one in view.former]


def test_former_attempts_are_ordered_by_the_second_before_their_numbers() -> None:
    """Milliseconds do not affect the order, as executions compare by the second."""
    assert [(9, "QUEUED"), (1, "ENDED"), (5, "ENDED")] == states(sighting(0, 5), sighting(1, 1), sighting(9, 9))
    told = [sighting(T + 10, 1), sighting(T + 30, 9), event(FAILED, T + 5, 4)]
    assert [(9, "QUEUED"), (1, "ENDED"), (4, "FAILED")] == states(*told)
    assert [(9, "QUEUED"), (2, "ENDED"), (1, "ENDED")] == states(
        sighting(T + 0.9, 1), sighting(T + 0.2, 2), sighting(T + 9, 9)
    )


def test_the_deletion_of_an_earlier_attempt_removes_it() -> None:
    """A DELETED event with the number of an earlier attempt removes this attempt."""
    told = [sighting(T - 60, 1), sighting(T - 30, 2), sighting(T, 3)]
    assert [(3, "QUEUED"), (2, "ENDED")] == states(*told, event(DELETED, T + 9, 1))
    assert [(1, "QUEUED"), (None, "ENDED")] == states(
        sighting(T, 1), ExecutionReport("j", "t", QUEUED, queued_at=(T - 5) * 1000), event(DELETED, T - 1, 0)
    )


# 5. The end of the current attempt


@pytest.mark.parametrize(
    ("ends", "state"),
    [
        ([event(FAILED, T + 1), event(SUCCEEDED, T + 1)], "SUCCEEDED"),
        ([event(FAILED, T + 2), event(SUCCEEDED, T + 1)], "FAILED"),
        ([event(FAILED, T + 1.9), event(SUCCEEDED, T + 1.1)], "SUCCEEDED"),
    ],
)
def test_of_what_is_left_the_greatest_counts(ends: list[ExecutionReport], state: str) -> None:
    """The greatest end by second and rank counts."""
    assert state == current(sighting(T), *ends).state


@pytest.mark.parametrize(("seen", "state"), [(T + 9, "FAILED"), (T + 10, "QUEUED")])
@pytest.mark.parametrize("ends", [[answer(FAILED, T + 9)], [event(FAILED, T + 9)]], ids=["answer", "event"])
def test_a_sighting_later_than_the_end_reopens_the_attempt(seen: int, state: str, ends: list[ExecutionReport]) -> None:
    """A later sighting reopens the attempt if the end may belong to an earlier attempt without an end."""
    assert state == current(sighting(T - 60, 1), sighting(T, 2, heard=seen), *ends).state


@pytest.mark.parametrize("number", [None, 0, 1])
@pytest.mark.parametrize(("seen", "state"), [(T + 14, "FAILED"), (T + 15, "QUEUED")])
def test_a_list_written_before_the_end_does_not_reopen_a_first_attempt(
    seen: int, state: str, number: int | None
) -> None:
    """A sighting up to five seconds after the end does not reopen a first attempt."""
    assert state == current(sighting(T, number, heard=seen), event(FAILED, T + 9)).state


@pytest.mark.parametrize(("seen", "state"), [(T + 14, "SUCCEEDED"), (T + 15, "QUEUED")])
@pytest.mark.parametrize(
    "former_end",
    [event(FAILED, T - 1), event(FAILED, T - 1, 1), named_end(FAILED, T - 60, T - 1)],
    ids=["dealt", "numbered", "named"],
)
def test_nor_an_attempt_whose_earlier_ones_have_their_ends(seen: int, state: str, former_end: ExecutionReport) -> None:
    """A sighting up to five seconds after the end reopens no attempt if each earlier attempt has its own end."""
    told = [sighting(T - 60, 1), sighting(T, 2, heard=seen), former_end, event(SUCCEEDED, T + 9)]
    assert state == current(*told).state


@pytest.mark.parametrize(
    ("former", "state"),
    [
        ([event(FAILED, T - 9)], "QUEUED"),
        ([event(FAILED, T - 9), event(FAILED, T - 1)], "QUEUED"),
        ([sighting(T - 20, 2), event(FAILED, T - 9), event(FAILED, T - 1)], "QUEUED"),
        ([sighting(T - 20, 2), event(FAILED, T - 25), event(FAILED, T - 1)], "SUCCEEDED"),
        ([sighting(T - 20, 1), event(FAILED, T - 9), event(FAILED, T - 1)], "SUCCEEDED"),
        ([sighting(T - 20, 1), event(FAILED, T - 9)], "QUEUED"),
    ],
)
def test_numbers_that_no_message_showed_are_earlier_attempts_too(former: list[ExecutionReport], state: str) -> None:
    """Two missing numbers are one gap with one end, so an earlier attempt may lack its own end."""
    told = [*former, sighting(T, 3, heard=T + 14), event(SUCCEEDED, T + 9)]
    assert state == current(*told).state


def test_an_answer_and_an_event_have_their_own_ends_before() -> None:
    """A later sighting overrules an answer unless another answer ended the earlier attempt."""
    told = [sighting(T - 60, 1), sighting(T, 2, heard=T + 12), event(FAILED, T - 1), answer(SUCCEEDED, T + 9)]
    assert "QUEUED" == current(*told).state
    assert "SUCCEEDED" == current(*told, answer(FAILED, T - 1)).state


@pytest.mark.parametrize(("published", "state"), [(T + 3, "FAILED"), (T + 4, "QUEUED")])
def test_an_end_that_can_be_of_an_earlier_life_is_not_believed_beyond_a_sighting(published: int, state: str) -> None:
    """A sighting overrules an end up to five seconds after the deletion of the earlier life was published."""
    life = Life(Deletions(T * 1000, published), T * 1000)
    assert state == current(sighting(T, 1, heard=T + 14), event(FAILED, T + 9), life=life).state


def test_milliseconds_do_not_part_an_answer_and_its_event() -> None:
    """An IN_PROGRESS answer half a second after the SUCCEEDED event does not reopen the attempt (case 18)."""
    told = sighting(T - 9, started=T - 5, heard=T), answer(IN_PROGRESS, T + 0.5), event(SUCCEEDED, T)
    assert "SUCCEEDED" == current(*told).state


# 6. Attempts that a list leaves out


def test_an_attempt_that_a_list_leaves_out_has_ended() -> None:
    """An attempt that a list leaves out has the state ENDED and no known time of its end."""
    view = shown(sighting(T), lists=LEFT_OUT)
    assert view is not None
    assert ExecutionState.ENDED == view.current.state
    assert (None, True, None) == (view.current.ended_at, view.is_left_out, view.waiting_since)


def test_the_last_own_end_tells_how_it_ended() -> None:
    """An attempt that a list leaves out has the status of its last end, even if a sighting is later."""
    assert "FAILED" == current(sighting(T, heard=T + 100), event(FAILED, T + 9), lists=LEFT_OUT).state
    told = sighting(T, heard=T + 100), event(FAILED, T + 9), event(SUCCEEDED, T + 10)
    view = shown(*told, lists=LEFT_OUT)
    assert view is not None
    assert (ExecutionState.SUCCEEDED, (T + 10) * 1000, True) == (
        view.current.state,
        view.current.ended_at,
        view.is_left_out,
    )


@pytest.mark.parametrize(("second", "state"), [(T, "ENDED"), (T + 1, "FAILED")])
def test_an_end_dealt_to_an_earlier_attempt_tells_if_there_is_no_other(second: int, state: str) -> None:
    """A left-out attempt without an end has the end dealt to an earlier one if it is later than its `queuedAt`."""
    assert state == current(sighting(T - 60, 1), sighting(T, 2), event(FAILED, second), lists=LEFT_OUT).state


def test_an_attempt_that_has_ended_is_not_left_out() -> None:
    """A list decides only about attempts that are pending without it."""
    view = shown(sighting(T), event(FAILED, T + 1), lists=LEFT_OUT)
    assert view is not None
    assert not view.is_left_out


def test_lists_are_asked_about_the_current_attempt() -> None:
    """A list decides by the second, number, last sighting and start of the current attempt."""

    class Asked:
        def leave_out(self, *attempt: object, **known: object) -> bool:
            asked.append((attempt, known))
            return False

    asked: list[Any] = []
    shown(sighting(T, 1, heard=T + 3), sighting(T + 5, 2, heard=T + 7), lists=Asked())
    assert (("j", T + 5, 2), {"seen_at": T + 7, "is_started": False}) == asked[0]
    asked.clear()
    shown(sighting(T, 1, started=T + 1, heard=T + 3), lists=Asked())
    assert (("j", T, 1), {"seen_at": T + 3, "is_started": True}) == asked[0]
    asked.clear()
    shown(answer(IN_PROGRESS, T + 1), lists=Asked())
    assert (("j", UNTIMED, -1), {"seen_at": T + 1, "is_started": True}) == asked[0]
    asked.clear()
    shown(answer(QUEUED, T + 1), lists=Asked())
    assert (("j", UNTIMED, -1), {"seen_at": T + 1, "is_started": False}) == asked[0]


def test_two_lists_of_one_second() -> None:
    """The second of two lists in one second ends an earlier queued attempt that it does not contain (case 19)."""
    both = pending_list(T + 5, (T, 1))
    both.merge(PendingListReport("t", None, T + 5))
    assert "ENDED" == current(sighting(T, heard=T + 5), lists=both).state
    assert "QUEUED" == current(sighting(T, heard=T + 5), lists=pending_list(T + 5, (T, 1))).state


def test_a_list_that_is_cut() -> None:
    """A cut list ends an attempt that it does not contain and that would sort before its last entry (case 20)."""
    lists = PendingLists("t", None)
    lists.merge(PendingListReport("t", None, T + 9, last_entry=(True, T + 1)))
    assert "ENDED" == current(sighting(T, heard=T + 2), lists=lists).state
    assert "QUEUED" == current(sighting(T + 1, heard=T + 2), lists=lists).state


# 7. IN_PROGRESS or QUEUED


@pytest.mark.parametrize(("second", "state"), [(T + 8, "QUEUED"), (T + 9, "IN_PROGRESS"), (T + 10, "IN_PROGRESS")])
def test_a_loose_in_progress_is_not_earlier_than_the_last_sighting_as_queued(second: int, state: str) -> None:
    """A loose IN_PROGRESS before the last sighting as QUEUED belongs to an earlier attempt."""
    assert state == current(sighting(T, heard=T + 9), answer(IN_PROGRESS, second)).state


def test_a_sighting_in_progress_counts_whenever_it_was() -> None:
    """An attempt that was sighted IN_PROGRESS never returns to QUEUED."""
    assert "IN_PROGRESS" == current(sighting(T, heard=T + 5, started=T + 1), sighting(T, heard=T + 9)).state


def test_a_loose_queued_starts_nothing() -> None:
    """A loose QUEUED changes only the time of the last update."""
    view = current(sighting(T, heard=T + 1), answer(QUEUED, T + 5))
    assert ("QUEUED", (T + 5) * 1000) == (view.state, view.last_updated_at)


def test_a_start_that_only_an_answer_reports() -> None:
    """The attempt waits since it was queued, as the answer may be of a later update."""
    view = shown(sighting(T), answer(IN_PROGRESS, T + 9, started_at=(T + 3) * 1000, version_number=6))
    assert view is not None
    assert ((T + 3) * 1000, 6, (T + 9) * 1000) == (
        view.current.started_at,
        view.current.version_number,
        view.current.last_updated_at,
    )
    assert T * 1000 == view.waiting_since


def test_a_later_answer_without_the_start_keeps_it() -> None:
    """An answer without `startedAt` keeps the start that the device's first answer reported."""
    told = sighting(T), answer(IN_PROGRESS, T + 3, started_at=(T + 3) * 1000), answer(IN_PROGRESS, T + 9)
    assert ((T + 3) * 1000, (T + 9) * 1000) == ((view := current(*told)).started_at, view.last_updated_at)


def test_an_attempt_that_is_queued_waits_since_it_was_queued() -> None:
    """A QUEUED attempt waits since its `queuedAt`, even if a message reported a start."""
    view = shown(sighting(T)._replace(started_at=(T + 3) * 1000))
    assert view is not None
    assert (ExecutionState.QUEUED, T * 1000) == (view.current.state, view.waiting_since)


def test_an_attempt_that_was_started_at_the_beginning_of_time() -> None:
    """Zero is a valid time."""
    view = shown(ExecutionReport("j", "t", IN_PROGRESS, heard_at=5, queued_at=0, started_at=0))
    assert view is not None
    assert (0, 0, 0) == (view.current.queued_at, view.current.started_at, view.waiting_since)


# Details of the current attempt


def test_the_details_of_a_loose_report_since_the_last_sighting_as_queued_are_the_attempts() -> None:
    """Details before the last sighting as QUEUED belong to an earlier attempt (case 8)."""
    shown_details = current(sighting(T, heard=T + 9), answer(IN_PROGRESS, T + 9, status_details='{"p":"1"}')).details
    assert details('{"p":"1"}', T + 9, 2) == shown_details
    assert current(sighting(T, heard=T + 9), answer(IN_PROGRESS, T + 8, status_details='{"p":"1"}')).details is None
    told = sighting(T, heard=T + 9), event(FAILED, T + 20), answer(FAILED, T + 20, status_details='{"p":"1"}')
    assert details('{"p":"1"}', T + 20, 4) == current(*told).details


def test_an_answer_of_the_same_end_gives_the_event_its_details() -> None:
    """An end has the version and details of its answer even if its later event lacks them."""
    view = current(
        sighting(T), answer(SUCCEEDED, T + 8, version_number=4, status_details='{"p":"1"}'), event(SUCCEEDED, T + 9)
    )
    assert (4, details('{"p":"1"}', T + 8, 8, 4), (T + 9) * 1000) == (
        view.version_number,
        view.details,
        view.ended_at,
    )


def test_an_end_reported_twice_within_a_second_has_all_that_either_message_says() -> None:
    """An end of one version has the start and details of its first message if the second lacks them."""
    first = answer(FAILED, T + 8, version_number=4, started_at=(T + 3) * 1000, status_details='{"p":"1"}')
    view = current(sighting(T), first, answer(FAILED, T + 8.5, version_number=4))
    assert ((T + 3) * 1000, T * 1000 + 8500, details('{"p":"1"}', T + 8, 4, 4)) == (
        view.started_at,
        view.ended_at,
        view.details,
    )


def test_another_end_gives_the_attempt_nothing() -> None:
    """An end with another status adds neither its version nor its details to the attempt."""
    view = current(
        sighting(T), answer(FAILED, T + 8, version_number=4, status_details='{"p":"1"}'), event(SUCCEEDED, T + 9)
    )
    assert (None, None, (T + 9) * 1000) == (view.version_number, view.details, view.last_updated_at)


def test_the_greatest_details_count() -> None:
    """The greatest details of the attempt and its end count."""
    end = event(SUCCEEDED, T + 9, status_details='{"p":"end"}')
    assert details('{"p":"end"}', T + 9, 8) == current(sighting(T, status_details='{"p":"0"}'), end).details
    later = named_end(SUCCEEDED, T, T + 10, status_details='{"p":"named"}')
    assert details('{"p":"named"}', T + 10, 8) == current(later, end).details


def test_an_attempt_that_ended_in_the_second_in_which_it_was_queued_has_its_details() -> None:
    """An attempt that ended within the second of its `queuedAt` keeps its details, as devices can be fast."""
    told = sighting(T, status_details='{"p":"0"}')
    assert details('{"p":"0"}', T, 1) == current(told, event(SUCCEEDED, T)).details
    assert details('{"p":"end"}', T, 8) == current(told, event(SUCCEEDED, T, status_details='{"p":"end"}')).details


def test_an_earlier_attempt_has_its_own_details() -> None:
    """Each attempt has the details of its own reports."""
    view = shown(
        sighting(T - 60, 1, status_details='{"p":"1"}'),
        sighting(T, 2, status_details='{"p":"2"}'),
        event(FAILED, T - 1, status_details='{"p":"end"}'),
    )
    assert view is not None
    assert [details('{"p":"2"}', T, 1), details('{"p":"end"}', T - 1, 4)] == [
        view.current.details,
        view.former[0].details,
    ]


# 7. Without any attempt


@pytest.mark.parametrize(
    ("told", "state"),
    [
        ([answer(IN_PROGRESS, T + 2), event(SUCCEEDED, T + 1)], "IN_PROGRESS"),
        ([answer(IN_PROGRESS, T + 1), event(SUCCEEDED, T + 1)], "SUCCEEDED"),
        ([answer(IN_PROGRESS, T + 1.9), event(SUCCEEDED, T + 1.1)], "SUCCEEDED"),
        ([event(FAILED, T + 1), event(SUCCEEDED, T + 1)], "SUCCEEDED"),
        ([answer(QUEUED, T + 1), answer(IN_PROGRESS, T + 1)], "IN_PROGRESS"),
        ([answer(QUEUED, T + 2), answer(IN_PROGRESS, T + 1)], "QUEUED"),
        ([answer(QUEUED, None), answer(IN_PROGRESS, None)], "IN_PROGRESS"),
        ([answer(QUEUED, T), answer(SUCCEEDED, None)], "QUEUED"),
    ],
)
def test_without_an_attempt_the_greatest_report_counts(told: list[ExecutionReport], state: str) -> None:
    """The greatest report by second and rank counts if no attempt is known."""
    assert state == current(*told).state


def test_without_an_attempt_all_values() -> None:
    """Each value is the greatest of the report that counts and the pending reports."""
    last = event(FAILED, T + 9.5, 2, status_details='{"a":"1"}')
    told = answer(IN_PROGRESS, T + 3, 1, version_number=5, started_at=(T + 1) * 1000, status_details='{"b":"1"}')
    expected = ExecutionView(
        current=AttemptView(
            key=None,
            state=ExecutionState.FAILED,
            execution_number=2,
            version_number=5,
            queued_at=None,
            started_at=(T + 1) * 1000,
            last_updated_at=T * 1000 + 9500,
            ended_at=T * 1000 + 9500,
            details=details('{"a":"1"}', T + 9, 4),
        ),
        former=[],
        seen_at=T + 3,
        waiting_since=None,
        is_left_out=False,
    )
    assert expected == shown(told, last)


@pytest.mark.parametrize(
    ("told", "since"),
    [
        ([answer(IN_PROGRESS, T + 3, started_at=(T + 1) * 1000)], (T + 1) * 1000),
        ([answer(IN_PROGRESS, T + 3)], (T + 3) * 1000),
        ([answer(QUEUED, T + 3)], (T + 3) * 1000),
        ([answer(QUEUED, None)], None),
        ([event(FAILED, T + 3)], None),
    ],
)
def test_without_an_attempt_it_waits_since_the_first_known_time(told: list[ExecutionReport], since: int | None) -> None:
    """The execution waits since its start, or since the greatest time of its status."""
    view = shown(*told)
    assert view is not None
    assert (since, None if told[0].is_event or told[0].time < 0 else T + 3) == (view.waiting_since, view.seen_at)


def test_without_an_attempt_earlier_numbers_are_former() -> None:
    """Ends with lesser numbers are former attempts."""
    assert [(3, "SUCCEEDED"), (2, "FAILED"), (1, "TIMED_OUT")] == states(
        event(FAILED, T + 2, 2), event(TIMED_OUT, T + 1, 1), event(SUCCEEDED, T + 5, 3)
    )
    assert [(None, "SUCCEEDED")] == states(event(FAILED, T + 2, 2), event(SUCCEEDED, T + 5))


def test_without_an_attempt_an_answer_and_the_event_of_its_end_make_one() -> None:
    """The event gives the number, the answer the version and the details, regardless of their order."""
    told = event(FAILED, T + 5, 2), answer(FAILED, T + 5, version_number=3, status_details='{"a":"1"}')
    view = current(*told)
    assert (2, 3, details('{"a":"1"}', T + 5, 4, 3)) == (view.execution_number, view.version_number, view.details)
    assert [(2, "FAILED"), (1, "TIMED_OUT")] == states(*told, event(TIMED_OUT, T + 1, 1))
    assert [(None, "FAILED")] == states(event(FAILED, T + 4, 2), answer(FAILED, T + 5))
    assert [(None, "FAILED")] == states(event(TIMED_OUT, T + 5, 2), answer(FAILED, T + 5))


def test_without_an_attempt_a_later_list_ends_it() -> None:
    """A later list ends the execution only if it is pending."""
    view = shown(answer(IN_PROGRESS, T + 3), lists=LEFT_OUT)
    assert view is not None
    assert (ExecutionState.ENDED, None, True, None) == (
        view.current.state,
        view.current.ended_at,
        view.is_left_out,
        view.waiting_since,
    )
    view = shown(event(SUCCEEDED, T + 3), lists=LEFT_OUT)
    assert view is not None
    assert (ExecutionState.SUCCEEDED, False) == (view.current.state, view.is_left_out)


@pytest.mark.parametrize(("listed_at", "state"), [(T + 2, "QUEUED"), (T + 3, "QUEUED"), (T + 4, "ENDED")])
def test_without_an_attempt_a_list_of_its_second_says_nothing(listed_at: int, state: str) -> None:
    """A list in the second of the report decides nothing, as `queuedAt` is unknown."""
    assert state == current(answer(QUEUED, T + 3), lists=pending_list(listed_at)).state


# 8. Deletion


@pytest.mark.parametrize("end", [[], [event(SUCCEEDED, T + 9)], [named_end(FAILED, T, T + 9)]])
def test_a_deleted_event_removes_an_execution(end: list[ExecutionReport]) -> None:
    """A DELETED event removes an ended or pending execution."""
    assert shown(sighting(T), *end, event(DELETED, T + 9)) is None


@pytest.mark.parametrize(("deleted_at", "is_gone"), [(T - 1, False), (T, True)])
def test_a_deletion_before_the_attempt_was_queued_is_of_an_earlier_one(deleted_at: int, *, is_gone: bool) -> None:
    """A deletion before the second of `queuedAt` belongs to an earlier attempt."""
    view = shown(ExecutionReport("j", "t", QUEUED, queued_at=T * 1000 + 900), event(DELETED, deleted_at))
    assert is_gone == (view is None)


@pytest.mark.parametrize(("seen", "is_gone"), [(T + 14, True), (T + 15, False)])
def test_a_deletion_is_undone_by_a_sighting_more_than_five_seconds_later(seen: int, *, is_gone: bool) -> None:
    """A sighting until then does not undo the deletion, as its list may be older than the event."""
    assert is_gone == (shown(sighting(T, heard=seen), event(DELETED, T + 9)) is None)


@pytest.mark.parametrize(("seen", "is_gone"), [(T + 9, True), (T + 10, False)])
def test_a_deletion_with_an_earlier_attempt_without_an_end(seen: int, *, is_gone: bool) -> None:
    """Any later sighting undoes a deletion that may belong to an earlier attempt without an end."""
    told = sighting(T - 60, 1), sighting(T, 2, heard=seen), event(DELETED, T + 9)
    assert is_gone == (shown(*told) is None)


@pytest.mark.parametrize(("former_end", "is_gone"), [(event(FAILED, T - 1), True), (answer(FAILED, T - 1), False)])
def test_a_deletion_after_the_answer_that_ended_an_earlier_attempt(
    former_end: ExecutionReport, *, is_gone: bool
) -> None:
    """A later sighting undoes a deletion if only an answer, and no event, ended the earlier attempt."""
    told = sighting(T - 60, 1), sighting(T, 2, heard=T + 14), former_end, event(DELETED, T + 9)
    assert is_gone == (shown(*told) is None)


@pytest.mark.parametrize(("ended_at", "is_gone"), [(T + 14, True), (T + 15, False)])
def test_a_later_end_undoes_a_deletion(ended_at: int, *, is_gone: bool) -> None:
    """An end more than five seconds after a deletion belongs to a later attempt."""
    assert is_gone == (shown(sighting(T), event(SUCCEEDED, ended_at), event(DELETED, T + 9)) is None)
    assert is_gone == (shown(named_end(SUCCEEDED, T, ended_at), event(DELETED, T + 9)) is None)


@pytest.mark.parametrize(("number", "is_gone"), [(1, False), (2, True), (3, True), (None, True)])
def test_a_deletion_of_an_earlier_number_is_not_of_the_current_attempt(number: int | None, *, is_gone: bool) -> None:
    """A deletion with a lesser number does not remove the current attempt."""
    assert is_gone == (shown(sighting(T, 2), event(DELETED, T + 9, number)) is None)


@pytest.mark.parametrize(
    ("told", "is_gone"),
    [
        ([event(SUCCEEDED, T + 9)], True),
        ([event(SUCCEEDED, T + 10)], False),
        ([answer(IN_PROGRESS, T + 14)], True),
        ([answer(IN_PROGRESS, T + 15)], False),
        ([answer(QUEUED, T + 14), event(FAILED, T + 3)], True),
        ([answer(QUEUED, T + 15), event(FAILED, T + 3)], False),
        ([], True),
    ],
)
def test_a_deletion_without_an_attempt(told: list[ExecutionReport], *, is_gone: bool) -> None:
    """A later end undoes the deletion, as does a sighting more than five seconds later."""
    assert is_gone == (shown(*told, event(DELETED, T + 9)) is None)
    assert is_gone == (shown(*told, event(DELETED, T + 9, 2)) is None)


def test_a_deletion_without_a_time() -> None:
    """A deletion without a time removes only an execution without a time."""
    assert shown(sighting(T), event(DELETED, None)) is not None
    assert shown(answer(SUCCEEDED, None), event(DELETED, None)) is None


# Lives of the job


def test_only_what_is_of_the_life_counts() -> None:
    """Attempts count since the beginning of the life, and loose reports since its second."""
    life = Life(Deletions(T * 1000, T + 2), T * 1000 + 500)
    assert shown(sighting(T - 1), life=life) is None
    assert shown(event(FAILED, T - 1), answer(IN_PROGRESS, T - 1), life=life) is None
    assert [(1, "QUEUED")] == states(sighting(T - 1, 2), sighting(T, 1, heard=T + 9), life=life)
    assert [(None, "FAILED")] == states(event(FAILED, T), life=life)
    assert [(None, "QUEUED")] == states(answer(QUEUED, T), life=life)


@pytest.mark.parametrize(("deleted_at", "is_gone"), [(T + 2, False), (T + 3, True)])
def test_a_deletion_of_an_execution_is_of_the_life_after_the_publication(deleted_at: int, *, is_gone: bool) -> None:
    """An earlier deletion belongs to the old job, with which AWS deletes its executions."""
    life = Life(Deletions(T * 1000, T + 2), T * 1000)
    assert is_gone == (shown(sighting(T), event(DELETED, deleted_at), life=life) is None)


def test_an_id_that_is_used_again_at_once() -> None:
    """The execution of the new job is QUEUED (case 5)."""
    for inside, published in ((T * 1000, T), (T * 1000 + 900, T), (T * 1000, T + 2)):
        deletions = Deletions()
        deletions.merge(JobDeletion("j", inside, published))
        life = Life(deletions, T * 1000)
        told = sighting(T - 600, 1), sighting(T, 1), sighting(T, 1, heard=T + 1200)
        assert [(1, "QUEUED")] == states(*told, life=life)


def test_nothing_at_all() -> None:
    """An execution without a report that counts is not shown."""
    assert shown() is None
    assert shown(event(DELETED, T)) is None


# Any reports


@st.composite
def _reports(draw: st.DrawFn) -> ExecutionReport:
    status = draw(st.sampled_from([QUEUED, IN_PROGRESS, FAILED, REMOVED, SUCCEEDED, DELETED]))
    second = draw(st.integers(T, T + 12))
    queued = draw(st.one_of(st.none(), st.integers(T, T + 9)))
    return ExecutionReport(
        "j",
        "t",
        status,
        time=second * 1000,
        heard_at=draw(st.integers(second, T + 14)),
        execution_number=draw(st.sampled_from([None, None, 1, 2, 3])),
        queued_at=None if queued is None else queued * 1000,
        is_event=queued is None and draw(st.booleans()),
    )


@given(reports=st.lists(_reports(), min_size=1, max_size=8), listed_at=st.integers(T, T + 15))
def test_whatever_is_reported_is_consistent(reports: list[ExecutionReport], listed_at: int) -> None:
    """An attempt waits exactly while it is pending, is ENDED only by a list, and is shown once."""
    for lists in (None, pending_list(listed_at), DecidedLists(is_left_out=False)):
        view = shown(*reports, lists=lists)
        if view is None:
            continue
        is_pending = view.current.state in {ExecutionState.QUEUED, ExecutionState.IN_PROGRESS}
        assert is_pending == (view.waiting_since is not None)
        assert (view.current.ended_at is None) == (is_pending or view.current.state is ExecutionState.ENDED)
        assert not (is_pending and view.is_left_out)
        assert (view.current.state is ExecutionState.ENDED) <= view.is_left_out
        numbers = [one.execution_number for one in view.former if one.key is None]
        assert len(numbers) == len({*numbers})
        assert not any(one.state in {ExecutionState.QUEUED, ExecutionState.IN_PROGRESS} for one in view.former)


def test_every_order_of_a_retry_is_the_same() -> None:
    """The reports and answers of case 2 have the same result in every order."""
    told = [
        sighting(T - 60, 1),
        answer(FAILED, T - 1),
        event(FAILED, T + 2),
        sighting(T, 2),
        answer(IN_PROGRESS, T + 3),
    ]
    assert {((2, "IN_PROGRESS"), (1, "FAILED"))} == {tuple(states(*order)) for order in permutations(told)}
