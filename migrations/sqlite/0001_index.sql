-- The index: what messages told (registers), and what ListJobs reads (readings).
--
-- Times are milliseconds since the epoch. In a stamp, -1 stands for a message without any time and -2 for
-- "never told", so that one comparison of integers orders them as the merge rules do.
--
-- A job's register is a value with its stamp: time * 8 + rank, which orders as the pair (time, rank) does
-- (six ranks: none and five statuses); -16 is -2 * 8. Registers are never cleared: what a deletion hides is
-- left out when they are read.

CREATE TABLE jobs (
    job_id                   TEXT    NOT NULL PRIMARY KEY,
    namespace_id             TEXT,
    namespace_id_stamp       INTEGER NOT NULL,
    status                   TEXT,
    status_stamp             INTEGER NOT NULL,
    target_selection         TEXT,
    target_selection_stamp   INTEGER NOT NULL,
    thing_group_id           TEXT,
    thing_group_id_stamp     INTEGER NOT NULL,
    thing_group_name         TEXT,
    thing_group_name_stamp   INTEGER NOT NULL,
    target_group_names       TEXT,              -- JSON, sorted, each name as in job_thing_groups
    target_group_names_stamp INTEGER NOT NULL,
    is_concurrent            INTEGER,
    is_concurrent_stamp      INTEGER NOT NULL,
    created_at               INTEGER,
    created_at_stamp         INTEGER NOT NULL,
    completed_at             INTEGER,
    completed_at_stamp       INTEGER NOT NULL,
    job_arn                  TEXT,
    job_arn_stamp            INTEGER NOT NULL,
    earliest_at              INTEGER,           -- the least queuedAt or time told
    latest_at                INTEGER,           -- the greatest time told
    born_at                  INTEGER NOT NULL,  -- the greatest createdAt or queuedAt told
    deleted_at               INTEGER NOT NULL,  -- the greatest time of a deletion
    arrived_at               INTEGER NOT NULL   -- when its first message was applied
) STRICT;

CREATE TABLE executions (
    job_id           TEXT    NOT NULL,
    thing_name       TEXT    NOT NULL,
    status           TEXT,              -- null: only known to have been pending
    status_at        INTEGER NOT NULL,  -- with the next three the stamp of the status
    execution_number INTEGER,           -- null: absent, greater than any
    version_number   INTEGER,           -- null: absent, greater than any
    status_rank      INTEGER NOT NULL,
    pending_at       INTEGER NOT NULL,  -- the greatest timestamp of a pending list that shows it
    has_ended        INTEGER,           -- a reading: of the status, or of a pending list that leaves it out
    ended_at         INTEGER,           -- a reading: null where the time of the end is unknown
    PRIMARY KEY (job_id, thing_name)
) STRICT, WITHOUT ROWID;

CREATE INDEX executions_ends ON executions (job_id, has_ended, ended_at);
CREATE INDEX executions_pending ON executions (thing_name) WHERE has_ended = 0;

-- The latest complete list of pending executions of each thing; its entries are in executions.pending_at.
CREATE TABLE pending_lists (
    thing_name   TEXT    NOT NULL,
    namespace_id TEXT    NOT NULL,  -- '' is the list of jobs without a namespace
    listed_at    INTEGER NOT NULL,
    PRIMARY KEY (thing_name, namespace_id)
) STRICT, WITHOUT ROWID;

-- Every thing group that a message ever named; a row with both ties them.
CREATE TABLE thing_groups (
    thing_group_name TEXT NOT NULL,  -- '' where only the id was told
    thing_group_id   TEXT NOT NULL,  -- '' where only the name was told
    PRIMARY KEY (thing_group_name, thing_group_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX thing_groups_by_id ON thing_groups (thing_group_id);

CREATE TABLE rejected_messages (
    rejected_message_id INTEGER PRIMARY KEY,
    digest              BLOB    NOT NULL UNIQUE,  -- of topic and payload: a repeated message is one row
    rejected_at         INTEGER NOT NULL,
    topic               TEXT    NOT NULL,
    payload             BLOB    NOT NULL,
    reason              TEXT    NOT NULL
) STRICT;

-- The topic filters that the broker's session may still hold.
CREATE TABLE subscriptions (
    topic_filter TEXT NOT NULL PRIMARY KEY
) STRICT, WITHOUT ROWID;

-- What ListJobs reads: a row for each job that is not deleted.
CREATE TABLE job_summaries (
    job_id           TEXT    NOT NULL PRIMARY KEY,
    created_at       INTEGER NOT NULL,
    namespace_id     TEXT,
    status           TEXT    NOT NULL,
    target_selection TEXT,
    is_concurrent    INTEGER,
    thing_group_id   TEXT,     -- as told for the job
    thing_group_name TEXT,     -- its only group name, null where it has none or several
    completed_at     INTEGER,
    job_arn          TEXT,
    latest_at        INTEGER,  -- null where no message bore a time
    changed_at       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX job_summaries_newest ON job_summaries (created_at, job_id);
CREATE INDEX job_summaries_by_namespace ON job_summaries (namespace_id, created_at, job_id);
CREATE INDEX job_summaries_by_status ON job_summaries (status, created_at, job_id);
CREATE INDEX job_summaries_by_target_selection ON job_summaries (target_selection, created_at, job_id);

-- The thing groups of each job in job_summaries, as told: 'name:NAME' and 'id:ID'.
CREATE TABLE job_thing_groups (
    thing_group TEXT    NOT NULL,
    created_at  INTEGER NOT NULL,
    job_id      TEXT    NOT NULL,
    PRIMARY KEY (thing_group, created_at, job_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX job_thing_groups_by_job ON job_thing_groups (job_id);

-- The jobs as they read after their deletions: nothing stamped up to a deletion counts (8 ranks a time).
CREATE VIEW counted_jobs AS
SELECT
    job_id,
    deleted_at = -2 OR born_at > deleted_at AS is_visible,
    CASE WHEN namespace_id_stamp > horizon THEN namespace_id END AS namespace_id,
    CASE WHEN status_stamp > horizon THEN status END AS status,
    CASE WHEN target_selection_stamp > horizon THEN target_selection END AS target_selection,
    CASE WHEN thing_group_id_stamp > horizon THEN thing_group_id END AS thing_group_id,
    CASE WHEN thing_group_name_stamp > horizon THEN thing_group_name END AS thing_group_name,
    CASE WHEN target_group_names_stamp > horizon THEN target_group_names END AS target_group_names,
    CASE WHEN is_concurrent_stamp > horizon THEN is_concurrent END AS is_concurrent,
    CASE WHEN created_at_stamp > horizon AND created_at > deleted_at THEN created_at END AS created_at,
    CASE WHEN completed_at_stamp > horizon THEN completed_at END AS completed_at,
    CASE WHEN job_arn_stamp > horizon THEN job_arn END AS job_arn,
    max(earliest_at, deleted_at) AS earliest_at,
    latest_at,
    deleted_at,
    arrived_at
FROM (SELECT *, deleted_at * 8 + 7 AS horizon FROM jobs);

-- The thing groups that each job was told with, as in job_thing_groups; one may stand here twice. An array
-- rather than a UNION, which SQLite makes for all jobs before it looks for one.
CREATE VIEW counted_job_thing_groups AS
SELECT job_id, known.value AS thing_group
FROM counted_jobs
CROSS JOIN json_each(json_insert(
    coalesce(target_group_names, '[]'),
    '$[#]', 'name:' || thing_group_name,
    '$[#]', 'id:' || thing_group_id
)) AS known
WHERE known.value IS NOT NULL;
