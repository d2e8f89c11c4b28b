"""Hypothesis strategies: streams of messages as a fleet makes them, on so few names and times that all collide."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeVar

from hypothesis import strategies as st

from jobindex.errors import MessageError
from jobindex.events import parse_message
from jobindex.jobs import JobExecutionStatus, JobStatus, RejectedMessage, Report, TargetSelection
from jobindex.listing import Filters

Message = tuple[str, bytes]
ValueT = TypeVar("ValueT")

JOB_IDS = ("job-1", "job-2", "job-3")
THING_NAMES = ("thing-1", "thing-2")
NAMESPACE_IDS = ("fleet", "next-fleet")
GROUP_NAMES = ("blue", "green", "green:x")
GROUP_IDS = ("1-a", "2-b")

_BASE_SECONDS = 1_700_000_000
_UNITS = (int, float, lambda seconds: seconds * 1000)  # AWS mixes seconds and milliseconds
_OPERATIONS = ("completed", "canceled", "cancellation_in_progress", "deletion_in_progress", "deleted")
_EXECUTION_OPERATIONS = ("succeeded", "failed", "rejected", "canceled", "timed_out", "removed", "deleted")
_EXECUTION_STATUSES = tuple(status for status in JobExecutionStatus if status != JobExecutionStatus.DELETED)
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
    """A way in which messages may reach the index: batches of them, with what they tell torn apart."""

    batches: Sequence[tuple[Sequence[Report], Sequence[RejectedMessage]]]


def parse(messages: Sequence[Message]) -> tuple[list[Report], list[RejectedMessage]]:
    """Return what the messages tell, and those that cannot be understood."""
    reports: list[Report] = []
    rejected: list[RejectedMessage] = []
    for topic, payload in messages:
        try:
            reports += parse_message(topic, payload)
        except MessageError as error:
            rejected.append(RejectedMessage(topic=topic, payload=payload, reason=str(error)))
    return reports, rejected


def filters() -> st.SearchStrategy[Filters]:
    """Make filters on names that the streams use."""
    return st.builds(
        Filters,
        namespace_id=st.sampled_from([None, None, *NAMESPACE_IDS]),
        status=st.sampled_from([None, None, None, *JobStatus]),
        target_selection=st.sampled_from([None, None, *TargetSelection]),
        thing_group_id=st.sampled_from([None, None, *GROUP_IDS]),
        thing_group_name=st.sampled_from([None, None, *GROUP_NAMES]),
    )


def arrivals(messages: Sequence[Message]) -> st.SearchStrategy[Arrival]:
    """Make an order for what the messages tell, with repetitions, cut into batches."""
    reports, rejected = parse(messages)
    return arrivals_of([*reports, *rejected])


@st.composite
def arrivals_of(draw: st.DrawFn, told: Sequence[Report | RejectedMessage]) -> Arrival:
    """Make an order for all that is told, with repetitions, cut into batches."""
    again = draw(st.lists(st.sampled_from(told), max_size=4)) if told else []
    order = draw(st.permutations([*told, *again]))
    cuts = draw(st.lists(st.booleans(), min_size=len(order), max_size=len(order)))
    batches: list[tuple[list[Report], list[RejectedMessage]]] = [([], [])]
    for item, is_cut in zip(order, cuts, strict=True):
        if isinstance(item, RejectedMessage):
            batches[-1][1].append(item)
        else:
            batches[-1][0].append(item)
        if is_cut:
            batches.append(([], []))
    return Arrival(batches=batches)


@st.composite
def streams(draw: st.DrawFn) -> list[Message]:
    """Make messages: lives of jobs, with any messages at all between them.

    Each stream does with a few of the names, times, members and kinds of message: what is left meets the more often.
    """
    world = _World(
        job_ids=draw(st.just(JOB_IDS[:1]) | _some(JOB_IDS)),
        thing_names=draw(st.just(THING_NAMES[:1]) | _some(THING_NAMES)),
        namespace_ids=draw(st.just(NAMESPACE_IDS[:1]) | _some(NAMESPACE_IDS)),
        last=draw(st.integers(0, 6)),
        job_members=draw(st.just(_JOB_MEMBERS) | _some(_JOB_MEMBERS)),
        execution_members=draw(st.just(_EXECUTION_MEMBERS) | _some(_EXECUTION_MEMBERS)),
    )
    kinds = draw(st.just(_World.KINDS) | _some(_World.KINDS))
    parts = draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=14))
    return [message for kind in parts for message in kind(world, draw)]


def _some(values: tuple[ValueT, ...]) -> st.SearchStrategy[tuple[ValueT, ...]]:
    return st.lists(st.sampled_from(values), min_size=1, unique=True).map(tuple)


@dataclass(frozen=True, slots=True, kw_only=True)
class _World:
    """What the messages of one stream are about."""

    job_ids: tuple[str, ...]
    thing_names: tuple[str, ...]
    namespace_ids: tuple[str, ...]
    last: int
    job_members: tuple[str, ...]
    execution_members: tuple[str, ...]

    def life(self, draw: st.DrawFn) -> list[Message]:
        """Make the life of a job as AWS IoT tells it, from one moment to the next."""
        job_id, suffix = self._job_id(draw), self._suffix(draw)
        queued_at = moment = _BASE_SECONDS + draw(st.integers(0, self.last))
        messages: list[Message] = []
        for thing_name in draw(_some(self.thing_names)):
            jobs = f"$aws/things/{thing_name}/jobs"
            execution = {"jobId": job_id, "queuedAt": queued_at, "executionNumber": 1}
            queued = {**execution, "lastUpdatedAt": queued_at, "versionNumber": 1}
            messages.append(_message(f"{jobs}/notify{suffix}", {"timestamp": moment, "jobs": {"QUEUED": [queued]}}))
            moment += draw(st.integers(0, 1))
            started = {**execution, "lastUpdatedAt": moment, "versionNumber": 2, "status": "IN_PROGRESS"}
            messages.append(_message(f"{jobs}/notify-next{suffix}", {"timestamp": moment, "execution": started}))
            moment += draw(st.integers(0, 1))
            match draw(st.sampled_from(["event", "list", "running"])):
                case "event":
                    end = {"thingArn": _arn("thing", thing_name), "timestamp": moment * 1000}
                    operation = draw(st.sampled_from(_EXECUTION_OPERATIONS))
                    messages.append(_message(f"$aws/events/jobExecution/{job_id}/{operation}", end))
                case "list":
                    messages.append(_message(f"{jobs}/notify{suffix}", {"timestamp": moment, "jobs": {}}))
                case _:
                    pass
        event = {"jobId": job_id, "createdAt": queued_at, "lastUpdatedAt": moment, "timestamp": moment * 1000}
        ends: list[tuple[str, ...]] = [(), ("completed",), ("deletion_in_progress", "deleted"), ("deleted",)]
        operations = draw(st.sampled_from(ends))
        return [*messages, *(_message(f"$aws/events/job/{job_id}/{operation}", event) for operation in operations)]

    def job_notification(self, draw: st.DrawFn) -> list[Message]:
        """Make each form that the job topic allows."""
        job_id = self._job_id(draw)
        namespace_id = draw(st.sampled_from(self.namespace_ids))
        topic = f"$aws/things/{self._thing_name(draw)}/jobs/{job_id}/notify-namespace-{namespace_id}"
        timestamp = self._timestamp(draw)
        match draw(st.sampled_from(["nothing", "bare job", "bare execution", "job", "execution", "both", "entries"])):
            case "nothing":
                return [(topic, draw(st.sampled_from([b"", b"{}"])))]
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
        """Make a list of pending executions, now and then as long as a cut one, or one entry shorter."""
        entries = [self._execution(draw, job_id) for job_id in draw(st.just(()) | _some(self.job_ids))]
        length = draw(st.sampled_from([0] * 6 + [9, 10]))
        entries += [{"jobId": f"other-{index}"} for index in range(length - len(entries))]
        jobs = {draw(st.sampled_from(["IN_PROGRESS", "QUEUED"])): entries}
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
        request, member = draw(st.sampled_from(sorted(requests.items())))
        topic = f"$aws/things/{self._thing_name(draw)}/jobs/{request}/accepted"
        return [_message(topic, {member: self._execution(draw, job_id), **self._timestamp(draw)})]

    def job_event(self, draw: st.DrawFn) -> list[Message]:
        """Make a job event; its operation wins over its status."""
        job_id = self._job_id(draw)
        payload = {**self._job(draw, job_id), **self._timestamp(draw)}
        return [_message(f"$aws/events/job/{job_id}/{draw(st.sampled_from(_OPERATIONS))}", payload)]

    def deletion(self, draw: st.DrawFn) -> list[Message]:
        """Make the event of a job's deletion, and half the time a later job with the same id."""
        job_id = self._job_id(draw)
        deleted = _message(f"$aws/events/job/{job_id}/deleted", self._timestamp(draw))
        later = _BASE_SECONDS + self.last + 1
        queued = {"execution": {**self._execution(draw, job_id), "queuedAt": later}}
        created = {**self._job(draw, job_id), "createdAt": later}
        again = [
            _message(f"$aws/things/{self._thing_name(draw)}/jobs/{job_id}/get/accepted", queued),
            _message(f"$aws/events/job/{job_id}/completed", created),
        ]
        return [deleted, *draw(st.sampled_from([(), (), again[:1], again[1:]]))]

    def execution_event(self, draw: st.DrawFn) -> list[Message]:
        """Make a job execution event."""
        topic = f"$aws/events/jobExecution/{self._job_id(draw)}/{draw(st.sampled_from(_EXECUTION_OPERATIONS))}"
        return [_message(topic, {"thingArn": _arn("thing", self._thing_name(draw)), **self._timestamp(draw)})]

    def group_event(self, draw: st.DrawFn) -> list[Message]:
        """Make a message that names a thing group, with its id or without."""
        topic = f"$aws/events/thingGroup/{draw(st.sampled_from(GROUP_NAMES))}/created"
        return [_message(topic, {"thingGroupId": draw(st.sampled_from([None, *GROUP_IDS]))})]

    def malformed(self, draw: st.DrawFn) -> list[Message]:
        """Make a message that cannot be understood."""
        payload = draw(st.sampled_from([b"", b"{", b"[]", b"\xff", b'{"timestamp": -1}']))
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
        group_event,
        malformed,
    )

    def _job_id(self, draw: st.DrawFn) -> str:
        return draw(st.sampled_from(self.job_ids))

    def _thing_name(self, draw: st.DrawFn) -> str:
        return draw(st.sampled_from(self.thing_names))

    def _suffix(self, draw: st.DrawFn) -> str:
        namespace_id = draw(st.sampled_from([None, *self.namespace_ids]))
        return "" if namespace_id is None else f"-namespace-{namespace_id}"

    def _times(self) -> st.SearchStrategy[float]:
        moments = st.integers(_BASE_SECONDS, _BASE_SECONDS + self.last)
        return st.builds(lambda moment, unit: unit(moment), moments, st.sampled_from(_UNITS))

    def _timestamp(self, draw: st.DrawFn) -> dict[str, float]:
        return draw(st.fixed_dictionaries({}, optional={"timestamp": self._times()}))

    def _job(self, draw: st.DrawFn, job_id: str) -> dict[str, object]:
        targets = [_arn("thing", THING_NAMES[0]), *(_arn("thinggroup", name) for name in GROUP_NAMES)]
        members: dict[str, st.SearchStrategy[object]] = {
            "status": st.sampled_from([*JobStatus, "CANCELLATION_IN_PROGRESS"]),
            "targetSelection": st.sampled_from(list(TargetSelection)),
            "thingGroupId": st.sampled_from(GROUP_IDS),
            "thingGroupName": st.sampled_from(GROUP_NAMES),
            "targets": st.lists(st.sampled_from(targets), max_size=2),
            "isConcurrent": st.booleans(),
            "jobArn": st.sampled_from([_arn("job", job_id), _arn("job", job_id, region="eu-west-1")]),
        }
        return self._members(draw, {name: members.get(name, self._times()) for name in self.job_members})

    def _execution(self, draw: st.DrawFn, job_id: str) -> dict[str, object]:
        numbers = st.integers(0, 2)
        configuration = "arn:aws:greengrass:us-east-1:123456789012:configuration"
        documents = [{"configurationArn": f"{configuration}:thinggroup/{name}:1"} for name in GROUP_NAMES]
        members: dict[str, st.SearchStrategy[object]] = {
            "status": st.sampled_from(_EXECUTION_STATUSES),
            "executionNumber": numbers,
            "versionNumber": numbers,
            "jobDocument": st.sampled_from(documents),
        }
        told = self._members(draw, {name: members.get(name, self._times()) for name in self.execution_members})
        return {"jobId": job_id, **told}

    @staticmethod
    def _members(draw: st.DrawFn, members: dict[str, st.SearchStrategy[object]]) -> dict[str, object]:
        return draw(st.fixed_dictionaries({}, optional=members))


def _arn(resource_type: str, name: str, region: str = "us-east-1") -> str:
    return f"arn:aws:iot:{region}:123456789012:{resource_type}/{name}"


def _message(topic: str, payload: Mapping[str, object]) -> Message:
    return topic, json.dumps(payload).encode()
