"""Messages, parsed into reports: the sample documents, the rules of payloads, and bad input."""

import json
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobindex.errors import MessageError
from jobindex.messages.parsing import parse_message
from jobindex.model.jobs import (
    JobDeletion,
    JobExecutionReport,
    JobExecutionStatus,
    JobReport,
    JobStatus,
    PendingListReport,
    Report,
    TargetSelection,
    ThingGroupReport,
)

utc = datetime.fromisoformat

DOCUMENTS = Path(__file__).parents[1] / "documents"
NAMESPACE = "aws-gg-deployment"
EVENT_JOB = "27450507-bf6f-4012-92af-bb8a1c8c4484"
EVENT_THING = "6ac0e1b8-7d6e-4b0a-9c7c-2b5b6f0f7a11"
EVENT_GROUP = "2fc4c0a4-6e45-4525-a238-0fe8d3dd21bb"
EVENT_TIME, EVENT_MILLISECONDS = utc("2009-02-13T23:31:30Z"), utc("2009-02-13T23:31:30.123Z")
FLOOR_ONE = ThingGroupReport(thing_group_name="FloorOne", thing_group_id="8f82a106-6b1d-4331-8984-a84db5f6f8cb")


def _pending(namespace_id: str | None) -> tuple[Report, ...]:
    return (
        JobReport(
            job_id="job1",
            namespace_id=namespace_id,
            time=utc("2018-01-27T01:44:32Z"),
            earliest_at=utc("2018-01-27T01:35:47Z"),
            latest_at=utc("2018-01-27T01:44:32Z"),
            born_at=utc("2018-01-27T01:35:47Z"),
            pending_at=utc("2018-01-27T01:51:46Z"),
        ),
        JobExecutionReport(
            job_id="job1",
            thing_name="MyThing",
            status=JobExecutionStatus.IN_PROGRESS,
            time=utc("2018-01-27T01:44:32Z"),
            execution_number=1,
            version_number=2,
            queued_at=utc("2018-01-27T01:35:47Z"),
            started_at=utc("2018-01-27T01:44:32Z"),
            pending_at=utc("2018-01-27T01:51:46Z"),
        ),
        JobReport(
            job_id="job2",
            namespace_id=namespace_id,
            time=utc("2018-01-27T01:39:51Z"),
            earliest_at=utc("2018-01-27T01:39:51Z"),
            latest_at=utc("2018-01-27T01:39:51Z"),
            born_at=utc("2018-01-27T01:39:51Z"),
            pending_at=utc("2018-01-27T01:51:46Z"),
        ),
        JobExecutionReport(
            job_id="job2",
            thing_name="MyThing",
            status=JobExecutionStatus.QUEUED,
            time=utc("2018-01-27T01:39:51Z"),
            execution_number=1,
            version_number=1,
            queued_at=utc("2018-01-27T01:39:51Z"),
            pending_at=utc("2018-01-27T01:51:46Z"),
        ),
        PendingListReport(thing_name="MyThing", namespace_id=namespace_id, listed_at=utc("2018-01-27T01:51:46Z")),
    )


def _execution(
    job_id: str,
    namespace_id: str | None,
    status: JobExecutionStatus,
    *,
    queued_at: str | None,
    time: str,
    numbers: tuple[int | None, int | None],
    started_at: str | None = None,
    thing_name: str = "MyThing",
) -> tuple[Report, Report]:
    """Return the reports of one execution that is alone in its message, and told no thing group."""
    return (
        JobReport(
            job_id=job_id,
            namespace_id=namespace_id,
            time=utc(time),
            earliest_at=utc(queued_at or time),
            latest_at=utc(time),
            born_at=utc(queued_at) if queued_at else None,
        ),
        JobExecutionReport(
            job_id=job_id,
            thing_name=thing_name,
            status=status,
            time=utc(time),
            execution_number=numbers[0],
            version_number=numbers[1],
            queued_at=utc(queued_at) if queued_at else None,
            started_at=utc(started_at) if started_at else None,
        ),
    )


def _job_event(
    status: JobStatus,
    selection: TargetSelection = TargetSelection.SNAPSHOT,
    completed_at: datetime | None = None,
) -> tuple[Report, ...]:
    return (
        JobReport(
            job_id=EVENT_JOB,
            time=EVENT_MILLISECONDS,
            earliest_at=EVENT_MILLISECONDS,
            latest_at=EVENT_MILLISECONDS,
            born_at=EVENT_MILLISECONDS,
            status=status,
            target_selection=selection,
            target_group_names=(EVENT_GROUP,),
            created_at=EVENT_MILLISECONDS,
            completed_at=completed_at,
        ),
        ThingGroupReport(thing_group_name=EVENT_GROUP),
    )


def _execution_event(status: JobExecutionStatus) -> tuple[Report, ...]:
    return (
        JobReport(job_id=EVENT_JOB, time=EVENT_TIME, earliest_at=EVENT_TIME, latest_at=EVENT_TIME),
        JobExecutionReport(job_id=EVENT_JOB, thing_name=EVENT_THING, status=status, time=EVENT_TIME),
    )


def _job3(namespace_id: str | None, *, runs: bool) -> tuple[Report, ...]:
    return _execution(
        "job3",
        namespace_id,
        JobExecutionStatus.IN_PROGRESS if runs else JobExecutionStatus.QUEUED,
        queued_at="2018-01-27T01:51:45Z",
        started_at="2018-01-29T00:46:19Z" if runs else None,
        time="2018-01-29T00:46:19Z" if runs else "2018-01-27T01:51:45Z",
        numbers=(1, 2) if runs else (1, 1),
    )


GREENGRASS_JOB = "3f2a6c1e-6c9c-4a6c-9c79-0a6a5b7f9d10"
EXPECTED: dict[str, tuple[Report, ...]] = {
    "notify": _pending(None),
    "notify-empty-queue": (
        PendingListReport(thing_name="MyThing", namespace_id=None, listed_at=utc("2018-01-29T01:32:31Z")),
    ),
    "notify-namespace": _pending(NAMESPACE),
    "notify-namespace-empty-queue": (
        PendingListReport(thing_name="MyThing", namespace_id=NAMESPACE, listed_at=utc("2018-01-29T01:32:31Z")),
    ),
    "notify-next": _job3(None, runs=True),
    "notify-next-empty-queue": (),
    "notify-next-milliseconds": _execution(
        "job3",
        None,
        JobExecutionStatus.QUEUED,
        queued_at="2016-10-11T19:30:16.017Z",
        time="2016-10-11T19:30:16.017Z",
        numbers=(1, 1),
    ),
    "notify-next-device-log": _execution(
        "73752b91-a3e2-4678-b0d5-dc077a9e58aa",
        None,
        JobExecutionStatus.QUEUED,
        queued_at="2020-11-19T12:16:21Z",
        time="2020-11-19T12:16:21Z",
        numbers=(1, 1),
        thing_name="73752b91-a3e2-4678-b0d5-dc077a9e58aa",
    ),
    "notify-next-namespace-greengrass": (
        JobReport(
            job_id=GREENGRASS_JOB,
            namespace_id=NAMESPACE,
            time=utc("2020-11-19T12:16:21Z"),
            earliest_at=utc("2020-11-19T12:16:21Z"),
            latest_at=utc("2020-11-19T12:16:21Z"),
            born_at=utc("2020-11-19T12:16:21Z"),
            thing_group_name="FloorOne",
        ),
        ThingGroupReport(thing_group_name="FloorOne"),
        JobExecutionReport(
            job_id=GREENGRASS_JOB,
            thing_name="MyThing",
            status=JobExecutionStatus.QUEUED,
            time=utc("2020-11-19T12:16:21Z"),
            execution_number=1,
            version_number=1,
            queued_at=utc("2020-11-19T12:16:21Z"),
        ),
    ),
    "notify-next-namespace-greengrass-thing": _execution(
        GREENGRASS_JOB,
        NAMESPACE,
        JobExecutionStatus.QUEUED,
        queued_at="2020-11-19T12:16:21Z",
        time="2020-11-19T12:16:21Z",
        numbers=(1, 1),
    ),
    "job-notification-trailing-slash": (
        JobReport(
            job_id="job1",
            namespace_id=NAMESPACE,
            time=utc("2018-01-27T01:44:32.500Z"),
            earliest_at=utc("2017-02-10T00:37:59.743Z"),
            latest_at=utc("2018-01-27T01:44:32.500Z"),
            born_at=utc("2017-02-10T00:37:59.743Z"),
            status=JobStatus.IN_PROGRESS,
            target_selection=TargetSelection.CONTINUOUS,
            thing_group_id="8f82a106-6b1d-4331-8984-a84db5f6f8cb",
            thing_group_name="FloorOne",
            is_concurrent=False,
            created_at=utc("2017-02-10T00:37:59.743Z"),
            job_arn="arn:aws:iot:us-east-1:123456789012:job/job1",
        ),
        FLOOR_ONE,
    ),
    "job-notification-milliseconds": (
        *_execution(
            "job1",
            NAMESPACE,
            JobExecutionStatus.SUCCEEDED,
            queued_at="2018-01-27T01:35:47Z",
            started_at="2018-01-27T01:39:51Z",
            time="2018-01-27T01:44:32Z",
            numbers=(1, 3),
        ),
        JobReport(
            job_id="job1",
            namespace_id=NAMESPACE,
            time=utc("2018-01-27T01:44:32.500Z"),
            earliest_at=utc("2017-02-10T00:37:59.743Z"),
            latest_at=utc("2018-01-27T01:44:32.500Z"),
            born_at=utc("2017-02-10T00:37:59.743Z"),
            status=JobStatus.COMPLETED,
            target_selection=TargetSelection.CONTINUOUS,
            thing_group_id="8f82a106-6b1d-4331-8984-a84db5f6f8cb",
            target_group_names=("FloorOne",),
            is_concurrent=False,
            created_at=utc("2017-02-10T00:37:59.743Z"),
            completed_at=utc("2018-01-27T01:44:32.250Z"),
            job_arn="arn:aws:iot:us-east-1:123456789012:job/job1",
        ),
        FLOOR_ONE,
    ),
    "job-notification-execution": _execution(
        "job1",
        NAMESPACE,
        JobExecutionStatus.IN_PROGRESS,
        queued_at="2018-01-27T01:35:47Z",
        started_at="2018-01-27T01:44:32Z",
        time="2018-01-27T01:44:32Z",
        numbers=(1, 2),
    ),
    "job-notification-list": _execution(
        "job1",
        NAMESPACE,
        JobExecutionStatus.QUEUED,
        queued_at="2018-01-27T01:39:51Z",
        time="2018-01-27T01:39:51Z",
        numbers=(1, 1),
    ),
    "job-notification-bare": (JobReport(job_id="job1", namespace_id=NAMESPACE),),
    "get-accepted": _job3(None, runs=False),
    "get-accepted-next-namespace": _job3(NAMESPACE, runs=False),
    "get-accepted-no-execution": (),
    "start-next-accepted": _job3(None, runs=True),
    "start-next-accepted-namespace": _job3(NAMESPACE, runs=True),
    "update-accepted": _execution(
        "job3", None, JobExecutionStatus.SUCCEEDED, queued_at=None, time="2018-01-29T00:46:19Z", numbers=(None, 3)
    ),
    "update-accepted-namespace": _execution(
        "job3", NAMESPACE, JobExecutionStatus.FAILED, queued_at=None, time="2018-01-29T00:46:19Z", numbers=(None, 4)
    ),
    "update-accepted-no-state": (),
    "update-request": (),
    "update-rejected": (),
    "job-event-completed": _job_event(JobStatus.COMPLETED, completed_at=EVENT_MILLISECONDS),
    "job-event-canceled": _job_event(JobStatus.CANCELED),
    "job-event-cancellation-in-progress": _job_event(JobStatus.CANCELED, TargetSelection.CONTINUOUS),
    "job-event-deletion-in-progress": _job_event(JobStatus.DELETION_IN_PROGRESS),
    "job-event-deleted": (
        ThingGroupReport(thing_group_name=EVENT_GROUP),
        JobDeletion(job_id=EVENT_JOB, time=EVENT_MILLISECONDS),
    ),
    "job-execution-event-succeeded": _execution_event(JobExecutionStatus.SUCCEEDED),
    "job-execution-event-failed": _execution_event(JobExecutionStatus.FAILED),
    "job-execution-event-rejected": _execution_event(JobExecutionStatus.REJECTED),
    "job-execution-event-canceled": _execution_event(JobExecutionStatus.CANCELED),
    "job-execution-event-timed-out": _execution_event(JobExecutionStatus.TIMED_OUT),
    "job-execution-event-removed": _execution_event(JobExecutionStatus.REMOVED),
    "job-execution-event-deleted": _execution_event(JobExecutionStatus.DELETED),
    "thing-group-event": (FLOOR_ONE,),
}


def test_every_document_has_its_expectation() -> None:
    """No sample document lies unread."""
    assert sorted(EXPECTED) == sorted(path.stem for path in DOCUMENTS.iterdir())


@pytest.mark.parametrize("name", EXPECTED)
def test_a_document_tells_exactly_this(name: str) -> None:
    """Each sample of AWS's messages becomes just these reports."""
    document = json.loads((DOCUMENTS / f"{name}.json").read_text("utf-8"))
    assert EXPECTED[name] == parse_message(document["topic"], json.dumps(document["payload"]).encode())


JOB_TOPIC = "$aws/things/T/jobs/J/notify-namespace-N"
NOTIFY, NOTIFY_NEXT = "$aws/things/T/jobs/notify", "$aws/things/T/jobs/notify-next"
GET, UPDATE = "$aws/things/T/jobs/J/get/accepted", "$aws/things/T/jobs/J/update/accepted"
START_NEXT = "$aws/things/T/jobs/start-next/accepted"
COMPLETED, DELETED = "$aws/events/job/J/completed", "$aws/events/job/J/deleted"
SUCCEEDED = "$aws/events/jobExecution/J/succeeded"
GROUP_CREATED = "$aws/events/thingGroup/G/created"
ALL_TOPICS = (
    JOB_TOPIC,
    NOTIFY,
    NOTIFY_NEXT,
    GET,
    UPDATE,
    START_NEXT,
    COMPLETED,
    DELETED,
    SUCCEEDED,
    GROUP_CREATED,
)
ARN = "arn:aws:iot:us-east-1:123456789012:"
AT_1, AT_2, AT_3, AT_9 = (utc(f"1970-01-01T00:00:0{second}Z") for second in (1, 2, 3, 9))


def _parse(topic: str, payload: object) -> tuple[Report, ...]:
    return parse_message(topic, json.dumps(payload).encode())


def _rejection(topic: str, payload: object) -> str:
    with pytest.raises(MessageError) as caught:
        parse_message(topic, payload if isinstance(payload, bytes) else json.dumps(payload).encode())
    return str(caught.value)


@pytest.mark.parametrize(
    "payload", [b"", b"{}", b'{"unknown": [1, {"status": 5}]}', b'{"jobs": {}}', b'{"jobs": {"X": 5}}']
)
def test_a_job_notification_of_nothing_says_that_the_job_exists(payload: bytes) -> None:
    """Nothing at all, or nothing known, tells the job and its namespace."""
    expected = (JobReport(job_id="J", namespace_id="N"),)
    assert expected == parse_message(JOB_TOPIC, payload)


@pytest.mark.parametrize("topic", [topic for topic in ALL_TOPICS if topic != JOB_TOPIC])
def test_an_empty_payload_elsewhere_is_rejected(topic: str) -> None:
    """Only a job notification may be empty."""
    assert _rejection(topic, b"").startswith("payload: b'' is not JSON in UTF-8")


@pytest.mark.parametrize(
    "payload", [{}, {"timestamp": 9}, {"timestamp": 9, "jobs": None, "execution": None, "executionState": None}]
)
@pytest.mark.parametrize("topic", [NOTIFY, NOTIFY_NEXT, GET, UPDATE, START_NEXT])
def test_a_notification_without_its_member_says_nothing(topic: str, payload: object) -> None:
    """A list without `jobs`, and an answer without an execution, are no news."""
    assert not _parse(topic, payload)


@pytest.mark.parametrize("topic", ["$aws/things/T/jobs/J/update", "$aws/things/T/jobs/get/accepted", "$aws/events/x/y"])
@pytest.mark.parametrize("payload", [b"", b"\xff", b"[" * 2000, b"x" * 204800])
def test_the_payload_of_an_ignored_topic_is_not_looked_at(topic: str, payload: bytes) -> None:
    """A topic that tells nothing is ignored whatever it carries."""
    assert not parse_message(topic, payload)


@pytest.mark.parametrize("topic", ALL_TOPICS)
@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"\xff{}", "payload: b'\\xff{}' is not JSON in UTF-8"),
        (b"{", "payload: b'{' is not JSON in UTF-8"),
        (b'{"timestamp": NaN}', "payload: b'{\"timestamp\": NaN}' is not JSON in UTF-8"),
        (b"[]", "payload: [] is not a JSON object"),
        (b"null", "payload: None is not a JSON object"),
        (b"[" * 2000 + b"]" * 2000, f"payload: b'{'[' * 98}… (4003 characters) is not JSON in UTF-8"),
        (b'{"a":' * 2000 + b"1" + b"}" * 2000, 'payload: b\'{"a":'),
        (b"{" + b" " * 204798 + b"}", "payload: 204800 is not a number of bytes up to 131072"),
    ],
    ids=["not UTF-8", "cut short", "NaN", "list", "null", "deep list", "deep object", "200 KiB"],
)
def test_a_payload_that_is_no_json_object_is_rejected(topic: str, payload: bytes, reason: str) -> None:
    """On every topic the payload is a JSON object in UTF-8 of at most 128 KiB."""
    assert _rejection(topic, payload).startswith(reason)


@pytest.mark.parametrize("depth", [500, 950, 1000, 1023])
@pytest.mark.parametrize("topic", ALL_TOPICS)
def test_an_unknown_member_may_be_nested_as_deep_as_json_is_read(topic: str, depth: int) -> None:
    """Depth that nobody looks into changes nothing."""
    required: dict[str, object] = {"thingArn": f"{ARN}thing/T"}
    payload = json.dumps(required).encode()[:-1] + b', "unknown": ' + b"[" * depth + b"]" * depth + b"}"
    assert _parse(topic, required) == parse_message(topic, payload)


@pytest.mark.parametrize("depth", [500, 950, 1000, 1022])
@pytest.mark.parametrize("topic", ALL_TOPICS)
def test_a_known_member_that_is_nested_deep_rejects_the_message(topic: str, depth: int) -> None:
    """A wrong value that is nested deep is an error of the message, never of the service."""
    nested = b"[" * depth + b"]" * depth
    payload = b'{"timestamp": ' + nested + b', "thingGroupName": ' + nested + b"}"
    with pytest.raises(MessageError):
        parse_message(topic, payload)


# What the values of each kind of member must not be.
NO_TEXT: tuple[object, ...] = (5, 0, True, False, 1.5, [], {}, ["x"])
NO_TIME: tuple[object, ...] = (
    *("1517017906", "", True, [], {}, -1, -0.001, -1517017906000),
    *(4_102_444_801, 99_999_999_999, 4_102_444_800_001, 2**63, 2**64, 10**300),
)
NO_NUMBER: tuple[object, ...] = ("1", True, False, [], {}, -1, 1.5, 2**63, 2**64, 10**30)
NO_NAME = (*NO_TEXT, "", "a b", "é", "T\n", "x" * 129)
NO_CHOICE = (*NO_TEXT, "", "BOGUS", "completed", "SNAPSHOT ")
NO_ARN = (*NO_TEXT, "", "x", "J", f"{ARN}job/", f"{ARN}thing/", f"{ARN}other/J", f"{ARN}job/a b", f"{ARN}thing/a b")
NO_JOB: dict[str, tuple[object, ...]] = {
    "status": (*NO_CHOICE, "QUEUED "),
    "targetSelection": NO_CHOICE,
    "thingGroupId": (*NO_NAME, "a_b"),
    "thingGroupName": NO_NAME,
    "isConcurrent": (0, 1, "true", "false", "", [], {}),
    "createdAt": NO_TIME,
    "lastUpdatedAt": NO_TIME,
    "completedAt": NO_TIME,
    "targets": (
        *(5, True, "x", {}, f"{ARN}thing/T", [5], [None], [{}], ["x"], [f"{ARN}thinggroup/a b"]),
        [f"{ARN}thing/T", f"{ARN}thinggroup/{'g' * 129}"],
    ),
    "description": NO_TEXT,
}
NO_EXECUTION: dict[str, tuple[object, ...]] = {
    "status": NO_CHOICE,
    "queuedAt": NO_TIME,
    "startedAt": NO_TIME,
    "lastUpdatedAt": NO_TIME,
    "executionNumber": NO_NUMBER,
    "versionNumber": NO_NUMBER,
    "statusDetails": (5, True, "x", []),
    "jobDocument": (5, True, 1.5, []),
}
NO_JOB_NAMES: dict[str, tuple[object, ...]] = {"jobId": (*NO_NAME, "a:b", "x" * 65), "jobArn": NO_ARN}
NO_THING_NAMES: dict[str, tuple[object, ...]] = {"thingName": NO_NAME, "thingArn": NO_ARN}
NO_TIMESTAMP: dict[str, tuple[object, ...]] = {"timestamp": NO_TIME}
NO_ENTRY = {**NO_EXECUTION, "jobId": NO_JOB_NAMES["jobId"], **NO_THING_NAMES}

Wrap = Callable[[dict[str, Any]], dict[str, Any]]
# Each form: its topic, how its payload holds the member, the path of what holds it, and its known members.
FORMS: list[tuple[str, Wrap, str, dict[str, tuple[object, ...]]]] = [
    (JOB_TOPIC, lambda m: m, "", {**NO_JOB, **NO_JOB_NAMES, **NO_THING_NAMES, **NO_TIMESTAMP}),
    (JOB_TOPIC, lambda m: {"job": m}, "job.", {**NO_JOB, **NO_JOB_NAMES, **NO_THING_NAMES}),
    (JOB_TOPIC, lambda m: {"startedAt": 1, **m}, "", {**NO_EXECUTION, **NO_JOB_NAMES, **NO_THING_NAMES}),
    (JOB_TOPIC, lambda m: {"execution": m}, "execution.", {**NO_ENTRY, **NO_JOB_NAMES}),
    (JOB_TOPIC, lambda m: {"jobs": {"QUEUED": [m]}}, "jobs.QUEUED[0].", {**NO_ENTRY, **NO_JOB_NAMES}),
    (NOTIFY, lambda m: {"jobs": {}, **m}, "", {**NO_THING_NAMES, **NO_TIMESTAMP}),
    (
        NOTIFY,
        lambda m: {"jobs": {"QUEUED": [], "IN_PROGRESS": [{"jobId": "a"}, {"jobId": "b", **m}]}},
        "jobs.IN_PROGRESS[1].",
        NO_ENTRY,
    ),
    (NOTIFY_NEXT, lambda m: {"execution": {"jobId": "J", **m}}, "execution.", NO_ENTRY),
    (NOTIFY_NEXT, lambda m: m, "", {**NO_THING_NAMES, **NO_TIMESTAMP}),
    (GET, lambda m: {"execution": m}, "execution.", {**NO_ENTRY, **NO_JOB_NAMES}),
    (UPDATE, lambda m: {"executionState": m}, "executionState.", {**NO_ENTRY, **NO_JOB_NAMES}),
    (UPDATE, lambda m: m, "", {**NO_JOB_NAMES, **NO_THING_NAMES, **NO_TIMESTAMP}),
    (START_NEXT, lambda m: {"execution": {"jobId": "J", **m}}, "execution.", NO_ENTRY),
    (COMPLETED, lambda m: m, "", {**NO_JOB, **NO_JOB_NAMES, **NO_TIMESTAMP}),
    (DELETED, lambda m: m, "", {**NO_JOB, **NO_JOB_NAMES, **NO_TIMESTAMP}),
    (
        SUCCEEDED,
        lambda m: {"thingArn": f"{ARN}thing/T", **m},
        "",
        {**NO_EXECUTION, **NO_JOB_NAMES, **NO_THING_NAMES, **NO_TIMESTAMP},
    ),
    (
        GROUP_CREATED,
        lambda m: m,
        "",
        {"thingGroupName": NO_NAME, "thingGroupId": (*NO_NAME, "a_b"), **NO_TIMESTAMP},
    ),
]
MEMBERS = [
    pytest.param(topic, wrap, path, name, values, id=f"{index}-{topic}-{path}{name}")
    for index, (topic, wrap, path, known) in enumerate(FORMS)
    for name, values in known.items()
]


@pytest.mark.parametrize(("topic", "wrap", "path", "name", "values"), MEMBERS)
def test_a_known_member_with_a_wrong_value_rejects_the_message(
    topic: str, wrap: Wrap, path: str, name: str, values: tuple[object, ...]
) -> None:
    """A known member of the wrong type, out of range or outside its enum is told with its path."""
    accepted = []
    for value in values:
        try:
            _parse(topic, wrap({name: value}))
        except MessageError as error:
            told = str(error).startswith((f"{path}{name}: ", f"{path}{name}["))
            if told:
                continue
        accepted.append(value)
    assert not accepted


@pytest.mark.parametrize(("topic", "wrap", "path", "known"), FORMS, ids=range(len(FORMS)))
def test_null_is_absent_everywhere(topic: str, wrap: Wrap, path: str, known: dict[str, tuple[object, ...]]) -> None:
    """A known member that is null changes nothing, wherever it stands, if the form does not need it."""
    needed = (
        {"thingArn"}
        if topic == SUCCEEDED
        else {"jobId"}
        if path and topic in {NOTIFY, NOTIFY_NEXT, START_NEXT}
        else set()
    )
    nulls = dict.fromkeys(known.keys() - needed - ({"startedAt"} if wrap({}).get("startedAt") else set()))
    assert _parse(topic, wrap({})) == _parse(topic, wrap(nulls))


@pytest.mark.parametrize(
    ("topic", "payload", "reason"),
    [
        (JOB_TOPIC, {"job": 5}, "job: 5 is not an object"),
        (JOB_TOPIC, {"job": []}, "job: [] is not an object"),
        (JOB_TOPIC, {"job": "x", "executionNumber": 1}, "job: 'x' is not an object"),
        (JOB_TOPIC, {"execution": True}, "execution: True is not an object"),
        (JOB_TOPIC, {"jobs": []}, "jobs: [] is not an object"),
        (JOB_TOPIC, {"jobs": {"QUEUED": {}}}, "jobs.QUEUED: {} is not a list"),
        (NOTIFY, {"jobs": "x"}, "jobs: 'x' is not an object"),
        (NOTIFY, {"jobs": {"IN_PROGRESS": 5}}, "jobs.IN_PROGRESS: 5 is not a list"),
        (NOTIFY, {"jobs": {"QUEUED": [{"jobId": "a"}, None]}}, "jobs.QUEUED[1]: None is not an object"),
        (NOTIFY, {"jobs": {"QUEUED": [{}]}}, "jobs.QUEUED[0].jobId: None is not a job id"),
        (NOTIFY_NEXT, {"execution": []}, "execution: [] is not an object"),
        (NOTIFY_NEXT, {"execution": {}}, "execution.jobId: None is not a job id"),
        (START_NEXT, {"execution": {"status": "QUEUED"}}, "execution.jobId: None is not a job id"),
        (GET, {"execution": "J"}, "execution: 'J' is not an object"),
        (UPDATE, {"executionState": "SUCCEEDED"}, "executionState: 'SUCCEEDED' is not an object"),
        (SUCCEEDED, {}, "thingArn: None is not the ARN of a thing"),
        (SUCCEEDED, {"thingArn": None}, "thingArn: None is not the ARN of a thing"),
        (SUCCEEDED, {"thingArn": f"{ARN}thinggroup/T"}, f"thingArn: '{ARN}thinggroup/T' is not the ARN of a thing"),
    ],
)
def test_a_container_of_the_wrong_type_or_without_what_it_needs_is_rejected(
    topic: str, payload: object, reason: str
) -> None:
    """Objects and lists are what they should be; an execution names its job, its event its thing."""
    assert reason == _rejection(topic, payload)


@pytest.mark.parametrize("wrap", [lambda m: {"job": m}, lambda m: {"description": "", **m}], ids=["job", "bare"])
@pytest.mark.parametrize("status", ["DELETED", "PENDING"])
def test_a_job_has_no_other_status(wrap: Wrap, status: str) -> None:
    """A status that ListJobs does not have is none of a job, but for the one that reads as CANCELED."""
    statuses = "SCHEDULED, IN_PROGRESS, COMPLETED, CANCELED, DELETION_IN_PROGRESS, CANCELLATION_IN_PROGRESS"
    assert _rejection(JOB_TOPIC, wrap({"status": status})).endswith(f"status: '{status}' is not one of {statuses}")


@pytest.mark.parametrize(
    ("topic", "payload", "reason"),
    [
        (JOB_TOPIC, {"job": {"status": "QUEUED"}}, "job.status: 'QUEUED' is not one of SCHEDULED, "),
        (JOB_TOPIC, {"execution": {"status": "COMPLETED"}}, "execution.status: 'COMPLETED' is not one of QUEUED, "),
        (JOB_TOPIC, {"status": "SCHEDULED", "versionNumber": 1}, "status: 'SCHEDULED' is not one of QUEUED, "),
        (NOTIFY_NEXT, {"execution": {"jobId": "a", "status": "DELETED"}}, "execution.status: 'DELETED' is not one of "),
        (UPDATE, {"executionState": {"status": "SCHEDULED"}}, "executionState.status: 'SCHEDULED' is not one of "),
        (COMPLETED, {"status": "SUCCEEDED"}, "status: 'SUCCEEDED' is not one of SCHEDULED, "),
        (SUCCEEDED, {"thingArn": f"{ARN}thing/T", "status": "COMPLETED"}, "status: 'COMPLETED' is not one of QUEUED, "),
    ],
)
def test_jobs_and_executions_have_statuses_of_their_own(topic: str, payload: object, reason: str) -> None:
    """A status of a job is none of an execution, and the other way round."""
    assert _rejection(topic, payload).startswith(reason)


@pytest.mark.parametrize(
    ("topic", "payload", "reason"),
    [
        (JOB_TOPIC, {"jobId": "K"}, "jobId: 'K' is not 'J', as the topic says"),
        (JOB_TOPIC, {"thingName": "U"}, "thingName: 'U' is not 'T', as the topic says"),
        (JOB_TOPIC, {"jobArn": f"{ARN}job/K"}, f"jobArn: '{ARN}job/K' is not the ARN of job 'J', as the topic says"),
        (
            JOB_TOPIC,
            {"thingArn": f"{ARN}thing/U"},
            f"thingArn: '{ARN}thing/U' is not the ARN of thing 'T', as the topic says",
        ),
        (JOB_TOPIC, {"job": {"jobId": "j"}}, "job.jobId: 'j' is not 'J', as the topic says"),
        (
            JOB_TOPIC,
            {"job": {"jobArn": f"{ARN}job/K"}},
            f"job.jobArn: '{ARN}job/K' is not the ARN of job 'J', as the topic says",
        ),
        (JOB_TOPIC, {"execution": {"jobId": "K"}}, "execution.jobId: 'K' is not 'J', as the topic says"),
        (JOB_TOPIC, {"execution": {"thingName": "U"}}, "execution.thingName: 'U' is not 'T', as the topic says"),
        (JOB_TOPIC, {"queuedAt": 1, "jobId": "K"}, "jobId: 'K' is not 'J', as the topic says"),
        (
            JOB_TOPIC,
            {"jobs": {"QUEUED": [{"jobId": "J"}, {"jobId": "K"}]}},
            "jobs.QUEUED[1].jobId: 'K' is not 'J', as the topic says",
        ),
        (
            NOTIFY,
            {"jobs": {}, "thingArn": f"{ARN}thing/U"},
            f"thingArn: '{ARN}thing/U' is not the ARN of thing 'T', as the topic says",
        ),
        (
            NOTIFY,
            {"jobs": {"QUEUED": [{"jobId": "K", "thingName": "U"}]}},
            "jobs.QUEUED[0].thingName: 'U' is not 'T', as the topic says",
        ),
        (NOTIFY_NEXT, {"thingName": "U"}, "thingName: 'U' is not 'T', as the topic says"),
        (
            NOTIFY_NEXT,
            {"execution": {"jobId": "K", "thingArn": f"{ARN}thing/U"}},
            f"execution.thingArn: '{ARN}thing/U' is not the ARN of thing 'T', as the topic says",
        ),
        (GET, {"jobId": "K"}, "jobId: 'K' is not 'J', as the topic says"),
        (GET, {"execution": {"jobId": "K"}}, "execution.jobId: 'K' is not 'J', as the topic says"),
        (UPDATE, {"jobId": "K"}, "jobId: 'K' is not 'J', as the topic says"),
        (UPDATE, {"executionState": {"jobId": "K"}}, "executionState.jobId: 'K' is not 'J', as the topic says"),
        (UPDATE, {"executionState": {"thingName": "U"}}, "executionState.thingName: 'U' is not 'T', as the topic says"),
        (
            START_NEXT,
            {"execution": {"jobId": "K", "thingName": "U"}},
            "execution.thingName: 'U' is not 'T', as the topic says",
        ),
        (COMPLETED, {"jobId": "K"}, "jobId: 'K' is not 'J', as the topic says"),
        (DELETED, {"jobId": "K"}, "jobId: 'K' is not 'J', as the topic says"),
        (DELETED, {"jobArn": f"{ARN}job/K"}, f"jobArn: '{ARN}job/K' is not the ARN of job 'J', as the topic says"),
        (SUCCEEDED, {"thingArn": f"{ARN}thing/T", "jobId": "K"}, "jobId: 'K' is not 'J', as the topic says"),
        (SUCCEEDED, {"thingArn": f"{ARN}thing/T", "thingName": "U"}, "thingName: 'U' is not 'T', as the topic says"),
        (GROUP_CREATED, {"thingGroupName": "H"}, "thingGroupName: 'H' is not 'G', as the topic says"),
    ],
)
def test_the_topic_wins_over_the_payload(topic: str, payload: object, reason: str) -> None:
    """A payload that names another job, thing or thing group than its topic is rejected whole."""
    assert reason == _rejection(topic, payload)


def test_names_that_agree_with_the_topic_are_no_news() -> None:
    """Naming the topic's job and thing again, by id and by ARN, tells nothing more than the job's ARN."""
    names = {"jobId": "J", "thingName": "T", "thingArn": f"{ARN}thing/T"}
    expected = (JobReport(job_id="J", namespace_id="N", job_arn=f"{ARN}job/J"),)
    assert expected == _parse(JOB_TOPIC, {**names, "jobArn": f"{ARN}job/J"})
    assert expected == _parse(JOB_TOPIC, {**names, "job": {**names, "jobArn": f"{ARN}job/J"}})


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        *(
            ({"job": {}, name: value}, "job: {} is not to stand beside a job's own members")
            for name, value in {
                "status": "COMPLETED",
                "targetSelection": "SNAPSHOT",
                "thingGroupId": "g",
                "thingGroupName": "g",
                "isConcurrent": False,
                "createdAt": 0,
                "lastUpdatedAt": 0,
                "completedAt": 0,
                "jobArn": f"{ARN}job/J",
                "targets": [],
                "description": "",
            }.items()
        ),
        *(
            ({"execution": {}, name: value}, "execution: {} is not to stand beside an execution's own members")
            for name, value in {
                "status": "QUEUED",
                "executionNumber": 0,
                "versionNumber": 0,
                "queuedAt": 0,
                "startedAt": 0,
            }.items()
        ),
    ],
    ids=range(16),
)
def test_members_stand_in_one_place(payload: object, reason: str) -> None:
    """A job's members stand in `job` or at the top, an execution's in `execution` or at the top, never in both."""
    assert reason == _rejection(JOB_TOPIC, payload)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("SCHEDULED", JobStatus.SCHEDULED),
        ("IN_PROGRESS", JobStatus.IN_PROGRESS),
        ("COMPLETED", JobStatus.COMPLETED),
        ("CANCELED", JobStatus.CANCELED),
        ("CANCELLATION_IN_PROGRESS", JobStatus.CANCELED),
        ("DELETION_IN_PROGRESS", JobStatus.DELETION_IN_PROGRESS),
    ],
)
def test_a_bare_status_is_the_jobs(status: str, expected: JobStatus) -> None:
    """A status at the top is the job's, as in `job`, also beside an execution and a list."""
    job = JobReport(job_id="J", namespace_id="N", status=expected)
    entry = JobExecutionReport(job_id="J", thing_name="T", status=JobExecutionStatus.QUEUED, time=None)
    told = JobReport(job_id="J", namespace_id="N")
    assert (job,) == _parse(JOB_TOPIC, {"status": status})
    assert (job,) == _parse(JOB_TOPIC, {"job": {"status": status}})
    assert (told, entry, job) == _parse(JOB_TOPIC, {"status": status, "execution": {"status": "QUEUED"}})
    assert (told, entry, job) == _parse(JOB_TOPIC, {"status": status, "jobs": {"QUEUED": [{}]}})


@pytest.mark.parametrize("status", ["QUEUED", "TIMED_OUT", "FAILED", "REJECTED", "REMOVED", "SUCCEEDED"])
def test_a_bare_status_that_only_executions_have_is_the_executions(status: str) -> None:
    """A status at the top that no job can have makes an execution, and tells nothing of the job's."""
    expected = (
        JobReport(job_id="J", namespace_id="N", time=AT_1, earliest_at=AT_1, latest_at=AT_1),
        JobExecutionReport(job_id="J", thing_name="T", status=JobExecutionStatus(status), time=AT_1),
    )
    assert expected == _parse(JOB_TOPIC, {"status": status, "lastUpdatedAt": 1})


@pytest.mark.parametrize(
    ("name", "numbers"),
    [("executionNumber", (2, None)), ("versionNumber", (None, 2)), ("queuedAt", ()), ("startedAt", ())],
)
@pytest.mark.parametrize("status", ["IN_PROGRESS", "CANCELED"])
def test_a_bare_status_beside_an_executions_own_member_is_the_executions(
    status: str, name: str, numbers: tuple[int | None, ...]
) -> None:
    """A status that jobs and executions share belongs to the execution whose numbers or times stand beside it."""
    time = None if numbers else AT_2
    execution_number, version_number = numbers or (None, None)
    expected = (
        JobReport(
            job_id="J",
            namespace_id="N",
            time=time,
            earliest_at=time,
            latest_at=time,
            born_at=AT_2 if name == "queuedAt" else None,
        ),
        JobExecutionReport(
            job_id="J",
            thing_name="T",
            status=JobExecutionStatus(status),
            time=time,
            execution_number=execution_number,
            version_number=version_number,
            queued_at=AT_2 if name == "queuedAt" else None,
            started_at=AT_2 if name == "startedAt" else None,
        ),
    )
    assert expected == _parse(JOB_TOPIC, {"status": status, name: 2})


def test_an_execution_without_a_status_tells_only_its_job() -> None:
    """Numbers and times without a status make no execution."""
    expected = (JobReport(job_id="J", namespace_id="N", time=AT_2, earliest_at=AT_1, latest_at=AT_2, born_at=AT_1),)
    payload = {"executionNumber": 1, "queuedAt": 1, "startedAt": 2}
    assert expected == _parse(JOB_TOPIC, payload)
    assert expected == _parse(JOB_TOPIC, {"execution": payload})


def test_a_bare_execution_stands_beside_a_jobs_members() -> None:
    """An execution's members at the top go with the job's own, at the top or in `job`."""
    execution = JobExecutionReport(
        job_id="J", thing_name="T", status=JobExecutionStatus.CANCELED, time=AT_2, execution_number=1
    )
    told = JobReport(job_id="J", namespace_id="N", time=AT_2, earliest_at=AT_2, latest_at=AT_2)
    job = JobReport(job_id="J", namespace_id="N", time=AT_2, earliest_at=AT_2, latest_at=AT_2, is_concurrent=True)
    bare = {"status": "CANCELED", "executionNumber": 1, "lastUpdatedAt": 2}
    assert (told, execution, job) == _parse(JOB_TOPIC, {**bare, "isConcurrent": True})
    completed = JobReport(job_id="J", namespace_id="N", status=JobStatus.COMPLETED)
    assert (told, execution, completed) == _parse(JOB_TOPIC, {**bare, "job": {"status": "COMPLETED"}})


TIME_NAMES = ("lastUpdatedAt", "timestamp", "completedAt", "startedAt", "queuedAt", "createdAt")


@pytest.mark.parametrize("absent", range(6))
def test_a_stamp_is_the_first_present_of_the_times(absent: int) -> None:
    """A stamp has the first of the times in their order, however great the others are."""
    payload = {name: second for second, name in enumerate(TIME_NAMES, start=1) if second > absent}
    reports = _parse(JOB_TOPIC, {**payload, "status": "SUCCEEDED"})
    first = utc(f"1970-01-01T00:00:0{absent + 1}Z")
    times = [report.time for report in reports if isinstance(report, JobReport | JobExecutionReport)]
    assert [first] * 3 == times


def test_a_message_without_any_time_has_no_stamp() -> None:
    """Where no time stands, none is made up."""
    expected = (
        JobReport(job_id="J", namespace_id="N"),
        JobExecutionReport(job_id="J", thing_name="T", status=JobExecutionStatus.FAILED, time=None),
    )
    assert expected == _parse(JOB_TOPIC, {"status": "FAILED"})


def _entries(count: int) -> list[dict[str, object]]:
    return [{"jobId": f"job{index}"} for index in range(count)]


@pytest.mark.parametrize(
    ("jobs", "complete"),
    [
        ({"IN_PROGRESS": [], "QUEUED": None}, True),
        ({"IN_PROGRESS": _entries(4), "QUEUED": _entries(5)}, True),
        ({"QUEUED": _entries(9)}, True),
        ({"QUEUED": _entries(10)}, False),
        ({"IN_PROGRESS": _entries(5), "QUEUED": _entries(5)}, False),
        ({"IN_PROGRESS": _entries(15)}, False),
    ],
    ids=["empty", "four and five", "nine", "ten", "five and five", "fifteen"],
)
def test_a_list_of_fewer_than_ten_entries_is_complete(jobs: object, complete: bool) -> None:  # noqa: FBT001
    """A list of ten or more may be cut, so what it leaves out says nothing."""
    lists = [r for r in _parse(NOTIFY, {"timestamp": 9, "jobs": jobs}) if isinstance(r, PendingListReport)]
    expected = [PendingListReport(thing_name="T", namespace_id=None, listed_at=AT_9)] if complete else []
    assert expected == lists


def test_a_list_without_a_timestamp_tells_only_its_entries() -> None:
    """Without a time nothing can be held against what a list leaves out, nor was anything last seen then."""
    expected = (
        JobReport(job_id="a", time=AT_1, earliest_at=AT_1, latest_at=AT_1, born_at=AT_1),
        JobExecutionReport(job_id="a", thing_name="T", status=JobExecutionStatus.QUEUED, time=AT_1, queued_at=AT_1),
    )
    assert expected == _parse(NOTIFY, {"jobs": {"QUEUED": [{"jobId": "a", "queuedAt": 1}]}})


def test_an_entry_without_times_has_those_of_its_list() -> None:
    """The message's timestamp is the stamp of an entry that bears no later update."""
    expected = (
        JobReport(job_id="a", time=AT_9, earliest_at=AT_1, latest_at=AT_9, born_at=AT_1, pending_at=AT_9),
        JobExecutionReport(
            job_id="a",
            thing_name="T",
            status=JobExecutionStatus.IN_PROGRESS,
            time=AT_9,
            queued_at=AT_1,
            pending_at=AT_9,
        ),
        PendingListReport(thing_name="T", namespace_id=None, listed_at=AT_9),
    )
    assert expected == _parse(NOTIFY, {"timestamp": 9, "jobs": {"IN_PROGRESS": [{"jobId": "a", "queuedAt": 1}]}})


def test_a_deletion_has_the_greatest_time_of_its_event() -> None:
    """A job is deleted at the greatest time that the event carries, seconds and milliseconds mixed."""
    expected = (JobDeletion(job_id="J", time=utc("2017-07-14T02:40:00.001Z")),)
    payload = {"timestamp": 1500000000, "createdAt": 1400000000000, "lastUpdatedAt": 1500000000001}
    assert expected == _parse(DELETED, payload)
    assert expected == _parse(DELETED, {"timestamp": 1500000000.001, "lastUpdatedAt": 1400000000, "completedAt": 1})
    assert (JobDeletion(job_id="J", time=None),) == _parse(DELETED, {})


def test_an_event_goes_by_its_operation() -> None:
    """The operation in the topic wins over another status in the payload."""
    job = JobReport(job_id="J", status=JobStatus.COMPLETED)
    assert (job,) == _parse(COMPLETED, {"status": "IN_PROGRESS"})
    assert (JobDeletion(job_id="J", time=None),) == _parse(DELETED, {"status": "COMPLETED"})
    execution = (
        JobReport(job_id="J"),
        JobExecutionReport(job_id="J", thing_name="T", status=JobExecutionStatus.SUCCEEDED, time=None),
    )
    assert execution == _parse(SUCCEEDED, {"status": "QUEUED", "thingArn": f"{ARN}thing/T"})


def test_targets_that_are_things_name_no_group() -> None:
    """A job whose targets are known, and are things alone, has no group among them."""
    expected = (JobReport(job_id="J", namespace_id="N", target_group_names=()),)
    assert expected == _parse(JOB_TOPIC, {"targets": [f"{ARN}thing/T"]})
    assert expected == _parse(JOB_TOPIC, {"targets": []})


@pytest.mark.parametrize(("name", "tied"), [(None, None), ("c", "c"), ("a", "a")])
def test_every_group_among_the_targets_is_named(name: str | None, tied: str | None) -> None:
    """A group's id goes with the group that is called by name, and with none of several."""
    targets = [f"{ARN}thinggroup/b:1", f"{ARN}thing/T", f"{ARN}thinggroup/a", f"{ARN}thinggroup/a"]
    reports = _parse(JOB_TOPIC, {"targets": targets, "thingGroupId": "i", "thingGroupName": name})
    job = JobReport(
        job_id="J",
        namespace_id="N",
        thing_group_id="i",
        thing_group_name=name,
        target_group_names=("a", "b:1"),
    )
    others = [ThingGroupReport(thing_group_name=other) for other in ("a", "b:1") if other != tied]
    expected = {job, ThingGroupReport(thing_group_name=tied, thing_group_id="i"), *others}
    assert (expected, len(expected)) == (set(reports), len(reports))


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({"thingGroupName": "a"}, ThingGroupReport(thing_group_name="a")),
        ({"thingGroupId": "i"}, ThingGroupReport(thing_group_id="i")),
        ({"thingGroupName": "a", "thingGroupId": "i"}, ThingGroupReport(thing_group_name="a", thing_group_id="i")),
    ],
    ids=["name", "id", "both"],
)
def test_a_thing_group_is_known_by_what_a_job_tells(payload: dict[str, str], expected: Report) -> None:
    """A name, an id, or both, which ties them."""
    reports = _parse(JOB_TOPIC, payload)
    job = JobReport(
        job_id="J",
        namespace_id="N",
        thing_group_name=payload.get("thingGroupName"),
        thing_group_id=payload.get("thingGroupId"),
    )
    assert (job, expected) == reports


CONFIGURATION = "arn:aws:greengrass:us-east-1:123456789012:configuration:"


@pytest.mark.parametrize(
    ("document", "group"),
    [
        ({"configurationArn": f"{CONFIGURATION}thinggroup/Floor:One:12"}, "Floor:One"),
        ({"configurationArn": "arn:aws-cn:greengrass:cn-north-1:1:configuration:thinggroup/a:1"}, "a"),
        ({"configurationArn": f"{CONFIGURATION}thing/T:12"}, None),
        ({"configurationArn": f"{CONFIGURATION}thinggroup/G"}, None),
        ({"configurationArn": f"{CONFIGURATION}thinggroup/:1"}, None),
        ({"configurationArn": f"{CONFIGURATION}thinggroup/a b:1"}, None),
        ({"configurationArn": f"{CONFIGURATION}thinggroup/{'g' * 129}:1"}, None),
        ({"configurationArn": f"{ARN}thinggroup/G"}, None),
        ({"configurationArn": "thinggroup/G:1"}, None),
        ({"configurationArn": 5}, None),
        ({"configurationArn": None}, None),
        ({}, None),
        ('{"configurationArn": "text"}', None),
    ],
    ids=range(13),
)
def test_a_greengrass_deployment_names_the_group_of_its_job(document: object, group: str | None) -> None:
    """The configuration's ARN names a thing group; any other document is the customer's own and says nothing."""
    job = JobReport(job_id="J", thing_group_name=group)
    expected = (job, *([ThingGroupReport(thing_group_name=group)] if group else []))
    assert expected == _parse(NOTIFY_NEXT, {"execution": {"jobId": "J", "jobDocument": document}})


def test_a_thing_group_event_ties_name_and_id() -> None:
    """A group's event names it, and ties its id where it stands."""
    assert (ThingGroupReport(thing_group_name="G", thing_group_id="i"),) == _parse(
        GROUP_CREATED, {"thingGroupId": "i", "thingGroupName": "G", "timestamp": 1234567890123}
    )
    for operation in ("updated", "deleted"):
        expected = (ThingGroupReport(thing_group_name="G:1"),)
        assert expected == _parse(f"$aws/events/thingGroup/G:1/{operation}", {})


def _mostly(likely: st.SearchStrategy[Any], unlikely: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.integers(0, 9).flatmap(lambda choice: likely if choice else unlikely)


def _names(*likely: str) -> st.SearchStrategy[str]:
    unlikely = st.sampled_from(["", "a b", "é", "$next", "+", "x" * 129]) | st.text(max_size=4)
    return _mostly(st.sampled_from(likely), unlikely)


TOPICS = st.builds(
    lambda template, thing, job, namespace, end: (
        template.replace("T", thing).replace("J", job).replace("N", namespace) + end
    ),
    st.sampled_from(
        [
            "$aws/things/T/jobs/J/notify-namespace-N",
            "$aws/things/T/jobs/notify",
            "$aws/things/T/jobs/notify-namespace-N",
            "$aws/things/T/jobs/notify-next",
            "$aws/things/T/jobs/notify-next-namespace-N",
            "$aws/things/T/jobs/J/get/accepted",
            "$aws/things/T/jobs/$next/namespace-N/get/accepted",
            "$aws/things/T/jobs/J/update/accepted",
            "$aws/things/T/jobs/J/namespace-N/update/accepted",
            "$aws/things/T/jobs/start-next/namespace-N/accepted",
            "$aws/events/job/J/completed",
            "$aws/events/job/J/deleted",
            "$aws/events/jobExecution/J/timed_out",
            "$aws/events/thingGroup/T/updated",
            "$aws/things/T/jobs/J/N",
        ]
    ),
    _names("t1"),
    _names("j1"),
    _names("next-", "namespace-n", "n"),
    st.sampled_from(["", "/"]),
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=0, max_value=4_102_444_800)
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from([*JobStatus, *JobExecutionStatus, *TargetSelection, "CANCELLATION_IN_PROGRESS"])
    | st.sampled_from(["j1", "j-2", "t1", "t:2", f"{ARN}job/j1", f"{ARN}thing/t1", f"{ARN}thinggroup/g"])
)
LIKELY: dict[str, st.SearchStrategy[Any]] = {
    **dict.fromkeys(
        ["timestamp", "createdAt", "lastUpdatedAt", "completedAt", "queuedAt", "startedAt"],
        st.integers(min_value=10**11, max_value=4_102_444_800_000) | st.floats(min_value=0, max_value=4e9),
    ),
    **dict.fromkeys(["executionNumber", "versionNumber"], st.integers(min_value=0, max_value=2**63)),
    "jobId": st.just("j1"),
    "thingArn": st.just(f"{ARN}thing/t1"),
    "status": st.sampled_from(["IN_PROGRESS", "CANCELED", "COMPLETED", "SUCCEEDED", "QUEUED"]),
    "targetSelection": st.sampled_from(TargetSelection),
    "thingGroupName": st.just("g"),
    "thingGroupId": st.just("i"),
    "isConcurrent": st.booleans(),
    "targets": st.lists(st.sampled_from([f"{ARN}thing/t1", f"{ARN}thinggroup/g", f"{ARN}thinggroup/h"]), max_size=3),
    "jobDocument": st.just({"configurationArn": f"{CONFIGURATION}thinggroup/g:1"}),
    "statusDetails": st.just({}),
}
UNLIKELY = dict.fromkeys([*LIKELY, "jobArn", "thingName", "description"], SCALARS)
MEMBERS_OBJECTS = _mostly(st.fixed_dictionaries({}, optional=LIKELY), st.fixed_dictionaries({}, optional=UNLIKELY))
SHAPED = st.builds(
    lambda members, nested: {**members, **nested},
    MEMBERS_OBJECTS,
    st.fixed_dictionaries(
        {},
        optional={
            "job": MEMBERS_OBJECTS,
            "execution": MEMBERS_OBJECTS,
            "executionState": MEMBERS_OBJECTS,
            "jobs": st.dictionaries(
                st.sampled_from(["QUEUED", "IN_PROGRESS", "OTHER"]), st.lists(MEMBERS_OBJECTS, max_size=3)
            ),
        },
    ),
)
ANY_JSON = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*UNLIKELY, "job", "jobs", "execution"]) | st.text(max_size=3), inner)
    ),
    max_leaves=15,
)
PAYLOADS = _mostly(_mostly(SHAPED, ANY_JSON).map(lambda value: json.dumps(value).encode()), st.binary(max_size=40))


@settings(max_examples=5 * settings().max_examples)
@given(topic=_mostly(TOPICS, st.text(max_size=20)), payload=PAYLOADS)
def test_any_message_is_understood_or_rejected(topic: str, payload: bytes) -> None:
    """Whatever comes under the filters, no other error than MessageError leaves the parser."""
    with suppress(MessageError):
        assert parse_message(topic, payload) == parse_message(topic, payload)


@settings(max_examples=5 * settings().max_examples // 2)
@given(
    topic=st.sampled_from(
        [
            "$aws/things/t1/jobs/j1/notify-namespace-n",
            "$aws/things/t1/jobs/j1/namespace-n/get/accepted",
            "$aws/things/t1/jobs/j1/namespace-n/update/accepted",
            "$aws/events/job/j1/canceled",
            "$aws/events/job/j1/deleted",
            "$aws/events/jobExecution/j1/failed",
        ]
    ),
    payload=SHAPED,
)
def test_no_payload_tells_of_another_job_than_its_topic(topic: str, payload: dict[str, Any]) -> None:
    """Where the topic names a job, thing and namespace, no report names others."""
    with suppress(MessageError):
        for report in _parse(topic, payload):
            if isinstance(report, JobReport):
                assert ("j1", "n" if "things" in topic else None) == (report.job_id, report.namespace_id)
            elif isinstance(report, JobExecutionReport):
                assert report.job_id == "j1"
                assert report.thing_name == "t1" or "events" in topic
            elif isinstance(report, JobDeletion):
                assert report.job_id == "j1"
            else:
                assert isinstance(report, ThingGroupReport)
