"""The source: an index of jobs as a fleet has them after years, most of them ended, made through the product's store.

Two in a hundred jobs are IN_PROGRESS, with pending executions; one in ten of the others has an execution that ended. A
fifth of the jobs has no namespace. Some jobs report the name of their thing group, some its id.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from random import Random

from jobindex.model.jobs import JobExecutionStatus, JobStatus, TargetSelection
from jobindex.model.reports import ExecutionReport, JobReport, MemberValue, Report, ThingGroupReport
from jobindex.storage.sqlite.store import open_store

PAGE_ROWS = 250
"""Rows of a page that a sync requests."""

_NAMESPACES = {"aws-gg-deployment": 5, "acme": 2, "globex": 1, "": 2}
_STATUSES = {
    JobStatus.COMPLETED: 89,
    JobStatus.CANCELED: 7,
    JobStatus.IN_PROGRESS: 2,
    JobStatus.SCHEDULED: 1,
    JobStatus.DELETION_IN_PROGRESS: 1,
}
PENDING = (JobExecutionStatus.QUEUED, JobExecutionStatus.IN_PROGRESS)
_GROUPS = ("pumps", "valves", "quays")
_THINGS = 50_000
_LARGE_EVERY = 2000
"""One of this number of active jobs has more pending executions than fit on two pages; the first one has, too."""
_LARGE = 600
_FIRST_MS = 1_700_000_000_000
_STEP_MS = 500
_BATCH = 20_000

Pending = Mapping[JobExecutionStatus, int]


@dataclass(slots=True)
class Source:
    """The counts of an index."""

    jobs: int = 0
    namespaces: Counter[str] = field(default_factory=Counter)
    """Jobs by namespace; "" for none."""
    statuses: Counter[JobStatus] = field(default_factory=Counter)
    pending: dict[str, Pending] = field(default_factory=dict)
    """The number of pending executions of each job that is IN_PROGRESS."""

    @property
    def listing_calls(self) -> int:
        """The calls of a fill that list all jobs: by namespace, with two jobs described of each, and by status."""
        by_namespace = [
            _pages(count) + min(count, 2) for namespace_id, count in self.namespaces.items() if namespace_id
        ]
        return sum(by_namespace) + sum(_pages(self.statuses[status]) for status in JobStatus)

    @property
    def calls(self) -> int:
        """The calls of a fill, without repeated ones: also the events, the deployments, and pending executions."""
        executions = (_pages(job[status]) for job in self.pending.values() for status in PENDING)
        return self.listing_calls + sum(executions) + 2


def make_source(path: Path, jobs: int) -> Source:
    """Write an index of `jobs` jobs; the same at each call."""
    source = Source()
    asyncio.run(_write(path, _reports(source, jobs)))
    return source


async def _write(path: Path, reports: Iterator[Report]) -> None:
    async with open_store(path) as store:
        while batch := list(islice(reports, _BATCH)):
            await store.apply(batch, (), now=datetime.now(UTC))


def _reports(source: Source, jobs: int) -> Iterator[Report]:
    random = Random(1)
    for group in _GROUPS:
        yield ThingGroupReport(thing_group_name=group, thing_group_id=f"id-of-{group}")
    namespaces = random.choices([*_NAMESPACES], [*_NAMESPACES.values()], k=jobs)
    statuses = random.choices([*_STATUSES], [*_STATUSES.values()], k=jobs)
    for number, (namespace_id, status) in enumerate(zip(namespaces, statuses, strict=True)):
        job_id = f"{random.getrandbits(64):016x}-{number}"
        source.jobs += 1
        source.namespaces[namespace_id] += 1
        source.statuses[status] += 1
        yield from _job(source, job_id, number, namespace_id, status)


def _job(source: Source, job_id: str, number: int, namespace_id: str, status: JobStatus) -> Iterator[Report]:
    created_at = _FIRST_MS + number // 2 * _STEP_MS  # two jobs share a time
    updated_at = created_at + 1000 + number % 1000
    members: dict[str, MemberValue] = {
        "created_at": created_at,
        "status": status.value,
        "target_selection": (TargetSelection.CONTINUOUS if number % 3 else TargetSelection.SNAPSHOT).value,
        "is_concurrent": 0,
        "description": f"job {number}",
        "targets": json.dumps([f"arn:aws:iot:eu-central-1:123456789012:thinggroup/{_GROUPS[0]}"]),
    }
    if namespace_id:
        members["namespace_id"] = namespace_id
    if status in (JobStatus.COMPLETED, JobStatus.CANCELED):
        members["completed_at"] = updated_at
    group = _GROUPS[number % len(_GROUPS)]
    if number % 4 == 1:
        members["thing_group_name"] = group
    elif number % 4 == 2:
        members["thing_group_id"] = f"id-of-{group}"
    yield JobReport(job_id, updated_at, members, earliest_at=created_at, latest_at=updated_at)
    if status is JobStatus.IN_PROGRESS:
        counts = _pending(len(source.pending))
        source.pending[job_id] = counts
        states = [state for state, count in counts.items() for _ in range(count)]
        yield from _executions(job_id, number, created_at, [*states, JobExecutionStatus.SUCCEEDED])
    elif number % 10 == 0:
        yield from _executions(job_id, number, created_at, [JobExecutionStatus.FAILED])


def _pending(place: int) -> Pending:
    if place % _LARGE_EVERY == 0:
        return {JobExecutionStatus.QUEUED: _LARGE, JobExecutionStatus.IN_PROGRESS: 1}
    return {JobExecutionStatus.QUEUED: place % 3, JobExecutionStatus.IN_PROGRESS: place % 2}


def _executions(
    job_id: str, number: int, created_at: int, statuses: list[JobExecutionStatus]
) -> Iterator[ExecutionReport]:
    second = created_at // 1000
    for place, status in enumerate(statuses):
        yield ExecutionReport(
            job_id,
            f"core-{(number + place) % _THINGS:06d}",
            status,
            time=second * 1000,
            heard_at=second,
            execution_number=1,
            version_number=1,
            queued_at=second * 1000,
            started_at=None if status is JobExecutionStatus.QUEUED else second * 1000,
        )


def _pages(rows: int) -> int:
    return max(1, -(-rows // PAGE_ROWS))
