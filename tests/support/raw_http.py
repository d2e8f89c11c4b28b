"""HTTP on sockets: a server of a small application, and clients that may send anything."""

import asyncio
import json
import select
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPResponse
from io import BufferedReader
from typing import Any, Self

import uvicorn

from jobindex.web.api.app import App
from jobindex.web.connections import LIMITS, Limits
from jobindex.web.server import bound_socket, http_config


class _Reader(BufferedReader):
    """A reader that stays open after the answers read from it are closed."""

    def close(self) -> None:
        """Stay open."""


class Wire:
    """A client's connection."""

    def __init__(self, port: int, tls: ssl.SSLContext | None = None, *, address: str = "127.0.0.1") -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=15, source_address=(address, 0))
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_hostname="127.0.0.1")
        self._raw = self.socket.makefile("rb", buffering=0)
        self._reader = _Reader(self._raw)
        self._answers: list[HTTPResponse] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        for answer in self._answers:  # an answer that was not read to its end flushes its reader on close
            answer.close()
        self._raw.close()
        self.socket.close()

    def makefile(self, mode: str) -> BufferedReader:  # noqa: ARG002 (HTTPResponse calls it)
        """Return the reader of all answers."""
        return self._reader

    def send(self, data: bytes) -> bool:
        """Send data; return whether the peer still accepts it."""
        try:
            self.socket.sendall(data)
        except OSError:
            return False
        return True

    def answer(self) -> HTTPResponse:
        """Return the next answer, with its head read."""
        response = HTTPResponse(self)  # type: ignore[arg-type]
        response.begin()
        self._answers.append(response)
        return response

    def error(self) -> tuple[int, str | None, str]:
        """Return status, type and message of an error in AWS's form, after which the connection ends."""
        answer = self.answer()
        told: dict[str, Any] = json.loads(answer.read())
        assert "close" == answer.headers["connection"]
        assert answer.headers["x-amzn-requestid"]
        assert self.is_ended()
        return answer.status, answer.headers["x-amzn-errortype"], told["message"]

    def get(self, path: str) -> bytes:
        """Request a path and return the answer's body."""
        assert self.send(b"GET %s HTTP/1.1\r\nhost: x\r\n\r\n" % path.encode())
        return self.answer().read()

    def is_ended(self) -> bool:
        """Wait for the end of the connection; return whether nothing arrived before it."""
        try:
            return self._reader.read(1) == b""
        except TimeoutError:
            return False
        except OSError:
            return True

    def has_come(self) -> bool:
        """Return whether there is something to read."""
        return bool(select.select([self.socket], [], [], 0)[0])


@contextmanager
def wired(app: App, limits: Limits = LIMITS, tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """Serve an application while the context is open; yield its port."""
    with bound_socket("127.0.0.1", 0) as listener:
        server = uvicorn.Server(http_config(app, limits=limits, tls=tls))
        thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])))
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join()
