"""The jobs data plane, `iot-jobs-data`, called by boto3 and the AWS CLI at the endpoint of all services."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from support.api_server import REGION, Api, serving
from support.aws_clients import Asking, run_cli
from support.reported_facts import PENDING

from jobindex.access.access import Access
from jobindex.access.keys import AccessKey, Key, Keys
from jobindex.access.principals import Principal, Role


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    """Serve an empty index without keys."""
    with serving(tmp_path) as running:
        yield running


def test_a_namespace_in_the_query_has_its_own_pending_executions(api: Api) -> None:
    """`namespaceId`, in AWS's guide but not in its SDKs, selects a namespace's pending executions.

    The path prefix is for clients that do not sign.
    """
    api.apply(*PENDING)
    path = "/iot-jobs-data/things/pump/jobs"
    _, pending, _ = api.request(f"{path}?namespaceId=aws-gg-deployment")
    assert ([], ["deployment"]) == (pending["inProgressJobs"], [one["jobId"] for one in pending["queuedJobs"]])
    _, found, _ = api.request(f"{path}/$next?namespaceId=aws-gg-deployment")
    assert "deployment" == found["execution"]["jobId"]
    assert 404 == api.request(f"{path}/running?namespaceId=aws-gg-deployment")[0]


def test_the_number_of_an_execution_that_no_message_reported_is_not_found(api: Api) -> None:
    """An unreported execution number is not found; the error names the number, the job and the thing."""
    api.apply(*PENDING)
    client = api.client("iot-jobs-data")
    with pytest.raises(client.exceptions.ResourceNotFoundException, match="Job execution 2 of running on pump"):
        client.describe_job_execution(thingName="pump", jobId="running", executionNumber=2)


def test_the_clients_of_both_planes_get_their_own_shapes_at_the_same_paths(api: Api) -> None:
    """The scope of the signature selects the plane at the same paths."""
    api.apply(*PENDING)
    client = api.client("iot-jobs-data")
    assert 3 == len(api.client().list_job_executions_for_thing(thingName="pump", maxResults=3)["executionSummaries"])
    assert 2 == len(client.get_pending_job_executions(thingName="pump")["queuedJobs"])
    with pytest.raises(client.exceptions.ResourceNotFoundException, match="Thing valve cannot be found"):
        client.get_pending_job_executions(thingName="valve")


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("start_next_pending_job_execution", {"statusDetails": {"step": "1"}}),
        ("update_job_execution", {"jobId": "running", "status": "SUCCEEDED"}),
    ],
)
def test_a_write_is_refused_by_its_name(api: Api, name: str, parameters: dict[str, Any]) -> None:
    """A write is refused, as the index is a copy, which would lose it."""
    api.apply(*PENDING)
    client = api.client("iot-jobs-data")
    with pytest.raises(ClientError) as refused:
        getattr(client, name)(thingName="pump", **parameters)
    operation = "".join(word.capitalize() for word in name.split("_"))
    error = refused.value.response["Error"]
    assert "AccessDeniedException" == error["Code"]
    assert error["Message"].startswith(f"{operation} changes a job execution, and jobindex is read-only")
    assert "running" == client.describe_job_execution(thingName="pump", jobId="$next")["execution"]["jobId"]


def test_the_aws_cli_gets_the_pending_executions(api: Api) -> None:
    """The AWS CLI needs only the endpoint."""
    api.apply(*PENDING)
    asking = Asking(url=api.url, key=AccessKey(id="any", secret="any"), region=REGION)
    ended = run_cli(asking, "iot-jobs-data", "get-pending-job-executions", "--thing-name", "pump")
    assert 0 == ended.returncode, ended.stderr
    assert ["running"] == [one["jobId"] for one in json.loads(ended.stdout)["inProgressJobs"]]


def test_a_signature_for_the_data_plane_is_checked(tmp_path: Path) -> None:
    """A signature needs the right secret, and a restricted key sees only its namespaces."""
    key = Key(
        principal=Principal(name="gg", role=Role.READ, namespace_ids=frozenset({"aws-gg-deployment"})),
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        access_key=AccessKey(id="JOBXGREENGRASS", secret="secret"),
    )
    with serving(tmp_path, access=Access(Keys([key]), region=REGION)) as api:
        api.apply(*PENDING)

        def client(secret: str) -> Any:
            return boto3.client(
                "iot-jobs-data",
                region_name=REGION,
                endpoint_url=api.url,
                aws_access_key_id="JOBXGREENGRASS",
                aws_secret_access_key=secret,
                config=Config(retries={"total_max_attempts": 1}),
            )

        found = client("secret").describe_job_execution(thingName="pump", jobId="deployment")
        assert "QUEUED" == found["execution"]["status"]
        assert [] == client("secret").get_pending_job_executions(thingName="pump")["inProgressJobs"]
        with pytest.raises(ClientError, match="ResourceNotFoundException"):
            client("secret").describe_job_execution(thingName="pump", jobId="running")
        with pytest.raises(ClientError, match="InvalidSignatureException"):
            client("wrong").get_pending_job_executions(thingName="pump")
