"""Applies batches of messages to the index, each in one transaction (docs/inside.md, The path of a message).

A batch with data that the database refuses is halved, in the order of arrival, down to one message, which is rejected
with the database's reason.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime

from jobindex.backoff import Backoff
from jobindex.errors import DatabaseUnavailableError, DataRefusedError, shown
from jobindex.ingest.inbox import Delivery
from jobindex.model.reports import RejectedMessage, Report, refused
from jobindex.model.store import Changed, Store
from jobindex.monitoring.metrics import Metrics
from jobindex.monitoring.state import IngestionStatus

OnApplied = Callable[[Sequence[Report], Changed], None]

_log = logging.getLogger(__name__)


class Ingestor:
    """Applies batches; `on_applied` receives each durable one, `on_deferred` its deferred work."""

    def __init__(
        self,
        store: Store,
        metrics: Metrics,
        clock: Callable[[], datetime],
        on_applied: OnApplied,
        on_deferred: Callable[[frozenset[str]], None],
        *,
        status: IngestionStatus,
    ) -> None:
        self._store = store
        self._status = status
        self._metrics = metrics
        self._clock = clock
        self._on_applied = on_applied
        self._on_deferred = on_deferred

    async def apply(self, batch: Sequence[Delivery]) -> AsyncIterator[Sequence[Delivery]]:
        """Apply messages, retrying forever; yield them in the order of arrival when they are durable.

        Those that cannot be parsed are stored as rejected in the same transaction.
        """
        try:
            await self._apply_whole(batch)
        except DataRefusedError as error:
            middle = len(batch) // 2
            if middle > 0:
                for half in batch[:middle], batch[middle:]:
                    async for durable in self.apply(half):
                        yield durable
                return
            await self._reject(batch[0], error)
        yield batch

    async def _reject(self, delivery: Delivery, error: DataRefusedError) -> None:
        self._metrics.refused.inc()
        _log.error(
            "The database refuses a message on %s, which is a bug in jobindex: %s",
            shown(delivery.topic),
            error,
            exc_info=error.__cause__,
        )
        try:
            await self._apply((), [refused(delivery.topic, delivery.payload, error)])
        except DataRefusedError as again:
            _log.error("The database also refuses to store it as rejected; the message is lost: %s", again)
        self._metrics.rejected.inc()

    async def _apply_whole(self, batch: Sequence[Delivery]) -> None:
        reports: list[Report] = []
        rejected: list[RejectedMessage] = []
        ignored = 0
        for delivery in batch:
            parsed = delivery.parsed
            if isinstance(parsed, RejectedMessage):
                rejected.append(parsed)
            else:
                reports += parsed
                ignored += not parsed
        if reports or rejected:
            await self._apply(reports, rejected)
        self._metrics.applied.inc(len(batch) - ignored - len(rejected))
        self._metrics.ignored.inc(ignored)
        self._metrics.rejected.inc(len(rejected))
        self._metrics.batch_messages.observe(len(batch))
        if rejected:
            # A flood of bad messages must not drown the log.
            first, count = rejected[0], len(rejected)
            others = f", and {count - 1} more" if count > 1 else ""
            _log.warning("Rejected a message on %s: %s%s", shown(first.topic), first.reason, others)

    async def _apply(self, reports: Sequence[Report], rejected: Sequence[RejectedMessage]) -> None:
        backoff = Backoff(first=0.1, greatest=5)
        now = self._clock()
        while True:
            started = time.perf_counter()
            try:
                with self._status.writing():
                    applied = await self._store.apply(reports, rejected, now=now)
            except DatabaseUnavailableError as error:
                self._metrics.failed_commits.inc()
                delay = backoff.next_seconds()
                _log.warning("%s; nothing is acknowledged, next attempt in %.1f s", error, delay)
                await asyncio.sleep(delay)
            else:
                self._metrics.commit_seconds.observe(time.perf_counter() - started)
                self._metrics.discarded.inc(applied.discarded)
                self._on_applied(reports, applied.changed)
                if applied.deferred:
                    self._on_deferred(applied.deferred)
                return
