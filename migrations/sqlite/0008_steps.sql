-- Changes of many rows that a message causes, deferred to steps of their own.

CREATE TABLE deferred_work (
    work                     TEXT NOT NULL,  -- 'job', 'thing' or 'inferred'
    name                     TEXT NOT NULL,  -- of the job or the thing; '' for 'inferred'
    reached                  TEXT NOT NULL DEFAULT '',  -- the key of the last row that was viewed again
    is_again                 INTEGER NOT NULL DEFAULT 0,  -- whether it has become work again since it began
    reason                   TEXT,  -- why the database refuses its next step; null if it does not
    PRIMARY KEY (work, name)
) STRICT, WITHOUT ROWID;

-- A restricted reader finds jobs by the beginning of their ids, in its namespaces only.
CREATE INDEX job_summaries_by_id ON job_summaries (namespace_id, job_id);
