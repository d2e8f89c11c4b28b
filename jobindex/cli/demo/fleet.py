"""A simulated Greengrass fleet: the messages of its cores and of AWS IoT Jobs, without I/O.

As in the developer guide, AWS IoT sends `notify` when a thing's pending executions change, `notify-next` when the first
of them changes, and an event when an execution or a job ends. Some messages are malformed.
"""

import json
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, auto
from uuid import UUID

from jobindex.model.jobs import to_milliseconds

NAMESPACES = ("aws-gg-deployment", "acme-firmware", None)
GROUPS = ("berlin-line-1", "lyon-line-2", "warehouse")

_ARN = "arn:aws:iot:us-east-1:000000000000"
_MAX_LISTED = 10

Message = tuple[str, bytes]


class _Stage(Enum):
    RUNNING = auto()
    ENDED = auto()
    DELETING = auto()


@dataclass(slots=True, kw_only=True, eq=False)
class _Deployment:
    """A job, with the state of each pending execution by thing."""

    job_id: str
    namespace_id: str | None
    group: str | None
    created_at: int
    pending: dict[str, str]
    versions: dict[str, int] = field(default_factory=dict)
    stage: _Stage = _Stage.RUNNING


class Fleet:
    """A fleet that advances step by step."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._things = {group: [f"{group}-core-{number}" for number in range(1, 5)] for group in GROUPS}
        self._deployments: list[_Deployment] = []

    def start(self, now: datetime) -> Iterator[Message]:
        """Yield the events of thing groups, and the first deployments."""
        for number, group in enumerate(GROUPS):
            event = {
                "eventType": "THING_GROUP_EVENT",
                "timestamp": to_milliseconds(now),
                "operation": "CREATED",
                "thingGroupName": group,
                "thingGroupId": str(UUID(int=number + 1)),
            }
            yield f"$aws/events/thingGroup/{group}/created", _json(event)
        for namespace_id in NAMESPACES * 4:
            yield from self._deploy(now, namespace_id)

    def step(self, now: datetime) -> Iterator[Message]:
        """Yield the messages of the next step."""
        running = [deployment for deployment in self._deployments if deployment.stage is _Stage.RUNNING]
        ended = [deployment for deployment in self._deployments if deployment.stage is not _Stage.RUNNING]
        chance = self._random.random()
        if chance < 0.15 or not running:
            yield from self._deploy(now, self._random.choice(NAMESPACES))
        elif chance < 0.2:
            yield from self._cancel(now, self._random.choice(running))
        elif chance < 0.27 and len(ended) > 8:
            yield from self._delete(now, ended[0])
        elif chance < 0.3:
            yield self._malformed()
        else:
            yield from self._advance(now, self._random.choice(running))

    def _deploy(self, now: datetime, namespace_id: str | None) -> Iterator[Message]:
        group = self._random.choice(GROUPS)
        to_group = self._random.random() < 0.6
        things = self._things[group] if to_group else [self._random.choice(self._things[group])]
        deployment = _Deployment(
            job_id=str(UUID(int=self._random.getrandbits(128), version=4)),
            namespace_id=namespace_id,
            group=group if to_group else None,
            created_at=_seconds(now),
            pending=dict.fromkeys(things, "QUEUED"),
            versions=dict.fromkeys(things, 1),
        )
        self._deployments.append(deployment)
        yield from self._announce(deployment, things[0])
        for thing_name in things:
            yield from self._notify(now, thing_name, namespace_id)

    def _announce(self, deployment: _Deployment, thing_name: str) -> Iterator[Message]:
        """Yield the notification in the API reference's form, which a self-hosted jobs service would send."""
        if deployment.namespace_id is None:
            return
        created = {
            "createdAt": deployment.created_at,
            "targetSelection": "CONTINUOUS" if deployment.group else "SNAPSHOT",
            "isConcurrent": True,
        } | ({"thingGroupName": deployment.group} if deployment.group else {})
        topic = f"$aws/things/{thing_name}/jobs/{deployment.job_id}/notify-namespace-{deployment.namespace_id}/"
        yield topic, _json({"job": created})

    def _advance(self, now: datetime, deployment: _Deployment) -> Iterator[Message]:
        thing_name = self._random.choice(list(deployment.pending))
        if deployment.pending[thing_name] == "QUEUED":
            deployment.pending[thing_name] = "IN_PROGRESS"
            deployment.versions[thing_name] += 1
            yield self._update_accepted(now, deployment, thing_name, "IN_PROGRESS")
            return
        outcome = "succeeded" if self._random.random() < 0.85 else "failed"
        del deployment.pending[thing_name]
        yield self._update_accepted(now, deployment, thing_name, outcome.upper())
        yield self._execution_event(now, deployment, thing_name, outcome)
        yield from self._notify(now, thing_name, deployment.namespace_id)
        if not deployment.pending:
            deployment.stage = _Stage.ENDED
            if deployment.group is None:
                yield self._job_event(now, deployment, "completed")

    def _cancel(self, now: datetime, deployment: _Deployment) -> Iterator[Message]:
        things = list(deployment.pending)
        deployment.pending.clear()
        deployment.stage = _Stage.ENDED
        yield self._job_event(now, deployment, "cancellation_in_progress")
        for thing_name in things:
            yield self._execution_event(now, deployment, thing_name, "canceled")
            yield from self._notify(now, thing_name, deployment.namespace_id)
        yield self._job_event(now, deployment, "canceled")

    def _delete(self, now: datetime, deployment: _Deployment) -> Iterator[Message]:
        if deployment.stage is _Stage.ENDED:
            deployment.stage = _Stage.DELETING
            yield self._job_event(now, deployment, "deletion_in_progress")
        else:
            self._deployments.remove(deployment)
            yield self._job_event(now, deployment, "deleted")

    def _notify(self, now: datetime, thing_name: str, namespace_id: str | None) -> Iterator[Message]:
        pending = [
            deployment
            for deployment in self._deployments
            if deployment.namespace_id == namespace_id and thing_name in deployment.pending
        ][:_MAX_LISTED]
        jobs: dict[str, list[object]] = {}
        for deployment in pending:
            entry = self._execution(deployment, thing_name, now)
            jobs.setdefault(deployment.pending[thing_name], []).append(entry)
        suffix = f"-namespace-{namespace_id}" if namespace_id else ""
        topic = f"$aws/things/{thing_name}/jobs/notify"
        yield topic + suffix, _json({"timestamp": _seconds(now), "jobs": jobs})
        following: dict[str, object] = {"timestamp": _seconds(now)}
        if pending:
            following["execution"] = self._execution(pending[0], thing_name, now) | {
                "status": pending[0].pending[thing_name],
                "jobDocument": _deployment_document(pending[0]),
            }
        yield f"{topic}-next{suffix}", _json(following)

    def _execution(self, deployment: _Deployment, thing_name: str, now: datetime) -> dict[str, object]:
        version = deployment.versions[thing_name]
        return {
            "jobId": deployment.job_id,
            "queuedAt": deployment.created_at,
            "lastUpdatedAt": deployment.created_at if version == 1 else _seconds(now),
            "executionNumber": 1,
            "versionNumber": version,
        }

    def _update_accepted(self, now: datetime, deployment: _Deployment, thing_name: str, status: str) -> Message:
        level = f"namespace-{deployment.namespace_id}/" if deployment.namespace_id else ""
        state = {"status": status, "statusDetails": {}, "versionNumber": deployment.versions[thing_name]}
        return (
            f"$aws/things/{thing_name}/jobs/{deployment.job_id}/{level}update/accepted",
            _json({"timestamp": _seconds(now), "executionState": state}),
        )

    def _execution_event(self, now: datetime, deployment: _Deployment, thing_name: str, operation: str) -> Message:
        event = {
            "eventType": "JOB_EXECUTION",
            "timestamp": _seconds(now),
            "operation": operation,
            "jobId": deployment.job_id,
            "thingArn": f"{_ARN}:thing/{thing_name}",
            "status": operation.upper(),
        }
        return f"$aws/events/jobExecution/{deployment.job_id}/{operation}", _json(event)

    def _job_event(self, now: datetime, deployment: _Deployment, operation: str) -> Message:
        group = deployment.group
        things: Iterable[str] = deployment.versions
        targets = [f"thinggroup/{group}"] if group else [f"thing/{thing_name}" for thing_name in things]
        event = {
            "eventType": "JOB",
            "timestamp": _seconds(now),
            "operation": operation,
            "jobId": deployment.job_id,
            "status": operation.upper(),
            "targetSelection": "CONTINUOUS" if group else "SNAPSHOT",
            "targets": [f"{_ARN}:{target}" for target in targets],
            "createdAt": deployment.created_at * 1000,
            "lastUpdatedAt": to_milliseconds(now),
        } | ({"completedAt": to_milliseconds(now)} if operation in {"completed", "canceled"} else {})
        return f"$aws/events/job/{deployment.job_id}/{operation}", _json(event)

    def _malformed(self) -> Message:
        topic = f"$aws/things/{self._things[GROUPS[0]][0]}/jobs/notify-namespace-{NAMESPACES[0]}"
        return topic, self._random.choice(
            [b"not JSON", b'{"timestamp":"yesterday","jobs":{}}', b'{"jobs":[]}', b"\xff"]
        )


def _deployment_document(deployment: _Deployment) -> dict[str, object]:
    target = f"thinggroup/{deployment.group}" if deployment.group else f"thing/{next(iter(deployment.versions))}"
    return {
        "deploymentId": deployment.job_id,
        "configurationArn": f"arn:aws:greengrass:us-east-1:000000000000:configuration:{target}:1",
    }


def _seconds(time: datetime) -> int:
    return to_milliseconds(time) // 1000


def _json(content: object) -> bytes:
    return json.dumps(content).encode()
