"""Replicas on one index in PostgreSQL: one ingests, and another goes on whatever becomes of it."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial

import psycopg
import pytest
from support.messages import parsed
from support.postgresql_servers import execute
from support.waiting import wait_until

from jobindex.errors import LeaseLostError
from jobindex.ingest.replica import Replica
from jobindex.model.reports import RejectedMessage
from jobindex.model.store import Changed, Store
from jobindex.monitoring.state import Ingestion, IngestionStatus, ServiceState
from jobindex.storage.databases import PostgresDatabase
from jobindex.storage.postgres.store import open_store

SHORT, LONG = timedelta(seconds=1), timedelta(minutes=10)
NOW = datetime(2030, 1, 1, tzinfo=UTC)


@dataclass(slots=True, kw_only=True)
class Running:
    """A replica that runs: what it ingests is nothing, but it is known when."""

    store: Store
    state: ServiceState
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    turns: int = 0
    """How often it began to ingest."""
    found: tuple[datetime | None, datetime | None] = (None, None)
    """Since when the index was complete, and when the last message had arrived, as it last began."""
    left: list[str] = field(default_factory=list)
    """How each time ended: in order, or cut short."""
    fault: "asyncio.Future[None]"
    """What ends ingestion by itself."""
    changes: list[Changed] = field(default_factory=list)
    task: "asyncio.Task[None] | None" = None

    @property
    def ingests(self) -> bool:
        """Whether it does now."""
        return self.turns > len(self.left)

    async def ingest(self, stopping: asyncio.Event) -> None:
        """Ingest until told to stop."""
        self.turns += 1
        self.found = self.state.complete_since, self.state.last_message_at
        self.state.ingestion = Ingestion.CONNECTED
        self.state.connected_since = self.state.complete_since = self.state.last_message_at = NOW
        waiting = asyncio.ensure_future(stopping.wait())
        try:
            await asyncio.wait((waiting, self.fault), return_when=asyncio.FIRST_COMPLETED)
            if self.fault.done():
                fault, self.fault = self.fault, asyncio.get_running_loop().create_future()
                fault.result()
            self.left.append("in order")
        except BaseException:
            self.left.append("cut short")
            raise
        finally:
            waiting.cancel()

    async def end(self) -> None:
        """End it as a kill would: it gives nothing back."""
        assert self.task is not None
        self.task.cancel()
        await asyncio.wait((self.task,))


class Replicas:
    """Starts replicas on one database."""

    def __init__(self, url: str, stack: AsyncExitStack) -> None:
        self.url = url
        self._database = PostgresDatabase(conninfo=url, shown="a database")
        self._stack = stack

    async def start(self, lease: timedelta = SHORT) -> Running:
        """Start one."""
        store = await self._stack.enter_async_context(open_store(self._database))
        running = Running(store=store, state=ServiceState(), fault=asyncio.get_running_loop().create_future())
        replica = Replica(
            store,
            running.state,
            lease=lease,
            ingest=running.ingest,
            on_applied=lambda _, changed: running.changes.append(changed),
            is_watched=lambda: True,
        )
        running.task = asyncio.create_task(replica.run(running.stopping))
        self._stack.push_async_callback(running.end)
        return running


@pytest.fixture
async def replicas(postgres_url: str) -> AsyncIterator[Replicas]:
    """Start replicas on one empty index, and end them afterwards."""
    async with AsyncExitStack() as stack:
        yield Replicas(postgres_url, stack)


def since(replica: Running) -> datetime | None:
    """Return since when who ingests is connected, as a replica tells it."""
    return replica.state.ingestion_status().connected_since


async def until(condition: Callable[[], object], what: str, seconds: float = 15) -> None:
    """Wait for something while the replicas run."""
    await asyncio.to_thread(wait_until, condition, what, seconds)


async def test_one_ingests_and_the_others_stand_by(replicas: Replicas) -> None:
    """For as long as it lives: each of the others tells who it is, and how it fares."""
    one = await replicas.start()
    await until(lambda: one.ingests, "the first")
    others = [await replicas.start() for _ in range(2)]
    for other in others:
        await until(partial(since, other), "its standing")
        assert other.state.holder is not None
        assert (await one.store.lease()).holder == other.state.holder.name
        expected = IngestionStatus(
            ingestion=Ingestion.CONNECTED, connected_since=NOW, complete_since=NOW, last_message_at=NOW
        )
        assert expected == other.state.ingestion_status()
    ((now,),) = execute(replicas.url, "SELECT now()")
    later = f"SELECT expires_at > '{now}'::TIMESTAMPTZ + INTERVAL '3 seconds' FROM lease"
    await until(lambda: execute(replicas.url, later) == [(True,)], "three times its length")
    assert (1, [], None) == (one.turns, one.left, one.state.holder)
    assert [0, 0] == [other.turns for other in others]


async def test_how_far_behind_one_is_the_others_tell(replicas: Replicas) -> None:
    """Once a message has waited for longer than it takes to tell of it; one that has only just arrived is no news."""
    one = await replicas.start()
    await until(lambda: one.ingests, "the first")
    other = await replicas.start()
    one.state.in_hand.append(datetime.now(UTC) + timedelta(hours=1))
    one.state.ingestion, one.state.ingestion_reason = Ingestion.REFUSED, "not authorized"
    await until(lambda: other.state.ingestion_status().ingestion is Ingestion.REFUSED, "the news")
    told = other.state.ingestion_status()
    assert ("not authorized", None) == (told.ingestion_reason, told.oldest_unwritten_at())
    one.state.in_hand[0] = NOW - timedelta(days=3650)
    await until(lambda: other.state.ingestion_status().oldest_unwritten_at(), "the message")
    assert NOW - timedelta(days=3650) == other.state.ingestion_status().oldest_unwritten_at()


@pytest.mark.parametrize("told", ["", "[]", "1", '{"ingestion": "asleep"}', '{"completeSince": 5}'])
async def test_what_another_version_tells_is_not_taken_for_anything_else(replicas: Replicas, told: str) -> None:
    """It ingests, but it is not known how it fares."""
    one = await replicas.start()
    await until(lambda: one.ingests, "it")
    take = "UPDATE lease SET generation = 9, holder = 'newer', expires_at = now() + INTERVAL '1 hour', told = "
    execute(replicas.url, f"{take} '{told}'")
    await until(lambda: one.state.holder and one.state.holder.name == "newer", "who ingests")
    assert IngestionStatus(ingestion_reason="what it tells of itself is not understood") == one.state.ingestion_status()


async def test_another_goes_on_when_one_is_gone(replicas: Replicas) -> None:
    """Within the lease; until then what is known of the index stays known."""
    one, other = await replicas.start(), await replicas.start()
    await until(lambda: one.ingests or other.ingests, "one of them")
    one, other = (one, other) if one.ingests else (other, one)
    await until(lambda: other.state.ingestion_status().complete_since == NOW, "its standing")
    await one.end()
    await until(lambda: other.ingests, "the other", 4)
    assert (None, 1) == (other.state.holder, other.turns)
    assert ((None, None), (NOW, NOW)) == (one.found, other.found)


async def test_one_that_stops_in_order_gives_the_lease_back(replicas: Replicas) -> None:
    """Another goes on at once, however long the lease."""
    one = await replicas.start(LONG)
    await until(lambda: one.ingests, "the first")
    other = await replicas.start(LONG)
    one.stopping.set()
    await until(lambda: other.ingests, "the other", 4)
    assert ["in order"] == one.left
    assert one.task is not None
    await one.task


async def test_one_that_cannot_keep_the_lease_stops(replicas: Replicas) -> None:
    """By its own clock, though the database cannot say that another has it; then it may go on."""
    one = await replicas.start()
    await until(lambda: one.ingests, "it")
    with psycopg.connect(replicas.url) as connection:
        connection.execute("LOCK TABLE lease IN ACCESS EXCLUSIVE MODE")
        await until(lambda: one.left == ["cut short"], "its end", 4)
        assert one.state.holder is not None
        assert "the lease could not be kept in time: the database does not answer" == (
            one.state.ingestion_status().ingestion_reason
        )
        assert NOW == one.state.ingestion_status().complete_since
    await until(lambda: one.turns == 2, "its next turn")


async def test_one_that_was_held_up_for_longer_than_its_lease_stops(replicas: Replicas) -> None:
    """Though nobody else has taken it, and without asking for it: it may be another's at any moment."""
    one = await replicas.start()
    await until(lambda: one.ingests, "it")
    time.sleep(1.2)  # noqa: ASYNC251 (so are all of its tasks)
    await until(lambda: one.left == ["cut short"], "its end")
    assert "the lease could not be kept in time" == one.state.ingestion_status().ingestion_reason


async def test_one_whose_lease_another_took_stops(replicas: Replicas) -> None:
    """It learns so when it keeps it, and takes it again once it is over."""
    one = await replicas.start()
    await until(lambda: one.ingests, "it")
    take = "UPDATE lease SET generation = generation + 1, holder = 'another', expires_at = now() + INTERVAL '1 hour'"
    with psycopg.connect(replicas.url, autocommit=True) as connection:
        connection.execute(take)
        await until(lambda: one.left == ["cut short"], "its end", 4)
        await until(lambda: one.state.holder and one.state.holder.name == "another", "who ingests")
        connection.execute("UPDATE lease SET expires_at = now()")
    await until(lambda: one.turns == 2, "its next turn")


async def test_a_write_that_is_refused_ends_the_turn(replicas: Replicas) -> None:
    """Nothing more is ingested, and the service lives."""
    one = await replicas.start()
    await until(lambda: one.ingests, "it")
    one.fault.set_exception(LeaseLostError("another replica ingests now"))
    await until(lambda: one.left, "its end")
    assert "another replica ingests now" == one.state.ingestion_status().ingestion_reason
    await until(lambda: one.turns == 2, "its next turn")
    assert one.task is not None
    assert not one.task.done()


async def test_any_other_fault_ends_the_service(replicas: Replicas) -> None:
    """As it does where nothing is shared."""
    one = await replicas.start()
    await until(lambda: one.ingests, "it")
    one.fault.set_exception(ZeroDivisionError)
    assert one.task is not None
    with pytest.raises(ZeroDivisionError):
        await one.task


async def test_what_one_writes_the_others_are_told(replicas: Replicas) -> None:
    """So that who watches them sees it; what stands by cannot write, but may retry and purge what was rejected."""
    one = await replicas.start()
    await until(lambda: one.ingests, "the first")
    other = await replicas.start()
    reports = tuple(parsed(("$aws/things/pump/jobs/update/notify-namespace-acme", {})))
    rejected = [RejectedMessage(topic="$aws/things/pump/jobs/notify-namespace-acme", payload=b"{", reason="no JSON")]
    with pytest.raises(LeaseLostError):
        await other.store.apply(reports, (), now=NOW)
    applied = await one.store.apply(reports, rejected, now=NOW)
    await until(lambda: other.changes, "the change")
    assert [applied.changed] == other.changes
    understood = tuple(parsed(("$aws/things/pump/jobs/other/notify-namespace-acme", {})))
    retried = await other.store.retry_rejected([1], lambda *_: understood, now=NOW)
    await until(lambda: one.changes, "the change")
    assert [retried.changed] == one.changes
    assert frozenset({"other"}) == retried.changed.job_ids
    assert [applied.changed] == other.changes


async def test_one_that_cannot_ask_who_ingests_says_so(replicas: Replicas) -> None:
    """Once what it knew is older than a lease."""
    one = await replicas.start()
    await until(lambda: one.ingests, "the first")
    other = await replicas.start()
    await until(partial(since, other), "its standing")
    execute(replicas.url, "ALTER TABLE lease RENAME TO away")
    told = 'it is not known which replica ingests: The index cannot be read: relation "lease" does not exist'
    await until(
        lambda: (other.state.ingestion_status().ingestion_reason or "").startswith(told), "that it is not known"
    )
    expected = (None, NOW, NOW)
    status = other.state.ingestion_status()
    assert expected == (status.connected_since, status.complete_since, status.last_message_at)
    execute(replicas.url, "ALTER TABLE away RENAME TO lease")
    await until(lambda: one.turns + other.turns == 2, "the next turn")
