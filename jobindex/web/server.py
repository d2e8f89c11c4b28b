"""The HTTP server of the service: its application, its keys and its socket."""

import asyncio
import logging
import signal
import socket
import ssl
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path

import uvicorn

from jobindex.access.access import Access
from jobindex.access.keys import Keys
from jobindex.access.keys_file import is_open_to_others, read_keys
from jobindex.access.rates import Rates, burst
from jobindex.addresses import authority
from jobindex.config.settings import Settings
from jobindex.config.tls import renew_certificate
from jobindex.durations import SHUTDOWN
from jobindex.errors import KeysError, SettingsError
from jobindex.monitoring.metrics import Metrics
from jobindex.monitoring.state import ServiceState
from jobindex.web.api.app import App, create_app
from jobindex.web.api.gateway import Admission
from jobindex.web.api.hosts import Hosts
from jobindex.web.api.throttle import PAGES_MAXIMUM, Throttle
from jobindex.web.changes import ChangeFeed
from jobindex.web.connections import LIMITS, Limits, allowed_connections
from jobindex.web.opened_jobs import OpenedJobs
from jobindex.web.protocol import HttpConfig
from jobindex.web.ui.routes import FREE, PUBLIC_PATHS, make_ui

_BACKLOG = 2048
_SEND_BUFFER_BYTES = 128 * 1024

_log = logging.getLogger(__name__)


def make_access(settings: Settings) -> Access:
    """Return the access control of the settings."""
    http = settings.http
    if http.keys_path is not None and http.keys is not None:
        _log_keys(http.keys_path, http.keys)
    return Access(http.keys, region=settings.aws_region, public=http.public)


def _log_keys(path: Path, keys: Keys) -> None:
    level = logging.INFO if keys.all else logging.WARNING
    _log.log(level, "Keys in force: %d%s", len(keys.all), "" if keys.all else ": no client has access")
    if is_open_to_others(path):
        _log.warning(
            "%s contains secrets, and every user of this machine may read or write it: chmod o= %s", path, path
        )


def make_app(settings: Settings, state: ServiceState, metrics: Metrics, feed: ChangeFeed, access: Access) -> App:
    """Return the application: the API and the pages."""
    opened = OpenedJobs(state)
    ui = make_ui(
        state,
        Throttle(metrics, PAGES_MAXIMUM),
        stuck_after=settings.stuck_after,
        access=access,
        refused=metrics.unauthenticated.inc,
        signed_out=lambda principal: feed.end_streams(principal.holder),
        opened=opened,
    )
    admission = Admission(
        access=access,
        hosts=Hosts(settings.http.host_names),
        rates=None if settings.http.rate is None else Rates(settings.http.rate, burst(settings.http.rate)),
        public_paths=PUBLIC_PATHS,
        free=FREE,
        refuse=ui.refuse,
    )
    return create_app(
        state,
        metrics,
        feed,
        pages=ui.routes,
        parser=settings.parser(),
        stuck_after=settings.stuck_after,
        admission=admission,
        opened=opened,
    )


@contextmanager
def reading_again(settings: Settings, access: Access, feed: ChangeFeed) -> Iterator[None]:
    """Reload the keys and the certificate on SIGHUP; an invalid file is logged and changes nothing."""

    def read_again() -> None:
        reload_certificate(settings)
        if settings.http.keys_path is not None:
            _renew_keys(settings.http.keys_path, access, feed)

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGHUP, read_again)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGHUP)


def reload_certificate(settings: Settings) -> None:
    """Use the files' current certificate for new HTTPS connections; an error is logged."""
    if settings.http.tls is not None and settings.http.cert_file is not None:
        renew_certificate(settings.http.tls, settings.http.cert_file, settings.http.key_file)


def _renew_keys(path: Path, access: Access, feed: ChangeFeed) -> None:
    try:
        keys = read_keys(path)
    except KeysError as error:
        _log.error("The keys were not reloaded: %s", "; ".join(error.problems))
        return
    access.replace(keys)
    feed.end_streams()  # subscribers have to authenticate again
    _log_keys(path, keys)


def http_config(
    app: App, *, limits: Limits = LIMITS, tls: ssl.SSLContext | None = None, proxies: Sequence[str] = ()
) -> HttpConfig:
    """Return the HTTP configuration; client addresses that `proxies` report are trusted."""
    return HttpConfig(app, shutdown_seconds=SHUTDOWN.http_seconds, limits=limits, tls=tls, proxies=proxies)


@asynccontextmanager
async def serving_http(
    app: App, listener: socket.socket, stopping: asyncio.Event, settings: Settings
) -> AsyncIterator[None]:
    """Serve HTTP, or HTTPS, on a bound socket; a failure sets `stopping`."""
    limits = replace(LIMITS, connections=allowed_connections(LIMITS.connections))
    server = _Server(http_config(app, limits=limits, tls=settings.http.tls, proxies=settings.http.proxies))
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
        # asyncio disables Nagle's algorithm only for sockets that name their protocol; it would cost 40 ms a response.
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise SettingsError([f"JOBINDEX_HTTP_HOST: {host!r}: {error.strerror}"]) from error
    with listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # For connections, which inherit it. The system would use up to 4 MB for each client that reads nothing, and
        # keep it for minutes after the connection is closed.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
        try:
            listener.bind(address)
            listener.listen(_BACKLOG)
        except OSError as error:
            raise SettingsError([f"JOBINDEX_HTTP_PORT: {authority(host, port)}: {error.strerror}"]) from error
        yield listener


class _Server(uvicorn.Server):
    """A server without signal handlers: uvicorn's would stop it before the messages in flight are committed."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
