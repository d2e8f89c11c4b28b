"""Messages are parsed into reports: the sample documents, the rules of payloads, and bad input."""

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
from jobindex.messages.parsing import Parser
from jobindex.model.jobs import JobExecutionStatus, JobStatus, TargetSelection, to_milliseconds
from jobindex.model.reports import (
    NO_NUMBER,
    UNTIMED,
    ExecutionReport,
    JobDeletion,
    JobReport,
    ListEntry,
    MemberValue,
    PendingListReport,
    RejectedMessage,
    Report,
    ThingGroupReport,
)

DAY = 24 * 60 * 60 * 1000
NOW = 4_102_444_800_000  # the greatest valid time, so that no time is in the future
DOCUMENTS = Path(__file__).parents[1] / "documents"
NAMESPACE = "aws-gg-deployment"
EVENT_JOB = "27450507-bf6f-4012-92af-bb8a1c8c4484"
EVENT_THING = "6ac0e1b8-7d6e-4b0a-9c7c-2b5b6f0f7a11"
EVENT_GROUP = "2fc4c0a4-6e45-4525-a238-0fe8d3dd21bb"
EVENT_SECOND, EVENT_TIME = 1_234_567_890, 1_234_567_890_123
EVENT_TARGETS = (
    '["arn:aws:iot:us-east-1:123456789012:thing/a39f6f91-70cf-4bd2-a381-9c66df1a80d0",'
    f'"arn:aws:iot:us-east-1:123456789012:thinggroup/{EVENT_GROUP}"]'
)
FLOOR_ONE = ThingGroupReport(thing_group_name="FloorOne", thing_group_id="8f82a106-6b1d-4331-8984-a84db5f6f8cb")


def utc(text: str) -> int:
    """Return a time in milliseconds."""
    return to_milliseconds(datetime.fromisoformat(text))


def _second(text: str) -> int:
    return utc(text) // 1000


def _job(
    job_id: str = "J",
    namespace_id: str | None = None,
    time: int = UNTIMED,
    *,
    earliest_at: int | None = None,
    latest_at: int | None = None,
    published_at: int = UNTIMED,
    **members: Any,
) -> JobReport:
    """Return a job's report; its least and greatest times default to its stamp's."""
    return JobReport(
        job_id=job_id,
        time=time,
        members=members if namespace_id is None else {"namespace_id": namespace_id, **members},
        earliest_at=time if earliest_at is None else earliest_at,
        latest_at=time if latest_at is None else latest_at,
        published_at=published_at,
    )


def _pending(namespace_id: str | None) -> tuple[Report, ...]:
    listed_at = _second("2018-01-27T01:51:46Z")
    return (
        _job("job1", namespace_id, utc("2018-01-27T01:44:32Z"), earliest_at=utc("2018-01-27T01:35:47Z")),
        ExecutionReport(
            job_id="job1",
            thing_name="MyThing",
            status=JobExecutionStatus.IN_PROGRESS,
            time=utc("2018-01-27T01:44:32Z"),
            heard_at=listed_at,
            execution_number=1,
            version_number=2,
            queued_at=utc("2018-01-27T01:35:47Z"),
            started_at=utc("2018-01-27T01:44:32Z"),
        ),
        _job("job2", namespace_id, utc("2018-01-27T01:39:51Z")),
        ExecutionReport(
            job_id="job2",
            thing_name="MyThing",
            status=JobExecutionStatus.QUEUED,
            time=utc("2018-01-27T01:39:51Z"),
            heard_at=listed_at,
            execution_number=1,
            version_number=1,
            queued_at=utc("2018-01-27T01:39:51Z"),
        ),
        PendingListReport(
            thing_name="MyThing",
            namespace_id=namespace_id,
            listed_at=listed_at,
            entries=frozenset(
                {
                    ListEntry("job1", _second("2018-01-27T01:35:47Z"), 1),
                    ListEntry("job2", _second("2018-01-27T01:39:51Z"), 1),
                }
            ),
        ),
    )


def _execution(
    job_id: str,
    namespace_id: str | None,
    status: JobExecutionStatus,
    *,
    queued_at: str | None,
    time: str,
    heard_at: str,
    numbers: tuple[int | None, int | None],
    started_at: str | None = None,
    thing_name: str = "MyThing",
    status_details: str | None = None,
    **members: Any,
) -> tuple[Report, Report]:
    """Return the reports of the only execution in a message, without a thing group."""
    return (
        _job(job_id, namespace_id, utc(time), earliest_at=utc(queued_at or time), **members),
        ExecutionReport(
            job_id=job_id,
            thing_name=thing_name,
            status=status,
            time=utc(time),
            heard_at=_second(heard_at),
            execution_number=numbers[0],
            version_number=numbers[1],
            queued_at=utc(queued_at) if queued_at else None,
            started_at=utc(started_at) if started_at else None,
            status_details=status_details,
        ),
    )


def _job_event(
    status: JobStatus, selection: TargetSelection = TargetSelection.SNAPSHOT, **members: Any
) -> tuple[Report, ...]:
    return (
        _job(
            EVENT_JOB,
            None,
            EVENT_TIME,
            published_at=EVENT_SECOND,
            status=status.value,
            target_selection=selection.value,
            targets=EVENT_TARGETS,
            description="My Job Description",
            created_at=EVENT_TIME,
            **members,
        ),
        ThingGroupReport(thing_group_name=EVENT_GROUP),
    )


def _execution_event(status: JobExecutionStatus) -> tuple[Report, ...]:
    return (
        _job(EVENT_JOB, None, EVENT_SECOND * 1000),
        ExecutionReport(
            job_id=EVENT_JOB,
            thing_name=EVENT_THING,
            status=status,
            time=EVENT_SECOND * 1000,
            heard_at=EVENT_SECOND,
            status_details='{"key":"value"}',
            thing_arn=f"arn:aws:iot:us-east-1:123456789012:thing/{EVENT_THING}",
            is_event=True,
        ),
    )


def _job3(namespace_id: str | None, *, runs: bool, status_details: str | None = None) -> tuple[Report, ...]:
    return _execution(
        "job3",
        namespace_id,
        JobExecutionStatus.IN_PROGRESS if runs else JobExecutionStatus.QUEUED,
        queued_at="2018-01-27T01:51:45Z",
        started_at="2018-01-29T00:46:19Z" if runs else None,
        time="2018-01-29T00:46:19Z" if runs else "2018-01-27T01:51:45Z",
        heard_at="2018-01-29T00:46:19Z" if runs else "2018-01-27T01:51:46Z",
        numbers=(1, 2) if runs else (1, 1),
        status_details=status_details,
    )


GREENGRASS_JOB = "3f2a6c1e-6c9c-4a6c-9c79-0a6a5b7f9d10"
EXPECTED: dict[str, tuple[Report, ...]] = {
    "notify": _pending(None),
    "notify-empty-queue": (
        PendingListReport(thing_name="MyThing", namespace_id=None, listed_at=_second("2018-01-29T01:32:31Z")),
    ),
    "notify-namespace": _pending(NAMESPACE),
    "notify-namespace-empty-queue": (
        PendingListReport(thing_name="MyThing", namespace_id=NAMESPACE, listed_at=_second("2018-01-29T01:32:31Z")),
    ),
    "notify-next": _job3(None, runs=True),
    "notify-next-empty-queue": (),
    "notify-next-milliseconds": _execution(
        "job3",
        None,
        JobExecutionStatus.QUEUED,
        queued_at="2016-10-11T19:30:16.017Z",
        time="2016-10-11T19:30:16.017Z",
        heard_at="2016-10-11T19:30:17Z",
        numbers=(1, 1),
    ),
    "notify-next-device-log": _execution(
        "73752b91-a3e2-4678-b0d5-dc077a9e58aa",
        None,
        JobExecutionStatus.QUEUED,
        queued_at="2020-11-19T12:16:21Z",
        time="2020-11-19T12:16:21Z",
        heard_at="2020-11-19T12:16:22Z",
        numbers=(1, 1),
        thing_name="73752b91-a3e2-4678-b0d5-dc077a9e58aa",
    ),
    "notify-next-namespace-greengrass": (
        _job(
            GREENGRASS_JOB,
            NAMESPACE,
            utc("2020-11-19T12:16:21Z"),
            deployment_id="b5b9f0a4-2d1c-4c1b-8f4a-0c9d7c1e2f33",
            deployment_name="Floor one",
            configuration_arn="arn:aws:greengrass:us-east-1:123456789012:configuration:thinggroup/FloorOne:7",
            thing_group_name="FloorOne",
        ),
        ThingGroupReport(thing_group_name="FloorOne"),
        ExecutionReport(
            job_id=GREENGRASS_JOB,
            thing_name="MyThing",
            status=JobExecutionStatus.QUEUED,
            time=utc("2020-11-19T12:16:21Z"),
            heard_at=_second("2020-11-19T12:16:22Z"),
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
        heard_at="2020-11-19T12:16:22Z",
        numbers=(1, 1),
        deployment_id="b5b9f0a4-2d1c-4c1b-8f4a-0c9d7c1e2f33",
        deployment_name="Floor one",
        configuration_arn="arn:aws:greengrass:us-east-1:123456789012:configuration:thing/MyThing:3",
    ),
    "job-notification-trailing-slash": (
        _job(
            "job1",
            NAMESPACE,
            utc("2018-01-27T01:44:32.500Z"),
            earliest_at=utc("2017-02-10T00:37:59.743Z"),
            status="IN_PROGRESS",
            target_selection="CONTINUOUS",
            thing_group_id="8f82a106-6b1d-4331-8984-a84db5f6f8cb",
            thing_group_name="FloorOne",
            is_concurrent=0,
            created_at=utc("2017-02-10T00:37:59.743Z"),
            job_arn="arn:aws:iot:us-east-1:123456789012:job/job1",
            description="Camera 1.4.0",
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
            heard_at="2018-01-27T01:51:46Z",
            numbers=(1, 3),
            status_details='{"step":"done"}',
        ),
        _job(
            "job1",
            NAMESPACE,
            utc("2018-01-27T01:44:32.500Z"),
            earliest_at=utc("2017-02-10T00:37:59.743Z"),
            status="COMPLETED",
            target_selection="CONTINUOUS",
            thing_group_id="8f82a106-6b1d-4331-8984-a84db5f6f8cb",
            targets=(
                '["arn:aws:iot:us-east-1:123456789012:thing/MyThing",'
                '"arn:aws:iot:us-east-1:123456789012:thinggroup/FloorOne"]'
            ),
            is_concurrent=0,
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
        heard_at="2018-01-27T01:51:46Z",
        numbers=(1, 2),
    ),
    "job-notification-list": _execution(
        "job1",
        NAMESPACE,
        JobExecutionStatus.QUEUED,
        queued_at="2018-01-27T01:39:51Z",
        time="2018-01-27T01:39:51Z",
        heard_at="2018-01-27T01:51:46Z",
        numbers=(1, 1),
    ),
    "job-notification-bare": (_job("job1", NAMESPACE),),
    "get-accepted": _job3(None, runs=False),
    "get-accepted-next-namespace": _job3(NAMESPACE, runs=False),
    "get-accepted-no-execution": (),
    "start-next-accepted": _job3(None, runs=True, status_details='{"step":"download"}'),
    "start-next-accepted-namespace": _job3(NAMESPACE, runs=True),
    "update-accepted": _execution(
        "job3",
        None,
        JobExecutionStatus.SUCCEEDED,
        queued_at=None,
        time="2018-01-29T00:46:19Z",
        heard_at="2018-01-29T00:46:19Z",
        numbers=(None, 3),
        status_details='{"progress":"100"}',
    ),
    "update-accepted-namespace": _execution(
        "job3",
        NAMESPACE,
        JobExecutionStatus.FAILED,
        queued_at=None,
        time="2018-01-29T00:46:19Z",
        heard_at="2018-01-29T00:46:19Z",
        numbers=(None, 4),
    ),
    "update-accepted-no-state": (),
    "update-request": (),
    "update-rejected": (
        _job("job3", earliest_at=utc("2018-01-29T00:46:19Z")),
        ExecutionReport(
            job_id="job3",
            thing_name="MyThing",
            status=JobExecutionStatus.IN_PROGRESS,
            heard_at=_second("2018-01-29T00:46:19Z"),
            version_number=2,
        ),
    ),
    "job-event-completed": _job_event(
        JobStatus.COMPLETED,
        completed_at=EVENT_TIME,
        process_details=(
            '{"numberOfCanceledThings":0,"numberOfFailedThings":0,"numberOfRejectedThings":0,'
            '"numberOfRemovedThings":0,"numberOfSucceededThings":3}'
        ),
    ),
    "job-event-canceled": _job_event(JobStatus.CANCELED),
    "job-event-cancellation-in-progress": _job_event(JobStatus.CANCELED, TargetSelection.CONTINUOUS),
    "job-event-deletion-in-progress": _job_event(JobStatus.DELETION_IN_PROGRESS),
    "job-event-deleted": (
        ThingGroupReport(thing_group_name=EVENT_GROUP),
        JobDeletion(job_id=EVENT_JOB, time=EVENT_TIME, published_at=EVENT_SECOND),
    ),
    **{
        f"job-execution-event-{status.value.lower().replace('_', '-')}": _execution_event(status)
        for status in JobExecutionStatus
        if status not in {JobExecutionStatus.QUEUED, JobExecutionStatus.IN_PROGRESS}
    },
    "get-pending-accepted": _pending(None),
    "thing-group-event": (FLOOR_ONE,),
}


def test_every_document_has_its_expectation() -> None:
    """Every sample document has expected reports."""
    assert sorted(EXPECTED) == sorted(path.stem for path in DOCUMENTS.iterdir())


@pytest.mark.parametrize("name", EXPECTED)
def test_a_document_tells_exactly_this(name: str) -> None:
    """Each sample of AWS's messages becomes exactly the expected reports."""
    document = json.loads((DOCUMENTS / f"{name}.json").read_text("utf-8"))
    assert EXPECTED[name] == _parse(document["topic"], document["payload"])


JOB_TOPIC = "$aws/things/T/jobs/J/notify-namespace-N"
NOTIFY, NOTIFY_NEXT = "$aws/things/T/jobs/notify", "$aws/things/T/jobs/notify-next"
GET_PENDING = "$aws/things/T/jobs/get/accepted"
GET, UPDATE = "$aws/things/T/jobs/J/get/accepted", "$aws/things/T/jobs/J/update/accepted"
UPDATE_REJECTED = "$aws/things/T/jobs/J/update/rejected"
START_NEXT = "$aws/things/T/jobs/start-next/accepted"
COMPLETED, DELETED = "$aws/events/job/J/completed", "$aws/events/job/J/deleted"
SUCCEEDED = "$aws/events/jobExecution/J/succeeded"
GROUP_CREATED = "$aws/events/thingGroup/G/created"
ALL_TOPICS = (
    JOB_TOPIC,
    NOTIFY,
    NOTIFY_NEXT,
    GET_PENDING,
    GET,
    UPDATE,
    UPDATE_REJECTED,
    START_NEXT,
    COMPLETED,
    DELETED,
    SUCCEEDED,
    GROUP_CREATED,
)
ARN = "arn:aws:iot:us-east-1:123456789012:"
AT_1, AT_2, AT_9 = 1000, 2000, 9000
PARSER = Parser()


def _parse(topic: str, payload: object, parser: Parser = PARSER, now: int = NOW) -> tuple[Report, ...]:
    return parser.parse_message(topic, json.dumps(payload).encode(), now)


def _rejection(topic: str, payload: object) -> str:
    with pytest.raises(MessageError) as caught:
        PARSER.parse_message(topic, payload if isinstance(payload, bytes) else json.dumps(payload).encode(), NOW)
    return str(caught.value)


@pytest.mark.parametrize(
    "payload", [b"", b"{}", b'{"unknown": [1, {"status": 5}]}', b'{"jobs": {}}', b'{"jobs": {"X": 5}}']
)
def test_a_job_notification_of_nothing_says_that_the_job_exists(payload: bytes) -> None:
    """A payload without known members reports the job and its namespace."""
    assert (_job("J", "N"),) == PARSER.parse_message(JOB_TOPIC, payload, NOW)


@pytest.mark.parametrize("topic", [topic for topic in ALL_TOPICS if topic != JOB_TOPIC])
def test_an_empty_payload_elsewhere_is_rejected(topic: str) -> None:
    """Only a job notification may be empty."""
    assert _rejection(topic, b"").startswith("payload: b'' is not JSON in UTF-8")


@pytest.mark.parametrize(
    "payload", [{}, {"timestamp": 9}, {"timestamp": 9, "jobs": None, "execution": None, "executionState": None}]
)
@pytest.mark.parametrize("topic", [NOTIFY, NOTIFY_NEXT, GET_PENDING, GET, UPDATE, UPDATE_REJECTED, START_NEXT])
def test_a_notification_without_its_member_says_nothing(topic: str, payload: object) -> None:
    """A list without `jobs`, or an answer without an execution, reports nothing."""
    assert not _parse(topic, payload)


@pytest.mark.parametrize("topic", ["$aws/things/T/jobs/J/update", "$aws/things/T/jobs/get/rejected", "$aws/events/x/y"])
@pytest.mark.parametrize("payload", [b"", b"\xff", b"[" * 2000, b"x" * 204800])
def test_the_payload_of_an_ignored_topic_is_not_looked_at(topic: str, payload: bytes) -> None:
    """An ignored topic may have any payload."""
    assert not PARSER.parse_message(topic, payload, NOW)


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
        (b"{" + b" " * 204798 + b"}", "payload: 204800 is not at most 131072 bytes"),
    ],
    ids=["not UTF-8", "cut short", "NaN", "list", "null", "deep list", "deep object", "200 KiB"],
)
def test_a_payload_that_is_no_json_object_is_rejected(topic: str, payload: bytes, reason: str) -> None:
    """The payload of every topic is a JSON object in UTF-8 of at most 128 KiB."""
    assert _rejection(topic, payload).startswith(reason)


@pytest.mark.parametrize("depth", [500, 950, 1000, 1023])
@pytest.mark.parametrize("topic", ALL_TOPICS)
def test_an_unknown_member_may_be_nested_as_deep_as_json_is_read(topic: str, depth: int) -> None:
    """The depth of an unknown member changes nothing."""
    required: dict[str, object] = {"thingArn": f"{ARN}thing/T"}
    payload = json.dumps(required).encode()[:-1] + b', "unknown": ' + b"[" * depth + b"]" * depth + b"}"
    assert _parse(topic, required) == PARSER.parse_message(topic, payload, NOW)


@pytest.mark.parametrize("depth", [500, 950, 1000, 1022])
@pytest.mark.parametrize("topic", ALL_TOPICS)
def test_a_known_member_that_is_nested_deep_rejects_the_message(topic: str, depth: int) -> None:
    """A deeply nested wrong value is an error of the message, never of the service."""
    nested = b"[" * depth + b"]" * depth
    payload = b'{"timestamp": ' + nested + b', "thingGroupName": ' + nested + b"}"
    with pytest.raises(MessageError):
        PARSER.parse_message(topic, payload, NOW)


# Invalid values of each kind of member.
NO_TEXT: tuple[object, ...] = (5, 0, True, False, 1.5, [], {}, ["x"])
NO_TIME: tuple[object, ...] = (
    *("", "x", "-1", "1e9", "2020-13-01", True, [], {}, -1, -0.001, -1517017906000),
    *(4_102_444_801, 99_999_999_999, 4_102_444_800_001, 2**63, 2**64, 10**300),
)
NO_INTEGER: tuple[object, ...] = ("1", True, False, [], {}, -1, 1.5, 2**63, 2**64, 10**30)
NO_NAME = (*NO_TEXT, "", "a b", "é", "T\n", "x" * 129)
NO_CHOICE = (*NO_TEXT, "", "BOGUS", "completed", "SNAPSHOT ")
NO_ARN = (
    *NO_TEXT,
    "",
    "x",
    f"{ARN}job/{'J' * 2048}",
    "J",
    f"{ARN}job/",
    f"{ARN}thing/",
    f"{ARN}other/J",
    f"{ARN}job/a b",
    f"{ARN}thing/a b",
)
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
    "description": (*NO_TEXT, "x" * 2029, "\0"),
    "comment": (*NO_TEXT, "x" * 2029, "\0"),
    "reasonCode": (*NO_TEXT, "x" * 129, "\0"),
    "jobProcessDetails": (5, True, "x", []),
}
NO_EXECUTION: dict[str, tuple[object, ...]] = {
    "status": NO_CHOICE,
    "queuedAt": NO_TIME,
    "startedAt": NO_TIME,
    "lastUpdatedAt": NO_TIME,
    "executionNumber": NO_INTEGER,
    "versionNumber": NO_INTEGER,
    "jobDocument": (5, True, 1.5, []),
}
NO_JOB_NAMES: dict[str, tuple[object, ...]] = {"jobId": (*NO_NAME, "a:b", "x" * 65), "jobArn": NO_ARN}
NO_THING_NAMES: dict[str, tuple[object, ...]] = {"thingName": NO_NAME, "thingArn": NO_ARN}
NO_TIMESTAMP: dict[str, tuple[object, ...]] = {"timestamp": NO_TIME}
NO_ENTRY = {**NO_EXECUTION, "jobId": NO_JOB_NAMES["jobId"], **NO_THING_NAMES}

Wrap = Callable[[dict[str, Any]], dict[str, Any]]
# Each form: its topic, a payload that contains the member, the path to it, and its known members.
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
    (GET_PENDING, lambda m: {"queuedJobs": [], **m}, "", {**NO_THING_NAMES, **NO_TIMESTAMP}),
    (
        GET_PENDING,
        lambda m: {"inProgressJobs": [{"jobId": "a"}], "queuedJobs": [{"jobId": "b"}, {"jobId": "c", **m}]},
        "queuedJobs[1].",
        NO_ENTRY,
    ),
    (GET, lambda m: {"execution": m}, "execution.", {**NO_ENTRY, **NO_JOB_NAMES}),
    (UPDATE, lambda m: {"executionState": m}, "executionState.", {**NO_ENTRY, **NO_JOB_NAMES}),
    (UPDATE_REJECTED, lambda m: {"executionState": m}, "executionState.", {**NO_ENTRY, **NO_JOB_NAMES}),
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
    """A known member of the wrong type, out of range or outside its enum is reported with its path."""
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
    """A known member that is null changes nothing, unless the form requires it."""
    needed = (
        {"thingArn"}
        if topic == SUCCEEDED
        else {"jobId"}
        if path and topic in {NOTIFY, NOTIFY_NEXT, GET_PENDING, START_NEXT}
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
        (GET_PENDING, {"queuedJobs": {}}, "queuedJobs: {} is not a list"),
        (GET_PENDING, {"inProgressJobs": [5]}, "inProgressJobs[0]: 5 is not an object"),
        (GET_PENDING, {"queuedJobs": [{}]}, "queuedJobs[0].jobId: None is not a job id"),
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
    """Objects and lists have their types; an execution names its job, and its event the thing."""
    assert reason == _rejection(topic, payload)


@pytest.mark.parametrize("wrap", [lambda m: {"job": m}, lambda m: {"description": "", **m}], ids=["job", "bare"])
@pytest.mark.parametrize("status", ["DELETED", "PENDING"])
def test_a_job_has_no_other_status(wrap: Wrap, status: str) -> None:
    """ListJobs's statuses are valid for a job, and CANCELLATION_IN_PROGRESS, which is stored as CANCELED."""
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
    """A job cannot have a status of an execution, and vice versa."""
    assert _rejection(topic, payload).startswith(reason)


@pytest.mark.parametrize(
    ("topic", "payload", "reason"),
    [
        (JOB_TOPIC, {"jobId": "K"}, "jobId: 'K' is not 'J' as in the topic"),
        (JOB_TOPIC, {"thingName": "U"}, "thingName: 'U' is not 'T' as in the topic"),
        (JOB_TOPIC, {"jobArn": f"{ARN}job/K"}, f"jobArn: '{ARN}job/K' is not the ARN of job 'J' as in the topic"),
        (
            JOB_TOPIC,
            {"thingArn": f"{ARN}thing/U"},
            f"thingArn: '{ARN}thing/U' is not the ARN of thing 'T' as in the topic",
        ),
        (JOB_TOPIC, {"job": {"jobId": "j"}}, "job.jobId: 'j' is not 'J' as in the topic"),
        (
            JOB_TOPIC,
            {"job": {"jobArn": f"{ARN}job/K"}},
            f"job.jobArn: '{ARN}job/K' is not the ARN of job 'J' as in the topic",
        ),
        (JOB_TOPIC, {"execution": {"jobId": "K"}}, "execution.jobId: 'K' is not 'J' as in the topic"),
        (JOB_TOPIC, {"execution": {"thingName": "U"}}, "execution.thingName: 'U' is not 'T' as in the topic"),
        (JOB_TOPIC, {"queuedAt": 1, "jobId": "K"}, "jobId: 'K' is not 'J' as in the topic"),
        (
            JOB_TOPIC,
            {"jobs": {"QUEUED": [{"jobId": "J"}, {"jobId": "K"}]}},
            "jobs.QUEUED[1].jobId: 'K' is not 'J' as in the topic",
        ),
        (
            NOTIFY,
            {"jobs": {}, "thingArn": f"{ARN}thing/U"},
            f"thingArn: '{ARN}thing/U' is not the ARN of thing 'T' as in the topic",
        ),
        (
            NOTIFY,
            {"jobs": {"QUEUED": [{"jobId": "K", "thingName": "U"}]}},
            "jobs.QUEUED[0].thingName: 'U' is not 'T' as in the topic",
        ),
        (NOTIFY_NEXT, {"thingName": "U"}, "thingName: 'U' is not 'T' as in the topic"),
        (
            NOTIFY_NEXT,
            {"execution": {"jobId": "K", "thingArn": f"{ARN}thing/U"}},
            f"execution.thingArn: '{ARN}thing/U' is not the ARN of thing 'T' as in the topic",
        ),
        (GET, {"jobId": "K"}, "jobId: 'K' is not 'J' as in the topic"),
        (GET, {"execution": {"jobId": "K"}}, "execution.jobId: 'K' is not 'J' as in the topic"),
        (UPDATE, {"jobId": "K"}, "jobId: 'K' is not 'J' as in the topic"),
        (UPDATE, {"executionState": {"jobId": "K"}}, "executionState.jobId: 'K' is not 'J' as in the topic"),
        (UPDATE, {"executionState": {"thingName": "U"}}, "executionState.thingName: 'U' is not 'T' as in the topic"),
        (
            START_NEXT,
            {"execution": {"jobId": "K", "thingName": "U"}},
            "execution.thingName: 'U' is not 'T' as in the topic",
        ),
        (COMPLETED, {"jobId": "K"}, "jobId: 'K' is not 'J' as in the topic"),
        (DELETED, {"jobId": "K"}, "jobId: 'K' is not 'J' as in the topic"),
        (DELETED, {"jobArn": f"{ARN}job/K"}, f"jobArn: '{ARN}job/K' is not the ARN of job 'J' as in the topic"),
        (SUCCEEDED, {"thingArn": f"{ARN}thing/T", "jobId": "K"}, "jobId: 'K' is not 'J' as in the topic"),
        (SUCCEEDED, {"thingArn": f"{ARN}thing/T", "thingName": "U"}, "thingName: 'U' is not 'T' as in the topic"),
        (GROUP_CREATED, {"thingGroupName": "H"}, "thingGroupName: 'H' is not 'G' as in the topic"),
    ],
)
def test_the_topic_wins_over_the_payload(topic: str, payload: object, reason: str) -> None:
    """A payload that names another job, thing or thing group than its topic is rejected."""
    assert reason == _rejection(topic, payload)


def test_names_that_agree_with_the_topic_are_no_news() -> None:
    """Names and ARNs of the topic's job and thing report nothing new except the job's ARN."""
    names = {"jobId": "J", "thingName": "T", "thingArn": f"{ARN}thing/T"}
    expected = (_job("J", "N", job_arn=f"{ARN}job/J"),)
    assert expected == _parse(JOB_TOPIC, {**names, "jobArn": f"{ARN}job/J"})
    assert expected == _parse(JOB_TOPIC, {**names, "job": {**names, "jobArn": f"{ARN}job/J"}})


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        *(
            ({"job": {}, name: value}, "job: {} is not the only job in the payload")
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
                "comment": "",
                "reasonCode": "",
                "jobProcessDetails": {},
            }.items()
        ),
        *(
            ({"execution": {}, name: value}, "execution: {} is not the only execution in the payload")
            for name, value in {
                "status": "QUEUED",
                "executionNumber": 0,
                "versionNumber": 0,
                "queuedAt": 0,
                "startedAt": 0,
                "statusDetails": [],
                "jobDocument": {},
            }.items()
        ),
    ],
    ids=range(21),
)
def test_members_stand_in_one_place(payload: object, reason: str) -> None:
    """A job's members are in `job` or at the top, an execution's in `execution` or at the top, never in both."""
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
    """A status at the top is the job's, as in `job`, even beside an execution or a list."""
    job = _job("J", "N", status=expected.value)
    entry = ExecutionReport(job_id="J", thing_name="T", status=JobExecutionStatus.QUEUED)
    told = _job("J", "N")
    assert (job,) == _parse(JOB_TOPIC, {"status": status})
    assert (job,) == _parse(JOB_TOPIC, {"job": {"status": status}})
    assert (told, entry, job) == _parse(JOB_TOPIC, {"status": status, "execution": {"status": "QUEUED"}})
    assert (told, entry, job) == _parse(JOB_TOPIC, {"status": status, "jobs": {"QUEUED": [{}]}})


@pytest.mark.parametrize("status", ["QUEUED", "TIMED_OUT", "FAILED", "REJECTED", "REMOVED", "SUCCEEDED"])
def test_a_bare_status_that_only_executions_have_is_the_executions(status: str) -> None:
    """A status at the top that no job can have makes an execution and reports no job status."""
    expected = (
        _job("J", "N", AT_1),
        ExecutionReport(job_id="J", thing_name="T", status=JobExecutionStatus(status), time=AT_1, heard_at=1),
    )
    assert expected == _parse(JOB_TOPIC, {"status": status, "lastUpdatedAt": 1})


@pytest.mark.parametrize(
    ("name", "value", "reported"),
    [
        ("executionNumber", 2, {"execution_number": 2}),
        ("versionNumber", 2, {"version_number": 2}),
        ("queuedAt", 2, {"queued_at": AT_2, "time": AT_2, "heard_at": 2}),
        ("startedAt", 2, {"started_at": AT_2, "time": AT_2, "heard_at": 2}),
        ("statusDetails", {"a": "b"}, {"status_details": '{"a":"b"}'}),
        ("statusDetails", [], {}),
        ("jobDocument", {}, {}),
    ],
    ids=range(7),
)
@pytest.mark.parametrize("status", ["IN_PROGRESS", "CANCELED"])
def test_a_bare_status_beside_an_executions_own_member_is_the_executions(
    status: str, name: str, value: object, reported: dict[str, Any]
) -> None:
    """A shared status belongs to the execution if one of its own members is beside it."""
    execution = {"job_id": "J", "thing_name": "T", "status": JobExecutionStatus(status), **reported}
    expected = (_job("J", "N", reported.get("time", UNTIMED)), ExecutionReport(**execution))
    assert expected == _parse(JOB_TOPIC, {"status": status, name: value})


def test_an_execution_without_a_status_reports_only_its_job() -> None:
    """Numbers and times without a status make no execution."""
    expected = (_job("J", "N", AT_2, earliest_at=AT_1),)
    payload = {"executionNumber": 1, "queuedAt": 1, "startedAt": 2}
    assert expected == _parse(JOB_TOPIC, payload)
    assert expected == _parse(JOB_TOPIC, {"execution": payload})


def test_a_bare_execution_stands_beside_a_jobs_members() -> None:
    """An execution's members at the top can occur with the job's own, at the top or in `job`."""
    execution = ExecutionReport(
        job_id="J", thing_name="T", status=JobExecutionStatus.CANCELED, time=AT_2, heard_at=2, execution_number=1
    )
    told = _job("J", "N", AT_2)
    bare = {"status": "CANCELED", "executionNumber": 1, "lastUpdatedAt": 2}
    assert (told, execution, _job("J", "N", AT_2, is_concurrent=1)) == _parse(JOB_TOPIC, {**bare, "isConcurrent": True})
    completed = _job("J", "N", status="COMPLETED")
    assert (told, execution, completed) == _parse(JOB_TOPIC, {**bare, "job": {"status": "COMPLETED"}})


TIME_NAMES = ("lastUpdatedAt", "timestamp", "completedAt", "startedAt", "queuedAt", "createdAt")


@pytest.mark.parametrize("absent", range(6))
def test_a_stamp_is_the_first_present_of_the_times(absent: int) -> None:
    """Times have a fixed order of preference, even if a later one is greater."""
    payload = {name: second for second, name in enumerate(TIME_NAMES, start=1) if second > absent}
    reports = _parse(JOB_TOPIC, {**payload, "status": "SUCCEEDED"})
    times = [report.time for report in reports if isinstance(report, JobReport | ExecutionReport)]
    assert [(absent + 1) * 1000] * 3 == times


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({"timestamp": 9, "createdAt": 2}, (9000, 2000, 9000)),
        ({"timestamp": 9, "lastUpdatedAt": 3, "createdAt": 2}, (3000, 2000, 3000)),
        ({"timestamp": 1, "lastUpdatedAt": 3, "createdAt": 5}, (3000, 3000, 5000)),
        ({"timestamp": 1, "completedAt": 3, "createdAt": 5}, (1000, 1000, 5000)),
        ({"completedAt": 3, "queuedAt": 4, "startedAt": 9, "createdAt": 2}, (3000, 2000, 9000)),
        ({"createdAt": 0}, (0, 0, 0)),
        ({"timestamp": 0}, (0, 0, 0)),
        ({"lastUpdatedAt": 0, "timestamp": 5}, (0, 0, 0)),
        ({}, (UNTIMED, UNTIMED, UNTIMED)),
    ],
    ids=range(9),
)
def test_the_least_and_greatest_times_leave_out_a_timestamp_that_is_not_the_stamp(
    payload: dict[str, int], expected: tuple[int, int, int]
) -> None:
    """A job's times are those of its stamp and of its members."""
    for topic, published_at in ((JOB_TOPIC, UNTIMED), (COMPLETED, payload.get("timestamp", UNTIMED))):
        (report, *_) = _parse(topic, {**payload, "description": ""} if "queuedAt" not in payload else payload)
        assert isinstance(report, JobReport)
        assert (*expected, published_at) == (report.time, report.earliest_at, report.latest_at, report.published_at)


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({"timestamp": 9.9}, 9),
        ({"timestamp": 9.9, "execution": {"lastUpdatedAt": 5}}, 9),
        ({"execution": {"lastUpdatedAt": 5.999, "queuedAt": 7}}, 5),
        ({"execution": {"queuedAt": 149.5}}, 149),
        ({}, UNTIMED),
    ],
    ids=range(5),
)
def test_an_execution_is_heard_at_its_messages_second(payload: dict[str, Any], expected: int) -> None:
    """The second is the timestamp's, or else the stamp's, rounded down."""
    execution = {"status": "QUEUED", **payload.get("execution", {})}
    reports = _parse(GET, {**payload, "execution": execution})
    assert [expected] == [report.heard_at for report in reports if isinstance(report, ExecutionReport)]


def test_a_message_without_any_time_has_no_stamp() -> None:
    """A missing time is not replaced by another."""
    expected = (
        _job("J", "N"),
        ExecutionReport(job_id="J", thing_name="T", status=JobExecutionStatus.FAILED, time=UNTIMED, heard_at=UNTIMED),
    )
    assert expected == _parse(JOB_TOPIC, {"status": "FAILED"})


def _entries(count: int, first: int = 0) -> list[dict[str, object]]:
    return [
        {"jobId": f"job{index}", "queuedAt": index + 0.9, "executionNumber": index}
        for index in range(first, first + count)
    ]


def _listed(count: int, last_entry: tuple[bool, int] | None = None) -> PendingListReport:
    entries = frozenset(ListEntry(f"job{index}", index, index) for index in range(count))
    return PendingListReport("T", None, 9, frozenset() if last_entry else entries, last_entry)


@pytest.mark.parametrize(
    ("in_progress", "queued", "expected"),
    [
        ([], None, _listed(0)),
        (_entries(4), _entries(5, 4), _listed(9)),
        (None, _entries(9), _listed(9)),
        (None, _entries(10), _listed(10, (True, 9))),
        (_entries(5), _entries(5, 5), _listed(10, (True, 9))),
        (_entries(15), [], _listed(15, (False, 14))),
        ([{"jobId": "a"}] * 9, [{"jobId": "a"}], _listed(10, (True, UNTIMED))),
    ],
    ids=["empty", "four and five", "nine", "ten", "five and five", "fifteen", "ten without times"],
)
def test_a_list_of_ten_entries_or_more_may_be_cut(
    in_progress: object, queued: object, expected: PendingListReport
) -> None:
    """A shorter list reports all its entries, a longer one only its last; IN_PROGRESS comes first."""
    notified = _parse(NOTIFY, {"timestamp": 9.9, "jobs": {"QUEUED": queued, "IN_PROGRESS": in_progress}})
    answered = _parse(GET_PENDING, {"timestamp": 9.9, "queuedJobs": queued, "inProgressJobs": in_progress})
    assert (expected, expected) == (notified[-1], answered[-1])
    assert notified == answered


def test_a_list_identifies_its_entries_as_far_as_they_are_known() -> None:
    """An entry without a time and number is UNTIMED and has NO_NUMBER; zero is a valid time and number."""
    jobs = {"QUEUED": [{"jobId": "a"}, {"jobId": "b", "queuedAt": 0, "executionNumber": 0}]}
    entries = frozenset({ListEntry("a", UNTIMED, NO_NUMBER), ListEntry("b", 0, 0)})
    assert PendingListReport("T", None, 9, entries) == _parse(NOTIFY, {"timestamp": 9, "jobs": jobs})[-1]


def test_a_list_without_a_timestamp_reports_only_its_entries() -> None:
    """A list without a time cannot leave out executions."""
    expected = (
        _job("a", None, AT_1),
        ExecutionReport(
            job_id="a", thing_name="T", status=JobExecutionStatus.QUEUED, time=AT_1, heard_at=1, queued_at=AT_1
        ),
    )
    assert expected == _parse(NOTIFY, {"jobs": {"QUEUED": [{"jobId": "a", "queuedAt": 1}]}})
    assert expected == _parse(GET_PENDING, {"queuedJobs": [{"jobId": "a", "queuedAt": 1}]})


def test_an_entry_without_times_has_those_of_its_list() -> None:
    """The list's timestamp is the stamp of an entry without a later update."""
    expected = (
        _job("a", None, AT_9, earliest_at=AT_1),
        ExecutionReport(
            job_id="a", thing_name="T", status=JobExecutionStatus.IN_PROGRESS, time=AT_9, heard_at=9, queued_at=AT_1
        ),
        PendingListReport("T", None, 9, frozenset({ListEntry("a", 1, NO_NUMBER)})),
    )
    assert expected == _parse(NOTIFY, {"timestamp": 9, "jobs": {"IN_PROGRESS": [{"jobId": "a", "queuedAt": 1}]}})


def test_a_thing_that_asks_for_its_list_shows_it_without_a_namespace() -> None:
    """Both executions are reported, and a list that is complete at its timestamp (case 7)."""
    reports = _parse(
        GET_PENDING, {"timestamp": 9, "inProgressJobs": [{"jobId": "a"}], "queuedJobs": [{"jobId": "b", "queuedAt": 1}]}
    )
    statuses = [(report.job_id, report.status) for report in reports if isinstance(report, ExecutionReport)]
    assert [("a", JobExecutionStatus.IN_PROGRESS), ("b", JobExecutionStatus.QUEUED)] == statuses
    entries = frozenset({ListEntry("a", UNTIMED, NO_NUMBER), ListEntry("b", 1, NO_NUMBER)})
    assert PendingListReport("T", None, 9, entries) == reports[-1]


def test_a_list_on_a_jobs_own_topic_leaves_nothing_out() -> None:
    """A list of a single job reports executions, and no pending list."""
    reports = _parse(JOB_TOPIC, {"timestamp": 9, "jobs": {"QUEUED": [{}], "IN_PROGRESS": []}})
    assert not [report for report in reports if isinstance(report, PendingListReport)]


def test_an_update_without_a_state_says_nothing() -> None:
    """Neither an answer without its state nor an absent next execution is a sighting (case 17)."""
    assert not _parse(UPDATE, {"timestamp": 9, "clientToken": "c"})
    assert not _parse(NOTIFY_NEXT, {"timestamp": 9})


def test_a_rejected_update_shows_the_state() -> None:
    """The state in a rejection was reached at some time before the `timestamp`."""
    expected = (
        _job("J", earliest_at=AT_9),
        ExecutionReport(
            job_id="J",
            thing_name="T",
            status=JobExecutionStatus.SUCCEEDED,
            heard_at=9,
            version_number=3,
        ),
    )
    state = {"status": "SUCCEEDED", "versionNumber": 3}
    payload = {"code": "InvalidStateTransition", "message": "x", "timestamp": 9, "executionState": state}
    assert expected == _parse(UPDATE_REJECTED, payload)


def test_a_deletion_has_the_greatest_time_inside() -> None:
    """Three times count, in seconds or milliseconds; the timestamp counts only as time of publication."""
    inside = utc("2017-07-14T02:40:00.001Z")
    expected = (JobDeletion(job_id="J", time=inside, published_at=1500000000),)
    payload: dict[str, float] = {"timestamp": 1400000000, "createdAt": 1400000000000, "lastUpdatedAt": 1500000000001}
    assert expected == _parse(DELETED, payload)
    assert expected == _parse(DELETED, {"lastUpdatedAt": 1400000000, "completedAt": 1500000000.001})
    assert expected == _parse(DELETED, {**payload, "startedAt": 1600000000})
    published = (JobDeletion(job_id="J", time=inside, published_at=1500000007),)
    assert published == _parse(DELETED, {**payload, "timestamp": 1500000007.9})
    assert (JobDeletion(job_id="J", time=7900, published_at=7),) == _parse(DELETED, {"timestamp": 7.9})
    assert (JobDeletion(job_id="J", time=UNTIMED, published_at=UNTIMED),) == _parse(DELETED, {})


def test_a_deletion_keeps_only_the_groups() -> None:
    """A `deleted` event reports only the deletion, and the groups among the job's targets."""
    payload = {"targets": [f"{ARN}thinggroup/a"], "description": "x", "comment": "y", "thingGroupId": "i"}
    assert (ThingGroupReport("a", "i"), JobDeletion("J")) == _parse(DELETED, payload)


def test_only_a_job_event_is_published() -> None:
    """The publication is the second of the timestamp, and unknown without a timestamp."""
    assert (_job("J", None, AT_1, published_at=9, status="COMPLETED"),) == _parse(
        COMPLETED, {"timestamp": 9.5, "lastUpdatedAt": 1}
    )
    assert (_job("J", None, AT_1, status="COMPLETED"),) == _parse(COMPLETED, {"lastUpdatedAt": 1})
    assert (_job("J", "N", AT_1, description=""),) == _parse(
        JOB_TOPIC, {"timestamp": 9, "lastUpdatedAt": 1, "description": ""}
    )


def test_an_event_goes_by_its_operation() -> None:
    """The operation in the topic wins over another status in the payload."""
    assert (_job(status="COMPLETED"),) == _parse(COMPLETED, {"status": "IN_PROGRESS"})
    assert (JobDeletion(job_id="J"),) == _parse(DELETED, {"status": "COMPLETED"})
    execution = (
        _job(),
        ExecutionReport(
            job_id="J",
            thing_name="T",
            status=JobExecutionStatus.SUCCEEDED,
            thing_arn=f"{ARN}thing/T",
            is_event=True,
        ),
    )
    assert execution == _parse(SUCCEEDED, {"status": "QUEUED", "thingArn": f"{ARN}thing/T"})


@pytest.mark.parametrize(
    ("topic", "payload"),
    [
        (GET, {"execution": {"status": "QUEUED", "thingArn": "$ARN"}}),
        (GET, {"thingArn": "$ARN", "execution": {"status": "QUEUED"}}),
        (NOTIFY, {"thingArn": "$ARN", "jobs": {"QUEUED": [{"jobId": "J"}]}}),
        (NOTIFY, {"jobs": {"QUEUED": [{"jobId": "J", "thingArn": "$ARN"}]}}),
        (GET_PENDING, {"thingArn": "$ARN", "queuedJobs": [{"jobId": "J"}]}),
        (JOB_TOPIC, {"thingArn": "$ARN", "status": "QUEUED"}),
        (SUCCEEDED, {"thingArn": "$ARN"}),
    ],
    ids=range(7),
)
def test_a_things_arn_is_reported_as_it_is(topic: str, payload: object) -> None:
    """Region, account and partition are those of the ARN in the message or its execution (case 11)."""
    arn = "arn:aws-cn:iot:cn-north-1:123456789012:thing/T"
    reports = _parse(topic, json.loads(json.dumps(payload).replace("$ARN", arn)))
    assert [arn] == [report.thing_arn for report in reports if isinstance(report, ExecutionReport)]


def test_numbers_of_an_event_are_reported() -> None:
    """An execution event may contain the numbers and times of its execution."""
    payload = {"thingArn": f"{ARN}thing/T", "executionNumber": 2, "versionNumber": 3, "queuedAt": 1, "timestamp": 9}
    expected = ExecutionReport(
        "J", "T", JobExecutionStatus.SUCCEEDED, AT_9, 9, 2, 3, AT_1, None, None, f"{ARN}thing/T", is_event=True
    )
    assert expected == _parse(SUCCEEDED, payload)[-1]


def _details(details: object, parser: Parser = PARSER) -> tuple[str | None, bool]:
    report = _parse(GET, {"execution": {"status": "FAILED", "statusDetails": details}}, parser)[-1]
    assert isinstance(report, ExecutionReport)
    return report.status_details, report.is_details_cut


def test_status_details_are_canonical_json() -> None:
    """Details are reported with sorted keys and without spaces; empty details are None (case 8)."""
    assert ('{"progress":"12/100"}', False) == _details({"progress": "12/100"})
    assert ('{"a":"é","b":"1","é":""}', False) == _details({"é": "", "b": "1", "a": "é"})
    assert (None, False) == _details({})
    assert (None, False) == _details(None)


@pytest.mark.parametrize("details", [[], ["x"], 5, True, "x", {"a": 5}, {"a": "x", "b": None}, {"a": {}}, [[]]])
@pytest.mark.parametrize("topic", [GET, SUCCEEDED, JOB_TOPIC])
def test_other_status_details_are_dropped_and_counted(topic: str, details: object) -> None:
    """Malformed details, such as PHP's empty map `[]`, cost neither the message nor its status (case 14)."""
    noted: list[str] = []
    execution = {"status": "FAILED", "statusDetails": details}
    payload = {GET: {"execution": execution}, SUCCEEDED: {**execution, "thingArn": f"{ARN}thing/T"}}
    report = _parse(topic, payload.get(topic, execution), Parser(note=noted.append))[-1]
    assert isinstance(report, ExecutionReport)
    assert (None, False, ["statusDetails"]) == (report.status_details, report.is_details_cut, noted)
    assert (JobExecutionStatus.SUCCEEDED if topic == SUCCEEDED else JobExecutionStatus.FAILED) == report.status


def test_long_status_details_lose_whole_members_from_the_end() -> None:
    """The first members by key that fit into 16 KiB of canonical JSON are stored."""
    noted: list[str] = []
    parser = Parser(note=noted.append)
    fits = {"a": "x" * 8000, "b": "y" * (16384 - 8000 - len('{"a":"","b":""}'))}
    assert (json.dumps(fits, separators=(",", ":")), False) == _details(fits, parser)
    over = {"b": fits["b"] + "y", "a": fits["a"], "c": ""}
    assert (json.dumps({"a": fits["a"]}, separators=(",", ":")), True) == _details(over, parser)
    assert (json.dumps(fits, separators=(",", ":")), True) == _details({**fits, "c": ""}, parser)
    assert (None, True) == _details({"b": "", "a": "é" * 8192}, parser)
    assert not noted


@given(st.dictionaries(st.text("abcé", max_size=3), st.sampled_from([0, 1, 3000, 8180, 16370]), max_size=6))
def test_cut_details_are_the_longest_start_that_fits(lengths: dict[str, int]) -> None:
    """One more member, by the sorted keys, would be too long."""
    details = {key: "x" * length for key, length in lengths.items()}
    status_details, is_cut = _details(details)
    starts = [{key: details[key] for key in sorted(details)[:count]} for count in range(len(details) + 1)]
    texts = [json.dumps(start, ensure_ascii=False, separators=(",", ":")) for start in starts]
    longest = max((text for text in texts if len(text.encode()) <= 16384), key=len)
    assert (None if longest == "{}" else longest, longest != texts[-1]) == (status_details, is_cut)


def test_texts_of_a_job_are_reported() -> None:
    """The description, comment and reason code of a job are reported up to AWS's lengths."""
    texts = {"description": "d" * 2028, "comment": "é" * 2028, "reasonCode": "r" * 128}
    expected = _job("J", "N", description="d" * 2028, comment="é" * 2028, reason_code="r" * 128)
    assert (expected,) == _parse(JOB_TOPIC, texts)
    assert (expected,) == _parse(JOB_TOPIC, {"job": texts})


@pytest.mark.parametrize(
    ("details", "expected"),
    [
        (
            {"numberOfSucceededThings": 39, "numberOfFailedThings": 2},
            '{"numberOfFailedThings":2,"numberOfSucceededThings":39}',
        ),
        ({"numberOfQueuedThings": 0, "processingTargets": ["x"]}, '{"numberOfQueuedThings":0}'),
        (
            {"numberOfTimedOutThings": 2**63 - 1, "numberOfFailedThings": 2**63},
            '{"numberOfTimedOutThings":9223372036854775807}',
        ),
        ({"numberOfFailedThings": -1, "numberOfQueuedThings": True, "numberOfRemovedThings": "1"}, None),
        ({"numberOfCanceledThings": 1.0, "numberOfX": 1, "other": 1}, None),
        ({}, None),
    ],
    ids=range(6),
)
def test_the_counts_of_a_job_event_are_reported(details: object, expected: str | None) -> None:
    """The counts that AWS defines are reported if they are integers (case 9)."""
    members: dict[str, Any] = {"status": "COMPLETED"} | ({} if expected is None else {"process_details": expected})
    assert (_job("J", None, **members),) == _parse(COMPLETED, {"jobProcessDetails": details})


def test_targets_that_are_things_name_no_group() -> None:
    """A job with known targets, all of them things, reports no group."""
    assert (_job("J", "N", targets=f'["{ARN}thing/T"]'),) == _parse(JOB_TOPIC, {"targets": [f"{ARN}thing/T"]})
    assert (_job("J", "N", targets="[]"),) == _parse(JOB_TOPIC, {"targets": []})


@pytest.mark.parametrize(("name", "tied"), [(None, None), ("c", "c"), ("a", "a")])
def test_every_group_among_the_targets_is_named(name: str | None, tied: str | None) -> None:
    """A group id is tied to the reported name, and never to one of several targets."""
    targets = [f"{ARN}thinggroup/b:1", f"{ARN}thing/T", f"{ARN}thinggroup/a", f"{ARN}thinggroup/a"]
    job, *groups = _parse(JOB_TOPIC, {"targets": targets, "thingGroupId": "i", "thingGroupName": name})
    members: dict[str, Any] = {} if name is None else {"thing_group_name": name}
    sorted_targets = f'["{ARN}thing/T","{ARN}thinggroup/a","{ARN}thinggroup/b:1"]'
    assert _job("J", "N", thing_group_id="i", targets=sorted_targets, **members) == job
    others = [ThingGroupReport(thing_group_name=other) for other in ("a", "b:1") if other != tied]
    assert [ThingGroupReport(thing_group_name=tied, thing_group_id="i"), *others] == groups


@pytest.mark.parametrize("topic", [COMPLETED, JOB_TOPIC])
def test_more_than_a_hundred_targets_are_dropped_and_counted(topic: str) -> None:
    """Duplicates do not count; if there are too many targets, their groups are not reported either."""
    noted: list[str] = []
    parser = Parser(note=noted.append)
    targets = [f"{ARN}thinggroup/g{number:03}" for number in range(100)]
    job, *groups = _parse(topic, {"targets": [*targets, targets[0]]}, parser)
    assert isinstance(job, JobReport)
    assert (targets, 100, []) == (json.loads(str(job.members["targets"])), len(groups), noted)
    job, *groups = _parse(topic, {"targets": [*targets, f"{ARN}thing/T"], "description": "x"}, parser)
    assert isinstance(job, JobReport)
    assert "targets" not in job.members
    assert ("x", [], ["targets"]) == (job.members["description"], groups, noted)


def test_a_member_that_is_dropped_from_a_rejected_message_is_not_counted() -> None:
    """No member of a rejected message counts."""
    noted: list[str] = []
    execution = {"status": "QUEUED", "statusDetails": []}
    for wrong in ({"queuedAt": "x"}, {"queuedAt": (NOW + DAY) // 1000}):
        with pytest.raises(MessageError):
            _parse(GET, {"execution": {**execution, **wrong}}, Parser(note=noted.append), now=0)
    assert not noted
    _parse(GET, {"execution": execution}, Parser(note=noted.append))
    assert ["statusDetails"] == noted


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({"thingGroupName": "a"}, ThingGroupReport(thing_group_name="a")),
        ({"thingGroupId": "i"}, ThingGroupReport(thing_group_id="i")),
        ({"thingGroupName": "a", "thingGroupId": "i"}, ThingGroupReport(thing_group_name="a", thing_group_id="i")),
    ],
    ids=["name", "id", "both"],
)
def test_a_thing_group_is_known_by_its_name_or_its_id(payload: dict[str, str], expected: Report) -> None:
    """A job reports a name, an id, or both, which ties them."""
    registers = {"thingGroupName": "thing_group_name", "thingGroupId": "thing_group_id"}
    members: dict[str, Any] = {registers[name]: value for name, value in payload.items()}
    assert (_job("J", "N", **members), expected) == _parse(JOB_TOPIC, payload)


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
def test_a_greengrass_deployment_names_the_group_of_its_job(document: Any, group: str | None) -> None:
    """The configuration's ARN contains a thing group; any other document is the customer's own."""
    arn = document.get("configurationArn") if isinstance(document, dict) else None
    members: dict[str, Any] = {"configuration_arn": arn} if isinstance(arn, str) else {}
    if group is not None:
        members["thing_group_name"] = group
    job = _job("J", None, **members)
    expected = (job, *([ThingGroupReport(thing_group_name=group)] if group else []))
    assert expected == _parse(NOTIFY_NEXT, {"execution": {"jobId": "J", "jobDocument": document}})


def _document_members(document: object, parser: Parser = PARSER) -> dict[str, MemberValue]:
    (job, *_) = _parse(GET, {"execution": {"jobDocument": document}}, parser)
    assert isinstance(job, JobReport)
    return dict(job.members)


def test_a_deployment_is_reported_by_its_texts() -> None:
    """The id, name and configuration are reported if they are texts of at most 2,048 characters."""
    texts = {"deploymentId": "i" * 2048, "deploymentName": "n", "configurationArn": "a"}
    expected = {"deployment_id": "i" * 2048, "deployment_name": "n", "configuration_arn": "a"}
    assert expected == _document_members(texts)
    wrong_values: list[object] = [5, None, [], {}, "x" * 2049, "\0"]
    for wrong in wrong_values:
        assert {} == _document_members(dict.fromkeys(texts, wrong))


KEEPS = Parser(keeps_documents=True)


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"b": [1, 2.5, None], "a": {"é": "x"}}, '{"b":[1,2.5,null],"a":{"é":"x"}}'),
        ({}, "{}"),
        ('{"b": 1,\n "a": 2}', '{"b":1,"a":2}'),
        ("no JSON", None),
        ("[1]", None),
        ("", None),
        ({"a": "x" * (32768 - len('{"a":""}'))}, json.dumps({"a": "x" * 32760}, separators=(",", ":"))),
        ({"a": "x" * (32769 - len('{"a":""}'))}, None),
    ],
    ids=range(8),
)
def test_a_document_is_kept_only_if_asked_for(document: object, expected: str | None) -> None:
    """A document is stored as compact JSON of at most 32 KiB if enabled: it may contain presigned URLs."""
    assert ({} if expected is None else {"document": expected}) == _document_members(document, KEEPS)
    assert {} == _document_members(document)


def test_a_kept_document_does_not_replace_the_deployment() -> None:
    """A deployment's members are reported even if the document is stored, or too long."""
    small, large = {"deploymentId": "d"}, {"deploymentId": "d", "components": "x" * 33000}
    assert {"deployment_id": "d", "document": '{"deploymentId":"d"}'} == _document_members(small, KEEPS)
    assert {"deployment_id": "d"} == _document_members(large, KEEPS)


@pytest.mark.parametrize("depth", [200, 300, 1000])
def test_a_document_that_is_nested_deep_costs_nothing_but_itself(depth: int) -> None:
    """A document may be too deep to be written as JSON; its message still counts."""
    payload = b'{"execution": {"jobDocument": {"a": ' + b"[" * depth + b"]" * depth + b"}}}"
    (job,) = KEEPS.parse_message(GET, payload, NOW)
    assert isinstance(job, JobReport)
    assert (depth < 250) == ("document" in job.members)


FAR_NOW = utc("2026-11-28T12:00:00Z")
FUTURE: list[tuple[str, Callable[[int], dict[str, Any]]]] = [
    *((topic, lambda time: {"timestamp": time}) for topic in ALL_TOPICS if topic != SUCCEEDED),
    (SUCCEEDED, lambda time: {"timestamp": time, "thingArn": f"{ARN}thing/T"}),
    *((topic, lambda time: {"createdAt": time, "lastUpdatedAt": 1}) for topic in (JOB_TOPIC, COMPLETED, DELETED)),
    *((topic, lambda time: {"startedAt": time, "lastUpdatedAt": 1}) for topic in (JOB_TOPIC, COMPLETED, DELETED)),
    (JOB_TOPIC, lambda time: {"job": {"completedAt": time, "lastUpdatedAt": 1}}),
    (JOB_TOPIC, lambda time: {"job": {}, "execution": {"queuedAt": time}}),
    (NOTIFY, lambda time: {"timestamp": 1, "jobs": {"QUEUED": [{"jobId": "a", "queuedAt": time}, {"jobId": "b"}]}}),
    (NOTIFY, lambda time: {"jobs": {"QUEUED": [{"jobId": "a", "lastUpdatedAt": 1, "queuedAt": time}]}}),
    (GET_PENDING, lambda time: {"timestamp": 1, "queuedJobs": [{"jobId": "a", "queuedAt": time}]}),
    (GET, lambda time: {"execution": {"startedAt": time, "lastUpdatedAt": time - 1}}),
    (UPDATE, lambda time: {"executionState": {"lastUpdatedAt": time}}),
    (SUCCEEDED, lambda time: {"thingArn": f"{ARN}thing/T", "lastUpdatedAt": time, "queuedAt": 1}),
]


@pytest.mark.parametrize(("topic", "payload"), FUTURE, ids=range(len(FUTURE)))
def test_a_message_of_the_future_is_rejected_until_its_time(
    topic: str, payload: Callable[[int], dict[str, Any]]
) -> None:
    """A message with a time more than 24 hours ahead is due 24 hours before its greatest time."""
    ahead = FAR_NOW + DAY
    _parse(topic, payload(ahead), now=FAR_NOW)
    message = json.dumps(payload(ahead + 1)).encode()
    time = "2026-11-29T12:00:00.001+00:00"
    reason = f"the greatest time: '{time}' is not at most 24 hours ahead: it is in the future"
    rejected = PARSER.parse(topic, message, FAR_NOW)
    assert RejectedMessage(topic, message, reason, due_at=FAR_NOW + 1) == rejected
    assert not isinstance(PARSER.parse(topic, message, FAR_NOW + 1), RejectedMessage)


def test_a_message_of_the_future_is_due_by_its_greatest_time() -> None:
    """The greatest of several times decides; a malformed message is never due."""
    times = {"timestamp": FAR_NOW + 3 * DAY, "createdAt": FAR_NOW + 5 * DAY, "lastUpdatedAt": FAR_NOW + 2 * DAY}
    rejected = PARSER.parse(COMPLETED, json.dumps(times).encode(), FAR_NOW)
    assert isinstance(rejected, RejectedMessage)
    assert FAR_NOW + 4 * DAY == rejected.due_at
    never = PARSER.parse(COMPLETED, json.dumps({**times, "isConcurrent": 5}).encode(), FAR_NOW)
    assert isinstance(never, RejectedMessage)
    assert (None, "isConcurrent: 5 is not true or false") == (never.due_at, never.reason)


def test_a_message_is_told_with_its_reports_or_its_rejection() -> None:
    """`parse` returns a malformed message as rejected, with its whole topic and the reason."""
    parser = Parser(topic_prefix="site1/")
    assert (_job("J", "N"),) == parser.parse(f"site1/{JOB_TOPIC}", b"", NOW)
    assert () == parser.parse(JOB_TOPIC, b"{", NOW)
    assert () == parser.parse(f"site2/{JOB_TOPIC}", b"{", NOW)
    rejected = parser.parse(f"site1/{JOB_TOPIC}", b"[]", NOW)
    assert RejectedMessage(f"site1/{JOB_TOPIC}", b"[]", "payload: [] is not a JSON object") == rejected


@pytest.mark.parametrize(
    "time", ["1604436653741", "2020-11-03T22:50:53.741000+02:00", 1604436653.741, "1604436653.741"], ids=repr
)
def test_times_are_understood_in_any_form(time: object) -> None:
    """Any message may contain times in the AWS CLI's format or as quoted digits (case 13)."""
    at = 1604436653741
    assert (_job("J", None, at, published_at=1604436653, status="COMPLETED", created_at=at),) == _parse(
        COMPLETED, {"timestamp": time, "createdAt": time}
    )
    expected = ExecutionReport("J", "T", JobExecutionStatus.QUEUED, at, at // 1000, queued_at=at)
    listed = PendingListReport("T", None, at // 1000, frozenset({ListEntry("J", at // 1000, NO_NUMBER)}))
    payload = {"timestamp": time, "jobs": {"QUEUED": [{"jobId": "J", "queuedAt": time}]}}
    assert (_job("J", None, at), expected, listed) == _parse(NOTIFY, payload)


def test_a_thing_group_event_ties_name_and_id() -> None:
    """An event reports the name of its group, and ties its id if there is one."""
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
            "$aws/things/T/jobs/get/accepted",
            "$aws/things/T/jobs/J/update/rejected",
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
        st.integers(min_value=10**11, max_value=4_102_444_800_000)
        | st.floats(min_value=0, max_value=4e9)
        | st.integers(min_value=0, max_value=4_102_444_800).map(str)
        | st.datetimes(datetime(1970, 1, 2), datetime(2099, 1, 1)).map(datetime.isoformat),  # noqa: DTZ001
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
    "statusDetails": st.dictionaries(st.sampled_from(["a", "b"]), st.text(max_size=3)),
    "description": st.text(max_size=3),
    "jobProcessDetails": st.just({"numberOfFailedThings": 1}),
}
UNLIKELY = dict.fromkeys([*LIKELY, "jobArn", "thingName", "comment", "reasonCode"], SCALARS)
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
            "queuedJobs": st.lists(MEMBERS_OBJECTS, max_size=3),
            "inProgressJobs": st.lists(MEMBERS_OBJECTS, max_size=3),
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
    """The parser raises no other error than MessageError."""
    with suppress(MessageError):
        assert PARSER.parse_message(topic, payload, NOW) == PARSER.parse_message(topic, payload, NOW)


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
    """No report names another job, thing or namespace than the topic."""
    with suppress(MessageError):
        for report in _parse(topic, payload):
            if isinstance(report, JobReport):
                namespace_id = report.members.get("namespace_id")
                assert ("j1", "n" if "things" in topic else None) == (report.job_id, namespace_id)
            elif isinstance(report, ExecutionReport):
                assert report.job_id == "j1"
                assert report.thing_name == "t1" or "events" in topic
            elif isinstance(report, JobDeletion):
                assert report.job_id == "j1"
            else:
                assert isinstance(report, ThingGroupReport)
