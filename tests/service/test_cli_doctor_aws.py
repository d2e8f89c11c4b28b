"""`jobindex doctor` and the calls of the sync, against a fake AWS and another jobindex."""

import json
import time
from pathlib import Path

import pytest
from support import fake_aws_faults as faults
from support.commands import jobindex
from support.fake_aws import EVERY, FakeAws
from support.served_fleet import served_fleet
from support.stub_server import answering

from jobindex.cli.checks.aws import examine_aws
from jobindex.cli.client import ServiceClient

OPERATIONS = {
    "DescribeEventConfigurations",
    "ListJobs",
    "DescribeJob",
    "ListJobExecutionsForJob",
    "DescribeJobExecution",
    "ListThingGroups",
    "ListThingsInThingGroup",
    "ListDeployments",
    "GetDeployment",
}
NO_SERVICE = ServiceClient("http://127.0.0.1:1")
ACCEPTED = "aws: the credentials of arn:aws:iam::123456789012:user/jobindex are accepted in us-east-1"
PERMITTED = "aws: every operation of the sync is permitted"
EVENTS = "aws: events of jobs, executions and thing groups are on"
CLOCK = "clock: AWS's clock and this machine's agree"


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Let the SDK find only these credentials."""
    for name in ("AWS_PROFILE", "AWS_DEFAULT_REGION", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")


def examined(url: str, service: ServiceClient = NO_SERVICE) -> tuple[list[str], list[str]]:
    """Return the ok results and the others, each with its part."""
    results = [*examine_aws(url, region="us-east-1", service=service)]
    texts = [(f"{result.part}: {result.text}", result.advice is None) for result in results]
    return [text for text, is_ok in texts if is_ok], [text for text, is_ok in texts if not is_ok]


def test_a_permitted_sync_is_ok() -> None:
    """Each operation is called once, and the identity is named."""
    with FakeAws() as aws:
        assert ([ACCEPTED, PERMITTED, EVENTS, CLOCK], []) == examined(aws.url)
        assert sorted({*OPERATIONS, "GetCallerIdentity"}) == sorted(call.operation for call in aws.calls)


def test_names_are_those_of_the_lists() -> None:
    """AWS may permit a policy's own resources only, so existing ones are described."""
    with FakeAws() as aws:
        aws.fleet.add_group("pumps", "pump-1")
        aws.fleet.deploy("d-1", "thinggroup/pumps", job_id="update-7").execute("pump-1")
        assert ([ACCEPTED, PERMITTED, EVENTS, CLOCK], []) == examined(aws.url)
        given = {call.operation: call.parameters for call in aws.calls}
    assert {"jobId": "update-7", "thingName": "pump-1"} == given["DescribeJobExecution"]
    assert "pumps" == given["ListThingsInThingGroup"]["thingGroupName"]
    assert {"deploymentId": "d-1"} == given["GetDeployment"]
    assert 1 == given["ListJobs"]["maxResults"]


@pytest.mark.parametrize("operation", sorted(OPERATIONS))
def test_a_denied_operation_is_named(operation: str) -> None:
    """The other operations are still called."""
    with FakeAws() as aws:
        aws.fault(operation, faults.denied(operation))
        well, wrong = examined(aws.url)
        assert [True] == [
            text.startswith(f"aws: not permitted: {operation}: AccessDeniedException: ") for text in wrong
        ]
        [permitted] = [text for text in well if text.startswith("aws: permitted: ")]
        assert OPERATIONS - {operation} == set(permitted.removeprefix("aws: permitted: ").split(", "))


@pytest.mark.parametrize("fault", [faults.expired_token(), faults.unknown_key(), faults.wrong_signature()])
def test_refused_credentials_are_one_problem(fault: faults.Refuse) -> None:
    """No other operation is called with them."""
    with FakeAws() as aws:
        aws.fault(EVERY, fault)
        text = f"aws: no valid credentials: DescribeEventConfigurations: {fault.code}: {fault.message}"
        assert ([], [text]) == examined(aws.url)
        assert 2 == len(aws.calls)


def test_no_credentials_are_one_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is called without them, and the advice names the variables."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    with FakeAws() as aws:
        well, [problem] = examined(aws.url)
        assert ([], 0) == (well, len(aws.calls))
    assert problem.startswith("aws: no valid credentials: DescribeEventConfigurations: NoCredentialsError: ")


def test_an_unknown_identity_is_left_out() -> None:
    """A policy need not permit GetCallerIdentity."""
    with FakeAws() as aws:
        aws.fault("GetCallerIdentity", faults.denied("GetCallerIdentity"))
        well, wrong = examined(aws.url)
    assert (["aws: the credentials are accepted in us-east-1", PERMITTED, EVENTS, CLOCK], []) == (well, wrong)


def test_a_broken_network_is_one_problem() -> None:
    """The first operation that gets no answer is named."""
    with FakeAws() as aws:
        aws.fault("ListJobs", faults.Cut())
        well, [problem] = examined(aws.url)
    assert [] == well
    assert problem.startswith("aws: AWS does not answer: ListJobs: ConnectionClosedError: ")


def test_a_throttled_operation_is_unsure() -> None:
    """Its permission is not known."""
    with FakeAws() as aws:
        aws.fault("DescribeJob", faults.Throttle())
        _, [unsure] = examined(aws.url)
    assert unsure.startswith("aws: could not check DescribeJob: DescribeJob: ThrottlingException: ")


def test_events_that_are_off_are_a_problem() -> None:
    """Without them, the index never learns how executions ended."""
    with FakeAws() as aws:
        aws.fleet.events["JOB_EXECUTION"] = False
        _, wrong = examined(aws.url)
    assert ["aws: events are off: JOB_EXECUTION"] == wrong


def test_clocks_apart_are_a_problem() -> None:
    """AWS's clock is the Date of its answers."""
    with FakeAws(clock=lambda: time.time() + 3600) as aws:
        _, [problem] = examined(aws.url)
    assert problem.endswith(("59m 59s behind AWS's", "1h 00m behind AWS's"))


@pytest.mark.parametrize(
    ("arn", "problems"),
    [
        ("arn:aws:iot:us-east-1:123456789012:job/j", 0),
        ("arn:aws:iot:eu-central-1:123456789012:job/j", 1),
        ("arn:aws:iot:us-east-1:210987654321:job/j", 1),
        ("arn:aws:iot:us-east-1:000000000000:job/j", 0),
    ],
)
def test_another_account_or_region_is_a_problem(arn: str, problems: int) -> None:
    """The index's jobs are those of the service; without jobs in AWS the identity counts."""
    body = json.dumps({"jobs": [{"jobArn": arn}]}).encode()
    with FakeAws() as aws, answering(body, jobindex_freshness="x") as url:
        _, wrong = examined(aws.url, ServiceClient(url))
    assert problems == len(wrong)
    assert all("but the index has jobs of account" in text for text in wrong)


def test_boto3_is_named_if_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The advice installs it."""
    monkeypatch.setattr("jobindex.cli.checks.aws.find_spec", lambda _: None)
    [result] = examine_aws(None, region="us-east-1", service=NO_SERVICE)
    assert "boto3, which the sync needs, is not installed" == result.text
    assert "Run `pip install boto3`." == result.advice


def test_the_doctor_calls_aws_if_the_sync_is_on(tmp_path: Path) -> None:
    """Or with --aws; otherwise AWS is not called."""
    settings = {"MQTT_URL": "mqtt://127.0.0.1:1", "HTTP_PORT": 1, "DATABASE_URL": f"sqlite:///{tmp_path / 'none.db'}"}
    with FakeAws() as aws:
        settings["AWS_ENDPOINT_URL"] = aws.url
        assert "aws:" not in jobindex("doctor", **settings).stdout
        assert [] == aws.calls
        for arguments, mode in (("doctor", "--aws"), "off"), (("doctor",), "fill"), (("doctor",), "check"):
            ended = jobindex(*arguments, **settings, AWS_SYNC=mode)
            expected = [f"ok      {text}" for text in (ACCEPTED, PERMITTED, EVENTS, CLOCK)]
            assert expected == [line for line in ended.stdout.splitlines() if line in expected]


def test_another_jobindex_is_a_source(tmp_path: Path) -> None:
    """It lacks some operations, which is no problem."""
    with served_fleet(tmp_path) as (service, _):
        well, [unsure] = examined(service.url)
        [result] = [one for one in examine_aws(service.url, region="us-east-1", service=NO_SERVICE) if one.advice]
    permitted = "ListJobs, DescribeJob, ListJobExecutionsForJob, DescribeJobExecution"
    assert ["aws: the credentials are accepted in us-east-1", f"aws: permitted: {permitted}", CLOCK] == well
    others = "DescribeEventConfigurations, ListThingGroups, ListThingsInThingGroup, ListDeployments, GetDeployment"
    assert unsure.startswith(f"aws: could not check {others}: ")
    assert result.is_unsure
