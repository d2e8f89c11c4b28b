"""The answers of a store; no other file here uses the store's API."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from support.empty_indexes import empty_index
from support.postgresql_servers import execute
from support.simulated_evidence import Message
from support.simulated_judgement import Answer

from jobindex.errors import ResourceNotFoundException
from jobindex.messages.parsing import Parser
from jobindex.model.jobs import to_milliseconds
from jobindex.model.reader import Reader
from jobindex.model.reports import RejectedMessage, Report
from jobindex.model.store import Store
from jobindex.model.views import ExecutionAttempt, JobDescription, JobExecution
from jobindex.storage.databases import Database, PostgresDatabase, SqliteDatabase
from jobindex.storage.opening import open_store
from jobindex.storage.sql.tables import TABLES

_NOW = datetime(2030, 1, 1, tzinfo=UTC)


class StoreAnswers:
    """The answers of a store for the judged jobs and executions."""

    def __init__(self, jobs: Mapping[str, Answer], executions: Mapping[tuple[str, str], Answer]) -> None:
        self._jobs = jobs
        self._executions = executions

    def job(self, job_id: str) -> Answer | None:
        """Return a job as DescribeJob does."""
        return self._jobs.get(job_id)

    def execution(self, job_id: str, thing_name: str) -> Answer | None:
        """Return an execution as DescribeJobExecution does."""
        return self._executions.get((job_id, thing_name))


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """The content of a store after a fleet's messages."""

    answers: StoreAnswers
    rows: Mapping[str, Sequence[tuple[object, ...]]]
    """The sorted rows of every table that both engines have."""


async def _nothing(_store: Store) -> None:
    """Do nothing."""


def sqlite_after(
    batches: Iterable[Sequence[Message]],
    job_ids: Iterable[str],
    keys: Iterable[tuple[str, str]],
    between: Callable[[Store], Awaitable[None]] = _nothing,
) -> Filled:
    """Apply batches to a new SQLite store, with `between` after each, and return its content."""
    with TemporaryDirectory() as folder:
        path = empty_index(Path(folder) / "index.sqlite3")
        answers = asyncio.run(_answers_after(SqliteDatabase(path=path), batches, job_ids, keys, between))
        with closing(sqlite3.connect(path)) as connection:
            return Filled(answers=answers, rows=_rows(lambda statement: connection.execute(statement).fetchall()))


def postgres_after(
    url: str,
    batches: Iterable[Sequence[Message]],
    job_ids: Iterable[str],
    keys: Iterable[tuple[str, str]],
    between: Callable[[Store], Awaitable[None]] = _nothing,
) -> Filled:
    """Apply batches to an empty PostgreSQL database in the same way, and return its content."""
    database = PostgresDatabase(conninfo=url, shown="postgresql")
    answers = asyncio.run(_answers_after(database, batches, job_ids, keys, between))
    return Filled(answers=answers, rows=_rows(partial(execute, url)))


def differences(one: Filled, other: Filled) -> Iterator[str]:
    """Yield the tables whose rows differ, with the first row that only `one` has."""
    for table, rows in one.rows.items():
        if rows != other.rows[table]:
            known = {*other.rows[table]}
            yield f"{table}: {next((row for row in rows if row not in known), 'fewer rows')}"


def _rows(execute: Callable[[str], Sequence[Sequence[object]]]) -> Mapping[str, Sequence[tuple[object, ...]]]:
    return {
        table.name: sorted(map(tuple, execute(f"SELECT {', '.join(table.columns)} FROM {table.name}")), key=repr)
        for table in TABLES
    }


async def _answers_after(
    database: Database,
    batches: Iterable[Sequence[Message]],
    job_ids: Iterable[str],
    keys: Iterable[tuple[str, str]],
    between: Callable[[Store], Awaitable[None]],
) -> StoreAnswers:
    async with open_store(database) as store:
        assert await store.take_lease("{}", seconds=3600)
        for number, batch in enumerate(batches):
            reports: list[Report] = []
            rejected: list[RejectedMessage] = []
            for message in batch:
                told = Parser().parse(message.topic, message.payload, to_milliseconds(_NOW))
                if isinstance(told, RejectedMessage):
                    rejected.append(told)
                else:
                    reports += told
            if rejected:
                raise ValueError(f"AWS published it, the index rejects it: {rejected[0]}")
            await store.apply(reports, (), now=_NOW + timedelta(seconds=number))
            await between(store)
        while await store.settle(now=_NOW) is not None:
            pass
        jobs = {job_id: job for job_id in job_ids if (job := await _job(store, job_id)) is not None}
        executions = {key: found for key in keys if (found := await _execution(store, *key)) is not None}
        return StoreAnswers(jobs, executions)


async def _job(store: Reader, job_id: str) -> Answer | None:
    try:
        return _job_members(await store.job(job_id))
    except ResourceNotFoundException:
        return None


async def _execution(store: Reader, job_id: str, thing_name: str) -> Answer | None:
    try:
        return _execution_members(await store.job_execution(job_id, thing_name))
    except ResourceNotFoundException:
        return None


def _job_members(job: JobDescription) -> Answer:
    return {
        "status": job.status.value,
        "createdAt": to_milliseconds(job.created_at),
        "completedAt": _milliseconds(job.completed_at),
        "targetSelection": None if job.target_selection is None else job.target_selection.value,
        "namespaceId": job.namespace_id,
        "description": job.description,
        "targets": job.targets,
        "comment": job.comment,
        "reasonCode": job.reason_code,
        "jobProcessDetails": job.reported_process_details,
    }


def _execution_members(execution: JobExecution) -> Answer:
    # An attempt is found by its number, whichever one the index considers current.
    attempts = {
        attempt.execution_number: {"status": attempt.state.value, "statusDetails": _details(attempt)}
        for attempt in (*reversed(execution.former_attempts), execution)
    }
    return {
        "status": execution.state.value,
        "executionNumber": execution.execution_number,
        "versionNumber": execution.version_number,
        "queuedAt": _milliseconds(execution.queued_at),
        "startedAt": _milliseconds(execution.started_at),
        "lastUpdatedAt": _milliseconds(execution.last_updated_at),
        "statusDetails": _details(execution),
        "thingArn": execution.thing_arn,
        "attempts": {number: attempt for number, attempt in attempts.items() if number is not None},
    }


def _details(attempt: ExecutionAttempt) -> dict[str, str]:
    return dict(attempt.status_details or {})


def _milliseconds(time: datetime | None) -> int | None:
    return None if time is None else to_milliseconds(time)
