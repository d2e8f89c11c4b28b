"""What the index must say of a set of reports: the merge rules once more, as plain Python over all of them.

Written from the rules alone, with no knowledge of how a store keeps its registers: here nothing is merged
step by step, each answer is a maximum, a minimum or a union over everything ever told. It is slow and
needs every report at once, which is what makes it a judge of stores that have neither leisure.
"""

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from jobindex.errors import ResourceNotFoundException
from jobindex.model.jobs import (
    JobDeletion,
    JobExecutionReport,
    JobExecutionStatus,
    JobReport,
    JobStatus,
    PendingListReport,
    Report,
    TargetSelection,
    ThingGroupReport,
)
from jobindex.model.listing import Filters

ValueT = TypeVar("ValueT")

_Time = tuple[bool, datetime]
_UNTIMED: _Time = (False, datetime.min.replace(tzinfo=UTC))

# The orders are written out here, so that a slip in the product's enums shows.
_JOB_RANKS = [None, "SCHEDULED", "IN_PROGRESS", "COMPLETED", "CANCELED", "DELETION_IN_PROGRESS"]
_EXECUTION_RANKS = [
    "QUEUED",
    "IN_PROGRESS",
    "TIMED_OUT",
    "FAILED",
    "REJECTED",
    "REMOVED",
    "CANCELED",
    "SUCCEEDED",
    "DELETED",
]
_PENDING = {JobExecutionStatus.QUEUED, JobExecutionStatus.IN_PROGRESS}


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSummary:
    """What the index says of a job: AWS's JobSummary; None is what it does not know."""

    job_arn: str | None
    job_id: str
    status: JobStatus
    is_concurrent: bool | None
    target_selection: TargetSelection | None
    thing_group_id: str | None
    created_at: datetime
    last_updated_at: datetime
    completed_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """What the index says of an execution; None is what it does not know."""

    state: str
    queued_at: datetime | None
    started_at: datetime | None
    waiting_since: datetime | None


def list_jobs(reports: Collection[Report], filters: Filters, *, now: datetime) -> list[JobSummary]:
    """Return all jobs that pass the filters, newest first; `now` is when everything arrived.

    Raises:
        ResourceNotFoundException: a thing group that no report names.
    """
    groups = [report for report in reports if isinstance(report, ThingGroupReport)]
    by_name = _group_filter(groups, filters.thing_group_name, None)
    by_id = _group_filter(groups, None, filters.thing_group_id)
    job_ids = {report.job_id for report in reports if isinstance(report, JobReport)}
    jobs = [_Job(job_id, reports) for job_id in job_ids]
    return sorted(
        (
            job.summary(groups, now)
            for job in jobs
            if job.is_visible()
            and filters.namespace_id in {None, job.namespace_id()}
            and filters.status in {None, job.status()}
            and filters.target_selection in {None, job.target_selection()}
            and by_name(job)
            and by_id(job)
        ),
        key=lambda summary: (summary.created_at, summary.job_id),
        reverse=True,
    )


def namespaces(reports: Collection[Report]) -> dict[str | None, tuple[Counter[str], Counter[str]]]:
    """Return how many jobs there are of each status, and executions of each state, in each namespace."""
    counts: dict[str | None, tuple[Counter[str], Counter[str]]] = {}
    for job_id in {report.job_id for report in reports if isinstance(report, JobReport)}:
        job = _Job(job_id, reports)
        if job.is_visible():
            jobs, states = counts.setdefault(job.namespace_id(), (Counter(), Counter()))
            jobs[job.status()] += 1
            states.update(execution.state for execution in job.executions().values())
    return counts


def executions(reports: Collection[Report]) -> dict[tuple[str, str], Execution]:
    """Return how each execution of a job that is listed reads, by the ids of jobs and the names of things."""
    jobs = [_Job(job_id, reports) for job_id in {report.job_id for report in reports if isinstance(report, JobReport)}]
    return {
        (job.job_id, thing_name): execution
        for job in jobs
        if job.is_visible()
        for thing_name, execution in job.executions().items()
    }


def stamp_time(told: Mapping[str, datetime]) -> datetime | None:
    """Return the time of the stamp of what tells these times, by AWS's names for them."""
    order = ["lastUpdatedAt", "timestamp", "completedAt", "startedAt", "queuedAt", "createdAt"]
    return next((told[name] for name in order if name in told), None)


def is_complete(entries: int, timestamp: datetime | None) -> bool:
    """Tell whether a pending list of so many entries says anything of what it leaves out: a longer one may be cut."""
    return timestamp is not None and entries <= 9


def _group_filter(groups: Iterable[ThingGroupReport], name: str | None, id_: str | None) -> "Callable[[_Job], bool]":
    """Return what tells whether a job belongs to the group of that name, or of that id."""
    if name is None and id_ is None:
        return lambda _: True
    tied = [group for group in groups if name in {None, group.thing_group_name} and id_ in {None, group.thing_group_id}]
    if not tied:
        raise ResourceNotFoundException
    names = {group.thing_group_name for group in tied if id_ is not None} | {name}
    ids = {group.thing_group_id for group in tied if name is not None} | {id_}
    names.discard(None)
    ids.discard(None)
    return lambda job: bool(names & job.group_names()) or job.group_id() in ids


@dataclass(frozen=True, slots=True, kw_only=True)
class _Execution:
    """How the execution of a job on a thing reads."""

    status: JobExecutionStatus
    told_at: datetime | None
    has_ended: bool
    ended_at: datetime | None


class _Job:
    """Everything told of one job id."""

    def __init__(self, job_id: str, reports: Collection[Report]) -> None:
        self.job_id = job_id
        self._told = [report for report in reports if isinstance(report, JobReport) and report.job_id == job_id]
        self._executions = [
            report for report in reports if isinstance(report, JobExecutionReport) and report.job_id == job_id
        ]
        self._lists = [report for report in reports if isinstance(report, PendingListReport)]
        deletions = [
            _time(report.time) for report in reports if isinstance(report, JobDeletion) and report.job_id == job_id
        ]
        self._deletion = max(deletions, default=None)
        self._counted = [report for report in self._told if self._counts(report.time)]

    def is_visible(self) -> bool:
        return self._deletion is None or any(
            report.born_at is not None and _time(report.born_at) > self._deletion for report in self._told
        )

    def namespace_id(self) -> str | None:
        return self._register(lambda report: report.namespace_id)

    def executions(self) -> dict[str, Execution]:
        things = {report.thing_name for report in self._executions if self._counts(report.time)}
        read = {thing_name: self._read_execution(thing_name) for thing_name in things}
        return {
            thing_name: self._described(thing_name, execution)
            for thing_name, execution in read.items()
            if execution.status != JobExecutionStatus.DELETED
        }

    def _described(self, thing_name: str, read: _Execution) -> Execution:
        told = [report for report in self._executions if report.thing_name == thing_name]
        queued = [report.queued_at for report in told if report.queued_at and self._counts(report.queued_at)]
        started = [report.started_at for report in told if report.started_at and self._counts(report.started_at)]
        queued_at, started_at = max(queued, default=None), max(started, default=None)
        if started_at is not None and queued_at is not None and started_at < queued_at:
            started_at = None  # of an older try
        is_running = read.status == JobExecutionStatus.IN_PROGRESS
        return Execution(
            state="ENDED" if read.has_ended and read.status in _PENDING else read.status,
            queued_at=queued_at,
            started_at=started_at,
            waiting_since=None if read.has_ended else (is_running and started_at) or queued_at or read.told_at,
        )

    def group_id(self) -> str | None:
        return self._register(lambda report: report.thing_group_id)

    def group_names(self) -> set[str | None]:
        name = self._register(lambda report: report.thing_group_name)
        # The contract orders no lists; any order will do that does not depend on arrival.
        targets = self._register(lambda report: report.target_group_names, json.dumps)
        return {name, *(targets or ())} - {None}

    def target_selection(self) -> TargetSelection | None:
        return self._register(lambda report: report.target_selection)

    def told_status(self) -> JobStatus | None:
        return self._register(lambda report: report.status)

    def status(self) -> JobStatus:
        told = self.told_status()
        if told is not None:
            return told
        return JobStatus.COMPLETED if self._is_completed() else JobStatus.IN_PROGRESS

    def summary(self, groups: Iterable[ThingGroupReport], now: datetime) -> JobSummary:
        group_id, names = self.group_id(), self.group_names()
        if group_id is None and len(names) == 1:
            ids = [group.thing_group_id for group in groups if group.thing_group_name in names]
            group_id = min((id_ for id_ in ids if id_ is not None), default=None)
        updates = [report.latest_at for report in self._told if report.latest_at is not None]
        return JobSummary(
            job_arn=self._register(lambda report: report.job_arn),
            job_id=self.job_id,
            status=self.status(),
            is_concurrent=self._register(lambda report: report.is_concurrent),
            target_selection=self.target_selection(),
            thing_group_id=group_id,
            created_at=self._created_at() or now,
            last_updated_at=max(updates, default=now),
            completed_at=self._completed_at(),
        )

    def _counts(self, time: datetime | None) -> bool:
        return self._deletion is None or _time(time) > self._deletion

    def _register(
        self, value: Callable[[JobReport], ValueT | None], order: Callable[[ValueT], Any] = lambda value: value
    ) -> ValueT | None:
        """Return the value told with the greatest stamp, of several the greatest."""
        told = [(_job_stamp(report), value(report)) for report in self._counted]
        known = [(stamp, value) for stamp, value in told if value is not None]
        greatest = max((stamp for stamp, _ in known), default=None)
        tied = [value for stamp, value in known if stamp == greatest]
        return max(tied, key=order, default=None)

    def _created_at(self) -> datetime | None:
        told = [(_job_stamp(report), report.created_at) for report in self._counted if report.created_at is not None]
        greatest = max((stamp for stamp, _ in told), default=None)
        created_at = min((time for stamp, time in told if stamp == greatest), default=None)
        if created_at is not None and self._counts(created_at):
            return created_at
        times = [report.earliest_at for report in self._told if report.earliest_at is not None]
        if not times:
            return None
        return min(times) if self._deletion is None else max(_time(min(times)), self._deletion)[1]

    def _is_completed(self) -> bool:
        executions = self._read_executions()
        may_go_on = self.target_selection() == TargetSelection.CONTINUOUS or (
            self.target_selection() is None and (self.group_id() is not None or bool(self.group_names()))
        )
        return bool(executions) and all(execution.has_ended for execution in executions) and not may_go_on

    def _completed_at(self) -> datetime | None:
        told = self._register(lambda report: report.completed_at)
        if told is not None or self.told_status() is not None or not self._is_completed():
            return told
        ends = [execution.ended_at for execution in self._read_executions()]
        return None if None in ends else max(end for end in ends if end is not None)

    def _read_executions(self) -> list[_Execution]:
        things = {report.thing_name for report in self._executions if self._counts(report.time)}
        return [self._read_execution(thing) for thing in things]

    def _read_execution(self, thing_name: str) -> _Execution:
        told = [report for report in self._executions if report.thing_name == thing_name]
        latest = max((report for report in told if self._counts(report.time)), key=_execution_stamp)
        if latest.status not in _PENDING:
            return _Execution(status=latest.status, told_at=latest.time, has_ended=True, ended_at=latest.time)
        seen_at = max(_time(latest.time), *(_time(report.pending_at) for report in told))
        return _Execution(
            status=latest.status,
            told_at=latest.time,
            has_ended=any(
                _time(report.listed_at) > seen_at
                for report in self._lists
                if (report.thing_name, report.namespace_id) == (thing_name, self.namespace_id())
            ),
            ended_at=None,
        )


def _time(time: datetime | None) -> _Time:
    return _UNTIMED if time is None else (True, time)


def _job_stamp(report: JobReport) -> tuple[_Time, int]:
    return _time(report.time), _JOB_RANKS.index(report.status)


def _execution_stamp(report: JobExecutionReport) -> tuple[_Time, float, float, int]:
    return (
        _time(report.time),
        float("inf") if report.execution_number is None else report.execution_number,
        float("inf") if report.version_number is None else report.version_number,
        _EXECUTION_RANKS.index(report.status),
    )
