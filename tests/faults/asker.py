"""The asker: a timed ListJobs request every 100 ms, during any fault."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

SLOW_MS = 250
"""The limit for every answer, on an otherwise idle machine."""

_EVERY_SECONDS = 0.1


@dataclass(slots=True, kw_only=True)
class Answers:
    """The number of answers of each status, and the time of the slowest."""

    statuses: Counter[str] = field(default_factory=Counter)
    slowest_ms: float = 0

    def wrong(self, during: str, slow_ms: float) -> list[str]:
        """Return the violations."""
        wrong = [
            f"{count} answers {status} while {during}" for status, count in self.statuses.items() if status != "200"
        ]
        if not self.statuses:
            wrong.append(f"no request while {during}")
        if self.slowest_ms > slow_ms:
            wrong.append(f"an answer took {self.slowest_ms:.0f} ms while {during}")
        return wrong

    def __str__(self) -> str:
        statuses = ", ".join(f"{count} answers {status}" for status, count in sorted(self.statuses.items()))
        return f"{statuses}, the slowest in {self.slowest_ms:.0f} ms"


@contextmanager
def asking(url: str) -> Iterator[Answers]:
    """Request a page of jobs every 100 ms while the context is open."""
    answers = Answers()
    ending = threading.Event()

    def ask() -> None:
        due = time.monotonic()
        while not ending.wait(max(0, due - time.monotonic())):
            due = max(due + _EVERY_SECONDS, time.monotonic())
            started = time.monotonic()
            answers.statuses[_status(url)] += 1
            answers.slowest_ms = max(answers.slowest_ms, (time.monotonic() - started) * 1000)

    thread = threading.Thread(target=ask, name="asker")
    thread.start()
    try:
        yield answers
    finally:
        ending.set()
        thread.join(15)


def _status(url: str) -> str:
    try:
        with urlopen(f"{url}/jobs?maxResults=50", timeout=10) as answer:
            answer.read()
            return str(answer.status)
    except HTTPError as error:
        with error:
            return str(error.code)
    except (URLError, OSError) as error:
        return type(error).__name__
