"""A connection's socket as paho sees it: messages do not go through paho, they are delivered many at a time.

paho asks the operating system four times for each packet, and took half of all the time of ingestion. So this
stands between paho and its socket, as paho's own wrapper for WebSockets does: it reads what has arrived, cuts
out the messages (PUBLISH of QoS 0 and 1, section 3.3 of MQTT 3.1.1 and 5) and delivers them together. Any
other packet, and what is no packet, paho reads here as it would from the socket: connecting, TLS, subscribing
and keeping alive stay with it. Not chosen: a client of our own, for what is so small a part of one.
"""

import ssl
from collections.abc import Callable, Sequence
from socket import socket
from typing import NamedTuple

READ_BYTES = 8 * 1024
"""What is read at once: some thirty messages, which take the event loop half a millisecond."""

_PUBLISH = 3


class Publication(NamedTuple):
    """A message as it was published to us."""

    topic: str
    payload: bytes
    qos: int
    packet_id: int
    """Of QoS 1 and 2; 0 for QoS 0."""


class Channel:
    """A socket that delivers the messages it receives, and shows its reader everything else."""

    def __init__(
        self, connected: socket, deliver: Callable[[Sequence[Publication]], None], *, has_properties: bool
    ) -> None:
        self._socket = connected
        self._deliver = deliver
        self._has_properties = has_properties
        self._received = bytearray()
        self._shown = bytearray()

    def recv(self, size: int) -> bytes:
        """Return bytes of packets that are no messages, or b"" at the end; deliver the messages before them.

        Raises:
            BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError: there is nothing to show yet.
        """
        if not self._shown:
            received = self._socket.recv(READ_BYTES)
            if not received:
                return b""
            self._received += received
            self._part()
            if not self._shown:
                raise BlockingIOError
        shown = bytes(self._shown[:size])
        del self._shown[:size]
        return shown

    def pending(self) -> int:
        """Return how many bytes can be had of which the file descriptor shows nothing."""
        return len(self._shown) or (self._socket.pending() if isinstance(self._socket, ssl.SSLSocket) else 0)

    def send(self, data: bytes | bytearray) -> int:
        """Send as socket.send does."""
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

    def _part(self) -> None:
        """Part the whole packets that were received into messages and others."""
        publications: list[Publication] = []
        start = 0
        try:
            while True:
                length, body = _integer(self._received, start + 1)
                end = body + length
                if end > len(self._received):
                    break
                packet = self._received[start:end]
                publication = self._publication(packet, body - start)
                if publication is None:
                    self._shown += packet
                else:
                    publications.append(publication)
                start = end
        except IndexError:
            pass  # the head of the last packet is not whole yet
        except ValueError:
            self._shown += self._received[start:]  # paho knows what to do with what is no packet
            start = len(self._received)
        del self._received[:start]
        if publications:
            self._deliver(publications)

    def _publication(self, packet: bytearray, body: int) -> Publication | None:
        """Return the message in a packet, None where it holds none that is well-formed and of QoS 0 or 1."""
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
        if position > len(packet):
            return None
        return Publication(packet[topic:topic_end].decode(errors="replace"), bytes(packet[position:]), qos, packet_id)


def _integer(data: bytearray, position: int) -> tuple[int, int]:
    """Return the variable byte integer at a position, and where it ends.

    Raises:
        IndexError: the data end before it does.
        ValueError: it has more than four bytes.
    """
    value = data[position] & 0x7F
    for shift in (7, 14, 21):
        if data[position] < 0x80:
            return value, position + 1
        position += 1
        value |= (data[position] & 0x7F) << shift
    if data[position] >= 0x80:
        raise ValueError
    return value, position + 1
