"""The counting proxy passes requests on, and counts them by operation and time."""

from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import boto3
import pytest
from botocore.exceptions import ClientError
from support import counting_proxy
from support.counting_proxy import CountingProxy, ProxiedCall
from support.fake_aws import FakeAws
from support.fake_aws_faults import Cut
from support.keep_alive_server import KeepAliveHandler, KeepAliveServer, end


@pytest.fixture
def aws() -> Iterator[FakeAws]:
    """Serve a fleet with a job."""
    with FakeAws() as aws:
        aws.fleet.add_job("job-1")
        yield aws


@pytest.fixture
def proxy(aws: FakeAws) -> Iterator[CountingProxy]:
    """Put a proxy in front of it."""
    with CountingProxy(aws.url) as proxy:
        yield proxy


@pytest.fixture
def iot(proxy: CountingProxy) -> Any:
    """Return boto3's client, which calls the proxy."""
    given = {"aws_access_key_id": "AKIDEXAMPLE", "aws_secret_access_key": "secret", "region_name": "us-east-1"}
    return boto3.client("iot", endpoint_url=proxy.url, **given)


def test_answers_and_errors_pass(aws: FakeAws, iot: Any) -> None:
    """Answers and errors are those of the server, with their headers."""
    aws.clock = lambda: 0
    answer = iot.list_jobs(status="IN_PROGRESS")
    assert ["job-1"] == [job["jobId"] for job in answer["jobs"]]
    assert "Thu, 01 Jan 1970 00:00:00 GMT" == answer["ResponseMetadata"]["HTTPHeaders"]["date"]
    assert {"status": "IN_PROGRESS"} == aws.calls[0].parameters
    with pytest.raises(ClientError, match=r"ResourceNotFoundException.*Job job-2 cannot be found"):
        iot.describe_job(jobId="job-2")


def test_calls_are_recorded_by_operation(proxy: CountingProxy, iot: Any) -> None:
    """Each request is recorded with AWS's name of its operation, or with its path."""
    iot.list_jobs()
    iot.describe_job(jobId="job-1")
    with pytest.raises(HTTPError, match="403"):
        urlopen(f"{proxy.url}/readyz?verbose=1")
    assert ["ListJobs", "DescribeJob", "GET /readyz"] == [call.operation for call in proxy.calls]


def test_the_busiest_window_counts() -> None:
    """The greatest number of calls is that of the busiest window, by operation."""
    proxy = CountingProxy("http://127.0.0.1:1")
    times = {"ListJobs": [0.0, 0.9, 1.0, 1.8, 1.9, 5.0], "DescribeJob": [1.0, 2.5]}
    calls = [ProxiedCall(time=time, operation=name) for name, each in times.items() for time in each]
    proxy.calls += sorted(calls, key=lambda call: call.time)
    assert {"ListJobs": 4, "DescribeJob": 1} == proxy.most_within(1)
    assert {"ListJobs": 6, "DescribeJob": 2} == proxy.most_within(5)


def test_a_connection_that_the_server_has_closed(aws: FakeAws, proxy: CountingProxy, iot: Any) -> None:
    """A request on a connection that the server closed meanwhile is sent again; on a new one it is not."""
    iot.list_jobs()
    aws.fault("ListJobs", Cut(calls=1))
    assert ["job-1"] == [job["jobId"] for job in iot.list_jobs()["jobs"]]
    assert 3 == aws.counts()["ListJobs"]
    aws.fault("DescribeJob", Cut())
    scope = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261130/us-east-1/iot/aws4_request"
    with pytest.raises(HTTPError, match="502"):
        urlopen(Request(f"{proxy.url}/jobs/job-1", headers={"Authorization": scope}))
    assert 1 == aws.counts()["DescribeJob"]


def test_a_server_that_is_gone() -> None:
    """A server that does not answer is a bad gateway, and the next request connects again."""
    with FakeAws() as aws:
        url = aws.url
    with CountingProxy(url) as proxy:
        for _ in range(2):
            with pytest.raises(HTTPError, match="502"):
                urlopen(f"{proxy.url}/jobs")


def test_an_idle_connection_is_opened_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server may close a connection that is idle; the next request still gets its answer."""

    class Closing(KeepAliveHandler):
        def answer(self, body: bytes) -> None:  # noqa: ARG002
            self.send(200, [], b"{}")
            self.wfile.flush()
            end(self.connection)

    monkeypatch.setattr(counting_proxy, "_IDLE_SECONDS", 0)
    with (
        KeepAliveServer(Closing) as server,
        CountingProxy(server.url) as proxy,
        closing(HTTPConnection("127.0.0.1", urlsplit(proxy.url).port)) as connection,
    ):
        for _ in range(2):
            connection.request("GET", "/jobs")
            response = connection.getresponse()
            assert (200, b"{}") == (response.status, response.read())
