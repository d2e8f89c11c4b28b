-- A job's row in the list holds what a page reads, and what tells whether its place has changed; nothing twice.
--
-- `kind` is the status and the target selection as one number, as before. `listed` is the job in JSON, with a mark for
-- what is only known when it is read, as Python's `%` on bytes takes it: `%()b` is the beginning of the ARNs of jobs
-- that were told without one, `%(NAME)b` the member thingGroupId, where a message has tied an id to that name: a group
-- tied later need not rewrite its jobs. `told_groups` are the thing groups that the job was told with, the members of
-- a JSON array; `job_thing_groups` is made of them, as before, but that a job of more than eight, whatever kind they
-- are of, has 'many:NAME' in place of the pairs of names.

DROP VIEW counted_job_thing_groups;
DROP VIEW counted_jobs;

DROP INDEX job_summaries_by_kind;
DROP INDEX job_summaries_by_namespace;
ALTER TABLE job_summaries RENAME TO former_job_summaries;

-- A reading: where the job stands in job_summaries, null where it does not.
ALTER TABLE jobs ADD COLUMN listed_created_at INTEGER;

UPDATE jobs
SET listed_created_at = former.created_at
FROM former_job_summaries AS former
WHERE former.job_id = jobs.job_id;

-- The jobs as they read after their deletions: nothing stamped up to a deletion counts (8 ranks a time).
CREATE VIEW counted_jobs AS
SELECT
    *,
    nullif(trim(
        coalesce(substr(target_group_names, 2, length(target_group_names) - 2) || ',', '')
        || coalesce('"name:' || thing_group_name || '",', '')
        || coalesce('"id:' || thing_group_id || '"', ''),
        ','
    ), '') AS told_groups
FROM (
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
        arrived_at,
        listed_created_at
    FROM (SELECT *, deleted_at * 8 + 7 AS horizon FROM jobs)
);

CREATE TABLE job_summaries (
    created_at   INTEGER NOT NULL,
    job_id       TEXT    NOT NULL,
    kind         INTEGER NOT NULL,
    namespace_id TEXT,
    listed       TEXT    NOT NULL,
    told_groups  TEXT,
    changed_at   INTEGER,  -- when the row last changed, where no message of the job bears a time
    PRIMARY KEY (created_at, job_id)
) STRICT, WITHOUT ROWID;

INSERT INTO job_summaries (created_at, job_id, kind, namespace_id, listed, told_groups, changed_at)
SELECT
    former.created_at,
    job_id,
    kind,
    former.namespace_id,
    '{"jobArn":' || CASE
        WHEN former.job_arn IS NULL THEN '"%()b' || job_id || '"'
        ELSE replace(json_quote(former.job_arn), '%', '%%')
    END
    || ',"jobId":"' || job_id
    || '","status":"' || former.status || '"'
    || CASE former.is_concurrent
        WHEN 1 THEN ',"isConcurrent":true'
        WHEN 0 THEN ',"isConcurrent":false'
        ELSE ''
    END
    || coalesce(',"targetSelection":"' || former.target_selection || '"', '')
    || coalesce(
        ',"thingGroupId":"' || former.thing_group_id || '"', '%(' || former.thing_group_name || ')b', ''
    )
    || ',"createdAt":' || (former.created_at / 1000.0)
    || coalesce(',"completedAt":' || (former.completed_at / 1000.0), '')
    || ',"lastUpdatedAt":' || (coalesce(former.latest_at, changed_at) / 1000.0)
    || '}',
    told_groups,
    CASE WHEN former.latest_at IS NULL THEN changed_at END
FROM former_job_summaries AS former
CROSS JOIN counted_jobs USING (job_id)
ORDER BY former.created_at, job_id;

DROP TABLE former_job_summaries;  -- with its index by job: a job is found by `listed_created_at`

CREATE INDEX job_summaries_by_kind ON job_summaries (kind, created_at, job_id);
CREATE INDEX job_summaries_by_namespace ON job_summaries (namespace_id, kind, created_at, job_id);

-- In the order of a kind of the jobs of a group: who leaves open the kind merges a stream for each.
DROP TABLE job_thing_groups;

CREATE TABLE job_thing_groups (
    thing_group  TEXT    NOT NULL,
    kind         INTEGER NOT NULL,
    created_at   INTEGER NOT NULL,
    job_id       TEXT    NOT NULL,
    namespace_id TEXT    NOT NULL,  -- '' where the job has none
    PRIMARY KEY (thing_group, kind, created_at, job_id)
) STRICT, WITHOUT ROWID;

INSERT OR IGNORE INTO job_thing_groups (thing_group, kind, created_at, job_id, namespace_id)
SELECT
    CASE
        WHEN other.value = known.value THEN known.value
        WHEN other.value = 'many' THEN 'many:' || substr(known.value, 6)
        WHEN other.value GLOB 'id:*' THEN 'both:' || substr(known.value, 6) || '/' || substr(other.value, 4)
        ELSE 'names:' || substr(known.value, 6) || '/' || substr(other.value, 6)
    END,
    kind,
    created_at,
    job_id,
    coalesce(namespace_id, '')
FROM (SELECT *, '[' || told_groups || ']' AS told FROM job_summaries WHERE told_groups IS NOT NULL)
CROSS JOIN json_each(told) AS known
CROSS JOIN json_each(CASE
    WHEN json_array_length(told) <= 8 THEN told
    ELSE json_array(
        known.value, 'many', CASE WHEN json_extract(told, '$[#-1]') GLOB 'id:*' THEN json_extract(told, '$[#-1]') END
    )
END) AS other
WHERE other.value = known.value
OR known.value GLOB 'name:*' AND (other.value NOT GLOB 'name:*' OR other.value > known.value);

CREATE INDEX job_thing_groups_by_namespace ON job_thing_groups (thing_group, namespace_id, kind, created_at, job_id);
