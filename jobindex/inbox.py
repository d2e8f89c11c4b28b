"""The messages in hand: delivered on one connection, not yet acknowledged on it.

The broker's window should bound those of QoS 1; a bound of our own those of QoS 0, which have none. Not
every broker keeps to its window: mosquitto 2.0.11 sends up to a window more for every acknowledgement, and
begins to use packet ids twice. So nothing is read from the connection while too many are in hand. What is in
hand is known by its packet id, so that a broker which delivers again on the same connection adds nothing.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime

from jobindex.channel import Publication
from jobindex.metrics import Metrics
from jobindex.state import State

QOS_0_MAXIMUM = 1000
"""QoS 0 messages in hand at once."""
IN_HAND_MAXIMUM = 3000
"""Messages in hand from which on nothing is read: more than any window, less than there are packet ids."""


class Inbox:
    """The messages in hand, in the order of their arrival."""

    def __init__(self, state: State, metrics: Metrics, clock: Callable[[], datetime]) -> None:
        self.pause: Callable[[], None] = lambda: None
        """Called when nothing more should be read from the connection."""
        self.resume: Callable[[], None] = lambda: None
        """Called when it may be read again."""
        self._is_paused = False
        self._state = state
        self._state.in_hand.clear()  # what an older connection delivered, this one delivers again
        self._metrics = metrics
        self._clock = clock
        self._waiting: deque[Publication] = deque()
        self._arrived = asyncio.Event()
        self._packet_ids: set[int] = set()
        self._qos_0 = 0
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
        for publication in publications:
            if self._takes(publication):
                self._waiting.append(publication)
                self._state.in_hand.append(now)
        if self._waiting:
            self._arrived.set()
        if len(self._state.in_hand) >= IN_HAND_MAXIMUM and not self._is_paused:
            self._is_paused = True
            self.pause()

    def _takes(self, publication: Publication) -> bool:
        if publication.qos == 0:
            if self._qos_0 == QOS_0_MAXIMUM:
                self._metrics.dropped.inc()
                return False
            self._qos_0 += 1
        elif publication.packet_id in self._packet_ids:
            # NATS delivers again on the same connection what is not acknowledged within `ack_wait`.
            self._metrics.redelivered.inc()
            return False
        else:
            self._packet_ids.add(publication.packet_id)
        return True

    async def wait(self) -> None:
        """Return when there is a message to get."""
        await self._arrived.wait()

    def get(self, limit: int) -> list[Publication]:
        """Return the oldest messages that were not got yet, at most so many; they stay in hand until written."""
        batch = [self._waiting.popleft() for _ in range(min(limit, len(self._waiting)))]
        if not self._waiting:
            self._arrived.clear()
        return batch

    def written(self, publications: Sequence[Publication]) -> list[Publication]:
        """Take the oldest messages out of hand, as they are durable; return those to acknowledge, in order."""
        for _ in publications:
            self._state.in_hand.popleft()
        if self._is_paused and len(self._state.in_hand) < IN_HAND_MAXIMUM // 2:
            self._is_paused = False
            self.resume()
        acknowledged = [publication for publication in publications if publication.qos > 0]
        self._qos_0 -= len(publications) - len(acknowledged)
        self._packet_ids.difference_update(publication.packet_id for publication in acknowledged)
        return acknowledged
