"""The service: its tasks, and the order in which it starts and stops.

Start: bind the HTTP port (fails if it is taken), answer /healthz and /readyz, open the database, and subscribe; if
replicas share the database, only with the lease. Stop: report not ready; read no more messages; commit and acknowledge
those in flight; release the lease; end the streams of subscribers; end HTTP; close the database. Each step has a time
limit, less than ten seconds in all (`durations.SHUTDOWN`).
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
from jobindex.ingest.clock import believed_time
from jobindex.ingest.due import apply_due
from jobindex.ingest.ingestor import Ingestor
from jobindex.ingest.mqtt_probe import can_connect
from jobindex.ingest.replica import Replica
from jobindex.ingest.retention import ROUND_SECONDS, retain
from jobindex.ingest.settling import Settler
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
# A thread that returns from SQLite or a socket waits this long for a computing thread. A query returns for each row:
# with Python's default of 5 ms, fifty rows may wait a quarter of a second while messages are parsed.
_SWITCH_SECONDS = 0.00002
COLLECTED_OBJECTS = (2_000, 5, 10_000)
"""The thresholds of the garbage collector's three generations.

A batch makes many small objects, and few of them are in cycles: checking all of them took a quarter of its time.
Every answer waits for a collection, so collections are frequent and small: one of a million objects took a quarter of a
second.
"""

_log = logging.getLogger(__name__)


async def serve(settings: Settings, stopping: asyncio.Event, state: ServiceState | None = None) -> None:
    """Run the service until `stopping` is set; `state` shows its state.

    Raises:
        SettingsError: the HTTP address cannot be bound.
        DatabaseRefusedError: this version cannot use the database.
    """
    sys.setswitchinterval(_SWITCH_SECONDS)
    gc.set_threshold(*COLLECTED_OBJECTS)
    state = state or ServiceState()
    metrics = Metrics(state)
    if isinstance(settings.database, SqliteDatabase):
        metrics.wal_bytes.set_function(partial(wal_bytes, settings.database.path))
    feed = ChangeFeed(state)
    metrics.watchers.set_function(lambda: feed.watchers)
    access = make_access(settings)
    app = make_app(settings, state, metrics, feed, access)
    with bound_socket(settings.http.host, settings.http.port) as listener:
        # The database closes last: requests still read it while HTTP ends.
        async with (
            AsyncExitStack() as database,
            serving_http(app, listener, stopping, settings),
            _notifying(feed, stopping),
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
    ingest: Callable[[asyncio.Event], Awaitable[None]]
    ingest = partial(_ingest, settings, store, state=state, metrics=metrics, feed=feed)
    if store.is_shared:
        ingest = Replica(
            store,
            state,
            lease=settings.lease,
            ingest=ingest,
            can_connect=partial(can_connect, settings.brokers),
            on_applied=feed.note,
            is_watched=lambda: feed.watchers > 0,
        ).run
    state.store, state.reason, state.unwritable = store, None, None
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
    parser = settings.parser(lambda member: metrics.dropped_members.labels(member).inc())
    clock = partial(believed_time, _now, state)
    settler = Settler(store, state, on_applied=feed.note, clock=_now)
    ingestor = Ingestor(store, metrics, clock=clock, on_applied=feed.note, on_deferred=settler.wake, status=state)
    subscriber = Subscriber(
        settings.brokers,
        settings.topic_filters,
        ingestor.apply,
        parser=parser,
        store=store,
        state=state,
        metrics=metrics,
        clock=clock,
    )
    receiving = asyncio.create_task(subscriber.run(), name="ingestion")
    stopped = asyncio.create_task(stopping.wait(), name="stopping")
    retaining = asyncio.create_task(
        _retain(settings, store, state=state, metrics=metrics, feed=feed, clock=clock), name="retention"
    )
    due = asyncio.create_task(apply_due(store, parser, on_applied=feed.note, clock=clock), name="due messages")
    settling = asyncio.create_task(settler.run(), name="deferred work")
    syncing = asyncio.create_task(
        _sync(
            settings,
            store,
            state=state,
            metrics=metrics,
            feed=feed,
            on_deferred=settler.wake,
            note_dropped=parser.note,
            clock=clock,
        ),
        name="sync",
    )
    async with first_of(receiving, stopped, retaining, due, settling, syncing):
        if stopping.is_set():
            state.reason = _STOPPING
        subscriber.stop()
        for background in (retaining, due, settling, syncing):
            if background.done():
                background.result()  # raises its error
            background.cancel()
        await asyncio.wait((receiving,), timeout=SHUTDOWN.drain_seconds)
        if receiving.done():
            receiving.result()  # raises its error
        else:
            _log.warning("Stopping with messages in flight: the broker will redeliver them")


async def _retain(
    settings: Settings,
    store: Store,
    *,
    state: ServiceState,
    metrics: Metrics,
    feed: ChangeFeed,
    clock: Callable[[], datetime],
) -> None:
    if settings.retention is None:
        await asyncio.Event().wait()
    else:
        await retain(
            store,
            settings.retention,
            state=state,
            metrics=metrics,
            on_applied=feed.note,
            clock=clock,
            round_seconds=ROUND_SECONDS,
        )


async def _sync(
    settings: Settings,
    store: Store,
    *,
    state: ServiceState,
    metrics: Metrics,
    feed: ChangeFeed,
    on_deferred: Callable[[frozenset[str]], None],
    note_dropped: Callable[[str], None],
    clock: Callable[[], datetime],
) -> None:
    sync = settings.aws_sync
    if sync.mode == "off":
        state.sync = None  # that of the former holder of the lease
        await asyncio.Event().wait()
        return
    from jobindex.aws.client import AwsClient  # noqa: PLC0415 (boto3 is an extra, and takes 30 MiB)
    from jobindex.aws.synchronizer import Synchronizer  # noqa: PLC0415

    await Synchronizer(
        AwsClient(endpoint_url=sync.endpoint_url, region=settings.aws_region),
        store,
        state,
        metrics,
        sync,
        arn_prefix=settings.named_arn_prefix,
        on_applied=feed.note,
        on_deferred=on_deferred,
        note_dropped=note_dropped,
        clock=clock,
    ).run()


@asynccontextmanager
async def _notifying(feed: ChangeFeed, stopping: asyncio.Event) -> AsyncIterator[None]:
    notifying = asyncio.create_task(feed.run(), name="live")
    notifying.add_done_callback(lambda _: stopping.set())
    try:
        yield
    finally:
        feed.stop()
        notifying.cancel()
        await asyncio.wait((notifying,))
        if not notifying.cancelled():
            notifying.result()  # raises its error


async def _open_when_possible(
    settings: Settings, stack: AsyncExitStack, state: ServiceState, stopping: asyncio.Event
) -> Store | None:
    backoff = Backoff(first=0.5, greatest=5)
    while not stopping.is_set():
        try:
            store = open_store(
                settings.database, settings.rejected_limits, arn_prefix=settings.arn_prefix, writes_apart=True
            )
            return await stack.enter_async_context(store)
        except DatabaseUnavailableError as error:
            state.reason = state.unwritable = str(error)
            delay = backoff.next_seconds()
            _log.warning("%s; next attempt in %.1f s", error, delay)
            with suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), delay)
    return None
