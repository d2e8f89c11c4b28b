"""Payloads: samples of AWS's documents and messages of fleets, broken; every report must come from its payload."""

import json
import math
import re
import tracemalloc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import thread_time
from typing import Any

from fuzz import documents, topics
from fuzz.source import Source
from fuzz.target import Target, expect
from jobindex.errors import MessageError
from jobindex.messages.parsing import Parser
from jobindex.messages.payloads import MAX_PAYLOAD_BYTES
from jobindex.model.job import REGISTERS
from jobindex.model.reports import (
    NO_NUMBER,
    UNTIMED,
    ExecutionReport,
    JobDeletion,
    JobReport,
    PendingListReport,
    Report,
    ThingGroupReport,
)

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
    "comment",
    "reasonCode",
    "jobProcessDetails",
    "numberOfFailedThings",
    "inProgressJobs",
    "queuedJobs",
    "deploymentId",
    "deploymentName",
    "unknown",
    "",
)
_TIMES = {"timestamp", "createdAt", "lastUpdatedAt", "completedAt", "queuedAt", "startedAt"}
_NUMBERS = {"executionNumber", "versionNumber"}
NOW = 1_795_478_400_000
"""The arrival of every message, in milliseconds."""
_LATEST = NOW + 24 * 60 * 60 * 1000
_PATTERNS = {
    "job_id": re.compile(r"[a-zA-Z0-9_-]{1,64}"),
    "thing_name": re.compile(r"[a-zA-Z0-9:_-]{1,128}"),
    "namespace_id": re.compile(r"[a-zA-Z0-9_-]{1,128}"),
    "thing_group_name": re.compile(r"[a-zA-Z0-9:_-]{1,128}"),
    "thing_group_id": re.compile(r"[a-zA-Z0-9-]{1,128}"),
    "job_arn": re.compile(r"arn:[^\0]+"),
}
_DETAILS_BYTES = 16 * 1024
_SECONDS_MAXIMUM = 2.0
"""The limit for a message, in seconds of a busy processor."""
_DEPTH = 5
"""The greatest depth of a reported value."""
_MEMORY_FACTOR = 100
"""The limit of a payload's memory, as a multiple of its length."""


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
    """Check the reports of a message."""
    topic, payload = message
    reports = _parsed(topic, payload)
    if reports is None:
        told = Parser().parse(topic, payload, NOW)
        expect(that=getattr(told, "payload", None) == payload, of="a rejected message is not stored unchanged")
        return
    expect(that=reports == _parsed(topic, payload), of="the second parse returns other reports")
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
        expect(that=reports == _parsed(topic, same), of="another order of the members changes the reports")


def _parsed(topic: str, payload: bytes) -> tuple[Report, ...] | None:
    """Return the reports of a message, within a limit of time. None if it is rejected."""
    is_long = len(payload) > MAX_PAYLOAD_BYTES // 2
    if is_long:
        tracemalloc.start()
    started = thread_time()
    try:
        return Parser().parse_message(topic, payload, NOW)
    except MessageError as error:
        expect(that=len(str(error)) < 1000 and str(error).isprintable(), of="the error cannot be logged")
        return None
    finally:
        expect(that=thread_time() - started < _SECONDS_MAXIMUM, of="it takes too long")
        if is_long:
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            expect(that=peak < _MEMORY_FACTOR * len(payload), of=f"it takes {peak} bytes")


def _check_domain(report: Report) -> None:  # noqa: C901 (a branch for each kind of report)
    """Check that the index can store each member of a report."""
    match report:
        case JobReport():
            for time in (report.time, report.earliest_at, report.latest_at, report.published_at * 1000):
                _check_time(time)
            expect(that=report.earliest_at <= max(report.time, report.earliest_at), of=report)
            expect(that=report.members.keys() <= {*REGISTERS}, of=report.members)
            for name, value in report.members.items():
                _check_value(name, value)
        case JobDeletion():
            _check_time(report.time)
            _check_time(report.published_at * 1000)
        case ExecutionReport():
            for known in (report.time, report.heard_at * 1000, report.queued_at, report.started_at):
                _check_time(UNTIMED if known is None else known)
            _check_number(report.execution_number)
            _check_number(report.version_number)
            details = report.status_details
            if details is not None:
                told = json.loads(details)
                expect(that=bool(told) and {*map(type, told.values())} == {str}, of=details)
                expect(that=list(told) == sorted(told) and len(details.encode()) <= _DETAILS_BYTES, of=details)
        case PendingListReport():
            _check_time(report.listed_at * 1000)
            for entry in report.entries:
                _check_value("job_id", entry.job_id)
                _check_time(entry.queued_second * 1000)
                _check_number(None if entry.execution_number == NO_NUMBER else entry.execution_number)
            expect(that=report.last_entry is None or not report.entries, of=report)
            expect(that=len(report.entries) < 10, of=report)
        case ThingGroupReport():
            pass
    for pattern in _PATTERNS:
        named = getattr(report, pattern, None)
        if named is not None:
            _check_value(pattern, named)


def _check_value(name: str, value: object) -> None:
    match value:
        case int():
            expect(that=0 <= value < 2**63, of=(name, value))
        case str():
            pattern = _PATTERNS.get(name)
            expect(that=pattern is None or pattern.fullmatch(value) is not None, of=(name, value))
            expect(that=_is_text(value) and len(value) <= MAX_PAYLOAD_BYTES, of=(name, value))
        case _:
            raise AssertionError((name, value))


def _check_time(milliseconds: int) -> None:
    is_time = type(milliseconds) is int and 0 <= milliseconds <= _LATEST
    expect(that=is_time or -1000 <= milliseconds <= UNTIMED, of=milliseconds)


def _check_number(number: int | None) -> None:
    expect(that=number is None or (type(number) is int and 0 <= number < 2**63), of=number)


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _check_told(topic: str, whole: Any, reports: Sequence[Report]) -> None:
    """Check that names come from the topic, and times and numbers from the payload."""
    levels = topic.removesuffix("/").split("/")
    times, numbers = {UNTIMED, *_milliseconds(whole)}, {None, NO_NUMBER, *_numbers(whole)}
    seconds = {time // 1000 for time in times}
    are_texts = any(isinstance(value, str) for value in _named(whole, _TIMES))
    namespaces = [level.partition("namespace-")[2] for level in levels[3:] if "namespace-" in level]
    expect(that=levels[1] != "things" or whole.get("thingName") in {None, levels[2]}, of="it names another thing")
    expect(that=levels[2] != "job" or whole.get("jobId") in {None, levels[3]}, of="it names another job")
    for report in reports:
        expect(that=are_texts or times >= {*_times_of(report)}, of=(report, "its times"))
        expect(that=are_texts or seconds >= {*_seconds_of(report)}, of=(report, "its seconds"))
        if isinstance(report, ExecutionReport):
            expect(that={report.execution_number, report.version_number} <= numbers, of=(report, "its numbers"))
        if isinstance(report, JobReport | PendingListReport):
            namespace_id = report.members.get("namespace_id") if isinstance(report, JobReport) else report.namespace_id
            is_there = namespace_id is None or any(name.endswith(str(namespace_id)) for name in namespaces)
            expect(that=is_there, of=(report, "its namespace"))
        if isinstance(report, ExecutionReport | PendingListReport) and levels[1] == "things":
            expect(that=report.thing_name == levels[2], of=report)
        if isinstance(report, JobReport | JobDeletion | ExecutionReport):
            is_of_topic = levels[1] == "events" or (levels[-1].startswith("notify-namespace-") and len(levels) == 6)
            expect(that=not is_of_topic or report.job_id == levels[3 if levels[1] == "events" else 4], of=report)


def _times_of(report: Report) -> Iterator[int]:
    """Yield the times of a report, in milliseconds."""
    match report:
        case JobReport():
            yield from (report.time, report.earliest_at, report.latest_at)
            yield from (int(value) for name, value in report.members.items() if name in {"created_at", "completed_at"})
        case JobDeletion():
            yield report.time
        case ExecutionReport():
            yield from (time for time in (report.time, report.queued_at, report.started_at) if time is not None)


def _seconds_of(report: Report) -> Iterator[int]:
    """Yield the times of a report that are whole seconds."""
    match report:
        case JobReport() | JobDeletion():
            yield report.published_at
        case ExecutionReport():
            yield report.heard_at
        case PendingListReport():
            yield report.listed_at
            yield from (entry.queued_second for entry in report.entries)


def _named(value: Any, names: set[str], depth: int = _DEPTH) -> Iterator[Any]:
    """Yield the members with some names, down to the depth of reported values."""
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
    """Return the same document in another order, with additional unknown members."""
    match whole:
        case dict() if depth:
            return {
                "aNewMember": [1e300, {"status": 1}],
                **{name: _reordered(whole[name], name, depth - 1) for name in reversed(whole)},
            }
        case list() if depth:
            return [_rewritten(item, depth - 1) for item in whole]
        case _:
            return whole


def _reordered(value: Any, name: str, depth: int) -> Any:
    """Return a member in another order; statusDetails are texts, whatever their names."""
    if name == "statusDetails" and isinstance(value, dict):
        return {inner: value[inner] for inner in reversed(value)}
    return _rewritten(value, depth)
