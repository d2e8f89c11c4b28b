"""The phase that gives jobs the names of their Greengrass deployments."""

from collections.abc import Mapping
from typing import Any

import orjson

from jobindex.aws.pages import Listing
from jobindex.aws.phases import Outcome, Position, Reading, Tools
from jobindex.errors import AwsNotFoundError, MessageError, ResourceNotFoundException
from jobindex.messages.payloads import read_resource
from jobindex.messages.rows import RowOperation, configuration_arn
from jobindex.model.listing import Filters, ListJobsQuery
from jobindex.model.sync import SyncRun

_PAGE_ROWS = 100
_GROUP_JOBS = 250
"""Jobs of a target group among which deployments find theirs: a chain of revisions is shorter."""


class DeploymentsPhase:
    """Gives jobs the names of their Greengrass deployments.

    ListDeployments names no job: a deployment finds it by the ARN of its configuration, or by its id, among the jobs of
    its thing group. The others need a call of GetDeployment each.
    """

    name = "deployments"
    operation = "GetDeployment"
    calls_per_item = 1

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._listing = Listing(tools.caller, "ListDeployments")

    async def begin(self, run: SyncRun, *, is_complete: bool) -> tuple[Position | None, int | None]:
        return {"ids": [], "page": {}}, None

    async def step(self, run: SyncRun, position: Position) -> Outcome:
        if position["ids"]:
            return await self._get(position, position["ids"][0])
        if position["page"] is None:
            return Outcome(position=None)
        page = await self._listing.read(position["page"], historyFilter="ALL", maxResults=_PAGE_ROWS)
        if page.answer is None:
            return Outcome(position={"ids": [], "page": page.following}, problems=page.problems)
        reading = Reading(self._tools, page.answer)
        ids = []
        jobs_of_group: dict[str, Mapping[str, str]] = {}
        for deployment in page.answer.members.get("deployments") or ():
            job_id = await self._job_of(deployment, jobs_of_group)
            if job_id is None:
                ids += [deployment["deploymentId"]] if "deploymentId" in deployment else []
            else:
                await reading.read([{**deployment, "iotJobId": job_id}], RowOperation.GET_DEPLOYMENT)
        return reading.outcome({"ids": ids, "page": page.following}, problems=page.problems, done=len(reading.rows))

    async def _get(self, position: Position, deployment_id: str) -> Outcome:
        following = {**position, "ids": position["ids"][1:]}
        try:
            answer = await self._tools.caller.call("GetDeployment", deploymentId=deployment_id)
        except AwsNotFoundError:
            return Outcome(position=following, done=1)
        reading = Reading(self._tools, answer)
        # A deployment that no device has got yet has no job, and AWS keeps deployments for longer than jobs.
        if await self._is_listed(answer.members.get("iotJobId")):
            await reading.read([answer.members], RowOperation.GET_DEPLOYMENT)
        return reading.outcome(following, done=1)

    async def _is_listed(self, job_id: str | None) -> bool:
        try:
            return job_id is not None and bool(await self._tools.store.job(job_id))
        except ResourceNotFoundException:
            return False

    async def _job_of(self, deployment: Mapping[str, Any], jobs_of_group: dict[str, Mapping[str, str]]) -> str | None:
        try:
            resource, arn = read_resource(deployment, "targetArn"), configuration_arn(deployment)
        except MessageError:
            return None
        if resource is None or resource[0] != "thinggroup":
            return None
        group = resource[1]
        if group not in jobs_of_group:
            jobs_of_group[group] = await self._jobs_of(group)
        jobs = jobs_of_group[group]
        names = (arn, deployment.get("deploymentId"))
        return next((jobs[name] for name in names if name is not None and name in jobs), None)

    async def _jobs_of(self, group: str) -> Mapping[str, str]:
        """Return the jobs of a thing group by the configuration's ARN and the id of their deployments."""
        store = self._tools.store
        query = ListJobsQuery(filters=Filters(thing_group_name=group), max_results=_GROUP_JOBS)
        try:
            page = await store.list_jobs(query)
        except ResourceNotFoundException:
            return {}
        jobs: dict[str, str] = {}
        for listed in orjson.loads(b"[" + page.jobs + b"]"):
            try:
                job = await store.job(listed["jobId"])
            except ResourceNotFoundException:
                continue
            for name in (job.configuration_arn, job.deployment_id):
                if name is not None:
                    jobs.setdefault(name, job.job_id)
        return jobs
