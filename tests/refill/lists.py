"""Compares the answers of two services, page by page: every member of a JobSummary has to be the same."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any
from urllib.parse import urlencode

import orjson

from bench.http import Connection
from jobindex.model.jobs import JobStatus
from refill.source import PAGE_ROWS, PENDING, Source

_EXAMPLES = 5


@dataclass(slots=True)
class Comparison:
    """What was compared, and what differs."""

    pages: int = 0
    jobs: int = 0
    """In the list without filters."""
    pending: int = 0
    """Pending executions."""
    differences: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)

    def wrong(self, source: Source) -> Iterator[str]:
        """Yield what is wrong."""
        for subject, count in self.differences.items():
            yield f"{subject}: {count} differences"
        yield from self.examples
        if self.jobs != source.jobs:
            yield f"the list has {self.jobs} of {source.jobs} jobs"
        expected = sum(sum(job.values()) for job in source.pending.values())
        if self.pending != expected:
            yield f"the lists have {self.pending} of {expected} pending executions"

    def differ(self, subject: str, expected: object, found: object) -> None:
        """Record a difference."""
        self.differences[subject] += 1
        if len(self.examples) < _EXAMPLES:
            self.examples.append(f"{subject}: {expected} expected, {found} found")


def compare(source: Source, source_url: str, filled_url: str) -> Comparison:
    """Compare all lists of jobs, and the pending executions of the active jobs, with those of the source."""
    found = Comparison()
    filters = [
        {},
        *({"namespaceId": namespace_id} for namespace_id in sorted(source.namespaces) if namespace_id),
        *({"status": status.value} for status in JobStatus),
    ]
    with Connection(source_url) as expected, Connection(filled_url) as filled:
        for given in filters:
            _compare_lists(found, given, expected, filled)
        for job_id in source.pending:
            _compare_pending(found, job_id, expected, filled)
    return found


def _compare_lists(found: Comparison, filters: Mapping[str, str], expected: Connection, filled: Connection) -> None:
    subject = f"ListJobs with {filters}" if filters else "ListJobs"
    lists = (_pages(connection, "/jobs", filters) for connection in (expected, filled))
    for number, (page, same) in enumerate(zip_longest(*lists)):
        if page is None or same is None:
            found.differ(subject, f"page {number}" if page else "no more pages", "another number of pages")
            return
        found.pages += 1
        if not filters:
            found.jobs += len(same["jobs"])
        if page == same:
            continue
        if page["nextToken"] != same["nextToken"]:
            found.differ(subject, page["nextToken"], same["nextToken"])
        compare_jobs(found, subject, page["jobs"], same["jobs"])


def compare_jobs(
    found: Comparison, subject: str, jobs: Sequence[Mapping[str, Any]], others: Sequence[Mapping[str, Any]]
) -> None:
    """Record each member of the jobs of a page that differs."""
    nothing: Mapping[str, Any] = {}
    for job, other in zip_longest(jobs, others, fillvalue=nothing):
        for member in sorted(job.keys() | other.keys()):
            if job.get(member) != other.get(member):
                found.differ(f"{subject}, {member}", job, other)


def _compare_pending(found: Comparison, job_id: str, expected: Connection, filled: Connection) -> None:
    """Compare the pending executions of a job; a fill does not list those that ended."""
    path = f"/jobs/{job_id}/things"
    of_source, of_filled = (
        [
            execution
            for page in _pages(connection, path, {})
            for execution in page["executionSummaries"]
            if execution["jobExecutionSummary"].get("status") in PENDING
        ]
        for connection in (expected, filled)
    )
    found.pending += len(of_filled)
    if of_source != of_filled:
        found.differ("ListJobExecutionsForJob", of_source, of_filled)


def _pages(connection: Connection, path: str, filters: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    token: str | None = ""
    while token is not None:
        query = {**filters, "maxResults": PAGE_ROWS, **({"nextToken": token} if token else {})}
        connection.refresh()
        page = orjson.loads(connection.get(f"{path}?{urlencode(query)}"))
        yield page
        token = page["nextToken"]
