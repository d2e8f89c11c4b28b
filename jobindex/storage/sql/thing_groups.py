"""Thing groups that messages named, and the ids that messages tied to names."""

from collections.abc import Collection

import orjson

from jobindex.model.reports import ThingGroupReport
from jobindex.storage.sql.connection import Connection

_NAMESPACES_MAXIMUM = 1000
"""Namespaces that are read for the groups tied by one batch, because their jobs have changed."""

# The names and ids that are newly tied.
_NEWLY_TIED = """
SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]')
FROM json_each(:groups)
WHERE json_extract(value, '$[0]') > ''
AND json_extract(value, '$[1]') > ''
AND NOT EXISTS (
    SELECT 1
    FROM thing_groups
    WHERE thing_group_name = json_extract(value, '$[0]')
    AND thing_group_id = json_extract(value, '$[1]')
)
"""

_MERGE = """
INSERT OR IGNORE INTO thing_groups (thing_group_name, thing_group_id)
SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]')
FROM json_each(:groups)
"""

# The namespaces of the groups' jobs, each looked up from the one before it.
_NAMESPACES_OF_GROUPS = """
WITH RECURSIVE places (thing_group, namespace_id) AS (
    SELECT value, (SELECT min(namespace_id) FROM job_thing_groups WHERE job_thing_groups.thing_group = value)
    FROM json_each(:thing_groups)
    UNION ALL
    SELECT thing_group, (
        SELECT min(namespace_id)
        FROM job_thing_groups
        WHERE job_thing_groups.thing_group = places.thing_group
        AND job_thing_groups.namespace_id > places.namespace_id
    )
    FROM places
    WHERE namespace_id IS NOT NULL
)
SELECT namespace_id
FROM places
WHERE namespace_id IS NOT NULL
LIMIT :maximum
"""


def merge(connection: Connection, groups: Collection[ThingGroupReport]) -> Collection[tuple[str, str]]:
    """Merge reports; return the newly tied names and ids."""
    if not groups:
        return ()
    rows = {"groups": _json([(group.thing_group_name or "", group.thing_group_id or "") for group in groups])}
    tied = [(name, id_) for name, id_ in connection.execute(_NEWLY_TIED, rows)]
    connection.execute(_MERGE, rows)
    return tied


def namespaces_of(connection: Connection, tied: Collection[tuple[str, str]]) -> frozenset[str] | None:
    """Return the namespaces of the groups' jobs; None if there are too many."""
    if not tied:
        return frozenset()
    keys = [key for name, id_ in tied for key in (f"name:{name}", f"id:{id_}")]
    asked = {"thing_groups": _json(keys), "maximum": _NAMESPACES_MAXIMUM + 1}
    found = [namespace_id for (namespace_id,) in connection.execute(_NAMESPACES_OF_GROUPS, asked)]
    return None if len(found) > _NAMESPACES_MAXIMUM else frozenset(found) - {""}


def _json(values: Collection[object]) -> str:
    return orjson.dumps([*values]).decode()
