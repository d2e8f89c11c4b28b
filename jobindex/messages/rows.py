"""Rows of AWS's answers, as the AWS CLI prints them: a row is read and merged like a message.

A row is stamped with its own `lastUpdatedAt`, so it never changes anything newer, and it never takes anything away.
Execution times are cut to the second: AWS's notifications have no fraction, and a fraction would make two attempts of
one. A row is not an event.

A pending execution counts as seen at its `lastUpdatedAt`, or when AWS answered, if that is known. Not chosen: the time
of the import, because an old file would then reopen executions that have ended since.

`jobProcessDetails` of an ended job count as of AWS's answer, too, if its time is known: executions may end after their
job, which does not change the job's `lastUpdatedAt`.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from jobindex.errors import MessageError
from jobindex.messages.drafts import Draft, check_ahead
from jobindex.messages.executions import EXECUTION_STATUSES, add_deployment, add_execution
from jobindex.messages.jobs import JOB_STATUSES, add_job
from jobindex.messages.payloads import (
    Members,
    read_arn_name,
    read_choice,
    read_object,
    read_resource,
    read_text,
    read_time,
    read_times,
)
from jobindex.model.jobs import JOB_ID, NAMESPACE_ID, THING_NAME, JobExecutionStatus, JobStatus, Name
from jobindex.model.reports import UNTIMED, JobReport, MemberValue, Report, ThingGroupReport

_ENDED = {JobStatus.COMPLETED, JobStatus.CANCELED}
ROWS_MAXIMUM = 100
"""The most rows in a request to import them."""

_PENDING = {JobExecutionStatus.QUEUED, JobExecutionStatus.IN_PROGRESS}
_EXECUTION_MEMBERS = ("status", "executionNumber", "versionNumber")
_SUMMARY = "jobExecutionSummary"
_REVISION = re.compile(r"[^:/\0]{1,128}")


class RowOperation(Name):
    """An operation of AWS whose answers have rows: of jobs, of executions or of a deployment."""

    LIST_JOBS = "ListJobs"
    DESCRIBE_JOB = "DescribeJob"
    LIST_JOB_EXECUTIONS_FOR_JOB = "ListJobExecutionsForJob"
    LIST_JOB_EXECUTIONS_FOR_THING = "ListJobExecutionsForThing"
    DESCRIBE_JOB_EXECUTION = "DescribeJobExecution"
    GET_DEPLOYMENT = "GetDeployment"


@dataclass(frozen=True, slots=True, kw_only=True)
class RowSource:
    """The operation that rows come from, and its parameters."""

    operation: RowOperation
    namespace_id: str | None = None
    """The namespace of the listing. DescribeJob's own `namespaceId` counts instead, and must not differ."""
    job_id: str | None = None
    """Rows of ListJobExecutionsForJob do not name their job; other rows must not name another."""
    thing_name: str | None = None
    """Rows of ListJobExecutionsForThing do not name their thing; other rows must not name another."""
    as_of: int | None = None
    """The time of AWS's answer in milliseconds."""


def read_row(row: Members, source: RowSource, now: int, note: Callable[[str], None]) -> tuple[Report, ...]:
    """Return the reports of a row that arrives at `now`, in milliseconds; `note` is called as in `Parser`.

    Raises:
        MessageError: the row cannot be understood; none of it counts.
    """
    draft = Draft([], namespace_id=source.namespace_id)
    _ADDERS[source.operation](draft, source, row)
    if source.as_of is not None:
        draft.latest_at = max(draft.latest_at, source.as_of)
    check_ahead(draft, now)
    for member in draft.dropped:
        note(member)
    return tuple(draft.reports)


def _add_listed_job(draft: Draft, source: RowSource, row: Members) -> None:
    job_id = _job_id(row, source)
    _check_job_arn(row, "jobArn", job_id)
    add_job(draft, job_id, row, status=read_choice(row, "status", "", JOB_STATUSES))


def _add_described_job(draft: Draft, source: RowSource, row: Members) -> None:
    namespace_id = read_text(row, "namespaceId", "", NAMESPACE_ID)
    if namespace_id is not None and source.namespace_id not in {None, namespace_id}:
        raise MessageError("namespaceId", namespace_id, f"{source.namespace_id!r}, the namespace of the listing")
    draft.namespace_id = namespace_id
    _add_listed_job(draft, source, row)
    job = draft.reports[0]
    if source.as_of is None or not isinstance(job, JobReport) or job.status not in _ENDED:
        return
    if "process_details" in job.members:
        counts = {"process_details": job.members["process_details"]}
        draft.reports.append(JobReport(job.job_id, max(source.as_of, job.time), counts, ranked_as=job.status))


def _add_execution_for_job(draft: Draft, source: RowSource, row: Members) -> None:
    thing_name, job_id = _thing_name(draft, row, source), _job_id(row, source)
    _add_execution(draft, source, _summary(row), thing_name=thing_name, job_id=job_id, path=f"{_SUMMARY}.")


def _add_execution_for_thing(draft: Draft, source: RowSource, row: Members) -> None:
    thing_name, job_id = source.thing_name, _job_id(row, source)
    if thing_name is None:
        raise MessageError("thingName", None, "a thing name")
    _add_execution(draft, source, _summary(row), thing_name=thing_name, job_id=job_id, path=f"{_SUMMARY}.")


def _add_described_execution(draft: Draft, source: RowSource, row: Members) -> None:
    thing_name, job_id = _thing_name(draft, row, source), _job_id(row, source)
    _add_execution(draft, source, row, thing_name=thing_name, job_id=job_id, path="")


def _add_got_deployment(draft: Draft, source: RowSource, row: Members) -> None:
    job_id = _job_id(row, source, "iotJobId")
    _check_job_arn(row, "iotJobArn", job_id)
    members: dict[str, MemberValue] = {} if draft.namespace_id is None else {"namespace_id": draft.namespace_id}
    job_arn = read_text(row, "iotJobArn")
    if job_arn is not None:
        members["job_arn"] = job_arn
    names = {name: read_text(row, name) for name in ("deploymentId", "deploymentName")}
    add_deployment(members, {**names, "configurationArn": configuration_arn(row)})
    created_at = read_time(row, "creationTimestamp")
    draft.reports.append(
        JobReport(job_id, members=members)
        if created_at is None
        else JobReport(job_id, created_at, members, *draft.stamp({"createdAt": created_at})[1:])
    )
    if "thing_group_name" in members:
        draft.reports.append(ThingGroupReport(str(members["thing_group_name"])))


def _add_execution(
    draft: Draft, source: RowSource, execution: Members, *, thing_name: str, job_id: str, path: str
) -> None:
    status = read_choice(execution, "status", path, EXECUTION_STATUSES)
    if status is None:
        raise MessageError(f"{path}status", None, f"one of {', '.join(EXECUTION_STATUSES)}")
    times = read_times(execution, path)
    members: dict[str, object] = {name: execution[name] for name in _EXECUTION_MEMBERS if name in execution}
    members |= {name: time // 1000 for name, time in times.items()}
    members["statusDetails"] = _status_details(execution, path)
    if status in _PENDING and source.as_of is not None:
        draft.timestamp = max(source.as_of, times.get("lastUpdatedAt", UNTIMED))
    add_execution(draft, thing_name, job_id, members, path=path)


def _status_details(execution: Members, path: str) -> object:
    details = read_object(execution, "statusDetails", path) or {}
    texts = read_object(details, "detailsMap", f"{path}statusDetails.") or {}
    for name, text in texts.items():
        if not isinstance(text, str):
            raise MessageError(f"{path}statusDetails.detailsMap.{name}", text, "a string")
    return texts


def _summary(row: Members) -> Members:
    summary = read_object(row, _SUMMARY)
    if summary is None:
        raise MessageError(_SUMMARY, None, "an object")
    return summary


def _job_id(row: Members, source: RowSource, name: str = "jobId") -> str:
    job_id = read_text(row, name, "", JOB_ID) or source.job_id
    if job_id is None:
        raise MessageError(name, None, "a job id")
    if source.job_id not in {None, job_id}:
        raise MessageError(name, job_id, f"{source.job_id!r}, the job of the request")
    return job_id


def _thing_name(draft: Draft, row: Members, source: RowSource) -> str:
    thing_name = read_arn_name(row, "thingArn", "", "thing", THING_NAME)
    if thing_name is None:
        raise MessageError("thingArn", None, "the ARN of a thing")
    if source.thing_name not in {None, thing_name}:
        raise MessageError("thingArn", row["thingArn"], f"the ARN of {source.thing_name!r}, the thing of the request")
    draft.thing_arn = read_text(row, "thingArn")
    return thing_name


def _check_job_arn(row: Members, name: str, job_id: str) -> None:
    if read_resource(row, name) not in {None, ("job", job_id)}:
        raise MessageError(name, row[name], f"the ARN of job {job_id!r}")


def configuration_arn(row: Members) -> str | None:
    """Return the ARN of a deployment's configuration as in its job's document; None without target or revision.

    Raises:
        MessageError: its target is not an ARN of a thing or a thing group.
    """
    resource, revision_id = read_resource(row, "targetArn"), read_text(row, "revisionId", "", _REVISION)
    if resource is None or revision_id is None:
        return None
    if resource[0] not in {"thing", "thinggroup"}:
        raise MessageError("targetArn", row["targetArn"], "the ARN of a thing or a thing group")
    _, partition, _, region, account_id, target = str(row["targetArn"]).split(":", 5)
    return f"arn:{partition}:greengrass:{region}:{account_id}:configuration:{target}:{revision_id}"


_ADDERS: Mapping[RowOperation, Callable[[Draft, RowSource, Members], None]] = {
    RowOperation.LIST_JOBS: _add_listed_job,
    RowOperation.DESCRIBE_JOB: _add_described_job,
    RowOperation.LIST_JOB_EXECUTIONS_FOR_JOB: _add_execution_for_job,
    RowOperation.LIST_JOB_EXECUTIONS_FOR_THING: _add_execution_for_thing,
    RowOperation.DESCRIBE_JOB_EXECUTION: _add_described_execution,
    RowOperation.GET_DEPLOYMENT: _add_got_deployment,
}
