"""The merge rules in SQL: reports become rows of registers, and registers become readings.

Every statement merges by maxima, minima and unions, so that neither order nor repetition of messages
shows; `migrations/sqlite/0001_index.sql` explains stamps and says what each table holds. A batch goes
through three steps in one transaction:

1. its reports are merged into the registers (`jobs`, `executions`, `pending_lists`, `thing_groups`);
2. the executions whose reading may have changed are read again;
3. the jobs whose reading may have changed are read again, into `job_summaries` and `job_thing_groups`.

`sqlite_rows.py` makes the rows. Those of a batch's jobs and executions are one parameter, JSON: a statement
of a thousand rows leaves the interpreter to others while it runs, where a thousand statements wait for it a
thousand times, which takes the longer the busier others are. Not chosen: reading, merging in Python and
writing back, which would need a second round of statements for each batch, and a log of messages replayed in
order, which grows without bound.
"""

REGISTERS = (
    "namespace_id",
    "status",
    "target_selection",
    "thing_group_id",
    "thing_group_name",
    "target_group_names",
    "is_concurrent",
    "completed_at",
    "job_arn",
)
"""What messages tell of a job by a value and its stamp; `created_at` too, of which the lesser value wins."""

# A register yields to a greater stamp, and at the same stamp to the greater value.
_MERGE_REGISTER = """
    {name} = CASE
        WHEN (excluded.{name}_stamp, excluded.{name}) > (jobs.{name}_stamp, jobs.{name})
        THEN excluded.{name}
        ELSE jobs.{name}
    END,
    {name}_stamp = max(excluded.{name}_stamp, jobs.{name}_stamp),"""

_ROW_REGISTER = """
    json_extract(value, '$.{name}'),
    coalesce(json_extract(value, '$.{name}_stamp'), -16),"""

# Of createdAt the lesser value wins at the same stamp. -2 is "never", in a stamp of a job -16.
MERGE_JOB = f"""
INSERT INTO jobs (
    job_id,
    {", ".join(f"{name}, {name}_stamp" for name in REGISTERS)},
    created_at, created_at_stamp,
    earliest_at, latest_at, born_at, deleted_at, arrived_at, told_since
)
SELECT
    json_extract(value, '$.job_id'),
    {"".join(_ROW_REGISTER.format(name=name) for name in (*REGISTERS, "created_at"))}
    json_extract(value, '$.earliest_at'),
    json_extract(value, '$.latest_at'),
    coalesce(json_extract(value, '$.born_at'), -2),
    coalesce(json_extract(value, '$.deleted_at'), -2),
    :now,
    :told_since
FROM json_each(:jobs)
WHERE true
ON CONFLICT (job_id) DO UPDATE SET
    {"".join(_MERGE_REGISTER.format(name=name) for name in REGISTERS)}
    created_at = CASE
        WHEN (excluded.created_at_stamp, -excluded.created_at) > (jobs.created_at_stamp, -jobs.created_at)
        THEN excluded.created_at
        ELSE jobs.created_at
    END,
    created_at_stamp = max(excluded.created_at_stamp, jobs.created_at_stamp),
    earliest_at = coalesce(min(excluded.earliest_at, jobs.earliest_at), excluded.earliest_at, jobs.earliest_at),
    latest_at = coalesce(max(excluded.latest_at, jobs.latest_at), excluded.latest_at, jobs.latest_at),
    born_at = max(excluded.born_at, jobs.born_at),
    deleted_at = max(excluded.deleted_at, jobs.deleted_at)
"""

# An execution's status yields to a greater (time, executionNumber, versionNumber, rank); absent is greater.
MERGE_EXECUTION = """
INSERT INTO executions (
    job_id, thing_name, status, status_at, execution_number, version_number, status_rank, pending_at
)
SELECT
    json_extract(value, '$.job_id'),
    json_extract(value, '$.thing_name'),
    json_extract(value, '$.status'),
    json_extract(value, '$.status_at'),
    json_extract(value, '$.execution_number'),
    json_extract(value, '$.version_number'),
    json_extract(value, '$.status_rank'),
    json_extract(value, '$.pending_at')
FROM json_each(:executions)
WHERE true
ON CONFLICT (job_id, thing_name) DO UPDATE SET
    status = excluded.status,
    status_at = excluded.status_at,
    execution_number = excluded.execution_number,
    version_number = excluded.version_number,
    status_rank = excluded.status_rank
WHERE (
    excluded.status_at,
    excluded.execution_number IS NULL,
    coalesce(excluded.execution_number, 0),
    excluded.version_number IS NULL,
    coalesce(excluded.version_number, 0),
    excluded.status_rank
) > (
    executions.status_at,
    executions.execution_number IS NULL,
    coalesce(executions.execution_number, 0),
    executions.version_number IS NULL,
    coalesce(executions.version_number, 0),
    executions.status_rank
)
"""

# When an execution was last seen pending.
MERGE_SIGHTING = """
UPDATE executions
SET pending_at = :pending_at
WHERE job_id = :job_id
AND thing_name = :thing_name
AND pending_at < :pending_at
"""

# The latest complete pending list of a thing; what it holds is in the sightings of its entries.
MERGE_PENDING_LIST = """
INSERT INTO pending_lists (thing_name, namespace_id, listed_at)
VALUES (:thing_name, :namespace_id, :listed_at)
ON CONFLICT (thing_name, namespace_id) DO UPDATE SET listed_at = excluded.listed_at
WHERE excluded.listed_at > pending_lists.listed_at
"""

MERGE_THING_GROUP = """
INSERT OR IGNORE INTO thing_groups (thing_group_name, thing_group_id)
VALUES (:thing_group_name, :thing_group_id)
"""

KEEP_REJECTED = """
INSERT OR IGNORE INTO rejected_messages (digest, rejected_at, topic, payload, reason)
VALUES (:digest, :now, :topic, :payload, :reason)
"""

# The newest rejected messages are kept, up to a number and to a sum of bytes.
DISCARD_REJECTED = """
DELETE FROM rejected_messages
WHERE rejected_message_id IN (
    SELECT rejected_message_id
    FROM (
        SELECT
            rejected_message_id,
            row_number() OVER newest_first AS messages,
            sum(length(payload) + length(CAST(topic AS BLOB))) OVER newest_first AS bytes
        FROM rejected_messages
        WINDOW newest_first AS (ORDER BY rejected_message_id DESC)
    )
    WHERE messages > :max_messages
    OR bytes > :max_bytes
)
"""

# What the batch may have changed, for the readings below; lives with the writing connection.
CREATE_CHANGED = """
CREATE TEMP TABLE changed_jobs (job_id TEXT NOT NULL PRIMARY KEY) WITHOUT ROWID;
CREATE TEMP TABLE changed_executions (
    job_id     TEXT NOT NULL,
    thing_name TEXT NOT NULL,
    PRIMARY KEY (job_id, thing_name)
) WITHOUT ROWID;
"""

CHANGED_JOB = """
INSERT OR IGNORE INTO changed_jobs (job_id)
SELECT json_extract(value, '$.job_id')
FROM json_each(:jobs)
"""

CHANGED_EXECUTION = """
INSERT OR IGNORE INTO changed_executions (job_id, thing_name)
SELECT json_extract(value, '$.job_id'), json_extract(value, '$.thing_name')
FROM json_each(:executions)
"""

# A deletion changes all executions of its job.
CHANGED_BY_DELETION = """
INSERT OR IGNORE INTO changed_executions
SELECT job_id, thing_name
FROM executions
WHERE job_id = :job_id
"""

# A pending list may end what is pending on its thing and was last seen before it.
CHANGED_BY_PENDING_LIST = """
INSERT OR IGNORE INTO changed_executions
SELECT job_id, thing_name
FROM executions
WHERE thing_name = :thing_name
AND has_ended = 0
AND pending_at < (SELECT max(listed_at) FROM pending_lists WHERE pending_lists.thing_name = :thing_name)
"""

READ_AGAIN = (
    # A job whose namespace has changed answers to other pending lists.
    """
    INSERT OR IGNORE INTO changed_executions
    SELECT executions.job_id, executions.thing_name
    FROM changed_jobs
    CROSS JOIN counted_jobs USING (job_id)
    LEFT JOIN job_summaries USING (job_id)
    CROSS JOIN executions USING (job_id)
    WHERE counted_jobs.namespace_id IS NOT job_summaries.namespace_id
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
    SET pending_at = -2
    WHERE (job_id, thing_name) IN (SELECT job_id, thing_name FROM changed_executions)
    AND pending_at > -2
    AND pending_at <= (SELECT deleted_at FROM jobs WHERE jobs.job_id = executions.job_id)
    """,
    # an execution without either is gone.
    """
    DELETE FROM executions
    WHERE (job_id, thing_name) IN (SELECT job_id, thing_name FROM changed_executions)
    AND status IS NULL
    AND pending_at = -2
    """,
    # An execution has ended by its status (QUEUED and IN_PROGRESS are the ranks below 3), or when a complete
    # list of its thing and of its job's namespace, later than its status and than its last sighting, leaves
    # it out: then with an outcome and at a time unknown.
    """
    UPDATE executions
    SET
        has_ended = CASE
            WHEN status IS NULL THEN NULL
            WHEN status_rank >= 3 THEN 1
            ELSE EXISTS (
                SELECT 1
                FROM pending_lists
                WHERE pending_lists.thing_name = executions.thing_name
                AND pending_lists.namespace_id = coalesce(
                    (SELECT namespace_id FROM counted_jobs WHERE counted_jobs.job_id = executions.job_id), ''
                )
                AND pending_lists.listed_at > executions.status_at
                AND pending_lists.listed_at > executions.pending_at
            )
        END,
        ended_at = CASE WHEN status_rank >= 3 AND status_at > -1 THEN status_at END
    WHERE (job_id, thing_name) IN (SELECT job_id, thing_name FROM changed_executions)
    """,
    "INSERT OR IGNORE INTO changed_jobs SELECT job_id FROM changed_executions",
    # The status told has it. Otherwise a job is COMPLETED when all its known executions have ended, of which
    # there must be one, and it is SNAPSHOT, or of unknown selection without a known thing group (a group's
    # rollout may go on); else IN_PROGRESS. A completedAt inferred is the greatest end, and is unknown when
    # an end is. What an unchanged row would say again is not written.
    """
    INSERT INTO job_summaries (
        job_id, created_at, namespace_id, status, target_selection, is_concurrent, thing_group_id,
        thing_group_name, completed_at, job_arn, latest_at, changed_at
    )
    SELECT
        job_id,
        coalesce(created_at, earliest_at, arrived_at),
        namespace_id,
        coalesce(status, CASE WHEN is_completed THEN 'COMPLETED' ELSE 'IN_PROGRESS' END),
        target_selection,
        is_concurrent,
        thing_group_id,
        only_group_name,
        coalesce(completed_at, CASE
            WHEN status IS NULL AND is_completed AND NOT EXISTS (
                SELECT 1
                FROM executions
                WHERE executions.job_id = counted.job_id AND has_ended = 1 AND ended_at IS NULL
            )
            THEN (
                SELECT max(ended_at)
                FROM executions
                WHERE executions.job_id = counted.job_id AND has_ended = 1
            )
        END),
        job_arn,
        latest_at,
        :now
    FROM (
        SELECT
            counted_jobs.*,
            EXISTS (
                SELECT 1 FROM executions WHERE executions.job_id = counted_jobs.job_id AND has_ended = 1
            )
            AND NOT EXISTS (
                SELECT 1 FROM executions WHERE executions.job_id = counted_jobs.job_id AND has_ended = 0
            )
            AND (
                target_selection IS 'SNAPSHOT'
                OR target_selection IS NULL AND NOT EXISTS (
                    SELECT 1 FROM counted_job_thing_groups AS known WHERE known.job_id = counted_jobs.job_id
                )
            ) AS is_completed,
            (
                SELECT CASE WHEN min(thing_group) = max(thing_group) THEN substr(min(thing_group), 6) END
                FROM counted_job_thing_groups AS known
                WHERE known.job_id = counted_jobs.job_id AND thing_group GLOB 'name:*'
            ) AS only_group_name
        FROM changed_jobs
        CROSS JOIN counted_jobs USING (job_id)
        WHERE is_visible
    ) AS counted
    WHERE true
    ON CONFLICT (job_id) DO UPDATE SET
        created_at = excluded.created_at,
        namespace_id = excluded.namespace_id,
        status = excluded.status,
        target_selection = excluded.target_selection,
        is_concurrent = excluded.is_concurrent,
        thing_group_id = excluded.thing_group_id,
        thing_group_name = excluded.thing_group_name,
        completed_at = excluded.completed_at,
        job_arn = excluded.job_arn,
        latest_at = excluded.latest_at,
        changed_at = excluded.changed_at
    WHERE (
        excluded.created_at, excluded.namespace_id, excluded.status, excluded.target_selection,
        excluded.is_concurrent, excluded.thing_group_id, excluded.thing_group_name, excluded.completed_at,
        excluded.job_arn, excluded.latest_at
    ) IS NOT (
        job_summaries.created_at, job_summaries.namespace_id, job_summaries.status,
        job_summaries.target_selection, job_summaries.is_concurrent, job_summaries.thing_group_id,
        job_summaries.thing_group_name, job_summaries.completed_at, job_summaries.job_arn,
        job_summaries.latest_at
    )
    """,
    """
    DELETE FROM job_summaries
    WHERE job_id IN (
        SELECT job_id FROM changed_jobs CROSS JOIN counted_jobs USING (job_id) WHERE NOT is_visible
    )
    """,
    # The groups of a job, each with the job's place in the list.
    """
    DELETE FROM job_thing_groups
    WHERE job_id IN (SELECT job_id FROM changed_jobs)
    AND (thing_group, created_at, job_id, namespace_id, kind) NOT IN (
        SELECT known.thing_group, created_at, job_id, coalesce(namespace_id, ''), kind
        FROM changed_jobs
        CROSS JOIN job_summaries USING (job_id)
        CROSS JOIN counted_job_thing_groups AS known USING (job_id)
    )
    """,
    """
    INSERT OR IGNORE INTO job_thing_groups (thing_group, created_at, job_id, namespace_id, kind)
    SELECT known.thing_group, created_at, job_id, coalesce(namespace_id, ''), kind
    FROM changed_jobs
    CROSS JOIN job_summaries USING (job_id)
    CROSS JOIN counted_job_thing_groups AS known USING (job_id)
    """,
    "DELETE FROM changed_jobs",
    "DELETE FROM changed_executions",
)
