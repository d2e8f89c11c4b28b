"""Recomputes derived columns after a migration has created rows without them.

Each step is one transaction with its progress, so an interrupted rebuild resumes, and processes that share a database
take turns. No query is answered before the end.
"""

import logging
import time
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from jobindex.storage.sql.batch import Batch
from jobindex.storage.sql.engine import WriteTransaction

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
    def __call__(self, work: Callable[[WriteTransaction], T], /) -> Awaitable[T]: ...


async def rebuild(write: _Write) -> None:
    """Recompute all derived columns.

    Raises:
        DatabaseUnavailableError: another call resumes.
    """
    jobs = 0
    logged_at = time.monotonic()
    while step := await write(_step):
        jobs += step
        if time.monotonic() - logged_at > _PROGRESS_SECONDS:
            logged_at = time.monotonic()
            _log.info("Migrating: %d jobs done", jobs)
    if jobs:
        _log.info("Migrated %d jobs", jobs)


def _step(writer: WriteTransaction) -> int:
    position = writer.execute(_READ_POSITION).fetchone()
    if position is None:
        return 0
    found = writer.execute(_NEXT_JOBS, {"after": position[0], "limit": _STEP_JOBS}).fetchall()
    job_ids = [job_id for (job_id,) in found]
    if not job_ids:
        writer.execute(_END)
        return 0
    Batch(writer, writer.access, 0, keeps_history=False).rebuild(job_ids).write(writer)
    writer.execute(_MOVE, {"job_id": job_ids[-1]})
    return len(job_ids)
