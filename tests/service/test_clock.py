"""A clock that is behind is not believed: nothing is read, and the broker keeps the messages."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.brokers import mosquitto
from support.messages import at, event, job, parsed
from support.services import Service, running
from support.waiting import wait_until
from test_mqtt import PINGREQ, PUBACK, Connection, make_subscriber, playing, receiving, wait_for

from jobindex.errors import ClockError
from jobindex.ingest.clock import RELEASED, believed_time
from jobindex.ingest.due import apply_due
from jobindex.ingest.inbox import Delivery
from jobindex.messages.parsing import Parser
from jobindex.model.reports import UNTIMED, RejectedMessage, latest_time
from jobindex.model.store import Store
from jobindex.monitoring.state import Ingestion, ServiceState
from jobindex.storage.databases import SqliteDatabase
from jobindex.storage.opening import open_store

NOW = datetime(2030, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
TOPIC = b"$aws/things/thing/jobs/job/notify-namespace-n"


class SetClock:
    """A clock that a test sets, checked as the service checks its own."""

    def __init__(self, state: ServiceState, now: datetime = NOW) -> None:
        self.now = now
        self._state = state

    def __call__(self) -> datetime:
        """Return the time if it is believed."""
        return believed_time(lambda: self.now, self._state)


@pytest.mark.parametrize(
    ("now", "newest", "reason"),
    [
        (RELEASED, None, None),
        (RELEASED - timedelta(seconds=1), None, "2026-10-31T23:59:59Z, but this version was released on 2026-11-01"),
        (datetime.fromtimestamp(7, UTC), NOW, "1970-01-01T00:00:07Z, but this version was released on 2026-11-01"),
        (NOW - DAY, NOW, None),
        (NOW + 99 * DAY, NOW, None),
        (
            NOW - DAY - timedelta(seconds=1),
            NOW,
            "2029-12-30T23:59:59Z, but the newest message of the index arrived at 2030-01-01T00:00:00Z",
        ),
    ],
)
def test_a_clock_that_is_behind_is_not_believed(now: datetime, newest: datetime | None, reason: str | None) -> None:
    """A clock must not be before the release, or more than 24 hours behind the newest arrival."""
    clock = SetClock(ServiceState(newest_arrival_at=newest), now)
    if reason is None:
        assert now == clock()
    else:
        with pytest.raises(ClockError) as raised:
            clock()
        assert f"the clock says {reason}: nothing is read until the clock is right" == str(raised.value)


async def test_the_newest_arrival_is_on_record(store: Store) -> None:
    """The store records the newest arrival, of applied and of rejected messages."""
    assert await store.newest_arrival() is None
    await store.apply((), [RejectedMessage("a", b"", "topic: is not known")], now=NOW)
    assert NOW == await store.newest_arrival()
    await store.apply(parsed(job()), (), now=NOW + DAY)
    assert NOW + DAY == await store.newest_arrival()
    await store.apply((), [RejectedMessage("b", b"", "topic: is not known")], now=NOW + 2 * DAY)
    assert NOW + 2 * DAY == await store.newest_arrival()


async def apply(batch: Sequence[Delivery]) -> AsyncIterator[Sequence[Delivery]]:
    """Treat a batch as durable."""
    yield batch


async def test_no_broker_is_asked_by_a_clock_that_is_behind_the_index(store: Store) -> None:
    """A clock behind the index prevents a connection; once it is right, the next attempt connects."""
    await store.apply(parsed(job()), (), now=NOW + 2 * DAY)
    state = ServiceState()
    clock = SetClock(state)

    def play(connection: Connection) -> None:
        connection.accept()
        connection.receive()

    with playing(play) as (url, connections):
        async with receiving(make_subscriber(url, apply, store, state, clock)):
            await wait_for(lambda: state.ingestion_reason, "the reason")
            expected = "the clock says 2030-01-01T00:00:00Z, but the newest message of the index arrived at 2030-01-03"
            assert Ingestion.CONNECTING is state.ingestion
            assert str(state.ingestion_reason).startswith(expected)
            assert [] == connections
            clock.now = NOW + DAY
            await wait_for(lambda: state.ingestion is Ingestion.CONNECTED, "the connection")


async def test_a_clock_that_is_set_back_ends_the_connection(store: Store) -> None:
    """After a clock is set back, messages stay unacknowledged; once it is right, they are redelivered."""
    state = ServiceState()
    clock = SetClock(state)
    acknowledged: list[tuple[int, int]] = []
    arrivals: list[datetime] = []

    def play(connection: Connection) -> None:
        connection.accept()
        for packet_id in (1, 2):
            connection.publish(packet_id, TOPIC, b"{}")
            while (found := connection.receive())[0] != PUBACK:
                assert found[0] == PINGREQ
            acknowledged.append((connections[-1], int.from_bytes(found[1], "big")))
        connection.receive()

    async def apply_and_set_back(batch: Sequence[Delivery]) -> AsyncIterator[Sequence[Delivery]]:
        arrivals.append(clock())
        yield batch
        if len(arrivals) == 1:  # the batch is acknowledged by now
            clock.now -= 2 * DAY

    with playing(play) as (url, connections):
        async with receiving(make_subscriber(url, apply_and_set_back, store, state, clock)):
            await wait_for(lambda: "the clock says 2029-12-30" in str(state.ingestion_reason), "the reason")
            assert [(1, 1)] == acknowledged
            clock.now = NOW
            await wait_for(lambda: (2, 2) in acknowledged, "the second message")
            assert [(1, 1), (2, 1), (2, 2)] == acknowledged
    assert {NOW} == {*arrivals}


async def test_messages_that_wait_for_their_time_wait_for_the_clock(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    """Due messages are applied only once the clock is believed."""
    topic, payload = "$aws/events/job/j1/completed", b'{"timestamp": 1893628800}'
    told = Parser().parse(topic, payload, int(NOW.timestamp()) * 1000)
    assert isinstance(told, RejectedMessage)
    await store.apply((), [told], now=NOW)
    state = ServiceState(newest_arrival_at=NOW + 9 * DAY)
    clock = SetClock(state, NOW + 2 * DAY)
    applying = asyncio.create_task(
        apply_due(store, Parser(), on_applied=lambda *_: None, clock=clock, round_seconds=0.01)
    )
    await wait_for(lambda: "due messages are applied in the next round" in caplog.text, "a round")
    assert 1 == len(await store.rejected_messages(after=0, limit=9))
    state.newest_arrival_at = NOW
    async with asyncio.timeout(10):
        while await store.rejected_messages(after=0, limit=9):  # noqa: ASYNC110 (a store has no event)
            await asyncio.sleep(0.01)
    applying.cancel()
    await asyncio.wait([applying])


def test_readyz_says_that_the_clock_is_behind(tmp_path: Path) -> None:
    """The service answers from its index and reads nothing, and /readyz gives the reason."""

    async def fill() -> None:
        async with open_store(SqliteDatabase(path=tmp_path / "jobindex.db")) as store:
            await store.apply(parsed(job()), (), now=datetime(2099, 1, 1, tzinfo=UTC))

    asyncio.run(fill())
    with mosquitto(tmp_path) as broker:
        service = Service(tmp_path, MQTT_URL=f"mqtt://127.0.0.1:{broker.port}")
        with running(service, until="connecting"):
            wait_until(lambda: "ingestionReason" in service.readyz(), "the reason")
            reason = service.readyz()["ingestionReason"]
            assert "but the newest message of the index arrived at 2099-01-01T00:00:00Z" in reason
            assert {"j1"} == set(service.jobs())
            assert 0 == service.metric("mqtt_connections_total")


def test_the_greatest_time_of_a_message() -> None:
    """The latest time is that of a job, its executions, a list or a deletion, if there is one."""
    assert 30_000 == latest_time(tuple(parsed(job(createdAt=10, lastUpdatedAt=30))))
    assert 20_000 == latest_time(tuple(parsed(event("deleted", timestamp=20))))
    empty = "$aws/things/t1/jobs/notify", {"timestamp": 40, "jobs": {}}
    assert at(40).timestamp() * 1000 == latest_time(tuple(parsed(empty)))
    assert UNTIMED == latest_time(tuple(parsed(job())))
    assert UNTIMED == latest_time(RejectedMessage("a", b"", "topic: is not known"))
