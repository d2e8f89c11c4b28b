"""The normal fleet beside a hostile publisher: its things report executions, and each report must soon be visible.

A report is visible when the execution is listed with its time, or a later one. The hostile publisher may name the
fleet's jobs but not its things, so nobody else reports these executions.
"""

import json
import math
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from urllib.request import urlopen

from paho.mqtt.client import Client, MQTTMessageInfo
from paho.mqtt.enums import CallbackAPIVersion
from support.brokers import Message, publish

from faults.reader import FAILED

VISIBLE_SECONDS = 5
"""The limit, from the broker's acknowledgement until a message is visible."""

_JOBS = 20
_GONE_JOBS = 5
_IDLE_THINGS = 300
_LIVE_THINGS = 5
_LOOK_SECONDS = 0.25
_STEP_SECONDS = 0.005
_END_SECONDS = 60
_CHUNK = 2000
_QUEUED_AT = 1_700_000_000_000

Key = tuple[str, str]
"""A thing and a job."""


class Fleet:
    """Jobs that each run on many things; a few of the things are live, and report continuously."""

    def __init__(self, port: int, *, messages_per_second: float) -> None:
        self.job_ids = [f"fleet-{number}" for number in range(_JOBS)]
        self.gone_job_ids = [f"gone-{number}" for number in range(_GONE_JOBS)]
        self.counts: Counter[str] = Counter()
        self.slowest_seconds = 0.0
        self.unanswered = 0
        self._port = port
        self._seconds = 1 / messages_per_second
        self._live = [f"live-{number}" for number in range(_LIVE_THINGS)]
        self._lock = threading.Lock()
        self._reported: dict[Key, int] = {}
        self._waiting: dict[Key, dict[int, float | None]] = {
            (thing, job_id): {} for thing in self._live for job_id in self.job_ids
        }
        """The reports that are not visible yet: the time of each acknowledgement, by the time of the report."""

    def create(self) -> int:
        """Publish the jobs with their executions; return the number of messages."""
        messages = self._first_messages()
        count = 0
        while chunk := list(islice(messages, _CHUNK)):
            publish(self._port, chunk)
            count += len(chunk)
        return count

    @contextmanager
    def reporting(self, url: str) -> Iterator[None]:
        """Report, and poll for the reports, while the context is open, and then until all are visible."""
        ending, published = threading.Event(), threading.Event()
        threads = [
            threading.Thread(target=self._report, args=(ending, published), name="fleet"),
            threading.Thread(target=self._look, args=(url, published), name="look"),
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            ending.set()
            for thread in threads:
                thread.join()

    def wrong(self, url: str, *, visible_seconds: float) -> list[str]:
        """Return the problems once no message is in flight; every message must have been visible in this time."""
        wrong = []
        if self.slowest_seconds > visible_seconds:
            wrong.append(
                f"the slowest message was visible after {self.slowest_seconds:.1f} s, more than {visible_seconds} s"
            )
        if lost := sum(map(len, self._waiting.values())):
            wrong.append(f"{lost} messages are not visible")
        for thing in self._live:
            listed = _executions(url, thing)
            wrong.extend(
                f"{job_id} on {thing} is not as reported last: {listed.get(job_id)}"
                for job_id in self.job_ids
                if listed.get(job_id) != self._reported[thing, job_id]
            )
        return wrong

    def _first_messages(self) -> Iterator[Message]:
        things = [*(f"idle-{number}" for number in range(_IDLE_THINGS)), *self._live]
        for job_id in (*self.job_ids, *self.gone_job_ids):
            for thing in things if job_id in self.job_ids else things[:_IDLE_THINGS]:
                self._reported[thing, job_id] = _QUEUED_AT
                yield _report(thing, job_id, _QUEUED_AT)
        for job_id in self.gone_job_ids:
            yield f"$aws/events/job/{job_id}/deleted", json.dumps({"timestamp": _QUEUED_AT + 1000})

    def _report(self, ending: threading.Event, published: threading.Event) -> None:
        client = Client(CallbackAPIVersion.VERSION2)
        client.connect("127.0.0.1", self._port)
        client.loop_start()
        keys = [*self._waiting]
        sent: deque[tuple[MQTTMessageInfo, Key, int]] = deque()
        due, reported_at = time.monotonic(), 0
        end = math.inf
        while (not ending.is_set() or sent) and time.monotonic() < end:
            if ending.wait(_STEP_SECONDS):
                end = min(end, time.monotonic() + _END_SECONDS)
                time.sleep(_STEP_SECONDS)
            elif time.monotonic() >= due:
                key = keys[self.counts["sent"] * 7 % len(keys)]
                reported_at = max(round(time.time() * 1000), reported_at + 1)
                with self._lock:
                    self._waiting[key][reported_at] = None
                    self._reported[key] = reported_at
                sent.append((client.publish(*_report(*key, reported_at), 1), key, reported_at))
                self.counts["sent"] += 1
                due += self._seconds
            while sent and sent[0][0].is_published():
                self._note_acknowledged(*sent.popleft()[1:])
        client.disconnect()
        client.loop_stop()
        published.set()

    def _note_acknowledged(self, key: Key, reported_at: int) -> None:
        with self._lock:
            self.counts["acknowledged"] += 1
            if reported_at in self._waiting[key]:
                self._waiting[key][reported_at] = time.monotonic()

    def _look(self, url: str, published: threading.Event) -> None:
        """Poll until all reports are visible, or one has been late for long."""
        end = None
        while end is None or (time.monotonic() < end and any(self._waiting.values())):
            if published.wait(_LOOK_SECONDS) and end is None:
                end = time.monotonic() + _END_SECONDS
            for thing in self._live:
                try:
                    listed = _executions(url, thing)
                except FAILED:
                    self.unanswered += 1
                    continue
                self._note_visible(thing, listed)

    def _note_visible(self, thing: str, listed: Mapping[str, int]) -> None:
        now = time.monotonic()
        with self._lock:
            for job_id in self.job_ids:
                waiting = self._waiting[thing, job_id]
                for reported_at in [one for one in waiting if one <= listed.get(job_id, 0)]:
                    acknowledged_at = waiting.pop(reported_at)
                    seconds = 0 if acknowledged_at is None else now - acknowledged_at
                    self.slowest_seconds = max(self.slowest_seconds, seconds)
                    self.counts["visible"] += 1


def _report(thing: str, job_id: str, reported_at: int) -> Message:
    execution = {
        "status": "QUEUED" if reported_at == _QUEUED_AT else "IN_PROGRESS",
        "queuedAt": _QUEUED_AT,
        "lastUpdatedAt": reported_at,
        "executionNumber": 1,
    }
    return f"$aws/things/{thing}/jobs/{job_id}/notify-namespace-fleet", json.dumps({"execution": execution})


def _executions(url: str, thing: str) -> Mapping[str, int]:
    """Return the time of each execution's last update, in milliseconds, by job."""
    with urlopen(f"{url}/things/{thing}/jobs?maxResults=250", timeout=10) as answer:
        listed = json.load(answer)["executionSummaries"]
    return {one["jobId"]: round(one["jobExecutionSummary"]["lastUpdatedAt"] * 1000) for one in listed}
