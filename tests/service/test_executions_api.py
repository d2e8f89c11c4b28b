"""AWS's other job operations, called by a real AWS client and by a plain one."""

import json
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any
from unittest.mock import Mock
from uuid import UUID

import pytest
from support.api_server import THING_ARN_PREFIX, Api, serving
from support.brokers import mosquitto, publish
from support.reported_facts import FULL, UNSEEN_END, execution
from support.services import Service, running
from support.waiting import wait_until

from jobindex.model.page_tokens import seal, seal_text
from jobindex.web.api.executions import STATUSES

PATHS = ("/jobs/job", "/jobs/job/things", "/things/thing/jobs", "/things/thing/jobs/job")


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    """Serve an empty index."""
    with serving(tmp_path) as served:
        yield served


def names(summaries: list[dict[str, Any]]) -> list[str]:
    """Return the names of the things in the summaries of a job's executions."""
    return [summary["thingArn"].removeprefix(THING_ARN_PREFIX) for summary in summaries]


def test_the_answers_are_plain_json(api: Api) -> None:
    """Times are numbers of seconds, and nextToken is null on the last page."""
    api.apply(execution("full", "a:b", **FULL))
    summary = {
        "status": "IN_PROGRESS",
        "queuedAt": 1486687079.743,
        "startedAt": 1486687080.123,
        "lastUpdatedAt": 1486687080.5,
        "executionNumber": 7,
    }
    arn = THING_ARN_PREFIX + "a:b"
    assert {
        "executionSummaries": [{"thingArn": arn, "jobExecutionSummary": summary}],
        "nextToken": None,
    } == api.request("/jobs/full/things")[1]
    for thing in ("a:b", "a%3Ab", "%61%3ab"):
        assert {
            "executionSummaries": [{"jobId": "full", "jobExecutionSummary": summary}],
            "nextToken": None,
        } == api.request(f"/things/{thing}/jobs")[1]
        assert {"execution": {"jobId": "full", "thingArn": arn, "versionNumber": 3, **summary}} == api.request(
            f"/things/{thing}/jobs/full"
        )[1]


def test_an_execution_that_ended_unseen_is_in_no_filter_and_no_count(api: Api) -> None:
    """An execution with an unknown outcome has no status, so it is in no filter and no count."""
    api.apply(*UNSEEN_END)
    client = api.client()
    for status in STATUSES:
        assert [] == client.list_job_executions_for_job(jobId="job", status=status)["executionSummaries"]
    assert {0} == set(client.describe_job(jobId="job")["job"]["jobProcessDetails"].values())


@pytest.mark.parametrize("page_size", [1, 7, 250])
def test_a_scan_of_a_jobs_executions_sees_each_once(api: Api, page_size: int) -> None:
    """The executions of a job come in the order of thing names, once each, despite concurrent writes."""
    expected = sorted(f"thing-{number}" for number in range(300))
    api.apply(*(execution("job", thing, status="QUEUED", queuedAt=1) for thing in expected))

    def write() -> None:
        for start in range(0, 300, 30):
            things = [f"thing-{number}" for number in range(start, start + 30)]
            api.apply(*(execution("job", thing, status="SUCCEEDED", lastUpdatedAt=9) for thing in things))

    writer = threading.Thread(target=write)
    writer.start()
    pages = api.client().get_paginator("list_job_executions_for_job")
    found = pages.paginate(jobId="job", PaginationConfig={"PageSize": page_size})
    assert expected == [name for page in found for name in names(page["executionSummaries"])]
    writer.join()


@pytest.mark.parametrize("page_size", [1, 7, 250])
def test_a_scan_of_a_things_executions_sees_each_once(api: Api, page_size: int) -> None:
    """The executions of a thing come once each, queued last first, those with an unknown time at the end."""
    queued = {f"job-{number}": number // 20 for number in range(200)}
    unknown = [f"unknown-{number}" for number in range(20)]
    api.apply(
        *(execution(job_id, status="QUEUED", queuedAt=at) for job_id, at in queued.items()),
        *(execution(job_id, status="IN_PROGRESS") for job_id in unknown),
    )
    pages = api.client().get_paginator("list_job_executions_for_thing")
    found = pages.paginate(thingName="thing", PaginationConfig={"PageSize": page_size})
    expected = sorted(queued, key=lambda job_id: (queued[job_id], job_id), reverse=True) + sorted(unknown, reverse=True)
    assert expected == [summary["jobId"] for page in found for summary in page["executionSummaries"]]


def test_every_combination_of_filters_equals_a_plain_filter(api: Api) -> None:
    """The filters of both lists combine with AND."""
    told: list[dict[str, Any]] = [
        {"jobId": f"job-{number}", "namespaceId": namespace, "status": status, "queuedAt": number}
        for number, (namespace, status, _) in enumerate(product(["n1", "n2"], ["QUEUED", "FAILED"], range(3)))
    ]
    api.apply(
        *(
            execution(job["jobId"], thing, job["namespaceId"], status=job["status"], queuedAt=job["queuedAt"])
            for job in told
            for thing in ("thing", "other")
        )
    )
    client = api.client()
    filters: dict[str, Any] = {"namespaceId": "n1", "status": "FAILED", "jobId": "job-4"}
    for chosen in product([False, True], repeat=len(filters)):
        wanted = {name: value for (name, value), is_chosen in zip(filters.items(), chosen, strict=True) if is_chosen}
        expected = [job["jobId"] for job in reversed(told) if all(job[name] == value for name, value in wanted.items())]
        pages = client.get_paginator("list_job_executions_for_thing").paginate(
            thingName="thing", **wanted, PaginationConfig={"PageSize": 2}
        )
        assert expected == [summary["jobId"] for page in pages for summary in page["executionSummaries"]], wanted
        assert expected
    assert ["other", "thing"] == names(
        client.list_job_executions_for_job(jobId="job-4", status="FAILED")["executionSummaries"]
    )
    assert [] == client.list_job_executions_for_job(jobId="job-4", status="QUEUED")["executionSummaries"]


def test_a_token_is_bound_to_its_question(api: Api) -> None:
    """A token is valid for its operation, path and filters, with any page size."""
    api.apply(*(execution(f"job-{job}", thing, status="QUEUED", queuedAt=job) for job in range(3) for thing in "abc"))
    client = api.client()
    of_job = client.list_job_executions_for_job(jobId="job-1", maxResults=1)["nextToken"]
    of_thing = client.list_job_executions_for_thing(thingName="a", maxResults=1)["nextToken"]
    rest = client.list_job_executions_for_job(jobId="job-1", maxResults=9, nextToken=of_job)
    assert ["b", "c"] == names(rest["executionSummaries"])
    rest = client.list_job_executions_for_thing(thingName="a", nextToken=of_thing)
    assert ["job-1", "job-0"] == [summary["jobId"] for summary in rest["executionSummaries"]]
    of_jobs, of_things = "list_job_executions_for_job", "list_job_executions_for_thing"
    for name, parameters in (
        (of_jobs, {"jobId": "job-2", "nextToken": of_job}),
        (of_jobs, {"jobId": "job-1", "nextToken": of_job, "status": "QUEUED"}),
        (of_jobs, {"jobId": "job-1", "nextToken": of_thing}),
        (of_jobs, {"jobId": "job-1", "nextToken": of_job[:-1]}),
        (of_things, {"thingName": "b", "nextToken": of_thing}),
        (of_things, {"thingName": "a", "nextToken": of_thing, "namespaceId": "n"}),
        (of_things, {"thingName": "a", "nextToken": of_job}),
        ("list_jobs", {"nextToken": of_thing}),
    ):
        with pytest.raises(client.exceptions.InvalidRequestException, match="nextToken"):
            getattr(client, name)(**parameters)


@pytest.mark.parametrize(
    "position", ["", "x", "[]", '["a", 1]', "[1]", '[99999999999999999999, "a"]', '[1, "\\ud800"]']
)
def test_a_forged_position_is_refused(api: Api, position: str) -> None:
    """A forged token that can be opened raises InvalidRequestException, too."""
    api.apply(execution("job", **FULL))
    token = seal_text(position, ("/things/thing/jobs", None, None, None))
    status, body, headers = api.request(f"/things/thing/jobs?nextToken={token}")
    assert (400, "InvalidRequestException") == (status, headers["x-amzn-errortype"])
    assert body["message"].startswith("Invalid position")
    undecodable = seal(b"\xff", ("/things/thing/jobs", None, None, None))
    assert 400 == api.request(f"/things/thing/jobs?nextToken={undecodable}")[0]


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("describe_job", {"jobId": "unknown"}),
        ("list_job_executions_for_job", {"jobId": "unknown"}),
        ("list_job_executions_for_thing", {"thingName": "unknown"}),
        ("describe_job_execution", {"jobId": "unknown", "thingName": "thing"}),
        ("describe_job_execution", {"jobId": "job", "thingName": "unknown"}),
        ("describe_job_execution", {"jobId": "job", "thingName": "thing", "executionNumber": 8}),
        ("describe_job_execution", {"jobId": "bare", "thingName": "thing", "executionNumber": 0}),
    ],
)
def test_what_is_not_known_raises_boto3s_resource_not_found_exception(
    api: Api, name: str, parameters: dict[str, Any]
) -> None:
    """A job, a thing, an execution or its number is not found if no message reported it."""
    api.apply(execution("job", **FULL), execution("bare", status="QUEUED"))
    client = api.client()
    with pytest.raises(client.exceptions.ResourceNotFoundException, match="cannot be found"):
        getattr(client, name)(**parameters)


@pytest.mark.parametrize(
    ("name", "parameters", "named"),
    [
        ("describe_job", {"jobId": "a b"}, ["jobId"]),
        ("describe_job", {"jobId": "a/things"}, ["jobId"]),
        ("describe_job", {"jobId": "j" * 65}, ["jobId"]),
        ("list_job_executions_for_job", {"jobId": "é", "status": "ENDED"}, ["jobId", "status"]),
        ("list_job_executions_for_job", {"jobId": "j", "maxResults": 251}, ["maxResults"]),
        ("list_job_executions_for_thing", {"thingName": "a/b"}, ["thingName"]),
        ("list_job_executions_for_thing", {"thingName": "t" * 129}, ["thingName"]),
        ("list_job_executions_for_thing", {"thingName": "t", "jobId": ":"}, ["jobId"]),
        ("list_job_executions_for_thing", {"thingName": "t", "namespaceId": "a b"}, ["namespaceId"]),
        ("describe_job_execution", {"thingName": "%", "jobId": "%"}, ["thingName", "jobId"]),
        (
            "describe_job_execution",
            {"thingName": "t", "jobId": "j", "executionNumber": 2**63},
            ["executionNumber"],
        ),
    ],
)
def test_invalid_parameters_raise_boto3s_invalid_request_exception(
    api: Api, name: str, parameters: dict[str, Any], named: list[str]
) -> None:
    """One message reports every invalid name and parameter."""
    client = api.client()
    with pytest.raises(client.exceptions.InvalidRequestException) as raised:
        getattr(client, name)(**parameters)
    message = raised.value.response["Error"]["Message"]
    assert message.startswith(f"{len(named)} validation error")
    assert all(f"at '{wrong}' failed to satisfy constraint" in message for wrong in named)


def test_a_name_in_the_path_is_not_one_in_the_query(api: Api) -> None:
    """DescribeJob ignores a query parameter with the name of its path parameter."""
    api.apply(execution("job", **FULL))
    assert 200 == api.request("/jobs/job?jobId=%20&jobId=other&x=1&x=2")[0]
    assert 400 == api.request("/jobs/job/things?status=QUEUED&status=QUEUED")[0]


@pytest.mark.parametrize("path", [*PATHS, "/jobs/unknown", "/jobs/a%20b"])
def test_every_answer_tells_its_id_and_its_freshness(api: Api, path: str) -> None:
    """Every answer, errors included, has a request id and the freshness of the index."""
    api.apply(execution("job", **FULL))
    api.state.complete_since = datetime(2026, 1, 1, tzinfo=UTC)
    _, _, headers = api.request(path)
    assert UUID(headers["x-amzn-requestid"])
    assert "ingestion=connecting, complete-since=@1767225600" == headers["jobindex-freshness"]
    assert "application/json" == headers["content-type"]


def test_without_a_database_the_service_is_unavailable(api: Api) -> None:
    """Without a database each operation answers 503, which SDKs retry."""
    api.state.store, api.state.reason = None, "the database is locked"
    for path in PATHS:
        status, body, headers = api.request(path)
        assert (503, "ServiceUnavailableException") == (status, headers["x-amzn-errortype"])
        assert {"message": "The service is temporarily unavailable."} == body


def test_an_index_that_cannot_be_read_is_unavailable(api: Api, tmp_path: Path) -> None:
    """A broken database makes each operation answer 503."""
    for file in tmp_path.glob("jobindex.db*"):
        file.write_bytes(b"overwritten" * 1000)
    assert [503] * 4 == [api.request(path)[0] for path in PATHS]


def test_more_requests_than_can_wait_are_throttled(tmp_path: Path) -> None:
    """One bound on waiting requests covers all operations."""
    with serving(tmp_path, concurrency_maximum=0) as api:
        for path in PATHS:
            status, _, headers = api.request(path)
            assert (400, "ThrottlingException") == (status, headers["x-amzn-errortype"])
        assert b"jobindex_http_requests_throttled_total 4.0" in api.metrics.encode()


def test_a_failure_of_the_service_is_an_aws_error(api: Api) -> None:
    """An unexpected error is a 500 in AWS's form, without details."""
    api.state.store = Mock(version=0)
    for path in PATHS:
        status, body, headers = api.request(path)
        assert (500, "InternalFailureException") == (status, headers["x-amzn-errortype"])
        assert {"message": "The service failed."} == body


def test_a_service_answers_what_a_broker_told_it(tmp_path: Path) -> None:
    """A notification reaches boto3, with the region, account and stuck time of the settings."""
    with mosquitto(tmp_path) as broker:
        service = Service(
            tmp_path,
            MQTT_URL=f"mqtt://127.0.0.1:{broker.port}",
            AWS_REGION="eu-west-1",
            AWS_ACCOUNT_ID="123456789012",
            STUCK_SECONDS="5000",
        )
        with running(service):
            now = time.time()
            for job_id, waited in (("young", 4000), ("old", 6000)):
                topic, payload = execution(job_id, status="QUEUED", queuedAt=now - waited)
                publish(broker.port, [(topic, json.dumps(payload))])
            wait_until(lambda: len(service.jobs()) == 2, "the jobs")
            client = service.client()
            arn = "arn:aws:iot:eu-west-1:123456789012:{}"
            assert arn.format("job/old") == client.describe_job(jobId="old")["job"]["jobArn"]
            described = client.describe_job_execution(jobId="old", thingName="thing")["execution"]
            assert arn.format("thing/thing") == described["thingArn"]
            (summary,) = client.list_job_executions_for_job(jobId="old")["executionSummaries"]
            assert arn.format("thing/thing") == summary["thingArn"]
            of_thing = client.list_job_executions_for_thing(thingName="thing", namespaceId="n")["executionSummaries"]
            assert ["young", "old"] == [summary["jobId"] for summary in of_thing]
            stuck = json.loads(service.get("/index/executions/waiting")[1])["executions"]
            assert ["old"] == [told["jobId"] for told in stuck]
