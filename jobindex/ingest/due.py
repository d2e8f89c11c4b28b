"""Applies messages that were rejected for times too far ahead, once those times have come.

So the index is a function of the messages whose time has come.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial

from jobindex.errors import ClockError, DatabaseUnavailableError
from jobindex.messages.parsing import Parser
from jobindex.model.jobs import to_milliseconds
from jobindex.model.reports import Report
from jobindex.model.store import Changed, Store

ROUND_SECONDS = 60.0
_STEP_MESSAGES = 500

_log = logging.getLogger(__name__)


async def apply_due(
    store: Store,
    parser: Parser,
    *,
    on_applied: Callable[[Sequence[Report], Changed], None],
    clock: Callable[[], datetime],
    round_seconds: float = ROUND_SECONDS,
) -> None:
    """Apply due messages at the start and after each round."""
    while True:
        try:
            now = clock()
            while ids := await store.due_rejected(now=now, limit=_STEP_MESSAGES):
                parse = partial(parser.parse, now=to_milliseconds(now))
                retried = await store.retry_rejected(ids, parse, now=now)
                on_applied((), retried.changed)
                if not retried.applied:
                    break
                _log.info("Applied %d messages whose times were ahead of the clock", len(retried.applied))
        except (ClockError, DatabaseUnavailableError) as error:
            _log.warning("%s; due messages are applied in the next round", error)
        await asyncio.sleep(round_seconds)
