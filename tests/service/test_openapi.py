"""/openapi.json describes every operation and no others, and the running service conforms to it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from hypothesis import settings
from support.api_server import Api, serving

from jobindex.model.jobs import JobStatus, TargetSelection
from jobindex.model.reports import RejectedMessage
from jobindex.model.views import ExecutionState
from jobindex.monitoring.metrics import Metrics
from jobindex.monitoring.state import ServiceState, SyncStatus
from jobindex.web.api.app import create_app
from jobindex.web.api.data_plane import PREFIX
from jobindex.web.changes import ChangeFeed

SUPPORT = Path(__file__).parents[1] / "support"
STATES = ("QUEUED", "FAILED", "SUCCEEDED", "IN_PROGRESS")

AWS_OPERATIONS = (
    "ListJobs",
    "DescribeJob",
    "ListJobExecutionsForJob",
    "ListJobExecutionsForThing",
    "DescribeJobExecution",
    "GetJobDocument",
    "ListTagsForResource",
)
DATA_PLANE_OPERATIONS = {
    "GetPendingJobExecutions": "GetPendingJobExecutions",
    "DescribeJobExecution": "DescribeJobExecutionOfDataPlane",
    "UpdateJobExecution": "UpdateJobExecution",
}


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    """Serve an index with the names in schemathesis.toml and a few rejected messages, with the sync on."""
    executions = [
        (
            f"$aws/things/{thing}/jobs/job-{number}/notify-namespace-n{number % 3}",
            {
                "job": {"targetSelection": "SNAPSHOT", "thingGroupName": "g", "thingGroupId": "id"},
                "execution": {"status": state, "queuedAt": 1000 + number, "executionNumber": 1},
            },
        )
        for number, state in enumerate(STATES)
        for thing in ("t:1", "t2")
    ]
    event = {"timestamp": 1000, "thingArn": "arn:aws:iot:us-east-1:123456789012:thing/t2"}
    with serving(tmp_path) as running:
        running.state.sync = SyncStatus(mode="check")
        running.apply(
            *executions,
            ("$aws/things/t2/jobs/notify-namespace-n0", {"timestamp": 5000, "jobs": {}}),
            ("$aws/events/jobExecution/bare/succeeded", event),
            rejected=[RejectedMessage(topic="t", payload=payload, reason="bad") for payload in (b"\xff", b"{}", b"x")],
        )
        yield running


def _description(api: Api) -> dict[str, Any]:
    status, description, headers = api.request("/openapi.json")
    assert (200, "application/json") == (status, headers["content-type"])
    return dict(description)


def test_every_route_is_described_and_nothing_else(api: Api) -> None:
    """The description has exactly the paths of the app; schemathesis checks the methods."""
    app = create_app(ServiceState(), Metrics(ServiceState()), ChangeFeed(ServiceState()))
    paths = {route.path for route in app._app.routes}  # type: ignore[attr-defined]
    described = _description(api)["paths"]
    assert paths == set(described)
    names = [operation["operationId"] for path in described.values() for operation in path.values()]
    assert len(names) == len(set(names))


def test_every_operation_is_answered(api: Api) -> None:
    """A described method never gets 405, any other always does."""
    for path, operations in _description(api)["paths"].items():
        if path == "/index/events":  # it would not end
            continue
        concrete = path.replace("{jobId}", "job-0").replace("{thingName}", "t2").replace("{id}", "1")
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
            assert (method.lower() in operations) is (405 != _status(api.url + concrete, method)), (method, path)


def _status(url: str, method: str) -> int:
    try:
        with urlopen(Request(url, method=method), timeout=10) as answer:
            return int(answer.status)
    except HTTPError as error:
        with error:
            return error.code


def test_the_names_in_the_description_are_those_of_the_code(api: Api) -> None:
    """Enums and limits in the description are those of the code."""
    paths = _description(api)["paths"]
    parameters = {parameter["name"]: parameter for parameter in paths["/jobs"]["get"]["parameters"]}
    assert list(JobStatus) == parameters["status"]["schema"]["enum"]
    assert list(TargetSelection) == parameters["targetSelection"]["schema"]["enum"]
    assert {"type": "integer", "minimum": 1, "maximum": 250, "default": 250} == parameters["maxResults"]["schema"]
    (state,) = (
        parameter
        for parameter in paths["/index/jobs/{jobId}/executions"]["get"]["parameters"]
        if parameter["name"] == "state"
    )
    assert list(ExecutionState) == state["schema"]["enum"]
    assert {"400", "403", "404", "503", "200"} == set(paths["/jobs"]["get"]["responses"])
    assert {"200", "503"} == set(paths["/readyz"]["get"]["responses"])


def test_the_operations_are_those_of_aws(api: Api) -> None:
    """Paths, parameters, statuses and members are those of AWS's service model."""
    description = _description(api)
    model = api.client().meta.service_model
    for name in AWS_OPERATIONS:
        operation = model.operation_model(name)
        described = description["paths"][operation.http["requestUri"]][operation.http["method"].lower()]
        members = operation.input_shape.members
        assert name == described["operationId"]
        assert set(members) == {parameter["name"] for parameter in described["parameters"]}
        for parameter in described["parameters"]:
            shape = members[parameter["name"]]
            location = {"uri": "path", "querystring": "query"}[shape.serialization["location"]]
            assert location == parameter["in"]
            if shape.type_name == "string" and shape.enum:
                assert set(shape.enum) == set(parameter["schema"]["enum"])
        _check_members(described["responses"]["200"]["content"]["application/json"]["schema"], operation.output_shape)


def test_the_operations_of_the_data_plane_are_those_of_aws(api: Api) -> None:
    """The data plane is under the gateway's prefix; `namespaceId` is in AWS's guide but not in its model."""
    description = _description(api)
    model = api.client("iot-jobs-data").meta.service_model
    for name, described_as in DATA_PLANE_OPERATIONS.items():
        operation = model.operation_model(name)
        path = PREFIX + operation.http["requestUri"]
        described = description["paths"][path][operation.http["method"].lower()]
        assert described_as == described["operationId"]
        in_address = {
            member for member, shape in operation.input_shape.members.items() if "location" in shape.serialization
        }
        assert in_address == {parameter["name"] for parameter in described["parameters"]} - {"namespaceId"}
        _check_members(described["responses"]["200"]["content"]["application/json"]["schema"], operation.output_shape)
    refused = description["paths"][f"{PREFIX}/things/{{thingName}}/jobs/{{jobId}}"]["put"]
    assert "StartNextPendingJobExecution" == refused["operationId"]


def _check_members(schema: dict[str, Any], shape: Any) -> None:
    """Check that each member of a schema exists in the shape."""
    if shape.type_name == "list":
        _check_members(schema["items"], shape.member)
    elif shape.type_name == "structure":
        assert set(schema["properties"]) <= set(shape.members)
        for name, member in schema["properties"].items():
            _check_members(member, shape.members[name])
    else:
        kinds = {"timestamp": "number", "long": "integer", "map": "object"}
        assert kinds.get(shape.type_name, shape.type_name) in schema["type"]


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_the_service_does_as_it_says(api: Api, tmp_path: Path) -> None:
    """Schemathesis finds no failure, no undescribed answer and no accepted bad request."""
    description = _description(api)
    # Clients must accept members that a later version adds; this version sends no others.
    _close(description)
    closed = tmp_path / "openapi.json"
    closed.write_text(json.dumps(description))
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(SUPPORT / "schemathesis.toml")]
    examples = str(max(10, settings().max_examples * 3 // 8))
    ended = subprocess.run(
        [*command, "run", str(closed), "--url", api.url, "--checks", "all", "--max-examples", examples, "--no-color"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(SUPPORT)},
        capture_output=True,
        text=True,
        timeout=380,  # it takes a minute on a quiet machine
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    operations = sum(len(path) for path in description["paths"].values())
    assert f"Tested: {operations - 1}\n" in ended.stdout  # all but the event stream


def _close(schema: Any) -> None:
    """Forbid members that a schema does not name."""
    if isinstance(schema, list):
        for member in schema:
            _close(member)
    elif isinstance(schema, dict):
        for member in schema.values():
            _close(member)
        if schema.get("type") == "object" and "properties" in schema:
            schema["additionalProperties"] = False
