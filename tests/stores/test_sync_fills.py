"""The sync fills an index in SQLite from a fake AWS, whatever AWS answers. test_sync_checks.py runs on each engine."""

import time
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.empty_indexes import empty_index
from support.fake_aws import EVERY, FakeAws
from support.fake_aws_faults import (
    Before,
    Cut,
    Hang,
    Ignore,
    Refuse,
    RefuseTokens,
    RepeatToken,
    Throttle,
    broken,
    denied,
    expired_token,
    wrong_signature,
)
from support.fake_fleet import SOME_TIME
from support.sync_runs import CREDENTIALS, give_credentials, plan, syncing

from jobindex.aws import caller, client
from jobindex.aws.jobs import ListJobsPhase
from jobindex.errors import ResourceNotFoundException
from jobindex.model.jobs import JobStatus
from jobindex.model.listing import Filters, ListJobsQuery
from jobindex.model.reports import JobReport
from jobindex.model.store import Store
from jobindex.model.sync import DifferenceKind, SyncKind
from jobindex.model.views import ExecutionState
from jobindex.storage.databases import SqliteDatabase
from jobindex.storage.opening import open_store

NAMESPACES = ("acme", "aws-gg-deployment")


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the SDK's chain credentials."""
    give_credentials(monkeypatch)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """Open an empty index: the calls do not depend on the engine."""
    async with open_store(SqliteDatabase(path=empty_index(tmp_path / "jobindex.db"))) as opened:
        yield opened


@pytest.fixture
def aws() -> Iterator[FakeAws]:
    """Run a fake AWS with 260 jobs of the namespace acme and 20 of none; ten are active, and all have two things."""
    with FakeAws() as fake:
        for number in range(280):
            is_active = number % 28 == 0
            job = fake.fleet.add_job(
                f"job-{number:03}",
                namespace_id="acme" if number < 260 else None,
                status="IN_PROGRESS" if is_active else "COMPLETED",
                created_at=SOME_TIME + number,
                completed_at=None if is_active else SOME_TIME + 1000,
            )
            job.execute("pump-1", "IN_PROGRESS" if is_active else "SUCCEEDED", started_at=SOME_TIME)
            job.execute("pump-2", "QUEUED" if is_active else "FAILED")
        yield fake


async def listed(store: Store, **filters: object) -> int:
    """Return the number of listed jobs."""
    after, count = None, 0
    while True:
        page = await store.list_jobs(ListJobsQuery(filters=Filters(**filters), after=after))  # type: ignore[arg-type]
        count += page.jobs.count(b'"jobId"')
        after = page.next_position
        if after is None:
            return count


async def test_a_fill_knows_jobs_with_their_namespaces_and_pending_executions(store: Store, aws: FakeAws) -> None:
    """A fill lists 280 jobs in nine calls, and two calls for each active job; it describes only one of a namespace."""
    async with syncing(store, plan(aws.url, namespaces=NAMESPACES)) as sync:
        run = await sync.ended(SyncKind.FILL)
    assert (run.is_complete, run.problems, run.throttled) == (True, (), 0)
    assert (await listed(store), await listed(store, namespace_id="acme")) == (280, 260)
    assert await listed(store, status=JobStatus.IN_PROGRESS) == 10
    execution = await store.job_execution("job-028", "pump-1")
    assert (execution.state, execution.execution_number) == (ExecutionState.IN_PROGRESS, 1)
    filled_at = (await store.sync_times()).filled_at
    assert filled_at is not None
    assert filled_at <= run.requested_at
    lists = [call for call in aws.calls if call.operation == "ListJobExecutionsForJob"]
    pending = [call for call in lists if "status" in call.parameters]  # the details may have begun
    assert (aws.counts()["ListJobs"], len(pending)) == (2 + 1 + 6, 20)


async def test_details_describe_every_job_afterwards(store: Store, aws: FakeAws) -> None:
    """After the fill, each job is described and all its executions are listed; AWS's counts of ended jobs count."""
    for job_id in [*aws.fleet.jobs][20:]:
        del aws.fleet.jobs[job_id]
    aws.fleet.jobs["job-001"].description = "the first"
    async with syncing(store, plan(aws.url, namespaces=NAMESPACES)) as sync:
        run = await sync.ended(SyncKind.DETAILS)
    assert run.is_complete
    assert (run.done, run.total) == (20, 20)
    job = await store.job("job-001")
    assert job.description == "the first"
    assert job.reported_process_details is not None
    assert job.reported_process_details["numberOfFailedThings"] == 1
    assert job.executions == {ExecutionState.SUCCEEDED: 1, ExecutionState.FAILED: 1}


async def test_deployments_give_names(store: Store, aws: FakeAws) -> None:
    """A deployment whose job is not known by its document takes a call; the next fill finds the job without one."""
    for revision in "123":
        aws.fleet.deploy(f"d-{revision}", "thinggroup/pumps", job_id=f"gg-{revision}", revision=revision, name="pumps")
    async with syncing(store, plan(aws.url)) as sync:
        await sync.ended(SyncKind.FILL)
        assert aws.counts()["GetDeployment"] == 3
        await sync.run(SyncKind.FILL)
    assert aws.counts()["GetDeployment"] == 3
    job = await store.job("gg-2")
    assert (job.deployment_name, job.deployment_id, job.revision) == ("pumps", "d-2", "2")
    assert job.thing_group_names == ["pumps"]


async def test_groups_are_listed_if_asked_for(store: Store, aws: FakeAws) -> None:
    """A run with groups finds the jobs of each thing group by one call, without describing them."""
    aws.fleet.add_group("pumps", "pump-1")
    aws.fleet.add_group("valves")
    for job_id in ("job-001", "job-011"):
        aws.fleet.jobs[job_id].targets = ("thinggroup/pumps",)
    async with syncing(store, plan(aws.url)) as sync:
        await sync.ended(SyncKind.FILL)
        with pytest.raises(ResourceNotFoundException):
            await listed(store, thing_group_name="pumps")
        run = await sync.run(SyncKind.FILL, with_groups=True)
    assert run.is_complete
    assert (await listed(store, thing_group_name="pumps"), await listed(store, thing_group_name="valves")) == (2, 0)


async def members(store: Store, name: str = "pumps") -> tuple[list[str], datetime | None]:
    """Return the names of the things of a group, and as of when."""
    found = await store.thing_group_members(name, after="", limit=1000)
    return [one.thing_name for one in found.members], found.members_as_of


async def test_the_members_of_groups_are_listed(store: Store, aws: FakeAws) -> None:
    """A run with groups has the members of each, page by page; the next one deletes those that have left."""
    names = [f"pump-{number:03}" for number in range(260)]
    aws.fleet.add_group("pumps", *names)
    aws.fleet.add_group("valves", "pump-1", parent="pumps")
    async with syncing(store, plan(aws.url)) as sync:
        await sync.ended(SyncKind.FILL)
        assert aws.counts()["ListThingsInThingGroup"] == 0
        run = await sync.run(SyncKind.FILL, with_groups=True)
        assert (run.is_complete, run.problems) == (True, ())
        assert await members(store) == (names, run.as_of)
        assert await members(store, "valves") == (["pump-1"], run.as_of)
        assert aws.counts()["ListThingsInThingGroup"] == 3
        with aws.lock:
            aws.fleet.groups["pumps"].things = [*names[:255], "pump-new"]
            aws.fleet.groups["valves"].things.clear()
        run = await sync.run(SyncKind.FILL, with_groups=True)
    assert await members(store) == ([*names[:255], "pump-new"], run.as_of)
    assert await members(store, "valves") == ([], run.as_of)


async def test_members_with_other_names_than_things_have_are_left_out(store: Store, aws: FakeAws) -> None:
    """The name is a problem of the run; the other members of its page are stored."""
    aws.unlisted.add("pump 2")
    aws.fleet.add_group("pumps", "pump-1", "pump 2", "pump-3")
    async with syncing(store, plan(aws.url)) as sync:
        await sync.ended(SyncKind.FILL)
        run = await sync.run(SyncKind.FILL, with_groups=True)
    problem = "ListThingsInThingGroup: 'pump 2' is not the name of a thing: 1 left out of 'pumps'"
    assert run.problems == (problem,)
    assert await members(store) == (["pump-1", "pump-3"], run.as_of)


@pytest.mark.parametrize(("fault", "words"), [(RefuseTokens, "not valid"), (RepeatToken, "repeats a nextToken")])
async def test_a_list_of_members_that_never_ends_deletes_none(
    store: Store, aws: FakeAws, fault: Callable[[], RefuseTokens | RepeatToken], words: str
) -> None:
    """The list is a problem, members and their time stay as they were, and the next group is listed."""
    aws.fleet.add_group("pumps", *(f"pump-{number:03}" for number in range(600)))
    aws.fleet.add_group("valves", "valve-1")
    async with syncing(store, plan(aws.url)) as sync:
        await sync.ended(SyncKind.FILL)
        first = await sync.run(SyncKind.FILL, with_groups=True)
        with aws.lock:
            aws.fleet.groups["pumps"].things = aws.fleet.groups["pumps"].things[1:]
        aws.fault("ListThingsInThingGroup", fault())
        run = await sync.run(SyncKind.FILL, with_groups=True)
    assert run.is_complete
    assert [words in problem and problem.endswith(" (thingGroupName pumps)") for problem in run.problems] == [True]
    names, as_of = await members(store)
    assert (len(names), names[0], as_of) == (600, "pump-000", first.as_of)
    assert await members(store, "valves") == (["valve-1"], run.as_of)


async def test_a_refused_token_restarts_the_list_of_members_only(store: Store, aws: FakeAws) -> None:
    """AWS refuses a token once: the list of the group starts again, and is complete."""
    names = [f"pump-{number:03}" for number in range(260)]
    aws.fleet.add_group("pumps", *names)
    refusals = 1

    def refuse(call: object) -> None:
        nonlocal refusals
        if getattr(call, "parameters", {}).get("nextToken") and refusals:
            refusals -= 1
            Refuse(code="InvalidRequestException").strike(call)  # type: ignore[arg-type]

    aws.fault("ListThingsInThingGroup", Before(run=refuse))
    async with syncing(store, plan(aws.url)) as sync:
        await sync.ended(SyncKind.FILL)
        run = await sync.run(SyncKind.FILL, with_groups=True)
    assert (run.problems, await members(store)) == ((), (names, run.as_of))
    assert aws.counts()["ListThingsInThingGroup"] == 4


@pytest.mark.parametrize("fault", [denied("ListThingsInThingGroup"), Refuse(code="InvalidRequestException")])
async def test_members_that_a_source_does_not_list_leave_the_jobs_of_groups(
    store: Store, aws: FakeAws, fault: Refuse
) -> None:
    """ListThingsInThingGroup is called once and named, and the jobs of every group are listed."""
    for name in ("pumps", "valves"):
        aws.fleet.add_group(name, "pump-1")
    aws.fleet.jobs["job-001"].targets = ("thinggroup/valves",)
    aws.fault("ListThingsInThingGroup", fault)
    async with syncing(store, plan(aws.url)) as sync:
        await sync.ended(SyncKind.FILL)
        run = await sync.run(SyncKind.FILL, with_groups=True)
    assert run.is_complete
    assert [f"ListThingsInThingGroup: {fault.code}" in problem for problem in run.problems] == [True]
    by_group = [call.parameters["thingGroupName"] for call in aws.calls if "thingGroupName" in call.parameters]
    assert by_group == ["pumps", "pumps", "valves"]
    assert aws.counts()["ListThingsInThingGroup"] == 1
    assert await listed(store, thing_group_name="valves") == 1
    assert await members(store, "valves") == ([], None)


async def test_members_are_listed_although_no_job_can_be_described(store: Store, aws: FakeAws) -> None:
    """Whether the lists of jobs honour the group is then not known: they are left out, and the members are not."""
    aws.fleet.add_group("pumps", "pump-1")
    aws.fleet.jobs["job-001"].targets = ("thinggroup/pumps",)
    aws.fault("DescribeJob", denied("DescribeJob"))
    async with syncing(store, plan(aws.url)) as sync:
        await sync.ended(SyncKind.FILL)
        run = await sync.run(SyncKind.FILL, with_groups=True)
    assert any("whether ListJobs honours thingGroupName is not known" in problem for problem in run.problems)
    assert await members(store, "pumps") == (["pump-1"], run.as_of)


async def test_a_source_that_ignores_groups_leaves_their_members(store: Store, aws: FakeAws) -> None:
    """ListJobs is called for one group only, and the members of every group are listed."""
    for name in ("pumps", "valves"):
        aws.fleet.add_group(name, "pump-1")
    aws.fault("ListJobs", Ignore(parameter="thingGroupName"))
    async with syncing(store, plan(aws.url)) as sync:
        await sync.ended(SyncKind.FILL)
        run = await sync.run(SyncKind.FILL, with_groups=True)
    assert run.is_complete
    assert ["ListJobs ignores thingGroupName" in problem for problem in run.problems] == [True]
    by_group = [call.operation for call in aws.calls if "thingGroupName" in call.parameters]
    assert by_group == ["ListJobs", "ListThingsInThingGroup", "ListThingsInThingGroup"]
    assert await members(store, "valves") == (["pump-1"], run.as_of)


async def test_a_group_that_is_deleted_meanwhile_is_skipped(store: Store, aws: FakeAws) -> None:
    """Its members stay as they were, and the next group is listed."""
    aws.fleet.add_group("pumps", "pump-1")
    aws.fleet.add_group("valves", "valve-1")

    def delete(_: object) -> None:
        aws.fleet.groups.pop("pumps", None)

    async with syncing(store, plan(aws.url)) as sync:
        await sync.ended(SyncKind.FILL)
        first = await sync.run(SyncKind.FILL, with_groups=True)
        aws.fault("ListThingsInThingGroup", Before(run=delete))
        run = await sync.run(SyncKind.FILL, with_groups=True)
    assert (run.is_complete, run.problems) == (True, ())
    assert await members(store) == (["pump-1"], first.as_of)
    assert await members(store, "valves") == (["valve-1"], run.as_of)


@pytest.mark.parametrize("every", [2, 3])
async def test_a_throttled_fill_ends(store: Store, aws: FakeAws, every: int) -> None:
    """Each throttled call is counted and repeated, at a lower rate; the index is complete."""
    fault = Throttle(every=every)
    aws.fault("ListJobs", fault)
    async with syncing(store, plan(aws.url, namespaces=NAMESPACES, rates={"": 1000.0})) as sync:
        run = await sync.ended(SyncKind.FILL)
    assert run.is_complete
    assert run.throttled == fault.throttled > 3
    assert aws.counts()["ListJobs"] == 9 + fault.throttled
    assert await listed(store) == 280


@pytest.mark.parametrize(
    ("operation", "outcome"),
    [
        ("ListJobs", (False, 0)),
        ("ListJobExecutionsForJob", (False, 280)),
        ("ListDeployments", (True, 280)),
        ("DescribeEventConfigurations", (True, 280)),
        ("DescribeJob", (True, 280)),
    ],
)
async def test_a_denied_operation_is_named_and_the_rest_goes_on(
    store: Store, aws: FakeAws, operation: str, outcome: tuple[bool, int]
) -> None:
    """A run is not complete without jobs or pending executions; other operations are only missing."""
    is_complete, jobs = outcome
    aws.fault(operation, denied(operation))
    async with syncing(store, plan(aws.url, namespaces=NAMESPACES)) as sync:
        run = await sync.ended(SyncKind.FILL)
    assert run.is_complete is is_complete
    assert any(operation in problem and "AccessDeniedException" in problem for problem in run.problems)
    assert await listed(store) == jobs
    assert ((await store.sync_times()).filled_at is not None) is is_complete


async def test_a_refused_token_restarts_its_listing_only(store: Store, aws: FakeAws) -> None:
    """AWS refuses the tokens of a listing for a while: the listing starts again, and all jobs are there."""
    refusals = 2

    def refuse(call: object) -> None:
        nonlocal refusals
        given = getattr(call, "parameters", {})
        if given.get("nextToken") and given.get("status") == "COMPLETED" and refusals:
            refusals -= 1
            Refuse(code="InvalidRequestException").strike(call)  # type: ignore[arg-type]

    aws.fault("ListJobs", Before(run=refuse))
    async with syncing(store, plan(aws.url, namespaces=NAMESPACES)) as sync:
        run = await sync.ended(SyncKind.FILL)
    assert (run.is_complete, await listed(store)) == (True, 280)
    first_pages = [call for call in aws.calls if call.operation == "ListJobs" and "nextToken" not in call.parameters]
    assert [call.parameters.get("status") for call in first_pages].count("COMPLETED") == 3
    assert [call.parameters.get("namespaceId") for call in first_pages].count("acme") == 1


@pytest.mark.parametrize(("fault", "words"), [(RefuseTokens, "not valid"), (RepeatToken, "repeats a nextToken")])
async def test_tokens_that_never_end_leave_the_fill_incomplete(
    store: Store, aws: FakeAws, fault: Callable[[], RefuseTokens | RepeatToken], words: str
) -> None:
    """A listing whose tokens AWS refuses or repeats for ever ends, and nothing is deleted by it."""
    aws.fleet.add_job("gone")
    async with syncing(store, plan(aws.url)) as sync:
        await sync.ended(SyncKind.FILL)
        del aws.fleet.jobs["gone"]
        aws.fault("ListJobs", fault())
        run = await sync.run(SyncKind.FILL)
    assert not run.is_complete
    assert any(words in problem for problem in run.problems)
    assert (await store.job("gone")).status is JobStatus.IN_PROGRESS


@pytest.mark.parametrize("fault", [expired_token(), wrong_signature(), Cut(), Cut(after_bytes=20), Hang()])
async def test_a_fill_waits_for_credentials_and_networks(
    store: Store, aws: FakeAws, fault: Refuse | Cut | Hang, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While no call succeeds, the status says why; then the fill goes on."""
    monkeypatch.setattr(client, "SECONDS", 0.3)
    aws.fault(EVERY, fault)
    async with syncing(store, plan(aws.url)) as sync:
        found = await sync.reason()
        assert "DescribeEventConfigurations" in found
        aws.heal()
        assert (await sync.ended(SyncKind.FILL)).is_complete
        assert sync.state.sync is not None
        assert sync.state.sync.reason is None
    assert await listed(store) == 280


async def test_no_credentials_are_a_reason(store: Store, aws: FakeAws, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without credentials in the SDK's chain nothing is called, and the status says so, until there are some."""
    for name in CREDENTIALS:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", "/nonexistent")
    async with syncing(store, plan(aws.url)) as sync:
        assert "NoCredentialsError" in await sync.reason()
        assert not aws.calls
        give_credentials(monkeypatch)
        assert (await sync.ended(SyncKind.FILL, seconds=40)).is_complete


async def test_errors_of_awss_own_end_an_operation(store: Store, aws: FakeAws, monkeypatch: pytest.MonkeyPatch) -> None:
    """An operation that always answers 500 is named, and the rest goes on; one that does so once is repeated."""
    monkeypatch.setattr(caller, "FAILURES_MAXIMUM", 2)
    aws.fault("ListDeployments", broken())
    aws.fault("ListJobs", broken(calls=1))
    async with syncing(store, plan(aws.url)) as sync:
        run = await sync.ended(SyncKind.FILL)
    assert run.is_complete
    assert [problem for problem in run.problems if "ListDeployments" in problem and "InternalFailure" in problem]
    assert await listed(store) == 280


async def test_a_source_that_ignores_namespaces_teaches_none(store: Store, aws: FakeAws) -> None:
    """One job of a namespace's listing is described first: if its namespace differs, no row gets one."""
    aws.fault("ListJobs", Ignore())
    async with syncing(store, plan(aws.url, namespaces=("zulu",))) as sync:
        run = await sync.ended(SyncKind.FILL)
    assert run.is_complete
    assert any("ListJobs ignores namespaceId" in problem for problem in run.problems)
    assert (await listed(store), await listed(store, namespace_id="zulu")) == (280, 0)


async def test_a_row_with_an_unknown_status_is_left_out(store: Store, aws: FakeAws) -> None:
    """The row is named, and the other rows of its page are merged."""
    aws.unlisted.add("HIBERNATING")
    aws.fleet.jobs["job-279"].executions["pump-1"][0].status = "HIBERNATING"
    aws.fleet.jobs["job-279"].status = "IN_PROGRESS"
    async with syncing(store, plan(aws.url)) as sync:
        await sync.ended(SyncKind.FILL)
        run = await sync.run(SyncKind.JOB, job_id="job-279")
    assert any("'job-279'" in problem and "'HIBERNATING'" in problem for problem in run.problems)
    assert (await store.job_execution("job-279", "pump-2")).state is ExecutionState.FAILED


async def test_another_account_is_refused(store: Store, aws: FakeAws) -> None:
    """If the messages' ARNs are of another account, nothing is merged, and the status names both."""
    async with syncing(store, plan(aws.url)) as sync:
        await sync.ended(SyncKind.FILL)
        aws.fleet.account = "999999999999"
        aws.fleet.add_job("foreign")
        run = await sync.run(SyncKind.FILL)
    assert not run.is_complete
    assert any("us-east-1:999999999999" in one and "us-east-1:123456789012" in one for one in run.problems)
    with pytest.raises(ResourceNotFoundException):
        await store.job("foreign")


async def test_an_account_without_jobs_deletes_nothing(store: Store, aws: FakeAws) -> None:
    """It may be another account or region than the messages': no row has an ARN to compare."""
    async with syncing(store, plan(aws.url)) as sync:
        await sync.ended(SyncKind.FILL)
        with aws.lock:
            aws.fleet.jobs.clear()
        runs = [await sync.run(kind) for kind in (SyncKind.FILL, SyncKind.ACTIVE)]
    assert [False, False] == [run.is_complete for run in runs]
    assert all("AWS lists no job at all" in "".join(run.problems) for run in runs)
    assert 280 == await listed(store)


async def test_another_account_without_active_jobs_deletes_nothing(store: Store, aws: FakeAws) -> None:
    """A check of the active jobs has no row there; another job has the ARN to compare."""
    async with syncing(store, plan(aws.url)) as sync:
        await sync.ended(SyncKind.FILL)
        with aws.lock:
            aws.fleet.jobs.clear()
            aws.fleet.account = "999999999999"
            aws.fleet.add_job("foreign", status="COMPLETED")
        run = await sync.run(SyncKind.ACTIVE)
    assert not run.is_complete
    assert any("us-east-1:999999999999" in one for one in run.problems)
    assert 280 == await listed(store)


async def test_an_account_without_active_jobs_is_believed(store: Store, aws: FakeAws) -> None:
    """All active jobs have ended or were deleted, and another job proves the account."""
    async with syncing(store, plan(aws.url)) as sync:
        await sync.ended(SyncKind.FILL)
        with aws.lock:
            del aws.fleet.jobs["job-000"]
            for job in aws.fleet.jobs.values():
                job.status = "COMPLETED"
        run = await sync.run(SyncKind.ACTIVE)
    assert (True, ()) == (run.is_complete, run.problems)
    assert (0, 279) == (await listed(store, status=JobStatus.IN_PROGRESS), await listed(store))


async def apply(store: Store, *job_ids: str) -> None:
    """Apply notifications of jobs without an ARN, as those of pending executions are."""
    reports = [JobReport(job_id, SOME_TIME, {}, SOME_TIME, SOME_TIME) for job_id in job_ids]
    await store.apply(reports, (), now=datetime.now(UTC))


async def test_an_account_without_any_known_job_is_refused(store: Store, aws: FakeAws) -> None:
    """If no message has an ARN, one of the newest jobs must be there; otherwise nothing is merged or deleted."""
    await apply(store, "mine-1", "mine-2", "mine-3")
    async with syncing(store, plan(aws.url)) as sync:
        run = await sync.ended(SyncKind.FILL)
        assert not run.is_complete
        assert any("none of the newest jobs of the index (mine-3, mine-2, mine-1)" in one for one in run.problems)
        assert await listed(store) == 3
        assert not aws.counts()["ListJobs"]
        aws.fleet.add_job("mine-2")
        assert (await sync.run(SyncKind.FILL)).is_complete
    assert await listed(store) == 281


async def test_a_fill_stores_the_jobs_that_it_deletes(store: Store, aws: FakeAws) -> None:
    """A fill of an index that knows the account deletes jobs that AWS no longer has, and each is a difference."""
    await apply(store, "gone", "job-000")
    async with syncing(store, plan(aws.url)) as sync:
        run = await sync.ended(SyncKind.FILL)
    assert (run.is_complete, run.differences) == (True, 1)
    [difference] = [one.difference for one in await store.differences(before=None, limit=10)]
    assert (difference.kind, difference.job_id) == (DifferenceKind.JOB_DELETED, "gone")


async def test_another_jobindex_deletes_nothing(store: Store, aws: FakeAws) -> None:
    """It may lack jobs, or show the key only some."""
    await apply(store, "gone", "job-000")
    aws.headers.append(("jobindex-freshness", "ingestion=connected"))
    async with syncing(store, plan(aws.url)) as sync:
        assert (await sync.ended(SyncKind.FILL)).is_complete
    assert (await store.job("gone")).status is JobStatus.IN_PROGRESS


async def test_a_deployment_without_a_job_makes_none(store: Store, aws: FakeAws) -> None:
    """AWS keeps deployments for longer than their jobs."""
    aws.fleet.deploy("d-1", "thinggroup/pumps", job_id="gg-1", name="pumps")
    del aws.fleet.jobs["gg-1"]
    async with syncing(store, plan(aws.url)) as sync:
        assert (await sync.ended(SyncKind.FILL)).is_complete
    with pytest.raises(ResourceNotFoundException):
        await store.job("gg-1")


async def test_a_defect_ends_its_phase(store: Store, aws: FakeAws, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run ends incomplete and names it; ingestion and later runs go on."""

    async def step(*_: object) -> None:
        raise IndexError("a defect")

    monkeypatch.setattr(ListJobsPhase, "step", step)
    async with syncing(store, plan(aws.url)) as sync:
        run = await sync.ended(SyncKind.FILL)
        assert not run.is_complete
        assert run.problems == ("a bug in jobindex: IndexError: a defect (jobs)",)
        assert (await sync.ended(SyncKind.DETAILS)).is_complete


async def test_events_that_are_off_are_a_problem(store: Store, aws: FakeAws) -> None:
    """The status names them, with the command that turns them on."""
    aws.fleet.events["JOB_EXECUTION"] = False
    async with syncing(store, plan(aws.url)) as sync:
        run = await sync.ended(SyncKind.FILL)

        async def shown() -> bool:
            return sync.state.sync is not None and sync.state.sync.problems == run.problems

        assert await sync.until(shown)
    assert [
        "off: JOB_EXECUTION" in problem and "JOB_EXECUTION={Enabled=true}" in problem for problem in run.problems
    ] == [True]


async def test_a_clock_that_is_off_is_a_problem(store: Store) -> None:
    """AWS's Date is ten minutes ahead of the machine's clock."""
    with FakeAws(clock=lambda: time.time() + 600) as aws:
        aws.fleet.add_job("job-1")
        async with syncing(store, plan(aws.url)) as sync:
            run = await sync.ended(SyncKind.FILL)
    assert any("clock is 600 s behind AWS's" in one or "clock is 599 s behind" in one for one in run.problems)
    assert run.is_complete
