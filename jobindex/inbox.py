"""The messages in hand: delivered on one connection, not yet acknowledged on it.

The broker's window should bound those of QoS 1; a bound of our own those of QoS 0, which have none. Not
every broker keeps to its window: mosquitto 2.0.11 sends up to a window more for every acknowledgement, and
begins to use packet ids twice. So nothing is read from the connection while too many are in hand. What is in
hand is known by its packet id, so that a broker which delivers again on the same connection adds nothing.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from jobindex.metrics import Metrics
from jobindex.state import State

QOS_0_MAXIMUM = 1000
"""QoS 0 messages in hand at once."""
IN_HAND_MAXIMUM = 3000
"""Messages in hand from which on nothing is read: more than any window, less than there are packet ids."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A message as the broker delivered it."""

    topic: str
    payload: bytes
    qos: int
    packet_id: int


class Inbox(asyncio.Queue[Delivery]):
    """The messages in hand, in the order of their arrival."""

    def __init__(self, state: State, metrics: Metrics, clock: Callable[[], datetime]) -> None:
        super().__init__()
        self.pause: Callable[[], None] = lambda: None
        """Called when nothing more should be read from the connection."""
        self.resume: Callable[[], None] = lambda: None
        """Called when it may be read again."""
        self._is_paused = False
        self._state = state
        self._state.in_hand.clear()  # what an older connection delivered, this one delivers again
        self._metrics = metrics
        self._clock = clock
        self._packet_ids: set[int] = set()
        self._qos_0 = 0
        self._closed = False

    def close(self) -> None:
        """Take no more messages: what comes now is not acknowledged, and delivered again another time."""
        self._closed = True

    def put_nowait(self, item: Delivery) -> None:
        """Put a message in hand, unless it is there already, or is one of QoS 0 too many; it never waits."""
        self._metrics.received.inc()
        self._state.last_message_at = now = self._clock()
        if self._closed:
            return
        if item.qos == 0:
            if self._qos_0 == QOS_0_MAXIMUM:
                self._metrics.dropped.inc()
                return
            self._qos_0 += 1
        elif item.packet_id in self._packet_ids:
            # NATS delivers again on the same connection what is not acknowledged within `ack_wait`.
            self._metrics.redelivered.inc()
            return
        else:
            self._packet_ids.add(item.packet_id)
        self._state.in_hand.append(now)
        super().put_nowait(item)
        if len(self._state.in_hand) >= IN_HAND_MAXIMUM and not self._is_paused:
            self._is_paused = True
            self.pause()

    def written(self, deliveries: Sequence[Delivery]) -> list[Delivery]:
        """Take the oldest messages out of hand, as they are durable; return those to acknowledge, in order."""
        for _ in deliveries:
            self._state.in_hand.popleft()
        if self._is_paused and len(self._state.in_hand) < IN_HAND_MAXIMUM // 2:
            self._is_paused = False
            self.resume()
        acknowledged = [delivery for delivery in deliveries if delivery.qos > 0]
        self._qos_0 -= len(deliveries) - len(acknowledged)
        self._packet_ids.difference_update(delivery.packet_id for delivery in acknowledged)
        return acknowledged
