"""The state behind a fake AWS: jobs, their executions, thing groups, deployments, event configurations.

Times are whole milliseconds since the epoch. The fleet does not live: a test writes every status and time itself, and
also states that AWS would not reach.
"""

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field

_COUNTED = {
    "QUEUED": "Queued",
    "IN_PROGRESS": "InProgress",
    "SUCCEEDED": "Succeeded",
    "FAILED": "Failed",
    "REJECTED": "Rejected",
    "REMOVED": "Removed",
    "CANCELED": "Canceled",
    "TIMED_OUT": "TimedOut",
}
SOME_TIME = 1_790_000_000_000
"""The time of rows in tests that do not depend on it."""


@dataclass(slots=True, kw_only=True)
class FakeAttempt:
    """One execution number of a job on a thing."""

    number: int
    status: str = "QUEUED"
    queued_at: int = SOME_TIME
    started_at: int | None = None
    last_updated_at: int = SOME_TIME
    version: int = 1
    retry_attempt: int = 0
    details: Mapping[str, str] = field(default_factory=dict)
    force_canceled: bool | None = None


@dataclass(slots=True, kw_only=True)
class FakeJob:
    """A job with its executions."""

    job_id: str
    namespace_id: str | None = None
    status: str = "IN_PROGRESS"
    target_selection: str = "SNAPSHOT"
    targets: tuple[str, ...] = ("thing/pump-1",)
    """Without the prefix of the ARN: `thing/NAME` or `thinggroup/NAME`."""
    created_at: int = SOME_TIME
    last_updated_at: int = SOME_TIME
    completed_at: int | None = None
    description: str | None = None
    comment: str | None = None
    reason_code: str | None = None
    force_canceled: bool | None = None
    is_concurrent: bool | None = False
    document: Mapping[str, object] = field(default_factory=lambda: {"operation": "test"})
    counts: Mapping[str, int] | None = None
    """`jobProcessDetails`; None counts the attempts, as AWS does."""
    executions: dict[str, list[FakeAttempt]] = field(default_factory=dict)
    """The attempts by thing name, the last one last."""

    def execute(self, thing_name: str, status: str = "QUEUED", **members: object) -> FakeAttempt:
        """Add the next attempt on a thing; return it."""
        attempts = self.executions.setdefault(thing_name, [])
        number = attempts[-1].number + 1 if attempts else 1
        attempts.append(FakeAttempt(number=number, status=status, **members))  # type: ignore[arg-type]
        return attempts[-1]

    def process_details(self) -> Mapping[str, int]:
        """Return `jobProcessDetails`."""
        if self.counts is not None:
            return self.counts
        statuses = [attempt.status for attempts in self.executions.values() for attempt in attempts]
        return {f"numberOf{name}Things": statuses.count(status) for status, name in _COUNTED.items()}


@dataclass(slots=True, kw_only=True)
class FakeGroup:
    """A thing group with its things."""

    name: str
    things: list[str] = field(default_factory=list)
    parent: str | None = None
    created_at: int = SOME_TIME

    @property
    def id(self) -> str:
        """The thingGroupId."""
        return str(uuid.uuid5(uuid.NAMESPACE_OID, self.name))


@dataclass(slots=True, kw_only=True)
class FakeDeployment:
    """A revision of a Greengrass deployment."""

    deployment_id: str
    target: str
    """Without the prefix of the ARN: `thing/NAME` or `thinggroup/NAME`."""
    revision: str = "1"
    name: str | None = None
    status: str = "ACTIVE"
    is_latest: bool = True
    created_at: int = SOME_TIME
    job_id: str | None = None
    parent_target: str | None = None


@dataclass(slots=True, kw_only=True)
class FakeFleet:
    """Everything that AWS knows of an account in a region."""

    account: str = "123456789012"
    region: str = "us-east-1"
    partition: str = "aws"
    jobs: dict[str, FakeJob] = field(default_factory=dict)
    groups: dict[str, FakeGroup] = field(default_factory=dict)
    deployments: list[FakeDeployment] = field(default_factory=list)
    events: dict[str, bool] = field(default_factory=lambda: {"JOB": True, "JOB_EXECUTION": True, "THING_GROUP": True})
    """The event configurations: whether events of a type are on."""

    def arn(self, resource: str, service: str = "iot") -> str:
        """Return the ARN of a resource such as `thing/NAME`."""
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{resource}"

    def add_job(self, job_id: str, **members: object) -> FakeJob:
        """Add a job; return it."""
        self.jobs[job_id] = FakeJob(job_id=job_id, **members)  # type: ignore[arg-type]
        return self.jobs[job_id]

    def add_group(self, name: str, *things: str, parent: str | None = None) -> FakeGroup:
        """Add a thing group; return it."""
        self.groups[name] = FakeGroup(name=name, things=[*things], parent=parent)
        return self.groups[name]

    def deploy(
        self, deployment_id: str, target: str, *, job_id: str, revision: str = "1", **members: object
    ) -> FakeJob:
        """Add a deployment with its job, the latest of its target; return the job."""
        for other in self.deployments:
            other.is_latest = other.is_latest and other.target != target
        deployment = FakeDeployment(
            deployment_id=deployment_id,
            target=target,
            revision=revision,
            job_id=job_id,
            **members,  # type: ignore[arg-type]
        )
        self.deployments.append(deployment)
        return self.add_job(
            job_id,
            namespace_id="aws-gg-deployment",
            target_selection="CONTINUOUS" if target.startswith("thinggroup/") else "SNAPSHOT",
            targets=(target,),
            created_at=deployment.created_at,
            last_updated_at=deployment.created_at,
            document={
                "deploymentId": deployment_id,
                "configurationArn": self.arn(f"configuration:{target}:{revision}", "greengrass"),
            },
        )


def document_text(job: FakeJob) -> str:
    """Return a job's document as GetJobDocument does."""
    return json.dumps(job.document)
