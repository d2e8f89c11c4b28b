"""Working out derived columns again, after a migration has made rows without them.

Each step is one transaction that also notes how far it has come, so a rebuild that was interrupted goes on; processes
that share a database take steps in turn. Nothing is answered before it is done.
"""

import logging
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Protocol, TypeVar

from jobindex.storage.sql.batch import Batch
from jobindex.storage.sql.connection import Connection
from jobindex.storage.sql.row_access import Rows

T = TypeVar("T")

_STEP_JOBS = 1000
_PROGRESS_SECONDS = 10

_READ_POSITION = "SELECT job_id FROM rebuild"
_NEXT_JOBS = """
SELECT job_id
FROM jobs
WHERE job_id > :after
ORDER BY job_id
LIMIT :limit
"""
_MOVE = "UPDATE rebuild SET job_id = :job_id"
_END = "DELETE FROM rebuild"

_log = logging.getLogger(__name__)


class _Write(Protocol):
    """Does some work in one durable transaction."""

    def __call__(self, work: Callable[[Connection], T], /) -> Awaitable[T]: ...


async def rebuild(write: _Write, rows: Rows) -> None:
    """Work out derived columns until all are, with progress in the log.

    Raises:
        DatabaseUnavailableError: it cannot be written just now; calling this again goes on.
    """
    jobs = 0
    told_at = time.monotonic()
    while step := await write(partial(_step, rows=rows)):
        jobs += step
        if time.monotonic() - told_at > _PROGRESS_SECONDS:
            told_at = time.monotonic()
            _log.info("Migrating: %d jobs are done", jobs)
    if jobs:
        _log.info("Migrated %d jobs", jobs)


def _step(writer: Connection, *, rows: Rows) -> int:
    """Work out the columns of some jobs; return how many, 0 at the end."""
    position = writer.execute(_READ_POSITION).fetchone()
    if position is None:
        return 0
    found = writer.execute(_NEXT_JOBS, {"after": position[0], "limit": _STEP_JOBS}).fetchall()
    job_ids = [job_id for (job_id,) in found]
    if not job_ids:
        writer.execute(_END)
        return 0
    Batch(writer, rows(writer), 0, keeps_history=False).rebuild(job_ids).write(writer)
    writer.execute(_MOVE, {"job_id": job_ids[-1]})
    return len(job_ids)
