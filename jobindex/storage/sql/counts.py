"""The counts of namespaces, and the history of jobs, kept as the index changes.

Counted by a batch's own differences, so that a namespace of a million jobs is counted without reading one of them;
`check.py` counts all again and compares. The history of a job has its reported statuses: a status that is inferred
may go to and fro, as a rollout goes on thing by thing.
"""

from collections import Counter
from collections.abc import Iterable

import orjson

from jobindex.model.job_status import JobView
from jobindex.model.jobs import JobStatus
from jobindex.model.reader import CHANGES_MAXIMUM
from jobindex.storage.sql.connection import Connection
from jobindex.storage.sql.kinds import STATUS_KINDS
from jobindex.storage.sql.states import LoadedJob
from jobindex.storage.sql.tables import Values

CHANGES_KEPT = CHANGES_MAXIMUM + 1
"""Changes that are kept of each job: one more than are shown, as that says where the job was before the others."""

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
# Nothing is kept of a namespace without jobs.
_FORGET_ACTIVITY = """
DELETE FROM namespace_activity
WHERE namespace_id IN (SELECT value FROM json_each(:left))
AND NOT EXISTS (SELECT 1 FROM namespace_jobs WHERE namespace_jobs.namespace_id = namespace_activity.namespace_id)
"""
_KEEP_CHANGES = """
INSERT INTO job_changes (job_id, changed_at, status, former_status, namespace_id, is_status_reported)
SELECT
    json_extract(value, '$[0]'), :now, CAST(json_extract(value, '$[1]') AS INTEGER),
    CAST(json_extract(value, '$[2]') AS INTEGER), json_extract(value, '$[3]'),
    CAST(json_extract(value, '$[4]') AS INTEGER)
FROM json_each(:rows)
WHERE true
ON CONFLICT (job_id, changed_at) DO UPDATE SET
    status = excluded.status,
    namespace_id = excluded.namespace_id,
    is_status_reported = excluded.is_status_reported
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


class Counts:
    """What a batch adds to the counts and to the history; `now` is its arrival in milliseconds."""

    def __init__(self, now: int, *, keeps_history: bool = True) -> None:
        self._now = now
        self._keeps_history = keeps_history
        self._jobs: Counter[tuple[object, object]] = Counter()
        self._executions: Counter[tuple[object, object]] = Counter()
        self._activity: Counter[str] = Counter()
        self._left: set[str] = set()
        self._changes: list[Values] = []

    def count_job(self, loaded: LoadedJob, row: Values | None, view: JobView | None) -> None:
        """Count a job whose row in the list is another than before, and keep the change of its status."""
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
        """Return whether a job of the same kind has the same status in the history."""
        return view is not None and view.is_status_reported == loaded.was_status_reported

    def count_execution(self, former: tuple[str, str] | None, place: tuple[str, str] | None) -> None:
        """Count an execution whose namespace or state has changed."""
        if former is not None:
            self._executions[former] -= 1
        if place is not None:
            self._executions[place] += 1

    def forget_job(self, summary: Values, executions: Iterable[tuple[str, int]]) -> None:
        """Count a job and its executions, by their states, no longer."""
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
            connection.execute(_FORGET_ACTIVITY, {"left": orjson.dumps([*self._left]).decode()})
        if self._changes and self._keeps_history:
            changes = {**parameters, "rows": orjson.dumps(self._changes).decode()}
            connection.execute(_KEEP_CHANGES, changes)
            connection.execute(_DROP_CHANGES, changes)


def _kept_status(status: JobStatus, *, is_reported: bool) -> int:
    """Return the kind of the status that the history keeps: an inferred completion is not in it."""
    return STATUS_KINDS[status if is_reported else JobStatus.IN_PROGRESS]


def _former_kind(summary: Values, *, is_reported: bool) -> int:
    return int(summary[2] or 0) // 3 * 3 if is_reported else STATUS_KINDS[JobStatus.IN_PROGRESS]
