"""Runs and differences of syncs, and a store of them for unit tests."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from jobindex.model.sync import Difference, DifferenceKind, StoredDifference, SyncKind, SyncRun, SyncTimes

SECOND = 1_795_448_800
AT = datetime.fromtimestamp(SECOND, UTC)
RUN = SyncRun(
    id=7,
    kind=SyncKind.FILL,
    requested_at=AT,
    with_groups=True,
    started_at=AT + timedelta(seconds=1),
    as_of=AT + timedelta(seconds=1.25),
    phase="jobs",
    done=3,
    total=9,
    rows=750,
    calls=4,
    throttled=1,
    differences=2,
    problems=("ListThingGroups: AccessDeniedException: no",),
)


def difference(id_: int) -> StoredDifference:
    """Return a difference of a job if the id is odd, otherwise of an execution."""
    of_job = Difference(kind=DifferenceKind.JOB_STATUS, job_id="j1", thing_name=None, was="IN_PROGRESS", now="CANCELED")
    of_execution = Difference(
        kind=DifferenceKind.EXECUTION_DELETED, job_id="j1", thing_name="t1", was="QUEUED", now=None
    )
    return StoredDifference(
        id=id_, found_at=AT, run_id=7, is_repaired=id_ % 2 == 0, difference=of_job if id_ % 2 else of_execution
    )


class SyncStore:
    """The part of a store that holds runs and differences."""

    def __init__(self, runs: Sequence[SyncRun] = (), *, differences: int = 0, times: SyncTimes | None = None) -> None:
        self.runs = [*runs]
        self._differences = differences
        self._times = times or SyncTimes()

    async def request_sync(self, kind: SyncKind, *, job_id: str = "", with_groups: bool = False, now: datetime) -> None:
        """Add an open run, unless there is one of the kind."""
        if not any(run.kind is kind and run.ended_at is None for run in self.runs):
            run = SyncRun(id=100, kind=kind, job_id=job_id, with_groups=with_groups, requested_at=now)
            self.runs.append(run)

    async def sync_runs(self, *, limit: int) -> Sequence[SyncRun]:
        """Return the runs."""
        return self.runs[:limit]

    async def sync_times(self) -> SyncTimes:
        """Return the times."""
        return self._times

    async def differences(self, *, before: int | None, limit: int) -> Sequence[StoredDifference]:
        """Return differences with decreasing ids."""
        first = self._differences if before is None else min(before - 1, self._differences)
        return [difference(id_) for id_ in range(first, 0, -1)[:limit]]
