"""How the service fares: written by what runs it, read by /readyz, /metrics and every ListJobs answer.

Where replicas share an index, one ingests. How fresh the index is every one of them tells alike, as the one that
ingests last told it: who asks need not know which of them answered.
"""

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from jobindex.errors import DatabaseUnavailableError
from jobindex.model.store import Store


class Ingestion(StrEnum):
    """How the service stands with the broker."""

    CONNECTING = "connecting"
    CONNECTED = "connected"
    """Every subscription is granted."""
    REFUSED = "refused"
    """The broker refused the connection or a subscription."""
    STOPPED = "stopped"
    STANDBY = "standby"
    """Another replica may ingest, and this one would go on in its place."""


@dataclass(slots=True, kw_only=True)
class IngestionStatus:
    """How one that ingests fares, and how fresh the index is by that."""

    ingestion: Ingestion = Ingestion.CONNECTING
    ingestion_reason: str | None = None
    """What the broker, or the way to it, last said; None when connected."""
    connected_since: datetime | None = None
    """Since when every subscription is granted; None while not."""
    complete_since: datetime | None = None
    """Since when the index has been told everything: the broker has kept the session without a gap from then on."""
    last_message_at: datetime | None = None
    """When the last message arrived; None when none has since the start."""
    in_hand: deque[datetime] = field(default_factory=deque)
    """When each message arrived that is not yet written and acknowledged, oldest first."""

    def oldest_unwritten_at(self) -> datetime | None:
        """Return when the oldest message arrived that is not yet written; None where all are."""
        return self.in_hand[0] if self.in_hand else None

    def freshness(self, *, sees_all: bool) -> dict[str, datetime]:
        """Return how fresh the index is, without what is not known.

        Who does not see all is not told when messages came: they may be of what is not seen.
        """
        times = {"connected_since": self.connected_since, "complete_since": self.complete_since}
        if sees_all:
            times |= {"last_message": self.last_message_at, "oldest_unwritten": self.oldest_unwritten_at()}
        return {name: time for name, time in times.items() if time is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseHolder:
    """The replica that may ingest, where it is another one."""

    name: str
    """"" where it is not known, or none may."""
    status: IngestionStatus
    """As it was last told."""


@dataclass(slots=True, kw_only=True)
class ServiceState(IngestionStatus):
    """The status of the service, and as an IngestionStatus that of its own ingestion."""

    url: str | None = None
    """Where HTTP is served, once it is."""
    store: Store | None = None
    """The index, once it is open."""
    reason: str | None = "the database is not open yet"
    """Why the service is not ready; None when it is."""
    holder: LeaseHolder | None = None
    """Which other replica ingests, or would; None where this one does."""

    def ingestion_status(self) -> IngestionStatus:
        """Return how who ingests fares, be it another replica."""
        return self if self.holder is None else self.holder.status

    def opened_store(self) -> Store:
        """Return the index.

        Raises:
            DatabaseUnavailableError: it is not open yet.
        """
        if self.store is None:
            raise DatabaseUnavailableError(self.reason)
        return self.store


def described(status: IngestionStatus, *, sees_all: bool) -> dict[str, object]:
    """Return how ingestion fares and how fresh the index is, in JSON's terms, without what is not known."""
    told = {
        "ingestion": status.ingestion,
        "ingestionReason": status.ingestion_reason if sees_all else None,
        **{_camel_case(name): _iso(time) for name, time in status.freshness(sees_all=sees_all).items()},
    }
    return {name: value for name, value in told.items() if value is not None}


def _camel_case(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(other.capitalize() for other in others)


def _iso(time: datetime) -> str:
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
