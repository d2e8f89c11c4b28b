"""A run after a long absence of the service: the broker has a large backlog, and the service drains all of it."""

import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from support.brokers import mosquitto, publish
from support.services import Service, running
from support.waiting import wait_until

from faults.reader import NoAnswerError, Reader

PEAK_MAXIMUM_MIB = 200
"""The limit of the service's resident memory."""

_MESSAGES_PER_JOB = 10
_CHUNK = 10_000
_DRAIN_SECONDS = 3600
_BASE_MS = 1_700_000_000_000


@dataclass(slots=True, kw_only=True)
class Drained:
    """The result of draining a backlog, with the problems."""

    messages: int
    jobs: int
    seconds: float = 0
    peak_mib: float = 0
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        figures = (
            f"{self.messages} queued messages of {self.jobs} jobs drained in {self.seconds:.0f} s "
            f"with a peak resident memory (VmHWM) of {self.peak_mib:.1f} MiB."
        )
        return "\n".join([figures, *(f"WRONG: {problem}" for problem in self.wrong)])


def drain(directory: Path, *, messages: int) -> Drained:
    """Queue messages while the service is stopped, start it, and judge its index and memory after the last message."""
    drained = Drained(messages=messages, jobs=-(-messages // _MESSAGES_PER_JOB))
    with mosquitto(directory) as broker:
        service = Service(directory, MQTT_URL=f"mqtt://127.0.0.1:{broker.port}")
        with running(service):
            pass  # now the broker has a session, and queues for it
        told = _notifications(drained)
        while chunk := list(islice(told, _CHUNK)):
            publish(broker.port, chunk)
        started = time.monotonic()
        with running(service):
            wait_until(lambda: service.metric("messages_applied_total") >= messages, "the last message", _DRAIN_SECONDS)
            drained.seconds = time.monotonic() - started
            drained.peak_mib = peak_mib(service)
            drained.wrong.extend(_wrong(drained, service))
    return drained


def peak_mib(service: Service) -> float:
    """Return the sum of the peak resident memory of a service's processes, in MiB (Linux)."""
    found = [re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text()) for pid in service.pids()]
    return sum(int(one[1]) for one in found if one is not None) / 1024


def _notifications(drained: Drained) -> Iterator[tuple[str, str]]:
    """Yield a jobs service's notifications: one for each job, then later ones for each."""
    for number in range(drained.messages):
        job = number % drained.jobs
        told = {
            "createdAt": _BASE_MS + job,
            "lastUpdatedAt": _BASE_MS + number,
            "status": "SCHEDULED" if number < drained.jobs else "IN_PROGRESS",
            "targetSelection": "SNAPSHOT",
            "description": "a notification of about 300 bytes with its topic " + "." * 60,
        }
        yield f"$aws/things/thing-{job}/jobs/job-{job}/notify-namespace-backlog", json.dumps(told)


def _wrong(drained: Drained, service: Service) -> list[str]:
    wrong = []
    if drained.peak_mib > PEAK_MAXIMUM_MIB:
        wrong.append(f"the service took more than {PEAK_MAXIMUM_MIB} MiB")
    try:
        answers = Reader(lambda: service.url, dict).all_jobs()
    except NoAnswerError:
        return [*wrong, "the service does not answer"]
    newest = {f"job-{number % drained.jobs}": _BASE_MS + number for number in range(drained.messages)}
    indexed = {job_id: round(answer["lastUpdatedAt"] * 1000) for job_id, answer in answers.items()}
    lost = [job_id for job_id, updated_at in newest.items() if indexed.get(job_id) != updated_at]
    if lost:
        wrong.append(f"{len(lost)} jobs miss their last message, for example {lost[0]}")
    if extra := indexed.keys() - newest.keys():
        wrong.append(f"{len(extra)} jobs were never reported, for example {min(extra)}")
    return wrong
