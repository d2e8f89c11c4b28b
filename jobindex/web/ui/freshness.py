"""The freshness of the index, in the words of every page."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from jobindex.durations import lasting
from jobindex.monitoring.state import Ingestion, ServiceState, SyncStatus
from jobindex.web.ui.words import count


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A notice above each page."""

    title: str
    text: str
    link: str
    """The text of the link to the page of the syncs."""
    is_warning: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Freshness:
    """The content of the strip above each page."""

    is_connected: bool
    has_never_received: bool
    """Connected, but no message has ever arrived."""
    light: str
    """`on` if all is ok, `off` if there is a problem, empty if that is unknown."""
    status: str
    """The ingestion status in a few words."""
    reason: str | None
    """The reason if not connected, from the broker or the network."""
    connected_since: datetime | None
    complete_since: datetime | None
    last_message_at: datetime | None
    seconds_behind: int
    """The age of the oldest message that has arrived and is not yet written."""
    is_settling: bool
    """Whether deferred work is left."""
    set_aside: int
    """The number of known pieces of deferred work that the database refuses."""
    is_unwritable: bool
    unwritable: str | None
    """The reason, if the index cannot be written and the reason is known."""
    filled_at: datetime | None
    reconciled_at: datetime | None
    notices: tuple[Notice, ...]
    """About the sync with AWS."""


_STATUS = {
    Ingestion.CONNECTING: "Not connected",
    Ingestion.CONNECTED: "Connected",
    Ingestion.REFUSED: "Not connected: refused",
    Ingestion.STOPPED: "Not connected: stopped",
    Ingestion.STANDBY: "Not connected: standby",
}
_NEVER_RECEIVED = "Connected and subscribed, but no message has ever arrived"


def read_freshness(state: ServiceState, now: datetime, *, sees_all: bool) -> Freshness:
    """Return the freshness; message times and the broker's reasons only if all namespaces are visible."""
    status = state.ingestion_status()
    oldest = status.oldest_unwritten_at() if sees_all else None
    is_connected = status.ingestion is Ingestion.CONNECTED
    is_unwritable = status.unwritable is not None
    has_never_received = sees_all and status.has_never_received()
    return Freshness(
        is_connected=is_connected,
        has_never_received=has_never_received,
        light="off" if not is_connected or is_unwritable else "" if has_never_received else "on",
        status=_NEVER_RECEIVED if has_never_received else _STATUS[status.ingestion],
        reason=None if is_connected or not sees_all else status.ingestion_reason or state.reason,
        connected_since=status.connected_since,
        complete_since=status.complete_since,
        last_message_at=status.last_message_at if sees_all else None,
        seconds_behind=0 if oldest is None else max(0, int((now - oldest).total_seconds())),
        is_settling=bool(status.settling),
        set_aside=len(status.set_aside) if sees_all else 0,
        is_unwritable=is_unwritable,
        unwritable=status.unwritable if sees_all else None,
        filled_at=status.filled_at,
        reconciled_at=status.reconciled_at,
        notices=() if status.sync is None else tuple(_notices(status.sync, sees_all=sees_all)),
    )


def known_total(sync: SyncStatus) -> int | None:
    """Return the number of all items, None if it is not known: a phase can find more than it has counted."""
    return None if sync.total is None or sync.total < sync.done else sync.total


def _notices(sync: SyncStatus, *, sees_all: bool) -> Iterator[Notice]:
    if sync.is_first and sync.kind is not None:
        total = known_total(sync)
        done = f"{sync.done:,}" if total is None else f"{sync.done:,} of {total:,}"
        parts = [f"{sync.phase or 'the beginning'} ({done})", count(sync.rows, "row")]
        if sync.seconds_left is not None:
            parts.append(f"about {lasting(sync.seconds_left)} left")
        text = f": some jobs are still missing. Now: {', '.join(parts)}."
        yield Notice(title="The index is being filled from AWS", text=text, link="Progress", is_warning=False)
    if sees_all and sync.reason is not None:
        yield Notice(title="No call to AWS succeeds", text=f": {sync.reason}", link="Reconciliation")
    if sees_all and sync.problems:
        first, *others = sync.problems
        more = f" (and {count(len(others), 'other problem')})" if others else ""
        yield Notice(title="The sync with AWS has a problem", text=f": {first}{more}", link="Reconciliation")
