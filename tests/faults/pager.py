"""The pager: it scans all pages repeatedly, each from another replica, and looks for gaps and repeats.

A job must be listed exactly once if it exists during a whole scan, and its `createdAt` is not corrected meanwhile.
"""

import json
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from random import Random
from urllib.parse import urlencode
from urllib.request import urlopen

from faults.checker import Answer
from faults.reader import FAILED

Scan = Mapping[str, Sequence[float]]
"""The listed jobs, with the `createdAt` of each occurrence."""

_MAX_RESULTS = 25
_PAUSE_SECONDS = 0.1


class Pager:
    """Scans the pages of the replicas that `urls` returns, and records problems.

    It requests an unanswered page again, with the same token: no scan is abandoned.
    """

    def __init__(
        self, urls: Callable[[], Sequence[str]], deleted_at: Callable[[], Mapping[str, float]], random: Random
    ) -> None:
        self.counts: Counter[str] = Counter()
        self.wrong: list[str] = []
        self._urls = urls
        self._deleted_at = deleted_at
        self._random = random
        self._last: dict[str, frozenset[float]] = {}
        self._missing: dict[str, frozenset[float]] = {}

    def run(self, stopping: threading.Event) -> None:
        """Scan until stopped; an unfinished scan does not count."""
        while not stopping.wait(_PAUSE_SECONDS):
            scan = self._scan(stopping)
            if scan is not None:
                self.take(scan)

    def finish(self) -> frozenset[str]:
        """Scan once more after the last change; return the listed jobs."""
        scan = self._scan(threading.Event())
        assert scan is not None
        self.take(scan)
        deleted = self._deleted_at()
        self.wrong.extend(
            f"{job_id} was seen, and then never again" for job_id in self._missing if job_id not in deleted
        )
        return frozenset(scan)

    def take(self, scan: Scan) -> None:
        """Compare a scan with itself and with the scans before it."""
        self.counts["scans"] += 1
        deleted = self._deleted_at()
        for job_id, created_at in scan.items():
            if job_id in deleted:
                continue
            if len({*created_at}) < len(created_at):
                self.wrong.append(f"{job_id} was seen twice in a scan")
            if self._missing.get(job_id) == frozenset(created_at):
                self.wrong.append(f"{job_id} was missing in a scan, and seen in those before and after it")
        self._missing |= {job_id: self._last[job_id] for job_id in self._last.keys() - scan.keys()}
        self._last = {job_id: frozenset(created_at) for job_id, created_at in scan.items()}
        for job_id in self._missing.keys() & scan.keys():
            del self._missing[job_id]

    def _scan(self, stopping: threading.Event) -> Scan | None:
        seen: dict[str, list[float]] = {}
        token: str | None = ""
        last_url = ""
        while token is not None:
            url = self._random.choice(self._urls())
            answer = self._page(url, token)
            if answer is None:
                self.counts["pages asked for again"] += 1
                if stopping.wait(_PAUSE_SECONDS):
                    return None
                continue
            self.counts["pages"] += 1
            self.counts["pages from another replica than the one before"] += last_url not in ("", url)
            last_url = url
            for job in answer["jobs"]:
                seen.setdefault(job["jobId"], []).append(job["createdAt"])
            token = answer["nextToken"]
        return seen

    def _page(self, url: str, token: str) -> Answer | None:
        query = {"maxResults": str(_MAX_RESULTS), **({"nextToken": token} if token else {})}
        try:
            with urlopen(f"{url}/jobs?{urlencode(query)}", timeout=10) as answer:
                content: Answer = json.load(answer)
        except FAILED:
            return None
        return content
