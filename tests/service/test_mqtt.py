"""Receiving from misbehaving brokers, played by a script."""

import asyncio
import socket
import sqlite3
import struct
import threading
import time
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiomqtt
import pytest
from support.brokers import mosquitto
from support.services import Service, running
from support.waiting import wait_until

from jobindex.cli.demo.nats import free_port
from jobindex.ingest import inbox, mqtt_client
from jobindex.ingest.broker import Broker
from jobindex.ingest.broker_turns import PATIENCE_SECONDS
from jobindex.ingest.inbox import IN_FLIGHT_MAXIMUM, Delivery
from jobindex.ingest.mqtt_client import connect_publisher
from jobindex.ingest.mqtt_probe import can_connect
from jobindex.ingest.publish_channel import READ_BYTES
from jobindex.ingest.subscriber import Subscriber
from jobindex.messages.parsing import Parser
from jobindex.model.store import Session, Store
from jobindex.monitoring.metrics import Metrics
from jobindex.monitoring.state import Ingestion, ServiceState

CONNACK = b"\x20\x02\x00\x00"
CONNACK_SESSION_PRESENT = b"\x20\x02\x01\x00"
CONNACK_NOT_AUTHORIZED = b"\x20\x02\x00\x05"
PINGRESP = b"\xd0\x00"
PUBACK, SUBSCRIBE, PINGREQ, DISCONNECT = 0x40, 0x82, 0xC0, 0xE0
FILTERS = ["$aws/things/+/jobs/#"] * 4

Play = Callable[["Connection"], None]


class Connection:
    """The broker's side of an MQTT 3.1.1 connection."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel

    def send(self, packet: bytes) -> None:
        """Send a packet."""
        self._channel.sendall(packet)

    def receive(self) -> tuple[int, bytes]:
        """Return the first byte and the body of the next packet."""
        first = self._exactly(1)[0]
        length = shift = 0
        while True:
            digit = self._exactly(1)[0]
            length |= (digit & 0x7F) << shift
            shift += 7
            if digit < 0x80:
                return first, self._exactly(length)

    def accept(self) -> None:
        """Accept the client's CONNECT and grant its subscriptions."""
        self.receive()
        self.send(CONNACK)
        kind, body = self.receive()
        assert kind == SUBSCRIBE
        self.grant(body)

    def grant(self, subscribe: bytes) -> None:
        """Grant the filters in the body of a SUBSCRIBE."""
        self.send(b"\x90\x06" + subscribe[:2] + b"\x01" * 4)

    def publish(self, packet_id: int, topic: bytes, payload: bytes) -> None:
        """Send a PUBLISH of QoS 1; of QoS 0 if the packet id is 0."""
        id_ = packet_id.to_bytes(2, "big") if packet_id else b""
        body = len(topic).to_bytes(2, "big") + topic + id_ + payload
        self.send((b"\x32" if packet_id else b"\x30") + bytes([len(body)]) + body)

    def acknowledged(self) -> int:
        """Return the packet id of the next PUBACK."""
        while True:
            kind, body = self.receive()
            if kind == PUBACK:
                return int.from_bytes(body, "big")
            assert kind in {PINGREQ, DISCONNECT}

    def reset(self) -> None:
        """Reset the connection at once, as a crashed broker would."""
        self._channel.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._channel.close()

    def _exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            more = self._channel.recv(count - len(data))
            if not more:
                raise ConnectionError("the client went away")
            data += more
        return data


@contextmanager
def playing(play: Play) -> Iterator[tuple[str, list[int]]]:
    """Play a broker on loopback, one connection after the other; yield its URL, and a list that grows with each."""
    connections: list[int] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    channel, _ = listener.accept()
                    connections.append(len(connections) + 1)
                    with channel, suppress(ConnectionError):
                        channel.settimeout(30)
                        play(Connection(channel))

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"mqtt://127.0.0.1:{listener.getsockname()[1]}", connections
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(30)


def refuse(connection: Connection) -> None:
    """Answer CONNECT with a refusal."""
    connection.receive()
    connection.send(CONNACK_NOT_AUTHORIZED)


def accept_and_leave(connection: Connection) -> None:
    """Close the connection right after CONNACK."""
    connection.receive()
    connection.send(CONNACK)


def leave_at_once(_: Connection) -> None:
    """Close the connection at once."""


def talk_nonsense(connection: Connection) -> None:
    """Answer with bytes that are not MQTT."""
    connection.receive()
    connection.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")


@pytest.mark.parametrize("play", [refuse, accept_and_leave, leave_at_once, talk_nonsense])
def test_a_broker_that_does_not_take_us_is_tried_again_and_again(tmp_path: Path, play: Play) -> None:
    """After a failed attempt the service answers, pauses and tries again."""
    with playing(play) as (url, connections):
        service = Service(tmp_path, MQTT_URL=url, MQTT_PROTOCOL="3.1.1")
        with running(service, until="refused" if play is refuse else "connecting"):
            wait_until(lambda: len(connections) >= 2, "a second attempt", 30)
            assert service.get("/readyz")[0] == 200
            assert "ingestionReason" in service.readyz()
            assert "Traceback" not in service.log()
        assert len(connections) < 20


def test_the_next_broker_of_a_cluster_is_tried_at_once(tmp_path: Path) -> None:
    """An absent, a refusing and a silent broker do not delay the next one, and the log names each."""
    port = free_port()

    def say_nothing(connection: Connection) -> None:
        connection.receive()
        with suppress(TimeoutError):
            connection.receive()

    def serve(connection: Connection) -> None:
        connection.accept()
        with suppress(TimeoutError):
            connection.acknowledged()

    with playing(refuse) as (refusing, _), playing(say_nothing) as (silent, _), playing(serve) as (good, connections):
        hosts = [f"127.0.0.1:{port}", *(url.removeprefix("mqtt://") for url in (refusing, silent, good))]
        service = Service(tmp_path, MQTT_URL=f"mqtt://{','.join(hosts)}", MQTT_PROTOCOL="3.1.1")
        started = time.monotonic()
        with running(service):
            assert time.monotonic() - started < PATIENCE_SECONDS + 6
            assert [1] == connections
            told = [line.partition(" WARNING ")[2] for line in service.log().splitlines() if " WARNING " in line]
            assert [f"Not connected to mqtt://{host}" for host in hosts[:3]] == [
                line[: len("Not connected to mqtt://127.0.0.1:00000")] for line in told
            ]
            assert told[2].endswith(f": Operation timed out; next attempt at {good} in 0.0 s")


def test_a_cluster_of_which_no_broker_takes_us_names_the_last(tmp_path: Path) -> None:
    """/readyz names the broker of its reason, and the cluster is tried again after a pause."""
    with playing(refuse) as (one, connections), playing(refuse) as (two, others):
        service = Service(tmp_path, MQTT_URL=f"{one},{two.removeprefix('mqtt://')}", MQTT_PROTOCOL="3.1.1")
        with running(service, until="refused"):
            wait_until(lambda: len(connections) >= 2, "a second round", 30)
            reason = service.readyz()["ingestionReason"]
            assert reason.startswith((f"{one}: the broker refused", f"{two}: the broker refused"))
        assert abs(len(connections) - len(others)) <= 1


def test_topics_that_are_none_are_kept_and_acknowledged(tmp_path: Path) -> None:
    """A message on a topic with wildcards or invalid UTF-8 is acknowledged, and rejected or ignored."""
    topics = [
        b"$aws/things/+/jobs/notify",
        b"$aws/things/#/jobs/notify",
        b"$aws/things/\xff/jobs/notify",
        b"$aws/\xff",
        b"$aws/things/thing/jobs/good/notify-namespace-n",
    ]
    acknowledged: list[int] = []

    def play(connection: Connection) -> None:
        connection.accept()
        for packet_id, topic in enumerate(topics, start=1):
            connection.publish(packet_id, topic, b"{}")
        while True:
            acknowledged.append(connection.acknowledged())

    with playing(play) as (url, connections):
        service = Service(tmp_path, MQTT_URL=url, MQTT_PROTOCOL="3.1.1")
        with running(service):
            wait_until(lambda: len(acknowledged) == len(topics), "every acknowledgement")
            assert [1, 2, 3, 4, 5] == acknowledged
            assert {"good"} == set(service.jobs())
            assert (3, 1) == (service.metric("messages_rejected_total"), service.metric("messages_ignored_total"))
            assert [1] == connections


def test_what_is_delivered_twice_on_a_connection_is_acknowledged_once_it_is_durable(tmp_path: Path) -> None:
    """A packet id in flight adds nothing when delivered again; once acknowledged, it may be used again."""
    acknowledged: list[int] = []
    names = [b"first", b"second"]

    def play(connection: Connection) -> None:
        connection.accept()
        for name in names:
            for _ in range(3):
                connection.publish(7, b"$aws/things/thing/jobs/" + name + b"/notify-namespace-n", b"{}")
            acknowledged.append(connection.acknowledged())
        with suppress(TimeoutError):
            while True:
                acknowledged.append(connection.acknowledged())

    with playing(play) as (url, _):
        service = Service(tmp_path, MQTT_URL=url, MQTT_PROTOCOL="3.1.1")
        with running(service):
            wait_until(lambda: {"first", "second"} == set(service.jobs()), "both jobs")
            redelivered = service.metric("messages_redelivered_total")
            wait_until(lambda: len(acknowledged) == 6 - redelivered, "the acknowledgements")
            assert {7} == set(acknowledged)


def make_subscriber(
    url: str,
    apply: Callable[[Sequence[Delivery]], AsyncIterable[Sequence[Delivery]]],
    store: Store,
    state: ServiceState,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Subscriber:
    """Return a subscriber of a played broker."""
    port = int(url.rpartition(":")[2])
    return Subscriber(
        [Broker(host="127.0.0.1", port=port, client_id="subscriber", protocol="3.1.1")],
        FILTERS,
        apply,
        parser=Parser(),
        store=store,
        state=state,
        metrics=Metrics(state),
        clock=clock,
    )


async def test_a_connection_that_ends_while_we_write_is_only_a_connection_lost(store: Store) -> None:
    """A connection that ends during the acknowledgements only leads to the next attempt."""
    applying, gone = threading.Event(), threading.Event()

    def play(connection: Connection) -> None:
        if gone.is_set():
            return
        connection.accept()
        for packet_id in (1, 2):
            connection.publish(packet_id, b"$aws/things/thing/jobs/job/notify-namespace-n", b"{}")
        applying.wait(30)
        connection.reset()
        gone.set()

    async def apply(batch: Sequence[Delivery]) -> AsyncIterator[Sequence[Delivery]]:
        applying.set()
        gone.wait(30)  # blocks the event loop, too: it learns of the loss one step after the acknowledgements
        await asyncio.sleep(0)
        yield batch

    unhandled: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unhandled.append(context))
    with playing(play) as (url, connections):
        subscriber = make_subscriber(url, apply, store, ServiceState())
        receiving = asyncio.create_task(subscriber.run())
        await asyncio.to_thread(wait_until, lambda: len(connections) == 2, "the next attempt")
        subscriber.stop()
        await receiving
    assert [] == unhandled


async def test_a_cancellation_counts_though_the_connection_ends_with_an_error(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cancellation takes effect even if aiomqtt raises an error because DISCONNECT times out."""

    def play(connection: Connection) -> None:
        connection.accept()
        connection.receive()

    async def apply(batch: Sequence[Delivery]) -> AsyncIterator[Sequence[Delivery]]:
        yield batch

    async def time_out(*_: object) -> None:
        raise aiomqtt.MqttError("Operation timed out")

    monkeypatch.setattr(aiomqtt.Client, "__aexit__", time_out)
    with playing(play) as (url, connections):
        state = ServiceState()
        receiving = asyncio.create_task(make_subscriber(url, apply, store, state).run())
        await asyncio.to_thread(wait_until, lambda: state.ingestion is Ingestion.CONNECTED, "the connection")
        receiving.cancel()
        await asyncio.wait((receiving,), timeout=10)
        assert receiving.done()
        assert [1] == connections


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the keep-alive interval and the answer timeout to a second."""
    monkeypatch.setattr(mqtt_client, "_KEEPALIVE_SECONDS", 1)
    monkeypatch.setattr(mqtt_client, "_KEEPALIVE_LOOK_SECONDS", 0.05)
    monkeypatch.setattr(mqtt_client, "_ANSWER_SECONDS", 1)


async def apply_at_once(batch: Sequence[Delivery]) -> AsyncIterator[Sequence[Delivery]]:
    """Treat a batch as durable."""
    yield batch


@asynccontextmanager
async def receiving(subscriber: Subscriber) -> AsyncIterator[None]:
    """Run a subscriber while the context is open."""
    running = asyncio.create_task(subscriber.run())
    try:
        yield
    finally:
        subscriber.stop()
        await running


async def wait_for(condition: Callable[[], object], what: str) -> None:
    """Wait until a condition is true, without blocking the event loop."""
    await asyncio.to_thread(wait_until, condition, what)


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize(
    ("connack", "qos"), [(CONNACK, 0), (CONNACK_SESSION_PRESENT, 1)], ids=["new session", "session kept"]
)
async def test_a_broker_may_answer_behind_its_backlog(store: Store, connack: bytes, qos: int) -> None:
    """SUBACK and PINGRESP may come after a backlog of three keep-alive intervals: the connection stays.

    At QoS 0 the client writes only PINGREQ meanwhile, at QoS 1 PUBACK.
    """
    await store.remember_session(Session(topic_filters=frozenset(FILTERS), complete_since=datetime.now(UTC)))
    asked: list[int] = []

    def play(connection: Connection) -> None:
        connection.receive()
        connection.send(connack)
        end = time.monotonic() + 3.2
        while time.monotonic() < end:
            connection.publish(qos, b"$aws/things/thing/jobs/job/notify-namespace-n", b"{}")
            time.sleep(0.05)
        while True:
            kind, body = connection.receive()
            asked.append(kind)
            if kind == SUBSCRIBE:
                connection.grant(body)
            elif kind == PINGREQ:
                connection.send(PINGRESP)

    state = ServiceState()
    said = set()
    with playing(play) as (url, connections):
        async with receiving(make_subscriber(url, apply_at_once, store, state)):
            await wait_for(lambda: state.last_message_at is not None, "the first message")
            while SUBSCRIBE not in asked and len(connections) == 1:
                said.add((state.ingestion, state.ingestion_reason))
                await asyncio.sleep(0.02)
            assert [1] == connections
            assert {(Ingestion.CONNECTED, None)} == said
            await wait_for(lambda: state.connected_since is not None, "the subscription")
            assert qos or PINGREQ in asked


@pytest.mark.usefixtures("hasty")
async def test_a_connection_without_a_sign_of_life_is_left(store: Store) -> None:
    """A connection without messages or answers to PINGREQ is closed."""
    gone = threading.Event()

    def play(connection: Connection) -> None:
        if gone.is_set():
            return
        gone.set()
        connection.accept()
        connection.publish(1, b"$aws/things/thing/jobs/job/notify-namespace-n", b"{}")
        while True:
            connection.receive()

    state = ServiceState()
    with playing(play) as (url, connections):
        async with receiving(make_subscriber(url, apply_at_once, store, state)):
            await wait_for(lambda: state.ingestion is Ingestion.CONNECTED, "the connection")
            started = time.monotonic()
            await wait_for(lambda: state.ingestion is Ingestion.CONNECTING, "its end")
            assert 1 < time.monotonic() - started < 4
            await wait_for(lambda: len(connections) > 1, "the next one")


@pytest.mark.usefixtures("hasty")
async def test_a_broker_that_never_answers_subscribe_is_told(store: Store) -> None:
    """A broker that sends nothing after SUBSCRIBE is reported after the answer timeout."""

    def play(connection: Connection) -> None:
        connection.receive()
        connection.send(CONNACK)
        while True:
            if connection.receive()[0] == PINGREQ:
                connection.send(PINGRESP)

    state = ServiceState()
    with playing(play) as (url, _):
        async with receiving(make_subscriber(url, apply_at_once, store, state)):
            expected = "not subscribed: the broker does not answer"
            await wait_for(lambda: state.ingestion_reason == expected, "the reason")
            assert state.ingestion is Ingestion.CONNECTING


@pytest.mark.usefixtures("hasty")
async def test_a_connection_that_is_held_back_is_kept(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """While too many messages are in flight, an unread PINGRESP does not end the connection."""
    monkeypatch.setattr(inbox, "IN_FLIGHT_MAXIMUM", 2)
    may_write = asyncio.Event()
    pings: list[float] = []
    acknowledged: list[int] = []

    def play(connection: Connection) -> None:
        connection.accept()
        for packet_id in (1, 2):
            connection.publish(packet_id, b"$aws/things/thing/jobs/job/notify-namespace-n", b"{}")
        while True:
            kind, body = connection.receive()
            if kind == PINGREQ:
                pings.append(time.monotonic())
                connection.send(PINGRESP)
            elif kind == PUBACK:
                acknowledged.append(int.from_bytes(body, "big"))

    async def apply(batch: Sequence[Delivery]) -> AsyncIterator[Sequence[Delivery]]:
        await may_write.wait()
        yield batch

    state = ServiceState()
    with playing(play) as (url, connections):
        async with receiving(make_subscriber(url, apply, store, state)):
            await wait_for(lambda: len(pings) >= 3 or len(connections) > 1, "three intervals")
            ingestion = state.ingestion
            may_write.set()
            assert ([1], Ingestion.CONNECTED) == (connections, ingestion)
            await wait_for(lambda: acknowledged == [1, 2], "the acknowledgements")
            assert [1] == connections


def test_two_services_with_one_client_id_are_told(tmp_path: Path) -> None:
    """Two services with one client id both back off, and their logs name the likely cause."""
    with mosquitto(tmp_path) as broker:
        settings = {"MQTT_URL": f"mqtt://127.0.0.1:{broker.port}", "MQTT_CLIENT_ID": "twin"}
        directories = [tmp_path / name for name in ("one", "two")]
        for directory in directories:
            directory.mkdir()
        one, two = (Service(directory, **settings) for directory in directories)
        with running(one), running(two):
            wait_until(
                lambda: any("does another client use the id 'twin'?" in service.log() for service in (one, two)),
                "the hint",
                40,
            )
            assert max(service.metric("mqtt_connections_total") for service in (one, two)) < 12
            assert one.get("/readyz")[0] == two.get("/readyz")[0] == 200


@pytest.mark.slow
def test_a_broker_that_keeps_to_no_window_is_held_back(tmp_path: Path) -> None:
    """Beyond the maximum in flight nothing is read, so memory is bounded and packet ids may repeat."""
    count, packet_ids = 30_000, 15_000
    acknowledged: list[int] = []
    is_locked = threading.Event()

    def play(connection: Connection) -> None:
        connection.accept()

        def send() -> None:
            is_locked.wait(30)
            for number in range(count):
                # Without a window, packet ids repeat while older ones are in flight.
                topic = f"$aws/things/thing/jobs/job-{number}/notify-namespace-n".encode()
                connection.publish(number % packet_ids + 1, topic, b"{}")

        sender = threading.Thread(target=send)
        sender.start()
        while len(acknowledged) < count:
            acknowledged.append(connection.acknowledged())
        sender.join()

    with playing(play) as (url, _):
        service = Service(tmp_path, MQTT_URL=url, MQTT_PROTOCOL="3.1.1")
        with closing(sqlite3.connect(service.database, isolation_level=None)) as other, running(service):
            other.execute("BEGIN IMMEDIATE")
            is_locked.set()
            wait_until(lambda: service.metric("messages_received_total") >= IN_FLIGHT_MAXIMUM, "a full hand")
            wait_until(lambda: service.metric("commits_failed_total") >= 2, "commits that fail")
            one_more_read = READ_BYTES / 60
            assert service.metric("messages_received_total") < IN_FLIGHT_MAXIMUM + one_more_read
            assert service.metric("mqtt_connected") == 1
            other.execute("ROLLBACK")
            wait_until(lambda: service.metric("messages_applied_total") == count, "every message", 60)
            assert service.metric("messages_redelivered_total") == 0
            wait_until(lambda: len(acknowledged) == count, "every acknowledgement")
            assert [number % packet_ids + 1 for number in range(count)] == acknowledged


async def test_publishing_that_is_canceled_as_it_is_acknowledged_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cancellation of a publication takes effect even if it comes together with PUBACK."""
    publishing: asyncio.Future[None]
    is_set = asyncio.Event.set

    def set_and_cancel(event: asyncio.Event) -> None:
        is_set(event)
        publishing.cancel()

    with mosquitto(tmp_path) as broker:
        async with connect_publisher(Broker(host="127.0.0.1", port=broker.port, client_id="fleet")) as publish:
            monkeypatch.setattr(asyncio.Event, "set", set_and_cancel)
            publishing = asyncio.ensure_future(publish("a", b""))
            await asyncio.wait((publishing,))
            monkeypatch.undo()
    assert publishing.cancelled()


async def test_a_probe_takes_no_session_over(tmp_path: Path) -> None:
    """A probe does not end the service's connection, and one reachable broker of several is enough."""
    with mosquitto(tmp_path) as broker, running(Service(tmp_path, MQTT_URL=f"mqtt://127.0.0.1:{broker.port}")) as one:
        there = Broker(host="127.0.0.1", port=broker.port, client_id="jobindex")
        away = Broker(host="127.0.0.1", port=free_port(), client_id="jobindex")
        assert await can_connect([there])
        assert await can_connect([away, there])
        assert not await can_connect([away])
        assert 1 == one.metric("mqtt_connections_total")
        assert "connected" == one.readyz()["ingestion"]


@pytest.mark.parametrize("play", [refuse, leave_at_once, talk_nonsense])
async def test_a_probe_fails_where_the_service_would(play: Play) -> None:
    """A probe needs an accepted MQTT connection, not only a TCP connection."""
    with playing(play) as (url, _):
        port = int(url.rpartition(":")[2])
        broker = Broker(host="127.0.0.1", port=port, client_id="jobindex", protocol="3.1.1")
        assert not await can_connect([broker])
