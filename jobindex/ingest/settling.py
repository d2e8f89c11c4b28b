"""Does deferred work in steps, between batches (docs/inside.md, Decisions).

The settler rests for the duration of each step, or three times as long while messages wait, so it takes at most a
quarter of the writer's time from them.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime

from jobindex.errors import DatabaseUnavailableError
from jobindex.model.reports import Report
from jobindex.model.store import Changed, Store
from jobindex.monitoring.state import ServiceState

LOOK_SECONDS = 10.0
"""How often to look for unannounced work, of another process or of a retried message."""

_REST, _REST_WHILE_MESSAGES_WAIT = 1, 3
"""The rest after a step, as a multiple of its duration."""

_log = logging.getLogger(__name__)


class Settler:
    """Does deferred work; `state` shows the kinds that are left."""

    def __init__(
        self,
        store: Store,
        state: ServiceState,
        *,
        on_applied: Callable[[Sequence[Report], Changed], None],
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._state = state
        self._on_applied = on_applied
        self._clock = clock
        self._woken = asyncio.Event()

    def wake(self, works: frozenset[str]) -> None:
        """Announce deferred work of these kinds."""
        self._state.settling |= works
        self._woken.set()

    async def run(self) -> None:
        """Run until cancelled; retry work set aside earlier."""
        is_first = True
        while True:
            try:
                if is_first:
                    await self._store.retry_set_aside()
                    is_first = False
                await self._settle()
            except DatabaseUnavailableError as error:
                _log.warning("%s; deferred work continues in %d s", error, LOOK_SECONDS)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), LOOK_SECONDS)

    async def _settle(self) -> None:
        self._woken.clear()
        started = time.monotonic()
        while (settled := await self._store.settle(now=self._clock())) is not None:
            self._on_applied((), settled.changed)
            self._state.settling = settled.left
            for refused in settled.set_aside:
                if refused not in self._state.set_aside:
                    _log.error("The database refuses deferred work, a bug in jobindex; it is set aside: %s", refused)
            self._state.set_aside = tuple(settled.set_aside)
            rest = _REST_WHILE_MESSAGES_WAIT if self._state.in_flight else _REST
            await asyncio.sleep(rest * (time.monotonic() - started))
            started = time.monotonic()
        self._state.settling = frozenset()
