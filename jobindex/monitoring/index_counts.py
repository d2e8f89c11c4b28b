"""The numbers of jobs and executions by namespace, for /metrics.

Namespaces come from topics: a publisher can create any number of them, and Prometheus keeps every series for weeks. So
only those with the most jobs have series of their own; the others are summed. Not chosen: jobs and things as labels,
with hundreds of thousands of values. Every status is reported, even at 0: PromQL cannot calculate with series that come
and go.
"""

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import TypeVar

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from jobindex.model.jobs import JobStatus
from jobindex.model.views import ExecutionState, NamespaceCounts

NAMESPACES_MAXIMUM = 50
"""Namespaces with series of their own, in addition to the jobs without a namespace."""
STUCK_MAXIMUM = 10_000
"""The limit of the count of stuck executions."""

StatusT = TypeVar("StatusT", bound=StrEnum)


class IndexCollector(Collector):
    """Reports the latest counts of the index; None is left out."""

    def __init__(self) -> None:
        self.counts: NamespaceCounts | None = None
        self.stuck: int | None = None
        """The number of stuck executions, at most STUCK_MAXIMUM."""

    def collect(self) -> Iterable[Metric]:
        """Return the metrics."""
        jobs = GaugeMetricFamily("jobindex_jobs", "Jobs in the index", labels=("namespace_id", "status"))
        executions = GaugeMetricFamily(
            "jobindex_executions", "Job executions that a message reported", labels=("namespace_id", "state")
        )
        stuck = GaugeMetricFamily(
            "jobindex_executions_stuck",
            f"Executions that have been QUEUED or IN_PROGRESS for too long, counted up to {STUCK_MAXIMUM}",
        )
        if self.counts is not None:
            named = self.counts.jobs.keys() | self.counts.executions.keys()
            for labels, value in _cells(named, self.counts.jobs, JobStatus):
                jobs.add_metric(labels, value)
            for labels, value in _cells(named, self.counts.executions, ExecutionState):
                executions.add_metric(labels, value)
        if self.stuck is not None:
            stuck.add_metric((), self.stuck)
        return jobs, executions, stuck


def _cells(
    namespace_ids: Iterable[str], counts: Mapping[str, Mapping[StatusT, int]], statuses: Iterable[StatusT]
) -> Iterator[tuple[tuple[str, str], int]]:
    for namespace_id in sorted(namespace_ids):
        by_status = counts.get(namespace_id, {})
        for status in statuses:
            yield (namespace_id, status.value), by_status.get(status, 0)
