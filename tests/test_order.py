"""The index is a function of the set of messages: no order, repetition or cut into batches shows."""

import asyncio
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import oracle
import pytest
from hypothesis import given
from hypothesis import strategies as st
from streams import GROUP_NAMES, NAMESPACE_IDS, Arrival, Message, arrivals, filters, parse, streams

from jobindex.errors import ResourceNotFoundException
from jobindex.jobs import JobReport, JobSummary, Report
from jobindex.listing import Filters, ListJobsQuery
from jobindex.sqlite import SqliteStore, open_store

pytestmark = pytest.mark.timeout(1800)  # for the long profile

NOW = datetime(2030, 1, 1, tzinfo=UTC)

# A row for each of these is the same however it came; what numbers the rejected messages is their arrival.
TABLES = {
    "jobs": "*",
    "executions": "*",
    "pending_lists": "*",
    "thing_groups": "*",
    "rejected_messages": "digest, rejected_at, topic, payload, reason",
    "job_summaries": "*",
    "job_thing_groups": "*",
}

Rows = dict[str, list[tuple[object, ...]]]


class Index:
    """An index in a SQLite file that is emptied and filled again."""

    def __init__(self, runner: asyncio.Runner, store: SqliteStore, connection: sqlite3.Connection) -> None:
        self._runner = runner
        self._store = store
        self._connection = connection

    def fill(self, arrival: Arrival, later: timedelta = timedelta()) -> Rows:
        """Return the rows of an index that has had nothing but this, each batch `later` than the one before."""
        for table in TABLES:
            self._connection.execute(f"DELETE FROM {table}")
        return self._runner.run(self._fill(arrival, later))

    def pages(self, filters: Filters, max_results: int) -> Sequence[JobSummary] | None:
        """Return the jobs of all pages, None where a thing group is unknown."""
        try:
            return self._runner.run(self._pages(filters, max_results))
        except ResourceNotFoundException:
            return None

    async def _fill(self, arrival: Arrival, later: timedelta) -> Rows:
        for number, (reports, rejected) in enumerate(arrival.batches):
            await self._store.apply(reports, rejected, now=NOW + number * later)
        return {
            table: sorted(self._connection.execute(f"SELECT {columns} FROM {table}"), key=repr)
            for table, columns in TABLES.items()
        }

    async def _pages(self, filters: Filters, max_results: int) -> list[JobSummary]:
        jobs: list[JobSummary] = []
        query = ListJobsQuery(filters=filters, max_results=max_results)
        while True:
            page = await self._store.list_jobs(query)
            jobs += page.jobs
            after = page.next_position()
            if after is None:
                return jobs
            query = ListJobsQuery(filters=filters, max_results=max_results, after=after)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    """Open one index for all examples: to open one for each would take most of the time."""
    path: Path = tmp_path_factory.mktemp("order") / "jobindex.db"
    with (
        asyncio.Runner() as runner,
        _opened(runner, path) as store,
        closing(sqlite3.connect(path, isolation_level=None)) as connection,
    ):
        connection.execute("PRAGMA synchronous = OFF")  # nothing here need survive a loss of power
        runner.run(_pragma(store, "synchronous = OFF"))
        yield Index(runner, store, connection)


@contextmanager
def _opened(runner: asyncio.Runner, path: Path) -> Iterator[SqliteStore]:
    opened = open_store(path)
    try:
        yield runner.run(opened.__aenter__())
    finally:
        runner.run(opened.__aexit__(None, None, None))


async def _pragma(store: SqliteStore, pragma: str) -> None:
    await store._writer.execute(f"PRAGMA {pragma}")


def _at_once(messages: Sequence[Message]) -> Arrival:
    return Arrival(batches=[parse(messages)])


@given(data=st.data(), messages=streams())
def test_no_order_shows(index: Index, data: st.DataObject, messages: list[Message]) -> None:
    """Any order, repetition and cut into batches makes the same rows in every table."""
    expected = index.fill(_at_once(messages))
    assert expected == index.fill(data.draw(arrivals(messages)))


def _expected(reports: Sequence[Report], filters: Filters) -> Sequence[JobSummary] | None:
    try:
        return oracle.list_jobs(reports, filters, now=NOW)
    except ResourceNotFoundException:
        return None


@given(data=st.data(), messages=streams(), filters=filters(), max_results=st.integers(1, 3))
def test_the_oracle_agrees(
    index: Index, data: st.DataObject, messages: list[Message], filters: Filters, max_results: int
) -> None:
    """However messages arrive, the pages are what the rules say of all of them together."""
    reports, _ = parse(messages)
    index.fill(data.draw(arrivals(messages)))
    by_names = [Filters(thing_group_name=name) for name in (None, *GROUP_NAMES)]
    by_namespaces = [Filters(namespace_id=namespace_id) for namespace_id in NAMESPACE_IDS]
    for one in (*by_names, *by_namespaces):
        assert _expected(reports, one) == index.pages(one, 250)
    assert _expected(reports, filters) == index.pages(filters, max_results)


@given(data=st.data(), messages=streams())
def test_arrival_shows_only_where_nothing_is_timed(index: Index, data: st.DataObject, messages: list[Message]) -> None:
    """The time at which messages arrive shows in no job of which a message bears a time."""
    reports, _ = parse(messages)
    timed = {report.job_id for report in reports if isinstance(report, JobReport) and report.latest_at is not None}
    index.fill(data.draw(arrivals(messages)), later=timedelta(seconds=1))
    expected = [job for job in oracle.list_jobs(reports, Filters(), now=NOW) if job.job_id in timed]
    assert expected == [job for job in index.pages(Filters(), 250) or () if job.job_id in timed]
