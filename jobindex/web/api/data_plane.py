"""The jobs data plane, AWS's service `iot-jobs-data`, with which devices read their own executions.

Its paths are those of `iot`, with other shapes: times are whole seconds, `statusDetails` is a flat map. AWS
distinguishes the two by host. Here one endpoint serves all: the gateway adds PREFIX to the path of a request that is
signed for `iot-jobs-data`, and clients that do not sign can have PREFIX in their endpoint URL.

Its writes would change executions, of which the index only has a copy, so each is refused by name.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NoReturn

from jobindex.errors import AccessDeniedException, ResourceNotFoundException
from jobindex.model.jobs import to_milliseconds
from jobindex.model.parameters import JOB_ID, NAMESPACE_ID, THING_NAME, Choice, Schema, Text, Values
from jobindex.model.reader import Reader
from jobindex.model.views import ExecutionAttempt, ExecutionState, JobExecution
from jobindex.web.api.executions import EXECUTION_NUMBER, STATUSES, attempt_of, status_of
from jobindex.web.api.operations import Answer, Operation, Served
from jobindex.web.api.schemas import NUMBER, TEXT, TEXTS, an_array, an_object, if_known, known, one_of

PREFIX = "/iot-jobs-data"

_NEXT = "$next"
_JOB_ID_OR_NEXT = Text(pattern=r"([a-zA-Z0-9_-]+|\$next)", least_length=1, greatest_length=64)
_PAGE_SIZE = 250

_NUMBERS: dict[str, Schema] = {
    "queuedAt": if_known(NUMBER),
    "startedAt": if_known(NUMBER),
    "lastUpdatedAt": if_known(NUMBER),
    "executionNumber": if_known(NUMBER),
    "versionNumber": if_known(NUMBER),
}
_SUMMARIES = an_array(an_object(jobId=JOB_ID.schema(), **_NUMBERS))

GET_PENDING_JOB_EXECUTIONS = Operation(
    name="GetPendingJobExecutions",
    summary="The pending executions of a thing, without a namespace or in `namespaceId`, in the order of execution",
    path=f"{PREFIX}/things/{{thingName}}/jobs",
    parameters={"thingName": THING_NAME, "namespaceId": NAMESPACE_ID},
    answer=an_object(inProgressJobs=_SUMMARIES, queuedJobs=_SUMMARIES),
)
DESCRIBE_JOB_EXECUTION = Operation(
    name="DescribeJobExecutionOfDataPlane",
    summary="DescribeJobExecution of the data plane; `$next` is the pending execution that runs next",
    path=f"{PREFIX}/things/{{thingName}}/jobs/{{jobId}}",
    parameters={
        "thingName": THING_NAME,
        "jobId": _JOB_ID_OR_NEXT,
        "executionNumber": EXECUTION_NUMBER,
        "includeJobDocument": Choice(("true", "false")),
        "namespaceId": NAMESPACE_ID,
    },
    answer=an_object(
        execution=if_known(
            an_object(
                jobId=JOB_ID.schema(),
                thingName=THING_NAME.schema(),
                status=if_known(one_of(STATUSES)),
                statusDetails=if_known(TEXTS),
                jobDocument=if_known(TEXT),
                **_NUMBERS,
            )
        )
    ),
)


def _write(name: str, method: str, job_id: Text) -> tuple[Operation, Answer]:
    operation = Operation(
        name=name,
        summary=f"Refused: {name} changes an execution, and jobindex is read-only",
        method=method,
        path=DESCRIBE_JOB_EXECUTION.path,
        parameters={"thingName": THING_NAME, "jobId": job_id},
        answer=an_object(),
    )

    async def refuse(reader: Reader, values: Values) -> NoReturn:  # noqa: ARG001 (an Answer)
        raise AccessDeniedException(
            f"{name} changes a job execution, and jobindex is read-only. Send it to AWS IoT's endpoint."
        )

    return operation, refuse


async def _get_pending(reader: Reader, values: Values) -> object:
    in_progress, queued = await _pending(reader, values.text("thingName"), values.optional("namespaceId"))
    return {
        "inProgressJobs": [{"jobId": one.job_id, **_numbers(one)} for one in in_progress],
        "queuedJobs": [{"jobId": one.job_id, **_numbers(one)} for one in queued],
    }


async def _describe(reader: Reader, values: Values) -> object:
    job_id, thing_name, namespace_id = (
        values.text("jobId"),
        values.text("thingName"),
        values.optional("namespaceId"),
    )
    if job_id == _NEXT:
        in_progress, queued = await _pending(reader, thing_name, namespace_id)
        execution = next(iter((*in_progress, *queued)), None)
        if execution is None:
            return {}
        attempt: ExecutionAttempt = execution
    else:
        execution = await reader.job_execution(job_id, thing_name)
        if namespace_id not in {None, execution.namespace_id}:
            raise ResourceNotFoundException(
                f"Job execution of {job_id} on {thing_name} cannot be found in namespace {namespace_id}."
            )
        attempt = attempt_of(execution, values.optional("executionNumber"))
    is_wanted = values.optional("includeJobDocument") != "false"
    return {
        "execution": {
            "jobId": execution.job_id,
            "thingName": execution.thing_name,
            **_numbers(attempt),
            **known(
                status=status_of(attempt),
                statusDetails=attempt.status_details,
                jobDocument=await reader.job_document(execution.job_id) if is_wanted else None,
            ),
        }
    }


async def _pending(
    reader: Reader, thing_name: str, namespace_id: str | None
) -> tuple[Sequence[JobExecution], Sequence[JobExecution]]:
    # In this order, so that an execution that starts between the reads is not missed.
    queued = await _in_state(reader, thing_name, namespace_id, ExecutionState.QUEUED)
    in_progress = await _in_state(reader, thing_name, namespace_id, ExecutionState.IN_PROGRESS)
    started = {execution.job_id for execution in in_progress}
    return in_progress, [execution for execution in queued if execution.job_id not in started]


async def _in_state(
    reader: Reader, thing_name: str, namespace_id: str | None, state: ExecutionState
) -> Sequence[JobExecution]:
    found: list[JobExecution] = []
    after: str | None = None
    while True:
        page = await reader.executions_of_thing(
            thing_name, namespace_id=namespace_id, state=state, job_id=None, after=after, limit=_PAGE_SIZE
        )
        found += [execution for execution in page.executions if execution.namespace_id == namespace_id]
        after = page.next_position
        if after is None:
            return found[::-1]  # pages have the last queued first


def _numbers(attempt: ExecutionAttempt) -> dict[str, object]:
    return known(
        queuedAt=_whole_seconds(attempt.queued_at),
        startedAt=_whole_seconds(attempt.started_at),
        lastUpdatedAt=_whole_seconds(attempt.last_updated_at),
        executionNumber=attempt.execution_number,
        versionNumber=attempt.version_number,
    )


def _whole_seconds(time: datetime | None) -> int | None:
    return None if time is None else to_milliseconds(time) // 1000


SERVED: Served = (
    (GET_PENDING_JOB_EXECUTIONS, _get_pending),
    (DESCRIBE_JOB_EXECUTION, _describe),
    _write("StartNextPendingJobExecution", "PUT", _JOB_ID_OR_NEXT),
    _write("UpdateJobExecution", "POST", JOB_ID),
)
