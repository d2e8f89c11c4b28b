"""Reads the history of a job.

The row before a change has the former state. To a restricted reader, a job that becomes visible appears as created,
one that is no longer visible as deleted.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from jobindex.model.jobs import from_milliseconds
from jobindex.model.reader import CHANGES_MAXIMUM
from jobindex.model.views import ChangeOrigin, JobChange
from jobindex.storage.sql.connection import Connection, Row
from jobindex.storage.sql.counts import CHANGES_KEPT
from jobindex.storage.sql.kinds import STATUSES
from jobindex.storage.sql.scope import Visible, is_visible

_CHANGES = """
SELECT *
FROM job_changes
WHERE job_id = :job_id
ORDER BY changed_at DESC
LIMIT :limit
"""


def read_changes(connection: Connection, *, job_id: str, limit: int, visible: Visible = None) -> Sequence[JobChange]:
    """Return the last visible changes of a job, newest first."""
    limit = min(limit, CHANGES_MAXIMUM)
    read = limit if visible is None else CHANGES_KEPT
    rows = connection.execute(_CHANGES, {"job_id": job_id, "limit": read}).fetchall()
    if visible is None:
        return [_change(row) for row in rows]
    return list(_visible_changes(reversed(rows), visible))[::-1][:limit]


def _visible_changes(rows: Iterable[Row], visible: frozenset[str]) -> Iterator[JobChange]:
    former: str | None = None
    for row in rows:
        change = _change(row)
        is_there = change.status is not None and is_visible(change.namespace_id, visible)
        if is_there:
            yield change if former is not None else replace(change, former_status=None)
        elif former is not None:
            is_deletion = change.namespace_id == former
            yield change if is_deletion else replace(change, status=None, namespace_id=former, is_status_reported=False)
        former = change.namespace_id if is_there else None


def _change(row: Row) -> JobChange:
    return JobChange(
        changed_at=from_milliseconds(row["changed_at"]),
        status=STATUSES.get(row["status"]),
        former_status=STATUSES.get(row["former_status"]),
        namespace_id=row["namespace_id"],
        is_status_reported=bool(row["is_status_reported"]),
        origin=ChangeOrigin(row["origin"]),
    )
