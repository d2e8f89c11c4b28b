"""Stored facts of a job: registers, in which the greatest stamp wins, times and counts."""

from itertools import pairwise, permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.core_reports import T

from jobindex.model.job import NEVER_STAMPED, PLACES, REGISTERS, Job, stamp_of, stamp_status, stamp_time
from jobindex.model.jobs import JobStatus
from jobindex.model.lives import FIRST_LIFE, Deletions, Life
from jobindex.model.reports import UNTIMED, JobReport
from jobindex.model.views import ExecutionState

STATUSES = [None, "SCHEDULED", "IN_PROGRESS", "COMPLETED", "CANCELED", "DELETION_IN_PROGRESS"]


def report(time: int = UNTIMED, **members: Any) -> JobReport:
    """Return a report of job j; its times are its stamp's."""
    return JobReport("j", time, members, earliest_at=time, latest_at=time)


def merged(*reports: JobReport) -> Job:
    """Return the merged job, which is the same for every order and repetition of its reports."""
    job = Job("j")
    for one in reports:
        job.merge(one)
    for order in permutations(reports):
        again = Job("j")
        for one in (*order, *order[:1]):
            again.merge(one)
        assert job == again
    return job


def values(job: Job, life: Life = FIRST_LIFE) -> dict[str, object]:
    """Return the values that count in a life."""
    found = zip(REGISTERS, job.values_in(life), strict=True)
    return {name: value for name, value in found if value is not None}


# Stamps


def test_stamps_are_ordered_by_time_and_status() -> None:
    """Stamps compare by time and then by status; a missing status is the least."""
    ordered = [
        report(time)._replace(members={} if status is None else {"status": status})
        for time in (UNTIMED, 0, 1, T * 1000)
        for status in STATUSES
    ]
    stamps = [stamp_of(one) for one in ordered]
    assert stamps == sorted({*stamps})
    assert [one.time for one in ordered] == [*map(stamp_time, stamps)]
    assert [one.status for one in ordered] == [*map(stamp_status, stamps)]


def test_a_stamp_is_a_number_of_its_own() -> None:
    """The encoding of stamps is stored, so it never changes."""
    assert (-8, -5, 8, 13) == (
        stamp_of(report()),
        stamp_of(report(status="COMPLETED")),
        stamp_of(report(1)),
        stamp_of(report(1, status="DELETION_IN_PROGRESS")),
    )


# Registers


@pytest.mark.parametrize("name", [name for name in REGISTERS if name not in {"status", "created_at"}])
def test_a_register_yields_to_the_greater_stamp(name: str) -> None:
    """The greater stamp wins, by time and status; the greater value wins only at the same stamp."""
    assert {name: "a"} == values(merged(report(1, **{name: "b"}), report(2, **{name: "a"})))
    assert "a" == values(merged(report(1, **{name: "b"}), report(1, status="SCHEDULED", **{name: "a"})))[name]
    assert {name: "b"} == values(merged(report(1, **{name: "a"}), report(1, **{name: "b"})))
    assert {name: "b"} == values(merged(report(UNTIMED, **{name: "a"}), report(UNTIMED, **{name: "b"})))
    assert {name: "a"} == values(merged(report(UNTIMED, **{name: "b"}), report(0, **{name: "a"})))


def test_of_created_at_the_lesser_value_counts() -> None:
    """The lesser `createdAt` wins only at the same stamp."""
    assert {"created_at": 3} == values(merged(report(1, created_at=4), report(1, created_at=3)))
    assert {"created_at": 4} == values(merged(report(2, created_at=4), report(1, created_at=3)))
    assert 4 == merged(report(2, created_at=4), report(1, created_at=3)).created_at()
    assert merged(report(1)).created_at() is None
    assert {"completed_at": 4} == values(merged(report(1, completed_at=4), report(1, completed_at=3)))


@pytest.mark.parametrize(("lesser", "greater"), [*pairwise(STATUSES[1:])])
def test_the_status_of_the_greatest_stamp_counts(lesser: str, greater: str) -> None:
    """Statuses rank as SCHEDULED < IN_PROGRESS < COMPLETED < CANCELED < DELETION_IN_PROGRESS."""
    assert {"status": greater} == values(merged(report(1, status=lesser), report(1, status=greater)))
    assert {"status": lesser} == values(merged(report(2, status=lesser), report(1, status=greater)))


def test_an_absent_member_never_erases_a_known_one() -> None:
    """Each member has a register of its own."""
    job = merged(report(1, description="a", comment="b"), report(2, comment="c"), report(3))
    assert {"description": "a", "comment": "c"} == values(job)
    assert (8, 16, NEVER_STAMPED) == tuple(map(job.stamp, ("description", "comment", "status")))


# Times


def test_the_least_and_the_greatest_time_are_kept() -> None:
    """Times of the job and its executions count; a report without a time changes nothing."""
    one = JobReport("j", 5, earliest_at=4, latest_at=7)
    other = JobReport("j", 6, earliest_at=0, latest_at=6)
    job = merged(one, other, JobReport("j"))
    assert (0, 7) == (job.earliest_at, job.latest_at)
    assert (UNTIMED, UNTIMED) == ((job := merged(JobReport("j"))).earliest_at, job.latest_at)
    assert (4, 7) == ((job := merged(one, JobReport("j"))).earliest_at, job.latest_at)


# Lives


def test_all_registers_count_in_the_first_life() -> None:
    """Registers without a time count, too."""
    job = merged(report(comment="a"), report(5, description="b"))
    assert {"comment": "a", "description": "b"} == values(job)


@pytest.mark.parametrize(
    ("member", "is_counted"),
    [
        (report(), False),
        (report(T * 1000, status="COMPLETED"), False),  # the time inside
        (report(T * 1000 + 1), True),
        (report(T * 1000), True),  # as an execution's report is stamped in whole seconds
        (report((T - 1) * 1000), False),
        (report(T * 1000 + 1, status="COMPLETED"), True),
        (report((T + 3) * 1000, status="COMPLETED"), True),
    ],
)
def test_registers_of_a_later_life(member: JobReport, *, is_counted: bool) -> None:
    """A register counts if stamped after the publication or the time inside, an execution's by the second."""
    life = Life(Deletions(T * 1000, T + 2), T * 1000)
    job = merged(member._replace(members={**member.members, "comment": "a"}))
    assert ("a" if is_counted else None) == values(job, life).get("comment")


def test_a_whole_second_with_a_status_is_a_jobs() -> None:
    """Only a stamp without a status, in a whole second, can be an execution's."""
    life = Life(Deletions(T * 1000 + 500, T + 2), T * 1000)
    assert {} == values(merged(report(T * 1000 + 400, comment="a")), life)
    assert {"comment": "a"} == values(merged(report(T * 1000, comment="a")), life)
    assert {} == values(merged(report(T * 1000, comment="a", status="SCHEDULED")), life)


# Counts


def test_executions_are_counted_by_state() -> None:
    """Executions that ended at an unknown time are also counted separately."""
    job = Job("j")
    job.count(ExecutionState.FAILED, is_untimed=False, by=1)
    job.count(ExecutionState.ENDED, is_untimed=True, by=1)
    job.count(ExecutionState.ENDED, is_untimed=True, by=1)
    assert ([0, 0, 0, 1, 0, 0, 0, 0, 2], 2) == (job.executions, job.untimed_ends)
    job.count(ExecutionState.ENDED, is_untimed=True, by=-1)
    job.count(ExecutionState.FAILED, is_untimed=False, by=-1)
    assert ([0] * 8 + [1], 1) == (job.executions, job.untimed_ends)


def test_a_new_job() -> None:
    """A new job has no known facts."""
    job = Job("j")
    assert ({}, {NEVER_STAMPED}, UNTIMED, UNTIMED, UNTIMED, [0] * 9, 0, False) == (
        values(job),
        {*job.stamps},
        job.earliest_at,
        job.latest_at,
        job.arrived_at,
        job.executions,
        job.untimed_ends,
        bool(job.deletions),
    )


def test_values_of_registers() -> None:
    """A register is read by its name in a life, as a text, a number or None."""
    job = merged(report(5, comment="text", completed_at=7, is_concurrent=0))
    later = Life(Deletions(9, 0), 10)
    assert ("text", None, None) == (
        job.text("comment", FIRST_LIFE),
        job.text("description", FIRST_LIFE),
        job.text("comment", later),
    )
    assert (7, 0, None, None) == (
        job.number("completed_at", FIRST_LIFE),
        job.number("is_concurrent", FIRST_LIFE),
        job.number("created_at", FIRST_LIFE),
        job.number("completed_at", later),
    )
    assert [*REGISTERS] == sorted(PLACES, key=PLACES.__getitem__)


@given(
    data=st.data(),
    reports=st.lists(
        st.builds(
            lambda time, members, earliest, latest: JobReport("j", time, members, earliest, latest),
            st.integers(-1, 3),
            st.fixed_dictionaries(
                {},
                optional={
                    "status": st.sampled_from([*JobStatus]).map(str),
                    "comment": st.sampled_from("ab"),
                    "created_at": st.integers(0, 2),
                },
            ),
            st.integers(-1, 3),
            st.integers(-1, 3),
        ),
        max_size=12,
    ),
)
def test_no_order_and_no_repetition_shows(data: st.DataObject, reports: list[JobReport]) -> None:
    """Merging is commutative, associative and idempotent."""
    again = data.draw(st.lists(st.sampled_from(reports))) if reports else []
    one, other = Job("j"), Job("j")
    for each in reports:
        one.merge(each)
    for each in data.draw(st.permutations([*reports, *again])):
        other.merge(each)
    assert one == other
