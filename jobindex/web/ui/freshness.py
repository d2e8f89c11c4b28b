"""The freshness of the index, in the words of every page."""

from dataclasses import dataclass
from datetime import datetime

from jobindex.monitoring.state import Ingestion, ServiceState


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
    )
