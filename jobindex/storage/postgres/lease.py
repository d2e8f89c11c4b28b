"""Who ingests: a lease in one row, by the clock of the database alone.

A holder is fenced off by its name and a generation, which counts holders: a write looks at the row in its own
transaction, and the row cannot change hands before that transaction has ended. The name is looked at too: a database
that fails over may forget a holder, and count the next one by the same number. Not chosen: advisory locks, which a pool
of connections and a failover lose, and a proxy does not know; a holder that is asked whether it lives.

`now()` is the time of a transaction's start, so that who waited for something has the lease no longer than asked for.

Who looks locks the row against whoever takes it, not against the holder who keeps it: a batch that takes its time does
not cost the lease (FOR KEY SHARE; where a database knows only FOR SHARE, keeping waits for the batch). Who takes it
waits for nobody (SKIP LOCKED): a transaction that was left open would hold up each in turn.
"""

import os
import secrets
import socket
from typing import Any

from psycopg import Connection, Cursor
from psycopg.rows import TupleRow, tuple_row

from jobindex.errors import DatabaseUnavailableError, LeaseLostError
from jobindex.model.store import Lease

_READ = """
SELECT
    generation,
    holder,
    CAST(EXTRACT(EPOCH FROM expires_at - now()) AS DOUBLE PRECISION) AS seconds_left,
    told
FROM lease
WHERE the_one = 1
"""

_LOCK_WHERE_OVER = """
SELECT generation
FROM lease
WHERE the_one = 1
AND expires_at <= now()
FOR UPDATE SKIP LOCKED
"""

_TAKE = """
UPDATE lease
SET generation = generation + 1,
    holder = %(holder)s,
    expires_at = now() + %(seconds)s * INTERVAL '1 second',
    told = %(told)s
WHERE the_one = 1
RETURNING generation
"""

_KEEP = """
UPDATE lease
SET expires_at = now() + %(seconds)s * INTERVAL '1 second',
    told = %(told)s
WHERE the_one = 1
AND generation = %(generation)s
AND holder = %(holder)s
"""

# What it has told stays for who answers before the next holder does.
_RELEASE = """
UPDATE lease
SET holder = '',
    expires_at = now()
WHERE the_one = 1
AND generation = %(generation)s
AND holder = %(holder)s
"""

_LOCK_WHERE_HELD = """
SELECT generation
FROM lease
WHERE the_one = 1
AND generation = %(generation)s
AND holder = %(holder)s
FOR KEY SHARE
"""


def process_name() -> str:
    """Return a name that no other process has, be it an earlier one of the same id on this machine."""
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"


def take(connection: Connection[Any], *, holder: str, seconds: float, told: str) -> int | None:
    """Take the lease if it is over, and return its generation; None if another has it, or it is being written."""
    if not read_lease(connection).is_over:
        return None
    with connection.transaction(), _cursor(connection) as cursor:
        if cursor.execute(_LOCK_WHERE_OVER).fetchone() is None:
            return None
        row = cursor.execute(_TAKE, {"holder": holder, "seconds": float(seconds), "told": told}).fetchone()
        return None if row is None else int(row[0])


def keep(connection: Connection[Any], *, holder: str, generation: int | None, seconds: float, told: str) -> bool:
    """Keep the lease for so many seconds from now, even if it is over; False if another has taken it since."""
    named = {"holder": holder, "generation": generation, "seconds": float(seconds), "told": told}
    return connection.execute(_KEEP, named).rowcount == 1


def release(connection: Connection[Any], *, holder: str, generation: int | None) -> None:
    """Give the lease back, unless another has taken it since."""
    connection.execute(_RELEASE, {"holder": holder, "generation": generation})


def check_held(connection: Connection[Any], *, holder: str, generation: int | None) -> None:
    """Return, in a transaction, when nobody else can take the lease before its end.

    Raises:
        LeaseLostError: another has taken it, it was given back, or it was never taken.
    """
    if connection.execute(_LOCK_WHERE_HELD, {"holder": holder, "generation": generation}).fetchone() is None:
        raise LeaseLostError("another replica ingests now")


def read_lease(connection: Connection[Any], *, holder: str = "", generation: int | None = None) -> Lease:
    """Return who has the lease; it is mine if `holder` took it with `generation`."""
    with _cursor(connection) as cursor:
        row = cursor.execute(_READ).fetchone()
    if row is None:
        raise DatabaseUnavailableError("The index cannot be read: its lease is gone")
    held, held_by, seconds_left, told = row
    return Lease(holder=held_by, is_mine=(held, held_by) == (generation, holder), seconds_left=seconds_left, told=told)


def _cursor(connection: Connection[Any]) -> Cursor[TupleRow]:
    """Return a cursor whose rows are tuples, whatever those of the connection are."""
    return connection.cursor(row_factory=tuple_row)
