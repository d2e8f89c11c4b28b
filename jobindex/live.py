"""What has changed in the index, told to who watches it, without ever holding up who changes it.

What batches change is put together and told once a tick, in the same bytes to every watcher. A watcher that has not
taken what it was told before is dropped: it comes back, and reads all as it then is. Watchers read again what they
show, so ticks come the less often the more of them there are: two hundred cost hardly more than ten. Not chosen: a
message for each change, of which thousands may come in a second, and a log of changes to go on from, as what is
shown is read from the index anyway.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson

from jobindex.jobs import JobExecutionReport, PendingListReport, Report
from jobindex.state import State, described
from jobindex.store import NAMED_MAXIMUM, Changed

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


class _Names:
    """Names of what has changed; None where there were too many, or it is not known."""

    def __init__(self) -> None:
        self.names: set[str] | None = set()

    def add(self, names: Iterable[str] | None) -> None:
        if names is None or self.names is None:
            self.names = None
        else:
            self.names |= set(names)
            if len(self.names) > NAMED_MAXIMUM:
                self.names = None

    def concern(self, name: str | None) -> bool:
        return name is None or self.names is None or name in self.names

    def encoded(self) -> list[str] | None:
        return None if self.names is None else sorted(self.names)


class _Tick:
    """What has changed since the tick before."""

    def __init__(self) -> None:
        self.jobs, self.things, self.namespaces = _Names(), _Names(), _Names()
        self.is_empty = True

    def add(self, reports: Sequence[Report], changed: Changed) -> None:
        self.jobs.add(changed.job_ids)
        self.namespaces.add(changed.namespace_ids)
        self.things.add(changed.thing_names)
        # That a thing was heard of is news of it, too.
        self.things.add(
            {report.thing_name for report in reports if isinstance(report, JobExecutionReport | PendingListReport)}
        )
        self.is_empty = False

    def add_all(self) -> None:
        for names in (self.jobs, self.things, self.namespaces):
            names.add(None)
        self.is_empty = False

    def concerns(self, interest: Interest) -> bool:
        return (
            not self.is_empty
            and self.jobs.concern(interest.job_id)
            and self.things.concern(interest.thing_name)
            and self.namespaces.concern(interest.namespace_id)
        )


@dataclass(slots=True, kw_only=True)
class _Watcher:
    """Who is told."""

    interest: Interest
    untaken: "asyncio.Queue[bytes | None]"
    told_at: float


class Live:
    """Tells watchers what has changed."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._tick = _Tick()
        self._watchers: dict[int, _Watcher] = {}
        self.is_stopped = False
        """Nobody can watch any longer."""
        self._rewrites = 0

    @property
    def watchers(self) -> int:
        """How many watch."""
        return len(self._watchers)

    def note(self, reports: Sequence[Report], changed: Changed) -> None:
        """Note what a batch, which is durable now, has told and changed."""
        if self._watchers:
            self._tick.add(reports, changed)

    @contextmanager
    def watch(self, interest: Interest) -> Iterator[AsyncIterator[bytes] | None]:
        """Yield what is told from now on, each a JSON object; None where as many watch as can, or the service stops.

        It ends when the service stops, or when its taker is too slow.
        """
        if self.is_stopped or len(self._watchers) >= WATCHERS_MAXIMUM:
            yield None
            return
        watcher = _Watcher(interest=interest, untaken=asyncio.Queue(_UNTAKEN_MAXIMUM + 1), told_at=time.monotonic())
        watcher.untaken.put_nowait(self._encoded(_Tick()))
        self._watchers[id(watcher)] = watcher
        try:
            yield self._taken(watcher.untaken)
        finally:
            self._watchers.pop(id(watcher), None)

    async def run(self) -> None:
        """Tell, until cancelled, what has changed; `stop` ends the lines then."""
        standing = self._standing()
        while True:
            await asyncio.sleep(max(TICK_SECONDS, len(self._watchers) / WATCHERS_A_SECOND))
            self._note_rewrites()
            former, standing = standing, self._standing()
            self._tell(is_news_to_all=standing != former)

    def stop(self) -> None:
        """End all lines; nobody can watch any longer."""
        self.is_stopped = True
        for watcher in list(self._watchers.values()):
            self._drop(watcher)

    def _standing(self) -> tuple[object, ...]:
        return self._state.ingestion, self._state.ingestion_reason, self._state.complete_since

    def _note_rewrites(self) -> None:
        """Note where the index was changed otherwise: by retention, or a message tried again."""
        rewrites = self._state.store.rewrites if self._state.store else 0
        if rewrites != self._rewrites and self._watchers:
            self._tick.add_all()
        self._rewrites = rewrites

    def _tell(self, *, is_news_to_all: bool) -> None:
        tick, self._tick = self._tick, _Tick()
        if not self._watchers:
            return
        news, nothing = self._encoded(tick), self._encoded(_Tick())
        now = time.monotonic()
        for watcher in list(self._watchers.values()):
            if tick.concerns(watcher.interest):
                self._put(watcher, news, now)
            elif is_news_to_all or now - watcher.told_at > QUIET_SECONDS:
                self._put(watcher, nothing, now)

    def _put(self, watcher: _Watcher, told: bytes, now: float) -> None:
        if watcher.untaken.qsize() < _UNTAKEN_MAXIMUM:
            watcher.untaken.put_nowait(told)
            watcher.told_at = now
        else:
            self._drop(watcher)

    def _drop(self, watcher: _Watcher) -> None:
        del self._watchers[id(watcher)]
        watcher.untaken.put_nowait(None)

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
