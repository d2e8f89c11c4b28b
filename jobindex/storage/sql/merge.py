"""The merge rules in SQL: what a batch reports is merged into the registers.

Every statement merges by maxima, minima and unions, so that neither order nor repetition of messages shows;
`migrations/sqlite/0001_index.sql` explains stamps and says what each table holds. The registers are `jobs`,
`executions`, `pending_lists` and `thing_groups`; what follows from them is read in `readings.py`, in
the same transaction.

`rows.py` makes the rows. Those of a kind are one parameter, JSON: a statement of a thousand rows leaves
the interpreter to others while it runs, where a thousand statements wait for it a thousand times, which takes
the longer the busier others are. Not chosen: reading, merging in Python and writing back, which would need a
second round of statements for each batch, and a log of messages replayed in order, which grows without bound.
"""

from functools import cache
from itertools import count

REGISTERS = (
    "namespace_id",
    "status",
    "target_selection",
    "thing_group_id",
    "thing_group_name",
    "target_group_names",
    "is_concurrent",
    "completed_at",
    "job_arn",
)
"""What messages tell of a job by a value and its stamp; `created_at` too, of which the lesser value wins."""

# A register yields to a greater stamp, and at the same stamp to the greater value.
_MERGE_REGISTER = """
    {name} = CASE
        WHEN (excluded.{name}_stamp, excluded.{name}) > (jobs.{name}_stamp, jobs.{name})
        THEN excluded.{name}
        ELSE jobs.{name}
    END,
    {name}_stamp = max(excluded.{name}_stamp, jobs.{name}_stamp),"""

# Of createdAt the lesser value wins at the same stamp.
_MERGE_CREATED_AT = """
    created_at = CASE
        WHEN (excluded.created_at_stamp, -excluded.created_at) > (jobs.created_at_stamp, -jobs.created_at)
        THEN excluded.created_at
        ELSE jobs.created_at
    END,
    created_at_stamp = max(excluded.created_at_stamp, jobs.created_at_stamp),"""


_NUMBERS = {"is_concurrent", "created_at", "completed_at"}
"""The registers whose values are no texts."""


def _text(place: int) -> str:
    """Return a text of a row."""
    return f"json_extract(value, '$[{place}]')"


def _number(place: int) -> str:
    """Return an integer of a row."""
    return f"CAST({_text(place)} AS INTEGER)"


@cache
def merge_job(told: tuple[str, ...]) -> str:
    """Return the statement that merges rows of `rows.job_rows` in which these registers are told.

    What a message does not tell is then neither read from its row nor compared: a message tells three of ten.
    """
    registers = (*REGISTERS, "created_at")
    values = {
        name: f"{_number(place) if name in _NUMBERS else _text(place)}, {_number(place + 1)}"
        for place, name in zip(count(5, 2), told, strict=False)
    }
    # -2 is "never", in a stamp of a job -16.
    return f"""
INSERT INTO jobs (
    job_id, earliest_at, latest_at, born_at, deleted_at, arrived_at, told_since,
    {", ".join(f"{name}, {name}_stamp" for name in registers)}
)
SELECT
    {_text(0)},
    {_number(1)},
    {_number(2)},
    coalesce({_number(3)}, -2),
    coalesce({_number(4)}, -2),
    :now,
    :told_since,
    {", ".join(values.get(name, "NULL, -16") for name in registers)}
FROM json_each(:jobs)
WHERE true
ON CONFLICT (job_id) DO UPDATE SET
    {"".join((_MERGE_CREATED_AT if name == "created_at" else _MERGE_REGISTER).format(name=name) for name in told)}
    earliest_at = coalesce(min(excluded.earliest_at, jobs.earliest_at), excluded.earliest_at, jobs.earliest_at),
    latest_at = coalesce(max(excluded.latest_at, jobs.latest_at), excluded.latest_at, jobs.latest_at),
    born_at = max(excluded.born_at, jobs.born_at),
    deleted_at = max(excluded.deleted_at, jobs.deleted_at)
"""


# An execution's status yields to a greater (time, executionNumber, versionNumber, rank); absent is greater.
MERGE_EXECUTION = f"""
INSERT INTO executions (
    job_id, thing_name, status, status_at, execution_number, version_number, status_rank,
    pending_at, queued_at, started_at
)
SELECT {_text(0)}, {_text(1)}, {_text(2)}, {", ".join(map(_number, range(3, 10)))}
FROM json_each(:executions)
WHERE true
ON CONFLICT (job_id, thing_name) DO UPDATE SET
    status = excluded.status,
    status_at = excluded.status_at,
    execution_number = excluded.execution_number,
    version_number = excluded.version_number,
    status_rank = excluded.status_rank
WHERE (
    excluded.status_at,
    excluded.execution_number IS NULL,
    coalesce(excluded.execution_number, 0),
    excluded.version_number IS NULL,
    coalesce(excluded.version_number, 0),
    excluded.status_rank
) > (
    executions.status_at,
    executions.execution_number IS NULL,
    coalesce(executions.execution_number, 0),
    executions.version_number IS NULL,
    coalesce(executions.version_number, 0),
    executions.status_rank
)
"""

# When an execution was last visible pending, was queued and was started.
MERGE_SIGHTING = f"""
UPDATE executions
SET
    pending_at = max(executions.pending_at, sighting.pending_at),
    queued_at = max(executions.queued_at, sighting.queued_at),
    started_at = max(executions.started_at, sighting.started_at)
FROM (
    SELECT
        {_text(0)} AS job_id,
        {_text(1)} AS thing_name,
        {_number(2)} AS pending_at,
        {_number(3)} AS queued_at,
        {_number(4)} AS started_at
    FROM json_each(:sightings)
    LIMIT -1
) AS sighting
WHERE executions.job_id = sighting.job_id
AND executions.thing_name = sighting.thing_name
AND (
    executions.pending_at < sighting.pending_at
    OR executions.queued_at < sighting.queued_at
    OR executions.started_at < sighting.started_at
)
"""

# The latest complete pending list of a thing; what it holds is in the sightings of its entries.
MERGE_PENDING_LIST = f"""
INSERT INTO pending_lists (thing_name, namespace_id, listed_at)
SELECT {_text(0)}, {_text(1)}, {_number(2)}
FROM json_each(:lists)
WHERE true
ON CONFLICT (thing_name, namespace_id) DO UPDATE SET listed_at = excluded.listed_at
WHERE excluded.listed_at > pending_lists.listed_at
"""

# The names and ids that are tied now and were not before; asked before MERGE_THING_GROUP.
NEWLY_TIED = """
SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]')
FROM json_each(:groups)
WHERE json_extract(value, '$[0]') > ''
AND json_extract(value, '$[1]') > ''
AND NOT EXISTS (
    SELECT 1
    FROM thing_groups
    WHERE thing_group_name = json_extract(value, '$[0]')
    AND thing_group_id = json_extract(value, '$[1]')
)
"""

MERGE_THING_GROUP = """
INSERT OR IGNORE INTO thing_groups (thing_group_name, thing_group_id)
SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]')
FROM json_each(:groups)
"""

KEEP_REJECTED = """
INSERT OR IGNORE INTO rejected_messages (rejected_message_id, digest, rejected_at, topic, payload, reason)
SELECT coalesce(max(rejected_message_id), 0) + 1, :digest, :now, :topic, :payload, :reason
FROM rejected_messages
"""

# The newest rejected messages are kept, up to a number and to a sum of bytes.
DISCARD_REJECTED = """
DELETE FROM rejected_messages
WHERE rejected_message_id IN (
    SELECT rejected_message_id
    FROM (
        SELECT
            rejected_message_id,
            row_number() OVER newest_first AS messages,
            sum(length(payload) + length(CAST(topic AS BLOB))) OVER newest_first AS bytes
        FROM rejected_messages
        WINDOW newest_first AS (ORDER BY rejected_message_id DESC)
    ) AS kept
    WHERE messages > :max_messages
    OR bytes > :max_bytes
)
"""

MERGE = (MERGE_EXECUTION, MERGE_SIGHTING, MERGE_PENDING_LIST)
"""The statements that follow those of `merge_job` and MERGE_THING_GROUP, in their order."""
