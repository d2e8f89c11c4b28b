-- What is asked beside ListJobs: executions by thing and by how long they wait, counts by namespace, changes of jobs.

ALTER TABLE executions ADD COLUMN queued_at INTEGER NOT NULL DEFAULT -2;   -- the greatest queuedAt told
ALTER TABLE executions ADD COLUMN started_at INTEGER NOT NULL DEFAULT -2;  -- the greatest startedAt told
ALTER TABLE executions ADD COLUMN waiting_since INTEGER;  -- a reading: null where it has ended, or since when is unknown

UPDATE executions SET waiting_since = nullif(status_at, -1) WHERE has_ended = 0;

CREATE INDEX executions_by_thing ON executions (thing_name, queued_at);
CREATE INDEX executions_waiting ON executions (waiting_since) WHERE waiting_since IS NOT NULL;

-- The readings counted, kept as they change: '' stands for the jobs without a namespace. No row says 0 for long.
CREATE TABLE namespace_jobs (
    namespace_id TEXT    NOT NULL,
    kind         INTEGER NOT NULL,  -- as in job_summaries
    jobs         INTEGER NOT NULL,
    PRIMARY KEY (namespace_id, kind)
) STRICT, WITHOUT ROWID;

CREATE INDEX namespace_jobs_none ON namespace_jobs (jobs) WHERE jobs = 0;

CREATE TABLE namespace_executions (
    namespace_id TEXT    NOT NULL,
    state        TEXT    NOT NULL,  -- the status, or ENDED where only a pending list told the end
    executions   INTEGER NOT NULL,
    PRIMARY KEY (namespace_id, state)
) STRICT, WITHOUT ROWID;

CREATE INDEX namespace_executions_none ON namespace_executions (executions) WHERE executions = 0;

INSERT INTO namespace_jobs (namespace_id, kind, jobs)
SELECT coalesce(namespace_id, ''), kind, count(*)
FROM job_summaries
GROUP BY 1, 2;

INSERT INTO namespace_executions (namespace_id, state, executions)
SELECT
    coalesce(job_summaries.namespace_id, ''),
    CASE WHEN status_rank < 3 AND has_ended = 1 THEN 'ENDED' ELSE executions.status END,
    count(*)
FROM jobs
CROSS JOIN job_summaries ON (job_summaries.created_at, job_summaries.job_id) = (listed_created_at, jobs.job_id)
CROSS JOIN executions ON executions.job_id = jobs.job_id
WHERE executions.status <> 'DELETED'
GROUP BY 1, 2;

-- How often a batch changed a job of a namespace in an hour: a ring of 24 rows, of which the last stays.
CREATE TABLE namespace_activity (
    namespace_id TEXT    NOT NULL,
    slot         INTEGER NOT NULL,  -- the hour since the epoch, modulo 24
    hour         INTEGER NOT NULL,
    changes      INTEGER NOT NULL,
    changed_at   INTEGER NOT NULL,
    PRIMARY KEY (namespace_id, slot)
) STRICT, WITHOUT ROWID;

-- How each job read after a batch that changed its status, its namespace or whether it is listed; the last hundred.
CREATE TABLE job_changes (
    job_id             TEXT    NOT NULL,
    changed_at         INTEGER NOT NULL,  -- when the batch arrived
    status             INTEGER,           -- the kind of the status, as in job_summaries; null: no longer listed
    former_status      INTEGER,           -- null: not listed before
    namespace_id       TEXT,
    is_status_reported INTEGER NOT NULL,
    PRIMARY KEY (job_id, changed_at)
) STRICT, WITHOUT ROWID;
