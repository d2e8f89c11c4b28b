"""One of the replicas that share an index: it ingests while it has the lease, and is a standby otherwise.

All replicas use one client id, so the next holder inherits the broker's queue. A holder that cannot renew the lease for
its whole length, by its own clock and counted from before its request, stops: two that ingest lose nothing, but end
each other's connections. Not chosen: ingesting until a write is refused, which needs another message.

A holder without a broker for a lease's length offers the lease: it renews for zero seconds, and a standby that reaches
a broker takes it. After a minute any standby may, because a broker may refuse only a probe's client id. Not chosen:
releasing the lease, because no replica would ingest meanwhile.
"""

import asyncio
import logging
import random
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from jobindex.durations import SHUTDOWN
from jobindex.errors import DatabaseUnavailableError, LeaseLostError
from jobindex.ingest.tasks import first_of
from jobindex.model.reports import Report
from jobindex.model.store import Changed, Lease, Store
from jobindex.monitoring.state import Ingestion, IngestionStatus, LeaseHolder, ServiceState, SyncStatus, described

LOOK_SECONDS = 1.0
"""A replica reads the lease and the changes of others at least this often."""
WATCHED_SECONDS = 0.25
"""It reads the changes of others this often while there are subscribers."""

OFFERED_SECONDS = 60.0
"""After this time without a broker, a holder loses the lease even to a standby that cannot connect either."""

_RENEWALS_PER_LEASE = 3
_BROKERLESS = "brokerlessSeconds"
"""The member of a holder's status that offers the lease: the seconds since it was last connected."""
_MOMENT_SECONDS = 0.02

_log = logging.getLogger(__name__)


class Replica:
    """Ingests while it has the lease, and keeps `state` up to date.

    `ingest` runs until its event is set and the messages in flight are finished; if cancelled, it leaves them to the
    broker. `on_applied` receives the changes of others, sooner if `is_watched`.
    """

    def __init__(
        self,
        store: Store,
        state: ServiceState,
        *,
        lease: timedelta,
        ingest: Callable[[asyncio.Event], Awaitable[None]],
        can_connect: Callable[[], Awaitable[bool]],
        on_applied: Callable[[Sequence[Report], Changed], None],
        is_watched: Callable[[], bool],
    ) -> None:
        self._store = store
        self._state = state
        self._seconds = lease.total_seconds()
        self._ingest = ingest
        self._can_connect = can_connect
        self._on_applied = on_applied
        self._is_watched = is_watched
        self._read_at = -self._seconds
        """When the lease was last read, by the loop's clock."""
        self._step_down("", IngestionStatus(ingestion_reason="it is not known yet which replica ingests"))

    async def run(self, stopping: asyncio.Event) -> None:
        """Run until `stopping` is set; then finish the messages in flight and release the lease.

        Raises the error of `ingest`, except LeaseLostError.
        """
        turns = asyncio.create_task(self._take_turns(stopping), name="lease")
        following = asyncio.create_task(self._watch_changes(), name="changes of others")
        stopped = asyncio.create_task(stopping.wait(), name="stopping")
        async with first_of(turns, following, stopped):
            if following.done():
                following.result()  # raises its error
            await asyncio.wait((turns,), timeout=SHUTDOWN.replica_seconds)
            if turns.done():
                turns.result()  # raises its error

    async def _take_turns(self, stopping: asyncio.Event) -> None:
        while (until := await self._follow(stopping)) is not None:
            lost = await self._lead(until, stopping)
            if lost is None:
                return
            _log.warning("Ingestion has stopped: %s", lost)
            self._step_down("", _left_by(self._state, reason=lost))
            await _pause(LOOK_SECONDS, stopping)

    async def _follow(self, stopping: asyncio.Event) -> float | None:
        """Return the end of a taken lease, or None if the service stops first."""
        former = None
        while not stopping.is_set():
            seconds_left = 0.0
            try:
                lease = await self._store.lease()
                seconds_left = lease.seconds_left
                if lease.is_mine or (lease.is_over and await self._may_take(lease, stopping)):
                    until = self._now() + self._seconds
                    left = _left_by(self._published_status(lease))
                    if await self._store.take_lease(self._encoded(left), seconds=self._seconds):
                        self._become_leader(left)
                        return until
            except DatabaseUnavailableError as error:
                self._note_unknown(error)
            else:
                self._read_at = self._now()
                self._step_down(lease.holder, self._published_status(lease))
                if lease.holder != former:
                    _log.info("Standby: %s", f"{lease.holder} ingests" if lease.holder else "no replica ingests")
                    former = lease.holder
            pause = random.uniform(LOOK_SECONDS / 2, LOOK_SECONDS)
            # If the lease ends sooner, the next look follows its end.
            await _pause(min(pause, seconds_left + _MOMENT_SECONDS) if seconds_left > 0 else pause, stopping)
        return None

    async def _may_take(self, lease: Lease, stopping: asyncio.Event) -> bool:
        brokerless = _brokerless_seconds(lease)
        if brokerless is None or brokerless >= OFFERED_SECONDS:
            return True
        probing = asyncio.ensure_future(self._can_connect())
        stopped = asyncio.create_task(stopping.wait(), name="stopping")
        async with first_of(probing, stopped):
            return probing.done() and probing.result()

    def _published_status(self, lease: Lease) -> IngestionStatus:
        try:
            status = _parsed(orjson.loads(lease.status))
        except (ValueError, TypeError, AttributeError):  # another version may encode it differently
            status = IngestionStatus(ingestion_reason="the holder's status cannot be parsed")
        is_offered = lease.holder and _brokerless_seconds(lease) is not None and lease.seconds_left > -self._seconds
        if not lease.is_over or is_offered:
            return status
        silent = f"{lease.holder} has been silent for longer than its lease" if lease.holder else "the lease is free"
        return _left_by(status, reason=f"no replica ingests just now: {silent}")

    def _note_unknown(self, error: DatabaseUnavailableError) -> None:
        if self._now() - self._read_at > self._seconds:
            reason = f"it is not known which replica ingests: {error}"
            if reason != self._state.ingestion_status().ingestion_reason:
                _log.warning("Standby: %s", reason)
            self._step_down("", replace(_left_by(self._state.ingestion_status(), reason=reason), unwritable=str(error)))

    def _step_down(self, name: str, status: IngestionStatus) -> None:
        self._state.holder = LeaseHolder(name=name, status=status)

    def _become_leader(self, left: IngestionStatus) -> None:
        state = self._state
        state.ingestion, state.ingestion_reason, state.connected_since = left.ingestion, None, None
        state.complete_since, state.last_message_at = left.complete_since, left.last_message_at
        state.in_flight.clear()
        state.unwritable, state.session_lost_at = None, left.session_lost_at
        state.filled_at, state.reconciled_at, state.sync = left.filled_at, left.reconciled_at, left.sync
        state.is_online, state.holder = False, None

    async def _lead(self, until: float, stopping: asyncio.Event) -> str | None:
        """Return why the lease was lost, None if the service stops."""
        _log.info("This replica ingests from now on")
        ingesting = asyncio.ensure_future(self._ingest(stopping))
        keeping = asyncio.create_task(self._keep(until), name="keeping the lease")
        async with first_of(ingesting, keeping):
            if not ingesting.done():
                return keeping.result()
        try:
            ingesting.result()  # raises its error
        except LeaseLostError as error:
            return str(error)
        except Exception:
            await self._release()
            raise
        await self._release()
        return None

    async def _keep(self, until: float) -> str:
        """Return why the lease was lost."""
        every = self._seconds / _RENEWALS_PER_LEASE
        kept_at = online_at = until - self._seconds
        published = failed = None
        while True:
            await asyncio.sleep(max(0, min(LOOK_SECONDS, every, until - self._now())))
            now = self._now()
            if now >= until:
                return "the lease could not be renewed in time"
            if self._state.is_online:
                online_at = now
            brokerless = now - online_at if now - online_at >= self._seconds else None
            seconds = self._seconds if brokerless is None else 0
            state, news = self._state, self._news(seconds)
            if now - kept_at < every and news == published:
                continue
            if seconds == 0 and (published is None or published[0] > 0):
                _log.warning("This replica has been without a broker for %.1f s: another may ingest", brokerless)
            try:
                lost = await self._renew(brokerless, seconds=seconds, until=until)
            except DatabaseUnavailableError as error:
                failed = state.unwritable = str(error)
                _log.warning("%s; the lease was not renewed, and ends in %.1f s", error, until - self._now())
            else:
                if lost is not None:
                    return lost
                if state.unwritable == failed:  # the ingestor may have set a reason of its own
                    state.unwritable = None
                kept_at, until, published = now, now + self._seconds, news

    async def _renew(self, brokerless: float | None, *, seconds: float, until: float) -> str | None:
        try:
            async with asyncio.timeout_at(until):
                is_kept = await self._store.take_lease(self._encoded(self._state, brokerless), seconds=seconds)
        except TimeoutError:
            return "the lease could not be renewed in time: the database does not answer"
        return None if is_kept else "another replica has taken the lease"

    def _news(self, seconds: float) -> tuple[float, object]:
        state = self._state  # changes of these members are published at once
        reasons = state.ingestion_reason, state.unwritable
        sync = None if state.sync is None else (state.sync.kind, state.sync.phase, state.sync.reason)
        return seconds, (state.ingestion, *reasons, state.complete_since, state.settling, state.filled_at, sync)

    async def _release(self) -> None:
        with suppress(DatabaseUnavailableError, TimeoutError):
            async with asyncio.timeout(SHUTDOWN.release_seconds):
                await self._store.release_lease()

    def _encoded(self, status: IngestionStatus, brokerless: float | None = None) -> str:
        """Encode the published status; `brokerless` seconds offer the lease."""
        members = described(status, sees_all=True)
        oldest = status.oldest_unwritten_at()  # left out if it will soon be written
        if oldest is not None and (datetime.now(UTC) - oldest).total_seconds() < self._seconds / _RENEWALS_PER_LEASE:
            del members["oldestUnwritten"]
        if brokerless is not None:
            members[_BROKERLESS] = round(brokerless, 1)
        return orjson.dumps(members).decode()

    async def _watch_changes(self) -> None:
        while True:
            await asyncio.sleep(WATCHED_SECONDS if self._is_watched() else LOOK_SECONDS)
            with suppress(DatabaseUnavailableError):
                for changed in await self._store.changed_by_others():
                    self._on_applied((), changed)

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()


async def _pause(seconds: float, stopping: asyncio.Event) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(stopping.wait(), seconds)


def _brokerless_seconds(lease: Lease) -> float | None:
    """Return None if the lease is not offered."""
    try:
        return float(orjson.loads(lease.status)[_BROKERLESS]) - lease.seconds_left
    except (ValueError, TypeError, KeyError):
        return None


def _left_by(status: IngestionStatus, *, reason: str | None = None) -> IngestionStatus:
    return IngestionStatus(
        ingestion_reason=reason,
        complete_since=status.complete_since,
        last_message_at=status.last_message_at,
        in_flight=deque(status.in_flight),
        settling=status.settling,
        set_aside=status.set_aside,
        unwritable=status.unwritable,
        session_lost_at=status.session_lost_at,
        filled_at=status.filled_at,
        reconciled_at=status.reconciled_at,
        sync=status.sync,
    )


def _parsed(members: Mapping[str, Any]) -> IngestionStatus:
    """Reverse `described`; raises ValueError, TypeError or AttributeError for another form."""
    times = {
        name: datetime.fromisoformat(members[name]) if name in members else None
        for name in (
            "connectedSince",
            "completeSince",
            "lastMessage",
            "oldestUnwritten",
            "sessionLost",
            "filled",
            "reconciled",
        )
    }
    oldest = times["oldestUnwritten"]
    return IngestionStatus(
        ingestion=Ingestion(members.get("ingestion", Ingestion.CONNECTING)),
        ingestion_reason=members.get("ingestionReason"),
        connected_since=times["connectedSince"],
        complete_since=times["completeSince"],
        last_message_at=times["lastMessage"],
        in_flight=deque(() if oldest is None else (oldest,)),
        settling=frozenset(members.get("settling", ())),
        set_aside=tuple(members.get("setAside", ())),
        unwritable=members.get("unwritable"),
        session_lost_at=times["sessionLost"],
        was_empty=members.get("nothingEverArrived", False),
        filled_at=times["filled"],
        reconciled_at=times["reconciled"],
        sync=SyncStatus.parse(members["sync"]) if "sync" in members else None,
    )
