"""How many jobs and executions there are, by namespace, as /metrics tells it.

Namespaces come from topics: who may publish can make any number of them, and Prometheus keeps every series for weeks.
So only those with the most jobs have series of their own; the others are summed. Not chosen: jobs and things as
labels, of which there are hundreds of thousands. Every status is told, also where there is none: a series that comes
and goes cannot be reckoned with.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TypeVar

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from jobindex.model.jobs import JobStatus
from jobindex.model.reader import Reader
from jobindex.model.views import ExecutionState, Namespace

NAMESPACES_MAXIMUM = 50
"""Namespaces that have series of their own, besides the jobs that have none."""
OTHER = "other"
"""What all other namespaces are summed under; so is one that really has this name."""
STUCK_MAXIMUM = 10_000
"""Stuck executions are counted up to here."""

_NAME_MAXIMUM = 128
_PAGE = 500

StatusT = TypeVar("StatusT", bound=StrEnum)


@dataclass(frozen=True, slots=True, kw_only=True)
class Census:
    """The jobs and executions of an index, counted; by namespace, "" for jobs that have none."""

    jobs: Mapping[str, Mapping[JobStatus, int]]
    executions: Mapping[str, Mapping[ExecutionState, int]]
    stuck: int
    """Executions that have been pending too long, STUCK_MAXIMUM at most."""


async def read_census(reader: Reader, *, stuck_after: timedelta, now: datetime) -> Census:
    """Count what is in the index; an execution is stuck once it has been pending for `stuck_after`.

    Raises:
        DatabaseUnavailableError: it cannot be read just now.
    """
    jobs: dict[str, Counter[JobStatus]] = {}
    executions: dict[str, Counter[ExecutionState]] = {}
    after: str | None = None
    while True:
        page = await reader.namespaces(after=after, limit=_PAGE, now=now)
        for namespace in page:
            label = _label(namespace)
            jobs.setdefault(label, Counter()).update(namespace.jobs)
            executions.setdefault(label, Counter()).update(namespace.executions)
        _sum_smallest(jobs, executions)
        if len(page) < _PAGE:
            break
        after = page[-1].namespace_id
    stuck = await reader.count_waiting(since=now - stuck_after, maximum=STUCK_MAXIMUM)
    return Census(jobs=jobs, executions=executions, stuck=stuck)


class CensusCollector(Collector):
    """Tells Prometheus the last census, and nothing where there is none."""

    def __init__(self) -> None:
        self.census: Census | None = None

    def collect(self) -> Iterable[Metric]:
        """Return the figures of the census, at 0 also."""
        jobs = GaugeMetricFamily("jobindex_jobs", "Jobs that are listed", labels=("namespace_id", "status"))
        executions = GaugeMetricFamily(
            "jobindex_executions", "Job executions of which a message told", labels=("namespace_id", "state")
        )
        stuck = GaugeMetricFamily(
            "jobindex_executions_stuck",
            f"Executions that have been QUEUED or IN_PROGRESS too long, counted up to {STUCK_MAXIMUM}",
        )
        if self.census is not None:
            for labels, value in _cells(self.census.jobs, JobStatus):
                jobs.add_metric(labels, value)
            for labels, value in _cells(self.census.executions, ExecutionState):
                executions.add_metric(labels, value)
            stuck.add_metric((), self.census.stuck)
        return jobs, executions, stuck


def _label(namespace: Namespace) -> str:
    name = namespace.namespace_id or ""
    return name if len(name) <= _NAME_MAXIMUM else OTHER


def _sum_smallest(jobs: dict[str, Counter[JobStatus]], executions: dict[str, Counter[ExecutionState]]) -> None:
    """Move all but the namespaces with the most jobs into OTHER."""
    named = sorted(jobs.keys() - {"", OTHER}, key=lambda name: (-jobs[name].total(), name))
    for name in named[NAMESPACES_MAXIMUM:]:
        jobs.setdefault(OTHER, Counter()).update(jobs.pop(name))
        executions.setdefault(OTHER, Counter()).update(executions.pop(name))


def _cells(
    counts: Mapping[str, Mapping[StatusT, int]], statuses: Iterable[StatusT]
) -> Iterator[tuple[tuple[str, str], int]]:
    for namespace_id, by_status in sorted(counts.items()):
        for status in statuses:
            yield (namespace_id, status.value), by_status.get(status, 0)
