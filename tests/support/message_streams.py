"""Hypothesis strategies: message streams of a fleet, with so few names and times that they collide."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar, TypeVar

from hypothesis import strategies as st

from jobindex.messages.parsing import Parser
from jobindex.model.jobs import JobExecutionStatus, JobStatus, TargetSelection
from jobindex.model.listing import Filters
from jobindex.model.reports import RejectedMessage, Report

Message = tuple[str, bytes]
ValueT = TypeVar("ValueT")

JOB_IDS = ("job-1", "job-2", "job-3", "job-4", "job-5")
THING_NAMES = ("thing-1", "thing-2")
NAMESPACE_IDS = ("fleet", "next-fleet")
GROUP_NAMES = ("blue", "green", "green:x")
GROUP_IDS = ("1-a", "2-b")

_BASE_SECONDS = 1_700_000_000
_NOW = 1_893_456_000_000
_UNITS: tuple[Callable[[int], float], ...] = (
    int,
    float,
    lambda seconds: seconds * 1000,
)  # AWS mixes seconds and milliseconds
_OPERATIONS = ("completed", "canceled", "cancellation_in_progress", "deletion_in_progress", "deleted")
_EXECUTION_OPERATIONS = ("succeeded", "failed", "rejected", "canceled", "timed_out", "removed", "deleted")
_EXECUTION_STATUSES = tuple(status for status in JobExecutionStatus if status != JobExecutionStatus.DELETED)
_TIMES = ("lastUpdatedAt", "timestamp", "completedAt", "startedAt", "queuedAt", "createdAt")
_CROWD = tuple(f"arn:aws:iot:us-east-1:123456789012:thinggroup/crowd-{number}" for number in range(9))
"""Enough groups to make a job one of many groups."""
_JOB_STATUSES = (*JobStatus, "CANCELLATION_IN_PROGRESS")
_JOB_MEMBERS = (
    "status",
    "targetSelection",
    "thingGroupId",
    "thingGroupName",
    "targets",
    "isConcurrent",
    "createdAt",
    "lastUpdatedAt",
    "completedAt",
    "jobArn",
)
_EXECUTION_MEMBERS = (
    "status",
    "queuedAt",
    "startedAt",
    "lastUpdatedAt",
    "executionNumber",
    "versionNumber",
    "jobDocument",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A possible arrival of messages at the index: their reports in batches, in any order."""

    batches: Sequence[tuple[Sequence[Report], Sequence[RejectedMessage]]]


def parse(messages: Sequence[Message]) -> tuple[list[Report], list[RejectedMessage]]:
    """Return the reports of messages, and the rejected messages."""
    reports: list[Report] = []
    rejected: list[RejectedMessage] = []
    for topic, payload in messages:
        told = Parser().parse(topic, payload, _NOW)
        if isinstance(told, RejectedMessage):
            rejected.append(told)
        else:
            reports += told
    return reports, rejected


def in_unit(message: Message, milliseconds: int) -> Message:
    """Return the message with all times in seconds, or in milliseconds if `milliseconds` is 1000."""

    def convert(value: Any, name: str = "") -> Any:
        match value:
            case dict():
                return {member: convert(inner, member) for member, inner in value.items()}
            case list():
                return [convert(inner) for inner in value]
            case int() | float() if name in _TIMES:
                seconds = value / 1000 if value >= _BASE_SECONDS * 10 else value
                return seconds * milliseconds
            case _:
                return value

    topic, payload = message
    try:
        told = json.loads(payload)
    except ValueError:
        return message
    return topic, json.dumps(convert(told)).encode()


def times() -> st.SearchStrategy[dict[str, int]]:
    """Make any of the times of an object, and its message's timestamp, by name."""
    moments = st.integers(_BASE_SECONDS, _BASE_SECONDS + 9)
    return st.fixed_dictionaries({}, optional=dict.fromkeys(_TIMES, moments))


def filters() -> st.SearchStrategy[Filters]:
    """Make filters with names from the streams."""
    return st.builds(
        Filters,
        namespace_id=st.sampled_from([None, None, *NAMESPACE_IDS]),
        status=st.sampled_from([None, None, None, *JobStatus]),
        target_selection=st.sampled_from([None, None, *TargetSelection]),
        thing_group_id=st.sampled_from([None, None, *GROUP_IDS]),
        thing_group_name=st.sampled_from([None, None, *GROUP_NAMES]),
    )


def arrivals(messages: Sequence[Message]) -> st.SearchStrategy[Arrival]:
    """Make an order for the reports of messages, with repetitions, split into batches."""
    reports, rejected = parse(messages)
    return arrivals_of([*reports, *rejected])


@st.composite
def arrivals_of(draw: st.DrawFn, told: Sequence[Report | RejectedMessage]) -> Arrival:
    """Make an order for reports and rejected messages, with repetitions, split into batches."""
    again = [_pick(draw, told) for _ in range(draw(_below(5)))] if told else []
    # One draw of bytes serves all items: their order, and the ends of batches.
    places = draw(st.binary(min_size=2 * (len(told) + len(again)), max_size=2 * (len(told) + len(again))))
    order = sorted(zip(places[::2], places[1::2], [*told, *again], strict=True), key=lambda item: item[0])
    batches: list[tuple[list[Report], list[RejectedMessage]]] = [([], [])]
    for _, cut, item in order:
        if isinstance(item, RejectedMessage):
            batches[-1][1].append(item)
        else:
            batches[-1][0].append(item)
        if cut >= 128:
            batches.append(([], []))
    return Arrival(batches=batches)


@st.composite
def streams(draw: st.DrawFn) -> list[Message]:
    """Make messages: lives of jobs, with arbitrary messages between them.

    Each stream uses only some of the names, times, members and kinds of message, so that these collide more often.
    Every second stream has a few messages of one or two kinds about one job, with few times or members to distinguish
    them.
    """
    is_duel = draw(_below(2)) == 1
    names = 1 if is_duel else 3
    world = _World(
        job_ids=_some(draw, JOB_IDS[:names]),
        thing_names=_some(draw, THING_NAMES[:names]),
        namespace_ids=_some(draw, NAMESPACE_IDS),
        last=1 + draw(_below(2 if is_duel else 6)),
        job_members=_some_or_all(draw, _JOB_MEMBERS, 3 if is_duel else None),
        execution_members=_some_or_all(draw, _EXECUTION_MEMBERS, 3 if is_duel else None),
    )
    kinds = _some_or_all(draw, _World.KINDS, 2 if is_duel else None)
    parts = [_pick(draw, kinds) for _ in range(1 + draw(_below(5 if is_duel else 12)))]
    return [message for kind in parts for message in kind(world, draw)]


@st.composite
def streams_of(draw: st.DrawFn, kinds: Sequence[str]) -> list[Message]:
    """Make messages of few kinds about any of the jobs, so that most examples test these kinds."""
    world = _World(
        job_ids=JOB_IDS,
        thing_names=THING_NAMES,
        namespace_ids=NAMESPACE_IDS,
        last=1 + draw(_below(4)),
        job_members=_JOB_MEMBERS,
        execution_members=_EXECUTION_MEMBERS,
    )
    return [message for _ in range(1 + draw(_below(10))) for message in getattr(world, _pick(draw, kinds))(draw)]


@cache
def _below(limit: int) -> st.SearchStrategy[int]:
    """Cached: a new strategy for each draw would take most of the time."""
    return st.integers(0, limit - 1)


def _pick(draw: st.DrawFn, values: Sequence[ValueT]) -> ValueT:
    return values[draw(_below(len(values)))] if len(values) > 1 else values[0]


def _some(draw: st.DrawFn, values: Sequence[ValueT]) -> tuple[ValueT, ...]:
    """Draw some of the values, at least one."""
    chosen = 1 + draw(_below(2 ** len(values) - 1)) if len(values) > 1 else 1
    return tuple(value for place, value in enumerate(values) if chosen >> place & 1)


def _any(draw: st.DrawFn, values: Sequence[ValueT]) -> tuple[ValueT, ...]:
    """Draw any of the values, or none."""
    chosen = draw(_below(2 ** len(values)))
    return tuple(value for place, value in enumerate(values) if chosen >> place & 1)


def _some_or_all(draw: st.DrawFn, values: Sequence[ValueT], at_most: int | None) -> tuple[ValueT, ...]:
    """Draw a few of the values; without a limit, draw some of them or, equally often, all."""
    if at_most is not None:
        return tuple({_pick(draw, values): None for _ in range(1 + draw(_below(at_most)))})
    return _some(draw, values) if draw(_below(2)) else tuple(values)


@dataclass(frozen=True, slots=True, kw_only=True)
class _World:
    """The names, times and members of one stream's messages."""

    job_ids: tuple[str, ...]
    thing_names: tuple[str, ...]
    namespace_ids: tuple[str, ...]
    last: int
    job_members: tuple[str, ...]
    execution_members: tuple[str, ...]

    def life(self, draw: st.DrawFn) -> list[Message]:
        """Make the messages about a job's life, in AWS IoT's order."""
        job_id, suffix = self._job_id(draw), self._suffix(draw)
        queued_at = moment = _BASE_SECONDS + draw(_below(self.last + 1))
        messages: list[Message] = []
        for thing_name in _some(draw, self.thing_names):
            jobs = f"$aws/things/{thing_name}/jobs"
            execution = {"jobId": job_id, "queuedAt": queued_at, "executionNumber": 1}
            queued = {**execution, "lastUpdatedAt": queued_at, "versionNumber": 1}
            messages.append(_message(f"{jobs}/notify{suffix}", {"timestamp": moment, "jobs": {"QUEUED": [queued]}}))
            moment += draw(_below(2))
            started = {**execution, "lastUpdatedAt": moment, "versionNumber": 2, "status": "IN_PROGRESS"}
            messages.append(_message(f"{jobs}/notify-next{suffix}", {"timestamp": moment, "execution": started}))
            moment += draw(_below(2))
            match _pick(draw, ["event", "list", "running"]):
                case "event":
                    end = {"thingArn": _arn("thing", thing_name), "timestamp": moment * 1000}
                    operation = _pick(draw, _EXECUTION_OPERATIONS)
                    messages.append(_message(f"$aws/events/jobExecution/{job_id}/{operation}", end))
                case "list":
                    messages.append(_message(f"{jobs}/notify{suffix}", {"timestamp": moment, "jobs": {}}))
                case _:
                    pass
        event = {"jobId": job_id, "createdAt": queued_at, "lastUpdatedAt": moment, "timestamp": moment * 1000}
        ends: list[tuple[str, ...]] = [(), ("completed",), ("deletion_in_progress", "deleted"), ("deleted",)]
        operations = _pick(draw, ends)
        return [*messages, *(_message(f"$aws/events/job/{job_id}/{operation}", event) for operation in operations)]

    def job_notification(self, draw: st.DrawFn) -> list[Message]:
        """Make one of the forms that the job topic allows."""
        job_id = self._job_id(draw)
        namespace_id = _pick(draw, self.namespace_ids)
        topic = f"$aws/things/{self._thing_name(draw)}/jobs/{job_id}/notify-namespace-{namespace_id}"
        timestamp = self._timestamp(draw)
        match _pick(draw, ["nothing", "bare job", "bare execution", "job", "execution", "both", "entries"]):
            case "nothing":
                return [(topic, _pick(draw, [b"", b"{}"]))]
            case "bare job":
                return [_message(topic, {**self._job(draw, job_id), **timestamp})]
            case "bare execution":
                return [_message(topic, {"versionNumber": 1, **self._execution(draw, job_id), **timestamp})]
            case "job":
                return [_message(topic, {"job": self._job(draw, job_id), **timestamp})]
            case "execution":
                return [_message(topic, {"execution": self._execution(draw, job_id), **timestamp})]
            case "both":
                both = {"job": self._job(draw, job_id), "execution": self._execution(draw, job_id)}
                return [_message(topic, {**both, **timestamp})]
            case _:
                return [_message(topic, {"jobs": {"QUEUED": [self._execution(draw, job_id)]}, **timestamp})]

    def pending_list(self, draw: st.DrawFn) -> list[Message]:
        """Make a list of pending executions, sometimes as long as a cut one, or one entry shorter."""
        entries = [self._execution(draw, job_id) for job_id in _any(draw, self.job_ids)]
        length = _pick(draw, [0] * 6 + [9, 10])
        entries += [{"jobId": f"other-{index}"} for index in range(length - len(entries))]
        jobs = {_pick(draw, ["IN_PROGRESS", "QUEUED"]): entries}
        topic = f"$aws/things/{self._thing_name(draw)}/jobs/notify{self._suffix(draw)}"
        return [_message(topic, {"jobs": jobs, **self._timestamp(draw)})]

    def next_execution(self, draw: st.DrawFn) -> list[Message]:
        """Make the notification of a thing's next execution."""
        topic = f"$aws/things/{self._thing_name(draw)}/jobs/notify-next{self._suffix(draw)}"
        return [_message(topic, {"execution": self._execution(draw, self._job_id(draw)), **self._timestamp(draw)})]

    def answer(self, draw: st.DrawFn) -> list[Message]:
        """Make an answer to one of the requests about executions."""
        job_id, level = self._job_id(draw), self._suffix(draw).replace("-", "/", 1)
        requests = {
            f"{job_id}{level}/get": "execution",
            f"$next{level}/get": "execution",
            f"start-next{level}": "execution",
            f"{job_id}{level}/update": "executionState",
        }
        request, member = _pick(draw, sorted(requests.items()))
        topic = f"$aws/things/{self._thing_name(draw)}/jobs/{request}/accepted"
        return [_message(topic, {member: self._execution(draw, job_id), **self._timestamp(draw)})]

    def job_event(self, draw: st.DrawFn) -> list[Message]:
        """Make a job event, whose operation takes precedence over its status."""
        job_id = self._job_id(draw)
        payload = {**self._job(draw, job_id), **self._timestamp(draw)}
        return [_message(f"$aws/events/job/{job_id}/{_pick(draw, _OPERATIONS)}", payload)]

    def deletion(self, draw: st.DrawFn) -> list[Message]:
        """Make the event of a job's deletion, and often a later message about the same id."""
        job_id = self._job_id(draw)
        deleted = _message(f"$aws/events/job/{job_id}/deleted", self._timestamp(draw))
        later = _BASE_SECONDS + self.last + 1
        queued = {"execution": {**self._execution(draw, job_id), "queuedAt": later}}
        created = {**self._job(draw, job_id), "createdAt": later}
        again = [
            _message(f"$aws/things/{self._thing_name(draw)}/jobs/{job_id}/get/accepted", queued),
            _message(f"$aws/events/job/{job_id}/completed", created),
            _message(f"$aws/events/job/{job_id}/completed", {"lastUpdatedAt": later}),  # not created again
        ]
        return [deleted, *_pick(draw, [(), (), again[:1], again[1:2], again[2:]])]

    def execution_event(self, draw: st.DrawFn) -> list[Message]:
        """Make an execution event."""
        topic = f"$aws/events/jobExecution/{self._job_id(draw)}/{_pick(draw, _EXECUTION_OPERATIONS)}"
        return [_message(topic, {"thingArn": _arn("thing", self._thing_name(draw)), **self._timestamp(draw)})]

    def rivals(self, draw: st.DrawFn) -> list[Message]:
        """Make messages that contradict each other about a job or an execution at one time."""
        job_id, thing_name = self._job_id(draw), self._thing_name(draw)
        time = {"lastUpdatedAt": self._time(draw)} if draw(_below(8)) else {}
        told: list[dict[str, object]]
        if draw(_below(2)):
            name = _pick(draw, self.job_members)
            status = {"status": "SCHEDULED"} if draw(_below(2)) else {}
            told = [{"job": {**status, **time, **self._job_values(draw, job_id, (name,))}} for _ in range(2)]
        else:
            numbers = self._execution_values(draw, _any(draw, ("executionNumber", "versionNumber")))
            name = _pick(draw, ("executionNumber", "versionNumber"))
            rivals = [self._execution_values(draw, ("status", *_any(draw, (name,)))) for _ in range(3)]
            told = [{"execution": {**time, **numbers, **rival}} for rival in rivals]
        jobs = f"$aws/things/{thing_name}/jobs/{job_id}"
        topics = [f"{jobs}/notify-namespace-{namespace_id}" for namespace_id in self.namespace_ids]
        return [_message(_pick(draw, topics), one) for one in told]

    def sightings(self, draw: st.DrawFn) -> list[Message]:
        """Make lists that show or omit an execution, mixed with its progress and the deletion of its job."""
        job_id, thing_name, suffix = self._job_id(draw), self._thing_name(draw), self._suffix(draw)
        jobs = f"$aws/things/{thing_name}/jobs"
        entry = {"jobId": job_id, "lastUpdatedAt": _BASE_SECONDS}
        first = {"timestamp": _BASE_SECONDS, "jobs": {}}
        messages = [_message(f"{jobs}/notify{self._suffix(draw)}", first)] if draw(_below(2)) else []
        for _ in range(2 + draw(_below(3))):
            moment = _BASE_SECONDS + draw(_below(6))
            match _pick(draw, ["shown", "shown", "left out", "left out", "going on", "deleted"]):
                case "shown":
                    listed = {"timestamp": moment, "jobs": {"QUEUED": [entry]}}
                    messages.append(_message(f"{jobs}/notify{suffix}", listed))
                case "left out":
                    messages.append(_message(f"{jobs}/notify{suffix}", {"timestamp": moment, "jobs": {}}))
                case "going on":
                    execution = {"status": "IN_PROGRESS", "queuedAt": moment, "lastUpdatedAt": moment}
                    messages.append(_message(f"{jobs}/{job_id}/get/accepted", {"execution": execution}))
                case _:
                    messages.append(_message(f"$aws/events/job/{job_id}/deleted", {"timestamp": moment}))
        return messages

    def ends(self, draw: st.DrawFn) -> list[Message]:
        """Make the ends of a job's executions, with or without a time, sometimes with one still in progress."""
        job_id = self._job_id(draw)
        messages: list[Message] = []
        for thing_name in _some(draw, self.thing_names):
            time = {"lastUpdatedAt": self._time(draw)} if draw(_below(4)) else {}
            execution = {"status": _pick(draw, ["SUCCEEDED", "SUCCEEDED", "FAILED", "IN_PROGRESS"]), **time}
            messages.append(_message(f"$aws/things/{thing_name}/jobs/{job_id}/get/accepted", {"execution": execution}))
        topic = f"$aws/things/{thing_name}/jobs/{job_id}/notify-namespace-{_pick(draw, self.namespace_ids)}"
        names = _pick(draw, [(), (), ("completedAt",), ("targetSelection",)])
        return [*messages, _message(topic, {"job": self._job_values(draw, job_id, names)})]

    def groups(self, draw: st.DrawFn) -> list[Message]:
        """Make a job with any of its groups, and an event of a group."""
        job_id = self._job_id(draw)
        names = _any(draw, ("createdAt", "targetSelection", "thingGroupId", "thingGroupName", "targets"))
        topic = f"$aws/things/{self._thing_name(draw)}/jobs/{job_id}/notify-namespace-{_pick(draw, self.namespace_ids)}"
        told = {"job": self._job_values(draw, job_id, names), **self._timestamp(draw)}
        return [_message(topic, told), *self.group_event(draw), *_pick(draw, [(), self.ends(draw)])]

    def group_event(self, draw: st.DrawFn) -> list[Message]:
        """Make a message that names a thing group, with or without its id."""
        topic = f"$aws/events/thingGroup/{_pick(draw, GROUP_NAMES)}/created"
        return [_message(topic, {"thingGroupId": _pick(draw, [None, *GROUP_IDS])})]

    def malformed(self, draw: st.DrawFn) -> list[Message]:
        """Make a malformed message."""
        payload = _pick(draw, [b"", b"{", b"[]", b"\xff", b'{"timestamp": -1}'])
        return [(f"$aws/things/{self._thing_name(draw)}/jobs/notify", payload)]

    KINDS: ClassVar = (
        life,
        job_notification,
        pending_list,
        next_execution,
        answer,
        job_event,
        deletion,
        execution_event,
        rivals,
        rivals,
        sightings,
        ends,
        groups,
        group_event,
        malformed,
    )

    def _job_id(self, draw: st.DrawFn) -> str:
        return _pick(draw, self.job_ids)

    def _thing_name(self, draw: st.DrawFn) -> str:
        return _pick(draw, self.thing_names)

    def _suffix(self, draw: st.DrawFn) -> str:
        namespace_id = _pick(draw, [None, *self.namespace_ids])
        return "" if namespace_id is None else f"-namespace-{namespace_id}"

    def _time(self, draw: st.DrawFn) -> float:
        return _pick(draw, _UNITS)(_BASE_SECONDS + draw(_below(self.last + 1)))

    def _timestamp(self, draw: st.DrawFn) -> dict[str, float]:
        return {"timestamp": self._time(draw)} if draw(_below(2)) else {}

    def _job(self, draw: st.DrawFn, job_id: str) -> dict[str, object]:
        return self._job_values(draw, job_id, _any(draw, self.job_members))

    def _execution(self, draw: st.DrawFn, job_id: str) -> dict[str, object]:
        return {"jobId": job_id, **self._execution_values(draw, _any(draw, self.execution_members))}

    def _job_values(self, draw: st.DrawFn, job_id: str, names: Sequence[str]) -> dict[str, object]:
        arns = {
            "targets": [_arn("thing", THING_NAMES[0]), *(_arn("thinggroup", name) for name in GROUP_NAMES)],
            "jobArn": [_arn("job", job_id, region=region) for region in ("us-east-1", "eu-west-1", '"%(g %d')],
        }
        values: dict[str, Callable[[], object]] = {
            "status": lambda: _pick(draw, _JOB_STATUSES),
            "targetSelection": lambda: _pick(draw, tuple(TargetSelection)),
            "thingGroupId": lambda: _pick(draw, GROUP_IDS),
            "thingGroupName": lambda: _pick(draw, GROUP_NAMES),
            "targets": lambda: [*_any(draw, arns["targets"]), *_pick(draw, [(), (), _CROWD])],
            "isConcurrent": lambda: _pick(draw, (False, True)),
            "jobArn": lambda: _pick(draw, arns["jobArn"]),
        }
        return {name: values[name]() if name in values else self._time(draw) for name in names}

    def _execution_values(self, draw: st.DrawFn, names: Sequence[str]) -> dict[str, object]:
        configuration = "arn:aws:greengrass:us-east-1:123456789012:configuration"
        values: dict[str, Callable[[], object]] = {
            "status": lambda: _pick(draw, _EXECUTION_STATUSES),
            "executionNumber": lambda: draw(_below(3)),
            "versionNumber": lambda: draw(_below(3)),
            "jobDocument": lambda: {"configurationArn": f"{configuration}:thinggroup/{_pick(draw, GROUP_NAMES)}:1"},
        }
        return {name: values[name]() if name in values else self._time(draw) for name in names}


def _arn(resource_type: str, name: str, region: str = "us-east-1") -> str:
    return f"arn:aws:iot:{region}:123456789012:{resource_type}/{name}"


def _message(topic: str, payload: Mapping[str, object]) -> Message:
    return topic, json.dumps(payload).encode()
