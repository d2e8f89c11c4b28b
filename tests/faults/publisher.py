"""The publisher: one connection to a broker at a time, at QoS 1; it resends each message until it is acknowledged.

It implements MQTT 3.1.1 itself: the verdict depends on which connection received each acknowledgement.
"""

import queue
import select
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from itertools import cycle
from random import Random

from faults.ledger import Ledger, Sent
from faults.lives import Life, Message, lives, probe

_CONNECT = b"\x10\x15\x00\x04MQTT\x04\x02\x00\x00\x00\x09publisher"
_CONNACK = b"\x20\x02\x00\x00"
_PUBACK = b"\x40\x02"
_UNDER_WAY = 30
"""The number of lives that are published at the same time."""
_UNACKNOWLEDGED_MAXIMUM = 400
_BURST = 300


class Publisher:
    """Publishes lives at some rate, sometimes in a burst, until finished."""

    def __init__(self, ports: Sequence[int], ledger: Ledger, random: Random, *, messages_per_second: float) -> None:
        self._ports = ports
        self._ledger = ledger
        self._random = random
        self._rate = messages_per_second
        self._messages = _mixed(random)
        self._unacknowledged: dict[int, Sent] = {}
        self._probes: queue.SimpleQueue[Life] = queue.SimpleQueue()
        self._probe_number = 0
        self._finishing = threading.Event()
        self._ended = threading.Event()
        self._due = time.monotonic()
        self._burst = 0

    def finish(self) -> None:
        """Send no new messages except probes."""
        self._finishing.set()

    def is_idle(self) -> bool:
        """Return whether every message is acknowledged."""
        return not self._unacknowledged and self._probes.empty()

    def end(self) -> None:
        """Make `run` return."""
        self._ended.set()

    def probe(self) -> str:
        """Send a probe soon and return its job's id; only one thread may call this."""
        self._probe_number += 1
        life = probe(self._probe_number)
        self._probes.put(life)
        return life.job_id

    def run(self) -> None:
        """Publish; reconnect after a lost connection, in a cluster to the next broker."""
        for port in cycle(self._ports):
            if self._ended.is_set():
                return
            try:
                with socket.create_connection(("127.0.0.1", port), 2) as channel:
                    self._publish(channel)
            except OSError:
                time.sleep(0.02)

    def _publish(self, channel: socket.socket) -> None:
        channel.settimeout(5)
        channel.sendall(_CONNECT)
        received = _received(channel, 4)
        if received != _CONNACK:
            raise OSError("the broker refuses the publisher")
        self._ledger.connect()
        for unacknowledged in self._unacknowledged.values():
            channel.sendall(_packet(unacknowledged, again=True))
        received = b""
        while not self._ended.is_set():
            while (sent := self._next()) is not None:
                channel.sendall(_packet(sent, again=False))
            if select.select([channel], [], [], 0.01)[0]:
                data = channel.recv(4096)
                if not data:
                    raise OSError("the broker closed the connection")
                received = self._take_acknowledgements(received + data)

    def _next(self) -> Sent | None:
        """Return the next message. None if it is too early, or too many messages are in flight."""
        if len(self._unacknowledged) >= _UNACKNOWLEDGED_MAXIMUM:
            return None
        if not self._probes.empty():
            life = self._probes.get()
            job_id, message = life.job_id, life.messages[0]
        elif self._finishing.is_set() or (self._burst == 0 and self._due > time.monotonic()):
            return None
        else:
            self._pace()
            job_id, message = next(self._messages)
        sent = self._ledger.send(job_id, message)
        self._unacknowledged[_packet_id(sent)] = sent
        return sent

    def _pace(self) -> None:
        if self._burst > 0:
            self._burst -= 1
            return
        self._due = max(self._due, time.monotonic() - 1) + self._random.expovariate(self._rate)
        if self._random.random() < 1 / (20 * self._rate):
            self._burst = _BURST

    def _take_acknowledgements(self, received: bytes) -> bytes:
        whole = len(received) // 4 * 4
        for start in range(0, whole, 4):
            packet = received[start : start + 4]
            if not packet.startswith(_PUBACK):
                raise OSError(f"the broker sent {packet!r}")
            self._ledger.acknowledge(self._unacknowledged.pop(int.from_bytes(packet[2:], "big")))
        return received[whole:]


def _mixed(random: Random) -> Iterator[tuple[str, Message]]:
    """Yield the messages of many lives, those of each life in order."""
    more = lives(random)
    under_way = [(life.job_id, iter(life.messages)) for life, _ in zip(more, range(_UNDER_WAY), strict=False)]
    while True:
        index = random.randrange(_UNDER_WAY)
        job_id, messages = under_way[index]
        message = next(messages, None)
        if message is None:
            life = next(more)
            under_way[index] = life.job_id, iter(life.messages)
        else:
            yield job_id, message


def _packet(sent: Sent, *, again: bool) -> bytes:
    topic = sent.topic.encode()
    body = len(topic).to_bytes(2, "big") + topic + _packet_id(sent).to_bytes(2, "big") + sent.payload
    length, rest = b"", len(body)
    while rest >= 0x80:
        length += bytes([rest & 0x7F | 0x80])
        rest >>= 7
    return (b"\x3a" if again else b"\x32") + length + bytes([rest]) + body


def _packet_id(sent: Sent) -> int:
    return sent.number % 0xFFFF + 1


def _received(channel: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = channel.recv(count - len(data))
        if not more:
            raise OSError("the broker closed the connection")
        data += more
    return data
