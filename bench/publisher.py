"""A publisher that is not the bottleneck: a process that sends encoded packets, many at a time.

`python -m bench.publisher PORT FILE` connects, prints `ready`, and sends once it reads a line. At the end of the file
or on SIGTERM, it prints as JSON how many messages the broker has acknowledged.
"""

import argparse
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.errors import BenchError
from bench.packets import PUBACK_BYTES, connect_packet, packet_ends
from bench.processes import stop

_WINDOW = 5_000
_CHUNK = 200
_TICK_SECONDS = 0.001
_CONNACK_BYTES = 4


class Publisher:
    """A publisher process that waits for its start."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def start(self) -> None:
        """Start sending."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"go\n")
        self._process.stdin.flush()

    def finish(self) -> int:
        """Stop the process and return how many messages the broker has acknowledged."""
        self._process.terminate()
        assert self._process.stdout is not None
        return int(json.loads(self._process.stdout.read())["acknowledged"])


@contextmanager
def publisher(port: int, stream: Path, *, rate: float | None = None, first: int = 0) -> Iterator[Publisher]:
    """Run a publisher of the packets in a file, which is connected when the context opens.

    Raises:
        BenchError: the broker refuses the connection.
    """
    command = [sys.executable, "-m", "bench.publisher", str(port), str(stream), "--first", str(first)]
    if rate is not None:
        command += ["--rate", str(rate)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
    try:
        assert process.stdout is not None
        if process.stdout.readline() != b"ready\n":
            raise BenchError("the publisher does not start")
        yield Publisher(process)
    finally:
        stop(process)


class _Sender:
    """Sends the packets of a stream, and counts the acknowledgements."""

    def __init__(self, connection: socket.socket, stream: bytes) -> None:
        self._connection = connection
        self._stream = memoryview(stream)
        self._ends = [0, *packet_ends(stream)]
        self.sent = 0
        self._acknowledged_bytes = 0

    @property
    def count(self) -> int:
        return len(self._ends) - 1

    @property
    def acknowledged(self) -> int:
        return self._acknowledged_bytes // PUBACK_BYTES

    def send(self, first: int, count: int) -> None:
        """Send packets; wait while too many are in flight."""
        self._connection.sendall(self._stream[self._ends[first] : self._ends[first + count]])
        self.sent += count
        self.receive(wait=False)
        while self.sent - self.acknowledged > _WINDOW:
            self.receive(wait=True)

    def receive(self, *, wait: bool) -> None:
        try:
            received = len(self._connection.recv(1 << 16, 0 if wait else socket.MSG_DONTWAIT))
        except BlockingIOError:
            return
        if not received:
            raise BenchError("the broker closed the publisher's connection")
        self._acknowledged_bytes += received


class _Ended(Exception):
    """SIGTERM arrived."""


def main() -> None:
    """Publish the packets of a file."""
    parser = argparse.ArgumentParser(prog="python -m bench.publisher", description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("stream", type=Path)
    parser.add_argument("--rate", type=float, help="messages per second; repeats the file")
    parser.add_argument("--first", type=int, default=0, help="the first packet to send")
    arguments = parser.parse_args()
    with socket.create_connection(("127.0.0.1", arguments.port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(connect_packet(f"publisher-{connection.getsockname()[1]}"))
        if connection.recv(_CONNACK_BYTES, socket.MSG_WAITALL)[3:] != b"\0":
            raise BenchError("the broker refuses the publisher")
        sender = _Sender(connection, arguments.stream.read_bytes())
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        sys.stdin.readline()
        signal.signal(signal.SIGTERM, _end)
        try:
            if arguments.rate:
                _send_at_rate(sender, arguments.rate, arguments.first)
            else:
                _send_all(sender)
        except _Ended:
            pass
        finally:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
    json.dump({"acknowledged": sender.acknowledged}, sys.stdout)


def _send_all(sender: _Sender) -> None:
    for first in range(0, sender.count, _CHUNK):
        sender.send(first, min(_CHUNK, sender.count - first))
    while sender.acknowledged < sender.count:
        sender.receive(wait=True)


def _send_at_rate(sender: _Sender, rate: float, first: int) -> None:
    """Send the packets that are due, a thousand times per second, and repeat the file."""
    started = time.monotonic()
    while True:
        due = int((time.monotonic() - started) * rate)
        while sender.sent < due:
            at = (first + sender.sent) % sender.count
            sender.send(at, min(due - sender.sent, _CHUNK, sender.count - at))
        sender.receive(wait=False)
        time.sleep(_TICK_SECONDS)


def _end(*_: object) -> None:
    raise _Ended


if __name__ == "__main__":
    main()
