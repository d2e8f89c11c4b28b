"""Two runs with one long fault: the broker is silent, or the disk is full. Reads continue."""

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from support.services import running
from support.waiting import wait_until

from faults.asker import SLOW_MS, Answers, asking
from faults.bench import publishing, settle
from faults.site import LoggedService, open_site

_RECOVERY_SECONDS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Steadiness:
    """The answers of the service in each part of a run, and the problems."""

    slow_ms: float
    """The limit for every answer."""
    answers: dict[str, Answers] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        lines = [f"While {during}: {answers}" for during, answers in self.answers.items()]
        verdict = [f"WRONG: {problem}" for problem in self.wrong] or ["Nothing was lost, and no answer was late."]
        return "\n".join([*lines, *verdict])


def stay_through_silence(directory: Path, *, seed: int, seconds: float, slow_ms: float = SLOW_MS) -> Steadiness:
    """Drop the traffic with the broker: on an open connection, on a new one, and before one can be opened.

    The first part lasts `seconds`, the others a third of that each.
    """
    found = Steadiness(slow_ms=slow_ms)
    with open_site(directory, Random(seed), messages_per_second=100) as site, ExitStack() as stack:
        with publishing(site, reading=False):
            site.probe(_RECOVERY_SECONDS)
            with site.proxy.stalling():
                _ask(found, site.service, "its connection is silent", seconds)
                site.service.kill()
                site.service.start_only()
                _ask(found, site.service, "the broker accepts its connection and is silent", seconds / 3)
            verdict = settle(site)
        site.service.kill()
        port = stack.enter_context(unreachable_port())
        lone = LoggedService(directory / "lone", site.service.database, port)
        with running(lone, until="connecting"):
            _ask(found, lone, "the broker is out of reach", seconds / 3)
    found.wrong.extend(verdict.wrong)
    return found


def stay_on_full_disk(directory: Path, *, seed: int, seconds: float, slow_ms: float = SLOW_MS) -> Steadiness:
    """Fill the disk while messages flow: reads are answered, and all messages are written once there is room again."""
    found = Steadiness(slow_ms=slow_ms)
    with open_site(directory, Random(seed), messages_per_second=100) as site:
        process = site.service.process
        assert process is not None
        with publishing(site, reading=False):
            site.probe(_RECOVERY_SECONDS)
            failed = site.service.metric("commits_failed_total")
            with site.disk.full(site.service.pids()):
                _ask(found, site.service, "the disk is full", seconds)
                if site.service.metric("commits_failed_total") == failed:
                    found.wrong.append("the disk was never too full")
            verdict = settle(site)
        if process.poll() is not None:
            found.wrong.append("the service has ended")
        found.wrong.extend([*verdict.wrong, *site.wrong, *site.reader.wrong])
    return found


@contextmanager
def unreachable_port() -> Iterator[int]:
    """Yield a port on loopback whose queue of connections is full: the kernel drops new ones."""
    with socket.socket() as listener, ExitStack() as stack:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.settimeout(0)
            waiting.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


def _ask(found: Steadiness, service: LoggedService, during: str, seconds: float) -> None:
    wait_until(lambda: service.get("/jobs")[0] == 200, "the index")
    with asking(service.url) as answers:
        threading.Event().wait(seconds)
    found.answers[during] = answers
    found.wrong.extend(answers.wrong(during, found.slow_ms))
