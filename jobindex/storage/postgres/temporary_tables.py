"""What a batch may have changed, and how changed jobs read: tables of the writing connection, empty between batches.

They hold what those of `sql/readings.py` hold, where they are explained. ANALYZE tells PostgreSQL that they are small:
it takes a table that it knows nothing of for one of a thousand rows, and may read another as a whole instead.
"""

CREATE_CHANGED = """
CREATE TEMP TABLE changed_jobs (
    job_id TEXT COLLATE "C" NOT NULL PRIMARY KEY
) ON COMMIT DELETE ROWS;
CREATE TEMP TABLE changed_executions (
    job_id       TEXT COLLATE "C" NOT NULL,
    thing_name   TEXT COLLATE "C" NOT NULL,
    former_state TEXT COLLATE "C",
    PRIMARY KEY (job_id, thing_name)
) ON COMMIT DELETE ROWS;
CREATE TEMP TABLE readings (
    job_id              TEXT    COLLATE "C" NOT NULL PRIMARY KEY,
    is_visible          BOOLEAN NOT NULL,
    is_moved            BOOLEAN NOT NULL,
    created_at          BIGINT  NOT NULL,
    kind                INTEGER NOT NULL,
    namespace_id        TEXT    COLLATE "C",
    listed              TEXT    NOT NULL,
    told_groups         TEXT    COLLATE "C",
    changed_at          BIGINT,
    is_status_reported  BOOLEAN NOT NULL,
    former_created_at   BIGINT,
    former_kind         INTEGER,
    former_namespace_id TEXT    COLLATE "C",
    former_told_groups  TEXT    COLLATE "C"
) ON COMMIT DELETE ROWS;
CREATE TEMP TABLE left_places (
    created_at BIGINT NOT NULL,
    job_id     TEXT   COLLATE "C" NOT NULL,
    PRIMARY KEY (created_at, job_id)
) ON COMMIT DELETE ROWS;
CREATE TEMP TABLE left_groups (
    thing_group TEXT    COLLATE "C" NOT NULL,
    kind        INTEGER NOT NULL,
    created_at  BIGINT  NOT NULL,
    job_id      TEXT    COLLATE "C" NOT NULL,
    PRIMARY KEY (thing_group, kind, created_at, job_id)
) ON COMMIT DELETE ROWS;
ANALYZE changed_jobs;
ANALYZE changed_executions;
ANALYZE readings;
ANALYZE left_places;
ANALYZE left_groups;
"""
# The batches empty these tables themselves. Where PostgreSQL does it, nothing is left of the rows that were deleted,
# which nobody vacuums in a temporary table; an engine that cannot (CockroachDB) does without.
CREATE_CHANGED_BARE = CREATE_CHANGED.replace(" ON COMMIT DELETE ROWS", "").encode()
