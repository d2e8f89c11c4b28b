"""The filters of ListJobs as columns: the keys of thing groups, and the kinds of job."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from jobindex.errors import ResourceNotFoundException
from jobindex.model.listing import Filters
from jobindex.storage.sql.connection import Connection
from jobindex.storage.sql.kinds import SELECTION_KINDS, STATUS_KINDS
from jobindex.storage.sql.scope import Visible, encoded

# The name of a group, and the ids tied to it.
_KEYS_OF_GROUP_NAME = """
SELECT CASE WHEN thing_group_id = '' THEN 'name:' || thing_group_name ELSE 'id:' || thing_group_id END
FROM thing_groups
WHERE thing_group_name = :value
UNION SELECT 'name:' || thing_group_name FROM thing_groups WHERE thing_group_name = :value
"""

# The id of a group, and the names tied to it.
_KEYS_OF_GROUP_ID = """
SELECT CASE WHEN thing_group_name = '' THEN 'id:' || thing_group_id ELSE 'name:' || thing_group_name END
FROM thing_groups
WHERE thing_group_id = :value
UNION SELECT 'id:' || thing_group_id FROM thing_groups WHERE thing_group_id = :value
"""

# Whether a visible job has one of the keys.
_IS_VISIBLE_IN_GROUP = """
SELECT EXISTS (
    SELECT 1
    FROM json_each(:keys) AS key
    CROSS JOIN json_each(:visible) AS visible
    CROSS JOIN job_thing_groups AS member ON (member.thing_group, member.namespace_id) = (key.value, visible.value)
)
"""


@dataclass(frozen=True, slots=True)
class GroupKey:
    """A key of jobs that were reported with the requested thing groups."""

    thing_group: str
    other: str | None = None
    """A second key that the same jobs must have."""


def kinds_of(filters: Filters) -> list[int]:
    """Return the kinds of job that pass the filters."""
    return [
        status_kind + selection_kind
        for status, status_kind in STATUS_KINDS.items()
        for selection, selection_kind in SELECTION_KINDS.items()
        if filters.status in {None, status} and filters.target_selection in {None, selection}
    ]


def read_keys(connection: Connection, filters: Filters, visible: Visible) -> Sequence[GroupKey] | None:
    """Return the keys of the jobs that pass both group filters; None without such filters.

    Raises:
        ResourceNotFoundException: no message named one of the groups, or no visible job is in it.
    """
    accepted = []
    for statement, value in (
        (_KEYS_OF_GROUP_NAME, filters.thing_group_name),
        (_KEYS_OF_GROUP_ID, filters.thing_group_id),
    ):
        if value is not None:
            keys = [key for (key,) in connection.execute(statement, {"value": value})]
            if not keys or (visible is not None and not _is_visible_in_group(connection, keys, visible)):
                raise ResourceNotFoundException(
                    f"Thing group {value} cannot be found: it is not known here yet, as no message has named it."
                )
            accepted.append(keys)
    match accepted:
        case []:
            return None
        case [keys]:
            return [GroupKey(key) for key in keys]
        case _:
            return list(dict.fromkeys(key for one, other in product(*accepted) for key in _together(one, other)))


def _is_visible_in_group(connection: Connection, keys: Sequence[str], visible: frozenset[str]) -> bool:
    parameters = {"keys": json.dumps(keys), "visible": encoded(visible)}
    return bool(connection.execute(_IS_VISIBLE_IN_GROUP, parameters).fetchone()[0])


def _together(one: str, other: str) -> Iterator[GroupKey]:
    """Yield the keys of jobs with both groups: a job has many names and one id."""
    if one == other:
        yield GroupKey(one)
    elif one.startswith("name:") and other.startswith("name:"):
        names = sorted(key.removeprefix("name:") for key in (one, other))
        yield GroupKey(f"names:{names[0]}/{names[1]}")
        yield GroupKey(f"many:{names[0]}", f"name:{names[1]}")
    elif one.startswith("name:") or other.startswith("name:"):
        name, id_ = (one, other) if one.startswith("name:") else (other, one)
        yield GroupKey(f"both:{name.removeprefix('name:')}/{id_.removeprefix('id:')}")
