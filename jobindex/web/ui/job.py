"""The page of a job: its members and their origin, its executions and its history."""

from jobindex.errors import InvalidRequestException, ResourceNotFoundException
from jobindex.model.parameters import Choice, Constraints
from jobindex.model.reader import Reader
from jobindex.model.views import FAILURES, ExecutionPage, ExecutionState, JobDescription, JobExecution
from jobindex.web.opened_jobs import OpenedJobs
from jobindex.web.ui.page import PAGE_SIZE, POSITION, Page, Question, forward_pager
from jobindex.web.ui.words import created_reason, reported_counts, status_reason

PARAMETERS: Constraints = {"state": Choice(ExecutionState), "after": POSITION}
CHANGES_SHOWN = 20
SORTED_MAXIMUM = 5000
"""With more executions, failed ones do not come first: the order has to read each execution."""
_FAILED_FIRST = (*FAILURES, *(state for state in ExecutionState if state not in FAILURES))


async def job_page(reader: Reader, question: Question, opened: OpenedJobs) -> Page:
    """Return a job; for a deleted or unknown job its history, if there is one.

    Raises:
        InvalidRequestException: a parameter is invalid.
    """
    job_id = question.subject
    state = question.parse(PARAMETERS).choice("state", ExecutionState)
    after = question.position()
    changes = await reader.job_changes(job_id, limit=CHANGES_SHOWN)
    try:
        with opened.opening(reader, job_id):
            job = await reader.job(job_id)
        if state is None and sum(job.executions.values()) <= SORTED_MAXIMUM:
            executions = await _failed_first(reader, job, after)
        else:
            executions = await reader.executions_of_job(job_id, state=state, after=after, limit=PAGE_SIZE)
    except ResourceNotFoundException as problem:
        missing = {"job_id": job_id, "changes": changes, "error": str(problem)}
        return Page(
            template="no_job.html",
            title="No such job",
            section="jobs",
            values=missing,
            watched={"jobId": job_id},
            status=404,
        )
    values: dict[str, object] = {
        "job": job,
        "status_reason": status_reason(job),
        "created_reason": created_reason(job),
        "reported_counts": reported_counts(job),
        "failed_addresses": [
            (failed, question.address(state=failed.value)) for failed in FAILURES if job.executions.get(failed)
        ]
        if sum(job.executions.values()) > SORTED_MAXIMUM
        else [],
        "changes": changes,
        "state": state,
        "states": tuple(ExecutionState),
        "executions": executions.executions,
        "pager": forward_pager(question, executions.next_position),
        "all_address": question.address(state=None),
    }
    return Page(template="job.html", title=f"Job {job_id}", section="jobs", values=values, watched={"jobId": job_id})


async def _failed_first(reader: Reader, job: JobDescription, after: str | None) -> ExecutionPage:
    # By state, then by thing.
    first, _, position = (after or "").partition(" ")
    if after is not None and first not in set(ExecutionState):
        raise InvalidRequestException(f"Invalid position: '{after}'")
    states = [state for state in _FAILED_FIRST if job.executions.get(state)]
    if after is not None:
        states = [state for state in states if _FAILED_FIRST.index(state) >= _FAILED_FIRST.index(ExecutionState(first))]
    found: dict[str, JobExecution] = {}  # an execution that changes meanwhile may be in two states
    for state in states:
        if len(found) >= PAGE_SIZE:
            return ExecutionPage(executions=[*found.values()], next_position=f"{state} ")
        inner = position if state == first and position else None
        page = await reader.executions_of_job(job.job_id, state=state, after=inner, limit=PAGE_SIZE - len(found))
        found |= {execution.thing_name: execution for execution in page.executions}
        if page.next_position is not None:
            return ExecutionPage(executions=[*found.values()], next_position=f"{state} {page.next_position}")
    return ExecutionPage(executions=[*found.values()], next_position=None)
