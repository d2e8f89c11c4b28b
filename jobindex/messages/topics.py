"""Parser of the MQTT topics of AWS IoT Jobs.

AWS writes the namespace after `notify-namespace-` and `notify-next-namespace-`, or as a level `namespace-N`. A
namespace may itself start with `next-`, so the longest prefix is tested first. Sources: the Jobs developer guide ("Jobs
reserved topics"), the ListJobs reference (`namespaceId`), Greengrass nucleus `IotJobsClientWrapper.java`.

A topic filter that matches no known topic would silently index nothing. The check fills the filter's wildcards from an
example of each form. Not chosen: a second description of the forms, which could differ.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal, NamedTuple

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
_CACHED_CHARACTERS = 512  # longer than any known topic; it bounds the cache in bytes

# CANCELLATION_IN_PROGRESS is not a status of ListJobs: it counts as CANCELED.
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

# One topic of each form and number of levels.
_EXAMPLES = (
    "$aws/things/t/jobs/notify",
    "$aws/things/t/jobs/get/accepted",
    "$aws/things/t/jobs/start-next/accepted",
    "$aws/things/t/jobs/start-next/namespace-n/accepted",
    "$aws/things/t/jobs/j/notify-namespace-n",
    "$aws/things/t/jobs/j/get/accepted",
    "$aws/things/t/jobs/j/update/accepted",
    "$aws/things/t/jobs/j/namespace-n/get/accepted",
    "$aws/things/t/jobs/j/namespace-n/update/accepted",
    "$aws/events/job/j/completed",
    "$aws/events/jobExecution/j/succeeded",
    "$aws/events/thingGroup/g/created",
)


class JobNotification(NamedTuple):
    """`$aws/things/T/jobs/J/notify-namespace-N`: job J of namespace N for thing T."""

    thing_name: str
    job_id: str
    namespace_id: str


class PendingNotification(NamedTuple):
    """`…/jobs/notify[-namespace-N]`: the pending executions of thing T."""

    thing_name: str
    namespace_id: str | None


class PendingAnswer(NamedTuple):
    """`…/jobs/get/accepted`: the pending executions of thing T in no namespace."""

    thing_name: str


class NextNotification(NamedTuple):
    """`…/jobs/notify-next[-namespace-N]`: the next execution of thing T."""

    thing_name: str
    namespace_id: str | None


class ExecutionAnswer(NamedTuple):
    """An answer to `get`, `start-next` or `update`: an execution of thing T.

    `job_id` is None if only the payload names the job.
    """

    thing_name: str
    job_id: str | None
    namespace_id: str | None
    member: Literal["execution", "executionState"]
    """The payload's member that contains the execution."""
    is_rejection: bool = False
    """Whether a rejected `update` shows a state that was reached at an unknown earlier time."""


class JobEvent(NamedTuple):
    """`$aws/events/job/J/OP`."""

    job_id: str
    operation: JobStatus | Literal["deleted"]


class JobExecutionEvent(NamedTuple):
    """`$aws/events/jobExecution/J/OP`."""

    job_id: str
    operation: JobExecutionStatus


class ThingGroupEvent(NamedTuple):
    """`$aws/events/thingGroup/NAME/OP`."""

    thing_group_name: str


Topic = (
    JobNotification
    | PendingNotification
    | PendingAnswer
    | NextNotification
    | ExecutionAnswer
    | JobEvent
    | JobExecutionEvent
    | ThingGroupEvent
)


def parse_topic(topic: str, topic_prefix: str = "") -> Topic | None:
    """Return the meaning of `topic` after `topic_prefix`; None if it has none.

    One empty trailing level is dropped, as in the API reference.

    Raises:
        MessageError: a name in the topic violates AWS's pattern.
    """
    if topic_prefix:
        if not topic.startswith(topic_prefix):
            return None
        topic = topic.removeprefix(topic_prefix)
    return _parse_cached(topic) if len(topic) <= _CACHED_CHARACTERS else _parse(topic)


def _parse(topic: str) -> Topic | None:
    levels = topic.removesuffix("/").split("/")
    match levels:
        case ["$aws", "things", thing_name, "jobs", *rest]:
            return _parse_thing_topic(thing_name, rest)
        case ["$aws", "events", "job", job_id, operation] if operation in JOB_OPERATIONS:
            return JobEvent(_job_id(job_id), JOB_OPERATIONS[operation])
        case ["$aws", "events", "jobExecution", job_id, operation] if operation in EXECUTION_OPERATIONS:
            return JobExecutionEvent(_job_id(job_id), EXECUTION_OPERATIONS[operation])
        case ["$aws", "events", "thingGroup", name, operation] if operation in THING_GROUP_OPERATIONS:
            return ThingGroupEvent(_name("thing group name", name, THING_GROUP_NAME))
        case _:
            return None


# Notifications repeat their topics.
_parse_cached = lru_cache(maxsize=4096)(_parse)


def _parse_thing_topic(thing_name: str, levels: Sequence[str]) -> Topic | None:
    match levels:
        case ["notify"]:
            return PendingNotification(_thing_name(thing_name), None)
        case ["notify-next"]:
            return NextNotification(_thing_name(thing_name), None)
        case [level] if level.startswith(_NOTIFY_NEXT_NAMESPACE):
            return NextNotification(_thing_name(thing_name), _namespace_id(level, _NOTIFY_NEXT_NAMESPACE))
        case [level] if level.startswith(_NOTIFY_NAMESPACE):
            return PendingNotification(_thing_name(thing_name), _namespace_id(level, _NOTIFY_NAMESPACE))
        case [job_id, level] if level.startswith(_NOTIFY_NAMESPACE):
            return JobNotification(_thing_name(thing_name), _job_id(job_id), _namespace_id(level, _NOTIFY_NAMESPACE))
        case ["get", "accepted"]:
            return PendingAnswer(_thing_name(thing_name))
        case [*request, ("accepted" | "rejected") as outcome]:
            return _parse_answer(thing_name, request, outcome)
        case _:
            return None


def _parse_answer(thing_name: str, request: Sequence[str], outcome: str) -> ExecutionAnswer | None:
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
    if outcome == "rejected" and verb != "update":  # only a rejected update shows the execution's state
        return None
    if verb == "update" and job == _CURRENT_JOB:
        return None
    return ExecutionAnswer(
        _thing_name(thing_name),
        None if job == _CURRENT_JOB else _job_id(job),
        None if namespace is None else _namespace_id(namespace, _NAMESPACE),
        "executionState" if verb == "update" else "execution",
        is_rejection=outcome == "rejected",
    )


def _thing_name(text: str) -> str:
    return _name("thing name", text, THING_NAME)


def _job_id(text: str) -> str:
    return _name("job id", text, JOB_ID)


def _namespace_id(level: str, prefix: str) -> str:
    return _name("namespace id", level.removeprefix(prefix), NAMESPACE_ID)


def _name(kind: str, text: str, pattern: re.Pattern[str]) -> str:
    if pattern.fullmatch(text) is None:
        raise MessageError(f"{kind} in the topic", text, f"a match of {pattern.pattern}")
    return text


def filter_problem(topic_filter: str, topic_prefix: str = "") -> str | None:
    """Return why a filter after `topic_prefix` is invalid or matches no AWS IoT Jobs topic, if so.

    The rules are MQTT's (4.7.1 and 4.7.2 in 3.1.1 and 5).
    """
    subscribed = topic_prefix + topic_filter
    levels = subscribed.split("/")
    if not topic_filter or "\0" in subscribed:
        return "is not a topic filter"
    if len(subscribed.encode()) > _FILTER_BYTES:
        return f"is longer than {_FILTER_BYTES} bytes"
    if levels[0] == "$share":
        return "a shared subscription delivers only part of the messages to each subscriber, but the index needs all"
    if any("+" in level and level != "+" for level in levels):
        return "a '+' must fill its level (MQTT-4.7.1-3); subscribe to $aws/things/+/jobs/# and filter by namespaceId"
    if any("#" in level for level in levels[:-1]) or ("#" in levels[-1] and levels[-1] != "#"):
        return "a '#' must be the last level (MQTT-4.7.1-2)"
    if levels[0] in {"+", "#"}:
        return "a filter that starts with a wildcard never matches a topic that starts with '$' (MQTT-4.7.2-1)"
    if not any(_is_understood(topic_filter.split("/"), example.split("/")) for example in _EXAMPLES):
        return _no_topic_problem(topic_filter, topic_prefix)
    return None


def _is_understood(topic_filter: Sequence[str], example: Sequence[str]) -> bool:
    if topic_filter[-1] == "#":  # it matches its parent level, too
        topic_filter = [*topic_filter[:-1], *example[len(topic_filter) - 1 :]]
    if len(topic_filter) == len(example) + 1 and topic_filter[-1] in {"", "+"}:  # an empty trailing level
        topic_filter = topic_filter[:-1]
    if len(topic_filter) != len(example):
        return False
    topic = "/".join(own if level == "+" else level for level, own in zip(topic_filter, example, strict=True))
    try:
        return parse_topic(topic) is not None
    except MessageError:
        return False


def _no_topic_problem(topic_filter: str, topic_prefix: str) -> str:
    problem = "no topic of AWS IoT Jobs matches it, so nothing would be indexed"
    if topic_prefix and topic_filter.startswith(topic_prefix):
        return f"{problem}; write it without the topic prefix {topic_prefix!r}"
    before, separator, _ = topic_filter.partition("$aws/")
    if before and separator:
        return f"{problem}; if a bridge puts {before!r} before its topics, set it as the topic prefix"
    return f"{problem}; the topics are those of {', '.join(DEFAULT_FILTERS)}"
