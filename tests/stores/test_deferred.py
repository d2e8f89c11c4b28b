"""Deferred work: changes to many rows are made in steps, with the same result as at once."""

import asyncio
import random
import sqlite3
import time
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path

import orjson
import pytest
from support.empty_indexes import empty_index
from support.messages import Index, event, execution, job, parsed
from support.postgresql_servers import Databases
from support.shuffles import ARRIVALS
from support.simulated_evidence import Message
from support.writers import writer_of
from truth.store_answers import Filled, differences, postgres_after, sqlite_after

from jobindex.ingest.settling import Settler
from jobindex.model.listing import ListJobsQuery
from jobindex.model.store import Settled, Store
from jobindex.monitoring.state import ServiceState
from jobindex.storage.databases import SqliteDatabase
from jobindex.storage.opening import open_store
from jobindex.storage.sql import deferred, dependents
from jobindex.storage.sql.connection import Connection
from jobindex.storage.sql.deferred import Work
from jobindex.storage.sqlite.check import check

SEEDS = range(1, 13)
JOBS = ("job-1", "job-2", "job-3", "job-4")
THINGS = tuple(f"thing-{number}" for number in range(6))
NAMESPACES = ("n1", "n2")
NOW = datetime(2030, 1, 1, tzinfo=UTC)


class Crowd:
    """Messages for four jobs on many things, in several lives and namespaces, shuffled and partly repeated."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)
        self._has_events = self._rng.random() < 0.7
        self._second = 1_700_000_000
        self._pending: dict[str, dict[str, int]] = defaultdict(dict)
        self._messages: list[Message] = []
        for _ in range(self._rng.randint(1, 3)):
            for job_id in JOBS:
                self._live(job_id)
        told = len(self._messages)
        self._change_much()
        self.batches = self._cut(told)

    def _live(self, job_id: str) -> None:
        rng = self._rng
        created_at = self._tick()
        for thing_name in rng.sample(THINGS, rng.randint(4, len(THINGS))):
            self._pending[thing_name][job_id] = self._tick()
            self._list(thing_name, rng.choice(NAMESPACES))
            self._notify(thing_name, job_id, createdAt=created_at)
        for thing_name in rng.sample(THINGS, rng.randint(0, len(THINGS))):
            if self._pending[thing_name].pop(job_id, None) is not None:
                operation = rng.choice(("succeeded", "failed"))
                thing_arn = f"arn:aws:iot:us-east-1:123456789012:thing/{thing_name}"
                self._tell(f"$aws/events/jobExecution/{job_id}/{operation}", thingArn=thing_arn, timestamp=self._tick())
            if rng.random() < 0.5:
                for ended in rng.sample([*self._pending[thing_name]], rng.randint(0, len(self._pending[thing_name]))):
                    del self._pending[thing_name][ended]
                self._list(thing_name, rng.choice(NAMESPACES))
        operations: tuple[str, ...] = rng.choice(((), ("completed",), ("deleted",), ("completed", "deleted")))
        for operation in operations if self._has_events else ():
            now = self._tick()
            self._tell(f"$aws/events/job/{job_id}/{operation}", createdAt=created_at, lastUpdatedAt=now, timestamp=now)
        if self._has_events and "deleted" in operations:
            for pending in self._pending.values():
                pending.pop(job_id, None)

    def _change_much(self) -> None:
        """Add final messages, in any order, that change most of the rows."""
        self._pending.clear()
        empty = [partial(self._list, thing_name, namespace_id) for thing_name in THINGS for namespace_id in NAMESPACES]
        moves = [partial(self._notify, self._rng.choice(THINGS), job_id) for job_id in JOBS]
        for tell in self._rng.sample(empty + moves, len(empty + moves)):
            tell()
        self._tell("$aws/events/job/job-1/completed", timestamp=1_700_000_000)

    def _list(self, thing_name: str, namespace_id: str) -> None:
        queued = [
            {"jobId": job_id, "queuedAt": queued_at, "executionNumber": 1}
            for job_id, queued_at in self._pending[thing_name].items()
        ]
        topic = f"$aws/things/{thing_name}/jobs/notify-namespace-{namespace_id}"
        self._tell(topic, timestamp=self._tick(), jobs={"QUEUED": queued})

    def _notify(self, thing_name: str, job_id: str, **members: int) -> None:
        topic = f"$aws/things/{thing_name}/jobs/{job_id}/notify-namespace-{self._rng.choice(NAMESPACES)}"
        self._tell(topic, job={**members, "lastUpdatedAt": self._tick()})

    def _tell(self, topic: str, **payload: object) -> None:
        self._messages.append(Message(topic=topic, payload=orjson.dumps(payload), published_at=self._second * 1000))

    def _tick(self) -> int:
        self._second += self._rng.choice((0, 0, 1, 1, 7))
        return self._second

    def _cut(self, told: int) -> Sequence[Sequence[Message]]:
        rng = self._rng
        messages = self._messages[:told] + rng.sample(self._messages[:told], told // 3)
        if rng.random() < 0.7:
            rng.shuffle(messages)
        *last, event = self._messages[told:]
        messages += last
        size = rng.choice((1, 4, 20))
        return [*(messages[start : start + size] for start in range(0, len(messages), size)), [event]]


@cache
def at_once(seed: int) -> tuple[Crowd, Filled, Sequence[Mapping[str, object]]]:
    """Return a seed's messages, their index without deferred work, and the never-deferred answers after each batch."""
    crowd = Crowd(seed)
    after_each: list[Mapping[str, object]] = []

    async def between(store: Store) -> None:
        after_each.append(await never_deferred(store))

    return crowd, sqlite_after(crowd.batches, (), (), between), after_each


async def never_deferred(store: Store) -> Mapping[str, object]:
    """Return createdAt and namespace of each listed job, and read its executions."""
    page = await store.list_jobs(ListJobsQuery(max_results=250))
    found = {}
    for listed in orjson.loads(b"[%s]" % page.jobs):
        job = await store.job(listed["jobId"])
        found[job.job_id] = job.created_at, job.namespace_id
        await store.executions_of_job(job.job_id, state=None, after=None, limit=1000)
    return found


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Defer every change of more than one row, and count the deferred changes by kind."""
    counter: Counter[str] = Counter()
    defer = deferred.defer

    def count(connection: Connection, work: Work, names: Collection[str]) -> None:
        counter[work] += len(names)
        defer(connection, work, names)

    monkeypatch.setattr(deferred, "ROWS_MAXIMUM", 1)
    monkeypatch.setattr(deferred, "STEP_ROWS", 1)
    monkeypatch.setattr(deferred, "defer", count)
    monkeypatch.setattr(dependents, "ROWS_USUAL", 0)
    return counter


class Between:
    """Runs some steps of deferred work between batches, sometimes with an empty state cache.

    Answers that are never deferred stay complete meanwhile.
    """

    def __init__(self, seed: int, after_each: Sequence[Mapping[str, object]]) -> None:
        self._rng = random.Random(seed)
        self._expected = iter(after_each)

    async def __call__(self, store: Store) -> None:
        """Run the steps after a batch."""
        expected = next(self._expected)
        assert expected == await never_deferred(store)
        for _ in range(self._rng.choice((0, 0, 1, 5, 100))):
            settled = await store.settle(now=NOW)
            if settled is None:
                break
            assert not settled.set_aside
            assert expected == await never_deferred(store)
        if self._rng.random() < 0.2:
            writer_of(store).cache.clear()


@pytest.mark.usefixtures("work")
@pytest.mark.parametrize("seed", SEEDS)
def test_at_the_end_the_index_is_as_if_done_at_once(seed: int) -> None:
    """The final index does not depend on when the steps of deferred work run."""
    crowd, expected, after_each = at_once(seed)
    filled = sqlite_after(crowd.batches, (), (), Between(seed, after_each))
    assert [] == [*_differences(filled, expected)]


@pytest.mark.usefixtures("work")
@pytest.mark.parametrize("seed", SEEDS)
def test_at_the_end_postgresql_is_as_if_done_at_once(postgresql: Databases, seed: int) -> None:
    """In PostgreSQL, too, the final index does not depend on when the steps run."""
    crowd, expected, after_each = at_once(seed)
    with postgresql.fresh() as url:
        filled = postgres_after(url, crowd.batches, (), (), Between(seed, after_each))
    assert [] == [*_differences(filled, expected)]


def test_crowds_defer_work_of_each_kind(work: Counter[str]) -> None:
    """The messages of these tests defer every kind of work."""
    for seed in SEEDS:
        crowd, _, after_each = at_once(seed)
        sqlite_after(crowd.batches, (), (), Between(seed, after_each))
        if {*work} == {*Work}:
            return
    raise AssertionError(work)


@pytest.mark.usefixtures("work")
async def test_a_step_that_the_database_refuses_is_set_aside(tmp_path: Path) -> None:
    """A refused step is set aside with its reason, other work continues, and a retry completes it."""
    path = empty_index(tmp_path / "jobindex.db")
    async with open_store(SqliteDatabase(path=path)) as store:
        index = Index(store, reverse=False)
        for job_id in ("bad", "good"):
            for thing_name in ("t1", "t2"):
                topic = f"$aws/things/{thing_name}/jobs/{job_id}/notify-namespace-n"
                await index.tell((topic, {"execution": {"status": "QUEUED", "queuedAt": 100}}))
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("""
                CREATE TRIGGER refuse BEFORE UPDATE ON executions WHEN NEW.job_id = 'bad' AND NEW.state IS NULL
                BEGIN SELECT RAISE(ABORT, 'planted'); END
                """)
        for job_id in ("bad", "good"):
            await index.tell((f"$aws/events/job/{job_id}/deleted", {"lastUpdatedAt": 200, "timestamp": 200}))
        assert [] == [*await index.jobs()]
        steps = await _settled(store)
        assert ("job bad: planted",) == steps[-1].set_aside
        assert frozenset() == steps[-1].left
        assert [] == await _settled(store)
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("DROP TRIGGER refuse")
        assert "not checked: 1 pieces of deferred work are left" in str([*check(path)][-1])
        await store.retry_set_aside()
        assert 0 < len(await _settled(store))
        assert [] == [str(finding) for finding in check(path) if finding.problem]
        assert "executions" in str([*check(path)][-1])


async def test_a_batch_of_many_messages_changes_as_few_rows_as_one(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a batch that moves jobs, those with few executions move at once, the others in deferred steps."""
    monkeypatch.setattr(deferred, "ROWS_MAXIMUM", 8)
    monkeypatch.setattr(deferred, "STEP_ROWS", 8)
    monkeypatch.setattr(dependents, "ROWS_USUAL", 0)
    executions = {"a": 4, "b": 3, "c": 5, "d": 9}
    for job_id, count in executions.items():
        told = [execution("QUEUED", job_id, f"t{number}", queuedAt=100) for number in range(count)]
        await store.apply(parsed(*told), (), now=NOW)
    moves = [job(job_id, "n2", lastUpdatedAt=200) for job_id in executions]
    applied = await store.apply(parsed(*moves), (), now=NOW)
    assert {Work.JOB} == applied.deferred
    assert 3 == len(await _settled(store)), "a step for c, and two for d"


async def test_deferred_work_rests_as_long_as_it_works(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Deferred work takes at most half of the writer's time."""
    monkeypatch.setattr(deferred, "ROWS_MAXIMUM", 1)
    monkeypatch.setattr(deferred, "STEP_ROWS", 1)
    monkeypatch.setattr(dependents, "ROWS_USUAL", 0)
    told = [execution("QUEUED", "j", f"t{number}", queuedAt=100) for number in range(40)]
    await store.apply(parsed(*told), (), now=NOW)
    await store.apply(parsed(event("deleted", "j", timestamp=200)), (), now=NOW)
    settle, worked, over = store.settle, 0.0, asyncio.Event()

    async def timed(*, now: datetime) -> Settled | None:
        nonlocal worked
        started = time.perf_counter()
        settled = await settle(now=now)
        worked += 0 if settled is None else time.perf_counter() - started
        if settled is None:
            over.set()
        return settled

    monkeypatch.setattr(store, "settle", timed)
    settler = Settler(store, ServiceState(), on_applied=lambda *_: None, clock=lambda: NOW)
    settler.wake(frozenset({Work.JOB}))
    started = time.perf_counter()
    settling = asyncio.create_task(settler.run())
    await over.wait()
    took = time.perf_counter() - started
    settling.cancel()
    assert took >= 1.9 * worked > 0


async def _settled(store: Store) -> Sequence[Settled]:
    steps = []
    while (settled := await store.settle(now=NOW)) is not None:
        steps.append(settled)
    return steps


def _differences(filled: Filled, expected: Filled) -> Iterator[str]:
    """Yield the tables that differ, except those that depend on the times of messages or steps."""
    return (one for one in differences(filled, expected) if not one.startswith(ARRIVALS))
