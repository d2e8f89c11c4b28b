"""HTTP at the level of sockets: a server of a small application, and clients that send what they like."""

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
    """A reader that outlives the answers that are read from it."""

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

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._raw.close()
        self.socket.close()

    def makefile(self, mode: str) -> BufferedReader:  # noqa: ARG002 (HTTPResponse calls it)
        """Return what answers are read from, one behind the other."""
        return self._reader

    def send(self, data: bytes) -> bool:
        """Send, and tell whether the other side still takes it."""
        try:
            self.socket.sendall(data)
        except OSError:
            return False
        return True

    def answer(self) -> HTTPResponse:
        """Return the next answer, of which the head is read."""
        response = HTTPResponse(self)  # type: ignore[arg-type]
        response.begin()
        return response

    def error(self) -> tuple[int, str | None, str]:
        """Return status, type and message of an answer in AWS's form, behind which the connection ends."""
        answer = self.answer()
        told: dict[str, Any] = json.loads(answer.read())
        assert "close" == answer.headers["connection"]
        assert answer.headers["x-amzn-requestid"]
        assert self.is_ended()
        return answer.status, answer.headers["x-amzn-errortype"], told["message"]

    def get(self, path: str) -> bytes:
        """Ask for a path and return the answer's body."""
        assert self.send(b"GET %s HTTP/1.1\r\nhost: x\r\n\r\n" % path.encode())
        return self.answer().read()

    def is_ended(self) -> bool:
        """Wait for the end of the connection, and tell whether nothing came before."""
        try:
            return self._reader.read(1) == b""
        except TimeoutError:
            return False
        except OSError:
            return True

    def has_come(self) -> bool:
        """Tell whether there is something to read."""
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
