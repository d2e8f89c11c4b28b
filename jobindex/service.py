"""The service: what runs beside what, what starts first, and in which order it stops.

Start: bind the HTTP port (a port that is taken stops the start), answer /healthz and /readyz, open the
database, subscribe; where replicas share it, once this one has the lease. Stop: not ready; read no more messages;
commit and acknowledge those in hand; give the lease back; end the lines of who watches; end HTTP; close the database.
Each step has a limit, less than ten seconds in all (`durations.SHUTDOWN`).
"""

import asyncio
import gc
import logging
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime
from functools import partial

from jobindex.addresses import url
from jobindex.backoff import Backoff
from jobindex.config.settings import Settings
from jobindex.durations import SHUTDOWN
from jobindex.errors import DatabaseUnavailableError
from jobindex.ingest.due import apply_due
from jobindex.ingest.ingestor import Ingestor
from jobindex.ingest.replica import Replica
from jobindex.ingest.retention import ROUND_SECONDS, retain
from jobindex.ingest.subscriber import Subscriber
from jobindex.ingest.tasks import first_of
from jobindex.model.store import Store
from jobindex.monitoring.metrics import Metrics
from jobindex.monitoring.state import ServiceState
from jobindex.storage.databases import SqliteDatabase
from jobindex.storage.opening import open_store
from jobindex.storage.sqlite.wal import wal_bytes
from jobindex.web.changes import ChangeFeed
from jobindex.web.server import bound_socket, make_access, make_app, reading_again, serving_http

_STOPPING = "the service is stopping"
# A thread that comes back from SQLite, or from a socket, waits so long for one that computes. A batch comes back from
# each of thirty statements; with Python's own 5 ms it waited 150 ms while messages were parsed.
# A batch makes many small objects, none of which is in a cycle: looking for cycles took a quarter of its time.
_COLLECTED_OBJECTS = 50_000
_SWITCH_SECONDS = 0.00002

_log = logging.getLogger(__name__)


async def serve(settings: Settings, stopping: asyncio.Event, state: ServiceState | None = None) -> None:
    """Run the service until `stopping` is set; `state` tells meanwhile how it fares.

    Raises:
        SettingsError: the HTTP address cannot be bound.
        DatabaseRefusedError: the database is not one to work with.
    """
    sys.setswitchinterval(_SWITCH_SECONDS)
    gc.set_threshold(_COLLECTED_OBJECTS, 20, 100)
    state = state or ServiceState()
    metrics = Metrics(state)
    if isinstance(settings.database, SqliteDatabase):
        metrics.wal_bytes.set_function(partial(wal_bytes, settings.database.path))
    feed = ChangeFeed(state)
    metrics.watchers.set_function(lambda: feed.watchers)
    access = make_access(settings)
    app = make_app(settings, state, metrics, feed, access)
    with bound_socket(settings.http.host, settings.http.port) as listener:
        # The database is left last: it is still read while HTTP ends.
        async with (
            AsyncExitStack() as database,
            serving_http(app, listener, stopping, settings),
            _tell(feed, stopping),
        ):
            database.enter_context(reading_again(settings, access, feed))
            state.url = url(*listener.getsockname()[:2], is_secure=settings.http.tls is not None)
            _log.info("Listening on %s", state.url)
            store = await _open_when_possible(settings, database, state, stopping)
            if store is not None:
                await _ingest_in_turn(settings, store, state=state, metrics=metrics, feed=feed, stopping=stopping)


def _now() -> datetime:
    return datetime.now(UTC)


def stop_on_signals(stopping: asyncio.Event) -> None:
    """Set `stopping` on SIGTERM and SIGINT."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)


async def _ingest_in_turn(
    settings: Settings,
    store: Store,
    *,
    state: ServiceState,
    metrics: Metrics,
    feed: ChangeFeed,
    stopping: asyncio.Event,
) -> None:
    """Be ready, and ingest until `stopping` is set, where others share the store, whenever it is this one's turn."""
    ingest: Callable[[asyncio.Event], Awaitable[None]]
    ingest = partial(_ingest, settings, store, state=state, metrics=metrics, feed=feed)
    if store.is_shared:
        ingest = Replica(
            store,
            state,
            lease=settings.lease,
            ingest=ingest,
            on_applied=feed.note,
            is_watched=lambda: feed.watchers > 0,
        ).run
    state.store, state.reason = store, None
    try:
        await ingest(stopping)
    finally:
        state.reason = _STOPPING


async def _ingest(
    settings: Settings,
    store: Store,
    stopping: asyncio.Event,
    *,
    state: ServiceState,
    metrics: Metrics,
    feed: ChangeFeed,
) -> None:
    """Receive until `stopping` is set, then finish what is in hand."""
    parser = settings.parser(lambda member: metrics.dropped_members.labels(member).inc())
    ingestor = Ingestor(store, metrics, clock=_now, on_applied=feed.note)
    subscriber = Subscriber(
        settings.brokers,
        settings.topic_filters,
        ingestor.apply,
        parser=parser,
        store=store,
        state=state,
        metrics=metrics,
        clock=_now,
    )
    receiving = asyncio.create_task(subscriber.run(), name="ingestion")
    stopped = asyncio.create_task(stopping.wait(), name="stopping")
    retaining = asyncio.create_task(_retain(settings, store, metrics, feed), name="retention")
    due = asyncio.create_task(apply_due(store, parser, on_applied=feed.note, clock=_now), name="due messages")
    async with first_of(receiving, stopped, retaining, due):
        if stopping.is_set():
            state.reason = _STOPPING
        subscriber.stop()
        for background in (retaining, due):
            if background.done():
                background.result()  # raises what ended it
            background.cancel()
        await asyncio.wait((receiving,), timeout=SHUTDOWN.drain_seconds)
        if receiving.done():
            receiving.result()  # raises what ended it
        else:
            _log.warning("Stopping with messages in hand: the broker will deliver them again")


async def _retain(settings: Settings, store: Store, metrics: Metrics, feed: ChangeFeed) -> None:
    if settings.retention is None:
        await asyncio.Event().wait()
    else:
        await retain(
            store, settings.retention, metrics=metrics, on_applied=feed.note, clock=_now, round_seconds=ROUND_SECONDS
        )


@asynccontextmanager
async def _tell(feed: ChangeFeed, stopping: asyncio.Event) -> AsyncIterator[None]:
    """Tell watchers what changes while the context is open, and end their lines then; its failure sets `stopping`."""
    telling = asyncio.create_task(feed.run(), name="live")
    telling.add_done_callback(lambda _: stopping.set())
    try:
        yield
    finally:
        feed.stop()
        telling.cancel()
        await asyncio.wait((telling,))
        if not telling.cancelled():
            telling.result()  # raises what ended it


async def _open_when_possible(
    settings: Settings, stack: AsyncExitStack, state: ServiceState, stopping: asyncio.Event
) -> Store | None:
    """Open the index on `stack`, waiting while another process holds it locked; None where the service stops first."""
    backoff = Backoff(first=0.5, greatest=5)
    while not stopping.is_set():
        try:
            store = open_store(settings.database, settings.rejected_limits, arn_prefix=settings.arn_prefix)
            return await stack.enter_async_context(store)
        except DatabaseUnavailableError as error:
            state.reason = str(error)
            delay = backoff.next_seconds()
            _log.warning("%s; next attempt in %.1f s", error, delay)
            with suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), delay)
    return None
