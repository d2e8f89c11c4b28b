"""The answers of every store in addition to ListJobs: jobs, executions, things and namespaces."""

import json
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest
from support.messages import (
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
)

from jobindex.errors import InvalidRequestException, ResourceNotFoundException
from jobindex.model.jobs import JobStatus, TargetSelection
from jobindex.model.listing import Filters, ListJobsQuery, Position
from jobindex.model.reader import CHANGES_MAXIMUM
from jobindex.model.store import NAMED_MAXIMUM, Changed, Store
from jobindex.model.views import (
    ExecutionPage,
    ExecutionState,
    JobChange,
    JobDescription,
    JobExecution,
    Namespace,
    NamespaceCounts,
    Thing,
)
from jobindex.storage.sql import executions

QUEUED, IN_PROGRESS, SUCCEEDED, ENDED = (
    ExecutionState.QUEUED,
    ExecutionState.IN_PROGRESS,
    ExecutionState.SUCCEEDED,
    ExecutionState.ENDED,
)


async def test_a_job_tells_what_is_known_of_it(index: Index, store: Store) -> None:
    """A job description has all members, and separates reported values from inferred ones."""
    await index.tell(
        job(
            status="IN_PROGRESS",
            createdAt=100,
            lastUpdatedAt=200,
            jobArn=arn("job/j1"),
            targetSelection="SNAPSHOT",
            isConcurrent=False,
            targets=[arn("thinggroup/g2"), arn("thinggroup/g1"), arn("thing/t1")],
            description="Floor one",
            comment="no hurry",
        ),
        execution(
            "QUEUED",
            lastUpdatedAt=150,
            jobDocument={
                "deploymentId": "d-1",
                "deploymentName": "Floor one, twice",
                "configurationArn": "arn:aws:greengrass:us-east-1:123456789012:configuration:thinggroup/g1:3",
            },
        ),
        execution("SUCCEEDED", thing="t2", lastUpdatedAt=160),
        group("g1", "id-1"),
    )
    expected = JobDescription(
        job_id="j1",
        job_arn=arn("job/j1"),
        namespace_id="n1",
        status=JobStatus.IN_PROGRESS,
        is_status_reported=True,
        target_selection=TargetSelection.SNAPSHOT,
        thing_group_ids=["id-1"],
        thing_group_names=["g1", "g2"],
        is_concurrent=False,
        created_at=at(100),
        is_created_at_reported=True,
        last_updated_at=at(200),
        completed_at=None,
        first_heard_at=NOW,
        executions={QUEUED: 1, SUCCEEDED: 1},
        reported_process_details=None,
        description="Floor one",
        targets=[arn("thing/t1"), arn("thinggroup/g1"), arn("thinggroup/g2")],
        comment="no hurry",
        reason_code=None,
        deployment_id="d-1",
        deployment_name="Floor one, twice",
        configuration_arn="arn:aws:greengrass:us-east-1:123456789012:configuration:thinggroup/g1:3",
    )
    assert expected == await store.job("j1")


async def test_a_job_of_which_little_is_known(index: Index, store: Store) -> None:
    """A member that no message reported is None, and inferred values are marked."""
    await index.tell(execution("SUCCEEDED", lastUpdatedAt=150))
    expected = JobDescription(
        job_id="j1",
        job_arn=":job/j1",
        namespace_id=None,
        status=JobStatus.COMPLETED,
        is_status_reported=False,
        target_selection=None,
        thing_group_ids=[],
        thing_group_names=[],
        is_concurrent=None,
        created_at=at(150),
        is_created_at_reported=False,
        last_updated_at=at(150),
        completed_at=at(150),
        first_heard_at=NOW,
        executions={SUCCEEDED: 1},
        reported_process_details=None,
        description=None,
        targets=None,
        comment=None,
        reason_code=None,
        deployment_id=None,
        deployment_name=None,
        configuration_arn=None,
    )
    assert expected == await store.job("j1")


async def test_an_execution_tells_when_it_was_queued_and_started(index: Index, store: Store) -> None:
    """An execution has the latest of each time, and waits since its start."""
    await index.tell(
        execution("QUEUED", queuedAt=100, lastUpdatedAt=100, executionNumber=1, versionNumber=1),
        execution(
            "IN_PROGRESS",
            queuedAt=100,
            startedAt=110,
            lastUpdatedAt=120,
            executionNumber=1,
            versionNumber=2,
            statusDetails={"progress": "1/2"},
        ),
        pending(130, entry(queuedAt=100, lastUpdatedAt=100, executionNumber=1, versionNumber=1)),
    )
    expected = JobExecution(
        job_id="j1",
        thing_name="t1",
        namespace_id="n1",
        state=IN_PROGRESS,
        queued_at=at(100),
        started_at=at(110),
        last_updated_at=at(120),
        seen_pending_at=at(130),
        waiting_since=at(110),
        execution_number=1,
        version_number=2,
        status_details={"progress": "1/2"},
        is_status_details_cut=False,
        thing_arn=":thing/t1",
        former_attempts=[],
    )
    assert expected == await store.job_execution("j1", "t1")


@pytest.mark.parametrize(
    ("told", "since"),
    [
        ({"status": "QUEUED", "queuedAt": 100, "lastUpdatedAt": 120}, 100),
        ({"status": "QUEUED", "lastUpdatedAt": 120}, 120),
        ({"status": "IN_PROGRESS", "queuedAt": 100, "lastUpdatedAt": 120}, 100),
        ({"status": "IN_PROGRESS", "queuedAt": 100, "startedAt": 100, "lastUpdatedAt": 120}, 100),
        ({"status": "QUEUED", "queuedAt": 100, "startedAt": 90, "lastUpdatedAt": 120}, 100),
        ({"status": "IN_PROGRESS"}, None),
        ({"status": "FAILED", "queuedAt": 100, "startedAt": 110, "lastUpdatedAt": 120}, None),
    ],
)
async def test_an_execution_waits_since(index: Index, store: Store, told: dict[str, Any], since: int | None) -> None:
    """An execution waits since startedAt, else queuedAt, else lastUpdatedAt; an ended one does not wait."""
    await index.tell(execution(**told))
    assert (None if since is None else at(since)) == (await store.job_execution("j1", "t1")).waiting_since


async def test_a_start_before_it_was_queued_again_is_of_an_older_try(index: Index, store: Store) -> None:
    """A retried execution has no startedAt until it starts again."""
    await index.tell(
        execution("IN_PROGRESS", queuedAt=100, startedAt=110, lastUpdatedAt=120, executionNumber=1),
        execution("QUEUED", queuedAt=200, lastUpdatedAt=200, executionNumber=2),
    )
    read = await store.job_execution("j1", "t1")
    assert (at(200), None, at(200)) == (read.queued_at, read.started_at, read.waiting_since)


async def test_times_up_to_a_deletion_do_not_count(index: Index, store: Store) -> None:
    """Times up to a deletion do not count for a new job of the same id."""
    await index.tell(
        execution("IN_PROGRESS", queuedAt=100, startedAt=150, lastUpdatedAt=150),
        event("deleted", timestamp=200),
        execution("QUEUED", queuedAt=300, lastUpdatedAt=300),
    )
    read = await store.job_execution("j1", "t1")
    assert (QUEUED, at(300), None) == (read.state, read.queued_at, read.started_at)
    assert {QUEUED: 1} == (await store.job("j1")).executions


async def test_an_execution_that_a_list_leaves_out_has_ended_nobody_knows_how(index: Index, store: Store) -> None:
    """An execution that a list omits has ended with an unknown outcome, which is counted separately."""
    await index.tell(job(), execution("QUEUED", lastUpdatedAt=100), pending(200))
    assert (ENDED, None) == (
        (read := await store.job_execution("j1", "t1")).state,
        read.waiting_since,
    )
    [namespace] = await store.namespaces(after=None, limit=10, now=NOW)
    assert {ENDED: 1} == namespace.executions


@pytest.mark.parametrize(
    "ask",
    [
        lambda store: store.job("j9"),
        lambda store: store.job_execution("j9", "t1"),
        lambda store: store.job_execution("gone", "t1"),
        lambda store: store.job_execution("j1", "deleted"),
        lambda store: store.executions_of_job("j9", state=None, after=None, limit=1),
        lambda store: store.executions_of_thing("t9", namespace_id=None, state=None, job_id=None, after=None, limit=1),
        lambda store: store.thing("t9"),
    ],
    ids=[
        "a job",
        "its execution",
        "of a deleted job",
        "a deleted execution",
        "executions of a job",
        "of a thing",
        "a thing",
    ],
)
async def test_what_is_unknown_is_not_found(
    index: Index, store: Store, ask: Callable[[Store], Awaitable[object]]
) -> None:
    """Unknown and deleted objects raise ResourceNotFoundException."""
    await index.tell(
        job(createdAt=100),
        execution("QUEUED", job_id="gone", lastUpdatedAt=50),
        event("deleted", job_id="gone", timestamp=60),
        execution("FAILED", thing="deleted", lastUpdatedAt=100),
        execution_event("deleted", thing="deleted", timestamp=110),
    )
    with pytest.raises(ResourceNotFoundException):
        await ask(store)


async def _all(ask: Callable[[str | None], Awaitable[ExecutionPage]]) -> Sequence[JobExecution]:
    found: list[JobExecution] = []
    after = None
    while True:
        page = await ask(after)
        found += page.executions
        after = page.next_position
        if after is None:
            return found


async def test_a_page_of_executions_ends_early_where_their_details_are_long(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page of executions with long details ends early, because a thousand of them could take 200 MB."""
    monkeypatch.setattr(executions, "PAGE_CHARACTERS", 50_000)
    details = {"log": "x" * 10_000}
    for thing in ("t1", "t2", "t3", "t4"):
        for number in (1, 2, 3):
            queued = execution(
                "QUEUED", "j1", thing, queuedAt=number * 10, executionNumber=number, statusDetails=details
            )
            await store.apply(parsed(queued), (), now=NOW)
    pages: list[list[tuple[str, int]]] = []
    after: str | None = None
    while not pages or after is not None:
        page = await store.executions_of_job("j1", state=None, after=after, limit=3)
        pages.append([(one.thing_name, 1 + len(one.former_attempts)) for one in page.executions])
        after = page.next_position
    assert [[("t1", 3), ("t2", 3)], [("t3", 3), ("t4", 3)]] == pages


@pytest.mark.parametrize("limit", [1, 2, 100])
async def test_executions_of_a_job_are_paged_by_thing(index: Index, store: Store, limit: int) -> None:
    """Executions of a job are listed once, in order of thing names, with an optional filter by state."""
    await index.tell(*(execution("QUEUED" if n % 2 else "FAILED", thing=f"t{n}", lastUpdatedAt=n) for n in range(7)))
    await index.tell(execution("QUEUED", job_id="other", thing="t3", lastUpdatedAt=9))

    async def things(state: ExecutionState | None) -> list[str]:
        pages = await _all(lambda after: store.executions_of_job("j1", state=state, after=after, limit=limit))
        return [read.thing_name for read in pages]

    assert [f"t{n}" for n in range(7)] == await things(None)
    assert ["t1", "t3", "t5"] == await things(QUEUED)


@pytest.mark.parametrize("limit", [1, 2, 100])
async def test_executions_of_a_thing_are_paged_newest_first(index: Index, store: Store, limit: int) -> None:
    """Executions of a thing are listed once, the last queued first and unknown times last; filters combine."""
    await index.tell(
        *(execution("QUEUED", job_id=f"j{n}", queuedAt=100 + n // 2, lastUpdatedAt=100) for n in range(6)),
        execution("FAILED", job_id="unknown", lastUpdatedAt=500),
        execution("QUEUED", job_id="elsewhere", thing="t2", queuedAt=100, lastUpdatedAt=100),
        job(job_id="j2"),
    )

    async def job_ids(**filters: Any) -> list[str]:
        asked = {"namespace_id": None, "state": None, "job_id": None, **filters}
        pages = await _all(lambda after: store.executions_of_thing("t1", after=after, limit=limit, **asked))
        return [read.job_id for read in pages]

    assert ["j5", "j4", "j3", "j2", "j1", "j0", "unknown"] == await job_ids()
    assert ["j2"] == await job_ids(namespace_id="n1", state=QUEUED)
    assert ["unknown"] == await job_ids(state=ExecutionState.FAILED)
    assert ["j4"] == await job_ids(job_id="j4")


@pytest.mark.parametrize("limit", [1, 2, 100])
async def test_executions_that_wait_are_paged_longest_first(index: Index, store: Store, limit: int) -> None:
    """Waiting executions are listed once, the longest wait first, without hidden and ended ones."""
    await index.tell(
        *(execution("QUEUED", job_id=f"j{n}", queuedAt=100 + n // 2, lastUpdatedAt=100) for n in range(6)),
        execution("SUCCEEDED", job_id="ended", queuedAt=1, lastUpdatedAt=100),
        execution("QUEUED", job_id="gone", queuedAt=1, lastUpdatedAt=500),
        event("deleted", job_id="gone", timestamp=400),
        job(job_id="j1"),
    )

    async def job_ids(namespace_id: str | None) -> list[str]:
        pages = await _all(
            lambda after: store.waiting_executions(since=at(102), namespace_id=namespace_id, after=after, limit=limit)
        )
        return [read.job_id for read in pages]

    assert ["j0", "j1", "j2", "j3"] == await job_ids(None)
    assert ["j1"] == await job_ids("n1")
    assert [4, 2] == [await store.count_waiting(since=at(102), maximum=maximum) for maximum in (100, 2)]


async def test_a_page_of_one_namespace_looks_at_a_bounded_number(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page examines a bounded number of executions, so it may be empty although more follow."""
    monkeypatch.setattr("jobindex.storage.sql.executions.LOOKED_AT_MAXIMUM", 3)
    for number in range(20):
        topic, payload = execution("QUEUED", job_id=f"j{number:02}", queuedAt=100, lastUpdatedAt=100)
        await store.apply(parsed((topic, payload)), (), now=NOW)
        await _tell(store, 0, job_id=f"j{number:02}", namespace="rare" if number in {0, 9, 19} else "n1")

    async def page(after: str | None) -> ExecutionPage:
        pages.append(after)
        return await store.waiting_executions(since=at(101), namespace_id="rare", after=after, limit=2)

    pages: list[str | None] = []
    assert ["j00", "j09", "j19"] == [one.job_id for one in await _all(page)]
    assert len(pages) > 4


@pytest.mark.parametrize(
    "position",
    [pytest.param("[" * 20_000, id="deep"), "", "x", "{}", "[]", "[1]", '["a", "b"]', f'[{1 << 63}, "a"]', "[true]"],
)
async def test_what_is_no_position_is_invalid(store: Store, position: str) -> None:
    """A position that no page returned is invalid."""
    await store.apply(parsed(pending(1, namespace=None)), (), now=NOW)
    with pytest.raises(InvalidRequestException, match="position"):
        await store.executions_of_thing("t1", namespace_id=None, state=None, job_id=None, after=position, limit=1)


async def test_things_are_found_by_the_beginning_of_their_names(index: Index, store: Store) -> None:
    """Things are found by name prefix, in order, and once each."""
    await index.tell(
        *(
            execution("QUEUED", job_id=f"j{n}", thing=thing)
            for n in range(3)
            for thing in ("a", "pump:1", "pump:2", "q")
        )
    )
    await index.tell(pending(1, thing="pump:3"))
    assert ["a", "pump:1", "pump:2", "pump:3", "q"] == await store.things(prefix="", after="", limit=10)
    assert ["pump:1", "pump:2", "pump:3"] == await store.things(prefix="pump", after="", limit=10)
    assert ["pump:2", "pump:3"] == await store.things(prefix="pump", after="pump:1", limit=10)
    assert ["pump:1", "pump:2", "pump:3"] == await store.things(prefix="pump", after="b", limit=10)
    assert ["pump:1"] == await store.things(prefix="pump", after="", limit=1)
    assert [] == await store.things(prefix="z", after="", limit=10)


async def test_a_thing_tells_when_it_was_last_heard_of(index: Index, store: Store) -> None:
    """A thing has the latest time of its messages, its longest wait, and its pending lists."""
    await index.tell(
        execution("QUEUED", job_id="j1", queuedAt=100, lastUpdatedAt=110),
        execution("QUEUED", job_id="j2", queuedAt=90, lastUpdatedAt=95),
        execution("FAILED", job_id="j3", queuedAt=10, lastUpdatedAt=120),
        pending(130, namespace="n1"),
    )
    expected = Thing(
        thing_name="t1",
        executions={QUEUED: 2, ExecutionState.FAILED: 1},
        waiting_since=at(90),
        last_heard_at=at(130),
        pending_lists={"n1": at(130)},
    )
    assert expected == await store.thing("t1")


async def test_a_namespace_counts_its_jobs_and_their_executions(index: Index, store: Store) -> None:
    """A namespace counts its listed jobs by status, and their executions by state."""
    await index.tell(
        job("a", "n1", status="IN_PROGRESS", createdAt=1),
        job("b", "n1", status="COMPLETED", createdAt=1),
        job("c", "n2", status="COMPLETED", createdAt=1),
        job("gone", "n3", createdAt=1),
        execution("QUEUED", "a", lastUpdatedAt=5),
        execution("FAILED", "a", "t2", lastUpdatedAt=5),
        execution("FAILED", "none", "t2", lastUpdatedAt=5),
        execution("QUEUED", "gone", "t2", lastUpdatedAt=2),
        event("deleted", "gone", timestamp=3),
    )
    counted = [
        (one.namespace_id, one.jobs, one.executions) for one in await store.namespaces(after=None, limit=10, now=NOW)
    ]
    assert [
        (None, {JobStatus.IN_PROGRESS: 1}, {ExecutionState.FAILED: 1}),  # an event would have reported its completion
        ("n1", {JobStatus.IN_PROGRESS: 1, JobStatus.COMPLETED: 1}, {QUEUED: 1, ExecutionState.FAILED: 1}),
        ("n2", {JobStatus.COMPLETED: 1}, {}),
    ] == counted
    assert ["n1"] == [one.namespace_id for one in await store.namespaces(after="", limit=1, now=NOW)]
    assert ["n2"] == [one.namespace_id for one in await store.namespaces(after="n1", limit=9, now=NOW)]


async def test_the_greatest_namespaces_are_counted_apart(store: Store) -> None:
    """The largest namespaces are counted separately; all others are `other`, even a namespace of that name."""
    for namespace_id, job_ids in {"c": "123", "b": "45", "a": "67", "other": "890x", "d": "y"}.items():
        await store.apply(parsed(*(job(job_id, namespace_id, status="IN_PROGRESS") for job_id in job_ids)), (), now=NOW)
    reported = [event("completed", "z", timestamp=5), execution("FAILED", "8", "t", lastUpdatedAt=5)]
    reported += [execution("QUEUED", job_id, "t", lastUpdatedAt=5) for job_id in "146yz"]
    await store.apply(parsed(*reported), (), now=NOW)
    progress, queued = JobStatus.IN_PROGRESS, {QUEUED: 1}
    none = {"": {JobStatus.COMPLETED: 1}}
    assert NamespaceCounts(
        jobs={**none, "c": {progress: 3}, "a": {progress: 2}, "other": {progress: 7}},
        executions={"": queued, "c": queued, "a": queued, "other": {QUEUED: 2, ExecutionState.FAILED: 1}},
    ) == await store.namespace_counts(maximum=2)
    everything = await store.namespace_counts(maximum=9)
    assert {"", "a", "b", "c", "d", "other"} == {*everything.jobs}
    assert {progress: 4} == everything.jobs["other"]


async def _tell(store: Store, now: int, **members: Any) -> None:
    topic, payload = job(**members)
    await store.apply(parsed((topic, payload)), (), now=NOW + timedelta(minutes=now))


async def test_a_namespace_shows_the_activity_of_the_last_hours(store: Store) -> None:
    """A namespace shows how often its jobs changed in each of the last 24 hours, and their last change."""
    for minute in (0, 1, 61):
        await _tell(store, minute, createdAt=1, lastUpdatedAt=minute + 1)
    await _tell(store, 62, createdAt=1, lastUpdatedAt=62)  # identical: no change

    async def read(minute: int) -> Namespace:
        [namespace] = await store.namespaces(after=None, limit=10, now=NOW + timedelta(minutes=minute))
        return namespace

    assert [2, 1] == list((await read(62)).activity)[-2:]
    assert [2, 1, *[0] * 22] == list((await read(23 * 60)).activity)
    assert [1, *[0] * 23] == list((await read(24 * 60)).activity)
    assert NOW + timedelta(minutes=61) == (await read(99_999)).last_change_at
    await _tell(store, 24 * 60, createdAt=1, lastUpdatedAt=9999)
    assert 1 == (await read(24 * 60)).activity[-1]


async def test_the_changes_of_a_job_are_kept(store: Store) -> None:
    """A job keeps each change of its status, of its namespace and of whether it is listed, newest first."""

    async def changes() -> list[tuple[JobStatus | None, JobStatus | None, bool]]:
        kept = await store.job_changes("j1", limit=10)
        return [(one.status, one.former_status, one.is_status_reported) for one in kept]

    topic, payload = execution("QUEUED", lastUpdatedAt=1)
    await store.apply(parsed((topic, payload)), (), now=NOW)
    await _tell(store, 1, createdAt=1, lastUpdatedAt=2)
    await _tell(store, 2, createdAt=1, lastUpdatedAt=3)
    await _tell(store, 3, status="COMPLETED", lastUpdatedAt=4)
    topic, payload = event("deleted", timestamp=5)
    await store.apply(parsed((topic, payload)), (), now=NOW + timedelta(minutes=4))
    assert [
        (None, JobStatus.COMPLETED, False),
        (JobStatus.COMPLETED, JobStatus.IN_PROGRESS, True),
        (JobStatus.IN_PROGRESS, JobStatus.IN_PROGRESS, False),
        (JobStatus.IN_PROGRESS, None, False),
    ] == await changes()
    [newest] = await store.job_changes("j1", limit=1)
    assert (
        JobChange(
            changed_at=NOW + timedelta(minutes=4),
            status=None,
            former_status=JobStatus.COMPLETED,
            namespace_id="n1",
            is_status_reported=False,
        )
        == newest
    )


async def test_a_bounded_number_of_changes_is_kept_of_a_job_that_comes_and_goes(store: Store) -> None:
    """A job that is deleted and created again keeps a bounded number of changes."""
    for number in range(CHANGES_MAXIMUM):
        await _tell(store, 2 * number, createdAt=10 * number + 10, lastUpdatedAt=10 * number + 10)
        topic, payload = event("deleted", timestamp=10 * number + 11)
        now = NOW + timedelta(minutes=2 * number + 1)
        await store.apply(parsed((topic, payload)), (), now=now)
    assert CHANGES_MAXIMUM == len(await store.job_changes("j1", limit=1000))


async def test_of_a_namespace_without_jobs_nothing_is_kept(store: Store) -> None:
    """The activity of a namespace is deleted with its last job."""
    await _tell(store, 0, job_id="j1", createdAt=1, lastUpdatedAt=1)
    await _tell(store, 0, job_id="j2", createdAt=1, lastUpdatedAt=1)
    for number, (job_id, expected) in enumerate((("j1", [("n1", 1, 2)]), ("j2", []))):
        topic, payload = event("deleted", job_id, timestamp=2)
        now = NOW + timedelta(hours=number + 1)
        await store.apply(parsed((topic, payload)), (), now=now)
        namespaces = await store.namespaces(after=None, limit=10, now=now)
        assert expected == [(one.namespace_id, one.activity[-1], one.activity[-2]) for one in namespaces]
    await _tell(store, 240, job_id="j1", createdAt=3, lastUpdatedAt=3)
    [namespace] = await store.namespaces(after=None, limit=10, now=NOW + timedelta(minutes=240))
    assert 1 == sum(namespace.activity)


async def test_a_bounded_number_of_changes_is_kept_of_each_job(store: Store) -> None:
    """A job keeps only its newest changes."""
    for number in range(CHANGES_MAXIMUM + 5):
        status = "IN_PROGRESS" if number % 2 else "CANCELED"
        await _tell(store, number, status=status, createdAt=1, lastUpdatedAt=number + 1)
    kept = await store.job_changes("j1", limit=1000)
    assert CHANGES_MAXIMUM == len(kept)
    assert NOW + timedelta(minutes=5) == kept[-1].changed_at


async def _changed(store: Store, *messages: Message) -> Changed:
    reports = parsed(*messages)
    return (await store.apply(reports, (), now=NOW)).changed


def _named(jobs: str = "", namespaces: str = "", things: str = "") -> Changed:
    job_ids, namespace_ids, thing_names = (frozenset(names.split()) for names in (jobs, namespaces, things))
    return Changed(job_ids=job_ids, namespace_ids=namespace_ids, thing_names=thing_names)


async def test_a_batch_names_what_it_has_changed(store: Store) -> None:
    """A batch reports changed jobs, their old and new namespaces, and the things of changed executions."""
    queued = execution("QUEUED", "j1", lastUpdatedAt=100)
    for expected, *messages in (
        (_named("j1 j2", "n1", "t2"), job("j1"), execution("QUEUED", "j2", "t2", lastUpdatedAt=1)),
        (_named("j1", "n1", "t1"), queued),
        (_named(), queued),
        (_named("j1", "n1", "t2"), execution("FAILED", "j1", "t2", lastUpdatedAt=50)),
        (_named("j1", "n1", "t1"), pending(200)),
        (_named(), pending(201)),
        (_named("j1", "n1 n2", "t1"), job("j1", "n2", lastUpdatedAt=250)),
        (_named("j1", "n2", "t1 t2"), event("deleted", "j1", timestamp=300)),
        (_named(), group("g")),
        (Changed(job_ids=None, namespace_ids=frozenset(), thing_names=frozenset()), group("g", "id")),
        (_named(), group("g", "id")),
    ):
        assert expected == await _changed(store, *messages)


async def test_a_batch_that_changes_too_much_names_none_of_it(store: Store) -> None:
    """A batch omits the names of jobs or things if there are too many, but never the namespaces."""
    few = await _changed(store, *(job(f"few-{number}") for number in range(NAMED_MAXIMUM)))
    assert NAMED_MAXIMUM == len(few.job_ids or ())
    jobs = [job(f"many-{number}", f"n{number}") for number in range(NAMED_MAXIMUM + 1)]
    everywhere = frozenset(f"n{number}" for number in range(NAMED_MAXIMUM + 1))
    many = await _changed(store, *jobs)
    assert Changed(job_ids=None, namespace_ids=everywhere, thing_names=frozenset()) == many
    moved = [job(f"many-{number}", "zoo") for number in range(NAMED_MAXIMUM + 1)]
    assert everywhere | {"zoo"} == (await _changed(store, *moved)).namespace_ids
    things = (execution("QUEUED", thing=f"t{number}", lastUpdatedAt=1) for number in range(NAMED_MAXIMUM + 1))
    of_one = Changed(job_ids=frozenset({"j1"}), namespace_ids=frozenset(), thing_names=None)
    assert of_one == await _changed(store, *things)
    things = (execution("QUEUED", "many-0", f"t{number}", lastUpdatedAt=1) for number in range(NAMED_MAXIMUM + 1))
    of_one = Changed(job_ids=frozenset({"many-0"}), namespace_ids=frozenset({"zoo"}), thing_names=None)
    assert of_one == await _changed(store, *things)


async def test_a_group_tied_to_its_id_changes_where_its_jobs_are(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new id of a group changes all namespaces of the group's jobs, or unknown ones if these are too many."""
    told = [job("j1", "n1", thingGroupName="g"), job("j2", "n2", thingGroupId="id"), job("j3", "n3")]
    await _changed(store, *told, job("j4", "n1", thingGroupName="g"), event("completed", "j5", thingGroupName="g"))
    everywhere = Changed(job_ids=None, namespace_ids=frozenset({"n1", "n2"}), thing_names=frozenset())
    assert everywhere == await _changed(store, group("g", "id"))
    assert _named() == await _changed(store, group("g", "id"))
    of_name = Changed(job_ids=None, namespace_ids=frozenset({"n1"}), thing_names=frozenset())
    monkeypatch.setattr("jobindex.storage.sql.thing_groups._NAMESPACES_MAXIMUM", 2)
    assert of_name == await _changed(store, group("g", "id-2"))
    unknown = Changed(job_ids=None, namespace_ids=None, thing_names=frozenset())
    monkeypatch.setattr("jobindex.storage.sql.thing_groups._NAMESPACES_MAXIMUM", 1)
    assert unknown == await _changed(store, group("g", "id-3"))


async def test_jobs_are_found_by_the_beginning_of_their_ids(index: Index, store: Store) -> None:
    """Jobs are found by id prefix, in order and with filters; a full page has a next position."""
    await index.tell(
        *(job(f"blue-{n}", "n1" if n % 2 else "n2", createdAt=100 - n, thingGroupName="g") for n in range(5)),
        job("green", "n1", createdAt=1),
        job("gone", "n1", createdAt=1),
        event("deleted", "gone", timestamp=3),
    )

    async def ids(prefix: str, *, after: str = "", limit: int = 10, **filters: Any) -> tuple[list[str], str | None]:
        found = await store.jobs_by_id(prefix, Filters(**filters), after=after, limit=limit)
        return [one["jobId"] for one in json.loads(b"[" + found.jobs + b"]")], found.next_position

    assert ([f"blue-{n}" for n in range(5)], None) == await ids("blue")
    assert (["blue-0", "blue-1"], "blue-1") == await ids("blue", limit=2)
    assert (["blue-2", "blue-3"], "blue-3") == await ids("blue", limit=2, after="blue-1")
    assert (["blue-4"], None) == await ids("blue", limit=2, after="blue-3")
    assert (["blue-1", "blue-3", "green"], None) == await ids("", namespace_id="n1")
    assert (["blue-3"], None) == await ids("blue-3", thing_group_name="g", status=JobStatus.IN_PROGRESS)
    assert ([], None) == await ids("gone")
    with pytest.raises(ResourceNotFoundException):
        await ids("blue", thing_group_name="unknown")
    assert {"blue-0": "n2", "green": "n1"} == await store.job_namespaces(["blue-0", "green", "gone", "x"])


async def test_a_search_looks_at_a_bounded_number_of_ids(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A search examines a bounded number of ids, so a page may be empty although more follow."""
    monkeypatch.setattr("jobindex.storage.sql.search.LOOKED_AT_MAXIMUM", 4)
    for number in range(20):
        await _tell(store, 0, job_id=f"j{number:02}", namespace="rare" if number in {9, 17} else "n1", createdAt=1)
    found: list[str] = []
    after: str | None = ""
    pages = 0
    while after is not None:
        page = await store.jobs_by_id("j", Filters(namespace_id="rare"), after=after, limit=1)
        found += [one["jobId"] for one in json.loads(b"[" + page.jobs + b"]")]
        after, pages = page.next_position, pages + 1
    assert ["j09", "j17"] == found
    assert pages > 4


async def test_a_limited_search_looks_at_what_is_visible_alone(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A restricted search examines only visible ids, and its positions name only visible jobs."""
    monkeypatch.setattr("jobindex.storage.sql.search.LOOKED_AT_MAXIMUM", 4)
    visible = []
    for number in range(40):
        namespace_id = {0: "n1", 1: "n2"}.get(number % 10, "hidden")
        await _tell(store, 0, job_id=f"j{number:02}", namespace=namespace_id, createdAt=1)
        visible += [f"j{number:02}"] if namespace_id != "hidden" else []
    reader = store.visible_to(frozenset({"n1", "n2", "n3"}))
    pages: list[list[str]] = []
    after: str | None = ""
    while after is not None:
        page = await reader.jobs_by_id("j", Filters(), after=after, limit=3)
        pages.append([one["jobId"] for one in json.loads(b"[" + page.jobs + b"]")])
        after = page.next_position
        assert after is None or after in visible
    assert [visible[:3], visible[3:6], visible[6:]] == pages
    alone = await reader.jobs_by_id("j", Filters(namespace_id="n2"), after="", limit=9)
    assert visible[1::2] == [one["jobId"] for one in json.loads(b"[" + alone.jobs + b"]")]


async def test_pages_go_backwards_too(index: Index, store: Store) -> None:
    """A backward page contains the jobs just before a position, newest first."""
    await index.tell(*(job(f"j{n}", createdAt=100 + n // 2) for n in range(9)))

    async def page(position: Position | None, *, is_backwards: bool, **filters: Any) -> tuple[list[str], str | None]:
        read = await store.list_jobs(
            ListJobsQuery(filters=Filters(**filters), max_results=3, after=position, is_backwards=is_backwards)
        )
        ids = [one["jobId"] for one in json.loads(b"[" + read.jobs + b"]")]
        return ids, None if read.next_position is None else read.next_position.job_id

    assert (["j8", "j7", "j6"], "j6") == await page(None, is_backwards=False)
    for filters in ({}, {"namespace_id": "n1"}, {"status": JobStatus.IN_PROGRESS}):
        before_j2 = Position(created_at=at(101), job_id="j2")
        assert (["j5", "j4", "j3"], "j5") == await page(before_j2, is_backwards=True, **filters)
        before_j5 = Position(created_at=at(102), job_id="j5")
        assert (["j8", "j7", "j6"], None) == await page(before_j5, is_backwards=True, **filters)
        before_j7 = Position(created_at=at(103), job_id="j7")
        assert (["j8"], None) == await page(before_j7, is_backwards=True, **filters)
