"""DescribeJob in AWS's form: what the index knows of a job, with its executions counted."""

from collections.abc import Mapping

from jobindex.model.jobs import JobStatus, TargetSelection
from jobindex.model.parameters import JOB_ID, Choice, Values
from jobindex.model.reader import Reader
from jobindex.model.views import ExecutionState
from jobindex.web.api.operations import Operation, Served
from jobindex.web.api.schemas import FLAG, NUMBER, TEXT, TIME, an_object, if_known, known, one_of, seconds

_COUNTS = {
    state: f"numberOf{''.join(word.capitalize() for word in state.split('_'))}Things"
    for state in ExecutionState
    if state is not ExecutionState.ENDED
}

DESCRIBE_JOB = Operation(
    name="DescribeJob",
    summary="What is known of a job, in AWS's form",
    path="/jobs/{jobId}",
    # beforeSubstitution is about the job's document, of which the index keeps nothing.
    parameters={"jobId": JOB_ID, "beforeSubstitution": Choice(("true", "false"))},
    answer=an_object(
        job=an_object(
            jobArn=TEXT,
            jobId=JOB_ID.schema(),
            targetSelection=if_known(one_of(TargetSelection)),
            status=one_of(JobStatus),
            isConcurrent=if_known(FLAG),
            namespaceId=if_known(TEXT),
            createdAt=TIME,
            lastUpdatedAt=TIME,
            completedAt=if_known(TIME),
            jobProcessDetails=if_known(an_object(**dict.fromkeys(_COUNTS.values(), NUMBER))),
        )
    ),
)


async def _describe_job(reader: Reader, values: Values) -> object:
    job = await reader.job(values.text("jobId"))
    return {
        "job": known(
            jobArn=job.job_arn,
            jobId=job.job_id,
            targetSelection=job.target_selection,
            status=job.status,
            isConcurrent=job.is_concurrent,
            namespaceId=job.namespace_id,
            createdAt=seconds(job.created_at),
            lastUpdatedAt=seconds(job.last_updated_at),
            completedAt=seconds(job.completed_at),
            jobProcessDetails=_process_details(job.executions),
        )
    }


def _process_details(counts: Mapping[ExecutionState, int]) -> dict[str, int] | None:
    # Executions that have ended with an unknown outcome are in no count.
    return {name: counts.get(state, 0) for state, name in _COUNTS.items()} if counts else None


SERVED: Served = ((DESCRIBE_JOB, _describe_job),)
