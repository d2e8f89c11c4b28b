"""The phase that checks whether AWS's account is that of the messages, if no message has named it."""

import orjson

from jobindex.aws.phases import Outcome, Position, Reading, Tools
from jobindex.errors import AwsNotFoundError, AwsSourceError
from jobindex.messages.rows import RowOperation
from jobindex.model.listing import ListJobsQuery
from jobindex.model.sync import SyncRun

_DESCRIBED_MAXIMUM = 5


class SourcePhase:
    """Describes the newest jobs of the index, until AWS has one of them.

    Notifications of pending executions have no ARNs. Another account has none of the jobs, so a run would delete all.
    """

    name = "source"
    operation = "DescribeJob"
    calls_per_item = 1

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    async def begin(self, run: SyncRun, *, is_complete: bool) -> tuple[Position | None, int | None]:
        if await self._tools.known_source() is not None:
            return None, None
        page = await self._tools.store.list_jobs(ListJobsQuery(max_results=_DESCRIBED_MAXIMUM))
        job_ids = [job["jobId"] for job in orjson.loads(b"[" + page.jobs + b"]")]
        return ({"jobs": job_ids, "place": 0} if job_ids else None), len(job_ids)

    async def step(self, run: SyncRun, position: Position) -> Outcome:
        job_ids, place = position["jobs"], position["place"]
        try:
            answer = await self._tools.caller.call("DescribeJob", jobId=job_ids[place])
        except AwsNotFoundError:
            if place + 1 < len(job_ids):
                return Outcome(position={**position, "place": place + 1}, done=1)
            raise AwsSourceError(
                f"AWS has none of the newest jobs of the index ({', '.join(job_ids)}): nothing was merged. Are the "
                "account and the region right? If they are, name them: JOBINDEX_AWS_REGION, JOBINDEX_AWS_ACCOUNT_ID"
            ) from None
        reading = Reading(self._tools, answer)
        await reading.read([answer.members.get("job") or {}], RowOperation.DESCRIBE_JOB, job_id=job_ids[place])
        return reading.outcome(None, done=1)
