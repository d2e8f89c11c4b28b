"""Syncs in an index: runs, their progress, the jobs that their listings lack, and the differences they find."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from sqlite3 import Connection, connect
from sqlite3 import Row as SqliteRow
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.empty_indexes import empty_index
from support.message_streams import Message, arrivals_of, parse, streams
from support.messages import NOW, arn, at, entry, execution, job, parsed, pending

from jobindex.errors import DataRefusedError, LeaseLostError, ResourceNotFoundException
from jobindex.messages.rows import RowOperation, RowSource, read_row
from jobindex.model.jobs import JobStatus, from_milliseconds, to_milliseconds
from jobindex.model.reports import ExecutionReport, JobDeletion, JobReport, Report
from jobindex.model.store import NOTHING_CHANGED, Changed, Store, Synced
from jobindex.model.sync import (
    Difference,
    DifferenceKind,
    JobIds,
    StoredDifference,
    SyncKind,
    SyncRun,
    SyncStep,
    SyncTimes,
)
from jobindex.model.views import ChangeOrigin
from jobindex.storage.databases import PostgresDatabase, SqliteDatabase
from jobindex.storage.opening import open_store
from jobindex.storage.sql import syncs, unlisted
from jobindex.storage.sql.tables import TABLES

Dump = Mapping[str, Sequence[tuple[object, ...]]]
"""The rows of each table that is not a sync's."""


class Tables:
    """The tables of an index, read and emptied without the store."""

    def __init__(self, run: Callable[[str], Any], *, notes_write: str | None = None) -> None:
        self._run = run
        self._notes_write = notes_write

    def dump(self) -> Dump:
        """Return the rows of all tables except those of syncs."""
        tables = [table for table in TABLES if not table.name.startswith("sync_")]
        return {
            table.name: sorted(map(tuple, self._run(f"SELECT {', '.join(table.columns)} FROM {table.name}")), key=repr)
            for table in tables
        }

    def empty(self) -> None:
        """Delete all rows."""
        for table in TABLES:
            self._run(f"DELETE FROM {table.name}")
        if self._notes_write is not None:
            self._run(self._notes_write)


@pytest.fixture
def tables(request: pytest.FixtureRequest, store: Store, tmp_path: Path) -> Iterator[Tables]:
    """Return the tables of the store."""
    if store.is_shared:
        import psycopg  # noqa: PLC0415 (needs psycopg)

        with psycopg.connect(request.getfixturevalue("postgres_url"), autocommit=True) as shared:
            yield Tables(
                lambda statement: shared.execute(statement.encode()),
                notes_write="UPDATE writes SET version = version + 1",
            )
        return
    with closing(connect(tmp_path / "jobindex.db", isolation_level=None)) as connection:
        yield Tables(lambda statement: connection.execute(statement).fetchall())


def listed(
    job_id: str, status: str, updated: float, *, namespace: str | None = None, **members: Any
) -> Sequence[Report]:
    """Return the reports of a row of ListJobs, with times in seconds."""
    row = {"jobId": job_id, "jobArn": arn(f"job/{job_id}"), "status": status, "lastUpdatedAt": updated, **members}
    source = RowSource(operation=RowOperation.LIST_JOBS, namespace_id=namespace)
    return read_row(row, source, to_milliseconds(NOW), pytest.fail)


def summarized(job_id: str, thing: str, status: str, *, as_of: float = 500, **times: float) -> Sequence[Report]:
    """Return the reports of a row of ListJobExecutionsForJob."""
    source = RowSource(operation=RowOperation.LIST_JOB_EXECUTIONS_FOR_JOB, job_id=job_id, as_of=round(1000 * as_of))
    summary = {"status": status, "executionNumber": 1, **times}
    row = {"thingArn": arn(f"thing/{thing}"), "jobExecutionSummary": summary}
    return read_row(row, source, to_milliseconds(NOW), pytest.fail)


async def opened_run(store: Store, kind: SyncKind = SyncKind.ALL, job_id: str = "") -> SyncRun:
    """Request a run, and return the one to advance."""
    await store.request_sync(kind, job_id=job_id, now=NOW)
    run = await store.next_sync()
    assert run is not None
    return run


def ended(run: SyncRun) -> SyncRun:
    """Return the run as ended."""
    return replace(run, ended_at=NOW, is_complete=True)


async def ids(store: Store) -> list[int]:
    """Return the ids of all runs in order."""
    return [run.id for run in await store.sync_runs(limit=1000)]


# Runs


async def test_the_run_to_advance_is_the_first_by_kind_then_the_oldest(store: Store) -> None:
    """A short run does not wait for a long one, and none is requested twice."""
    assert await store.next_sync() is None
    for kind, job_id in (
        (SyncKind.DETAILS, ""),
        (SyncKind.ALL, ""),
        (SyncKind.JOB, "j2"),
        (SyncKind.JOB, "j1"),
        (SyncKind.DETAILS, ""),
        (SyncKind.JOB, "j1"),
        (SyncKind.FILL, ""),
    ):
        await store.request_sync(kind, job_id=job_id, now=NOW)
    expected = [
        SyncRun(id=3, kind=SyncKind.JOB, requested_at=NOW, job_id="j2"),
        SyncRun(id=4, kind=SyncKind.JOB, requested_at=NOW, job_id="j1"),
        SyncRun(id=5, kind=SyncKind.FILL, requested_at=NOW),
        SyncRun(id=2, kind=SyncKind.ALL, requested_at=NOW),
        SyncRun(id=1, kind=SyncKind.DETAILS, requested_at=NOW),
    ]
    assert expected == await store.sync_runs(limit=10)
    assert expected[:3] == await store.sync_runs(limit=3)
    for run in expected:
        assert run == await store.next_sync()
        await store.record_sync(SyncStep(run=ended(run)), now=NOW)
    assert await store.next_sync() is None
    await store.request_sync(SyncKind.FILL, with_groups=True, now=NOW)
    assert SyncRun(id=6, kind=SyncKind.FILL, requested_at=NOW, with_groups=True) == await store.next_sync()


async def test_a_run_goes_on_from_its_stored_progress(store: Store) -> None:
    """Every member is stored, and an ended run is listed after the open ones."""
    run = replace(
        await opened_run(store),
        started_at=NOW + timedelta(seconds=1),
        as_of=at(1_900_000_000),
        phase="jobs",
        position='{"nextToken":"a b","\\u0000":1}',
        done=2,
        total=7,
        rows=250,
        calls=3,
        throttled=1,
        problems=("iot:ListThingGroups: access denied", "é"),
    )
    await store.record_sync(SyncStep(run=run), now=NOW)
    assert run == await store.next_sync()
    run = replace(run, total=None, is_complete=True, ended_at=NOW + timedelta(hours=1))
    await store.record_sync(SyncStep(run=run), now=NOW)
    other = await opened_run(store)
    assert [other, run] == await store.sync_runs(limit=10)


async def test_an_unknown_run_records_nothing(store: Store, tables: Tables) -> None:
    """Not even the rows of its step."""
    run = replace(await opened_run(store), id=9)
    before = tables.dump()
    with pytest.raises(ResourceNotFoundException):
        await store.record_sync(SyncStep(run=run, rows=[listed("j1", "IN_PROGRESS", 100)]), now=NOW)
    assert before == tables.dump()


async def test_ended_runs_expire_by_kind(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many runs of single jobs do not hide the last fill, and no id is used again."""
    monkeypatch.setattr(syncs, "RUNS_KEPT", 2)
    for kind in (SyncKind.FILL, *[SyncKind.JOB] * 4, SyncKind.ALL):
        await store.record_sync(SyncStep(run=ended(await opened_run(store, kind))), now=NOW)
    assert [6, 5, 4, 1] == await ids(store)
    assert 7 == (await opened_run(store)).id


async def test_only_the_owner_of_the_lease_records(postgres_url: str) -> None:
    """Any replica requests a run."""
    database = PostgresDatabase(conninfo=postgres_url, shown="postgresql")
    async with open_store(database) as one, open_store(database) as other:
        assert await one.take_lease("{}", seconds=3600)
        run = await opened_run(other)
        step = SyncStep(run=replace(run, phase="jobs"), rows=[listed("j1", "IN_PROGRESS", 100)])
        with pytest.raises(LeaseLostError):
            await other.record_sync(step, now=NOW)
        assert run == await one.next_sync()
        await one.record_sync(step, now=NOW)
        assert step.run == await other.next_sync()
        changed = Changed(job_ids=frozenset({"j1"}), namespace_ids=frozenset(), thing_names=frozenset())
        assert [changed] == await other.changed_by_others()


# Rows and differences


async def fill(store: Store) -> None:
    """Apply messages of four jobs, one of them inferred."""
    told = parsed(
        job("j1", status="IN_PROGRESS", createdAt=90, lastUpdatedAt=100),
        job("j2", status="IN_PROGRESS", createdAt=90, lastUpdatedAt=100),
        job("j3", status="IN_PROGRESS", createdAt=90, lastUpdatedAt=100),
        pending(110, entry("j1", queuedAt=100, executionNumber=1), entry("j3", queuedAt=100, executionNumber=1)),
        execution("QUEUED", "j4", "t2", queuedAt=100, lastUpdatedAt=100, executionNumber=1),
    )
    await store.apply(told, (), now=NOW)


ROWS = [
    listed("j1", "COMPLETED", 200, namespace="n1", createdAt=90, completedAt=199.5),
    summarized("j1", "t1", "SUCCEEDED", queuedAt=100, lastUpdatedAt=150),
    summarized("j1", "t2", "FAILED", queuedAt=100, lastUpdatedAt=150),
    listed("j2", "IN_PROGRESS", 100.5, namespace="n1", createdAt=90),
    (JobDeletion("j3", 300_000, 300),),
    listed("j4", "IN_PROGRESS", 101, createdAt=99.125),
    summarized("j4", "t2", "QUEUED", queuedAt=100, lastUpdatedAt=100),
    listed("j5", "SCHEDULED", 100, namespace="n2"),
    listed("j6", "SCHEDULED", 100, namespace="n2"),
]
COMPARED = frozenset(
    {("j1", ""), ("j1", "t1"), ("j1", "t2"), ("j2", ""), ("j3", ""), ("j3", "t1"), ("j4", ""), ("j4", "t2"), ("j5", "")}
)
DIFFERENCES = [
    (DifferenceKind.JOB_STATUS, "j1", None, "IN_PROGRESS", "COMPLETED"),
    (DifferenceKind.EXECUTION_STATUS, "j1", "t1", "QUEUED", "SUCCEEDED"),
    (DifferenceKind.EXECUTION_MISSING, "j1", "t2", None, "FAILED"),
    (
        DifferenceKind.JOB_DETAILS,
        "j2",
        None,
        "lastUpdatedAt 1970-01-01T00:01:40.000Z",
        "lastUpdatedAt 1970-01-01T00:01:40.500Z",
    ),
    (DifferenceKind.JOB_DELETED, "j3", None, "IN_PROGRESS", None),
    (DifferenceKind.EXECUTION_DELETED, "j3", "t1", "QUEUED", None),
    (DifferenceKind.JOB_MISSING, "j5", None, None, "SCHEDULED"),
]


def stored(run_id: int, *, is_repaired: bool) -> list[StoredDifference]:
    """Return DIFFERENCES as they are stored, newest first."""
    made = [
        StoredDifference(
            id=number,
            found_at=NOW,
            run_id=run_id,
            is_repaired=is_repaired,
            difference=Difference(kind=kind, job_id=job_id, thing_name=thing_name, was=was, now=now),
        )
        for number, (kind, job_id, thing_name, was, now) in enumerate(DIFFERENCES, 1)
    ]
    return made[::-1]


async def test_differences_are_found_and_repaired(store: Store) -> None:
    """Each kind is stored and counted, of the compared jobs and executions only; recording again finds none."""
    await fill(store)
    run = await opened_run(store)
    rewrites = store.rewrites
    step = SyncStep(run=run, rows=ROWS, compared=COMPARED)
    synced = await store.record_sync(step, now=NOW)
    assert Synced(
        changed=Changed(
            job_ids=frozenset({"j1", "j2", "j3", "j4", "j5", "j6"}),
            namespace_ids=frozenset({"n1", "n2"}),
            thing_names=frozenset({"t1", "t2"}),
        ),
        refused={},
        differences=dict.fromkeys(DifferenceKind, 1),
    ) == replace(synced, differences=dict(synced.differences))
    expected = stored(run.id, is_repaired=True)
    assert expected == await store.differences(before=None, limit=10)
    assert rewrites + 1 == store.rewrites
    assert JobStatus.COMPLETED == (await store.job("j1")).status
    with pytest.raises(ResourceNotFoundException):
        await store.job("j3")

    again = await store.record_sync(step, now=NOW)
    assert (NOTHING_CHANGED, {}) == (again.changed, dict(again.differences))
    assert expected == await store.differences(before=None, limit=10)
    assert rewrites + 1 == store.rewrites
    assert replace(run, differences=7) == await store.next_sync()


async def test_few_runs_of_single_jobs_are_open(store: Store) -> None:
    """They go before all other runs, so a client that opens every job must not stop those."""
    for number in range(30):
        await store.request_sync(SyncKind.JOB, job_id=f"j{number}", now=NOW)
    await store.request_sync(SyncKind.FILL, now=NOW)
    runs = await store.sync_runs(limit=100)
    assert [run.job_id for run in runs] == [*(f"j{number}" for number in range(20)), ""]


async def test_without_repairs_the_index_stays_as_it_is(store: Store, tables: Tables) -> None:
    """The same differences are found, each time; later messages and repairs are merged as if nothing had happened."""
    await fill(store)
    before = tables.dump()
    run = await opened_run(store)
    step = SyncStep(run=replace(run, rows=9), rows=ROWS, compared=COMPARED, repairs=False)
    for found in (1, 2):
        rewrites = store.rewrites
        synced = await store.record_sync(step, now=NOW)
        assert (NOTHING_CHANGED, dict.fromkeys(DifferenceKind, 1)) == (synced.changed, dict(synced.differences))
        assert frozenset() == synced.deferred
        assert before == tables.dump()
        assert rewrites == store.rewrites
        assert replace(run, rows=9, differences=7 * found) == await store.next_sync()
    assert stored(run.id, is_repaired=False) == await store.differences(before=8, limit=10)

    await fill(store)
    assert before == tables.dump()
    synced = await store.record_sync(replace(step, repairs=True), now=NOW)
    assert dict.fromkeys(DifferenceKind, 1) == dict(synced.differences)
    assert before != tables.dump()


async def test_without_repairs_a_second_listing_finds_nothing_again(store: Store) -> None:
    """A run lists a job by its namespace and by its status: it is compared once."""
    await fill(store)
    run = await opened_run(store)
    step = SyncStep(run=run, rows=ROWS, compared=COMPARED, repairs=False, listed=[("j1", ""), ("j1", "t1")])
    assert dict.fromkeys(DifferenceKind, 1) == (await store.record_sync(step, now=NOW)).differences
    assert {"j2", "j3", "j4"} == {*await unlisted_ids(store, run.id)}
    others = dict.fromkeys({*DifferenceKind} - {DifferenceKind.JOB_STATUS, DifferenceKind.EXECUTION_STATUS}, 1)
    assert others == (await store.record_sync(step, now=NOW)).differences


async def test_a_refused_row_is_refused_alone(store: Store) -> None:
    """The progress is stored with the last rows, even if the last one is refused."""
    run = await opened_run(store)
    bad = (JobReport("bad", 100_000, {"description": "\udc80"}, 100_000, 100_000),)
    good = [listed(f"j{number}", "IN_PROGRESS", 100) for number in range(4)]
    rows = [good[0], bad, good[1], good[2], good[3], bad]
    compared = frozenset((f"j{number}", "") for number in range(4))
    listed_ids = [(f"j{number}", "") for number in range(3)]
    step = SyncStep(run=replace(run, phase="next"), rows=rows, compared=compared, listed=listed_ids)
    synced = await store.record_sync(step, now=NOW)
    assert [1, 5] == sorted(synced.refused)
    assert all(reason.startswith("the database refuses it: ") for reason in synced.refused.values())
    assert frozenset({"j0", "j1", "j2", "j3"}) == synced.changed.job_ids
    assert {DifferenceKind.JOB_MISSING: 4} == synced.differences
    assert replace(run, phase="next", differences=4) == await store.next_sync()
    assert ["j3"] == await unlisted_ids(store, run.id)
    again = await store.record_sync(replace(step, rows=[bad]), now=NOW)
    assert ({}, [0]) == (again.differences, [*again.refused])


async def test_progress_that_the_database_refuses_is_an_error(store: Store) -> None:
    """There is no row to refuse instead."""
    run = await opened_run(store)
    with pytest.raises(DataRefusedError):
        await store.record_sync(SyncStep(run=replace(run, rows=1 << 70)), now=NOW)
    assert run == await store.next_sync()


async def test_the_newest_differences_are_stored(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are read in pages, newest first."""
    monkeypatch.setattr(syncs, "DIFFERENCES_KEPT", 5)
    run = await opened_run(store)
    for start in range(0, 9, 3):
        job_ids = [f"j{number}" for number in range(start, start + 3)]
        rows = [listed(job_id, "IN_PROGRESS", 100) for job_id in job_ids]
        step = SyncStep(run=run, rows=rows, compared=frozenset((job_id, "") for job_id in job_ids))
        await store.record_sync(step, now=NOW)
    first = await store.differences(before=None, limit=3)
    second = await store.differences(before=first[-1].id, limit=3)
    assert [(9, "j8"), (8, "j7"), (7, "j6"), (6, "j5"), (5, "j4")] == [
        (one.id, one.difference.job_id) for one in (*first, *second)
    ]
    run = await opened_run(store)
    assert 9 == run.differences


async def test_the_origin_of_a_change_is_in_the_history(store: Store) -> None:
    """A message, a sync or an import."""
    await store.apply(parsed(job("j1", status="SCHEDULED", createdAt=90, lastUpdatedAt=100)), (), now=NOW)
    later = NOW + timedelta(seconds=1)
    rows = [listed("j1", "IN_PROGRESS", 101)]
    await store.record_sync(SyncStep(run=await opened_run(store), rows=rows), now=later)
    await store.import_rows([listed("j1", "COMPLETED", 102)], now=later + timedelta(seconds=1))
    assert [ChangeOrigin.IMPORT, ChangeOrigin.SYNC, ChangeOrigin.MESSAGE] == [
        change.origin for change in await store.job_changes("j1", limit=10)
    ]


async def test_times_are_those_of_the_last_complete_syncs(store: Store) -> None:
    """An unknown time leaves the stored one."""
    assert SyncTimes() == await store.sync_times()
    run = await opened_run(store)
    await store.record_sync(SyncStep(run=run, filled_at=at(100)), now=NOW)
    assert SyncTimes(filled_at=at(100)) == await store.sync_times()
    await store.record_sync(SyncStep(run=run, reconciled_at=at(200)), now=NOW)
    await store.record_sync(SyncStep(run=run), now=NOW)
    assert SyncTimes(filled_at=at(100), reconciled_at=at(200)) == await store.sync_times()


async def test_a_row_does_not_bring_back_what_retention_deleted(store: Store) -> None:
    """The counts in its description are new, but the job's times are not."""
    row = {"jobId": "j1", "status": "COMPLETED", "lastUpdatedAt": 100, "createdAt": 90}
    row |= {"jobProcessDetails": {"numberOfFailedThings": 1}}
    source = RowSource(operation=RowOperation.DESCRIBE_JOB, as_of=to_milliseconds(NOW))
    rows = [read_row(row, source, to_milliseconds(NOW), pytest.fail)]
    run = await opened_run(store)
    await store.record_sync(SyncStep(run=run, rows=rows), now=NOW)
    assert {"numberOfFailedThings": 1} == (await store.job("j1")).reported_process_details
    assert [1] == [step.jobs async for step in store.retain(timedelta(days=365), now=NOW)]
    synced = await store.record_sync(SyncStep(run=run, rows=rows, compared=frozenset({("j1", "")})), now=NOW)
    assert (NOTHING_CHANGED, {}) == (synced.changed, synced.differences)
    with pytest.raises(ResourceNotFoundException):
        await store.job("j1")


async def test_a_step_is_recorded_in_the_writing_process(tmp_path: Path) -> None:
    """The service writes in a process of its own."""
    database = SqliteDatabase(path=empty_index(tmp_path / "jobindex.db"))
    async with open_store(database, writes_apart=True) as store:
        run = await opened_run(store)
        rows = [listed("j1", "IN_PROGRESS", 100)]
        step = SyncStep(run=replace(run, phase="jobs"), rows=rows, compared=frozenset({("j1", "")}))
        for found in ({DifferenceKind.JOB_MISSING: 1}, {}):
            synced = await store.record_sync(step, now=NOW)
            assert found == synced.differences
        assert replace(step.run, differences=1) == await store.next_sync()


# What no listing has


async def unlisted_ids(store: Store, run_id: int, *, limit: int = 250, **asked: Any) -> list[str]:
    """Return the unlisted jobs of all pages."""
    asked = {"stamped_before": NOW, "ended_since": at(0), "only_active": False, **asked}
    pages: list[JobIds] = [JobIds(job_ids=(), next_position="")]
    while (after := pages[-1].next_position) is not None:
        pages.append(await store.unlisted_jobs(run_id, after=after, limit=limit, **asked))
        assert limit >= len(pages[-1].job_ids)
    return [job_id for page in pages for job_id in page.job_ids]


@pytest.mark.parametrize(("looked_at", "limit"), [(2000, 250), (2, 250), (2000, 2), (3, 1)])
async def test_jobs_that_no_listing_has_are_found(
    store: Store, looked_at: int, limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the run, not of another; by their greatest time and by the time of their end."""
    monkeypatch.setattr(unlisted, "LOOKED_AT_MAXIMUM", looked_at)
    rows = [
        listed("a", "IN_PROGRESS", 100),
        listed("b", "SCHEDULED", 200),
        listed("c", "COMPLETED", 150, completedAt=120),
        listed("d", "CANCELED", 150),
        listed("e", "DELETION_IN_PROGRESS", 150),
        listed("f", "IN_PROGRESS", 100),
        summarized("f", "t1", "QUEUED", queuedAt=100, lastUpdatedAt=180),
        listed("g", "IN_PROGRESS", 100),
        (JobDeletion("g", 300_000, 300),),
        listed("h", "IN_PROGRESS", 100),
        summarized("i", "t1", "SUCCEEDED", queuedAt=100, lastUpdatedAt=130),
    ]
    run, other = await opened_run(store), await opened_run(store, SyncKind.FILL)
    await store.record_sync(SyncStep(run=run, rows=rows, listed=[("h", ""), ("a", "t1"), ("h", "")]), now=NOW)
    await store.record_sync(SyncStep(run=other, listed=[("a", ""), ("b", "")]), now=NOW)
    for expected, asked in (
        ("abcdefi", {}),
        ("abf", {"only_active": True}),
        ("acdei", {"stamped_before": at(180)}),
        ("abcdefi", {"ended_since": at(120)}),
        ("abdefi", {"ended_since": at(121)}),
        ("abdef", {"ended_since": at(131)}),
        ("abf", {"ended_since": at(151)}),
    ):
        assert [*expected] == await unlisted_ids(store, run.id, limit=limit, **asked)
    assert [*"cdefhi"] == await unlisted_ids(store, other.id, limit=limit)


@pytest.mark.parametrize("looked_at", [2000, 2])
async def test_executions_that_no_listing_has_are_found(
    store: Store, looked_at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that are pending, and were last seen so before a time."""
    monkeypatch.setattr(unlisted, "LOOKED_AT_MAXIMUM", looked_at)
    run = await opened_run(store)
    rows = [
        summarized("j1", thing, status, as_of=as_of, queuedAt=100, lastUpdatedAt=110)
        for thing, status, as_of in (
            ("t1", "QUEUED", 150),
            ("t2", "SUCCEEDED", 150),
            ("t3", "IN_PROGRESS", 150),
            ("t4", "QUEUED", 151),
            ("t5", "QUEUED", 150),
            ("t6", "QUEUED", 149),
        )
    ]
    other = summarized("j2", "t1", "QUEUED", queuedAt=100, lastUpdatedAt=110)
    await store.record_sync(SyncStep(run=run, rows=[*rows, other], listed=[("j1", "t5"), ("j1", "")]), now=NOW)
    # Without a queuedAt, no attempt is known.
    loose = [
        execution("IN_PROGRESS", "j1", "t7", lastUpdatedAt=150),
        execution("QUEUED", "j1", "t8", lastUpdatedAt=140),
    ]
    await store.apply(parsed(*loose), (), now=NOW)

    async def things(seconds: float, limit: int = 10) -> Sequence[str]:
        before = from_milliseconds(round(seconds * 1000))
        return await store.unlisted_executions(run.id, "j1", seen_before=before, limit=limit)

    assert ["t1", "t3", "t6", "t7", "t8"] == await things(151)
    assert ["t1", "t3", "t4", "t6", "t7", "t8"] == await things(152.5)
    assert ["t6", "t8"] == await things(150.9)
    assert ["t1", "t3"] == await things(151, limit=2)
    assert [] == await store.unlisted_executions(run.id, "j3", seen_before=NOW, limit=10)


@pytest.mark.parametrize(("looked_at", "limit"), [(2000, 250), (2, 250), (2000, 2)])
async def test_jobs_to_list_are_in_order(
    store: Store, looked_at: int, limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only listed ones; or those with pending executions that no listing of the jobs in progress has."""
    monkeypatch.setattr(unlisted, "LOOKED_AT_MAXIMUM", looked_at)
    statuses = {"a": "IN_PROGRESS", "b": "COMPLETED", "c": "SCHEDULED", "d": "CANCELED", "e": "DELETION_IN_PROGRESS"}
    rows = [listed(job_id, status, 100) for job_id, status in statuses.items()]
    rows += [summarized(job_id, "t1", "QUEUED", queuedAt=100, lastUpdatedAt=110) for job_id in "abe"]
    rows += [summarized("c", "t1", "IN_PROGRESS", queuedAt=100, lastUpdatedAt=110)]
    rows += [summarized("d", "t1", "CANCELED", queuedAt=100, lastUpdatedAt=110)]
    rows += [listed("f", "IN_PROGRESS", 100), (JobDeletion("f", 300_000, 300),)]
    await store.record_sync(SyncStep(run=await opened_run(store), rows=rows), now=NOW)

    async def job_ids(*, with_pending: bool) -> list[str]:
        found, after = list[str](), ""
        while True:
            page = await store.jobs_to_list(with_pending=with_pending, after=after, limit=limit)
            found += page.job_ids
            if page.next_position is None:
                return found
            after = page.next_position

    assert [*"abcde"] == await job_ids(with_pending=False)
    assert [*"bce"] == await job_ids(with_pending=True)


async def test_the_listing_of_an_ended_run_is_forgotten_by_parts(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A step deletes few marks; the run stays until it has none, and an open run keeps its own."""
    monkeypatch.setattr(syncs, "MARKS_DELETED", 4)
    monkeypatch.setattr(syncs, "RUNS_KEPT", 0)
    rows = [listed(f"j{number}", "IN_PROGRESS", 100) for number in range(9)]
    marks = [(f"j{number}", "") for number in range(9)]
    run = await opened_run(store)
    await store.record_sync(SyncStep(run=run, rows=rows, listed=marks), now=NOW)
    assert [] == await unlisted_ids(store, run.id)
    other = await opened_run(store, SyncKind.FILL)
    await store.record_sync(SyncStep(run=other, listed=[("j1", "")]), now=NOW)
    left = []
    for step in (SyncStep(run=ended(run)), *[SyncStep(run=other)] * 2):
        await store.record_sync(step, now=NOW)
        left.append(len(marks) - len(await unlisted_ids(store, run.id)))
    assert [5, 1, 0] == left
    assert [other.id, run.id] == await ids(store)
    await store.request_sync(SyncKind.ALL, now=NOW)
    [_, later, _] = await store.sync_runs(limit=3)
    await store.record_sync(SyncStep(run=ended(later)), now=NOW)
    assert [other.id] == await ids(store)
    assert 8 == len(await unlisted_ids(store, other.id))


async def test_the_account_is_that_of_the_last_reported_arn(store: Store) -> None:
    """It is unknown before."""
    assert await store.reported_arn_prefix() is None
    await store.apply(parsed(job("j1", lastUpdatedAt=100)), (), now=NOW)
    assert await store.reported_arn_prefix() is None
    await store.import_rows([listed("j1", "IN_PROGRESS", 100)], now=NOW)
    assert "arn:aws:iot:us-east-1:123456789012" == await store.reported_arn_prefix()


class Planned:
    """A connection to a SQLite file that notes the steps of every plan."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.steps: set[str] = set()

    def execute(self, statement: str, parameters: Mapping[str, Any] | None = None, /) -> Any:
        """Run a statement, and note the steps of its plan."""
        self.steps |= {row[-1] for row in self._connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters or {})}
        return self._connection.execute(statement, parameters or {})


def test_the_plans_of_sqlite_read_by_key(tmp_path: Path) -> None:
    """Tables that grow with the fleet are searched by their keys, and nothing is sorted but few ended runs."""
    with closing(connect(empty_index(tmp_path / "jobindex.db"))) as connection:
        connection.row_factory = SqliteRow
        planned: Any = Planned(connection)
        syncs.request(planned, kind=SyncKind.ALL, job_id="", with_groups=False, now=1)
        run = syncs.next_run(planned)
        assert run is not None
        page: dict[str, Any] = {"after": "", "limit": 10}
        of_run: dict[str, Any] = {"run_id": run.id, **page}
        for only_active in (True, False):
            given: dict[str, Any] = {"stamped_before": 1, "ended_since": 1, "only_active": only_active}
            unlisted.unlisted_jobs(planned, **of_run, **given)
            unlisted.jobs_to_list(planned, with_pending=only_active, **page)
        unlisted.unlisted_executions(planned, job_id="j1", seen_before=1, **of_run)
        syncs.advance(planned, SyncStep(run=run, listed=[("j1", "")]), found=0)
        syncs.advance(planned, SyncStep(run=ended(run), reconciled_at=NOW), found=0)
        found = Difference(kind=DifferenceKind.JOB_MISSING, job_id="j1", thing_name=None, was=None, now="QUEUED")
        syncs.keep_differences(planned, [found], run_id=run.id, is_repaired=True, now=1)
        syncs.read_differences(planned, before=9, limit=10)
        syncs.times(planned)
        assert len(planned.steps) > 15
        costly = {step for step in planned.steps if step.startswith("SCAN") or "B-TREE" in step or "AUTOMATIC" in step}
        small = {
            "SCAN json_each VIRTUAL TABLE INDEX 1:",
            "SCAN sync_times",
            "SCAN sync_runs USING INDEX sync_runs_ended",
        }
        assert small == costly
        planned.steps.clear()
        syncs.runs(planned, limit=10)
        assert {
            "SEARCH sync_runs USING INDEX sync_runs_open (run_kind=?)",
            "SCAN sync_runs USING INDEX sync_runs_ended",
            "USE TEMP B-TREE FOR ORDER BY",
        } == planned.steps


# Any reports


@settings(
    max_examples=max(10, settings().max_examples // 4), suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data(), messages=streams())
async def test_a_sync_merges_as_a_message_does(
    store: Store, tables: Tables, data: st.DataObject, messages: list[Message]
) -> None:
    """Any reports give the same rows, except for their origin, and a comparison before them finds what they change."""
    arrival = data.draw(arrivals_of(parse(messages)[0]))
    tables.empty()
    for reports, _ in arrival.batches:
        await store.apply(reports, (), now=NOW)
    expected = tables.dump()
    tables.empty()
    run = await opened_run(store)
    for reports, _ in arrival.batches:
        keys = {(report.job_id, "") for report in reports if isinstance(report, JobReport | JobDeletion)}
        keys |= {report[:2] for report in reports if isinstance(report, ExecutionReport)}
        step = SyncStep(run=run, rows=[(report,) for report in reports], compared=frozenset(keys))
        found = []
        for repairs in data.draw(st.sampled_from([[True], [False, True]])):
            last = max((one.id for one in await store.differences(before=None, limit=1)), default=0)
            synced = await store.record_sync(replace(step, repairs=repairs), now=NOW)
            stored = await store.differences(before=None, limit=1000)
            found.append([one.difference for one in stored if one.id > last])
            assert Counter(one.kind for one in found[-1]) == synced.differences
            assert repairs or synced.changed == NOTHING_CHANGED
        assert found[0] == found[-1]
    rows = tables.dump()
    assert {ChangeOrigin.SYNC} >= {row[-1] for row in rows["job_changes"]}
    assert _without_origin(expected) == _without_origin(rows)


def _without_origin(rows: Dump) -> Dump:
    return {**rows, "job_changes": [row[:-1] for row in rows["job_changes"]]}
