"""The HTTP API, called by a real AWS client and by a plain one."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any
from unittest.mock import Mock
from uuid import UUID

import pytest
from botocore.exceptions import ClientError
from support.api_server import Api, serving

from jobindex.model.jobs import JobStatus, TargetSelection
from jobindex.model.listing import JobPage, ListJobsQuery
from jobindex.monitoring.state import Ingestion
from jobindex.storage.sqlite.store import SqliteStore

JOB = "$aws/things/thing/jobs/{}/notify-namespace-{}"


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    """Serve an empty index."""
    with serving(tmp_path) as running:
        yield running


def test_a_job_is_told_in_aws_form(api: Api) -> None:
    """boto3 returns the known members of a job, with times exact to the millisecond, and no others.

    A job without a reported ARN gets its partition, region and account from the others.
    """
    api.apply(
        (
            JOB.format("full", "n"),
            {
                "job": {
                    "status": "COMPLETED",
                    "targetSelection": "SNAPSHOT",
                    "thingGroupId": "group-id",
                    "isConcurrent": False,
                    "createdAt": 1486687079.743,
                    "lastUpdatedAt": 1486687080123,
                    "completedAt": 1486687080.001,
                    "jobArn": "arn:aws-cn:iot:cn-north-1:111122223333:job/full",
                }
            },
        ),
        (JOB.format("bare", "n"), {"timestamp": 1486687000}),
    )
    answer = api.client().list_jobs()
    assert [
        {
            "jobArn": "arn:aws-cn:iot:cn-north-1:111122223333:job/full",
            "jobId": "full",
            "status": "COMPLETED",
            "targetSelection": "SNAPSHOT",
            "thingGroupId": "group-id",
            "isConcurrent": False,
            "createdAt": datetime(2017, 2, 10, 0, 37, 59, 743000, tzinfo=UTC),
            "lastUpdatedAt": datetime(2017, 2, 10, 0, 38, 0, 123000, tzinfo=UTC),
            "completedAt": datetime(2017, 2, 10, 0, 38, 0, 1000, tzinfo=UTC),
        },
        {
            "jobArn": "arn:aws-cn:iot:cn-north-1:111122223333:job/bare",
            "jobId": "bare",
            "status": "IN_PROGRESS",
            "createdAt": datetime(2017, 2, 10, 0, 36, 40, tzinfo=UTC),
            "lastUpdatedAt": datetime(2017, 2, 10, 0, 36, 40, tzinfo=UTC),
        },
    ] == answer["jobs"]
    assert "nextToken" not in answer


def test_an_empty_index_answers_an_empty_page(api: Api) -> None:
    """An empty page has both members, and its nextToken is null."""
    status, body, headers = api.request("/jobs")
    assert (200, {"jobs": [], "nextToken": None}) == (status, body)
    assert headers["content-type"] == "application/json"


def test_every_answer_has_a_request_id_of_its_own(api: Api) -> None:
    """Each answer, errors included, has its own x-amzn-RequestId."""
    paths = ["/jobs", "/jobs", "/jobs?maxResults=0", "/nowhere", "/healthz"]
    found = [UUID(api.request(path)[2]["x-amzn-requestid"]) for path in paths]
    assert len(paths) == len(set(found))
    assert api.client().list_jobs()["ResponseMetadata"]["RequestId"]


@pytest.mark.parametrize("page_size", [pytest.param(1, marks=pytest.mark.slow), 7, 250])
def test_a_scan_sees_each_job_once_while_jobs_are_written(api: Api, page_size: int) -> None:
    """A scan returns each job that exists throughout exactly once, despite concurrent writes."""
    count = 1000
    start = 1_600_000_000
    # Half of the jobs share their createdAt with others.
    created = [start + (number if number % 2 else number // 100) for number in range(count)]
    api.apply(*[(JOB.format(f"old-{number}", "n"), {"createdAt": at}) for number, at in enumerate(created)])

    def write() -> None:
        for number in range(0, count, 50):
            api.apply(
                *[
                    (JOB.format(f"new-{new}", "n"), {"createdAt": start + new * 7 % count})
                    for new in range(number, number + 50)
                ],
                *[
                    (JOB.format(f"old-{old}", "n"), {"status": "COMPLETED", "lastUpdatedAt": start + 5000})
                    for old in range(number, number + 50)
                ],
            )

    writer = threading.Thread(target=write)
    writer.start()
    pages = api.client().get_paginator("list_jobs").paginate(PaginationConfig={"PageSize": page_size})
    seen = [job["jobId"] for page in pages for job in page["jobs"]]
    writer.join()
    assert sorted(f"old-{number}" for number in range(count)) == sorted(
        job_id for job_id in seen if job_id.startswith("old-")
    )
    assert len(seen) == len(set(seen))


FILTERS: dict[str, Any] = {
    "namespaceId": "n1",
    "status": "COMPLETED",
    "targetSelection": "SNAPSHOT",
    "thingGroupId": "id-1",
    "thingGroupName": "group-1",
}


def test_every_combination_of_filters_equals_a_plain_filter(api: Api) -> None:
    """In every combination the five filters combine with AND, newest first."""
    choices = product(["n1", "n2"], ["COMPLETED", "CANCELED"], ["SNAPSHOT", "CONTINUOUS"], [1, 2], range(3))
    jobs = [
        {
            "jobId": f"job-{number}",
            "namespaceId": namespace,
            "status": status,
            "targetSelection": selection,
            "thingGroupName": f"group-{group}",
            "thingGroupId": f"id-{group}",
            "createdAt": number * 7919 % 40,
        }
        for number, (namespace, status, selection, group, _) in enumerate(choices)
    ]
    told = ("status", "targetSelection", "thingGroupName", "thingGroupId", "createdAt")
    api.apply(*[(JOB.format(job["jobId"], job["namespaceId"]), {name: job[name] for name in told}) for job in jobs])
    newest = sorted(jobs, key=lambda job: (job["createdAt"], job["jobId"]), reverse=True)
    client = api.client()
    for chosen in product([False, True], repeat=len(FILTERS)):
        filters = {name: value for (name, value), wanted in zip(FILTERS.items(), chosen, strict=True) if wanted}
        expected = [job["jobId"] for job in newest if all(job[name] == value for name, value in filters.items())]
        pages = client.get_paginator("list_jobs").paginate(**filters, PaginationConfig={"PageSize": 5})
        assert expected == [job["jobId"] for page in pages for job in page["jobs"]], filters
        assert expected
        assert not filters or len(expected) < len(jobs)


def test_invalid_parameters_raise_boto3s_invalid_request_exception(api: Api) -> None:
    """One message reports every invalid parameter, in AWS's words."""
    client = api.client()
    with pytest.raises(client.exceptions.InvalidRequestException) as raised:
        client.list_jobs(maxResults=251, status="BOGUS", namespaceId="bad ns")
    expected = (
        "3 validation errors detected: "
        "Value '251' at 'maxResults' failed to satisfy constraint: Member must have value less than or equal to 250; "
        "Value 'BOGUS' at 'status' failed to satisfy constraint: Member must satisfy enum value set: "
        "[SCHEDULED, IN_PROGRESS, COMPLETED, CANCELED, DELETION_IN_PROGRESS]; "
        "Value 'bad ns' at 'namespaceId' failed to satisfy constraint: "
        "Member must satisfy regular expression pattern: [a-zA-Z0-9_-]+"
    )
    assert expected == raised.value.response["Error"]["Message"]
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("maxResults=0", "'maxResults'"),
        ("maxResults=", "'maxResults'"),
        ("maxResults=1.5", "'maxResults'"),
        ("maxResults=5&maxResults=5", "'maxResults'"),
        ("status=", "'status'"),
        ("targetSelection=snapshot", "'targetSelection'"),
        ("thingGroupId=a_b", "'thingGroupId'"),
        ("thingGroupName=" + "x" * 129, "'thingGroupName'"),
        ("namespaceId=%FF", "'namespaceId'"),
        ("nextToken=", "'nextToken'"),
        ("nextToken=abc", "nextToken"),
    ],
)
def test_bad_queries_name_the_parameter(api: Api, query: str, named: str) -> None:
    """A bad query gets status 400, and the message names the parameter."""
    status, body, headers = api.request(f"/jobs?{query}")
    assert (400, "InvalidRequestException") == (status, headers["x-amzn-errortype"])
    assert named in body["message"]


def test_a_token_is_bound_to_its_filters(api: Api) -> None:
    """A token is valid for its own filters, with any page size."""
    api.apply(*[(JOB.format(f"job-{number}", "n"), {"createdAt": number}) for number in range(5)])
    client = api.client()
    first = client.list_jobs(namespaceId="n", maxResults=2)
    rest = client.list_jobs(namespaceId="n", maxResults=250, nextToken=first["nextToken"])
    assert ["job-4", "job-3", "job-2", "job-1", "job-0"] == [job["jobId"] for job in first["jobs"] + rest["jobs"]]
    with pytest.raises(client.exceptions.InvalidRequestException, match="nextToken"):
        client.list_jobs(nextToken=first["nextToken"])
    with pytest.raises(client.exceptions.InvalidRequestException, match="nextToken"):
        client.list_jobs(namespaceId="n", nextToken=first["nextToken"][:-1])


def test_an_unknown_parameter_is_ignored(api: Api) -> None:
    """An unknown parameter is ignored, as SDKs may add their own."""
    assert api.request("/jobs?maxresults=0&x=1")[0] == 200


def test_an_unknown_thing_group_raises_boto3s_resource_not_found_exception(api: Api) -> None:
    """A group that no message named is not found; a group named only in a target is."""
    api.apply(
        (
            "$aws/events/job/job/completed",
            {"timestamp": 1, "targets": ["arn:aws:iot:us-east-1:123456789012:thinggroup/known"]},
        )
    )
    client = api.client()
    assert ["job"] == [job["jobId"] for job in client.list_jobs(thingGroupName="known")["jobs"]]
    for filters in ({"thingGroupName": "unknown"}, {"thingGroupId": "unknown"}):
        with pytest.raises(client.exceptions.ResourceNotFoundException, match="unknown"):
            client.list_jobs(**filters)


@pytest.mark.parametrize("path", ["/", "/job", "/jobs/", "/jobs/x/y", "/%2e%2e/jobs"])
def test_an_unknown_path_is_an_aws_error(api: Api, path: str) -> None:
    """An unknown path gets an error in AWS's form."""
    status, body, headers = api.request(path)
    assert (404, "UnknownOperationException") == (status, headers["x-amzn-errortype"])
    assert path.replace("%2e", ".") in body["message"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_an_unknown_method_is_an_aws_error(api: Api, method: str) -> None:
    """An unsupported method gets an error in AWS's form, with the supported methods."""
    status, body, headers = api.request("/jobs", method)
    assert (405, "MethodNotAllowedException") == (status, headers["x-amzn-errortype"])
    assert {"GET", "HEAD"} == set(headers["allow"].split(", "))
    assert method in body["message"]


def test_more_requests_than_can_wait_are_throttled(tmp_path: Path) -> None:
    """A request beyond the bound gets ThrottlingException, which SDKs retry."""
    with serving(tmp_path, concurrency_maximum=0) as api:
        client = api.client()
        with pytest.raises(client.exceptions.ThrottlingException, match="rate"):
            client.list_jobs()
        assert b"jobindex_http_requests_throttled_total 1.0" in api.metrics.encode()


def test_requests_up_to_the_bound_are_answered(tmp_path: Path) -> None:
    """An answered request no longer counts towards the bound."""
    with serving(tmp_path, concurrency_maximum=4) as api, ThreadPoolExecutor(4) as pool:
        assert [200] * 40 == list(pool.map(lambda _: api.request("/jobs")[0], range(40)))


def test_without_a_database_the_service_is_unavailable(api: Api) -> None:
    """While the index cannot be read, ListJobs answers 503 and /readyz gives the reason."""
    api.state.store, api.state.reason = None, "the database is locked"
    client = api.client()
    with pytest.raises(client.exceptions.ServiceUnavailableException):
        client.list_jobs()
    expected = {"ready": False, "reason": "the database is locked", "ingestion": "connecting"}
    assert (503, expected) == api.request("/readyz")[:2]
    assert api.request("/healthz")[0] == 200


def test_an_index_that_cannot_be_read_is_unavailable(api: Api, tmp_path: Path) -> None:
    """A broken database makes ListJobs and /readyz answer 503."""
    for file in tmp_path.glob("jobindex.db*"):
        file.write_bytes(b"overwritten" * 1000)
    status, _, headers = api.request("/jobs")
    assert (503, "ServiceUnavailableException") == (status, headers["x-amzn-errortype"])
    assert api.request("/readyz")[0] == 503


def test_a_failure_of_the_service_is_an_aws_error(api: Api) -> None:
    """An unexpected error is a 500 in AWS's form, without details."""
    api.state.store = Mock(version=0)
    status, body, headers = api.request("/jobs")
    assert (500, "InternalFailureException") == (status, headers["x-amzn-errortype"])
    assert body == {"message": "The service failed."}
    assert UUID(headers["x-amzn-requestid"])
    with pytest.raises(ClientError):
        api.client().list_jobs()


def test_arrival_shows_where_no_message_bears_a_time(api: Api) -> None:
    """If no message has a time, createdAt is the first arrival, and lastUpdatedAt the arrival of the last change."""
    first = datetime(2026, 1, 1, tzinfo=UTC)
    for hours, status in ((0, None), (1, None), (2, "COMPLETED"), (3, "COMPLETED")):
        api.apply((JOB.format("job", "n"), {"status": status}), now=first + timedelta(hours=hours))
    (job,) = api.client().list_jobs()["jobs"]
    assert (first, first + timedelta(hours=2)) == (job["createdAt"], job["lastUpdatedAt"])


def test_every_status_and_selection_is_one_of_aws(api: Api) -> None:
    """The enums of statuses and selections have exactly the values of the API reference."""
    shape = api.client().meta.service_model.operation_model("ListJobs").input_shape
    assert set(shape.members["status"].enum) == set(JobStatus)
    assert set(shape.members["targetSelection"].enum) == set(TargetSelection)


def test_an_answer_is_kept_until_the_index_changes(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """A repeated query is answered from the cache, with a new id and the current freshness."""
    api.apply((JOB.format("first", "n"), {"status": "IN_PROGRESS"}))
    asked: list[ListJobsQuery] = []
    read = SqliteStore.list_jobs

    async def list_jobs(store: SqliteStore, query: ListJobsQuery) -> JobPage:
        asked.append(query)
        return await read(store, query)

    monkeypatch.setattr(SqliteStore, "list_jobs", list_jobs)
    first, again = api.request("/jobs?namespaceId=n"), api.request("/jobs?namespaceId=n")
    assert first[:2] == again[:2]
    assert first[2]["x-amzn-requestid"] != again[2]["x-amzn-requestid"]
    assert 1 == len(asked)
    api.state.ingestion = Ingestion.REFUSED
    assert "ingestion=refused" in api.request("/jobs?namespaceId=n")[2]["jobindex-freshness"]
    assert 405 == api.request("/jobs?namespaceId=n", "POST")[0]
    assert 404 == api.request("/healthz/jobs?namespaceId=n")[0]
    assert 1 == len(asked)
    api.apply((JOB.format("second", "n"), {"status": "IN_PROGRESS"}))
    _, body, _ = api.request("/jobs?namespaceId=n")
    assert {"first", "second"} == {job["jobId"] for job in body["jobs"]}


def test_few_answers_are_kept(api: Api) -> None:
    """The cache is bounded, and its answers stay right."""
    api.apply(*((JOB.format(f"job-{number}", f"n{number}"), {"status": "IN_PROGRESS"}) for number in range(80)))
    for _ in range(2):
        for number in range(80):
            _, body, _ = api.request(f"/jobs?namespaceId=n{number}")
            assert [f"job-{number}"] == [job["jobId"] for job in body["jobs"]]


def test_an_error_is_not_kept(api: Api) -> None:
    """An error is not cached: a thing group is found once a message names it."""
    assert 404 == api.request("/jobs?thingGroupName=g")[0]
    api.apply((JOB.format("job", "n"), {"thingGroupName": "g"}))
    assert 200 == api.request("/jobs?thingGroupName=g")[0]
