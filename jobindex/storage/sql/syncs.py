"""The SQL of syncs: runs and their progress, the marks of their listings, differences and times.

A mark is a job or an execution that a listing of a run has. A run may leave a million marks; those of ended runs are
deleted by few thousand with each step of a later run, so no transaction becomes long. A step adds far fewer marks than
it deletes, so at most two runs' marks are stored at a time. Not chosen: a table for each run (its creation would lock
out the readers of PostgreSQL); a column of `jobs` (each listed job would be written).
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

import orjson

from jobindex.errors import ResourceNotFoundException
from jobindex.model.jobs import from_milliseconds, to_milliseconds
from jobindex.model.sync import (
    Difference,
    DifferenceKind,
    StoredDifference,
    SyncKind,
    SyncRun,
    SyncStep,
    SyncTimes,
)
from jobindex.storage.sql.connection import Connection, Row
from jobindex.storage.sql.tables import SYNC_RUNS

RUNS_KEPT = 50
"""Ended runs stored of each kind."""
OPEN_JOBS_MAXIMUM = 20
"""Open runs of single jobs; they go before all others, and DETAILS describes every job."""
DIFFERENCES_KEPT = 10_000
MARKS_DELETED = 5000
"""Marks of an ended run deleted in one step."""

_RUN = ", ".join(SYNC_RUNS.columns)
_IS_OPEN = """
SELECT 1
FROM sync_runs
WHERE job_id = :job_id
AND run_kind = :kind
AND ended_at IS NULL
"""
_REQUEST = """
INSERT INTO sync_runs (run_id, run_kind, requested_at, job_id, with_groups)
SELECT coalesce(max(run_id), 0) + 1, :kind, :now, :job_id, :with_groups
FROM sync_runs
"""
_OPEN = f"""
SELECT {_RUN}
FROM sync_runs
WHERE run_kind = :kind
AND ended_at IS NULL
ORDER BY run_id
LIMIT :limit
"""
_ENDED = f"""
SELECT {_RUN}
FROM sync_runs
WHERE ended_at IS NOT NULL
ORDER BY ended_at DESC, run_id DESC
LIMIT :limit
"""
_PROGRESS = (
    *("started_at", "ended_at", "as_of", "is_complete", "phase", "position", "done", "total", "row_count", "calls"),
    *("throttled", "problems"),
)
_ADVANCE = f"""
UPDATE sync_runs
SET {", ".join(f"{column} = :{column}" for column in _PROGRESS)},
    differences = differences + :found
WHERE run_id = :run_id
"""
_COUNT_FOUND = "UPDATE sync_runs SET differences = differences + :found WHERE run_id = :run_id"
# Deletes the ended runs of a kind that are not among its newest; first their marks are deleted.
_EXPIRE = """
DELETE FROM sync_runs
WHERE run_kind = :kind
AND ended_at IS NOT NULL
AND run_id <= (
    SELECT run_id
    FROM sync_runs
    WHERE run_kind = :kind
    AND ended_at IS NOT NULL
    ORDER BY run_id DESC
    LIMIT 1 OFFSET :kept
)
AND NOT EXISTS (SELECT 1 FROM sync_listed WHERE sync_listed.run_id = sync_runs.run_id)
"""

_MARK = """
INSERT OR IGNORE INTO sync_listed (run_id, job_id, thing_name)
SELECT :run_id, json_extract(value, '$[0]'), json_extract(value, '$[1]')
FROM json_each(:rows)
WHERE true
"""
_IS_MARKED = """
SELECT sync_listed.job_id, sync_listed.thing_name
FROM json_each(:rows) AS asked
CROSS JOIN sync_listed ON sync_listed.run_id = :run_id
    AND sync_listed.job_id = json_extract(asked.value, '$[0]')
    AND sync_listed.thing_name = json_extract(asked.value, '$[1]')
"""
# An ended run that still has marks.
_MARKED = """
SELECT run_id
FROM sync_runs
WHERE ended_at IS NOT NULL
AND EXISTS (SELECT 1 FROM sync_listed WHERE sync_listed.run_id = sync_runs.run_id)
LIMIT 1
"""
_LAST_MARK = """
SELECT job_id, thing_name
FROM sync_listed
WHERE run_id = :run_id
ORDER BY job_id, thing_name
LIMIT 1 OFFSET :deleted
"""
_UNMARK_BEFORE = """
DELETE FROM sync_listed
WHERE run_id = :run_id
AND (job_id, thing_name) < (:job_id, :thing_name)
"""
_UNMARK = "DELETE FROM sync_listed WHERE run_id = :run_id"

_LAST_DIFFERENCE = "SELECT coalesce(max(difference_id), 0) FROM sync_differences"
_KEEP_DIFFERENCES = """
INSERT INTO sync_differences (
    difference_id, found_at, run_id, is_repaired, difference, job_id, thing_name, was, now
)
SELECT
    CAST(json_extract(value, '$[0]') AS INTEGER), :now, :run_id, :is_repaired, json_extract(value, '$[1]'),
    json_extract(value, '$[2]'), json_extract(value, '$[3]'), json_extract(value, '$[4]'), json_extract(value, '$[5]')
FROM json_each(:rows)
"""
_DROP_DIFFERENCES = "DELETE FROM sync_differences WHERE difference_id <= :last"
_DIFFERENCES = """
SELECT difference_id, found_at, run_id, is_repaired, difference, job_id, thing_name, was, now
FROM sync_differences
WHERE difference_id < :before
ORDER BY difference_id DESC
LIMIT :limit
"""
_SET_TIMES = """
INSERT INTO sync_times (the_one, filled_at, reconciled_at)
VALUES (1, :filled_at, :reconciled_at)
ON CONFLICT (the_one) DO UPDATE SET
    filled_at = coalesce(excluded.filled_at, sync_times.filled_at),
    reconciled_at = coalesce(excluded.reconciled_at, sync_times.reconciled_at)
"""
_TIMES = "SELECT filled_at, reconciled_at FROM sync_times"


def is_requested(connection: Connection, *, kind: SyncKind, job_id: str) -> bool:
    """Return whether there is an open run of the kind and the job."""
    return connection.execute(_IS_OPEN, {"kind": kind.value, "job_id": job_id}).fetchone() is not None


def request(connection: Connection, *, kind: SyncKind, job_id: str, with_groups: bool, now: int) -> None:
    """Store an open run, unless there is one."""
    if kind is SyncKind.JOB and len(_open_runs(connection, OPEN_JOBS_MAXIMUM, (kind,))) == OPEN_JOBS_MAXIMUM:
        return
    if not is_requested(connection, kind=kind, job_id=job_id):
        given = {"kind": kind.value, "job_id": job_id, "with_groups": int(with_groups), "now": now}
        connection.execute(_REQUEST, given)


def next_run(connection: Connection) -> SyncRun | None:
    """Return the first open run."""
    return next(iter(_open_runs(connection, 1)), None)


def runs(connection: Connection, *, limit: int) -> Sequence[SyncRun]:
    """Return the open runs, then the ended ones."""
    found = _open_runs(connection, limit)
    ended = connection.execute(_ENDED, {"limit": limit - len(found)}).fetchall()
    return [*found, *map(_run, ended)]


def _open_runs(connection: Connection, limit: int, kinds: Iterable[SyncKind] = SyncKind) -> list[SyncRun]:
    found: list[SyncRun] = []
    for kind in kinds:
        if len(found) < limit:
            rows = connection.execute(_OPEN, {"kind": kind.value, "limit": limit - len(found)}).fetchall()
            found += map(_run, rows)
    return found


def advance(connection: Connection, step: SyncStep, *, found: int) -> None:
    """Store the progress of a run, its marks and times; `found` more differences.

    Raises:
        ResourceNotFoundException: there is no such run.
    """
    run = step.run
    given = {
        "run_id": run.id,
        "started_at": _time(run.started_at),
        "ended_at": _time(run.ended_at),
        "as_of": _time(run.as_of),
        "is_complete": int(run.is_complete),
        "phase": run.phase,
        "position": run.position,
        "done": run.done,
        "total": run.total,
        "row_count": run.rows,
        "calls": run.calls,
        "throttled": run.throttled,
        "problems": orjson.dumps([*run.problems]).decode(),
        "found": found,
    }
    if connection.execute(_ADVANCE, given).rowcount != 1:
        raise ResourceNotFoundException(f"Sync run {run.id} cannot be found.")
    if step.listed:
        marks = orjson.dumps([*dict.fromkeys(step.listed)]).decode()
        connection.execute(_MARK, {"run_id": run.id, "rows": marks})
    if step.filled_at is not None or step.reconciled_at is not None:
        times = {"filled_at": _time(step.filled_at), "reconciled_at": _time(step.reconciled_at)}
        connection.execute(_SET_TIMES, times)
    _delete_marks(connection)
    if run.ended_at is not None:
        connection.execute(_EXPIRE, {"kind": run.kind.value, "kept": RUNS_KEPT})


def unmarked(connection: Connection, run_id: int, keys: frozenset[tuple[str, str]]) -> frozenset[tuple[str, str]]:
    """Return the keys that no listing of the run has had before."""
    asked = {"run_id": run_id, "rows": orjson.dumps([*keys]).decode()}
    return keys - {(job_id, thing_name) for job_id, thing_name in connection.execute(_IS_MARKED, asked).fetchall()}


def count_differences(connection: Connection, run_id: int, found: int) -> None:
    """Add to the differences of a run."""
    connection.execute(_COUNT_FOUND, {"run_id": run_id, "found": found})


def _delete_marks(connection: Connection) -> None:
    for (run_id,) in connection.execute(_MARKED).fetchall():
        last = connection.execute(_LAST_MARK, {"run_id": run_id, "deleted": MARKS_DELETED}).fetchone()
        if last is None:
            connection.execute(_UNMARK, {"run_id": run_id})
        else:
            given = {"run_id": run_id, "job_id": last[0], "thing_name": last[1]}
            connection.execute(_UNMARK_BEFORE, given)


def keep_differences(
    connection: Connection, found: Collection[Difference], *, run_id: int, is_repaired: bool, now: int
) -> None:
    """Store differences, and delete the oldest."""
    if not found:
        return
    (last,) = connection.execute(_LAST_DIFFERENCE).fetchone()
    rows = [
        (id_, one.kind.value, one.job_id, one.thing_name, one.was, one.now) for id_, one in enumerate(found, last + 1)
    ]
    given = {"run_id": run_id, "is_repaired": int(is_repaired), "now": now, "rows": orjson.dumps(rows).decode()}
    connection.execute(_KEEP_DIFFERENCES, given)
    connection.execute(_DROP_DIFFERENCES, {"last": last + len(found) - DIFFERENCES_KEPT})


def read_differences(connection: Connection, *, before: int | None, limit: int) -> Sequence[StoredDifference]:
    """Return differences, newest first."""
    given = {"before": (1 << 63) - 1 if before is None else before, "limit": limit}
    return [
        StoredDifference(
            id=row["difference_id"],
            found_at=from_milliseconds(row["found_at"]),
            run_id=row["run_id"],
            is_repaired=bool(row["is_repaired"]),
            difference=Difference(
                kind=DifferenceKind(row["difference"]),
                job_id=row["job_id"],
                thing_name=row["thing_name"],
                was=row["was"],
                now=row["now"],
            ),
        )
        for row in connection.execute(_DIFFERENCES, given).fetchall()
    ]


def times(connection: Connection) -> SyncTimes:
    """Return the times of the last complete syncs."""
    for filled_at, reconciled_at in connection.execute(_TIMES).fetchall():
        return SyncTimes(filled_at=_moment(filled_at), reconciled_at=_moment(reconciled_at))
    return SyncTimes()


def _run(row: Row) -> SyncRun:
    return SyncRun(
        id=row["run_id"],
        kind=SyncKind(row["run_kind"]),
        requested_at=from_milliseconds(row["requested_at"]),
        job_id=row["job_id"],
        with_groups=bool(row["with_groups"]),
        started_at=_moment(row["started_at"]),
        ended_at=_moment(row["ended_at"]),
        as_of=_moment(row["as_of"]),
        is_complete=bool(row["is_complete"]),
        phase=row["phase"],
        position=row["position"],
        done=row["done"],
        total=row["total"],
        rows=row["row_count"],
        calls=row["calls"],
        throttled=row["throttled"],
        differences=row["differences"],
        problems=tuple(orjson.loads(row["problems"])),
    )


def _moment(time: int | None) -> datetime | None:
    return None if time is None else from_milliseconds(time)


def _time(moment: datetime | None) -> int | None:
    return None if moment is None else to_milliseconds(moment)
