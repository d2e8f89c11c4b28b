"""The connection to an MQTT broker, with every workaround for aiomqtt 2.5 and its paho client.

PINGRESP and SUBACK may follow minutes of messages, so every packet is a sign of life.

Messages bypass both libraries (`publish_channel.py`), which took most of the time. Not chosen: aiomqtt's messages (an
invalid topic ends the connection, and is redelivered forever); its queue, which drops acknowledged messages when full.

aiomqtt 3.0.0a1 (November 2026) needs none of this, but lacks MQTT 3.1.1 (NATS, RabbitMQ, the demo); blocks the event
loop while connecting; hangs after a connection reset or a packet over 16 MiB; disconnects at a topic that is not UTF-8;
cannot pause reading; and drops QoS 0 messages uncounted.
"""

import asyncio
import math
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from socket import socket
from typing import Any, TypeVar, cast

import aiomqtt
from aiomqtt.exceptions import MqttConnectError
from paho.mqtt.client import MQTT_CLEAN_START_FIRST_ONLY, ConnectFlags, MQTTMessage
from paho.mqtt.client import Client as PahoClient
from paho.mqtt.enums import MessageType, MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from jobindex.errors import BrokerError, BrokerRefusedError
from jobindex.ingest.broker import Broker, Protocol
from jobindex.ingest.inbox import Delivery, Inbox
from jobindex.ingest.publish_channel import Channel, Publication
from jobindex.ingest.tasks import first_of

RECEIVE_MAXIMUM = 5000
"""QoS 1 messages that a broker may have in flight on MQTT 5."""
SESSION_EXPIRY_SECONDS = 7 * 24 * 3600  # the longest that AWS IoT Core grants

_PROTOCOLS: dict[Protocol, aiomqtt.ProtocolVersion] = {
    "5": aiomqtt.ProtocolVersion.V5,
    "3.1.1": aiomqtt.ProtocolVersion.V311,
}
_KEEPALIVE_SECONDS = 30
_CLUSTER_KEEPALIVE_SECONDS = 10  # a dead machine is noticed within twice that
_KEEPALIVE_LOOK_SECONDS = 1
_ANSWER_SECONDS = 10  # without any packet from the broker
_SUBSCRIBE_MAXIMUM = 8  # filters in a SUBSCRIBE or UNSUBSCRIBE, AWS IoT Core's limit
_PUBACK_SECONDS = 10
_GRANTED_QOS_1 = 1

T = TypeVar("T")

Client = aiomqtt.Client


@asynccontextmanager
async def connect(
    broker: Broker, inbox: Inbox, *, patience_seconds: float | None
) -> AsyncIterator[tuple[Client, bool]]:
    """Connect with the persistent session; yield the client, and whether the session was present.

    `patience_seconds` limits the connection, and again CONNACK; None means a longer default.

    Raises:
        BrokerRefusedError: the broker refuses the connection.
        BrokerError: the broker cannot be reached, or the connection is lost.
    """
    is_v5 = broker.protocol == "5"
    client = make_client(
        broker,
        keepalive=_KEEPALIVE_SECONDS if patience_seconds is None else _CLUSTER_KEEPALIVE_SECONDS,
        clean_session=None if is_v5 else False,
        clean_start=False if is_v5 else MQTT_CLEAN_START_FIRST_ONLY,
        properties=_session_properties() if is_v5 else None,
    )
    paho = paho_of(client)
    answer_seconds = client.timeout
    if patience_seconds is not None:
        paho.connect_timeout = client.timeout = patience_seconds
    paho.manual_ack_set(on=True)  # https://github.com/empicano/aiomqtt/issues/345
    paho.on_message = _deliver_to(inbox)
    _receive_through_channel(client, inbox, has_properties=is_v5)
    inbox.pause, inbox.resume = lambda: _pause(client), lambda: _resume(client)
    paho.on_socket_register_write = _await_writing(client)
    connack = _note_connack(paho)
    notice_loss_before_connack(client)
    try:
        with broker_errors():
            async with client:
                raise_if_lost_at_once(client)
                client.timeout = answer_seconds
                yield client, connack.session_present
    finally:
        # aiomqtt leaves a failed attempt's socket open.
        paho._sock_close()  # noqa: SLF001


def _session_properties() -> Properties:
    properties = Properties(PacketTypes.CONNECT)
    properties.SessionExpiryInterval = SESSION_EXPIRY_SECONDS
    properties.ReceiveMaximum = RECEIVE_MAXIMUM
    return properties


def _receive_through_channel(client: Client, inbox: Inbox, *, has_properties: bool) -> None:
    """Read from channels; aiomqtt may also read from closed sockets."""
    loop = asyncio.get_running_loop()
    paho = paho_of(client)

    def start() -> None:
        if paho.socket() is not None:
            _resume(client)
            client._misc_task = loop.create_task(_keep_alive(client))  # noqa: SLF001

    def on_socket_open(_client: PahoClient, _userdata: object, connected: socket) -> None:
        paho._sock = Channel(connected, inbox.put, has_properties=has_properties)  # noqa: SLF001
        loop.call_soon_threadsafe(start)  # paho connects in a thread

    paho.on_socket_open = cast("Any", on_socket_open)


def _deliver_to(inbox: Inbox) -> Callable[[PahoClient, object, MQTTMessage], None]:
    """Return a callback for QoS 2, which only an earlier subscription can bring."""

    def on_message(_client: PahoClient, _userdata: object, message: MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError as error:
            topic = error.object.decode(errors="replace")
        inbox.put([Publication(topic, bytes(message.payload), message.qos, message.mid)])

    return on_message


def acknowledge(client: Client, deliveries: Sequence[Delivery]) -> None:
    """Acknowledge messages in order, in one write; paho would write each PUBACK."""
    packet_ids = [delivery.packet_id for delivery in deliveries if delivery.qos == 1]
    if packet_ids:
        pubacks = b"".join(struct.pack("!BBH", MessageType.PUBACK, 2, packet_id) for packet_id in packet_ids)
        paho_of(client)._packet_queue(MessageType.PUBACK, pubacks, 0, 0)  # noqa: SLF001
    for delivery in deliveries:
        if delivery.qos == 2:
            paho_of(client).ack(delivery.packet_id, delivery.qos)


async def _keep_alive(client: Client) -> None:
    paho = paho_of(client)
    while isinstance(channel := paho.socket(), Channel):
        paho._last_bytes_received = max(paho._last_bytes_received, channel.heard_at)  # noqa: SLF001
        if channel.heard_at > paho._ping_t:  # noqa: SLF001
            paho._ping_t = 0  # noqa: SLF001 (as if PINGRESP had come)
        if paho.loop_misc() != MQTTErrorCode.MQTT_ERR_SUCCESS:
            return
        await asyncio.sleep(_KEEPALIVE_LOOK_SECONDS)


def _pause(client: Client) -> None:
    if isinstance(channel := paho_of(client).socket(), Channel):
        channel.is_read = False
        asyncio.get_running_loop().remove_reader(channel)


def _resume(client: Client) -> None:
    paho = paho_of(client)

    def read() -> None:
        paho.loop_read()
        # OpenSSL may buffer bytes: https://github.com/eclipse-paho/paho.mqtt.python/issues/131
        while isinstance(channel := paho.socket(), Channel) and channel.pending():
            paho.loop_read()

    if isinstance(channel := paho.socket(), Channel):
        channel.is_read = True
        asyncio.get_running_loop().add_reader(channel, _ending(client, read))


def _await_writing(client: Client) -> Callable[..., None]:
    """Return a callback that, unlike aiomqtt's, does not wait for a closed socket."""
    loop = asyncio.get_running_loop()

    def add_writer() -> None:
        if (channel := paho_of(client).socket()) is not None:
            loop.add_writer(channel, _ending(client, paho_of(client).loop_write))

    def await_writing(*_: object) -> None:
        loop.call_soon_threadsafe(add_writer)  # paho connects in a thread

    return await_writing


def _ending(client: Client, step: Callable[[], object]) -> Callable[[], None]:

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
    connack = _Connack()
    pass_on: Any = paho.on_connect

    def on_connect(
        client: PahoClient, userdata: object, flags: ConnectFlags, reason: ReasonCode, properties: Properties | None
    ) -> None:
        connack.session_present = flags.session_present
        pass_on(client, userdata, flags, reason, properties)

    paho.on_connect = on_connect
    return connack


def notice_loss_before_connack(client: Client) -> None:
    """Fail at once if the connection is lost before CONNACK; aiomqtt would wait."""
    paho = paho_of(client)
    pass_on: Any = paho.on_disconnect

    def on_disconnect(*arguments: object) -> None:
        connected = client._connected  # noqa: SLF001
        if not connected.done():
            connected.set_exception(aiomqtt.MqttError("the connection was lost before CONNACK"))
        pass_on(*arguments)

    paho.on_disconnect = on_disconnect


def raise_if_lost_at_once(client: Client) -> None:
    """Raise BrokerError if the connection was lost with CONNACK; aiomqtt misses this."""
    if not paho_of(client).is_connected():
        raise BrokerError("the connection was lost at once")


async def subscribe(client: Client, topic_filters: Sequence[str]) -> Sequence[str]:
    """Subscribe at QoS 1; return the filters not granted QoS 1. Raises BrokerError."""
    refused: list[str] = []
    for asked in _in_packets(topic_filters):
        suback = client.subscribe([(topic_filter, 1) for topic_filter in asked], timeout=math.inf)
        granted = cast("list[ReasonCode]", await _answered(client, suback))
        refused += [
            topic_filter for topic_filter, reason in zip(asked, granted, strict=True) if reason.value != _GRANTED_QOS_1
        ]
    return refused


async def unsubscribe(client: Client, topic_filters: Sequence[str]) -> None:
    """Unsubscribe from topic filters. Raises BrokerError."""
    for asked in _in_packets(topic_filters):
        await _answered(client, client.unsubscribe(list(asked), timeout=math.inf))


async def _answered(client: Client, answer: Coroutine[Any, Any, T]) -> T:
    answered = asyncio.create_task(answer)
    async with first_of(answered, asyncio.create_task(_quiet(client))):
        if not answered.done():
            raise BrokerError("the broker does not answer")
        with broker_errors():
            return answered.result()


async def _quiet(client: Client) -> None:
    asked_at = time.monotonic()
    channel = paho_of(client).socket()
    while True:
        heard_at = max(asked_at, channel.heard_at) if isinstance(channel, Channel) else asked_at
        seconds_left = heard_at + client.timeout - time.monotonic()
        if seconds_left <= 0:
            return
        await asyncio.sleep(seconds_left)


def _in_packets(topic_filters: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(topic_filters), _SUBSCRIBE_MAXIMUM):
        yield topic_filters[start : start + _SUBSCRIBE_MAXIMUM]


@contextmanager
def broker_errors() -> Iterator[None]:
    """Convert aiomqtt's errors to BrokerRefusedError and BrokerError."""
    try:
        yield
    except MqttConnectError as error:
        code = error.rc.value if isinstance(error.rc, ReasonCode) else error.rc
        raise BrokerRefusedError(str(error), code) from error
    except aiomqtt.MqttError as error:
        raise BrokerError(str(error.__cause__ or error) or type(error).__name__) from error


def make_client(broker: Broker, **session: Any) -> Client:  # noqa: ANN401 (aiomqtt's own keywords)
    """Return an unconnected client."""
    return aiomqtt.Client(
        broker.host,
        broker.port,
        identifier=broker.client_id,
        username=broker.username,
        password=broker.password,
        tls_context=broker.tls,
        protocol=_PROTOCOLS[broker.protocol],
        timeout=_ANSWER_SECONDS,
        **session,
    )


def paho_of(client: Client) -> PahoClient:
    """Return aiomqtt's paho client."""
    return client._client  # noqa: SLF001


def disconnected(client: Client) -> "asyncio.Future[None]":
    """Return the future that ends with the connection."""
    return client._disconnected  # noqa: SLF001


def raise_if_disconnected(client: Client) -> None:
    """Raise BrokerError if the connection is lost."""
    if disconnected(client).done():
        error = disconnected(client).exception()
        raise BrokerError(str(error or "the connection was lost") or type(error).__name__) from error


@asynccontextmanager
async def connect_publisher(broker: Broker) -> AsyncIterator[Callable[[str, bytes], Awaitable[None]]]:
    """Yield a function that publishes at QoS 1 and waits ten seconds for PUBACK (else TimeoutError)."""
    async with make_client(broker) as client:

        async def publish(topic: str, payload: bytes) -> None:
            # aiomqtt's own timeout may lose a cancellation: https://github.com/python/cpython/issues/86296
            async with asyncio.timeout(_PUBACK_SECONDS):
                await client.publish(topic, payload, qos=1, timeout=math.inf)

        yield publish
