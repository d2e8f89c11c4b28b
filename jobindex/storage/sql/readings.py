"""What the registers say, read again where a batch may have changed it.

A batch puts down what it may have changed, in temporary tables of the writing connection. Then

1. the executions among these are read again: whether, and when, each has ended;
2. the jobs among them are read again, into `job_summaries` and `job_thing_groups`.

The same statements read the whole index for `check.py`. (`LIMIT -1` makes SQLite work out each column of a
subquery once, not wherever it is named.)
"""

from jobindex.model.jobs import JobStatus, TargetSelection
from jobindex.storage.sql.counts import COUNT_EXECUTIONS, COUNT_JOBS, STATE

STATUS_KINDS = {
    JobStatus.SCHEDULED: 0,
    JobStatus.IN_PROGRESS: 3,
    JobStatus.COMPLETED: 6,
    JobStatus.CANCELED: 9,
    JobStatus.DELETION_IN_PROGRESS: 12,
}
SELECTION_KINDS = {None: 0, TargetSelection.CONTINUOUS: 1, TargetSelection.SNAPSHOT: 2}
"""A job's kind is the sum of the two; READ_AGAIN works it out."""

# What the batch may have changed, and how changed jobs read; lives with the writing connection.
CREATE_CHANGED = """
CREATE TEMP TABLE changed_jobs (job_id TEXT NOT NULL PRIMARY KEY) WITHOUT ROWID;
CREATE TEMP TABLE changed_executions (
    job_id       TEXT NOT NULL,
    thing_name   TEXT NOT NULL,
    former_state TEXT,  -- how it read before the batch
    PRIMARY KEY (job_id, thing_name)
) WITHOUT ROWID;
CREATE TEMP TABLE readings (
    job_id             TEXT    NOT NULL,
    is_visible         INTEGER NOT NULL,
    is_moved           INTEGER NOT NULL,  -- its place has changed, in the list or in that of a filter
    created_at         INTEGER NOT NULL,
    kind               INTEGER NOT NULL,
    namespace_id       TEXT,
    listed             TEXT    NOT NULL,
    told_groups        TEXT,
    changed_at          INTEGER,
    is_status_reported  INTEGER NOT NULL,
    former_created_at   INTEGER,  -- null: it was not listed
    former_kind         INTEGER,
    former_namespace_id TEXT,
    former_told_groups  TEXT
);
CREATE TEMP TABLE left_places (
    created_at INTEGER NOT NULL,
    job_id     TEXT    NOT NULL,
    PRIMARY KEY (created_at, job_id)
) WITHOUT ROWID;
CREATE TEMP TABLE left_groups (
    thing_group TEXT    NOT NULL,
    kind        INTEGER NOT NULL,
    created_at  INTEGER NOT NULL,
    job_id      TEXT    NOT NULL,
    PRIMARY KEY (thing_group, kind, created_at, job_id)
) WITHOUT ROWID;
"""

CHANGED_JOB = """
INSERT OR IGNORE INTO changed_jobs (job_id)
SELECT value
FROM json_each(:job_ids)
"""

# Put down before anything is merged, with how it read until then.
CHANGED_EXECUTION = f"""
INSERT OR IGNORE INTO changed_executions (job_id, thing_name, former_state)
SELECT reported.job_id, reported.thing_name, {STATE}
FROM (
    SELECT json_extract(value, '$[0]') AS job_id, json_extract(value, '$[1]') AS thing_name
    FROM json_each(:executions)
    LIMIT -1
) AS reported
LEFT JOIN executions USING (job_id, thing_name)
"""

# A deletion changes all executions of its job.
CHANGED_BY_DELETION = f"""
INSERT OR IGNORE INTO changed_executions (job_id, thing_name, former_state)
SELECT job_id, thing_name, {STATE}
FROM json_each(:deleted_job_ids) AS deleted
CROSS JOIN executions ON job_id = deleted.value
"""

# A pending list may end what is pending on its thing and was last visible before it.
CHANGED_BY_PENDING_LIST = f"""
INSERT OR IGNORE INTO changed_executions (job_id, thing_name, former_state)
SELECT job_id, thing_name, {STATE}
FROM json_each(:listed_things) AS listed
CROSS JOIN executions INDEXED BY executions_pending ON thing_name = listed.value
WHERE has_ended = 0
AND pending_at < (SELECT max(listed_at) FROM pending_lists WHERE pending_lists.thing_name = listed.value)
"""

CHANGED = (CHANGED_JOB, CHANGED_BY_DELETION, CHANGED_BY_PENDING_LIST)
"""The statements that put down what else a batch may have changed, once it is merged."""

# The keys of a job in job_thing_groups: its groups, `told`, and each with each where they are few.
GROUP_KEY = """CASE
            WHEN other.value = known.value THEN known.value
            WHEN other.value = 'many' THEN 'many:' || substr(known.value, 6)
            WHEN other.value GLOB 'id:*' THEN 'both:' || substr(known.value, 6) || '/' || substr(other.value, 4)
            ELSE 'names:' || substr(known.value, 6) || '/' || substr(other.value, 6)
        END"""
GROUP_PAIRS = """
        CROSS JOIN json_each(told) AS known
        CROSS JOIN json_each(CASE
            WHEN json_array_length(told) <= 8 THEN told
            ELSE json_array(
                known.value,
                'many',
                CASE WHEN json_extract(told, '$[#-1]') GLOB 'id:*' THEN json_extract(told, '$[#-1]') END
            )
        END) AS other
        WHERE other.value = known.value
        OR known.value GLOB 'name:*' AND (other.value NOT GLOB 'name:*' OR other.value > known.value)
"""

# (A list of several columns is looked up by all of them only where it is a table that is in their order.)
LEAVE = (
    """
    DELETE FROM job_thing_groups
    WHERE (thing_group, kind, created_at, job_id) IN (
        SELECT thing_group, kind, created_at, job_id
        FROM left_groups
    )
    """,
    """
    DELETE FROM job_summaries
    WHERE (created_at, job_id) IN (SELECT created_at, job_id FROM left_places)
    """,
    "DELETE FROM left_groups",
    "DELETE FROM left_places",
)
"""Takes jobs out of the places that were put down for it."""

# Since when a pending execution waits; of an older try is a start before it was queued again.
WAITING_SINCE = """CASE WHEN reading.has_ended = 0 THEN coalesce(
        CASE WHEN executions.status = 'IN_PROGRESS' AND executions.started_at >= executions.queued_at
            THEN nullif(executions.started_at, -2)
        END,
        nullif(executions.queued_at, -2),
        nullif(executions.status_at, -1)
    ) END"""

READ_AGAIN = (
    # A job whose namespace has changed answers to other pending lists; its executions count elsewhere.
    f"""
    INSERT OR IGNORE INTO changed_executions (job_id, thing_name, former_state)
    SELECT executions.job_id, executions.thing_name, {STATE}
    FROM changed_jobs
    CROSS JOIN counted_jobs USING (job_id)
    LEFT JOIN job_summaries
        ON (job_summaries.created_at, job_summaries.job_id) = (listed_created_at, counted_jobs.job_id)
    CROSS JOIN executions ON executions.job_id = counted_jobs.job_id
    WHERE (is_visible, counted_jobs.namespace_id)
        IS NOT (job_summaries.job_id IS NOT NULL, job_summaries.namespace_id)
    """,
    # Nothing stamped up to the deletion of its job counts: neither a status,
    """
    UPDATE executions
    SET status = NULL, status_at = -2, execution_number = NULL, version_number = NULL, status_rank = 0
    WHERE (job_id, thing_name) IN (SELECT job_id, thing_name FROM changed_executions)
    AND status_at > -2
    AND status_at <= (SELECT deleted_at FROM jobs WHERE jobs.job_id = executions.job_id)
    """,
    # nor a sighting;
    """
    UPDATE executions
    SET
        pending_at = CASE WHEN pending_at > deleted_at THEN pending_at ELSE -2 END,
        queued_at = CASE WHEN queued_at > deleted_at THEN queued_at ELSE -2 END,
        started_at = CASE WHEN started_at > deleted_at THEN started_at ELSE -2 END
    FROM jobs
    WHERE (executions.job_id, thing_name) IN (SELECT job_id, thing_name FROM changed_executions)
    AND jobs.job_id = executions.job_id
    AND deleted_at > -2
    AND (
        pending_at > -2 AND pending_at <= deleted_at
        OR queued_at > -2 AND queued_at <= deleted_at
        OR started_at > -2 AND started_at <= deleted_at
    )
    """,
    # an execution without any is gone.
    """
    DELETE FROM executions
    WHERE (job_id, thing_name) IN (SELECT job_id, thing_name FROM changed_executions)
    AND status IS NULL
    AND pending_at = -2
    AND queued_at = -2
    AND started_at = -2
    """,
    # An execution has ended by its status (QUEUED and IN_PROGRESS are the ranks below 3), or when a complete
    # list of its thing and of its job's namespace, later than its status and than its last sighting, leaves
    # it out: then with an outcome and at a time unknown. Until then it waits: since it was started, or queued.
    f"""
    UPDATE executions
    SET has_ended = reading.has_ended, ended_at = reading.ended_at, waiting_since = {WAITING_SINCE}
    FROM (
        SELECT
            job_id,
            thing_name,
            CASE
                WHEN status IS NULL THEN NULL
                WHEN status_rank >= 3 THEN 1
                WHEN EXISTS (
                    SELECT 1
                    FROM pending_lists
                    WHERE pending_lists.thing_name = changed.thing_name
                    AND pending_lists.namespace_id = coalesce(
                        (SELECT namespace_id FROM counted_jobs WHERE counted_jobs.job_id = changed.job_id), ''
                    )
                    AND pending_lists.listed_at > changed.status_at
                    AND pending_lists.listed_at > changed.pending_at
                ) THEN 1
                ELSE 0
            END AS has_ended,
            CASE WHEN status_rank >= 3 AND status_at > -1 THEN status_at END AS ended_at
        FROM changed_executions
        CROSS JOIN executions AS changed USING (job_id, thing_name)
        LIMIT -1
    ) AS reading
    WHERE executions.job_id = reading.job_id
    AND executions.thing_name = reading.thing_name
    AND (executions.has_ended, executions.ended_at, executions.waiting_since)
        IS NOT (reading.has_ended, reading.ended_at, {WAITING_SINCE})
    """,
    "INSERT OR IGNORE INTO changed_jobs (job_id) SELECT job_id FROM changed_executions",
    # Each counts where its job now is, and no more where it was.
    *COUNT_EXECUTIONS,
    # The status told has it. Otherwise a job is COMPLETED when all its known executions have ended, of which
    # there must be one, and it is SNAPSHOT, or of unknown selection without a known thing group (a group's
    # rollout may go on); else IN_PROGRESS. A completedAt inferred is the greatest end, and is unknown when
    # an end is. What an unchanged row would say again is not written.
    """
    INSERT INTO readings (
        job_id, is_visible, is_moved, created_at, kind, namespace_id, listed, told_groups, changed_at,
        is_status_reported, former_created_at, former_kind, former_namespace_id, former_told_groups
    )
    SELECT
        reading.job_id,
        is_visible,
        NOT is_visible OR (reading.created_at, reading.kind, reading.namespace_id, reading.told_groups)
            IS NOT (former.created_at, former.kind, former.namespace_id, former.told_groups),
        reading.created_at,
        reading.kind,
        reading.namespace_id,
        listed_but_update || (coalesce(latest_at, :now) / 1000.0) || '}',
        reading.told_groups,
        CASE WHEN latest_at IS NULL THEN :now END,
        is_status_reported,
        former.created_at,
        former.kind,
        former.namespace_id,
        former.told_groups
    FROM (
        SELECT
            job_id,
            is_visible,
            read_created_at AS created_at,
            CASE read_status
                WHEN 'SCHEDULED' THEN 0
                WHEN 'IN_PROGRESS' THEN 3
                WHEN 'COMPLETED' THEN 6
                WHEN 'CANCELED' THEN 9
                WHEN 'DELETION_IN_PROGRESS' THEN 12
            END
            + CASE WHEN target_selection IS NULL THEN 0 WHEN target_selection = 'CONTINUOUS' THEN 1 ELSE 2 END AS kind,
            namespace_id,
            '{"jobArn":' || CASE
                WHEN job_arn IS NULL THEN '"%()b' || job_id || '"'
                ELSE replace(json_quote(job_arn), '%', '%%')
            END
            || ',"jobId":"' || job_id
            || '","status":"' || read_status || '"'
            || CASE is_concurrent WHEN 1 THEN ',"isConcurrent":true' WHEN 0 THEN ',"isConcurrent":false' ELSE '' END
            || coalesce(',"targetSelection":"' || target_selection || '"', '')
            || coalesce(
                ',"thingGroupId":"' || thing_group_id || '"',
                '%(' || CASE
                    WHEN target_group_names IS NULL THEN thing_group_name
                    ELSE (
                        SELECT CASE WHEN min(value) = max(value) THEN substr(min(value), 6) END
                        FROM json_each('[' || told_groups || ']')
                    )
                END || ')b',
                ''
            )
            || ',"createdAt":' || (read_created_at / 1000.0)
            || coalesce(',"completedAt":' || (coalesce(completed_at, CASE
                WHEN status IS NULL AND read_status = 'COMPLETED' AND NOT EXISTS (
                    SELECT 1
                    FROM executions
                    WHERE executions.job_id = read.job_id AND has_ended = 1 AND ended_at IS NULL
                )
                THEN (
                    SELECT max(ended_at)
                    FROM executions
                    WHERE executions.job_id = read.job_id AND has_ended = 1
                )
            END) / 1000.0), '')
            || ',"lastUpdatedAt":' AS listed_but_update,
            told_groups,
            latest_at,
            listed_created_at,
            status IS NOT NULL AS is_status_reported
        FROM (
            SELECT
                counted_jobs.*,
                coalesce(created_at, earliest_at, arrived_at) AS read_created_at,
                CASE
                    WHEN status IS NOT NULL THEN status
                    WHEN target_selection = 'CONTINUOUS' THEN 'IN_PROGRESS'
                    WHEN target_selection IS NULL AND told_groups IS NOT NULL THEN 'IN_PROGRESS'
                    WHEN EXISTS (
                        SELECT 1 FROM executions WHERE executions.job_id = counted_jobs.job_id AND has_ended = 1
                    )
                    AND NOT EXISTS (
                        SELECT 1 FROM executions WHERE executions.job_id = counted_jobs.job_id AND has_ended = 0
                    )
                    THEN 'COMPLETED'
                    ELSE 'IN_PROGRESS'
                END AS read_status
            FROM changed_jobs
            CROSS JOIN counted_jobs USING (job_id)
            LIMIT -1
        ) AS read
        LIMIT -1
    ) AS reading
    LEFT JOIN job_summaries AS former
        ON (former.created_at, former.job_id) = (listed_created_at, reading.job_id)
    WHERE is_visible IS NOT (former.job_id IS NOT NULL)
    OR is_visible AND (
        reading.created_at, reading.kind, reading.namespace_id, reading.told_groups,
        listed_but_update || (coalesce(latest_at, former.changed_at) / 1000.0) || '}', latest_at IS NULL
    ) IS NOT (
        former.created_at, former.kind, former.namespace_id, former.told_groups,
        former.listed, former.changed_at IS NOT NULL
    )
    """,
    # A job that has moved leaves the places that it has no more,
    f"""
    INSERT OR IGNORE INTO left_groups (thing_group, kind, created_at, job_id)
    SELECT {GROUP_KEY}, former_kind, former_created_at, job_id
    FROM (SELECT *, '[' || former_told_groups || ']' AS told FROM readings WHERE is_moved) AS moved
    {GROUP_PAIRS}
    """,
    """
    INSERT INTO left_places (created_at, job_id)
    SELECT former_created_at, job_id
    FROM readings
    WHERE NOT is_visible
    OR former_created_at <> created_at
    """,
    *LEAVE,
    # and takes its new ones;
    """
    INSERT INTO job_summaries (created_at, job_id, kind, namespace_id, listed, told_groups, changed_at)
    SELECT created_at, job_id, kind, namespace_id, listed, told_groups, changed_at
    FROM readings
    WHERE is_moved
    AND is_visible
    ON CONFLICT (created_at, job_id) DO UPDATE SET
        kind = excluded.kind,
        namespace_id = excluded.namespace_id,
        listed = excluded.listed,
        told_groups = excluded.told_groups,
        changed_at = excluded.changed_at
    """,
    f"""
    INSERT OR IGNORE INTO job_thing_groups (thing_group, kind, created_at, job_id, namespace_id)
    SELECT {GROUP_KEY}, kind, created_at, job_id, coalesce(namespace_id, '')
    FROM (SELECT *, '[' || told_groups || ']' AS told FROM readings WHERE is_moved AND is_visible) AS moved
    {GROUP_PAIRS}
    """,
    """
    UPDATE jobs
    SET listed_created_at = CASE WHEN is_visible THEN readings.created_at END
    FROM readings
    WHERE jobs.job_id = readings.job_id
    AND former_created_at IS NOT CASE WHEN is_visible THEN readings.created_at END
    """,
    # one that has not stays in its place, and every index as it is.
    """
    INSERT INTO job_summaries (created_at, job_id, kind, namespace_id, listed, told_groups, changed_at)
    SELECT created_at, job_id, kind, namespace_id, listed, told_groups, changed_at
    FROM readings
    WHERE NOT is_moved
    ON CONFLICT (created_at, job_id) DO UPDATE SET listed = excluded.listed, changed_at = excluded.changed_at
    """,
    *COUNT_JOBS,
)

# The jobs that read otherwise now, and the executions that do.
CHANGED_READINGS = """
SELECT job_id
FROM readings
LIMIT :named_maximum
"""
CHANGED_STATES = f"""
SELECT changed_executions.job_id, thing_name
FROM changed_executions
LEFT JOIN executions USING (job_id, thing_name)
WHERE {STATE} IS NOT former_state
LIMIT :named_maximum
"""

# Where all of these are, and where they were.
CHANGED_NAMESPACES = f"""
SELECT CASE WHEN is_visible THEN namespace_id END
FROM readings
UNION SELECT former_namespace_id
FROM readings
UNION SELECT (
    SELECT CASE WHEN is_visible THEN namespace_id END
    FROM counted_jobs
    WHERE counted_jobs.job_id = changed_executions.job_id
)
FROM changed_executions
LEFT JOIN executions USING (job_id, thing_name)
WHERE {STATE} IS NOT former_state
"""

# Where the jobs of thing groups are: the next namespace is looked up from the one before it.
NAMESPACES_OF_GROUPS = """
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

CLEAR = ("DELETE FROM readings", "DELETE FROM changed_jobs", "DELETE FROM changed_executions")
"""Ends a batch."""
