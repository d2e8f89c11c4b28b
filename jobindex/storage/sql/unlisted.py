"""The jobs and executions that a sync has to ask AWS about: those that no listing of its run has, and those to list.

A query looks at a bounded number of rows in the order of their keys, however many pass its conditions, and returns the
position at which the next one starts.
"""

from collections.abc import Mapping, Sequence

from jobindex.model.jobs import JobStatus
from jobindex.model.sync import JobIds
from jobindex.storage.sql.connection import Connection
from jobindex.storage.sql.kinds import STATUS_KINDS
from jobindex.storage.sql.tables import IS_PENDING

LOOKED_AT_MAXIMUM = 2000
"""Jobs, or executions of a job, that a query looks at: 5,000 jobs took 140 ms on SQLite, and it has two readers."""

_LAST_JOB = """
SELECT job_id
FROM jobs
WHERE job_id > :after
ORDER BY job_id
LIMIT 1 OFFSET :looked_at
"""
_JOBS = """
SELECT jobs.job_id
FROM jobs
CROSS JOIN job_summaries ON (job_summaries.created_at, job_summaries.job_id) = (jobs.listed_created_at, jobs.job_id)
WHERE jobs.job_id > :after
AND {conditions}
ORDER BY jobs.job_id
LIMIT :limit
"""
_IS_ACTIVE = f"job_summaries.kind < {STATUS_KINDS[JobStatus.COMPLETED]}"
_UNLISTED = (
    "jobs.latest_at < :stamped_before",
    """NOT EXISTS (
        SELECT 1
        FROM sync_listed
        WHERE sync_listed.run_id = :run_id
        AND sync_listed.job_id = jobs.job_id
        AND sync_listed.thing_name = ''
    )""",
)
_ENDED_SINCE = f"({_IS_ACTIVE} OR coalesce(jobs.completed_at, jobs.latest_at) >= :ended_since)"
_WITH_PENDING = (
    "jobs.queued_executions + jobs.in_progress_executions > 0",
    f"""job_summaries.kind NOT BETWEEN {STATUS_KINDS[JobStatus.IN_PROGRESS]}
    AND {STATUS_KINDS[JobStatus.COMPLETED] - 1}""",
)
_LAST_EXECUTION = """
SELECT thing_name
FROM executions
WHERE job_id = :job_id
AND thing_name > :after
ORDER BY thing_name
LIMIT 1 OFFSET :looked_at
"""
# `heard_at` is not before the last sighting of an execution without known attempts.
_UNLISTED_EXECUTIONS = f"""
SELECT thing_name
FROM executions
WHERE job_id = :job_id
AND thing_name > :after
AND {{is_before}}
AND {IS_PENDING}
AND CASE WHEN queued_at > -1 THEN seen_at ELSE heard_at / 1000 END < :seen_before
AND NOT EXISTS (
    SELECT 1
    FROM sync_listed
    WHERE sync_listed.run_id = :run_id
    AND sync_listed.job_id = executions.job_id
    AND sync_listed.thing_name = executions.thing_name
)
ORDER BY thing_name
LIMIT :limit
"""


def unlisted_jobs(
    connection: Connection,
    *,
    run_id: int,
    stamped_before: int,
    ended_since: int,
    only_active: bool,
    after: str,
    limit: int,
) -> JobIds:
    """Return a page of listed jobs without a mark of the run."""
    conditions = [*_UNLISTED, _IS_ACTIVE if only_active else _ENDED_SINCE]
    given = {"run_id": run_id, "stamped_before": stamped_before}
    return _jobs(connection, conditions, given if only_active else {**given, "ended_since": ended_since}, after, limit)


def jobs_to_list(connection: Connection, *, with_pending: bool, after: str, limit: int) -> JobIds:
    """Return a page of listed jobs."""
    return _jobs(connection, _WITH_PENDING if with_pending else (), {}, after, limit)


def _jobs(
    connection: Connection, conditions: Sequence[str], parameters: Mapping[str, object], after: str, limit: int
) -> JobIds:
    last = connection.execute(_LAST_JOB, {"after": after, "looked_at": LOOKED_AT_MAXIMUM - 1}).fetchone()
    given = {**parameters, "after": after, "limit": limit}
    if last is not None:
        conditions, given = [*conditions, "jobs.job_id <= :last"], {**given, "last": last[0]}
    statement = _JOBS.format(conditions=" AND ".join(conditions) or "true")
    job_ids = [job_id for (job_id,) in connection.execute(statement, given).fetchall()]
    if len(job_ids) >= limit:
        return JobIds(job_ids=job_ids, next_position=job_ids[-1])
    return JobIds(job_ids=job_ids, next_position=None if last is None else last[0])


def unlisted_executions(
    connection: Connection, *, run_id: int, job_id: str, seen_before: int, after: str, limit: int
) -> tuple[list[str], str | None]:
    """Return a page of things whose execution is pending without a mark of the run, and the next position."""
    key = {"job_id": job_id, "after": after}
    last = connection.execute(_LAST_EXECUTION, {**key, "looked_at": LOOKED_AT_MAXIMUM - 1}).fetchone()
    given: dict[str, object] = {**key, "run_id": run_id, "seen_before": seen_before, "limit": limit}
    if last is not None:
        given["last"] = last[0]
    statement = _UNLISTED_EXECUTIONS.format(is_before="true" if last is None else "thing_name <= :last")
    return [name for (name,) in connection.execute(statement, given).fetchall()], None if last is None else last[0]
