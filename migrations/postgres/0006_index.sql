-- The index as migration 6 of SQLite leaves it, where each table is explained. The numbers of both engines say the same.
--
-- Texts are compared by their bytes, as positions of pages are, whatever the database's own order is. Every unique key
-- holds `job_id` where a table has one, so that an engine that spreads tables can spread them by it.

CREATE TABLE jobs (
    job_id                   TEXT    COLLATE "C" NOT NULL PRIMARY KEY,
    namespace_id             TEXT    COLLATE "C",
    namespace_id_stamp       BIGINT  NOT NULL,
    status                   TEXT    COLLATE "C",
    status_stamp             BIGINT  NOT NULL,
    target_selection         TEXT    COLLATE "C",
    target_selection_stamp   BIGINT  NOT NULL,
    thing_group_id           TEXT    COLLATE "C",
    thing_group_id_stamp     BIGINT  NOT NULL,
    thing_group_name         TEXT    COLLATE "C",
    thing_group_name_stamp   BIGINT  NOT NULL,
    target_group_names       TEXT    COLLATE "C",
    target_group_names_stamp BIGINT  NOT NULL,
    is_concurrent            INTEGER,
    is_concurrent_stamp      BIGINT  NOT NULL,
    created_at               BIGINT,
    created_at_stamp         BIGINT  NOT NULL,
    completed_at             BIGINT,
    completed_at_stamp       BIGINT  NOT NULL,
    job_arn                  TEXT    COLLATE "C",
    job_arn_stamp            BIGINT  NOT NULL,
    earliest_at              BIGINT,
    latest_at                BIGINT,
    born_at                  BIGINT  NOT NULL,
    deleted_at               BIGINT  NOT NULL,
    arrived_at               BIGINT  NOT NULL,
    told_since               BIGINT  NOT NULL DEFAULT -2,
    listed_created_at        BIGINT
);

CREATE INDEX jobs_deleted ON jobs (deleted_at, job_id) WHERE deleted_at > -2;

CREATE TABLE executions (
    job_id           TEXT    COLLATE "C" NOT NULL,
    thing_name       TEXT    COLLATE "C" NOT NULL,
    status           TEXT    COLLATE "C",
    status_at        BIGINT  NOT NULL,
    execution_number BIGINT,
    version_number   BIGINT,
    status_rank      INTEGER NOT NULL,
    pending_at       BIGINT  NOT NULL,
    has_ended        INTEGER,
    ended_at         BIGINT,
    queued_at        BIGINT  NOT NULL DEFAULT -2,
    started_at       BIGINT  NOT NULL DEFAULT -2,
    waiting_since    BIGINT,
    PRIMARY KEY (job_id, thing_name)
);

CREATE INDEX executions_ends ON executions (job_id, has_ended, ended_at);
CREATE INDEX executions_pending ON executions (thing_name) WHERE has_ended = 0;
CREATE INDEX executions_by_thing ON executions (thing_name, queued_at, job_id);
CREATE INDEX executions_waiting ON executions (waiting_since, job_id, thing_name) WHERE waiting_since IS NOT NULL;

CREATE TABLE pending_lists (
    thing_name   TEXT   COLLATE "C" NOT NULL,
    namespace_id TEXT   COLLATE "C" NOT NULL,
    listed_at    BIGINT NOT NULL,
    PRIMARY KEY (thing_name, namespace_id)
);

CREATE TABLE thing_groups (
    thing_group_name TEXT COLLATE "C" NOT NULL,
    thing_group_id   TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (thing_group_name, thing_group_id)
);

CREATE INDEX thing_groups_by_id ON thing_groups (thing_group_id);

CREATE TABLE rejected_messages (
    rejected_message_id BIGINT NOT NULL PRIMARY KEY,
    digest              BYTEA  NOT NULL UNIQUE,
    rejected_at         BIGINT NOT NULL,
    topic               TEXT   NOT NULL,
    payload             BYTEA  NOT NULL,
    reason              TEXT   NOT NULL
);

CREATE TABLE subscriptions (
    topic_filter TEXT COLLATE "C" NOT NULL PRIMARY KEY
);

CREATE TABLE session (
    the_one        INTEGER NOT NULL PRIMARY KEY CHECK (the_one = 1),
    complete_since BIGINT
);

CREATE TABLE retention (
    the_one INTEGER NOT NULL PRIMARY KEY CHECK (the_one = 1),
    horizon BIGINT  NOT NULL
);

CREATE TABLE job_summaries (
    created_at   BIGINT  NOT NULL,
    job_id       TEXT    COLLATE "C" NOT NULL,
    kind         INTEGER NOT NULL,
    namespace_id TEXT    COLLATE "C",
    listed       TEXT    NOT NULL,
    told_groups  TEXT    COLLATE "C",
    changed_at   BIGINT,
    PRIMARY KEY (created_at, job_id)
);

CREATE INDEX job_summaries_by_kind ON job_summaries (kind, created_at, job_id);
CREATE INDEX job_summaries_by_namespace ON job_summaries (namespace_id, kind, created_at, job_id);

CREATE TABLE job_thing_groups (
    thing_group  TEXT    COLLATE "C" NOT NULL,
    kind         INTEGER NOT NULL,
    created_at   BIGINT  NOT NULL,
    job_id       TEXT    COLLATE "C" NOT NULL,
    namespace_id TEXT    COLLATE "C" NOT NULL,
    PRIMARY KEY (thing_group, kind, created_at, job_id)
);

CREATE INDEX job_thing_groups_by_namespace ON job_thing_groups (thing_group, namespace_id, kind, created_at, job_id);

CREATE TABLE namespace_jobs (
    namespace_id TEXT    COLLATE "C" NOT NULL,
    kind         INTEGER NOT NULL,
    jobs         BIGINT  NOT NULL,
    PRIMARY KEY (namespace_id, kind)
);

CREATE INDEX namespace_jobs_none ON namespace_jobs (jobs) WHERE jobs = 0;

CREATE TABLE namespace_executions (
    namespace_id TEXT   COLLATE "C" NOT NULL,
    state        TEXT   COLLATE "C" NOT NULL,
    executions   BIGINT NOT NULL,
    PRIMARY KEY (namespace_id, state)
);

CREATE INDEX namespace_executions_none ON namespace_executions (executions) WHERE executions = 0;

CREATE TABLE namespace_activity (
    namespace_id TEXT    COLLATE "C" NOT NULL,
    slot         INTEGER NOT NULL,
    hour         BIGINT  NOT NULL,
    changes      BIGINT  NOT NULL,
    changed_at   BIGINT  NOT NULL,
    PRIMARY KEY (namespace_id, slot)
);

CREATE TABLE job_changes (
    job_id             TEXT    COLLATE "C" NOT NULL,
    changed_at         BIGINT  NOT NULL,
    status             INTEGER,
    former_status      INTEGER,
    namespace_id       TEXT    COLLATE "C",
    is_status_reported BOOLEAN NOT NULL,
    PRIMARY KEY (job_id, changed_at)
);

CREATE VIEW counted_jobs AS
SELECT
    counted.*,
    nullif(btrim(
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
        CASE WHEN earliest_at IS NOT NULL THEN GREATEST(earliest_at, deleted_at) END AS earliest_at,
        latest_at,
        arrived_at,
        listed_created_at
    FROM (SELECT jobs.*, deleted_at * 8 + 7 AS horizon FROM jobs) AS told
) AS counted;

-- What several processes need that share an index.

-- Who ingests: in one row. The time is the database's.
CREATE TABLE lease (
    the_one    INTEGER     NOT NULL PRIMARY KEY CHECK (the_one = 1),
    generation BIGINT      NOT NULL,  -- counts holders; what an older one writes is refused
    holder     TEXT        NOT NULL,  -- '' where it was given back
    expires_at TIMESTAMPTZ NOT NULL,
    told       TEXT        NOT NULL   -- JSON: what the holder tells the others of itself
);

INSERT INTO lease (the_one, generation, holder, expires_at, told) VALUES (1, 0, '', now(), '{}');

-- How often the index was written: who writes counts first, so that writers take turns.
CREATE TABLE writes (
    the_one INTEGER NOT NULL PRIMARY KEY CHECK (the_one = 1),
    version BIGINT  NOT NULL
);

INSERT INTO writes (the_one, version) VALUES (1, 0);

-- What the last writes have changed, for those who did not do it.
CREATE TABLE changes (
    version BIGINT NOT NULL PRIMARY KEY,
    writer  TEXT   NOT NULL,
    changed TEXT   NOT NULL  -- JSON
);
