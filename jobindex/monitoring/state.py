"""The status of the service: written by its tasks, read by /readyz, /metrics and every ListJobs response.

If replicas share an index, one ingests. All of them report the freshness that this one last recorded, so a client need
not know which replica answers it.
"""

import asyncio
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from jobindex.errors import DatabaseUnavailableError
from jobindex.model.store import Store

SLOW_SECONDS = 5.0
"""A slower write counts as a failed one: in PostgreSQL it can wait for a lock for ever."""


class Ingestion(StrEnum):
    """The status of the connection to the broker."""

    CONNECTING = "connecting"
    CONNECTED = "connected"
    """Every subscription is granted, or messages arrive before the broker's response."""
    REFUSED = "refused"
    """The broker refused the connection or a subscription."""
    STOPPED = "stopped"
    STANDBY = "standby"
    """Another replica ingests, and this one would take over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncStatus:
    """The status of the sync with AWS."""

    mode: str
    """`fill` or `check`."""
    kind: str | None = None
    """The kind of the run that is advanced; None if no run is open."""
    phase: str | None = None
    done: int = 0
    total: int | None = None
    """As in SyncRun, for the phase."""
    rows: int = 0
    calls: int = 0
    throttled: int = 0
    seconds_left: int | None = None
    """An estimate for the run; None if unknown."""
    is_first: bool = False
    """Whether the index has never been filled, so that answers may lack jobs until the first fill has ended."""
    reason: str | None = None
    """Why no call succeeds now; None if calls succeed."""
    problems: tuple[str, ...] = ()
    """What the last runs could not get, and what is wrong in AWS, such as events that are off."""

    def members(self, *, sees_all: bool) -> dict[str, object]:
        """Return the status as JSON members, without unknown ones; a restricted reader gets no reasons."""
        members: dict[str, object | None] = {"mode": self.mode, "isFirst": self.is_first or None}
        if self.kind is not None:
            members |= {"kind": self.kind, "phase": self.phase, "done": self.done, "total": self.total}
            members |= {"rows": self.rows, "calls": self.calls, "throttled": self.throttled}
            members["secondsLeft"] = self.seconds_left
        if sees_all:
            members |= {"reason": self.reason, "problems": [*self.problems] or None}
        return {name: value for name, value in members.items() if value is not None}

    @classmethod
    def parse(cls, members: Mapping[str, Any]) -> "SyncStatus":
        """Reverse `members`."""
        names = ("kind", "phase", "done", "total", "rows", "calls", "throttled", "reason")
        return cls(
            mode=members["mode"],
            seconds_left=members.get("secondsLeft"),
            is_first=members.get("isFirst", False),
            problems=tuple(members.get("problems", ())),
            **{name: members[name] for name in names if name in members},
        )


@dataclass(slots=True, kw_only=True)
class IngestionStatus:
    """The ingestion status of a replica, and the freshness of the index that follows from it."""

    ingestion: Ingestion = Ingestion.CONNECTING
    ingestion_reason: str | None = None
    """The last error of the broker or the network; None when connected."""
    connected_since: datetime | None = None
    """The time since which every subscription has been granted; None while one is not."""
    complete_since: datetime | None = None
    """The time since which the index is complete: since then the broker has kept the session without a gap."""
    last_message_at: datetime | None = None
    """The arrival of the last message; None if none has arrived since the start."""
    in_flight: deque[datetime] = field(default_factory=deque)
    """The arrivals of the messages in flight, not yet written and acknowledged, oldest first."""
    settling: frozenset[str] = frozenset()
    """The kinds of deferred work that is left: until it is done, some rows show their former state."""
    set_aside: tuple[str, ...] = ()
    """Deferred work that the database refuses, each piece with its reason."""
    unwritable: str | None = None
    """The reason if the index cannot be written; None if the last write succeeded within SLOW_SECONDS."""
    was_empty: bool = False
    """Whether the index was empty when the last connection began."""
    session_lost_at: datetime | None = None
    """When the last loss of the session was noticed; None if there was none since the start."""
    filled_at: datetime | None = None
    """The time as of which the index was last filled from AWS; None if it never was."""
    reconciled_at: datetime | None = None
    """The time as of which the index was last compared with AWS; None if it never was."""
    sync: SyncStatus | None = None
    """The status of the sync with AWS; None if it is off."""

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Set `unwritable` while the write inside the context is slow, and if it fails."""
        reason = f"The index cannot be written: the database has taken more than {SLOW_SECONDS:g} s"
        waiting = asyncio.get_running_loop().call_later(SLOW_SECONDS, setattr, self, "unwritable", reason)
        try:
            yield
        except DatabaseUnavailableError as error:
            self.unwritable = str(error)
            raise
        finally:
            waiting.cancel()
        self.unwritable = None

    def has_never_received(self) -> bool:
        """Return whether every subscription is granted, but no message has ever arrived."""
        return self.ingestion is Ingestion.CONNECTED and self.last_message_at is None and self.was_empty

    def oldest_unwritten_at(self) -> datetime | None:
        """Return the arrival of the oldest message that is not yet written."""
        return self.in_flight[0] if self.in_flight else None

    def freshness(self, *, sees_all: bool) -> dict[str, datetime]:
        """Return the known times of the freshness.

        A restricted reader does not get the times of messages, which may belong to other namespaces.
        """
        times = {
            "connected_since": self.connected_since,
            "complete_since": self.complete_since,
            "filled": self.filled_at,
            "reconciled": self.reconciled_at,
        }
        if sees_all:
            times |= {"last_message": self.last_message_at, "oldest_unwritten": self.oldest_unwritten_at()}
        return {name: time for name, time in times.items() if time is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseHolder:
    """Another replica that may ingest."""

    name: str
    """Empty if it is unknown, or if no replica may ingest."""
    status: IngestionStatus
    """The last recorded status."""


@dataclass(slots=True, kw_only=True)
class ServiceState(IngestionStatus):
    """The status of the service; the members of IngestionStatus are those of its own ingestion."""

    url: str | None = None
    store: Store | None = None
    reason: str | None = "the database is not open yet"
    """The reason if the service is not ready; None if it is."""
    is_online: bool = False
    """Whether a connection to a broker is open; its subscriptions may not be granted yet."""
    holder: LeaseHolder | None = None
    """The other replica that ingests, or would; None if it is this one."""
    newest_arrival_at: datetime | None = None
    """The newest arrival in the index, as far as this process knows; None if there is none."""
    newest_stamp_at: datetime | None = None
    """The greatest time in the parsed messages since the start; None if none had a time."""

    def note_message(self, now: datetime) -> None:
        """Note an arrival: the connection works, though SUBACK may be behind the broker's queue."""
        self.last_message_at = now
        if self.ingestion is Ingestion.CONNECTING:
            self.ingestion, self.ingestion_reason = Ingestion.CONNECTED, None

    def ingestion_status(self) -> IngestionStatus:
        """Return the status of the replica that ingests."""
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
    """Return the ingestion status and the freshness as JSON members, without unknown ones."""
    members = {
        "ingestion": status.ingestion,
        "ingestionReason": status.ingestion_reason if sees_all else None,
        **{_camel_case(name): _iso(time) for name, time in status.freshness(sees_all=sees_all).items()},
        "sessionLost": None if status.session_lost_at is None else _iso(status.session_lost_at),
        "settling": sorted(status.settling) or None,
        "setAside": [*status.set_aside] or None if sees_all else None,
        "unwritable": status.unwritable if sees_all else None,
        "sync": None if status.sync is None else status.sync.members(sees_all=sees_all),
        "nothingEverArrived": status.has_never_received() or None if sees_all else None,
    }
    return {name: value for name, value in members.items() if value is not None}


def _camel_case(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(other.capitalize() for other in others)


def _iso(time: datetime) -> str:
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
