"""POST /index/import: rows of AWS's answers, each applied or refused alone, and bad requests."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from support.api_server import Api, keys_of_roles, serving

from jobindex.access.access import Access
from jobindex.access.keys import AccessKey, Key, Keys
from jobindex.access.principals import Principal, Role
from jobindex.model.parameters import Values
from jobindex.model.store import Changed, Store
from jobindex.web.api import import_rows

SECOND = 1_795_448_800
ROW: dict[str, Any] = {"jobId": "j1", "status": "COMPLETED", "createdAt": SECOND, "lastUpdatedAt": SECOND + 0.25}
BODY: dict[str, Any] = {"operation": "ListJobs", "rows": [ROW]}


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """Serve an index for tests that do not mind each other's jobs."""
    with serving(tmp_path_factory.mktemp("import")) as running:
        yield running


def post(api: Api, body: object, **headers: str) -> tuple[int, Any]:
    """Return the status of an answer, and its members or the message of the error."""
    return api.post("/index/import", body, **headers)


def test_rows_are_applied_and_refused_alone(api: Api) -> None:
    """By their index, with the reason; the others are answered by ListJobs at once."""
    bad = {**ROW, "jobId": "bad", "status": "RUNNING"}
    rows = [{**ROW, "jobId": "a"}, bad, {**ROW, "jobId": "b"}, {"jobId": None}]
    status, answer = post(api, {"operation": "ListJobs", "namespaceId": "applied", "rows": rows})
    assert (200, 2, [1, 3]) == (status, answer["applied"], [refused["row"] for refused in answer["refused"]])
    reasons = [refused["reason"] for refused in answer["refused"]]
    assert reasons[0].startswith("status: 'RUNNING' is not one of SCHEDULED, ")
    assert "jobId: None is not a job id" == reasons[1]
    jobs = api.client().list_jobs(namespaceId="applied")["jobs"]
    assert [("b", "COMPLETED"), ("a", "COMPLETED")] == [(job["jobId"], job["status"]) for job in jobs]


def test_each_operation_has_its_parameters(api: Api) -> None:
    """The job, the thing, and the time of AWS's answer, in seconds."""
    summary = {"status": "QUEUED", "queuedAt": SECOND, "lastUpdatedAt": SECOND, "executionNumber": 1}
    arn = "arn:aws:iot:eu-central-1:123456789012:thing/t1"
    bodies = [
        {
            "operation": "ListJobExecutionsForJob",
            "jobId": "e1",
            "asOf": SECOND + 90.5,
            "rows": [{"thingArn": arn, "jobExecutionSummary": summary}],
        },
        {
            "operation": "ListJobExecutionsForThing",
            "thingName": "t2",
            "rows": [{"jobId": "e1", "jobExecutionSummary": summary}],
        },
    ]
    for body in bodies:
        assert (200, {"applied": 1, "refused": []}) == post(api, body)
    executions = api.request("/index/jobs/e1/executions")[1]["executions"]
    seen = [(one["thingName"], one["seenPendingAt"] - SECOND) for one in executions]
    assert [("t1", 90), ("t2", 0)] == seen


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "Value '' at 'body' failed to satisfy constraint: Member must be JSON in UTF-8"),
        (b"{", "Member must be JSON in UTF-8"),
        (b'{"a": "\xff"}', "Member must be JSON in UTF-8"),
        ([], "Value '[]' at 'body' failed to satisfy constraint: Member must be a JSON object"),
        ({}, "2 validation errors detected: Value null at 'operation' failed to satisfy constraint: Member must not"),
        (
            {**BODY, "operation": "listJobs"},
            "Value 'listJobs' at 'operation' failed to satisfy constraint: Member must",
        ),
        ({**BODY, "operation": 1}, "Value '1' at 'operation' failed to satisfy constraint: Member must be a string"),
        ({**BODY, "rows": []}, "at 'rows' failed to satisfy constraint: Member must be a list of 1 to 100 objects"),
        ({**BODY, "rows": [{}] * 101}, "Member must be a list of 1 to 100 objects"),
        ({**BODY, "rows": {}}, "Member must be a list of 1 to 100 objects"),
        ({**BODY, "rows": [ROW, 1]}, "Member must contain only objects"),
        ({**BODY, "namespaceId": "a b"}, "at 'namespaceId' failed to satisfy constraint: Member must satisfy regular"),
        ({**BODY, "namespaceId": "n" * 129}, "Member must have length less than or equal to 128"),
        (
            {**BODY, "namespaceId": None},
            "Value 'None' at 'namespaceId' failed to satisfy constraint: Member must be a s",
        ),
        ({**BODY, "jobId": ""}, "at 'jobId' failed to satisfy constraint: Member must have length greater than"),
        ({**BODY, "thingName": "a/b"}, "at 'thingName' failed to satisfy constraint: Member must satisfy regular"),
        ({**BODY, "asOf": "1795448800"}, "Member must be a number from 0 to 4102444800"),
        ({**BODY, "asOf": True}, "Member must be a number from 0 to 4102444800"),
        ({**BODY, "asOf": -1}, "Member must be a number from 0 to 4102444800"),
        (
            {**BODY, "asof": 1},
            "Value '['asof']' at 'body' failed to satisfy constraint: Member must have only the known",
        ),
    ],
)
def test_a_bad_body_is_refused_whole(api: Api, body: object, message: str) -> None:
    """In AWS's form, with the member and its value."""
    status, told = post(api, body)
    assert (400, True) == (status, message in told), told


def test_a_body_may_have_64_kib_and_replaces_the_query(api: Api) -> None:
    """Parameters of the query are unknown; test_protocol.py sends longer bodies."""
    size = 64 * 1024 - len(json.dumps({**BODY, "rows": [{**ROW, "x": ""}]}))
    assert (200, 1) == ((answer := post(api, {**BODY, "rows": [{**ROW, "x": "x" * size}]}))[0], answer[1]["applied"])
    asked = Request(f"{api.url}/index/import?rows=1", b"{}", {"x-jobindex": "1"}, method="POST")
    with pytest.raises(HTTPError) as refused:
        urlopen(asked, timeout=10)
    with refused.value as error:
        assert (400, True) == (error.code, b"known parameters: none" in error.read())


def test_a_row_of_the_future_is_refused(api: Api) -> None:
    """It is not stored, unlike a message."""
    future = {**ROW, "jobId": "future", "lastUpdatedAt": 4_000_000_000}
    [refused] = post(api, {**BODY, "rows": [future]})[1]["refused"]
    expected = "the greatest time: '2096-10-02T07:06:40.000+00:00' is not at most 24 hours ahead: it is in the future"
    assert {"row": 0, "reason": expected} == refused
    assert [] == api.request("/rejected")[1]["messages"]


def test_an_import_is_the_origin_of_its_changes(api: Api) -> None:
    """In the history of a job, and on its page."""
    assert 200 == post(api, {**BODY, "rows": [{**ROW, "jobId": "origin"}]})[0]
    [change] = api.request("/index/jobs/origin/changes")[1]["changes"]
    assert ("COMPLETED", "import") == (change["status"], change["origin"])
    with urlopen(f"{api.url}/ui/jobs/origin", timeout=10) as answer:
        assert b'<span class="hint">imported</span>' in answer.read()


def test_only_operators_import(tmp_path: Path) -> None:
    """Not a key that only reads, not a web page, and not without the header."""
    with serving(tmp_path, access=Access(keys_of_roles())) as api:
        assert 403 == post(api, BODY)[0]
        assert 403 == post(api, BODY, authorization="Bearer read")[0]
        operating = {"authorization": "Bearer operate"}
        for refused in ({"x-jobindex": "0"}, {"origin": "http://evil.example"}, {"sec-fetch-site": "same-origin"}):
            assert 403 == post(api, BODY, **operating, **refused)[0]
        assert (200, {"applied": 1, "refused": []}) == post(api, BODY, **operating)


def test_a_signature_covers_the_body(tmp_path: Path) -> None:
    """The operation gets the body that was signed; with another one the signature is not valid."""
    key = Key(
        principal=Principal(name="ops", role=Role.OPERATE, namespace_ids=None),
        created_at=datetime.now(UTC),
        access_key=AccessKey(id="AKIDEXAMPLEEXAMPLE", secret="secret"),
    )
    content = json.dumps(BODY).encode()
    with serving(tmp_path, access=Access(Keys([key]))) as api:
        request = AWSRequest("POST", f"{api.url}/index/import", {"x-jobindex": "1"}, content)
        SigV4Auth(Credentials("AKIDEXAMPLEEXAMPLE", "secret"), "iot", "us-east-1").add_auth(request)
        assert (200, {"applied": 1, "refused": []}) == post(api, content, **dict(request.headers))
        assert 403 == post(api, content.replace(b"j1", b"j2"), **dict(request.headers))[0]


async def test_changes_are_noted(store: Store) -> None:
    """For live pages and caches; nothing is written if every row is refused."""
    noted: list[Changed] = []

    def note(_reports: object, changed: Changed) -> None:
        noted.append(changed)

    [(_, answer)] = import_rows.served(note, pytest.fail)
    values = Values({})
    values.body = {**BODY, "namespaceId": "acme"}
    assert {"applied": 1, "refused": []} == await answer(store, values)
    expected = Changed(job_ids=frozenset({"j1"}), namespace_ids=frozenset({"acme"}), thing_names=frozenset())
    assert [expected] == noted
    values.body = {**BODY, "rows": [{}]}
    before = store.rewrites
    assert {"applied": 0, "refused": [{"row": 0, "reason": "jobId: None is not a job id"}]} == await answer(
        store, values
    )
    assert ([expected], before) == (noted, store.rewrites)
