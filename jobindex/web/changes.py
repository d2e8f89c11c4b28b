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

from jobindex.model.reports import ExecutionReport, PendingListReport, Report
from jobindex.model.store import NAMED_MAXIMUM, Changed
from jobindex.monitoring.state import ServiceState, described

TICK_SECONDS = 0.5
"""At least so much time lies between two ticks."""
WATCHERS_A_SECOND = 100
"""Watchers told in a second, on average, while something changes all the time."""
WATCHERS_MAXIMUM = 1000
WATCHERS_OF_ONE_MAXIMUM = 500
"""Lines of one key, or address: nobody has all of them."""
QUIET_SECONDS = 15
"""Without any change watchers are told of the freshness so often, which also keeps the line open."""

_UNTAKEN_MAXIMUM = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Interest:
    """What a watcher wants to be told of; None does not narrow."""

    seen: frozenset[str] | None = None
    """The namespaces that it may see. Where they are some, it is told of changes in these alone, by the names of them
    alone: not all that is named of a batch is of a namespace."""
    job_id: str | None = None
    thing_name: str | None = None
    namespace_id: str | None = None


class _Names:
    """Names of what has changed; None where it is not known, or too many."""

    def __init__(self, maximum: int | None = NAMED_MAXIMUM) -> None:
        self.names: set[str] | None = set()
        self._maximum = maximum

    def add(self, names: Iterable[str] | None) -> None:
        if names is None or self.names is None:
            self.names = None
        else:
            self.names |= set(names)
            if self._maximum is not None and len(self.names) > self._maximum:
                self.names = None

    def concern(self, name: str | None) -> bool:
        return name is None or self.names is None or name in self.names

    def concern_any(self, names: frozenset[str]) -> bool:
        return self.names is None or not self.names.isdisjoint(names)

    def encoded(self, seen: frozenset[str] | None = None) -> list[str] | None:
        names = self.names if self.names is None or seen is None else self.names & seen
        return None if names is None or len(names) > NAMED_MAXIMUM else sorted(names)


class _Tick:
    def __init__(self) -> None:
        self.jobs, self.things = _Names(), _Names()
        # All of them: who may see some must not be told that there were too many of others.
        self.namespaces = _Names(maximum=None)
        self.is_rewritten = False
        """Whether something was changed of which it is not known where."""
        self.is_empty = True

    def add(self, reports: Sequence[Report], changed: Changed) -> None:
        self.jobs.add(changed.job_ids)
        self.namespaces.add(changed.namespace_ids)
        self.things.add(changed.thing_names)
        # That a thing was heard of is news of it, too.
        self.things.add(
            {report.thing_name for report in reports if isinstance(report, ExecutionReport | PendingListReport)}
        )
        self.is_empty = False

    def add_rewrite(self) -> None:
        self.jobs.add(None)
        self.things.add(None)
        self.is_rewritten = True
        self.is_empty = False

    def concerns(self, interest: Interest) -> bool:
        if interest.seen is not None:
            wanted = interest.seen if interest.namespace_id is None else frozenset({interest.namespace_id})
            return not self.is_empty and self.namespaces.concern_any(wanted)
        return (
            not self.is_empty
            and self.jobs.concern(interest.job_id)
            and self.things.concern(interest.thing_name)
            and (self.is_rewritten or self.namespaces.concern(interest.namespace_id))
        )

    def namespaces_told(self, seen: frozenset[str] | None) -> list[str] | None:
        return None if seen is None and self.is_rewritten else self.namespaces.encoded(seen)


@dataclass(slots=True, kw_only=True)
class _Watcher:
    interest: Interest
    holder: str
    untaken: "asyncio.Queue[bytes | None]"
    told_at: float


class ChangeFeed:
    """Tells watchers what has changed."""

    def __init__(self, state: ServiceState) -> None:
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
        """Note what was told, and what has changed, durably."""
        if self._watchers:
            self._tick.add(reports, changed)

    def is_full(self, holder: str) -> bool:
        """Return whether as many watch as can, or as many of this holder as may."""
        own = sum(watcher.holder == holder for watcher in self._watchers.values())
        return len(self._watchers) >= WATCHERS_MAXIMUM or own >= WATCHERS_OF_ONE_MAXIMUM

    @contextmanager
    def watch(self, interest: Interest, holder: str = "") -> Iterator[AsyncIterator[bytes] | None]:
        """Yield what is told from now on, each a JSON object; None where no more can watch, or the service stops.

        It ends when the service stops, or when its taker is too slow. `holder` is who watches, a key or an address.
        """
        if self.is_stopped or self.is_full(holder):
            yield None
            return
        watcher = _Watcher(
            interest=interest, holder=holder, untaken=asyncio.Queue(_UNTAKEN_MAXIMUM + 1), told_at=time.monotonic()
        )
        watcher.untaken.put_nowait(self._encoded(_Tick(), interest.seen))
        self._watchers[id(watcher)] = watcher
        try:
            yield self._taken(watcher.untaken)
        finally:
            self._watchers.pop(id(watcher), None)

    async def run(self) -> None:
        """Tell, until cancelled, what has changed; `stop` ends the lines then."""
        status = self._standing()
        while True:
            await asyncio.sleep(max(TICK_SECONDS, len(self._watchers) / WATCHERS_A_SECOND))
            self._note_rewrites()
            former, status = status, self._standing()
            self._tell(is_news_to_all=status != former)

    def stop(self) -> None:
        """End all lines; nobody can watch any longer."""
        self.is_stopped = True
        self.end_lines()

    def end_lines(self, holder: str | None = None) -> None:
        """End the lines of a holder, for None all; who may still watch comes back."""
        for watcher in list(self._watchers.values()):
            if holder in {None, watcher.holder}:
                self._drop(watcher)

    def _standing(self) -> tuple[object, ...]:
        status = self._state.ingestion_status()
        return status.ingestion, status.ingestion_reason, status.complete_since

    def _note_rewrites(self) -> None:
        """Note where something was changed otherwise, such as by a purge of rejected messages.

        What changes the jobs of a namespace is noted by `note` besides: who sees some alone is not told of this.
        """
        rewrites = self._state.store.rewrites if self._state.store else 0
        if rewrites != self._rewrites and self._watchers:
            self._tick.add_rewrite()
        self._rewrites = rewrites

    def _tell(self, *, is_news_to_all: bool) -> None:
        tick, self._tick = self._tick, _Tick()
        if not self._watchers:
            return
        nothing = _Tick()
        encoded: dict[tuple[bool, frozenset[str] | None], bytes] = {}  # of many watchers most are told the same
        now = time.monotonic()
        for watcher in list(self._watchers.values()):
            is_news = tick.concerns(watcher.interest)
            if is_news or is_news_to_all or now - watcher.told_at > QUIET_SECONDS:
                what = is_news, watcher.interest.seen
                if what not in encoded:
                    encoded[what] = self._encoded(tick if is_news else nothing, watcher.interest.seen)
                self._put(watcher, encoded[what], now)

    def _put(self, watcher: _Watcher, told: bytes, now: float) -> None:
        if watcher.untaken.qsize() < _UNTAKEN_MAXIMUM:
            watcher.untaken.put_nowait(told)
            watcher.told_at = now
        else:
            self._drop(watcher)

    def _drop(self, watcher: _Watcher) -> None:
        del self._watchers[id(watcher)]
        watcher.untaken.put_nowait(None)

    def _encoded(self, tick: _Tick, seen: frozenset[str] | None) -> bytes:
        are_named = seen is None or tick.is_empty
        changed = {
            "at": datetime.now(UTC).timestamp(),
            "jobs": tick.jobs.encoded() if are_named else None,
            "things": tick.things.encoded() if are_named else None,
            "namespaces": tick.namespaces_told(seen),
            "freshness": described(self._state.ingestion_status(), sees_all=seen is None),
        }
        return orjson.dumps(changed)

    @staticmethod
    async def _taken(untaken: "asyncio.Queue[bytes | None]") -> AsyncIterator[bytes]:
        while (told := await untaken.get()) is not None:
            yield told
