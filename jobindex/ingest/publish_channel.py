"""The socket that paho sees: it delivers messages together, and passes other packets on.

paho makes four system calls for each packet, half of the time of ingestion. So PUBLISH of QoS 0 and 1 (section 3.3 of
MQTT 3.1.1 and 5) is cut out of the stream. Not chosen: our own MQTT client, for so small a part.

A message may have 256 MB: PACKET_BYTES are kept, and the parser rejects it as too long. Not chosen: a maximum packet
size in CONNECT, which makes the broker drop it silently, and which MQTT 3.1.1 lacks.
"""

import ssl
import time
from collections.abc import Callable, Sequence
from socket import socket
from typing import NamedTuple

from jobindex.messages.payloads import MAX_PAYLOAD_BYTES

READ_BYTES = 8 * 1024
"""Bytes of one read: some thirty messages, half a millisecond of the event loop."""

PACKET_BYTES = 256 * 1024
"""Bytes kept of a message: more than the longest topic with a payload that is too long."""

_PUBLISH = 3
_TOO_LONG = MAX_PAYLOAD_BYTES + 1


class Publication(NamedTuple):
    """A published message."""

    topic: str
    payload: bytes
    qos: int
    packet_id: int
    """0 for QoS 0."""


class Channel:
    """A socket that delivers messages, and returns other packets."""

    def __init__(
        self, connected: socket, deliver: Callable[[Sequence[Publication]], None], *, has_properties: bool
    ) -> None:
        self._socket = connected
        self._deliver = deliver
        self._has_properties = has_properties
        self._received = bytearray()
        self._dropped = 0
        """Dropped bytes of the first packet in `_received`."""
        self._shown = bytearray()
        self._heard_at = time.monotonic()
        self.is_read = True

    @property
    def heard_at(self) -> float:
        """When bytes last arrived, by the monotonic clock; now while reading is paused."""
        return self._heard_at if self.is_read else time.monotonic()

    def recv(self, size: int) -> bytes:
        """Deliver messages; return the bytes of other packets, or b"" at the end of the stream.

        Raises:
            BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError: nothing to return yet.
        """
        if not self._shown:
            received = self._socket.recv(READ_BYTES)
            if not received:
                return b""
            self._heard_at = time.monotonic()
            self._received += received
            self._split_packets()
            if not self._shown:
                raise BlockingIOError
        shown = bytes(self._shown[:size])
        del self._shown[:size]
        return shown

    def pending(self) -> int:
        """Return the number of buffered bytes."""
        return len(self._shown) or (self._socket.pending() if isinstance(self._socket, ssl.SSLSocket) else 0)

    def send(self, data: bytes | bytearray) -> int:
        """Send bytes."""
        return self._socket.send(data)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def fileno(self) -> int:
        """Return the socket's file descriptor."""
        return self._socket.fileno()

    def setblocking(self, flag: bool) -> None:  # noqa: FBT001 # as a socket has it
        """Set whether the socket blocks."""
        self._socket.setblocking(flag)

    def _split_packets(self) -> None:
        publications: list[Publication] = []
        start = 0
        try:
            while True:
                length, body = _integer(self._received, start + 1)
                end = body + length - self._dropped
                if end > len(self._received):
                    break
                packet = self._received[start:end]
                publication = self._publication(packet, body - start)
                self._dropped = 0
                if publication is None:
                    self._shown += packet
                else:
                    publications.append(publication)
                start = end
        except IndexError:
            pass  # the header of the last packet is incomplete
        except ValueError:
            self._shown += self._received[start:]  # paho handles malformed packets
            start = len(self._received)
        del self._received[:start]
        if publications:
            self._deliver(publications)
        excess = len(self._received) - PACKET_BYTES
        if excess > 0 and self._received[0] >> 4 == _PUBLISH:
            del self._received[PACKET_BYTES:]
            self._dropped += excess

    def _publication(self, packet: bytearray, body: int) -> Publication | None:
        """Return None if the packet is not a well-formed PUBLISH of QoS 0 or 1."""
        qos = packet[0] >> 1 & 3
        if packet[0] >> 4 != _PUBLISH or qos > 1:
            return None
        try:
            topic = body + 2
            position = topic_end = topic + (packet[body] << 8 | packet[body + 1])
            packet_id = 0
            if qos == 1:
                packet_id = packet[position] << 8 | packet[position + 1]
                position += 2
            if self._has_properties:
                length, position = _integer(packet, position)
                position += length
        except (IndexError, ValueError):
            return None
        if self._dropped:
            payload = bytes(packet[position:][:_TOO_LONG]).ljust(_TOO_LONG, b"\0")
        elif position > len(packet):
            return None
        else:
            payload = bytes(packet[position:])
        return Publication(packet[topic:topic_end].decode(errors="replace"), payload, qos, packet_id)


def _integer(data: bytearray, position: int) -> tuple[int, int]:
    """Return a variable byte integer and its end; IndexError if incomplete, ValueError if over four bytes."""
    value = data[position] & 0x7F
    for shift in (7, 14, 21):
        if data[position] < 0x80:
            return value, position + 1
        position += 1
        value |= (data[position] & 0x7F) << shift
    if data[position] >= 0x80:
        raise ValueError
    return value, position + 1
