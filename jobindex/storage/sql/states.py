"""The states that a batch touches: loaded by key, each once."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import TypeVar

from jobindex.model.attempts import ExecutionView
from jobindex.model.execution import Execution
from jobindex.model.job import Job
from jobindex.model.lists import PendingLists
from jobindex.model.lives import FIRST_LIFE, Deletions, Life
from jobindex.storage.sql.row_access import RowAccess
from jobindex.storage.sql.rows import deletions_of, execution_of, job_of, lists_of
from jobindex.storage.sql.tables import EXECUTIONS, JOBS, PENDING_LISTS, SUMMARIES, Values

ExecutionKey = tuple[str, str]
"""A job id and the name of a thing."""
Place = tuple[str, str]
"""The name of a thing, and a namespace or "" for none."""

IS_PENDING = "executions.state IN ('QUEUED', 'IN_PROGRESS')"
"""The condition of the index of pending executions, as the migrations have it."""


_Key = TypeVar("_Key")
_Loaded = TypeVar("_Loaded")


@dataclass(slots=True)
class LoadedJob:
    """A job, as it is stored and as the batch makes it."""

    job: Job
    row: Values | None = None
    summary: Values | None = None
    """Its row in the list."""
    new_row: Values | None = None
    listed: Values | None = None
    """Its row in the list as the batch makes it."""
    life: Life | None = None
    namespace_id: str | None = None
    is_status_reported: bool = False
    former_life: Life | None = None
    former_namespace_id: str | None = None
    was_status_reported: bool = False

    @property
    def is_moved(self) -> bool:
        """Whether the batch lists the job in another namespace, or lists it first or no longer."""
        former, listed = self.summary, self.listed
        return former[3] != listed[3] if former is not None and listed is not None else former is not listed

    def settle(self) -> None:
        """Take what the batch made for what is stored."""
        self.row, self.summary = self.new_row, self.listed
        self.former_life, self.former_namespace_id = self.life, self.namespace_id
        self.was_status_reported = self.is_status_reported

    @property
    def is_deletion_new(self) -> bool:
        """Whether the batch changes the deletions of a stored job."""
        return self.row is not None and self.job.deletions != deletions_of(self.row)


@dataclass(slots=True)
class LoadedExecution:
    """An execution, as it is stored and as the batch makes it."""

    execution: Execution
    row: Values | None = None
    new_row: Values | None = None
    view: ExecutionView | None = None
    """How the batch shows it."""


@dataclass(slots=True)
class LoadedLists:
    """The lists of a thing in a namespace, as they are stored and as the batch makes them."""

    lists: PendingLists
    row: Values | None = None
    new_row: Values | None = None


class States:
    """What was loaded for a batch, or is kept of the last ones."""

    def __init__(self) -> None:
        self.jobs: dict[str, LoadedJob] = {}
        self.executions: dict[ExecutionKey, LoadedExecution] = {}
        self.lists: dict[Place, LoadedLists] = {}


class BatchStates(States):
    """What was loaded for a batch; what is kept of the last ones is not read again."""

    def __init__(self, access: RowAccess, kept: States | None = None) -> None:
        super().__init__()
        self._access = access
        self._kept = kept or States()

    def settle(self) -> None:
        """Take what the batch made for what is stored."""
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

    def load_pending(self, thing_names: Collection[str]) -> None:
        """Load the executions of things that are pending, or that only a list says to have ended."""
        where = f"({IS_PENDING} OR executions.is_left_out = 1)"
        self._take(self._access.select(EXECUTIONS, ("thing_name",), [(name,) for name in thing_names], where=where))

    def load_lists(self, places: Iterable[Place]) -> None:
        """Load the lists of things."""
        wanted = _missing(places, self.lists, self._kept.lists)
        for row in self._access.select(PENDING_LISTS, PENDING_LISTS.key, wanted):
            self.lists[str(row[0]), str(row[1])] = LoadedLists(lists_of(row), row)

    def job(self, job_id: str, now: int) -> LoadedJob:
        """Return a job that was asked for, a new one if it is not stored."""
        loaded = self.jobs.get(job_id)
        if loaded is None:
            loaded = self.jobs[job_id] = LoadedJob(Job(job_id, arrived_at=now))
        return loaded

    def execution(self, key: ExecutionKey) -> Execution:
        """Return an execution that was asked for, a new one if it is not stored."""
        loaded = self.executions.get(key)
        if loaded is None:
            loaded = self.executions[key] = LoadedExecution(Execution(*key))
        return loaded.execution

    def lists_at(self, place: Place) -> PendingLists:
        """Return lists that were asked for, new ones if there are none."""
        loaded = self.lists.get(place)
        if loaded is None:
            loaded = self.lists[place] = LoadedLists(PendingLists(place[0], place[1] or None))
        return loaded.lists

    def _take(self, rows: Iterable[Values]) -> None:
        found = {(row[0], row[1]): row for row in rows}
        for key in _missing(found, self.executions, self._kept.executions):
            self.executions[key] = LoadedExecution(execution_of(found[key]), found[key])


def _missing(keys: Iterable[_Key], loaded: dict[_Key, _Loaded], kept: dict[_Key, _Loaded]) -> list[_Key]:
    """Take what is kept, and return the keys of what has to be read."""
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
    """Return the life of a job as it is stored; None if it is gone."""
    if not deletions:
        return FIRST_LIFE
    return None if born_at is None else Life(deletions, born_at)
