"""Messages that report every fact of the index, and the whole answers with which AWS's clients read them back.

The tests of all clients compare whole answers, so a member that is missing here must be missing in the client's answer,
too. Answers are as boto3 returns them, without its metadata.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from jobindex.web.api.executions import STATUSES
from support.api_server import ARN_PREFIX, THING_ARN_PREFIX

T = 1_700_000_000

Message = tuple[str, dict[str, Any]]

Answer = tuple[str, Mapping[str, Any], Mapping[str, Any]]
"""An operation's name, such as `DescribeJob`, with its input and its output."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """Messages, and the answers of an AWS service once an empty index has applied them."""

    service: str = "iot"
    messages: Sequence[Message]
    answers: Sequence[Answer]


def at(seconds: float) -> datetime:
    """Return a time that messages report in seconds."""
    return datetime.fromtimestamp(seconds, UTC)


def listed(thing: str, job_id: str, queued_at: int, number: int, timestamp: int, **entry: Any) -> Message:
    """Return a list with one queued execution."""
    members = {"jobId": job_id, "queuedAt": queued_at, "executionNumber": number, "versionNumber": 1, **entry}
    return f"$aws/things/{thing}/jobs/notify-namespace-n", {"timestamp": timestamp, "jobs": {"QUEUED": [members]}}


def event(job_id: str, thing: str, operation: str, timestamp: int, **details: str) -> Message:
    """Return an execution event."""
    members: dict[str, Any] = {"thingArn": THING_ARN_PREFIX + thing, "timestamp": timestamp}
    return f"$aws/events/jobExecution/{job_id}/{operation}", members | ({"statusDetails": details} if details else {})


def execution(job_id: str, thing_name: str = "thing", namespace_id: str = "n", **members: Any) -> Message:
    """Return a message about an execution, on the topic of its job."""
    return f"$aws/things/{thing_name}/jobs/{job_id}/notify-namespace-{namespace_id}", {"execution": members}


def queued(job_id: str, queued_at: float, **members: Any) -> dict[str, Any]:
    """Return an entry of a list of pending executions."""
    return {
        "jobId": job_id,
        "queuedAt": queued_at,
        "lastUpdatedAt": queued_at,
        "executionNumber": 1,
        "versionNumber": 2,
        **members,
    }


# A job reported on its topic, with executions in every status; its ARNs are of another region than the settings'.

CHINA = "arn:aws-cn:iot:cn-north-1:111122223333"
JOB: Message = (
    "$aws/things/a/jobs/full/notify-namespace-n",
    {
        "job": {
            "status": "COMPLETED",
            "targetSelection": "SNAPSHOT",
            "thingGroupName": "hall",
            "thingGroupId": "group-id",
            "isConcurrent": False,
            "targets": [f"{CHINA}:thing/a", f"{CHINA}:thinggroup/hall"],
            "description": "the winter update",
            "comment": "done",
            "reasonCode": "PLANNED",
            "createdAt": 1486687079.743,
            "lastUpdatedAt": 1486687080123,
            "completedAt": 1486687080.001,
            "jobArn": f"{CHINA}:job/full",
        }
    },
)
_JOB_SUMMARY = {
    "jobArn": f"{CHINA}:job/full",
    "jobId": "full",
    "status": "COMPLETED",
    "targetSelection": "SNAPSHOT",
    "isConcurrent": False,
    "createdAt": datetime(2017, 2, 10, 0, 37, 59, 743000, tzinfo=UTC),
    "lastUpdatedAt": datetime(2017, 2, 10, 0, 38, 0, 123000, tzinfo=UTC),
    "completedAt": datetime(2017, 2, 10, 0, 38, 0, 1000, tzinfo=UTC),
}
_GROUPED_SUMMARY = {**_JOB_SUMMARY, "thingGroupId": "group-id"}
_BARE_SUMMARY = {
    "jobArn": f"{CHINA}:job/bare",
    "jobId": "bare",
    "status": "CANCELED",
    "createdAt": at(1486687000),
    "lastUpdatedAt": at(1486687000),
}
_TIMED_OUT = {"status": "TIMED_OUT", "queuedAt": at(1486687079), "lastUpdatedAt": at(1486687080)}
_JOBS = Scenario(
    messages=(
        JOB,
        *(
            execution("full", f"{status}-{number}", status=status, queuedAt=1486687079, lastUpdatedAt=1486687080)
            for amount, status in enumerate(STATUSES, start=1)
            for number in range(amount)
        ),
        ("$aws/events/job/bare/canceled", {"timestamp": 1486687000}),
    ),
    answers=(
        ("ListJobs", {}, {"jobs": [_GROUPED_SUMMARY, _BARE_SUMMARY]}),
        (
            "ListJobs",
            {"status": "COMPLETED", "targetSelection": "SNAPSHOT", "thingGroupName": "hall", "namespaceId": "n"},
            {"jobs": [_GROUPED_SUMMARY]},
        ),
        ("ListJobs", {"thingGroupId": "group-id", "maxResults": 1}, {"jobs": [_GROUPED_SUMMARY]}),
        (
            "DescribeJob",
            {"jobId": "full"},
            {
                "job": {
                    **_JOB_SUMMARY,
                    "namespaceId": "n",
                    "targets": [f"{CHINA}:thing/a", f"{CHINA}:thinggroup/hall"],
                    "description": "the winter update",
                    "comment": "done",
                    "reasonCode": "PLANNED",
                    "jobProcessDetails": {
                        f"numberOf{status.title().replace('_', '')}Things": amount
                        for amount, status in enumerate(STATUSES, start=1)
                    },
                }
            },
        ),
        ("DescribeJob", {"jobId": "bare", "beforeSubstitution": True}, {"job": _BARE_SUMMARY}),
        (
            "ListJobExecutionsForJob",
            {"jobId": "full", "status": "TIMED_OUT"},
            {
                "executionSummaries": [
                    {"thingArn": f"{CHINA}:thing/TIMED_OUT-{number}", "jobExecutionSummary": _TIMED_OUT}
                    for number in range(3)
                ]
            },
        ),
    ),
)

# A job reported by an event only, with AWS's own counts.

TARGETS = [f"{THING_ARN_PREFIX}a", "arn:aws:iot:eu-central-1:123456789012:thinggroup/hall"]
REPORTED = {
    "numberOfSucceededThings": 39,
    "numberOfFailedThings": 2,
    "numberOfRejectedThings": 1,
    "numberOfCanceledThings": 0,
    "numberOfRemovedThings": 0,
}
COMPLETED: Message = (
    "$aws/events/job/old/completed",
    {
        "timestamp": T + 100,
        "status": "COMPLETED",
        "targetSelection": "SNAPSHOT",
        "targets": TARGETS,
        "description": "the winter update",
        "comment": "done",
        "reasonCode": "PLANNED",
        "createdAt": T * 1000,
        "completedAt": (T + 90) * 1000,
        "lastUpdatedAt": (T + 90) * 1000,
        "jobProcessDetails": REPORTED,
    },
)
SUCCEEDED = event("old", "a", "succeeded", T + 50, progress="100/100")
_COMPLETED_SUMMARY = {
    "jobArn": f"{ARN_PREFIX}old",
    "jobId": "old",
    "status": "COMPLETED",
    "targetSelection": "SNAPSHOT",
    "createdAt": at(T),
    "lastUpdatedAt": at(T + 90),
    "completedAt": at(T + 90),
}
_EVENTS = Scenario(
    messages=(COMPLETED, SUCCEEDED),
    answers=(
        ("ListJobs", {}, {"jobs": [_COMPLETED_SUMMARY]}),
        (
            "DescribeJob",
            {"jobId": "old"},
            {
                "job": {
                    **_COMPLETED_SUMMARY,
                    "targets": TARGETS,
                    "description": "the winter update",
                    "comment": "done",
                    "reasonCode": "PLANNED",
                    "jobProcessDetails": REPORTED,
                }
            },
        ),
        (
            "DescribeJobExecution",
            {"jobId": "old", "thingName": "a"},
            {
                "execution": {
                    "jobId": "old",
                    "thingArn": f"{THING_ARN_PREFIX}a",
                    "status": "SUCCEEDED",
                    "statusDetails": {"detailsMap": {"progress": "100/100"}},
                    "lastUpdatedAt": at(T + 50),
                }
            },
        ),
    ),
)

# An execution with every member, with times precise to the millisecond.

FULL: dict[str, Any] = {
    "status": "IN_PROGRESS",
    "queuedAt": 1486687079.743,
    "startedAt": 1486687080123,
    "lastUpdatedAt": 1486687080.5,
    "executionNumber": 7,
    "versionNumber": 3,
}
GATEWAY = "arn:aws-cn:iot:cn-north-1:123456789012:thing/site:gw"
DETAILS = {"progress": "12/100", "reason": "r" * 300, "Grund": 'Platte "voll": 磁盘'}
RUNNING: Message = (
    "$aws/things/site:gw/jobs/j/get/accepted",
    {"thingArn": GATEWAY, "execution": {**FULL, "statusDetails": DETAILS}},
)
SUMMARY = {
    "status": "IN_PROGRESS",
    "queuedAt": datetime(2017, 2, 10, 0, 37, 59, 743000, tzinfo=UTC),
    "startedAt": datetime(2017, 2, 10, 0, 38, 0, 123000, tzinfo=UTC),
    "lastUpdatedAt": datetime(2017, 2, 10, 0, 38, 0, 500000, tzinfo=UTC),
    "executionNumber": 7,
}
_RUNNING = {
    "execution": {
        "jobId": "j",
        "thingArn": GATEWAY,
        "statusDetails": {"detailsMap": DETAILS},
        "versionNumber": 3,
        **SUMMARY,
    }
}
_EXECUTION = Scenario(
    messages=(RUNNING,),
    answers=(
        ("DescribeJobExecution", {"jobId": "j", "thingName": "site:gw"}, _RUNNING),
        ("DescribeJobExecution", {"jobId": "j", "thingName": "site:gw", "executionNumber": 7}, _RUNNING),
        (
            "ListJobExecutionsForJob",
            {"jobId": "j"},
            {"executionSummaries": [{"thingArn": GATEWAY, "jobExecutionSummary": SUMMARY}]},
        ),
        (
            "ListJobExecutionsForThing",
            {"thingName": "site:gw"},
            {"executionSummaries": [{"jobId": "j", "jobExecutionSummary": SUMMARY}]},
        ),
    ),
)

# Attempts, each of which is an execution: two that ended, and the current one.

RETRIES: Sequence[Message] = (
    listed("t", "j", T, 1, T),
    event("j", "t", "failed", T + 10, reason="disk full"),
    listed("t", "j", T + 11, 2, T + 11),
    event("j", "t", "timed_out", T + 20),
    listed("t", "j", T + 21, 3, T + 21, versionNumber=4),
)
_ATTEMPTS = [
    {"executionNumber": 3, "status": "QUEUED", "queuedAt": at(T + 21), "lastUpdatedAt": at(T + 21)},
    {"executionNumber": 2, "status": "TIMED_OUT", "queuedAt": at(T + 11), "lastUpdatedAt": at(T + 20)},
    {"executionNumber": 1, "status": "FAILED", "queuedAt": at(T), "lastUpdatedAt": at(T + 10)},
]
_OF_ATTEMPTS: Sequence[dict[str, Any]] = [
    {"versionNumber": 4},
    {"versionNumber": 1},
    {"versionNumber": 1, "statusDetails": {"detailsMap": {"reason": "disk full"}}},
]
_DESCRIBED_ATTEMPTS = [
    {"execution": {"jobId": "j", "thingArn": f"{THING_ARN_PREFIX}t", **summary, **more}}
    for summary, more in zip(_ATTEMPTS, _OF_ATTEMPTS, strict=True)
]
_RETRIES = Scenario(
    messages=RETRIES,
    answers=(
        ("DescribeJobExecution", {"jobId": "j", "thingName": "t"}, _DESCRIBED_ATTEMPTS[0]),
        *(
            (
                "DescribeJobExecution",
                {"jobId": "j", "thingName": "t", "executionNumber": answer["execution"]["executionNumber"]},
                answer,
            )
            for answer in _DESCRIBED_ATTEMPTS
        ),
        (
            "ListJobExecutionsForJob",
            {"jobId": "j"},
            {
                "executionSummaries": [
                    {"thingArn": f"{THING_ARN_PREFIX}t", "jobExecutionSummary": summary} for summary in _ATTEMPTS
                ]
            },
        ),
        (
            "ListJobExecutionsForThing",
            {"thingName": "t", "namespaceId": "n", "jobId": "j"},
            {"executionSummaries": [{"jobId": "j", "jobExecutionSummary": summary} for summary in _ATTEMPTS]},
        ),
        (
            "ListJobExecutionsForThing",
            {"thingName": "t", "status": "FAILED"},
            {"executionSummaries": [{"jobId": "j", "jobExecutionSummary": _ATTEMPTS[2]}]},
        ),
    ),
)

# A Greengrass deployment and its document; no message reports tags.

CONFIGURATION = "arn:aws:greengrass:eu-central-1:123456789012:configuration:thinggroup/hall:7"
DEPLOYMENT: Message = (
    "$aws/things/t/jobs/notify-next-namespace-aws-gg-deployment",
    {
        "timestamp": T,
        "execution": {
            "jobId": "gg",
            "status": "QUEUED",
            "queuedAt": T,
            "executionNumber": 1,
            "jobDocument": {
                "deploymentId": "d-1",
                "deploymentName": "nightly",
                "configurationArn": CONFIGURATION,
                "components": {},
            },
        },
    },
)
_DOCUMENT = (
    f'{{"deploymentId":"d-1","deploymentName":"nightly","configurationArn":"{CONFIGURATION}","components":{{}}}}'
)
_DEPLOYMENT = Scenario(
    messages=(DEPLOYMENT,),
    answers=(
        ("GetJobDocument", {"jobId": "gg"}, {"document": _DOCUMENT}),
        ("ListTagsForResource", {"resourceArn": f"{ARN_PREFIX}gg"}, {}),
    ),
)

# An execution that a complete list omits: its outcome is unknown, so it has no status.

UNSEEN_END: Sequence[Message] = (
    execution("job", status="QUEUED", queuedAt=1000),
    ("$aws/things/thing/jobs/notify-namespace-n", {"timestamp": 2000, "jobs": {}}),
)
_UNSEEN = {"queuedAt": at(1000), "lastUpdatedAt": at(1000)}
_UNSEEN_END = Scenario(
    messages=UNSEEN_END,
    answers=(
        (
            "DescribeJobExecution",
            {"jobId": "job", "thingName": "thing"},
            {"execution": {"jobId": "job", "thingArn": f"{THING_ARN_PREFIX}thing", **_UNSEEN}},
        ),
        (
            "ListJobExecutionsForThing",
            {"thingName": "thing"},
            {"executionSummaries": [{"jobId": "job", "jobExecutionSummary": _UNSEEN}]},
        ),
    ),
)

# A device's pending executions, as its own broker reports them: three without a namespace, one of Greengrass.

_THING = "$aws/things/pump"
PENDING: Sequence[Message] = (
    (
        f"{_THING}/jobs/get/accepted",
        {
            "timestamp": T + 60,
            "inProgressJobs": [queued("running", T + 30, startedAt=T + 40.7, lastUpdatedAt=T + 50)],
            "queuedJobs": [queued("first", T + 1), queued("second", T + 2, startedAt=T + 3)],
        },
    ),
    (
        f"{_THING}/jobs/notify-namespace-aws-gg-deployment",
        {"timestamp": T + 60, "jobs": {"QUEUED": [queued("deployment", T)]}},
    ),
    (
        f"{_THING}/jobs/running/get/accepted",
        {
            "timestamp": T + 61,
            "execution": {
                "status": "IN_PROGRESS",
                "queuedAt": T + 30,
                "executionNumber": 1,
                "statusDetails": {"progress": "12/100"},
                "jobDocument": {"operation": "update"},
            },
        },
    ),
)
_NUMBERS = {"queuedAt": T + 30, "startedAt": T + 40, "lastUpdatedAt": T + 61, "executionNumber": 1, "versionNumber": 2}
_DEVICE_EXECUTION = {
    "jobId": "running",
    "thingName": "pump",
    "status": "IN_PROGRESS",
    "statusDetails": {"progress": "12/100"},
    **_NUMBERS,
}
_DEVICE_ANSWER = {"execution": {**_DEVICE_EXECUTION, "jobDocument": '{"operation":"update"}'}}
_PENDING = Scenario(
    service="iot-jobs-data",
    messages=PENDING,
    answers=(
        (
            "GetPendingJobExecutions",
            {"thingName": "pump"},
            {
                "inProgressJobs": [{"jobId": "running", **_NUMBERS}],
                "queuedJobs": [queued("first", T + 1), queued("second", T + 2, startedAt=T + 3)],
            },
        ),
        ("DescribeJobExecution", {"thingName": "pump", "jobId": "running"}, _DEVICE_ANSWER),
        ("DescribeJobExecution", {"thingName": "pump", "jobId": "running", "executionNumber": 1}, _DEVICE_ANSWER),
        ("DescribeJobExecution", {"thingName": "pump", "jobId": "$next"}, _DEVICE_ANSWER),
        (
            "DescribeJobExecution",
            {"thingName": "pump", "jobId": "running", "includeJobDocument": False},
            {"execution": _DEVICE_EXECUTION},
        ),
    ),
)
_NOTHING_PENDING = Scenario(
    service="iot-jobs-data",
    messages=(
        (f"{_THING}/jobs/notify", {"timestamp": T, "jobs": {"QUEUED": [queued("job", T)]}}),
        (f"{_THING}/jobs/notify", {"timestamp": T + 9, "jobs": {}}),
    ),
    answers=(
        ("GetPendingJobExecutions", {"thingName": "pump"}, {"inProgressJobs": [], "queuedJobs": []}),
        ("DescribeJobExecution", {"thingName": "pump", "jobId": "$next"}, {}),
        (
            "DescribeJobExecution",
            {"thingName": "pump", "jobId": "job"},
            {"execution": {**queued("job", T), "thingName": "pump"}},
        ),
    ),
)

SCENARIOS = {
    "jobs": _JOBS,
    "events": _EVENTS,
    "an execution": _EXECUTION,
    "retries": _RETRIES,
    "a deployment": _DEPLOYMENT,
    "an unseen end": _UNSEEN_END,
    "pending": _PENDING,
    "nothing pending": _NOTHING_PENDING,
}
"""Together they contain every fact that the answers of AWS's operations can contain here."""
