"""AWS's clients for JavaScript: their signatures, the errors they raise, and the facts they read back."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from support import api_server
from support.javascript import Call, ask
from support.reported_facts import SCENARIOS, Scenario
from support.signed_requests import ACCESS_KEY_ID, MISMATCH, REGION, SECRET
from support.stub_server import serving

from jobindex.access.signatures import PublicUrl, SignedRequest, verify
from jobindex.errors import JobindexError

LIST_JOBS: Call = ("ListJobs", {})


class Doorkeeper(BaseHTTPRequestHandler):
    """Answers with the signer's key id as a nextToken, or with the reason for the rejection."""

    def do_GET(self) -> None:
        """Verify a request and answer it."""
        path, _, query = self.path.partition("?")
        request = SignedRequest(
            method=self.command,
            path=path.encode("latin-1"),
            query_string=query.encode("latin-1"),
            headers=[(name.lower().encode(), value.encode("latin-1")) for name, value in self.headers.items()],
            body=self.rfile.read(int(self.headers.get("content-length", 0))),
        )
        public = PublicUrl(host="jobs.example", base_path="/iot")
        try:
            who = verify(request, {ACCESS_KEY_ID: SECRET}, region=REGION, now=datetime.now(UTC), public=public)
        except JobindexError as error:
            self._answer(403, {"message": str(error)}, type(error).__name__)
        else:
            self._answer(200, {"nextToken": who, "documentSource": who, "jobId": who}, "")

    do_PUT = do_GET  # noqa: N815 (http.server's name)

    def _answer(self, status: int, content: object, error: str) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("x-amzn-ErrorType", error)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Log nothing."""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Serve the check of signatures."""
    with serving(Doorkeeper) as where:
        yield where


def answers(url: str, *calls: Call, **signing: Any) -> list[dict[str, Any]]:
    """Return the answers to calls with a valid signature, unless `signing` changes it."""
    return ask(url, *calls, **{"access_key_id": ACCESS_KEY_ID, "secret": SECRET, "region": REGION, **signing})


def test_what_the_client_sends_is_recognized(url: str) -> None:
    """Signatures are valid with special characters in paths, queries and bodies."""
    text = "a b+c/é*'()!~&=%"
    calls = (
        ("ListJobs", {"namespaceId": text, "nextToken": text, "maxResults": 5, "status": "IN_PROGRESS"}),
        ("ListJobExecutionsForThing", {"thingName": "a:b", "namespaceId": "acme", "maxResults": 5}),
        ("ListJobExecutionsForJob", {"jobId": text, "status": "QUEUED"}),
        ("DescribeJob", {"jobId": "update-7"}),
        ("CreateJob", {"jobId": "update:7", "targets": ["a"], "document": text}),
    )
    members = ("nextToken", "nextToken", "nextToken", "documentSource", "jobId")
    assert [{member: ACCESS_KEY_ID} for member in members] == answers(url, *calls)


def test_the_end_of_the_endpoint_does_not_matter(url: str) -> None:
    """A base path may end in a slash, although the client then sends two slashes and signs one."""
    assert [{"nextToken": ACCESS_KEY_ID}] == answers(f"{url}/iot/", LIST_JOBS)


@pytest.mark.parametrize(
    ("signing", "name", "message"),
    [
        ({"secret": "guessed"}, "InvalidSignatureException", MISMATCH),
        (
            {"region": "us-west-2"},
            "InvalidSignatureException",
            "Credential should be scoped to a valid Region, not 'us-west-2'.",
        ),
        (
            {"access_key_id": "AKIDUNKNOWN"},
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
        ),
        ({"secret": None}, "MissingAuthenticationTokenException", "Missing Authentication Token"),
    ],
)
def test_the_client_tells_why_it_was_refused(url: str, signing: dict[str, Any], name: str, message: str) -> None:
    """The client raises AWS's error name with AWS's message."""
    expected = {"error": {"name": name, "status": 403, "message": message}}
    assert [expected] == answers(url, LIST_JOBS, **signing)


def test_the_client_puts_its_clock_right(url: str) -> None:
    """A client whose clock is an hour slow corrects it from the answer's time, and repeats the request."""
    slow = -3_600_000
    (told,) = answers(url, LIST_JOBS, clock_offset=slow)
    assert ("InvalidSignatureException", "Signature expired") == (
        told["error"]["name"],
        told["error"]["message"].partition(":")[0],
    )
    assert [{"nextToken": ACCESS_KEY_ID}] == answers(url, LIST_JOBS, clock_offset=slow, attempts=2)


def as_json(answer: object) -> Any:
    """Return an answer as `ask` returns it: times are strings with milliseconds."""

    def text(time: datetime) -> str:
        return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    return json.loads(json.dumps(answer, default=text))


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
def test_the_client_reads_back_every_fact(tmp_path: Path, scenario: Scenario) -> None:
    """The client's answers equal boto3's, compared whole, so that a missing or additional member fails."""
    calls: list[Call] = [(operation, {**given}) for operation, given, _ in scenario.answers]
    with api_server.serving(tmp_path) as api:
        api.apply(*scenario.messages)
        answers = ask(api.url, *calls, service=scenario.service, region=api_server.REGION)
    assert [as_json(answer) for _, _, answer in scenario.answers] == answers
