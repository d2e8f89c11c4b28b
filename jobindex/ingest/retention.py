"""Forgetting what ended long ago, beside ingestion and out of its way.

Each step of the store is one short transaction, and between two of them messages have their turn. The first
round comes an hour after the start: what waited in the broker's queue while the service was away is merged
before a new horizon would leave it out.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from jobindex.errors import DatabaseUnavailableError
from jobindex.model.reports import Report
from jobindex.model.store import Changed, Store
from jobindex.monitoring.metrics import Metrics

ROUND_SECONDS = 3600.0
"""From the start to the first round, and from the end of a round to the next."""
_STEP_SECONDS = 0.05

_log = logging.getLogger(__name__)


async def retain(
    store: Store,
    age: timedelta,
    *,
    metrics: Metrics,
    on_applied: Callable[[Sequence[Report], Changed], None],
    clock: Callable[[], datetime],
    round_seconds: float,
) -> None:
    """Forget again and again what was last told of longer than `age` ago; a store that cannot is tried next round.

    `on_applied` is called with what each step has changed.
    """
    while True:
        await asyncio.sleep(round_seconds)
        forgotten = 0
        try:
            async for step in store.retain(age, now=clock()):
                metrics.forgotten.inc(step.jobs)
                on_applied((), step.changed)
                forgotten += step.jobs
                await asyncio.sleep(_STEP_SECONDS)
        except DatabaseUnavailableError as error:
            _log.warning("%s; retention goes on next round", error)
        if forgotten:
            _log.info("Forgot %d ended or deleted jobs last told of more than %d days ago", forgotten, age.days)
