"""HTTP/1.1 as uvicorn and httptools speak it, within limits that neither of them has.

httptools takes a head of any length, and uvicorn waits for the end of a request for ever. What exceeds a limit is
refused in AWS's form where it can still be answered, and the connection ends. Not chosen: limits in a proxy in front,
as the service has to stand without one.

What is used of uvicorn beyond its documentation stands in HttpProtocol; tests/service/test_protocol.py fails where that
changes.
"""

import asyncio
import asyncio.sslproto
import math
import ssl
from collections.abc import Sequence
from functools import partial
from http import HTTPStatus
from typing import Any, cast

import httptools
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from jobindex.addresses import network_of
from jobindex.errors import InvalidRequestException, ServiceUnavailableException
from jobindex.web.api.app import App
from jobindex.web.api.responses import STATUS, error_answer, request_id
from jobindex.web.connections import LIMITS, Connections, Limits

_NEVER = math.inf
_TLS_BUFFER_BYTES = 16 * 1024
"""A record of TLS."""
_TLS_CLOSE_SECONDS = 3600
"""Never reached: HttpProtocol ends a connection long before that is closed and not read."""


class HttpConfig(uvicorn.Config):
    """How HTTP is served; uvicorn makes the protocol of a connection from this alone."""

    def __init__(
        self,
        app: App,
        *,
        shutdown_seconds: int,
        limits: Limits = LIMITS,
        tls: ssl.SSLContext | None = None,
        proxies: Sequence[str] = (),
    ) -> None:
        super().__init__(
            app,
            http=HttpProtocol if tls is None else TlsProtocol,
            ws="none",  # who asks for it is answered by HTTP, without two lines in the log
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=bool(proxies),
            forwarded_allow_ips=list(proxies),
            timeout_graceful_shutdown=shutdown_seconds,
        )
        self.open_connections = Connections(limits)
        self.tls = tls
        if tls is not None:
            # asyncio has a buffer of 256 KiB for each connection before its handshake even begins: 600 MB for all.
            asyncio.sslproto.SSLProtocol.max_size = _TLS_BUFFER_BYTES


class _Refusal(Exception):
    def __init__(self, status: int, message: str, name: str = InvalidRequestException.__name__) -> None:
        super().__init__(message)
        self.status = status
        self.name = name


class HttpProtocol(HttpToolsProtocol):
    """A connection that is kept within the limits of its configuration."""

    url: bytes

    def __init__(
        self,
        config: HttpConfig,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._connections = config.open_connections
        self._limits = config.open_connections.limits
        self.url = b""
        self._address = ""
        # Bytes that may still come before the head, or the body, is complete.
        self._room = self._limits.head_bytes
        self._is_in_body = False
        self._body_bytes = 0
        self._is_refused = False
        # When the head, or the body, has to be complete; none while nothing of either has come.
        self._deadline = _NEVER
        # What could not be sent yet, and when some of it was, or there was nothing.
        self._unsent = 0
        self._sent_at = 0.0
        self.below: asyncio.Transport | None = None
        """The transport that carries TLS, and has a buffer of its own."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to wait for a request, where there is room for one more."""
        super().connection_made(cast("asyncio.Transport", transport))
        self._address = _address(transport)
        has_room = self._connections.make_room_for(self._address)
        self._place = self._connections.enter(self, self._address)
        self._sent_at = self.loop.time()
        self._deadline = self._sent_at + self._limits.head_seconds
        if not has_room:
            error = ServiceUnavailableException("Too many connections are open.")
            self._refuse(_Refusal(STATUS[type(error)], str(error), type(error).__name__))

    def connection_lost(self, exc: Exception | None) -> None:
        """Leave."""
        self._connections.leave(self, self._address)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what has come, as far as there is room for it.

        It stands in place of uvicorn's, which logs whatever is no HTTP and drops what comes behind an offer to upgrade.
        """
        if self._is_refused:
            return
        self._unset_keepalive_if_required()
        while data:
            if not self._room:
                self._refuse(self._overflow())
                return
            piece, data = data[: self._room], data[self._room :]
            self._room -= len(piece)
            try:
                self.parser.feed_data(piece)
            except httptools.HttpParserUpgrade as upgrade:
                data = piece[upgrade.args[0] :] + data
            except httptools.HttpParserError as error:
                # What a callback raises stands behind the parser's own error.
                refusal = error.__context__
                self._refuse(refusal if isinstance(refusal, _Refusal) else _Refusal(400, "The request is not HTTP."))
                return
            if len(self.pipeline) > self._limits.ahead:
                self.transport.abort()
                return
        if self._deadline == _NEVER and (self._is_in_body or self._room < self._limits.head_bytes):
            seconds = self._limits.body_seconds if self._is_in_body else self._limits.head_seconds
            self._deadline = self.loop.time() + seconds

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; what stands behind a body is none, though the parser calls it so."""
        if not self._is_in_body:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Begin a request whose head is within the limits; the parser calls it."""
        if len(self.url) > self._limits.path_bytes:
            path, _, query = self.url.partition(b"?")
            if len(path) > self._limits.path_bytes or len(query) > self._limits.query_bytes:
                raise self._too_long_a_line()
        for name, value in self.headers:
            if name == b"content-length" and int(value) > self._limits.body_bytes:
                raise self._too_much_of_a_body()
        # What came in one piece with the end of the request before took no room.
        if len(self.url) + sum(len(name) + len(value) + 3 for name, value in self.headers) > self._limits.head_bytes:
            raise self._too_long_a_head()
        super().on_headers_complete()
        self._is_in_body = True
        self._body_bytes = 0
        self._room = self._limits.body_bytes
        self._deadline = _NEVER

    def on_body(self, body: bytes) -> None:
        """Take a part of a body; one that came in one piece with its head took no room."""
        self._body_bytes += len(body)
        if self._body_bytes > self._limits.body_bytes:
            raise self._too_much_of_a_body()
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Note that a request has come whole; the parser calls it."""
        super().on_message_complete()
        self._is_in_body = False
        self._room = self._limits.head_bytes
        self._deadline = _NEVER
        if not self.cycle.response_complete:
            self._place.work()

    def on_response_complete(self) -> None:
        """Note that a request is answered."""
        super().on_response_complete()
        if self.cycle.response_complete:
            self._place.wait()

    def shutdown(self) -> None:
        """Close the connection as the server stops, if need be once the request under way is answered."""
        super().shutdown()
        self._end_closed(self._count_unsent())

    def end_overdue(self, now: float) -> None:
        """End the connection where the client has taken too long to send, or to read."""
        unsent = self._count_unsent()
        if unsent < self._unsent or not unsent:
            self._sent_at = now
        self._unsent = unsent
        if now - self._sent_at > self._limits.send_seconds:
            self.transport.abort()
        elif self.transport.is_closing():
            self._end_closed(unsent)
        elif now > self._deadline:
            self._time_out()

    def evict(self) -> None:
        """Close the connection, for another one."""
        self.transport.abort()

    def _count_unsent(self) -> int:
        unsent = self.transport.get_write_buffer_size()
        return unsent if self.below is None else unsent + self.below.get_write_buffer_size()

    def _end_closed(self, unsent: int) -> None:
        if self.transport.is_closing() and not unsent:
            self.transport.abort()  # TLS would wait for the client to close it too

    def _time_out(self) -> None:
        if self._is_refused:
            self.transport.abort()
        elif self._is_in_body:
            self._refuse(_too_late("body", self._limits.body_seconds))
        elif self.cycle is not None and not self.cycle.response_complete:
            pass  # it may send the next request while it reads an answer
        elif self._room == self._limits.head_bytes:
            self.transport.close()
        else:
            self._refuse(_too_late("head", self._limits.head_seconds))

    def _refuse(self, refusal: _Refusal) -> None:
        """Answer with an error if that can be taken for nothing else, read no more, and end the connection."""
        if not self._may_answer():
            self.transport.abort()
            return
        if self._is_in_body:
            # The application may be at work on it already.
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self._is_refused = True
        self._deadline = self.loop.time() + self._limits.linger_seconds
        self._unset_keepalive_if_required()
        self.transport.write(_encoded(refusal, self.server_state.default_headers))
        # What still comes is read and forgotten: closing now would make the client's system forget the answer.
        self.flow.resume_reading()

    def _may_answer(self) -> bool:
        if self.cycle is None:
            return True
        if self._is_in_body:
            return not self.cycle.response_started and not self.pipeline
        return self.cycle.response_complete

    def _overflow(self) -> _Refusal:
        if self._is_in_body:
            return self._too_much_of_a_body()
        if len(self.url) > self._limits.path_bytes + self._limits.query_bytes:
            return self._too_long_a_line()
        return self._too_long_a_head()

    def _too_long_a_head(self) -> _Refusal:
        return _Refusal(
            HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
            f"The request line and the headers have more than {self._limits.head_bytes} bytes.",
        )

    def _too_long_a_line(self) -> _Refusal:
        return _Refusal(
            HTTPStatus.REQUEST_URI_TOO_LONG,
            f"The path has more than {self._limits.path_bytes} bytes, or the query more than "
            f"{self._limits.query_bytes}.",
        )

    def _too_much_of_a_body(self) -> _Refusal:
        return _Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"The body has more than {self._limits.body_bytes} bytes.")


class TlsProtocol(asyncio.Protocol):
    """A connection until its TLS stands; an HttpProtocol takes its place then.

    Not chosen: TLS by the server's socket, as asyncio tells nobody of such a connection before its handshake is done.
    """

    def __init__(
        self,
        config: HttpConfig,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self._make_http = partial(HttpProtocol, config, server_state, app_state, _loop)
        self._config = config
        self._connections = config.open_connections
        self._server_state = server_state
        self._address = ""
        self._securing: asyncio.Task[asyncio.Transport | None] | None = None
        self._early = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin the handshake, where there is room for one more."""
        transport = cast("asyncio.Transport", transport)
        self._address = _address(transport)
        if not self._connections.make_room_for(self._address):
            transport.abort()
            return
        self._connections.enter(self, self._address)
        # uvicorn calls shutdown() of what is in this set, and waits until it is empty.
        self._server_state.connections.add(cast("HttpToolsProtocol", self))
        self._securing = asyncio.get_running_loop().create_task(self._secure(transport), name="tls")
        # Not at the end of the task: one that is cancelled early never begins.
        self._securing.add_done_callback(partial(self._hand_over, transport))

    def data_received(self, data: bytes) -> None:
        """Keep what has come with the end of the handshake."""
        self._early += data

    def end_overdue(self, now: float) -> None:
        """Do nothing: asyncio limits the handshake."""

    def evict(self) -> None:
        """Close the connection, for another one."""
        self.shutdown()

    def shutdown(self) -> None:
        """Close the connection, as the server stops."""
        if self._securing is not None:
            self._securing.cancel()

    async def _secure(self, transport: asyncio.Transport) -> asyncio.Transport | None:
        try:
            return await asyncio.get_running_loop().start_tls(
                transport,
                self,
                cast("ssl.SSLContext", self._config.tls),
                server_side=True,
                ssl_handshake_timeout=self._connections.limits.handshake_seconds,
                ssl_shutdown_timeout=_TLS_CLOSE_SECONDS,
            )
        except OSError:
            return None  # no TLS, or none in time

    def _hand_over(self, transport: asyncio.Transport, securing: "asyncio.Task[asyncio.Transport | None]") -> None:
        self._connections.leave(self, self._address)
        self._server_state.connections.discard(cast("HttpToolsProtocol", self))
        secured = None if securing.cancelled() else securing.result()
        if secured is None or secured.is_closing():
            transport.abort()
            return
        http = self._make_http()
        http.below = transport
        secured.set_protocol(http)
        http.connection_made(secured)
        http.data_received(self._early)


def _address(transport: asyncio.BaseTransport) -> str:
    # None where the client is gone already.
    peer = transport.get_extra_info("peername")
    return network_of(str(peer[0])) if peer else ""


def _too_late(what: str, seconds: float) -> _Refusal:
    message = f"The {what} of the request took longer than {seconds:g} seconds."
    return _Refusal(HTTPStatus.REQUEST_TIMEOUT, message, "RequestTimeoutException")


def _encoded(refusal: _Refusal, headers: list[tuple[bytes, bytes]]) -> bytes:
    answer = error_answer(refusal.status, refusal.name, str(refusal))
    lines = [
        f"HTTP/1.1 {refusal.status} {HTTPStatus(refusal.status).phrase}".encode(),
        *(name + b": " + value for name, value in (*headers, *answer.raw_headers)),
        b"x-amzn-requestid: " + request_id(),
        b"connection: close",
    ]
    return b"\r\n".join((*lines, b"", bytes(answer.body)))
