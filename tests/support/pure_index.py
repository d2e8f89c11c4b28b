"""An index in memory, made of the pure core only: it merges all reports and derives the views at the end."""

from collections import defaultdict
from collections.abc import Iterable
from copy import deepcopy
from dataclasses import dataclass, field

from jobindex.model import attempts, job_status
from jobindex.model.attempts import ExecutionView
from jobindex.model.execution import Execution
from jobindex.model.job import Job
from jobindex.model.job_status import JobView
from jobindex.model.lists import PendingLists
from jobindex.model.lives import Life
from jobindex.model.reports import (
    UNTIMED,
    ExecutionReport,
    JobDeletion,
    JobReport,
    PendingListReport,
    Report,
)
from jobindex.model.views import PENDING


@dataclass
class PureIndex:
    """The merged state of a set of reports."""

    jobs: dict[str, Job] = field(default_factory=dict)
    executions: dict[tuple[str, str], Execution] = field(default_factory=dict)
    lists: dict[tuple[str, str | None], PendingLists] = field(default_factory=dict)
    events_since: int | None = None

    def merge(self, reports: Iterable[Report], now: int = 0) -> None:
        """Merge reports that arrive at `now`, in milliseconds."""
        for report in reports:
            match report:
                case JobReport():
                    self._job(report.job_id, now).merge(report)
                    self._note_event(report.published_at)
                case JobDeletion():
                    self._job(report.job_id, now).deletions.merge(report)
                    self._note_event(report.published_at)
                case ExecutionReport():
                    key = (report.job_id, report.thing_name)
                    self.executions.setdefault(key, Execution(*key)).merge(report)
                case PendingListReport():
                    place = (report.thing_name, report.namespace_id)
                    self.lists.setdefault(place, PendingLists(*place)).merge(report)

    def view(self, now: int = 0) -> tuple[dict[str, JobView], dict[tuple[str, str], ExecutionView]]:
        """Return the listed jobs and their executions."""
        of_job: dict[str, list[Execution]] = defaultdict(list)
        for execution in self.executions.values():
            of_job[execution.job_id].append(execution)
        jobs: dict[str, JobView] = {}
        executions: dict[tuple[str, str], ExecutionView] = {}
        for job_id, kept in self.jobs.items():
            job = deepcopy(kept)
            life = job.deletions.life(job.created_at(), map(job.deletions.birth, of_job[job_id]))
            views = self._views(job, life, of_job[job_id]) if life else {}
            ends = [view.current.ended_at for view in views.values() if view.current.ended_at is not None]
            for view in views.values():
                state, ended_at = view.current.state, view.current.ended_at
                job.count(state, is_untimed=ended_at is None and state not in PENDING, by=1)
            listed = job_status.view(
                job, life, last_end_at=max(ends, default=None), events_since=self.events_since, now=now
            )
            if listed is not None:
                jobs[job_id] = listed
                executions |= views
        return jobs, executions

    def _views(self, job: Job, life: Life, executions: Iterable[Execution]) -> dict[tuple[str, str], ExecutionView]:
        namespace_id = job.text("namespace_id", life)
        views = {}
        for execution in executions:
            view = attempts.view(execution, life, self.lists.get((execution.thing_name, namespace_id)))
            if view is not None:
                views[execution.job_id, execution.thing_name] = view
        return views

    def _job(self, job_id: str, now: int) -> Job:
        return self.jobs.setdefault(job_id, Job(job_id, arrived_at=now))

    def _note_event(self, published_at: int) -> None:
        if published_at > UNTIMED:
            self.events_since = published_at if self.events_since is None else min(published_at, self.events_since)
