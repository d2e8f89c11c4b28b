"""Compares the rows of a batch as stored and as changed: the differences that a sync stores."""

from collections.abc import Collection, Sequence

import orjson

from jobindex.model.drift import JobFacts, execution_difference, job_difference
from jobindex.model.sync import Difference
from jobindex.model.views import ExecutionState
from jobindex.storage.sql.kinds import STATUSES
from jobindex.storage.sql.rows import STATE_PLACE
from jobindex.storage.sql.states import BatchStates, ExecutionKey
from jobindex.storage.sql.tables import Values


def differences(states: BatchStates, keys: Collection[ExecutionKey]) -> Sequence[Difference]:
    """Return the differences of jobs (with the thing name "") and executions that the batch has loaded."""
    found = [_of_execution(states, key) if key[1] else _of_job(states, key[0]) for key in sorted(keys)]
    return [one for one in found if one is not None]


def _of_job(states: BatchStates, job_id: str) -> Difference | None:
    loaded = states.jobs.get(job_id)
    if loaded is None:
        return None
    was = _facts(loaded.summary, is_reported=loaded.was_status_reported)
    return job_difference(job_id, was, _facts(loaded.listed, is_reported=loaded.is_status_reported))


def _of_execution(states: BatchStates, key: ExecutionKey) -> Difference | None:
    loaded = states.executions.get(key)
    return None if loaded is None else execution_difference(*key, _state(loaded.row), _state(loaded.new_row))


def _state(row: Values | None) -> ExecutionState | None:
    return None if row is None or row[STATE_PLACE] is None else ExecutionState(row[STATE_PLACE])


def _facts(summary: Values | None, *, is_reported: bool) -> JobFacts | None:
    if summary is None:
        return None
    created_at, _, kind, namespace_id, listed, *_ = summary
    # The times are the last members; the placeholders before them are not JSON.
    times = orjson.loads("{" + listed[listed.rindex('"createdAt":') :])
    return JobFacts(
        STATUSES[kind],
        is_reported,
        namespace_id,
        created_at,
        round(times["completedAt"] * 1000) if "completedAt" in times else None,
        round(times["lastUpdatedAt"] * 1000),
    )
