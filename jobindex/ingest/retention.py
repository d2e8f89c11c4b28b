"""Deletes jobs that ended long ago, in short transactions between batches.

The first round comes an hour after the start: queued messages are merged before a new horizon excludes them.

A clock that is ahead would delete jobs that have just ended. So a round is skipped if the clock is a day ahead of the
newest message since the start. If none had a time, the newest arrival counts; the clock stamped that, so it must not
be a day ahead of the time when the round was due, either.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from jobindex.durations import show_duration
from jobindex.errors import ClockError, DatabaseUnavailableError
from jobindex.ingest.clock import TOLERANCE, shown_time
from jobindex.model.reports import Report
from jobindex.model.store import Changed, Store
from jobindex.monitoring.metrics import Metrics
from jobindex.monitoring.state import ServiceState

ROUND_SECONDS = 3600.0
"""From the start to the first round, and from the end of a round to the next."""
_STEP_SECONDS = 0.05

_log = logging.getLogger(__name__)


async def retain(
    store: Store,
    age: timedelta,
    *,
    state: ServiceState,
    metrics: Metrics,
    on_applied: Callable[[Sequence[Report], Changed], None],
    clock: Callable[[], datetime],
    round_seconds: float,
) -> None:
    """Delete, round after round, ended jobs last stamped more than `age` ago."""
    due: datetime | None = None
    doubted: str | None = None
    while True:
        await asyncio.sleep(round_seconds)
        deleted = 0
        try:
            now = clock()
            former, doubted = doubted, await _doubt(now, due, store, state)
            if doubted is not None:
                if former is None:
                    _log.warning("Retention skipped: the clock says %s, %s", shown_time(now), doubted)
                continue
            async for step in store.retain(age, now=now):
                metrics.removed.inc(step.jobs)
                on_applied((), step.changed)
                deleted += step.jobs
                await asyncio.sleep(_STEP_SECONDS)
            due = now + timedelta(seconds=round_seconds)
        except (ClockError, DatabaseUnavailableError) as error:
            _log.warning("%s; retention continues in the next round", error)
        if deleted:
            _log.info("Removed %d ended or deleted jobs last reported more than %d days ago", deleted, age.days)


async def _doubt(now: datetime, due: datetime | None, store: Store, state: ServiceState) -> str | None:
    stamp = state.newest_stamp_at
    newest = stamp or await store.newest_arrival()
    if newest is not None and now - newest > TOLERANCE:
        ahead = show_duration((now - newest).total_seconds())
        return f"{ahead} ahead of the newest message, {shown_time(newest)}; it resumes when a message confirms the time"
    if stamp is None and due is not None and now - due > TOLERANCE:
        ahead = show_duration((now - due).total_seconds())
        return f"{ahead} ahead of {shown_time(due)}, when this round was due; restart the service if the clock is right"
    return None
