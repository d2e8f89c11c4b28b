-- Syncs with AWS: their progress, the jobs and executions in their listings, and the differences that they found.

CREATE TABLE sync_runs (
    run_id                   INTEGER NOT NULL PRIMARY KEY,  -- greater for a later run
    run_kind                 TEXT NOT NULL,  -- 'job', 'pending', 'fill', 'active', 'all' or 'details'
    requested_at             INTEGER NOT NULL,
    job_id                   TEXT NOT NULL DEFAULT '',  -- of a run of one job; '' otherwise
    with_groups              INTEGER NOT NULL DEFAULT 0,
    started_at               INTEGER,
    ended_at                 INTEGER,  -- null while it is open
    as_of                    INTEGER,  -- when AWS answered its first call, by AWS's clock
    is_complete              INTEGER NOT NULL DEFAULT 0,
    phase                    TEXT NOT NULL DEFAULT '',
    position                 TEXT NOT NULL DEFAULT '{}',  -- JSON: the next call of the phase
    done                     INTEGER NOT NULL DEFAULT 0,  -- items of the phase that are done
    total                    INTEGER,  -- all its items; null if unknown
    row_count                INTEGER NOT NULL DEFAULT 0,
    calls                    INTEGER NOT NULL DEFAULT 0,
    throttled                INTEGER NOT NULL DEFAULT 0,
    differences              INTEGER NOT NULL DEFAULT 0,
    problems                 TEXT NOT NULL DEFAULT '[]'  -- JSON: texts
) STRICT;

CREATE INDEX sync_runs_open ON sync_runs (run_kind, run_id) WHERE ended_at IS NULL;
CREATE INDEX sync_runs_open_of_job ON sync_runs (job_id) WHERE ended_at IS NULL;
CREATE INDEX sync_runs_ended ON sync_runs (run_kind, run_id) WHERE ended_at IS NOT NULL;

-- A listing of a run has the job, or the execution.
CREATE TABLE sync_listed (
    run_id                   INTEGER NOT NULL,
    job_id                   TEXT NOT NULL,
    thing_name               TEXT NOT NULL,  -- '' for the job
    PRIMARY KEY (run_id, job_id, thing_name)
) STRICT, WITHOUT ROWID;

CREATE TABLE sync_differences (
    difference_id            INTEGER NOT NULL PRIMARY KEY,  -- greater for a later difference
    found_at                 INTEGER NOT NULL,
    run_id                   INTEGER NOT NULL,
    is_repaired              INTEGER NOT NULL,
    difference               TEXT NOT NULL,  -- its kind, for example 'job_missing'
    job_id                   TEXT NOT NULL,
    thing_name               TEXT,  -- null if it is about the job
    was                      TEXT,  -- in the index
    now                      TEXT  -- in AWS
) STRICT;

-- The times of the last complete syncs, by AWS's clock.
CREATE TABLE sync_times (
    the_one                  INTEGER NOT NULL PRIMARY KEY CHECK (the_one = 1),
    filled_at                INTEGER,
    reconciled_at            INTEGER
) STRICT;

-- The things of a thing group, as AWS listed them.
CREATE TABLE thing_group_members (
    thing_group_name         TEXT NOT NULL,
    thing_name               TEXT NOT NULL,
    run_id                   INTEGER NOT NULL,  -- the last run whose list of the group has the thing
    PRIMARY KEY (thing_group_name, thing_name)
) STRICT, WITHOUT ROWID;

-- The thing groups whose things AWS has listed completely.
CREATE TABLE thing_group_lists (
    thing_group_name         TEXT NOT NULL PRIMARY KEY,
    listed_at                INTEGER NOT NULL  -- when the last run that has done so began, by AWS's clock
) STRICT, WITHOUT ROWID;

ALTER TABLE job_changes ADD COLUMN origin TEXT NOT NULL DEFAULT 'message';  -- 'message', 'sync' or 'import'
