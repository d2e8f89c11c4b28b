"""What the index tells of things, read on a connection in a transaction of its own."""

import sqlite3
from collections.abc import Sequence

from jobindex.index import Thing
from jobindex.jobs import from_milliseconds
from jobindex.sqlite.index import counts, not_found, time_of
from jobindex.sqlite.rows import NEVER

# The next name is looked up from the one before it, not found among all executions. No sign of a name is behind '~'.
_NEXT_THING = """(
        SELECT min(thing_name)
        FROM (
            SELECT min(thing_name) AS thing_name
            FROM executions
            WHERE {condition}
            AND thing_name < :prefix || '~'
            UNION ALL
            SELECT min(thing_name)
            FROM pending_lists
            WHERE {condition}
            AND thing_name < :prefix || '~'
        )
    )"""
_THINGS = f"""
WITH RECURSIVE names (name) AS (
    SELECT {_NEXT_THING.format(condition="thing_name >= max(:prefix, :after) AND thing_name <> :after")}
    UNION ALL
    SELECT {_NEXT_THING.format(condition="thing_name > names.name")}
    FROM names
    WHERE name IS NOT NULL
)
SELECT name
FROM names
WHERE name IS NOT NULL
LIMIT :limit
"""


def read_things(connection: sqlite3.Connection, *, prefix: str, after: str, limit: int) -> Sequence[str]:
    """Return names of things that begin with `prefix`."""
    rows = connection.execute(_THINGS, {"prefix": prefix, "after": after, "limit": limit})
    return [name for (name,) in rows]


def read_thing(connection: sqlite3.Connection, *, thing_name: str) -> Thing:
    """Return a thing; ResourceNotFoundException where nothing was ever told of it."""
    check_heard_of(connection, thing_name)
    lists = connection.execute(
        "SELECT namespace_id, listed_at FROM pending_lists WHERE thing_name = ?", (thing_name,)
    ).fetchall()
    (waiting_since,) = connection.execute(
        """
        SELECT min(waiting_since)
        FROM executions INDEXED BY executions_pending
        WHERE thing_name = ?
        AND has_ended = 0
        """,
        (thing_name,),
    ).fetchone()
    return Thing(
        thing_name=thing_name,
        executions=counts(connection, "executions.thing_name = :key", thing_name),
        waiting_since=time_of(waiting_since),
        last_heard_at=time_of(_last_heard_at(connection, thing_name)),
        pending_lists={row["namespace_id"] or None: from_milliseconds(row["listed_at"]) for row in lists},
    )


def check_heard_of(connection: sqlite3.Connection, thing_name: str) -> None:
    """Raise ResourceNotFoundException where nothing was ever told of a thing."""
    (is_known,) = connection.execute(
        """
        SELECT EXISTS (SELECT 1 FROM executions WHERE thing_name = :thing_name)
        OR EXISTS (SELECT 1 FROM pending_lists WHERE thing_name = :thing_name)
        """,
        {"thing_name": thing_name},
    ).fetchone()
    if not is_known:
        raise not_found("Thing", thing_name)


def _last_heard_at(connection: sqlite3.Connection, thing_name: str) -> int:
    """Return the greatest time told of a thing."""
    times = connection.execute(
        """
        SELECT max(max(status_at, pending_at, queued_at, started_at)) FROM executions WHERE thing_name = :thing_name
        UNION ALL
        SELECT max(listed_at) FROM pending_lists WHERE thing_name = :thing_name
        """,
        {"thing_name": thing_name},
    ).fetchall()
    return max((time for (time,) in times if time is not None), default=NEVER)
