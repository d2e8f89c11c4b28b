"""Short connections that test a broker: reachability, granted subscriptions, retained messages."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

from paho.mqtt.client import Client as PahoClient
from paho.mqtt.client import MQTTMessage

from jobindex.errors import BrokerError
from jobindex.ingest.broker import Broker
from jobindex.ingest.broker_turns import PATIENCE_SECONDS
from jobindex.ingest.mqtt_client import (
    Client,
    broker_errors,
    make_client,
    notice_loss_before_connack,
    paho_of,
    raise_if_lost_at_once,
    subscribe,
)

_RETAINED_SECONDS = 0.5  # a retained message follows SUBACK directly


class Probe:
    """A connection whose session ends with it."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def is_granted(self, topic_filter: str) -> bool:
        """Return whether the broker grants QoS 1."""
        return not await subscribe(self._client, [topic_filter])

    async def retained(self, topic: str) -> bytes | None:
        """Return a topic's retained message; None if none arrives within half a second."""
        arrived: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

        def note(_client: PahoClient, _userdata: object, message: MQTTMessage) -> None:
            if not arrived.done():
                arrived.set_result(bytes(message.payload))

        paho_of(self._client).message_callback_add(topic, note)
        if not await self.is_granted(topic):
            return None
        await asyncio.wait((arrived,), timeout=_RETAINED_SECONDS)
        return arrived.result() if arrived.done() else None


@asynccontextmanager
async def connect_probe(broker: Broker, *, patience_seconds: float | None = None) -> AsyncIterator[Probe]:
    """Connect with an unused client id: a broker ends an older connection with the same id.

    Raises:
        BrokerRefusedError, BrokerError: see `connect`.
    """
    client = make_client(broker)
    if patience_seconds is not None:
        paho_of(client).connect_timeout = client.timeout = patience_seconds
    paho_of(client).on_message = lambda *_: None
    notice_loss_before_connack(client)
    try:
        with broker_errors():
            async with client:
                raise_if_lost_at_once(client)
                yield Probe(client)
    finally:
        paho_of(client)._sock_close()  # noqa: SLF001


async def can_connect(brokers: Sequence[Broker]) -> bool:
    """Return whether any broker accepts a connection with another client id."""
    for broker in brokers:
        client_id = f"{broker.client_id[:100]}-standby-{secrets.token_hex(3)}"
        with suppress(BrokerError):
            async with connect_probe(replace(broker, client_id=client_id), patience_seconds=PATIENCE_SECONDS):
                return True
    return False
