"""Applies a batch of reports in an open transaction.

1. Load the states that the reports name, and merge the reports into them (`model/`).
2. Load the states that depend on them, or defer those if they are many (`dependents.py`).
3. Derive the view of every loaded execution, then of every job. The difference of the views gives the rows to write,
   the counts, the history and the changes for subscribers.

A batch of any size takes about twenty statements: each reads or writes many rows by key.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

import orjson

from jobindex.model import attempts, job_status
from jobindex.model.job_status import JobView
from jobindex.model.jobs import JobStatus
from jobindex.model.lives import Life
from jobindex.model.reports import (
    UNTIMED,
    ExecutionReport,
    JobDeletion,
    JobReport,
    PendingListReport,
    Report,
    ThingGroupReport,
)
from jobindex.model.store import NAMED_MAXIMUM, Changed
from jobindex.model.sync import Difference
from jobindex.model.views import PENDING, STATE_PLACES, ChangeOrigin
from jobindex.storage.sql import thing_groups
from jobindex.storage.sql.comparing import differences
from jobindex.storage.sql.connection import Connection
from jobindex.storage.sql.counts import Counts
from jobindex.storage.sql.deferred import Work
from jobindex.storage.sql.dependents import Dependents
from jobindex.storage.sql.row_access import RowAccess, Writes
from jobindex.storage.sql.rows import ENDED_PLACE, STATE_PLACE, execution_row, executions_of, job_row, lists_row
from jobindex.storage.sql.source import MessageSource
from jobindex.storage.sql.state_cache import StateCache
from jobindex.storage.sql.states import BatchStates, ExecutionKey, ListsKey, LoadedExecution, LoadedJob
from jobindex.storage.sql.summaries import group_rows, summary_row
from jobindex.storage.sql.tables import (
    EXECUTIONS,
    GROUP_KEYS,
    JOBS,
    PENDING_LISTS,
    SUMMARIES,
    Values,
)

UNTIMED_END = 1 << 62
"""The inferred end of a job with an execution that ended at an unknown time: later than any other."""

_LAST_ENDS = """
SELECT asked.value, (SELECT max(ended_at) FROM executions WHERE executions.job_id = asked.value)
FROM json_each(:job_ids) AS asked
"""


class Batch:
    """The states that a batch has loaded, and its changes."""

    def __init__(
        self,
        connection: Connection,
        access: RowAccess,
        now: int,
        *,
        cache: StateCache | None = None,
        keeps_history: bool = True,
        origin: ChangeOrigin = ChangeOrigin.MESSAGE,
    ) -> None:
        self._connection = connection
        self._access = access
        self._now = now
        self._states = BatchStates(access) if cache is None else cache.batch(access)
        self._source = MessageSource.load(connection)
        self._dependents = Dependents(connection, self._states, self._source)
        self._counts = Counts(now, keeps_history=keeps_history, origin=origin)
        self._changed_jobs: set[str] = set()
        self._changed_executions: set[ExecutionKey] = set()
        self._changed_namespaces: set[str | None] = set()

    def apply(self, reports: Sequence[Report], horizon: int) -> Changed:
        """Merge reports; those stamped before `horizon` create nothing new."""
        jobs, executions, lists, groups = self._load(reports, horizon)
        changed_lists = self._merge(jobs, executions, lists)
        self._dependents.load(changed_lists)
        self._view_executions()
        tied = thing_groups.merge(self._connection, groups)
        self._write_executions()
        self._write_jobs()
        self._count_executions()
        self._write_lists(changed_lists)
        self._source.write(self._connection)
        self._counts.write(self._connection)
        return self._changed(tied)

    @property
    def deferred(self) -> frozenset[Work]:
        """The kinds of work left to later transactions."""
        return frozenset(self._dependents.deferred)

    def differences(self, keys: Collection[ExecutionKey]) -> Sequence[Difference]:
        """Return how the batch changes jobs (with the thing name "") and executions, as clients see them."""
        return differences(self._states, keys)

    def view_again(self, keys: Collection[ExecutionKey], job_ids: Collection[str] = ()) -> Changed:
        """Derive executions and jobs again, as a step of deferred work."""
        self._states.load_jobs({*job_ids, *(job_id for job_id, _ in keys)})
        self._states.load_executions([key for key in keys if key[0] in self._states.jobs])
        self._dependents.note_lives()
        self._view_executions()
        self._write_executions()
        self._write_jobs()
        self._count_executions()
        self._counts.write(self._connection)
        return self._changed(())

    def rebuild(self, job_ids: Sequence[str]) -> Counts:
        """Recompute the derived columns of jobs and executions; return the unwritten counts."""
        self._states.load_jobs(job_ids)
        self._states.load_executions_of(job_ids)
        of_job: dict[str, list[LoadedExecution]] = defaultdict(list)
        for (job_id, _), execution in self._states.executions.items():
            of_job[job_id].append(execution)
        for job_id, loaded in self._states.jobs.items():
            loaded.job.executions, loaded.job.untimed_ends = [0] * len(STATE_PLACES), 0
            births = [loaded.job.deletions.birth(one.execution) for one in of_job[job_id]]
            loaded.note_life(loaded.job.deletions.life(loaded.job.created_at(), births))
        self._view_executions()
        self._write_executions(counts_all=True)
        self._write_jobs()
        self._count_executions()
        return self._counts

    def _load(
        self, reports: Iterable[Report], horizon: int
    ) -> tuple[
        list[JobReport | JobDeletion],
        dict[ExecutionKey, list[ExecutionReport]],
        dict[ListsKey, list[PendingListReport]],
        set[ThingGroupReport],
    ]:
        jobs: list[JobReport | JobDeletion] = []
        executions: dict[ExecutionKey, list[ExecutionReport]] = defaultdict(list)
        lists: dict[ListsKey, list[PendingListReport]] = defaultdict(list)
        groups: set[ThingGroupReport] = set()
        for report in reports:
            if type(report) is ExecutionReport:
                executions[report.job_id, report.thing_name].append(report)
            elif type(report) is JobReport or type(report) is JobDeletion:
                jobs.append(report)
            elif type(report) is PendingListReport:
                lists[report.thing_name, report.namespace_id or ""].append(report)
            elif type(report) is ThingGroupReport:
                groups.add(report)
        self._states.load_jobs({report.job_id for report in jobs} | {job_id for job_id, _ in executions})
        if horizon > UNTIMED:
            made = {report.job_id for report in jobs if _counts_at(report, horizon)}
            made |= {key[0] for key, several in executions.items() if any(_counts_at(one, horizon) for one in several)}
            made |= self._states.jobs.keys()
            jobs = [report for report in jobs if report.job_id in made]
            executions = {key: several for key, several in executions.items() if key[0] in made}
        self._states.load_executions(executions)
        self._states.load_lists(lists)
        if horizon > UNTIMED:
            known = self._states.lists.keys()
            lists = {
                lists_key: [report for report in several if lists_key in known or report.listed_at * 1000 >= horizon]
                for lists_key, several in lists.items()
            }
        return jobs, executions, {lists_key: several for lists_key, several in lists.items() if several}, groups

    def _merge(
        self,
        jobs: Iterable[JobReport | JobDeletion],
        executions: Mapping[ExecutionKey, Iterable[ExecutionReport]],
        lists: Mapping[ListsKey, Iterable[PendingListReport]],
    ) -> set[ListsKey]:
        for report in jobs:
            job = self._states.job(report.job_id, self._now).job
            if isinstance(report, JobReport):
                job.merge(report)
                self._source.note_arn(report.members.get("job_arn"), report.time)
            else:
                job.deletions.merge(report)
            self._source.note_event(report.published_at)
        for key, several in executions.items():
            self._states.job(key[0], self._now)
            execution = self._states.execution(key)
            for one in several:
                execution.merge(one)
                self._source.note_arn(one.thing_arn, one.time)
        changed_lists: set[ListsKey] = set()
        for lists_key, listed in lists.items():
            kept = self._states.lists_at(lists_key)
            former = kept.copy()
            for list_report in listed:
                kept.merge(list_report)
            if kept != former:
                changed_lists.add(lists_key)
        return changed_lists

    def _view_executions(self) -> None:
        jobs, executions = self._states.jobs, self._states.executions
        lists_keys = [(thing_name, jobs[job_id].namespace_id or "") for job_id, thing_name in executions]
        self._states.load_lists({*lists_keys})
        for (job_id, _), lists_key, loaded in zip(executions, lists_keys, executions.values(), strict=True):
            life, lists = jobs[job_id].life, self._states.lists.get(lists_key)
            loaded.view = (
                None if life is None else attempts.view(loaded.execution, life, None if lists is None else lists.lists)
            )

    def _write_executions(self, *, counts_all: bool = False) -> None:
        """Write the changed executions and count them in their jobs, from zero if `counts_all`."""
        writes = Writes(EXECUTIONS)
        for key, loaded in self._states.executions.items():
            job = self._states.jobs[key[0]].job
            birth = job.deletions.birth(loaded.execution) if job.deletions else None
            row = execution_row(loaded.execution, loaded.view, birth)
            former, loaded.new_row = loaded.row, row
            writes.add(former, row)
            was = (None, None)
            if former is not None and not counts_all:
                was = (former[STATE_PLACE], former[ENDED_PLACE])
            now = (row[STATE_PLACE], row[ENDED_PLACE])
            if was != now:
                for (state, ended_at), by in ((was, -1), (now, 1)):
                    if state is not None:
                        job.count(state, is_untimed=ended_at is None and state not in PENDING, by=by)
                if was[0] != now[0]:
                    self._changed_executions.add(key)
        writes.write(self._access)

    def _write_jobs(self) -> None:
        last_ends = self._last_ends()
        own, summaries, keys = Writes(JOBS), Writes(SUMMARIES), Writes(GROUP_KEYS)
        for job_id, loaded in self._states.jobs.items():
            last_end_at = last_ends.get(job_id)
            view = job_status.view(
                loaded.job,
                loaded.life,
                last_end_at=last_end_at,
                events_since=self._source.events_since,
                now=self._now,
            )
            loaded.listed = row = None if view is None else summary_row(loaded.job, view, loaded.summary)
            if row != loaded.summary:
                self._changed_jobs.add(job_id)
                self._counts.count_job(loaded, row, view)
                self._changed_namespaces |= {one[3] for one in (loaded.summary, row) if one is not None}
                _move(summaries, loaded.summary, row)
                if not _has_same_keys(loaded.summary, row):
                    keys.add_all(group_rows(loaded.summary), group_rows(row))
            loaded.is_status_reported = view is not None and view.is_status_reported
            loaded.new_row = job_row(
                loaded.job,
                born_at=_born_at(loaded.life),
                inferred_end_at=_inferred_end_at(loaded, view, last_end_at),
                listed_created_at=None if row is None else row[0],
            )
            own.add(loaded.row, loaded.new_row)
        for writes in (own, summaries, keys):
            writes.write(self._access)

    def _last_ends(self) -> Mapping[str, int | None]:
        wanted = [
            job_id
            for job_id, loaded in self._states.jobs.items()
            if loaded.life is not None and job_status.needs_last_end(loaded.job, loaded.life)
        ]
        if not wanted:
            return {}
        return dict(self._connection.execute(_LAST_ENDS, {"job_ids": orjson.dumps(wanted).decode()}).fetchall())

    def _count_executions(self) -> None:
        for loaded in self._states.jobs.values():
            former, executions = executions_of(loaded.row), (*loaded.job.executions,)
            if former != executions or loaded.is_moved:
                self._counts.count_executions(loaded.summary, former, -1)
                self._counts.count_executions(loaded.listed, executions, 1)
        for job_id in {job_id for job_id, _ in self._changed_executions}:
            job = self._states.jobs[job_id]
            self._changed_namespaces |= {one[3] for one in (job.summary, job.listed) if one is not None}

    def _write_lists(self, lists_keys: Iterable[ListsKey]) -> None:
        lists = Writes(PENDING_LISTS)
        for lists_key in lists_keys:
            loaded = self._states.lists[lists_key]
            loaded.new_row = lists_row(loaded.lists)
            lists.add(loaded.row, loaded.new_row)
        lists.write(self._access)

    def _changed(self, tied: Collection[tuple[str, str]]) -> Changed:
        """Return the changes; tying a group to an id may change any of its jobs."""
        job_ids = self._changed_jobs | {job_id for job_id, _ in self._changed_executions}
        things = {thing_name for _, thing_name in self._changed_executions}
        of_groups = thing_groups.namespaces_of(self._connection, tied)
        namespaces = frozenset(str(namespace_id) for namespace_id in self._changed_namespaces - {None})
        return Changed(
            job_ids=None if len(job_ids) > NAMED_MAXIMUM or tied else frozenset(job_ids),
            namespace_ids=None if of_groups is None else namespaces | of_groups,
            thing_names=None if len(things) > NAMED_MAXIMUM else frozenset(things),
        )


def _counts_at(report: JobReport | JobDeletion | ExecutionReport, horizon: int) -> bool:
    """Return whether a report may create a job; one that does not change its times may not."""
    if type(report) is JobReport and report.latest_at == UNTIMED < report.time:
        return False
    heard_at = report.heard_at * 1000 if type(report) is ExecutionReport else UNTIMED
    return report.time == UNTIMED or max(report.time, heard_at) >= horizon


def _has_same_keys(former: Values | None, row: Values | None) -> bool:
    """Compare the columns that group keys depend on: all but `listed` and `changed_at`."""
    return former is not None and row is not None and former[:4] == row[:4] and former[5] == row[5]


def _move(summaries: Writes, former: Values | None, row: Values | None) -> None:
    if former is not None and row is not None and former[:2] != row[:2]:
        summaries.add(former, None)
        former = None
    summaries.add(former, row)


def _born_at(life: Life | None) -> int | None:
    return None if life is None or life.born_at == UNTIMED else life.born_at


def _inferred_end_at(loaded: LoadedJob, view: JobView | None, last_end_at: int | None) -> int | None:
    if view is None or view.is_status_reported or view.status != JobStatus.COMPLETED:
        return None
    return UNTIMED_END if loaded.job.untimed_ends or last_end_at is None else last_end_at
