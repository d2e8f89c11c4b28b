"""Retention: what has ended long ago is forgotten, and stays forgotten.

At a horizon H (some days before now) these go, with their executions and groups:

- a job whose status reads COMPLETED, CANCELED or DELETION_IN_PROGRESS (its `deleted` event is then overdue)
  and whose lastUpdatedAt is before H;
- the mark of a deleted job, when the deletion and everything else told of it are before H.

A job of which a pending list shows an execution at H or later stays: that list would bring it back. Where
nothing told bears a time, the arrival stands for it, as it does in lastUpdatedAt.

What is forgotten may be told again: brokers repeat, and queues are long. So the greatest H so far is kept in
the database, and a report about a job that the index does not know counts only when it is stamped at H or
later (or listed as pending then). A job made under H remembers it (`told_since`): nothing stamped before it
counts for that job, whenever it arrives. A job that the index knew before goes on as ever, however old what
is told of it. So between two raises of the horizon any order and any repetition give the same index, and a
message stamped before H changes nothing of what was forgotten.

Clients may rely on: a job that has not ended stays, however old; a job is never forgotten in part. They may
not rely on a job that was last told of before H and arrives for the first time after: it is left out.

- A message without any time has no stamp: it makes a job as before, also of an id that was forgotten.
- Pending lists and thing groups stay: there are no more of them than things and groups, and a late
  execution of a job that is kept must still be held against the list that left it out.
- Fewer days, or none, later: H does not go back. Only an H that lies in the future (a clock was ahead) does
  not count and yields to the next.

Not chosen: dropping whatever is stamped before H, also of known jobs (the end of a job that waited in a
broker's queue would be lost, and the job would stay IN_PROGRESS for good); a mark for each forgotten job
(it grows without bound, which is what retention is to prevent).
"""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol, TypeVar

from jobindex.model.jobs import (
    JobDeletion,
    JobExecutionReport,
    JobReport,
    JobStatus,
    Report,
    from_milliseconds,
    to_milliseconds,
)
from jobindex.model.store import NAMED_MAXIMUM, Changed, Forgotten
from jobindex.storage.sql.connection import Connection, Row
from jobindex.storage.sql.counts import FORGET_COUNTS, LISTED
from jobindex.storage.sql.readings import GROUP_KEY, GROUP_PAIRS, LEAVE, SELECTION_KINDS, STATUS_KINDS
from jobindex.storage.sql.rows import NEVER, UNTIMED

JOBS_MAXIMUM = 500
"""Jobs forgotten in one transaction."""
EXECUTIONS_MAXIMUM = 5000
"""Executions forgotten in one transaction, unless a single job has more."""

T = TypeVar("T")

_OF_A_JOB = (JobReport, JobExecutionReport, JobDeletion)

_HORIZON = "SELECT horizon FROM retention WHERE horizon <= :now"

_RAISE_HORIZON = """
INSERT INTO retention (the_one, horizon)
VALUES (1, :horizon)
ON CONFLICT (the_one) DO UPDATE SET
    horizon = CASE WHEN retention.horizon > :now THEN excluded.horizon ELSE max(excluded.horizon, retention.horizon) END
"""

# Since when each known job among these is told.
_TOLD_SINCE = """
SELECT job_id, told_since
FROM jobs
WHERE job_id IN (SELECT value FROM json_each(:job_ids))
"""

_SEEN_PENDING = """
    SELECT 1 FROM executions WHERE executions.job_id = old.job_id AND executions.pending_at >= :horizon
"""


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
                coalesce((SELECT latest_at FROM jobs WHERE jobs.job_id = old.job_id), old.changed_at) < :horizon
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
            old.born_at <= old.deleted_at
            AND coalesce(max(nullif(old.deleted_at, -1), old.latest_at), nullif(old.deleted_at, -1), old.latest_at,
                old.arrived_at) < :horizon
        """,
    ),
)

# The next of a kind by key; `executions` is null where one is not old enough.
_PAGE = """
SELECT
    old.{time} AS time,
    old.job_id,
    CASE
        WHEN {is_past} AND NOT EXISTS ({seen_pending})
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
INSERT INTO changed_jobs (job_id)
SELECT old.job_id
FROM json_each(:job_ids) AS given
{found}
WHERE {where}
AND old.{time} < :horizon
AND {is_past}
AND NOT EXISTS ({seen_pending})
"""

# What is to be forgotten, and where it is.
_FORGOTTEN_JOBS = "SELECT job_id FROM changed_jobs"
_FORGOTTEN_NAMESPACES = f"""
SELECT DISTINCT job_summaries.namespace_id
FROM changed_jobs
{LISTED}
WHERE job_summaries.namespace_id IS NOT NULL
"""
_FORGOTTEN_THINGS = """
SELECT DISTINCT thing_name
FROM changed_jobs
CROSS JOIN executions USING (job_id)
LIMIT :named_maximum
"""

_FORGET = (
    *FORGET_COUNTS,
    f"""
    INSERT OR IGNORE INTO left_groups (thing_group, kind, created_at, job_id)
    SELECT {GROUP_KEY}, kind, created_at, job_id
    FROM (
        SELECT kind, job_summaries.created_at, job_summaries.job_id, '[' || told_groups || ']' AS told
        FROM changed_jobs
        {LISTED}
    ) AS forgotten
    {GROUP_PAIRS}
    """,
    """
    INSERT INTO left_places (created_at, job_id)
    SELECT listed_created_at, job_id
    FROM changed_jobs
    CROSS JOIN jobs USING (job_id)
    WHERE listed_created_at IS NOT NULL
    """,
    *LEAVE,
    "DELETE FROM executions WHERE job_id IN (SELECT job_id FROM changed_jobs)",
    "DELETE FROM job_changes WHERE job_id IN (SELECT job_id FROM changed_jobs)",
    "DELETE FROM jobs WHERE job_id IN (SELECT job_id FROM changed_jobs)",
    "DELETE FROM changed_jobs",
)


def statements() -> Iterator[tuple[str, str]]:
    """Yield for each kind the statement that reads a page of it and the one that selects what is forgotten."""
    for kind in _KINDS:
        fragments = {**asdict(kind), "seen_pending": _SEEN_PENDING}
        yield _PAGE.format(**fragments), _SELECT.format(**fragments)


async def retain(read: _Transaction, write: _Transaction, age: timedelta, now: datetime) -> AsyncIterator[Forgotten]:
    """Forget what is past the horizon, `age` before `now`; yield after each transaction what went.

    Pages are read beside the writer, and what a page shows is looked at again when it is forgotten.
    """
    horizon = to_milliseconds(now - age)
    await write(partial(_raise_horizon, horizon=horizon, now=now))
    for page, select in statements():
        time, job_id = NEVER, ""
        while True:
            parameters = {"horizon": horizon, "time": time, "job_id": job_id, "limit": JOBS_MAXIMUM}
            rows = await read(partial(_read, page=page, parameters=parameters))
            for job_ids in _batches(rows):
                yield await write(partial(_forget, select=select, horizon=horizon, job_ids=job_ids))
            if len(rows) < JOBS_MAXIMUM:
                break
            time, job_id = rows[-1]["time"], rows[-1]["job_id"]


def _read(connection: Connection, *, page: str, parameters: Mapping[str, object]) -> Sequence[Row]:
    return connection.execute(page, parameters).fetchall()


def _raise_horizon(writer: Connection, *, horizon: int, now: datetime) -> None:
    writer.execute(_RAISE_HORIZON, {"horizon": horizon, "now": to_milliseconds(now)})


def _forget(writer: Connection, *, select: str, horizon: int, job_ids: Sequence[str]) -> Forgotten:
    writer.execute(select, {"horizon": horizon, "job_ids": json.dumps(job_ids)})
    forgotten = _forgotten(writer)
    for statement in _FORGET:
        writer.execute(statement)
    return forgotten


def _forgotten(writer: Connection) -> Forgotten:
    job_ids = {job_id for (job_id,) in writer.execute(_FORGOTTEN_JOBS)}
    namespace_ids = {namespace_id for (namespace_id,) in writer.execute(_FORGOTTEN_NAMESPACES)}
    things = writer.execute(_FORGOTTEN_THINGS, {"named_maximum": NAMED_MAXIMUM + 1}).fetchall()
    return Forgotten(
        jobs=len(job_ids),
        changed=Changed(
            job_ids=None if len(job_ids) > NAMED_MAXIMUM else frozenset(job_ids),
            namespace_ids=frozenset(namespace_ids),
            thing_names=None if len(things) > NAMED_MAXIMUM else frozenset(thing_name for (thing_name,) in things),
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


def accepted(writer: Connection, reports: Sequence[Report], horizon: int) -> Sequence[Report]:
    """Return the reports that count at a horizon: all but those stamped before their job is told."""
    if horizon == NEVER:
        return reports
    boundary = from_milliseconds(horizon)
    late = {
        report.job_id
        for report in reports
        if isinstance(report, _OF_A_JOB)
        and report.time is not None
        and report.time < boundary
        and _stamp(report) < horizon
    }
    if not late:
        return reports
    rows = writer.execute(_TOLD_SINCE, {"job_ids": json.dumps(sorted(late))})
    told_since = {row["job_id"]: row["told_since"] for row in rows}
    return [
        report
        for report in reports
        if not isinstance(report, _OF_A_JOB)
        or _stamp(report) == UNTIMED
        or _stamp(report) >= told_since.get(report.job_id, horizon)
    ]


def horizon_in_force(writer: Connection, now: datetime) -> int:
    """Return the horizon before which no stamp makes a job, NEVER where there is none."""
    rows = writer.execute(_HORIZON, {"now": to_milliseconds(now)})
    return next((row["horizon"] for row in rows), NEVER)


def _stamp(report: JobReport | JobExecutionReport | JobDeletion) -> int:
    """Return the time of a report's stamp, or of the pending list that shows its execution, where that is later."""
    pending_at = None if isinstance(report, JobDeletion) else report.pending_at
    times = [to_milliseconds(time) for time in (report.time, pending_at) if time is not None]
    return max(times, default=UNTIMED)
