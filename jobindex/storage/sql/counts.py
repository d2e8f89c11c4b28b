"""The counts of namespaces and the history of jobs, updated with the index.

A batch counts its own differences, so a namespace of a million jobs is counted without reading any; `check.py` counts
again and compares. The history has IN_PROGRESS for an unreported status, because an inferred one may change back and
forth during a rollout.
"""

from collections import Counter
from collections.abc import Iterable

import orjson

from jobindex.model.job_status import JobView
from jobindex.model.jobs import JobStatus
from jobindex.model.reader import CHANGES_MAXIMUM
from jobindex.model.views import ChangeOrigin, ExecutionState
from jobindex.storage.sql.connection import Connection
from jobindex.storage.sql.kinds import STATUS_KINDS
from jobindex.storage.sql.states import LoadedJob
from jobindex.storage.sql.tables import Values

CHANGES_KEPT = CHANGES_MAXIMUM + 1
"""Changes stored for each job: one more than are shown, for the state before them."""

_HOUR = 3_600_000

_COUNT_JOBS = """
INSERT INTO namespace_jobs (namespace_id, kind, jobs)
SELECT
    json_extract(value, '$[0]'),
    CAST(json_extract(value, '$[1]') AS INTEGER),
    CAST(json_extract(value, '$[2]') AS INTEGER)
FROM json_each(:rows)
WHERE true
ON CONFLICT (namespace_id, kind) DO UPDATE SET jobs = namespace_jobs.jobs + excluded.jobs
"""
_COUNT_EXECUTIONS = """
INSERT INTO namespace_executions (namespace_id, state, executions)
SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), CAST(json_extract(value, '$[2]') AS INTEGER)
FROM json_each(:rows)
WHERE true
ON CONFLICT (namespace_id, state) DO UPDATE SET executions = namespace_executions.executions + excluded.executions
"""
_COUNT_ACTIVITY = f"""
INSERT INTO namespace_activity (namespace_id, slot, hour, changes, changed_at)
SELECT
    json_extract(value, '$[0]'), :now / {_HOUR} % 24, :now / {_HOUR}, CAST(json_extract(value, '$[1]') AS INTEGER), :now
FROM json_each(:rows)
WHERE true
ON CONFLICT (namespace_id, slot) DO UPDATE SET
    hour = excluded.hour,
    changes = excluded.changes + CASE
        WHEN namespace_activity.hour = excluded.hour THEN namespace_activity.changes
        ELSE 0
    END,
    changed_at = excluded.changed_at
"""
# Deletes the activity of namespaces without jobs.
_DELETE_ACTIVITY = """
DELETE FROM namespace_activity
WHERE namespace_id IN (SELECT value FROM json_each(:left))
AND NOT EXISTS (SELECT 1 FROM namespace_jobs WHERE namespace_jobs.namespace_id = namespace_activity.namespace_id)
"""
_KEEP_CHANGES = """
INSERT INTO job_changes (job_id, changed_at, status, former_status, namespace_id, is_status_reported, origin)
SELECT
    json_extract(value, '$[0]'), :now, CAST(json_extract(value, '$[1]') AS INTEGER),
    CAST(json_extract(value, '$[2]') AS INTEGER), json_extract(value, '$[3]'),
    CAST(json_extract(value, '$[4]') AS INTEGER), :origin
FROM json_each(:rows)
WHERE true
ON CONFLICT (job_id, changed_at) DO UPDATE SET
    status = excluded.status,
    namespace_id = excluded.namespace_id,
    is_status_reported = excluded.is_status_reported,
    origin = excluded.origin
"""
_DROP_CHANGES = """
DELETE FROM job_changes
WHERE job_id IN (SELECT json_extract(value, '$[0]') FROM json_each(:rows))
AND changed_at <= (
    SELECT changed_at
    FROM job_changes AS kept
    WHERE kept.job_id = job_changes.job_id
    ORDER BY changed_at DESC
    LIMIT 1 OFFSET :changes_maximum
)
"""


COUNTED_JOBS = """
SELECT coalesce(namespace_id, '') AS namespace_id, kind, count(*) AS jobs
FROM job_summaries
GROUP BY 1, 2
"""
"""Recounts the rows of `namespace_jobs`."""
COUNTED_EXECUTIONS = """
SELECT coalesce(job_summaries.namespace_id, '') AS namespace_id, executions.state, count(*) AS executions
FROM executions
CROSS JOIN jobs ON jobs.job_id = executions.job_id
CROSS JOIN job_summaries ON (job_summaries.created_at, job_summaries.job_id) = (jobs.listed_created_at, jobs.job_id)
WHERE executions.state IS NOT NULL
GROUP BY 1, 2
"""
"""Recounts the rows of `namespace_executions`."""


class Counts:
    """The changes of a batch to the counts and the history; `now` is its arrival in milliseconds."""

    def __init__(self, now: int, *, keeps_history: bool = True, origin: ChangeOrigin = ChangeOrigin.MESSAGE) -> None:
        self._now = now
        self._origin = origin
        self._keeps_history = keeps_history
        self._jobs: Counter[tuple[object, object]] = Counter()
        self._executions: Counter[tuple[object, object]] = Counter()
        self._activity: Counter[str] = Counter()
        self._left: set[str] = set()
        self._changes: list[Values] = []

    def count_job(self, loaded: LoadedJob, row: Values | None, view: JobView | None) -> None:
        """Count a job whose row in the list has changed, and record any change of status."""
        former = loaded.summary
        if former is not None and row is not None and former[2:4] == row[2:4] and self._is_same_status(loaded, view):
            self._activity[row[3] or ""] += 1
            return
        was, is_ = (None if one is None else str(one[3] or "") for one in (former, row))
        if former is not None and was is not None:
            self._jobs[was, former[2]] -= 1
            if was != is_:
                self._activity[was] += 1
                self._left.add(was)
        if row is not None and is_ is not None:
            self._jobs[is_, row[2]] += 1
            self._activity[is_] += 1
        status = None if view is None else _kept_status(view.status, is_reported=view.is_status_reported)
        former_status = None if former is None else _former_kind(former, is_reported=loaded.was_status_reported)
        if (status, is_) != (former_status, was):
            self._changes.append(
                (
                    loaded.job.job_id,
                    status,
                    former_status,
                    (was if is_ is None else is_) or None,
                    int(view is not None and view.is_status_reported),
                )
            )

    @staticmethod
    def _is_same_status(loaded: LoadedJob, view: JobView | None) -> bool:
        return view is not None and view.is_status_reported == loaded.was_status_reported

    def count_executions(self, summary: Values | None, executions: Iterable[int], by: int) -> None:
        """Add a job's execution counts to its namespace, `by` times."""
        if summary is not None:
            for state, count in zip(ExecutionState, executions, strict=True):
                if count:
                    self._executions[str(summary[3] or ""), state.value] += by * count

    def subtract_job(self, summary: Values, executions: Iterable[tuple[str, int]]) -> None:
        """Subtract a job, and its executions by state."""
        namespace_id = str(summary[3] or "")
        self._jobs[namespace_id, summary[2]] -= 1
        self._left.add(namespace_id)
        for state, count in executions:
            self._executions[namespace_id, state] -= count

    def write(self, connection: Connection) -> None:
        """Write the counts and the history."""
        for counter, count, table, column in (
            (self._jobs, _COUNT_JOBS, "namespace_jobs", "jobs"),
            (self._executions, _COUNT_EXECUTIONS, "namespace_executions", "executions"),
        ):
            rows = [(*key, by) for key, by in counter.items() if by]
            if rows:
                connection.execute(count, {"rows": orjson.dumps(rows).decode()})
                if any(by < 0 for *_, by in rows):
                    connection.execute(f"DELETE FROM {table} WHERE {column} = 0")
        parameters = {"now": self._now, "changes_maximum": CHANGES_KEPT}
        if self._activity and self._keeps_history:
            activity = orjson.dumps([*self._activity.items()]).decode()
            connection.execute(_COUNT_ACTIVITY, {**parameters, "rows": activity})
        if self._left:
            connection.execute(_DELETE_ACTIVITY, {"left": orjson.dumps([*self._left]).decode()})
        if self._changes and self._keeps_history:
            changes = {**parameters, "origin": self._origin.value, "rows": orjson.dumps(self._changes).decode()}
            connection.execute(_KEEP_CHANGES, changes)
            connection.execute(_DROP_CHANGES, changes)


def _kept_status(status: JobStatus, *, is_reported: bool) -> int:
    return STATUS_KINDS[status if is_reported else JobStatus.IN_PROGRESS]


def _former_kind(summary: Values, *, is_reported: bool) -> int:
    return int(summary[2] or 0) // 3 * 3 if is_reported else STATUS_KINDS[JobStatus.IN_PROGRESS]
