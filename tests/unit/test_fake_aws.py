"""The fake AWS answers AWS's own client by AWS's service models, and has the faults of AWS and of its emulators."""

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, PaginationError, ReadTimeoutError
from support.aws_wire import AwsWire, ModelError
from support.fake_aws import EVERY, FakeAws
from support.fake_aws_faults import (
    Before,
    Call,
    Cut,
    Drip,
    Hang,
    Ignore,
    Refuse,
    RefuseTokens,
    RepeatToken,
    Throttle,
    broken,
    denied,
    expired_token,
    unknown_key,
    wrong_signature,
)
from support.fake_fleet import SOME_TIME, FakeFleet

AT = datetime.fromtimestamp(SOME_TIME / 1000, UTC)
ARN = "arn:aws:iot:us-east-1:123456789012"


def make_fleet() -> FakeFleet:
    """Return a fleet with each kind of thing that operations show."""
    fleet = FakeFleet()
    fleet.add_group("pumps", "pump-1", "pump-2")
    fleet.add_group("cellar", "pump-3", parent="pumps")
    job = fleet.add_job(
        "job-1",
        targets=("thinggroup/pumps", "thing/pump-9"),
        target_selection="CONTINUOUS",
        created_at=SOME_TIME + 5,
        description="Update",
        namespace_id="blue",
    )
    job.execute("pump-1", "FAILED", started_at=SOME_TIME + 1, last_updated_at=SOME_TIME + 2)
    job.execute("pump-1", "IN_PROGRESS", last_updated_at=SOME_TIME + 1_234, version=3, details={"step": "2"})
    job.execute("pump-2")
    fleet.add_job("job-2", status="CANCELED", comment="Wrong", reason_code="MISTAKE", force_canceled=True)
    fleet.add_job("job-3", status="SCHEDULED", targets=("thinggroup/pumps",)).execute("pump-1", "SUCCEEDED")
    fleet.deploy("d-1", "thinggroup/pumps", job_id="gg-1", name="Pumps", status="CANCELED")
    fleet.deploy("d-2", "thinggroup/pumps", job_id="gg-2", revision="2", created_at=SOME_TIME + 9_000)
    return fleet


@pytest.fixture
def aws() -> Iterator[FakeAws]:
    """Serve such a fleet."""
    with FakeAws(make_fleet()) as aws:
        yield aws


@pytest.fixture
def iot(aws: FakeAws) -> Any:
    """Return boto3's client of AWS IoT."""
    return aws.client()


def members_of(answer: dict[str, Any]) -> dict[str, Any]:
    """Return the members of an answer."""
    return {name: value for name, value in answer.items() if name != "ResponseMetadata"}


def ids_of(answer: dict[str, Any]) -> list[str]:
    """Return the ids of listed jobs."""
    return [job["jobId"] for job in answer["jobs"]]


def refusal_of(call: Callable[[], object]) -> tuple[str, int]:
    """Return the name of the error that a call is answered with, and its status code."""
    with pytest.raises(ClientError) as caught:
        call()
    return caught.value.response["Error"]["Code"], caught.value.response["ResponseMetadata"]["HTTPStatusCode"]


# Operations


def test_list_jobs(iot: Any) -> None:
    """ListJobs lists the newest job first, with the members of a JobSummary."""
    answer = iot.list_jobs()
    assert ["gg-2", "job-1", "gg-1", "job-2", "job-3"] == ids_of(answer)
    assert answer["jobs"][1] == {
        "jobArn": f"{ARN}:job/job-1",
        "jobId": "job-1",
        "targetSelection": "CONTINUOUS",
        "status": "IN_PROGRESS",
        "createdAt": datetime.fromtimestamp((SOME_TIME + 5) / 1000, UTC),
        "lastUpdatedAt": AT,
        "isConcurrent": False,
    }


@pytest.mark.parametrize(
    ("filters", "ids"),
    [
        ({"status": "CANCELED"}, ["job-2"]),
        ({"targetSelection": "CONTINUOUS", "namespaceId": "blue"}, ["job-1"]),
        ({"namespaceId": "aws-gg-deployment"}, ["gg-2", "gg-1"]),
        ({"thingGroupName": "pumps"}, ["gg-2", "job-1", "gg-1"]),
        ({"thingGroupName": "cellar"}, []),
    ],
)
def test_list_jobs_filters(iot: Any, filters: dict[str, str], ids: list[str]) -> None:
    """Each filter of ListJobs counts; a listing by group leaves SCHEDULED jobs out, as AWS does."""
    assert ids == ids_of(iot.list_jobs(**filters))


def test_list_jobs_by_group_id(aws: FakeAws, iot: Any) -> None:
    """A listing by a group's id is that by its name, and its rows have the id."""
    group_id = aws.fleet.groups["pumps"].id
    by_id, by_name = iot.list_jobs(thingGroupId=group_id), iot.list_jobs(thingGroupName="pumps")
    assert members_of(by_name) == members_of(by_id)
    assert {group_id} == {job["thingGroupId"] for job in by_id["jobs"]}


def test_hidden_namespaces() -> None:
    """ListJobs without a namespace can leave out the jobs that have one."""
    with FakeAws(make_fleet(), hides_namespaces=True) as aws:
        assert ["job-2", "job-3"] == ids_of(aws.client().list_jobs())
        assert ["job-1"] == ids_of(aws.client().list_jobs(namespaceId="blue"))


def test_describe_job(iot: Any) -> None:
    """DescribeJob has targets, namespace and counts of attempts."""
    job = iot.describe_job(jobId="job-1")["job"]
    counts = {name: number for name, number in job.pop("jobProcessDetails").items() if number}
    assert counts == {"numberOfFailedThings": 1, "numberOfInProgressThings": 1, "numberOfQueuedThings": 1}
    assert [f"{ARN}:thinggroup/pumps", f"{ARN}:thing/pump-9"] == job["targets"]
    assert ("blue", "Update") == (job["namespaceId"], job["description"])
    canceled = iot.describe_job(jobId="job-2")["job"]
    assert ("Wrong", "MISTAKE", True) == (canceled["comment"], canceled["reasonCode"], canceled["forceCanceled"])


def test_get_job_document(iot: Any) -> None:
    """GetJobDocument has the document as a string."""
    document = json.loads(iot.get_job_document(jobId="gg-2")["document"])
    arn = "arn:aws:greengrass:us-east-1:123456789012:configuration:thinggroup/pumps:2"
    assert document == {"deploymentId": "d-2", "configurationArn": arn}


def test_list_job_executions_for_job(iot: Any) -> None:
    """ListJobExecutionsForJob lists each attempt, the last updated one first."""
    rows = iot.list_job_executions_for_job(jobId="job-1")["executionSummaries"]
    shown = [(row["thingArn"].rpartition("/")[2], row["jobExecutionSummary"]["executionNumber"]) for row in rows]
    assert shown == [("pump-1", 2), ("pump-1", 1), ("pump-2", 1)]
    assert rows[0]["jobExecutionSummary"] == {
        "status": "IN_PROGRESS",
        "queuedAt": AT,
        "lastUpdatedAt": datetime.fromtimestamp((SOME_TIME + 1_234) / 1000, UTC),
        "executionNumber": 2,
        "retryAttempt": 0,
    }
    queued = iot.list_job_executions_for_job(jobId="job-1", status="QUEUED")["executionSummaries"]
    assert queued == rows[2:]


def test_list_job_executions_for_thing(iot: Any) -> None:
    """ListJobExecutionsForThing lists the attempts of a thing, with filters by namespace, job and status."""

    def listed(**filters: str) -> list[tuple[str, int]]:
        rows = iot.list_job_executions_for_thing(thingName="pump-1", **filters)["executionSummaries"]
        return [(row["jobId"], row["jobExecutionSummary"]["executionNumber"]) for row in rows]

    assert listed() == [("job-1", 2), ("job-1", 1), ("job-3", 1)]
    assert listed(namespaceId="blue", status="FAILED") == [("job-1", 1)]
    assert listed(jobId="job-3") == [("job-3", 1)]


def test_describe_job_execution(iot: Any) -> None:
    """DescribeJobExecution shows the last attempt, or the one with a number."""
    last = iot.describe_job_execution(jobId="job-1", thingName="pump-1")["execution"]
    assert (2, 3, {"step": "2"}) == (
        last["executionNumber"],
        last["versionNumber"],
        last["statusDetails"]["detailsMap"],
    )
    first = iot.describe_job_execution(jobId="job-1", thingName="pump-1", executionNumber=1)["execution"]
    assert ("FAILED", f"{ARN}:thing/pump-1") == (first["status"], first["thingArn"])


def test_describe_event_configurations(aws: FakeAws, iot: Any) -> None:
    """DescribeEventConfigurations shows which events are on."""
    aws.fleet.events["JOB"] = False
    expected = {"JOB": {"Enabled": False}, "JOB_EXECUTION": {"Enabled": True}, "THING_GROUP": {"Enabled": True}}
    assert expected == iot.describe_event_configurations()["eventConfigurations"]


def test_thing_groups(aws: FakeAws, iot: Any) -> None:
    """The operations of thing groups show names, ids, ancestors and members."""
    cellar = {"groupName": "cellar", "groupArn": f"{ARN}:thinggroup/cellar"}
    pumps = {"groupName": "pumps", "groupArn": f"{ARN}:thinggroup/pumps"}
    assert [cellar, pumps] == iot.list_thing_groups()["thingGroups"]
    assert [cellar] == iot.list_thing_groups(parentGroup="pumps")["thingGroups"]
    assert [pumps] == iot.list_thing_groups(namePrefixFilter="pu")["thingGroups"]
    described = iot.describe_thing_group(thingGroupName="cellar")
    assert aws.fleet.groups["cellar"].id == described["thingGroupId"]
    assert [pumps] == described["thingGroupMetadata"]["rootToParentThingGroups"]
    assert ["pump-1", "pump-2"] == iot.list_things_in_thing_group(thingGroupName="pumps")["things"]
    assert ["pump-1", "pump-2", "pump-3"] == iot.list_things_in_thing_group(thingGroupName="pumps", recursive=True)[
        "things"
    ]


def test_deployments(aws: FakeAws) -> None:
    """ListDeployments lists the latest revisions, or all; GetDeployment names the job."""
    greengrass = aws.client("greengrassv2")
    assert ["d-2"] == [each["deploymentId"] for each in greengrass.list_deployments()["deployments"]]
    revisions = greengrass.list_deployments(historyFilter="ALL", targetArn=f"{ARN}:thinggroup/pumps")["deployments"]
    assert revisions[1] == {
        "targetArn": f"{ARN}:thinggroup/pumps",
        "revisionId": "1",
        "deploymentId": "d-1",
        "deploymentName": "Pumps",
        "creationTimestamp": AT,
        "deploymentStatus": "CANCELED",
        "isLatestForTarget": False,
    }
    deployment = greengrass.get_deployment(deploymentId="d-1")
    assert ("gg-1", f"{ARN}:job/gg-1", "Pumps") == (
        *(deployment["iotJobId"], deployment["iotJobArn"], deployment["deploymentName"]),
    )


def test_caller_identity_and_arns(aws: FakeAws, iot: Any) -> None:
    """The account and the region of answers are the fleet's."""
    aws.fleet.account, aws.fleet.region, aws.fleet.partition = "999999999999", "cn-north-1", "aws-cn"
    assert "999999999999" == aws.client("sts").get_caller_identity()["Account"]
    assert "arn:aws-cn:iot:cn-north-1:999999999999:job/job-1" == iot.describe_job(jobId="job-1")["job"]["jobArn"]


@pytest.mark.parametrize(
    ("service", "operation", "parameters"),
    [
        ("iot", "describe_job", {"jobId": "none"}),
        ("iot", "get_job_document", {"jobId": "none"}),
        ("iot", "list_job_executions_for_job", {"jobId": "none"}),
        ("iot", "describe_job_execution", {"jobId": "job-2", "thingName": "pump-1"}),
        ("iot", "describe_job_execution", {"jobId": "job-1", "thingName": "pump-1", "executionNumber": 3}),
        ("iot", "describe_thing_group", {"thingGroupName": "none"}),
        ("iot", "list_things_in_thing_group", {"thingGroupName": "none"}),
        ("iot", "list_jobs", {"thingGroupName": "none"}),
        ("greengrassv2", "get_deployment", {"deploymentId": "none"}),
    ],
)
def test_unknown_names_are_not_found(aws: FakeAws, service: str, operation: str, parameters: dict[str, Any]) -> None:
    """A name that AWS does not have is a ResourceNotFoundException."""
    call = getattr(aws.client(service), operation)
    assert ("ResourceNotFoundException", 404) == refusal_of(lambda: call(**parameters))


@pytest.mark.parametrize(
    "parameters",
    [
        {"status": "QUEUED"},
        {"maxResults": 251},
        {"namespaceId": "a b"},
        {"nextToken": "x"},
        {"thingGroupName": "-" * 129},
    ],
)
def test_invalid_parameters(iot: Any, parameters: dict[str, Any]) -> None:
    """A parameter that boto3 sends, although the model forbids it, is refused."""
    assert ("InvalidRequestException", 400) == refusal_of(lambda: iot.list_jobs(**parameters))


def test_an_answer_against_the_model_fails_the_test() -> None:
    """An answer that the service model does not describe is an error, and the end of the context raises it."""

    def answer_a_status_of_no_job() -> None:
        with FakeAws() as aws:
            aws.fleet.add_job("job-1", status="BLOCKED")
            assert ("InternalFailure", 500) == refusal_of(aws.client().list_jobs)

    with pytest.raises(AssertionError, match=r"ListJobs.*'BLOCKED' at 'ListJobs.jobs\[0\].status'"):
        answer_a_status_of_no_job()


@pytest.mark.parametrize(
    ("members", "problem"),
    [
        ({"jobs": [{"jobID": "job-1"}]}, "JobSummary has no member 'jobID'"),
        ({"jobs": [{"createdAt": 1_790_000_000.5}]}, "is not a timestamp"),
        ({"jobs": [{"createdAt": 1_790_000_000}]}, "is not a time in milliseconds"),
        ({"jobs": [{"isConcurrent": 0}]}, "0 is not a boolean"),
        ({"jobs": ()}, r"\(\) is not a list"),
        ({"jobs": [{"jobId": "a b"}]}, "regular expression"),
    ],
)
def test_members_are_checked(members: dict[str, Any], problem: str) -> None:
    """Names, types and limits of members are those of the model."""
    wire = AwsWire()
    scope = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261130/us-east-1/iot/aws4_request"
    request = wire.find("GET", "/jobs", scope, b"")
    with pytest.raises(ModelError, match=problem):
        wire.answer(request, members)


def test_an_operation_that_the_fake_lacks(aws: FakeAws, iot: Any) -> None:
    """An operation of AWS that the fake lacks fails the test, too."""
    assert ("InternalFailure", 500) == refusal_of(iot.list_policies)
    assert ["ListPolicies: NotImplementedError: the fake AWS has no ListPolicies"] == aws.failures
    aws.failures.clear()


# Pages


def add_jobs(aws: FakeAws, number: int) -> list[str]:
    """Replace the fleet's jobs; return their ids in the order of ListJobs."""
    aws.fleet.jobs.clear()
    ids = [f"job-{n:03}" for n in range(number)]
    for n, job_id in enumerate(ids):
        aws.fleet.add_job(job_id, created_at=SOME_TIME - n)
    return ids


def test_pages(aws: FakeAws, iot: Any) -> None:
    """A listing has at most 250 rows a page, and each row once."""
    ids = add_jobs(aws, 601)
    pages = [*iot.get_paginator("list_jobs").paginate(PaginationConfig={"PageSize": 250})]
    assert [250, 250, 101] == [len(page["jobs"]) for page in pages]
    assert ids == [job_id for page in pages for job_id in ids_of(page)]
    assert [{"maxResults"}, {"maxResults", "nextToken"}] == [{*call.parameters} for call in aws.calls[:2]]


@pytest.mark.parametrize(
    ("service", "operation", "rows", "parameters"),
    [
        ("iot", "list_job_executions_for_job", "executionSummaries", {"jobId": "job-1"}),
        ("iot", "list_job_executions_for_thing", "executionSummaries", {"thingName": "pump-1"}),
        ("iot", "list_thing_groups", "thingGroups", {}),
        ("iot", "list_things_in_thing_group", "things", {"thingGroupName": "pumps"}),
        ("greengrassv2", "list_deployments", "deployments", {"historyFilter": "ALL"}),
    ],
)
def test_pages_of_each_listing(
    aws: FakeAws, service: str, operation: str, rows: str, parameters: dict[str, Any]
) -> None:
    """Pages of one row have together the rows of one page."""
    call = getattr(aws.client(service), operation)
    whole = call(**parameters)[rows]
    page = call(**parameters, maxResults=1)
    found = page[rows]
    while "nextToken" in page:
        page = call(**parameters, maxResults=1, nextToken=page["nextToken"])
        found += page[rows]
    assert len(whole) > 1
    assert whole == found


def test_a_token_is_bound_to_its_filters(iot: Any) -> None:
    """A token is refused by a listing with other filters, or of another operation; maxResults may change."""
    token = iot.list_jobs(maxResults=1)["nextToken"]
    assert 2 == len(iot.list_jobs(maxResults=2, nextToken=token)["jobs"])
    refused = ("InvalidRequestException", 400)
    assert refused == refusal_of(lambda: iot.list_jobs(maxResults=1, nextToken=token, status="IN_PROGRESS"))
    assert refused == refusal_of(lambda: iot.list_thing_groups(nextToken=token))


@pytest.mark.parametrize(("by_offset", "second"), [(False, "job-001"), (True, "job-002")])
def test_tokens_by_offset(*, by_offset: bool, second: str) -> None:
    """A token that counts rows skips one, if a row of a former page vanishes."""
    with FakeAws(tokens_by_offset=by_offset) as aws:
        add_jobs(aws, 4)
        token = aws.client().list_jobs(maxResults=1)["nextToken"]
        del aws.fleet.jobs["job-000"]
        assert [second] == ids_of(aws.client().list_jobs(maxResults=1, nextToken=token))


# Faults


@pytest.mark.parametrize(
    ("fault", "refusal"),
    [
        (denied("ListJobs"), ("AccessDeniedException", 403)),
        (expired_token(), ("ExpiredTokenException", 403)),
        (unknown_key(), ("UnrecognizedClientException", 403)),
        (wrong_signature(), ("InvalidSignatureException", 403)),
        (broken(), ("InternalFailureException", 500)),
        (Refuse(code="ServiceUnavailableException"), ("ServiceUnavailableException", 503)),
    ],
)
def test_errors(aws: FakeAws, iot: Any, fault: Refuse, refusal: tuple[str, int]) -> None:
    """An operation can be refused, while the others answer, until it is healed."""
    aws.fault("ListJobs", fault)
    assert refusal == refusal_of(iot.list_jobs)
    assert [refusal[0]] == [call.error for call in aws.calls]
    iot.list_thing_groups()
    aws.heal("ListJobs")
    iot.list_jobs()


def test_a_fault_of_every_operation_and_of_some_calls(aws: FakeAws, iot: Any) -> None:
    """A fault can apply to every operation, and only to the first calls."""
    aws.fault(EVERY, broken(calls=2))
    codes = [refusal_of(call)[1] for call in (iot.list_jobs, aws.client("sts").get_caller_identity)]
    assert [500, 500] == codes
    iot.list_jobs()


def test_throttling(aws: FakeAws, iot: Any) -> None:
    """Every n-th call can be throttled; in Greengrass the error has another status code."""
    fault = Throttle(every=3)
    aws.fault("ListJobs", fault)
    outcomes = []
    for _ in range(6):
        try:
            iot.list_jobs()
            outcomes.append(200)
        except ClientError as error:
            outcomes.append(error.response["ResponseMetadata"]["HTTPStatusCode"])
    assert [200, 200, 400, 200, 200, 400] == outcomes
    assert 2 == fault.throttled
    aws.fault("ListDeployments", Throttle())
    assert ("ThrottlingException", 429) == refusal_of(aws.client("greengrassv2").list_deployments)


def test_a_rate(aws: FakeAws, iot: Any) -> None:
    """A rate is a token bucket: after a burst, calls are throttled until it fills again."""
    now = 0.0
    aws.fault("ListJobs", Throttle(rate=2, burst=3, clock=lambda: now))
    for _ in range(3):
        iot.list_jobs()
    assert ("ThrottlingException", 400) == refusal_of(iot.list_jobs)
    now = 0.5
    iot.list_jobs()
    assert ("ThrottlingException", 400) == refusal_of(iot.list_jobs)


def test_hanging() -> None:
    """A call that hangs is never answered, and does not keep the server from closing."""
    with FakeAws() as aws:
        aws.fault("ListJobs", Hang())
        client = aws.client(read_timeout=0.2)
        with pytest.raises(ReadTimeoutError):
            client.list_jobs()
        client.list_thing_groups()
        started = time.monotonic()
    assert time.monotonic() - started < 2


def test_dripping(aws: FakeAws, iot: Any) -> None:
    """An answer in drips arrives whole, later; each byte ends a client's wait."""
    aws.fault("DescribeEventConfigurations", Drip(seconds=0.001))
    started = time.monotonic()
    answer = iot.describe_event_configurations()
    assert 3 == len(answer["eventConfigurations"])
    assert time.monotonic() - started > 0.1


def test_closed_connections(aws: FakeAws, iot: Any) -> None:
    """A connection can be closed without an answer."""
    aws.fault("ListJobs", Cut(calls=1))
    with pytest.raises(ConnectionClosedError):
        iot.list_jobs()
    assert ids_of(iot.list_jobs())


def test_a_cut_answer_is_empty_for_boto3(aws: FakeAws, iot: Any) -> None:
    """An answer that is cut in its body has no members for boto3, which checks neither its length nor its JSON."""
    aws.fault("ListJobs", Cut(after_bytes=20))
    answer = iot.list_jobs()
    assert {} == members_of(answer)
    assert int(answer["ResponseMetadata"]["HTTPHeaders"]["content-length"]) > 20


def test_refused_tokens(aws: FakeAws, iot: Any) -> None:
    """Tokens can be refused after a number of pages."""
    add_jobs(aws, 5)
    aws.fault("ListJobs", RefuseTokens(pages=2))
    token = iot.list_jobs(maxResults=1)["nextToken"]
    token = iot.list_jobs(maxResults=1, nextToken=token)["nextToken"]
    assert ("InvalidRequestException", 400) == refusal_of(lambda: iot.list_jobs(maxResults=1, nextToken=token))
    aws.fault("ListDeployments", RefuseTokens())
    greengrass = aws.client("greengrassv2")
    token = greengrass.list_deployments(maxResults=1, historyFilter="ALL")["nextToken"]
    assert ("ValidationException", 400) == refusal_of(
        lambda: greengrass.list_deployments(maxResults=1, historyFilter="ALL", nextToken=token)
    )


def test_repeated_tokens(aws: FakeAws, iot: Any) -> None:
    """A listing can repeat its second page for ever; boto3's paginator notices."""
    add_jobs(aws, 5)
    aws.fault("ListJobs", RepeatToken())
    token = iot.list_jobs(maxResults=2)["nextToken"]
    for _ in range(3):
        page = iot.list_jobs(maxResults=2, nextToken=token)
        assert (["job-002", "job-003"], token) == (ids_of(page), page["nextToken"])
    with pytest.raises(PaginationError):
        [*iot.get_paginator("list_jobs").paginate(PaginationConfig={"PageSize": 2})]


def test_an_ignored_filter(aws: FakeAws, iot: Any) -> None:
    """A filter can be ignored, as emulators ignore `namespaceId`; the call is recorded with it."""
    aws.fault("ListJobs", Ignore())
    assert ids_of(iot.list_jobs()) == ids_of(iot.list_jobs(namespaceId="blue"))
    assert {"namespaceId": "blue"} == aws.calls[1].parameters


def test_changes_between_pages(aws: FakeAws, iot: Any) -> None:
    """A function can change the fleet before an answer."""
    ids = add_jobs(aws, 4)

    def delete_the_third(call: Call) -> None:
        if "nextToken" in call.parameters:
            aws.fleet.jobs.pop(ids[2], None)

    aws.fault("ListJobs", Before(run=delete_the_third))
    pages = [*iot.get_paginator("list_jobs").paginate(PaginationConfig={"PageSize": 2})]
    assert [ids[0], ids[1], ids[3]] == [job_id for page in pages for job_id in ids_of(page)]


def test_an_unknown_status(aws: FakeAws, iot: Any) -> None:
    """A row can have a status that the model does not list, if the test says so."""
    aws.unlisted.add("BLOCKED")
    aws.fleet.jobs["job-1"].status = "BLOCKED"
    assert "BLOCKED" == iot.describe_job(jobId="job-1")["job"]["status"]


def test_dates(aws: FakeAws, iot: Any) -> None:
    """Each answer has a `Date`, by a clock that a test can set, and errors have one, too."""
    aws.clock = lambda: SOME_TIME / 1000
    expected = AT.strftime("%a, %d %b %Y %H:%M:%S GMT")
    assert expected == iot.list_jobs()["ResponseMetadata"]["HTTPHeaders"]["date"]
    with pytest.raises(ClientError) as caught:
        iot.describe_job(jobId="none")
    assert expected == caught.value.response["ResponseMetadata"]["HTTPHeaders"]["date"]


def test_counts(aws: FakeAws, iot: Any) -> None:
    """Calls are recorded by operation, with their times."""
    before = time.monotonic()
    iot.list_jobs()
    iot.list_jobs(status="CANCELED")
    iot.describe_event_configurations()
    assert {"ListJobs": 2, "DescribeEventConfigurations": 1} == aws.counts()
    times = [call.time for call in aws.calls]
    assert [before, *times] == sorted([before, *times])
    assert times[-1] <= time.monotonic()
