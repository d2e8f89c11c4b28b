"""The open connections: their limit, their deadlines, and the one that is evicted for a new one.

A connection is idle until a complete request has arrived, and again after the response. At the limit, the longest idle
connection of the address with the most idle ones is evicted: a thousand slow connections evict each other, not a client
that is about to send a request. An address never evicts a connection of an address with fewer. If none is idle, the
busiest address loses a connection to one with fewer, so that a few addresses cannot share all connections. Deadlines
are checked once a second. Not chosen: a timer for each request, which costs more than reading a cached answer.
"""

import asyncio
import resource
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

_DESCRIPTORS_OF_OTHERS = 100
"""Reserved for the database, the broker and the log."""
_FEWEST = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits of connections; times are in seconds."""

    head_seconds: float = 10
    """For the request line and the headers, from the start or from the first byte after a response."""
    head_bytes: int = 16 * 1024
    """AWS's own keys and signatures have up to ten thousand."""
    path_bytes: int = 4 * 1024
    query_bytes: int = 8 * 1024
    body_seconds: float = 10
    body_bytes: int = 64 * 1024
    """As sent, with the framing of chunks."""
    ahead: int = 16
    """Pipelined requests behind the one in flight."""
    send_seconds: float = 30
    """For a client to read some more of a response."""
    unsent_bytes: int = 64 * 1024 * 1024
    """Of all responses that clients have not read: a page of executions has 4 MiB, and a client may read nothing."""
    handshake_seconds: float = 10
    linger_seconds: float = 2
    """For a client to read the reason of a refusal before the connection closes."""
    connections: int = 2000
    look_seconds: float = 1
    """The interval between checks of the deadlines."""


LIMITS = Limits()


class ClientConnection(Protocol):
    """An open connection, for `Connections`."""

    def end_overdue(self, now: float) -> None:
        """Close it if it is past a deadline; `now` is the event loop's time."""
        ...

    def evict(self) -> None:
        """Close it at once."""
        ...

    def unsent_bytes(self) -> int:
        """Return the bytes of responses that the client has not read."""
        ...


class _Address:
    """One address: its connections, oldest first, and the idle ones, longest idle first."""

    __slots__ = ("name", "open", "waiting")

    def __init__(self, name: str) -> None:
        self.name = name
        self.open: dict[ClientConnection, None] = {}
        self.waiting: dict[ClientConnection, None] = {}


class ConnectionSlot:
    """The entry of a connection; it is idle until `work`, and again after `wait`."""

    __slots__ = ("_address", "_connection")

    def __init__(self, connection: ClientConnection, address: _Address) -> None:
        self._connection = connection
        self._address = address

    def work(self) -> None:
        """Note that a complete request has arrived."""
        self._address.waiting.pop(self._connection, None)

    def wait(self) -> None:
        """Note that all requests have been answered."""
        if self._connection in self._address.open:
            self._address.waiting[self._connection] = None


class Connections:
    """All open connections of a server."""

    def __init__(self, limits: Limits = LIMITS) -> None:
        self.limits = limits
        self._addresses: dict[str, _Address] = {}
        self._count = 0
        self._unsent: dict[ClientConnection, int] = {}
        """The unsent bytes of each connection, as last reported."""
        self._unsent_bytes = 0
        self._look: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return self._count

    def make_room_for(self, address: str) -> bool:
        """Return whether there is room for a new connection, evicting another one if needed."""
        # Connections that were just refused still count, so it may take several evictions.
        while self._count >= self.limits.connections:
            if not self._end_one_for(address):
                return False
        return True

    def enter(self, connection: ClientConnection, address: str) -> ConnectionSlot:
        """Add an idle connection."""
        some = self._addresses.setdefault(address, _Address(address))
        some.open[connection] = some.waiting[connection] = None
        self._count += 1
        if self._look is None:
            self._look_later()
        return ConnectionSlot(connection, some)

    def note_unsent(self, connection: ClientConnection) -> None:
        """Note a connection's unsent bytes; if the total is over its limit, evict those with the most."""
        self._set_unsent(connection)
        if self._unsent_bytes <= self.limits.unsent_bytes:
            return
        for noted in [*self._unsent]:
            self._set_unsent(noted)
        while self._unsent_bytes > self.limits.unsent_bytes:
            largest = max(self._unsent, key=self._unsent.__getitem__)
            largest.evict()
            self._set_unsent(largest)

    def _set_unsent(self, connection: ClientConnection) -> None:
        unsent = connection.unsent_bytes()
        self._unsent_bytes += unsent - self._unsent.pop(connection, 0)
        if unsent:
            self._unsent[connection] = unsent

    def leave(self, connection: ClientConnection, address: str) -> None:
        """Remove a connection, if it is still there."""
        some = self._addresses.get(address)
        if some is None or connection not in some.open:
            return
        self._count -= 1
        self._unsent_bytes -= self._unsent.pop(connection, 0)
        del some.open[connection]
        some.waiting.pop(connection, None)
        if not some.open:
            del self._addresses[address]

    def _end_one_for(self, address: str) -> bool:
        own = self._addresses.get(address)
        held = len(own.open) if own else 0
        # An address with fewer is safe: it may have got a connection at the cost of this address just now.
        busiest = max(
            (some for some in self._addresses.values() if len(some.open) >= held), key=lambda some: len(some.waiting)
        )
        if busiest.waiting:
            self._end_first(busiest, busiest.waiting)
            return True
        # None is idle. The busiest address loses connections until both have equally many, and never back and forth.
        busiest = max(self._addresses.values(), key=lambda some: len(some.open))
        if len(busiest.open) <= held + 1:
            return False
        self._end_first(busiest, busiest.open)
        return True

    def _end_first(self, address: _Address, connections: dict[ClientConnection, None]) -> None:
        first = next(iter(connections))
        self.leave(first, address.name)
        first.evict()

    def _look_later(self) -> None:
        self._look = asyncio.get_running_loop().call_later(self.limits.look_seconds, self._end_overdue)

    def _end_overdue(self) -> None:
        now = asyncio.get_running_loop().time()
        for connection in [connection for some in self._addresses.values() for connection in some.open]:
            connection.end_overdue(now)
        self._look = None
        if self._count:
            self._look_later()


def allowed_connections(wanted: int) -> int:
    """Raise the process's soft limit for `wanted` connections; return how many of them it may hold.

    Each needs two descriptors, because as many may be accepted before the others are evicted.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = 2 * wanted + _DESCRIPTORS_OF_OTHERS
    if soft != resource.RLIM_INFINITY and soft < needed:
        raised = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        # macOS allows fewer than its hard limit.
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return wanted
    return min(wanted, max((soft - _DESCRIPTORS_OF_OTHERS) // 2, _FEWEST))
