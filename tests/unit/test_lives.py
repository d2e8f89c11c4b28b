"""Lives of a job id, and the one that counts after a deletion."""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.core_reports import FAILED, T, event, merged, named_end, sighting

from jobindex.model.execution import NEVER
from jobindex.model.lives import FIRST_LIFE, Deletions, Life
from jobindex.model.reports import UNTIMED, JobDeletion

INSIDE = T * 1000 + 500
PUBLISHED = T + 2


@pytest.fixture
def deleted() -> Deletions:
    """Return a deletion that was published two seconds after the time inside it."""
    return Deletions(INSIDE, PUBLISHED)


def test_an_id_that_was_never_deleted_has_one_life() -> None:
    """The first life has no beginning and no birth."""
    deletions = Deletions()
    assert (NEVER, NEVER, False) == (deletions.deleted_at, deletions.published_at, bool(deletions))
    assert FIRST_LIFE == deletions.life(None, ()) == deletions.life(T, [T])
    assert FIRST_LIFE == Life(Deletions(), UNTIMED)
    assert deletions.birth(merged([sighting(T)])) is None


def test_of_each_time_the_greatest_counts() -> None:
    """The greatest of each time counts, for any order of the deletions."""
    told = [JobDeletion("j", 5, 9), JobDeletion("j", 7, 1), JobDeletion("j", 6, 8)]
    for order in permutations(told):
        deletions = Deletions()
        for deletion in (*order, order[0]):
            deletions.merge(deletion)
        assert Deletions(7, 9) == deletions


@pytest.mark.parametrize("deletion", [JobDeletion("j"), JobDeletion("j", 0, 0)])
def test_a_deletion_without_a_time_is_one(deletion: JobDeletion) -> None:
    """A deletion without a time ends the life of the id."""
    deletions = Deletions()
    deletions.merge(deletion)
    assert deletions
    assert deletions.life(None, ()) is None


# Births


@pytest.mark.parametrize(
    ("queued", "seen", "is_born"),
    [
        (T - 1, T + 100, False),  # before the time inside
        (T, T + 2, False),  # not sighted since the publication
        (T, T + 3, True),  # in the second of the time inside
        (T + 2, T + 2, False),  # in the second of the publication
        (T + 2, T + 3, True),
        (T + 3, T + 3, True),  # after the publication
    ],
)
def test_an_attempt_of_a_later_life(deleted: Deletions, queued: int, seen: int, *, is_born: bool) -> None:
    """The attempt was queued after the publication, or after the time inside and sighted after the publication."""
    birth = deleted.birth(merged([sighting(queued, heard=seen)]))
    assert (queued * 1000 if is_born else None) == birth


def test_an_attempt_queued_after_the_publication_needs_no_sighting(deleted: Deletions) -> None:
    """An attempt known only by its end is a birth, too."""
    assert (T + 3) * 1000 == deleted.birth(merged([named_end(FAILED, T + 3, T + 9)]))
    assert deleted.birth(merged([named_end(FAILED, T + 2, T + 9)])) is None


def test_the_least_attempt_of_a_later_life_is_the_birth(deleted: Deletions) -> None:
    """A birth has milliseconds; a report without a number belongs to the numbered attempt of its second."""
    told = [sighting(T + 9.5, 2), sighting(T + 5.25, 1), sighting(T - 60, 1)]
    assert T * 1000 + 5250 == deleted.birth(merged(told))
    assert deleted.birth(merged([sighting(T - 60)])) is None
    assert deleted.birth(merged([event(FAILED, T + 9)])) is None
    told = [sighting(T + 1, 1, heard=T + 1), sighting(T + 1.5, None, heard=T + 9)]
    assert T * 1000 + 1500 == deleted.birth(merged(told))


# Lives


def test_a_life_begins_with_the_least_birth(deleted: Deletions) -> None:
    """A life begins with the least of its executions' births and the reported `createdAt`."""
    later = INSIDE + 9000
    assert Life(deleted, later) == deleted.life(None, [None, later + 1, later])
    assert Life(deleted, later) == deleted.life(later, [later + 1, None])
    assert Life(deleted, later) == deleted.life(later + 1, [later])
    assert Life(deleted, later) == deleted.life(later, ())


@pytest.mark.parametrize(("created_at", "is_born"), [(INSIDE - 1, False), (INSIDE, False), (INSIDE + 1, True)])
def test_a_created_at_later_than_the_time_inside_is_a_birth(
    deleted: Deletions, created_at: int, *, is_born: bool
) -> None:
    """`createdAt` and the time inside compare by the millisecond."""
    assert (Life(deleted, created_at) if is_born else None) == deleted.life(created_at, [None])
    least = min([INSIDE + 9, *([created_at] if is_born else [])])
    assert Life(deleted, least) == deleted.life(created_at, [INSIDE + 9])


def test_a_job_is_gone_if_nothing_was_born(deleted: Deletions) -> None:
    """A job is gone without a `createdAt` or an attempt of a later life."""
    assert deleted.life(None, ()) is None
    assert deleted.life(None, [None, None]) is None
    assert deleted.life(0, ()) is None


def test_a_weekly_job_under_one_name() -> None:
    """The new job begins when its first execution is queued (case 6)."""
    month = 30 * 24 * 3600
    deletions = Deletions((T - month) * 1000, T - month)
    executions = [merged([sighting(T - month - 100), sighting(T)])]
    assert Life(deletions, T * 1000) == deletions.life(None, map(deletions.birth, executions))


# Facts that count in a life


def test_all_counts_in_the_first_life() -> None:
    """Everything counts in the first life, even without a time."""
    assert -1 == FIRST_LIFE.since
    for is_of_execution in (False, True):
        assert FIRST_LIFE.counts(UNTIMED, is_of_execution=is_of_execution)
        assert FIRST_LIFE.counts(0, is_of_execution=is_of_execution)
    assert FIRST_LIFE.counts_deletion(-1)
    assert FIRST_LIFE.counts_deletion(T)


def test_attempts_count_since_the_second_of_the_beginning(deleted: Deletions) -> None:
    """The beginning of a life is rounded down to the second."""
    assert T + 5 == Life(deleted, T * 1000 + 5999).since


@pytest.mark.parametrize(("deleted_at", "is_counted"), [(T + 1, False), (T + 2, False), (T + 3, True)])
def test_a_deletion_of_an_execution_counts_after_the_publication(
    deleted: Deletions, deleted_at: int, *, is_counted: bool
) -> None:
    """Deletion and publication compare by the second."""
    assert is_counted == Life(deleted, INSIDE + 1).counts_deletion(deleted_at)


@pytest.mark.parametrize(
    ("time", "of_job", "of_execution"),
    [
        (UNTIMED, False, False),
        (INSIDE - 501, False, False),
        (INSIDE - 500, False, True),  # in the second of the time inside
        (INSIDE, False, True),
        (INSIDE + 1, True, True),  # later than the time inside
        ((T + 2) * 1000, True, True),
        ((T + 3) * 1000, True, True),
    ],
)
def test_a_member_of_a_life_that_began_at_once(
    deleted: Deletions, time: int, *, of_job: bool, of_execution: bool
) -> None:
    """A job's member counts if later than the time inside, an execution's from its second on."""
    life = Life(deleted, T * 1000)
    assert of_job == life.counts(time, is_of_execution=False)
    assert of_execution == life.counts(time, is_of_execution=True)


@pytest.mark.parametrize(
    ("time", "is_counted"),
    [
        ((T + 1) * 1000 - 1, False),  # before the second of the beginning
        ((T + 1) * 1000, True),
        ((T + 1) * 1000 + 900, True),
        ((T + 3) * 1000, True),
    ],
)
def test_a_member_stamped_before_the_publication_is_not_before_the_beginning(
    deleted: Deletions, time: int, *, is_counted: bool
) -> None:
    """A member counts from the second of the beginning on."""
    life = Life(deleted, T * 1000 + 1900)
    assert is_counted == life.counts(time, is_of_execution=False)
    assert is_counted == life.counts(time, is_of_execution=True)


@pytest.mark.parametrize(("time", "is_counted"), [((T + 3) * 1000 - 1, False), ((T + 3) * 1000, True)])
def test_a_member_stamped_after_the_publication_counts_always(
    deleted: Deletions, time: int, *, is_counted: bool
) -> None:
    """A member counts even if the known beginning of the life is later."""
    life = Life(deleted, (T + 60) * 1000)
    assert is_counted == life.counts(time, is_of_execution=False)
    assert is_counted == life.counts(time, is_of_execution=True)


def test_a_member_of_an_execution_is_not_before_the_second_of_the_time_inside(deleted: Deletions) -> None:
    """An execution's older member does not count, however early the life began."""
    life = Life(deleted, (T - 9) * 1000)
    assert not life.counts((T - 1) * 1000, is_of_execution=True)
    assert life.counts(T * 1000, is_of_execution=True)


@given(
    data=st.data(),
    deletions=st.lists(st.builds(JobDeletion, st.just("j"), st.integers(-1, 9), st.integers(-1, 9))),
)
def test_no_order_and_no_repetition_shows(data: st.DataObject, deletions: list[JobDeletion]) -> None:
    """Merging is commutative, associative and idempotent."""
    again = data.draw(st.lists(st.sampled_from(deletions))) if deletions else []
    one, other = Deletions(), Deletions()
    for deletion in deletions:
        one.merge(deletion)
    for deletion in data.draw(st.permutations([*deletions, *again])):
        other.merge(deletion)
    assert one == other
