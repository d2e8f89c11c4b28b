"""Receiving from an MQTT broker: nothing is acknowledged before it is durable.

The session is persistent and the client id fixed, so that the broker keeps what is published while we are
away. QoS 1 messages are acknowledged (PUBACK) only after the batch that holds them is committed, in the
order of their arrival, and only on the connection that delivered them; what the broker sends again is
merged again, which changes nothing. The receive window bounds what is in hand: ours on MQTT 5, the
broker's own on 3.1.1.

Of a cluster the brokers are tried in turn, and one is kept while it works. The session has to be the cluster's: what
the next broker tells as `session present` counts, and a session that it makes anew is one that was lost.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from jobindex.backoff import Backoff
from jobindex.errors import BrokerError, BrokerRefusedError, DatabaseUnavailableError
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
from jobindex.model.reports import Told
from jobindex.model.store import Session, Store
from jobindex.monitoring.metrics import Metrics
from jobindex.monitoring.state import Ingestion, ServiceState

BATCH_MAXIMUM = 5000

_STEADY_SECONDS = 30  # a connection that lasted this long starts the back-off again

T = TypeVar("T")

_log = logging.getLogger(__name__)


class Subscriber:
    """Receives what is published under the topic filters, over any number of connections."""

    def __init__(
        self,
        brokers: Sequence[Broker],
        topic_filters: Sequence[str],
        apply: Callable[[Sequence[Told]], Awaitable[None]],
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
        """Stop reading; `run` returns once what is in hand is applied and acknowledged."""
        self._stopping.set()
        if self._inbox is not None:
            self._inbox.wake()

    async def run(self) -> None:
        """Receive until stopped, connecting again for ever: of a cluster to the next broker."""
        cut_short = 0
        this = asyncio.current_task()
        while True:
            started = time.monotonic()
            self._was_connected = False
            try:
                await self._receive()
            except BrokerRefusedError as error:
                self._report(Ingestion.REFUSED, f"the broker refused the connection: {error}")
            except BrokerError as error:
                self._report(Ingestion.CONNECTING, str(error))
            except DatabaseUnavailableError as error:
                self._report(Ingestion.CONNECTING, str(error.__cause__ or error))
            # A connection that ends with an error hides that this task is cancelled.
            if self._stopping.is_set() or (this is not None and this.cancelling()):
                break
            if time.monotonic() - started > _STEADY_SECONDS:
                self._turns.reset()
                cut_short = 0
            else:
                cut_short += self._was_connected
            failed = self._turns.broker
            delay = self._turns.pass_on()
            _log.warning(
                "Not connected to %s: %s; next attempt%s in %.1f s%s",
                failed,
                self._reason,
                f" at {self._turns.broker}" if self._turns.is_cluster else "",
                delay,
                # A broker ends the older of two connections with one client id, and need not say why.
                f"; does another client use the id {self._turns.broker.client_id!r}?" if cut_short > 1 else "",
            )
            await self._until_stopped(asyncio.sleep(delay))
        self._report(Ingestion.STOPPED, None)

    async def _receive(self) -> None:
        """Receive on one connection until it is lost, which raises, or until stopped."""
        self._state.complete_since = (await self._store.session()).complete_since
        self._inbox = inbox = Inbox(self._parser, self._state, self._metrics, self._clock)
        async with AsyncExitStack() as stack:
            patience_seconds = self._turns.patience_seconds if self._turns.is_cluster else None
            connecting = connect(self._turns.broker, inbox, patience_seconds=patience_seconds)
            connected = await self._until_stopped(stack.enter_async_context(connecting))
            if connected is None:
                return
            client, session_present = connected
            self._metrics.connections.inc()
            _log.info(
                "Connected to %s; %s",
                self._turns.broker,
                "the session was kept" if session_present else "a new session: it knows nothing older",
            )
            disconnected(client).add_done_callback(self._report_disconnected)
            disconnected(client).add_done_callback(lambda _: inbox.wake())
            subscribing = asyncio.create_task(self._subscribe(client, is_new=not session_present), name="subscribe")
            receiving = asyncio.create_task(self._receive_batches(client, inbox), name="receive")
            async with first_of(subscribing, receiving):
                if subscribing.done():
                    subscribing.result()  # raises what it did not expect
                await receiving

    async def _receive_batches(self, client: Client, inbox: Inbox) -> None:
        while batch := await self._next_batch(client, inbox):
            await self._apply([delivery.told for delivery in batch])
            acknowledge(client, inbox.written(batch))

    async def _next_batch(self, client: Client, inbox: Inbox) -> Sequence[Delivery]:
        """Return what has arrived, waiting for a first message; nothing once stopped and all is in hand."""
        while not (batch := inbox.get(BATCH_MAXIMUM)) and not self._stopping.is_set():
            raise_if_disconnected(client)
            await inbox.wait()
        if self._stopping.is_set():
            inbox.close()
        return batch

    async def _subscribe(self, client: Client, *, is_new: bool) -> None:
        """Subscribe to every filter; what is refused is asked for again, on the same connection."""
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
                self._report(Ingestion.REFUSED, f"the broker refused to subscribe at QoS 1: {', '.join(wanted)}")
            _log.warning("%s: %s", self._turns.broker, self._reason)
            await asyncio.sleep(backoff.next_seconds())

    async def _take_over_session(self, client: Client, *, is_new: bool) -> Session:
        """Bring what is remembered of the session in line with what the broker has, and the other way round.

        A session that is new, or does not hold a filter yet, has missed what was published before; this is
        remembered before anything is subscribed, so that it outlives whatever comes between. What an earlier
        run subscribed and this one does not is unsubscribed: the broker's session keeps it.
        """
        filters = frozenset(self._topic_filters)
        held = await self._store.session()
        is_whole = not is_new and filters <= held.topic_filters
        session = Session(topic_filters=filters, complete_since=held.complete_since if is_whole else None)
        if is_new and held.complete_since is not None:
            self._metrics.sessions_lost.inc()
            _log.error(
                "%s has forgotten the session: messages published since it was last connected may have been missed",
                self._turns.broker,
            )
        former = sorted(held.topic_filters - filters)
        if former:
            await unsubscribe(client, former)
            _log.info("Unsubscribed %s", ", ".join(former))
        if session != held:
            await self._store.remember_session(session)
        self._state.complete_since = session.complete_since
        return session

    async def _complete_session(self, session: Session) -> None:
        """Remember that from now on the session misses nothing, unless it has missed nothing since longer."""
        if session.complete_since is None:
            session = replace(session, complete_since=self._clock())
            await self._store.remember_session(session)
        self._state.complete_since = session.complete_since

    def _report_disconnected(self, disconnected: "asyncio.Future[None]") -> None:
        error = None if disconnected.cancelled() else disconnected.exception()
        self._report(Ingestion.CONNECTING, f"the connection was lost ({error or 'closed'})")

    def _report(self, ingestion: Ingestion, reason: str | None) -> None:
        if ingestion is Ingestion.CONNECTED:
            self._was_connected = True
            _log.info("Receiving from %s: %s", self._turns.broker, ", ".join(self._topic_filters))
        self._reason = reason
        self._state.ingestion = ingestion
        self._state.ingestion_reason = (
            f"{self._turns.broker}: {reason}" if reason and self._turns.is_cluster else reason
        )
        self._state.connected_since = self._clock() if ingestion is Ingestion.CONNECTED else None

    async def _until_stopped(self, awaitable: Awaitable[T]) -> T | None:
        """Await something; cancel it and return None if `stop` is called first."""
        stopping = asyncio.ensure_future(self._stopping.wait())
        task = asyncio.ensure_future(awaitable)
        async with first_of(stopping, task):
            return task.result() if task.done() else None
