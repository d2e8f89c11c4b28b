"""The contract of every store, by example: the merge rules, the filters, and the pages."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from support.job_pages import summaries
from support.messages import (
    LEARNT_ARN,
    NOW,
    Index,
    Message,
    arn,
    at,
    entry,
    event,
    execution,
    execution_event,
    group,
    job,
    parsed,
    pending,
    summary,
)

from jobindex.errors import ResourceNotFoundException
from jobindex.model.jobs import JobStatus, TargetSelection, from_milliseconds
from jobindex.model.listing import Filters, ListJobsQuery, Position
from jobindex.model.reports import RejectedMessage
from jobindex.model.store import Session, Store
from jobindex.model.views import ExecutionState

# Reported members


async def test_a_later_time_wins(index: Index) -> None:
    """The status with the later time wins, even if it is less advanced."""
    await index.tell(job(status="COMPLETED", lastUpdatedAt=10), job(status="IN_PROGRESS", lastUpdatedAt=20))
    assert summary(10, 20, status=JobStatus.IN_PROGRESS) == await index.job()


@pytest.mark.parametrize(
    ("lesser", "greater"),
    [
        ("SCHEDULED", "IN_PROGRESS"),
        ("IN_PROGRESS", "COMPLETED"),
        ("COMPLETED", "CANCELED"),
        ("CANCELED", "DELETION_IN_PROGRESS"),
    ],
)
async def test_at_the_same_time_the_more_advanced_status_wins(index: Index, lesser: str, greater: str) -> None:
    """Of two statuses with the same time, the more advanced one wins."""
    await index.tell(job(status=lesser, lastUpdatedAt=10), job(status=greater, lastUpdatedAt=10))
    assert summary(10, status=JobStatus(greater)) == await index.job()


async def test_a_message_without_a_status_is_the_least_of_its_time(index: Index) -> None:
    """At the same time, members of a message with a status win over those of one without."""
    await index.tell(
        job(lastUpdatedAt=10, targetSelection="SNAPSHOT", isConcurrent=True),
        job(lastUpdatedAt=10, targetSelection="CONTINUOUS", isConcurrent=False, status="SCHEDULED"),
    )
    expected = summary(10, status=JobStatus.SCHEDULED, target_selection=TargetSelection.CONTINUOUS, is_concurrent=False)
    assert expected == await index.job()


async def test_each_member_has_a_register_of_its_own(index: Index) -> None:
    """A message changes only the members that it contains."""
    await index.tell(
        job(
            status="IN_PROGRESS",
            targetSelection="SNAPSHOT",
            thingGroupId="g-1",
            isConcurrent=True,
            createdAt=5,
            completedAt=7,
            jobArn=arn("job/j1"),
            lastUpdatedAt=10,
        ),
        job(status="CANCELED", lastUpdatedAt=20),
        job(isConcurrent=False, lastUpdatedAt=30),
    )
    expected = summary(
        5,
        30,
        status=JobStatus.CANCELED,
        target_selection=TargetSelection.SNAPSHOT,
        thing_group_id="g-1",
        is_concurrent=False,
        completed_at=at(7),
        job_arn=arn("job/j1"),
    )
    assert expected == await index.job()


@pytest.mark.parametrize(
    ("member", "values", "expected"),
    [
        ("targetSelection", ("CONTINUOUS", "SNAPSHOT"), {"target_selection": TargetSelection.SNAPSHOT}),
        ("thingGroupId", ("g-1", "g-2"), {"thing_group_id": "g-2"}),
        ("isConcurrent", (False, True), {"is_concurrent": True}),
        ("completedAt", (11, 12), {"completed_at": at(12)}),
        ("createdAt", (11, 12), {"created_at": at(11)}),
        ("jobArn", (arn("job/j1", "eu"), arn("job/j1", "us")), {"job_arn": arn("job/j1", "us")}),
    ],
)
async def test_a_last_tie_goes_to_the_greater_value(
    index: Index, member: str, values: tuple[Any, Any], expected: dict[str, Any]
) -> None:
    """At the same stamp the greater value wins, of createdAt the lesser one."""
    first = job(lastUpdatedAt=20, createdAt=15)
    await index.tell(first, *(job(lastUpdatedAt=30, **{member: value}) for value in values))
    assert replace(summary(15, 30), **expected) == await index.job()


async def test_a_message_without_time_fills_only_what_is_unknown(index: Index) -> None:
    """Members of a message without a time lose to those of any message with one."""
    await index.tell(
        job(status="CANCELED", isConcurrent=True, targetSelection="SNAPSHOT"),
        job(status="SCHEDULED", isConcurrent=False, lastUpdatedAt=10),
    )
    expected = summary(10, status=JobStatus.SCHEDULED, is_concurrent=False, target_selection=TargetSelection.SNAPSHOT)
    assert expected == await index.job()


async def test_without_time_a_status_moves_forward(index: Index) -> None:
    """Of statuses without a time, the most advanced one wins."""
    await index.tell(job(status="COMPLETED"), job(status="SCHEDULED"), job(status="IN_PROGRESS"))
    assert replace(summary(0), status=JobStatus.COMPLETED, created_at=NOW, last_updated_at=NOW) == await index.job()


async def test_a_cancellation_in_progress_reads_as_canceled(index: Index) -> None:
    """CANCELLATION_IN_PROGRESS, which ListJobs does not have, becomes CANCELED."""
    await index.tell(job(status="CANCELLATION_IN_PROGRESS", lastUpdatedAt=10), event("canceled", timestamp=10))
    assert summary(10, status=JobStatus.CANCELED) == await index.job()


async def test_created_at_is_the_one_told(index: Index) -> None:
    """A reported createdAt wins over an earlier time of another member."""
    await index.tell(job(createdAt=20, lastUpdatedAt=30), execution("QUEUED", queuedAt=10, lastUpdatedAt=40))
    assert summary(20, 40) == await index.job()


async def test_created_at_is_else_the_least_time(index: Index) -> None:
    """Without a createdAt, the earliest time of the job and its executions counts."""
    await index.tell(
        job(status="IN_PROGRESS", lastUpdatedAt=30),
        execution("IN_PROGRESS", queuedAt=10, startedAt=15, lastUpdatedAt=20),
    )
    assert summary(10, 30) == await index.job()


async def test_last_updated_at_is_the_greatest_time_of_all(index: Index) -> None:
    """The lastUpdatedAt of a job is the latest time of the job and its executions."""
    await index.tell(job(status="IN_PROGRESS", createdAt=10, lastUpdatedAt=20), execution_event("failed", timestamp=30))
    assert summary(10, 30, job_arn=LEARNT_ARN) == await index.job()


async def test_arrival_shows_where_nothing_is_timed(store: Store) -> None:
    """A job without a time was created when it first arrived, and updated when it last changed."""
    index = Index(store, reverse=False)
    await index.tell(job(), now=NOW)
    await index.tell(job(status="COMPLETED"), now=NOW + timedelta(hours=1))
    await index.tell(job(status="SCHEDULED"), now=NOW + timedelta(hours=2))
    expected = replace(summary(0), status=JobStatus.COMPLETED, created_at=NOW, last_updated_at=NOW + timedelta(hours=1))
    assert expected == await index.job()


async def test_arrival_does_not_show_beside_a_time(store: Store) -> None:
    """A time that arrives later replaces the arrival time."""
    index = Index(store, reverse=False)
    await index.tell(job(), now=NOW)
    await index.tell(job(status="SCHEDULED", lastUpdatedAt=10), now=NOW + timedelta(hours=1))
    await index.tell(job(isConcurrent=True), now=NOW + timedelta(hours=2))
    assert summary(10, status=JobStatus.SCHEDULED, is_concurrent=True) == await index.job()


# Namespaces


async def test_a_topic_without_a_namespace_never_clears_it(index: Index) -> None:
    """A message without a namespace does not remove a job from its namespace."""
    await index.tell(job(lastUpdatedAt=10), event("completed", timestamp=20), execution("QUEUED", lastUpdatedAt=30))
    assert {"j1"} == await index.job_ids(Filters(namespace_id="n1"))


@pytest.mark.parametrize(
    ("lesser", "greater"),
    [
        (job(namespace="b", lastUpdatedAt=10), job(namespace="a", lastUpdatedAt=20)),
        (job(namespace="b", lastUpdatedAt=10), job(namespace="a", lastUpdatedAt=10, status="SCHEDULED")),
        (job(namespace="0", lastUpdatedAt=10), job(namespace="a", lastUpdatedAt=10)),
        (pending(9, entry(lastUpdatedAt=10), namespace="b"), job(namespace="a", lastUpdatedAt=10, status="SCHEDULED")),
    ],
    ids=["time", "rank", "value", "execution"],
)
async def test_of_two_namespaces_the_greater_has_the_job(index: Index, lesser: Message, greater: Message) -> None:
    """A job in two namespaces belongs to the one with the greater stamp; at the same stamp, to the greater one."""
    await index.tell(lesser, greater)
    assert {"j1"} == await index.job_ids(Filters(namespace_id="a"))
    assert set() == await index.job_ids(Filters(namespace_id="b")) | await index.job_ids(Filters(namespace_id="0"))


async def test_without_the_filter_jobs_of_every_namespace_and_of_none(index: Index) -> None:
    """Without a filter by namespace, jobs of every namespace and of none are listed."""
    await index.tell(job("j1", "n1", createdAt=1), job("j2", "n2", createdAt=2), execution("QUEUED", "j3", queuedAt=3))
    assert {"j1", "j2", "j3"} == await index.job_ids()
    assert {"j2"} == await index.job_ids(Filters(namespace_id="n2"))


# Executions


@pytest.mark.parametrize(
    ("lesser", "greater"),
    [
        ({"lastUpdatedAt": 10, "executionNumber": 2}, {"lastUpdatedAt": 20, "executionNumber": 1}),
        ({"executionNumber": 2}, {"lastUpdatedAt": 20, "executionNumber": 1}),
    ],
    ids=["time", "no time"],
)
async def test_without_an_attempt_the_latest_report_counts(
    index: Index, lesser: dict[str, Any], greater: dict[str, Any]
) -> None:
    """Of an execution without `queuedAt`, the report of the latest second wins, whatever its number."""
    await index.tell(job(createdAt=10), execution("SUCCEEDED", **lesser), execution("QUEUED", **greater))
    assert summary(10, 20) == await index.job()


@pytest.mark.parametrize(
    ("lesser", "greater"),
    [
        ({"executionNumber": 1, "versionNumber": 2}, {"executionNumber": 1, "versionNumber": 2}),
        ({"executionNumber": 1, "versionNumber": 3}, {"executionNumber": 1, "versionNumber": 2}),
        ({"executionNumber": 2}, {"executionNumber": 1}),
        ({}, {"executionNumber": 1}),
        ({"executionNumber": 1}, {}),
    ],
    ids=["same numbers", "versionNumber", "executionNumber", "no number", "a number"],
)
async def test_in_the_same_second_the_more_advanced_execution_wins(
    index: Index, lesser: dict[str, Any], greater: dict[str, Any]
) -> None:
    """Of an execution without `queuedAt`, the more advanced status in the same second wins."""
    await index.tell(
        execution("IN_PROGRESS", lastUpdatedAt=20.9, **lesser), execution("TIMED_OUT", lastUpdatedAt=20.1, **greater)
    )
    expected = summary(0, status=JobStatus.COMPLETED, completed_at=from_milliseconds(20_100))
    created_at, last_updated_at = from_milliseconds(20_100), from_milliseconds(20_900)
    assert replace(expected, created_at=created_at, last_updated_at=last_updated_at) == await index.job()


async def test_without_time_an_execution_moves_forward(index: Index) -> None:
    """Of an execution without a time, the most advanced status wins, and its end is unknown."""
    await index.tell(execution("SUCCEEDED"), execution("QUEUED"), execution("IN_PROGRESS"))
    expected = replace(summary(0), status=JobStatus.COMPLETED, created_at=NOW, last_updated_at=NOW)
    assert expected == await index.job()


# Pending lists


async def test_what_a_pending_list_leaves_out_has_ended(index: Index) -> None:
    """A pending execution that a later list omits has ended, at an unknown time."""
    await index.tell(pending(10, entry(queuedAt=10)), pending(20))
    assert summary(10, status=JobStatus.COMPLETED) == await index.job()


async def test_a_list_that_may_be_cut_ends_nothing(index: Index) -> None:
    """A list of ten entries may be cut and ends nothing; a list of nine is complete."""
    ten = [entry(f"other-{number}", lastUpdatedAt=5) for number in range(10)]
    await index.tell(pending(10, entry(queuedAt=10)), pending(20, *ten))
    assert summary(10) == (await index.jobs())[0]
    await index.tell(pending(21, *ten[:9]))
    assert summary(10, status=JobStatus.COMPLETED) == (await index.jobs())[0]
    assert 10 == len(await index.job_ids(Filters(status=JobStatus.IN_PROGRESS))) + 1


async def test_of_lists_in_one_second_what_all_show_is_pending(index: Index) -> None:
    """Of two lists in one second, one ends executions that it omits, unless they were queued in that second."""
    await index.tell(
        pending(20, entry("j1", queuedAt=10), entry("j2", queuedAt=20), entry("j3", queuedAt=10)),
        pending(20, entry("j3", queuedAt=10)),
    )
    assert {"j2", "j3"} == await index.job_ids(Filters(status=JobStatus.IN_PROGRESS))
    assert {"j1"} == await index.job_ids(Filters(status=JobStatus.COMPLETED))


async def test_lists_in_one_second_end_nothing_of_unknown_attempt(index: Index) -> None:
    """Of two lists in one second, neither ends an execution without `queuedAt`."""
    await index.tell(pending(20, entry("j1", lastUpdatedAt=10)), pending(20, entry("j2", lastUpdatedAt=10)))
    assert {"j1", "j2"} == await index.job_ids(Filters(status=JobStatus.IN_PROGRESS))


@pytest.mark.parametrize("others", [0, 9], ids=["complete", "cut"])
async def test_a_later_sighting_counts(index: Index, others: int) -> None:
    """An execution that a later list shows is pending, even if the list is cut and its stamp is old."""
    again = [entry(f"other-{number}", lastUpdatedAt=5) for number in range(others)]
    await index.tell(pending(15, entry(lastUpdatedAt=10)), pending(20), pending(30, entry(lastUpdatedAt=10), *again))
    assert summary(10) == (await index.jobs())[0]


@pytest.mark.parametrize(
    ("time", "status"), [(19, JobStatus.COMPLETED), (20, JobStatus.IN_PROGRESS)], ids=["older", "as old"]
)
async def test_an_older_stamp_is_held_against_the_list_kept(index: Index, time: int, status: JobStatus) -> None:
    """An execution stamped before a list that omits it has ended, whichever arrives first."""
    await index.tell(job(createdAt=5), execution("QUEUED", lastUpdatedAt=time), pending(20))
    assert summary(5, time, status=status) == await index.job()


async def test_an_earlier_list_gives_way(index: Index) -> None:
    """Only the latest list of a thing and namespace counts."""
    await index.tell(job(createdAt=5), pending(20), pending(30), execution("QUEUED", lastUpdatedAt=25))
    assert summary(5, 25, status=JobStatus.COMPLETED) == await index.job()


async def test_a_namespace_known_only_later_brings_its_list(index: Index) -> None:
    """A list ends an execution if its job later proves to be in the list's namespace."""
    await index.tell(execution("QUEUED", lastUpdatedAt=10), pending(20, namespace="n2"))
    assert summary(10) == await index.job()
    await index.tell(job(namespace="n2", lastUpdatedAt=5))
    assert summary(5, 10, status=JobStatus.COMPLETED) == await index.job()


async def test_a_namespace_corrected_takes_its_list_away(index: Index) -> None:
    """A list no longer ends an execution if its job later proves to be in another namespace."""
    await index.tell(
        job(namespace="n1", lastUpdatedAt=10), execution("QUEUED", lastUpdatedAt=10), pending(20, namespace="n1")
    )
    assert summary(10, status=JobStatus.COMPLETED) == await index.job()
    await index.tell(job(namespace="n2", lastUpdatedAt=11))
    assert summary(10, 11) == await index.job()


@pytest.mark.parametrize(
    ("other", "status"),
    [
        ({"namespace": None}, JobStatus.COMPLETED),
        ({"namespace": "n1"}, JobStatus.IN_PROGRESS),
        ({"namespace": None, "thing": "t2"}, JobStatus.IN_PROGRESS),
    ],
    ids=["its own", "of a namespace", "of another thing"],
)
async def test_a_list_speaks_for_its_thing_and_namespace(
    index: Index, other: dict[str, Any], status: JobStatus
) -> None:
    """An execution of a job without a namespace ends only by the list of its thing without a namespace."""
    await index.tell(execution("QUEUED", lastUpdatedAt=10), pending(20, **other))
    assert summary(10, status=status) == await index.job()


async def test_a_list_of_no_namespace_does_not_end_a_job_of_one(index: Index) -> None:
    """A list without a namespace does not end executions of a job that has one."""
    await index.tell(job(lastUpdatedAt=5), execution("QUEUED", lastUpdatedAt=10), pending(20, namespace=None))
    assert summary(5, 10) == await index.job()


async def test_an_outcome_counts_beside_a_list(index: Index) -> None:
    """An outcome between the pending report and the list counts, with its time."""
    await index.tell(pending(10, entry(queuedAt=10)), pending(30), execution_event("failed", timestamp=20))
    expected = summary(10, 20, status=JobStatus.COMPLETED, completed_at=at(20), job_arn=LEARNT_ARN)
    assert expected == await index.job()


async def test_an_outcome_less_than_the_pending_stamp_does_not_count(index: Index) -> None:
    """An outcome older than the pending report does not count, even if a list ends the execution."""
    await index.tell(pending(10, entry(queuedAt=10)), pending(30), execution("FAILED", lastUpdatedAt=9))
    assert summary(9, 10, status=JobStatus.COMPLETED) == await index.job()


async def test_a_list_ends_what_has_no_time(index: Index) -> None:
    """A list ends a pending execution that has no time."""
    await index.tell(job(createdAt=5), execution("QUEUED"), pending(20))
    assert summary(5, status=JobStatus.COMPLETED) == await index.job()


async def test_a_list_without_a_timestamp_ends_nothing(index: Index) -> None:
    """A list without a timestamp only reports its entries."""
    await index.tell(pending(10, entry("j1", queuedAt=10)), pending(None, entry("j2", queuedAt=11)))
    assert {"j1", "j2"} == await index.job_ids(Filters(status=JobStatus.IN_PROGRESS))


# Inferred status


@pytest.mark.parametrize(
    ("told", "status"),
    [
        ({}, JobStatus.COMPLETED),
        ({"targetSelection": "SNAPSHOT"}, JobStatus.COMPLETED),
        ({"targetSelection": "SNAPSHOT", "thingGroupName": "g"}, JobStatus.COMPLETED),
        ({"targetSelection": "CONTINUOUS"}, JobStatus.IN_PROGRESS),
        ({"thingGroupName": "g"}, JobStatus.IN_PROGRESS),
        ({"thingGroupId": "g-1"}, JobStatus.IN_PROGRESS),
        ({"targets": [arn("thinggroup/g")]}, JobStatus.IN_PROGRESS),
        ({"targets": [arn("thing/t1")]}, JobStatus.COMPLETED),
    ],
)
async def test_a_job_whose_executions_have_ended_is_completed_unless_more_may_come(
    index: Index, told: dict[str, Any], status: JobStatus
) -> None:
    """A CONTINUOUS job is not completed, nor is one of unknown selection whose target is a thing group."""
    await index.tell(job(createdAt=5, **told), execution_event("succeeded", timestamp=10))
    actual = await index.job()
    assert (status, at(10) if status == JobStatus.COMPLETED else None) == (actual.status, actual.completed_at)


async def test_a_job_is_in_progress_while_an_execution_is_pending(index: Index) -> None:
    """A job is completed when all its known executions have ended, at the time of the last end."""
    await index.tell(
        execution_event("succeeded", thing="t1", timestamp=20), execution("QUEUED", thing="t2", queuedAt=5)
    )
    expected = summary(5, 20, job_arn=LEARNT_ARN)
    assert expected == await index.job()
    await index.tell(execution_event("canceled", thing="t2", timestamp=10))
    assert replace(expected, status=JobStatus.COMPLETED, completed_at=at(20)) == await index.job()


async def test_a_job_without_executions_is_in_progress(index: Index) -> None:
    """A job message creates no execution."""
    await index.tell(job(createdAt=10, targetSelection="SNAPSHOT"))
    assert summary(10, target_selection=TargetSelection.SNAPSHOT) == await index.job()


@pytest.mark.parametrize("end", [execution("FAILED", thing="t2"), pending(30, thing="t2", namespace=None)])
async def test_completed_at_is_left_out_when_an_end_has_no_time(index: Index, end: Message) -> None:
    """A job has no completedAt if one of its executions ended at an unknown time."""
    await index.tell(execution_event("succeeded", thing="t1", timestamp=20), execution("IN_PROGRESS", thing="t2"), end)
    assert summary(20, status=JobStatus.COMPLETED, job_arn=LEARNT_ARN) == await index.job()


async def test_executions_never_change_a_status_told(index: Index) -> None:
    """A reported status wins over executions, however old, and completedAt is not inferred."""
    await index.tell(job(status="IN_PROGRESS", createdAt=5), execution_event("succeeded", timestamp=10))
    assert summary(5, 10, job_arn=LEARNT_ARN) == await index.job()


async def test_every_outcome_is_an_end(index: Index) -> None:
    """Each execution event ends its execution; `deleted` removes it."""
    operations = ["succeeded", "failed", "rejected", "canceled", "timed_out", "removed"]
    await index.tell(*(execution_event(operation, operation, timestamp=10) for operation in [*operations, "deleted"]))
    assert set(operations) == await index.job_ids(Filters(status=JobStatus.COMPLETED))
    assert {"deleted"} == await index.job_ids(Filters(status=JobStatus.IN_PROGRESS))


# Deletion


async def test_a_deleted_job_is_hidden(index: Index) -> None:
    """A deletion hides all reports of its job stamped up to it, in any order of arrival."""
    await index.tell(
        job(createdAt=5, status="IN_PROGRESS", lastUpdatedAt=10),
        event("deleted", createdAt=5, lastUpdatedAt=15, timestamp=20_000),
        event("deleted", timestamp=18),
        job(isConcurrent=True, lastUpdatedAt=20_000),
    )
    assert () == await index.jobs()


async def test_a_later_time_alone_does_not_bring_a_job_back(index: Index) -> None:
    """Only a createdAt or queuedAt after the deletion creates a new job of the id."""
    await index.tell(
        job(createdAt=5),
        event("deleted", timestamp=20),
        job(createdAt=20, lastUpdatedAt=40),
        execution("SUCCEEDED", queuedAt=20, lastUpdatedAt=30),
    )
    assert () == await index.jobs()


async def test_a_used_id_comes_back_as_a_new_job(index: Index) -> None:
    """A createdAt after the deletion creates a new job, which has no members of the former one."""
    await index.tell(
        job(
            namespace="old",
            status="CANCELED",
            targetSelection="SNAPSHOT",
            thingGroupId="g-1",
            thingGroupName="g",
            targets=[arn("thinggroup/h")],
            isConcurrent=True,
            createdAt=5,
            completedAt=8,
            jobArn=arn("job/j1"),
            lastUpdatedAt=20,
        ),
        execution_event("failed", timestamp=20),
        event("deleted", timestamp=20),
        event("completed", createdAt=30, lastUpdatedAt=40, timestamp=40),
    )
    assert [summary(30, 40, status=JobStatus.COMPLETED, job_arn=LEARNT_ARN)] == list(await index.jobs())
    for former in (Filters(namespace_id="old"), Filters(thing_group_name="g"), Filters(thing_group_name="h")):
        assert () == await index.jobs(former)


async def test_a_later_queued_at_brings_a_job_back(index: Index) -> None:
    """A queuedAt after the deletion creates a new job at that time.

    Because job events are published, the job is not completed until an event says so.
    """
    await index.tell(
        job(createdAt=5, status="COMPLETED", lastUpdatedAt=10),
        execution_event("failed", thing="t2", timestamp=15),
        event("deleted", timestamp=20),
        execution("SUCCEEDED", queuedAt=30, lastUpdatedAt=40),
    )
    assert summary(30, 40, job_arn=LEARNT_ARN) == await index.job()


async def test_a_created_at_of_the_former_life_does_not_count(index: Index) -> None:
    """A createdAt does not count for the new job if its message is stamped no later than the deletion."""
    await index.tell(
        event("deleted", timestamp=20), execution("QUEUED", queuedAt=30), job(createdAt=5, lastUpdatedAt=20)
    )
    assert summary(30) == await index.job()


async def test_a_sighting_up_to_the_deletion_does_not_count(index: Index, store: Store) -> None:
    """A pending list from before the deletion does not affect the new job; a later one ends its execution."""
    await index.tell(
        pending(20, entry(lastUpdatedAt=10), namespace=None),
        event("deleted", timestamp=20),
        execution("QUEUED", queuedAt=30),
    )
    assert summary(30) == await index.job()
    await index.tell(pending(31, namespace=None))
    assert {ExecutionState.ENDED: 1} == (await store.job("j1")).executions


async def test_an_attempt_of_the_former_life_makes_no_execution(index: Index, store: Store) -> None:
    """An attempt queued before the new job began is not shown, even if a later list contains it."""
    await index.tell(
        event("deleted", timestamp=20),
        pending(40, entry(queuedAt=10, lastUpdatedAt=10), namespace=None),
        job(createdAt=30),
    )
    assert summary(30) == await index.job()
    await index.tell(execution_event("failed", thing="t2", timestamp=50))
    assert summary(30, 50, job_arn=LEARNT_ARN) == await index.job()
    assert {ExecutionState.FAILED: 1} == (await store.job("j1")).executions


async def test_a_deletion_without_time_hides_what_has_none(index: Index) -> None:
    """A deletion without a time hides members without a time, and the job until it has a createdAt or queuedAt."""
    await index.tell(job(status="CANCELED", lastUpdatedAt=10), job(isConcurrent=True), event("deleted"))
    assert () == await index.jobs()
    await index.tell(job(createdAt=5))
    assert summary(5, 10, status=JobStatus.CANCELED) == await index.job()


# Thing groups


@pytest.mark.parametrize("tie", [group("g", "g-1"), job("j9", thingGroupName="g", thingGroupId="g-1")])
@pytest.mark.parametrize("told", [{"thingGroupName": "g"}, {"thingGroupId": "g-1"}, {"targets": [arn("thinggroup/g")]}])
async def test_a_job_is_found_by_the_name_and_by_the_id_of_its_group(
    index: Index, told: dict[str, Any], tie: Message
) -> None:
    """A job with a group's name or id is found by both, in any order of job and tie."""
    await index.tell(job(createdAt=10, **told), tie)
    for filters in (
        Filters(thing_group_name="g"),
        Filters(thing_group_id="g-1"),
        Filters(thing_group_name="g", thing_group_id="g-1"),
    ):
        assert "j1" in await index.job_ids(filters)
    (actual,) = [summary for summary in await index.jobs() if summary.job_id == "j1"]
    assert summary(10, thing_group_id="g-1") == actual


async def test_a_tie_reaches_one_step(index: Index) -> None:
    """A job with a group's name is found by each id tied to it, but not by the ids' other names."""
    await index.tell(
        job("j1", createdAt=1, thingGroupName="a"), group("a", "g-1"), group("b", "g-1"), group("b", "g-2")
    )
    assert {"j1"} == await index.job_ids(Filters(thing_group_name="a"))
    assert {"j1"} == await index.job_ids(Filters(thing_group_id="g-1"))
    assert set() == await index.job_ids(Filters(thing_group_name="b"))
    assert set() == await index.job_ids(Filters(thing_group_id="g-2"))


@pytest.mark.parametrize("count", [2, 7, 8, 9, 10, 40])
async def test_two_groups_among_any_number_of_targets_find_the_job(index: Index, count: int) -> None:
    """A job is found by the name of one target and the id of another, but not by the id of another group."""
    names = [f"g{number:02}" for number in range(count)]
    await index.tell(
        job(targets=[arn(f"thinggroup/{name}") for name in names], thingGroupId="own"),
        job("j2", targets=[arn(f"thinggroup/{name}") for name in names[1:]]),
        *(group(name, f"id-{name}") for name in [*names, "other"]),
    )
    for one, two in [(names[0], names[-1]), (names[-1], names[0])]:
        assert {"j1"} == await index.job_ids(Filters(thing_group_name=one, thing_group_id=f"id-{two}"))
    both = {"j1", "j2"} if count > 2 else {"j2"}
    assert both <= await index.job_ids(Filters(thing_group_name=names[1], thing_group_id=f"id-{names[-1]}"))
    assert set() == await index.job_ids(Filters(thing_group_name=names[0], thing_group_id="id-other"))
    assert {"j1"} == await index.job_ids(Filters(thing_group_name=names[-1], thing_group_id="own"))


async def test_each_group_among_the_targets_finds_the_job(index: Index) -> None:
    """A job is found by its thingGroupName and each target group; with several groups it has no thingGroupId."""
    await index.tell(
        job(createdAt=1, thingGroupName="a", lastUpdatedAt=2),
        job(targets=[arn("thinggroup/b"), arn("thinggroup/a"), arn("thing/t1")], lastUpdatedAt=3),
        group("a", "g-1"),
        group("b", "g-2"),
    )
    for filters in (Filters(thing_group_name="a"), Filters(thing_group_name="b"), Filters(thing_group_id="g-2")):
        assert [summary(1, 3)] == list(await index.jobs(filters))


async def test_a_group_that_is_corrected_finds_the_job_no_more(index: Index) -> None:
    """A job is not found by a group that it no longer has, though the group stays known."""
    await index.tell(job(createdAt=1, thingGroupName="a", lastUpdatedAt=2), job(thingGroupName="b", lastUpdatedAt=3))
    assert {"j1"} == await index.job_ids(Filters(thing_group_name="b"))
    assert set() == await index.job_ids(Filters(thing_group_name="a"))


async def test_the_group_of_a_greengrass_deployment_is_the_jobs(index: Index) -> None:
    """The configurationArn of a Greengrass jobDocument names the thing group of its job."""
    document = {"configurationArn": "arn:aws:greengrass:us-east-1:123456789012:configuration:thinggroup/g:3"}
    await index.tell(execution("QUEUED", queuedAt=10, jobDocument=document), group("g", "g-1"))
    assert [summary(10, thing_group_id="g-1")] == list(await index.jobs(Filters(thing_group_name="g")))


@pytest.mark.parametrize("region", ["%", "%(x", "%()b", "%(g)b", "100 %d", '"', "\\", "\n", "\x01\x02", "ü"])
async def test_an_arn_may_hold_any_sign(index: Index, region: str) -> None:
    """An ARN with any characters is listed unchanged, and the job's group is found."""
    job_arn = arn("job/j1", region=region)
    await index.tell(job(createdAt=1, jobArn=job_arn, thingGroupName="g"), group("g", "g-1"))
    assert [summary(1, job_arn=job_arn, thing_group_id="g-1")] == list(await index.jobs(Filters(thing_group_id="g-1")))


async def test_the_id_told_counts_before_one_tied(index: Index) -> None:
    """A reported thingGroupId wins; otherwise a job has the least id that is tied to its only group name."""
    await index.tell(
        job("j1", createdAt=1, thingGroupName="a", thingGroupId="g-2"),
        job("j2", createdAt=1, thingGroupName="a"),
        group("a", "g-1"),
        group("a", "g-3"),
    )
    assert {"j1": "g-2", "j2": "g-1"} == {job.job_id: job.thing_group_id for job in await index.jobs()}


@pytest.mark.parametrize(
    "filters",
    [
        Filters(thing_group_name="b"),
        Filters(thing_group_id="a"),
        Filters(thing_group_id="g-1"),
        Filters(thing_group_name="a", thing_group_id="g-1"),
        Filters(thing_group_name="a", status=JobStatus.CANCELED, thing_group_id="a"),
    ],
)
async def test_a_group_that_no_message_named_is_not_found(index: Index, filters: Filters) -> None:
    """A filter by a thing group that no message named raises ResourceNotFoundException."""
    await index.tell(job(createdAt=1, thingGroupName="a"))
    with pytest.raises(ResourceNotFoundException):
        await index.jobs(filters)


async def test_a_group_without_jobs_is_found_empty(index: Index) -> None:
    """A known group without jobs has an empty page, even if its only job was deleted."""
    await index.tell(
        group("a"), job(createdAt=1, thingGroupName="b", thingGroupId="g-1"), event("deleted", timestamp=2)
    )
    for filters in (
        Filters(thing_group_name="a"),
        Filters(thing_group_name="b"),
        Filters(thing_group_name="a", thing_group_id="g-1"),
    ):
        assert () == await index.jobs(filters)


# Filters and pages


async def test_every_combination_of_filters(index: Index) -> None:
    """Each of the 32 combinations of filters lists the jobs that pass all of them."""
    namespaces = ["n1", "n2"]
    statuses = ["IN_PROGRESS", "CANCELED"]
    selections = ["SNAPSHOT", "CONTINUOUS"]
    groups: list[dict[str, Any]] = [
        {"thingGroupName": "a"},
        {"thingGroupName": "b"},
        {"thingGroupId": "1"},
        {"thingGroupId": "2"},
        {},
    ]
    kinds = list(product(namespaces, statuses, selections, range(len(groups))))
    messages = [
        job(f"j{number}", namespace, status=status, targetSelection=selection, createdAt=number % 7, **groups[group])
        for number, (namespace, status, selection, group) in enumerate(kinds)
    ]
    ties = [group("a", "1"), group("a", "2"), group("b", "2")]
    hidden = [job("gone", createdAt=1), event("deleted", "gone", timestamp=2)]
    await index.tell(*messages, *ties, *hidden)

    in_group_a, in_group_2 = {0, 2, 3}, {0, 1, 3}  # the name "a" is tied to 1 and 2, the id 2 to "a" and "b"
    for names in product([False, True], repeat=5):
        by_namespace, by_status, by_selection, by_name, by_id = names
        filters = Filters(
            namespace_id="n2" if by_namespace else None,
            status=JobStatus.CANCELED if by_status else None,
            target_selection=TargetSelection.SNAPSHOT if by_selection else None,
            thing_group_name="a" if by_name else None,
            thing_group_id="2" if by_id else None,
        )
        expected = sorted(
            (
                (number % 7, f"j{number}")
                for number, (namespace, status, selection, group) in enumerate(kinds)
                if (not by_namespace or namespace == "n2")
                and (not by_status or status == "CANCELED")
                and (not by_selection or selection == "SNAPSHOT")
                and (not by_name or group in in_group_a)
                and (not by_id or group in in_group_2)
            ),
            reverse=True,
        )
        assert 0 < len(expected) < len(kinds) + 1  # the deleted job is never listed
        assert [job_id for _, job_id in expected] == [job.job_id for job in await index.jobs(filters)]


async def _scan(store: Store, filters: Filters, max_results: int, meanwhile: Sequence[Message] = ()) -> list[str]:
    """Return the job ids of all pages, and apply a message between two pages."""
    messages = iter(meanwhile)
    job_ids: list[str] = []
    after: Position | None = None
    while True:
        page = await store.list_jobs(ListJobsQuery(filters=filters, max_results=max_results, after=after))
        assert len(summaries(page)) == max_results or page.next_position is None
        job_ids += [job.job_id for job in summaries(page)]
        after = page.next_position
        if after is None:
            return job_ids
        written = next(messages, None)
        if written is not None:
            topic, payload = written
            await store.apply(parsed((topic, payload)), (), now=NOW)


@pytest.mark.parametrize("max_results", [1, 2, 3, 7, 250])
@pytest.mark.parametrize(
    "filters", [Filters(), Filters(namespace_id="n1"), Filters(thing_group_name="a")], ids=["all", "namespace", "group"]
)
async def test_pages_show_each_job_once_while_the_index_is_written(
    index: Index, store: Store, filters: Filters, max_results: int
) -> None:
    """Each job is listed once, newest first, though other jobs arrive and all jobs change meanwhile."""
    numbers = range(12)
    groups: list[dict[str, Any]] = [{"thingGroupName": "a"}, {"thingGroupId": "g-1"}]
    jobs = [job(f"j{number:02}", createdAt=10 + number // 4, **groups[number % 2]) for number in numbers]
    await index.tell(*jobs, group("a", "g-1"))
    newer = [job(f"k{number:02}", createdAt=20, thingGroupName="a") for number in numbers]
    changes = [job(f"j{number:02}", status="CANCELED", lastUpdatedAt=30) for number in reversed(numbers)]
    meanwhile = [message for pair in zip(changes, newer, strict=True) for message in pair]

    expected = sorted((f"j{number:02}" for number in numbers), reverse=True)
    actual = await _scan(store, filters, max_results, meanwhile)
    assert expected == [job_id for job_id in actual if job_id.startswith("j")]


async def test_a_page_that_ends_with_the_last_job_has_no_more(index: Index, store: Store) -> None:
    """A full page has a next position only if more jobs follow."""
    await index.tell(*(job(f"j{number}", createdAt=1) for number in range(4)))
    query = ListJobsQuery(max_results=2)
    first = await store.list_jobs(query)
    assert ["j3", "j2"] == [job.job_id for job in summaries(first)]
    assert Position(created_at=at(1), job_id="j2") == first.next_position
    second = await store.list_jobs(replace(query, after=first.next_position))
    assert ["j1", "j0"] == [job.job_id for job in summaries(second)]
    assert second.next_position is None


# Batches, rejected messages, sessions


async def test_a_batch_told_again_changes_nothing(index: Index) -> None:
    """A redelivered batch changes nothing, not even lastUpdatedAt."""
    messages = [job(), execution("QUEUED"), event("deleted", "j2"), group("a", "g-1")]
    await index.tell(*messages)
    expected = await index.jobs()
    await index.tell(*messages, now=NOW + timedelta(hours=1))
    assert expected == await index.jobs()


async def test_a_whole_batch_is_merged_at_once(store: Store) -> None:
    """Reports of a job in one batch merge like those of many batches."""
    messages = [event("deleted", timestamp=20), job(createdAt=30), pending(40), pending(35, entry(queuedAt=35))]
    reports = parsed(*messages)
    await store.apply(reports, (), now=NOW)
    assert summary(30, 35) == await Index(store, reverse=False).job()
    assert {ExecutionState.ENDED: 1} == (await store.job("j1")).executions


async def test_an_empty_index_lists_nothing(store: Store) -> None:
    """A new index lists no jobs, even after an empty batch."""
    await store.apply((), (), now=NOW)
    assert () == await Index(store, reverse=False).jobs()


async def test_a_rejected_message_does_not_stop_its_batch(store: Store) -> None:
    """A rejected message does not affect the rest of its batch, however often it arrives."""
    rejected = RejectedMessage(topic="$aws/things/t1/jobs/notify", payload=b"\xff", reason="payload: not JSON")
    topic, payload = job(createdAt=10)
    for _ in range(2):
        reports = parsed((topic, payload))
        await store.apply(reports, (rejected, rejected), now=NOW)
    assert summary(10) == await Index(store, reverse=False).job()


async def test_a_list_of_rejected_messages_cuts_their_topics(store: Store) -> None:
    """A list of rejected messages cuts their topics, because a thousand could take 64 MB; a single message does not."""
    topic = "$aws/things/t1/jobs/" + "é" * 30_000
    await store.apply((), [RejectedMessage(topic=topic, payload=b"", reason="no")], now=NOW)
    [listed] = await store.rejected_messages(after=0, limit=10)
    assert (topic[:1024], 0) == (listed.topic, listed.payload_bytes)
    assert topic == (await store.rejected_message(listed.id)).message.topic


async def test_an_index_is_empty_until_a_message_leaves_something(store: Store) -> None:
    """A stored session does not count as a message."""
    await store.remember_session(Session(topic_filters=frozenset({"a/#"}), complete_since=NOW))
    assert await store.is_empty()


@pytest.mark.parametrize("message", [job(), pending(10), group("pumps", "g-1"), execution_event("succeeded"), None])
async def test_an_index_with_anything_from_a_message_is_not_empty(store: Store, message: Message | None) -> None:
    """A job, an empty pending list, a thing group, an execution or a rejected message makes an index not empty."""
    rejected = [] if message else [RejectedMessage("$aws/things/t/jobs/j/notify-namespace-n", b"{", "no JSON")]
    await store.apply(parsed(message) if message else [], rejected, now=NOW)
    assert not await store.is_empty()


async def test_the_session_is_remembered(store: Store) -> None:
    """The session is the one that was stored last."""
    assert Session() == await store.session()
    for session in (
        Session(topic_filters=frozenset({"a/#", "b/#"})),
        Session(topic_filters=frozenset({"b/#", "c/#"}), complete_since=from_milliseconds(1486687079743)),
        Session(),
    ):
        await store.remember_session(session)
        assert session == await store.session()
