-- The states of the pure core, and every fact that messages report; the rules are in jobindex/model/.
--
-- A batch is no longer merged in SQL: states are loaded, merged and written back. Times are milliseconds; those named
-- `second`, `seen_at`, `waited_at`, `published_at`, `listed_at` and `events_since` are whole seconds, as executions
-- compare. -2 is "never", -1 a message without any time, or no number; -16 is the stamp of a register that was never
-- reported. Derived columns follow from the others, and are worked out again for the rows that this migration makes:
-- `rebuild` holds how far that has come.

DROP VIEW counted_jobs;
DROP INDEX jobs_deleted;
DROP INDEX executions_ends;
DROP INDEX executions_pending;
DROP INDEX executions_by_thing;
DROP INDEX executions_waiting;
ALTER TABLE jobs RENAME CONSTRAINT jobs_pkey TO former_jobs_pkey;
ALTER TABLE executions RENAME CONSTRAINT executions_pkey TO former_executions_pkey;
ALTER TABLE pending_lists RENAME CONSTRAINT pending_lists_pkey TO former_pending_lists_pkey;
ALTER TABLE jobs RENAME TO former_jobs;
ALTER TABLE executions RENAME TO former_executions;
ALTER TABLE pending_lists RENAME TO former_pending_lists;
ALTER TABLE job_summaries RENAME COLUMN told_groups TO known_groups;
ALTER TABLE rejected_messages ADD COLUMN due_at BIGINT;
ALTER TABLE job_changes ALTER COLUMN is_status_reported TYPE BIGINT USING CAST(is_status_reported AS INTEGER);

CREATE TABLE jobs (
    job_id                   TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    namespace_id             TEXT COLLATE "C",
    namespace_id_stamp       BIGINT NOT NULL DEFAULT -16,
    status                   TEXT COLLATE "C",
    status_stamp             BIGINT NOT NULL DEFAULT -16,
    target_selection         TEXT COLLATE "C",
    target_selection_stamp   BIGINT NOT NULL DEFAULT -16,
    thing_group_id           TEXT COLLATE "C",
    thing_group_id_stamp     BIGINT NOT NULL DEFAULT -16,
    thing_group_name         TEXT COLLATE "C",
    thing_group_name_stamp   BIGINT NOT NULL DEFAULT -16,
    targets                  TEXT COLLATE "C",  -- JSON: sorted ARNs; of a group whose ARN was not kept (before 0007) `:thinggroup/NAME`
    targets_stamp            BIGINT NOT NULL DEFAULT -16,
    is_concurrent            BIGINT,
    is_concurrent_stamp      BIGINT NOT NULL DEFAULT -16,
    created_at               BIGINT,
    created_at_stamp         BIGINT NOT NULL DEFAULT -16,
    completed_at             BIGINT,
    completed_at_stamp       BIGINT NOT NULL DEFAULT -16,
    job_arn                  TEXT COLLATE "C",
    job_arn_stamp            BIGINT NOT NULL DEFAULT -16,
    description              TEXT COLLATE "C",
    description_stamp        BIGINT NOT NULL DEFAULT -16,
    comment                  TEXT COLLATE "C",
    comment_stamp            BIGINT NOT NULL DEFAULT -16,
    reason_code              TEXT COLLATE "C",
    reason_code_stamp        BIGINT NOT NULL DEFAULT -16,
    process_details          TEXT COLLATE "C",  -- JSON: jobProcessDetails
    process_details_stamp    BIGINT NOT NULL DEFAULT -16,
    deployment_id            TEXT COLLATE "C",
    deployment_id_stamp      BIGINT NOT NULL DEFAULT -16,
    deployment_name          TEXT COLLATE "C",
    deployment_name_stamp    BIGINT NOT NULL DEFAULT -16,
    configuration_arn        TEXT COLLATE "C",
    configuration_arn_stamp  BIGINT NOT NULL DEFAULT -16,
    document                 TEXT,  -- only with JOBINDEX_JOB_DOCUMENTS=keep
    document_stamp           BIGINT NOT NULL DEFAULT -16,
    earliest_at              BIGINT NOT NULL DEFAULT -1,  -- the least time reported of the job and its executions
    latest_at                BIGINT NOT NULL DEFAULT -1,  -- the greatest
    arrived_at               BIGINT NOT NULL,  -- when its first message was applied
    deleted_at               BIGINT NOT NULL DEFAULT -2,  -- the greatest time inside a deletion
    published_at             BIGINT NOT NULL DEFAULT -2,  -- the greatest second of its publication
    queued_executions        BIGINT NOT NULL DEFAULT 0,  -- derived: its executions in this state
    in_progress_executions   BIGINT NOT NULL DEFAULT 0,
    timed_out_executions     BIGINT NOT NULL DEFAULT 0,
    failed_executions        BIGINT NOT NULL DEFAULT 0,
    rejected_executions      BIGINT NOT NULL DEFAULT 0,
    removed_executions       BIGINT NOT NULL DEFAULT 0,
    canceled_executions      BIGINT NOT NULL DEFAULT 0,
    succeeded_executions     BIGINT NOT NULL DEFAULT 0,
    ended_executions         BIGINT NOT NULL DEFAULT 0,
    untimed_ends             BIGINT NOT NULL DEFAULT 0,  -- derived: of them have ended at an unknown time
    born_at                  BIGINT,  -- derived: the beginning of a later life; null in the first one, or when it is gone
    inferred_end_at          BIGINT,  -- derived: the last end of a job that is taken to be COMPLETED
    listed_created_at        BIGINT  -- derived: where it is in job_summaries; null if it is not listed
);

CREATE TABLE executions (
    job_id                   TEXT COLLATE "C" NOT NULL,
    thing_name               TEXT COLLATE "C" NOT NULL,
    queued_at                BIGINT NOT NULL DEFAULT -1,  -- -1: no attempt is known; of the current one, as the next columns up to is_details_cut
    execution_number         BIGINT NOT NULL DEFAULT -1,
    seen_at                  BIGINT NOT NULL DEFAULT -1,  -- the second of its last sighting
    waited_at                BIGINT NOT NULL DEFAULT -1,  -- the same as QUEUED
    is_started               BIGINT NOT NULL DEFAULT 0,  -- whether a sighting shows it IN_PROGRESS
    started_at               BIGINT NOT NULL DEFAULT -1,
    version_number           BIGINT NOT NULL DEFAULT -1,
    updated_at               BIGINT NOT NULL DEFAULT -1,
    details                  TEXT,  -- statusDetails, JSON, with their place in the order of reports:
    details_second           BIGINT,
    details_rank             BIGINT,
    details_version          BIGINT,
    is_details_cut           BIGINT,
    end_rank                 BIGINT,  -- of an end that names the attempt by its queuedAt
    end_at                   BIGINT,
    end_version              BIGINT,
    end_is_event             BIGINT,
    end_number               BIGINT,
    end_started_at           BIGINT,
    further                  TEXT,  -- JSON: [earlier attempts, reports that name no attempt, deletions]; null if there are none
    thing_arn                TEXT COLLATE "C",
    heard_at                 BIGINT NOT NULL DEFAULT -1,  -- the greatest time that a report bears
    state                    TEXT COLLATE "C",  -- derived: the status, or ENDED if only a list reports the end; null if it is not shown
    ended_at                 BIGINT,  -- derived
    waiting_since            BIGINT,  -- derived
    is_left_out              BIGINT NOT NULL DEFAULT 0,  -- derived: only a list says that it has ended
    born_at                  BIGINT,  -- derived: its least attempt in a later life of the job
    PRIMARY KEY (job_id, thing_name)
);

-- The lists of pending executions of each thing.
CREATE TABLE pending_lists (
    thing_name               TEXT COLLATE "C" NOT NULL,
    namespace_id             TEXT COLLATE "C" NOT NULL,  -- '' is the list of jobs without a namespace
    listed_at                BIGINT NOT NULL,  -- the second of the latest complete list
    entries                  TEXT NOT NULL,  -- JSON: [job id, second of queuedAt, executionNumber] of each
    cut_lists                TEXT NOT NULL,  -- JSON: [second, whether the last entry is QUEUED, second of its queuedAt] of each
    PRIMARY KEY (thing_name, namespace_id)
);

-- What is known of the source of all messages.
CREATE TABLE source (
    the_one                  INTEGER NOT NULL PRIMARY KEY CHECK (the_one = 1),
    arn_prefix               TEXT COLLATE "C",  -- of the last ARN reported
    arn_reported_at          BIGINT,
    events_since             BIGINT  -- the second of the first job event known to have been published
);

-- While a row is here, derived columns of jobs behind this id are not worked out yet.
CREATE TABLE rebuild (
    the_one                  INTEGER NOT NULL PRIMARY KEY CHECK (the_one = 1),
    job_id                   TEXT COLLATE "C" NOT NULL
);

INSERT INTO jobs (
    job_id,
    namespace_id, namespace_id_stamp,
    status, status_stamp,
    target_selection, target_selection_stamp,
    thing_group_id, thing_group_id_stamp,
    thing_group_name, thing_group_name_stamp,
    targets, targets_stamp,
    is_concurrent, is_concurrent_stamp,
    created_at, created_at_stamp,
    completed_at, completed_at_stamp,
    job_arn, job_arn_stamp,
    earliest_at, latest_at, arrived_at, deleted_at, published_at,
    queued_executions, in_progress_executions, timed_out_executions, failed_executions, rejected_executions, removed_executions, canceled_executions, succeeded_executions, ended_executions,
    untimed_ends, listed_created_at
)
SELECT
    job_id,
    namespace_id, namespace_id_stamp,
    status, status_stamp,
    target_selection, target_selection_stamp,
    thing_group_id, thing_group_id_stamp,
    thing_group_name, thing_group_name_stamp,
    replace(target_group_names, '"name:', '":thinggroup/'), target_group_names_stamp,
    is_concurrent, is_concurrent_stamp,
    created_at, created_at_stamp,
    completed_at, completed_at_stamp,
    job_arn, job_arn_stamp,
    coalesce(earliest_at, -1), coalesce(latest_at, -1), arrived_at, deleted_at,
    CASE WHEN deleted_at >= 0 THEN deleted_at / 1000 ELSE deleted_at END,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, listed_created_at
FROM former_jobs;

-- An execution that was queued becomes one attempt with the number and times that it has; a report that names no
-- attempt is one: of an end, of one that is pending and was not told when it was queued, and of a deletion.
INSERT INTO executions (
    job_id, thing_name, queued_at, execution_number, seen_at, waited_at, is_started, started_at, version_number,
    updated_at, further, heard_at
)
SELECT
    job_id,
    thing_name,
    CASE WHEN queued_at >= 0 THEN queued_at ELSE -1 END,
    CASE WHEN queued_at >= 0 THEN coalesce(execution_number, -1) ELSE -1 END,
    CASE WHEN queued_at >= 0 THEN GREATEST(pending_at / 1000, CASE WHEN status_rank < 3 THEN status_at / 1000 ELSE -1 END, queued_at / 1000) ELSE -1 END,
    CASE WHEN queued_at >= 0 THEN CASE WHEN status_rank = 1 THEN GREATEST(pending_at / 1000, CASE WHEN status_rank < 3 THEN status_at / 1000 ELSE -1 END, queued_at / 1000) ELSE queued_at / 1000 END ELSE -1 END,
    CASE WHEN queued_at >= 0 THEN CASE WHEN status_rank = 2 OR started_at >= queued_at THEN 1 ELSE 0 END ELSE 0 END,
    CASE WHEN queued_at >= 0 AND started_at >= queued_at THEN started_at ELSE -1 END,
    CASE WHEN queued_at >= 0 AND status_rank < 3 THEN coalesce(version_number, -1) ELSE -1 END,
    CASE WHEN queued_at >= 0 THEN CASE WHEN status_rank < 3 AND status_at >= 0 THEN status_at ELSE queued_at END ELSE -1 END,
    CASE
        WHEN status_rank BETWEEN 3 AND 8 THEN
            '[[],[[' || CASE WHEN status_at >= 0 THEN status_at / 1000 ELSE -1 END || ',' || status_rank || ','
            || coalesce(version_number, -1) || ',true,' || coalesce(execution_number, -1) || ','
            || GREATEST(status_at, -1) || ',-1]],[]]'
        WHEN status_rank = 9 THEN
            '[[],[],[[-1,' || CASE WHEN status_at >= 0 THEN status_at / 1000 ELSE -1 END || ']]]'
        WHEN queued_at < 0 THEN
            '[[],[[' || GREATEST(CASE WHEN status_at >= 0 THEN status_at / 1000 ELSE -1 END, CASE WHEN pending_at >= 0 THEN pending_at / 1000 ELSE -1 END) || ','
            || status_rank || ',' || coalesce(version_number, -1) || ',false,' || coalesce(execution_number, -1) || ','
            || GREATEST(status_at, pending_at, -1) || ',' || GREATEST(started_at, -1) || ']],[]]'
    END,
    GREATEST(status_at, pending_at, queued_at, started_at, -1)
FROM former_executions;

-- A list held what it was the last to show.
CREATE INDEX former_executions_listed ON former_executions (thing_name, pending_at);

INSERT INTO pending_lists (thing_name, namespace_id, listed_at, entries, cut_lists)
SELECT
    thing_name,
    namespace_id,
    listed_at / 1000,
    '[' || coalesce((
        SELECT string_agg(
            '["' || former_executions.job_id || '",'
            || CASE WHEN queued_at >= 0 THEN queued_at / 1000 ELSE -1 END || ','
            || CASE WHEN status_rank < 3 THEN coalesce(execution_number, -1) ELSE -1 END || ']', ','
        )
        FROM former_executions
        JOIN jobs ON jobs.job_id = former_executions.job_id
        WHERE former_executions.thing_name = former_pending_lists.thing_name
        AND former_executions.pending_at = former_pending_lists.listed_at
        AND coalesce(jobs.namespace_id, '') = former_pending_lists.namespace_id
    ), '') || ']',
    '[]'
FROM former_pending_lists;

DROP TABLE former_jobs;
DROP TABLE former_executions;
DROP TABLE former_pending_lists;
DELETE FROM namespace_executions;
INSERT INTO rebuild (the_one, job_id) SELECT 1, '' FROM jobs LIMIT 1;

CREATE INDEX jobs_deleted ON jobs (deleted_at, job_id) WHERE deleted_at > -2;
CREATE INDEX jobs_inferred ON jobs (inferred_end_at) WHERE inferred_end_at IS NOT NULL;
CREATE INDEX executions_ends ON executions (job_id, ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX executions_births ON executions (job_id, born_at) WHERE born_at IS NOT NULL;
CREATE INDEX executions_pending ON executions (thing_name) WHERE state IN ('QUEUED', 'IN_PROGRESS');
CREATE INDEX executions_left_out ON executions (thing_name) WHERE is_left_out = 1;
CREATE INDEX executions_by_thing ON executions (thing_name, queued_at, job_id);
CREATE INDEX executions_waiting ON executions (waiting_since, job_id, thing_name) WHERE waiting_since IS NOT NULL;
CREATE INDEX rejected_messages_due ON rejected_messages (due_at) WHERE due_at IS NOT NULL;
