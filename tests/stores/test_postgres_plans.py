"""PostgreSQL reads rows in proportion to an answer or a batch, not to the index.

Plans depend on statistics and numbers of rows, so an empty database would prove nothing. This one has the bench's jobs,
which are hard on indexes, and the tests count rows, not steps.
"""

import asyncio
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import chain, combinations, islice
from types import SimpleNamespace
from typing import Any

import pytest
from support.message_streams import parse
from support.postgresql_servers import Databases, execute
from support.simulated_aws import simulate

from bench.jobs import jobs, reports
from bench.messages import messages
from bench.questions import COMBINATIONS, NAMES, questions
from jobindex.errors import ResourceNotFoundException
from jobindex.model.jobs import JobStatus, TargetSelection, to_milliseconds
from jobindex.model.listing import Filters, ListJobsQuery, Position
from jobindex.model.reports import JobReport, Report, ThingGroupReport
from jobindex.model.store import RejectedLimits
from jobindex.model.sync import SyncKind, SyncRun, SyncStep
from jobindex.model.views import ExecutionState
from jobindex.storage.databases import PostgresDatabase
from jobindex.storage.opening import open_store
from jobindex.storage.sql import changes, group_members, index, retention, syncs, things, unlisted
from jobindex.storage.sql.applying import apply, record_sync
from jobindex.storage.sql.connection import Connection
from jobindex.storage.sql.executions import ExecutionReader
from jobindex.storage.sql.pages import read_page
from jobindex.storage.sql.search import read_jobs_by_id
from jobindex.storage.sql.state_cache import StateCache

JOBS = 10_000
LIMIT = 50
NOW = datetime(2030, 1, 1, tzinfo=UTC)
SEEN = frozenset({"left", "harbour-1", "nowhere"})
_ALIKE: dict[str, Any] = {
    "namespace_id": "n1",
    "status": JobStatus.IN_PROGRESS,
    "target_selection": TargetSelection.SNAPSHOT,
    "thing_group_name": "g1",
    "thing_group_id": None,
}
COUNTED = ("namespace_jobs", "namespace_executions")
PLACES_MAXIMUM = 10
"""The most partitions (a namespace, a kind and a group key) of a query; each has at most three in ten jobs."""


class Explained:
    """A connection that runs statements, and counts the rows that each step of a plan reads or removes."""

    def __init__(self, transaction: Any, *, is_prepared: bool = False) -> None:
        self._transaction = transaction
        self._is_prepared = is_prepared
        self.cache = StateCache()
        self.rows: dict[str, int] = {}
        """The most rows of a step, by statement."""

    @property
    def access(self) -> Any:
        """A RowAccess whose statements are counted, too."""
        from jobindex.storage.postgres.rows import PostgresRows  # noqa: PLC0415 (needs psycopg)

        return PostgresRows(SimpleNamespace(execute=self._run_raw))  # type: ignore[arg-type]

    def _run_raw(self, statement: bytes, arrays: Any) -> Any:
        connection, text = self._transaction.connection, statement.decode()
        [(plan,)] = connection.execute(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {text}".encode(), arrays).fetchall()
        self.rows[text] = max(self.rows.get(text, 0), *_rows(plan[0]["Plan"]))
        return connection.execute(statement, arrays) if text.lstrip().startswith("SELECT") else ()

    def execute(self, statement: str, parameters: Mapping[str, Any] | None = None, /) -> Any:
        """Run a statement, and count the rows that it reads."""
        if statement.startswith(("SAVEPOINT", "ROLLBACK", "RELEASE")):
            return self._transaction.execute(statement)
        [(plan,)] = self._explain(statement, parameters or {}).fetchall()
        self.rows[statement] = max(self.rows.get(statement, 0), *_rows(plan[0]["Plan"]))
        if statement.lstrip().startswith(("SELECT", "WITH")):
            return self._transaction.execute(statement, parameters or {})
        return SimpleNamespace(rowcount=plan[0]["Plan"]["Plans"][0]["Actual Rows"])

    def _explain(self, statement: str, parameters: Mapping[str, Any]) -> Any:
        from psycopg.sql import Literal  # noqa: PLC0415 (needs psycopg)

        from jobindex.storage.postgres.dialect import translated  # noqa: PLC0415

        connection, text = self._transaction.connection, translated(statement)
        explain = "EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON)"
        if not self._is_prepared:
            return connection.execute(f"{explain} {text}".encode(), parameters)
        names = list(dict.fromkeys(re.findall(r"%\((\w+)\)s", text)))
        prepared = re.sub(r"%\((\w+)\)s", lambda name: f"${names.index(name[1]) + 1}", text).replace("%%", "%")
        connection.execute(f"PREPARE one AS {prepared}".encode())
        values = ", ".join(Literal(parameters[name]).as_string(connection) for name in names)
        explained = connection.execute(f"{explain} EXECUTE one ({values})".encode())
        connection.execute("DEALLOCATE one")
        return explained

    def executemany(self, statement: str, parameters: Iterable[Mapping[str, Any]], /) -> Any:
        """Run a statement with each set of parameters."""
        for one in parameters:
            self.execute(statement, one)


def _rows(plan: Mapping[str, Any]) -> Iterator[int]:
    removed = sum(plan.get(f"Rows Removed by {what}", 0) for what in ("Filter", "Join Filter", "Index Recheck"))
    yield round((plan["Actual Rows"] + removed) * plan["Actual Loops"])
    for step in plan.get("Plans", ()):
        yield from _rows(step)


@pytest.fixture(scope="module")
def filled(postgresql: Databases) -> Iterator[str]:
    """Return the URL of a database with many jobs, whose statistics are older than its pending executions."""
    with postgresql.fresh() as url:
        asyncio.run(_fill(url, reports(JOBS)))
        execute(url, "ANALYZE")
        asyncio.run(_fill(url, iter(_told(2_000, seed=1))))
        asyncio.run(_sync(url))
        yield url


@pytest.fixture(scope="module")
def alike(postgresql: Databases) -> Iterator[str]:
    """Return the URL of a database with statistics, whose jobs have the same kind, namespace and group."""
    told: list[Report] = [ThingGroupReport(thing_group_name="g1")]
    alike_members = {name: value for name, value in _ALIKE.items() if value is not None}
    told += [
        report._replace(members={**report.members, **alike_members, "thing_group_id": "1"})
        for report in reports(JOBS)
        if isinstance(report, JobReport)
    ]
    with postgresql.fresh() as url:
        asyncio.run(_fill(url, iter(told)))
        execute(url, "ANALYZE")
        yield url


@pytest.fixture
def reading(filled: str) -> Iterator[Callable[[Callable[[Connection], object]], Mapping[str, int]]]:
    """Return a function that runs work on a reading connection, and returns the rows read by statement."""
    from jobindex.storage.postgres.connection import ReconnectingConnection  # noqa: PLC0415 (needs psycopg)

    link = ReconnectingConnection(filled, writes=False)
    yield partial(_explain, link)
    link.close()


@pytest.fixture
def writing(filled: str) -> Iterator[Callable[[Callable[[Connection], object]], Mapping[str, int]]]:
    """Return the same function for a writing connection."""
    from jobindex.storage.postgres.connection import ReconnectingConnection  # noqa: PLC0415

    link = ReconnectingConnection(filled, writes=True)
    yield partial(_explain, link)
    link.close()


class _RolledBack(Exception):
    """Rolls the work back, so that it does not affect the next test."""


def _explain(link: Any, work: Callable[[Connection], object]) -> Mapping[str, int]:
    rows: dict[str, int] = {}

    def do(transaction: Any) -> None:
        explained = Explained(transaction)
        work(explained)
        rows.update(explained.rows)
        raise _RolledBack

    with pytest.raises(_RolledBack):
        link.run(do, done="read")
    return rows


async def _fill(url: str, told: Iterator[Report]) -> None:
    async with open_store(PostgresDatabase(conninfo=url, shown="postgresql")) as store:
        assert await store.take_lease("{}", seconds=3600)
        while batch := list(islice(told, 5_000)):
            await store.apply(batch, (), now=NOW)
        await store.release_lease()


async def _sync(url: str) -> None:
    """Store many open runs, differences and members, and the listings of a run that has ended and of an open one."""
    async with open_store(PostgresDatabase(conninfo=url, shown="postgresql")) as store:
        assert await store.take_lease("{}", seconds=3600)
        for kind in (SyncKind.ALL, SyncKind.FILL):
            await store.request_sync(kind, now=NOW)
        runs = {run.kind: run for run in await store.sync_runs(limit=10)}
        marks = [(job.job_id, "") for job in jobs(JOBS)]
        await store.record_sync(SyncStep(run=runs[SyncKind.ALL], listed=marks), now=NOW)
        await store.record_sync(SyncStep(run=runs[SyncKind.FILL], listed=marks[1:]), now=NOW)
        await store.record_sync(SyncStep(run=replace(runs[SyncKind.ALL], ended_at=NOW)), now=NOW)
        members = [(f"group-{number % 10}", f"greengrass-core-{number:06}") for number in range(5000)]
        rows = [(ThingGroupReport("group-1"),)]
        await store.record_sync(SyncStep(run=runs[SyncKind.FILL], rows=rows, members=members), now=NOW)
        await store.release_lease()
    execute(
        url,
        """
        INSERT INTO sync_runs (run_id, run_kind, requested_at, job_id)
        SELECT number, 'job', 0, 'job-' || number FROM generate_series(3, 1000) AS number
        """,
    )
    execute(
        url,
        """
        INSERT INTO sync_differences (difference_id, found_at, run_id, is_repaired, difference, job_id)
        SELECT number, 0, 1, 1, 'job_missing', 'job' FROM generate_series(1, 1000) AS number
        """,
    )


def _told(count: int, seed: int) -> list[Report]:
    told = islice(messages(-(-count // 100), seed), count)
    return parse([*told])[0]


def _too_many(rows: Mapping[str, int], maximum: int) -> Mapping[str, int]:
    return {statement: read for statement, read in rows.items() if read > maximum}


@pytest.mark.parametrize("names", COMBINATIONS, ids=lambda names: " ".join(names) or "no filter")
@pytest.mark.parametrize("is_limited", [False, True], ids=["all", "limited"])
def test_a_page_reads_what_it_lists(reading: Any, names: tuple[str, ...], is_limited: bool) -> None:  # noqa: FBT001
    """A page reads a bounded number of rows, with each combination of filters, direction and position."""
    from jobindex.storage.postgres.engine import PostgresEngine  # noqa: PLC0415 (needs psycopg)

    engine = PostgresEngine("", name="plans", arn_prefix="arn:")
    middle = next(islice(jobs(JOBS), JOBS // 2, None))
    oldest = next(islice(jobs(JOBS), 20, None))
    visible = SEEN if is_limited else None
    maximum = (LIMIT + 1) * (PLACES_MAXIMUM if is_limited else 1)

    def ask(query: ListJobsQuery, connection: Connection) -> None:
        try:
            read_page(connection, engine=engine, query=query, known={}, visible=visible)
        except ResourceNotFoundException:
            assert is_limited

    for filters in questions(names):
        for query in (
            ListJobsQuery(filters=filters, max_results=LIMIT),
            ListJobsQuery(filters=filters, max_results=LIMIT, after=_at(middle)),
            ListJobsQuery(filters=filters, max_results=LIMIT, after=_at(oldest), is_backwards=True),
        ):
            assert {} == _too_many(reading(partial(ask, query)), maximum), (filters, query.after)


@pytest.mark.parametrize("is_limited", [False, True], ids=["all", "limited"])
@pytest.mark.parametrize("missing", ["namespace_id", "status", "target_selection"])
def test_a_page_of_nothing_reads_nothing(alike: str, missing: str, is_limited: bool) -> None:  # noqa: FBT001
    """A page without jobs reads few rows, even with a generic plan and if all jobs have the same values."""
    from jobindex.storage.postgres.connection import ReconnectingConnection  # noqa: PLC0415
    from jobindex.storage.postgres.engine import PostgresEngine  # noqa: PLC0415 (needs psycopg)

    engine = PostgresEngine("", name="plans", arn_prefix="arn:")
    nowhere = {"namespace_id": "n2", "status": JobStatus.CANCELED, "target_selection": TargetSelection.CONTINUOUS}
    told = {name: _ALIKE[name] for name in NAMES if name != "thing_group_id"} | {missing: nowhere[missing]}
    visible = frozenset({"n1", "n2"}) if is_limited else None
    others = [name for name in told if name != missing]
    link = ReconnectingConnection(alike, writes=False)

    def ask(filters: Filters, transaction: Any) -> Mapping[str, int]:
        transaction.connection.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        planned = Explained(transaction, is_prepared=True)
        query = ListJobsQuery(filters=filters, max_results=LIMIT)
        read_page(planned, engine=engine, query=query, known={}, visible=visible)
        return planned.rows

    for names in chain.from_iterable(combinations(others, length) for length in range(len(others) + 1)):
        filters = Filters(**{name: told[name] for name in (missing, *names)})
        rows = link.run(partial(ask, filters), done="read")
        assert {} == _too_many(rows, LIMIT + 1), filters
    link.close()


def _at(job: Any) -> Position:
    return Position(created_at=job.created_at, job_id=job.job_id)


@pytest.mark.parametrize("count", [1, 100])
def test_a_batch_reads_what_it_changes(writing: Any, count: int) -> None:
    """Each statement of a batch reads rows in proportion to its reports."""
    told = [*_told(count, seed=2), *_told(count, seed=1)]
    known = next(iter(jobs(1)))
    told += [report for report in islice(reports(JOBS), 200) if getattr(report, "job_id", "") == known.job_id]
    rows = writing(partial(_apply, told))
    assert len(rows) > 12
    assert {} == _too_many(rows, 12 * count + 50)


def test_a_batch_of_a_fleet_reads_what_it_changes(writing: Any) -> None:
    """A batch reads few rows, even with deletions, reused ids, omitted executions and an old job event."""
    fleet = simulate(1)
    told = parse([(message.topic, message.payload) for message in reversed(fleet.messages)])[0]

    def apply_all(connection: Any) -> None:
        for start in range(0, 1000, 50):
            _apply(told[start : start + 50], connection)

    rows = writing(apply_all)
    assert len(rows) > 20
    assert {} == _too_many(rows, 500)


def _apply(told: list[Report], connection: Any) -> None:
    apply(
        connection,
        reports=told,
        rejected=(),
        now=to_milliseconds(NOW),
        limits=RejectedLimits(),
    )


def test_what_is_to_be_forgotten_is_found_a_page_at_a_time(reading: Any) -> None:
    """Retention reads each kind of job in order of time, page by page."""
    horizon = to_milliseconds(NOW)
    after = next(islice(jobs(JOBS), 500, None))
    parameters = {"horizon": horizon, "time": to_milliseconds(after.created_at), "job_id": after.job_id, "limit": LIMIT}
    for page, _ in retention.statements():
        assert {} == _too_many(reading(lambda connection, page=page: connection.execute(page, parameters)), LIMIT)


@pytest.mark.parametrize("only_active", [True, False])
def test_a_sync_looks_at_a_bounded_number_of_jobs(
    reading: Any, monkeypatch: pytest.MonkeyPatch, *, only_active: bool
) -> None:
    """A query for jobs reads a page of them, even if none passes; one for executions those of a job."""
    monkeypatch.setattr(unlisted, "LOOKED_AT_MAXIMUM", LIMIT)
    middle = sorted(job.job_id for job in jobs(JOBS))[JOBS // 2]
    now = to_milliseconds(NOW)
    asked: dict[str, Any] = {
        "run_id": 2,
        "stamped_before": now,
        "ended_since": now,
        "only_active": only_active,
        "limit": LIMIT,
    }
    of_job: dict[str, Any] = {"run_id": 2, "job_id": middle, "seen_before": now, "after": "", "limit": LIMIT}
    for after in ("", middle):
        for ask in (
            partial(unlisted.unlisted_jobs, after=after, **asked),
            partial(unlisted.jobs_to_list, with_pending=only_active, after=after, limit=LIMIT),
            partial(unlisted.unlisted_executions, **of_job),
        ):
            assert {} == _too_many(reading(ask), LIMIT + 1)


@pytest.mark.parametrize("repairs", [True, False])
def test_a_step_of_a_sync_reads_what_it_changes(
    writing: Any, monkeypatch: pytest.MonkeyPatch, *, repairs: bool
) -> None:
    """Each statement reads rows in proportion to its rows and marks, however many runs, marks and differences exist."""
    monkeypatch.setattr(syncs, "MARKS_DELETED", LIMIT)
    monkeypatch.setattr(syncs, "RUNS_KEPT", 2)
    told = [report for report in islice(reports(JOBS), 40) if isinstance(report, JobReport)]
    marks = [(f"new-{number}", "") for number in range(20)]
    run = SyncRun(id=2, kind=SyncKind.FILL, requested_at=NOW, ended_at=NOW, as_of=NOW)
    step = SyncStep(
        run=run,
        listed=marks,
        members=[("group-1", f"greengrass-core-{number:06}") for number in range(20)],
        whole_group="small-group",
        compared=frozenset({*marks, (told[0].job_id, "")}),
        repairs=repairs,
    )
    new = [JobReport(job_id, 1000, {}, 1000, 1000) for job_id, _ in marks]
    work = partial(record_sync, step=step, reports=[*told, *new], is_last=True, now=to_milliseconds(NOW))
    rows = writing(work)
    assert len(rows) > 15
    assert {} == _too_many(rows, 100)


def test_the_counts_of_namespaces_read_each_row_of_a_table_twice(reading: Any) -> None:
    """The counts of namespaces read each row at most twice, however many namespaces there are."""
    sizes = reading(lambda connection: [connection.execute(f"SELECT namespace_id FROM {table}") for table in COUNTED])
    rows = reading(partial(index.read_namespace_counts, maximum=2))
    assert 2 == len(rows)
    assert {} == _too_many(rows, max(sizes.values()))


def of_executions(ask: Callable[..., object], **asked: Any) -> Callable[[Any], object]:
    """Return a query for executions that takes a connection."""
    return lambda connection: ask(ExecutionReader(connection, lambda _: connection.access, "arn:", None), **asked)


def test_a_question_reads_what_it_is_about(reading: Any) -> None:
    """Each query in addition to ListJobs reads rows in proportion to its answer."""
    job_id = next(iter(jobs(1))).job_id
    thing_name = "greengrass-core-000000"
    every = NOW - timedelta(days=1)
    of_thing = {"thing_name": thing_name, "namespace_id": None, "job_id": None, "after": None, "limit": LIMIT}
    of_readers: list[tuple[Callable[..., object], dict[str, Any]]] = [
        (ExecutionReader.read, {"job_id": job_id, "thing_name": thing_name}),
        (ExecutionReader.of_job, {"job_id": job_id, "state": None, "after": None, "limit": LIMIT}),
        *(
            (ExecutionReader.of_thing, {**of_thing, "state": state, "with_former": with_former})
            for state in (None, ExecutionState.SUCCEEDED)
            for with_former in (False, True)
        ),
        (ExecutionReader.waiting, {"since": every, "namespace_id": None, "after": None, "limit": LIMIT}),
        (ExecutionReader.count_waiting, {"since": every, "maximum": LIMIT}),
    ]
    for ask in (
        lambda connection: index.read_job(
            connection, rows=lambda _: connection.access, job_id=job_id, arn_prefix="arn:"
        ),
        partial(index.read_job_namespaces, job_ids=[job_id]),
        partial(index.read_namespaces, after=None, limit=LIMIT, now=NOW),
        partial(changes.read_changes, job_id=job_id, limit=LIMIT),
        partial(syncs.is_requested, kind=SyncKind.JOB, job_id=job_id),
        syncs.next_run,
        partial(syncs.read_differences, before=900, limit=LIMIT),
        *(of_executions(question, **asked) for question, asked in of_readers),
        partial(things.read_things, prefix="greengrass", after="", limit=LIMIT),
        partial(things.read_thing, thing_name=thing_name),
        partial(group_members.read_members, thing_group_name="group-1", after="greengrass-core-000100", limit=LIMIT),
        partial(read_jobs_by_id, prefix="", filters=Filters(), after="", limit=LIMIT, arn_prefix="arn:"),
    ):
        assert {} == _too_many(reading(ask), LIMIT * 2 + 2)
