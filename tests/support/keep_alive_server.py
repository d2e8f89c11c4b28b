"""A server on loopback with a thread for each connection, which can end them all, also those whose thread waits."""

import contextlib
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, ClassVar, Self


class KeepAliveServer(ThreadingHTTPServer):
    """Serves while its context is open."""

    daemon_threads = False  # so that server_close() waits for them
    request_queue_size = 64

    def __init__(self, handler: type["KeepAliveHandler"]) -> None:
        self.closing = threading.Event()
        self.connections: set[socket.socket] = set()
        self._serving = threading.Thread(target=self.serve_forever, args=(0.02,), name=handler.__name__)
        super().__init__(("127.0.0.1", 0), handler)

    @property
    def url(self) -> str:
        """The URL of its root."""
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that are gone: handlers report everything else themselves."""

    def __enter__(self) -> Self:
        self._serving.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.closing.set()
        self.shutdown()
        self._serving.join()
        for connection in [*self.connections]:
            end(connection)
        self.server_close()


class KeepAliveHandler(BaseHTTPRequestHandler):
    """Answers every method in `answer`, as often as the client uses the connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: KeepAliveServer
    methods: ClassVar = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD")

    def __init_subclass__(cls) -> None:
        for method in cls.methods:
            setattr(cls, f"do_{method}", lambda self: self.answer(self.body()))

    def answer(self, body: bytes) -> None:
        """Answer the request."""
        raise NotImplementedError

    def body(self) -> bytes:
        """Return the body of the request."""
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def send(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        """Send a whole answer."""
        self.send_head(status, headers, len(body))
        self.wfile.write(body)

    def send_head(self, status: int, headers: list[tuple[str, str]], length: int) -> None:
        """Send the head of an answer."""
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def handle(self) -> None:
        """Serve the connection, unless the server closes."""
        self.server.connections.add(self.connection)
        try:
            if not self.server.closing.is_set():
                super().handle()
        finally:
            self.server.connections.discard(self.connection)

    def log_message(self, *arguments: object) -> None:
        """Log nothing."""


def end(connection: socket.socket) -> None:
    """End a connection, so that a thread that waits for its bytes goes on."""
    with contextlib.suppress(OSError):  # it has ended already
        connection.shutdown(socket.SHUT_RDWR)
