"""A reverse proxy that records when a client called which operation, to show that its rate stays within a budget."""

import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from support.aws_wire import SERVICES, Refused, route
from support.keep_alive_server import KeepAliveHandler, KeepAliveServer, end

_IDLE_SECONDS = 3.0
"""Less than a server keeps a connection: uvicorn closes it after 5 s, perhaps while a request is sent."""
_OF_A_CONNECTION = {"connection", "keep-alive", "transfer-encoding", "content-length", "proxy-connection"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxiedCall:
    """A request that arrived at the proxy."""

    time: float
    """By `time.monotonic()`, at its arrival."""
    operation: str
    """AWS's name of it, or its method and path."""


class CountingProxy:
    """A proxy in front of a URL, while the context is open.

    It keeps connections on both sides, and passes on the header `Host`, which a signature covers. If the server does
    not answer, the client gets 502.
    """

    def __init__(self, url: str) -> None:
        self._upstream = urlsplit(url)
        self.calls: list[ProxiedCall] = []
        """In the order of arrival."""
        self._lock = threading.Lock()
        self._server: KeepAliveServer
        self.upstreams: set[HTTPConnection] = set()

    @property
    def url(self) -> str:
        """The URL to call instead of the server's."""
        return self._server.url

    def most_within(self, seconds: float) -> Mapping[str, int]:
        """Return by operation the greatest number of calls that arrived within any window of `seconds`."""
        most: Counter[str] = Counter()
        times: dict[str, list[float]] = {}
        firsts: Counter[str] = Counter()
        for call in [*self.calls]:
            window = times.setdefault(call.operation, [])
            window.append(call.time)
            while call.time - window[firsts[call.operation]] > seconds:
                firsts[call.operation] += 1
            most[call.operation] = max(most[call.operation], len(window) - firsts[call.operation])
        return most

    def record(self, method: str, target: str) -> None:
        """Record a request that arrives now."""
        operation = _operation(method, target)
        with self._lock:
            self.calls.append(ProxiedCall(time=time.monotonic(), operation=operation))

    def connect(self) -> HTTPConnection:
        """Return a new connection to the server."""
        connection = HTTPConnection(self._upstream.hostname or "", self._upstream.port, timeout=60)
        self.upstreams.add(connection)
        return connection

    def path(self, target: str) -> str:
        """Return the target of a request at the server."""
        return self._upstream.path.rstrip("/") + target

    def __enter__(self) -> Self:
        self._server = KeepAliveServer(type("ProxyHandler", (_Handler,), {"proxy": self})).__enter__()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        for connection in [*self.upstreams]:
            if connection.sock is not None:
                end(connection.sock)
        self._server.__exit__()


class _Handler(KeepAliveHandler):
    proxy: CountingProxy

    def setup(self) -> None:
        super().setup()
        self.upstream = self.proxy.connect()
        self.used_at = 0.0

    def finish(self) -> None:
        self.upstream.close()
        self.proxy.upstreams.discard(self.upstream)
        super().finish()

    def answer(self, body: bytes) -> None:
        self.proxy.record(self.command, self.path)
        is_new = self.upstream.sock is None
        try:
            try:
                answer = self._ask(body)
            except ConnectionError:
                if is_new:
                    raise
                self.upstream.close()  # the server had closed it while it was idle
                answer = self._ask(body)
        except (OSError, HTTPException) as error:
            self.upstream.close()
            answer = 502, [("Content-Type", "text/plain")], str(error).encode()
        self.send(*answer)

    def _ask(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        if time.monotonic() - self.used_at > _IDLE_SECONDS:
            self.upstream.close()  # the request opens it again
        self.upstream.putrequest(self.command, self.proxy.path(self.path), skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            if name.lower() not in _OF_A_CONNECTION:
                self.upstream.putheader(name, value)
        self.upstream.putheader("Content-Length", str(len(body)))
        self.upstream.endheaders(body)
        response = self.upstream.getresponse()
        content = response.read()
        self.used_at = time.monotonic()
        headers = [(name, value) for name, value in response.getheaders() if name.lower() not in _OF_A_CONNECTION]
        return response.status, headers, content


def _operation(method: str, target: str) -> str:
    for service in SERVICES.values():
        try:
            return route(service, method, target)[0]
        except Refused:
            continue
    return f"{method} {urlsplit(target).path}"
