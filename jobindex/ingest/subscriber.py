"""Receives messages from an MQTT broker, and acknowledges them only when they are durable.

The session is persistent and the client id fixed, so the broker queues messages while the service is away. PUBACK
follows the commit, in the order of arrival, only on the connection that delivered the message. The receive window (the
broker's own on MQTT 3.1.1) bounds the messages in flight.

In a cluster, a working broker is kept. If the next one does not report `session present`, the session is lost.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterable, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from jobindex.backoff import Backoff
from jobindex.errors import BrokerError, BrokerRefusedError, ClockError, DatabaseUnavailableError
from jobindex.ingest.broker import Broker
from jobindex.ingest.broker_turns import Turns
from jobindex.ingest.inbox import Delivery, Inbox
from jobindex.ingest.mqtt_client import (
    Client,
    acknowledge,
    connect,
    disconnected,
    raise_if_disconnected,
    subscribe,
    unsubscribe,
)
from jobindex.ingest.tasks import first_of
from jobindex.messages.parsing import Parser
from jobindex.model.store import Session, Store
from jobindex.monitoring.metrics import Metrics
from jobindex.monitoring.state import Ingestion, ServiceState

BATCH_MAXIMUM = 5000

_STEADY_SECONDS = 30  # a connection that lasted this long resets the back-off

T = TypeVar("T")

_log = logging.getLogger(__name__)


class Subscriber:
    """Receives messages over any number of connections."""

    def __init__(
        self,
        brokers: Sequence[Broker],
        topic_filters: Sequence[str],
        apply: Callable[[Sequence[Delivery]], AsyncIterable[Sequence[Delivery]]],
        *,
        parser: Parser,
        store: Store,
        state: ServiceState,
        metrics: Metrics,
        clock: Callable[[], datetime],
    ) -> None:
        self._turns = Turns(brokers)
        self._reason: str | None = None
        self._topic_filters = topic_filters
        self._filters = frozenset(topic_filters)
        self._apply = apply
        self._parser = parser
        self._store = store
        self._state = state
        self._metrics = metrics
        self._clock = clock
        self._stopping = asyncio.Event()
        self._inbox: Inbox | None = None
        self._was_connected = False

    def stop(self) -> None:
        """Stop reading; `run` returns once the messages in flight are acknowledged."""
        self._stopping.set()
        if self._inbox is not None:
            self._inbox.wake()

    async def run(self) -> None:
        """Receive until stopped; reconnect forever, in a cluster to the next broker."""
        cut_short = 0
        this = asyncio.current_task()
        while True:
            started = time.monotonic()
            self._was_connected = False
            try:
                await self._receive()
            except BrokerRefusedError as error:
                self._report(Ingestion.REFUSED, f"the broker refused the connection: {error}")
            except (BrokerError, ClockError) as error:
                self._report(Ingestion.CONNECTING, str(error))
            except DatabaseUnavailableError as error:
                self._report(Ingestion.CONNECTING, str(error.__cause__ or error))
            # An error may hide that this task is cancelled.
            if self._stopping.is_set() or (this is not None and this.cancelling()):
                break
            if time.monotonic() - started > _STEADY_SECONDS:
                self._turns.reset()
                cut_short = 0
            else:
                cut_short += self._was_connected
            failed = self._turns.broker
            delay = self._turns.advance()
            _log.warning(
                "Not connected to %s: %s; next attempt%s in %.1f s%s",
                failed,
                self._reason,
                f" at {self._turns.broker}" if self._turns.is_cluster else "",
                delay,
                # A broker ends the older of two connections with one id, perhaps without a reason.
                f"; does another client use the id {self._turns.broker.client_id!r}?" if cut_short > 1 else "",
            )
            await self._until_stopped(asyncio.sleep(delay))
        self._report(Ingestion.STOPPED, None)

    async def _receive(self) -> None:
        held = await self._store.session()
        self._state.complete_since = held.complete_since
        self._state.was_empty = await self._store.is_empty()
        self._state.newest_arrival_at = await self._store.newest_arrival()
        self._clock()  # raises ClockError, before the broker delivers anything
        self._inbox = inbox = Inbox(self._parser, self._state, self._metrics, self._clock)
        async with AsyncExitStack() as stack:
            patience_seconds = self._turns.patience_seconds if self._turns.is_cluster else None
            connecting = connect(self._turns.broker, inbox, patience_seconds=patience_seconds)
            connected = await self._until_stopped(stack.enter_async_context(connecting))
            if connected is None:
                return
            client, session_present = connected
            self._state.is_online = True
            self._metrics.connections.inc()
            _log.info(
                "Connected to %s; %s",
                self._turns.broker,
                "the session was kept" if session_present else "a new session, without older messages",
            )
            if session_present and held.complete_since is not None and self._filters <= held.topic_filters:
                self._report(Ingestion.CONNECTED, None)  # granted before; SUBACK may wait behind the broker's queue
            disconnected(client).add_done_callback(self._report_disconnected)
            disconnected(client).add_done_callback(lambda _: inbox.wake())
            subscribing = asyncio.create_task(self._subscribe(client, is_new=not session_present), name="subscribe")
            receiving = asyncio.create_task(self._receive_batches(client, inbox), name="receive")
            async with first_of(subscribing, receiving):
                if subscribing.done():
                    subscribing.result()  # raises an unexpected error
                await receiving

    async def _receive_batches(self, client: Client, inbox: Inbox) -> None:
        while batch := await self._next_batch(client, inbox):
            async for durable in self._apply(batch):
                acknowledge(client, inbox.written(durable))

    async def _next_batch(self, client: Client, inbox: Inbox) -> Sequence[Delivery]:
        while not (batch := await inbox.get(BATCH_MAXIMUM)) and not self._stopping.is_set():
            raise_if_disconnected(client)
            await inbox.wait()
        if self._stopping.is_set():
            inbox.close()
        return batch

    async def _subscribe(self, client: Client, *, is_new: bool) -> None:
        backoff = Backoff(first=5, greatest=60)
        wanted: Sequence[str] = self._topic_filters
        while True:
            try:
                session = await self._take_over_session(client, is_new=is_new)
                wanted = await subscribe(client, wanted)
                if not wanted:
                    await self._complete_session(session)
            except (BrokerError, DatabaseUnavailableError) as error:
                self._report(Ingestion.CONNECTING, f"not subscribed: {error}")
            else:
                if not wanted:
                    self._report(Ingestion.CONNECTED, None)
                    return
                self._report(Ingestion.REFUSED, f"the broker refused subscriptions at QoS 1: {', '.join(wanted)}")
            _log.warning("%s: %s", self._turns.broker, self._reason)
            await asyncio.sleep(backoff.next_seconds())

    async def _take_over_session(self, client: Client, *, is_new: bool) -> Session:
        """Store before subscribing that a new session, or one that lacks a filter, has missed messages.

        The session keeps former filters, so they are unsubscribed.
        """
        held = await self._store.session()
        is_whole = not is_new and self._filters <= held.topic_filters
        session = Session(topic_filters=self._filters, complete_since=held.complete_since if is_whole else None)
        if is_new and held.complete_since is not None:
            self._state.session_lost_at = self._clock()
            self._metrics.sessions_lost.inc()
            _log.error(
                "%s has lost the session: messages published since the last connection may have been missed; "
                "mosquitto keeps sessions across a restart with `persistence true`",
                self._turns.broker,
            )
        former = sorted(held.topic_filters - self._filters)
        if former:
            await unsubscribe(client, former)
            _log.info("Unsubscribed %s", ", ".join(former))
        if session != held:
            await self._remember_session(session)
        self._state.complete_since = session.complete_since
        return session

    async def _complete_session(self, session: Session) -> None:
        if session.complete_since is None:
            session = replace(session, complete_since=self._clock())
            await self._remember_session(session)
        self._state.complete_since = session.complete_since

    async def _remember_session(self, session: Session) -> None:
        with self._state.writing():
            await self._store.remember_session(session)

    def _report_disconnected(self, disconnected: "asyncio.Future[None]") -> None:
        self._state.is_online = False
        error = None if disconnected.cancelled() else disconnected.exception()
        self._report(Ingestion.CONNECTING, f"the connection was lost ({error or 'closed'})")

    def _report(self, ingestion: Ingestion, reason: str | None) -> None:
        if ingestion is Ingestion.CONNECTED:
            if self._state.connected_since is not None:
                return
            self._was_connected = True
            _log.info("Receiving from %s: %s", self._turns.broker, ", ".join(self._topic_filters))
        self._reason = reason
        self._state.ingestion = ingestion
        self._state.ingestion_reason = (
            f"{self._turns.broker}: {reason}" if reason and self._turns.is_cluster else reason
        )
        self._state.connected_since = self._clock() if ingestion is Ingestion.CONNECTED else None

    async def _until_stopped(self, awaitable: Awaitable[T]) -> T | None:
        """Cancel, and return None, if `stop` is called first."""
        stopping = asyncio.ensure_future(self._stopping.wait())
        task = asyncio.ensure_future(awaitable)
        async with first_of(stopping, task):
            return task.result() if task.done() else None
