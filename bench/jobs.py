"""The jobs of the indexes that are asked for pages: fixed, seeded, and made to be hard on indexes.

Most jobs are on one of two sides, and the sides share no value: each value of a side holds for about three
jobs in ten, two values of different sides for none, or for the five oldest jobs there are. The rest, four in
ten, are the crossed: any two of namespace, status and selection go together often, of all three only half
the combinations exist. And five jobs have values that no other has. Half the jobs of a group were told with
its name, half with its id.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from random import Random
from uuid import UUID

from jobindex.model.jobs import JobExecutionStatus, JobStatus, TargetSelection, from_milliseconds, to_milliseconds
from jobindex.model.reports import ExecutionReport, JobReport, MemberValue, Report, ThingGroupReport

RARE = 5
"""How many jobs have a value or a combination that is rare, at every size."""

_THINGS = 50_000
_FIRST_MS = 1_700_000_000_000
_STEP_MS = 500
_GROUPS = ("left", "right", "quay-1", "quay-2", "rare")


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a job is filtered by."""

    namespace_id: str
    status: JobStatus
    target_selection: TargetSelection
    group: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job of the index."""

    job_id: str
    created_at: datetime
    told: Told


LEFT = Told(namespace_id="left", status=JobStatus.COMPLETED, target_selection=TargetSelection.SNAPSHOT, group="left")
RIGHT = Told(
    namespace_id="right", status=JobStatus.IN_PROGRESS, target_selection=TargetSelection.CONTINUOUS, group="right"
)
_OLDEST = (
    Told(
        namespace_id="rare",
        status=JobStatus.SCHEDULED,
        target_selection=TargetSelection.CONTINUOUS,
        group="rare",
    ),
    Told(namespace_id="left", status=JobStatus.COMPLETED, target_selection=TargetSelection.CONTINUOUS, group="right"),
    Told(namespace_id="right", status=JobStatus.COMPLETED, target_selection=TargetSelection.SNAPSHOT, group="left"),
)


def group_id(group: str) -> str:
    """Return the id of a thing group."""
    return f"id-of-{group}"


def jobs(size: int, seed: int = 1) -> Iterator[Job]:
    """Yield the jobs of an index, oldest first."""
    random = Random(seed)
    for number in range(size):
        oldest = number // RARE
        yield Job(
            job_id=str(UUID(int=random.getrandbits(128), version=4)),
            created_at=from_milliseconds(_FIRST_MS + number // 2 * _STEP_MS),  # two at a time
            told=_OLDEST[oldest] if oldest < len(_OLDEST) else _ordinary(random),
        )


def _ordinary(random: Random) -> Told:
    chance = random.random()
    if chance < 0.6:
        return LEFT if chance < 0.3 else RIGHT
    bits = random.getrandbits(3)
    first, second, third = bits & 1, bits >> 1 & 1, bits >> 2
    return Told(
        namespace_id=f"harbour-{first + 1}",
        status=JobStatus.CANCELED if second else JobStatus.DELETION_IN_PROGRESS,
        target_selection=TargetSelection.SNAPSHOT if first ^ second else TargetSelection.CONTINUOUS,
        group=f"quay-{third + 1}",
    )


def reports(size: int) -> Iterator[Report]:
    """Yield what makes the index of `size` jobs, each with one execution."""
    for group in _GROUPS:
        yield ThingGroupReport(thing_group_name=group, thing_group_id=group_id(group))
    for number, job in enumerate(jobs(size)):
        told = job.told
        created_at = to_milliseconds(job.created_at)
        members: dict[str, MemberValue] = {
            "namespace_id": told.namespace_id,
            "created_at": created_at,
            "status": told.status.value,
            "target_selection": told.target_selection.value,
            "is_concurrent": 0,
        }
        if number % 2:
            members["thing_group_name"] = told.group
        else:
            members["thing_group_id"] = group_id(told.group)
        yield JobReport(job.job_id, created_at, members, earliest_at=created_at, latest_at=created_at)
        yield ExecutionReport(
            job.job_id,
            f"greengrass-core-{number % _THINGS:06d}",
            JobExecutionStatus.SUCCEEDED,
            time=created_at,
            heard_at=created_at // 1000,
            execution_number=1,
            version_number=3,
        )
