"""How fresh the index is, in words that stand on every page."""

from dataclasses import dataclass
from datetime import datetime

from jobindex.monitoring.state import Ingestion, ServiceState


@dataclass(frozen=True, slots=True, kw_only=True)
class Freshness:
    """What the strip over each page says."""

    is_connected: bool
    status: str
    """How the service stands with the broker, in a word or two."""
    reason: str | None
    """Why it is not connected, as the broker or the way to it said."""
    connected_since: datetime | None
    complete_since: datetime | None
    last_message_at: datetime | None
    seconds_behind: int
    """How old the oldest message is that has arrived and is not yet written."""


_STANDING = {
    Ingestion.CONNECTING: "Not connected",
    Ingestion.CONNECTED: "Connected",
    Ingestion.REFUSED: "Not connected: refused",
    Ingestion.STOPPED: "Not connected: stopped",
    Ingestion.STANDBY: "Not connected: standing by",
}


def read_freshness(state: ServiceState, now: datetime, *, sees_all: bool) -> Freshness:
    """Return how fresh the index is; when messages came, and from where, only to who sees all of them."""
    told = state.ingestion_status()
    oldest = told.oldest_unwritten_at() if sees_all else None
    is_connected = told.ingestion is Ingestion.CONNECTED
    return Freshness(
        is_connected=is_connected,
        status=_STANDING[told.ingestion],
        reason=None if is_connected or not sees_all else told.ingestion_reason or state.reason,
        connected_since=told.connected_since,
        complete_since=told.complete_since,
        last_message_at=told.last_message_at if sees_all else None,
        seconds_behind=0 if oldest is None else max(0, int((now - oldest).total_seconds())),
    )
