"""The service: what runs beside what, what starts first, and in which order it stops.

Start: bind the HTTP port (a port that is taken stops the start), answer /healthz and /readyz, open the
database, subscribe. Stop: not ready; read no more messages; commit and acknowledge those in hand; end the lines of who
watches; end HTTP; close the database. Each step has a limit, ten seconds in all.
"""

import asyncio
import logging
import signal
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime

import uvicorn

from jobindex.addresses import authority, url
from jobindex.api.app import App, create_app
from jobindex.api.throttle import PAGES_MAXIMUM, Throttle
from jobindex.backoff import Backoff
from jobindex.config import Settings
from jobindex.connections import LIMITS, Limits, allowed_connections
from jobindex.errors import DatabaseUnavailableError, SettingsError
from jobindex.http_protocol import HttpConfig
from jobindex.ingestion import Ingestor
from jobindex.live import Live
from jobindex.metrics import Metrics
from jobindex.mqtt import Subscriber
from jobindex.retention import ROUND_SECONDS, retain
from jobindex.sqlite.store import open_store
from jobindex.sqlite.wal import wal_bytes
from jobindex.state import State
from jobindex.store import Store
from jobindex.tls import renew_certificate
from jobindex.ui.routes import ui_routes

_DRAIN_SECONDS = 4
_HTTP_SECONDS = 2
_BACKLOG = 2048
# A thread that comes back from SQLite, or from a socket, waits so long for one that computes. A batch comes back from
# each of thirty statements; with Python's own 5 ms it waited 150 ms while messages were parsed.
_SWITCH_SECONDS = 0.00002

_log = logging.getLogger(__name__)


async def serve(settings: Settings, stopping: asyncio.Event, state: State | None = None) -> None:
    """Run the service until `stopping` is set; `state` tells meanwhile how it fares.

    Raises:
        SettingsError: the HTTP address cannot be bound.
        DatabaseRefusedError: the database is not one to work with.
    """
    sys.setswitchinterval(_SWITCH_SECONDS)
    state = state or State()
    metrics = Metrics(state)
    metrics.wal_bytes.set_function(lambda: wal_bytes(settings.database_path))
    live = Live(state)
    metrics.watchers.set_function(lambda: live.watchers)
    app = create_app(
        state,
        metrics,
        live,
        pages=ui_routes(state, Throttle(metrics, PAGES_MAXIMUM), stuck_after=settings.stuck_after),
        thing_arn_prefix=settings.thing_arn_prefix,
        stuck_after=settings.stuck_after,
    )
    with bound_socket(settings.http_host, settings.http_port) as listener:
        # The database is left last: it is still read while HTTP ends.
        async with (
            AsyncExitStack() as database,
            _serve_http(app, listener, stopping, settings.http_tls),
            _tell(live, stopping),
        ):
            state.url = url(*listener.getsockname()[:2], is_secure=settings.http_tls is not None)
            _log.info("Listening on %s", state.url)
            store = await _open_when_possible(settings, database, state, stopping)
            if store is not None:
                state.store, state.reason = store, None
                await _ingest(settings, store, state=state, metrics=metrics, live=live, stopping=stopping)


def _now() -> datetime:
    return datetime.now(UTC)


def stop_on_signals(stopping: asyncio.Event) -> None:
    """Set `stopping` on SIGTERM and SIGINT."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)


def reload_certificate(settings: Settings) -> None:
    """Serve new connections by HTTPS with what the files of the certificate hold now; a fault is logged."""
    if settings.http_tls is not None and settings.http_cert_file is not None:
        renew_certificate(settings.http_tls, settings.http_cert_file, settings.http_key_file)


async def _ingest(
    settings: Settings, store: Store, *, state: State, metrics: Metrics, live: Live, stopping: asyncio.Event
) -> None:
    """Receive until `stopping` is set, then finish what is in hand."""
    ingestor = Ingestor(store, metrics, clock=_now, note=live.note)
    subscriber = Subscriber(
        settings.broker, settings.topic_filters, ingestor.apply, store=store, state=state, metrics=metrics, clock=_now
    )
    receiving = asyncio.create_task(subscriber.run(), name="ingestion")
    stopped = asyncio.create_task(stopping.wait(), name="stopping")
    retaining = asyncio.create_task(_retain(settings, store, metrics), name="retention")
    try:
        await asyncio.wait((receiving, stopped, retaining), return_when=asyncio.FIRST_COMPLETED)
        state.reason = "the service is stopping"
        subscriber.stop()
        if retaining.done():
            retaining.result()  # raises what ended it
        retaining.cancel()
        await asyncio.wait((receiving,), timeout=_DRAIN_SECONDS)
        if receiving.done():
            receiving.result()  # raises what ended it
        else:
            _log.warning("Stopping with messages in hand: the broker will deliver them again")
    finally:
        tasks = (receiving, stopped, retaining)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def _retain(settings: Settings, store: Store, metrics: Metrics) -> None:
    """Forget what ended long ago until cancelled; without the setting, nothing."""
    if settings.retention is None:
        await asyncio.Event().wait()
    else:
        await retain(store, settings.retention, metrics=metrics, clock=_now, round_seconds=ROUND_SECONDS)


def http_config(app: App, *, limits: Limits = LIMITS, tls: ssl.SSLContext | None = None) -> HttpConfig:
    """Return how HTTP is served."""
    return HttpConfig(app, shutdown_seconds=_HTTP_SECONDS, limits=limits, tls=tls)


@asynccontextmanager
async def _serve_http(
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


@asynccontextmanager
async def _tell(live: Live, stopping: asyncio.Event) -> AsyncIterator[None]:
    """Tell watchers what changes while the context is open, and end their lines then; its failure sets `stopping`."""
    telling = asyncio.create_task(live.run(), name="live")
    telling.add_done_callback(lambda _: stopping.set())
    try:
        yield
    finally:
        live.stop()
        telling.cancel()
        await asyncio.wait((telling,))
        if not telling.cancelled():
            telling.result()  # raises what ended it


async def _open_when_possible(
    settings: Settings, stack: AsyncExitStack, state: State, stopping: asyncio.Event
) -> Store | None:
    """Open the index on `stack`, waiting while another process holds it locked; None where the service stops first."""
    backoff = Backoff(first=0.5, greatest=5)
    while not stopping.is_set():
        try:
            store = open_store(settings.database_path, settings.rejected_limits, arn_prefix=settings.arn_prefix)
            return await stack.enter_async_context(store)
        except DatabaseUnavailableError as error:
            state.reason = str(error)
            delay = backoff.next_seconds()
            _log.warning("%s; next attempt in %.1f s", error, delay)
            with suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), delay)
    return None


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
