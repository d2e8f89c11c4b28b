"""How the service fares: written by what runs it, read by /readyz."""

from dataclasses import dataclass
from enum import StrEnum

from jobindex.store import Store


class Ingestion(StrEnum):
    """How the service stands with the broker."""

    CONNECTING = "connecting"
    CONNECTED = "connected"
    """Every subscription is granted."""
    REFUSED = "refused"
    """The broker refused the connection or a subscription."""
    STOPPED = "stopped"


@dataclass(slots=True, kw_only=True)
class State:
    """What the service knows of itself."""

    url: str | None = None
    """Where HTTP is served, once it is."""
    store: Store | None = None
    """The index, once it is open."""
    reason: str | None = "the database is not open yet"
    """Why the service is not ready; None when it is."""
    ingestion: Ingestion = Ingestion.CONNECTING
    ingestion_reason: str | None = None
    """What the broker, or the way to it, last said; None when connected."""
