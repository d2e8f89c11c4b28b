-- Changes of many rows that a message causes, deferred to steps of their own.

CREATE TABLE deferred_work (
    work                     TEXT COLLATE "C" NOT NULL,  -- 'job', 'thing' or 'inferred'
    name                     TEXT COLLATE "C" NOT NULL,  -- of the job or the thing; '' for 'inferred'
    reached                  TEXT COLLATE "C" NOT NULL DEFAULT '',  -- the key of the last row that was viewed again
    is_again                 BIGINT NOT NULL DEFAULT 0,  -- whether it has become work again since it began
    reason                   TEXT COLLATE "C",  -- why the database refuses its next step; null if it does not
    PRIMARY KEY (work, name)
);

-- A step reads a thing's executions in the order of their jobs.
DROP INDEX executions_pending;
DROP INDEX executions_left_out;
CREATE INDEX executions_pending ON executions (thing_name, job_id) WHERE state IN ('QUEUED', 'IN_PROGRESS');
CREATE INDEX executions_left_out ON executions (thing_name, job_id) WHERE is_left_out = 1;

-- A restricted reader finds jobs by the beginning of their ids, in its namespaces only.
CREATE INDEX job_summaries_by_id ON job_summaries (namespace_id, job_id);
