"""One of the replicas that share an index: it ingests while it has the lease, and stands by while another has.

All replicas bear one client id, so that the broker hands its queue over to whoever goes on. Who has the lease keeps it
every third of its length and tells the others meanwhile how it fares. Who could not keep it for its whole length, by
its own clock, reckoned from before it asked, stops at once and acknowledges nothing more, whether or not another has
taken it by then: two that ingest lose nothing, but each ends the other's connection. Not chosen: to go on until a
write is refused, which comes only with the next message.
"""

import asyncio
import logging
import random
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import orjson

from jobindex.durations import SHUTDOWN
from jobindex.errors import DatabaseUnavailableError, LeaseLostError
from jobindex.ingest.tasks import first_of
from jobindex.model.reports import Report
from jobindex.model.store import Changed, Lease, Store
from jobindex.monitoring.state import Ingestion, IngestionStatus, LeaseHolder, ServiceState, described

LOOK_SECONDS = 1.0
"""How often a replica looks, at least, who has the lease, and what others have changed."""
WATCHED_SECONDS = 0.25
"""How often it looks what others have changed while somebody watches."""

_KEPT_IN_A_LEASE = 3
_MOMENT_SECONDS = 0.02

_log = logging.getLogger(__name__)


class Replica:
    """Ingests in turn with the others that share a store; `state` tells meanwhile how it fares.

    `ingest` ingests until the event that it is given is set, and what is in hand is finished; where it is cancelled, it
    leaves that to the broker. `on_applied` is called with what others have changed, soon after where `is_watched`.
    """

    def __init__(
        self,
        store: Store,
        state: ServiceState,
        *,
        lease: timedelta,
        ingest: Callable[[asyncio.Event], Awaitable[None]],
        on_applied: Callable[[Sequence[Report], Changed], None],
        is_watched: Callable[[], bool],
    ) -> None:
        self._store = store
        self._state = state
        self._seconds = lease.total_seconds()
        self._ingest = ingest
        self._on_applied = on_applied
        self._is_watched = is_watched
        self._read_at = -self._seconds
        """When the lease was last read, by the loop's clock."""
        self._step_down("", IngestionStatus(ingestion_reason="it is not known yet which replica ingests"))

    async def run(self, stopping: asyncio.Event) -> None:
        """Ingest and stand by until `stopping` is set; then finish what is in hand, and give the lease back.

        Raises what ends `ingest`, unless that is that the lease was lost.
        """
        turns = asyncio.create_task(self._take_turns(stopping), name="lease")
        following = asyncio.create_task(self._watch_changes(), name="changes of others")
        stopped = asyncio.create_task(stopping.wait(), name="stopping")
        async with first_of(turns, following, stopped):
            if following.done():
                following.result()  # raises what ended it
            await asyncio.wait((turns,), timeout=SHUTDOWN.replica_seconds)
            if turns.done():
                turns.result()  # raises what ended it

    async def _take_turns(self, stopping: asyncio.Event) -> None:
        while (until := await self._follow(stopping)) is not None:
            lost = await self._lead(until, stopping)
            if lost is None:
                return
            _log.warning("Ingestion has stopped: %s", lost)
            self._step_down("", _left_by(self._state, reason=lost))
            await _pause(LOOK_SECONDS, stopping)

    # Standing by

    async def _follow(self, stopping: asyncio.Event) -> float | None:
        """Return until when the lease is ours once it is, by the loop's clock; None where the service stops first."""
        former = None
        while not stopping.is_set():
            seconds_left = 0.0
            try:
                lease = await self._store.lease()
                seconds_left = lease.seconds_left
                until = self._now() + self._seconds
                if lease.is_over or lease.is_mine:
                    left = _left_by(_published_status(lease))
                    if await self._store.take_lease(self._told(left), seconds=self._seconds):
                        self._become_leader(left)
                        return until
            except DatabaseUnavailableError as error:
                self._note_unknown(error)
            else:
                self._read_at = self._now()
                self._step_down(lease.holder, _published_status(lease))
                if lease.holder != former:
                    _log.info("Standing by: %s", f"{lease.holder} ingests" if lease.holder else "no replica ingests")
                    former = lease.holder
            pause = random.uniform(LOOK_SECONDS / 2, LOOK_SECONDS)
            # Who would be kept waiting by a lease that ends meanwhile is there when it does.
            await _pause(min(pause, seconds_left + _MOMENT_SECONDS) if seconds_left > 0 else pause, stopping)
        return None

    def _note_unknown(self, error: DatabaseUnavailableError) -> None:
        """Tell that it is not known who ingests, once that is so."""
        if self._now() - self._read_at > self._seconds:
            reason = f"it is not known which replica ingests: {error}"
            if reason != self._state.ingestion_status().ingestion_reason:
                _log.warning("Standing by: %s", reason)
            self._step_down("", _left_by(self._state.ingestion_status(), reason=reason))

    def _step_down(self, name: str, status: IngestionStatus) -> None:
        self._state.holder = LeaseHolder(name=name, status=status)

    def _become_leader(self, left: IngestionStatus) -> None:
        state = self._state
        state.ingestion, state.ingestion_reason, state.connected_since = left.ingestion, None, None
        state.complete_since, state.last_message_at = left.complete_since, left.last_message_at
        state.in_hand.clear()
        state.holder = None

    # Ingesting

    async def _lead(self, until: float, stopping: asyncio.Event) -> str | None:
        """Ingest while the lease is kept; return why it was lost, or None once the service stops and all is done."""
        _log.info("This replica ingests from now on")
        ingesting = asyncio.ensure_future(self._ingest(stopping))
        keeping = asyncio.create_task(self._keep(until), name="keeping the lease")
        async with first_of(ingesting, keeping):
            if not ingesting.done():
                return keeping.result()
        try:
            ingesting.result()  # raises what ended it
        except LeaseLostError as error:
            return str(error)
        except Exception:
            await self._release()
            raise
        await self._release()
        return None

    async def _keep(self, until: float) -> str:
        """Keep the lease, and tell how this replica fares, until it is lost; return why it is."""
        every = self._seconds / _KEPT_IN_A_LEASE
        kept_at = until - self._seconds
        told = None
        while True:
            await asyncio.sleep(max(0, min(LOOK_SECONDS, every, until - self._now())))
            now = self._now()
            if now >= until:
                return "the lease could not be kept in time"
            news = self._state.ingestion, self._state.ingestion_reason, self._state.complete_since
            if now - kept_at < every and news == told:
                continue
            try:
                async with asyncio.timeout_at(until):
                    if not await self._store.take_lease(self._told(self._state), seconds=self._seconds):
                        return "another replica has taken the lease"
            except TimeoutError:
                return "the lease could not be kept in time: the database does not answer"
            except DatabaseUnavailableError as error:
                _log.warning("%s; the lease is not kept, and lost in %.1f s", error, until - self._now())
            else:
                kept_at, until, told = now, now + self._seconds, news

    async def _release(self) -> None:
        """Give the lease back, so that a replica that stands by need not wait for its end."""
        with suppress(DatabaseUnavailableError, TimeoutError):
            async with asyncio.timeout(SHUTDOWN.release_seconds):
                await self._store.release_lease()

    def _told(self, status: IngestionStatus) -> str:
        """Return what the others are to know.

        A message that has only just arrived is not told as unwritten: it will be written before anyone reads this.
        """
        told = described(status, sees_all=True)
        oldest = status.oldest_unwritten_at()
        if oldest is not None and (datetime.now(UTC) - oldest).total_seconds() < self._seconds / _KEPT_IN_A_LEASE:
            del told["oldestUnwritten"]
        return orjson.dumps(told).decode()

    # What others change

    async def _watch_changes(self) -> None:
        """Note what others change until cancelled; what cannot be read is noted the next time."""
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


def _published_status(lease: Lease) -> IngestionStatus:
    """Return how who has the lease fares; where nobody has, how fresh the index was left."""
    try:
        status = _parsed(orjson.loads(lease.told))
    except (ValueError, TypeError, AttributeError):  # another version may tell otherwise
        status = IngestionStatus(ingestion_reason="what it tells of itself is not understood")
    if not lease.is_over:
        return status
    silent = f"{lease.holder} has been silent for longer than its lease" if lease.holder else "none has the lease"
    return _left_by(status, reason=f"no replica ingests just now: {silent}")


def _left_by(status: IngestionStatus, *, reason: str | None = None) -> IngestionStatus:
    """Return how fresh an index is that who fared so no longer ingests into."""
    return IngestionStatus(
        ingestion_reason=reason,
        complete_since=status.complete_since,
        last_message_at=status.last_message_at,
        in_hand=deque(status.in_hand),
    )


def _parsed(told: Mapping[str, str]) -> IngestionStatus:
    """Return what `described` was made of.

    Raises:
        ValueError, TypeError, AttributeError: it was not made by it.
    """
    times = {
        name: datetime.fromisoformat(told[name]) if name in told else None
        for name in ("connectedSince", "completeSince", "lastMessage", "oldestUnwritten")
    }
    oldest = times["oldestUnwritten"]
    return IngestionStatus(
        ingestion=Ingestion(told.get("ingestion", Ingestion.CONNECTING)),
        ingestion_reason=told.get("ingestionReason"),
        connected_since=times["connectedSince"],
        complete_since=times["completeSince"],
        last_message_at=times["lastMessage"],
        in_hand=deque(() if oldest is None else (oldest,)),
    )
