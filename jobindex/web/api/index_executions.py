"""Executions outside AWS's operations: those of a job in any state, and those that are pending too long.

Each is shown as its current attempt, with the earlier ones in `formerAttempts`.
"""

from datetime import UTC, datetime, timedelta

from jobindex.model.page_tokens import AFTER, seal_text, unseal_text
from jobindex.model.parameters import JOB_ID, NAMESPACE_ID, THING_NAME, Choice, Integer, Schema, Values
from jobindex.model.reader import Reader
from jobindex.model.views import ExecutionAttempt, ExecutionPage, ExecutionState, JobExecution
from jobindex.web.api.operations import Operation, Served, page_limit
from jobindex.web.api.schemas import (
    FLAG,
    NUMBER,
    TEXT,
    TEXTS,
    TIME,
    an_array,
    an_object,
    if_known,
    known,
    one_of,
    or_null,
    seconds,
)

LONGEST_SECONDS = 999_999_999
"""The greatest `longerThan`, more than thirty years."""

_ATTEMPT: dict[str, Schema] = {
    "state": one_of(ExecutionState),
    "queuedAt": if_known(TIME),
    "startedAt": if_known(TIME),
    "lastUpdatedAt": if_known(TIME),
    "executionNumber": if_known(NUMBER),
    "versionNumber": if_known(NUMBER),
    "statusDetails": if_known(TEXTS),
    "statusDetailsCut": if_known(FLAG),
}
_PAGE = an_object(
    executions=an_array(
        an_object(
            jobId=JOB_ID.schema(),
            thingName=THING_NAME.schema(),
            thingArn=TEXT,
            namespaceId=if_known(TEXT),
            **_ATTEMPT,
            waitingSince=if_known(TIME),
            seenPendingAt=if_known(TIME),
            formerAttempts=an_array(an_object(**_ATTEMPT)),
        )
    ),
    next=or_null(TEXT),
)

LIST_EXECUTIONS_OF_JOB = Operation(
    name="ListExecutionsOfJob",
    summary="The executions of a job in any state, in the order of thing names",
    path="/index/jobs/{jobId}/executions",
    parameters={"jobId": JOB_ID, "state": Choice(ExecutionState), "limit": page_limit(), "after": AFTER},
    answer=_PAGE,
)


def list_waiting_executions(stuck_after: timedelta) -> Operation:
    """Return the operation; `stuck_after` is the default of `longerThan`."""
    longer_than = Integer(least=0, greatest=LONGEST_SECONDS, default=int(stuck_after.total_seconds()))
    return Operation(
        name="ListWaitingExecutions",
        summary="The executions that have been pending for more than `longerThan` seconds, the longest first",
        path="/index/executions/waiting",
        parameters={"longerThan": longer_than, "namespaceId": NAMESPACE_ID, "limit": page_limit(), "after": AFTER},
        answer=_PAGE,
    )


async def _list_of_job(reader: Reader, values: Values) -> object:
    job_id, state = values.text("jobId"), values.choice("state", ExecutionState)
    bound = (f"/index/jobs/{job_id}/executions", state)
    after = unseal_text(values.text("after"), bound, "after")
    return _encode(
        await reader.executions_of_job(job_id, state=state, after=after, limit=values.integer("limit")), bound
    )


async def _list_waiting(reader: Reader, values: Values) -> object:
    namespace_id = values.optional("namespaceId")
    bound = ("/index/executions/waiting", namespace_id)
    page = await reader.waiting_executions(
        since=datetime.now(UTC) - timedelta(seconds=values.integer("longerThan")),
        namespace_id=namespace_id,
        after=unseal_text(values.text("after"), bound, "after"),
        limit=values.integer("limit"),
    )
    return _encode(page, bound)


def _encode(page: ExecutionPage, bound: tuple[str | None, ...]) -> dict[str, object]:
    return {
        "executions": [_execution(execution) for execution in page.executions],
        "next": seal_text(page.next_position, bound),
    }


def _execution(execution: JobExecution) -> dict[str, object]:
    return known(
        jobId=execution.job_id,
        thingName=execution.thing_name,
        thingArn=execution.thing_arn,
        namespaceId=execution.namespace_id,
        **_attempt(execution),
        waitingSince=seconds(execution.waiting_since),
        seenPendingAt=seconds(execution.seen_pending_at),
        formerAttempts=[_attempt(attempt) for attempt in execution.former_attempts],
    )


def _attempt(attempt: ExecutionAttempt) -> dict[str, object]:
    return known(
        state=attempt.state,
        queuedAt=seconds(attempt.queued_at),
        startedAt=seconds(attempt.started_at),
        lastUpdatedAt=seconds(attempt.last_updated_at),
        executionNumber=attempt.execution_number,
        versionNumber=attempt.version_number,
        statusDetails=attempt.status_details,
        statusDetailsCut=None if attempt.status_details is None else attempt.is_status_details_cut,
    )


def served(stuck_after: timedelta) -> Served:
    """Return the operations."""
    return ((LIST_EXECUTIONS_OF_JOB, _list_of_job), (list_waiting_executions(stuck_after), _list_waiting))
