"""A job in a list: its status, reported or inferred, its times, and the counts of its executions."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from support.core_reports import T

from jobindex.model.job import REGISTERS, Job
from jobindex.model.job_status import JobView, needs_last_end, process_details, view
from jobindex.model.jobs import JobStatus, TargetSelection
from jobindex.model.lives import FIRST_LIFE, Deletions, Life
from jobindex.model.reports import UNTIMED, JobReport
from jobindex.model.views import ExecutionState, count_failures

NOW = (T + 1_000_000) * 1000
FAILED, SUCCEEDED = {ExecutionState.FAILED: 1}, {ExecutionState.SUCCEEDED: 1}
ENDED = {ExecutionState.ENDED: 1}


def job(executions: Mapping[ExecutionState, int] | None = None, time: int = T * 1000, **members: Any) -> Job:
    """Return a job with counts of executions, and members that were reported at a time."""
    made = Job("j", arrived_at=NOW - 5)
    for state, count in (executions or {}).items():
        made.count(state, is_untimed=False, by=count)
    made.merge(JobReport("j", time, members, time, time))
    return made


def viewed(
    made: Job, life: Life = FIRST_LIFE, *, last_end_at: int | None = (T + 9) * 1000, events_since: int | None = None
) -> JobView:
    """Return the job as it is listed."""
    listed = view(made, life, last_end_at=last_end_at, events_since=events_since, now=NOW)
    assert listed is not None
    return listed


def test_a_job_that_is_gone_is_not_listed() -> None:
    """A job without a life that counts is not listed."""
    assert view(job(), None, last_end_at=None, events_since=None, now=NOW) is None


def test_a_job_with_all_members() -> None:
    """Members are listed as they were reported."""
    made = job(
        status="CANCELED",
        target_selection="SNAPSHOT",
        namespace_id="n",
        created_at=5,
        completed_at=7,
        thing_group_name="g",
        thing_group_id="1",
    )
    expected = JobView(
        created_at=5,
        status=JobStatus.CANCELED,
        is_status_reported=True,
        target_selection=TargetSelection.SNAPSHOT,
        namespace_id="n",
        completed_at=7,
        last_updated_at=T * 1000,
        is_timed=True,
        groups=("name:g", "id:1"),
        values=made.values,
    )
    assert expected == viewed(made)


def test_a_job_of_which_nothing_is_known() -> None:
    """`createdAt` is the first arrival, and `lastUpdatedAt` the arrival of the last change."""
    expected = JobView(
        created_at=NOW - 5,
        status=JobStatus.IN_PROGRESS,
        is_status_reported=False,
        target_selection=None,
        namespace_id=None,
        completed_at=None,
        last_updated_at=NOW,
        is_timed=False,
        groups=(),
        values=[None] * len(REGISTERS),
    )
    assert expected == viewed(job(time=UNTIMED), last_end_at=None)


# Status


@pytest.mark.parametrize("executions", [{}, FAILED, {ExecutionState.QUEUED: 1}])
@pytest.mark.parametrize("status", [*JobStatus])
def test_executions_never_change_a_reported_status(status: JobStatus, executions: Mapping[ExecutionState, int]) -> None:
    """A job with a reported status gets no inferred `completedAt` either."""
    listed = viewed(job(executions, status=status.value))
    assert (status, True, None) == (listed.status, listed.is_status_reported, listed.completed_at)


@pytest.mark.parametrize(
    ("executions", "status"),
    [
        ({}, "IN_PROGRESS"),
        ({ExecutionState.FAILED: 0}, "IN_PROGRESS"),
        (FAILED, "COMPLETED"),
        (SUCCEEDED, "COMPLETED"),
        (ENDED, "COMPLETED"),
        ({ExecutionState.FAILED: 2, ExecutionState.QUEUED: 0}, "COMPLETED"),
        ({ExecutionState.FAILED: 2, ExecutionState.QUEUED: 1}, "IN_PROGRESS"),
        ({ExecutionState.FAILED: 2, ExecutionState.IN_PROGRESS: 1}, "IN_PROGRESS"),
    ],
)
def test_a_job_whose_known_executions_have_ended_is_inferred_to_be_complete(
    executions: Mapping[ExecutionState, int], status: str
) -> None:
    """A job is inferred to be complete if an execution is known and none is pending."""
    listed = viewed(job(executions))
    assert (status, False) == (listed.status, listed.is_status_reported)


@pytest.mark.parametrize(
    ("members", "status"),
    [
        ({"target_selection": "SNAPSHOT"}, "COMPLETED"),
        ({"target_selection": "CONTINUOUS"}, "IN_PROGRESS"),
        ({"thing_group_name": "g"}, "IN_PROGRESS"),
        ({"thing_group_id": "1"}, "IN_PROGRESS"),
        ({"targets": '["arn:aws:iot:r:1:thinggroup/g"]'}, "IN_PROGRESS"),
        ({"targets": '["arn:aws:iot:r:1:thing/t"]'}, "COMPLETED"),
        ({"target_selection": "SNAPSHOT", "thing_group_name": "g"}, "COMPLETED"),
        ({"target_selection": "CONTINUOUS", "targets": '["arn:aws:iot:r:1:thing/t"]'}, "IN_PROGRESS"),
    ],
)
def test_a_job_that_may_go_on_is_not_inferred_to_be_complete(members: dict[str, Any], status: str) -> None:
    """A CONTINUOUS job may go on, as may a job of unknown selection with a thing group."""
    assert status == viewed(job(FAILED, **members)).status


@pytest.mark.parametrize(
    ("last_end_at", "events_since", "status"),
    [
        ((T + 9) * 1000, None, "COMPLETED"),
        ((T + 9) * 1000, T + 8, "IN_PROGRESS"),
        ((T + 9) * 1000, T + 9, "IN_PROGRESS"),
        ((T + 9) * 1000 + 999, T + 10, "COMPLETED"),
        ((T + 9) * 1000, T + 10, "COMPLETED"),
        (None, T + 10, "IN_PROGRESS"),
        (None, None, "COMPLETED"),
        (0, 1, "COMPLETED"),
        (0, 0, "IN_PROGRESS"),
    ],
)
def test_a_completion_that_aws_would_have_reported(
    last_end_at: int | None, events_since: int | None, status: str
) -> None:
    """A completion is not inferred if job events were published before the last end."""
    assert status == viewed(job(FAILED), last_end_at=last_end_at, events_since=events_since).status


def test_an_end_without_a_time_is_later_than_the_first_event() -> None:
    """An end without a time may be later than the first job event."""
    made = job(FAILED)
    made.untimed_ends = 1
    assert "IN_PROGRESS" == viewed(made, events_since=T + 100).status
    assert "COMPLETED" == viewed(made).status


def test_the_status_of_a_former_life_does_not_count() -> None:
    """No member of a former life counts."""
    made = job(FAILED, status="CANCELED", namespace_id="n", thing_group_name="g")
    listed = viewed(made, Life(Deletions((T + 1) * 1000, T + 2), (T + 3) * 1000))
    assert (JobStatus.COMPLETED, False, None, {None}, ()) == (
        listed.status,
        listed.is_status_reported,
        listed.namespace_id,
        {*listed.values},
        listed.groups,
    )


# Times


def test_an_inferred_completed_at_is_the_greatest_end() -> None:
    """`completedAt` is None if an end has no time; a reported `completedAt` wins."""
    assert (T + 9) * 1000 == viewed(job(FAILED)).completed_at
    assert 7 == viewed(job(FAILED, completed_at=7)).completed_at
    assert 0 == viewed(job(FAILED, completed_at=0)).completed_at
    made = job(FAILED)
    made.untimed_ends = 1
    assert viewed(made).completed_at is None
    assert viewed(job({ExecutionState.QUEUED: 1})).completed_at is None
    assert viewed(job(FAILED), last_end_at=None).completed_at is None


def test_created_at_is_the_one_reported() -> None:
    """`createdAt` falls back to the beginning of the life, the least reported time or the first arrival."""
    life = Life(Deletions((T - 9) * 1000, T - 8), (T - 5) * 1000)
    assert (T - 7) * 1000 == viewed(job(created_at=(T - 7) * 1000), life).created_at
    assert 0 == viewed(job(created_at=0)).created_at
    assert (T - 5) * 1000 == viewed(job(), life).created_at
    assert T * 1000 == viewed(job()).created_at
    assert 0 == viewed(job(time=0)).created_at
    assert NOW - 5 == viewed(job(time=UNTIMED)).created_at


def test_last_updated_at_is_the_greatest_time() -> None:
    """`lastUpdatedAt` is the arrival of the last change if no time was reported."""
    assert (T * 1000, True) == ((listed := viewed(job())).last_updated_at, listed.is_timed)
    assert (0, True) == ((listed := viewed(job(time=0))).last_updated_at, listed.is_timed)
    assert (NOW, False) == ((listed := viewed(job(time=UNTIMED))).last_updated_at, listed.is_timed)


# Whether the greatest end is needed


@pytest.mark.parametrize(
    ("executions", "members", "needs"),
    [
        (FAILED, {}, True),
        (FAILED, {"status": "COMPLETED"}, False),
        (FAILED, {"comment": "a"}, True),
        ({}, {}, False),
        ({ExecutionState.QUEUED: 1, ExecutionState.FAILED: 1}, {}, False),
    ],
)
def test_the_greatest_end_is_needed_if_the_status_can_follow_from_it(
    executions: Mapping[ExecutionState, int], members: dict[str, Any], *, needs: bool
) -> None:
    """The last end is needed if no status was reported and all known executions have ended."""
    made = job(executions, **members)
    assert needs == needs_last_end(made, FIRST_LIFE)


# Counts

REPORTED = {"numberOfSucceededThings": 39, "numberOfFailedThings": 2, "numberOfRejectedThings": 1}


def counted(*reports: JobReport) -> Mapping[str, int] | None:
    """Return the counts that AWS reported, which are the same for any order of the reports."""
    found = []
    for order in (reports, reports[::-1]):
        made = Job("j")
        for one in order:
            made.merge(one)
        found.append(process_details(made, FIRST_LIFE))
    assert found[0] == found[1]
    return found[0]


def told(time: int, status: str | None, *, with_counts: bool = True) -> JobReport:
    """Return a job event with a status and counts."""
    members: dict[str, str] = {} if status is None else {"status": status}
    if with_counts:
        members["process_details"] = json.dumps(REPORTED)
    return JobReport("j", time, members, time, time)


def test_an_index_that_started_blind_has_the_counts_of_aws() -> None:
    """The last job event reports the counts at the job's end (case 9)."""
    made = job(SUCCEEDED, status="COMPLETED", process_details=json.dumps(REPORTED))
    assert REPORTED == process_details(made, FIRST_LIFE)


@pytest.mark.parametrize(
    ("status", "counts"),
    [
        (None, False),
        ("SCHEDULED", False),
        ("IN_PROGRESS", False),
        ("COMPLETED", True),
        ("CANCELED", True),
        ("DELETION_IN_PROGRESS", False),
    ],
)
def test_counts_are_of_the_end_of_a_job(status: str | None, *, counts: bool) -> None:
    """Counts of other events are soon out of date."""
    assert (REPORTED if counts else None) == counted(told(5, status))


@pytest.mark.parametrize(
    ("later", "counts"),
    [
        (told(6, "DELETION_IN_PROGRESS", with_counts=False), True),
        (told(6, "COMPLETED", with_counts=False), True),
        (told(6, "IN_PROGRESS", with_counts=False), False),
        (told(6, "CANCELED", with_counts=False), False),
        (told(5, "CANCELED", with_counts=False), False),
        (told(5, "IN_PROGRESS", with_counts=False), True),
        (told(4, "CANCELED", with_counts=False), True),
        (told(6, None, with_counts=False), True),
        (told(6, "IN_PROGRESS"), False),
        (told(6, "CANCELED"), True),
    ],
)
def test_a_later_event_of_another_status_takes_the_counts_away(later: JobReport, *, counts: bool) -> None:
    """DELETION_IN_PROGRESS keeps the counts, as it does not change the executions."""
    assert (REPORTED if counts else None) == counted(told(5, "COMPLETED"), later)


def test_newer_counts_of_an_ended_job_do_not_hide_its_deletion() -> None:
    """AWS described a completed job; its deletion then has the old lastUpdatedAt, which is before the description."""
    made = job(SUCCEEDED, status="COMPLETED")
    counts = {"process_details": json.dumps(REPORTED)}
    made.merge(JobReport("j", T * 1000 + 60_000, counts, ranked_as="COMPLETED"))
    made.merge(JobReport("j", T * 1000, {"status": "DELETION_IN_PROGRESS"}))
    assert made.text("status", FIRST_LIFE) == "DELETION_IN_PROGRESS"
    assert REPORTED == process_details(made, FIRST_LIFE)


@pytest.mark.parametrize(
    ("reported", "failures"),
    [
        (None, 6),
        ({}, 6),
        ({"numberOfFailedThings": 6}, 6),
        ({"numberOfFailedThings": 7}, 7),
        ({"numberOfTimedOutThings": 7}, 7),
        ({"numberOfRejectedThings": 7}, 7),
        ({"numberOfFailedThings": 1, "numberOfTimedOutThings": 2, "numberOfRejectedThings": 4}, 7),
        ({"numberOfSucceededThings": 9, "numberOfCanceledThings": 9, "numberOfRemovedThings": 9}, 6),
    ],
)
def test_failures_are_those_known_or_more_if_aws_counted_more(reported: dict[str, int] | None, failures: int) -> None:
    """A job with failures must not look healthy if the index received only few messages."""
    known = dict.fromkeys(ExecutionState, 9) | {
        ExecutionState.FAILED: 1,
        ExecutionState.TIMED_OUT: 2,
        ExecutionState.REJECTED: 3,
    }
    assert failures == count_failures(known, reported)


@pytest.mark.parametrize("state", ["FAILED", "TIMED_OUT", "REJECTED"])
def test_failures_of_one_kind(state: str) -> None:
    """A state without known executions counts as zero."""
    assert 4 == count_failures({ExecutionState(state): 4}, None)
