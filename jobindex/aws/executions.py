"""The phases that list executions: those that are pending, and all of them with the description of their job."""

from collections.abc import Sequence
from math import inf
from typing import Any

import orjson

from jobindex.aws.answers import AwsAnswer
from jobindex.aws.pages import Listing
from jobindex.aws.phases import PAGE_ROWS, Outcome, Position, Reading, Tools
from jobindex.errors import AwsDeniedError, AwsFailedError, AwsInvalidError, AwsNotFoundError
from jobindex.messages.rows import RowOperation
from jobindex.model.jobs import JobExecutionStatus, JobStatus, from_milliseconds
from jobindex.model.listing import Filters, ListJobsQuery, decode_token, encode_token
from jobindex.model.reports import ExecutionReport, JobReport
from jobindex.model.sync import SyncKind, SyncRun

_JOBS_MAXIMUM = 50
"""Jobs that the position names."""
_DESCRIBED_MAXIMUM = 25
"""If more executions of a job are missing in the lists of its pending ones, all of them are listed instead."""

_OPENED_PAGES = 4
"""Pages of executions of a job that a client has opened: its run goes before all others. DETAILS lists the rest."""

_IN_PROGRESS = Filters(status=JobStatus.IN_PROGRESS)
_FIRST = JobExecutionStatus.IN_PROGRESS.value
_STATUSES = {_FIRST: JobExecutionStatus.QUEUED.value, JobExecutionStatus.QUEUED.value: None}
"""The lists of a job's pending executions, by the one before; None ends them."""
_ALL = "all"


class PendingExecutionsPhase:
    """Lists the pending executions of active jobs, newest jobs first, then of other jobs that the index has some of.

    Those that the index has and AWS no longer lists have ended: they are described one by one, or all executions of the
    job are listed. One that AWS does not have is deleted as of the beginning of the job's lists.
    """

    name = "pending executions"
    operation = "ListJobExecutionsForJob"
    calls_per_item = 2

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._listing = Listing(tools.caller, "ListJobExecutionsForJob")

    async def begin(self, run: SyncRun, *, is_complete: bool) -> tuple[Position | None, int | None]:
        counts = await self._tools.store.namespace_counts(maximum=0)
        total = sum(jobs.get(JobStatus.IN_PROGRESS, 0) for jobs in counts.jobs.values())
        return {"jobs": [], "token": "", "after": ""}, total

    async def step(self, run: SyncRun, position: Position) -> Outcome:
        if not position["jobs"]:
            position = await self._more_jobs(position)
            if not position["jobs"]:
                return Outcome(position=None)
        job_id, status = position["jobs"][0], position.get("status", _FIRST)
        if status is None:
            return await self._step_missing(run, position, job_id)
        filters = {"jobId": job_id, "status": None if status == _ALL else status}
        try:
            page = await self._listing.read(position.get("page", {}), **filters, maxResults=PAGE_ROWS)
        except AwsNotFoundError:
            return Outcome(position=_following(position), done=_counts(position))
        following = {**position, "page": page.following or {}}
        if page.following is None:
            following |= {"status": None if status == _ALL else _STATUSES[status], "isAll": status == _ALL}
        ended: dict[str, Any] = {}
        if page.is_incomplete:
            following = _following(position)
            ended = {"problems": page.problems, "is_incomplete": True, "done": _counts(position)}
        if page.answer is None:
            return Outcome(position=following, **ended)
        following.setdefault("asOf", page.answer.as_of)
        reading, listed = await _executions(self._tools, page.answer, job_id)
        return reading.outcome(following, listed=listed, compared=reading.keys(of_executions=True), **ended)

    async def _more_jobs(self, position: Position) -> Position:
        """Return the position with the next jobs, or without any."""
        token, after = position["token"], position["after"]
        job_ids: Sequence[str] = ()
        if token is not None:
            query = ListJobsQuery(
                filters=_IN_PROGRESS,
                max_results=_JOBS_MAXIMUM,
                after=decode_token(token, _IN_PROGRESS) if token else None,
            )
            page = await self._tools.store.list_jobs(query)
            job_ids = [job["jobId"] for job in orjson.loads(b"[" + page.jobs + b"]")]
            token = None if page.next_position is None else encode_token(page.next_position, _IN_PROGRESS)
        while not job_ids and token is None and after is not None:
            others = await self._tools.store.jobs_to_list(with_pending=True, after=after, limit=_JOBS_MAXIMUM)
            job_ids, after = others.job_ids, others.next_position
        return {"jobs": [*job_ids], "token": token, "after": after}

    async def _step_missing(self, run: SyncRun, position: Position, job_id: str) -> Outcome:
        """Describe an execution that is pending in the index only; the last one ends the job."""
        as_of: int = position["asOf"]
        missing = await self._tools.store.unlisted_executions(
            run.id, job_id, seen_before=from_milliseconds(as_of), limit=_DESCRIBED_MAXIMUM + 1
        )
        if not missing:
            return Outcome(position=_following(position), done=_counts(position))
        if len(missing) > _DESCRIBED_MAXIMUM and not position.get("isAll"):
            return Outcome(position={**position, "status": _ALL})
        thing_name = missing[0]
        key = job_id, thing_name
        try:
            answer = await self._tools.caller.call("DescribeJobExecution", jobId=job_id, thingName=thing_name)
        except (AwsDeniedError, AwsFailedError) as error:
            problem = f"{error} (its outcome is unknown: job {job_id} on {thing_name})"
            return Outcome(
                position=_following(position), problems=[problem], is_incomplete=True, done=_counts(position)
            )
        except AwsNotFoundError:
            deleted = ExecutionReport(job_id, thing_name, JobExecutionStatus.DELETED, as_of, as_of // 1000)
            return Outcome(
                position=position, rows=[(JobReport(job_id), deleted)], listed=[key], compared=frozenset({key})
            )
        reading = Reading(self._tools, answer)
        await reading.read(
            [answer.members.get("execution") or {}],
            RowOperation.DESCRIBE_JOB_EXECUTION,
            job_id=job_id,
            thing_name=thing_name,
        )
        return reading.outcome(position, listed=[key], compared=reading.keys(of_executions=True))


class DetailsPhase:
    """Describes each job, and lists all its executions; only the job of a run of the kind JOB."""

    name = "details"
    operation = "DescribeJob"
    calls_per_item = 2

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._listing = Listing(tools.caller, "ListJobExecutionsForJob")

    async def begin(self, run: SyncRun, *, is_complete: bool) -> tuple[Position | None, int | None]:
        if run.kind is SyncKind.JOB:
            return {"jobs": [run.job_id], "after": None, "maximum": _OPENED_PAGES}, 1
        counts = await self._tools.store.namespace_counts(maximum=0)
        return {"jobs": [], "after": ""}, sum(sum(jobs.values()) for jobs in counts.jobs.values())

    async def step(self, run: SyncRun, position: Position) -> Outcome:
        job_ids, after = position["jobs"], position["after"]
        while not job_ids and after is not None:
            page = await self._tools.store.jobs_to_list(with_pending=False, after=after, limit=_JOBS_MAXIMUM)
            job_ids, after = page.job_ids, page.next_position
        if not job_ids:
            return Outcome(position=None)
        position = {**position, "jobs": [*job_ids], "after": after}
        job_id = job_ids[0]
        try:
            if not position.get("isDescribed"):
                return await self._describe(position, job_id)
            return await self._list(position, job_id)
        except AwsNotFoundError:
            return Outcome(position=_following(position), done=1)
        except (AwsFailedError, AwsInvalidError) as error:
            problem = f"{error} (job {job_id})"
            return Outcome(position=_following(position), problems=[problem], is_incomplete=True, done=1)

    async def _describe(self, position: Position, job_id: str) -> Outcome:
        answer = await self._tools.caller.call("DescribeJob", jobId=job_id)
        job = answer.members.get("job") or {}
        reading = Reading(self._tools, answer)
        await reading.read([job], RowOperation.DESCRIBE_JOB, job_id=job_id)
        return reading.outcome({**position, "isDescribed": True})

    async def _list(self, position: Position, job_id: str) -> Outcome:
        page = await self._listing.read(position.get("page", {}), jobId=job_id, maxResults=PAGE_ROWS)
        is_over = page.following is None or page.following.get("pages", 0) >= position.get("maximum", inf)
        following = _following(position) if is_over else {**position, "page": page.following}
        ended: dict[str, Any] = {"problems": page.problems, "done": int(is_over)}
        if page.answer is None:
            return Outcome(position=following, **ended)
        reading, _ = await _executions(self._tools, page.answer, job_id)
        return reading.outcome(following, **ended)


async def _executions(tools: Tools, answer: AwsAnswer, job_id: str) -> tuple[Reading, Sequence[tuple[str, str]]]:
    """Read the rows of a list; return also the keys of their executions."""
    reading = Reading(tools, answer)
    await reading.read(
        answer.members.get("executionSummaries") or (), RowOperation.LIST_JOB_EXECUTIONS_FOR_JOB, job_id=job_id
    )
    reports = (report for row in reading.rows for report in row)
    return reading, [(report.job_id, report.thing_name) for report in reports if isinstance(report, ExecutionReport)]


def _following(position: Position) -> dict[str, Any]:
    """Return the position of the next job."""
    names = ("jobs", "token", "after")
    return {**{name: position[name] for name in names if name in position}, "jobs": [*position["jobs"][1:]]}


def _counts(position: Position) -> int:
    """Return 1 for the job of a position if it is among the phase's items: the jobs in progress."""
    return int(position["after"] == "")
