"""Jobs by a prefix of their ids, in the order of ids.

A page checks a bounded number of ids against the filters, even if few jobs pass. For a restricted reader only ids in
its namespaces are read, each namespace by an index, so neither a page nor its duration reveals other ids.
"""

from collections.abc import Mapping, Sequence
from operator import itemgetter

from jobindex.model.listing import Filters
from jobindex.model.reader import JobsById
from jobindex.storage.sql.connection import Connection
from jobindex.storage.sql.group_keys import kinds_of, read_keys
from jobindex.storage.sql.pages import read_placeholders
from jobindex.storage.sql.scope import Visible

LOOKED_AT_MAXIMUM = 5000
"""Ids that a page reads, up to twice as many."""

# The next ids; no character of a job id sorts after '~'.
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

# The next ids in one namespace.
_LOOK_IN_NAMESPACE = """
SELECT found.job_id, CASE WHEN {conditions} THEN job.listed END
FROM (
    SELECT job_id, created_at
    FROM job_summaries
    WHERE namespace_id = :visible_id
    AND job_id >= :first
    AND job_id < :prefix || '~'
    AND job_id <> :after
    ORDER BY job_id
    LIMIT :maximum
) AS found
CROSS JOIN job_summaries AS job ON (job.created_at, job.job_id) = (found.created_at, found.job_id)
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
        ResourceNotFoundException: as for `read_keys`.
    """
    keys = read_keys(connection, filters, visible)
    conditions = [f"job.kind IN ({', '.join(map(str, kinds_of(filters)))})"]
    parameters: dict[str, object] = {"prefix": prefix}
    if filters.namespace_id is not None:
        conditions.append("job.namespace_id = :namespace_id")
        parameters["namespace_id"] = filters.namespace_id
    if keys is not None:
        ways = []
        for number, key in enumerate(keys):
            groups = {f"group_{number}": key.thing_group} | ({f"other_{number}": key.other} if key.other else {})
            ways.append(" AND ".join(_IN_GROUP.format(parameter=parameter) for parameter in groups))
            parameters |= groups
        conditions.append(f"({' OR '.join(ways) or 'false'})")
    passes = " AND ".join(conditions)
    if visible is not None and filters.namespace_id is not None:
        visible &= {filters.namespace_id}
    found: list[tuple[str, str]] = []
    looked_at, is_more = 0, True
    while is_more and len(found) <= limit and looked_at < LOOKED_AT_MAXIMUM:
        maximum = max(limit + 1, looked_at)  # twice as many each time
        rows = _look(connection, passes, {**parameters, **_behind(prefix, after)}, maximum, visible)
        found += [(job_id, listed) for job_id, listed in rows if listed is not None]
        looked_at += maximum
        is_more = len(rows) == maximum
        after = rows[-1][0] if rows else after
    if found[limit:]:
        after, is_more = found[limit - 1][0], True
    jobs = ",".join(listed for _, listed in found[:limit]).encode()
    return JobsById(jobs=read_placeholders(connection, jobs, {}, arn_prefix), next_position=after if is_more else None)


def _look(
    connection: Connection, passes: str, parameters: Mapping[str, object], maximum: int, visible: Visible
) -> Sequence[tuple[str, str | None]]:
    look = (_LOOK if visible is None else _LOOK_IN_NAMESPACE).format(conditions=passes)
    found = [
        (job_id, listed)
        for namespace_id in ([None] if visible is None else visible)
        for job_id, listed in connection.execute(look, {**parameters, "maximum": maximum, "visible_id": namespace_id})
    ]
    return found if visible is None else sorted(found, key=itemgetter(0))[:maximum]


def _behind(prefix: str, after: str) -> dict[str, object]:
    return {"first": max(prefix, after), "after": after}
