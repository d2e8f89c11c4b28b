"""Merging reports of an execution takes maxima and unions, so order, repetition and bounds do not show."""

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
    event,
    merged,
    named_end,
    sighting,
)

from jobindex.model.execution import (
    ATTEMPTS_MAXIMUM,
    ENDS_MAXIMUM,
    NO_VERSION,
    Attempt,
    Details,
    Execution,
    Loose,
    greater,
)
from jobindex.model.reports import NO_NUMBER, UNTIMED, ExecutionReport


def loose(second: int = T, rank: int = 4, **members: Any) -> Loose:
    """Return a FAILED event without other values."""
    known: dict[str, Any] = {
        "version": NO_VERSION,
        "is_event": True,
        "number": NO_NUMBER,
        "time": second * 1000,
        "started_at": UNTIMED,
        "details": None,
    }
    return Loose(second=second, rank=rank, **{**known, **members})


def test_bounds() -> None:
    """The bounds exceed AWS's ten retries and are part of the rules; the absent version is stored."""
    assert (12, 24, -1) == (ATTEMPTS_MAXIMUM, ENDS_MAXIMUM, NO_VERSION)


# Attempts


def test_an_attempt_keeps_all_that_names_it() -> None:
    """An attempt has its second and number as key, and the greatest of each value."""
    execution = merged(
        [
            sighting(T + 0.2, 1, heard=T + 1, version_number=1),
            sighting(T + 0.7, 1, heard=T + 3, started=T + 2.5, version_number=2),
            sighting(T + 0.7, 1, heard=T + 2, version_number=1, status_details='{"a":"1"}'),
        ]
    )
    expected = Attempt(
        second=T,
        number=1,
        queued_at=T * 1000 + 700,
        seen_at=T + 3,
        waited_at=T + 2,
        is_started=True,
        started_at=T * 1000 + 2500,
        version=2,
        updated_at=T * 1000 + 2500,
        details=Details(T, 1, 1, '{"a":"1"}', is_cut=False),
    )
    assert {(T, 1): expected} == execution.attempts
    assert ({}, {}, None, {}) == (execution.ends, execution.progress, execution.waiting, execution.deletions)


def test_an_attempt_without_anything_but_its_time() -> None:
    """A value that no report contains is less than any reported value."""
    execution = merged([ExecutionReport("j", "t", QUEUED, queued_at=T * 1000)])
    expected = Attempt(second=T, number=NO_NUMBER, queued_at=T * 1000)
    assert {(T, NO_NUMBER): expected} == execution.attempts
    assert (UNTIMED, UNTIMED, False, UNTIMED, NO_VERSION, UNTIMED, None, None) == (
        expected.seen_at,
        expected.waited_at,
        expected.is_started,
        expected.started_at,
        expected.version,
        expected.updated_at,
        expected.details,
        expected.end,
    )


def test_a_sighting_in_progress_is_no_sighting_as_queued() -> None:
    """The last sighting as QUEUED is stored separately from the last sighting."""
    (attempt,) = merged([sighting(T, heard=T + 9, started=T + 1), sighting(T, heard=T + 4)]).attempts.values()
    assert (T + 9, T + 4, True) == (attempt.seen_at, attempt.waited_at, attempt.is_started)
    (attempt,) = merged([sighting(T, heard=T + 9, started=T + 1)]).attempts.values()
    assert (T + 9, UNTIMED, True) == (attempt.seen_at, attempt.waited_at, attempt.is_started)


@pytest.mark.parametrize("status", [TIMED_OUT, FAILED, REJECTED, REMOVED, CANCELED, SUCCEEDED])
def test_an_end_with_a_queued_at_names_its_attempt(status: Any) -> None:
    """An end with `queuedAt` is not a sighting or a loose end; its details are the attempt's."""
    execution = merged([named_end(status, T, T + 5.25, 2, version_number=7, status_details='{"a":"1"}')])
    rank = ["QUEUED", "IN_PROGRESS", "TIMED_OUT", "FAILED", "REJECTED", "REMOVED", "CANCELED", "SUCCEEDED"].index(
        status
    )
    expected = Attempt(
        second=T,
        number=2,
        queued_at=T * 1000,
        version=7,
        updated_at=T * 1000 + 5250,
        details=Details(T + 5, rank + 1, 7, '{"a":"1"}', is_cut=False),
        end=Loose(T + 5, rank + 1, 7, is_event=False, number=2, time=T * 1000 + 5250, started_at=UNTIMED, details=None),
    )
    assert ({(T, 2): expected}, {}) == (execution.attempts, execution.ends)


def test_of_several_ends_that_name_an_attempt_the_greatest_counts() -> None:
    """The ends of an attempt compare by second, rank and version."""
    ends = [
        named_end(FAILED, T, T + 5, version_number=9),
        named_end(FAILED, T, T + 6, version_number=1),
        named_end(SUCCEEDED, T, T + 6),
    ]
    for order in permutations(ends):
        (attempt,) = merged(order).attempts.values()
        assert attempt.end is not None
        assert (T + 6, 8, NO_VERSION) == (attempt.end.second, attempt.end.rank, attempt.end.version)


def test_the_details_of_the_greatest_report_count() -> None:
    """Reports compare by second, rank and version; a report without details keeps the details."""
    told = [
        sighting(T, started=T + 2, version_number=3, status_details='{"p":"2"}'),
        sighting(T, started=T + 2, version_number=2, status_details='{"p":"9"}'),
        sighting(T, started=T + 1, version_number=9, status_details='{"p":"8"}', is_details_cut=True),
        sighting(T, started=T + 4, version_number=4),
    ]
    for order in permutations(told):
        (attempt,) = merged(order).attempts.values()
        assert Details(T + 2, 2, 3, '{"p":"2"}', is_cut=False) == attempt.details


def test_an_attempt_without_a_number_is_the_one_of_that_second_with_the_greatest_number() -> None:
    """Both attempts are joined with all their values; other attempts of that second stay unchanged."""
    execution = merged(
        [
            sighting(T + 0.1, None, heard=T + 9, started=T + 3, version_number=4),
            sighting(T + 0.5, 1, heard=T + 3),
            named_end(FAILED, T, T + 6, None, status_details='{"a":"1"}'),
            sighting(T + 0.2, 2, heard=T + 5, version_number=2),
            sighting(T + 1, 3),
        ]
    )
    expected = Attempt(
        second=T,
        number=2,
        queued_at=T * 1000 + 200,
        seen_at=T + 9,
        waited_at=T + 5,
        is_started=True,
        started_at=(T + 3) * 1000,
        version=4,
        updated_at=(T + 6) * 1000,
        details=Details(T + 6, 4, NO_VERSION, '{"a":"1"}', is_cut=False),
        end=Loose(T + 6, 4, NO_VERSION, False, NO_NUMBER, (T + 6) * 1000, UNTIMED, None),  # noqa: FBT003
    )
    assert [(T, 1), (T, 2), (T + 1, 3)] == [attempt.key for attempt in execution.known_attempts()]
    assert expected == execution.known_attempts()[1]
    assert 4 == len(execution.attempts)  # attempts are joined on reading


def test_two_ends_of_joined_attempts() -> None:
    """The greater of two ends counts, with the number of either attempt."""
    first, second = named_end(FAILED, T, T + 6, None), named_end(SUCCEEDED, T, T + 5, 1)
    for order in ([first, second], [second, first]):
        (attempt,) = merged(order).known_attempts()
        assert attempt.end is not None
        assert (T + 6, 4, 1) == (attempt.end.second, attempt.end.rank, attempt.number)
    (attempt,) = merged([sighting(T, 1), first]).known_attempts()
    assert attempt.end is not None
    (attempt,) = merged([sighting(T, None), second]).known_attempts()
    assert attempt.end is not None


def test_joined_attempts_keep_the_greater_of_each_value() -> None:
    """Each value is the greater one, from either attempt."""
    numbered = sighting(T + 0.9, 1, heard=T + 9, started=T + 8, version_number=5, status_details='{"b":"1"}')
    bare = sighting(T + 0.1, None, heard=T + 2, version_number=1, status_details='{"a":"1"}')
    (attempt,) = merged([numbered, bare]).known_attempts()
    assert (T * 1000 + 900, T + 9, T + 2, True, (T + 8) * 1000, 5, (T + 8) * 1000, '{"b":"1"}') == (
        attempt.queued_at,
        attempt.seen_at,
        attempt.waited_at,
        attempt.is_started,
        attempt.started_at,
        attempt.version,
        attempt.updated_at,
        attempt.details and attempt.details.text,
    )


def test_only_the_greatest_attempts_are_kept() -> None:
    """The twelve attempts with the greatest seconds and numbers are stored."""
    told = [sighting(T + second, number) for second in range(5) for number in (None, 0, 1)]
    expected = sorted((T + second, number) for second in range(5) for number in (NO_NUMBER, 0, 1))[-12:]
    assert expected == sorted(merged(told).attempts) == sorted(merged(told[::-1]).attempts)
    assert sorted((T + second, 1) for second in range(12)) == sorted(
        merged([sighting(T + second) for second in range(12)]).attempts
    )


# Reports without queuedAt


def test_a_loose_end_is_kept_by_its_key() -> None:
    """The key is the second, rank, version, source and number; the details are stored with it."""
    end = event(FAILED, T + 0.75, 3, version_number=2, started_at=T * 1000, status_details='{"a":"1"}')
    details = Details(T, 4, 2, '{"a":"1"}', is_cut=False)
    expected = Loose(T, 4, 2, is_event=True, number=3, time=T * 1000 + 750, started_at=T * 1000, details=details)
    execution = merged([end, answer(FAILED, T)])
    assert {(T, 4, 2, True, 3): expected, (T, 4, NO_VERSION, False, NO_NUMBER): loose(is_event=False)} == execution.ends
    assert {} == execution.attempts
    assert expected.key == (T, 4, 2, True, 3)


def test_an_end_that_had_come_to_be_before_is_kept_when_it_was_heard() -> None:
    """An end in a rejected update happened earlier, and counts in the second of its message."""
    end = ExecutionReport("j", "t", SUCCEEDED, heard_at=T + 3)
    assert [loose(T + 3, 8, is_event=False, time=UNTIMED)] == [*merged([end]).ends.values()]


def test_an_end_is_of_its_own_second_and_a_pending_state_of_the_one_when_it_was_heard() -> None:
    """An end counts at its own time, a loose QUEUED or IN_PROGRESS at the time of its message."""
    execution = merged(
        [
            ExecutionReport("j", "t", status, time=T * 1000, heard_at=T + 7)
            for status in (QUEUED, IN_PROGRESS, TIMED_OUT, SUCCEEDED)
        ]
    )
    assert [T, T] == [end.second for end in execution.ends.values()]
    assert [T + 7, T + 7] == [one.second for one in execution.loose_pending()]


def test_the_greatest_loose_in_progress_of_each_number_is_kept() -> None:
    """A missing number counts as a number of its own."""
    told = [answer(IN_PROGRESS, T + second, number) for second in (1, 2, 0) for number in (None, 1, 2)]
    execution = merged(told)
    assert {NO_NUMBER: T + 2, 1: T + 2, 2: T + 2} == {number: one.second for number, one in execution.progress.items()}
    assert (None, 3) == (execution.waiting, len([*execution.loose_pending()]))


def test_the_greatest_loose_queued_is_kept() -> None:
    """A loose QUEUED is compared regardless of its number."""
    told = [answer(QUEUED, T + 1, 9), answer(QUEUED, T + 2, 1), answer(QUEUED, T, 3)]
    for order in permutations(told):
        execution = merged(order)
        assert execution.waiting is not None
        assert (T + 2, 1) == (execution.waiting.second, execution.waiting.number)
        assert [execution.waiting] == [*execution.loose_pending()]


def test_of_an_end_that_is_repeated_the_details_and_the_greater_times_stay() -> None:
    """An end keeps its details, as AWS keeps `statusDetails` that an update omits."""
    details = Details(T, 4, 1, "{}", is_cut=False)
    one = loose(details=details, time=T * 1000 + 1)
    other = loose(started_at=5, time=T * 1000 + 2)
    expected = loose(details=details, started_at=5, time=T * 1000 + 2)
    assert expected == greater(one, other) == greater(other, one)
    assert loose(T + 1, details=details) == greater(one, loose(T + 1)) == greater(loose(T + 1), one)
    later = details._replace(second=T + 1)
    assert later == greater(one, loose(T - 1, details=later)).details


def test_only_the_greatest_ends_are_kept() -> None:
    """The twenty-four greatest ends are stored."""
    told = [event(FAILED, T + second) for second in range(30)]
    expected = [T + second for second in range(6, 30)]
    for order in (told, told[::-1]):
        assert expected == sorted(end.second for end in merged(order).ends.values())


@pytest.mark.parametrize(("status", "kept"), [(IN_PROGRESS, "progress"), (DELETED, "deletions")])
def test_only_the_greatest_numbers_are_kept(status: Any, kept: str) -> None:
    """Twelve numbers are stored, and always the report without a number."""
    numbered = [answer(status, T, number) for number in range(14)]
    for order in (numbered, numbered[::-1]):
        assert [*range(2, 14)] == sorted(getattr(merged(order), kept))
        for place in (0, 7, 14):
            bare = [*order[:place], answer(status, T), *order[place:]]
            assert [NO_NUMBER, *range(2, 14)] == sorted(getattr(merged(bare), kept))


def test_the_last_deletion_of_each_number_is_kept() -> None:
    """Deletions compare by the second; a deletion without a time is the least."""
    told = [event(DELETED, T + 2.9), event(DELETED, T + 1), event(DELETED, T, 4), event(DELETED, None, 5)]
    for order in permutations(told):
        execution = merged(order)
        assert {NO_NUMBER: T + 2, 4: T, 5: -1} == execution.deletions
        assert ({}, {}, {}) == (execution.attempts, execution.ends, execution.progress)


@pytest.mark.parametrize(
    ("reports", "heard_at"),
    [
        ([], UNTIMED),
        ([event(FAILED, None)], UNTIMED),
        ([sighting(T + 0.2, heard=T)], T * 1000 + 200),
        ([sighting(T + 0.2, heard=T + 9), sighting(T + 0.3, heard=T + 1)], (T + 9) * 1000),
        ([event(FAILED, T + 3.5), sighting(T)], T * 1000 + 3500),
        ([event(DELETED, T + 4), answer(IN_PROGRESS, T)], (T + 4) * 1000),
    ],
)
def test_an_execution_was_heard_of_at_the_greatest_time_of_its_reports(
    reports: list[ExecutionReport], heard_at: int
) -> None:
    """Each report counts with the later of its state's time and its message's time, in milliseconds."""
    assert heard_at == merged(reports).heard_at


def test_of_several_arns_the_greatest_counts() -> None:
    """The greatest ARN counts, regardless of the status of its report."""
    told = [event(FAILED, T, thing_arn="b"), event(DELETED, T, thing_arn="c"), sighting(T, thing_arn="a"), sighting(T)]
    for order in permutations(told):
        assert "c" == merged(order).thing_arn
    assert merged([sighting(T)]).thing_arn is None


# Any reports


@st.composite
def _reports(draw: st.DrawFn) -> ExecutionReport:
    status = draw(st.sampled_from([QUEUED, IN_PROGRESS, FAILED, REMOVED, SUCCEEDED, DELETED]))
    time = draw(st.sampled_from([None, *(T + milliseconds / 1000 for milliseconds in range(0, 20_000, 700))]))
    queued = draw(st.one_of(st.none(), st.integers(0, 20)))
    return ExecutionReport(
        "j",
        "t",
        status,
        time=UNTIMED if time is None else round(time * 1000),
        heard_at=draw(st.integers(T, T + 20)),
        execution_number=draw(st.sampled_from([None, None, *range(16)])),
        version_number=draw(st.sampled_from([None, 1, 2])),
        queued_at=None if queued is None else T * 1000 + queued * 600,
        started_at=draw(st.sampled_from([None, T * 1000, T * 1000 + 5])),
        status_details=draw(st.sampled_from([None, '{"a":"1"}', '{"b":"2"}'])),
        thing_arn=draw(st.sampled_from([None, "a", "b"])),
        is_event=draw(st.booleans()),
        is_details_cut=False,
    )


@given(data=st.data(), reports=st.lists(_reports(), max_size=80))
def test_no_order_and_no_repetition_shows(data: st.DataObject, reports: list[ExecutionReport]) -> None:
    """Merging is commutative, associative and idempotent, even at the bounds."""
    again = data.draw(st.lists(st.sampled_from(reports))) if reports else []
    assert merged(reports) == merged(data.draw(st.permutations([*reports, *again])))


@given(reports=st.lists(_reports(), max_size=80))
def test_what_is_kept_is_bounded(reports: list[ExecutionReport]) -> None:
    """Any reports leave an execution within its bounds."""
    execution: Execution = merged(reports)
    assert len(execution.attempts) <= 12
    assert len(execution.ends) <= 24
    assert len(execution.progress) <= 13
    assert len(execution.deletions) <= 13
