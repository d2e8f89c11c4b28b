"""HTTP/1.1 by uvicorn and httptools, within limits that neither of them has.

httptools accepts a head of any length, and uvicorn waits forever for the end of a request. A request over a limit gets
an error in AWS's form if a response is still possible, and the connection closes. Not chosen: limits in a proxy,
because the service must be safe without one.

HttpProtocol uses undocumented parts of uvicorn; tests/service/test_protocol.py fails if they change.
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
"""The size of a TLS record."""
_TLS_CLOSE_SECONDS = 3600
"""Never reached: long before, HttpProtocol aborts a closed connection that the client does not read."""


class HttpConfig(uvicorn.Config):
    """uvicorn's configuration, and all that uvicorn passes to a connection's protocol."""

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
            ws="none",  # an upgrade request gets an HTTP response, without two lines in the log
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
            # asyncio allocates 256 KiB for each connection before its handshake begins: 600 MB for all.
            asyncio.sslproto.SSLProtocol.max_size = _TLS_BUFFER_BYTES


class _Refusal(Exception):
    def __init__(self, status: int, message: str, name: str = InvalidRequestException.__name__) -> None:
        super().__init__(message)
        self.status = status
        self.name = name


class HttpProtocol(HttpToolsProtocol):
    """A connection within the limits of its configuration."""

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
        # The bytes left for the head, or for the body.
        self._room = self._limits.head_bytes
        self._is_in_body = False
        self._body_bytes = 0
        self._is_refused = False
        # Of the head or the body in progress; _NEVER if there is none.
        self._deadline = _NEVER
        # The unsent bytes, and the last time when some were sent or none were left.
        self._unsent = 0
        self._sent_at = 0.0
        self.below: asyncio.Transport | None = None
        """The transport below TLS, which has a buffer of its own."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for a request if there is room for the connection."""
        super().connection_made(cast("asyncio.Transport", transport))
        _hold_little(self.transport)
        self._address = _address(transport)
        has_room = self._connections.make_room_for(self._address)
        self._place = self._connections.enter(self, self._address)
        self._sent_at = self.loop.time()
        self._deadline = self._sent_at + self._limits.head_seconds
        if not has_room:
            error = ServiceUnavailableException("Too many connections are open.")
            self._refuse(_Refusal(STATUS[type(error)], str(error), type(error).__name__))

    def connection_lost(self, exc: Exception | None) -> None:
        """Remove the connection."""
        self._connections.leave(self, self._address)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse received bytes within the limits.

        uvicorn's own method logs everything that is not HTTP and drops the bytes after an offer to upgrade.
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
                # The parser replaces an error of a callback with its own.
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
        """Add a header, but no trailer: the parser calls this method for both."""
        if not self._is_in_body:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Begin a request if its head is within the limits."""
        if len(self.url) > self._limits.path_bytes:
            path, _, query = self.url.partition(b"?")
            if len(path) > self._limits.path_bytes or len(query) > self._limits.query_bytes:
                raise self._too_long_a_line()
        for name, value in self.headers:
            if name == b"content-length" and int(value) > self._limits.body_bytes:
                raise self._too_much_of_a_body()
        # A head in one piece with the end of the previous request was not counted.
        if len(self.url) + sum(len(name) + len(value) + 3 for name, value in self.headers) > self._limits.head_bytes:
            raise self._too_long_a_head()
        super().on_headers_complete()
        self._is_in_body = True
        self._body_bytes = 0
        self._room = self._limits.body_bytes
        self._deadline = _NEVER

    def on_body(self, body: bytes) -> None:
        """Add a part of a body; a part in one piece with the head was not counted."""
        self._body_bytes += len(body)
        if self._body_bytes > self._limits.body_bytes:
            raise self._too_much_of_a_body()
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Note that a request is complete."""
        super().on_message_complete()
        self._is_in_body = False
        self._room = self._limits.head_bytes
        self._deadline = _NEVER
        if not self.cycle.response_complete:
            self._place.work()

    def on_response_complete(self) -> None:
        """Note that a response is complete."""
        super().on_response_complete()
        if self.cycle.response_complete:
            self._place.wait()
        self._connections.note_unsent(self)

    def shutdown(self) -> None:
        """Close the connection at a shutdown; a request in flight is answered first."""
        if not self.transport.is_closing():  # a TLS transport that is closed twice cannot be asked for its buffer
            super().shutdown()
        self._end_closed(self.unsent_bytes())

    def end_overdue(self, now: float) -> None:
        """Close the connection if its client sends or reads too slowly."""
        unsent = self.unsent_bytes()
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
        """Close the connection at once."""
        self.transport.abort()

    def unsent_bytes(self) -> int:
        """Return the bytes of responses that the client has not read."""
        unsent = self.transport.get_write_buffer_size()
        return unsent if self.below is None else unsent + self.below.get_write_buffer_size()

    def _end_closed(self, unsent: int) -> None:
        if self.transport.is_closing() and not unsent:
            self.transport.abort()  # TLS would wait until the client closes it, too

    def _time_out(self) -> None:
        if self._is_refused:
            self.transport.abort()
        elif self._is_in_body:
            self._refuse(_too_late("body", self._limits.body_seconds))
        elif self.cycle is not None and not self.cycle.response_complete:
            pass  # the client may send the next request while it reads a response
        elif self._room == self._limits.head_bytes:
            self.transport.close()
        else:
            self._refuse(_too_late("head", self._limits.head_seconds))

    def _refuse(self, refusal: _Refusal) -> None:
        """Send an error, unless it could be mistaken for another response, and close the connection."""
        if not self._may_answer():
            self.transport.abort()
            return
        if self._is_in_body:
            # The application may already process the request.
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self._is_refused = True
        self._deadline = self.loop.time() + self._limits.linger_seconds
        self._unset_keepalive_if_required()
        self.transport.write(_encoded(refusal, self.server_state.default_headers))
        # Read and discard further bytes: closing now would make the client's system discard the response.
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
    """A connection until its TLS handshake is done; then an HttpProtocol replaces it.

    Not chosen: TLS by the server's socket, because asyncio does not report such a connection before its handshake ends.
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
        """Begin the handshake if there is room."""
        transport = cast("asyncio.Transport", transport)
        _hold_little(transport)
        self._address = _address(transport)
        if not self._connections.make_room_for(self._address):
            transport.abort()
            return
        self._connections.enter(self, self._address)
        # uvicorn calls shutdown() on each member of this set, and waits until it is empty.
        self._server_state.connections.add(cast("HttpToolsProtocol", self))
        self._securing = asyncio.get_running_loop().create_task(self._secure(transport), name="tls")
        # Not at the end of the task: a task that is cancelled early never starts.
        self._securing.add_done_callback(partial(self._hand_over, transport))

    def data_received(self, data: bytes) -> None:
        """Keep the bytes that arrive with the end of the handshake."""
        self._early += data

    def end_overdue(self, now: float) -> None:
        """Do nothing: asyncio limits the handshake."""

    def evict(self) -> None:
        """Close the connection at once."""
        self.shutdown()

    def unsent_bytes(self) -> int:
        """Return 0: no response has been sent yet."""
        return 0

    def shutdown(self) -> None:
        """Close the connection because the server stops."""
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
            return None  # not TLS, or too slow

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


def _hold_little(transport: asyncio.Transport) -> None:
    """Pause a stream once the system's buffer is full: asyncio would buffer 64 KiB, with TLS a megabyte."""
    transport.set_write_buffer_limits(high=1)  # at 0, TLS would pause a stream that has nothing to send


def _address(transport: asyncio.BaseTransport) -> str:
    # None if the client has already disconnected.
    peer = transport.get_extra_info("peername")
    return network_of(str(peer[0])) if peer else ""


def _too_late(part: str, seconds: float) -> _Refusal:
    message = f"The {part} of the request took longer than {seconds:g} seconds."
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
