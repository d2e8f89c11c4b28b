"""Checks find what differs between the index and AWS, and repair it or only report it."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from support.fake_aws import FakeAws
from support.fake_aws_faults import Before, Call, denied
from support.fake_fleet import SOME_TIME
from support.sync_runs import NEVER, Syncing, connected, give_credentials, plan, syncing

from jobindex.aws.synchronizer import LOOK_SECONDS, Schedule
from jobindex.errors import ResourceNotFoundException
from jobindex.model.jobs import JobStatus, from_milliseconds
from jobindex.model.reports import JobReport
from jobindex.model.store import Store
from jobindex.model.sync import CHECKS, DifferenceKind, SyncKind, SyncRun
from jobindex.model.views import ChangeOrigin, ExecutionState

LATER = SOME_TIME + 3_600_000


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the SDK's chain credentials."""
    give_credentials(monkeypatch)


@pytest.fixture
def aws() -> Iterator[FakeAws]:
    """Run a fake AWS with five active jobs, each with two pending executions, and a completed one."""
    with FakeAws() as fake:
        for number in range(5):
            job = fake.fleet.add_job(f"job-{number}", namespace_id="acme")
            job.execute("pump-1", "IN_PROGRESS")
            job.execute("pump-2", "QUEUED")
        fake.fleet.add_job("done", status="COMPLETED", completed_at=SOME_TIME)
        yield fake


def diverge(aws: FakeAws) -> None:
    """Let a job complete, another be deleted, a third appear, and executions end and vanish."""
    jobs = aws.fleet.jobs
    jobs["job-0"].status, jobs["job-0"].completed_at, jobs["job-0"].last_updated_at = "COMPLETED", LATER, LATER
    for attempts in jobs["job-0"].executions.values():
        attempts[0].status, attempts[0].last_updated_at = "SUCCEEDED", LATER
    del jobs["job-1"]
    aws.fleet.add_job("new", created_at=LATER, last_updated_at=LATER).execute("pump-3", queued_at=LATER)
    jobs["job-2"].executions["pump-1"][0].status = "FAILED"
    jobs["job-2"].executions["pump-1"][0].last_updated_at = LATER
    del jobs["job-3"].executions["pump-2"]


DIVERGED = [
    (DifferenceKind.EXECUTION_DELETED, "job-3", "pump-2", "QUEUED", None),
    (DifferenceKind.EXECUTION_MISSING, "new", "pump-3", None, "QUEUED"),
    (DifferenceKind.EXECUTION_STATUS, "job-0", "pump-1", "IN_PROGRESS", "SUCCEEDED"),
    (DifferenceKind.EXECUTION_STATUS, "job-0", "pump-2", "QUEUED", "SUCCEEDED"),
    (DifferenceKind.EXECUTION_STATUS, "job-2", "pump-1", "IN_PROGRESS", "FAILED"),
    (DifferenceKind.JOB_DELETED, "job-1", None, "IN_PROGRESS", None),
    (DifferenceKind.JOB_MISSING, "new", None, None, "IN_PROGRESS"),
    (DifferenceKind.JOB_STATUS, "job-0", None, "IN_PROGRESS", "COMPLETED"),
]


async def found(store: Store) -> Sequence[tuple[DifferenceKind, str, str | None, str | None, str | None]]:
    """Return the stored differences, sorted."""
    stored = [one.difference for one in await store.differences(before=None, limit=100)]
    return sorted(((one.kind, one.job_id, one.thing_name, one.was, one.now) for one in stored), key=str)


async def filled(sync: Syncing) -> None:
    """Wait until the index is filled, nothing is left to do, and no answer is as of the seconds of the fill.

    A check looks for executions that were seen pending in an earlier second, and AWS's `Date` has no fraction.
    """
    await sync.ended(SyncKind.FILL)
    await sync.ended(SyncKind.DETAILS)
    second = int(time.time())

    async def is_later() -> bool:
        return int(time.time()) > second + 1

    await sync.until(is_later)


@pytest.mark.parametrize("kind", [SyncKind.ALL, SyncKind.PENDING])
async def test_a_check_repairs_what_differs(store: Store, aws: FakeAws, kind: SyncKind) -> None:
    """Jobs and executions that AWS reports otherwise, has alone or no longer has: each is stored, counted, repaired."""
    async with syncing(store, plan(aws.url)) as sync:
        await filled(sync)
        diverge(aws)
        run = await sync.run(kind)
        assert (await sync.run(kind)).differences == 0
        assert sync.metrics.differences.labels("execution_status")._value.get() == 3
    assert sorted(DIVERGED, key=str) == await found(store)
    assert (run.is_complete, run.differences) == (True, len(DIVERGED))
    job = await store.job("job-0")
    assert (job.status, job.completed_at) == (JobStatus.COMPLETED, from_milliseconds(LATER))
    assert (await store.job_changes("job-0", limit=1))[0].origin is ChangeOrigin.SYNC
    with pytest.raises(ResourceNotFoundException):
        await store.job("job-1")
    assert (await store.job_execution("job-2", "pump-1")).state is ExecutionState.FAILED
    with pytest.raises(ResourceNotFoundException):
        await store.job_execution("job-3", "pump-2")
    assert (await store.sync_times()).reconciled_at is not None


async def test_a_check_may_only_report(store: Store, aws: FakeAws) -> None:
    """Without repairs the same differences are stored, and the index stays as it was."""
    async with syncing(store, plan(aws.url, repairs=False)) as sync:
        await filled(sync)
        diverge(aws)
        await sync.run(SyncKind.ALL)
    differences = await found(store)
    # The executions of a job that the index does not list cannot be looked for.
    assert differences == [one for one in sorted(DIVERGED, key=str) if one[1:3] != ("new", "pump-3")]
    assert not any(one.is_repaired for one in await store.differences(before=None, limit=100))
    assert (await store.job("job-0")).status is JobStatus.IN_PROGRESS
    assert (await store.job("job-1")).status is JobStatus.IN_PROGRESS
    assert (await store.job_execution("job-2", "pump-1")).state is ExecutionState.IN_PROGRESS
    with pytest.raises(ResourceNotFoundException):
        await store.job("new")


async def test_a_check_of_active_jobs_finds_those_that_have_ended(store: Store, aws: FakeAws) -> None:
    """A job that is no longer among AWS's active ones is described; executions are not listed."""
    async with syncing(store, plan(aws.url)) as sync:
        await filled(sync)
        diverge(aws)
        run = await sync.run(SyncKind.ACTIVE)
    kinds = {DifferenceKind.JOB_DELETED, DifferenceKind.JOB_MISSING, DifferenceKind.JOB_STATUS}
    assert await found(store) == [one for one in sorted(DIVERGED, key=str) if one[0] in kinds]
    assert run.is_complete


async def test_a_row_that_aws_has_just_updated_is_no_difference(store: Store, aws: FakeAws) -> None:
    """Its message may be on the way: the row is merged, but not counted."""
    async with syncing(store, plan(aws.url)) as sync:
        await filled(sync)
        now = round(datetime.now(UTC).timestamp() * 1000)
        job = aws.fleet.jobs["job-0"]
        job.status, job.completed_at, job.last_updated_at = "COMPLETED", now, now
        assert (await sync.run(SyncKind.ALL)).differences == 0
    assert (await store.job("job-0")).status is JobStatus.COMPLETED


async def test_old_jobs_stay_although_aws_deletes_them(store: Store, aws: FakeAws) -> None:
    """A job that ended longer ago than the setting is not deleted; one that ended since then is."""
    now = round(datetime.now(UTC).timestamp() * 1000)
    for name, days in (("old", 40), ("recent", 20)):
        ended_at = now - days * 86_400_000
        members = {"created_at": ended_at, "last_updated_at": ended_at, "completed_at": ended_at}
        aws.fleet.add_job(name, status="COMPLETED", **members)
    async with syncing(store, plan(aws.url)) as sync:
        await filled(sync)
        del aws.fleet.jobs["old"], aws.fleet.jobs["recent"]
        await sync.run(SyncKind.ALL)
    assert (await store.job("old")).status is JobStatus.COMPLETED
    with pytest.raises(ResourceNotFoundException):
        await store.job("recent")


async def test_an_incomplete_listing_deletes_nothing(store: Store, aws: FakeAws) -> None:
    """If a status cannot be listed, a job that no listing has is not even described."""
    async with syncing(store, plan(aws.url)) as sync:
        await filled(sync)
        del aws.fleet.jobs["job-1"]

        def refuse(call: object) -> None:
            if getattr(call, "parameters", {}).get("status") == "CANCELED":
                denied("ListJobs").strike(call)  # type: ignore[arg-type]

        aws.fault("ListJobs", Before(run=refuse))
        run = await sync.run(SyncKind.ALL)
    assert not run.is_complete
    assert (await store.job("job-1")).status is JobStatus.IN_PROGRESS


async def test_a_job_that_a_message_reports_meanwhile_is_not_deleted(store: Store, aws: FakeAws) -> None:
    """A job created after the beginning of the listing is in no page of it, and AWS's 404 may be older than the job."""
    async with syncing(store, plan(aws.url)) as sync:
        await filled(sync)
        reported = asyncio.Event()
        loop = asyncio.get_running_loop()

        def report(call: object) -> None:
            if getattr(call, "parameters", {}).get("status") == "SCHEDULED" and not reported.is_set():
                now = datetime.now(UTC) + timedelta(seconds=1)
                milliseconds = round(now.timestamp() * 1000)
                members: dict[str, str | int] = {"status": "IN_PROGRESS", "created_at": milliseconds}
                row = (JobReport("reported", milliseconds, members, milliseconds, milliseconds),)
                asyncio.run_coroutine_threadsafe(store.apply(row, (), now=now), loop)
                loop.call_soon_threadsafe(reported.set)

        aws.fault("ListJobs", Before(run=report))
        await sync.run(SyncKind.ALL)
        assert reported.is_set()
    assert (await store.job("reported")).status is JobStatus.IN_PROGRESS
    assert await found(store) == []


async def test_a_restart_goes_on_with_the_next_call(store: Store, aws: FakeAws) -> None:
    """A synchronizer that is stopped in the middle leaves its progress; the next one makes only the calls left."""
    async with syncing(store, plan(aws.url)) as sync:
        await filled(sync)
        former = sum(aws.counts().values())
        whole = (await sync.run(SyncKind.ALL)).calls
    assert sum(aws.counts().values()) == former + whole
    calls = 0
    await store.request_sync(SyncKind.ALL, now=datetime.now(UTC))
    for _ in range(3):
        before = sum(aws.counts().values())
        async with syncing(store, plan(aws.url, rates={"": 20.0})) as sync:

            async def has_called(before: int = before) -> bool:
                return sum(aws.counts().values()) >= before + 3

            await sync.until(has_called)
        calls += sum(aws.counts().values()) - before
    before = sum(aws.counts().values())
    async with syncing(store, plan(aws.url)) as sync:
        run = await sync.ended(SyncKind.ALL)
    calls += sum(aws.counts().values()) - before
    assert run.is_complete
    # A step has up to three calls: a page of a namespace, and the descriptions of two of its jobs.
    assert whole <= calls <= whole + 3 * 3


async def test_one_denied_execution_leaves_the_others(store: Store, aws: FakeAws) -> None:
    """An execution whose outcome AWS does not say is named; other jobs' executions are compared all the same."""
    async with syncing(store, plan(aws.url)) as sync:
        await filled(sync)
        diverge(aws)
        aws.fault("DescribeJobExecution", denied("DescribeJobExecution"))
        run = await sync.run(SyncKind.ALL)
    assert not run.is_complete
    assert any("its outcome is unknown" in problem for problem in run.problems)
    assert (DifferenceKind.EXECUTION_MISSING, "new", "pump-3", None, "QUEUED") in await found(store)


async def test_an_incomplete_fill_does_not_prevent_checks(store: Store, aws: FakeAws) -> None:
    """Pending executions cannot be listed, but jobs are checked; the fill is repeated later."""
    aws.fault("ListJobExecutionsForJob", denied("ListJobExecutionsForJob"))
    schedule = Schedule(active=timedelta(0), all=timedelta(days=1), refill=timedelta(days=1))
    async with syncing(store, plan(aws.url, mode="check"), schedule=schedule) as sync:
        assert not (await sync.ended(SyncKind.FILL)).is_complete
        assert (await sync.ended(SyncKind.ACTIVE)).is_complete


async def test_an_urgent_run_does_not_wait_for_a_long_one(store: Store, aws: FakeAws) -> None:
    """While every job is described, a requested check is advanced first, and then the details go on."""
    async with syncing(store, plan(aws.url, rates={"": 1000.0, "DescribeJob": 2.0})) as sync:
        await sync.ended(SyncKind.FILL)
        await sync.run(SyncKind.PENDING)
        [details] = [run for run in await store.sync_runs(limit=10) if run.kind is SyncKind.DETAILS]
        assert details.ended_at is None


async def test_checks_are_scheduled(store: Store, aws: FakeAws) -> None:
    """In the mode `check`, all jobs are checked again and again; in the mode `fill` they are not."""
    schedule = Schedule(active=timedelta(seconds=0), all=timedelta(seconds=0), refill=timedelta(days=1))
    async with syncing(store, plan(aws.url), schedule=schedule) as sync:
        await filled(sync)
        await asyncio.sleep(0.5)
        assert not [run for run in await store.sync_runs(limit=50) if run.kind in CHECKS]
    async with syncing(store, plan(aws.url, mode="check"), schedule=schedule) as sync:
        assert (await sync.ended(SyncKind.ALL)).is_complete


async def test_a_lost_session_is_followed_by_a_check_of_what_was_pending(store: Store, aws: FakeAws) -> None:
    """The active jobs and pending executions are compared at once, not at the next hour."""
    state = connected()
    async with syncing(store, plan(aws.url, mode="check"), state=state, schedule=NEVER) as sync:
        await filled(sync)
        diverge(aws)
        state.complete_since = datetime.now(UTC)
        run = await sync.ended(SyncKind.PENDING)
    assert run.differences == len(DIVERGED)


async def test_a_loss_before_a_restart_is_not_forgotten(store: Store, aws: FakeAws) -> None:
    """The index is complete since a time after the last run began, so messages were missed: one check follows."""
    state = connected()
    async with syncing(store, plan(aws.url, mode="check"), state=state, schedule=NEVER) as sync:
        await filled(sync)
    state.complete_since = datetime.now(UTC)
    for _ in range(2):
        async with syncing(store, plan(aws.url, mode="check"), state=state, schedule=NEVER) as sync:
            await sync.ended(SyncKind.PENDING)
    assert len([run for run in await store.sync_runs(limit=50) if run.kind is SyncKind.PENDING]) == 1


@pytest.mark.slow
async def test_a_session_that_is_lost_during_a_run_is_followed_by_a_check(store: Store, aws: FakeAws) -> None:
    """The fill, and the check after the first loss, may have listed jobs before they changed unseen."""
    state = connected()

    def lose(_: Call) -> None:
        state.complete_since = datetime.now(UTC)

    # Three seconds are left after the first call, and the synchronizer looks for reasons of checks every two.
    rates = {"": 1000.0, "ListJobExecutionsForJob": 3.0}
    async with syncing(store, plan(aws.url, mode="check", rates=rates), state=state, schedule=NEVER) as sync:
        aws.fault("ListJobExecutionsForJob", Before(run=lose, calls=1))
        await sync.ended(SyncKind.FILL)
        aws.fault("ListJobExecutionsForJob", Before(run=lose, calls=1))

        async def two_checks() -> list[SyncRun]:
            runs = [run for run in await store.sync_runs(limit=10) if run.kind is SyncKind.PENDING]
            return runs if len(runs) == 2 and all(run.ended_at is not None for run in runs) else []

        second, first = await sync.until(two_checks)
    assert first.ended_at is not None
    assert first.ended_at <= second.requested_at


@pytest.mark.slow
async def test_a_long_fill_is_not_a_long_broken_connection(
    store: Store, aws: FakeAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No check follows a fill that lasted longer than a connection may be away."""
    monkeypatch.setattr("jobindex.aws.synchronizer._BROKEN_SECONDS", 5.0)
    rates = {"": 1000.0, "ListJobExecutionsForJob": 1.5}
    async with syncing(store, plan(aws.url, mode="check", rates=rates), schedule=NEVER) as sync:
        run = await sync.ended(SyncKind.FILL)
        assert run.started_at is not None
        assert run.ended_at is not None
        assert run.ended_at - run.started_at > timedelta(seconds=5)
        await asyncio.sleep(0.5)
        assert not [run for run in await store.sync_runs(limit=50) if run.kind is SyncKind.PENDING]


async def test_runs_of_single_jobs_do_not_hide_the_last_check(store: Store, aws: FakeAws) -> None:
    """However many jobs clients open, all jobs are not checked again before their time."""
    async with syncing(store, plan(aws.url, mode="check"), schedule=NEVER) as sync:
        await filled(sync)
        for number in range(60):
            await store.request_sync(SyncKind.JOB, job_id=f"opened-{number}", now=datetime.now(UTC))
        await sync.ended(SyncKind.JOB)
        await asyncio.sleep(LOOK_SECONDS)
        assert not [run for run in await store.sync_runs(limit=200) if run.kind in CHECKS]


async def test_no_run_begins_before_every_subscription_is_granted(store: Store, aws: FakeAws) -> None:
    """The messages are received before the first answer; until then the status says what it waits for."""
    state = connected()
    state.connected_since = None
    async with syncing(store, plan(aws.url), state=state) as sync:
        assert "subscription" in await sync.reason()
        assert not aws.calls
        state.connected_since = datetime.now(UTC)
        assert (await sync.ended(SyncKind.FILL)).is_complete
