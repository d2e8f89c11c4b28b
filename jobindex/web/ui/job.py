"""The page of a job: what is known of it, since when and from what, its executions and its history."""

from jobindex.errors import ResourceNotFoundException
from jobindex.model.parameters import Choice, Constraints
from jobindex.model.reader import Reader
from jobindex.model.views import ExecutionState
from jobindex.web.ui.page import PAGE_SIZE, POSITION, Page, Question, forward_pager
from jobindex.web.ui.words import created_reason, status_reason

PARAMETERS: Constraints = {"state": Choice(ExecutionState), "after": POSITION}
CHANGES_SHOWN = 20


async def job_page(reader: Reader, question: Question) -> Page:
    """Return a job; of one that was deleted, or that never was, what history there is.

    Raises:
        InvalidRequestException: what executions are asked for cannot be.
    """
    job_id = question.subject
    state = question.parse(PARAMETERS).choice("state", ExecutionState)
    after = question.position()
    changes = await reader.job_changes(job_id, limit=CHANGES_SHOWN)
    try:
        job = await reader.job(job_id)
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
        "changes": changes,
        "state": state,
        "states": tuple(ExecutionState),
        "executions": executions.executions,
        "pager": forward_pager(question, executions.next_position),
        "all_address": question.address(state=None),
    }
    return Page(template="job.html", title=f"Job {job_id}", section="jobs", values=values, watched={"jobId": job_id})
