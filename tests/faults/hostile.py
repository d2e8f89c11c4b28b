"""A run beside a hostile publisher, which starts after half of the time. Nothing else is broken.

It may publish under one thing's topics, as fast as a broker lets it (`hostile_messages.py`). The fleet must not notice:
each of its messages is visible in time, answers take at most twice as long as before, the service's memory is bounded,
and no message of either is lost or refused by the database.
"""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles
from typing import Literal
from urllib.request import urlopen

from support.brokers import mosquitto
from support.postgresql_servers import server
from support.services import Service, running
from support.waiting import wait_until

from faults.backlog import peak_mib
from faults.fleet import VISIBLE_SECONDS, Fleet
from faults.hostile_publisher import USUAL_RATE, Hostile, Rate, publishing_hostile
from faults.reader import FAILED

PEAK_MAXIMUM_MIB = 300
"""The limit of the service's resident memory."""
SLOWER_MAXIMUM = 2
"""The limit of the p99 of the answers, as a multiple of the p99 without the hostile publisher."""

_FLEET_PER_SECOND = 40
_ASK_SECONDS = 0.05
_SETTLE_SECONDS = 120
_DATABASE = "jobindex"
_COUNTED = ("applied", "ignored", "rejected", "refused", "received", "redelivered")


@dataclass(slots=True, kw_only=True)
class Beside:
    """The counts and measurements of both halves of a run, and the problems."""

    messages: Mapping[str, int] = field(default_factory=dict)
    counted: Mapping[str, float] = field(default_factory=dict)
    slowest_seconds: float = 0
    answer_ms: dict[str, list[float]] = field(default_factory=lambda: {"without": [], "with": []})
    peak_mib: float = 0
    wrong: list[str] = field(default_factory=list)

    def p99_ms(self, half: str) -> float:
        """Return the 99th percentile of the answers' times."""
        return quantiles(self.answer_ms[half], n=100)[98]

    def __str__(self) -> str:
        lines = [
            "Messages: " + ", ".join(f"{name} {count}" for name, count in self.messages.items()),
            "Counted by the service: " + ", ".join(f"{name} {count:.0f}" for name, count in self.counted.items()),
            f"The slowest message of the fleet was visible after {self.slowest_seconds:.2f} s.",
            *(
                f"Answers {half} the hostile publisher: {len(times)}, "
                f"p99 {self.p99_ms(half):.1f} ms, slowest {max(times):.0f} ms"
                for half, times in self.answer_ms.items()
            ),
            f"Peak resident memory (VmHWM): {self.peak_mib:.1f} MiB.",
        ]
        return "\n".join([*lines, *(f"WRONG: {problem}" for problem in self.wrong)])


def run_beside_hostile(
    directory: Path,
    *,
    seed: int,
    seconds: float,
    kind: Literal["sqlite", "postgresql"] = "sqlite",
    rate: Rate = USUAL_RATE,
    slower_maximum: float = SLOWER_MAXIMUM,
    visible_seconds: float = VISIBLE_SECONDS,
) -> Beside:
    """Run the fleet, then also the hostile publisher; judge the measurements and the index."""
    beside = Beside()
    with mosquitto(directory) as broker, server() if kind == "postgresql" else nullcontext() as database:
        settings = {"MQTT_URL": f"mqtt://127.0.0.1:{broker.port}"}
        if database is not None:
            database.execute(f"CREATE DATABASE {_DATABASE}")
            settings["DATABASE_URL"] = database.url(_DATABASE)
        with running(Service(directory, **settings)) as service:
            fleet = Fleet(broker.port, messages_per_second=_FLEET_PER_SECOND)
            created = fleet.create()
            _wait_for(service, created)
            with fleet.reporting(service.url):
                with _asking(service.url, beside, "without"):
                    time.sleep(seconds / 2)
                hostile = publishing_hostile(
                    broker.port, seed=seed, fleet=[*fleet.job_ids, *fleet.gone_job_ids], rate=rate
                )
                with hostile as sent, _asking(service.url, beside, "with"):
                    time.sleep(seconds / 2)
            beside.messages = {
                "of the fleet": created + fleet.counts["sent"],
                "visible": fleet.counts["visible"],
                "of the hostile publisher": sent.messages,
                "bytes of the hostile publisher": sent.bytes,
            }
            _judge(beside, service, fleet, sent, created=created, slower=slower_maximum, visible=visible_seconds)
    return beside


def _judge(
    beside: Beside, service: Service, fleet: Fleet, hostile: Hostile, *, created: int, slower: float, visible: float
) -> None:
    _wait_for(service, created + fleet.counts["sent"] + hostile.messages)
    wait_until(lambda: "settling" not in service.readyz(), "the deferred work", _SETTLE_SECONDS)
    readyz = service.readyz()
    beside.counted = {name: service.metric(f"messages_{name}_total") for name in _COUNTED}
    beside.slowest_seconds = fleet.slowest_seconds
    beside.peak_mib = peak_mib(service)
    wrong = beside.wrong
    wrong.extend(fleet.wrong(service.url, visible_seconds=visible))
    if fleet.counts["acknowledged"] != fleet.counts["sent"]:
        wrong.append("the broker did not acknowledge every message of the fleet")
    if beside.counted["refused"]:
        wrong.append(f"the database refused {beside.counted['refused']:.0f} messages")
    if "setAside" in readyz:
        wrong.append(f"the database refuses deferred work: {readyz['setAside']}")
    if beside.peak_mib > PEAK_MAXIMUM_MIB:
        wrong.append(f"the service took more than {PEAK_MAXIMUM_MIB} MiB")
    if fleet.unanswered:
        wrong.append(f"{fleet.unanswered} requests for executions were not answered")
    if beside.p99_ms("with") > slower * beside.p99_ms("without"):
        wrong.append(f"the answers' p99 is more than {slower} times that without the hostile publisher")
    if "Traceback" in service.log():
        wrong.append(f"a traceback in the log: {service.log()[-3000:]}")


def _wait_for(service: Service, messages: int) -> None:
    """Wait until the service has processed so many messages; a timeout reports that some are missing."""

    def are_done() -> bool:
        done = sum(service.metric(f"messages_{name}_total") for name in ("applied", "ignored", "rejected"))
        return done >= messages

    wait_until(are_done, f"{messages} messages", _SETTLE_SECONDS)


@contextmanager
def _asking(url: str, beside: Beside, half: str) -> Iterator[None]:
    """Request pages and jobs continuously, and time the answers."""
    ending = threading.Event()
    paths = ("/jobs?maxResults=50", "/jobs?namespaceId=fleet&maxResults=50", "/jobs/fleet-0", "/things/idle-0/jobs")

    def ask() -> None:
        number, due = 0, time.monotonic()
        while not ending.wait(max(0, due - time.monotonic())):
            due = max(due + _ASK_SECONDS, time.monotonic())
            started = time.monotonic()
            path = paths[number % len(paths)]
            try:
                with urlopen(url + path, timeout=10) as answer:
                    answer.read()
            except FAILED as error:
                beside.wrong.append(f"{path} {half} the hostile publisher: {error!r}")
            beside.answer_ms[half].append((time.monotonic() - started) * 1000)
            number += 1

    thread = threading.Thread(target=ask, name="asker")
    thread.start()
    try:
        yield
    finally:
        ending.set()
        thread.join(15)
