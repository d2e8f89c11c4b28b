"""AWS's operations on one job: DescribeJob, GetJobDocument and ListTagsForResource.

DescribeJob's `jobProcessDetails` are AWS's own final counts if a job event reported them, because the index can have
missed executions; otherwise the known executions, each thing once. After a plain cancellation, executions IN_PROGRESS
continue and no later event counts their ends, so for a job that did not complete each count of ends is the greater of
the two, and the reported pending ones are reduced by the later ends. `/index/jobs/{jobId}` has both.
"""

from collections.abc import Mapping
from functools import partial

from jobindex.errors import ResourceNotFoundException
from jobindex.model.jobs import JobStatus, TargetSelection
from jobindex.model.parameters import JOB_ID, Choice, Constraints, Text, Values
from jobindex.model.reader import Reader
from jobindex.model.views import JobDescription
from jobindex.web.api.operations import COMMON_ERRORS, Operation, Served
from jobindex.web.api.schemas import (
    FLAG,
    TEXT,
    TIME,
    an_array,
    an_object,
    if_known,
    known,
    one_of,
    process_details,
    process_details_schema,
    seconds,
)
from jobindex.web.opened_jobs import OpenedJobs

_PENDING = ("numberOfInProgressThings", "numberOfQueuedThings")
"""First the one that continues after a plain cancellation."""
# Documents in messages already have their parameters substituted.
_OF_JOB: Constraints = {"jobId": JOB_ID, "beforeSubstitution": Choice(("true", "false"))}

DESCRIBE_JOB = Operation(
    name="DescribeJob",
    summary="A job in AWS's form",
    path="/jobs/{jobId}",
    parameters=_OF_JOB,
    answer=an_object(
        job=an_object(
            jobArn=TEXT,
            jobId=JOB_ID.schema(),
            targetSelection=if_known(one_of(TargetSelection)),
            status=one_of(JobStatus),
            isConcurrent=if_known(FLAG),
            namespaceId=if_known(TEXT),
            description=if_known(TEXT),
            targets=if_known(an_array(TEXT)),
            comment=if_known(TEXT),
            reasonCode=if_known(TEXT),
            createdAt=TIME,
            lastUpdatedAt=TIME,
            completedAt=if_known(TIME),
            jobProcessDetails=if_known(process_details_schema()),
        )
    ),
)
GET_JOB_DOCUMENT = Operation(
    name="GetJobDocument",
    summary="The document of a job, if a message contained it and JOBINDEX_JOB_DOCUMENTS=keep",
    path="/jobs/{jobId}/job-document",
    parameters=_OF_JOB,
    answer=an_object(document=TEXT),
)
LIST_TAGS_FOR_RESOURCE = Operation(
    name="ListTagsForResource",
    summary="An empty response: messages do not report tags",
    path="/tags",
    parameters={"resourceArn": Text(is_required=True), "nextToken": Text()},
    answer={"type": "object", "properties": {}},
    errors=COMMON_ERRORS,
)


async def _describe_job(opened: OpenedJobs, reader: Reader, values: Values) -> object:
    job_id = values.text("jobId")
    with opened.opening(reader, job_id):
        job = await reader.job(job_id)
    return {
        "job": known(
            jobArn=job.job_arn,
            jobId=job.job_id,
            targetSelection=job.target_selection,
            status=job.status,
            isConcurrent=job.is_concurrent,
            namespaceId=job.namespace_id,
            description=job.description,
            targets=job.targets,
            comment=job.comment,
            reasonCode=job.reason_code,
            createdAt=seconds(job.created_at),
            lastUpdatedAt=seconds(job.last_updated_at),
            completedAt=seconds(job.completed_at),
            jobProcessDetails=_process_details(job),
        )
    }


def _process_details(job: JobDescription) -> Mapping[str, int] | None:
    known = process_details(job.executions)
    reported = job.reported_process_details
    if reported is None:
        return known if job.executions else None
    if job.status is JobStatus.COMPLETED:
        return reported
    counts = dict(reported)
    for name in reported.keys() - _PENDING:
        counts[name] = max(reported[name], known.get(name, 0))
    later = sum(counts.values()) - sum(reported.values())
    for name in _PENDING:
        ended = min(later, counts.get(name, 0))
        if ended:
            counts[name] -= ended
            later -= ended
    return counts


async def _get_job_document(reader: Reader, values: Values) -> object:
    job_id = values.text("jobId")
    document = await reader.job_document(job_id)
    if document is None:
        raise ResourceNotFoundException(
            f"No document of job {job_id} is stored. JOBINDEX_JOB_DOCUMENTS=keep stores those of later messages."
        )
    return {"document": document}


async def _list_tags(reader: Reader, values: Values) -> object:  # noqa: ARG001 (an Answer)
    return {}


def served(opened: OpenedJobs) -> Served:
    """Return the operations."""
    return (
        (DESCRIBE_JOB, partial(_describe_job, opened)),
        (GET_JOB_DOCUMENT, _get_job_document),
        (LIST_TAGS_FOR_RESOURCE, _list_tags),
    )
