"""The HTTP side of the service: what is served, and on what socket."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace

import uvicorn

from jobindex.addresses import authority
from jobindex.api.app import App, create_app
from jobindex.api.throttle import PAGES_MAXIMUM, Throttle
from jobindex.config.settings import Settings
from jobindex.connections import LIMITS, Limits, allowed_connections
from jobindex.errors import SettingsError
from jobindex.http_protocol import HttpConfig
from jobindex.live import Live
from jobindex.metrics import Metrics
from jobindex.state import State
from jobindex.tls import renew_certificate
from jobindex.ui.routes import ui_routes

_HTTP_SECONDS = 2
_BACKLOG = 2048
_SEND_BUFFER_BYTES = 128 * 1024


def make_app(settings: Settings, state: State, metrics: Metrics, live: Live) -> App:
    """Return what is served: the API and the pages."""
    return create_app(
        state,
        metrics,
        live,
        pages=ui_routes(state, Throttle(metrics, PAGES_MAXIMUM), stuck_after=settings.stuck_after),
        thing_arn_prefix=settings.thing_arn_prefix,
        stuck_after=settings.stuck_after,
    )


def reload_certificate(settings: Settings) -> None:
    """Serve new connections by HTTPS with what the files of the certificate hold now; a fault is logged."""
    if settings.http.tls is not None and settings.http.cert_file is not None:
        renew_certificate(settings.http.tls, settings.http.cert_file, settings.http.key_file)


def http_config(app: App, *, limits: Limits = LIMITS, tls: ssl.SSLContext | None = None) -> HttpConfig:
    """Return how HTTP is served."""
    return HttpConfig(app, shutdown_seconds=_HTTP_SECONDS, limits=limits, tls=tls)


@asynccontextmanager
async def serving_http(
    app: App, listener: socket.socket, stopping: asyncio.Event, tls: ssl.SSLContext | None
) -> AsyncIterator[None]:
    """Serve HTTP, or HTTPS by `tls`, on a bound socket while the context is open; its failure sets `stopping`."""
    limits = replace(LIMITS, connections=allowed_connections(LIMITS.connections))
    server = _Server(http_config(app, limits=limits, tls=tls))
    serving = asyncio.create_task(server.serve(sockets=[listener]), name="http")
    serving.add_done_callback(lambda _: stopping.set())
    try:
        yield
    finally:
        server.should_exit = True
        await serving


@contextmanager
def bound_socket(host: str, port: int) -> Iterator[socket.socket]:
    """Listen on an address.

    Raises:
        SettingsError: the address cannot be bound.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP, flags=socket.AI_PASSIVE
        )[0]
        # asyncio turns Nagle's delay off only for sockets that name their protocol: 40 ms an answer.
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise SettingsError([f"JOBINDEX_HTTP_HOST: {host!r}: {error.strerror}"]) from error
    with listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Connections inherit it. The system would take up to 4 MB for each client that reads nothing, and keep that
        # for minutes after the connection is closed.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
        try:
            listener.bind(address)
            listener.listen(_BACKLOG)
        except OSError as error:
            raise SettingsError([f"JOBINDEX_HTTP_PORT: {authority(host, port)}: {error.strerror}"]) from error
        yield listener


class _Server(uvicorn.Server):
    """A server that leaves signals alone: it would stop before the messages in hand are committed."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture nothing."""
        yield
