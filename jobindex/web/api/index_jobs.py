"""Jobs outside AWS's operations: the search by id, every known member of a job, and its changes."""

from functools import partial

import orjson

from jobindex.model.jobs import JobStatus, TargetSelection
from jobindex.model.listing import FILTERS, filters_of
from jobindex.model.parameters import JOB_ID, Several, Text, Values
from jobindex.model.reader import CHANGES_MAXIMUM, OUTCOMES_MAXIMUM, Reader
from jobindex.model.views import ChangeOrigin, ExecutionState, JobChange, JobDescription
from jobindex.web.api.list_jobs import JOB_SUMMARY
from jobindex.web.api.operations import COMMON_ERRORS, Operation, Served, page_limit
from jobindex.web.api.schemas import (
    FLAG,
    NUMBER,
    TEXT,
    TIME,
    an_array,
    an_object,
    counted,
    counts_of,
    if_known,
    known,
    one_of,
    or_null,
    process_details,
    process_details_schema,
    seconds,
)
from jobindex.web.opened_jobs import OpenedJobs

_PART_OF_ID = Text(pattern="[a-zA-Z0-9_-]*", greatest_length=64)

SEARCH_JOBS = Operation(
    name="SearchJobs",
    summary="Jobs whose ids begin with a prefix, in the order of ids; a short page is not necessarily the last",
    path="/index/jobs",
    parameters={"prefix": _PART_OF_ID, "limit": page_limit(), "after": _PART_OF_ID, **FILTERS},
    answer=an_object(jobs=an_array(JOB_SUMMARY), next=or_null(JOB_ID.schema())),
)
GET_JOB = Operation(
    name="GetJob",
    summary="Every known member of a job",
    path="/index/jobs/{jobId}",
    parameters={"jobId": JOB_ID},
    answer=an_object(
        jobId=JOB_ID.schema(),
        jobArn=TEXT,
        namespaceId=if_known(TEXT),
        status=one_of(JobStatus),
        isStatusReported=FLAG,
        targetSelection=if_known(one_of(TargetSelection)),
        thingGroupIds=an_array(TEXT),
        thingGroupNames=an_array(TEXT),
        isConcurrent=if_known(FLAG),
        createdAt=TIME,
        isCreatedAtReported=FLAG,
        lastUpdatedAt=TIME,
        completedAt=if_known(TIME),
        firstHeardAt=TIME,
        description=if_known(TEXT),
        targets=if_known(an_array(TEXT)),
        comment=if_known(TEXT),
        reasonCode=if_known(TEXT),
        deploymentId=if_known(TEXT),
        deploymentName=if_known(TEXT),
        configurationArn=if_known(TEXT),
        revision=if_known(TEXT),
        executions=counts_of(ExecutionState),
        failures={
            **NUMBER,
            "description": "The number of FAILED, TIMED_OUT and REJECTED executions, known or reported.",
        },
        knownProcessDetails=process_details_schema(),
        reportedProcessDetails=if_known(process_details_schema()),
    ),
)
LIST_JOB_OUTCOMES = Operation(
    name="ListJobOutcomes",
    summary="The namespaces and failures of up to 100 jobs, and whether their statuses were reported",
    path="/index/job-outcomes",
    parameters={"jobId": Several(of=JOB_ID, least=1, greatest=OUTCOMES_MAXIMUM)},
    answer=an_object(
        jobs=an_array(
            an_object(jobId=JOB_ID.schema(), namespaceId=if_known(TEXT), isStatusReported=FLAG, failures=NUMBER)
        )
    ),
    errors=COMMON_ERRORS,
)
LIST_JOB_CHANGES = Operation(
    name="ListJobChanges",
    summary="The last changes of a job's reported status, newest first, also of a deleted job",
    path="/index/jobs/{jobId}/changes",
    parameters={"jobId": JOB_ID, "limit": page_limit(50, CHANGES_MAXIMUM)},
    answer=an_object(
        changes=an_array(
            an_object(
                changedAt=TIME,
                status=if_known(one_of(JobStatus)),
                formerStatus=if_known(one_of(JobStatus)),
                namespaceId=if_known(TEXT),
                isStatusReported=FLAG,
                origin=one_of(ChangeOrigin),
            )
        )
    ),
    errors=COMMON_ERRORS,
)


async def _search_jobs(reader: Reader, values: Values) -> object:
    found = await reader.jobs_by_id(
        values.text("prefix"), filters_of(values), after=values.text("after"), limit=values.integer("limit")
    )
    return b"".join((b'{"jobs":[', found.jobs, b'],"next":', orjson.dumps(found.next_position), b"}"))


async def _list_outcomes(reader: Reader, values: Values) -> object:
    job_ids = values.texts("jobId")
    outcomes, namespaces = await reader.job_outcomes(job_ids), await reader.job_namespaces(job_ids)
    return {
        "jobs": [
            {
                "jobId": job_id,
                **known(namespaceId=namespaces.get(job_id)),
                "isStatusReported": outcomes[job_id].is_status_reported,
                "failures": outcomes[job_id].failures,
            }
            for job_id in dict.fromkeys(job_ids)
            if job_id in outcomes
        ]
    }


async def _get_job(opened: OpenedJobs, reader: Reader, values: Values) -> object:
    job_id = values.text("jobId")
    with opened.opening(reader, job_id):
        return _job(await reader.job(job_id))


async def _list_job_changes(reader: Reader, values: Values) -> object:
    changes = await reader.job_changes(values.text("jobId"), limit=values.integer("limit"))
    return {"changes": [_change(change) for change in changes]}


def _job(job: JobDescription) -> dict[str, object]:
    return known(
        jobId=job.job_id,
        jobArn=job.job_arn,
        namespaceId=job.namespace_id,
        status=job.status,
        isStatusReported=job.is_status_reported,
        targetSelection=job.target_selection,
        thingGroupIds=job.thing_group_ids,
        thingGroupNames=job.thing_group_names,
        isConcurrent=job.is_concurrent,
        createdAt=seconds(job.created_at),
        isCreatedAtReported=job.is_created_at_reported,
        lastUpdatedAt=seconds(job.last_updated_at),
        completedAt=seconds(job.completed_at),
        firstHeardAt=seconds(job.first_heard_at),
        description=job.description,
        targets=job.targets,
        comment=job.comment,
        reasonCode=job.reason_code,
        deploymentId=job.deployment_id,
        deploymentName=job.deployment_name,
        configurationArn=job.configuration_arn,
        revision=job.revision,
        executions=counted(job.executions),
        failures=job.failures,
        knownProcessDetails=process_details(job.executions),
        reportedProcessDetails=job.reported_process_details,
    )


def _change(change: JobChange) -> dict[str, object]:
    return known(
        changedAt=seconds(change.changed_at),
        status=change.status,
        formerStatus=change.former_status,
        namespaceId=change.namespace_id,
        isStatusReported=change.is_status_reported,
        origin=change.origin,
    )


def served(opened: OpenedJobs) -> Served:
    """Return the operations."""
    return (
        (SEARCH_JOBS, _search_jobs),
        (GET_JOB, partial(_get_job, opened)),
        (LIST_JOB_OUTCOMES, _list_outcomes),
        (LIST_JOB_CHANGES, _list_job_changes),
    )
