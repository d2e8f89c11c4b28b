"""The connection with an MQTT broker: every trick with aiomqtt and paho.

aiomqtt 2.5 leaves some things out, which are set on its paho client here and nowhere else: manual
acknowledgement (https://github.com/empicano/aiomqtt/issues/345), CONNACK's `session present`, closing the
socket of a connection attempt that failed, and waiting to write only on a socket that is still open. Each
connection has a new client: one that failed may hold on to callbacks of its old socket.

Messages pass by both libraries (`publish_channel.py`), which took most of the time, and the acknowledgements of a
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
import math
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from socket import socket
from typing import Any, cast

import aiomqtt
from aiomqtt.exceptions import MqttConnectError
from paho.mqtt.client import MQTT_CLEAN_START_FIRST_ONLY, ConnectFlags, MQTTMessage
from paho.mqtt.client import Client as PahoClient
from paho.mqtt.enums import MessageType
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from jobindex.errors import BrokerError, BrokerRefusedError
from jobindex.ingest.broker import Broker, Protocol
from jobindex.ingest.inbox import Delivery, Inbox
from jobindex.ingest.publish_channel import Channel, Publication

RECEIVE_MAXIMUM = 5000
"""QoS 1 messages that a broker may have in flight to us on MQTT 5."""
SESSION_EXPIRY_SECONDS = 7 * 24 * 3600  # the longest that AWS IoT Core grants

_PROTOCOLS: dict[Protocol, aiomqtt.ProtocolVersion] = {
    "5": aiomqtt.ProtocolVersion.V5,
    "3.1.1": aiomqtt.ProtocolVersion.V311,
}
_KEEPALIVE_SECONDS = 30
_CLUSTER_KEEPALIVE_SECONDS = 10  # a machine that died without a word is left within twice that
_SUBSCRIBE_MAXIMUM = 8  # filters in a SUBSCRIBE or UNSUBSCRIBE, AWS IoT Core's limit
_PUBACK_SECONDS = 10
_GRANTED_QOS_1 = 1

Client = aiomqtt.Client


@asynccontextmanager
async def connect(
    broker: Broker, inbox: Inbox, *, patience_seconds: float | None
) -> AsyncIterator[tuple[Client, bool]]:
    """Connect with the persistent session, and yield whether the broker had kept it; deliveries go to the inbox.

    The broker has `patience_seconds` to accept the connection, and as long again to answer; more if it is None.

    Raises:
        BrokerRefusedError: the broker refuses the connection.
        BrokerError: the broker cannot be reached, or the connection is lost.
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
    _receive_through_channel(client, inbox, has_properties=is_v5)
    inbox.pause, inbox.resume = lambda: _pause(client), lambda: _resume(client)
    paho.on_socket_register_write = _await_writing(client)
    connack = _note_connack(paho)
    _notice_loss_before_connack(client)
    try:
        with _broker_errors():
            async with client:
                if not paho.is_connected():  # aiomqtt misses a connection that is lost together with its CONNACK
                    raise BrokerError("the connection was lost at once")
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


def _receive_through_channel(client: Client, inbox: Inbox, *, has_properties: bool) -> None:
    """Put a channel between paho and each socket it opens, and read from it unless it is closed by then.

    aiomqtt's own callback hands the event loop the number of a socket that paho's thread may have closed.
    """
    loop = asyncio.get_running_loop()
    paho = _paho(client)

    def start() -> None:
        if paho.socket() is not None:
            _resume(client)
            client._misc_task = loop.create_task(client._misc_loop())  # noqa: SLF001

    def on_socket_open(_client: PahoClient, _userdata: object, connected: socket) -> None:
        paho._sock = Channel(connected, inbox.put, has_properties=has_properties)  # noqa: SLF001
        loop.call_soon_threadsafe(start)  # paho connects in a thread

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


def acknowledge(client: Client, deliveries: Sequence[Delivery]) -> None:
    """Acknowledge messages in their order; paho would write each PUBACK by itself."""
    packet_ids = [delivery.packet_id for delivery in deliveries if delivery.qos == 1]
    if packet_ids:
        pubacks = b"".join(struct.pack("!BBH", MessageType.PUBACK, 2, packet_id) for packet_id in packet_ids)
        _paho(client)._packet_queue(MessageType.PUBACK, pubacks, 0, 0)  # noqa: SLF001
    for delivery in deliveries:
        if delivery.qos == 2:
            _paho(client).ack(delivery.packet_id, delivery.qos)


def _pause(client: Client) -> None:
    """Read nothing more; TCP then holds the broker back."""
    if (channel := _paho(client).socket()) is not None:
        asyncio.get_running_loop().remove_reader(channel)


def _resume(client: Client) -> None:
    """Read again, as aiomqtt does (its own callback cannot be had back)."""
    paho = _paho(client)

    def read() -> None:
        paho.loop_read()
        # OpenSSL may hold what the socket no longer shows: https://github.com/eclipse-paho/paho.mqtt.python/issues/131
        while isinstance(channel := paho.socket(), Channel) and channel.pending():
            paho.loop_read()

    if (channel := paho.socket()) is not None:
        asyncio.get_running_loop().add_reader(channel, _ending(client, read))


def _await_writing(client: Client) -> Callable[..., None]:
    """Return what makes it write when the socket takes more, unless it is closed by then: aiomqtt would wait still."""
    loop = asyncio.get_running_loop()

    def add_writer() -> None:
        if (channel := _paho(client).socket()) is not None:
            loop.add_writer(channel, _ending(client, _paho(client).loop_write))

    def await_writing(*_: object) -> None:
        loop.call_soon_threadsafe(add_writer)  # paho connects, and writes its first packet, in a thread

    return await_writing


def _ending(client: Client, step: Callable[[], object]) -> Callable[[], None]:
    """Return a step of reading or writing that ends the connection where it fails."""

    def take_step() -> None:
        try:
            step()
        except Exception as error:  # noqa: BLE001 (as in aiomqtt: a malformed packet ends the connection, too)
            if not disconnected(client).done():
                disconnected(client).set_exception(error)

    return take_step


@dataclass(slots=True)
class _Connack:
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


def _notice_loss_before_connack(client: Client) -> None:
    """End an attempt whose connection is lost before CONNACK: aiomqtt would wait on until its time limit."""
    paho = _paho(client)
    pass_on: Any = paho.on_disconnect

    def on_disconnect(*arguments: object) -> None:
        connected = client._connected  # noqa: SLF001
        if not connected.done():
            connected.set_exception(aiomqtt.MqttError("the connection was lost before CONNACK"))
        pass_on(*arguments)

    paho.on_disconnect = on_disconnect


async def subscribe(client: Client, topic_filters: Sequence[str]) -> Sequence[str]:
    """Subscribe at QoS 1; return the filters that were not granted it. Raises BrokerError."""
    refused: list[str] = []
    for asked in _in_packets(topic_filters):
        with _broker_errors():
            granted = cast("list[ReasonCode]", await client.subscribe([(topic_filter, 1) for topic_filter in asked]))
        refused += [
            topic_filter for topic_filter, reason in zip(asked, granted, strict=True) if reason.value != _GRANTED_QOS_1
        ]
    return refused


async def unsubscribe(client: Client, topic_filters: Sequence[str]) -> None:
    """Unsubscribe from topic filters. Raises BrokerError."""
    for asked in _in_packets(topic_filters):
        with _broker_errors():
            await client.unsubscribe(list(asked))


def _in_packets(topic_filters: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(topic_filters), _SUBSCRIBE_MAXIMUM):
        yield topic_filters[start : start + _SUBSCRIBE_MAXIMUM]


@contextmanager
def _broker_errors() -> Iterator[None]:
    """Raise aiomqtt's errors as BrokerRefusedError and BrokerError."""
    try:
        yield
    except MqttConnectError as error:
        code = error.rc.value if isinstance(error.rc, ReasonCode) else error.rc
        raise BrokerRefusedError(str(error), code) from error
    except aiomqtt.MqttError as error:
        raise BrokerError(str(error.__cause__ or error) or type(error).__name__) from error


def _client(broker: Broker, **session: Any) -> Client:  # noqa: ANN401 (aiomqtt's own keywords)
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


def _paho(client: Client) -> PahoClient:
    return client._client  # noqa: SLF001


def disconnected(client: Client) -> "asyncio.Future[None]":
    """Return the future that ends, with an error if there was one, when the connection is lost."""
    return client._disconnected  # noqa: SLF001


def raise_if_disconnected(client: Client) -> None:
    """Raise BrokerError if the connection is lost."""
    if disconnected(client).done():
        error = disconnected(client).exception()
        raise BrokerError(str(error or "the connection was lost") or type(error).__name__) from error


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
        return not await subscribe(client, [topic_filter])

    try:
        with _broker_errors():
            async with client:
                yield is_granted
    finally:
        _paho(client)._sock_close()  # noqa: SLF001
