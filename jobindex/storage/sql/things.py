"""Queries about things.

For a restricted reader, a thing has only its executions of visible jobs and its pending lists of visible namespaces.
"""

from collections.abc import Sequence

from jobindex.model.jobs import from_milliseconds
from jobindex.model.views import Thing
from jobindex.storage.sql.connection import Connection
from jobindex.storage.sql.index import counts, not_found, time_of
from jobindex.storage.sql.scope import IN_VISIBLE, Visible, encoded, is_visible
from jobindex.storage.sql.tables import IS_PENDING

# Joins jobs to their rows in the list.
_LISTED = """CROSS JOIN jobs USING (job_id)
        CROSS JOIN job_summaries
            ON (job_summaries.created_at, job_summaries.job_id) = (listed_created_at, jobs.job_id)"""

# Each name is looked up from the one before it, not among all executions; no character of a name sorts after '~'.
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
        ) AS next
    )"""
_NAMES = f"""
WITH RECURSIVE names (name) AS (
    SELECT {_NEXT_THING.format(condition="thing_name >= :first AND thing_name <> :after")}
    UNION ALL
    SELECT {_NEXT_THING.format(condition="thing_name > names.name")}
    FROM names
    WHERE name IS NOT NULL
)
SELECT {{columns}}
FROM names
WHERE name IS NOT NULL
LIMIT :limit
"""
_THINGS = _NAMES.format(columns="name")

IS_HEARD_OF = """(
    EXISTS (SELECT 1 FROM executions WHERE executions.thing_name = {thing_name})
    OR EXISTS (SELECT 1 FROM pending_lists WHERE pending_lists.thing_name = {thing_name})
)"""

_IS_VISIBLE = f"""(
    EXISTS (
        SELECT 1
        FROM pending_lists
        WHERE pending_lists.thing_name = {{thing_name}}
        AND pending_lists.namespace_id {IN_VISIBLE}
    )
    OR EXISTS (
        SELECT 1
        FROM executions
        {_LISTED}
        WHERE executions.thing_name = {{thing_name}}
        AND job_summaries.namespace_id {IN_VISIBLE}
    )
)"""

# The same names, each with whether it is visible.
_LOOK = _NAMES.format(columns=f"name, {_IS_VISIBLE.format(thing_name='names.name')}")

# The visible names, found from the jobs.
_LOOK_AMONG_VISIBLE = f"""
SELECT thing_name
FROM job_summaries
CROSS JOIN executions USING (job_id)
WHERE job_summaries.namespace_id {IN_VISIBLE}
AND thing_name >= :first
AND thing_name <> :after
AND thing_name < :prefix || '~'
UNION
SELECT thing_name
FROM pending_lists
WHERE namespace_id {IN_VISIBLE}
AND thing_name >= :first
AND thing_name <> :after
AND thing_name < :prefix || '~'
ORDER BY thing_name
LIMIT :limit
"""

LOOKED_AT_MAXIMUM = 1000
"""Names to read, up to twice as many, before the visible ones are found from the jobs."""


def read_things(
    connection: Connection, *, prefix: str, after: str, limit: int, visible: Visible = None
) -> Sequence[str]:
    """Return names of things that begin with `prefix`."""
    parameters: dict[str, object] = {"prefix": prefix, "first": max(prefix, after), "after": after, "limit": limit}
    if visible is None:
        return [name for (name,) in connection.execute(_THINGS, parameters)]
    parameters["visible"] = encoded(visible)
    found: list[str] = []
    looked_at = 0
    while len(found) < limit and looked_at < LOOKED_AT_MAXIMUM:
        maximum = max(limit, looked_at)  # twice as many each time
        rows = connection.execute(_LOOK, parameters | {"limit": maximum}).fetchall()
        found += [name for name, is_known in rows if is_known]
        if len(rows) < maximum:
            return found[:limit]
        looked_at += maximum
        parameters["first"] = parameters["after"] = rows[-1][0]
    if len(found) < limit:
        found += [name for (name,) in connection.execute(_LOOK_AMONG_VISIBLE, parameters)]
    return found[:limit]


def read_thing(connection: Connection, *, thing_name: str, visible: Visible = None) -> Thing:
    """Return a thing; raises like `check_heard_of`."""
    check_heard_of(connection, thing_name, visible)
    joined, of_thing = "", "executions.thing_name = :thing_name"
    parameters = {"thing_name": thing_name}
    if visible is not None:
        joined, of_thing = _LISTED, f"{of_thing} AND job_summaries.namespace_id {IN_VISIBLE}"
        parameters["visible"] = encoded(visible)
    lists = connection.execute(
        "SELECT namespace_id, listed_at FROM pending_lists WHERE thing_name = :thing_name", {"thing_name": thing_name}
    ).fetchall()
    (waiting_since,) = connection.execute(
        f"""
        SELECT min(waiting_since)
        FROM executions INDEXED BY executions_pending {joined}
        WHERE {of_thing}
        AND {IS_PENDING}
        """,
        parameters,
    ).fetchone()
    pending_lists = {
        row["namespace_id"] or None: from_milliseconds(row["listed_at"] * 1000)
        for row in lists
        if row["listed_at"] is not None and is_visible(row["namespace_id"], visible)
    }
    (heard_at,) = connection.execute(
        f"SELECT max(executions.heard_at) FROM executions {joined} WHERE {of_thing}",
        parameters,
    ).fetchone()
    return Thing(
        thing_name=thing_name,
        executions=counts(connection, joined, of_thing, parameters),
        waiting_since=time_of(waiting_since),
        last_heard_at=max((time for time in (time_of(heard_at), *pending_lists.values()) if time), default=None),
        pending_lists=pending_lists,
    )


def check_heard_of(connection: Connection, thing_name: str, visible: Visible = None) -> None:
    """Raise ResourceNotFoundException if no message named a thing, or it is not visible."""
    parameters = {"thing_name": thing_name}
    condition = IS_HEARD_OF
    if visible is not None:
        condition, parameters["visible"] = _IS_VISIBLE, encoded(visible)
    statement = f"SELECT {condition.format(thing_name=':thing_name')}"
    (is_known,) = connection.execute(statement, parameters).fetchone()
    if not is_known:
        raise not_found("Thing", thing_name)
