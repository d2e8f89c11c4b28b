"""What has changed in the index, told to who watches it, without ever holding up who changes it.

What batches change is put together and told once a tick, in the same bytes to every watcher. A watcher that has not
taken what it was told before is dropped: it comes back, and reads all as it then is. Watchers read again what they
show, so ticks come the less often the more of them there are: two hundred cost hardly more than ten. Not chosen: a
message for each change, of which thousands may come in a second, and a log of changes to go on from, as what is
shown is read from the index anyway.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson

from jobindex.jobs import JobDeletion, JobExecutionReport, PendingListReport, Report
from jobindex.state import State, described
from jobindex.store import NAMED_MAXIMUM

TICK_SECONDS = 0.5
"""At least so much time lies between two ticks."""
WATCHERS_A_SECOND = 100
"""Watchers told in a second, on average, while something changes all the time."""
WATCHERS_MAXIMUM = 1000
QUIET_SECONDS = 15
"""Without any change watchers are told of the freshness so often, which also keeps the line open."""

_UNTAKEN_MAXIMUM = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Interest:
    """What a watcher wants to be told of; None does not narrow."""

    job_id: str | None = None
    thing_name: str | None = None
    namespace_id: str | None = None


class _Changed:
    """The names of what has changed; None where there were too many, or it is not known."""

    def __init__(self) -> None:
        self.names: set[str] | None = set()

    def add(self, name: str | None) -> None:
        if self.names is not None:
            if name is None or len(self.names) == NAMED_MAXIMUM:
                self.names = None
            else:
                self.names.add(name)

    def concerns(self, name: str | None) -> bool:
        return name is None or self.names is None or name in self.names

    def encoded(self) -> list[str] | None:
        return None if self.names is None else sorted(self.names)


class _Tick:
    """What has changed since the tick before."""

    def __init__(self) -> None:
        self.jobs, self.things, self.namespaces = _Changed(), _Changed(), _Changed()
        self.is_empty = True

    def add(self, reports: Sequence[Report], job_namespaces: Mapping[str, str | None] | None) -> None:
        if job_namespaces is None:
            self.jobs.add(None)
            self.namespaces.add(None)
        else:
            for job_id, namespace_id in job_namespaces.items():
                self.jobs.add(job_id)
                self.namespaces.add(namespace_id)
        for report in reports:
            match report:
                case JobExecutionReport() | PendingListReport():
                    self.things.add(report.thing_name)
                case JobDeletion():
                    self.things.add(None)  # with its executions, on whatever things
        self.is_empty = False

    def add_all(self) -> None:
        for changed in (self.jobs, self.things, self.namespaces):
            changed.add(None)
        self.is_empty = False

    def concerns(self, interest: Interest) -> bool:
        return (
            self.jobs.concerns(interest.job_id)
            and self.things.concerns(interest.thing_name)
            and self.namespaces.concerns(interest.namespace_id)
        )


class Live:
    """Tells watchers what has changed."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._tick = _Tick()
        self._watchers: dict[asyncio.Queue[bytes | None], Interest] = {}
        self._is_stopped = False
        self._rewrites = 0

    @property
    def watchers(self) -> int:
        """How many watch."""
        return len(self._watchers)

    def note(self, reports: Sequence[Report], job_namespaces: Mapping[str, str | None] | None) -> None:
        """Note what a batch, which is durable now, has told, and which jobs it has changed (see Applied)."""
        if self._watchers:
            self._tick.add(reports, job_namespaces)

    @contextmanager
    def watch(self, interest: Interest) -> Iterator[AsyncIterator[bytes] | None]:
        """Yield what is told from now on, each a JSON object; None where as many watch as can.

        It ends when the service stops, or when its taker is too slow.
        """
        if self._is_stopped or len(self._watchers) >= WATCHERS_MAXIMUM:
            yield None
            return
        untaken: asyncio.Queue[bytes | None] = asyncio.Queue(_UNTAKEN_MAXIMUM + 1)
        untaken.put_nowait(self._encoded(_Tick()))
        self._watchers[untaken] = interest
        try:
            yield self._taken(untaken)
        finally:
            self._watchers.pop(untaken, None)

    async def run(self) -> None:
        """Tell, until cancelled, what has changed; then nobody can watch any longer."""
        told_at = time.monotonic()
        told = self._standing()
        try:
            while True:
                await asyncio.sleep(max(TICK_SECONDS, len(self._watchers) / WATCHERS_A_SECOND))
                self._note_rewrites()
                standing = self._standing()
                if not self._tick.is_empty or standing != told or time.monotonic() - told_at > QUIET_SECONDS:
                    self._tell(is_for_all=standing != told or self._tick.is_empty)
                    told, told_at = standing, time.monotonic()
        finally:
            self._is_stopped = True
            for untaken in list(self._watchers):
                self._drop(untaken)

    def _standing(self) -> tuple[object, ...]:
        return self._state.ingestion, self._state.ingestion_reason, self._state.complete_since

    def _note_rewrites(self) -> None:
        """Note where the index was changed otherwise: by retention, or a message tried again."""
        rewrites = self._state.store.rewrites if self._state.store else 0
        if rewrites != self._rewrites and self._watchers:
            self._tick.add_all()
        self._rewrites = rewrites

    def _tell(self, *, is_for_all: bool) -> None:
        tick, self._tick = self._tick, _Tick()
        if not self._watchers:
            return
        encoded = self._encoded(tick)
        for untaken, interest in list(self._watchers.items()):
            if not is_for_all and not tick.concerns(interest):
                continue
            if untaken.qsize() < _UNTAKEN_MAXIMUM:
                untaken.put_nowait(encoded)
            else:
                self._drop(untaken)

    def _drop(self, untaken: "asyncio.Queue[bytes | None]") -> None:
        del self._watchers[untaken]
        while untaken.qsize() > _UNTAKEN_MAXIMUM:
            untaken.get_nowait()
        untaken.put_nowait(None)

    def _encoded(self, tick: _Tick) -> bytes:
        changed = {
            "at": datetime.now(UTC).timestamp(),
            "jobs": tick.jobs.encoded(),
            "things": tick.things.encoded(),
            "namespaces": tick.namespaces.encoded(),
            "freshness": described(self._state),
        }
        return orjson.dumps(changed)

    @staticmethod
    async def _taken(untaken: "asyncio.Queue[bytes | None]") -> AsyncIterator[bytes]:
        while (told := await untaken.get()) is not None:
            yield told
