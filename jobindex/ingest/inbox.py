"""The messages in hand: delivered on one connection, not yet acknowledged on it.

The broker's window should bound those of QoS 1; a bound of our own those of QoS 0, which have none. Not
every broker keeps to its window: mosquitto 2.0.11 sends up to a window more for every acknowledgement, and
begins to use packet ids twice. So nothing is read from the connection while too many are in hand, or too
much. What is in hand is known by its packet id, so that a broker which delivers again on the same connection
adds nothing.

A message is parsed when it is put in hand: what one read brings takes the event loop a moment, a whole batch
would take it long, and the batch before is being written meanwhile.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from jobindex.ingest.publish_channel import Publication
from jobindex.messages.parsing import Parser
from jobindex.model.jobs import to_milliseconds
from jobindex.model.reports import Told
from jobindex.monitoring.metrics import Metrics
from jobindex.monitoring.state import ServiceState

QOS_0_MAXIMUM = 1000
"""QoS 0 messages in hand at once."""
IN_HAND_MAXIMUM = 10_000
"""Messages in hand from which on nothing is read: more than any window, less than there are packet ids."""
BYTES_IN_HAND_MAXIMUM = 4 * 1024 * 1024
"""Bytes of payloads in hand from which on nothing is read; what they tell may take fifty times the memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A message in hand."""

    told: Told
    payload_bytes: int
    qos: int
    packet_id: int


class Inbox:
    """The messages in hand, in the order of their arrival."""

    def __init__(self, parser: Parser, state: ServiceState, metrics: Metrics, clock: Callable[[], datetime]) -> None:
        self._parser = parser
        self.pause: Callable[[], None] = lambda: None
        """Called when nothing more should be read from the connection."""
        self.resume: Callable[[], None] = lambda: None
        """Called when it may be read again."""
        self._is_paused = False
        self._state = state
        self._state.in_hand.clear()  # what an older connection delivered, this one delivers again
        self._metrics = metrics
        self._clock = clock
        self._waiting: deque[Delivery] = deque()
        self._arrived = asyncio.Event()
        self._packet_ids: set[int] = set()
        self._qos_0 = 0
        self._bytes = 0
        self._closed = False

    def close(self) -> None:
        """Take no more messages: what comes now is not acknowledged, and delivered again another time."""
        self._closed = True

    def put(self, publications: Sequence[Publication]) -> None:
        """Put messages in hand, unless they are there already, or are of QoS 0 and too many; it never waits."""
        self._metrics.received.inc(len(publications))
        self._state.last_message_at = now = self._clock()
        if self._closed:
            return
        now_milliseconds = to_milliseconds(now)
        for topic, payload, qos, packet_id in publications:
            if self._takes(qos, packet_id):
                told = self._parser.told_by(topic, payload, now_milliseconds)
                self._waiting.append(Delivery(told=told, payload_bytes=len(payload), qos=qos, packet_id=packet_id))
                self._bytes += len(payload)
                self._state.in_hand.append(now)
        if self._waiting:
            self._arrived.set()
        if not self._is_paused and (
            len(self._state.in_hand) >= IN_HAND_MAXIMUM or self._bytes >= BYTES_IN_HAND_MAXIMUM
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
            # NATS delivers again on the same connection what is not acknowledged within `ack_wait`.
            self._metrics.redelivered.inc()
            return False
        else:
            self._packet_ids.add(packet_id)
        return True

    async def wait(self) -> None:
        """Return when there is a message to get, or `wake` was called."""
        await self._arrived.wait()

    def wake(self) -> None:
        """End the wait for a message."""
        self._arrived.set()

    def get(self, limit: int) -> list[Delivery]:
        """Return the oldest messages that were not got yet, at most so many; they stay in hand until written."""
        batch = [self._waiting.popleft() for _ in range(min(limit, len(self._waiting)))]
        if not self._waiting:
            self._arrived.clear()
        return batch

    def written(self, deliveries: Sequence[Delivery]) -> list[Delivery]:
        """Take the oldest messages out of hand, as they are durable; return those to acknowledge, in order."""
        for delivery in deliveries:
            self._state.in_hand.popleft()
            self._bytes -= delivery.payload_bytes
        if (
            self._is_paused
            and len(self._state.in_hand) < IN_HAND_MAXIMUM // 2
            and self._bytes < BYTES_IN_HAND_MAXIMUM // 2
        ):
            self._is_paused = False
            self.resume()
        acknowledged = [delivery for delivery in deliveries if delivery.qos > 0]
        self._qos_0 -= len(deliveries) - len(acknowledged)
        self._packet_ids.difference_update(delivery.packet_id for delivery in acknowledged)
        return acknowledged
