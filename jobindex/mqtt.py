"""Receiving from an MQTT broker: nothing is acknowledged before it is durable.

The session is persistent and the client id fixed, so that the broker keeps what is published while we are
away. QoS 1 messages are acknowledged (PUBACK) only after the batch that holds them is committed, in the
order of their arrival, and only on the connection that delivered them; what the broker sends again is
merged again, which changes nothing. The receive window bounds what is in hand: ours on MQTT 5, the
broker's own on 3.1.1.

Of a cluster the brokers are tried in turn, and one is kept while it works. The session has to be the cluster's: what
the next broker tells as `session present` counts, and a session that it makes anew is one that was lost.

aiomqtt 2.5 leaves some things out, which are set on its paho client here and nowhere else: manual
acknowledgement (https://github.com/empicano/aiomqtt/issues/345), CONNACK's `session present`, closing the
socket of a connection attempt that failed, and waiting to write only on a socket that is still open. Each
connection has a new client: one that failed may hold on to callbacks of its old socket.

Messages pass by both libraries (`channel.py`), which took most of the time, and the acknowledgements of a
batch are written at once. Not chosen: aiomqtt's messages, which cannot be had of a topic that is none (it
raises in paho's callback, which ends the connection, and the broker would deliver it again for ever), nor
its bounded queue, which throws away messages that paho has already acknowledged.

aiomqtt 3.0.0a1 was weighed by a port of this module, in November 2026. Manual acknowledgement and `session present`
are public there, and neither paho nor a channel is needed. It took 0.86 as many messages a second as this one in the
same run of `bench/ingest.py` (three rounds in turn; mosquitto_sub took twice as many), and lost nothing in two minutes
of `tests/faults`. What it fails of the tests:

- MQTT 3.1.1, which it does not speak: NATS, and with it the demo, RabbitMQ, and every test of that protocol;
- connecting holds the event loop (`socket.connect`, 11 s to a broker that does not answer): HTTP and SIGTERM wait;
- a connection that is reset ends its tasks in silence, and `messages()` waits for ever; so does a packet over 16 MiB;
- a topic that is no UTF-8 ends the connection, and is delivered again on the next one, for ever;
- reading cannot be paused, its queue has no bound, and of QoS 0 it drops what nobody waits for, uncounted.

It can be weighed again once these are mended; a broker that speaks only 3.1.1 needs this one anyway.
"""

import asyncio
import logging
import math
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from socket import socket
from typing import Any, TypeVar, cast

import aiomqtt
from aiomqtt.exceptions import MqttConnectError
from paho.mqtt.client import MQTT_CLEAN_START_FIRST_ONLY, ConnectFlags, MQTTMessage
from paho.mqtt.client import Client as PahoClient
from paho.mqtt.enums import MessageType
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from jobindex.backoff import Backoff
from jobindex.broker import Broker, Protocol
from jobindex.channel import Channel, Publication
from jobindex.errors import BrokerError, BrokerRefusedError, DatabaseUnavailableError
from jobindex.inbox import Delivery, Inbox
from jobindex.jobs import Told
from jobindex.metrics import Metrics
from jobindex.state import Ingestion, State
from jobindex.store import Session, Store
from jobindex.tasks import first_of
from jobindex.turns import Turns

RECEIVE_MAXIMUM = 5000
"""QoS 1 messages that a broker may have in flight to us on MQTT 5."""
BATCH_MAXIMUM = 5000
SESSION_EXPIRY_SECONDS = 7 * 24 * 3600  # the longest that AWS IoT Core grants

_PROTOCOLS: dict[Protocol, aiomqtt.ProtocolVersion] = {
    "5": aiomqtt.ProtocolVersion.V5,
    "3.1.1": aiomqtt.ProtocolVersion.V311,
}
_KEEPALIVE_SECONDS = 30
_CLUSTER_KEEPALIVE_SECONDS = 10  # a machine that died without a word is left within twice that
_SUBSCRIBE_MAXIMUM = 8  # filters in a SUBSCRIBE or UNSUBSCRIBE, AWS IoT Core's limit
_STEADY_SECONDS = 30  # a connection that lasted this long starts the back-off anew
_PUBACK_SECONDS = 10
_GRANTED_QOS_1 = 1

T = TypeVar("T")

_log = logging.getLogger(__name__)


class Subscriber:
    """Receives what is published under the topic filters, over any number of connections."""

    def __init__(
        self,
        brokers: Sequence[Broker],
        topic_filters: Sequence[str],
        apply: Callable[[Sequence[Told]], Awaitable[None]],
        *,
        store: Store,
        state: State,
        metrics: Metrics,
        clock: Callable[[], datetime],
    ) -> None:
        self._turns = Turns(brokers)
        self._reason: str | None = None
        self._topic_filters = topic_filters
        self._apply = apply
        self._store = store
        self._state = state
        self._metrics = metrics
        self._clock = clock
        self._stopping = asyncio.Event()
        self._was_connected = False

    def stop(self) -> None:
        """Stop reading; `run` returns once what is in hand is applied and acknowledged."""
        self._stopping.set()

    async def run(self) -> None:
        """Receive until stopped, connecting again for ever: of a cluster to the next broker."""
        cut_short = 0
        this = asyncio.current_task()
        while True:
            started = time.monotonic()
            self._was_connected = False
            try:
                await self._receive()
            except MqttConnectError as error:
                self._report(Ingestion.REFUSED, f"the broker refused the connection: {error}")
            except (aiomqtt.MqttError, DatabaseUnavailableError) as error:
                self._report(Ingestion.CONNECTING, str(error.__cause__ or error) or type(error).__name__)
            # A connection that ends with an error hides that this task is cancelled.
            if self._stopping.is_set() or (this is not None and this.cancelling()):
                break
            if time.monotonic() - started > _STEADY_SECONDS:
                self._turns.reset()
                cut_short = 0
            else:
                cut_short += self._was_connected
            failed = self._turns.broker
            delay = self._turns.pass_on()
            _log.warning(
                "Not connected to %s: %s; next attempt%s in %.1f s%s",
                failed,
                self._reason,
                f" at {self._turns.broker}" if self._turns.is_cluster else "",
                delay,
                # A broker ends the older of two connections with one client id, and need not say why.
                f"; does another client use the id {self._turns.broker.client_id!r}?" if cut_short > 1 else "",
            )
            await self._until_stopped(asyncio.sleep(delay))
        self._report(Ingestion.STOPPED, None)

    async def _receive(self) -> None:
        """Receive on one connection until it is lost, which raises, or until stopped."""
        self._state.complete_since = (await self._store.session()).complete_since
        inbox = Inbox(self._state, self._metrics, self._clock)
        async with AsyncExitStack() as stack:
            patience_seconds = self._turns.patience_seconds if self._turns.is_cluster else None
            connecting = _connect(self._turns.broker, inbox, patience_seconds=patience_seconds)
            connected = await self._until_stopped(stack.enter_async_context(connecting))
            if connected is None:
                return
            client, session_present = connected
            self._metrics.connections.inc()
            _log.info(
                "Connected to %s; %s",
                self._turns.broker,
                "the session was kept" if session_present else "a new session: it knows nothing older",
            )
            _disconnected(client).add_done_callback(self._report_disconnected)
            subscribing = asyncio.create_task(self._subscribe(client, is_new=not session_present), name="subscribe")
            receiving = asyncio.create_task(self._receive_batches(client, inbox), name="receive")
            async with first_of(subscribing, receiving):
                if subscribing.done():
                    subscribing.result()  # raises what it did not expect
                await receiving

    async def _receive_batches(self, client: aiomqtt.Client, inbox: Inbox) -> None:
        while batch := await self._next_batch(client, inbox):
            await self._apply([delivery.told for delivery in batch])
            _acknowledge(client, inbox.written(batch))

    async def _next_batch(self, client: aiomqtt.Client, inbox: Inbox) -> Sequence[Delivery]:
        """Return what has arrived, waiting for a first message; nothing once stopped and all is in hand."""
        batch = inbox.get(BATCH_MAXIMUM)
        if not batch and not self._stopping.is_set():
            await self._until_stopped(_arrival(client, inbox))
            batch = inbox.get(BATCH_MAXIMUM)
        if self._stopping.is_set():
            inbox.close()
        return batch

    async def _subscribe(self, client: aiomqtt.Client, *, is_new: bool) -> None:
        """Subscribe to every filter; what is refused is asked for again, on the same connection."""
        backoff = Backoff(first=5, greatest=60)
        wanted: Sequence[str] = self._topic_filters
        while True:
            try:
                session = await self._take_over_session(client, is_new=is_new)
                wanted = await _subscribe(client, wanted)
                if not wanted:
                    await self._complete_session(session)
            except (aiomqtt.MqttError, DatabaseUnavailableError) as error:
                self._report(Ingestion.CONNECTING, f"not subscribed: {error}")
            else:
                if not wanted:
                    self._report(Ingestion.CONNECTED, None)
                    return
                self._report(Ingestion.REFUSED, f"the broker refused to subscribe at QoS 1: {', '.join(wanted)}")
            _log.warning("%s: %s", self._turns.broker, self._reason)
            await asyncio.sleep(backoff.next_seconds())

    async def _take_over_session(self, client: aiomqtt.Client, *, is_new: bool) -> Session:
        """Bring what is remembered of the session in line with what the broker has, and the other way round.

        A session that is new, or does not hold a filter yet, has missed what was published before; this is
        remembered before anything is subscribed, so that it outlives whatever comes between. What an earlier
        run subscribed and this one does not is unsubscribed: the broker's session keeps it.
        """
        filters = frozenset(self._topic_filters)
        held = await self._store.session()
        is_whole = not is_new and filters <= held.topic_filters
        session = Session(topic_filters=filters, complete_since=held.complete_since if is_whole else None)
        if is_new and held.complete_since is not None:
            self._metrics.sessions_lost.inc()
            _log.error(
                "%s has forgotten the session: messages published since it was last connected may have been missed",
                self._turns.broker,
            )
        former = sorted(held.topic_filters - filters)
        for start in range(0, len(former), _SUBSCRIBE_MAXIMUM):
            await client.unsubscribe(former[start : start + _SUBSCRIBE_MAXIMUM])
        if former:
            _log.info("Unsubscribed %s", ", ".join(former))
        if session != held:
            await self._store.remember_session(session)
        self._state.complete_since = session.complete_since
        return session

    async def _complete_session(self, session: Session) -> None:
        """Remember that from now on the session misses nothing, unless it has missed nothing since longer."""
        if session.complete_since is None:
            session = replace(session, complete_since=self._clock())
            await self._store.remember_session(session)
        self._state.complete_since = session.complete_since

    def _report_disconnected(self, disconnected: "asyncio.Future[None]") -> None:
        error = None if disconnected.cancelled() else disconnected.exception()
        self._report(Ingestion.CONNECTING, f"the connection was lost ({error or 'closed'})")

    def _report(self, ingestion: Ingestion, reason: str | None) -> None:
        if ingestion is Ingestion.CONNECTED:
            self._was_connected = True
            _log.info("Receiving from %s: %s", self._turns.broker, ", ".join(self._topic_filters))
        self._reason = reason
        self._state.ingestion = ingestion
        self._state.ingestion_reason = (
            f"{self._turns.broker}: {reason}" if reason and self._turns.is_cluster else reason
        )
        self._state.connected_since = self._clock() if ingestion is Ingestion.CONNECTED else None

    async def _until_stopped(self, awaitable: Awaitable[T]) -> T | None:
        """Await something; cancel it and return None if `stop` is called first."""
        stopping = asyncio.ensure_future(self._stopping.wait())
        task = asyncio.ensure_future(awaitable)
        async with first_of(stopping, task):
            return task.result() if task.done() else None


@asynccontextmanager
async def _connect(
    broker: Broker, inbox: Inbox, *, patience_seconds: float | None
) -> AsyncIterator[tuple[aiomqtt.Client, bool]]:
    """Connect with the persistent session, and yield whether the broker had kept it; deliveries go to the inbox.

    The broker has `patience_seconds` to take the connection, and as long again to answer; where that is None, longer.
    """
    is_v5 = broker.protocol == "5"
    client = _client(
        broker,
        keepalive=_KEEPALIVE_SECONDS if patience_seconds is None else _CLUSTER_KEEPALIVE_SECONDS,
        clean_session=None if is_v5 else False,
        clean_start=False if is_v5 else MQTT_CLEAN_START_FIRST_ONLY,
        properties=_session_properties() if is_v5 else None,
    )
    paho = _paho(client)
    answer_seconds = client.timeout
    if patience_seconds is not None:
        paho.connect_timeout = client.timeout = patience_seconds
    paho.manual_ack_set(on=True)  # https://github.com/empicano/aiomqtt/issues/345
    paho.on_message = _deliver_to(inbox)
    _receive_through_channel(paho, inbox, has_properties=is_v5)
    inbox.pause, inbox.resume = lambda: _pause(client), lambda: _resume(client)
    paho.on_socket_register_write = _await_writing(client)
    connack = _note_connack(paho)
    _notice_loss_before_connack(client)
    try:
        async with client:
            if not paho.is_connected():  # aiomqtt misses a connection that is lost together with its CONNACK
                raise aiomqtt.MqttError("the connection was lost at once")
            client.timeout = answer_seconds
            yield client, connack.session_present
    finally:
        # aiomqtt leaves the socket of a failed attempt open, with its callbacks in the loop.
        paho._sock_close()  # noqa: SLF001


def _session_properties() -> Properties:
    properties = Properties(PacketTypes.CONNECT)
    properties.SessionExpiryInterval = SESSION_EXPIRY_SECONDS
    properties.ReceiveMaximum = RECEIVE_MAXIMUM
    return properties


def _receive_through_channel(paho: PahoClient, inbox: Inbox, *, has_properties: bool) -> None:
    """Put a channel between paho and each socket it opens."""
    pass_on: Any = paho.on_socket_open

    def on_socket_open(client: PahoClient, userdata: object, connected: socket) -> None:
        client._sock = Channel(connected, inbox.put, has_properties=has_properties)  # noqa: SLF001
        pass_on(client, userdata, client.socket())

    paho.on_socket_open = cast("Any", on_socket_open)


def _deliver_to(inbox: Inbox) -> Callable[[PahoClient, object, MQTTMessage], None]:
    """Return what takes the messages of QoS 2, which nothing here asks for and a former subscription may."""

    def on_message(_client: PahoClient, _userdata: object, message: MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError as error:
            topic = error.object.decode(errors="replace")
        inbox.put([Publication(topic, bytes(message.payload), message.qos, message.mid)])

    return on_message


async def _arrival(client: aiomqtt.Client, inbox: Inbox) -> None:
    """Return when a message has arrived; raise `MqttError` if the connection is lost before."""
    arriving = asyncio.create_task(inbox.wait())
    losing = asyncio.create_task(asyncio.wait((_disconnected(client),)))  # aiomqtt's own future stays uncancelled
    async with first_of(arriving, losing):
        if not arriving.done():
            raise aiomqtt.MqttError("the connection was lost") from _disconnected(client).exception()


def _acknowledge(client: aiomqtt.Client, deliveries: Sequence[Delivery]) -> None:
    """Acknowledge messages in their order; paho would write each PUBACK by itself."""
    packet_ids = [delivery.packet_id for delivery in deliveries if delivery.qos == 1]
    if packet_ids:
        pubacks = b"".join(struct.pack("!BBH", MessageType.PUBACK, 2, packet_id) for packet_id in packet_ids)
        _paho(client)._packet_queue(MessageType.PUBACK, pubacks, 0, 0)  # noqa: SLF001
    for delivery in deliveries:
        if delivery.qos == 2:
            _paho(client).ack(delivery.packet_id, delivery.qos)


def _pause(client: aiomqtt.Client) -> None:
    """Read nothing more; TCP then holds the broker back."""
    if (channel := _paho(client).socket()) is not None:
        asyncio.get_running_loop().remove_reader(channel)


def _resume(client: aiomqtt.Client) -> None:
    """Read again, as aiomqtt does (its own callback cannot be had back)."""
    paho = _paho(client)

    def read() -> None:
        paho.loop_read()
        # OpenSSL may hold what the socket no longer shows: https://github.com/eclipse-paho/paho.mqtt.python/issues/131
        while isinstance(channel := paho.socket(), Channel) and channel.pending():
            paho.loop_read()

    if (channel := paho.socket()) is not None:
        asyncio.get_running_loop().add_reader(channel, _ending(client, read))


def _await_writing(client: aiomqtt.Client) -> Callable[..., None]:
    """Return what makes it write when the socket takes more, unless it is closed by then: aiomqtt would wait still."""
    loop = asyncio.get_running_loop()

    def add_writer() -> None:
        if (channel := _paho(client).socket()) is not None:
            loop.add_writer(channel, _ending(client, _paho(client).loop_write))

    def await_writing(*_: object) -> None:
        loop.call_soon_threadsafe(add_writer)  # paho connects, and writes its first packet, in a thread

    return await_writing


def _ending(client: aiomqtt.Client, step: Callable[[], object]) -> Callable[[], None]:
    """Return a step of reading or writing that ends the connection where it fails."""

    def take_step() -> None:
        try:
            step()
        except OSError as error:
            if not _disconnected(client).done():
                _disconnected(client).set_exception(error)

    return take_step


@dataclass(slots=True)
class _Connack:
    """What the broker said when it took the connection."""

    session_present: bool = False


def _note_connack(paho: PahoClient) -> _Connack:
    """Return where CONNACK's `session present`, which aiomqtt drops, will stand."""
    connack = _Connack()
    pass_on: Any = paho.on_connect

    def on_connect(
        client: PahoClient, userdata: object, flags: ConnectFlags, reason: ReasonCode, properties: Properties | None
    ) -> None:
        connack.session_present = flags.session_present
        pass_on(client, userdata, flags, reason, properties)

    paho.on_connect = on_connect
    return connack


def _notice_loss_before_connack(client: aiomqtt.Client) -> None:
    """End an attempt whose connection is lost before CONNACK: aiomqtt would wait on until its time limit."""
    paho = _paho(client)
    pass_on: Any = paho.on_disconnect

    def on_disconnect(*arguments: object) -> None:
        connected = client._connected  # noqa: SLF001
        if not connected.done():
            connected.set_exception(aiomqtt.MqttError("the connection was lost before CONNACK"))
        pass_on(*arguments)

    paho.on_disconnect = on_disconnect


async def _subscribe(client: aiomqtt.Client, topic_filters: Sequence[str]) -> Sequence[str]:
    """Subscribe at QoS 1; return the filters that were not granted it."""
    refused: list[str] = []
    for start in range(0, len(topic_filters), _SUBSCRIBE_MAXIMUM):
        asked = topic_filters[start : start + _SUBSCRIBE_MAXIMUM]
        granted = cast("list[ReasonCode]", await client.subscribe([(topic_filter, 1) for topic_filter in asked]))
        refused += [
            topic_filter for topic_filter, reason in zip(asked, granted, strict=True) if reason.value != _GRANTED_QOS_1
        ]
    return refused


def _client(broker: Broker, **session: Any) -> aiomqtt.Client:  # noqa: ANN401 (aiomqtt's own keywords)
    """Return a client of a broker, with aiomqtt's keywords for its session."""
    return aiomqtt.Client(
        broker.host,
        broker.port,
        identifier=broker.client_id,
        username=broker.username,
        password=broker.password,
        tls_context=broker.tls,
        protocol=_PROTOCOLS[broker.protocol],
        **session,
    )


def _paho(client: aiomqtt.Client) -> PahoClient:
    return client._client  # noqa: SLF001


def _disconnected(client: aiomqtt.Client) -> "asyncio.Future[None]":
    return client._disconnected  # noqa: SLF001


@asynccontextmanager
async def connect_publisher(broker: Broker) -> AsyncIterator[Callable[[str, bytes], Awaitable[None]]]:
    """Connect without a session; yield a function that publishes at QoS 1 and returns once acknowledged.

    `publish` raises TimeoutError where no acknowledgement comes within ten seconds.
    """
    async with _client(broker) as client:

        async def publish(topic: str, payload: bytes) -> None:
            # With a limit of its own aiomqtt waits by `asyncio.wait_for`, which Python 3.11 lets forget that it is
            # cancelled when PUBACK comes at that moment: https://github.com/python/cpython/issues/86296
            async with asyncio.timeout(_PUBACK_SECONDS):
                await client.publish(topic, payload, qos=1, timeout=math.inf)

        yield publish


@asynccontextmanager
async def connect_probe(broker: Broker) -> AsyncIterator[Callable[[str], Awaitable[bool]]]:
    """Connect with a session that ends with the connection; yield what tells whether a topic filter is granted QoS 1.

    The broker's client id must be one that nobody else uses: the broker ends the connection of who had it.

    Raises:
        BrokerRefusedError: the broker refuses the connection.
        BrokerError: it cannot be reached, or ends the connection.
    """
    client = _client(broker)
    _paho(client).on_message = lambda *_: None
    _notice_loss_before_connack(client)

    async def is_granted(topic_filter: str) -> bool:
        return not await _subscribe(client, [topic_filter])

    try:
        async with client:
            yield is_granted
    except MqttConnectError as error:
        code = error.rc.value if isinstance(error.rc, ReasonCode) else error.rc
        raise BrokerRefusedError(str(error), code) from error
    except aiomqtt.MqttError as error:
        raise BrokerError(str(error.__cause__ or error) or type(error).__name__) from error
    finally:
        _paho(client)._sock_close()  # noqa: SLF001
