"""Rows of AWS's answers, read into reports: every operation, the bounds of a row, and bad rows."""

from collections.abc import Mapping
from contextlib import suppress
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobindex.errors import MessageError
from jobindex.messages.rows import RowOperation, RowSource, read_row
from jobindex.model.job import Job
from jobindex.model.job_status import process_details
from jobindex.model.jobs import JobExecutionStatus, from_milliseconds
from jobindex.model.lives import FIRST_LIFE
from jobindex.model.reports import UNTIMED, ExecutionReport, JobReport, Report, ThingGroupReport

SECOND = 1_795_448_800
NOW = (SECOND + 3600) * 1000
JOB_ARN = "arn:aws:iot:us-east-1:123456789012:job/update-7"
THING_ARN = "arn:aws:iot:us-east-1:123456789012:thing/pump-1"
GROUP_ARN = "arn:aws:iot:us-east-1:123456789012:thinggroup/pumps"


def iso(milliseconds: int) -> str:
    """Return a time as version 2 of the AWS CLI prints it."""
    return from_milliseconds(milliseconds).isoformat()


def at(seconds: float) -> int:
    """Return milliseconds at some seconds after SECOND."""
    return round((SECOND + seconds) * 1000)


JOB: dict[str, Any] = {
    "jobArn": JOB_ARN,
    "jobId": "update-7",
    "thingGroupId": "8f82a106",
    "targetSelection": "SNAPSHOT",
    "status": "COMPLETED",
    "createdAt": iso(at(0.125)),
    "lastUpdatedAt": iso(at(60.25)),
    "completedAt": iso(at(60.125)),
    "isConcurrent": False,
}
SUMMARY: dict[str, Any] = {
    "status": "IN_PROGRESS",
    "queuedAt": iso(at(0.999)),
    "startedAt": iso(at(2.5)),
    "lastUpdatedAt": iso(at(3.75)),
    "executionNumber": 1,
    "retryAttempt": 0,
}
FOR_JOB = {"thingArn": THING_ARN, "jobExecutionSummary": SUMMARY}
FOR_THING = {"jobId": "update-7", "jobExecutionSummary": SUMMARY}
DEPLOYMENT = {
    "targetArn": GROUP_ARN,
    "revisionId": "3",
    "deploymentId": "d-1",
    "deploymentName": "Pumps",
    "deploymentStatus": "ACTIVE",
    "iotJobId": "update-7",
    "iotJobArn": JOB_ARN,
    "components": {"com.example.Camera": {"componentVersion": "1.4.0"}},
    "creationTimestamp": iso(at(-1.5)),
    "isLatestForTarget": True,
}

JOB_SOURCE = RowSource(operation=RowOperation.LIST_JOBS)
DESCRIBED = RowSource(operation=RowOperation.DESCRIBE_JOB)
OF_JOB = RowSource(operation=RowOperation.LIST_JOB_EXECUTIONS_FOR_JOB, job_id="update-7")
OF_THING = RowSource(operation=RowOperation.LIST_JOB_EXECUTIONS_FOR_THING, thing_name="pump-1")
EXECUTION = RowSource(operation=RowOperation.DESCRIBE_JOB_EXECUTION)
GOT = RowSource(operation=RowOperation.GET_DEPLOYMENT)


def reports(row: Mapping[str, object], source: RowSource) -> tuple[Report, ...]:
    """Return the reports of a row of which no member is dropped."""
    dropped: list[str] = []
    read = read_row(row, source, NOW, dropped.append)
    assert [] == dropped
    return read


def source_of(source: RowSource, **changed: Any) -> RowSource:
    """Return a source with some of its members changed."""
    members = {name: getattr(source, name) for name in RowSource.__slots__}
    return RowSource(**(members | changed))


def job_report(**members: Any) -> JobReport:
    """Return the report of JOB, with further members."""
    known: dict[str, str | int] = {
        "job_arn": JOB_ARN,
        "thing_group_id": "8f82a106",
        "target_selection": "SNAPSHOT",
        "is_concurrent": 0,
        "status": "COMPLETED",
        "created_at": at(0.125),
        "completed_at": at(60.125),
    }
    return JobReport("update-7", at(60.25), known | members, earliest_at=at(0.125), latest_at=at(60.25))


def execution_reports(
    *, namespace_id: str | None = None, thing_arn: str | None = None, **members: Any
) -> tuple[JobReport, ExecutionReport]:
    """Return the reports of SUMMARY."""
    report = ExecutionReport(
        "update-7",
        "pump-1",
        JobExecutionStatus.IN_PROGRESS,
        at(3),
        SECOND + 3,
        execution_number=1,
        queued_at=at(0),
        started_at=at(2),
        thing_arn=thing_arn,
    )
    of_job = {} if namespace_id is None else {"namespace_id": namespace_id}
    return JobReport("update-7", at(3), of_job, at(0), at(3)), report._replace(**members)


def test_a_listed_job_is_read() -> None:
    """It is stamped with its own `lastUpdatedAt`, to the millisecond, and is not an event."""
    expected = (job_report(), ThingGroupReport(None, "8f82a106"))
    assert expected == reports(JOB, JOB_SOURCE)
    epoch = {"createdAt": SECOND + 0.125, "lastUpdatedAt": SECOND + 60.25, "completedAt": SECOND + 60.125}
    assert expected == reports(JOB | epoch, JOB_SOURCE)
    zone = {"lastUpdatedAt": from_milliseconds(at(60.25)).isoformat().replace("+00:00", "-00:00")}
    assert expected == reports(JOB | zone, JOB_SOURCE)


def test_the_namespace_of_a_listing_is_that_of_its_rows() -> None:
    """It is stamped like the row's own members."""
    expected = (job_report(namespace_id="acme"), ThingGroupReport(None, "8f82a106"))
    assert expected == reports(JOB, source_of(JOB_SOURCE, namespace_id="acme"))
    for source, row, thing_arn in ((OF_JOB, FOR_JOB, THING_ARN), (OF_THING, FOR_THING, None)):
        expected_reports = execution_reports(namespace_id="acme", thing_arn=thing_arn)
        assert expected_reports == reports(row, source_of(source, namespace_id="acme"))


def test_a_described_job_is_read() -> None:
    """With its own namespace, its targets and their groups, its texts and its counts."""
    described = JOB | {
        "namespaceId": "acme",
        "targets": [GROUP_ARN],
        "description": "Firmware 7",
        "comment": "soon",
        "reasonCode": "R1",
        "jobProcessDetails": {"processingTargets": [], "numberOfFailedThings": 1, "numberOfSucceededThings": 2},
        "presignedUrlConfig": {},
    }
    expected = job_report(
        namespace_id="acme",
        targets=f'["{GROUP_ARN}"]',
        description="Firmware 7",
        comment="soon",
        reason_code="R1",
        process_details='{"numberOfFailedThings":1,"numberOfSucceededThings":2}',
    )
    for namespace_id in (None, "acme"):
        source = source_of(DESCRIBED, namespace_id=namespace_id)
        assert (expected, ThingGroupReport("pumps", "8f82a106")) == reports(described, source)


@pytest.mark.parametrize("status", ["COMPLETED", "CANCELED"])
@pytest.mark.parametrize(("as_of", "stamp"), [(at(90), at(90)), (at(60), at(60.25))])
def test_the_counts_of_an_ended_job_are_as_new_as_the_answer(status: str, as_of: int, stamp: int) -> None:
    """A further report has them, with the rank of the status; it changes no time, and is never older than the row."""
    described = JOB | {"status": status, "jobProcessDetails": {"numberOfFailedThings": 1}}
    counts = '{"numberOfFailedThings":1}'
    job = job_report(status=status, process_details=counts)
    expected = (job, ThingGroupReport(None, "8f82a106"))
    assert expected == reports(described, DESCRIBED)
    newer = JobReport("update-7", stamp, {"process_details": counts}, ranked_as=status)
    assert (*expected, newer) == reports(described, source_of(DESCRIBED, as_of=as_of))


@pytest.mark.parametrize(
    "changed",
    [
        {"status": "IN_PROGRESS", "jobProcessDetails": {"numberOfFailedThings": 1}},
        {"status": "DELETION_IN_PROGRESS", "jobProcessDetails": {"numberOfFailedThings": 1}},
        {"status": None, "jobProcessDetails": {"numberOfFailedThings": 1}},
        {"jobProcessDetails": {}},
    ],
)
def test_counts_of_a_job_that_has_not_ended_are_stamped_like_its_members(changed: dict[str, object]) -> None:
    """They count only with the end of the job."""
    described = JOB | changed
    assert reports(described, DESCRIBED) == reports(described, source_of(DESCRIBED, as_of=at(90)))


def test_the_counts_of_the_newest_answer_win() -> None:
    """An execution may end after its job, which does not change the job's `lastUpdatedAt`."""

    def described(count: int, as_of: int | None) -> JobReport:
        row = JOB | {"jobProcessDetails": {"numberOfFailedThings": count}}
        newest = reports(row, source_of(DESCRIBED, as_of=as_of))[-1 if as_of else 0]
        assert isinstance(newest, JobReport)
        return newest

    answers = [described(9, None), described(2, at(80)), described(1, at(90))]
    for order in permutations(answers):
        job = Job("update-7")
        for report in order:
            job.merge(report)
        assert {"numberOfFailedThings": 1} == process_details(job, FIRST_LIFE)
        assert (at(0.125), at(60.25)) == (job.earliest_at, job.latest_at)


def test_a_described_job_without_a_namespace_gets_none() -> None:
    """A listing's namespace is not about it: only its own `namespaceId` counts."""
    expected = (job_report(), ThingGroupReport(None, "8f82a106"))
    assert expected == reports(JOB, source_of(DESCRIBED, namespace_id="acme"))


def test_executions_of_a_job_and_of_a_thing_are_read() -> None:
    """Their times are cut to the second, as executions compare by the second."""
    assert execution_reports(thing_arn=THING_ARN) == reports(FOR_JOB, OF_JOB)
    assert execution_reports() == reports(FOR_THING, OF_THING)


def test_a_described_execution_is_read() -> None:
    """With its version and its details, which AWS nests in `detailsMap`."""
    row = SUMMARY | {
        "jobId": "update-7",
        "thingArn": THING_ARN,
        "versionNumber": 4,
        "forceCanceled": False,
        "statusDetails": {"detailsMap": {"step": "install", "progress": "40 %"}},
    }
    expected = execution_reports(
        thing_arn=THING_ARN, version_number=4, status_details='{"progress":"40 %","step":"install"}'
    )
    assert expected == reports(row, EXECUTION)
    nothing: tuple[object, ...] = ({}, {"detailsMap": {}}, {"detailsMap": None}, None)
    for empty in nothing:
        without = execution_reports(thing_arn=THING_ARN, version_number=4)
        assert without == reports(row | {"statusDetails": empty}, EXECUTION)


@pytest.mark.parametrize("status", ["QUEUED", "IN_PROGRESS"])
@pytest.mark.parametrize(("as_of", "heard"), [(None, 3), (at(90.5), 90), (at(1), 3)])
def test_a_pending_execution_is_seen_when_aws_answered(status: str, as_of: int | None, heard: int) -> None:
    """Without that time at its own `lastUpdatedAt`, which is the least; its stamp stays its own."""
    row = FOR_JOB | {"jobExecutionSummary": SUMMARY | {"status": status}}
    expected = execution_reports(
        thing_arn=THING_ARN, status=JobExecutionStatus(status), heard_at=SECOND + heard, time=at(3)
    )
    assert expected == reports(row, source_of(OF_JOB, as_of=as_of))


def test_an_execution_that_has_ended_is_not_seen_later() -> None:
    """The time of AWS's answer says nothing about it."""
    row = FOR_JOB | {"jobExecutionSummary": SUMMARY | {"status": "TIMED_OUT"}}
    expected = execution_reports(thing_arn=THING_ARN, status=JobExecutionStatus.TIMED_OUT)
    assert expected == reports(row, source_of(OF_JOB, as_of=at(90)))


def test_a_deployment_is_read() -> None:
    """Target and revision are the configuration's ARN as in the job's document, which names the group."""
    configuration = "arn:aws:greengrass:us-east-1:123456789012:configuration:thinggroup/pumps:3"
    members = {
        "job_arn": JOB_ARN,
        "deployment_id": "d-1",
        "deployment_name": "Pumps",
        "configuration_arn": configuration,
        "thing_group_name": "pumps",
    }
    time = at(-1.5)
    assert (JobReport("update-7", time, members, time, time), ThingGroupReport("pumps")) == reports(DEPLOYMENT, GOT)


def test_a_deployment_to_a_thing_has_no_group() -> None:
    """Nor has one without a target a configuration, or one without a time a stamp."""
    configuration = "arn:aws:greengrass:us-east-1:123456789012:configuration:thing/pump-1:3"
    members: dict[str, str | int] = {"deployment_id": "d-1", "configuration_arn": configuration}
    row: dict[str, object] = {
        "iotJobId": "update-7",
        "deploymentId": "d-1",
        "targetArn": THING_ARN,
        "revisionId": "3",
    }
    assert (JobReport("update-7", members=members),) == reports(row, GOT)
    expected = JobReport("update-7", UNTIMED, {"namespace_id": "acme", "deployment_id": "d-1"})
    assert (expected,) == reports(row | {"targetArn": None}, source_of(GOT, namespace_id="acme"))


def test_too_many_targets_are_dropped_with_a_note() -> None:
    """The other members of the job count."""
    dropped: list[str] = []
    targets = [f"{THING_ARN}-{number}" for number in range(101)]
    expected = (job_report(), ThingGroupReport(None, "8f82a106"))
    assert expected == read_row(JOB | {"targets": targets}, DESCRIBED, NOW, dropped.append)
    assert ["targets"] == dropped


AHEAD = iso(NOW + 86_401_001)
IN_FUTURE = f"the greatest time: '{from_milliseconds(NOW + 86_401_001).isoformat(timespec='milliseconds')}' is not at "
NUMBER = 2**63


@pytest.mark.parametrize(
    ("source", "row", "reason"),
    [
        (JOB_SOURCE, JOB | {"jobId": None}, "jobId: None is not a job id"),
        (JOB_SOURCE, JOB | {"jobId": "a b"}, "jobId: 'a b' is not a match of [a-zA-Z0-9_-]{1,64}"),
        (JOB_SOURCE, JOB | {"jobId": "other"}, f"jobArn: '{JOB_ARN}' is not the ARN of job 'other'"),
        (JOB_SOURCE, JOB | {"status": "RUNNING"}, "status: 'RUNNING' is not one of SCHEDULED, "),
        (JOB_SOURCE, JOB | {"status": 1}, "status: 1 is not a string"),
        (JOB_SOURCE, JOB | {"createdAt": "yesterday"}, "createdAt: 'yesterday' is not a time in epoch seconds"),
        (JOB_SOURCE, JOB | {"isConcurrent": "no"}, "isConcurrent: 'no' is not "),
        (JOB_SOURCE, JOB | {"lastUpdatedAt": AHEAD}, IN_FUTURE),
        (source_of(JOB_SOURCE, job_id="other"), JOB, "jobId: 'update-7' is not 'other', the job of the request"),
        (DESCRIBED, JOB | {"namespaceId": "a b"}, "namespaceId: 'a b' is not a match of "),
        (
            source_of(DESCRIBED, namespace_id="acme"),
            JOB | {"namespaceId": "other"},
            "namespaceId: 'other' is not 'acme', the namespace of the listing",
        ),
        (DESCRIBED, JOB | {"targets": ["pump-1"]}, "targets[0]: 'pump-1' is not an ARN"),
        (DESCRIBED, JOB | {"description": "x" * 2029}, "description: 'x"),
        (source_of(OF_JOB, job_id=None), FOR_JOB, "jobId: None is not a job id"),
        (OF_JOB, FOR_JOB | {"jobId": "other"}, "jobId: 'other' is not 'update-7', the job of the request"),
        (OF_JOB, FOR_JOB | {"thingArn": None}, "thingArn: None is not the ARN of a thing"),
        (OF_JOB, FOR_JOB | {"thingArn": GROUP_ARN}, f"thingArn: '{GROUP_ARN}' is not the ARN of a thing"),
        (source_of(OF_JOB, thing_name="pump-2"), FOR_JOB, f"thingArn: '{THING_ARN}' is not the ARN of 'pump-2', "),
        (OF_JOB, FOR_JOB | {"jobExecutionSummary": None}, "jobExecutionSummary: None is not an object"),
        (
            OF_JOB,
            FOR_JOB | {"jobExecutionSummary": SUMMARY | {"status": "DELETED"}},
            "jobExecutionSummary.status: 'DELETED' is not one of QUEUED, ",
        ),
        (
            OF_JOB,
            FOR_JOB | {"jobExecutionSummary": SUMMARY | {"status": None}},
            "jobExecutionSummary.status: None is not one of QUEUED, ",
        ),
        (
            OF_JOB,
            FOR_JOB | {"jobExecutionSummary": SUMMARY | {"queuedAt": -1}},
            "jobExecutionSummary.queuedAt: -1 is not a time",
        ),
        (
            OF_JOB,
            FOR_JOB | {"jobExecutionSummary": SUMMARY | {"executionNumber": NUMBER}},
            f"jobExecutionSummary.executionNumber: {NUMBER} is not ",
        ),
        (OF_JOB, FOR_JOB | {"jobExecutionSummary": SUMMARY | {"lastUpdatedAt": AHEAD}}, "the greatest time: "),
        (source_of(JOB_SOURCE, as_of=NOW + 86_401_001), JOB, IN_FUTURE),
        (source_of(OF_THING, thing_name=None), FOR_THING, "thingName: None is not a thing name"),
        (OF_THING, FOR_THING | {"jobId": None}, "jobId: None is not a job id"),
        (
            EXECUTION,
            SUMMARY | {"jobId": "j", "thingArn": THING_ARN, "statusDetails": []},
            "statusDetails: [] is not an object",
        ),
        (
            EXECUTION,
            SUMMARY | {"jobId": "j", "thingArn": THING_ARN, "statusDetails": {"detailsMap": {"a": 1}}},
            "statusDetails.detailsMap.a: 1 is not a string",
        ),
        (GOT, DEPLOYMENT | {"iotJobId": None}, "iotJobId: None is not a job id"),
        (GOT, DEPLOYMENT | {"iotJobId": "other"}, f"iotJobArn: '{JOB_ARN}' is not the ARN of job 'other'"),
        (
            GOT,
            DEPLOYMENT | {"targetArn": JOB_ARN},
            f"targetArn: '{JOB_ARN}' is not the ARN of a thing or a thing group",
        ),
        (GOT, DEPLOYMENT | {"revisionId": "3:4"}, "revisionId: '3:4' is not a match of "),
        (GOT, DEPLOYMENT | {"creationTimestamp": AHEAD}, IN_FUTURE),
    ],
)
def test_a_bad_row_is_refused_with_its_field_and_value(source: RowSource, row: dict[str, object], reason: str) -> None:
    """The reason is that of a message."""
    with pytest.raises(MessageError) as refused:
        reports(row, source)
    assert str(refused.value).startswith(reason)


ROWS = {
    RowOperation.LIST_JOBS: JOB,
    RowOperation.DESCRIBE_JOB: JOB | {"namespaceId": "acme", "targets": [GROUP_ARN], "jobProcessDetails": {}},
    RowOperation.LIST_JOB_EXECUTIONS_FOR_JOB: FOR_JOB,
    RowOperation.LIST_JOB_EXECUTIONS_FOR_THING: FOR_THING,
    RowOperation.DESCRIBE_JOB_EXECUTION: SUMMARY | FOR_THING | {"thingArn": THING_ARN, "statusDetails": {}},
    RowOperation.GET_DEPLOYMENT: DEPLOYMENT,
}
ANY = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=3)
    | st.sampled_from([JOB_ARN, "QUEUED"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from([*SUMMARY, "detailsMap"]), inner),
    max_leaves=4,
)


@given(operation=st.sampled_from(RowOperation), data=st.data())
def test_any_row_is_read_or_refused(operation: RowOperation, data: st.DataObject) -> None:
    """Any members raise no other error, and no report is an event or takes anything away."""
    names = data.draw(st.lists(st.sampled_from([*ROWS[operation]]), max_size=3))
    row = ROWS[operation] | {name: data.draw(ANY) for name in names}
    source = RowSource(operation=operation, job_id="update-7", thing_name="pump-1", as_of=NOW)
    with suppress(MessageError):
        for report in read_row(row, source, NOW, lambda _: None):
            assert isinstance(report, JobReport | ExecutionReport | ThingGroupReport)
            assert not (isinstance(report, JobReport) and report.published_at != UNTIMED)
            assert not (isinstance(report, ExecutionReport) and (report.is_event or report.time % 1000))
