"""The operations of a fake AWS: the members of each answer, from the state of a fleet.

Unknown of AWS, and so for a test to choose: whether ListJobs without `namespaceId` lists the jobs of namespaces, and
whether a token holds a position or a row. AWS's order of jobs and its default page are also unknown.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from support.aws_wire import Refused
from support.fake_aws_pages import Pager
from support.fake_fleet import FakeAttempt, FakeDeployment, FakeFleet, FakeGroup, FakeJob, document_text

_DEFAULT_PAGE = 100
_DEFAULT_DEPLOYMENTS = 50
_LISTED_BY_GROUP = {"IN_PROGRESS", "CANCELED", "COMPLETED", "DELETION_IN_PROGRESS"}
"""ListJobs by thing group lists no SCHEDULED jobs (aws/aws-cli issue 8924)."""

Parameters = Mapping[str, Any]
Answer = dict[str, Any]


@dataclass(slots=True, kw_only=True)
class FleetAnswers:
    """Answers the operations that a sync calls."""

    fleet: Callable[[str], FakeFleet]
    """Returns the fleet whose state an operation shows."""
    pager: Pager = field(default_factory=Pager)
    hides_namespaces: bool = False
    """ListJobs without `namespaceId` lists only the jobs without a namespace."""

    def answer(self, operation: str, parameters: Parameters) -> Answer:
        """Return the members of an answer.

        Raises:
            Refused: the operation refuses the call.
            NotImplementedError: the operation is not one of ours.
        """
        if operation not in _OPERATIONS:
            raise NotImplementedError(f"the fake AWS has no {operation}")
        return _OPERATIONS[operation](self, self.fleet(operation), parameters)

    # Jobs

    def list_jobs(self, fleet: FakeFleet, parameters: Parameters) -> Answer:
        """Answer ListJobs."""
        group = self._group_of(fleet, parameters)
        jobs = [job for job in fleet.jobs.values() if self._is_listed(job, parameters, group)]
        rows = [((-job.created_at, job.job_id), _job_summary(fleet, job, group)) for job in jobs]
        page, token = self.pager.page("ListJobs", parameters, rows, default=_DEFAULT_PAGE)
        return {"jobs": page, "nextToken": token}

    def _group_of(self, fleet: FakeFleet, parameters: Parameters) -> FakeGroup | None:
        name, group_id = parameters.get("thingGroupName"), parameters.get("thingGroupId")
        if name is None and group_id is None:
            return None
        for group in fleet.groups.values():
            if name in {None, group.name} and group_id in {None, group.id}:
                return group
        raise Refused("ResourceNotFoundException", f"Thing group {name or group_id} cannot be found.")

    def _is_listed(self, job: FakeJob, parameters: Parameters, group: FakeGroup | None) -> bool:
        namespace_id = parameters.get("namespaceId")
        if namespace_id is None:
            in_namespace = not (self.hides_namespaces and job.namespace_id)
        else:
            in_namespace = job.namespace_id == namespace_id
        return (
            in_namespace
            and parameters.get("status") in {None, job.status}
            and parameters.get("targetSelection") in {None, job.target_selection}
            and (group is None or (f"thinggroup/{group.name}" in job.targets and job.status in _LISTED_BY_GROUP))
        )

    def describe_job(self, fleet: FakeFleet, parameters: Parameters) -> Answer:
        """Answer DescribeJob."""
        job = _job(fleet, parameters)
        return {
            "job": {
                **_job_summary(fleet, job, None),
                "targets": [fleet.arn(target) for target in job.targets],
                "namespaceId": job.namespace_id,
                "description": job.description,
                "comment": job.comment,
                "reasonCode": job.reason_code,
                "forceCanceled": job.force_canceled,
                "jobProcessDetails": dict(job.process_details()),
                "presignedUrlConfig": {},
                "timeoutConfig": {},
            }
        }

    def get_job_document(self, fleet: FakeFleet, parameters: Parameters) -> Answer:
        """Answer GetJobDocument."""
        return {"document": document_text(_job(fleet, parameters))}

    def list_job_executions_for_job(self, fleet: FakeFleet, parameters: Parameters) -> Answer:
        """Answer ListJobExecutionsForJob: every attempt is a row, the last updated one first."""
        rows = [
            (
                (-attempt.last_updated_at, thing_name, -attempt.number),
                {"thingArn": fleet.arn(f"thing/{thing_name}"), "jobExecutionSummary": _execution_summary(attempt)},
            )
            for thing_name, attempts in _job(fleet, parameters).executions.items()
            for attempt in attempts
            if parameters.get("status") in {None, attempt.status}
        ]
        page, token = self.pager.page("ListJobExecutionsForJob", parameters, rows, default=_DEFAULT_PAGE)
        return {"executionSummaries": page, "nextToken": token}

    def list_job_executions_for_thing(self, fleet: FakeFleet, parameters: Parameters) -> Answer:
        """Answer ListJobExecutionsForThing, in the same order."""
        rows = [
            (
                (-attempt.last_updated_at, job.job_id, -attempt.number),
                {"jobId": job.job_id, "jobExecutionSummary": _execution_summary(attempt)},
            )
            for job in fleet.jobs.values()
            for attempt in job.executions.get(parameters["thingName"], ())
            if parameters.get("status") in {None, attempt.status}
            and parameters.get("jobId") in {None, job.job_id}
            and parameters.get("namespaceId") in {None, job.namespace_id}
        ]
        page, token = self.pager.page("ListJobExecutionsForThing", parameters, rows, default=_DEFAULT_PAGE)
        return {"executionSummaries": page, "nextToken": token}

    def describe_job_execution(self, fleet: FakeFleet, parameters: Parameters) -> Answer:
        """Answer DescribeJobExecution: the last attempt, or the one with `executionNumber`."""
        job, thing_name = _job(fleet, parameters), parameters["thingName"]
        number = parameters.get("executionNumber")
        for attempt in reversed(job.executions.get(thing_name, [])):
            if number in {None, attempt.number}:
                execution = {
                    "jobId": job.job_id,
                    "thingArn": fleet.arn(f"thing/{thing_name}"),
                    **_execution_summary(attempt),
                    "versionNumber": attempt.version,
                    "forceCanceled": attempt.force_canceled,
                    "statusDetails": {"detailsMap": dict(attempt.details)} if attempt.details else None,
                }
                del execution["retryAttempt"]
                return {"execution": execution}
        message = f"Job execution of {job.job_id} on {thing_name} cannot be found."
        raise Refused("ResourceNotFoundException", message)

    # Events, groups, deployments

    def describe_event_configurations(self, fleet: FakeFleet, _: Parameters) -> Answer:
        """Answer DescribeEventConfigurations."""
        return {"eventConfigurations": {kind: {"Enabled": is_on} for kind, is_on in fleet.events.items()}}

    def list_thing_groups(self, fleet: FakeFleet, parameters: Parameters) -> Answer:
        """Answer ListThingGroups."""
        parent, prefix = parameters.get("parentGroup"), parameters.get("namePrefixFilter", "")
        groups = list(fleet.groups.values())
        if parent is not None and parameters.get("recursive", False):
            groups = [*_descendants(fleet, _named_group(fleet, parent))]
        elif parent is not None:
            groups = [group for group in groups if group.parent == _named_group(fleet, parent).name]
        rows = [((group.name,), _group_name(fleet, group)) for group in groups if group.name.startswith(prefix)]
        page, token = self.pager.page("ListThingGroups", parameters, rows, default=_DEFAULT_PAGE)
        return {"thingGroups": page, "nextToken": token}

    def describe_thing_group(self, fleet: FakeFleet, parameters: Parameters) -> Answer:
        """Answer DescribeThingGroup."""
        group = _named_group(fleet, parameters["thingGroupName"])
        ancestors: list[FakeGroup] = []
        while (parent := (ancestors[0] if ancestors else group).parent) is not None:
            ancestors.insert(0, fleet.groups[parent])
        return {
            "thingGroupName": group.name,
            "thingGroupId": group.id,
            "thingGroupArn": fleet.arn(f"thinggroup/{group.name}"),
            "version": 1,
            "thingGroupProperties": {},
            "thingGroupMetadata": {
                "parentGroupName": group.parent,
                "rootToParentThingGroups": [_group_name(fleet, each) for each in ancestors],
                "creationDate": group.created_at,
            },
        }

    def list_things_in_thing_group(self, fleet: FakeFleet, parameters: Parameters) -> Answer:
        """Answer ListThingsInThingGroup."""
        group = _named_group(fleet, parameters["thingGroupName"])
        groups = [group, *(_descendants(fleet, group) if parameters.get("recursive", False) else ())]
        rows = [((name,), name) for name in {name for each in groups for name in each.things}]
        page, token = self.pager.page("ListThingsInThingGroup", parameters, rows, default=_DEFAULT_PAGE)
        return {"things": page, "nextToken": token}

    def list_deployments(self, fleet: FakeFleet, parameters: Parameters) -> Answer:
        """Answer ListDeployments, the newest first."""
        all_revisions = parameters.get("historyFilter", "LATEST_ONLY") == "ALL"
        rows = [
            ((-each.created_at, each.deployment_id), _deployment(fleet, each))
            for each in fleet.deployments
            if (all_revisions or each.is_latest)
            and parameters.get("targetArn") in {None, fleet.arn(each.target)}
            and parameters.get("parentTargetArn") in {None, fleet.arn(each.parent_target or "")}
        ]
        page, token = self.pager.page(
            "ListDeployments", parameters, rows, default=_DEFAULT_DEPLOYMENTS, invalid="ValidationException"
        )
        return {"deployments": page, "nextToken": token}

    def get_deployment(self, fleet: FakeFleet, parameters: Parameters) -> Answer:
        """Answer GetDeployment."""
        for each in fleet.deployments:
            if each.deployment_id == parameters["deploymentId"]:
                job_arn = None if each.job_id is None else fleet.arn(f"job/{each.job_id}")
                members = {**_deployment(fleet, each), "iotJobId": each.job_id, "iotJobArn": job_arn}
                return members | {"components": {}, "deploymentPolicies": {}, "iotJobConfiguration": {}}
        raise Refused("ResourceNotFoundException", f"Deployment {parameters['deploymentId']} does not exist")

    def get_caller_identity(self, fleet: FakeFleet, _: Parameters) -> Answer:
        """Answer GetCallerIdentity."""
        arn = f"arn:{fleet.partition}:iam::{fleet.account}:user/jobindex"
        return {"UserId": "AIDAJOBINDEX", "Account": fleet.account, "Arn": arn}


_OPERATIONS: Mapping[str, Callable[[FleetAnswers, FakeFleet, Parameters], Answer]] = {
    "ListJobs": FleetAnswers.list_jobs,
    "DescribeJob": FleetAnswers.describe_job,
    "GetJobDocument": FleetAnswers.get_job_document,
    "ListJobExecutionsForJob": FleetAnswers.list_job_executions_for_job,
    "ListJobExecutionsForThing": FleetAnswers.list_job_executions_for_thing,
    "DescribeJobExecution": FleetAnswers.describe_job_execution,
    "DescribeEventConfigurations": FleetAnswers.describe_event_configurations,
    "ListThingGroups": FleetAnswers.list_thing_groups,
    "DescribeThingGroup": FleetAnswers.describe_thing_group,
    "ListThingsInThingGroup": FleetAnswers.list_things_in_thing_group,
    "ListDeployments": FleetAnswers.list_deployments,
    "GetDeployment": FleetAnswers.get_deployment,
    "GetCallerIdentity": FleetAnswers.get_caller_identity,
}


def _job(fleet: FakeFleet, parameters: Parameters) -> FakeJob:
    job = fleet.jobs.get(parameters["jobId"])
    if job is None:
        raise Refused("ResourceNotFoundException", f"Job {parameters['jobId']} cannot be found.")
    return job


def _job_summary(fleet: FakeFleet, job: FakeJob, group: FakeGroup | None) -> Answer:
    return {
        "jobArn": fleet.arn(f"job/{job.job_id}"),
        "jobId": job.job_id,
        **({} if group is None else {"thingGroupId": group.id}),
        "targetSelection": job.target_selection,
        "status": job.status,
        "createdAt": job.created_at,
        "lastUpdatedAt": job.last_updated_at,
        "completedAt": job.completed_at,
        "isConcurrent": job.is_concurrent,
    }


def _execution_summary(attempt: FakeAttempt) -> Answer:
    return {
        "status": attempt.status,
        "queuedAt": attempt.queued_at,
        "startedAt": attempt.started_at,
        "lastUpdatedAt": attempt.last_updated_at,
        "executionNumber": attempt.number,
        "retryAttempt": attempt.retry_attempt,
    }


def _named_group(fleet: FakeFleet, name: str) -> FakeGroup:
    group = fleet.groups.get(name)
    if group is None:
        raise Refused("ResourceNotFoundException", f"Thing group {name} cannot be found.")
    return group


def _group_name(fleet: FakeFleet, group: FakeGroup) -> Answer:
    return {"groupName": group.name, "groupArn": fleet.arn(f"thinggroup/{group.name}")}


def _descendants(fleet: FakeFleet, group: FakeGroup) -> Iterator[FakeGroup]:
    for each in fleet.groups.values():
        if each.parent == group.name:
            yield each
            yield from _descendants(fleet, each)


def _deployment(fleet: FakeFleet, deployment: FakeDeployment) -> Answer:
    return {
        "targetArn": fleet.arn(deployment.target),
        "revisionId": deployment.revision,
        "deploymentId": deployment.deployment_id,
        "deploymentName": deployment.name,
        "creationTimestamp": deployment.created_at,
        "deploymentStatus": deployment.status,
        "isLatestForTarget": deployment.is_latest,
        "parentTargetArn": None if deployment.parent_target is None else fleet.arn(deployment.parent_target),
    }
