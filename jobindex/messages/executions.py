"""Executions in messages, with their details, and the deployment in their job document.

The `jobDocument` of a Greengrass deployment names the deployment and its configuration; any other document is opaque.
Sources: the developer guide's "Jobs notifications"; Greengrass nucleus `EventFleetStatusServiceTest.java` (the ARN of a
configuration).
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from itertools import accumulate

import orjson

from jobindex.errors import MessageError
from jobindex.messages.drafts import Draft, check_job, check_thing
from jobindex.messages.payloads import (
    Members,
    is_bounded_text,
    read_choice,
    read_number,
    read_text,
    read_times,
)
from jobindex.model.jobs import JOB_ID, THING_GROUP_NAME, JobExecutionStatus
from jobindex.model.reports import UNTIMED, ExecutionReport, JobReport, MemberValue, ThingGroupReport

EXECUTION_STATUSES = {status.value: status for status in JobExecutionStatus if status != JobExecutionStatus.DELETED}
"""Only the event of that name reports DELETED."""

_ALL_STATUSES = dict(JobExecutionStatus.__members__)
_DETAILS_BYTES = 16 * 1024
_DOCUMENT_BYTES = 32 * 1024  # AWS's limit of a job document
_DEPLOYMENT_CHARACTERS = 2048
_DEPLOYMENT_MEMBERS = {
    "deploymentId": "deployment_id",
    "deploymentName": "deployment_name",
    "configurationArn": "configuration_arn",
}
# A group's name may contain ":", its revision may not.
_GROUP_CONFIGURATION = re.compile(r"arn:[^:]+:greengrass:[^:]*:[^:]*:configuration:thinggroup/(.+):[^:]+")


def add_execution(
    draft: Draft,
    thing_name: str,
    job_id: str | None,
    execution: Members,
    *,
    path: str = "",
    status: JobExecutionStatus | None = None,
) -> None:
    """Add the reports of an execution: always of its job, and of itself if it has a status.

    `job_id` is None if only the object names it. The `status` of an event's operation or a list's key wins over the
    object's, which is only validated.
    """
    job_id = job_id or read_text(execution, "jobId", path, JOB_ID)
    if job_id is None:
        raise MessageError(f"{path}jobId", None, "a job id")
    check_job(execution, path, job_id)
    check_thing(execution, path, thing_name)
    own_status = read_choice(execution, "status", path, _ALL_STATUSES if status else EXECUTION_STATUSES)
    execution_number = read_number(execution, "executionNumber", path)
    version_number = read_number(execution, "versionNumber", path)
    status_details, is_details_cut = _read_details(draft, execution)
    members = _job_members(draft, execution, path)
    times = read_times(execution, path)
    time, earliest_at, latest_at = draft.stamp(times)
    if draft.is_rejection and "lastUpdatedAt" not in times:
        time, latest_at = UNTIMED, max(times.values(), default=UNTIMED)
    draft.reports.append(JobReport(job_id, time, members, earliest_at, latest_at))
    if "thing_group_name" in members:
        draft.reports.append(ThingGroupReport(str(members["thing_group_name"])))
    status = status or own_status
    if status is None:
        return
    draft.reports.append(
        ExecutionReport(
            job_id,
            thing_name,
            status,
            time,
            (time if draft.timestamp is None else draft.timestamp) // 1000,
            execution_number,
            version_number,
            times.get("queuedAt"),
            times.get("startedAt"),
            status_details,
            read_text(execution, "thingArn", path) or draft.thing_arn,
            draft.is_event,
            is_details_cut,
        )
    )


def _job_members(draft: Draft, execution: Members, path: str) -> dict[str, MemberValue]:
    members: dict[str, MemberValue] = {}
    if draft.namespace_id is not None:
        members["namespace_id"] = draft.namespace_id
    document = execution.get("jobDocument")
    if isinstance(document, dict):
        add_deployment(members, document)
    elif document is not None and not isinstance(document, str):
        raise MessageError(f"{path}jobDocument", document, "an object or a string")
    if draft.keeps_documents and document is not None:
        compact = _compact(document)
        if compact is not None:
            members["document"] = compact
    return members


def add_deployment(members: dict[str, MemberValue], document: Members) -> None:
    """Add the members of a Greengrass deployment that its document names; a thing group by its configuration."""
    for name, register in _DEPLOYMENT_MEMBERS.items():
        value = document.get(name)
        if isinstance(value, str) and is_bounded_text(value, _DEPLOYMENT_CHARACTERS):
            members[register] = value
    group_name = _group_of(str(members.get("configuration_arn")))
    if group_name is not None:
        members["thing_group_name"] = group_name


@lru_cache(maxsize=1024)  # a deployment reaches many things
def _group_of(configuration_arn: str) -> str | None:
    match = _GROUP_CONFIGURATION.fullmatch(configuration_arn)
    return match[1] if match is not None and THING_GROUP_NAME.fullmatch(match[1]) else None


def _read_details(draft: Draft, execution: Members) -> tuple[str | None, bool]:
    """Return the `statusDetails` as JSON, and whether they are cut. PHP sends `[]` for an empty object."""
    details = execution.get("statusDetails")
    if details is None or details == {}:
        return None, False
    if not isinstance(details, dict) or {*map(type, details.values())} != {str}:
        draft.dropped += ("statusDetails",)
        return None, False
    canonical = orjson.dumps(details, option=orjson.OPT_SORT_KEYS)
    if len(canonical) > _DETAILS_BYTES:
        return _cut(details), True
    return canonical.decode(), False


def _cut(details: Mapping[str, str]) -> str | None:
    """Return the first members by sorted key that fit."""
    keys = sorted(details)
    lengths = accumulate((len(orjson.dumps({key: details[key]})) - len("}") for key in keys), initial=len("}"))
    next(lengths)
    kept = {key: details[key] for key, length in zip(keys, lengths, strict=True) if length <= _DETAILS_BYTES}
    return orjson.dumps(kept).decode() if kept else None


def _compact(document: object) -> str | None:
    try:
        if isinstance(document, str):
            document = orjson.loads(document)
        compact = orjson.dumps(document)
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return None
    return compact.decode() if isinstance(document, dict) and len(compact) <= _DOCUMENT_BYTES else None
