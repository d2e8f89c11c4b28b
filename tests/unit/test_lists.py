"""Pending lists of a thing, complete or cut, and the attempts that they leave out."""

from collections.abc import Sequence
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.core_reports import T

from jobindex.model.lists import CUT_LISTS_MAXIMUM, CutList, DecidedLists, PendingLists
from jobindex.model.reports import NO_NUMBER, UNTIMED, ListEntry, PendingListReport

A, B, C = (ListEntry(name, T, 1) for name in "abc")


def complete(listed_at: int, *entries: ListEntry) -> PendingListReport:
    """Return a complete list."""
    return PendingListReport("t", "n", listed_at, frozenset(entries))


def cut(listed_at: int, last_second: int, *, is_last_queued: bool = True) -> PendingListReport:
    """Return a list that may be cut."""
    return PendingListReport("t", "n", listed_at, last_entry=(is_last_queued, last_second))


def merged(*reports: PendingListReport) -> PendingLists:
    """Return the merged lists, which are the same for every order and repetition."""
    lists = PendingLists("t", "n")
    for report in reports:
        lists.merge(report)
    for order in permutations(reports):
        again = PendingLists("t", "n")
        for report in (*order, *order[:1]):
            again.merge(report)
        assert lists == again
    return lists


def leave_out(lists: PendingLists, second: int = T, number: int = 1, **known: Any) -> bool:
    """Return whether lists leave out an attempt of job a, last sighted in the second in which it was queued."""
    return lists.leave_out("a", second, number, **{"seen_at": second, "is_started": False, **known})


# Stored lists


def test_of_a_thing_without_lists_nothing_is_left_out() -> None:
    """No attempt is left out without a list, not even an attempt without a time."""
    lists = merged()
    assert (UNTIMED, frozenset(), []) == (lists.listed_at, lists.entries, lists.cut_lists)
    assert not leave_out(lists)
    assert not leave_out(lists, UNTIMED, NO_NUMBER)


def test_the_latest_complete_list_is_kept() -> None:
    """Only the entries of the latest complete list are stored."""
    lists = merged(complete(T, A), complete(T + 2, B), complete(T + 1, C))
    assert (T + 2, frozenset({B})) == (lists.listed_at, lists.entries)


def test_of_several_lists_in_one_second_what_all_of_them_show_is_kept() -> None:
    """The common entries are stored, as the order of the lists is unknown."""
    lists = merged(complete(T, A, B, C), complete(T, A, B), complete(T, B, C))
    assert (T, frozenset({B})) == (lists.listed_at, lists.entries)


def test_cut_lists_later_than_the_complete_one_are_kept() -> None:
    """The second and the last entry of each cut list are stored, the greatest first."""
    reports = complete(T + 1, A), cut(T, T), cut(T + 1, T), cut(T + 2, T), cut(T + 3, T, is_last_queued=False)
    assert [CutList(T + 3, is_last_queued=False, last_queued_second=T), CutList(T + 2, True, T)] == (  # noqa: FBT003
        merged(*reports).cut_lists
    )


def test_a_cut_list_is_kept_once() -> None:
    """A repeated cut list is stored once; lists of one second with other last entries are stored separately."""
    lists = merged(cut(T, T), cut(T, T), cut(T, T + 1), cut(T, T, is_last_queued=False))
    assert [(True, T + 1), (True, T), (False, T)] == [kept[1:] for kept in lists.cut_lists]


def test_a_cut_list_leaves_the_complete_one() -> None:
    """A cut list does not replace the complete one, as it may lack entries after its last one."""
    lists = merged(complete(T, A), cut(T + 1, T))
    assert (T, frozenset({A})) == (lists.listed_at, lists.entries)


def test_the_greatest_cut_lists_are_kept() -> None:
    """The four greatest cut lists are stored."""
    assert 4 == CUT_LISTS_MAXIMUM
    lists = merged(*(cut(T + second, T) for second in range(6)))
    assert [T + 5, T + 4, T + 3, T + 2] == [kept.listed_at for kept in lists.cut_lists]


def test_a_copy_is_changed_alone() -> None:
    """Merging into a copy leaves the original unchanged."""
    lists = merged(complete(T, A), cut(T + 1, T))
    copied = lists.copy()
    assert lists == copied
    copied.merge(cut(T + 2, T))
    assert 1 == len(lists.cut_lists)
    copied.merge(complete(T + 3, B))
    assert (T, frozenset({A}), "t", "n") == (lists.listed_at, lists.entries, copied.thing_name, copied.namespace_id)


@given(
    data=st.data(),
    reports=st.lists(
        st.one_of(
            st.builds(
                PendingListReport,
                st.just("t"),
                st.just("n"),
                st.integers(T, T + 3),
                st.frozensets(st.sampled_from([A, B, C])),
            ),
            st.builds(cut, st.integers(T, T + 9), st.integers(T, T + 2), is_last_queued=st.booleans()),
        ),
        max_size=20,
    ),
)
def test_no_order_and_no_repetition_shows(data: st.DataObject, reports: Sequence[PendingListReport]) -> None:
    """Merging is commutative, associative and idempotent, even at the bound."""
    again = data.draw(st.lists(st.sampled_from(reports))) if reports else []
    lists, others = PendingLists("t", "n"), PendingLists("t", "n")
    for report in reports:
        lists.merge(report)
    for report in data.draw(st.permutations([*reports, *again])):
        others.merge(report)
    assert lists == others
    assert len(lists.cut_lists) <= 4


# Attempts that a complete list leaves out


@pytest.mark.parametrize(("listed_at", "is_left_out"), [(T + 8, False), (T + 9, True), (T + 10, True)])
def test_a_complete_list_leaves_out_what_was_last_seen_before(listed_at: int, *, is_left_out: bool) -> None:
    """An attempt last seen in the second of the list is left out if it was queued in an earlier second."""
    assert is_left_out == leave_out(merged(complete(listed_at)), T, seen_at=T + 9)


@pytest.mark.parametrize(("queued", "is_left_out"), [(T + 8, True), (T + 9, False), (UNTIMED, False), (0, True)])
def test_a_list_of_the_second_of_the_last_sighting(queued: int, *, is_left_out: bool) -> None:
    """An attempt queued in the second of the list, or at an unknown time, may be newer than the list."""
    assert is_left_out == leave_out(merged(complete(T + 9)), queued, seen_at=T + 9)


def test_what_was_never_sighted_is_left_out_by_any_list() -> None:
    """An attempt without a sighting has no time, so any complete list is later."""
    assert leave_out(merged(complete(0)), UNTIMED, NO_NUMBER)


@pytest.mark.parametrize(
    ("second", "number", "held", "is_held"),
    [
        (T, 1, A, True),
        (T, NO_NUMBER, A, True),
        (T, 2, A, False),
        (T, 0, A, False),
        (T + 1, 1, A, False),
        (T - 1, NO_NUMBER, A, False),
        (T, 1, A._replace(execution_number=NO_NUMBER), True),
        (T, NO_NUMBER, A._replace(execution_number=NO_NUMBER), True),
        (T, 1, B, False),
        (UNTIMED, NO_NUMBER, A._replace(queued_second=UNTIMED), True),
        (T, 1, A._replace(queued_second=UNTIMED), False),
    ],
)
def test_a_list_holds_an_attempt(second: int, number: int, held: ListEntry, *, is_held: bool) -> None:
    """A list contains an attempt if job and second match, and the numbers match or one of them is absent."""
    lists = merged(complete(T + 9, C, held))
    assert is_held != lists.leave_out("a", second, number, seen_at=T + 2, is_started=False)


# Attempts that a cut list leaves out


@pytest.mark.parametrize(("listed_at", "is_left_out"), [(T + 8, False), (T + 9, False), (T + 10, True)])
def test_a_cut_list_leaves_out_what_was_last_seen_before(listed_at: int, *, is_left_out: bool) -> None:
    """An attempt last seen in the second of the list is not left out."""
    assert is_left_out == leave_out(merged(cut(listed_at, T + 5)), T, seen_at=T + 9)


@pytest.mark.parametrize(
    ("queued", "is_started", "is_last_queued", "is_left_out"),
    [
        (T + 4, False, True, True),
        (T + 5, False, True, False),
        (T + 6, False, True, False),
        (UNTIMED, False, True, False),
        (T + 4, True, True, True),
        (T + 5, True, True, True),
        (T + 6, True, True, True),
        (UNTIMED, True, True, True),
        (T + 4, False, False, False),
        (T + 4, True, False, True),
        (T + 5, True, False, False),
        (T + 6, True, False, False),
        (UNTIMED, True, False, False),
        (0, True, False, True),
        (0, False, True, True),
    ],
)
def test_an_attempt_that_would_sort_before_the_last_entry(
    queued: int, *, is_started: bool, is_last_queued: bool, is_left_out: bool
) -> None:
    """A list has IN_PROGRESS first, then sorts by `queuedAt`; an equal attempt may be before or after."""
    lists = merged(cut(T + 9, T + 5, is_last_queued=is_last_queued))
    assert is_left_out == leave_out(lists, queued, is_started=is_started, seen_at=T + 7)


def test_a_last_entry_without_a_queued_at() -> None:
    """No QUEUED attempt is known to sort before a last entry without `queuedAt`."""
    assert not leave_out(merged(cut(T + 9, UNTIMED)))
    assert leave_out(merged(cut(T + 9, UNTIMED)), is_started=True)


def test_any_of_the_lists_can_leave_an_attempt_out() -> None:
    """The complete list or any cut list can leave an attempt out, even if the others do not."""
    assert leave_out(merged(complete(T + 1, A), cut(T + 3, T), cut(T + 2, T + 1)))
    assert leave_out(merged(complete(T + 1), cut(T + 3, T)))
    assert not leave_out(merged(complete(T + 1, A), cut(T + 3, T)))


def test_what_was_decided_before() -> None:
    """A stored decision is the same for every attempt."""
    for is_left_out in (False, True):
        lists = DecidedLists(is_left_out=is_left_out)
        assert is_left_out == lists.leave_out("a", T, 1, seen_at=T, is_started=False)
