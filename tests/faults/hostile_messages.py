"""The messages of a hostile publisher, limited to one thing's topics: any job, any namespace, any payload.

It names the fleet's jobs as well as its own. One seed determines everything but the times, which stay near the clock:
the service rejects times more than 24 hours ahead.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from random import Random

Packet = tuple[str, bytes]

THING = "hostile"

_JOBS = 20_000
_NAMESPACES = 20_000
_GROUPS = 2000
_DAY_MS = 24 * 60 * 60 * 1000
_STATUSES = ("SCHEDULED", "IN_PROGRESS", "COMPLETED", "CANCELED", "DELETION_IN_PROGRESS", "CANCELLATION_IN_PROGRESS")
_EXECUTION_STATUSES = ("QUEUED", "IN_PROGRESS", "SUCCEEDED", "FAILED", "TIMED_OUT", "REJECTED", "REMOVED", "CANCELED")
_NUMBERS = (0, 1, 2, 7, 2**31, 2**53 + 1, 2**63 - 1, 2**63, 2**64, -1, 1e308, 1.5, "1", True)
_TEXTS = (
    "",
    "\0",
    "a\0b",
    "\U0001f600" * 500,
    "x" * 2028,
    "x" * 5000,
    "\u202e\ufffe",
    "'; DROP TABLE jobs; --",
    "%()b",
)
LONGEST = 128 * 1024
"""The largest payload that AWS's broker accepts, in bytes."""
_RAW = (
    b"",
    b"{",
    b"null",
    b"[]",
    b"\xff\xfe{}",
    b'{"status":"\\ud800"}',
    b'{"job":{"description":"\\ud83d"}}',
    b'{"comment":"\\u0000"}',
    b'{"lastUpdatedAt":1e400}',
    b'{"lastUpdatedAt":NaN}',
    b'{"status":"COMPLETED","status":"SCHEDULED"}',
    b"[" * 100_000,
    b'{"a":' * 1000 + b"1" + b"}" * 1000,
    b'{"statusDetails":' * 20_000,
    b'{"timestamp":' + b"9" * 5000 + b"}",
    b"\0" * 1000,
)


def hostile_messages(random: Random, fleet: Sequence[str]) -> Iterator[Packet]:
    """Yield an endless stream of messages; `fleet` are the ids of other publishers' jobs."""
    kinds = {_job: 30, _list: 20, _empty_list: 15, _execution: 20, _raw: 8, _topic: 4, _future: 2, _large: 0.04}
    of = _Names(random, fleet)
    while True:
        [kind] = random.choices([*kinds], [*kinds.values()])
        yield kind(random, of)


class _Names:
    """The names in the messages."""

    def __init__(self, random: Random, fleet: Sequence[str]) -> None:
        self._random = random
        self._fleet = fleet

    def job(self) -> str:
        """Return the id of a job of the fleet, or of a job of its own."""
        return self._random.choice(self._fleet) if self._random.random() < 0.4 else self._own(_JOBS)

    def namespace(self) -> str:
        """Return a namespace: the fleet's, or one of very many, some of the maximum length."""
        if self._random.random() < 0.3:
            return "fleet"
        return _long(self._random.randrange(_NAMESPACES))

    def group(self) -> str:
        """Return the name of a thing group."""
        return f"group-{self._random.randrange(_GROUPS)}"

    def _own(self, count: int) -> str:
        return f"own-{self._random.randrange(count)}"


@cache
def _long(number: int) -> str:
    return f"n{number}" if number % 4 else f"n{number}-".ljust(128, "x")


def _now(random: Random) -> int:
    """Return a time in milliseconds: now, long ago, or up to the limit ahead."""
    now = round(time.time() * 1000)
    return random.choice((now, now, now - random.randrange(10**10), now + random.randrange(_DAY_MS), now + _DAY_MS))


def _topic_of(level: str) -> str:
    return f"$aws/things/{THING}/jobs/{level}"


def _encoded(content: Mapping[str, object]) -> bytes:
    return json.dumps(content).encode()


def _job(random: Random, of: _Names) -> Packet:
    """Report a job with random registers: its status, creation, groups and namespace change all the time."""
    now = _now(random)
    members: dict[str, object] = {"lastUpdatedAt": now, "status": random.choice(_STATUSES)}
    optional: Mapping[str, Callable[[], object]] = {
        "createdAt": lambda: now - random.randrange(10**9),
        "completedAt": lambda: now,
        "targetSelection": lambda: random.choice(("SNAPSHOT", "CONTINUOUS")),
        "isConcurrent": lambda: random.random() < 0.5,
        "thingGroupName": of.group,
        "thingGroupId": lambda: f"{random.randrange(_GROUPS):08d}-0000-0000-0000-000000000000",
        "description": lambda: random.choice(_TEXTS),
        "comment": lambda: random.choice(_TEXTS),
        "jobArn": lambda: "arn:aws:iot:r:a:job/" + random.choice(_TEXTS),
        "jobProcessDetails": lambda: {"numberOfFailedThings": random.choice(_NUMBERS)},
        "targets": lambda: [f"arn:aws:iot:r:a:thinggroup/{of.group()}" for _ in range(random.choice((1, 3, 100, 101)))],
    }
    for name, make in optional.items():
        if random.random() < 0.25:
            members[name] = make()
    return _topic_of(f"{of.job()}/notify-namespace-{of.namespace()}"), _encoded({"job": members})


def _list(random: Random, of: _Names) -> Packet:
    """List pending executions, sometimes as many as fit in a payload."""
    longest = random.choices((1, 9, 10, 100, 10_000), (10, 10, 10, 10, 1))[0]
    entries, size = [], 0
    for _ in range(longest):
        entry: dict[str, object] = {"jobId": of.job()}
        if random.random() < 0.7:
            entry |= {"queuedAt": _now(random), "executionNumber": random.randrange(3)}
        size += len(_encoded(entry)) + 2
        if size > LONGEST - 100:
            break
        entries.append(entry)
    content = {"timestamp": _now(random), "jobs": {random.choice(("QUEUED", "IN_PROGRESS")): entries}}
    return _topic_of(_list_level(random, of)), _encoded(content)


def _empty_list(random: Random, of: _Names) -> Packet:
    """Report an empty list: all pending executions have ended."""
    return _topic_of(_list_level(random, of)), _encoded({"timestamp": _now(random), "jobs": {}})


def _list_level(random: Random, of: _Names) -> str:
    return "notify" if random.random() < 0.3 else f"notify-namespace-{of.namespace()}"


def _execution(random: Random, of: _Names) -> Packet:
    """Report an execution with random attempts, ends and numbers."""
    job_id, now = of.job(), _now(random)
    status = random.choice(_EXECUTION_STATUSES)
    content: dict[str, object] = {"jobId": job_id, "status": status, "lastUpdatedAt": now}
    if random.random() < 0.6:
        content["queuedAt"] = now - random.randrange(10**6)
    for name in ("executionNumber", "versionNumber"):
        if random.random() < 0.5:
            content[name] = random.choice(_NUMBERS) if random.random() < 0.1 else random.randrange(40)
    if random.random() < 0.3:
        details = {f"key-{number}": random.choice(_TEXTS) for number in range(random.choice((1, 5, 20)))}
        content["statusDetails"] = details if random.random() < 0.9 else [1]
    if random.random() < 0.2:
        arn = f"arn:aws:greengrass:r:a:configuration:thinggroup/{of.group()}:{random.randrange(9)}"
        content["jobDocument"] = {"configurationArn": arn, "deploymentName": random.choice(_TEXTS)}
    whole = {"timestamp": now, "execution": content}
    forms = (
        (f"{job_id}/get/accepted", whole),
        (f"{job_id}/namespace-{of.namespace()}/get/accepted", whole),
        (f"notify-next-namespace-{of.namespace()}", whole),
        (f"{job_id}/update/accepted", {"timestamp": now, "executionState": content}),
        (f"{job_id}/update/rejected", {"timestamp": now, "executionState": content}),
        (f"{job_id}/notify-namespace-{of.namespace()}", {"execution": content}),
    )
    level, payload = random.choice(forms)
    return _topic_of(level), _encoded(payload)


def _raw(random: Random, of: _Names) -> Packet:
    """Send a payload that is not JSON, not UTF-8, deeply nested, or too large."""
    level = random.choice((f"{of.job()}/notify-namespace-{of.namespace()}", "notify", "notify-next", "get/accepted"))
    return _topic_of(level), random.choice(_RAW)


def _topic(random: Random, of: _Names) -> Packet:
    """Publish to topics with names that are invalid, too long, or empty."""
    forms = (
        f"{of.job()}/notify-namespace-{'n' * 129}",
        f"{of.job()}/notify-namespace-{'n' * 20_000}",
        f"{'j' * 65}/notify-namespace-fleet",
        "/notify-namespace-",
        "notify-namespace-",
        f"{of.job()}/notify-namespace-\u00e9\U0001f600",
        "$next/namespace-/get/accepted",
        "/" * 100,
        f"{of.job()}/update",
    )
    return _topic_of(random.choice(forms)), b"{}"


def _future(random: Random, of: _Names) -> Packet:
    """Report a job with a time too far ahead: by seconds, by a year, or by centuries."""
    ahead = random.choice((_DAY_MS + random.randrange(60_000), 400 * _DAY_MS, 10**13))
    return (
        _topic_of(f"{of.job()}/notify-namespace-{of.namespace()}"),
        _encoded({"job": {"lastUpdatedAt": round(time.time() * 1000) + ahead}}),
    )


def _large(random: Random, of: _Names) -> Packet:
    """Send a payload at or above the limit of AWS's broker."""
    size = random.choice((LONGEST, LONGEST + 1, 1_000_000, 20_000_000))
    return _topic_of(f"{of.job()}/notify-namespace-{of.namespace()}"), b'{"x":"' + b"y" * (size - 8) + b'"}'
