"""The MQTT topics of AWS IoT Jobs, parsed into what they mean.

AWS writes the namespace in two ways: behind `notify-namespace-` and `notify-next-namespace-`, and as a
level of its own, `namespace-N`. A namespace may itself begin with `next-` or hold `namespace-`, so the
longest prefix is tested first. Sources: the Jobs developer guide ("Jobs reserved topics"), the ListJobs
reference (`namespaceId`), Greengrass nucleus `IotJobsClientWrapper.java`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from jobindex.errors import MessageError
from jobindex.model.jobs import JOB_ID, NAMESPACE_ID, THING_GROUP_NAME, THING_NAME, JobExecutionStatus, JobStatus

DEFAULT_FILTERS = (
    "$aws/things/+/jobs/#",
    "$aws/events/job/#",
    "$aws/events/jobExecution/#",
    "$aws/events/thingGroup/#",
)

_NOTIFY_NEXT_NAMESPACE = "notify-next-namespace-"
_NOTIFY_NAMESPACE = "notify-namespace-"
_NAMESPACE = "namespace-"
_CURRENT_JOB = "$next"
_FILTER_BYTES = 65_535

# CANCELLATION_IN_PROGRESS is no status of ListJobs: it reads as CANCELED.
JOB_OPERATIONS: dict[str, JobStatus | Literal["deleted"]] = {
    "completed": JobStatus.COMPLETED,
    "canceled": JobStatus.CANCELED,
    "cancellation_in_progress": JobStatus.CANCELED,
    "deletion_in_progress": JobStatus.DELETION_IN_PROGRESS,
    "deleted": "deleted",
}
EXECUTION_OPERATIONS = {
    status.value.lower(): status
    for status in JobExecutionStatus
    if status not in {JobExecutionStatus.QUEUED, JobExecutionStatus.IN_PROGRESS}
}
THING_GROUP_OPERATIONS = frozenset({"created", "updated", "deleted"})


@dataclass(frozen=True, slots=True, kw_only=True)
class JobNotification:
    """`$aws/things/T/jobs/J/notify-namespace-N`: job J of namespace N, told to thing T."""

    thing_name: str
    job_id: str
    namespace_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingNotification:
    """`…/jobs/notify[-namespace-N]`: the pending executions of thing T."""

    thing_name: str
    namespace_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NextNotification:
    """`…/jobs/notify-next[-namespace-N]`: the next execution of thing T."""

    thing_name: str
    namespace_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionAnswer:
    """An `accepted` answer to `get`, `start-next` or `update`: the state of an execution of thing T.

    `job_id` is None where the topic leaves the job to the payload.
    """

    thing_name: str
    job_id: str | None
    namespace_id: str | None
    member: Literal["execution", "executionState"]
    """The payload's member that holds the execution."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobEvent:
    """`$aws/events/job/J/OP`."""

    job_id: str
    operation: JobStatus | Literal["deleted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobExecutionEvent:
    """`$aws/events/jobExecution/J/OP`."""

    job_id: str
    operation: JobExecutionStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class ThingGroupEvent:
    """`$aws/events/thingGroup/NAME/OP`."""

    thing_group_name: str


Topic = (
    JobNotification
    | PendingNotification
    | NextNotification
    | ExecutionAnswer
    | JobEvent
    | JobExecutionEvent
    | ThingGroupEvent
)


def parse_topic(topic: str) -> Topic | None:
    """Return what `topic` means, or None where it is none of the topics that tell something.

    One empty trailing level is dropped: the API reference writes the topic with a trailing slash.

    Raises:
        MessageError: the topic has a form that tells something, with a name outside AWS's pattern.
    """
    levels = topic.removesuffix("/").split("/")
    match levels:
        case ["$aws", "things", thing_name, "jobs", *rest]:
            return _parse_thing_topic(thing_name, rest)
        case ["$aws", "events", "job", job_id, operation] if operation in JOB_OPERATIONS:
            return JobEvent(job_id=_job_id(job_id), operation=JOB_OPERATIONS[operation])
        case ["$aws", "events", "jobExecution", job_id, operation] if operation in EXECUTION_OPERATIONS:
            return JobExecutionEvent(job_id=_job_id(job_id), operation=EXECUTION_OPERATIONS[operation])
        case ["$aws", "events", "thingGroup", name, operation] if operation in THING_GROUP_OPERATIONS:
            return ThingGroupEvent(thing_group_name=_name("thing group name", name, THING_GROUP_NAME))
        case _:
            return None


def _parse_thing_topic(thing_name: str, levels: Sequence[str]) -> Topic | None:
    match levels:
        case ["notify"]:
            return PendingNotification(thing_name=_thing_name(thing_name), namespace_id=None)
        case ["notify-next"]:
            return NextNotification(thing_name=_thing_name(thing_name), namespace_id=None)
        case [level] if level.startswith(_NOTIFY_NEXT_NAMESPACE):
            return NextNotification(
                thing_name=_thing_name(thing_name), namespace_id=_namespace_id(level, _NOTIFY_NEXT_NAMESPACE)
            )
        case [level] if level.startswith(_NOTIFY_NAMESPACE):
            return PendingNotification(
                thing_name=_thing_name(thing_name), namespace_id=_namespace_id(level, _NOTIFY_NAMESPACE)
            )
        case [job_id, level] if level.startswith(_NOTIFY_NAMESPACE):
            return JobNotification(
                thing_name=_thing_name(thing_name),
                job_id=_job_id(job_id),
                namespace_id=_namespace_id(level, _NOTIFY_NAMESPACE),
            )
        case [*request, "accepted"]:
            return _parse_answer(thing_name, request)
        case _:
            return None


def _parse_answer(thing_name: str, request: Sequence[str]) -> ExecutionAnswer | None:
    job: str
    namespace: str | None = None
    match request:
        case ["start-next"]:
            job, verb = _CURRENT_JOB, "start-next"
        case ["start-next", level] if level.startswith(_NAMESPACE):
            job, verb, namespace = _CURRENT_JOB, "start-next", level
        case [job, "get" | "update" as verb]:
            pass
        case [job, level, "get" | "update" as verb] if level.startswith(_NAMESPACE):
            namespace = level
        case _:
            return None
    if verb == "update" and job == _CURRENT_JOB:
        return None
    return ExecutionAnswer(
        thing_name=_thing_name(thing_name),
        job_id=None if job == _CURRENT_JOB else _job_id(job),
        namespace_id=None if namespace is None else _namespace_id(namespace, _NAMESPACE),
        member="executionState" if verb == "update" else "execution",
    )


def _thing_name(text: str) -> str:
    return _name("thing name", text, THING_NAME)


def _job_id(text: str) -> str:
    return _name("job id", text, JOB_ID)


def _namespace_id(level: str, prefix: str) -> str:
    return _name("namespace id", level.removeprefix(prefix), NAMESPACE_ID)


def _name(what: str, text: str, pattern: re.Pattern[str]) -> str:
    if pattern.fullmatch(text) is None:
        raise MessageError(f"{what} in the topic", text, f"a match of {pattern.pattern}")
    return text


def filter_problem(topic_filter: str) -> str | None:
    """Return why a topic filter is not valid, or would receive nothing of AWS IoT Jobs; None where it is right.

    The rules are MQTT's (4.7.1 and 4.7.2, the same numbers in 3.1.1 and 5).
    """
    levels = topic_filter.split("/")
    if not topic_filter or "\0" in topic_filter:
        return "is no topic filter"
    if len(topic_filter.encode()) > _FILTER_BYTES:
        return f"is longer than {_FILTER_BYTES} bytes"
    if levels[0] == "$share":
        return "a shared subscription gives each of its subscribers a part of the messages, and an index needs all"
    if any("+" in level and level != "+" for level in levels):
        return "a '+' fills a whole level (MQTT-4.7.1-3); subscribe to $aws/things/+/jobs/# and filter by namespaceId"
    if any("#" in level for level in levels[:-1]) or ("#" in levels[-1] and levels[-1] != "#"):
        return "a '#' fills the last level (MQTT-4.7.1-2)"
    if levels[0] in {"+", "#"}:
        return "a filter that starts with a wildcard never matches a topic that starts with '$' (MQTT-4.7.2-1)"
    return None
