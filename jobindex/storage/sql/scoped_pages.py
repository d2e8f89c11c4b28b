"""The pages of ListJobs in SQL for who sees the jobs of some namespaces alone.

A page is merged from streams as in `pages.py`, one for each place: a namespace, a kind of job and a way in which jobs
were told with the thing group asked for. There may be thousands, so they are not members of a statement: to merge so
many takes SQLite longer than to read the page. Instead the next job of each place waits in a queue, that SQLite keeps
in order (as it does for a recursive table with an order), and each job that is taken from it leads to the one behind
it in its place. So a page costs as much as its jobs and the places, of which only those count where there is a job at
all, whatever there is in other namespaces.

(Behind a `+` a column of the queue is looked up together with the other one; without it, all jobs of the same time
would be read.)
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from jobindex.model.jobs import to_milliseconds
from jobindex.model.listing import Filters, ListJobsQuery
from jobindex.storage.sql.connection import Connection
from jobindex.storage.sql.group_keys import GroupKey, kinds_of
from jobindex.storage.sql.scope import IN_VISIBLE, encoded

# Where there are jobs that are visible.
_PLACES = f"""
SELECT namespace_id, kind, NULL
FROM namespace_jobs
WHERE namespace_id {IN_VISIBLE}
"""

# The same of those that were told with a thing group.
_PLACES_IN_GROUP = """
SELECT place.namespace_id, place.kind, key.value
FROM json_each(:keys) AS key
CROSS JOIN json_each(:visible) AS visible
CROSS JOIN namespace_jobs AS place ON place.namespace_id = visible.value
WHERE EXISTS (
    SELECT 1
    FROM job_thing_groups AS member
    WHERE member.thing_group = key.value
    AND member.namespace_id = place.namespace_id
    AND member.kind = place.kind
)
"""

_PAGE = """
WITH RECURSIVE
    places AS (
        SELECT
            json_extract(value, '$[0]') AS namespace_id,
            json_extract(value, '$[1]') AS kind,
            json_extract(value, '$[2]') AS thing_group,
            json_extract(value, '$[3]') AS other
        FROM json_each(:places)
        LIMIT -1
    ),
    queue AS (
        SELECT namespace_id, kind, thing_group, other, {first_created_at} AS created_at, {first_job_id} AS job_id
        FROM places
        UNION ALL
        SELECT namespace_id, kind, thing_group, other, {next_created_at}, {next_job_id}
        FROM queue
        WHERE job_id IS NOT NULL
        ORDER BY 5 {order}, 6 {order}
    )
SELECT CAST(group_concat(job.listed) AS BLOB), count(*)
FROM ({merged}) AS page
CROSS JOIN job_summaries AS job USING (created_at, job_id)
"""

# A job may have been told with a group in several ways.
_MERGED = "SELECT DISTINCT created_at, job_id FROM queue WHERE job_id IS NOT NULL LIMIT :limit"

_NEWEST_FIRST = f"SELECT * FROM ({_MERGED}) ORDER BY created_at DESC, job_id DESC"

# Of the first job behind a position.
_BEHIND = """(
            SELECT behind.{column}
            FROM {table} AS behind
            WHERE behind.namespace_id = {place}.namespace_id
            AND behind.kind = {place}.kind
            {conditions}
            ORDER BY behind.created_at {order}, behind.job_id {order}
            LIMIT 1
        )"""

_IN_GROUP = "AND behind.thing_group = {place}.thing_group"

_ALSO_IN = """AND ({place}.other IS NULL OR EXISTS (
                SELECT 1
                FROM job_thing_groups AS other
                WHERE other.thing_group = {place}.other
                AND other.kind = behind.kind
                AND other.created_at = behind.created_at
                AND other.job_id = behind.job_id
            ))"""


@dataclass(frozen=True, slots=True)
class Partition:
    """Where there are jobs that are visible."""

    namespace_id: str
    kind: int
    key: GroupKey | None
    """What they were told with; None where no thing group is asked for."""


def read_partitions(
    connection: Connection, filters: Filters, keys: Sequence[GroupKey] | None, visible: frozenset[str]
) -> Sequence[Partition]:
    """Return the places that may hold visible jobs that pass the filters."""
    if filters.namespace_id is not None:
        visible &= {filters.namespace_id}
    if keys is None:
        rows = connection.execute(_PLACES, {"visible": encoded(visible)}).fetchall()
    else:
        groups = json.dumps(sorted({key.thing_group for key in keys}))
        rows = connection.execute(_PLACES_IN_GROUP, {"keys": groups, "visible": encoded(visible)}).fetchall()
    kinds = kinds_of(filters)
    wanted: Sequence[GroupKey | None] = [None] if keys is None else keys
    return [
        Partition(namespace_id, kind, key)
        for namespace_id, kind, thing_group in rows
        if kind in kinds
        for key in wanted
        if key is None or key.thing_group == thing_group
    ]


def scoped_statement(query: ListJobsQuery, keys: Sequence[GroupKey] | None) -> str:
    """Return the statement that reads a page from places, and one job more where there is one."""
    order, comparison = ("ASC", ">") if query.is_backwards else ("DESC", "<")
    of_page = "(:created_at, :job_id)"
    in_group = [] if keys is None else [_IN_GROUP, _ALSO_IN]

    def behind(column: str, place: str, position: str | None) -> str:
        conditions = [condition.format(place=place) for condition in in_group]
        if position is not None:
            conditions.append(f"AND (behind.created_at, behind.job_id) {comparison} {position}")
        return _BEHIND.format(
            column=column,
            table="job_summaries" if keys is None else "job_thing_groups",
            place=place,
            conditions="\n            ".join(conditions),
            order=order,
        )

    first = None if query.after is None else of_page
    following = "(+queue.created_at, +queue.job_id)"
    return _PAGE.format(
        first_created_at=behind("created_at", "places", first),
        first_job_id=behind("job_id", "places", first),
        next_created_at=behind("created_at", "queue", following),
        next_job_id=behind("job_id", "queue", following),
        order=order,
        merged=_NEWEST_FIRST if query.is_backwards else _MERGED,
    )


def scoped_parameters(query: ListJobsQuery, places: Sequence[Partition]) -> dict[str, object]:
    """Return the parameters of such a statement."""
    rows = [
        (place.namespace_id, place.kind, place.key and place.key.thing_group, place.key and place.key.other)
        for place in places
    ]
    parameters: dict[str, object] = {"limit": query.max_results + 1, "places": json.dumps(rows)}
    if query.after is not None:
        parameters |= {"created_at": to_milliseconds(query.after.created_at), "job_id": query.after.job_id}
    return parameters
