-- Syncs with AWS: their progress, the jobs and executions in their listings, and the differences that they found.

CREATE TABLE sync_runs (
    run_id                   BIGINT NOT NULL PRIMARY KEY,  -- greater for a later run
    run_kind                 TEXT COLLATE "C" NOT NULL,  -- 'job', 'pending', 'fill', 'active', 'all' or 'details'
    requested_at             BIGINT NOT NULL,
    job_id                   TEXT COLLATE "C" NOT NULL DEFAULT '',  -- of a run of one job; '' otherwise
    with_groups              BIGINT NOT NULL DEFAULT 0,
    started_at               BIGINT,
    ended_at                 BIGINT,  -- null while it is open
    as_of                    BIGINT,  -- when AWS answered its first call, by AWS's clock
    is_complete              BIGINT NOT NULL DEFAULT 0,
    phase                    TEXT COLLATE "C" NOT NULL DEFAULT '',
    position                 TEXT COLLATE "C" NOT NULL DEFAULT '{}',  -- JSON: the next call of the phase
    done                     BIGINT NOT NULL DEFAULT 0,  -- items of the phase that are done
    total                    BIGINT,  -- all its items; null if unknown
    row_count                BIGINT NOT NULL DEFAULT 0,
    calls                    BIGINT NOT NULL DEFAULT 0,
    throttled                BIGINT NOT NULL DEFAULT 0,
    differences              BIGINT NOT NULL DEFAULT 0,
    problems                 TEXT COLLATE "C" NOT NULL DEFAULT '[]'  -- JSON: texts
);

CREATE INDEX sync_runs_open ON sync_runs (run_kind, run_id) WHERE ended_at IS NULL;
CREATE INDEX sync_runs_open_of_job ON sync_runs (job_id) WHERE ended_at IS NULL;
CREATE INDEX sync_runs_ended ON sync_runs (run_kind, run_id) WHERE ended_at IS NOT NULL;

-- A listing of a run has the job, or the execution.
CREATE TABLE sync_listed (
    run_id                   BIGINT NOT NULL,
    job_id                   TEXT COLLATE "C" NOT NULL,
    thing_name               TEXT COLLATE "C" NOT NULL,  -- '' for the job
    PRIMARY KEY (run_id, job_id, thing_name)
);

CREATE TABLE sync_differences (
    difference_id            BIGINT NOT NULL PRIMARY KEY,  -- greater for a later difference
    found_at                 BIGINT NOT NULL,
    run_id                   BIGINT NOT NULL,
    is_repaired              BIGINT NOT NULL,
    difference               TEXT COLLATE "C" NOT NULL,  -- its kind, for example 'job_missing'
    job_id                   TEXT COLLATE "C" NOT NULL,
    thing_name               TEXT COLLATE "C",  -- null if it is about the job
    was                      TEXT COLLATE "C",  -- in the index
    now                      TEXT COLLATE "C"  -- in AWS
);

-- The times of the last complete syncs, by AWS's clock.
CREATE TABLE sync_times (
    the_one                  INTEGER NOT NULL PRIMARY KEY CHECK (the_one = 1),
    filled_at                BIGINT,
    reconciled_at            BIGINT
);

-- The things of a thing group, as AWS listed them.
CREATE TABLE thing_group_members (
    thing_group_name         TEXT COLLATE "C" NOT NULL,
    thing_name               TEXT COLLATE "C" NOT NULL,
    run_id                   BIGINT NOT NULL,  -- the last run whose list of the group has the thing
    PRIMARY KEY (thing_group_name, thing_name)
);

-- The thing groups whose things AWS has listed completely.
CREATE TABLE thing_group_lists (
    thing_group_name         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    listed_at                BIGINT NOT NULL  -- when the last run that has done so began, by AWS's clock
);

ALTER TABLE job_changes ADD COLUMN origin TEXT COLLATE "C" NOT NULL DEFAULT 'message';  -- 'message', 'sync' or 'import'
