"""The messages from which every dump of an earlier schema was made, and AWS's truth about their jobs.

This module uses only the standard library, because old versions import it to write the dumps (see `schema_dumps.py`).
Times are whole seconds after START, except in job events, which AWS writes in milliseconds.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

START = 1_700_000_000
HORIZON_DAYS = 365
"""Versions with retention delete jobs that ended longer than this before the end of the first batch."""

Message = tuple[str, bytes]

GG = "aws-gg-deployment"
FLOOR_1_ID = "f1000000-aaaa-4bbb-8ccc-000000000001"
LAB_ID = "1ab00000-aaaa-4bbb-8ccc-000000000002"


class Batch(NamedTuple):
    """Messages that are applied together."""

    now: int
    """The time of arrival, in seconds after START."""
    messages: Sequence[Message]


def _message(topic: str, payload: Mapping[str, object]) -> Message:
    return topic, json.dumps(payload).encode()


def _arn(resource: str) -> str:
    return f"arn:aws:iot:eu-central-1:123456789012:{resource}"


def _times(members: Mapping[str, Any], unit: int = 1) -> dict[str, Any]:
    """Return members with their times as AWS writes them; `timestamp` does not change."""
    names = {"createdAt", "lastUpdatedAt", "completedAt", "queuedAt", "startedAt"}
    return {name: round((START + value) * unit) if name in names else value for name, value in members.items()}


def _job(job_id: str, namespace: str, thing: str = "t-1", **members: Any) -> Message:
    job = {"jobId": job_id, "jobArn": _arn(f"job/{job_id}"), **_times(members)}
    return _message(f"$aws/things/{thing}/jobs/{job_id}/notify-namespace-{namespace}", {"job": job})


def _entry(
    job_id: str, at: int, number: int | None = None, version: int | None = None, **members: Any
) -> dict[str, Any]:
    numbers = {"executionNumber": number, "versionNumber": version}
    times = _times({"queuedAt": at, "lastUpdatedAt": at, **members})
    return {"jobId": job_id, **times, **{name: value for name, value in numbers.items() if value is not None}}


def _pending(
    thing: str, namespace: str | None, at: int, queued: Sequence[object] = (), in_progress: Sequence[object] = ()
) -> Message:
    suffix = "" if namespace is None else f"-namespace-{namespace}"
    jobs = {"IN_PROGRESS": in_progress, "QUEUED": queued}
    payload = {"timestamp": START + at, "jobs": {name: entries for name, entries in jobs.items() if entries}}
    return _message(f"$aws/things/{thing}/jobs/notify{suffix}", payload)


def _next(thing: str, namespace: str | None, at: int, status: str, entry: Mapping[str, object]) -> Message:
    suffix = "" if namespace is None else f"-namespace-{namespace}"
    payload = {"timestamp": START + at, "execution": {**entry, "status": status}}
    return _message(f"$aws/things/{thing}/jobs/notify-next{suffix}", payload)


def _got(job_id: str, thing: str, namespace: str | None, status: str, entry: Mapping[str, object]) -> Message:
    level = "" if namespace is None else f"/namespace-{namespace}"
    payload = {"execution": {**entry, "status": status, "thingName": thing}}
    return _message(f"$aws/things/{thing}/jobs/{job_id}{level}/get/accepted", payload)


def _updated(job_id: str, thing: str, namespace: str | None, at: int, status: str) -> Message:
    level = "" if namespace is None else f"/namespace-{namespace}"
    version = 2 if status == "IN_PROGRESS" else 3
    payload = {"timestamp": START + at, "executionState": {"status": status, "versionNumber": version}}
    return _message(f"$aws/things/{thing}/jobs/{job_id}{level}/update/accepted", payload)


def _job_event(job_id: str, operation: str, at: int, **members: Any) -> Message:
    payload = {
        "eventType": "JOB",
        "eventId": f"event-{job_id}-{operation}",
        "timestamp": START + at,
        "operation": operation,
        "jobId": job_id,
        "status": operation.upper(),
        **_times(members, 1000),
    }
    return _message(f"$aws/events/job/{job_id}/{operation}", payload)


def _execution_event(job_id: str, thing: str, operation: str, at: int) -> Message:
    payload = {
        "eventType": "JOB_EXECUTION",
        "eventId": f"event-{job_id}-{thing}-{operation}",
        "timestamp": START + at,
        "operation": operation,
        "jobId": job_id,
        "thingArn": _arn(f"thing/{thing}"),
        "status": operation.upper(),
    }
    return _message(f"$aws/events/jobExecution/{job_id}/{operation}", payload)


def _deployment(target: str) -> dict[str, object]:
    return {
        "deploymentId": "b5b9f0a4-2d1c-4c1b-8f4a-0c9d7c1e2f33",
        "configurationArn": f"arn:aws:greengrass:eu-central-1:123456789012:configuration:{target}:7",
        "components": {"com.example.Camera": {"version": "1.4.0"}},
    }


_FLOOR_1 = _arn("thinggroup/floor-1")
_T_1 = _arn("thing/t-1")
_ENDS = ("succeeded", "failed", "rejected", "removed", "timed_out", "canceled")
_CUT = [_entry(f"bulk-{number}", 4000 + number, 1, 1) for number in range(10)]

BATCHES = (
    # Long ago; retention runs after this batch.
    Batch(
        100,
        [
            _job("forgotten", "acme", status="COMPLETED", createdAt=-100_000_000, lastUpdatedAt=-99_999_000),
            _updated("forgotten", "t-1", "acme", -99_999_500, "SUCCEEDED"),
        ],
    ),
    # No job event yet.
    Batch(
        1100,
        [
            _job("scheduled", "acme", status="SCHEDULED", targetSelection="SNAPSHOT", createdAt=10, lastUpdatedAt=10),
            _job(
                "snapshot",
                "acme",
                status="IN_PROGRESS",
                targetSelection="SNAPSHOT",
                targets=[_T_1, _arn("thing/t-2")],
                isConcurrent=False,
                description="100 % of „all“",
                createdAt=20,
                lastUpdatedAt=25,
            ),
            _pending("t-1", "acme", 30, [_entry("snapshot", 30, 1, 1)]),
            _updated("snapshot", "t-1", "acme", 40, "IN_PROGRESS"),
            _job(
                "continuous",
                "acme",
                targetSelection="CONTINUOUS",
                thingGroupName="floor-1",
                thingGroupId=FLOOR_1_ID,
                isConcurrent=True,
                createdAt=50,
                lastUpdatedAt=50,
            ),
            _updated("continuous", "t-1", "acme", 60, "SUCCEEDED"),
            _job("group-by-id", "globex", status="IN_PROGRESS", thingGroupId=LAB_ID, createdAt=70, lastUpdatedAt=70),
            _job(
                "one-group",
                "acme",
                status="IN_PROGRESS",
                targetSelection="SNAPSHOT",
                targets=[_FLOOR_1, _T_1],
                createdAt=80,
                lastUpdatedAt=80,
            ),
            _job(
                "several-groups",
                "globex",
                status="IN_PROGRESS",
                targetSelection="SNAPSHOT",
                targets=[_FLOOR_1, _arn("thinggroup/lab"), _arn("thinggroup/a:b")],
                createdAt=90,
                lastUpdatedAt=90,
            ),
            _message(
                "$aws/events/thingGroup/floor-1/created", {"thingGroupName": "floor-1", "thingGroupId": FLOOR_1_ID}
            ),
            _message("$aws/events/thingGroup/lab/updated", {"thingGroupId": LAB_ID, "timestamp": START + 95}),
            _message("$aws/events/thingGroup/unused/created", {"timestamp": START + 96}),
            # Two namespaces of one thing.
            _job("acme-pending", "acme", "t-2", targetSelection="SNAPSHOT", createdAt=99, lastUpdatedAt=99),
            _job("left-out", "globex", "t-2", status="IN_PROGRESS", createdAt=99, lastUpdatedAt=99),
            _pending("t-2", "acme", 110, [_entry("acme-pending", 110, 1, 1)]),
            _pending("t-2", "globex", 120, [_entry("left-out", 120, 1, 1)]),
            # Both end before the first job event.
            _job("inferred", "acme", "t-3", targetSelection="SNAPSHOT", createdAt=200, lastUpdatedAt=200),
            _pending("t-3", "acme", 210, [_entry("inferred", 210, 1, 1)]),
            _next("t-4", "acme", 220, "IN_PROGRESS", _entry("inferred", 205, 1, 2, startedAt=220, lastUpdatedAt=220)),
        ],
    ),
    Batch(
        2100,
        [
            _updated("inferred", "t-3", "acme", 1000, "SUCCEEDED"),
            _updated("inferred", "t-4", "acme", 1010, "FAILED"),
            _pending("t-2", "globex", 2000),
            *(_execution_event("every-end", f"t-{place}", end, 1200 + place) for place, end in enumerate(_ENDS, 1)),
            _next("t-5", None, 1300, "QUEUED", _entry("no-numbers", 1300)),
            _got(
                "numbers", "t-5", None, "IN_PROGRESS", _entry("numbers", 1310, 1, 7, startedAt=1320, lastUpdatedAt=1330)
            ),
            # The second attempt is queued later than the first one fails, or in the same second.
            _pending("t-6", None, 1400, [_entry("tried-again", 1400, 1, 1), _entry("tried-at-once", 1400, 1, 1)]),
            _execution_event("tried-again", "t-6", "failed", 1410),
            _execution_event("tried-at-once", "t-6", "failed", 1410),
            _pending("t-6", None, 1420, [_entry("tried-at-once", 1410, 2, 1), _entry("tried-again", 1411, 2, 1)]),
            _execution_event("execution-deleted", "t-1", "succeeded", 1500),
            _execution_event("execution-deleted", "t-2", "canceled", 1501),
            _execution_event("execution-deleted", "t-2", "deleted", 1510),
            _next(
                "t-7",
                GG,
                1600,
                "QUEUED",
                {**_entry("gg-group", 1600, 1, 1), "jobDocument": _deployment("thinggroup/lab")},
            ),
            _next(
                "t-8", GG, 1610, "QUEUED", {**_entry("gg-thing", 1610, 1, 1), "jobDocument": _deployment("thing/t-8")}
            ),
            _pending("t-9", "globex", 1700, [_entry("left-out-alone", 1700, 1, 1)]),
            _pending("t-9", "globex", 1800),
        ],
    ),
    # Messages without any time, and malformed ones.
    Batch(
        3100,
        [
            _message(
                "$aws/things/t-30/jobs/untimed/get/accepted", {"execution": {"jobId": "untimed", "status": "QUEUED"}}
            ),
            _message("$aws/things/t-1/jobs/untimed-job/notify-namespace-acme", {"job": {"status": "IN_PROGRESS"}}),
            _message("$aws/things/t-30/jobs/untimed-deleted/get/accepted", {"execution": {"status": "QUEUED"}}),
            _message("$aws/events/job/untimed-deleted/deleted", {}),
            ("$aws/things/t-1/jobs/notify", b'{"timestamp": '),
            ("$aws/events/job/scheduled/completed", b'{"jobId": "another"}'),
            ("$aws/things/t-1/jobs/scheduled/get/accepted", b"\x00\xff'\n"),
            _message(
                "$aws/things/t-1/jobs/get/accepted", {"inProgressJobs": [_entry("snapshot", 30)], "queuedJobs": []}
            ),
            _message("$aws/things/t-1/shadow/update/accepted", {}),
        ],
    ),
    # A list that may be cut: `cut-out` would be its first entry. From here on there are job events.
    Batch(
        5600,
        [
            _job("cut-out", "globex", "t-20", status="IN_PROGRESS", createdAt=3900, lastUpdatedAt=3900),
            _pending("t-20", "globex", 3950, [_entry("cut-out", 3950, 1, 1)]),
            _pending("t-20", "globex", 4100, _CUT),
            _pending("t-1", None, 4900, [_entry("completed", 4900, 1, 1)]),
            _execution_event("completed", "t-1", "succeeded", 5090),
            _execution_event("completed", "t-2", "succeeded", 5095),
            _job_event(
                "completed",
                "completed",
                5100,
                targetSelection="SNAPSHOT",
                targets=[_T_1, _arn("thing/t-2")],
                description="all",
                createdAt=4800.125,
                lastUpdatedAt=5099.5,
                completedAt=5099.5,
                jobProcessDetails={"numberOfSucceededThings": 2},
            ),
            _execution_event("canceled", "t-3", "canceled", 5200),
            _execution_event("canceled", "t-4", "succeeded", 5190),
            _job_event("canceled", "cancellation_in_progress", 5199, createdAt=5110.25, lastUpdatedAt=5198.5),
            _job_event("canceled", "canceled", 5201, createdAt=5110.25, lastUpdatedAt=5200.75, comment="no more"),
            _next(
                "t-5", None, 5300, "IN_PROGRESS", _entry("canceling", 5290, 1, 2, startedAt=5300, lastUpdatedAt=5300)
            ),
            _job_event("canceling", "cancellation_in_progress", 5310, createdAt=5280.5, lastUpdatedAt=5309.5),
            _job("deleting", "acme", status="COMPLETED", createdAt=5400, lastUpdatedAt=5450, completedAt=5450),
            _updated("deleting", "t-1", "acme", 5449, "SUCCEEDED"),
            _job_event("deleting", "deletion_in_progress", 5500, createdAt=5400.0, lastUpdatedAt=5499.5),
            # AWS would have reported its completion; an execution that no message showed is still in progress.
            _job("more-to-come", "acme", "t-6", targetSelection="SNAPSHOT", createdAt=5510, lastUpdatedAt=5510),
            _updated("more-to-come", "t-6", "acme", 5550, "SUCCEEDED"),
        ],
    ),
    # Deletions of the first jobs with these ids.
    Batch(
        6200,
        [
            _job("deleted", "acme", status="COMPLETED", createdAt=5700, lastUpdatedAt=5800, completedAt=5800),
            _updated("deleted", "t-1", "acme", 5799, "SUCCEEDED"),
            _job_event("deleted", "deleted", 6000, createdAt=5700.0, lastUpdatedAt=5999.5),
            _job("reborn", "acme", status="CANCELED", targetSelection="CONTINUOUS", createdAt=5710, lastUpdatedAt=5810),
            _updated("reborn", "t-1", "acme", 5809, "CANCELED"),
            _updated("reborn", "t-2", "acme", 5809, "SUCCEEDED"),
            _job_event("reborn", "deleted", 6010, createdAt=5710.0, lastUpdatedAt=6009.5),
            _job("reborn-by-execution", "acme", status="CANCELED", createdAt=5720, lastUpdatedAt=5820),
            _job_event("reborn-by-execution", "deleted", 6020, createdAt=5720.0, lastUpdatedAt=6019.5),
            # Created again before the event is published, in the second after its lastUpdatedAt.
            _job("reborn-at-once", "acme", status="CANCELED", createdAt=5730, lastUpdatedAt=5830),
            _job("reborn-at-once", "globex", status="IN_PROGRESS", createdAt=6039, lastUpdatedAt=6041),
            _job_event("reborn-at-once", "deleted", 6040, createdAt=5730.0, lastUpdatedAt=6038.5),
        ],
    ),
    Batch(
        7200,
        [
            _job(
                "reborn",
                "globex",
                status="IN_PROGRESS",
                targetSelection="SNAPSHOT",
                targets=[_T_1],
                createdAt=7000,
                lastUpdatedAt=7001,
            ),
            _pending("t-1", "globex", 7002, [_entry("reborn", 7002, 1, 1)]),
            _next("t-3", None, 6500, "QUEUED", _entry("reborn-by-execution", 6500, 1, 1)),
        ],
    ),
)


def _truth(
    status: str, namespace: str | None, created_at: float, /, *, reported: bool = True, **more: Any
) -> dict[str, Any]:
    executions = {name: count for name, count in more.items() if name.isupper()}
    return {
        "status": status,
        "isStatusReported": reported,
        "namespaceId": namespace,
        "createdAt": round((START + created_at) * 1000),
        "targetSelection": more.get("selection"),
        "executions": executions,
    }


TRUTH: Mapping[str, Mapping[str, Any]] = {
    "acme-pending": _truth("IN_PROGRESS", "acme", 99, reported=False, selection="SNAPSHOT", QUEUED=1),
    **{f"bulk-{n}": _truth("IN_PROGRESS", "globex", 4000 + n, reported=False, QUEUED=1) for n in range(10)},
    "canceled": _truth("CANCELED", None, 5110.25, CANCELED=1, SUCCEEDED=1),
    "canceling": _truth("CANCELED", None, 5280.5, IN_PROGRESS=1),
    "completed": _truth("COMPLETED", None, 4800.125, selection="SNAPSHOT", SUCCEEDED=2),
    "continuous": _truth("IN_PROGRESS", "acme", 50, reported=False, selection="CONTINUOUS", SUCCEEDED=1),
    "cut-out": _truth("IN_PROGRESS", "globex", 3900, ENDED=1),
    "deleting": _truth("DELETION_IN_PROGRESS", "acme", 5400, SUCCEEDED=1),
    "every-end": _truth("COMPLETED", None, 1201, reported=False, **{end.upper(): 1 for end in _ENDS}),
    "execution-deleted": _truth("COMPLETED", None, 1500, reported=False, SUCCEEDED=1),
    "gg-group": _truth("IN_PROGRESS", GG, 1600, reported=False, QUEUED=1),
    "gg-thing": _truth("IN_PROGRESS", GG, 1610, reported=False, QUEUED=1),
    "group-by-id": _truth("IN_PROGRESS", "globex", 70),
    "inferred": _truth("COMPLETED", "acme", 200, reported=False, selection="SNAPSHOT", SUCCEEDED=1, FAILED=1),
    "left-out": _truth("IN_PROGRESS", "globex", 99, ENDED=1),
    "left-out-alone": _truth("COMPLETED", "globex", 1700, reported=False, ENDED=1),
    "more-to-come": _truth("IN_PROGRESS", "acme", 5510, reported=False, selection="SNAPSHOT", SUCCEEDED=1),
    "no-numbers": _truth("IN_PROGRESS", None, 1300, reported=False, QUEUED=1),
    "numbers": _truth("IN_PROGRESS", None, 1310, reported=False, IN_PROGRESS=1),
    "one-group": _truth("IN_PROGRESS", "acme", 80, selection="SNAPSHOT"),
    "reborn": _truth("IN_PROGRESS", "globex", 7000, selection="SNAPSHOT", QUEUED=1),
    "reborn-at-once": _truth("IN_PROGRESS", "globex", 6039),
    "reborn-by-execution": _truth("IN_PROGRESS", None, 6500, reported=False, QUEUED=1),
    "scheduled": _truth("SCHEDULED", "acme", 10, selection="SNAPSHOT"),
    "several-groups": _truth("IN_PROGRESS", "globex", 90, selection="SNAPSHOT"),
    "snapshot": _truth("IN_PROGRESS", "acme", 20, selection="SNAPSHOT", IN_PROGRESS=1),
    "tried-again": _truth("IN_PROGRESS", None, 1400, reported=False, QUEUED=1),
    "tried-at-once": _truth("IN_PROGRESS", None, 1400, reported=False, QUEUED=1),
    "untimed": _truth("IN_PROGRESS", None, 3100, reported=False, QUEUED=1),
    "untimed-job": _truth("IN_PROGRESS", "acme", 3100),
}
"""Each job's final state in AWS, as far as the messages report it; jobs that are not here were deleted.

If no message reports createdAt, it is the earliest time in the job's messages, or else the time of arrival.
"""

WRONG: Mapping[str, str] = {
    "cut-out": "a list of ten entries may be cut, but this execution would stand in front of them: it has ended",
    "forgotten": "ended beyond the horizon of retention, which there is from schema 3 on",
    "left-out-alone": "the only execution ended before the first job event, which its messages do not prove",
    "more-to-come": "job events were published before the last end, so AWS would have told of a completion",
    "reborn-at-once": "created again before the event of its deletion was published, and after its lastUpdatedAt",
    "reborn-by-execution": "createdAt is not the time of the deletion, but that of the first message of the new life",
    "tried-at-once": "FAILED is the end of the first attempt; the second was queued in the same second",
}
"""Why the dumps differ about a job, from the truth or from each other."""
