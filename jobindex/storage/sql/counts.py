"""What is counted of the readings as they change, and what is kept of how they changed.

Counted by a batch's own differences, so that a namespace of a million jobs is counted without reading one of them;
`check.py` counts all anew and compares. These statements stand among those of `readings.py` and `retention.py`, and
work on the temporary tables that these fill.
"""

from jobindex.model.reader import CHANGES_MAXIMUM

CHANGES_KEPT = CHANGES_MAXIMUM + 1
"""Changes that are kept of each job: one more than are told, as that says where the job was before the others."""

# How an execution reads: null where it is none, or was deleted.
STATE = """CASE
        WHEN executions.status = 'DELETED' THEN NULL
        WHEN executions.status_rank < 3 AND executions.has_ended = 1 THEN 'ENDED'
        ELSE executions.status
    END"""

# From a table of jobs to their rows in the list.
LISTED = """CROSS JOIN jobs USING (job_id)
        CROSS JOIN job_summaries
            ON (job_summaries.created_at, job_summaries.job_id) = (listed_created_at, jobs.job_id)"""

# Of a namespace without jobs nothing is kept.
_IS_EMPTY = """NOT EXISTS (
        SELECT 1
        FROM namespace_jobs
        WHERE namespace_jobs.namespace_id = namespace_activity.namespace_id
    )"""

COUNT_EXECUTIONS = (
    f"""
    INSERT INTO namespace_executions (namespace_id, state, executions)
    SELECT namespace_id, state, sum(executions)
    FROM (
        SELECT coalesce(job_summaries.namespace_id, '') AS namespace_id, former_state AS state, -1 AS executions
        FROM changed_executions
        {LISTED}
        UNION ALL
        SELECT coalesce(counted_jobs.namespace_id, ''), {STATE}, 1
        FROM changed_executions
        CROSS JOIN executions USING (job_id, thing_name)
        CROSS JOIN counted_jobs USING (job_id)
        WHERE is_visible
    ) AS counted
    WHERE state IS NOT NULL
    GROUP BY namespace_id, state
    HAVING sum(executions) <> 0
    ON CONFLICT (namespace_id, state) DO UPDATE SET executions = namespace_executions.executions + excluded.executions
    """,
    "DELETE FROM namespace_executions WHERE executions = 0",
)
"""Counts the changed executions, while `job_summaries` still tells where their jobs were."""

# A status without the target selection that a kind adds to it.
_STATUS = "kind - kind % 3"
_FORMER_STATUS = "former_kind - former_kind % 3"

COUNT_JOBS = (
    """
    INSERT INTO namespace_jobs (namespace_id, kind, jobs)
    SELECT namespace_id, kind, sum(jobs)
    FROM (
        SELECT coalesce(former_namespace_id, '') AS namespace_id, former_kind AS kind, -1 AS jobs
        FROM readings
        WHERE is_moved
        AND former_created_at IS NOT NULL
        UNION ALL
        SELECT coalesce(namespace_id, ''), kind, 1
        FROM readings
        WHERE is_moved
        AND is_visible
    ) AS counted
    GROUP BY namespace_id, kind
    HAVING sum(jobs) <> 0
    ON CONFLICT (namespace_id, kind) DO UPDATE SET jobs = namespace_jobs.jobs + excluded.jobs
    """,
    "DELETE FROM namespace_jobs WHERE jobs = 0",
    """
    INSERT INTO namespace_activity (namespace_id, slot, hour, changes, changed_at)
    SELECT coalesce(namespace_id, ''), :now / 3600000 % 24, :now / 3600000, count(*), :now
    FROM (
        SELECT namespace_id
        FROM readings
        WHERE is_visible
        UNION ALL
        SELECT former_namespace_id
        FROM readings
        WHERE former_created_at IS NOT NULL
        AND (NOT is_visible OR former_namespace_id IS NOT namespace_id)
    ) AS counted
    GROUP BY namespace_id
    ON CONFLICT (namespace_id, slot) DO UPDATE SET
        hour = excluded.hour,
        changes = excluded.changes + CASE
            WHEN namespace_activity.hour = excluded.hour THEN namespace_activity.changes
            ELSE 0
        END,
        changed_at = excluded.changed_at
    """,
    f"""
    DELETE FROM namespace_activity
    WHERE namespace_id IN (
        SELECT coalesce(former_namespace_id, '')
        FROM readings
        WHERE former_created_at IS NOT NULL
        AND (NOT is_visible OR former_namespace_id IS NOT namespace_id)
    )
    AND {_IS_EMPTY}
    """,
    f"""
    INSERT INTO job_changes (job_id, changed_at, status, former_status, namespace_id, is_status_reported)
    SELECT
        job_id, :now, CASE WHEN is_visible THEN {_STATUS} END, {_FORMER_STATUS},
        CASE WHEN is_visible THEN namespace_id ELSE former_namespace_id END, is_status_reported
    FROM readings
    WHERE is_moved
    AND (NOT is_visible OR ({_STATUS}, namespace_id) IS NOT ({_FORMER_STATUS}, former_namespace_id))
    ON CONFLICT (job_id, changed_at) DO UPDATE SET
        status = excluded.status,
        namespace_id = excluded.namespace_id,
        is_status_reported = excluded.is_status_reported
    """,
    """
    DELETE FROM job_changes
    WHERE job_id IN (SELECT job_id FROM readings WHERE is_moved)
    AND changed_at <= (
        SELECT changed_at
        FROM job_changes AS kept
        WHERE kept.job_id = job_changes.job_id
        ORDER BY changed_at DESC
        LIMIT 1 OFFSET :changes_maximum
    )
    """,
)
"""Counts the jobs that have moved, and keeps how they have changed."""

FORGET_COUNTS = (
    f"""
    INSERT INTO namespace_jobs (namespace_id, kind, jobs)
    SELECT coalesce(job_summaries.namespace_id, ''), kind, -count(*)
    FROM changed_jobs
    {LISTED}
    GROUP BY 1, 2
    ON CONFLICT (namespace_id, kind) DO UPDATE SET jobs = namespace_jobs.jobs + excluded.jobs
    """,
    "DELETE FROM namespace_jobs WHERE jobs = 0",
    f"""
    DELETE FROM namespace_activity
    WHERE namespace_id IN (
        SELECT coalesce(job_summaries.namespace_id, '')
        FROM changed_jobs
        {LISTED}
    )
    AND {_IS_EMPTY}
    """,
    f"""
    INSERT INTO namespace_executions (namespace_id, state, executions)
    SELECT coalesce(job_summaries.namespace_id, ''), {STATE} AS state, -count(*)
    FROM changed_jobs
    {LISTED}
    CROSS JOIN executions ON executions.job_id = jobs.job_id
    WHERE {STATE} IS NOT NULL
    GROUP BY 1, 2
    ON CONFLICT (namespace_id, state) DO UPDATE SET executions = namespace_executions.executions + excluded.executions
    """,
    "DELETE FROM namespace_executions WHERE executions = 0",
)
"""Counts the jobs that are to be forgotten, and their executions, no longer."""
