"""A batch of reports in an open transaction: load, merge, view, and write the difference.

1. The states that the reports name are loaded, and the reports merged into them (`model/`).
2. What else depends on them is loaded: all executions of a job whose life or namespace has changed, and the pending
   executions of a thing whose lists have changed.
3. Every loaded execution, and then every job, is viewed; the difference between the views before and after gives the
   rows to write, the counts, the history, and what has changed for subscribers.

Statements go by keys and by many rows at once, so a batch of any size is some twenty of them.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

import orjson

from jobindex.model import attempts, job_status
from jobindex.model.job_status import JobView
from jobindex.model.jobs import JobStatus
from jobindex.model.lives import FIRST_LIFE, Life
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
from jobindex.model.views import PENDING, STATE_PLACES
from jobindex.storage.sql import thing_groups
from jobindex.storage.sql.connection import Connection
from jobindex.storage.sql.counts import Counts
from jobindex.storage.sql.row_access import RowAccess, Writes
from jobindex.storage.sql.rows import ENDED_PLACE, STATE_PLACE, execution_row, job_row, lists_row
from jobindex.storage.sql.source import MessageSource
from jobindex.storage.sql.state_cache import StateCache
from jobindex.storage.sql.states import BatchStates, ExecutionKey, LoadedExecution, LoadedJob, Place
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
"""The inferred end of a job, an execution of which ended at an unknown time: later than any."""

_BIRTHS = """
SELECT thing_name, born_at
FROM executions
WHERE job_id = :job_id
AND born_at IS NOT NULL
ORDER BY born_at
LIMIT :limit
"""

_LAST_ENDS = """
SELECT asked.value, (SELECT max(ended_at) FROM executions WHERE executions.job_id = asked.value)
FROM json_each(:job_ids) AS asked
"""

# Jobs that were taken to be complete, but ended when AWS would have reported it.
_INFERRED_SINCE = "SELECT job_id FROM jobs WHERE inferred_end_at >= :since"


class Batch:
    """What a batch has loaded, and what it changes."""

    def __init__(
        self,
        connection: Connection,
        access: RowAccess,
        now: int,
        *,
        cache: StateCache | None = None,
        keeps_history: bool = True,
    ) -> None:
        self._connection = connection
        self._access = access
        self._now = now
        self._states = BatchStates(access) if cache is None else cache.batch(access)
        self._source = MessageSource.load(connection)
        self._counts = Counts(now, keeps_history=keeps_history)
        self._changed_jobs: set[str] = set()
        self._changed_executions: set[ExecutionKey] = set()
        self._changed_namespaces: set[str | None] = set()

    def apply(self, reports: Sequence[Report], horizon: int) -> Changed:
        """Merge reports, write what they change, and return it; what is stamped before `horizon` makes no new job."""
        jobs, executions, lists, groups = self._load(reports, horizon)
        changed_places = self._merge(jobs, executions, lists)
        self._load_dependents(changed_places)
        self._view_executions()
        tied = thing_groups.merge(self._connection, groups)
        self._write_executions()
        self._write_jobs()
        self._count_executions()
        self._write_lists(changed_places)
        self._source.write(self._connection)
        self._counts.write(self._connection)
        return self._changed(tied)

    def rebuild(self, job_ids: Sequence[str]) -> Counts:
        """Work out the derived columns of jobs and their executions again; return the counts, which are not written."""
        self._states.load_jobs(job_ids)
        self._states.load_executions_of(job_ids)
        of_job: dict[str, list[LoadedExecution]] = defaultdict(list)
        for (job_id, _), execution in self._states.executions.items():
            of_job[job_id].append(execution)
        for job_id, loaded in self._states.jobs.items():
            loaded.job.executions, loaded.job.untimed_ends = [0] * len(STATE_PLACES), 0
            births = [loaded.job.deletions.birth(one.execution) for one in of_job[job_id]]
            _note_life(loaded, loaded.job.deletions.life(loaded.job.created_at(), births))
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
        dict[Place, list[PendingListReport]],
        set[ThingGroupReport],
    ]:
        """Load the states that reports name, and return the reports by what they are about."""
        jobs: list[JobReport | JobDeletion] = []
        executions: dict[ExecutionKey, list[ExecutionReport]] = defaultdict(list)
        lists: dict[Place, list[PendingListReport]] = defaultdict(list)
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
                place: [report for report in several if place in known or report.listed_at * 1000 >= horizon]
                for place, several in lists.items()
            }
        return jobs, executions, {place: several for place, several in lists.items() if several}, groups

    def _merge(
        self,
        jobs: Iterable[JobReport | JobDeletion],
        executions: Mapping[ExecutionKey, Iterable[ExecutionReport]],
        lists: Mapping[Place, Iterable[PendingListReport]],
    ) -> set[Place]:
        """Merge reports; return the places whose lists have changed."""
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
        changed_places: set[Place] = set()
        for place, listed in lists.items():
            kept = self._states.lists_at(place)
            former = kept.copy()
            for list_report in listed:
                kept.merge(list_report)
            if kept != former:
                changed_places.add(place)
        return changed_places

    def _load_dependents(self, changed_places: Iterable[Place]) -> None:
        """Load what else depends on the merged states, and work out the lives of the jobs."""
        things = {thing_name for thing_name, _ in changed_places}
        self._states.load_pending(things)
        if self._source.is_events_since_changed:
            since = {"since": (self._source.events_since or 0) * 1000}
            self._states.load_jobs([job_id for (job_id,) in self._connection.execute(_INFERRED_SINCE, since)])
        self._states.load_jobs({job_id for job_id, _ in self._states.executions})
        self._states.load_executions_of(
            [job_id for job_id, loaded in self._states.jobs.items() if loaded.is_deletion_new]
        )
        of_deleted: dict[str, list[LoadedExecution]] = defaultdict(list)
        for (job_id, _), execution in self._states.executions.items():
            if self._states.jobs[job_id].job.deletions:
                of_deleted[job_id].append(execution)
        moved = []
        for job_id, loaded in self._states.jobs.items():
            life = self._life(loaded, of_deleted[job_id]) if loaded.job.deletions else FIRST_LIFE
            _note_life(loaded, life)
            if loaded.row is not None and (
                loaded.namespace_id != loaded.former_namespace_id or life != loaded.former_life
            ):
                moved.append(job_id)
        self._states.load_executions_of(moved)

    def _life(self, loaded: LoadedJob, executions: Sequence[LoadedExecution]) -> Life | None:
        deletions = loaded.job.deletions
        births = [deletions.birth(one.execution) for one in executions]
        if loaded.row is not None and not loaded.is_deletion_new:
            touched = {one.execution.thing_name for one in executions}
            asked = {"job_id": loaded.job.job_id, "limit": len(touched) + 1}
            rows = self._connection.execute(_BIRTHS, asked).fetchall()
            births += [born_at for thing_name, born_at in rows if thing_name not in touched]
        return deletions.life(loaded.job.created_at(), births)

    def _view_executions(self) -> None:
        """View every loaded execution with the lists of its thing in the namespace of its job."""
        jobs, executions = self._states.jobs, self._states.executions
        places = [(thing_name, jobs[job_id].namespace_id or "") for job_id, thing_name in executions]
        self._states.load_lists({*places})
        for (job_id, _), place, loaded in zip(executions, places, executions.values(), strict=True):
            life, lists = jobs[job_id].life, self._states.lists.get(place)
            loaded.view = (
                None if life is None else attempts.view(loaded.execution, life, None if lists is None else lists.lists)
            )

    def _write_executions(self, *, counts_all: bool = False) -> None:
        """Write the executions that have changed, and count them in their jobs; `counts_all` counts all from zero."""
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
        """Write the jobs that have changed with their places in the list, and count them."""
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
        """Return the greatest end of the executions of each job whose status may follow from it."""
        wanted = [
            job_id
            for job_id, loaded in self._states.jobs.items()
            if loaded.life is not None and job_status.needs_last_end(loaded.job, loaded.life)
        ]
        if not wanted:
            return {}
        return dict(self._connection.execute(_LAST_ENDS, {"job_ids": orjson.dumps(wanted).decode()}).fetchall())

    def _count_executions(self) -> None:
        """Count the executions in the namespaces of their listed jobs."""
        for (job_id, _), loaded in self._states.executions.items():
            job = self._states.jobs[job_id]
            state = None if loaded.new_row is None else loaded.new_row[STATE_PLACE]
            former_state = None if loaded.row is None else loaded.row[STATE_PLACE]
            if former_state == state and not job.is_moved:
                continue
            self._counts.count_execution(_place(job.summary, former_state), _place(job.listed, state))
            if former_state != state:
                self._changed_namespaces |= {one[3] for one in (job.summary, job.listed) if one is not None}

    def _write_lists(self, places: Iterable[Place]) -> None:
        lists = Writes(PENDING_LISTS)
        for place in places:
            loaded = self._states.lists[place]
            loaded.new_row = lists_row(loaded.lists)
            lists.add(loaded.row, loaded.new_row)
        lists.write(self._access)

    def _changed(self, tied: Collection[tuple[str, str]]) -> Changed:
        """Name what has changed; a thing group that was tied to its id changed any of its jobs."""
        job_ids = self._changed_jobs | {job_id for job_id, _ in self._changed_executions}
        things = {thing_name for _, thing_name in self._changed_executions}
        of_groups = thing_groups.namespaces_of(self._connection, tied)
        namespaces = frozenset(str(namespace_id) for namespace_id in self._changed_namespaces - {None})
        return Changed(
            job_ids=None if len(job_ids) > NAMED_MAXIMUM or tied else frozenset(job_ids),
            namespace_ids=None if of_groups is None else namespaces | of_groups,
            thing_names=None if len(things) > NAMED_MAXIMUM else frozenset(things),
        )


def _note_life(loaded: LoadedJob, life: Life | None) -> None:
    """Note the life that counts of a job, and its namespace in it."""
    loaded.life = life
    loaded.namespace_id = None if life is None else loaded.job.text("namespace_id", life)


def _counts_at(report: JobReport | JobDeletion | ExecutionReport, horizon: int) -> bool:
    """Return whether a report makes a job that is not there: not if it is stamped before the horizon."""
    heard_at = report.heard_at * 1000 if type(report) is ExecutionReport else UNTIMED
    return report.time == UNTIMED or max(report.time, heard_at) >= horizon


def _has_same_keys(former: Values | None, row: Values | None) -> bool:
    """Return whether the thing groups of a job find it by the same keys: `listed` and `changed_at` are not of them."""
    return former is not None and row is not None and former[:4] == row[:4] and former[5] == row[5]


def _move(summaries: Writes, former: Values | None, row: Values | None) -> None:
    """Write a job's row in the list: in its place, or in another one."""
    if former is not None and row is not None and former[:2] != row[:2]:
        summaries.add(former, None)
        former = None
    summaries.add(former, row)


def _place(summary: Values | None, state: object) -> tuple[str, str] | None:
    """Return where an execution is counted: its job's namespace or "", and its state."""
    return None if summary is None or state is None else (str(summary[3] or ""), str(state))


def _born_at(life: Life | None) -> int | None:
    return None if life is None or life.born_at == UNTIMED else life.born_at


def _inferred_end_at(loaded: LoadedJob, view: JobView | None, last_end_at: int | None) -> int | None:
    """Return the last end of a job that is taken to be complete; None for any other."""
    if view is None or view.is_status_reported or view.status != JobStatus.COMPLETED:
        return None
    return UNTIMED_END if loaded.job.untimed_ends or last_end_at is None else last_end_at
