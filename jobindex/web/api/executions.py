"""AWS's questions about job executions: ListJobExecutionsForJob, ListJobExecutionsForThing, DescribeJobExecution.

An execution that has ended, nobody told how, bears no status.
"""

from functools import partial

from jobindex.errors import ResourceNotFoundException
from jobindex.model.page_tokens import NEXT_TOKEN, seal_text, unseal_text
from jobindex.model.parameters import JOB_ID, NAMESPACE_ID, PAGE_SIZE, THING_NAME, Choice, Integer, Schema, Values
from jobindex.model.reader import Reader
from jobindex.model.views import ExecutionState, JobExecution
from jobindex.web.api.operations import Operation, Served
from jobindex.web.api.schemas import NUMBER, TEXT, TIME, an_array, an_object, if_known, known, one_of, or_null, seconds

STATUSES = tuple(state for state in ExecutionState if state is not ExecutionState.ENDED)
_STATUS = Choice(STATUSES)
_LONG = Integer(least=-(2**63), greatest=2**63 - 1)

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
    summary="The executions of a job, in the order of the names of their things",
    path="/jobs/{jobId}/things",
    parameters={"jobId": JOB_ID, "maxResults": PAGE_SIZE, "nextToken": NEXT_TOKEN, "status": _STATUS},
    answer=_page(thingArn=TEXT),
)
LIST_JOB_EXECUTIONS_FOR_THING = Operation(
    name="ListJobExecutionsForThing",
    summary="The executions on a thing, those queued last first",
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
    summary="What is known of the execution of a job on a thing",
    path="/things/{thingName}/jobs/{jobId}",
    parameters={"thingName": THING_NAME, "jobId": JOB_ID, "executionNumber": _LONG},
    answer=an_object(
        execution=an_object(jobId=JOB_ID.schema(), thingArn=TEXT, versionNumber=if_known(NUMBER), **_SUMMARY)
    ),
)


async def _list_for_job(thing_arn_prefix: str, reader: Reader, values: Values) -> object:
    job_id, status = values.text("jobId"), values.choice("status", ExecutionState)
    bound = (f"/jobs/{job_id}/things", status)
    page = await reader.executions_of_job(
        job_id, state=status, after=unseal_text(values.optional("nextToken"), bound), limit=values.integer("maxResults")
    )
    return {
        "executionSummaries": [
            {"thingArn": thing_arn_prefix + execution.thing_name, "jobExecutionSummary": _summary(execution)}
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
    )
    return {
        "executionSummaries": [
            {"jobId": execution.job_id, "jobExecutionSummary": _summary(execution)} for execution in page.executions
        ],
        "nextToken": seal_text(page.next_position, bound),
    }


async def _describe(thing_arn_prefix: str, reader: Reader, values: Values) -> object:
    job_id, thing_name, number = values.text("jobId"), values.text("thingName"), values.optional("executionNumber")
    execution = await reader.job_execution(job_id, thing_name)
    if number is not None and int(number) != execution.execution_number:
        raise ResourceNotFoundException(f"Job execution {int(number)} of {job_id} on {thing_name} cannot be found.")
    return {
        "execution": {
            "jobId": job_id,
            "thingArn": thing_arn_prefix + thing_name,
            **_summary(execution),
            **known(versionNumber=execution.version_number),
        }
    }


def _summary(execution: JobExecution) -> dict[str, object]:
    return known(
        status=None if execution.state is ExecutionState.ENDED else execution.state,
        queuedAt=seconds(execution.queued_at),
        startedAt=seconds(execution.started_at),
        lastUpdatedAt=seconds(execution.last_updated_at),
        executionNumber=execution.execution_number,
    )


def served(thing_arn_prefix: str) -> Served:
    """Return the operations; `thing_arn_prefix` stands in front of the names of things."""
    return (
        (LIST_JOB_EXECUTIONS_FOR_JOB, partial(_list_for_job, thing_arn_prefix)),
        (LIST_JOB_EXECUTIONS_FOR_THING, _list_for_thing),
        (DESCRIBE_JOB_EXECUTION, partial(_describe, thing_arn_prefix)),
    )
