"""Authentication: AWS's clients with right and wrong keys, directly and through nginx."""

import re
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler
from urllib.parse import urlsplit

import pytest
from support.api_server import REGION, Api, serving
from support.aws_clients import CLIENTS, Asking, Refused, boto3_client
from support.certificates import make_certificates
from support.messages import execution
from support.stub_server import serving as serving_by
from support.waiting import require, wait_until

from jobindex.access.access import Access
from jobindex.access.keys import AccessKey, Key, Keys
from jobindex.access.principals import Principal, Role
from jobindex.access.signatures import PublicUrl
from jobindex.cli.demo.nats import free_port

Ask = Callable[[Asking], list[str] | Refused]

ALL, ACME = (AccessKey(id=f"JOBX{letter * 16}", secret=letter.lower() * 40) for letter in "AB")
JOBS = {"acme": ["acme-3", "acme-2", "acme-1"], "other": ["other-3", "other-2", "other-1"]}
EVERY_JOB = ["other-3", "acme-3", "other-2", "acme-2", "other-1", "acme-1"]


@dataclass
class Clock:
    """The service's clock, which a test can set."""

    ahead: timedelta = timedelta()

    def __call__(self) -> datetime:
        """Return the current time plus the offset."""
        return datetime.now(UTC) + self.ahead


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A service that requires keys."""

    api: Api
    clock: Clock
    asking: Asking
    """A valid request for the jobs of all namespaces."""
    public_port: int
    """The port of the service's public URL, on which nginx listens."""


def _key(name: str, access_key: AccessKey, namespace_ids: frozenset[str] | None) -> Key:
    principal = Principal(name=name, role=Role.READ, namespace_ids=namespace_ids)
    return Key(principal=principal, created_at=datetime.now(UTC), access_key=access_key)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Serve three jobs of each namespace, one with an execution on thing `a:b`; the public URL ends in /iot."""
    public_port, clock = free_port(), Clock()
    keys = Keys([_key("all", ALL, None), _key("acme", ACME, frozenset({"acme"}))])
    public = PublicUrl(host=f"127.0.0.1:{public_port}", base_path="/iot")
    access = Access(keys, region=REGION, public=public, clock=clock)
    with serving(tmp_path_factory.mktemp("site"), access=access) as api:
        for number in (1, 2, 3):
            for offset, namespace in enumerate(("acme", "other")):
                topic = f"$aws/things/thing/jobs/{namespace}-{number}/notify-namespace-{namespace}"
                api.apply((topic, {"job": {"createdAt": 1_700_000_000 + 10 * number + offset}}))
        api.apply(execution("QUEUED", "acme-1", "a:b", executionNumber=1))
        asking = Asking(url=api.url, key=ALL, region=REGION)
        yield Site(api=api, clock=clock, asking=asking, public_port=public_port)


@pytest.fixture(params=CLIENTS)
def ask(request: pytest.FixtureRequest) -> Ask:
    """Ask with each of AWS's clients."""
    client: Ask = CLIENTS[request.param]
    return client


@pytest.fixture(scope="module")
def proxied(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Asking]]:
    """Run nginx in front, with HTTPS and a base path; one server strips the base path and the Host, one keeps both."""
    program = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
    require("nginx", found=program is not None)
    folder = tmp_path_factory.mktemp("nginx")
    certificates = make_certificates(folder)
    ports = {"taken away": site.public_port, "left": free_port()}
    (folder / "nginx.conf").write_text(
        _NGINX.format(
            folder=folder,
            certificate=certificates.server,
            key=certificates.server_key,
            service=urlsplit(site.api.url).netloc,
            public_port=ports["taken away"],
            other_port=ports["left"],
        )
    )
    with subprocess.Popen([str(program), "-p", folder, "-c", folder / "nginx.conf", "-e", folder / "log"]) as process:
        try:
            wait_until(lambda: all(map(_listens, ports.values())) or process.poll() is not None, "nginx")
            assert process.poll() is None, (folder / "log").read_text()
            yield {
                what: replace(site.asking, url=f"https://127.0.0.1:{port}/iot", authority=certificates.ca)
                for what, port in ports.items()
            }
        finally:
            process.terminate()


_NGINX = """
daemon off;
master_process off;
pid {folder}/pid;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    ssl_certificate {certificate};
    ssl_certificate_key {key};
    server {{
        listen 127.0.0.1:{public_port} ssl;
        location /iot/ {{ proxy_pass http://{service}/; }}
    }}
    server {{
        listen 127.0.0.1:{other_port} ssl;
        location /iot/ {{
            proxy_pass http://{service};
            proxy_set_header Host $http_host;
        }}
    }}
}}
"""


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def test_a_right_key_lists_what_it_may_see(site: Site, ask: Ask) -> None:
    """A client gets all pages of jobs; a key restricted to a namespace gets the jobs of that namespace only."""
    assert EVERY_JOB == ask(site.asking)
    assert JOBS["other"] == ask(replace(site.asking, namespace_id="other"))
    limited = replace(site.asking, key=ACME)
    assert JOBS["acme"] == ask(limited) == ask(replace(limited, namespace_id="acme"))
    assert ("AccessDeniedException", 403) == ask(replace(limited, namespace_id="other"))


WRONG: dict[str, tuple[Callable[[Asking], Asking], str]] = {
    "a wrong secret": (
        lambda right: replace(right, key=AccessKey(id=ALL.id, secret="x" * 40)),
        "InvalidSignatureException",
    ),
    "an unknown key": (
        lambda right: replace(right, key=AccessKey(id="JOBXUNKNOWNUNKNOWN", secret=ALL.secret)),
        "UnrecognizedClientException",
    ),
    "another region": (lambda right: replace(right, region="us-west-2"), "InvalidSignatureException"),
    "no key": (lambda right: replace(right, key=None), "MissingAuthenticationTokenException"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_client_that_may_not_gets_awss_error(site: Site, ask: Ask, what: str) -> None:
    """Each reason for a rejection has its AWS error name."""
    wrong, name = WRONG[what]
    assert (name, 403) == ask(wrong(site.asking))


@pytest.mark.parametrize("minutes", [-6, 6])
def test_a_clock_that_is_wrong_is_told(site: Site, ask: Ask, minutes: int) -> None:
    """A signature whose time is more than five minutes off, in either direction, is rejected."""
    site.clock.ahead = timedelta(minutes=minutes)
    try:
        assert ("InvalidSignatureException", 403) == ask(site.asking)
    finally:
        site.clock.ahead = timedelta()


def test_a_query_that_was_changed_on_its_way_is_refused(site: Site, ask: Ask) -> None:
    """A request is rejected if a proxy changes its `maxResults` or its `namespaceId` after signing."""
    for query in ("maxResults=3", "maxResults=2&namespaceId=other"):
        with _changing(site.api, query) as url:
            assert ("InvalidSignatureException", 403) == ask(replace(site.asking, url=url))
    with _changing(site.api, "maxResults=2") as url:
        assert isinstance(ask(replace(site.asking, url=url)), list)


@contextmanager
def _changing(api: Api, query: str) -> Iterator[str]:
    """Forward requests to the service with another query; yield the URL."""

    class Between(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            connection = HTTPConnection(urlsplit(api.url).netloc, timeout=10)
            connection.request("GET", f"/jobs?{query}", headers=dict(self.headers.items()))
            with connection.getresponse() as answer:
                # The query is fixed, so the next page would be the same page again.
                body = re.sub(rb'"nextToken":"[^"]*"', b'"nextToken":null', answer.read())
                self.send_response_only(answer.status)
                self.send_header("x-amzn-ErrorType", answer.headers.get("x-amzn-ErrorType", ""))
                self.end_headers()
                self.wfile.write(body)
            connection.close()

        def log_message(self, *arguments: object) -> None:
            """Log nothing."""

    with serving_by(Between) as url:
        yield url


@pytest.mark.parametrize("where", ["taken away", "left"])
def test_clients_are_let_in_through_a_proxy(proxied: dict[str, Asking], ask: Ask, where: str) -> None:
    """Signatures are valid through an HTTPS proxy, whether it strips or keeps the base path and the Host header."""
    asking = proxied[where]
    assert EVERY_JOB == ask(asking)
    assert JOBS["acme"] == ask(replace(asking, key=ACME))
    for wrong, name in WRONG.values():
        assert (name, 403) == ask(wrong(asking))


@pytest.mark.parametrize("where", ["taken away", "left"])
def test_a_name_that_a_proxy_spells_anew_is_let_in(proxied: dict[str, Asking], where: str) -> None:
    """A signature is valid although nginx, when it strips the base path, decodes the colon in a thing's name."""
    client = boto3_client(proxied[where])
    listed = client.list_job_executions_for_thing(thingName="a:b")["executionSummaries"]
    described = client.describe_job_execution(thingName="a:b", jobId="acme-1")["execution"]
    assert ["acme-1"] == [summary["jobId"] for summary in listed]
    assert ("acme-1", "QUEUED") == (described["jobId"], described["status"])
