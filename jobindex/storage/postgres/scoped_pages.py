"""The pages of ListJobs for restricted keys, in PostgreSQL.

It lacks SQLite's ordered queue (`sql/scoped_pages.py`): a page of jobs is read from each partition, from an index only,
and the first of them all are the page.
"""

from collections.abc import Sequence

from jobindex.model.listing import ListJobsQuery
from jobindex.storage.sql.group_keys import GroupKey

_PAGE = """
SELECT CAST(group_concat(job.listed) AS BLOB), count(*)
FROM (
    SELECT DISTINCT head.created_at, head.job_id
    FROM (
        SELECT
            json_extract(value, '$[0]') AS namespace_id,
            CAST(json_extract(value, '$[1]') AS INTEGER) AS kind,
            json_extract(value, '$[2]') AS thing_group,
            json_extract(value, '$[3]') AS other
        FROM json_each(:places)
    ) AS place
    CROSS JOIN LATERAL (
        SELECT behind.created_at, behind.job_id
        FROM {table} AS behind
        WHERE behind.namespace_id = place.namespace_id
        AND behind.kind = place.kind
        {conditions}
        ORDER BY behind.created_at {order}, behind.job_id {order}
        LIMIT :limit
    ) AS head
    ORDER BY 1 {order}, 2 {order}
    LIMIT :limit
) AS page
CROSS JOIN job_summaries AS job USING (created_at, job_id)
"""

_BEHIND = "AND (behind.created_at, behind.job_id) {comparison} (:created_at, :job_id)"

_IN_GROUP = """AND behind.thing_group = place.thing_group
        AND (place.other IS NULL OR EXISTS (
            SELECT 1
            FROM job_thing_groups AS other
            WHERE other.thing_group = place.other
            AND other.kind = behind.kind
            AND other.created_at = behind.created_at
            AND other.job_id = behind.job_id
        ))"""


def scoped_statement(query: ListJobsQuery, keys: Sequence[GroupKey] | None) -> str:
    """Return the statement for a page and the job behind it."""
    order, comparison = ("ASC", ">") if query.is_backwards else ("DESC", "<")
    conditions = [] if query.after is None else [_BEHIND.format(comparison=comparison)]
    if keys is not None:
        conditions.append(_IN_GROUP)
    return _PAGE.format(
        table="job_summaries" if keys is None else "job_thing_groups",
        conditions="\n        ".join(conditions),
        order=order,
    )
