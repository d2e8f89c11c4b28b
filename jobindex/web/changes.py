"""Changes of the index, sent to subscribers without ever delaying the writer.

Once a tick, the changes of several batches go out together, in the same bytes to every subscriber. A subscriber that
has not taken its earlier events is dropped: it reconnects and reads everything again. Subscribers read the index after
each event, so the interval between ticks grows with their number: two hundred cost hardly more than ten. Not chosen: an
event for each change, because thousands may occur in a second; a log of changes to resume from, because subscribers
read the index anyway.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson

from jobindex.model.reports import ExecutionReport, PendingListReport, Report
from jobindex.model.store import NAMED_MAXIMUM, Changed
from jobindex.monitoring.state import ServiceState, described

TICK_SECONDS = 0.5
"""The least time between two ticks."""
WATCHERS_A_SECOND = 100
"""Subscribers that get an event in a second, on average, while the index changes all the time."""
WATCHERS_MAXIMUM = 1000
WATCHERS_OF_ONE_MAXIMUM = 500
"""Streams of one key or address, so that one client cannot have all of them."""
QUIET_SECONDS = 15
"""The interval of events without changes, which report the freshness and keep the connection open."""

EVENT_BYTES = 16 * 1024
"""In a longer event all names are null."""

_UNTAKEN_MAXIMUM = 4
"""Events that wait for a subscriber; one more ends its stream."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interest:
    """The changes that a subscriber wants; None does not narrow."""

    visible: frozenset[str] | None = None
    """The visible namespaces. A restricted subscriber gets only changes in them, and only their names: the other names
    of a batch may belong to other namespaces."""
    job_id: str | None = None
    thing_name: str | None = None
    namespace_id: str | None = None


class _Names:
    """Names of changed objects; None if they are unknown or too many."""

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

    def encoded(self, visible: frozenset[str] | None = None) -> list[str] | None:
        names = self.names if self.names is None or visible is None else self.names & visible
        return None if names is None or len(names) > NAMED_MAXIMUM else sorted(names)


class _Tick:
    def __init__(self) -> None:
        self.jobs, self.things = _Names(), _Names()
        # All of them: a restricted subscriber must not learn that other namespaces had too many.
        self.namespaces = _Names(maximum=None)
        self.is_rewritten = False
        """Whether there was a change of unknown extent."""
        self.is_empty = True

    def add(self, reports: Sequence[Report], changed: Changed) -> None:
        self.jobs.add(changed.job_ids)
        self.namespaces.add(changed.namespace_ids)
        self.things.add(changed.thing_names)
        # A report about a thing is a change of it, too.
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
        if interest.visible is not None:
            wanted = interest.visible if interest.namespace_id is None else frozenset({interest.namespace_id})
            return not self.is_empty and self.namespaces.concern_any(wanted)
        return (
            not self.is_empty
            and self.jobs.concern(interest.job_id)
            and self.things.concern(interest.thing_name)
            and (self.is_rewritten or self.namespaces.concern(interest.namespace_id))
        )

    def encoded_namespaces(self, visible: frozenset[str] | None) -> list[str] | None:
        return None if visible is None and self.is_rewritten else self.namespaces.encoded(visible)


@dataclass(slots=True, kw_only=True)
class _Watcher:
    interest: Interest
    holder: str
    untaken: "asyncio.Queue[bytes | None]"
    sent_at: float


class ChangeFeed:
    """Sends changes to subscribers."""

    def __init__(self, state: ServiceState) -> None:
        self._state = state
        self._tick = _Tick()
        self._watchers: dict[int, _Watcher] = {}
        self.is_stopped = False
        self._rewrites = 0

    @property
    def watchers(self) -> int:
        """The number of subscribers."""
        return len(self._watchers)

    def note(self, reports: Sequence[Report], changed: Changed) -> None:
        """Note a batch's reports and changes, once they are durable."""
        if self._watchers:
            self._tick.add(reports, changed)

    def is_full(self, holder: str) -> bool:
        """Return whether the subscribers, or those of this holder, are at their limit."""
        own = sum(watcher.holder == holder for watcher in self._watchers.values())
        return len(self._watchers) >= WATCHERS_MAXIMUM or own >= WATCHERS_OF_ONE_MAXIMUM

    @contextmanager
    def watch(self, interest: Interest, holder: str = "") -> Iterator[AsyncIterator[bytes] | None]:
        """Yield the encoded events from now on; None if there are too many subscribers or the service stops.

        The stream ends when the service stops or the subscriber is too slow. `holder` is the subscriber's key or
        address. Subscribers of the same scope share an event's bytes.
        """
        if self.is_stopped or self.is_full(holder):
            yield None
            return
        watcher = _Watcher(
            interest=interest, holder=holder, untaken=asyncio.Queue(_UNTAKEN_MAXIMUM + 1), sent_at=time.monotonic()
        )
        watcher.untaken.put_nowait(self._encoded(_Tick(), interest.visible))
        self._watchers[id(watcher)] = watcher
        try:
            yield self._taken(watcher.untaken)
        finally:
            self._watchers.pop(id(watcher), None)

    async def run(self) -> None:
        """Send changes until cancelled; then `stop` ends the streams."""
        status = self._status()
        while True:
            await asyncio.sleep(max(TICK_SECONDS, len(self._watchers) / WATCHERS_A_SECOND))
            self._note_rewrites()
            former, status = status, self._status()
            self._send(is_news_to_all=status != former)

    def stop(self) -> None:
        """End all streams and accept no new ones."""
        self.is_stopped = True
        self.end_streams()

    def end_streams(self, holder: str | None = None) -> None:
        """End a holder's streams, all for None; clients that still have access reconnect."""
        for watcher in list(self._watchers.values()):
            if holder in {None, watcher.holder}:
                self._drop(watcher)

    def _status(self) -> tuple[object, ...]:
        status = self._state.ingestion_status()
        sync = None if status.sync is None else (status.sync.kind, status.sync.phase, status.sync.reason)
        times = status.complete_since, status.filled_at, status.reconciled_at
        return status.ingestion, status.ingestion_reason, status.unwritable, *times, sync

    def _note_rewrites(self) -> None:
        """Note changes outside batches, such as a purge of rejected messages.

        Changes to a namespace's jobs also reach `note`, so restricted subscribers do not get rewrites.
        """
        rewrites = self._state.store.rewrites if self._state.store else 0
        if rewrites != self._rewrites and self._watchers:
            self._tick.add_rewrite()
        self._rewrites = rewrites

    def _send(self, *, is_news_to_all: bool) -> None:
        tick, self._tick = self._tick, _Tick()
        if not self._watchers:
            return
        nothing = _Tick()
        encoded: dict[tuple[bool, frozenset[str] | None], bytes] = {}  # most subscribers get the same event
        now = time.monotonic()
        for watcher in list(self._watchers.values()):
            is_news = tick.concerns(watcher.interest)
            if is_news or is_news_to_all or now - watcher.sent_at > QUIET_SECONDS:
                variant = is_news, watcher.interest.visible
                if variant not in encoded:
                    encoded[variant] = self._encoded(tick if is_news else nothing, watcher.interest.visible)
                self._put(watcher, encoded[variant], now)

    def _put(self, watcher: _Watcher, event: bytes, now: float) -> None:
        if watcher.untaken.qsize() < _UNTAKEN_MAXIMUM:
            watcher.untaken.put_nowait(event)
            watcher.sent_at = now
        else:
            self._drop(watcher)

    def _drop(self, watcher: _Watcher) -> None:
        del self._watchers[id(watcher)]
        watcher.untaken.put_nowait(None)

    def _encoded(self, tick: _Tick, visible: frozenset[str] | None) -> bytes:
        are_named = visible is None or tick.is_empty
        names = {
            "jobs": tick.jobs.encoded() if are_named else None,
            "things": tick.things.encoded() if are_named else None,
            "namespaces": tick.encoded_namespaces(visible),
        }
        event = self._event(names, visible)
        return event if len(event) <= EVENT_BYTES else self._event(dict.fromkeys(names), visible)

    def _event(self, names: Mapping[str, list[str] | None], visible: frozenset[str] | None) -> bytes:
        at = datetime.now(UTC).timestamp()
        freshness = described(self._state.ingestion_status(), sees_all=visible is None)
        return b"event: change\ndata: %s\n\n" % orjson.dumps({"at": at, **names, "freshness": freshness})

    @staticmethod
    async def _taken(untaken: "asyncio.Queue[bytes | None]") -> AsyncIterator[bytes]:
        while (event := await untaken.get()) is not None:
            yield event
