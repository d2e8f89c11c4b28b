"""A reader restricted to some namespaces answers as if no message had named other jobs."""

import asyncio
import json
import re
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.message_streams import (
    NAMESPACE_IDS,
    Message,
    parse,
    streams,
    streams_of,
)
from support.messages import Message as Telling
from support.messages import arn, entry, event, execution, group, job, parsed, pending
from support.questions import IDS_OF_GROUPS, JOBS, NAMES_OF_GROUPS, NAMESPACES, THINGS, Asking, asked, askings
from support.shuffles import ARRIVALS, TABLES
from support.writers import writer_of
from test_sqlite import is_cheap, plan

from jobindex.errors import ResourceNotFoundException
from jobindex.model.jobs import JobStatus
from jobindex.model.listing import Filters, ListJobsQuery, Position
from jobindex.model.reader import CHANGES_MAXIMUM, Reader
from jobindex.model.reports import (
    UNTIMED,
    ExecutionReport,
    JobDeletion,
    JobReport,
    MemberValue,
    PendingListReport,
    Report,
    ThingGroupReport,
)
from jobindex.model.store import Store
from jobindex.model.views import ExecutionState, JobChange
from jobindex.storage.sql import changes, executions, group_keys, index, scoped_pages, search, things
from jobindex.storage.sql.executions import ExecutionReader
from jobindex.storage.sql.group_keys import GroupKey
from jobindex.storage.sql.scoped_pages import Partition, scoped_parameters, scoped_statement
from jobindex.storage.sqlite import quick
from jobindex.storage.sqlite.engine import SqliteEngine
from jobindex.storage.sqlite.store import SqliteStore, migrate, open_store

N1 = frozenset({"n1"})
NONE = frozenset({"n9"})
"""A namespace that no message names."""

pytestmark = pytest.mark.timeout(1800)  # for the long profile

T = TypeVar("T")

NOW = datetime(2030, 1, 1, tzinfo=UTC)
V = frozenset(NAMESPACE_IDS)

Batch = tuple[Sequence[Report], datetime]


def elsewhere(reports: Sequence[Report]) -> Iterator[Report]:
    """Yield the reports for other jobs, in other namespaces or none, with some of the same things and groups.

    Ties of shared group names are omitted, because a reader that knows a group by name knows it by every tied id. Facts
    of the whole source are omitted, too: ARNs, which reveal its region, and the publication times of job events.
    """
    for report in reports:
        match report:
            case JobReport():
                yield report._replace(
                    job_id=JOBS[report.job_id], members=dict(_elsewhere(report)), published_at=UNTIMED
                )
            case JobDeletion():
                yield report._replace(job_id=JOBS[report.job_id], published_at=UNTIMED)
            case ExecutionReport(thing_name=thing_name):
                yield report._replace(
                    job_id=JOBS[report.job_id], thing_name=THINGS.get(thing_name, thing_name), thing_arn=None
                )
            case PendingListReport(thing_name=thing_name):
                yield report._replace(
                    thing_name=THINGS.get(thing_name, thing_name),
                    namespace_id=NAMESPACES.get(report.namespace_id or ""),
                    entries=frozenset(entry._replace(job_id=JOBS[entry.job_id]) for entry in report.entries),
                )
            case ThingGroupReport():
                name = _renamed(report.thing_group_name, NAMES_OF_GROUPS)
                id_ = _renamed(report.thing_group_id, IDS_OF_GROUPS)
                if name in NAMES_OF_GROUPS.values() and id_ in IDS_OF_GROUPS.values():
                    yield ThingGroupReport(thing_group_name=name, thing_group_id=id_)
                else:
                    yield ThingGroupReport(thing_group_name=name)
                    yield ThingGroupReport(thing_group_id=id_)


def _elsewhere(report: JobReport) -> Iterator[tuple[str, MemberValue]]:
    for name, value in report.members.items():
        match name:
            case "namespace_id":
                namespace_id = NAMESPACES.get(str(value))
                if namespace_id is not None:
                    yield name, namespace_id
            case "thing_group_id":
                yield name, IDS_OF_GROUPS.get(str(value), str(value))
            case "thing_group_name":
                yield name, NAMES_OF_GROUPS.get(str(value), str(value))
            case "targets":
                arns = [arn.rpartition("/") for arn in json.loads(str(value))]
                yield name, json.dumps(sorted(f"{kind}/{NAMES_OF_GROUPS.get(own, own)}" for kind, _, own in arns))
            case "job_arn":  # every answer reveals the region of the last ARN
                pass
            case _:
                yield name, value


def _renamed(name: str | None, names: dict[str, str]) -> str | None:
    return None if name is None else names.get(name, name)


def all_within(reports: Sequence[Report]) -> Iterator[Report]:
    """Yield the reports with a namespace for each job, but no deletions, of which a restricted reader sees less."""
    for report in reports:
        if isinstance(report, JobReport):
            yield report._replace(members={"namespace_id": NAMESPACE_IDS[0], **report.members})
        elif isinstance(report, PendingListReport):
            yield report._replace(namespace_id=report.namespace_id or NAMESPACE_IDS[0])
        elif not isinstance(report, JobDeletion):
            yield report


class Index:
    """An index in a SQLite file, emptied for each example."""

    def __init__(self, runner: asyncio.Runner, store: SqliteStore, connection: sqlite3.Connection) -> None:
        self._runner = runner
        self._store = store
        self._connection = connection

    def fill(self, batches: Sequence[Batch]) -> None:
        """Delete all rows, and apply these batches."""
        for table in (*TABLES, *ARRIVALS):
            self._connection.execute(f"DELETE FROM {table}")
        for reports, now in batches:
            self._runner.run(self._store.apply(reports, (), now=now))

    def answers(self, asking: Asking, visible: frozenset[str] | None) -> dict[str, object]:
        """Return the answers of a reader restricted to these namespaces, one row at a time; or of any reader."""
        if visible is None:
            return self._runner.run(asking.answers(self._store))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(things, "LOOKED_AT_MAXIMUM", 1)
            patch.setattr(executions, "LOOKED_AT_MAXIMUM", 1)
            return self._runner.run(asking.answers(self._store.visible_to(visible)))


@pytest.fixture(scope="module")
def indexes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Index, Index]]:
    """Open two indexes for all examples."""
    folder: Path = tmp_path_factory.mktemp("limited")
    paths = folder / "alone.db", folder / "together.db"
    stack = AsyncExitStack()
    with asyncio.Runner() as runner:
        stores = [runner.run(stack.enter_async_context(open_store(path))) for path in paths]
        with (
            closing(sqlite3.connect(paths[0], isolation_level=None)) as alone,
            closing(sqlite3.connect(paths[1], isolation_level=None)) as together,
        ):
            for connection, store in zip((alone, together), stores, strict=True):
                connection.execute("PRAGMA synchronous = OFF")  # durability does not matter here
                _hurry(store)
            yield Index(runner, stores[0], alone), Index(runner, stores[1], together)
        runner.run(stack.aclose())


def _hurry(store: SqliteStore) -> None:
    writer_of(store).connection.execute("PRAGMA synchronous = OFF")


def _batches(data: st.DataObject, messages: Sequence[Sequence[Report]]) -> list[Batch]:
    """Return reports in batches; the reports of a message stay together, because its namespace comes with them."""
    order = data.draw(st.permutations([*messages, *messages[: data.draw(st.integers(0, 3))]]))
    batches: list[list[Report]] = [[]]
    for reports in order:
        batches[-1] += reports
        if data.draw(st.booleans()):
            batches.append([])
    return [(told, NOW + timedelta(minutes=number)) for number, told in enumerate(batches)]


def _each(messages: Sequence[Message]) -> list[list[Report]]:
    return [parse([message])[0] for message in messages]


def _with(data: st.DataObject, batches: Sequence[Batch], others: Sequence[Report]) -> list[Batch]:
    """Return the batches with the others' reports before, after or inside them."""
    rest = list(others)
    together: list[Batch] = []
    for reports, now in (*batches, ((), NOW + timedelta(hours=3))):
        count = data.draw(st.integers(0, len(rest)))
        mine, rest = (rest[:count], rest[count:]) if now < NOW + timedelta(hours=3) else (rest, [])
        match data.draw(st.sampled_from(["before", "within", "behind"])):
            case "before":
                together += [(mine, now), (reports, now)]
            case "behind":
                together += [(reports, now), (mine, now)]
            case _:
                together.append(((*mine, *reports), now))
    return together


def _any_streams() -> st.SearchStrategy[list[Message]]:
    kinds = [("groups",), ("sightings", "ends"), ("life", "group_event"), ("deletion", "rivals", "job_event")]
    return st.one_of(streams(), *(streams_of(some) for some in kinds))


@given(data=st.data(), messages=_any_streams(), others=_any_streams(), asking=askings())
def test_others_jobs_do_not_show(
    indexes: tuple[Index, Index],
    data: st.DataObject,
    messages: list[Message],
    others: list[Message],
    asking: Asking,
) -> None:
    """Jobs outside the visible namespaces never change an answer, even if they share things, groups and times."""
    alone, together = indexes
    visible = data.draw(st.sampled_from([V, frozenset(NAMESPACE_IDS[:1]), frozenset({NAMESPACE_IDS[1], "never", ""})]))
    batches = _batches(data, _each(messages))
    alone.fill(batches)
    together.fill(_with(data, batches, list(elsewhere(parse(others)[0]))))
    assert alone.answers(asking, visible) == together.answers(asking, visible)


@given(data=st.data(), messages=_any_streams(), others=_any_streams(), asking=askings())
def test_who_sees_all_namespaces_of_an_index_sees_all_of_it(
    indexes: tuple[Index, Index],
    data: st.DataObject,
    messages: list[Message],
    others: list[Message],
    asking: Asking,
) -> None:
    """A reader of all namespaces of an index answers like an unrestricted one, even if other jobs exist.

    An exception is a thing group without jobs, which is unknown to a restricted reader.
    """
    alone, together = indexes
    batches = _batches(data, [[*all_within(reports)] for reports in _each(messages)])
    alone.fill(batches)
    together.fill(_with(data, batches, list(elsewhere(parse(others)[0]))))
    assert _whether_known(alone.answers(asking, None)) == _whether_known(together.answers(asking, V))


def _whether_known(answers: dict[str, object]) -> dict[str, object]:
    """Replace pages without jobs and errors of unknown thing groups by the same value."""
    return {
        question: "nothing" if "Thing group " in str(answer) or not re.search(r"b'[^']", str(answer)) else answer
        for question, answer in answers.items()
        if question.startswith(("list_jobs", "jobs_by_id"))
    } | {
        question: answer for question, answer in answers.items() if not question.startswith(("list_jobs", "jobs_by_id"))
    }


# Examples


async def tell(store: Store, *messages: Telling, minute: int = 0) -> None:
    """Apply messages in one batch."""
    reports = parsed(*messages)
    await store.apply(reports, (), now=NOW + timedelta(minutes=minute))


def change(minute: int, status: JobStatus | None, former: JobStatus | None, *, is_told: bool = True) -> JobChange:
    """Return a change of a job in namespace n1."""
    return JobChange(
        changed_at=NOW + timedelta(minutes=minute),
        status=status,
        former_status=former,
        namespace_id="n1",
        is_status_reported=is_told,
    )


CANCELED, COMPLETED, SCHEDULED = JobStatus.CANCELED, JobStatus.COMPLETED, JobStatus.SCHEDULED


async def test_a_job_that_comes_and_goes_is_listed_and_deleted(store: Store) -> None:
    """A job that enters and leaves a namespace is listed and deleted there, without its changes elsewhere."""
    for minute, (namespace, status) in enumerate(
        [
            ("n2", "SCHEDULED"),
            ("n1", "COMPLETED"),
            ("n1", "CANCELED"),
            ("n2", "COMPLETED"),
            ("n2", "CANCELED"),
            ("n1", "SCHEDULED"),
        ]
    ):
        await tell(store, job("j1", namespace, status=status, createdAt=1, lastUpdatedAt=minute + 2), minute=minute)
    await tell(store, event("deleted", timestamp=100), minute=6)
    reader = store.visible_to(N1)
    expected = [
        change(6, None, SCHEDULED, is_told=False),
        change(5, SCHEDULED, None),
        change(3, None, CANCELED, is_told=False),
        change(2, CANCELED, COMPLETED),
        change(1, COMPLETED, None),
    ]
    assert expected == await reader.job_changes("j1", limit=100)
    assert expected[:2] == await reader.job_changes("j1", limit=2)
    assert [] == await store.visible_to(NONE).job_changes("j1", limit=100)
    assert 5 == len(await store.visible_to(frozenset({"n2"})).job_changes("j1", limit=100))
    assert await store.job_changes("j1", limit=100) == await store.visible_to(N1 | {"n2"}).job_changes("j1", limit=100)


async def test_a_deletion_elsewhere_does_not_show(store: Store) -> None:
    """A job that left a namespace was deleted when it left, and later reports do not show."""
    await tell(store, job("j1", "n1", status="COMPLETED", createdAt=1, lastUpdatedAt=2))
    await tell(store, job("j1", "n2", status="CANCELED", lastUpdatedAt=3), minute=1)
    await tell(store, event("deleted", timestamp=10), event("canceled", lastUpdatedAt=20), minute=2)
    gone = [change(1, None, COMPLETED, is_told=False), change(0, COMPLETED, None)]
    assert gone == await store.visible_to(N1).job_changes("j1", limit=100)


async def test_what_a_deletion_tells_is_told(store: Store) -> None:
    """A deletion shows to a restricted reader as to any other; a new job of the id elsewhere does not."""
    await tell(store, job("j1", "n1", status="COMPLETED", createdAt=1, lastUpdatedAt=2))
    await tell(store, event("deleted", timestamp=10), event("canceled", lastUpdatedAt=20), minute=1)
    expected = [change(1, None, COMPLETED, is_told=False), change(0, COMPLETED, None)]
    assert expected == await store.visible_to(N1).job_changes("j1", limit=100)
    assert expected == await store.job_changes("j1", limit=100)
    await tell(store, job("j1", "n2", createdAt=30, lastUpdatedAt=30), minute=2)
    assert expected == await store.visible_to(N1).job_changes("j1", limit=100)


async def test_the_oldest_change_that_is_kept_of_many_tells_where_the_job_was(store: Store) -> None:
    """A restricted reader has all stored changes of a job, even if older ones were discarded."""
    for minute in range(CHANGES_MAXIMUM + 5):
        status = "IN_PROGRESS" if minute % 2 else "CANCELED"
        await tell(store, job("j1", "n1", status=status, createdAt=1, lastUpdatedAt=minute + 1), minute=minute)
    everything = await store.job_changes("j1", limit=1000)
    assert CHANGES_MAXIMUM == len(everything)
    assert everything == await store.visible_to(N1).job_changes("j1", limit=1000)


async def test_a_job_that_came_before_all_changes_that_are_kept(store: Store) -> None:
    """A job that left a namespace before its oldest stored change does not show there."""
    await tell(store, job("j1", "n1", status="COMPLETED", createdAt=1, lastUpdatedAt=1))
    for minute in range(1, CHANGES_MAXIMUM + 2):
        status = "IN_PROGRESS" if minute % 2 else "CANCELED"
        await tell(store, job("j1", "n2", status=status, lastUpdatedAt=minute + 1), minute=minute)
    assert [] == await store.visible_to(N1).job_changes("j1", limit=1000)


@pytest.mark.parametrize(
    "ask",
    [
        lambda reader, name: reader.job(name),
        lambda reader, name: reader.executions_of_job(name, state=None, after=None, limit=1),
        lambda reader, name: reader.job_execution(name, "t1"),
        lambda reader, name: reader.job_execution("j1", name),
        lambda reader, name: reader.thing(name),
        lambda reader, name: reader.executions_of_thing(
            name, namespace_id=None, state=None, job_id=None, after=None, limit=1
        ),
        lambda reader, name: reader.list_jobs(ListJobsQuery(filters=Filters(thing_group_name=name))),
        lambda reader, name: reader.list_jobs(ListJobsQuery(filters=Filters(thing_group_id=name))),
        lambda reader, name: reader.jobs_by_id("", Filters(thing_group_name=name), after="", limit=1),
    ],
    ids=[
        "a job",
        "executions of a job",
        "an execution of a job",
        "an execution on a thing",
        "a thing",
        "executions of a thing",
        "a group",
        "a group by id",
        "jobs of a group",
    ],
)
async def test_what_is_of_others_is_as_unknown_as_what_never_was(
    store: Store, ask: Callable[[Reader, str], Awaitable[object]]
) -> None:
    """Invisible objects raise exactly the same error as unknown ones."""
    await tell(
        store,
        job("j1", "n1", createdAt=1, thingGroupName="g1"),
        job("others", "n2", createdAt=1, thingGroupName="others", thingGroupId="others"),
        execution("QUEUED", "others", "others", queuedAt=1, lastUpdatedAt=1),
        job("g2", "n2", createdAt=1, thingGroupName="others", thingGroupId="g2"),
        pending(2, thing="others", namespace="n2"),
        pending(2, thing="others", namespace=None),
    )
    unknown = await asked(ask(store, "unknown"))
    assert "ResourceNotFoundException" in str(unknown)
    for visible in (N1, NONE, frozenset[str]()):
        reader = store.visible_to(visible)
        assert str(unknown) == str(await asked(ask(reader, "unknown")))
        assert str(unknown).replace("unknown", "others") == str(await asked(ask(reader, "others")))


async def test_of_two_groups_each_must_be_known(store: Store) -> None:
    """A filter on two groups names the first one that the reader does not know."""
    await tell(store, job("j1", "n1", thingGroupName="g1"), job("j2", "n2", thingGroupName="g2", thingGroupId="id"))
    both = ListJobsQuery(filters=Filters(thing_group_name="g1", thing_group_id="id"))
    assert [] == await job_ids(store, both)
    for namespace_id, unknown in (("n1", "id"), ("n2", "g1"), ("n9", "g1")):
        with pytest.raises(
            ResourceNotFoundException, match=f"^Thing group {unknown} cannot be found: it is not known here yet, "
        ):
            await store.visible_to(frozenset({namespace_id})).list_jobs(both)


async def test_a_group_is_known_by_a_job_that_was_told_with_what_it_is_tied_to(store: Store) -> None:
    """Once a message ties a group's name to an id, a restricted reader finds its jobs by both."""
    await tell(store, job("j1", "n1", createdAt=1, thingGroupName="g"), job("j2", "n2", createdAt=2, thingGroupId="id"))
    by_id = ListJobsQuery(filters=Filters(thing_group_id="id"))
    assert "cannot be found" in str(await asked(store.visible_to(N1).list_jobs(by_id)))
    await tell(store, group("g", "id"))
    assert ["j1"] == await job_ids(store.visible_to(N1), by_id)
    assert ["j2", "j1"] == await job_ids(store, by_id)


async def job_ids(reader: Reader, query: ListJobsQuery) -> list[str]:
    """Return the ids of the jobs of a page."""
    return [one["jobId"] for one in json.loads(b"[" + (await reader.list_jobs(query)).jobs + b"]")]


@pytest.mark.parametrize("count", [2, 12], ids=["few", "many"])
async def test_two_groups_find_the_jobs_of_both(store: Store, count: int) -> None:
    """A filter on two groups finds the jobs of both, page by page, however many groups a job has."""
    targets = [arn(f"thinggroup/g{number}") for number in range(count)]
    jobs = [job(f"both-{number}", f"n{number % 2}", createdAt=number, targets=targets) for number in range(6)]
    others = [arn(f"thinggroup/other-{number}") for number in range(count)]
    await tell(store, *jobs, job("one", "n1", createdAt=2, targets=[targets[0], *others]), group("g1", "id"))
    query = ListJobsQuery(filters=Filters(thing_group_name="g0", thing_group_id="id"), max_results=2)
    page = await store.visible_to(N1).list_jobs(query)
    assert ["both-5", "both-3"] == [one["jobId"] for one in json.loads(b"[" + page.jobs + b"]")]
    assert ["both-1"] == await job_ids(store.visible_to(N1), replace(query, after=page.next_position))


async def test_a_page_that_takes_long_is_of_the_same_namespaces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page that is read in a thread has the same jobs as one that is read at once."""
    monkeypatch.setattr(quick, "INSTRUCTIONS_MAXIMUM", 1)
    async with open_store(tmp_path / "jobindex.db") as store:
        await tell(store, *(job(f"j{number}", "n1" if number % 2 else "n2", createdAt=number) for number in range(99)))
        reader = store.visible_to(N1)
        with pytest.raises(sqlite3.OperationalError, match="interrupted"):
            store._engine._quick.read(store._engine, ListJobsQuery(), N1)
        assert [f"j{number}" for number in range(97, 0, -2)] == await job_ids(reader, ListJobsQuery())


async def test_a_limited_reader_has_the_version_of_its_store(store: Store) -> None:
    """The version of a restricted reader changes with every write, even of invisible jobs."""
    reader = store.visible_to(N1)
    version = reader.version
    await tell(store, job("j1", "n2"))
    assert version < reader.version <= store.version


async def test_jobs_without_a_namespace_are_seen_by_none(store: Store) -> None:
    """A job without a namespace is invisible to every restricted reader."""
    await tell(store, execution("QUEUED", queuedAt=1, lastUpdatedAt=1), pending(2, entry(), namespace=None))
    reader = store.visible_to(frozenset({""}))
    assert [] == await reader.namespaces(after=None, limit=10, now=NOW)
    assert [] == await reader.things(prefix="", after="", limit=10)
    assert [] == await job_ids(reader, ListJobsQuery())


async def test_things_are_found_beyond_those_of_others(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page of things is full and lists each thing once, however many invisible things precede it."""
    monkeypatch.setattr(things, "LOOKED_AT_MAXIMUM", 2)
    await tell(store, *(execution("QUEUED", "other", f"a{number}", lastUpdatedAt=1) for number in range(9)))
    mine = [execution("QUEUED", job_id, thing, lastUpdatedAt=1) for job_id in ("j1", "j2") for thing in ("b", "c")]
    await tell(store, *mine, job("j1", "n1"), job("j2", "n1"), pending(2, thing="b"), pending(2, thing="d"))
    reader = store.visible_to(N1)
    assert ["b", "c"] == await reader.things(prefix="", after="", limit=2)
    assert ["b", "c", "d"] == await reader.things(prefix="", after="", limit=4)
    assert ["d"] == await reader.things(prefix="", after="c", limit=2)


# Query plans


@pytest.fixture
async def migrated(tmp_path: Path) -> AsyncIterator[sqlite3.Connection]:
    """Open a migrated file."""
    await migrate(tmp_path / "jobindex.db")
    with closing(sqlite3.connect(tmp_path / "jobindex.db")) as connection:
        yield connection


@pytest.fixture
async def told(tmp_path: Path) -> AsyncIterator[sqlite3.Connection]:
    """Open a file with an execution and a few jobs."""
    path = tmp_path / "jobindex.db"
    async with open_store(path) as store:
        await tell(store, execution("QUEUED", lastUpdatedAt=1), job("j1", "n1", thingGroupName="g"))
        await tell(store, *(job(f"j{number}", "n2") for number in range(10, 19)))
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        yield connection


SEEN = json.dumps(["n1", "n2"])


@pytest.mark.parametrize("after", [None, Position(created_at=NOW, job_id="j1")], ids=["first page", "next page"])
@pytest.mark.parametrize("is_backwards", [False, True], ids=["forwards", "backwards"])
@pytest.mark.parametrize("keys", [None, [GroupKey("name:g"), GroupKey("name:g", "name:h")]], ids=["all", "of a group"])
def test_a_page_of_some_namespaces_costs_the_same_at_any_size(
    migrated: sqlite3.Connection, keys: Sequence[GroupKey] | None, after: Position | None, *, is_backwards: bool
) -> None:
    """A restricted page reads each namespace and kind in index order, and sorts only the page."""
    query = ListJobsQuery(after=after, is_backwards=is_backwards)
    places = [Partition("n", kind, None if keys is None else keys[kind]) for kind in range(2)]
    steps = plan(migrated, scoped_statement(query, keys), scoped_parameters(query, places))
    lookups = [step for step in steps if step.startswith("SEARCH behind")]
    comparison = ">" if is_backwards else "<"
    behind = [step for step in lookups if step.endswith(f"kind=? AND (created_at,job_id){comparison}(?,?))")]
    assert (4, 2 if after is None else 4) == (len(lookups), len(behind))
    assert all("_by_namespace (" in step for step in lookups)
    allowed = ("SCAN json_each VIRTUAL", "SCAN places", "SCAN queue", "SCAN page", "SCAN (subquery")
    sorts = ["USE TEMP B-TREE FOR DISTINCT", *(["USE TEMP B-TREE FOR ORDER BY"] if is_backwards else [])]
    assert sorts == [step for step in steps if not is_cheap(step, allowed)]


@pytest.mark.parametrize(
    "statement",
    [scoped_pages._PARTITIONS, scoped_pages._PARTITIONS_IN_GROUP, group_keys._IS_VISIBLE_IN_GROUP],
    ids=["all", "of a group", "whether of a group"],
)
def test_where_jobs_are_is_looked_up(migrated: sqlite3.Connection, statement: str) -> None:
    """The namespaces and kinds of visible jobs are found by an index."""
    steps = plan(migrated, statement, {"keys": '["name:g"]', "visible": SEEN})
    allowed = ("SCAN json_each VIRTUAL", "SCAN key VIRTUAL", "SCAN visible VIRTUAL", "SCAN CONSTANT ROW")
    assert [] == [step for step in steps if not is_cheap(step, allowed)]


def of_executions(ask: Callable[..., object], **asked: object) -> Callable[..., object]:
    """Return a query for executions that takes a connection and the visible namespaces."""
    return lambda connection, visible: ask(ExecutionReader(connection, SqliteEngine.rows, "", visible), **asked)


QUESTIONS: Sequence[Callable[..., object]] = [
    of_executions(ExecutionReader.read, job_id="j1", thing_name="t1"),
    of_executions(ExecutionReader.of_job, job_id="j1", state=None, after=None, limit=1),
    of_executions(ExecutionReader.of_job, job_id="j1", state=None, after='["t"]', limit=1),
    *(
        of_executions(
            ExecutionReader.of_thing,
            thing_name="t1",
            namespace_id="n1",
            state=state,
            job_id=None,
            after=None,
            limit=1,
            with_former=with_former,
        )
        for state in (None, ExecutionState.QUEUED)
        for with_former in (False, True)
    ),
    of_executions(ExecutionReader.waiting, since=NOW, namespace_id="n1", after='[1,"j","t"]', limit=1),
    of_executions(ExecutionReader.count_waiting, since=NOW, maximum=1),
    partial(things.read_thing, thing_name="t1"),
    partial(things.read_things, prefix="t", after="t0", limit=10),
    partial(index.read_job, rows=SqliteEngine.rows, job_id="j1", arn_prefix=""),
    partial(index.read_namespaces, after=None, limit=1, now=NOW),
    partial(changes.read_changes, job_id="j1", limit=1),
]


@pytest.mark.parametrize("ask", QUESTIONS, ids=[f"question {number}" for number in range(len(QUESTIONS))])
async def test_nothing_is_looked_for_in_a_whole_table(
    told: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch, ask: Callable[..., object]
) -> None:
    """Every query of a restricted reader uses an index."""
    monkeypatch.setattr(things, "LOOKED_AT_MAXIMUM", 1)
    statements: list[str] = []
    told.set_trace_callback(statements.append)
    ask(told, visible=frozenset({"n1", "n2"}))
    told.set_trace_callback(None)
    allowed = (
        "SCAN names",
        "SCAN waiting",
        "SCAN (subquery",
        "SCAN CONSTANT ROW",
        "SCAN json_each VIRTUAL",
        "SCAN visible VIRTUAL",
        "SCAN given VIRTUAL",
        "SCAN source",  # one row
    )
    sorts = ("USE TEMP B-TREE FOR ORDER BY", "USE TEMP B-TREE FOR GROUP BY")  # of one job, one thing, or the namespaces
    steps = [step for statement in statements for step in plan(told, statement, {})]
    assert steps
    assert [] == [step for step in steps if not is_cheap(step, allowed) and step not in sorts]


@pytest.mark.parametrize("thing_group", [None, "g"])
async def test_jobs_by_id_are_found_by_namespace(told: sqlite3.Connection, thing_group: str | None) -> None:
    """A search by id examines only the ids of visible namespaces, in order."""
    filters = Filters(thing_group_name=thing_group)
    statements: list[str] = []
    told.set_trace_callback(statements.append)
    search.read_jobs_by_id(
        told, prefix="j", filters=filters, after="", limit=1, arn_prefix="", visible=frozenset({"n1"})
    )
    told.set_trace_callback(None)
    steps = [step for statement in statements for step in plan(told, statement, {})]
    looking = "SEARCH job_summaries USING COVERING INDEX job_summaries_by_id (namespace_id=? AND job_id>? AND job_id<?)"
    assert looking in steps
    given = [step for step in steps if "VIRTUAL TABLE" in step]  # json_each
    allowed = ("SCAN found", "SCAN CONSTANT ROW", "SCAN source")
    assert [] == [
        step for step in steps if step.startswith("SCAN") and not step.startswith(allowed) and step not in given
    ]
    assert "USE TEMP B-TREE FOR ORDER BY" not in steps


def test_things_are_found_by_namespace(migrated: sqlite3.Connection) -> None:
    """Visible things are found from visible jobs, and from pending lists by name."""
    steps = plan(
        migrated, things._LOOK_AMONG_VISIBLE, {"prefix": "", "first": "", "after": "", "limit": 1, "visible": SEEN}
    )
    searches = [step for step in steps if step.startswith("SEARCH")]
    assert [
        "SEARCH job_summaries USING COVERING INDEX job_summaries_by_id (namespace_id=?)",
        "SEARCH executions USING PRIMARY KEY (job_id=? AND thing_name>? AND thing_name<?)",
        "SEARCH pending_lists USING PRIMARY KEY (thing_name>? AND thing_name<?)",
    ] == searches
    assert [] == [step for step in steps if step.startswith("SCAN") and not step.startswith("SCAN json_each VIRTUAL")]
