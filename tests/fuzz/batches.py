"""Batches of broken messages in an index: it accepts them all, stays consistent, and answers."""

import asyncio
import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from shutil import rmtree

from fuzz import documents, payloads
from fuzz.source import Source
from fuzz.target import Target, expect
from jobindex.messages.parsing import Parser
from jobindex.model.jobs import to_milliseconds
from jobindex.model.listing import ListJobsQuery, Position
from jobindex.model.reports import RejectedMessage, Report
from jobindex.storage.sqlite.check import check as check_file
from jobindex.storage.sqlite.store import open_store

_NOW = datetime(2026, 11, 24, tzinfo=UTC)

Batch = Sequence[payloads.Message]


@contextmanager
def opened() -> Iterator[Target[Sequence[Batch]]]:
    """Open the target with a folder for databases, in memory if possible."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix="jobindex-fuzz-", dir=memory if memory.is_dir() else None) as folder:
        yield Target(make=make, check=lambda batches: check(batches, Path(folder) / "case"))


def make(source: Source) -> Sequence[Batch]:
    """Make batches of messages, most of which are valid."""
    return [[_message(source) for _ in range(1 + source.below(8))] for _ in range(1 + source.below(3))]


def _message(source: Source) -> payloads.Message:
    topic, payload = source.pick(payloads.SAMPLES)
    # Few names, so that messages concern the same jobs.
    for name in ("27450507-bf6f-4012-92af-bb8a1c8c4484", "job1", "job2", "job3"):
        topic = topic.replace(name, "job1")
    written = documents.encoded(source, documents.broken(source, payload, payloads.MEMBERS, at_most=1))
    return topic, written.replace(b"27450507-bf6f-4012-92af-bb8a1c8c4484", b"job1")


def check(batches: Sequence[Batch], folder: Path) -> None:
    """Check that a new index accepts the batches and is consistent afterwards."""
    folder.mkdir()
    try:
        asyncio.run(_apply(batches, folder / "jobindex.db"))
        problems = [str(found) for found in check_file(folder / "jobindex.db") if found.problem is not None]
        expect(that=not problems, of=problems)
    finally:
        rmtree(folder)


async def _apply(batches: Sequence[Batch], path: Path) -> None:
    async with open_store(path) as store:
        for batch in batches:
            told = [Parser().parse(topic, payload, to_milliseconds(_NOW)) for topic, payload in batch]
            rejected = [each for each in told if isinstance(each, RejectedMessage)]
            reports: list[Report] = [
                report for each in told if not isinstance(each, RejectedMessage) for report in each
            ]
            await store.apply(reports, rejected, now=_NOW)
        after: Position | None = None
        found: list[str] = []
        while True:
            page = await store.list_jobs(ListJobsQuery(max_results=2, after=after))
            jobs = json.loads(b"[" + page.jobs + b"]")
            found += [job["jobId"] for job in jobs]
            if (after := page.next_position) is None:
                break
        expect(that=len(found) == len(set(found)), of="a job is listed twice")
        for job_id in found:
            await store.job(job_id)
