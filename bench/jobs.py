"""The jobs of the measured indexes: fixed, seeded, and hard on database indexes.

Three in ten jobs are on the left side, three in ten on the right. The sides share no value: values of different sides
match no job together, or five of the oldest jobs. The other four in ten are the crossed: any two of namespace, status
and selection often go together, but of all three only half of the combinations exist. Five jobs have values that no
other job has. Half of the jobs of a group report its name, the others its id.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from random import Random
from uuid import UUID

from jobindex.model.jobs import JobExecutionStatus, JobStatus, TargetSelection, from_milliseconds, to_milliseconds
from jobindex.model.reports import ExecutionReport, JobReport, MemberValue, Report, ThingGroupReport

RARE = 5
"""The number of jobs with a rare value or combination, at every size."""

_THINGS = 50_000
_FIRST_MS = 1_700_000_000_000
_STEP_MS = 500
_GROUPS = ("left", "right", "quay-1", "quay-2", "rare")


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """The filterable values of a job."""

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
            created_at=from_milliseconds(_FIRST_MS + number // 2 * _STEP_MS),  # two jobs share a time
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
    """Yield the reports that make up an index of `size` jobs, each with one execution."""
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
