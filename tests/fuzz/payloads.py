"""Payloads: samples of AWS's documents and messages of fleets, broken; what is told must stand in them."""

import json
import math
import re
import tracemalloc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from enum import Enum
from pathlib import Path
from time import thread_time
from typing import Any

from fuzz import documents, topics
from fuzz.source import Source
from fuzz.target import Target, expect
from jobindex.errors import MessageError
from jobindex.messages.parsing import parse_message, told_by
from jobindex.messages.payloads import MAX_PAYLOAD_BYTES
from jobindex.model.jobs import Report

Message = tuple[str, bytes]

MEMBERS = (
    "timestamp",
    "jobs",
    "QUEUED",
    "IN_PROGRESS",
    "job",
    "execution",
    "executionState",
    "status",
    "jobId",
    "thingName",
    "thingArn",
    "jobArn",
    "targets",
    "targetSelection",
    "thingGroupId",
    "thingGroupName",
    "isConcurrent",
    "createdAt",
    "lastUpdatedAt",
    "completedAt",
    "queuedAt",
    "startedAt",
    "executionNumber",
    "versionNumber",
    "statusDetails",
    "jobDocument",
    "configurationArn",
    "description",
    "unknown",
    "",
)
_TIMES = {"timestamp", "createdAt", "lastUpdatedAt", "completedAt", "queuedAt", "startedAt"}
_NUMBERS = {"executionNumber", "versionNumber"}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST = datetime(2100, 1, 1, tzinfo=UTC)
_PATTERNS = {
    "job_id": re.compile(r"[a-zA-Z0-9_-]{1,64}"),
    "thing_name": re.compile(r"[a-zA-Z0-9:_-]{1,128}"),
    "namespace_id": re.compile(r"[a-zA-Z0-9_-]{1,128}"),
    "thing_group_name": re.compile(r"[a-zA-Z0-9:_-]{1,128}"),
    "thing_group_id": re.compile(r"[a-zA-Z0-9-]{1,128}"),
    "job_arn": re.compile(r"arn:[^\0]+"),
}
_SECONDS_MAXIMUM = 2.0
"""That a message may take, of a processor that does much else."""
_DEPTH = 5
"""How deep anything that is told stands at most."""
_MEMORY_FACTOR = 100
"""How many times a payload's own length it may take meanwhile."""


def _samples() -> Sequence[tuple[str, Any]]:
    paths = sorted((Path(__file__).parent.parent / "documents").iterdir())
    samples = [json.loads(path.read_text("utf-8")) for path in paths]
    return [(sample["topic"], sample["payload"]) for sample in samples]


SAMPLES = _samples()


@contextmanager
def opened() -> Iterator[Target[Message]]:
    """Open the target."""
    yield Target(make=make, check=check)


def make(source: Source) -> Message:
    """Make a message."""
    topic, payload = source.pick(SAMPLES)
    if source.happens(4):
        topic = topics.make_topic(source)
    payload = documents.broken(source, payload, MEMBERS)
    if source.happens(64):
        return topic, source.pick([b"", b"{}", b"[]", b"null", b"\xef\xbb\xbf{}", b" {} "])
    return topic, documents.encoded(source, payload, maximum=MAX_PAYLOAD_BYTES)


def check(message: Message) -> None:
    """Check what a message tells."""
    topic, payload = message
    reports = _parsed(topic, payload)
    if reports is None:
        told = told_by(topic, payload)
        expect(that=getattr(told, "payload", None) == payload, of="a message that is rejected is kept as it is")
        return
    expect(that=reports == _parsed(topic, payload), of="told twice, it tells something else")
    for report in reports:
        _check_domain(report)
    if not reports or not payload:
        return
    try:
        whole = json.loads(payload)
        same = json.dumps(_rewritten(whole)).encode()
    except RecursionError:
        return
    _check_told(topic, whole, reports)
    if len(same) <= MAX_PAYLOAD_BYTES:
        expect(that=reports == _parsed(topic, same), of="in another order it tells something else")


def _parsed(topic: str, payload: bytes) -> tuple[Report, ...] | None:
    """Return what a message tells, None where it cannot be understood; it must not take long."""
    is_long = len(payload) > MAX_PAYLOAD_BYTES // 2
    if is_long:
        tracemalloc.start()
    started = thread_time()
    try:
        return parse_message(topic, payload)
    except MessageError as error:
        expect(that=len(str(error)) < 1000 and str(error).isprintable(), of="what is wrong can be logged")
        return None
    finally:
        expect(that=thread_time() - started < _SECONDS_MAXIMUM, of="it takes too long")
        if is_long:
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            expect(that=peak < _MEMORY_FACTOR * len(payload), of=f"it takes {peak} bytes")


def _check_domain(report: Report) -> None:
    """Check that each member of a report is one that the index can keep."""
    for field in fields(report):
        value = getattr(report, field.name)
        match value:
            case None | bool():
                pass
            case datetime():
                is_whole = (value - _EPOCH) % timedelta(milliseconds=1) == timedelta(0)
                is_utc = value.utcoffset() == timedelta(0)
                expect(that=is_whole and is_utc and _EPOCH <= value <= _LAST, of=(field.name, value))
            case Enum():
                pass
            case int():
                expect(that=0 <= value < 2**63, of=(field.name, value))
            case str():
                pattern = _PATTERNS[field.name]
                expect(that=pattern.fullmatch(value) is not None and _is_text(value), of=(field.name, value))
            case tuple():
                are_names = all(_PATTERNS["thing_group_name"].fullmatch(name) for name in value)
                expect(that=are_names and list(value) == sorted(set(value)), of=value)
            case _:
                raise AssertionError((field.name, value))


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _check_told(topic: str, whole: Any, reports: Sequence[Report]) -> None:
    """Check that names are the topic's, and that times and numbers stand in the payload."""
    levels = topic.removesuffix("/").split("/")
    times, numbers = set(_milliseconds(whole)), set(_numbers(whole))
    namespaces = [level.partition("namespace-")[2] for level in levels[3:] if "namespace-" in level]
    expect(that=levels[1] != "things" or whole.get("thingName") in {None, levels[2]}, of="it names another thing")
    expect(that=levels[2] != "job" or whole.get("jobId") in {None, levels[3]}, of="it names another job")
    for report in reports:
        for field in fields(report):
            value = getattr(report, field.name)
            if isinstance(value, datetime):
                expect(that=(value - _EPOCH) // timedelta(milliseconds=1) in times, of=(field.name, value))
            elif isinstance(value, int) and not isinstance(value, bool | Enum):
                expect(that=value in numbers, of=(field.name, value))
            elif field.name == "namespace_id" and value is not None:
                expect(that=any(name.endswith(value) for name in namespaces), of=(field.name, value))
            elif field.name == "thing_name" and levels[1] == "things":
                expect(that=value == levels[2], of=(field.name, value))
            elif field.name == "job_id" and levels[1] == "events":
                expect(that=value == levels[3], of=(field.name, value))
            elif field.name == "job_id" and levels[-1].startswith("notify-namespace-") and len(levels) == 6:
                expect(that=value == levels[4], of=(field.name, value))


def _named(value: Any, names: set[str], depth: int = _DEPTH) -> Iterator[Any]:
    """Yield whatever stands under some names, as deep as anything is told."""
    if isinstance(value, dict) and depth:
        for name, member in value.items():
            if name in names:
                yield member
            yield from _named(member, names, depth - 1)
    elif isinstance(value, list) and depth:
        for item in value:
            yield from _named(item, names, depth - 1)


def _milliseconds(whole: Any) -> Iterator[int]:
    """Yield each time in a document, rounded down and up."""
    for value in _named(whole, _TIMES):
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e14:
            exact = value if value >= 1e11 else value * 1000
            yield from (math.floor(exact), math.ceil(exact))


def _numbers(whole: Any) -> Iterator[int]:
    yield from (value for value in _named(whole, _NUMBERS) if isinstance(value, int) and not isinstance(value, bool))


def _rewritten(whole: Any, depth: int = _DEPTH) -> Any:
    """Return the same document in another order, with members that mean nothing."""
    match whole:
        case dict() if depth:
            return {
                "aNewMember": [1e300, {"status": 1}],
                **{name: _rewritten(whole[name], depth - 1) for name in reversed(whole)},
            }
        case list() if depth:
            return [_rewritten(item, depth - 1) for item in whole]
        case _:
            return whole
