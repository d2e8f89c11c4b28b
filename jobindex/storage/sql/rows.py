"""Converts the values of the model to rows, and back.

An execution is one row, with columns for its current attempt and the end that names this attempt. `further` holds the
rest, which few executions have: earlier attempts, reports that name no attempt, and deletions. Separate rows would only
cost keys and single writes and deletes.
"""

from collections.abc import Sequence
from operator import itemgetter
from typing import Any

import orjson

from jobindex.model.attempts import ExecutionView
from jobindex.model.execution import IN_PROGRESS_RANK, NO_VERSION, QUEUED_RANK, Attempt, Details, Execution, Loose
from jobindex.model.job import REGISTERS, Job
from jobindex.model.lists import CutList, PendingLists
from jobindex.model.lives import Deletions
from jobindex.model.reports import NO_NUMBER, UNTIMED, ListEntry
from jobindex.storage.sql.tables import EXECUTIONS, JOBS, STATE_COLUMNS, Values

_STAMPS, _TIMES = 1 + len(REGISTERS), JOBS.columns.index("earliest_at")
_LONG_MEMBERS = itemgetter(
    *map(JOBS.columns.index, ("targets", "job_arn", "description", "comment", "configuration_arn", "document")),
    *map(JOBS.columns.index, ("deployment_id", "deployment_name")),
)
_COUNTS = JOBS.columns.index(next(iter(STATE_COLUMNS.values())))
_UNTIMED_ENDS = _COUNTS + len(STATE_COLUMNS)
_DELETIONS = slice(JOBS.columns.index("deleted_at"), _COUNTS)
_PLACE = {column: place for place, column in enumerate(EXECUTIONS.columns)}
_ATTEMPT, _END = slice(2, _PLACE["end_rank"]), slice(_PLACE["end_rank"], _PLACE["further"])
_DETAILS, _FURTHER, _ARN, _HEARD_AT = (_PLACE[name] for name in ("details", "further", "thing_arn", "heard_at"))
STATE_PLACE, ENDED_PLACE, LEFT_OUT_PLACE = _PLACE["state"], _PLACE["ended_at"], _PLACE["is_left_out"]
_NO_END: Values = (None,) * 6
_NO_DETAILS: Values = (None,) * 5
_NO_ATTEMPT: Values = (UNTIMED, NO_NUMBER, UNTIMED, UNTIMED, 0, UNTIMED, NO_VERSION, UNTIMED, *_NO_DETAILS, *_NO_END)
_NOT_SHOWN: Values = (None, None, None, 0)


def job_row(job: Job, *, born_at: int | None, inferred_end_at: int | None, listed_created_at: int | None) -> Values:
    """Return the row of a job."""
    deletions = job.deletions
    return (
        job.job_id,
        *job.values,
        *job.stamps,
        job.earliest_at,
        job.latest_at,
        job.arrived_at,
        deletions.deleted_at,
        deletions.published_at,
        *job.executions,
        job.untimed_ends,
        born_at,
        inferred_end_at,
        listed_created_at,
    )


def executions_of(row: Values | None) -> tuple[int, ...]:
    """Return a job's execution counts in the order of ExecutionState; zeros without a row."""
    return (0,) * len(STATE_COLUMNS) if row is None else row[_COUNTS:_UNTIMED_ENDS]


def job_of(row: Values) -> Job:
    """Return the job of a row."""
    earliest_at, latest_at, arrived_at = row[_TIMES : _DELETIONS.start]
    return Job(
        row[0],
        list(row[1:_STAMPS]),
        list(row[_STAMPS:_TIMES]),
        deletions_of(row),
        earliest_at,
        latest_at,
        arrived_at,
        list(row[_COUNTS:_UNTIMED_ENDS]),
        row[_UNTIMED_ENDS],
    )


def job_length(row: Values | None) -> int:
    """Return the characters of the long members of a job."""
    return 0 if row is None else sum(map(len, filter(None, _LONG_MEMBERS(row))))


def execution_length(row: Values | None) -> int:
    """Return the characters of an execution's details and `further`."""
    return 0 if row is None else sum(map(len, filter(None, (row[_DETAILS], row[_FURTHER]))))


def deletions_of(row: Values) -> Deletions:
    """Return the deletions of a job's row."""
    return Deletions(*row[_DELETIONS])


def execution_row(execution: Execution, view: ExecutionView | None, born_at: int | None) -> Values:
    """Return the row of an execution; `born_at` is its birth in a later life of the job."""
    attempts = execution.attempts
    current = max(attempts) if attempts else None
    return (
        execution.job_id,
        execution.thing_name,
        *(_NO_ATTEMPT if current is None else _attempt_columns(attempts[current])),
        _further(execution, current),
        execution.thing_arn,
        execution.heard_at,
        *(_NOT_SHOWN if view is None else _shown(view)),
        born_at,
    )


def execution_of(row: Values) -> Execution:
    """Return the execution of a row."""
    execution = Execution(row[0], row[1], thing_arn=row[_ARN], heard_at=row[_HEARD_AT])
    if row[2] > UNTIMED:
        _add_attempt(execution, row[_ATTEMPT], row[_END])
    if row[_FURTHER] is None:
        return execution
    attempts, reports, deletions = orjson.loads(row[_FURTHER])
    for columns in attempts:
        _add_attempt(execution, [*columns, *_NO_DETAILS][:13], columns[13:] or _NO_END)
    for loose in map(_report_of, reports):
        if loose.rank == QUEUED_RANK:
            execution.waiting = loose
        elif loose.rank == IN_PROGRESS_RANK:
            execution.progress[loose.number] = loose
        else:
            execution.ends[loose.key] = loose
    execution.deletions = dict(deletions)
    return execution


def _further(execution: Execution, current: tuple[int, int] | None) -> str | None:
    attempts, reports = execution.attempts, [*execution.ends.values(), *execution.loose_pending()]
    if not reports and not execution.deletions and len(attempts) < 2:
        return None
    further = (
        [_former_columns(attempts[key]) for key in sorted(attempts) if key != current],
        [_report_columns(loose) for loose in sorted(reports, key=_key)],
        sorted(execution.deletions.items()),
    )
    return orjson.dumps(further).decode()


def _key(loose: Loose) -> tuple[int, int, int, bool, int]:
    return loose.key


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
    end, details = attempt.end, attempt.details
    return (
        attempt.queued_at,
        attempt.number,
        attempt.seen_at,
        attempt.waited_at,
        int(attempt.is_started),
        attempt.started_at,
        attempt.version,
        attempt.updated_at,
        *(_NO_DETAILS if details is None else (details.text, *details[:3], int(details.is_cut))),
        *(_NO_END if end is None else (end.rank, end.time, end.version, int(end.is_event), end.number, end.started_at)),
    )


def _former_columns(attempt: Attempt) -> Values:
    columns = _attempt_columns(attempt)
    return columns[:8] if attempt.details is None and attempt.end is None else columns


def _report_columns(loose: Loose) -> Values:
    details = loose.details
    if details is None:
        return loose[:7]
    text = orjson.Fragment(details.text)
    if details[:3] == (loose.time // 1000, loose.rank, loose.version) and not details.is_cut:
        return (*loose[:7], text)
    return (*loose[:7], text, *details[:3], details.is_cut)


def _report_of(columns: Sequence[Any]) -> Loose:
    second, rank, version, is_event, number, time, started_at, *details = columns
    shown = None
    if details:
        members, *place = details
        text = orjson.dumps(members).decode()
        second_of, rank_of, version_of, is_cut = place or (time // 1000, rank, version, False)
        shown = Details(second_of, rank_of, version_of, text, is_cut)
    return Loose(second, rank, version, is_event, number, time, started_at, shown)


def _add_attempt(execution: Execution, columns: Sequence[Any], end: Sequence[Any]) -> None:
    queued_at, number, seen_at, waited_at, is_started, started_at, version, updated_at = columns[:8]
    text, second, rank, details_version, is_cut = columns[8:]
    key = (queued_at // 1000, number)
    execution.attempts[key] = Attempt(
        *key,
        queued_at,
        seen_at,
        waited_at,
        bool(is_started),
        started_at,
        version,
        updated_at,
        None if text is None else Details(second, rank, details_version, text, bool(is_cut)),
        None if end[0] is None else _end_of(end),
    )


def _end_of(columns: Sequence[Any]) -> Loose:
    rank, time, version, is_event, number, started_at = columns
    return Loose(time // 1000, rank, version, bool(is_event), number, time, started_at, None)


def _shown(view: ExecutionView) -> Values:
    current = view.current
    return (current.state, current.ended_at, view.waiting_since, int(view.is_left_out))
