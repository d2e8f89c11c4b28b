"""Jobs by the beginning of their ids, in the order of ids.

Filters are held against each id in turn, and a page looks at a bounded number of ids: however few jobs pass, it costs
the same, and says where to go on. Who sees some namespaces alone must not learn from a short page how many ids there
are of others: where as many ids were looked at, the rest of the page is found among all jobs that are visible.
"""

from jobindex.model.listing import Filters
from jobindex.model.reader import JobsById
from jobindex.storage.sql.connection import Connection
from jobindex.storage.sql.group_keys import kinds_of, read_keys
from jobindex.storage.sql.pages import read_placeholders
from jobindex.storage.sql.scope import IN_VISIBLE, Visible, encoded

LOOKED_AT_MAXIMUM = 5000
"""Ids that a page looks at, up to twice as many."""
LOOKED_AT_FIRST_MAXIMUM = 500
"""The same of who sees some namespaces alone, before the rest of the page is found among all jobs that are visible."""

# No sign of a job id is behind '~'.
_LOOK = """
SELECT found.job_id, CASE WHEN {conditions} THEN job.listed END
FROM (
    SELECT job_id, listed_created_at
    FROM jobs
    WHERE job_id >= :first
    AND job_id < :prefix || '~'
    AND job_id <> :after
    ORDER BY job_id
    LIMIT :maximum
) AS found
LEFT JOIN job_summaries AS job ON (job.created_at, job.job_id) = (found.listed_created_at, found.job_id)
ORDER BY found.job_id
"""

# The same among the jobs that are visible, in whatever order they are, of which the least ids are kept.
_LOOK_AMONG_SEEN = """
SELECT found.job_id, job.listed
FROM (
    SELECT job_id, created_at
    FROM job_summaries AS job
    WHERE {conditions}
    AND job_id >= :first
    AND job_id < :prefix || '~'
    AND job_id <> :after
    ORDER BY job_id
    LIMIT :maximum
) AS found
CROSS JOIN job_summaries AS job ON (job.created_at, job.job_id) = (found.created_at, found.job_id)
ORDER BY found.job_id
"""

_IN_GROUP = """EXISTS (
    SELECT 1
    FROM job_thing_groups AS member
    WHERE member.thing_group = :{parameter}
    AND member.kind = job.kind
    AND member.created_at = job.created_at
    AND member.job_id = job.job_id
)"""


def read_jobs_by_id(
    connection: Connection,
    *,
    prefix: str,
    filters: Filters,
    after: str,
    limit: int,
    arn_prefix: str,
    visible: Visible = None,
) -> JobsById:
    """Return jobs whose ids begin with `prefix`.

    Raises:
        ResourceNotFoundException: as `read_page` does.
    """
    keys = read_keys(connection, filters, visible)
    conditions = [f"job.kind IN ({', '.join(map(str, kinds_of(filters)))})"]
    parameters: dict[str, object] = {"prefix": prefix}
    if filters.namespace_id is not None:
        conditions.append("job.namespace_id = :namespace_id")
        parameters["namespace_id"] = filters.namespace_id
    if visible is not None:
        conditions.append(f"job.namespace_id {IN_VISIBLE}")
        parameters["visible"] = encoded(visible)
    if keys is not None:
        ways = []
        for number, key in enumerate(keys):
            groups = {f"group_{number}": key.thing_group} | ({f"other_{number}": key.other} if key.other else {})
            ways.append(" AND ".join(_IN_GROUP.format(parameter=parameter) for parameter in groups))
            parameters |= groups
        conditions.append(f"({' OR '.join(ways) or 'false'})")
    passes = " AND ".join(conditions)
    look = _LOOK.format(conditions=passes)
    found: list[tuple[str, str]] = []
    looked_at, is_more = 0, True
    looked_at_maximum = LOOKED_AT_MAXIMUM if visible is None else LOOKED_AT_FIRST_MAXIMUM
    while is_more and len(found) <= limit and looked_at < looked_at_maximum:
        maximum = max(limit + 1, looked_at)  # twice as many each time
        rows = connection.execute(look, {**parameters, **_behind(prefix, after), "maximum": maximum}).fetchall()
        found += [(job_id, listed) for job_id, listed in rows if listed is not None]
        looked_at += maximum
        is_more = len(rows) == maximum
        after = rows[-1][0] if rows else after
    if visible is not None and is_more and len(found) <= limit:
        found += connection.execute(
            _LOOK_AMONG_SEEN.format(conditions=passes),
            {**parameters, **_behind(prefix, after), "maximum": limit + 1},
        ).fetchall()
        is_more = False
    if found[limit:]:
        after, is_more = found[limit - 1][0], True
    jobs = ",".join(listed for _, listed in found[:limit]).encode()
    return JobsById(jobs=read_placeholders(connection, jobs, {}, arn_prefix), next_position=after if is_more else None)


def _behind(prefix: str, after: str) -> dict[str, object]:
    return {"first": max(prefix, after), "after": after}
