"""The phases that list jobs, and find the jobs that AWS no longer has."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from jobindex.aws.pages import Listing
from jobindex.aws.phases import PAGE_ROWS, Outcome, Position, Reading, Tools, job_id_of
from jobindex.errors import AwsDeniedError, AwsNotFoundError
from jobindex.messages.rows import RowOperation
from jobindex.model.jobs import JobStatus, to_milliseconds
from jobindex.model.reports import JobDeletion
from jobindex.model.sync import SyncKind, SyncRun

_ABSENT_MAXIMUM = 100
"""Jobs that the position names."""

_ONLY_ACTIVE = (SyncKind.ACTIVE, SyncKind.PENDING)
_ACTIVE = (JobStatus.IN_PROGRESS, JobStatus.SCHEDULED)


class ListJobsPhase:
    """Lists the jobs of each namespace, which teaches their namespace, and then all jobs by status.

    An order that teaches most with the fewest calls: one call lists 250 jobs, and only a listing with `namespaceId` or
    a call for each job gives the namespace. AWS does not document whether a listing without it has such jobs.
    """

    name = "jobs"
    operation = "ListJobs"
    calls_per_item = 1

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._listing = Listing(tools.caller, "ListJobs")

    async def begin(self, run: SyncRun, *, is_complete: bool) -> tuple[Position | None, int | None]:
        namespace_id = await self._namespace_after("")
        return _first_page(namespace_id, _statuses(run, namespace_id)[0]), None

    async def step(self, run: SyncRun, position: Position) -> Outcome:
        namespace_id, status = position["namespaceId"], position["status"]
        page = await self._listing.read(position["page"], namespaceId=namespace_id, status=status, maxResults=PAGE_ROWS)
        following: Position | None
        if page.following is None:
            following = await self._next_listing(run, position)
        else:
            following = {**position, "page": page.following}
        if page.answer is None:
            done = int(page.following is None)
            return Outcome(position=following, problems=page.problems, is_incomplete=page.is_incomplete, done=done)
        rows: Sequence[Mapping[str, Any]] = page.answer.members.get("jobs") or ()
        reading = Reading(self._tools, page.answer)
        teaches, problems = position.get("teaches"), list[str]()
        if namespace_id is not None and teaches is None:
            teaches, problems = await self._honours(namespace_id, rows)
            if teaches is False:
                # The listings by status have all jobs of a source that ignores the filter.
                return reading.outcome(_first_page(None, _statuses(run, None)[0]), problems=problems, done=1)
        await reading.read(rows, RowOperation.LIST_JOBS, namespace_id=namespace_id if teaches else None)
        return reading.outcome(
            following if page.following is None else {**position, "page": page.following, "teaches": teaches},
            listed=[(job_id, "") for job_id in map(job_id_of, rows) if job_id],
            compared=reading.keys(of_executions=False),
            problems=[*problems, *page.problems],
            is_incomplete=page.is_incomplete,
            done=int(page.following is None),
        )

    async def _honours(self, namespace_id: str, rows: Sequence[Mapping[str, Any]]) -> tuple[bool | None, list[str]]:
        """Return whether the source honours the filter, by the first and the last job of a page; None if unknown."""
        job_ids = [one for one in map(job_id_of, rows) if one]
        honours: bool | None = None
        for job_id in dict.fromkeys((*job_ids[:1], *job_ids[-1:])):
            try:
                answer = await self._tools.caller.call("DescribeJob", jobId=job_id)
            except AwsNotFoundError:  # it was deleted meanwhile
                continue
            except AwsDeniedError as error:
                return True, [f"{error}; whether ListJobs honours namespaceId is not known"]
            described = (answer.members.get("job") or {}).get("namespaceId")
            if described != namespace_id:
                problem = (
                    f"ListJobs ignores namespaceId: the list of {namespace_id!r} has job {job_id!r} of the namespace "
                    f"{described!r}; only DescribeJob can give namespaces"
                )
                return False, [problem]
            honours = True
        return honours, []

    async def _next_listing(self, run: SyncRun, position: Position) -> Position | None:
        namespace_id = position["namespaceId"]
        statuses = _statuses(run, namespace_id)
        place = statuses.index(position["status"]) + 1
        if place < len(statuses):
            return _first_page(namespace_id, statuses[place])
        if namespace_id is None:
            return None
        namespace_id = await self._namespace_after(namespace_id)
        return _first_page(namespace_id, _statuses(run, namespace_id)[0])

    async def _namespace_after(self, namespace_id: str) -> str | None:
        found = await self._tools.store.namespaces(after=namespace_id, limit=1, now=datetime.now(UTC))
        names = [one.namespace_id for one in found if one.namespace_id]
        names += [name for name in self._tools.namespaces if name > namespace_id]
        return min(names, default=None)


class AbsentJobsPhase:
    """Deletes the jobs that no listing has, if AWS does not have them.

    A row never takes anything away, and a listing may be late. So a job is deleted only if a complete listing lacks it,
    DescribeJob answers 404, and its last stamp is older than the listing: as of the beginning of the listing, so that a
    job that uses the id again counts. An account that lists no job at all proves nothing.
    """

    name = "absent jobs"
    operation = "DescribeJob"
    calls_per_item = 1

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    async def begin(self, run: SyncRun, *, is_complete: bool) -> tuple[Position | None, int | None]:
        # Another jobindex may lack jobs, or show the key only some: its answers prove nothing.
        is_proof = is_complete and not self._tools.caller.is_of_jobindex
        return ({"after": "", "jobs": []} if is_proof else None), None

    async def step(self, run: SyncRun, position: Position) -> Outcome:
        job_ids, after = position["jobs"], position["after"]
        as_of = run.as_of
        assert as_of is not None  # noqa: S101 (the listings were answered)
        while not job_ids and after is not None:
            page = await self._tools.store.unlisted_jobs(
                run.id,
                stamped_before=as_of,
                ended_since=as_of - self._tools.keeps_ended,
                only_active=run.kind in _ONLY_ACTIVE,
                after=after,
                limit=_ABSENT_MAXIMUM,
            )
            job_ids, after = page.job_ids, page.next_position
        if not job_ids:
            return Outcome(position=None)
        position = {**position, "after": after, "jobs": [*job_ids]}
        if run.rows == 0 and "isProven" not in position:
            return await self._prove(position)
        job_id = job_ids[0]
        following = {**position, "jobs": [*job_ids[1:]]}
        try:
            answer = await self._tools.caller.call("DescribeJob", jobId=job_id)
        except AwsNotFoundError:
            deletion = JobDeletion(job_id, to_milliseconds(as_of), to_milliseconds(as_of) // 1000)
            return Outcome(position=following, rows=[(deletion,)], compared=frozenset({(job_id, "")}), done=1)
        reading = Reading(self._tools, answer)
        await reading.read([answer.members.get("job") or {}], RowOperation.DESCRIBE_JOB, job_id=job_id)
        return reading.outcome(following, compared=reading.keys(of_executions=False), done=1)

    async def _prove(self, position: Position) -> Outcome:
        """List any job: listings without a row may be those of another account or region, which has no such jobs."""
        answer = await self._tools.caller.call("ListJobs", maxResults=1)
        rows: Sequence[Mapping[str, Any]] = answer.members.get("jobs") or ()
        if not rows:
            problem = (
                f"AWS lists no job at all, but the index has {position['jobs'][0]!r}: no job was deleted. "
                "Are the account and the region right?"
            )
            return Outcome(position=None, problems=[problem], is_incomplete=True)
        reading = Reading(self._tools, answer)
        await reading.read(rows, RowOperation.LIST_JOBS)
        return Outcome(
            position={**position, "isProven": True}, rows=reading.rows, as_of=answer.as_of, problems=reading.problems
        )


def _statuses(run: SyncRun, namespace_id: str | None) -> Sequence[str | None]:
    if run.kind in _ONLY_ACTIVE:
        return _ACTIVE
    return (None,) if namespace_id is not None else tuple(JobStatus)


def _first_page(namespace_id: str | None, status: str | None) -> Position:
    return {"namespaceId": namespace_id, "status": status, "page": {}}
