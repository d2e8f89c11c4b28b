"""Every query that a reader answers, about the names in the messages of `message_streams.py`."""

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import product
from typing import Any, TypeVar

from hypothesis import strategies as st

from jobindex.errors import JobindexError
from jobindex.model.jobs import JobStatus, TargetSelection
from jobindex.model.listing import Filters, ListJobsQuery
from jobindex.model.reader import Reader
from support.message_streams import GROUP_IDS, GROUP_NAMES, JOB_IDS, NAMESPACE_IDS, THING_NAMES

T = TypeVar("T")

NOW = datetime(2030, 1, 1, tzinfo=UTC)

# Renames the names of one stream for the other. Some are shared, and new names sort beside the old ones.
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


async def asked(question: Awaitable[object]) -> object:
    """Return the answer, or the type and message of the error."""
    try:
        return await question
    except JobindexError as error:
        return type(error), str(error)


def values(answer: object) -> object:
    """Return an answer with its JSON as values: 1.0 equals 1."""
    match answer:
        case bytes():
            return json.loads(b"[" + answer + b"]")
        case list() | tuple():
            return [values(one) for one in answer]
        case _:
            return answer


async def paged(page: Callable[[T], Awaitable[tuple[object, T | None]]], first: T) -> object:
    """Return all pages with their positions, or the type and message of the error."""
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
    """Queries of all kinds, with the filters and the page size."""

    limit: int
    filters: Sequence[Filters]

    async def answers(self, reader: Reader) -> dict[str, object]:
        """Return the answer to each query."""
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
    """Make queries with a few filters."""
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
