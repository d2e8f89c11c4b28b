"""Jobs that clients open during a sync: when a run is requested for each, and when not."""

import asyncio
from datetime import datetime
from typing import cast

import pytest

from jobindex.errors import DatabaseUnavailableError, ResourceNotFoundException
from jobindex.model.reader import Reader
from jobindex.model.store import Store
from jobindex.model.sync import SyncKind
from jobindex.monitoring.state import ServiceState, SyncStatus
from jobindex.web.opened_jobs import A_MINUTE_MAXIMUM, ONCE_IN_SECONDS, OpenedJobs

FILLING = SyncStatus(mode="check", kind=SyncKind.FILL)


class Requests:
    """A store that records the requested runs."""

    def __init__(self, error: Exception | None = None) -> None:
        self.job_ids: list[str] = []
        self._error = error

    async def request_sync(self, kind: SyncKind, *, job_id: str, now: datetime) -> None:
        """Record a request."""
        assert (SyncKind.JOB, True) == (kind, now.tzinfo is not None)
        await asyncio.sleep(0)
        self.job_ids.append(job_id)
        if self._error is not None:
            raise self._error


class Opening:
    """Opens jobs of an index at a time that the test sets."""

    def __init__(self, sync: SyncStatus | None, error: Exception | None = None) -> None:
        self.requests = Requests(error)
        self.store = cast("Store", self.requests)
        self.now = 1000.0
        self._opened = OpenedJobs(ServiceState(store=self.store, sync=sync), clock=lambda: self.now)

    def open(self, job_id: str, reader: Reader | None = None, *, is_known: bool = True) -> None:
        """Open a job, which the reader finds or not."""
        with self._opened.opening(reader or self.store, job_id):
            if not is_known:
                raise ResourceNotFoundException(job_id)

    async def requested(self) -> list[str]:
        """Return the jobs of the requests so far."""
        for _ in range(3):
            await asyncio.sleep(0)
        return self.requests.job_ids


async def test_a_job_is_requested_once_in_ten_minutes() -> None:
    """The request follows the answer, and another one only after ten minutes."""
    opening = Opening(FILLING)
    opening.open("j1")
    assert [] == opening.requests.job_ids
    opening.open("j1")
    opening.open("j2")
    assert ["j1", "j2"] == await opening.requested()
    opening.now += ONCE_IN_SECONDS - 1
    opening.open("j1")
    assert ["j1", "j2"] == await opening.requested()
    opening.now += 1
    opening.open("j1")
    assert ["j1", "j2", "j1"] == await opening.requested()


@pytest.mark.parametrize("sync", [None, SyncStatus(mode="check")])
async def test_nothing_is_requested_without_an_open_run(sync: SyncStatus | None) -> None:
    """Neither while the sync is off, nor while no run is open."""
    opening = Opening(sync)
    opening.open("j1")
    assert [] == await opening.requested()


async def test_a_restricted_reader_must_see_the_job() -> None:
    """The index may not have a job yet: only a reader of the whole index may ask AWS for it."""
    opening = Opening(FILLING)
    restricted = cast("Reader", object())
    for reader, job_id, is_known in ((restricted, "j1", False), (restricted, "j2", True), (None, "j3", False)):
        if is_known:
            opening.open(job_id, reader)
        else:
            with pytest.raises(ResourceNotFoundException):
                opening.open(job_id, reader, is_known=False)
    assert ["j2", "j3"] == await opening.requested()


async def test_a_name_that_is_not_a_job_id_is_not_requested() -> None:
    """A page's address may have any text."""
    opening = Opening(FILLING)
    for job_id in ("", "a b", "j" * 65):
        opening.open(job_id)
    assert [] == await opening.requested()


async def test_a_client_that_opens_every_job_does_not_delay_the_sync() -> None:
    """A minute has a number of requests; later, a job that was left out is requested."""
    opening = Opening(FILLING)
    for number in range(A_MINUTE_MAXIMUM + 5):
        opening.open(f"j{number}")
    assert A_MINUTE_MAXIMUM == len(await opening.requested())
    opening.now += 60
    opening.open(f"j{A_MINUTE_MAXIMUM}")
    assert f"j{A_MINUTE_MAXIMUM}" == (await opening.requested())[-1]


async def test_a_failure_reaches_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """It is logged for debugging; the answer does not depend on it."""
    caplog.set_level("DEBUG", "jobindex.web.opened_jobs")
    opening = Opening(FILLING, DatabaseUnavailableError("the disk is full"))
    opening.open("j1")
    assert ["j1"] == await opening.requested()
    assert [("DEBUG", "Job j1 was opened, but no sync of it is requested")] == [
        (record.levelname, record.message) for record in caplog.records
    ]
