-- What ListJobs reads, kept as it is asked for: a page costs the same at any size and with any filters.
--
-- Jobs lie in the order of the list, so that a page's rows lie together. `kind` is the status and the target
-- selection as one number (a status is three kinds), so that two indexes serve all filters on the job itself: a
-- question that leaves open a status or a selection merges a stream for each of its kinds (15 at most), each
-- already in order. `listed` is the job in JSON, ready but for what is only known when it is read:
--
-- - it follows `{"jobArn":"` and the beginning of the ARNs of jobs that were told without one; char(1) takes that
--   beginning back;
-- - the name between two char(2) stands for the member thingGroupId, where a message has tied an id to it: a
--   group tied later need not rewrite its jobs.

DROP VIEW counted_job_thing_groups;

ALTER TABLE job_summaries RENAME TO former_job_summaries;
DROP TABLE job_thing_groups;

CREATE TABLE job_summaries (
    created_at       INTEGER NOT NULL,
    job_id           TEXT    NOT NULL,
    namespace_id     TEXT,
    status           TEXT    NOT NULL,
    target_selection TEXT,
    is_concurrent    INTEGER,
    thing_group_id   TEXT,     -- as told for the job
    thing_group_name TEXT,     -- its only group name, null where it has none or several
    completed_at     INTEGER,
    job_arn          TEXT,
    latest_at        INTEGER,  -- null where no message bore a time
    changed_at       INTEGER NOT NULL,
    kind             INTEGER GENERATED ALWAYS AS (
        CASE status
            WHEN 'SCHEDULED' THEN 0
            WHEN 'IN_PROGRESS' THEN 3
            WHEN 'COMPLETED' THEN 6
            WHEN 'CANCELED' THEN 9
            WHEN 'DELETION_IN_PROGRESS' THEN 12
        END
        + CASE WHEN target_selection IS NULL THEN 0 WHEN target_selection = 'CONTINUOUS' THEN 1 ELSE 2 END
    ) VIRTUAL,
    listed           TEXT GENERATED ALWAYS AS (
        CASE
            WHEN job_arn IS NULL THEN job_id
            ELSE char(1) || substr(json_quote(job_arn), 2, length(json_quote(job_arn)) - 2)
        END
        || '","jobId":"' || job_id
        || '","status":"' || status || '"'
        || CASE is_concurrent WHEN 1 THEN ',"isConcurrent":true' WHEN 0 THEN ',"isConcurrent":false' ELSE '' END
        || coalesce(',"targetSelection":"' || target_selection || '"', '')
        || coalesce(',"thingGroupId":"' || thing_group_id || '"', char(2) || thing_group_name || char(2), '')
        || ',"createdAt":' || (created_at / 1000.0)
        || ',"lastUpdatedAt":' || (coalesce(latest_at, changed_at) / 1000.0)
        || coalesce(',"completedAt":' || (completed_at / 1000.0), '')
        || '}'
    ) STORED,
    PRIMARY KEY (created_at, job_id)
) STRICT, WITHOUT ROWID;

INSERT INTO job_summaries (
    created_at, job_id, namespace_id, status, target_selection, is_concurrent, thing_group_id, thing_group_name,
    completed_at, job_arn, latest_at, changed_at
)
SELECT
    created_at, job_id, namespace_id, status, target_selection, is_concurrent, thing_group_id, thing_group_name,
    completed_at, job_arn, latest_at, changed_at
FROM former_job_summaries
ORDER BY created_at, job_id;

DROP TABLE former_job_summaries;

CREATE UNIQUE INDEX job_summaries_by_job ON job_summaries (job_id);
CREATE INDEX job_summaries_by_kind ON job_summaries (kind, created_at, job_id);
CREATE INDEX job_summaries_by_namespace ON job_summaries (namespace_id, kind, created_at, job_id);

-- The thing groups of each job in job_summaries, as told, 'name:NAME' and 'id:ID', and two together, 'both:NAME/ID'
-- and 'names:NAME/NAME' (the lesser first); a job of more groups than eight has 'many:NAME' in place of the pairs of
-- names. With what else is asked of the jobs of a group.
CREATE TABLE job_thing_groups (
    thing_group  TEXT    NOT NULL,
    created_at   INTEGER NOT NULL,
    job_id       TEXT    NOT NULL,
    namespace_id TEXT    NOT NULL,  -- '' where the job has none
    kind         INTEGER NOT NULL,
    PRIMARY KEY (thing_group, created_at, job_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX job_thing_groups_by_job ON job_thing_groups (job_id);
CREATE INDEX job_thing_groups_by_kind ON job_thing_groups (thing_group, kind, created_at, job_id);
CREATE INDEX job_thing_groups_by_namespace ON job_thing_groups (thing_group, namespace_id, kind, created_at, job_id);

-- The thing groups that each job was told with, as in job_thing_groups; one may stand here twice. Arrays rather
-- than a UNION, which SQLite makes for all jobs before it looks for one: each group with each, where they are few.
CREATE VIEW counted_job_thing_groups AS
SELECT
    job_id,
    CASE
        WHEN other.value = known.value THEN known.value
        WHEN other.value = 'many' THEN 'many:' || substr(known.value, 6)
        WHEN other.value GLOB 'id:*' THEN 'both:' || substr(known.value, 6) || '/' || substr(other.value, 4)
        ELSE 'names:' || substr(known.value, 6) || '/' || substr(other.value, 6)
    END AS thing_group
FROM (
    SELECT
        *,
        json_insert(
            coalesce(target_group_names, '[]'),
            '$[#]', 'name:' || thing_group_name,
            '$[#]', 'id:' || thing_group_id
        ) AS told
    FROM counted_jobs
)
CROSS JOIN json_each(told) AS known
CROSS JOIN json_each(CASE
    WHEN json_array_length(told) <= 10 THEN told
    ELSE json_array(known.value, 'many', 'id:' || thing_group_id)
END) AS other
WHERE known.value IS NOT NULL
AND other.value IS NOT NULL
AND (
    other.value = known.value
    OR known.value GLOB 'name:*' AND (other.value NOT GLOB 'name:*' OR other.value > known.value)
);

INSERT OR IGNORE INTO job_thing_groups (thing_group, created_at, job_id, namespace_id, kind)
SELECT known.thing_group, created_at, job_id, coalesce(namespace_id, ''), kind
FROM job_summaries
CROSS JOIN counted_job_thing_groups AS known USING (job_id);
