"""A fill beside a live stream of messages: the index equals the simulated fleet, whose true state is known.

The messages before the fill are never delivered, as on the first day of an index. The stream changes, ends and deletes
the very jobs that are being filled, and reuses their ids.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.empty_indexes import empty_index
from support.simulated_evidence import Message
from support.simulated_judgement import knowable
from support.simulated_knowledge import Unknowable
from support.sync_runs import give_credentials, plan, syncing
from support.truth_aws import TruthAws

from jobindex.errors import ResourceNotFoundException
from jobindex.messages.parsing import Parser
from jobindex.model.reports import RejectedMessage
from jobindex.model.store import Store
from jobindex.model.sync import SyncKind
from jobindex.storage.databases import SqliteDatabase
from jobindex.storage.opening import open_store

MESSAGES_PER_SECOND = 2000
STEPS = 1000
SEEDS = [1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (2, 3, 4, 5, 7, 9, 10, 15, 16))]
NAMESPACES = ("aws-gg-deployment", "blue", "green", "next-green")


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the SDK's chain credentials."""
    give_credentials(monkeypatch)


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[Store]:
    """Open an empty index."""
    async with open_store(SqliteDatabase(path=empty_index(path / "jobindex.db"))) as store:
        yield store


async def apply(store: Store, messages: Sequence[Message], now: int) -> None:
    """Apply messages as one batch."""
    parser = Parser()
    parsed = [parser.parse(message.topic, message.payload, now=now) for message in messages]
    assert [] == [one for one in parsed if isinstance(one, RejectedMessage)]
    reports = [report for one in parsed if not isinstance(one, RejectedMessage) for report in one]
    await store.apply(reports, (), now=datetime.now(UTC))


async def stream(store: Store, aws: TruthAws, first: int) -> None:
    """Apply the messages from `first` on, MESSAGES_PER_SECOND of them."""
    messages = aws.simulated.messages
    started, at = time.monotonic(), first
    while at < len(messages):
        await asyncio.sleep(0.005)
        at = min(len(messages), first + 1 + int((time.monotonic() - started) * MESSAGES_PER_SECOND))
        with aws.lock:
            batch = aws.pass_until(messages[at - 1].published_at)
        await apply(store, batch, aws.now)
    aws.pass_until(aws.simulated.ended_at)


async def wrong(store: Store, aws: TruthAws) -> dict[tuple[str, ...], tuple[object, object]]:
    """Return the wrong answers of the index, each with the true one, by job and thing."""
    simulated = aws.simulated
    found: dict[tuple[str, ...], tuple[object, object]] = {}
    for job_id in simulated.job_lives:
        true_job = simulated.jobs.get(job_id)
        true = None if true_job is None else (true_job.status, true_job.namespace_id, true_job.completed_at)
        try:
            job = await store.job(job_id)
        except ResourceNotFoundException:
            answer = None
        else:
            completed_at = None if job.completed_at is None else round(job.completed_at.timestamp() * 1000)
            answer = (str(job.status), job.namespace_id, completed_at)
        if answer != true:
            found[job_id,] = answer, true
    for key in simulated.execution_lives:
        true_execution = simulated.executions.get(key)
        current = None if true_execution is None else true_execution.current
        expected = None if current is None else (current.status, current.number)
        try:
            execution = await store.job_execution(*key)
        except ResourceNotFoundException:
            state = None
        else:
            state = (str(execution.state), execution.execution_number)
        if state != expected:
            found[key] = state, expected
    return found


def unknowable(aws: TruthAws, delivered: Sequence[Message], as_of: datetime | None) -> Iterator[tuple[str, ...]]:
    """Yield the jobs and executions that changed after the beginning of the fill, but whose messages do not show it.

    A list of pending executions has ten at most; a message after a deletion may be about the job before or after it.
    """
    assert as_of is not None
    simulated, since = aws.simulated, as_of.timestamp() * 1000
    for fact in knowable(simulated, delivered):
        job = simulated.jobs.get(fact.job_id)
        if job is None or not isinstance(fact.knowledge, Unknowable):
            continue
        if fact.member == "exists" and fact.thing_name is None and job.created_at > since:
            yield (fact.job_id,)
            yield from (key for key in simulated.executions if key[0] == fact.job_id)
        elif fact.member == "status" and fact.thing_name is not None:
            execution = simulated.executions.get((fact.job_id, fact.thing_name))
            if execution is not None and execution.current.last_updated_at > since:
                yield fact.job_id, fact.thing_name


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", SEEDS)
async def test_a_fill_beside_a_live_stream_equals_the_truth(seed: int, tmp_path: Path) -> None:
    """Every job and execution is as AWS has it, and a check afterwards finds only what no message could show."""
    aws = TruthAws(seed, steps=STEPS)
    messages = aws.simulated.messages
    first = len(messages) // 3
    aws.pass_until(messages[first].published_at)
    with aws:
        async with opened(tmp_path) as store, syncing(store, plan(aws.url, namespaces=NAMESPACES)) as sync:

            async def has_begun() -> bool:
                return aws.counts()["ListJobs"] > 0

            await sync.until(has_begun)
            await stream(store, aws, first)
            fill = await sync.ended(SyncKind.FILL, seconds=120)
            await sync.ended(SyncKind.DETAILS, seconds=120)
            found, silent = await wrong(store, aws), {*unknowable(aws, messages[first + 1 :], fill.as_of)}
            assert {} == {key: value for key, value in found.items() if key not in silent}
            assert fill.as_of is not None
            since = fill.as_of.timestamp() * 1000
            streamed = [key for key, one in aws.simulated.executions.items() if one.current.last_updated_at > since]
            assert len({*streamed} - silent) > 20
            check = await sync.run(SyncKind.ALL)
            assert (check.is_complete, check.differences <= len(silent)) == (True, True)
            await sync.run(SyncKind.DETAILS)
            assert {} == await wrong(store, aws)
