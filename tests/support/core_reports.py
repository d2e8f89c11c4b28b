"""Reports of executions for the tests of the pure core, and the view that they result in."""

from collections.abc import Iterable, Sequence
from itertools import permutations
from typing import Any

from jobindex.model import attempts
from jobindex.model.attempts import AttemptView, ExecutionView
from jobindex.model.execution import Execution
from jobindex.model.jobs import JobExecutionStatus
from jobindex.model.lists import Lists
from jobindex.model.lives import FIRST_LIFE, Life
from jobindex.model.reports import ExecutionReport

T = 1_700_000_000
"""An arbitrary second."""

QUEUED, IN_PROGRESS = JobExecutionStatus.QUEUED, JobExecutionStatus.IN_PROGRESS
FAILED, TIMED_OUT, REMOVED = JobExecutionStatus.FAILED, JobExecutionStatus.TIMED_OUT, JobExecutionStatus.REMOVED
REJECTED, CANCELED = JobExecutionStatus.REJECTED, JobExecutionStatus.CANCELED
SUCCEEDED, DELETED = JobExecutionStatus.SUCCEEDED, JobExecutionStatus.DELETED


def sighting(
    queued: float, number: int | None = 1, *, heard: int | None = None, started: float | None = None, **members: Any
) -> ExecutionReport:
    """Return the report of a list entry received at `heard`; its time is `started`, or else `queued`, in seconds."""
    return _report(
        IN_PROGRESS if started is not None else QUEUED,
        queued if started is None else started,
        heard_at=int(queued) if heard is None else heard,
        queued_at=round(queued * 1000),
        started_at=None if started is None else round(started * 1000),
        execution_number=number,
        **members,
    )


def named_end(
    status: JobExecutionStatus, queued: float, time: float, number: int | None = 1, **members: Any
) -> ExecutionReport:
    """Return the report of an end that identifies its attempt by `queuedAt`."""
    return _report(status, time, queued_at=round(queued * 1000), execution_number=number, **members)


def event(status: JobExecutionStatus, time: float | None, number: int | None = None, **members: Any) -> ExecutionReport:
    """Return the report of an execution event."""
    return _report(status, time, execution_number=number, is_event=True, **members)


def answer(
    status: JobExecutionStatus, time: float | None, number: int | None = None, **members: Any
) -> ExecutionReport:
    """Return the report of an update's answer, which has no `queuedAt`."""
    return _report(status, time, execution_number=number, **members)


def _report(status: JobExecutionStatus, time: float | None, **members: Any) -> ExecutionReport:
    if time is not None:
        members = {"time": round(time * 1000), "heard_at": int(time), **members}
    return ExecutionReport("j", "t", status, **members)


def merged(reports: Iterable[ExecutionReport]) -> Execution:
    """Return the execution that results from reports."""
    execution = Execution("j", "t")
    for report in reports:
        execution.merge(report)
    return execution


def shown(*reports: ExecutionReport, life: Life = FIRST_LIFE, lists: Lists | None = None) -> ExecutionView | None:
    """Return the view of an execution, which is the same for every order of the reports, each once or twice."""
    view = attempts.view(merged(reports), life, lists)
    orders: Iterable[Sequence[ExecutionReport]] = permutations(reports) if len(reports) < 5 else [reports[::-1]]
    for order in orders:
        assert view == attempts.view(merged([*order, *order[:2]]), life, lists)
    return view


def current(*reports: ExecutionReport, life: Life = FIRST_LIFE, lists: Lists | None = None) -> AttemptView:
    """Return the current attempt after reports."""
    view = shown(*reports, life=life, lists=lists)
    assert view is not None
    return view.current


def states(*reports: ExecutionReport, life: Life = FIRST_LIFE, lists: Lists | None = None) -> list[tuple[object, str]]:
    """Return the number and the state of the current attempt and of the former ones, latest first."""
    view = shown(*reports, life=life, lists=lists)
    assert view is not None
    return [(one.execution_number, one.state.value) for one in (view.current, *view.former)]
