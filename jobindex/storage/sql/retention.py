"""Retention: deletes jobs that ended long ago, and keeps them deleted.

A horizon H lies some days before now. Retention deletes, with their executions and all hidden state:

- jobs that are COMPLETED, CANCELED or DELETION_IN_PROGRESS (their `deleted` event is then overdue) and whose
  lastUpdatedAt is before H;
- ids of deleted jobs, if the deletion and all other reports are before H.

A job stays if a message of H or later shows one of its executions: that message would bring the job back. If no message
has a time, the arrival counts, as in lastUpdatedAt.

Brokers redeliver, and queues are long. So the database stores the greatest H, and a message stamped before it creates
no job. The promises of order hold for messages stamped after it. A message without any time creates a job, even with a
deleted id.

Clients may rely on: a job that has not ended stays, however old; a job is never deleted in part. They may not rely on a
job whose messages are all stamped before H and first arrive after H.

A thing's lists are deleted with its last execution. Thing groups stay: they do not grow with the jobs. H never goes
back, even if the setting becomes more days, or none; only a future H (a clock was ahead) is ignored and replaced.

Not chosen: dropping all messages stamped before H, even of known jobs (a job whose end waited in a broker's queue would
stay IN_PROGRESS for good); a record for each deleted job (it would grow without bound).
"""

import json
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol, TypeVar

from jobindex.model.execution import NEVER
from jobindex.model.jobs import JobStatus, to_milliseconds
from jobindex.model.reports import UNTIMED
from jobindex.model.store import NAMED_MAXIMUM, Changed, RetentionStep
from jobindex.storage.sql.connection import Connection, Row
from jobindex.storage.sql.counts import Counts
from jobindex.storage.sql.engine import Engine, WriteTransaction
from jobindex.storage.sql.kinds import SELECTION_KINDS, STATUS_KINDS
from jobindex.storage.sql.states import BatchStates
from jobindex.storage.sql.summaries import group_rows
from jobindex.storage.sql.tables import GROUP_KEYS, SUMMARIES

JOBS_MAXIMUM = 500
"""Jobs deleted in one transaction."""
EXECUTIONS_MAXIMUM = 5000
"""Executions deleted in one transaction, unless a single job has more."""

T = TypeVar("T")

_HORIZON = "SELECT horizon FROM retention WHERE horizon <= :now"

_RAISE_HORIZON = """
INSERT INTO retention (the_one, horizon)
VALUES (1, :horizon)
ON CONFLICT (the_one) DO UPDATE SET
    horizon = CASE WHEN retention.horizon > :now THEN excluded.horizon ELSE max(excluded.horizon, retention.horizon) END
"""

_HEARD_OF = "SELECT 1 FROM executions WHERE executions.job_id = old.job_id AND executions.heard_at >= :horizon"


class _Transaction(Protocol):
    def __call__(self, work: Callable[[WriteTransaction], T], /) -> Awaitable[T]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    """Rows to delete, in order of time."""

    table: str
    found: str
    """Joins such a row to the id of its job, `given.value`."""
    time: str
    where: str
    is_past: str


# lastUpdatedAt is never before createdAt, so the index by kind and createdAt finds all jobs.
_KINDS = (
    *(
        _Kind(
            table="job_summaries",
            found="""
                CROSS JOIN jobs AS own ON own.job_id = given.value
                CROSS JOIN job_summaries AS old
                    ON (old.created_at, old.job_id) = (own.listed_created_at, own.job_id)
            """,
            time="created_at",
            where=f"old.kind = {STATUS_KINDS[status] + selection_kind}",
            is_past="""
                coalesce(old.changed_at, (SELECT latest_at FROM jobs WHERE jobs.job_id = old.job_id)) < :horizon
            """,
        )
        for status in (JobStatus.COMPLETED, JobStatus.CANCELED, JobStatus.DELETION_IN_PROGRESS)
        for selection_kind in SELECTION_KINDS.values()
    ),
    _Kind(
        table="jobs",
        found="CROSS JOIN jobs AS old ON old.job_id = given.value",
        time="deleted_at",
        where="old.deleted_at > -2",
        is_past="""
            old.born_at IS NULL
            AND max(old.published_at * 1000, old.deleted_at, old.latest_at,
                CASE WHEN old.deleted_at = -1 AND old.latest_at = -1 THEN old.arrived_at ELSE -1 END) < :horizon
        """,
    ),
)

# The next rows of a kind by key; `executions` is null if a row is not old enough.
_PAGE = """
SELECT
    old.{time} AS time,
    old.job_id,
    CASE
        WHEN {is_past} AND NOT EXISTS ({heard_of})
        THEN (SELECT count(*) FROM executions WHERE executions.job_id = old.job_id)
    END AS executions
FROM {table} AS old
WHERE {where}
AND old.{time} < :horizon
AND (old.{time}, old.job_id) > (:time, :job_id)
ORDER BY old.{time}, old.job_id
LIMIT :limit
"""

# The jobs that are still old enough at their deletion.
_SELECT = """
SELECT old.job_id
FROM json_each(:job_ids) AS given
{found}
WHERE {where}
AND old.{time} < :horizon
AND {is_past}
AND NOT EXISTS ({heard_of})
"""

_COUNT_EXECUTIONS = """
SELECT job_id, state, count(*)
FROM executions
WHERE job_id IN (SELECT value FROM json_each(:job_ids))
AND state IS NOT NULL
GROUP BY job_id, state
"""
_THINGS = """
SELECT DISTINCT thing_name
FROM executions
WHERE job_id IN (SELECT value FROM json_each(:job_ids))
"""
_DELETE = (
    *(
        f"DELETE FROM {table} WHERE job_id IN (SELECT value FROM json_each(:job_ids))"
        for table in ("executions", "job_changes", "jobs")
    ),
    """
    DELETE FROM pending_lists
    WHERE thing_name IN (SELECT value FROM json_each(:things))
    AND NOT EXISTS (SELECT 1 FROM executions WHERE executions.thing_name = pending_lists.thing_name)
    """,
)


def statements() -> Iterator[tuple[str, str]]:
    """Yield for each kind the statements of a page and of the jobs to delete."""
    for kind in _KINDS:
        fragments = {**asdict(kind), "heard_of": _HEARD_OF}
        yield _PAGE.format(**fragments), _SELECT.format(**fragments)


async def retain(engine: Engine, write: _Transaction, age: timedelta, now: datetime) -> AsyncIterator[RetentionStep]:
    """Delete jobs from before the horizon, `age` before `now`; yield the outcome of each transaction.

    Pages are read outside the writer, which checks each job again.
    """
    horizon = to_milliseconds(now - age)
    await write(partial(_raise_horizon, horizon=horizon, now=now))
    for page, select in statements():
        time, job_id = NEVER, ""
        while True:
            parameters = {"horizon": horizon, "time": time, "job_id": job_id, "limit": JOBS_MAXIMUM}
            found = await engine.read(partial(_read, page=page, parameters=parameters))
            for job_ids in _batches(found):
                yield await write(partial(_delete, select=select, horizon=horizon, job_ids=job_ids))
            if len(found) < JOBS_MAXIMUM:
                break
            time, job_id = found[-1]["time"], found[-1]["job_id"]


def _read(connection: Connection, *, page: str, parameters: Mapping[str, object]) -> Sequence[Row]:
    return connection.execute(page, parameters).fetchall()


def _raise_horizon(writer: Connection, *, horizon: int, now: datetime) -> None:
    writer.execute(_RAISE_HORIZON, {"horizon": horizon, "now": to_milliseconds(now)})


def _delete(writer: WriteTransaction, *, select: str, horizon: int, job_ids: Sequence[str]) -> RetentionStep:
    found = writer.execute(select, {"horizon": horizon, "job_ids": json.dumps(job_ids)})
    given = {"job_ids": json.dumps([job_id for (job_id,) in found.fetchall()])}
    writer.cache.clear()
    states, counts = BatchStates(writer.access), Counts(0)
    states.load_jobs(json.loads(given["job_ids"]))
    by_state: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for job_id, state, count in writer.execute(_COUNT_EXECUTIONS, given):
        by_state[job_id].append((state, count))
    namespace_ids: set[str] = set()
    for job_id, loaded in states.jobs.items():
        if loaded.summary is not None:
            counts.subtract_job(loaded.summary, by_state[job_id])
            namespace_ids |= {str(loaded.summary[3])} if loaded.summary[3] is not None else set()
    summaries = [loaded.summary for loaded in states.jobs.values() if loaded.summary is not None]
    writer.access.delete(SUMMARIES, [summary[:2] for summary in summaries])
    writer.access.delete(GROUP_KEYS, [key for summary in summaries for key in group_rows(summary)])
    things = [thing_name for (thing_name,) in writer.execute(_THINGS, given)]
    for statement in _DELETE:
        writer.execute(statement, {**given, "things": json.dumps(things)})
    counts.write(writer)
    return RetentionStep(
        jobs=len(states.jobs),
        changed=Changed(
            job_ids=None if len(states.jobs) > NAMED_MAXIMUM else frozenset(states.jobs),
            namespace_ids=frozenset(namespace_ids),
            thing_names=None if len(things) > NAMED_MAXIMUM else frozenset(things),
        ),
    )


def _batches(rows: Iterable[Row]) -> Iterator[list[str]]:
    job_ids: list[str] = []
    executions = 0
    for row in rows:
        if row["executions"] is None:
            continue
        if job_ids and executions + row["executions"] > EXECUTIONS_MAXIMUM:
            yield job_ids
            job_ids, executions = [], 0
        job_ids.append(row["job_id"])
        executions += row["executions"]
    if job_ids:
        yield job_ids


def horizon_in_force(writer: Connection, now: int) -> int:
    """Return the horizon before which no stamp creates a job, or UNTIMED; `now` is in milliseconds."""
    return next((int(horizon) for (horizon,) in writer.execute(_HORIZON, {"now": now})), UNTIMED)
