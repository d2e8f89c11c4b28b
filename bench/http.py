"""A minimal HTTP client on one persistent connection; its own cost is small."""

import re
import socket
import time
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from bench.errors import BenchError

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)

_IDLE_SECONDS = 3  # uvicorn closes after five


class Connection:
    """A connection to a server on loopback."""

    def __init__(self, url: str, *, seconds: float = 60) -> None:
        parts = urlsplit(url)
        self._host = parts.netloc
        self._address = parts.hostname, parts.port
        self._seconds = seconds
        self._connect()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def _connect(self) -> None:
        self._socket = socket.create_connection(self._address, self._seconds)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._used_at = time.monotonic()

    def refresh(self) -> None:
        """Reconnect if the connection was idle for so long that the server may close it."""
        if time.monotonic() - self._used_at > _IDLE_SECONDS:
            self._socket.close()
            self._connect()

    def get(self, path: str) -> bytes:
        """Return the body of a response.

        Raises:
            BenchError: the status is not 200, or the response has no length.
        """
        self._socket.sendall(f"GET {path} HTTP/1.1\r\nHost: {self._host}\r\n\r\n".encode())
        head, end, body = b"", -1, b""
        while end < 0:
            head += self._receive()
            end = head.find(b"\r\n\r\n")
        head, body = head[: end + 2], head[end + 4 :]
        length = _LENGTH.search(head)
        if length is None or not head.startswith(b"HTTP/1.1 200"):
            raise BenchError(f"{path} is answered with {head!r}")
        parts, missing = [body], int(length[1]) - len(body)
        while missing > 0:
            parts.append(self._receive())
            missing -= len(parts[-1])
        self._used_at = time.monotonic()
        return b"".join(parts)

    def milliseconds(self, path: str) -> float:
        """Return the time of a response."""
        self.refresh()
        started = time.perf_counter()
        self.get(path)
        return (time.perf_counter() - started) * 1000

    def _receive(self) -> bytes:
        received = self._socket.recv(1 << 18)
        if not received:
            raise BenchError("the server closed the connection")
        return received
