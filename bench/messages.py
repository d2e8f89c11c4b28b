"""The notifications of a fleet: a fixed, seeded stream in which the lives of many jobs overlap.

Each thing runs one job after the other. A job's life has ten messages, and the thing's next job is queued before it
ends. So a pending list has one or two entries, and always all of the thing's.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

MESSAGES_PER_JOB = 10
JOBS_PER_THING = 10

Message = tuple[str, bytes]

_NAMESPACES = ("aws-gg-deployment", "acme-firmware")
_GROUPS = ("berlin-line-1", "lyon-line-2", "warehouse")
_OUTCOMES = ("succeeded", "succeeded", "succeeded", "succeeded", "failed", "canceled")
_ARN = "arn:aws:iot:us-east-1:000000000000"
_FIRST_SECOND = 1_790_000_000
_MESSAGES_PER_SECOND = 1_000


@dataclass(slots=True, kw_only=True)
class _Execution:
    """A job and its one execution."""

    job_id: str
    group: str
    queued_at: int
    updated_at: int
    status: str = "QUEUED"
    version: int = 1


def messages(things: int, seed: int = 1) -> Iterator[Message]:
    """Yield `JOBS_PER_THING * MESSAGES_PER_JOB` notifications for each thing, of 250 to 400 bytes with topic."""
    random = Random(seed)
    clock = _Clock()
    lives = [_Thing(f"greengrass-core-eu-west1-{number:06d}", random, clock).life() for number in range(things)]
    while lives:
        at = random.randrange(len(lives))
        message = next(lives[at], None)
        if message is None:
            lives[at] = lives[-1]
            lives.pop()
        else:
            clock.ticks += 1
            yield message


class _Clock:
    """The time of the messages; each one advances it."""

    def __init__(self) -> None:
        self.ticks = 0

    def seconds(self) -> int:
        return _FIRST_SECOND + self.ticks // _MESSAGES_PER_SECOND


class _Thing:
    """A Greengrass core that runs its jobs in order."""

    def __init__(self, name: str, random: Random, clock: _Clock) -> None:
        self._name = name
        self._random = random
        self._clock = clock
        self._namespace = random.choice(_NAMESPACES)
        self._pending: list[_Execution] = []

    def life(self) -> Iterator[Message]:
        """Yield the messages of the thing's jobs."""
        for _ in range(JOBS_PER_THING):
            if not self._pending:
                self._queue()
            yield from self._run()

    def _run(self) -> Iterator[Message]:
        """Yield the ten messages from a job's start until the next job is at the head."""
        execution = self._pending[0]
        yield self._created(execution)
        self._update(execution, "IN_PROGRESS")
        yield self._accepted(execution, "update")
        yield self._accepted(execution, "get")
        self._queue()
        yield self._list()
        self._update(execution, "IN_PROGRESS")
        yield self._accepted(execution, "update")
        outcome = self._random.choice(_OUTCOMES)
        self._update(execution, outcome.upper())
        yield self._accepted(execution, "update")
        yield self._execution_event(execution, outcome)
        self._pending.pop(0)
        yield self._list()
        yield self._next()
        yield self._job_event(execution)

    def _queue(self) -> None:
        now = self._clock.seconds()
        job_id = f"deployment-{self._random.getrandbits(64):016x}"
        group = self._random.choice(_GROUPS)
        self._pending.append(_Execution(job_id=job_id, group=group, queued_at=now, updated_at=now))

    def _update(self, execution: _Execution, status: str) -> None:
        execution.status = status
        execution.version += 1
        execution.updated_at = self._clock.seconds()

    def _created(self, execution: _Execution) -> Message:
        job = {
            "jobId": execution.job_id,
            "jobArn": f"{_ARN}:job/{execution.job_id}",
            "targetSelection": "CONTINUOUS",
            "thingGroupName": execution.group,
            "isConcurrent": False,
            "createdAt": execution.queued_at,
        }
        return self._message(f"{execution.job_id}/notify-namespace-{self._namespace}", {"job": job})

    def _accepted(self, execution: _Execution, verb: str) -> Message:
        state = {"status": execution.status, "versionNumber": execution.version}
        if verb == "update":
            details = {"detailed-deployment-status": execution.status}
            content: dict[str, object] = {"executionState": {**state, "statusDetails": details}}
        else:
            asked = {"queuedAt": execution.queued_at, **state, "jobDocument": _document(execution)}
            content = {"execution": asked}
        topic = f"{execution.job_id}/namespace-{self._namespace}/{verb}/accepted"
        return self._message(topic, {"timestamp": self._clock.seconds(), **content})

    def _list(self) -> Message:
        jobs: dict[str, list[object]] = {}
        for execution in self._pending:
            jobs.setdefault(execution.status, []).append(self._entry(execution))
        content = {"timestamp": self._clock.seconds(), "jobs": jobs}
        return self._message(f"notify-namespace-{self._namespace}", content)

    def _next(self) -> Message:
        head = self._pending[0]
        execution = {**self._entry(head), "status": head.status, "jobDocument": _document(head)}
        content = {"timestamp": self._clock.seconds(), "execution": execution}
        return self._message(f"notify-next-namespace-{self._namespace}", content)

    def _execution_event(self, execution: _Execution, outcome: str) -> Message:
        event = {
            "eventType": "JOB_EXECUTION",
            "eventId": f"{self._random.getrandbits(128):032x}",
            "timestamp": self._clock.seconds(),
            "operation": outcome,
            "jobId": execution.job_id,
            "thingArn": f"{_ARN}:thing/{self._name}",
            "status": outcome.upper(),
        }
        return f"$aws/events/jobExecution/{execution.job_id}/{outcome}", _json(event)

    def _job_event(self, execution: _Execution) -> Message:
        event = {
            "eventType": "JOB",
            "timestamp": self._clock.seconds(),
            "operation": "completed",
            "jobId": execution.job_id,
            "status": "COMPLETED",
            "targetSelection": "CONTINUOUS",
            "targets": [f"{_ARN}:thinggroup/{execution.group}"],
            "completedAt": self._clock.seconds() * 1000,
        }
        return f"$aws/events/job/{execution.job_id}/completed", _json(event)

    def _entry(self, execution: _Execution) -> dict[str, object]:
        return {
            "jobId": execution.job_id,
            "queuedAt": execution.queued_at,
            "lastUpdatedAt": execution.updated_at,
            "executionNumber": 1,
            "versionNumber": execution.version,
        }

    def _message(self, levels: str, content: object) -> Message:
        return f"$aws/things/{self._name}/jobs/{levels}", _json(content)


def _document(execution: _Execution) -> dict[str, object]:
    return {
        "configurationArn": f"arn:aws:greengrass:us-east-1:000000000000:configuration:thinggroup/{execution.group}:1"
    }


def _json(content: object) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode()
