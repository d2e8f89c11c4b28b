"""The checks before every operation: request rates, credentials and base paths."""

import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from support.api_server import REGION, Api, serving
from support.waiting import wait_until

from jobindex.access.access import PRINCIPAL, Access
from jobindex.access.keys import AccessKey, Key, Keys, digest
from jobindex.access.principals import ANYONE, NOBODY, Principal, Role
from jobindex.access.rates import Rates
from jobindex.access.signatures import PublicUrl
from jobindex.web.api.caller import client_id_of

HEALTH = ("/healthz", "/readyz")


def keys(*names: str) -> Keys:
    """Return keys whose tokens are their names."""
    return Keys(
        Key(
            principal=Principal(name=name, role=Role.READ, namespace_ids=None),
            created_at=datetime.now(UTC),
            token_sha256=digest(name),
        )
        for name in names
    )


def ask(api: Api, path: str, token: str | None = None, **headers: str) -> tuple[int, str | None]:
    """Return the status and the error name of an answer."""
    connection = HTTPConnection(urlsplit(api.url).netloc, timeout=10)
    sent = headers | ({} if token is None else {"authorization": f"Bearer {token}"})
    connection.request("GET", path, headers=sent)
    with connection.getresponse() as answer:
        answer.read()
        connection.close()
        return answer.status, answer.headers["x-amzn-errortype"]


THROTTLED = (400, "ThrottlingException")


def test_each_key_may_ask_so_often(tmp_path: Path) -> None:
    """A client over its rate, with or without a key, takes nothing from another key."""
    with serving(tmp_path, access=Access(keys("a", "b")), rates=Rates(0.001, 2)) as api:
        assert [(200, None)] * 2 + [THROTTLED] * 2 == [ask(api, "/jobs", "a") for _ in range(4)]
        assert (200, None) == ask(api, "/jobs", "b")
        unknown = (403, "UnrecognizedClientException")
        assert [unknown] * 2 + [THROTTLED] * 2 == [ask(api, "/jobs", f"guess-{n}") for n in range(4)]
        assert (503, None) == ask(api, "/ui/sign-in")  # a page
        assert (200, None) == ask(api, "/jobs", "b")
        assert THROTTLED == ask(api, "/index/events", "b")
        # A flood does not affect health checks.
        assert [(200, None)] * 6 == [ask(api, path) for path in HEALTH * 3]
        assert b"jobindex_http_requests_throttled_total 6.0" in api.metrics.encode(None)
        assert b"jobindex_http_requests_unauthenticated_total 4.0" in api.metrics.encode(None)


def test_a_page_that_is_asked_for_too_often_says_so(tmp_path: Path) -> None:
    """A throttled page has a retry time, and static files do not count."""
    with serving(tmp_path, rates=Rates(0.001, 1)) as api:
        connection = HTTPConnection(urlsplit(api.url).netloc, timeout=10)
        told = []
        for _ in range(2):
            connection.request("GET", "/ui/jobs")
            with connection.getresponse() as answer:
                told.append((answer.status, answer.headers["retry-after"], answer.read().decode()))
        connection.close()
        (first, _, page), (second, retry_after, refused) = told
        assert (200, 503, "5") == (first, second, retry_after)
        assert "Too many requests" in refused
        assets = set(re.findall(r"/ui/static/[^\"]+", page))
        assert assets
        assert {(200, None)} == {ask(api, asset) for asset in assets}


def test_wrong_sign_ins_are_counted(tmp_path: Path) -> None:
    """A wrong sign-in counts as an unauthenticated request."""
    with serving(tmp_path, access=Access(keys("a"))) as api:
        for token in ("b", "c"):
            request = Request(f"{api.url}/ui/sign-in", data=f"token={token}".encode(), method="POST")
            with suppress(HTTPError):
                urlopen(request, timeout=10).close()
        assert b"jobindex_http_requests_unauthenticated_total 2.0" in api.metrics.encode(None)


def test_who_is_not_known_is_told_in_the_log_but_not_always(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """An unauthenticated request is logged as received, without secrets and at a limited rate."""
    caplog.set_level("INFO")
    with serving(tmp_path, access=Access(keys("a"))) as api:
        assert 403 == ask(api, "/jobs", "a-secret", host="localhost:1")[0]
        (line,) = [message for message in caplog.messages if "/jobs" in message]
        assert (
            "GET 'localhost:1' '/jobs' from 127.0.0.1: UnrecognizedClientException: "
            "The security token included in the request is invalid."
        ) == line
        for _ in range(50):
            ask(api, "/jobs")
        assert len([message for message in caplog.messages if "/jobs" in message]) < 25


def test_a_body_is_signed_too(tmp_path: Path) -> None:
    """A body that was changed after signing is refused, however the credentials are spelt."""
    access_key = AccessKey(id="JOBXAAAAAAAAAAAAAAAA", secret="s" * 40)
    principal = Principal(name="ops", role=Role.OPERATE, namespace_ids=None)
    key = Key(principal=principal, created_at=datetime.now(UTC), access_key=access_key)
    with serving(tmp_path, access=Access(Keys([key]), region=REGION)) as api:
        url = f"{api.url}/rejected/retry?id=1"
        request = AWSRequest("POST", url, data=b"as signed", headers={"x-jobindex": "1"})
        SigV4Auth(Credentials(access_key.id, access_key.secret), "iot", REGION).add_auth(request)
        signed = dict(request.headers.items())
        answers = []
        for body, start in ((b"as signed", ""), (b"changed", ""), (b"", ""), (b"changed", "\xa0"), (b"changed", " ")):
            connection = HTTPConnection(urlsplit(api.url).netloc, timeout=10)
            headers = signed | {"Authorization": start + signed["Authorization"]}
            connection.request("POST", "/rejected/retry?id=1", body=body, headers=headers)
            with connection.getresponse() as answer:
                answer.read()
                answers.append(answer.status)
            connection.close()
        assert [200, 403, 403, 403, 403] == answers


def test_without_keys_each_address_may_ask_so_often(tmp_path: Path) -> None:
    """Without keys each address has its own rate, and only a known proxy's header changes the address."""
    with serving(tmp_path, rates=Rates(0.001, 1)) as api:
        assert (200, None) == ask(api, "/jobs")
        assert THROTTLED == ask(api, "/jobs", **{"x-forwarded-for": "10.0.0.1"})
    with serving(tmp_path, rates=Rates(0.001, 1), proxies=("127.0.0.1",)) as api:
        addresses = ("10.0.0.1", "10.0.0.1", "10.0.0.2", "9.9.9.9, 10.0.0.3", "8.8.8.8, 10.0.0.3", "a:b", "a:b")
        assert [(200, None), THROTTLED, (200, None), (200, None), THROTTLED, (200, None), THROTTLED] == [
            ask(api, "/jobs", **{"x-forwarded-for": address}) for address in addresses
        ]


@pytest.mark.parametrize(
    ("client", "principal", "holder"),
    [
        (("10.0.0.1", 1), ANYONE, "address 10.0.0.1"),
        (("10.0.0.1", 1), NOBODY, "address 10.0.0.1"),
        (("2001:db8::1:2:3:4", 1), ANYONE, "address 2001:db8::/64"),
        (("not an address", 0), ANYONE, "address not an address"),
        (None, ANYONE, "address unknown"),
        (("10.0.0.1", 1), Principal(name="a", role=Role.READ, namespace_ids=None), "key a"),
    ],
)
def test_who_asks_is_counted_as_one(client: Any, principal: Principal, holder: str) -> None:
    """A client is counted by its key, otherwise by its address or network."""
    assert holder == client_id_of({"client": client, PRINCIPAL: principal})


def test_a_flood_is_throttled_and_clients_get_through_once_it_ends(tmp_path: Path) -> None:
    """After a flood, every request of boto3 succeeds by its own retries."""
    with serving(tmp_path, rates=Rates(50, 20)) as api:
        api.apply(("$aws/things/thing/jobs/job-1/notify-namespace-acme", {"job": {"status": "IN_PROGRESS"}}))
        is_over = threading.Event()
        answers: list[tuple[int, str | None]] = []

        def flood() -> None:
            while not is_over.is_set():
                answers.append(ask(api, "/jobs"))

        def lists() -> list[str]:
            client = boto3.client(
                "iot",
                region_name=REGION,
                endpoint_url=api.url,
                aws_access_key_id="any",
                aws_secret_access_key="any",
                config=Config(retries={"mode": "standard", "total_max_attempts": 10}),
            )
            return [job["jobId"] for job in client.list_jobs()["jobs"]]

        with ThreadPoolExecutor(12) as threads:
            flooding = [threads.submit(flood) for _ in range(4)]
            wait_until(lambda: answers.count(THROTTLED) > 100, "the flood")
            asking = [threads.submit(lists) for _ in range(8)]
            time.sleep(0.5)
            is_over.set()
            assert [["job-1"]] * 8 == [asked.result(60) for asked in asking]
        assert all(flooded.exception() is None for flooded in flooding)
        assert {(200, None), THROTTLED} == set(answers)


@pytest.mark.parametrize("path", ["/iot/jobs", "/jobs", "/iot/ui/", "/iot/ui/jobs?prefix=a", "/iot/healthz"])
def test_a_base_path_may_be_left_in_place(tmp_path: Path, path: str) -> None:
    """A proxy may leave the base path in the request or remove it."""
    access = Access(public=PublicUrl(host="jobs.example", base_path="/iot"))
    with serving(tmp_path, access=access) as api:
        assert (200, None) == ask(api, path)
        for other in ("/iotjobs", "/iot/iot/jobs", "/other/jobs"):
            assert 404 == ask(api, other)[0]
        connection = HTTPConnection(urlsplit(api.url).netloc, timeout=10)
        connection.request("GET", "/iot/ui/jobs")
        with connection.getresponse() as answer:
            body = answer.read().decode()
        connection.close()
        assert 'href="/iot/ui/things"' in body
        assert 'data-events="/iot/index/events"' in body
        assert 'action="/iot/ui/jobs"' in body
        assert not [part for part in body.split('"') if part.startswith(("/ui", "/index", "/rejected"))]
