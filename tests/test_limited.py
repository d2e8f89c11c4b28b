"""A reader that is limited to some namespaces answers as if nothing had ever been told of jobs outside them."""

import asyncio
import json
import re
import sqlite3
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from streams import (
    GROUP_IDS,
    GROUP_NAMES,
    JOB_IDS,
    NAMESPACE_IDS,
    THING_NAMES,
    Message,
    arrivals_of,
    parse,
    streams,
    streams_of,
)
from test_order import ARRIVALS, TABLES

from jobindex.errors import JobindexError
from jobindex.jobs import (
    JobDeletion,
    JobExecutionReport,
    JobReport,
    JobStatus,
    PendingListReport,
    Report,
    TargetSelection,
    ThingGroupReport,
)
from jobindex.listing import Filters, ListJobsQuery
from jobindex.reader import Reader
from jobindex.sqlite import executions, pages, search, things
from jobindex.sqlite.store import SqliteStore, open_store

pytestmark = pytest.mark.timeout(1800)  # for the long profile

T = TypeVar("T")

NOW = datetime(2030, 1, 1, tzinfo=UTC)
V = frozenset(NAMESPACE_IDS)

Batch = tuple[Sequence[Report], datetime]

# What the names of one stream are in the other. Some are shared, and the others sort among those that they stand for.
JOBS = {name: f"{name}b" for name in JOB_IDS} | {f"other-{number}": f"other-{number}b" for number in range(12)}
THINGS = {THING_NAMES[1]: f"{THING_NAMES[0]}b"}
NAMESPACES = {NAMESPACE_IDS[0]: f"{NAMESPACE_IDS[0]}-b", NAMESPACE_IDS[1]: None}
NAMES_OF_GROUPS = {GROUP_NAMES[1]: f"{GROUP_NAMES[1]}-b"}
IDS_OF_GROUPS = {GROUP_IDS[1]: f"{GROUP_IDS[1]}-b"}

ALL_JOBS = (*JOB_IDS[:3], *(JOBS[name] for name in JOB_IDS[:3]), "never")
ALL_THINGS = (*THING_NAMES, *THINGS.values(), "never")
ALL_NAMESPACES = (*NAMESPACE_IDS, f"{NAMESPACE_IDS[0]}-b", "never")
ALL_GROUP_NAMES = (*GROUP_NAMES, *NAMES_OF_GROUPS.values(), "never")
ALL_GROUP_IDS = (*GROUP_IDS, *IDS_OF_GROUPS.values(), "never")


def elsewhere(reports: Sequence[Report]) -> Iterator[Report]:
    """Tell the same of other jobs, in other namespaces or in none, on things and in groups some of which are shared.

    Ties of a name that is shared are left out: who knows a group by its name knows it by every id tied to it.
    """
    for report in reports:
        match report:
            case JobReport():
                names = report.target_group_names
                yield replace(
                    report,
                    job_id=JOBS[report.job_id],
                    namespace_id=NAMESPACES.get(report.namespace_id or ""),
                    thing_group_id=_renamed(report.thing_group_id, IDS_OF_GROUPS),
                    thing_group_name=_renamed(report.thing_group_name, NAMES_OF_GROUPS),
                    target_group_names=names and tuple(sorted(NAMES_OF_GROUPS.get(name, name) for name in names)),
                )
            case JobDeletion():
                yield replace(report, job_id=JOBS[report.job_id])
            case JobExecutionReport(thing_name=thing_name):
                yield replace(report, job_id=JOBS[report.job_id], thing_name=THINGS.get(thing_name, thing_name))
            case PendingListReport(thing_name=thing_name):
                namespace_id = NAMESPACES.get(report.namespace_id or "")
                yield replace(report, thing_name=THINGS.get(thing_name, thing_name), namespace_id=namespace_id)
            case ThingGroupReport():
                name = _renamed(report.thing_group_name, NAMES_OF_GROUPS)
                id_ = _renamed(report.thing_group_id, IDS_OF_GROUPS)
                if name in NAMES_OF_GROUPS.values() and id_ in IDS_OF_GROUPS.values():
                    yield ThingGroupReport(thing_group_name=name, thing_group_id=id_)
                else:
                    yield ThingGroupReport(thing_group_name=name)
                    yield ThingGroupReport(thing_group_id=id_)


def _renamed(name: str | None, names: dict[str, str]) -> str | None:
    return None if name is None else names.get(name, name)


def all_within(reports: Sequence[Report]) -> Iterator[Report]:
    """Tell the same in namespaces alone, and of no deletion, of which a reader that is limited sees less."""
    for report in reports:
        if isinstance(report, JobReport | PendingListReport):
            yield replace(report, namespace_id=report.namespace_id or NAMESPACE_IDS[0])
        elif not isinstance(report, JobDeletion):
            yield report


Answer = tuple[object, ...]


async def asked(question: Awaitable[object]) -> object:
    """Return the answer, or what the error says."""
    try:
        return await question
    except JobindexError as error:
        return type(error), str(error)


async def paged(page: Callable[[T], Awaitable[tuple[object, T | None]]], first: T) -> object:
    """Return all pages with their positions, or what the error says."""
    found: list[object] = []
    after: T | None = first
    while after is not None:
        try:
            *_, after = answer = await page(after)
        except JobindexError as error:
            return type(error), str(error)
        found.append(answer)
        assert len(found) < 1000
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """Questions, with everything that any reader can be asked, and how much of it at a time."""

    limit: int
    filters: Sequence[Filters]

    async def answers(self, reader: Reader) -> dict[str, object]:
        """Return the answer to each question."""
        answers: dict[str, object] = {"job_namespaces": await reader.job_namespaces(ALL_JOBS)}
        answers["namespaces"] = await self._namespaces(reader)
        for filters in self.filters:
            answers[f"list_jobs {filters}"] = await self._list_jobs(reader, filters)
            answers[f"jobs_by_id {filters}"] = await self._jobs_by_id(reader, filters)
        for job_id in ALL_JOBS:
            answers[f"job {job_id}"] = await asked(reader.job(job_id))
            answers[f"job_changes {job_id}"] = await asked(reader.job_changes(job_id, limit=self.limit))
            answers[f"executions_of_job {job_id}"] = await self._executions_of_job(reader, job_id)
            for thing_name in THING_NAMES:
                name = f"job_execution {job_id} {thing_name}"
                answers[name] = await asked(reader.job_execution(job_id, thing_name))
        for thing_name in ALL_THINGS:
            answers[f"thing {thing_name}"] = await asked(reader.thing(thing_name))
            for filtered in ({}, {"namespace_id": ALL_NAMESPACES[2]}, {"job_id": ALL_JOBS[3]}):
                name = f"executions_of_thing {thing_name} {filtered}"
                answers[name] = await self._executions_of_thing(reader, thing_name, **filtered)
        answers["things"] = await self._things(reader)
        for namespace_id in (None, *ALL_NAMESPACES[:3]):
            answers[f"waiting_executions {namespace_id}"] = await self._waiting(reader, namespace_id)
        answers["count_waiting"] = [await reader.count_waiting(since=NOW, maximum=limit) for limit in (1, 3, 100)]
        return answers

    async def _namespaces(self, reader: Reader) -> object:
        behind = (None, "", *ALL_NAMESPACES)
        limits = (self.limit, 100)
        return [await reader.namespaces(after=after, limit=limit, now=NOW) for after, limit in product(behind, limits)]

    async def _list_jobs(self, reader: Reader, filters: Filters) -> object:
        async def page(query: ListJobsQuery) -> tuple[object, ListJobsQuery | None]:
            found = await reader.list_jobs(query)
            assert len(json.loads(b"[" + found.jobs + b"]")) == self.limit or found.next_position is None
            following = None if found.next_position is None else replace(query, after=found.next_position)
            return found.jobs, following

        first = ListJobsQuery(filters=filters, max_results=self.limit)
        return [await paged(page, replace(first, is_backwards=is_backwards)) for is_backwards in (False, True)]

    async def _jobs_by_id(self, reader: Reader, filters: Filters) -> object:
        def page_of(prefix: str) -> Callable[[str], Awaitable[tuple[bytes, str | None]]]:
            async def page(after: str) -> tuple[bytes, str | None]:
                found = await reader.jobs_by_id(prefix, filters, after=after, limit=self.limit)
                return found.jobs, found.next_position

            return page

        return [await paged(page_of(prefix), "") for prefix in ("", "job-2")]

    async def _executions_of_job(self, reader: Reader, job_id: str) -> object:
        async def page(after: str) -> tuple[object, str | None]:
            found = await reader.executions_of_job(job_id, state=None, after=after or None, limit=self.limit)
            return found.executions, found.next_position

        return await paged(page, "")

    async def _executions_of_thing(self, reader: Reader, thing_name: str, **filtered: str) -> object:
        wanted: dict[str, Any] = {"namespace_id": None, "state": None, "job_id": None, **filtered}

        async def page(after: str) -> tuple[object, str | None]:
            found = await reader.executions_of_thing(thing_name, after=after or None, limit=self.limit, **wanted)
            return found.executions, found.next_position

        return await paged(page, "")

    async def _waiting(self, reader: Reader, namespace_id: str | None) -> object:
        async def page(after: str) -> tuple[object, str | None]:
            found = await reader.waiting_executions(
                since=NOW, namespace_id=namespace_id, after=after or None, limit=self.limit
            )
            return found.executions, found.next_position

        return await paged(page, "")

    async def _things(self, reader: Reader) -> object:
        behind = ("", *ALL_THINGS)
        prefixes = ("", THING_NAMES[0])
        return [
            await reader.things(prefix=prefix, after=after, limit=limit)
            for prefix, after, limit in product(prefixes, behind, (self.limit, 100))
        ]


@st.composite
def askings(draw: st.DrawFn) -> Asking:
    """Make questions with some of all filters."""
    filters = st.builds(
        Filters,
        namespace_id=st.sampled_from([None, None, *ALL_NAMESPACES]),
        status=st.sampled_from([None, None, *JobStatus]),
        target_selection=st.sampled_from([None, None, *TargetSelection]),
    )
    groups = st.builds(
        Filters,
        thing_group_name=st.sampled_from([None, *ALL_GROUP_NAMES]),
        thing_group_id=st.sampled_from([None, *ALL_GROUP_IDS]),
        namespace_id=st.sampled_from([None, None, None, *ALL_NAMESPACES]),
    )
    some = [draw(filters), *(draw(groups) for _ in range(3))]
    return Asking(limit=draw(st.sampled_from([1, 1, 2, 100])), filters=[Filters(), *some])


class Index:
    """An index in a SQLite file that is emptied and filled again."""

    def __init__(self, runner: asyncio.Runner, store: SqliteStore, connection: sqlite3.Connection) -> None:
        self._runner = runner
        self._store = store
        self._connection = connection

    def fill(self, batches: Sequence[Batch]) -> None:
        """Forget everything, and apply these batches."""
        for table in (*TABLES, *ARRIVALS):
            self._connection.execute(f"DELETE FROM {table}")
        for reports, now in batches:
            self._runner.run(self._store.apply(reports, (), now=now))

    def answers(self, asking: Asking, seen: frozenset[str] | None) -> dict[str, object]:
        """Return what a reader answers that is limited to these namespaces, a few at a time; or one that is not."""
        if seen is None:
            return self._runner.run(asking.answers(self._store))
        with pytest.MonkeyPatch.context() as patch:
            for module, maximum in ((search, 2), (things, 1), (executions, 1)):
                patch.setattr(module, "LOOKED_AT_MAXIMUM", maximum)
            patch.setattr(pages, "STREAMS_MAXIMUM", 3)
            return self._runner.run(asking.answers(self._store.seen_by(seen)))


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
                connection.execute("PRAGMA synchronous = OFF")  # nothing here need survive a loss of power
                runner.run(_hurry(store))
            yield Index(runner, stores[0], alone), Index(runner, stores[1], together)
        runner.run(stack.aclose())


async def _hurry(store: SqliteStore) -> None:
    await store._writer.execute("PRAGMA synchronous = OFF")


def _batches(data: st.DataObject, reports: Sequence[Report]) -> list[Batch]:
    cut = data.draw(arrivals_of(reports)).batches
    return [(told, NOW + timedelta(minutes=number)) for number, (told, _) in enumerate(cut)]


def _with(data: st.DataObject, batches: Sequence[Batch], others: Sequence[Report]) -> list[Batch]:
    """Return the batches with others' among them: in batches of their own, or within the same."""
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
    """Whatever is told of other jobs, on the same things, in the same groups and at the same times, in any order."""
    alone, together = indexes
    seen = data.draw(st.sampled_from([V, frozenset(NAMESPACE_IDS[:1]), frozenset({NAMESPACE_IDS[1], "never", ""})]))
    batches = _batches(data, parse(messages)[0])
    alone.fill(batches)
    together.fill(_with(data, batches, list(elsewhere(parse(others)[0]))))
    assert alone.answers(asking, seen) == together.answers(asking, seen)


@given(data=st.data(), messages=_any_streams(), others=_any_streams(), asking=askings())
def test_who_sees_all_namespaces_of_an_index_sees_all_of_it(
    indexes: tuple[Index, Index],
    data: st.DataObject,
    messages: list[Message],
    others: list[Message],
    asking: Asking,
) -> None:
    """Beside whatever others, the answers are those that an index of nothing else gives to who may see everything.

    But for a thing group that no job is in, which is unknown to a reader that is limited, be it named in a message.
    """
    alone, together = indexes
    batches = _batches(data, list(all_within(parse(messages)[0])))
    alone.fill(batches)
    together.fill(_with(data, batches, list(elsewhere(parse(others)[0]))))
    assert _whether_known(alone.answers(asking, None)) == _whether_known(together.answers(asking, V))


def _whether_known(answers: dict[str, object]) -> dict[str, object]:
    """Take pages without a job for those of an unknown thing group."""
    return {
        question: "nothing" if "Thing group " in str(answer) or not re.search(r"b'[^']", str(answer)) else answer
        for question, answer in answers.items()
        if question.startswith(("list_jobs", "jobs_by_id"))
    } | {
        question: answer for question, answer in answers.items() if not question.startswith(("list_jobs", "jobs_by_id"))
    }
