"""AWS's operations on job executions: ListJobExecutionsForJob, ListJobExecutionsForThing, DescribeJobExecution.

At AWS a retry, or a thing that rejoins a group, is an execution of its own with the next `executionNumber`, so the
lists have every stored attempt. `retryAttempt` is left out: the number does not distinguish the two. An execution that
has ended with an unknown outcome has no `status`.
"""

from jobindex.errors import ResourceNotFoundException
from jobindex.model.page_tokens import NEXT_TOKEN, seal_text, unseal_text
from jobindex.model.parameters import JOB_ID, NAMESPACE_ID, PAGE_SIZE, THING_NAME, Choice, Integer, Schema, Values
from jobindex.model.reader import Reader
from jobindex.model.views import ExecutionAttempt, ExecutionState, JobExecution
from jobindex.web.api.operations import Operation, Served
from jobindex.web.api.schemas import (
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

STATUSES = tuple(state for state in ExecutionState if state is not ExecutionState.ENDED)
_STATUS = Choice(STATUSES)
EXECUTION_NUMBER = Integer(least=-(2**63), greatest=2**63 - 1)

_SUMMARY: dict[str, Schema] = {
    "status": if_known(one_of(STATUSES)),
    "queuedAt": if_known(TIME),
    "startedAt": if_known(TIME),
    "lastUpdatedAt": if_known(TIME),
    "executionNumber": if_known(NUMBER),
}


def _page(**members: Schema) -> Schema:
    summary = an_object(**members, jobExecutionSummary=an_object(**_SUMMARY))
    return an_object(executionSummaries=an_array(summary), nextToken=or_null(TEXT))


LIST_JOB_EXECUTIONS_FOR_JOB = Operation(
    name="ListJobExecutionsForJob",
    summary="The executions of a job in the order of thing names, the latest of each thing first",
    path="/jobs/{jobId}/things",
    parameters={"jobId": JOB_ID, "maxResults": PAGE_SIZE, "nextToken": NEXT_TOKEN, "status": _STATUS},
    answer=_page(thingArn=TEXT),
)
LIST_JOB_EXECUTIONS_FOR_THING = Operation(
    name="ListJobExecutionsForThing",
    summary="The executions on a thing, the last queued first",
    path="/things/{thingName}/jobs",
    parameters={
        "thingName": THING_NAME,
        "jobId": JOB_ID,
        "maxResults": PAGE_SIZE,
        "namespaceId": NAMESPACE_ID,
        "nextToken": NEXT_TOKEN,
        "status": _STATUS,
    },
    answer=_page(jobId=JOB_ID.schema()),
)
DESCRIBE_JOB_EXECUTION = Operation(
    name="DescribeJobExecution",
    summary="The execution of a job on a thing",
    path="/things/{thingName}/jobs/{jobId}",
    parameters={"thingName": THING_NAME, "jobId": JOB_ID, "executionNumber": EXECUTION_NUMBER},
    answer=an_object(
        execution=an_object(
            jobId=JOB_ID.schema(),
            thingArn=TEXT,
            statusDetails=if_known(an_object(detailsMap=TEXTS)),
            versionNumber=if_known(NUMBER),
            **_SUMMARY,
        )
    ),
)


async def _list_for_job(reader: Reader, values: Values) -> object:
    job_id, status = values.text("jobId"), values.choice("status", ExecutionState)
    bound = (f"/jobs/{job_id}/things", status)
    page = await reader.executions_of_job(
        job_id,
        state=status,
        after=unseal_text(values.optional("nextToken"), bound),
        limit=values.integer("maxResults"),
        with_former=True,
    )
    return {
        "executionSummaries": [
            {"thingArn": execution.thing_arn, "jobExecutionSummary": _summary(execution)}
            for execution in page.executions
        ],
        "nextToken": seal_text(page.next_position, bound),
    }


async def _list_for_thing(reader: Reader, values: Values) -> object:
    thing_name, status = values.text("thingName"), values.choice("status", ExecutionState)
    namespace_id, job_id = values.optional("namespaceId"), values.optional("jobId")
    bound = (f"/things/{thing_name}/jobs", status, namespace_id, job_id)
    page = await reader.executions_of_thing(
        thing_name,
        namespace_id=namespace_id,
        state=status,
        job_id=job_id,
        after=unseal_text(values.optional("nextToken"), bound),
        limit=values.integer("maxResults"),
        with_former=True,
    )
    return {
        "executionSummaries": [
            {"jobId": execution.job_id, "jobExecutionSummary": _summary(execution)} for execution in page.executions
        ],
        "nextToken": seal_text(page.next_position, bound),
    }


async def _describe(reader: Reader, values: Values) -> object:
    execution = await reader.job_execution(values.text("jobId"), values.text("thingName"))
    attempt = attempt_of(execution, values.optional("executionNumber"))
    details = attempt.status_details
    return {
        "execution": {
            "jobId": execution.job_id,
            "thingArn": execution.thing_arn,
            **_summary(attempt),
            **known(
                statusDetails=None if details is None else {"detailsMap": details}, versionNumber=attempt.version_number
            ),
        }
    }


def attempt_of(execution: JobExecution, number: str | None) -> ExecutionAttempt:
    """Return the attempt with a number, or the current one for None.

    Raises:
        ResourceNotFoundException: there is no such attempt.
    """
    for attempt in (execution, *execution.former_attempts):
        if number is None or attempt.execution_number == int(number):
            return attempt
    name = f"Job execution {int(number or 0)} of {execution.job_id} on {execution.thing_name}"
    raise ResourceNotFoundException(f"{name} cannot be found.")


def status_of(attempt: ExecutionAttempt) -> ExecutionState | None:
    """Return AWS's status; None if the outcome is unknown."""
    return None if attempt.state is ExecutionState.ENDED else attempt.state


def _summary(attempt: ExecutionAttempt) -> dict[str, object]:
    return known(
        status=status_of(attempt),
        queuedAt=seconds(attempt.queued_at),
        startedAt=seconds(attempt.started_at),
        lastUpdatedAt=seconds(attempt.last_updated_at),
        executionNumber=attempt.execution_number,
    )


SERVED: Served = (
    (LIST_JOB_EXECUTIONS_FOR_JOB, _list_for_job),
    (LIST_JOB_EXECUTIONS_FOR_THING, _list_for_thing),
    (DESCRIBE_JOB_EXECUTION, _describe),
)
