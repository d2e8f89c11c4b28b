"""Messages of AWS IoT Jobs, parsed into reports.

The topic wins over the payload: broker ACLs protect topics, so a payload that names another job or thing
than its topic is rejected whole. The namespace comes from the topic alone. Sources of the payloads: the
developer guide's "Jobs notifications", "Jobs events" and "Registry events"; samples of each stand under
`tests/documents/`.
"""

import re
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

from jobindex.errors import MessageError
from jobindex.messages.payloads import Members, parse_payload
from jobindex.messages.topics import (
    ExecutionAnswer,
    JobEvent,
    JobExecutionEvent,
    JobNotification,
    NextNotification,
    PendingNotification,
    ThingGroupEvent,
    parse_topic,
)
from jobindex.model.jobs import (
    JOB_ID,
    THING_GROUP_ID,
    THING_GROUP_NAME,
    THING_NAME,
    JobDeletion,
    JobExecutionReport,
    JobExecutionStatus,
    JobReport,
    JobStatus,
    PendingListReport,
    RejectedMessage,
    Report,
    TargetSelection,
    ThingGroupReport,
    Told,
)

# AWS lists at most ten pending executions, fifteen in a maintenance window: a list this long may be cut.
CUT_LIST_ENTRIES = 10

_PENDING = (JobExecutionStatus.IN_PROGRESS, JobExecutionStatus.QUEUED)
# The stamp's time is the first present; the message's own timestamp goes after `lastUpdatedAt`.
_TIMES = ("lastUpdatedAt", "completedAt", "startedAt", "queuedAt", "createdAt")
_JOB_MEMBERS: Set[str] = {
    "status",
    "targetSelection",
    "thingGroupId",
    "thingGroupName",
    "isConcurrent",
    "createdAt",
    "lastUpdatedAt",
    "completedAt",
    "jobArn",
    "targets",
    "description",
}
# Without an execution beside it, a bare status is the job's, and so is the time of the last update.
_JOB_ONLY_MEMBERS = _JOB_MEMBERS - {"status", "lastUpdatedAt"}
_EXECUTION_ONLY_MEMBERS: Set[str] = {"executionNumber", "versionNumber", "queuedAt", "startedAt"}
# A group's name may hold ":", its revision may not.
_GROUP_CONFIGURATION = re.compile(r"arn:[^:]+:greengrass:[^:]*:[^:]*:configuration:thinggroup/(.+):[^:]+")


# CANCELLATION_IN_PROGRESS and DELETED are told by messages, but are no statuses of ListJobs.
_JOB_STATUSES: dict[str, JobStatus] = {**JobStatus.__members__, "CANCELLATION_IN_PROGRESS": JobStatus.CANCELED}
_TARGET_SELECTIONS = dict(TargetSelection.__members__)
_EVENT_STATUSES = dict.fromkeys([*_JOB_STATUSES, "DELETED"])
_ALL_EXECUTION_STATUSES = dict(JobExecutionStatus.__members__)
_EXECUTION_STATUSES = {status.value: status for status in JobExecutionStatus if status != JobExecutionStatus.DELETED}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Subject:
    """What the topic says a payload is about, and the payload's own time."""

    thing_name: str
    job_id: str | None
    namespace_id: str | None
    timestamp: datetime | None


def told_by(topic: str, payload: bytes) -> Told:
    """Return what a message tells, or the message itself where it cannot be understood."""
    try:
        return parse_message(topic, payload)
    except MessageError as error:
        return RejectedMessage(topic=topic, payload=payload, reason=str(error))


def parse_message(topic: str, payload: bytes) -> tuple[Report, ...]:
    """Return what a message tells; nothing where its topic, or its content, tells nothing.

    Raises:
        MessageError: the message cannot be understood; none of it counts.
    """
    parsed = parse_topic(topic)
    match parsed:
        case None:
            return ()
        case JobNotification():
            return tuple(_parse_job_notification(parsed, parse_payload(payload or b"{}")))
        case PendingNotification():
            return tuple(_parse_pending_list(parsed, parse_payload(payload)))
        case NextNotification():
            return tuple(_parse_execution(parsed, None, "execution", parse_payload(payload)))
        case ExecutionAnswer():
            return tuple(_parse_execution(parsed, parsed.job_id, parsed.member, parse_payload(payload)))
        case JobEvent():
            return tuple(_parse_job_event(parsed, parse_payload(payload)))
        case JobExecutionEvent():
            return tuple(_parse_execution_event(parsed, parse_payload(payload)))
        case ThingGroupEvent():
            return (_parse_thing_group_event(parsed, parse_payload(payload)),)
        case _:
            assert_never(parsed)


def _parse_job_notification(topic: JobNotification, payload: Members) -> Iterator[Report]:
    subject = _subject(topic, topic.job_id, payload)
    bare_execution = _holds_execution(payload)
    if bare_execution and "execution" in payload:
        raise payload.error("execution", "to stand beside an execution's own members")
    bare_job = payload.holds_any(_JOB_ONLY_MEMBERS if bare_execution else _JOB_MEMBERS)
    if bare_job and "job" in payload:
        raise payload.error("job", "to stand beside a job's own members")

    reports: list[Report] = []
    execution = payload if bare_execution else payload.object("execution")
    if execution is not None:
        reports += _execution_reports(execution, subject)
    reports += _entry_reports(payload, subject)
    yield from reports
    job = payload if bare_job or not reports else None
    job = payload.object("job") or job
    if job is not None:
        _check_names(job, topic.thing_name, topic.job_id)
        status = None if bare_execution and job is payload else job.choice("status", _JOB_STATUSES)
        yield from _job_reports(job, topic.job_id, topic.namespace_id, subject.timestamp, status)


def _holds_execution(payload: Members) -> bool:
    status = payload.text("status")
    return (status in _EXECUTION_STATUSES and status not in _JOB_STATUSES) or payload.holds_any(_EXECUTION_ONLY_MEMBERS)


def _parse_pending_list(topic: PendingNotification, payload: Members) -> Iterator[Report]:
    subject = _subject(topic, None, payload)
    if "jobs" not in payload:
        return
    entries = list(_entry_reports(payload, subject, pending_at=subject.timestamp))
    yield from entries
    executions = sum(isinstance(entry, JobExecutionReport) for entry in entries)
    if subject.timestamp is not None and executions < CUT_LIST_ENTRIES:
        yield PendingListReport(
            thing_name=topic.thing_name, namespace_id=topic.namespace_id, listed_at=subject.timestamp
        )


def _entry_reports(payload: Members, subject: _Subject, pending_at: datetime | None = None) -> Iterator[Report]:
    jobs = payload.object("jobs")
    if jobs is None:
        return
    for status in _PENDING:
        for entry in jobs.objects(status):
            yield from _execution_reports(entry, subject, status=status, pending_at=pending_at)


def _parse_execution(
    topic: NextNotification | ExecutionAnswer, job_id: str | None, member: str, payload: Members
) -> Iterator[Report]:
    subject = _subject(topic, job_id, payload)
    execution = payload.object(member)
    if execution is not None:
        yield from _execution_reports(execution, subject)


def _parse_job_event(topic: JobEvent, payload: Members) -> Iterator[Report]:
    timestamp = payload.time("timestamp")
    _check_names(payload, None, topic.job_id)
    payload.choice("status", _EVENT_STATUSES)  # checked, but the operation wins
    status = None if topic.operation == "deleted" else topic.operation
    reports = _job_reports(payload, topic.job_id, None, timestamp, status)
    if topic.operation != "deleted":
        yield from reports
        return
    yield from (report for report in reports if isinstance(report, ThingGroupReport))
    yield JobDeletion(job_id=topic.job_id, time=max(_all_times(payload.times(_TIMES), timestamp), default=None))


def _parse_execution_event(topic: JobExecutionEvent, payload: Members) -> Iterator[Report]:
    timestamp = payload.time("timestamp")
    thing_name = payload.arn_name("thingArn", "thing", THING_NAME)
    if thing_name is None:
        raise payload.error("thingArn", "the ARN of a thing")
    subject = _Subject(thing_name=thing_name, job_id=topic.job_id, namespace_id=None, timestamp=timestamp)
    yield from _execution_reports(payload, subject, status=topic.operation)


def _parse_thing_group_event(topic: ThingGroupEvent, payload: Members) -> Report:
    payload.same("thingGroupName", topic.thing_group_name, THING_GROUP_NAME)
    payload.time("timestamp")
    return ThingGroupReport(
        thing_group_name=topic.thing_group_name,
        thing_group_id=payload.text("thingGroupId", THING_GROUP_ID),
    )


def _job_reports(
    job: Members, job_id: str, namespace_id: str | None, timestamp: datetime | None, status: JobStatus | None
) -> Iterator[Report]:
    group_name, group_id = job.text("thingGroupName", THING_GROUP_NAME), job.text("thingGroupId", THING_GROUP_ID)
    target_group_names = _target_group_names(job)
    job.text("description")
    told = job.times(_TIMES)
    created_at = told.get("createdAt")
    time = _stamp_time(told, timestamp)
    times = _all_times(told, time)
    yield JobReport(
        job_id=job_id,
        namespace_id=namespace_id,
        time=time,
        earliest_at=min(times, default=None),
        latest_at=max(times, default=None),
        born_at=created_at,
        status=status,
        target_selection=job.choice("targetSelection", _TARGET_SELECTIONS),
        thing_group_id=group_id,
        thing_group_name=group_name,
        target_group_names=target_group_names,
        is_concurrent=job.flag("isConcurrent"),
        created_at=created_at,
        completed_at=told.get("completedAt"),
        job_arn=job.text("jobArn"),
    )
    names = set(target_group_names or ()) | ({group_name} if group_name else set())
    tied_name = names.copy().pop() if len(names) == 1 else group_name
    if tied_name is not None or group_id is not None:
        yield ThingGroupReport(thing_group_name=tied_name, thing_group_id=group_id)
    for name in sorted(names - {tied_name}):
        yield ThingGroupReport(thing_group_name=name)


def _execution_reports(
    execution: Members,
    subject: _Subject,
    *,
    status: JobExecutionStatus | None = None,
    pending_at: datetime | None = None,
) -> Iterator[Report]:
    """Yield what an execution tells: of its job always, of itself where it tells a status."""
    job_id = subject.job_id or execution.text("jobId", JOB_ID)
    if job_id is None:
        raise execution.error("jobId", "a job id")
    _check_names(execution, subject.thing_name, job_id)
    # An event's operation and the name of a list win over what stands in the object, which is checked all the same.
    told_status = execution.choice("status", _ALL_EXECUTION_STATUSES if status else _EXECUTION_STATUSES)
    status = status or told_status
    told = execution.times(_TIMES)
    time = _stamp_time(told, subject.timestamp)
    times = _all_times(told, time)
    execution.object("statusDetails")
    group_name = _deployment_group_name(execution)
    yield JobReport(
        job_id=job_id,
        namespace_id=subject.namespace_id,
        time=time,
        earliest_at=min(times, default=None),
        latest_at=max(times, default=None),
        born_at=told.get("queuedAt"),
        pending_at=pending_at,
        thing_group_name=group_name,
    )
    if group_name is not None:
        yield ThingGroupReport(thing_group_name=group_name)
    execution_number, version_number = execution.number("executionNumber"), execution.number("versionNumber")
    if status is not None:
        yield JobExecutionReport(
            job_id=job_id,
            thing_name=subject.thing_name,
            status=status,
            time=time,
            execution_number=execution_number,
            version_number=version_number,
            queued_at=told.get("queuedAt"),
            started_at=told.get("startedAt"),
            pending_at=pending_at,
        )


def _stamp_time(told: Mapping[str, datetime], timestamp: datetime | None) -> datetime | None:
    """Return the time of the stamp: the first present, in the order of _TIMES."""
    return told.get("lastUpdatedAt") or timestamp or next(iter(told.values()), None)


def _all_times(told: Mapping[str, datetime], time: datetime | None) -> list[datetime]:
    return [*told.values()] if time is None else [*told.values(), time]


def _target_group_names(job: Members) -> tuple[str, ...] | None:
    targets = job.arns("targets")
    if targets is None:
        return None
    names = {name for resource_type, name in targets if resource_type == "thinggroup"}
    for name in names:
        if THING_GROUP_NAME.fullmatch(name) is None:
            raise MessageError(job.field("targets"), name, f"a match of {THING_GROUP_NAME.pattern}")
    return tuple(sorted(names))


def _deployment_group_name(execution: Members) -> str | None:
    """Return the thing group that a Greengrass deployment's `configurationArn` names."""
    document = execution.value("jobDocument")
    if not isinstance(document, dict):
        execution.text("jobDocument")
        return None
    configuration_arn = document.get("configurationArn")
    if not isinstance(configuration_arn, str):
        return None
    match = _GROUP_CONFIGURATION.fullmatch(configuration_arn)
    return match[1] if match is not None and THING_GROUP_NAME.fullmatch(match[1]) else None


def _subject(
    topic: JobNotification | PendingNotification | NextNotification | ExecutionAnswer,
    job_id: str | None,
    payload: Members,
) -> _Subject:
    _check_names(payload, topic.thing_name, job_id)
    return _Subject(
        thing_name=topic.thing_name,
        job_id=job_id,
        namespace_id=topic.namespace_id,
        timestamp=payload.time("timestamp"),
    )


def _check_names(members: Members, thing_name: str | None, job_id: str | None) -> None:
    """Check that what the object says of its job and thing is what the topic says."""
    if job_id is not None:
        members.same("jobId", job_id, JOB_ID)
        if "jobArn" in members and members.arn_name("jobArn", "job", JOB_ID) != job_id:
            raise members.error("jobArn", f"the ARN of job {job_id!r}, as the topic says")
    if thing_name is not None:
        members.same("thingName", thing_name, THING_NAME)
        if "thingArn" in members and members.arn_name("thingArn", "thing", THING_NAME) != thing_name:
            raise members.error("thingArn", f"the ARN of thing {thing_name!r}, as the topic says")
