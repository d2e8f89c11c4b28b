"""Rows of AWS's answers in an index: beside messages, in any order, they change nothing that is newer."""

import json
from collections.abc import Mapping, Sequence
from itertools import islice, permutations
from typing import Any

import pytest
from support.messages import NOW, arn, at, event, execution_event, parsed, pending
from support.pure_answers import execution_members, job_members

from jobindex.errors import ResourceNotFoundException
from jobindex.messages.rows import RowOperation, RowSource, read_row
from jobindex.model.jobs import JobStatus, from_milliseconds, to_milliseconds
from jobindex.model.listing import ListJobsQuery
from jobindex.model.reports import Report
from jobindex.model.store import Changed, Store
from jobindex.model.views import ExecutionState

Row = tuple[RowSource, dict[str, Any]]
Message = tuple[str, Mapping[str, object]]


def iso(seconds: float) -> str:
    """Return a time as the AWS CLI prints it."""
    return from_milliseconds(round(1000 * seconds)).isoformat()


def listed(job_id: str, status: str, updated: float, *, namespace: str | None = None, **members: Any) -> Row:
    """Return a row of ListJobs."""
    row = {"jobId": job_id, "jobArn": arn(f"job/{job_id}"), "status": status, "lastUpdatedAt": iso(updated)}
    return RowSource(operation=RowOperation.LIST_JOBS, namespace_id=namespace), row | members


def summarized(
    job_id: str, thing: str, status: str, *, as_of: float | None = None, number: int = 1, **times: float
) -> Row:
    """Return a row of ListJobExecutionsForJob, with its times in seconds."""
    summary = {"status": status, "executionNumber": number, **{name: iso(time) for name, time in times.items()}}
    source = RowSource(
        operation=RowOperation.LIST_JOB_EXECUTIONS_FOR_JOB,
        job_id=job_id,
        as_of=None if as_of is None else round(1000 * as_of),
    )
    return source, {"thingArn": arn(f"thing/{thing}"), "jobExecutionSummary": summary}


def read(*rows: Row) -> list[Sequence[Report]]:
    """Return the reports of each row."""
    return [read_row(row, source, to_milliseconds(NOW), pytest.fail) for source, row in rows]


async def arrive(store: Store, item: Row | Message) -> None:
    """Apply a message, or import a row."""
    beginning, content = item
    if isinstance(beginning, RowSource):
        imported = await store.import_rows(read((beginning, dict(content))), now=NOW)
        assert {} == imported.refused
    else:
        await store.apply(parsed((beginning, content)), (), now=NOW)


async def state(store: Store, job_id: str, thing: str) -> ExecutionState:
    """Return the state of an execution."""
    return (await store.job_execution(job_id, thing)).state


async def test_rows_and_messages_merge_in_any_order(store: Store) -> None:
    """Each of 24 orders, on a job of its own, gives the same answers, and repetition changes nothing."""
    expected: set[str] = set()
    for number, order in enumerate(islice(permutations(range(5)), 0, None, 5)):
        job_id, thing = f"j{number}", f"t{number}"
        items: Sequence[Row | Message] = (
            pending(101, {"jobId": job_id, "queuedAt": 100, "executionNumber": 1, "versionNumber": 1}, thing=thing),
            execution_event("succeeded", job_id, thing, timestamp=160),
            summarized(job_id, thing, "IN_PROGRESS", queuedAt=100.2, startedAt=103.1, lastUpdatedAt=103.4),
            listed(job_id, "IN_PROGRESS", 100.5, createdAt=iso(99.5), targetSelection="SNAPSHOT"),
            event("completed", job_id, lastUpdatedAt=161, completedAt=161, timestamp=161.5),
        )
        for place in (*order, *order):
            await arrive(store, items[place])
        job = job_members(await store.job(job_id))
        execution = execution_members(await store.job_execution(job_id, thing))
        expected.add(json.dumps([job, execution], default=str, sort_keys=True))
        assert (JobStatus.COMPLETED, "n1", from_milliseconds(99_500), at(161)) == (
            job["status"],
            job["namespace_id"],
            job["created_at"],
            job["completed_at"],
        )
        [attempt] = execution["attempts"]
        assert (ExecutionState.SUCCEEDED, at(100), at(103), 1, 1) == (
            attempt["state"],
            attempt["queued_at"],
            attempt["started_at"],
            attempt["execution_number"],
            attempt["version_number"],
        )
    assert 1 == len(expected)


@pytest.mark.parametrize("is_row_first", [True, False])
@pytest.mark.parametrize("as_of", [None, 150])
async def test_an_old_row_reopens_no_execution(store: Store, as_of: float | None, *, is_row_first: bool) -> None:
    """An event reported its end later than AWS answered."""
    row = summarized("j1", "t1", "QUEUED", as_of=as_of, queuedAt=100, lastUpdatedAt=100)
    items: list[Row | Message] = [row, execution_event("failed", timestamp=160)]
    for item in items if is_row_first else reversed(items):
        await arrive(store, item)
    assert await state(store, "j1", "t1") is ExecutionState.FAILED


async def test_a_row_without_the_time_of_the_answer_is_no_later_sighting(store: Store) -> None:
    """A list that left the execution out since then still counts; one before AWS's answer does not."""
    await arrive(store, listed("j1", "IN_PROGRESS", 99, namespace="n1"))
    await arrive(store, pending(150))
    await arrive(store, summarized("j1", "t1", "QUEUED", queuedAt=100, lastUpdatedAt=100))
    assert await state(store, "j1", "t1") is ExecutionState.ENDED
    await arrive(store, summarized("j1", "t1", "QUEUED", as_of=140, queuedAt=100, lastUpdatedAt=100))
    assert await state(store, "j1", "t1") is ExecutionState.ENDED
    await arrive(store, summarized("j1", "t1", "QUEUED", as_of=151, queuedAt=100, lastUpdatedAt=100))
    assert await state(store, "j1", "t1") is ExecutionState.QUEUED


@pytest.mark.parametrize("is_row_first", [True, False])
async def test_an_old_row_changes_no_job(store: Store, *, is_row_first: bool) -> None:
    """Its status and texts are those of the event, and the earlier namespace does not count."""
    items: list[Row | Message] = [
        listed("j1", "IN_PROGRESS", 150, namespace="old", isConcurrent=True, targetSelection="SNAPSHOT"),
        ("$aws/things/t1/jobs/j1/notify-namespace-new", {"job": {"lastUpdatedAt": 160, "status": "SCHEDULED"}}),
        event("canceled", lastUpdatedAt=170, isConcurrent=False, timestamp=170),
    ]
    for item in items if is_row_first else reversed(items):
        await arrive(store, item)
    job = await store.job("j1")
    assert (JobStatus.CANCELED, "new", False, "SNAPSHOT", at(170)) == (
        job.status,
        job.namespace_id,
        job.is_concurrent,
        job.target_selection,
        job.last_updated_at,
    )


@pytest.mark.parametrize("is_row_first", [True, False])
async def test_a_deleted_job_stays_deleted(store: Store, *, is_row_first: bool) -> None:
    """Rows from before its deletion give it no later life."""
    items: list[Row | Message] = [
        listed("j1", "IN_PROGRESS", 150, createdAt=iso(90)),
        summarized("j1", "t1", "QUEUED", as_of=160, queuedAt=100, lastUpdatedAt=100),
        event("deleted", createdAt=90, lastUpdatedAt=170, timestamp=171),
    ]
    for item in items if is_row_first else reversed(items):
        await arrive(store, item)
    with pytest.raises(ResourceNotFoundException):
        await store.job("j1")


@pytest.mark.parametrize("is_row_first", [True, False])
async def test_a_row_of_an_earlier_attempt_leaves_the_current_one(store: Store, *, is_row_first: bool) -> None:
    """It says how the earlier one ended."""
    entry = {"jobId": "j1", "queuedAt": 160, "executionNumber": 2, "versionNumber": 1}
    items: list[Row | Message] = [
        summarized("j1", "t1", "FAILED", queuedAt=100, startedAt=110, lastUpdatedAt=159),
        pending(161, entry),
    ]
    for item in items if is_row_first else reversed(items):
        await arrive(store, item)
    execution = await store.job_execution("j1", "t1")
    assert [ExecutionState.QUEUED, ExecutionState.FAILED] == [
        attempt.state for attempt in (execution, *execution.former_attempts)
    ]
    assert [2, 1] == [attempt.execution_number for attempt in (execution, *execution.former_attempts)]


async def test_rows_alone_are_what_the_index_answers(store: Store) -> None:
    """AWS's members come back, and the namespace is that of the listing."""
    members = {
        "thingGroupId": "8f82a106",
        "targetSelection": "CONTINUOUS",
        "createdAt": iso(99.125),
        "completedAt": iso(149.5),
        "isConcurrent": False,
    }
    source, row = listed("j1", "COMPLETED", 150.25, namespace="acme", **members)
    details = {"status": "TIMED_OUT", "versionNumber": 3, "statusDetails": {"detailsMap": {"step": "reboot"}}}
    described = {"jobId": "j1", "thingArn": arn("thing/t1"), "executionNumber": 2, "queuedAt": 100, **details}
    rows = read((source, row), (RowSource(operation=RowOperation.DESCRIBE_JOB_EXECUTION), described))
    imported = await store.import_rows(rows, now=NOW)
    assert {} == imported.refused
    page = await store.list_jobs(ListJobsQuery())
    times = {"createdAt": 99.125, "lastUpdatedAt": 150.25, "completedAt": 149.5}
    assert [row | times] == json.loads(b"[%s]" % page.jobs)
    assert "acme" == (await store.job("j1")).namespace_id
    execution = await store.job_execution("j1", "t1")
    assert (ExecutionState.TIMED_OUT, 2, 3, at(100), {"step": "reboot"}) == (
        execution.state,
        execution.execution_number,
        execution.version_number,
        execution.queued_at,
        execution.status_details,
    )


async def test_rows_are_imported_without_the_lease(store: Store) -> None:
    """Any replica can do it, and returns the changes."""
    await store.release_lease()
    before = store.rewrites
    imported = await store.import_rows(read(listed("j1", "COMPLETED", 150, namespace="acme")), now=NOW)
    changed = Changed(job_ids=frozenset({"j1"}), namespace_ids=frozenset({"acme"}), thing_names=frozenset())
    assert ({}, changed, before + 1) == (imported.refused, imported.changed, store.rewrites)
