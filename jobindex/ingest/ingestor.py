"""From a batch of messages to the index: what they tell is applied in one transaction.

The batch is done when it is durable: then, and only then, may its messages be acknowledged. There is no
timer: the next batch is whatever arrives while one is committed (group commit).
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from datetime import datetime

from jobindex.backoff import Backoff
from jobindex.errors import DatabaseUnavailableError, shown
from jobindex.model.reports import RejectedMessage, Report, Told
from jobindex.model.store import Changed, Store
from jobindex.monitoring.metrics import Metrics

OnApplied = Callable[[Sequence[Report], Changed], None]
"""Takes what a batch has told, and what it has changed."""

_log = logging.getLogger(__name__)


class Ingestor:
    """Applies batches of messages to a store, however long it takes; `on_applied` is called with each durable batch."""

    def __init__(self, store: Store, metrics: Metrics, clock: Callable[[], datetime], on_applied: OnApplied) -> None:
        self._store = store
        self._metrics = metrics
        self._clock = clock
        self._on_applied = on_applied

    async def apply(self, messages: Sequence[Told]) -> None:
        """Apply what messages tell to the index; return when it is durable.

        A message that cannot be understood goes to the rejected messages in the same transaction. A store
        that cannot write is tried again with back-off, for ever.
        """
        reports: list[Report] = []
        rejected: list[RejectedMessage] = []
        ignored = 0
        for told in messages:
            if isinstance(told, RejectedMessage):
                rejected.append(told)
            else:
                reports += told
                ignored += not told
        if reports or rejected:
            await self._apply(reports, rejected)
        self._metrics.applied.inc(len(messages) - ignored - len(rejected))
        self._metrics.ignored.inc(ignored)
        self._metrics.rejected.inc(len(rejected))
        self._metrics.batch_messages.observe(len(messages))
        if rejected:
            # A line a batch: a flood of bad messages must not drown the rest.
            first, count = rejected[0], len(rejected)
            others = f", and {count - 1} more" if count > 1 else ""
            _log.warning("Rejected a message on %s: %s%s", shown(first.topic), first.reason, others)

    async def _apply(self, reports: Sequence[Report], rejected: Sequence[RejectedMessage]) -> None:
        backoff = Backoff(first=0.1, greatest=5)
        now = self._clock()
        while True:
            started = time.perf_counter()
            try:
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
                return
