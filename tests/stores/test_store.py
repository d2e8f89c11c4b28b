"""What every store promises: the merge rules by example, the filters, the pages."""

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

# What was told of a job


async def test_a_later_time_wins(index: Index) -> None:
    """Of two statuses told the one with the later time counts, be it the lesser."""
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
    """Of two statuses told at the same time the more advanced counts."""
    await index.tell(job(status=lesser, lastUpdatedAt=10), job(status=greater, lastUpdatedAt=10))
    assert summary(10, status=JobStatus(greater)) == await index.job()


async def test_a_message_without_a_status_is_the_least_of_its_time(index: Index) -> None:
    """At the same time what is told beside a status counts more than what is told without one."""
    await index.tell(
        job(lastUpdatedAt=10, targetSelection="SNAPSHOT", isConcurrent=True),
        job(lastUpdatedAt=10, targetSelection="CONTINUOUS", isConcurrent=False, status="SCHEDULED"),
    )
    expected = summary(10, status=JobStatus.SCHEDULED, target_selection=TargetSelection.CONTINUOUS, is_concurrent=False)
    assert expected == await index.job()


async def test_each_member_has_a_register_of_its_own(index: Index) -> None:
    """A later message changes what it tells and leaves what it does not tell."""
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
    """At the same stamp the greater value counts, of createdAt the lesser."""
    first = job(lastUpdatedAt=20, createdAt=15)
    await index.tell(first, *(job(lastUpdatedAt=30, **{member: value}) for value in values))
    assert replace(summary(15, 30), **expected) == await index.job()


async def test_a_message_without_time_fills_only_what_is_unknown(index: Index) -> None:
    """What is told without any time is less than all that is told with one."""
    await index.tell(
        job(status="CANCELED", isConcurrent=True, targetSelection="SNAPSHOT"),
        job(status="SCHEDULED", isConcurrent=False, lastUpdatedAt=10),
    )
    expected = summary(10, status=JobStatus.SCHEDULED, is_concurrent=False, target_selection=TargetSelection.SNAPSHOT)
    assert expected == await index.job()


async def test_without_time_a_status_moves_forward(index: Index) -> None:
    """Of statuses told without any time the most advanced counts."""
    await index.tell(job(status="COMPLETED"), job(status="SCHEDULED"), job(status="IN_PROGRESS"))
    assert replace(summary(0), status=JobStatus.COMPLETED, created_at=NOW, last_updated_at=NOW) == await index.job()


async def test_a_cancellation_in_progress_reads_as_canceled(index: Index) -> None:
    """CANCELLATION_IN_PROGRESS is no status of ListJobs; it reads as CANCELED, and stays so."""
    await index.tell(job(status="CANCELLATION_IN_PROGRESS", lastUpdatedAt=10), event("canceled", timestamp=10))
    assert summary(10, status=JobStatus.CANCELED) == await index.job()


async def test_created_at_is_the_one_told(index: Index) -> None:
    """A createdAt told counts more than an earlier time of something else."""
    await index.tell(job(createdAt=20, lastUpdatedAt=30), execution("QUEUED", queuedAt=10, lastUpdatedAt=40))
    assert summary(20, 40) == await index.job()


async def test_created_at_is_else_the_least_time(index: Index) -> None:
    """Without a createdAt the least queuedAt or time counts, of the job and its executions."""
    await index.tell(
        job(status="IN_PROGRESS", lastUpdatedAt=30),
        execution("IN_PROGRESS", queuedAt=10, startedAt=15, lastUpdatedAt=20),
    )
    assert summary(10, 30) == await index.job()


async def test_last_updated_at_is_the_greatest_time_of_all(index: Index) -> None:
    """The greatest time told of a job or of one of its executions is its lastUpdatedAt."""
    await index.tell(job(status="IN_PROGRESS", createdAt=10, lastUpdatedAt=20), execution_event("failed", timestamp=30))
    assert summary(10, 30, job_arn=LEARNT_ARN) == await index.job()


async def test_arrival_shows_where_nothing_is_timed(store: Store) -> None:
    """A job without any time was created when it first arrived and updated when it last changed."""
    index = Index(store, reverse=False)
    await index.tell(job(), now=NOW)
    await index.tell(job(status="COMPLETED"), now=NOW + timedelta(hours=1))
    await index.tell(job(status="SCHEDULED"), now=NOW + timedelta(hours=2))
    expected = replace(summary(0), status=JobStatus.COMPLETED, created_at=NOW, last_updated_at=NOW + timedelta(hours=1))
    assert expected == await index.job()


async def test_arrival_does_not_show_beside_a_time(store: Store) -> None:
    """A time that arrives later takes the place of the arrival."""
    index = Index(store, reverse=False)
    await index.tell(job(), now=NOW)
    await index.tell(job(status="SCHEDULED", lastUpdatedAt=10), now=NOW + timedelta(hours=1))
    await index.tell(job(isConcurrent=True), now=NOW + timedelta(hours=2))
    assert summary(10, status=JobStatus.SCHEDULED, is_concurrent=True) == await index.job()


# Namespaces


async def test_a_topic_without_a_namespace_never_clears_it(index: Index) -> None:
    """A job told in a namespace stays there, whatever is told later without one."""
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
    """A job told in two namespaces is in the one with the greater stamp, at the same stamp in the greater one."""
    await index.tell(lesser, greater)
    assert {"j1"} == await index.job_ids(Filters(namespace_id="a"))
    assert set() == await index.job_ids(Filters(namespace_id="b")) | await index.job_ids(Filters(namespace_id="0"))


async def test_without_the_filter_jobs_of_every_namespace_and_of_none(index: Index) -> None:
    """Only namespaceId asks for a namespace."""
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
    """Of an execution without any `queuedAt` the report of the greatest second counts, whatever its number."""
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
    """In the same second the more advanced status of an execution without any `queuedAt` counts."""
    await index.tell(
        execution("IN_PROGRESS", lastUpdatedAt=20.9, **lesser), execution("TIMED_OUT", lastUpdatedAt=20.1, **greater)
    )
    expected = summary(0, status=JobStatus.COMPLETED, completed_at=from_milliseconds(20_100))
    created_at, last_updated_at = from_milliseconds(20_100), from_milliseconds(20_900)
    assert replace(expected, created_at=created_at, last_updated_at=last_updated_at) == await index.job()


async def test_without_time_an_execution_moves_forward(index: Index) -> None:
    """Of an execution told without any time the most advanced status counts; when it ended is not known."""
    await index.tell(execution("SUCCEEDED"), execution("QUEUED"), execution("IN_PROGRESS"))
    expected = replace(summary(0), status=JobStatus.COMPLETED, created_at=NOW, last_updated_at=NOW)
    assert expected == await index.job()


# Pending lists


async def test_what_a_pending_list_leaves_out_has_ended(index: Index) -> None:
    """A pending execution that a later list leaves out has ended, at a time unknown."""
    await index.tell(pending(10, entry(queuedAt=10)), pending(20))
    assert summary(10, status=JobStatus.COMPLETED) == await index.job()


async def test_a_list_that_may_be_cut_ends_nothing(index: Index) -> None:
    """A list of ten entries says nothing of what it leaves out; one of nine does."""
    ten = [entry(f"other-{number}", lastUpdatedAt=5) for number in range(10)]
    await index.tell(pending(10, entry(queuedAt=10)), pending(20, *ten))
    assert summary(10) == (await index.jobs())[0]
    await index.tell(pending(21, *ten[:9]))
    assert summary(10, status=JobStatus.COMPLETED) == (await index.jobs())[0]
    assert 10 == len(await index.job_ids(Filters(status=JobStatus.IN_PROGRESS))) + 1


async def test_of_lists_in_one_second_what_all_show_is_pending(index: Index) -> None:
    """Of two lists in one second the latter leaves out what had been queued before, and nothing queued just then."""
    await index.tell(
        pending(20, entry("j1", queuedAt=10), entry("j2", queuedAt=20), entry("j3", queuedAt=10)),
        pending(20, entry("j3", queuedAt=10)),
    )
    assert {"j2", "j3"} == await index.job_ids(Filters(status=JobStatus.IN_PROGRESS))
    assert {"j1"} == await index.job_ids(Filters(status=JobStatus.COMPLETED))


async def test_lists_in_one_second_end_nothing_of_unknown_attempt(index: Index) -> None:
    """Of two lists in one second neither ends what the other shows without a `queuedAt`."""
    await index.tell(pending(20, entry("j1", lastUpdatedAt=10)), pending(20, entry("j2", lastUpdatedAt=10)))
    assert {"j1", "j2"} == await index.job_ids(Filters(status=JobStatus.IN_PROGRESS))


@pytest.mark.parametrize("others", [0, 9], ids=["complete", "cut"])
async def test_a_later_sighting_counts(index: Index, others: int) -> None:
    """An execution seen pending again, in a complete list or in a cut one, is pending, however old its own stamp."""
    again = [entry(f"other-{number}", lastUpdatedAt=5) for number in range(others)]
    await index.tell(pending(15, entry(lastUpdatedAt=10)), pending(20), pending(30, entry(lastUpdatedAt=10), *again))
    assert summary(10) == (await index.jobs())[0]


@pytest.mark.parametrize(
    ("time", "status"), [(19, JobStatus.COMPLETED), (20, JobStatus.IN_PROGRESS)], ids=["older", "as old"]
)
async def test_an_older_stamp_is_held_against_the_list_kept(index: Index, time: int, status: JobStatus) -> None:
    """What is stamped before a list that leaves it out has ended, whichever arrives first."""
    await index.tell(job(createdAt=5), execution("QUEUED", lastUpdatedAt=time), pending(20))
    assert summary(5, time, status=status) == await index.job()


async def test_an_earlier_list_gives_way(index: Index) -> None:
    """Of each thing and namespace the latest list counts."""
    await index.tell(job(createdAt=5), pending(20), pending(30), execution("QUEUED", lastUpdatedAt=25))
    assert summary(5, 25, status=JobStatus.COMPLETED) == await index.job()


async def test_a_namespace_known_only_later_brings_its_list(index: Index) -> None:
    """A list of a namespace ends an execution of a job that is found to be of it."""
    await index.tell(execution("QUEUED", lastUpdatedAt=10), pending(20, namespace="n2"))
    assert summary(10) == await index.job()
    await index.tell(job(namespace="n2", lastUpdatedAt=5))
    assert summary(5, 10, status=JobStatus.COMPLETED) == await index.job()


async def test_a_namespace_corrected_takes_its_list_away(index: Index) -> None:
    """A list of a namespace ends nothing of a job that turns out to be of another."""
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
    """Only the list of its own thing and of no namespace ends an execution of a job without a namespace."""
    await index.tell(execution("QUEUED", lastUpdatedAt=10), pending(20, **other))
    assert summary(10, status=status) == await index.job()


async def test_a_list_of_no_namespace_does_not_end_a_job_of_one(index: Index) -> None:
    """A job of a namespace stands in that namespace's lists alone."""
    await index.tell(job(lastUpdatedAt=5), execution("QUEUED", lastUpdatedAt=10), pending(20, namespace=None))
    assert summary(5, 10) == await index.job()


async def test_an_outcome_counts_beside_a_list(index: Index) -> None:
    """An outcome told with a stamp between the pending one and the list is the outcome, with its time."""
    await index.tell(pending(10, entry(queuedAt=10)), pending(30), execution_event("failed", timestamp=20))
    expected = summary(10, 20, status=JobStatus.COMPLETED, completed_at=at(20), job_arn=LEARNT_ARN)
    assert expected == await index.job()


async def test_an_outcome_less_than_the_pending_stamp_does_not_count(index: Index) -> None:
    """A list that ends an execution is no reason for an older outcome to count."""
    await index.tell(pending(10, entry(queuedAt=10)), pending(30), execution("FAILED", lastUpdatedAt=9))
    assert summary(9, 10, status=JobStatus.COMPLETED) == await index.job()


async def test_a_list_ends_what_has_no_time(index: Index) -> None:
    """A pending execution told without any time is older than every list."""
    await index.tell(job(createdAt=5), execution("QUEUED"), pending(20))
    assert summary(5, status=JobStatus.COMPLETED) == await index.job()


async def test_a_list_without_a_timestamp_ends_nothing(index: Index) -> None:
    """A list without a timestamp tells only of its entries."""
    await index.tell(pending(10, entry("j1", queuedAt=10)), pending(None, entry("j2", queuedAt=11)))
    assert {"j1", "j2"} == await index.job_ids(Filters(status=JobStatus.IN_PROGRESS))


# A status that is not told


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
    """A CONTINUOUS job goes on, and so may one of unknown selection whose target is a thing group."""
    await index.tell(job(createdAt=5, **told), execution_event("succeeded", timestamp=10))
    actual = await index.job()
    assert (status, at(10) if status == JobStatus.COMPLETED else None) == (actual.status, actual.completed_at)


async def test_a_job_is_in_progress_while_an_execution_is_pending(index: Index) -> None:
    """All known executions must have ended; completedAt is the greatest end."""
    await index.tell(
        execution_event("succeeded", thing="t1", timestamp=20), execution("QUEUED", thing="t2", queuedAt=5)
    )
    expected = summary(5, 20, job_arn=LEARNT_ARN)
    assert expected == await index.job()
    await index.tell(execution_event("canceled", thing="t2", timestamp=10))
    assert replace(expected, status=JobStatus.COMPLETED, completed_at=at(20)) == await index.job()


async def test_a_job_without_executions_is_in_progress(index: Index) -> None:
    """A job message makes no execution."""
    await index.tell(job(createdAt=10, targetSelection="SNAPSHOT"))
    assert summary(10, target_selection=TargetSelection.SNAPSHOT) == await index.job()


@pytest.mark.parametrize("end", [execution("FAILED", thing="t2"), pending(30, thing="t2", namespace=None)])
async def test_completed_at_is_left_out_when_an_end_has_no_time(index: Index, end: Message) -> None:
    """When one end is at a time unknown, so is the greatest."""
    await index.tell(execution_event("succeeded", thing="t1", timestamp=20), execution("IN_PROGRESS", thing="t2"), end)
    assert summary(20, status=JobStatus.COMPLETED, job_arn=LEARNT_ARN) == await index.job()


async def test_executions_never_change_a_status_told(index: Index) -> None:
    """The status told counts, however old, and no completedAt is inferred beside it."""
    await index.tell(job(status="IN_PROGRESS", createdAt=5), execution_event("succeeded", timestamp=10))
    assert summary(5, 10, job_arn=LEARNT_ARN) == await index.job()


async def test_every_outcome_is_an_end(index: Index) -> None:
    """Each operation of the execution events ends its execution; `deleted` removes it."""
    operations = ["succeeded", "failed", "rejected", "canceled", "timed_out", "removed"]
    await index.tell(*(execution_event(operation, operation, timestamp=10) for operation in [*operations, "deleted"]))
    assert set(operations) == await index.job_ids(Filters(status=JobStatus.COMPLETED))
    assert {"deleted"} == await index.job_ids(Filters(status=JobStatus.IN_PROGRESS))


# Deletion


async def test_a_deleted_job_is_hidden(index: Index) -> None:
    """Nothing stamped up to a deletion shows its job, whenever it arrives."""
    await index.tell(
        job(createdAt=5, status="IN_PROGRESS", lastUpdatedAt=10),
        event("deleted", createdAt=5, lastUpdatedAt=15, timestamp=20_000),
        event("deleted", timestamp=18),
        job(isConcurrent=True, lastUpdatedAt=20_000),
    )
    assert () == await index.jobs()


async def test_a_later_time_alone_does_not_bring_a_job_back(index: Index) -> None:
    """Only a createdAt or queuedAt later than the deletion makes a new job of the id."""
    await index.tell(
        job(createdAt=5),
        event("deleted", timestamp=20),
        job(createdAt=20, lastUpdatedAt=40),
        execution("SUCCEEDED", queuedAt=20, lastUpdatedAt=30),
    )
    assert () == await index.jobs()


async def test_a_used_id_comes_back_as_a_new_job(index: Index) -> None:
    """A createdAt later than the deletion brings the id back, with nothing of what was told up to it."""
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
    """A queuedAt later than the deletion makes a new job, which begins with it.

    As job events are published, it is not taken to be complete before one says so.
    """
    await index.tell(
        job(createdAt=5, status="COMPLETED", lastUpdatedAt=10),
        execution_event("failed", thing="t2", timestamp=15),
        event("deleted", timestamp=20),
        execution("SUCCEEDED", queuedAt=30, lastUpdatedAt=40),
    )
    assert summary(30, 40, job_arn=LEARNT_ARN) == await index.job()


async def test_a_created_at_of_the_former_life_does_not_count(index: Index) -> None:
    """The createdAt of a message that was stamped before the deletion was published is not of the new job."""
    await index.tell(
        event("deleted", timestamp=20), execution("QUEUED", queuedAt=30), job(createdAt=5, lastUpdatedAt=20)
    )
    assert summary(30) == await index.job()


async def test_a_sighting_up_to_the_deletion_does_not_count(index: Index, store: Store) -> None:
    """A pending list from before the deletion says nothing of the new job, one from after it ends it."""
    await index.tell(
        pending(20, entry(lastUpdatedAt=10), namespace=None),
        event("deleted", timestamp=20),
        execution("QUEUED", queuedAt=30),
    )
    assert summary(30) == await index.job()
    await index.tell(pending(31, namespace=None))
    assert {ExecutionState.ENDED: 1} == (await store.job("j1")).executions


async def test_an_attempt_of_the_former_life_makes_no_execution(index: Index, store: Store) -> None:
    """An attempt queued before the new job began is not shown, even if it was listed later."""
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
    """A deletion without any time hides the job until a createdAt or queuedAt is told, and what has no time."""
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
    """A job told with a group's name or id is found by both, whether they were tied before or after."""
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
    """A job told with a name is found by each id tied to it, but not by the other names of those ids."""
    await index.tell(
        job("j1", createdAt=1, thingGroupName="a"), group("a", "g-1"), group("b", "g-1"), group("b", "g-2")
    )
    assert {"j1"} == await index.job_ids(Filters(thing_group_name="a"))
    assert {"j1"} == await index.job_ids(Filters(thing_group_id="g-1"))
    assert set() == await index.job_ids(Filters(thing_group_name="b"))
    assert set() == await index.job_ids(Filters(thing_group_id="g-2"))


@pytest.mark.parametrize("count", [2, 7, 8, 9, 10, 40])
async def test_two_groups_among_any_number_of_targets_find_the_job(index: Index, count: int) -> None:
    """By the name of one and the id tied to another, and not by the id of a group that is no target."""
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
    """A job is found by its thingGroupName and by every group of its targets; the id of several is not told."""
    await index.tell(
        job(createdAt=1, thingGroupName="a", lastUpdatedAt=2),
        job(targets=[arn("thinggroup/b"), arn("thinggroup/a"), arn("thing/t1")], lastUpdatedAt=3),
        group("a", "g-1"),
        group("b", "g-2"),
    )
    for filters in (Filters(thing_group_name="a"), Filters(thing_group_name="b"), Filters(thing_group_id="g-2")):
        assert [summary(1, 3)] == list(await index.jobs(filters))


async def test_a_group_that_is_corrected_finds_the_job_no_more(index: Index) -> None:
    """Only the groups that count find a job; what was named once stays known."""
    await index.tell(job(createdAt=1, thingGroupName="a", lastUpdatedAt=2), job(thingGroupName="b", lastUpdatedAt=3))
    assert {"j1"} == await index.job_ids(Filters(thing_group_name="b"))
    assert set() == await index.job_ids(Filters(thing_group_name="a"))


async def test_the_group_of_a_greengrass_deployment_is_the_jobs(index: Index) -> None:
    """A Greengrass jobDocument's configurationArn names the thing group of the job."""
    document = {"configurationArn": "arn:aws:greengrass:us-east-1:123456789012:configuration:thinggroup/g:3"}
    await index.tell(execution("QUEUED", queuedAt=10, jobDocument=document), group("g", "g-1"))
    assert [summary(10, thing_group_id="g-1")] == list(await index.jobs(Filters(thing_group_name="g")))


@pytest.mark.parametrize("region", ["%", "%(x", "%()b", "%(g)b", "100 %d", '"', "\\", "\n", "\x01\x02", "ü"])
async def test_an_arn_may_hold_any_sign(index: Index, region: str) -> None:
    """It is listed as it was told, and the group beside it is found."""
    job_arn = arn("job/j1", region=region)
    await index.tell(job(createdAt=1, jobArn=job_arn, thingGroupName="g"), group("g", "g-1"))
    assert [summary(1, job_arn=job_arn, thing_group_id="g-1")] == list(await index.jobs(Filters(thing_group_id="g-1")))


async def test_the_id_told_counts_before_one_tied(index: Index) -> None:
    """The thingGroupId of a summary is the one told for the job, else the least tied to its only name."""
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
    """A filter on a thing group that no message ever named raises, whatever else is known."""
    await index.tell(job(createdAt=1, thingGroupName="a"))
    with pytest.raises(ResourceNotFoundException):
        await index.jobs(filters)


async def test_a_group_without_jobs_is_found_empty(index: Index) -> None:
    """A group that a message named is known, even where it has no jobs, or where its job was deleted."""
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
    """Each of the 32 combinations gives what a plain filter over the same jobs gives, neither nothing nor all."""
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
    """Return the ids on all pages, a message being applied between each and the next."""
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
    """Jobs with equal and unequal createdAt are each seen once, newest first, though others come and all change."""
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
    """A full page says that there are more only when there are."""
    await index.tell(*(job(f"j{number}", createdAt=1) for number in range(4)))
    query = ListJobsQuery(max_results=2)
    first = await store.list_jobs(query)
    assert ["j3", "j2"] == [job.job_id for job in summaries(first)]
    assert Position(created_at=at(1), job_id="j2") == first.next_position
    second = await store.list_jobs(replace(query, after=first.next_position))
    assert ["j1", "j0"] == [job.job_id for job in summaries(second)]
    assert second.next_position is None


# Batches, rejected messages, subscriptions


async def test_a_batch_told_again_changes_nothing(index: Index) -> None:
    """Applying anything again changes nothing, not even when it was last changed."""
    messages = [job(), execution("QUEUED"), event("deleted", "j2"), group("a", "g-1")]
    await index.tell(*messages)
    expected = await index.jobs()
    await index.tell(*messages, now=NOW + timedelta(hours=1))
    assert expected == await index.jobs()


async def test_a_whole_batch_is_merged_at_once(store: Store) -> None:
    """What one batch tells of one job is merged as if it came in many."""
    messages = [event("deleted", timestamp=20), job(createdAt=30), pending(40), pending(35, entry(queuedAt=35))]
    reports = parsed(*messages)
    await store.apply(reports, (), now=NOW)
    assert summary(30, 35) == await Index(store, reverse=False).job()
    assert {ExecutionState.ENDED: 1} == (await store.job("j1")).executions


async def test_an_empty_index_lists_nothing(store: Store) -> None:
    """A new index has no jobs, nor has one to which nothing was applied."""
    await store.apply((), (), now=NOW)
    assert () == await Index(store, reverse=False).jobs()


async def test_a_rejected_message_does_not_stop_its_batch(store: Store) -> None:
    """A rejected message is kept beside what the rest of its batch tells, as often as it comes."""
    rejected = RejectedMessage(topic="$aws/things/t1/jobs/notify", payload=b"\xff", reason="payload: not JSON")
    topic, payload = job(createdAt=10)
    for _ in range(2):
        reports = parsed((topic, payload))
        await store.apply(reports, (rejected, rejected), now=NOW)
    assert summary(10) == await Index(store, reverse=False).job()


async def test_the_session_is_remembered(store: Store) -> None:
    """The topic filters kept are those remembered last."""
    assert Session() == await store.session()
    for session in (
        Session(topic_filters=frozenset({"a/#", "b/#"})),
        Session(topic_filters=frozenset({"b/#", "c/#"}), complete_since=from_milliseconds(1486687079743)),
        Session(),
    ):
        await store.remember_session(session)
        assert session == await store.session()
