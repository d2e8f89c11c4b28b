"""The states of a batch, each loaded once by its key."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import TypeVar

from jobindex.model.attempts import ExecutionView
from jobindex.model.execution import Execution
from jobindex.model.job import Job
from jobindex.model.lists import PendingLists
from jobindex.model.lives import FIRST_LIFE, Deletions, Life
from jobindex.storage.sql.row_access import RowAccess
from jobindex.storage.sql.rows import deletions_of, execution_length, execution_of, job_length, job_of, lists_of
from jobindex.storage.sql.tables import EXECUTIONS, IS_LEFT_OUT, IS_PENDING, JOBS, PENDING_LISTS, SUMMARIES, Values

ExecutionKey = tuple[str, str]
"""A job id and a thing name."""
ListsKey = tuple[str, str]
"""A thing name, and a namespace or "" for none."""


_Key = TypeVar("_Key")
_Loaded = TypeVar("_Loaded")


@dataclass(slots=True)
class LoadedJob:
    """A job, as stored and as changed."""

    job: Job
    row: Values | None = None
    summary: Values | None = None
    """Its row in the list."""
    new_row: Values | None = None
    listed: Values | None = None
    """Its row in the list after the batch."""
    life: Life | None = None
    namespace_id: str | None = None
    is_status_reported: bool = False
    former_life: Life | None = None
    former_namespace_id: str | None = None
    was_status_reported: bool = False

    @property
    def is_moved(self) -> bool:
        """Whether the batch lists or delists the job, or changes its namespace."""
        former, listed = self.summary, self.listed
        return former[3] != listed[3] if former is not None and listed is not None else former is not listed

    @property
    def is_moved_or_reborn(self) -> bool:
        """Whether the batch changes the namespace or the life of a stored job."""
        return self.row is not None and (self.namespace_id != self.former_namespace_id or self.life != self.former_life)

    def note_life(self, life: Life | None) -> None:
        """Set the life that counts, and its namespace."""
        self.life = life
        self.namespace_id = None if life is None else self.job.text("namespace_id", life)

    def settle(self) -> None:
        """Make the state of the batch the stored one."""
        self.row, self.summary = self.new_row, self.listed
        self.former_life, self.former_namespace_id = self.life, self.namespace_id
        self.was_status_reported = self.is_status_reported

    def length(self) -> int:
        """Return the characters of its long members."""
        return job_length(self.row)

    @property
    def is_deletion_new(self) -> bool:
        """Whether the batch changes the deletions of a stored job."""
        return self.row is not None and self.job.deletions != deletions_of(self.row)


@dataclass(slots=True)
class LoadedExecution:
    """An execution, as stored and as changed."""

    execution: Execution
    row: Values | None = None
    new_row: Values | None = None
    view: ExecutionView | None = None
    """Its derived state after the batch."""

    def length(self) -> int:
        """Return the characters of its long members."""
        return execution_length(self.row)


@dataclass(slots=True)
class LoadedLists:
    """The lists of a thing in a namespace, as stored and as changed."""

    lists: PendingLists
    row: Values | None = None
    new_row: Values | None = None

    def length(self) -> int:
        """Return 0: lists are short."""
        return 0


class States:
    """States loaded for a batch, or cached from earlier ones."""

    def __init__(self) -> None:
        self.jobs: dict[str, LoadedJob] = {}
        self.executions: dict[ExecutionKey, LoadedExecution] = {}
        self.lists: dict[ListsKey, LoadedLists] = {}


class BatchStates(States):
    """The states of a batch, read unless cached."""

    def __init__(self, access: RowAccess, kept: States | None = None) -> None:
        super().__init__()
        self._access = access
        self._kept = kept or States()

    def settle(self) -> None:
        """Make the states of the batch the stored ones."""
        for job in self.jobs.values():
            job.settle()
        for execution in self.executions.values():
            execution.row = execution.new_row
        for lists in self.lists.values():
            lists.row = lists.new_row or lists.row

    def load_jobs(self, job_ids: Iterable[str]) -> None:
        """Load jobs."""
        listed: list[Values] = []
        wanted = [(job_id,) for job_id in _missing(job_ids, self.jobs, self._kept.jobs)]
        for row in self._access.select(JOBS, ("job_id",), wanted):
            job = job_of(row)
            born_at, _, listed_created_at = row[-3:]
            life = life_of(deletions_of(row), born_at)
            loaded = self.jobs[job.job_id] = LoadedJob(job, row, former_life=life)
            if life is not None:
                loaded.former_namespace_id = job.text("namespace_id", life)
                loaded.was_status_reported = job.text("status", life) is not None
            if listed_created_at is not None:
                listed.append((listed_created_at, job.job_id))
        for summary in self._access.select(SUMMARIES, SUMMARIES.key, listed):
            self.jobs[str(summary[1])].summary = summary

    def load_executions(self, keys: Iterable[ExecutionKey]) -> None:
        """Load executions by their keys."""
        wanted = _missing(keys, self.executions, self._kept.executions)
        self._take(self._access.select(EXECUTIONS, EXECUTIONS.key, wanted))

    def load_executions_of(self, job_ids: Collection[str]) -> None:
        """Load all executions of jobs."""
        self._take(self._access.select(EXECUTIONS, ("job_id",), [(job_id,) for job_id in job_ids]))

    def load_queued_since(self, job_id: str, time: int) -> None:
        """Load a job's executions whose current attempt was queued at `time` (ms) or later."""
        where = f"executions.queued_at >= {time}"
        self._take(self._access.select(EXECUTIONS, ("job_id",), [(job_id,)], where=where))

    def load_pending(self, thing_names: Collection[str]) -> None:
        """Load executions that are pending, or that ended only by a list."""
        where = f"({IS_PENDING} OR {IS_LEFT_OUT})"
        self._take(self._access.select(EXECUTIONS, ("thing_name",), [(name,) for name in thing_names], where=where))

    def load_lists(self, keys: Iterable[ListsKey]) -> None:
        """Load the lists of things."""
        wanted = _missing(keys, self.lists, self._kept.lists)
        for row in self._access.select(PENDING_LISTS, PENDING_LISTS.key, wanted):
            self.lists[str(row[0]), str(row[1])] = LoadedLists(lists_of(row), row)

    def job(self, job_id: str, now: int) -> LoadedJob:
        """Return a loaded or new job."""
        loaded = self.jobs.get(job_id)
        if loaded is None:
            loaded = self.jobs[job_id] = LoadedJob(Job(job_id, arrived_at=now))
        return loaded

    def execution(self, key: ExecutionKey) -> Execution:
        """Return a loaded or new execution."""
        loaded = self.executions.get(key)
        if loaded is None:
            loaded = self.executions[key] = LoadedExecution(Execution(*key))
        return loaded.execution

    def lists_at(self, key: ListsKey) -> PendingLists:
        """Return loaded or new lists."""
        loaded = self.lists.get(key)
        if loaded is None:
            loaded = self.lists[key] = LoadedLists(PendingLists(key[0], key[1] or None))
        return loaded.lists

    def _take(self, rows: Iterable[Values]) -> None:
        found = {(row[0], row[1]): row for row in rows}
        for key in _missing(found, self.executions, self._kept.executions):
            self.executions[key] = LoadedExecution(execution_of(found[key]), found[key])


def _missing(keys: Iterable[_Key], loaded: dict[_Key, _Loaded], kept: dict[_Key, _Loaded]) -> list[_Key]:
    """Take the cached states; return the keys to read."""
    missing = []
    for key in keys:
        if key not in loaded:
            one = kept.get(key)
            if one is None:
                missing.append(key)
            else:
                loaded[key] = one
    return missing


def life_of(deletions: Deletions, born_at: int | None) -> Life | None:
    """Return the stored life of a job, or None if it is gone."""
    if not deletions:
        return FIRST_LIFE
    return None if born_at is None else Life(deletions, born_at)
