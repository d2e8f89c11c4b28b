"""The lives of jobs, as messages: each job has a thing and a group of its own, so that it can be judged by itself.

Even if messages of a life are lost or late, the index's answer for its job only moves forward: the times and ranks of a
life grow together. A lower rank is only inferred, or reported earlier.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from random import Random

Message = tuple[str, Mapping[str, object]]

PROBES = "probe"
"""The namespace of the jobs that only show the progress of the index."""

_NAMESPACES = ("fleet", "next-fleet", None)
_BASE_MS = 1_700_000_000_000
_APART_MS = 100
_ARN = "arn:aws:iot:us-east-1:123456789012"


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """A job's messages in order."""

    job_id: str
    messages: tuple[Message, ...]


def lives(random: Random) -> Iterator[Life]:
    """Yield an endless stream of lives."""
    number = 0
    while True:
        number += 1
        yield _life(random, number)


def probe(number: int) -> Life:
    """Return a life of one message, in a namespace of its own."""
    topic = f"$aws/things/{PROBES}/jobs/{PROBES}-{number}/notify-namespace-{PROBES}"
    return Life(job_id=f"{PROBES}-{number}", messages=((topic, {"job": {"createdAt": _BASE_MS + number}}),))


def encode(content: Mapping[str, object], number: int) -> bytes:
    """Return a message's payload, with its number in a member that only helps to trace losses."""
    return json.dumps({**content, "number": number}).encode()


def _life(random: Random, number: int) -> Life:
    moment = _BASE_MS + number * _APART_MS

    def tick() -> int:
        nonlocal moment
        moment += random.randint(1, 4000)
        return moment

    story = random.choice([_executed, _executed, _told])
    messages = list(story(random, f"job-{number}", number, tick))
    if random.random() < 0.4:
        messages = messages[: random.randint(1, len(messages))]
    elif random.random() < 0.4:
        messages += _deleted(random, f"job-{number}", number, tick)
    in_seconds = random.random() < 0.5
    return Life(
        job_id=f"job-{number}",
        messages=tuple((topic, _in_seconds(content) if in_seconds else content) for topic, content in messages),
    )


def _executed(random: Random, job_id: str, number: int, tick: Callable[[], int]) -> Iterator[Message]:
    """Yield the messages about a job's only execution, from queued to the end, and at last a job event."""
    namespace_id = random.choice(_NAMESPACES)
    jobs = f"$aws/things/thing-{number}/jobs"
    suffix = f"-namespace-{namespace_id}" if namespace_id else ""
    level = f"namespace-{namespace_id}/" if namespace_id else ""
    queued_at = tick()
    queued = {"jobId": job_id, "queuedAt": queued_at, "lastUpdatedAt": queued_at, "versionNumber": 1}
    yield f"{jobs}/notify{suffix}", {"timestamp": tick(), "jobs": {"QUEUED": [queued]}}
    following = {**queued, "status": "QUEUED", "executionNumber": 1, "jobDocument": {"x": "y" * random.randint(1, 900)}}
    yield f"{jobs}/notify-next{suffix}", {"timestamp": tick(), "execution": following}
    started_at = tick()
    state = {"status": "IN_PROGRESS", "versionNumber": 2}
    yield f"{jobs}/{job_id}/{level}update/accepted", {"timestamp": started_at, "executionState": state}
    started = {**queued, "startedAt": started_at, "lastUpdatedAt": started_at, "versionNumber": 2}
    yield f"{jobs}/notify{suffix}", {"timestamp": tick(), "jobs": {"IN_PROGRESS": [started]}}
    operation = random.choice(["succeeded", "failed", "canceled"])
    if random.random() < 0.7:  # otherwise only the empty list shows that it has ended
        event = {"thingArn": f"{_ARN}:thing/thing-{number}", "timestamp": tick()}
        yield f"$aws/events/jobExecution/{job_id}/{operation}", event
    yield f"{jobs}/notify{suffix}", {"timestamp": tick(), "jobs": {}}
    ended = {"targetSelection": "SNAPSHOT", "createdAt": queued_at, "lastUpdatedAt": tick(), "completedAt": tick()}
    job_operation = "canceled" if operation == "canceled" else "completed"
    yield f"$aws/events/job/{job_id}/{job_operation}", {"timestamp": tick(), **ended}


def _told(random: Random, job_id: str, number: int, tick: Callable[[], int]) -> Iterator[Message]:
    """Yield a custom jobs service's messages about a job for a thing group."""
    topic = f"$aws/things/thing-{number}/jobs/{job_id}/notify-namespace-{random.choice(_NAMESPACES) or 'fleet'}"
    created_at = tick()
    members: dict[str, object] = {
        "createdAt": created_at,
        "targetSelection": random.choice(["SNAPSHOT", "CONTINUOUS"]),
        "isConcurrent": random.random() < 0.5,
        "thingGroupName": f"group-{number}",
        "description": "z" * random.randint(1, 900),
    }
    yield topic, {"job": {**members, "status": "SCHEDULED", "lastUpdatedAt": tick()}}
    group = {"thingGroupId": f"{number:08d}-0000-0000-0000-000000000000", "timestamp": tick()}
    yield f"$aws/events/thingGroup/group-{number}/created", group
    yield topic, {**members, "status": "IN_PROGRESS", "lastUpdatedAt": tick()}
    if random.random() < 0.5:
        yield f"$aws/events/job/{job_id}/cancellation_in_progress", {"lastUpdatedAt": tick()}
        yield f"$aws/events/job/{job_id}/canceled", {"lastUpdatedAt": tick(), "completedAt": tick()}
    else:
        yield f"$aws/events/job/{job_id}/completed", {"lastUpdatedAt": tick(), "completedAt": tick()}


def _deleted(random: Random, job_id: str, number: int, tick: Callable[[], int]) -> Iterator[Message]:
    """Yield a job's deletion, and sometimes a later job with the same id."""
    yield f"$aws/events/job/{job_id}/deletion_in_progress", {"timestamp": tick()}
    yield f"$aws/events/job/{job_id}/deleted", {"timestamp": tick()}
    if random.random() < 0.4:
        topic = f"$aws/things/thing-{number}/jobs/{job_id}/notify-namespace-{random.choice(_NAMESPACES) or 'fleet'}"
        yield topic, {"job": {"createdAt": tick(), "status": "SCHEDULED", "targetSelection": "SNAPSHOT"}}


def _in_seconds(content: Mapping[str, object]) -> dict[str, object]:
    """Return content with its times in seconds."""
    return {name: _value_in_seconds(value) for name, value in content.items()}


def _value_in_seconds(value: object) -> object:
    if isinstance(value, dict):
        return _in_seconds(value)
    if isinstance(value, list):
        return [_value_in_seconds(item) for item in value]
    if type(value) is int and value >= _BASE_MS:
        return value / 1000
    return value
