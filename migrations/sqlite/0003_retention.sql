-- Retention: what was told before the horizon no longer makes a job; `sqlite_retention.py` has the rules.

-- The greatest horizon so far, in milliseconds since the epoch, in at most one row.
CREATE TABLE retention (
    the_one INTEGER PRIMARY KEY CHECK (the_one = 1),
    horizon INTEGER NOT NULL
) STRICT;

-- The horizon when the row was made: nothing stamped before it counts for this job. -2: there was none.
ALTER TABLE jobs ADD COLUMN told_since INTEGER NOT NULL DEFAULT -2;

CREATE INDEX jobs_deleted ON jobs (deleted_at, job_id) WHERE deleted_at > -2;
