"""The messages in flight: delivered on one connection and not yet acknowledged.

QoS 0 has a limit here. The receive window bounds QoS 1, but some brokers exceed it (mosquitto 2.0.11 sends up to a
window more for each acknowledgement, and reuses packet ids), so reading stops at a number of messages or bytes.

Parsing a whole batch would block the event loop, so messages are parsed on arrival, and long ones in a thread (128 KiB
took 0.1 s).
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from jobindex.ingest.publish_channel import Publication
from jobindex.messages.parsing import Parser
from jobindex.model.jobs import from_milliseconds, to_milliseconds
from jobindex.model.reports import UNTIMED, Parsed, RejectedMessage, latest_time
from jobindex.monitoring.metrics import Metrics
from jobindex.monitoring.state import ServiceState

QOS_0_MAXIMUM = 1000
"""QoS 0 messages in flight at once; more are dropped."""
IN_FLIGHT_MAXIMUM = 10_000
"""Stop reading at this many messages in flight: above any receive window, below the 65,535 packet ids."""
BYTES_IN_FLIGHT_MAXIMUM = 4 * 1024 * 1024
"""Stop reading at this many bytes of topics and payloads; their reports may take fifty times the memory."""

BATCH_BYTES = 1024 * 1024
"""Payload bytes of a batch: its reports are in memory at once, and written in one transaction."""
BATCH_REPORTS = 10_000
"""Reports of a batch, for the same reason: 5,000 messages of an execution, or a few lists."""

LONG_BYTES = 16 * 1024
"""A longer payload is parsed in a thread, and ends its batch: it may contain thousands of reports."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Unparsed:
    publication: Publication
    arrived_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A parsed message."""

    topic: str
    payload: bytes
    parsed: Parsed
    qos: int
    packet_id: int


class Inbox:
    """The messages in flight, in the order of arrival."""

    def __init__(self, parser: Parser, state: ServiceState, metrics: Metrics, clock: Callable[[], datetime]) -> None:
        self._parser = parser
        self.pause: Callable[[], None] = lambda: None
        """Stops reading from the connection, until `resume`."""
        self.resume: Callable[[], None] = lambda: None
        self._is_paused = False
        self._state = state
        self._state.in_flight.clear()  # the broker redelivers the messages of an earlier connection
        self._metrics = metrics
        self._clock = clock
        self._waiting: deque[Delivery | _Unparsed] = deque()
        self._arrived = asyncio.Event()
        self._packet_ids: set[int] = set()
        self._qos_0 = 0
        self._bytes = 0
        self._closed = False

    def close(self) -> None:
        """Ignore further messages; the broker redelivers them later."""
        self._closed = True

    def put(self, publications: Sequence[Publication]) -> None:
        """Add messages, except redeliveries and QoS 0 messages over the limit.

        Raises:
            ClockError: the clock cannot be trusted; no message is added.
        """
        self._metrics.received.inc(len(publications))
        now = self._clock()
        self._state.note_message(now)
        if self._closed:
            return
        now_milliseconds = to_milliseconds(now)
        latest = UNTIMED
        for publication in publications:
            if self._takes(publication.qos, publication.packet_id):
                self._bytes += len(publication.topic) + len(publication.payload)
                if len(publication.payload) > LONG_BYTES:
                    self._waiting.append(_Unparsed(publication=publication, arrived_at=now_milliseconds))
                else:
                    delivery = self._parsed(publication, now_milliseconds)
                    self._waiting.append(delivery)
                    latest = max(latest, latest_time(delivery.parsed))
                self._state.in_flight.append(now)
        self._note_stamp(latest)
        if self._waiting:
            self._arrived.set()
        if not self._is_paused and (
            len(self._state.in_flight) >= IN_FLIGHT_MAXIMUM or self._bytes >= BYTES_IN_FLIGHT_MAXIMUM
        ):
            self._is_paused = True
            self.pause()

    def _takes(self, qos: int, packet_id: int) -> bool:
        if qos == 0:
            if self._qos_0 == QOS_0_MAXIMUM:
                self._metrics.dropped.inc()
                return False
            self._qos_0 += 1
        elif packet_id in self._packet_ids:
            # NATS redelivers on the same connection after `ack_wait`.
            self._metrics.redelivered.inc()
            return False
        else:
            self._packet_ids.add(packet_id)
        return True

    async def wait(self) -> None:
        """Wait for a message, or for `wake`."""
        await self._arrived.wait()

    def wake(self) -> None:
        """End the wait."""
        self._arrived.set()

    async def get(self, limit: int) -> list[Delivery]:
        """Return the next messages, at most `limit`; a long one, BATCH_BYTES or BATCH_REPORTS ends the batch."""
        batch: list[Delivery] = []
        size = reports = 0
        while self._waiting and len(batch) < limit and size < BATCH_BYTES and reports < BATCH_REPORTS:
            one = self._waiting.popleft()
            if isinstance(one, _Unparsed):
                batch.append(await asyncio.to_thread(self._parsed, one.publication, one.arrived_at))
                self._note_stamp(latest_time(batch[-1].parsed))
                break
            batch.append(one)
            size += len(one.payload)
            reports += 1 if isinstance(one.parsed, RejectedMessage) else len(one.parsed)
        if not self._waiting:
            self._arrived.clear()
        return batch

    def written(self, deliveries: Sequence[Delivery]) -> list[Delivery]:
        """Remove the oldest messages, now durable; return those to acknowledge."""
        for delivery in deliveries:
            newest = self._state.in_flight.popleft()
            self._bytes -= len(delivery.topic) + len(delivery.payload)
            if self._state.newest_arrival_at is None or newest > self._state.newest_arrival_at:
                self._state.newest_arrival_at = newest
        if (
            self._is_paused
            and len(self._state.in_flight) < IN_FLIGHT_MAXIMUM // 2
            and self._bytes < BYTES_IN_FLIGHT_MAXIMUM // 2
        ):
            self._is_paused = False
            self.resume()
        acknowledged = [delivery for delivery in deliveries if delivery.qos > 0]
        self._qos_0 -= len(deliveries) - len(acknowledged)
        self._packet_ids.difference_update(delivery.packet_id for delivery in acknowledged)
        return acknowledged

    def _parsed(self, publication: Publication, arrived_at: int) -> Delivery:
        topic, payload, qos, packet_id = publication
        parsed = self._parser.parse(topic, payload, arrived_at)
        return Delivery(topic=topic, payload=payload, parsed=parsed, qos=qos, packet_id=packet_id)

    def _note_stamp(self, latest: int) -> None:
        if latest > UNTIMED:
            stamp, newest = from_milliseconds(latest), self._state.newest_stamp_at
            self._state.newest_stamp_at = stamp if newest is None else max(newest, stamp)
