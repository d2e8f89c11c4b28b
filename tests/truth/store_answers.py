"""What does a store answer? The only file here that knows the store's API."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from support.simulated_evidence import Message
from support.simulated_judgement import Answer

from jobindex.errors import ResourceNotFoundException
from jobindex.messages.parsing import told_by
from jobindex.model.jobs import RejectedMessage, Report, to_milliseconds
from jobindex.model.reader import Reader
from jobindex.model.views import Job, JobExecution
from jobindex.storage.databases import SqliteDatabase
from jobindex.storage.opening import open_store

_NOW = datetime(2030, 1, 1, tzinfo=UTC)


class StoreAnswers:
    """The answers of a store, read at once for the jobs and executions that are judged."""

    def __init__(self, jobs: Mapping[str, Answer], executions: Mapping[tuple[str, str], Answer]) -> None:
        self._jobs = jobs
        self._executions = executions

    def job(self, job_id: str) -> Answer | None:
        """Return a job as DescribeJob does."""
        return self._jobs.get(job_id)

    def execution(self, job_id: str, thing_name: str) -> Answer | None:
        """Return an execution as DescribeJobExecution does."""
        return self._executions.get((job_id, thing_name))


def answers_after(
    batches: Iterable[Sequence[Message]], job_ids: Iterable[str], keys: Iterable[tuple[str, str]]
) -> StoreAnswers:
    """Return what a new SQLite store answers when these batches were applied one after another."""
    return asyncio.run(_answers_after(batches, job_ids, keys))


async def _answers_after(
    batches: Iterable[Sequence[Message]], job_ids: Iterable[str], keys: Iterable[tuple[str, str]]
) -> StoreAnswers:
    with TemporaryDirectory() as folder:
        async with open_store(SqliteDatabase(path=Path(folder) / "index.sqlite3")) as store:
            for number, batch in enumerate(batches):
                reports: list[Report] = []
                rejected: list[RejectedMessage] = []
                for message in batch:
                    told = told_by(message.topic, message.payload)
                    if isinstance(told, RejectedMessage):
                        rejected.append(told)
                    else:
                        reports += told
                if rejected:
                    raise ValueError(f"AWS published it, the index rejects it: {rejected[0]}")
                await store.apply(reports, (), now=_NOW + timedelta(seconds=number))
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


def _job_members(job: Job) -> Answer:
    return {
        "status": job.status.value,
        "createdAt": to_milliseconds(job.created_at),
        "completedAt": _milliseconds(job.completed_at),
        "targetSelection": None if job.target_selection is None else job.target_selection.value,
        "namespaceId": job.namespace_id,
    }


def _execution_members(execution: JobExecution) -> Answer:
    return {
        "status": execution.state.value,
        "executionNumber": execution.execution_number,
        "versionNumber": execution.version_number,
        "queuedAt": _milliseconds(execution.queued_at),
        "startedAt": _milliseconds(execution.started_at),
        "lastUpdatedAt": _milliseconds(execution.last_updated_at),
    }


def _milliseconds(time: datetime | None) -> int | None:
    return None if time is None else to_milliseconds(time)
