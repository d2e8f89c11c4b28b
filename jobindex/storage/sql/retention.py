"""Retention: jobs that ended long ago are deleted, and stay deleted.

At a horizon H (some days before now) these go, with their executions and all that is hidden:

- a job whose status is COMPLETED, CANCELED or DELETION_IN_PROGRESS (its `deleted` event is then overdue)
  and whose lastUpdatedAt is before H;
- a job id that is gone, if its deletion and everything else reported of it are before H.

A job of which a message of H or later shows an execution stays: that message would bring it back. If no
message bears a time, the arrival is used, as it is in lastUpdatedAt.

Messages may come again: brokers repeat, and queues are long. So the greatest H so far is kept in the database, and a
message stamped before it changes jobs that exist and makes no new one. The promises of order hold for messages
stamped after it.

Clients may rely on: a job that has not ended stays, however old; a job is never deleted in part. They may
not rely on a job whose messages are all stamped before H and arrive for the first time after: it is left out.

- A message without any time has no stamp: it makes a job as before, also of an id that was deleted.
- The lists of a thing go with its last execution; thing groups stay: there are no more of them than groups.
- Fewer days, or none, later: H does not go back. Only an H that lies in the future (a clock was ahead) does
  not count and yields to the next.

Not chosen: dropping whatever is stamped before H, also of known jobs (the end of a job that waited in a
broker's queue would be lost, and the job would stay IN_PROGRESS for good); a mark for each deleted job
(it grows without bound, which is what retention is to prevent).
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
from jobindex.model.store import NAMED_MAXIMUM, Changed, Forgotten
from jobindex.storage.sql.connection import Connection, Row
from jobindex.storage.sql.counts import Counts
from jobindex.storage.sql.engine import Engine
from jobindex.storage.sql.kinds import SELECTION_KINDS, STATUS_KINDS
from jobindex.storage.sql.states import BatchStates
from jobindex.storage.sql.summaries import group_rows
from jobindex.storage.sql.tables import GROUP_KEYS, SUMMARIES

JOBS_MAXIMUM = 500
"""Jobs forgotten in one transaction."""
EXECUTIONS_MAXIMUM = 5000
"""Executions forgotten in one transaction, unless a single job has more."""

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
    """Does some work in one transaction."""

    def __call__(self, work: Callable[[Connection], T], /) -> Awaitable[T]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    """A kind of thing that is forgotten: where it is found in the order of time, and when it is old enough."""

    table: str
    found: str
    """How one is found by the id of its job, `given.value`."""
    time: str
    where: str
    is_past: str


# No lastUpdatedAt is before its createdAt, so the index by kind and createdAt leads to all.
_KINDS = (
    *(
        _Kind(
            table="job_summaries",
            found="""
                CROSS JOIN jobs AS told ON told.job_id = given.value
                CROSS JOIN job_summaries AS old
                    ON (old.created_at, old.job_id) = (told.listed_created_at, told.job_id)
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

# The next of a kind by key; `executions` is null where one is not old enough.
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

# Those that are still old enough when they are to be forgotten.
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
    """Yield for each kind the statement that reads a page of it and the one that selects what is forgotten."""
    for kind in _KINDS:
        fragments = {**asdict(kind), "heard_of": _HEARD_OF}
        yield _PAGE.format(**fragments), _SELECT.format(**fragments)


async def retain(engine: Engine, write: _Transaction, age: timedelta, now: datetime) -> AsyncIterator[Forgotten]:
    """Forget what is past the horizon, `age` before `now`; yield after each transaction what went.

    Pages are read beside the writer, and what a page shows is looked at again when it is forgotten.
    """
    horizon = to_milliseconds(now - age)
    await write(partial(_raise_horizon, horizon=horizon, now=now))
    for page, select in statements():
        time, job_id = NEVER, ""
        while True:
            parameters = {"horizon": horizon, "time": time, "job_id": job_id, "limit": JOBS_MAXIMUM}
            found = await engine.read(partial(_read, page=page, parameters=parameters))
            for job_ids in _batches(found):
                yield await write(partial(_delete, engine=engine, select=select, horizon=horizon, job_ids=job_ids))
            if len(found) < JOBS_MAXIMUM:
                break
            time, job_id = found[-1]["time"], found[-1]["job_id"]


def _read(connection: Connection, *, page: str, parameters: Mapping[str, object]) -> Sequence[Row]:
    return connection.execute(page, parameters).fetchall()


def _raise_horizon(writer: Connection, *, horizon: int, now: datetime) -> None:
    writer.execute(_RAISE_HORIZON, {"horizon": horizon, "now": to_milliseconds(now)})


def _delete(writer: Connection, *, engine: Engine, select: str, horizon: int, job_ids: Sequence[str]) -> Forgotten:
    """Delete those of these jobs that are still old enough."""
    found = writer.execute(select, {"horizon": horizon, "job_ids": json.dumps(job_ids)})
    given = {"job_ids": json.dumps([job_id for (job_id,) in found.fetchall()])}
    engine.cache.clear()
    access = engine.rows(writer)
    states, counts = BatchStates(access), Counts(0)
    states.load_jobs(json.loads(given["job_ids"]))
    by_state: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for job_id, state, count in writer.execute(_COUNT_EXECUTIONS, given):
        by_state[job_id].append((state, count))
    namespace_ids: set[str] = set()
    for job_id, loaded in states.jobs.items():
        if loaded.summary is not None:
            counts.forget_job(loaded.summary, by_state[job_id])
            namespace_ids |= {str(loaded.summary[3])} if loaded.summary[3] is not None else set()
    summaries = [loaded.summary for loaded in states.jobs.values() if loaded.summary is not None]
    access.delete(SUMMARIES, [summary[:2] for summary in summaries])
    access.delete(GROUP_KEYS, [key for summary in summaries for key in group_rows(summary)])
    things = [thing_name for (thing_name,) in writer.execute(_THINGS, given)]
    for statement in _DELETE:
        writer.execute(statement, {**given, "things": json.dumps(things)})
    counts.write(writer)
    return Forgotten(
        jobs=len(states.jobs),
        changed=Changed(
            job_ids=None if len(states.jobs) > NAMED_MAXIMUM else frozenset(states.jobs),
            namespace_ids=frozenset(namespace_ids),
            thing_names=None if len(things) > NAMED_MAXIMUM else frozenset(things),
        ),
    )


def _batches(rows: Iterable[Row]) -> Iterator[list[str]]:
    """Yield the ids of what is old enough, so many at a time as one short transaction forgets."""
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
    """Return the horizon before which no stamp makes a job, UNTIMED if there is none; `now` in milliseconds."""
    return next((int(horizon) for (horizon,) in writer.execute(_HORIZON, {"now": now})), UNTIMED)
