"""Page tokens: changed, cut, made for another request, or forged with knowledge of the format."""

import asyncio
import json
import tempfile
from base64 import urlsafe_b64encode
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from fuzz import fleet
from fuzz.source import Source
from fuzz.target import Target, expect
from jobindex.errors import InvalidRequestException, ResourceNotFoundException
from jobindex.model.jobs import JobStatus, TargetSelection
from jobindex.model.listing import Filters, ListJobsQuery, Position, decode_token, encode_token
from jobindex.model.page_tokens import seal, seal_text, unseal_text
from jobindex.model.reader import Reader
from jobindex.model.store import Store
from jobindex.storage.sqlite.store import open_store

_NOW = datetime(2026, 11, 24, tzinfo=UTC)
_POSITIONS: Sequence[Sequence[object]] = (
    [fleet.THINGS[0]],
    [1_790_000_000_000, fleet.JOBS[0]],
    [1_790_000_000_000, fleet.JOBS[0], fleet.THINGS[0]],
    [-1, fleet.HIDDEN_JOB],
    [2**63 - 1, fleet.HIDDEN_JOB, fleet.HIDDEN_THING],
    [0, "", ""],
    [""],
)
_ODD_MEMBERS: Sequence[object] = (
    None,
    True,
    1.5,
    "",
    "\ud800",
    "é",
    -(2**63),
    2**63,
    10**40,
    [],
    {},
    "a\0b",
    "~" * 300,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A token, and two sets of filters."""

    token: str
    filters: Filters
    """The filters of the request."""
    is_for: Filters
    """The filters that the token was made for."""
    is_whole: bool
    """Whether the token is unchanged."""


def make(source: Source) -> Case:
    """Make a token."""
    is_for = _filters(source)
    filters = is_for if source.byte() < 192 else _filters(source)
    makers: Sequence[Callable[[], str]] = (
        lambda: encode_token(_position(source), is_for),
        lambda: seal(source.broken(_position_bytes(source)), _bound(is_for)),
        lambda: seal(_written(source), _bound(is_for)),
    )
    whole = source.pick(makers)()
    token = source.broken(whole.encode(), (b"=", b"-", b"_", b"AQ", b"AAAA", b"+", b"/", b" "))
    if source.happens(32):
        token = urlsafe_b64encode(source.broken(whole.encode()))
    text = token.decode("utf-8", "replace")
    return Case(token=text, filters=filters, is_for=is_for, is_whole=text == whole)


def _filters(source: Source) -> Filters:
    return Filters(
        namespace_id=source.pick([None, *fleet.NAMESPACES, fleet.HIDDEN_NAMESPACE]),
        status=source.pick([None, None, None, *JobStatus]),
        target_selection=source.pick([None, None, *TargetSelection]),
        thing_group_id=source.pick([None, None, None, "1-a"]),
        thing_group_name=source.pick([None, None, None, "blue", fleet.HIDDEN_GROUP]),
    )


def _position(source: Source) -> Position:
    times = (
        datetime(2026, 9, 22, tzinfo=UTC),
        _NOW,
        datetime(1970, 1, 1, tzinfo=UTC),
        datetime.max.replace(tzinfo=UTC),
    )
    return Position(created_at=source.pick(times), job_id=source.pick([*fleet.JOBS, fleet.HIDDEN_JOB, "~"]))


def _position_bytes(source: Source) -> bytes:
    milliseconds = source.pick([1_790_000_000_000, 0, -1, 2**63 - 1, -(2**63), 253_402_300_800_000])
    return milliseconds.to_bytes(8, "big", signed=True) + source.name(fleet.JOBS).encode()


def _written(source: Source) -> bytes:
    """Return a position in a list of executions, as a store writes it, or nearly so."""
    members = [*source.pick(_POSITIONS)]
    if source.happens(4):
        members[source.below(len(members))] = source.pick(_ODD_MEMBERS)
    return source.broken(json.dumps(members).encode(), at_most=1)


@contextmanager
def opened() -> Iterator[Target[Case]]:
    """Open the target with an index of a fleet, part of which is hidden."""
    with tempfile.TemporaryDirectory(prefix="jobindex-fuzz-") as folder, asyncio.Runner() as runner:
        stack = AsyncExitStack()
        store = runner.run(stack.enter_async_context(open_store(Path(folder) / "jobindex.db")))
        try:
            runner.run(fleet.tell(store))
            yield Target(make=make, check=lambda case: runner.run(check(case, store)))
        finally:
            runner.run(stack.aclose())


async def check(case: Case, store: Store) -> None:
    """Check that a token is accepted only for its own filters, and reveals nothing hidden."""
    questions: list[Callable[[Reader], Awaitable[object]]] = []
    filters = case.filters
    try:
        position = decode_token(case.token, filters)
    except InvalidRequestException:
        pass
    else:
        _check_is_of(case)
        expect(that=position == decode_token(encode_token(position, filters), filters), of=position)
        for is_backwards in (False, True):
            query = ListJobsQuery(filters=filters, max_results=2, after=position, is_backwards=is_backwards)
            questions.append(partial(_jobs, query))
    try:
        after = unseal_text(case.token, _bound(filters))
    except InvalidRequestException:
        pass
    else:
        _check_is_of(case)
        expect(that=(seal_text(after, _bound(filters)) or "") == case.token, of=after)
        questions += (
            *(partial(_of_thing, thing, after) for thing in (fleet.THINGS[0], fleet.HIDDEN_THING)),
            *(partial(_of_job, job, after) for job in (fleet.JOBS[0], fleet.HIDDEN_JOB)),
            *(partial(_waiting, namespace, after) for namespace in (None, fleet.HIDDEN_NAMESPACE)),
        )
    for question in questions:
        with suppress(InvalidRequestException, ResourceNotFoundException):
            await question(store)
        with suppress(InvalidRequestException, ResourceNotFoundException):
            told = await question(store.visible_to(frozenset(fleet.NAMESPACES)))
            expect(that=fleet.HIDDEN not in repr(told), of=told)


def _check_is_of(case: Case) -> None:
    expect(that=not case.token or case.is_whole, of="a token that was changed is accepted")
    expect(that=not case.token or case.filters == case.is_for, of="a token is accepted for other filters")


def _bound(filters: Filters) -> Sequence[str | None]:
    return (
        filters.namespace_id,
        filters.status,
        filters.target_selection,
        filters.thing_group_id,
        filters.thing_group_name,
    )


async def _jobs(query: ListJobsQuery, reader: Reader) -> object:
    page = await reader.list_jobs(query)
    return json.loads(b"[%s]" % page.jobs), page.next_position


async def _of_thing(thing: str, after: str | None, reader: Reader) -> object:
    return await reader.executions_of_thing(thing, namespace_id=None, state=None, job_id=None, after=after, limit=2)


async def _of_job(job: str, after: str | None, reader: Reader) -> object:
    return await reader.executions_of_job(job, state=None, after=after, limit=2)


async def _waiting(namespace: str | None, after: str | None, reader: Reader) -> object:
    return await reader.waiting_executions(since=_NOW, namespace_id=namespace, after=after, limit=2)
