"""How the core's values are rows, and the other way round.

The current attempt of an execution and its end are columns of the execution's row; only further attempts and further
reports without `queuedAt` have rows of their own. `more` counts these, so that most executions are one row to read.
A column is null if its value was never reported, but for `queued_at`, which pages compare.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from jobindex.model.attempts import ExecutionView
from jobindex.model.execution import (
    IN_PROGRESS_RANK,
    NEVER,
    NO_VERSION,
    QUEUED_RANK,
    Attempt,
    AttemptKey,
    Details,
    Execution,
    Loose,
)
from jobindex.model.job import REGISTERS, Job
from jobindex.model.jobs import EXECUTION_STATUS_RANK, JobExecutionStatus
from jobindex.model.lists import CutList, PendingLists
from jobindex.model.lives import Deletions
from jobindex.model.reports import NO_NUMBER, UNTIMED, ListEntry
from jobindex.storage.sql.tables import EXECUTIONS, JOBS, REPORTS, STATE_COLUMNS, Values

_DELETED_RANK = EXECUTION_STATUS_RANK[JobExecutionStatus.DELETED]
_STATES = tuple(STATE_COLUMNS)
_STAMPS, _TIMES = 1 + len(REGISTERS), JOBS.columns.index("earliest_at")
_COUNTS = JOBS.columns.index(STATE_COLUMNS[_STATES[0]])
_PLACE = {column: place for place, column in enumerate(EXECUTIONS.columns)}
_ATTEMPT_PLACE, _END_PLACE, _DETAILS_PLACE = _PLACE["seen_at"], _PLACE["end_rank"], _PLACE["end_details"]
_NAMED_PLACE, _DELETED_PLACE, _ARN_PLACE = _PLACE["is_end_named"], _PLACE["deleted_at"], _PLACE["thing_arn"]
STATE_PLACE, ENDED_PLACE, MORE_PLACE = _PLACE["state"], _PLACE["ended_at"], _PLACE["more"]
_ATTEMPT_COLUMNS = _END_PLACE - _ATTEMPT_PLACE
_NO_END: Values = (None,) * (_DETAILS_PLACE - _END_PLACE)
_NO_DETAILS: Values = (None,) * 5
_NO_ATTEMPT: Values = (UNTIMED, NO_NUMBER, UNTIMED, UNTIMED, 0, UNTIMED, NO_VERSION, UNTIMED, *_NO_DETAILS)
_NOTHING_REPORTED: Values = (None,) * len(REPORTS.others)
_NOT_SHOWN: Values = (None, None, None, 0)


@dataclass(slots=True)
class ExecutionRows:
    """The rows of an execution: its own, and those of further attempts and reports by their keys."""

    own: Values
    attempts: dict[Values, Values] = field(default_factory=dict)
    reports: dict[Values, Values] = field(default_factory=dict)

    @property
    def is_left_out(self) -> bool:
        """Whether only a list says that the execution has ended."""
        return bool(self.own[_PLACE["is_left_out"]])


def job_row(job: Job, *, born_at: int | None, inferred_end_at: int | None, listed_created_at: int | None) -> Values:
    """Return the row of a job."""
    deletions, counts = job.deletions, job.executions
    return (
        job.job_id,
        *job.values,
        *job.stamps,
        job.earliest_at,
        job.latest_at,
        job.arrived_at,
        deletions.deleted_at,
        deletions.published_at,
        *[counts.get(state, 0) for state in _STATES],
        job.untimed_ends,
        born_at,
        inferred_end_at,
        listed_created_at,
    )


def job_of(row: Values) -> Job:
    """Return the job of a row."""
    earliest_at, latest_at, arrived_at, deleted_at, published_at = row[_TIMES:_COUNTS]
    return Job(
        row[0],
        list(row[1:_STAMPS]),
        list(row[_STAMPS:_TIMES]),
        Deletions(deleted_at, published_at),
        earliest_at,
        latest_at,
        arrived_at,
        {state: count for state, count in zip(_STATES, row[_COUNTS:], strict=False) if count},
        row[_COUNTS + len(_STATES)],
    )


def execution_rows(execution: Execution, view: ExecutionView | None, born_at: int | None) -> ExecutionRows:
    """Return the rows of an execution and of how it is shown; `born_at` is its birth in a later life of the job."""
    key = (execution.job_id, execution.thing_name)
    current = execution.attempts[max(execution.attempts)] if execution.attempts else None
    named = None if current is None else current.end
    # The second of an end of unknown time is not that of its time: it has a row of its own.
    end = max((one for one in execution.ends.values() if one.second == one.time // 1000), default=None)
    attempts: dict[Values, Values] = {}
    reports: dict[Values, Values] = {}
    if len(execution.attempts) > 1:
        for attempt in execution.attempts.values():
            if attempt is not current:
                columns = (attempt.queued_at, *_attempt_columns(attempt), *_end_columns(attempt.end))
                attempts[key + attempt.key] = (*columns, _former_state(attempt, view))
    for one in execution.ends.values():
        if named is not None or one is not end:
            _add_report(reports, key, one)
    for one in execution.loose_pending():
        _add_report(reports, key, one)
    for number, at in execution.deletions.items():
        if number != NO_NUMBER:
            reports[(*key, _DELETED_RANK, at, NO_VERSION, 1, number)] = _NOTHING_REPORTED
    shown_end = end if named is None else named
    own = (
        *key,
        *(_NO_ATTEMPT if current is None else (current.queued_at, current.number, *_attempt_columns(current))),
        *_end_columns(shown_end),
        *_details_columns(None if named is not None or end is None else end.details)[::4],
        int(named is not None),
        execution.deletions.get(NO_NUMBER, NEVER),
        execution.thing_arn,
        len(attempts) + len(reports),
        *(_NOT_SHOWN if view is None else _shown(view)),
        born_at,
    )
    return ExecutionRows(own, attempts, reports)


def execution_of(rows: ExecutionRows) -> Execution:
    """Return the execution of its rows."""
    own = rows.own
    execution = Execution(own[0], own[1], thing_arn=own[_ARN_PLACE])
    end = _end_of(own[_END_PLACE:_DETAILS_PLACE], *own[_DETAILS_PLACE : _DETAILS_PLACE + 2])
    is_named = own[_NAMED_PLACE]
    queued_at, number = own[2:4]
    if queued_at > UNTIMED:
        named = end if is_named else None
        key = (queued_at // 1000, number)
        execution.attempts[key] = _attempt_of(key, queued_at, own[_ATTEMPT_PLACE:_END_PLACE], named)
    if end is not None and not is_named:
        execution.ends[end.key] = end
    if own[_DELETED_PLACE] != NEVER:
        execution.deletions[NO_NUMBER] = own[_DELETED_PLACE]
    for (*_, second, number), columns in rows.attempts.items():
        named = _end_of(columns[1 + _ATTEMPT_COLUMNS : -1])
        key = (second, number)
        execution.attempts[key] = _attempt_of(key, columns[0], columns[1 : 1 + _ATTEMPT_COLUMNS], named)
    for (_, _, rank, second, version, is_event, number), report in rows.reports.items():
        if rank == _DELETED_RANK:
            execution.deletions[number] = second
            continue
        loose = Loose(second, rank, version, bool(is_event), number, report[0], report[1], _details_of(report[2:]))
        if rank == QUEUED_RANK:
            execution.waiting = loose
        elif rank == IN_PROGRESS_RANK:
            execution.progress[number] = loose
        else:
            execution.ends[loose.key] = loose
    return execution


def lists_row(lists: PendingLists) -> Values:
    """Return the row of a thing's lists."""
    return (
        lists.thing_name,
        lists.namespace_id or "",
        lists.listed_at,
        orjson.dumps([[*entry] for entry in sorted(lists.entries)]).decode(),
        orjson.dumps([[*cut] for cut in lists.cut_lists]).decode(),
    )


def lists_of(row: Values) -> PendingLists:
    """Return the lists of a row."""
    thing_name, namespace_id, listed_at, entries, cut_lists = row
    return PendingLists(
        thing_name,
        namespace_id or None,
        listed_at,
        frozenset(ListEntry(*entry) for entry in orjson.loads(entries)),
        [CutList(*cut) for cut in orjson.loads(cut_lists)],
    )


def _attempt_columns(attempt: Attempt) -> Values:
    return (
        attempt.seen_at,
        attempt.waited_at,
        int(attempt.is_started),
        attempt.started_at,
        attempt.version,
        attempt.updated_at,
        *_details_columns(attempt.details),
    )


def _attempt_of(key: AttemptKey, queued_at: int, columns: Values, end: Loose | None) -> Attempt:
    seen_at, waited_at, is_started, started_at, version, updated_at = columns[:6]
    details = _details_of(columns[6:])
    return Attempt(*key, queued_at, seen_at, waited_at, bool(is_started), started_at, version, updated_at, details, end)


def _end_columns(end: Loose | None) -> Values:
    if end is None:
        return _NO_END
    return (end.rank, end.time, end.version, int(end.is_event), end.number, end.started_at)


def _end_of(columns: Values, details: str | None = None, is_cut: int | None = None) -> Loose | None:
    rank, time, version, is_event, number, started_at = columns
    if rank is None:
        return None
    second = time // 1000
    known = None if details is None else Details(second, rank, version, details, bool(is_cut))
    return Loose(second, rank, version, bool(is_event), number, time, started_at, known)


def _add_report(reports: dict[Values, Values], key: Values, loose: Loose) -> None:
    columns = (loose.time, loose.started_at, *_details_columns(loose.details))
    reports[(*key, loose.rank, loose.second, loose.version, int(loose.is_event), loose.number)] = columns


def _details_columns(details: Details | None) -> Values:
    if details is None:
        return _NO_DETAILS
    return (details.text, details.second, details.rank, details.version, int(details.is_cut))


def _details_of(columns: Sequence[Any]) -> Details | None:
    text, second, rank, version, is_cut = columns
    return None if text is None else Details(second, rank, version, text, bool(is_cut))


def _shown(view: ExecutionView) -> Values:
    current = view.current
    return (current.state.value, current.ended_at, view.waiting_since, int(view.is_left_out))


def _former_state(attempt: Attempt, view: ExecutionView | None) -> str | None:
    for former in view.former if view is not None else ():
        if former.key == attempt.key:
            return former.state.value
    return None
