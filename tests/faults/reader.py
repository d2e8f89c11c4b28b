"""The reader: it requests ListJobs continuously, and compares each answer with those before it."""

import http.client
import json
import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import urlopen

from faults.checker import Answer
from faults.lives import PROBES

_RANKS = ["SCHEDULED", "IN_PROGRESS", "COMPLETED", "CANCELED", "DELETION_IN_PROGRESS"]
_IN_PROGRESS, _COMPLETED = _RANKS.index("IN_PROGRESS"), _RANKS.index("COMPLETED")
FAILED = (URLError, http.client.HTTPException, OSError, json.JSONDecodeError)
"""The exceptions of a request without an answer, or with one that is not jobs."""

_NEWEST_PAGES = 2
_FULL_SCAN_EVERY = 8
_PAUSE_SECONDS = 0.1


class NoAnswerError(Exception):
    """The service did not answer, or not with jobs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visible:
    """A job in the last answer: the `createdAt` of its life, and the progress of this life."""

    created_at: float
    last_updated_at: float
    rank: int

    @classmethod
    def of(cls, job: Answer) -> "Visible":
        """Return a job of an answer."""
        return cls(created_at=job["createdAt"], last_updated_at=job["lastUpdatedAt"], rank=_RANKS.index(job["status"]))


def goes_backwards(before: Visible, now: Visible, deleted_at: float) -> bool:
    """Return whether the second of two answers is the older one; a job created again after its deletion is another."""
    was_another, is_another = before.created_at > deleted_at, now.created_at > deleted_at
    if was_another != is_another:
        return was_another
    # The index revokes an inferred completion if it learns that AWS would have reported a real one.
    is_taken_back = (before.rank, now.rank) == (_COMPLETED, _IN_PROGRESS)
    is_taken_back &= now.last_updated_at == before.last_updated_at
    return now.last_updated_at < before.last_updated_at or (now.rank < before.rank and not is_taken_back)


class Reader:
    """Reads from the current process, which `url` returns, and records problems.

    A file is available as long as the process runs; a `remote` index may be unavailable while the service answers.
    """

    def __init__(
        self, url: Callable[[], str], deleted_at: Callable[[], Mapping[str, float]], *, remote: bool = False
    ) -> None:
        self.counts: Counter[str] = Counter()
        self.wrong: list[str] = []
        self._url = url
        self._deleted_at = deleted_at
        self._remote = remote
        self._seen: dict[str, Visible] = {}
        self._gone: dict[str, Visible] = {}
        self._answered = ""

    def run(self, stopping: threading.Event) -> None:
        """Read until stopped."""
        for number in range(1_000_000_000):
            if stopping.wait(_PAUSE_SECONDS):
                return
            try:
                self._scan(is_full=number % _FULL_SCAN_EVERY == 0)
            except NoAnswerError:
                self.counts["unanswered"] += 1

    def all_jobs(self) -> dict[str, Answer]:
        """Return every job.

        Raises:
            NoAnswerError: the service was unavailable, at least for a moment.
        """
        return {job["jobId"]: job for page in self._pages() for job in page}

    def has_probe(self, job_id: str) -> bool:
        """Return whether a probe is listed; False if the service is unavailable."""
        try:
            return any(job["jobId"] == job_id for page in self._pages(namespaceId=PROBES) for job in page)
        except NoAnswerError:
            return False

    def _scan(self, *, is_full: bool) -> None:
        known = set(self._seen)
        listed = set()
        for number, page in enumerate(self._pages(), start=1):
            for job in page:
                listed.add(job["jobId"])
                self._compare(job["jobId"], Visible.of(job))
            if not is_full and number == _NEWEST_PAGES:
                self.counts["scans of the newest"] += 1
                return
        self.counts["scans of all"] += 1
        deleted_at = self._deleted_at()
        for job_id in known - listed:
            self._gone[job_id] = self._seen.pop(job_id)
            if job_id not in deleted_at:
                self.wrong.append(f"{job_id} is not listed any longer, and was not deleted")

    def _compare(self, job_id: str, now: Visible) -> None:
        """Compare an answer for a job with the one before it."""
        deleted_at = self._deleted_at().get(job_id, math.inf)
        before = self._seen.get(job_id)
        self._seen[job_id] = now
        if before is not None and goes_backwards(before, now, deleted_at):
            self.wrong.append(f"{job_id} went backwards: {before}, then {now}")
        gone = self._gone.pop(job_id, None)
        if gone is not None and now.created_at <= deleted_at:
            self.wrong.append(f"{job_id} came back: {gone}, then nothing, then {now}")

    def _pages(self, **query: str) -> Iterator[list[Answer]]:
        token: str | None = ""
        while token is not None:
            url = self._url()
            answer = self._get(url, {**query, "maxResults": "250", **({"nextToken": token} if token else {})})
            yield answer["jobs"]
            token = answer["nextToken"]

    def _get(self, url: str, query: Mapping[str, str]) -> Answer:
        started = time.monotonic()
        try:
            with urlopen(f"{url}/jobs?{urlencode(query)}", timeout=10) as answer:
                content: Answer = json.load(answer)
        except HTTPError as error:
            with error:
                self._note_error(url, error)
            raise NoAnswerError from error
        except FAILED as error:
            raise NoAnswerError from error
        self._answered = url
        self.counts["answers"] += 1
        self.counts["slowest answer, ms"] = max(
            self.counts["slowest answer, ms"], round((time.monotonic() - started) * 1000)
        )
        return content

    def _note_error(self, url: str, error: HTTPError) -> None:
        """Record an error: only a service without an index, yet or for a moment, may return one."""
        self.counts[f"answers {error.code}"] += 1
        if error.code != 503 or (url == self._answered and not self._remote):
            self.wrong.append(f"{error.code} {error.read().decode()} from {url}, which had answered before")
