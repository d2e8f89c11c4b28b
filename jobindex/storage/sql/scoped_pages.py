"""The pages of ListJobs in SQL for restricted readers.

A page merges streams as in `pages.py`, one for each partition: a namespace, a kind of job and a key of the requested
thing group. SQLite would merge thousands of them more slowly than it reads the page. Instead a queue (a recursive table
with ORDER BY) holds the next job of each partition; each job taken from it adds the next of its partition. So a page
costs as much as its jobs and the visible partitions with jobs.

With `+`, both columns of the queue are looked up together; without it, SQLite would read all jobs of one time.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from jobindex.model.jobs import to_milliseconds
from jobindex.model.listing import Filters, ListJobsQuery
from jobindex.storage.sql.connection import Connection
from jobindex.storage.sql.group_keys import GroupKey, kinds_of
from jobindex.storage.sql.scope import IN_VISIBLE, encoded

# The partitions with visible jobs.
_PARTITIONS = f"""
SELECT namespace_id, kind, NULL
FROM namespace_jobs
WHERE namespace_id {IN_VISIBLE}
"""

# The partitions with visible jobs of thing groups.
_PARTITIONS_IN_GROUP = """
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

# A job may have several of the keys.
_MERGED = "SELECT DISTINCT created_at, job_id FROM queue WHERE job_id IS NOT NULL LIMIT :limit"

_NEWEST_FIRST = f"SELECT * FROM ({_MERGED}) ORDER BY created_at DESC, job_id DESC"

# A column of the first job after a position.
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
    """A namespace, a kind and a group key."""

    namespace_id: str
    kind: int
    key: GroupKey | None
    """None without a group filter."""


def read_partitions(
    connection: Connection, filters: Filters, keys: Sequence[GroupKey] | None, visible: frozenset[str]
) -> Sequence[Partition]:
    """Return the partitions that may have visible jobs that pass the filters."""
    if filters.namespace_id is not None:
        visible &= {filters.namespace_id}
    if keys is None:
        rows = connection.execute(_PARTITIONS, {"visible": encoded(visible)}).fetchall()
    else:
        groups = json.dumps(sorted({key.thing_group for key in keys}))
        rows = connection.execute(_PARTITIONS_IN_GROUP, {"keys": groups, "visible": encoded(visible)}).fetchall()
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
    """Return the statement of `Engine.scoped_statement`."""
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


def scoped_parameters(query: ListJobsQuery, partitions: Sequence[Partition]) -> dict[str, object]:
    """Return the parameters of `scoped_statement`."""
    rows = [
        (one.namespace_id, one.kind, one.key and one.key.thing_group, one.key and one.key.other) for one in partitions
    ]
    parameters: dict[str, object] = {"limit": query.max_results + 1, "places": json.dumps(rows)}
    if query.after is not None:
        parameters |= {"created_at": to_milliseconds(query.after.created_at), "job_id": query.after.job_id}
    return parameters
