"""The lease: one row decides which replica ingests, by the database's clock only.

A holder is fenced by its name and a generation, which counts holders: each write checks the row, which then cannot
change hands before the transaction ends. After a failover that lost a holder, the next one may get the same generation,
but not the same name. Not chosen: advisory locks, which a pool or a failover loses and a proxy may lack; asking
the holder whether it is alive.

`now()` is the start of the transaction, so waiting does not lengthen a lease.

A write locks the row against a new holder, not against a renewal (FOR KEY SHARE; with only FOR SHARE, a renewal waits
for the batch). Taking the lease never waits (SKIP LOCKED): an open transaction would block all replicas.
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
    told = %(status)s
WHERE the_one = 1
RETURNING generation
"""

_KEEP = """
UPDATE lease
SET expires_at = now() + %(seconds)s * INTERVAL '1 second',
    told = %(status)s
WHERE the_one = 1
AND generation = %(generation)s
AND holder = %(holder)s
"""

# The published status stays until the next holder publishes its own.
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
    """Return a name that is unique even if the process id is not."""
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"


def take(connection: Connection[Any], *, holder: str, seconds: float, status: str) -> int | None:
    """Take an expired lease and return its generation; None if another has it, or the row is locked."""
    if not read_lease(connection).is_over:
        return None
    with connection.transaction(), _cursor(connection) as cursor:
        if cursor.execute(_LOCK_WHERE_OVER).fetchone() is None:
            return None
        row = cursor.execute(_TAKE, {"holder": holder, "seconds": float(seconds), "status": status}).fetchone()
        return None if row is None else int(row[0])


def keep(connection: Connection[Any], *, holder: str, generation: int | None, seconds: float, status: str) -> bool:
    """Renew the lease, even if it is over; False if another has taken it."""
    named = {"holder": holder, "generation": generation, "seconds": float(seconds), "status": status}
    return connection.execute(_KEEP, named).rowcount == 1


def release(connection: Connection[Any], *, holder: str, generation: int | None) -> None:
    """Release the lease, unless another has taken it."""
    connection.execute(_RELEASE, {"holder": holder, "generation": generation})


def check_held(connection: Connection[Any], *, holder: str, generation: int | None) -> None:
    """Keep others from taking the lease before this transaction ends.

    Raises:
        LeaseLostError: this process does not have it.
    """
    if connection.execute(_LOCK_WHERE_HELD, {"holder": holder, "generation": generation}).fetchone() is None:
        raise LeaseLostError("another replica ingests now")


def read_lease(connection: Connection[Any], *, holder: str = "", generation: int | None = None) -> Lease:
    """Return the lease; `is_mine` if `holder` took it with `generation`."""
    with _cursor(connection) as cursor:
        row = cursor.execute(_READ).fetchone()
    if row is None:
        raise DatabaseUnavailableError("The index cannot be read: its lease row is missing")
    held, held_by, seconds_left, status = row
    return Lease(
        holder=held_by, is_mine=(held, held_by) == (generation, holder), seconds_left=seconds_left, status=status
    )


def _cursor(connection: Connection[Any]) -> Cursor[TupleRow]:
    return connection.cursor(row_factory=tuple_row)
