"""Jobs that clients open while a sync is under way: each is described by AWS soon, before the others.

A request must not wait for that, or fail because of it. A client that opens every job must not delay the sync for long,
so only some of them are requested in a minute.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from jobindex.errors import JobindexError, ResourceNotFoundException
from jobindex.model.parameters import JOB_ID
from jobindex.model.reader import Reader
from jobindex.model.store import Store
from jobindex.model.sync import SyncKind
from jobindex.monitoring.state import ServiceState

ONCE_IN_SECONDS = 600
"""A job is not requested again within this time."""
A_MINUTE_MAXIMUM = 30
"""Requests in a minute: with a call to DescribeJob each, a tenth of its default rate."""

_log = logging.getLogger(__name__)


class OpenedJobs:
    """Requests runs for opened jobs from the index in `state`."""

    def __init__(self, state: ServiceState, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._state = state
        self._clock = clock
        self._requested: dict[str, float] = {}
        """The times of the requests by job, for ONCE_IN_SECONDS: at most ten minutes' number of jobs."""
        self._tasks: set[asyncio.Task[None]] = set()

    @contextmanager
    def opening(self, reader: Reader, job_id: str) -> Iterator[None]:
        """Note that a job is read inside the context; a restricted reader must find it there."""
        try:
            yield
        except ResourceNotFoundException:
            if reader is self._state.store:
                self._note(job_id)
            raise
        self._note(job_id)

    def _note(self, job_id: str) -> None:
        store, sync, now = self._state.store, self._state.ingestion_status().sync, self._clock()
        if store is None or sync is None or sync.kind is None or any(JOB_ID.problems(job_id)):
            return
        self._requested = {other: at for other, at in self._requested.items() if now - at < ONCE_IN_SECONDS}
        in_a_minute = sum(now - at < 60 for at in self._requested.values())
        if job_id not in self._requested and in_a_minute < A_MINUTE_MAXIMUM:
            self._requested[job_id] = now
            task = asyncio.create_task(self._request(store, job_id), name=f"sync of job {job_id}")
            self._tasks.add(task)  # the event loop has only a weak reference
            task.add_done_callback(self._tasks.discard)

    async def _request(self, store: Store, job_id: str) -> None:
        try:
            await store.request_sync(SyncKind.JOB, job_id=job_id, now=datetime.now(UTC))
        except JobindexError:
            # The answer has been sent. A failure also fails the sync itself, which reports it.
            _log.debug("Job %s was opened, but no sync of it is requested", job_id, exc_info=True)
