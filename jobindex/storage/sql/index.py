"""What the index tells of a job and of a namespace, read on a connection in a transaction of its own."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from jobindex.errors import ResourceNotFoundException
from jobindex.model.jobs import JobStatus, TargetSelection, from_milliseconds, to_milliseconds
from jobindex.model.views import ACTIVITY_HOURS, ExecutionState, Job, Namespace
from jobindex.storage.sql.connection import Connection, Row
from jobindex.storage.sql.counts import STATE
from jobindex.storage.sql.readings import SELECTION_KINDS, STATUS_KINDS
from jobindex.storage.sql.rows import NEVER, UNTIMED
from jobindex.storage.sql.scope import Visible, encoded, is_visible

STATUSES = {kind + selection: status for status, kind in STATUS_KINDS.items() for selection in SELECTION_KINDS.values()}
"""The status in each kind."""

_JOB = """
SELECT
    counted_jobs.*,
    job_summaries.kind,
    job_summaries.listed
FROM counted_jobs
CROSS JOIN job_summaries ON (job_summaries.created_at, job_summaries.job_id) = (listed_created_at, counted_jobs.job_id)
WHERE counted_jobs.job_id = :job_id
"""

_IDS_OF_NAME = """
SELECT thing_group_id
FROM thing_groups
WHERE thing_group_name = :name
AND thing_group_id > ''
"""

_COUNT_EXECUTIONS = f"""
SELECT {STATE} AS state, count(*)
FROM executions {{joined}}
WHERE {{conditions}}
AND executions.status <> 'DELETED'
GROUP BY 1
"""

_NAMESPACES_OF_JOBS = """
SELECT job_id, job_summaries.namespace_id
FROM json_each(:job_ids) AS asked
CROSS JOIN jobs ON jobs.job_id = asked.value
CROSS JOIN job_summaries USING (job_id)
WHERE job_summaries.created_at = listed_created_at
AND job_summaries.namespace_id IS NOT NULL
"""

_NAMESPACES = """
WITH RECURSIVE ids (namespace_id) AS (
    SELECT min(namespace_id)
    FROM namespace_jobs
    WHERE {condition}
    UNION ALL
    SELECT (SELECT min(namespace_id) FROM namespace_jobs WHERE namespace_jobs.namespace_id > ids.namespace_id)
    FROM ids
    WHERE ids.namespace_id IS NOT NULL
)
SELECT namespace_id
FROM ids
WHERE namespace_id IS NOT NULL
LIMIT :limit
"""


_SEEN_NAMESPACES = """
SELECT visible.value
FROM json_each(:visible) AS visible
WHERE {condition}
AND EXISTS (SELECT 1 FROM namespace_jobs WHERE namespace_jobs.namespace_id = visible.value)
ORDER BY visible.value
LIMIT :limit
"""


def read_job(connection: Connection, *, job_id: str, arn_prefix: str, visible: Visible = None) -> Job:
    """Return a job; ResourceNotFoundException where it is not listed, or not visible."""
    row = check_listed(connection, job_id, visible)
    listed = json.loads(row["listed"].encode() % _Marks())
    told = json.loads(f"[{row['told_groups'] or ''}]")
    names = sorted({group.removeprefix("name:") for group in told if group.startswith("name:")})
    ids = {group.removeprefix("id:") for group in told if group.startswith("id:")}
    for name in names:
        ids |= {id_ for (id_,) in connection.execute(_IDS_OF_NAME, {"name": name})}
    return Job(
        job_id=job_id,
        job_arn=row["job_arn"] or arn_prefix + job_id,
        namespace_id=row["namespace_id"],
        status=STATUSES[row["kind"]],
        is_status_reported=row["status"] is not None,
        target_selection=None if row["target_selection"] is None else TargetSelection(row["target_selection"]),
        thing_group_ids=sorted(ids),
        thing_group_names=names,
        is_concurrent=None if row["is_concurrent"] is None else bool(row["is_concurrent"]),
        created_at=from_milliseconds(row["listed_created_at"]),
        is_created_at_reported=row["created_at"] is not None,
        last_updated_at=from_milliseconds(round(listed["lastUpdatedAt"] * 1000)),
        completed_at=from_milliseconds(round(listed["completedAt"] * 1000)) if "completedAt" in listed else None,
        first_heard_at=from_milliseconds(row["arrived_at"]),
        executions=counts(connection, "", "executions.job_id = :job_id", {"job_id": job_id}),
    )


def check_listed(connection: Connection, job_id: str, visible: Visible) -> Row:
    """Return the row of a job; raise ResourceNotFoundException if it is not listed, or not visible."""
    row: Row | None = connection.execute(_JOB, {"job_id": job_id}).fetchone()
    if row is None or not is_visible(row["namespace_id"], visible):
        raise not_found("Job", job_id)
    return row


def read_job_namespaces(
    connection: Connection, *, job_ids: Iterable[str], visible: Visible = None
) -> Mapping[str, str]:
    """Return the namespaces of those of these jobs that are visible."""
    rows = connection.execute(_NAMESPACES_OF_JOBS, {"job_ids": json.dumps(list(job_ids))})
    return {job_id: namespace_id for job_id, namespace_id in rows if is_visible(namespace_id, visible)}


def read_namespaces(
    connection: Connection, *, after: str | None, limit: int, now: datetime, visible: Visible = None
) -> Sequence[Namespace]:
    """Return the namespaces that are visible, in their order."""
    parameters = {"after": after, "limit": limit}
    if visible is None:
        statement = _NAMESPACES.format(condition="true" if after is None else "namespace_id > :after")
    else:
        statement = _SEEN_NAMESPACES.format(condition="true" if after is None else "visible.value > :after")
        parameters["visible"] = encoded(visible)
    rows = connection.execute(statement, parameters).fetchall()
    return [_namespace(connection, namespace_id, now) for (namespace_id,) in rows]


def _namespace(connection: Connection, namespace_id: str, now: datetime) -> Namespace:
    jobs: dict[JobStatus, int] = dict.fromkeys(JobStatus, 0)
    of_namespace = {"namespace_id": namespace_id}
    for kind, count in connection.execute(
        "SELECT kind, jobs FROM namespace_jobs WHERE namespace_id = :namespace_id", of_namespace
    ):
        jobs[STATUSES[kind]] += count
    executions = connection.execute(
        "SELECT state, executions FROM namespace_executions WHERE namespace_id = :namespace_id", of_namespace
    ).fetchall()
    hour = to_milliseconds(now) // 3_600_000
    hours = connection.execute(
        "SELECT hour, changes, changed_at FROM namespace_activity WHERE namespace_id = :namespace_id", of_namespace
    ).fetchall()
    activity = {row["hour"]: row["changes"] for row in hours}
    return Namespace(
        namespace_id=namespace_id or None,
        jobs={status: count for status, count in jobs.items() if count},
        executions=_in_order(dict(executions)),
        last_change_at=time_of(max((row["changed_at"] for row in hours), default=None)),
        activity=[activity.get(hour - ago, 0) for ago in range(ACTIVITY_HOURS - 1, -1, -1)],
    )


class _Marks(dict[bytes, bytes]):
    """Stands for all marks in job_summaries.listed by nothing."""

    def __missing__(self, name: bytes) -> bytes:
        return b""


def counts(
    connection: Connection, joined: str, conditions: str, parameters: Mapping[str, object]
) -> Mapping[ExecutionState, int]:
    """Return how many executions, joined with what the conditions are about, are in each state."""
    rows = connection.execute(_COUNT_EXECUTIONS.format(joined=joined, conditions=conditions), parameters)
    return _in_order(dict(rows.fetchall()))


def _in_order(counts: Mapping[str, int]) -> Mapping[ExecutionState, int]:
    return {state: counts[state] for state in ExecutionState if state in counts}


def time_of(milliseconds: int | None) -> datetime | None:
    """Return a time as it is stored; None where it is not known."""
    return None if milliseconds is None or milliseconds in {NEVER, UNTIMED} else from_milliseconds(milliseconds)


def not_found(what: str, name: str) -> ResourceNotFoundException:
    """Return the error that tells of what is unknown."""
    return ResourceNotFoundException(f"{what} {name} cannot be found.")
