"""Replicas on one PostgreSQL index: one ingests, and another takes over if it fails."""

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
    """A running replica whose ingestion only records when it runs."""

    store: Store
    state: ServiceState
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    turns: int = 0
    """The number of times it began to ingest."""
    found: tuple[datetime | None, datetime | None] = (None, None)
    """The times of completeness and of the last message when it last began to ingest."""
    left: list[str] = field(default_factory=list)
    """The end of each ingestion: in order, or cut short."""
    fault: "asyncio.Future[None]"
    """Ends ingestion when it is done."""
    reaches_broker: bool = True
    probed: asyncio.Event = field(default_factory=asyncio.Event)
    is_silent: bool = False
    """Whether the broker leaves a probe unanswered."""
    changes: list[Changed] = field(default_factory=list)
    task: "asyncio.Task[None] | None" = None

    @property
    def ingests(self) -> bool:
        """Whether it ingests now."""
        return self.turns > len(self.left)

    async def ingest(self, stopping: asyncio.Event) -> None:
        """Ingest until stopped."""
        self.turns += 1
        self.found = self.state.complete_since, self.state.last_message_at
        self.state.is_online = self.reaches_broker
        self.state.ingestion = Ingestion.CONNECTED if self.reaches_broker else Ingestion.CONNECTING
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

    async def can_connect(self) -> bool:
        """Return whether a probe reaches the broker."""
        self.probed.set()
        if self.is_silent:
            await asyncio.Event().wait()
        return self.reaches_broker

    def lose_broker(self) -> None:
        """End the connection to the broker, and refuse new ones."""
        self.reaches_broker = self.state.is_online = False
        self.state.ingestion, self.state.ingestion_reason = Ingestion.CONNECTING, "the broker is away"

    async def end(self) -> None:
        """End it as a kill would, without releasing the lease."""
        assert self.task is not None
        self.task.cancel()
        await asyncio.wait((self.task,))


class Replicas:
    """Starts replicas on one database."""

    def __init__(self, url: str, stack: AsyncExitStack) -> None:
        self.url = url
        self._database = PostgresDatabase(conninfo=url, shown="a database")
        self._stack = stack

    def is_over(self) -> bool:
        """Return whether the lease has expired."""
        return execute(self.url, "SELECT expires_at <= now() FROM lease") == [(True,)]

    async def until_kept_on(self) -> None:
        """Wait until the lease has been renewed for three times its length."""
        ((now,),) = execute(self.url, "SELECT now()")
        later = f"SELECT expires_at > '{now}'::TIMESTAMPTZ + INTERVAL '3 seconds' FROM lease"
        await until(lambda: execute(self.url, later) == [(True,)], "three times its length")

    async def start(self, lease: timedelta = SHORT) -> Running:
        """Start a replica."""
        store = await self._stack.enter_async_context(open_store(self._database))
        running = Running(store=store, state=ServiceState(), fault=asyncio.get_running_loop().create_future())
        replica = Replica(
            store,
            running.state,
            lease=lease,
            ingest=running.ingest,
            can_connect=running.can_connect,
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
    """Return the time since when the ingesting replica is connected, as a replica reports it."""
    return replica.state.ingestion_status().connected_since


async def until(condition: Callable[[], object], what: str, seconds: float = 15) -> None:
    """Wait for a condition while the replicas run."""
    await asyncio.to_thread(wait_until, condition, what, seconds)


async def test_one_ingests_and_the_others_stand_by(replicas: Replicas) -> None:
    """One replica ingests as long as it lives; the others are standby and report its status."""
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
    await replicas.until_kept_on()
    assert (1, [], None) == (one.turns, one.left, one.state.holder)
    assert [0, 0] == [other.turns for other in others]


async def test_how_far_behind_one_is_the_others_tell(replicas: Replicas) -> None:
    """A standby reports the oldest unwritten message once it has waited for longer than a report takes."""
    one = await replicas.start()
    await until(lambda: one.ingests, "the first")
    other = await replicas.start()
    one.state.in_flight.append(datetime.now(UTC) + timedelta(hours=1))
    one.state.ingestion, one.state.ingestion_reason = Ingestion.REFUSED, "not authorized"
    await until(lambda: other.state.ingestion_status().ingestion is Ingestion.REFUSED, "the news")
    told = other.state.ingestion_status()
    assert ("not authorized", None) == (told.ingestion_reason, told.oldest_unwritten_at())
    one.state.in_flight[0] = NOW - timedelta(days=3650)
    await until(lambda: other.state.ingestion_status().oldest_unwritten_at(), "the message")
    assert NOW - timedelta(days=3650) == other.state.ingestion_status().oldest_unwritten_at()


@pytest.mark.parametrize("told", ["", "[]", "1", '{"ingestion": "asleep"}', '{"completeSince": 5}'])
async def test_what_another_version_tells_is_not_taken_for_anything_else(replicas: Replicas, told: str) -> None:
    """A holder's status that cannot be parsed, as from another version, is unknown."""
    one = await replicas.start()
    await until(lambda: one.ingests, "it")
    take = "UPDATE lease SET generation = 9, holder = 'newer', expires_at = now() + INTERVAL '1 hour', told = "
    execute(replicas.url, f"{take} '{told}'")
    await until(lambda: one.state.holder and one.state.holder.name == "newer", "who ingests")
    assert IngestionStatus(ingestion_reason="the holder's status cannot be parsed") == one.state.ingestion_status()


async def test_another_goes_on_when_one_is_gone(replicas: Replicas) -> None:
    """Another replica takes over within the lease; until then the index's status stays known."""
    one, other = await replicas.start(), await replicas.start()
    await until(lambda: one.ingests or other.ingests, "one of them")
    one, other = (one, other) if one.ingests else (other, one)
    await until(lambda: other.state.ingestion_status().complete_since == NOW, "its standing")
    await one.end()
    await until(lambda: other.ingests, "the other", 4)
    assert (None, 1) == (other.state.holder, other.turns)
    assert ((None, None), (NOW, NOW)) == (one.found, other.found)


async def test_the_lease_follows_the_broker(replicas: Replicas) -> None:
    """A holder without its broker for a lease's length loses the lease to a replica with one."""
    one = await replicas.start()
    await until(lambda: one.ingests, "the first")
    other = await replicas.start()
    await until(partial(since, other), "its standing")
    one.lose_broker()
    await until(lambda: other.ingests, "the other")
    await until(lambda: one.state.holder and one.state.holder.status.ingestion is Ingestion.CONNECTED, "the news")
    assert ["cut short"] == one.left
    one.reaches_broker = True
    await replicas.until_kept_on()
    assert (1, 1, []) == (one.turns, other.turns, other.left)


async def test_the_lease_stays_where_none_reaches_a_broker(replicas: Replicas, monkeypatch: pytest.MonkeyPatch) -> None:
    """If no replica reaches a broker, the lease is offered with the reason and rarely changes hands."""
    monkeypatch.setattr("jobindex.ingest.replica.OFFERED_SECONDS", 4)
    one = await replicas.start()
    await until(lambda: one.ingests, "the first")
    other = await replicas.start()
    other.reaches_broker = False
    await until(partial(since, other), "its standing")
    one.lose_broker()
    lost = time.monotonic()
    await until(replicas.is_over, "the offer")
    await until(lambda: other.state.ingestion_status().ingestion_reason == "the broker is away", "the reason")
    await until(lambda: other.ingests, "the other")
    assert time.monotonic() - lost >= 3  # counted from the last check of the connection
    taken = time.monotonic()
    await until(lambda: one.turns == 2, "the first again")
    assert time.monotonic() - taken >= 3  # counted from taking the lease, which the test sees a moment later


async def test_a_holder_that_connects_again_keeps_the_lease(replicas: Replicas) -> None:
    """A holder that reconnects withdraws its offer and keeps the lease."""
    one = await replicas.start()
    await until(lambda: one.ingests, "the first")
    other = await replicas.start()
    other.reaches_broker = False
    one.lose_broker()
    await until(replicas.is_over, "the offer")
    one.reaches_broker = one.state.is_online = True
    await until(lambda: not replicas.is_over(), "the lease")
    other.reaches_broker = True
    await replicas.until_kept_on()
    assert (1, [], 0) == (one.turns, one.left, other.turns)


async def test_one_that_stops_while_it_probes_does_so_at_once(replicas: Replicas) -> None:
    """A broker that does not answer a probe does not delay a shutdown."""
    one = await replicas.start()
    await until(lambda: one.ingests, "the first")
    other = await replicas.start()
    other.is_silent = True
    await until(partial(since, other), "its standing")
    one.lose_broker()
    await asyncio.wait_for(other.probed.wait(), 5)
    other.stopping.set()
    assert other.task is not None
    await asyncio.wait_for(other.task, 1)


async def test_one_that_stops_in_order_gives_the_lease_back(replicas: Replicas) -> None:
    """A replica that stops in order releases the lease, however long, and another takes over at once."""
    one = await replicas.start(LONG)
    await until(lambda: one.ingests, "the first")
    other = await replicas.start(LONG)
    one.stopping.set()
    await until(lambda: other.ingests, "the other", 4)
    assert ["in order"] == one.left
    assert one.task is not None
    await one.task


async def test_one_that_cannot_keep_the_lease_stops(replicas: Replicas) -> None:
    """A replica that cannot renew the lease stops by its own clock, and may ingest again later."""
    one = await replicas.start()
    await until(lambda: one.ingests, "it")
    with psycopg.connect(replicas.url) as connection:
        connection.execute("LOCK TABLE lease IN ACCESS EXCLUSIVE MODE")
        await until(lambda: one.left == ["cut short"], "its end", 4)
        assert one.state.holder is not None
        assert "the lease could not be renewed in time: the database does not answer" == (
            one.state.ingestion_status().ingestion_reason
        )
        assert NOW == one.state.ingestion_status().complete_since
    await until(lambda: one.turns == 2, "its next turn")


async def test_one_that_cannot_keep_the_lease_for_a_moment_reports_it(replicas: Replicas) -> None:
    """A replica that cannot renew the lease for a moment reports so and goes on; another write's reason stays."""
    one = await replicas.start(timedelta(seconds=9))
    await until(lambda: one.ingests, "it")
    execute(replicas.url, "ALTER TABLE lease RENAME TO away")
    await until(lambda: one.state.unwritable, "the report")
    assert 'The index cannot be written: relation "lease" does not exist' in str(one.state.unwritable)
    execute(replicas.url, "ALTER TABLE away RENAME TO lease")
    await until(lambda: one.state.unwritable is None, "the end of it")
    other = await replicas.start()
    one.state.unwritable = "a batch waits"
    await until(lambda: other.state.ingestion_status().unwritable == "a batch waits", "the news")
    assert ("a batch waits", 1, []) == (one.state.unwritable, one.turns, one.left)


async def test_one_that_was_held_up_for_longer_than_its_lease_stops(replicas: Replicas) -> None:
    """A replica blocked for longer than its lease stops without a query, as another may already hold it."""
    one = await replicas.start()
    await until(lambda: one.ingests, "it")
    time.sleep(1.2)  # noqa: ASYNC251 (so are all of its tasks)
    await until(lambda: one.left == ["cut short"], "its end")
    assert "the lease could not be renewed in time" == one.state.ingestion_status().ingestion_reason


async def test_one_whose_lease_another_took_stops(replicas: Replicas) -> None:
    """A replica stops when it fails to renew its lease, and takes it again after its expiry."""
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
    """A refused write ends ingestion, and the service stays up."""
    one = await replicas.start()
    await until(lambda: one.ingests, "it")
    one.fault.set_exception(LeaseLostError("another replica ingests now"))
    reason = "another replica ingests now"
    await until(lambda: one.state.ingestion_status().ingestion_reason == reason, "its end")
    await until(lambda: one.turns == 2, "its next turn")
    assert one.task is not None
    assert not one.task.done()


async def test_any_other_fault_ends_the_service(replicas: Replicas) -> None:
    """Any other error ends the service, as it does without replicas."""
    one = await replicas.start()
    await until(lambda: one.ingests, "it")
    one.fault.set_exception(ZeroDivisionError)
    assert one.task is not None
    with pytest.raises(ZeroDivisionError):
        await one.task


async def test_what_one_writes_the_others_are_told(replicas: Replicas) -> None:
    """A standby notifies its subscribers; it cannot apply messages, but may retry and purge."""
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
    """A standby that cannot read the lease says so once its last status is older than a lease."""
    one = await replicas.start()
    await until(lambda: one.ingests, "the first")
    other = await replicas.start()
    await until(partial(since, other), "its standing")
    execute(replicas.url, "ALTER TABLE lease RENAME TO away")
    told = 'it is not known which replica ingests: The index cannot be read: relation "lease" does not exist'
    await until(
        lambda: (other.state.ingestion_status().ingestion_reason or "").startswith(told), "that it is not known"
    )
    unwritable = 'The index cannot be read: relation "lease" does not exist'
    assert (other.state.ingestion_status().unwritable or "").startswith(unwritable)
    expected = (None, NOW, NOW)
    status = other.state.ingestion_status()
    assert expected == (status.connected_since, status.complete_since, status.last_message_at)
    execute(replicas.url, "ALTER TABLE away RENAME TO lease")
    await until(lambda: one.turns + other.turns == 2, "the next turn")
    await until(lambda: one.state.ingestion_status().unwritable is None, "the news of one")
    await until(lambda: other.state.ingestion_status().unwritable is None, "the news of the other")
