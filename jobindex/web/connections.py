"""The open connections: how many there may be, who gives way to a new one, and what is overdue on them.

A connection waits until a whole request has come, and again once that is answered. Where there are too many, the one
that has waited longest gives way, of the address with the most that wait: a thousand slow ones from elsewhere close
each other, and not a client that is about to ask. None goes for an address that has more. Where none waits, the address
with the most connections gives way to one with fewer, so that no crowds share all connections among themselves.
Deadlines are kept in the connections and looked at once in a while. Not chosen: a timer for each request, which costs
more than reading a kept answer does.
"""

import asyncio
import resource
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

_DESCRIPTORS_OF_OTHERS = 100
"""Kept for the database, the broker, the log."""
_FEWEST = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a connection may take; the times are in seconds."""

    head_seconds: float = 10
    """For the request line and the headers, from the beginning or from the first byte after an answer."""
    head_bytes: int = 16 * 1024
    """AWS's own keys and signatures take up to ten thousand."""
    path_bytes: int = 4 * 1024
    query_bytes: int = 8 * 1024
    body_seconds: float = 10
    body_bytes: int = 64 * 1024
    """As it is sent, with the frames of its chunks. No operation reads a body."""
    ahead: int = 16
    """Requests sent before the one under way is answered."""
    send_seconds: float = 30
    """For a client to read some more of an answer."""
    handshake_seconds: float = 10
    linger_seconds: float = 2
    """For a client to read why it is refused, before the connection is gone."""
    connections: int = 2000
    look_seconds: float = 1
    """How often what is overdue is looked for."""


LIMITS = Limits()


class ClientConnection(Protocol):
    """An open connection, as it is seen from outside."""

    def end_overdue(self, now: float) -> None:
        """End it where it has taken too long; `now` is the event loop's time."""
        ...

    def evict(self) -> None:
        """Close it at once."""
        ...


class _Address:
    """The connections from one address, first come first, and those of them that wait, longest first."""

    __slots__ = ("name", "open", "waiting")

    def __init__(self, name: str) -> None:
        self.name = name
        self.open: dict[ClientConnection, None] = {}
        self.waiting: dict[ClientConnection, None] = {}


class ConnectionSlot:
    """The place of a connection among the others; it waits until `work`, and again from `wait` on."""

    __slots__ = ("_address", "_connection")

    def __init__(self, connection: ClientConnection, address: _Address) -> None:
        self._connection = connection
        self._address = address

    def work(self) -> None:
        """Note that a whole request has come."""
        self._address.waiting.pop(self._connection, None)

    def wait(self) -> None:
        """Note that all requests are answered."""
        if self._connection in self._address.open:
            self._address.waiting[self._connection] = None


class Connections:
    """All open connections of a server."""

    def __init__(self, limits: Limits = LIMITS) -> None:
        self.limits = limits
        self._addresses: dict[str, _Address] = {}
        self._count = 0
        self._look: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return self._count

    def make_room_for(self, address: str) -> bool:
        """Tell whether a new connection can be served, once another one has given way where that must be."""
        # Those that were refused a moment ago are counted too, and may have to go besides one that is served.
        while self._count >= self.limits.connections:
            if not self._end_one_for(address):
                return False
        return True

    def enter(self, connection: ClientConnection, address: str) -> ConnectionSlot:
        """Count a connection, which waits."""
        some = self._addresses.setdefault(address, _Address(address))
        some.open[connection] = some.waiting[connection] = None
        self._count += 1
        if self._look is None:
            self._look_later()
        return ConnectionSlot(connection, some)

    def leave(self, connection: ClientConnection, address: str) -> None:
        """Count a connection no longer; it may have left already."""
        some = self._addresses.get(address)
        if some is None or connection not in some.open:
            return
        self._count -= 1
        del some.open[connection]
        some.waiting.pop(connection, None)
        if not some.open:
            del self._addresses[address]

    def _end_one_for(self, address: str) -> bool:
        own = self._addresses.get(address)
        held = len(own.open) if own else 0
        # Who has fewer waits in peace: it may have been let in just now, at the cost of this address.
        crowd = max(
            (some for some in self._addresses.values() if len(some.open) >= held), key=lambda some: len(some.waiting)
        )
        if crowd.waiting:
            self._end_first(crowd, crowd.waiting)
            return True
        # All are at work. Who holds the most gives way until a new address holds as many, and not back and forth.
        crowd = max(self._addresses.values(), key=lambda some: len(some.open))
        if len(crowd.open) <= held + 1:
            return False
        self._end_first(crowd, crowd.open)
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
    """Return how many connections the process may hold, up to `wanted`, once its soft limit is raised for them.

    As many again may have been accepted in a moment before others give way to them.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = 2 * wanted + _DESCRIPTORS_OF_OTHERS
    if soft != resource.RLIM_INFINITY and soft < needed:
        raised = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        # macOS allows fewer than the hard limit says.
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return wanted
    return min(wanted, max((soft - _DESCRIPTORS_OF_OTHERS) // 2, _FEWEST))
