"""Loads the rows that depend on a batch although none of its messages names them.

A new deletion or namespace of a job affects all its executions; new lists affect the pending executions of their thing;
an earlier job event affects the jobs inferred COMPLETED. If there are too many such rows, the jobs and things with the
most become deferred work, so that a batch stays bounded. Lives are always computed at once.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

import orjson

from jobindex.model.lives import FIRST_LIFE, Life
from jobindex.storage.sql import deferred
from jobindex.storage.sql.connection import Connection
from jobindex.storage.sql.deferred import Work
from jobindex.storage.sql.source import MessageSource
from jobindex.storage.sql.states import BatchStates, ListsKey, LoadedExecution, LoadedJob
from jobindex.storage.sql.tables import IS_LEFT_OUT, IS_PENDING

ROWS_USUAL = 10
"""Rows for each job or thing that a batch of very many of them may load."""

_BIRTHS = """
SELECT thing_name, born_at
FROM executions
WHERE job_id = :job_id
AND born_at IS NOT NULL
AND born_at >= :deleted_at
ORDER BY born_at
LIMIT :limit
"""

# Jobs inferred COMPLETED that ended when AWS would have reported it.
_INFERRED_SINCE = "SELECT job_id FROM jobs WHERE inferred_end_at >= :since LIMIT :limit"

_EXECUTIONS = """
SELECT asked.value, (
    SELECT count(*)
    FROM (
        SELECT thing_name FROM executions WHERE job_id = asked.value ORDER BY thing_name LIMIT :limit
    ) AS few
)
FROM json_each(:names) AS asked
"""
_PENDING = f"""
SELECT asked.value, (
    SELECT count(*)
    FROM (SELECT 1 FROM executions WHERE thing_name = asked.value AND {IS_PENDING} LIMIT :limit) AS few
) + (
    SELECT count(*)
    FROM (SELECT 1 FROM executions WHERE thing_name = asked.value AND {IS_LEFT_OUT} LIMIT :limit) AS few
)
FROM json_each(:names) AS asked
"""


class Dependents:
    """Loads or defers the dependents of a batch."""

    def __init__(self, connection: Connection, states: BatchStates, source: MessageSource) -> None:
        self._connection = connection
        self._states = states
        self._source = source
        self.deferred: set[Work] = set()

    def load(self, changed_lists: Iterable[ListsKey]) -> None:
        """Load the dependents, and compute the lives of all jobs."""
        self._load_pending({thing_name for thing_name, _ in changed_lists})
        if self._source.is_events_since_changed:
            self._load_inferred()
        self._states.load_jobs({job_id for job_id, _ in self._states.executions})
        jobs = self._states.jobs
        deleted = {job_id for job_id, loaded in jobs.items() if loaded.is_deletion_new}
        many = self._too_many(_EXECUTIONS, deleted)
        self._states.load_executions_of(deleted - many)
        for job_id in many:
            # Nothing queued before the time inside the deletion can begin a later life.
            self._states.load_queued_since(job_id, _second(jobs[job_id]))
        self.note_lives()
        moved = {job_id for job_id, loaded in jobs.items() if loaded.is_moved_or_reborn} - deleted
        many_moved = self._too_many(_EXECUTIONS, moved)
        self._states.load_executions_of(moved - many_moved)
        self._defer(Work.JOB, many | many_moved)

    def note_lives(self) -> None:
        """Compute the lives of all loaded jobs."""
        of_deleted: dict[str, list[LoadedExecution]] = defaultdict(list)
        for (job_id, _), execution in self._states.executions.items():
            if self._states.jobs[job_id].job.deletions:
                of_deleted[job_id].append(execution)
        for job_id, loaded in self._states.jobs.items():
            loaded.note_life(self._life(loaded, of_deleted[job_id]) if loaded.job.deletions else FIRST_LIFE)

    def _load_pending(self, things: set[str]) -> None:
        many = self._too_many(_PENDING, things)
        self._states.load_pending(things - many)
        self._defer(Work.THING, many)

    def _load_inferred(self) -> None:
        maximum = deferred.ROWS_MAXIMUM
        job_ids = inferred_jobs(self._connection, self._source.events_since, maximum + 1)
        if len(job_ids) > maximum:
            self._defer(Work.INFERRED, [""])
        else:
            self._states.load_jobs(job_ids)

    def _too_many(self, statement: str, names: Collection[str]) -> set[str]:
        """Return the names with too many rows; those with the fewest are loaded first."""
        if not names:
            return set()
        left = max(deferred.ROWS_MAXIMUM, ROWS_USUAL * len(names))
        given = {"names": orjson.dumps([*names]).decode(), "limit": left + 1}
        too_many = set()
        for count, name in sorted((count, name) for name, count in self._connection.execute(statement, given)):
            left -= count
            if left < 0:
                too_many.add(name)
        return too_many

    def _defer(self, work: Work, names: Collection[str]) -> None:
        if names:
            deferred.defer(self._connection, work, names)
            self.deferred.add(work)

    def _life(self, loaded: LoadedJob, executions: Sequence[LoadedExecution]) -> Life | None:
        deletions = loaded.job.deletions
        births = [deletions.birth(one.execution) for one in executions]
        if loaded.row is not None and not loaded.is_deletion_new:
            touched = {one.execution.thing_name for one in executions}
            asked: Mapping[str, object] = {
                "job_id": loaded.job.job_id,
                "deleted_at": _second(loaded),
                "limit": len(touched) + 1,
            }
            rows = self._connection.execute(_BIRTHS, asked).fetchall()
            births += [born_at for thing_name, born_at in rows if thing_name not in touched]
        return deletions.life(loaded.job.created_at(), births)


def inferred_jobs(connection: Connection, events_since: int | None, limit: int) -> list[str]:
    """Return jobs inferred COMPLETED that ended at `events_since` (in seconds) or later."""
    given = {"since": (events_since or 0) * 1000, "limit": limit}
    return [job_id for (job_id,) in connection.execute(_INFERRED_SINCE, given).fetchall()]


def _second(loaded: LoadedJob) -> int:
    return loaded.job.deletions.deleted_at // 1000 * 1000
