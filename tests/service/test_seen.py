"""A key limited to namespaces gets the same answers as if there were no others."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPConnection
from itertools import product
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import pytest
from starlette.routing import BaseRoute
from support.api_server import REGION, Api, serving
from support.brokers import Message

from jobindex.access.access import Access
from jobindex.access.keys import Key, Keys, digest
from jobindex.access.principals import Principal, Role
from jobindex.model.reports import RejectedMessage
from jobindex.storage.databases import Database, PostgresDatabase
from jobindex.web.api.openapi import GET_OPENAPI

NOW = datetime(2025, 6, 1, 12, tzinfo=UTC)
SECONDS = NOW.timestamp() - 100_000
OWN, OTHERS = ("acme", "beta"), ("other", "zeta", None)

# The values of each parameter; a parameter without an entry fails the test.
JOBS = ("acme-1", "other-1", "never-1")
THINGS = ("shared", "acme-thing", "other-thing", "never-thing")
ASKED: Mapping[str, Sequence[str | None]] = {
    "jobId": JOBS,
    "job_id": JOBS,
    "thingName": THINGS,
    "thing_name": THINGS,
    "id": ("1", "2"),
    "namespaceId": (None, "acme", "other", "never"),
    "thingGroupName": (None, "shared-group", "acme-group", "other-group", "never-group"),
    "thingGroupId": (None, "shared-id", "acme-id", "other-id", "never-id"),
    "prefix": (None, "other", "a"),
    "status": (None, "IN_PROGRESS"),
    "state": (None, "QUEUED", "ENDED"),
    "targetSelection": (None, "SNAPSHOT"),
    "maxResults": (None, "2"),
    "limit": (None, "2"),
    "longerThan": (None, "10"),
    "nextToken": (None, "none"),
    "after": (None, "none"),
    "before": (None,),
    "executionNumber": (None, "1"),
    "beforeSubstitution": (None,),
    "includeJobDocument": (None, "false"),
    "resourceArn": ("arn:aws:iot:us-east-1:123456789012:job/other-1",),
    "all": (None,),
    "fragment": (None, "list", ""),
}
ENDLESS = {"/index/events"}
"""Its answer does not end; test_changes.py covers it."""


CONNECTIONS: dict[str, HTTPConnection] = {}


def told(namespace_id: str | None) -> Iterator[Message]:
    """Yield the messages of a namespace, or of none; all share some things and groups."""
    name = namespace_id or "none"
    suffix = f"-namespace-{namespace_id}" if namespace_id else ""
    for number in range(1, 8):
        job_id, time = f"{name}-{number}", SECONDS + number * 1000
        job: dict[str, Any] = {"createdAt": time, "targetSelection": "SNAPSHOT", "thingGroupName": f"{name}-group"}
        if number % 2:
            job |= {"status": "COMPLETED", "completedAt": time + 500, "thingGroupName": "shared-group"}
        if namespace_id:
            told = {"job": job, "execution": {"status": "QUEUED", "queuedAt": time, "executionNumber": 1}}
            yield f"$aws/things/{name}-thing/jobs/{job_id}/notify{suffix}", json.dumps(told)
        else:
            yield f"$aws/events/job/{job_id}/completed", json.dumps({"timestamp": time, **job, "status": "COMPLETED"})
        entry = {"jobId": job_id, "queuedAt": time, "executionNumber": 1, "versionNumber": 1, "lastUpdatedAt": time}
        for thing_name in ("shared", f"{name}-{number}-thing"):
            yield (
                f"$aws/things/{thing_name}/jobs/notify{suffix}",
                json.dumps({"timestamp": time + 10, "jobs": {"QUEUED": [entry]}}),
            )
    arn = f"arn:aws:iot:{REGION}:123456789012:thing/shared"
    for number, operation in ((1, "succeeded"), (2, "failed")):
        event = {"operation": operation, "jobId": f"{name}-{number}", "thingArn": arn, "timestamp": SECONDS + 20_000}
        yield f"$aws/events/jobExecution/{name}-{number}/{operation}", json.dumps(event)
    yield f"$aws/events/job/{name}-7/deleted", json.dumps({"timestamp": SECONDS + 30_000})


def ties(*names: str) -> Iterator[Message]:
    """Yield the events that tie the names of groups to their ids."""
    for name in names:
        told = {"eventType": "THING_GROUP_EVENT", "thingGroupName": f"{name}-group", "thingGroupId": f"{name}-id"}
        yield f"$aws/events/thingGroup/{name}-group/created", json.dumps({**told, "timestamp": SECONDS})


@dataclass(frozen=True, slots=True)
class Answer:
    """The observable parts of an answer."""

    status: int
    headers: frozenset[tuple[str, str]]
    body: str


def token(name: str, *namespace_ids: str) -> Key:
    """Return a key whose token is its name."""
    seen = frozenset(namespace_ids) or None
    principal = Principal(name=name, role=Role.READ, namespace_ids=seen)
    return Key(principal=principal, created_at=NOW, token_sha256=digest(name))


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def apis(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Api, Api]]:
    """Serve an index with only the key's namespaces, and one with others, too."""

    def database(stack: ExitStack) -> Database | None:
        if request.param == "sqlite":
            return None
        url = stack.enter_context(request.getfixturevalue("postgresql").fresh())
        return PostgresDatabase(conninfo=url, shown="postgresql")

    keys = Keys([token("limited", *OWN), token("twin", *OWN), token("all")])
    with ExitStack() as stack:
        alone, among = (
            stack.enter_context(
                serving(tmp_path_factory.mktemp(name), access=Access(keys, region=REGION), database=database(stack))
            )
            for name in ("alone", "among")
        )
        own = [message for namespace in OWN for message in told(namespace)]
        own += ties("shared", *OWN)
        # Messages of the other namespaces come before and between.
        others = [message for namespace in OTHERS for message in told(namespace)]
        others += ties("other", "zeta", "none")
        for api, messages in (
            (alone, own),
            (among, [*others[::2], *(message for both in zip(own, others, strict=False) for message in both), *own]),
        ):
            api.apply(*((topic, json.loads(payload)) for topic, payload in messages), now=NOW)
        among.reject(RejectedMessage(topic="$aws/things/other-thing/jobs/notify", payload=b"{", reason="no JSON"))
        among.state.last_message_at, among.state.ingestion_reason = NOW, "the broker of other is away"
        among.state.in_flight.append(NOW)
        yield alone, among
        for connection in CONNECTIONS.values():
            connection.close()
        CONNECTIONS.clear()


def ask(api: Api, path: str, name: str = "limited", accept: str = "application/json", method: str = "GET") -> Answer:
    """Return the answer to a request, without the parts that differ each time."""
    connection = CONNECTIONS.setdefault(api.url, HTTPConnection(urlsplit(api.url).netloc, timeout=10))
    connection.request(method, path, headers={"authorization": f"Bearer {name}", "accept": accept})
    with connection.getresponse() as answer:
        status, told, body = answer.status, answer.headers, answer.read().decode()
    kept = frozenset((n.lower(), v) for n, v in told.items() if n.lower() not in {"date", "x-amzn-requestid"})
    # Ages and the clock change while the requests run.
    body = re.sub(r'data-now="\d+"', "", re.sub(r"\d+ (d|h|min|s) ago", "ago", body))
    return Answer(status=status, headers=kept, body=body)


def routes(api: Api, method: str = "GET") -> list[str]:
    """Return the path of every route that accepts a method, as far as the framework knows it."""

    def walk(some: Sequence[BaseRoute], prefix: str) -> Iterator[str]:
        for route in some:
            path = prefix + getattr(route, "path", "")
            inner = getattr(route, "routes", None)
            if inner:
                yield from walk(inner, path)
            elif method in (getattr(route, "methods", None) or {method}):
                yield path

    return list(walk(api.routes, ""))


def questions(api: Api, path: str) -> Iterator[str]:
    """Yield URLs of a route, with each parameter that it knows."""
    described = json.loads(ask(api, GET_OPENAPI.path, "all").body)["paths"].get(path, {}).get("get", {})
    in_path = re.findall(r"\{(\w+)", path)
    names = [p["name"] for p in described.get("parameters", ()) if p["name"] not in in_path]
    if path.startswith("/ui/"):  # pages are not described: use the parameters of any page
        names = ["namespaceId", "thingGroupName", "state", "prefix", "longerThan", "fragment"]
    for values in product(*(ASKED[name] for name in in_path)):
        address = path
        for name, value in zip(in_path, values, strict=True):
            address = address.replace(f"{{{name}}}", quote(str(value)))
        for given in product(*(ASKED[name] for name in names)) if names else [()]:
            query = {name: value for name, value in zip(names, given, strict=True) if value is not None}
            if len(query) <= 2:
                yield f"{address}?{urlencode(query)}" if query else address


@pytest.mark.slow
def test_no_route_tells_that_there_are_others(apis: tuple[Api, Api]) -> None:
    """Status, headers, body and errors of every route and its next pages are the same."""
    alone, among = apis
    asked = 0
    for path in routes(among):
        if path in ENDLESS or "{rest:path}" in path or "{digest}" in path:
            continue
        for address in questions(among, path):
            accept = "text/html" if path.startswith("/ui") else "application/json"
            following: str | None = address
            while following is not None:
                # An answer cached for another key must not be served to this one.
                ask(among, following, "all", accept)
                ask(among, following, "twin", accept)
                expected, actual = ask(alone, following, accept=accept), ask(among, following, accept=accept)
                assert expected == actual, following
                asked += 1
                following = _next(address, actual)
    assert asked > 1000


def _next(address: str, answer: Answer) -> str | None:
    """Return the address of the next page."""
    if address.startswith("/ui"):
        found = re.search(r'href="([^"]*[?&;]after=[^"]*)"[^>]*rel="next"|rel="next"[^>]*href="([^"]*)"', answer.body)
        return (found[1] or found[2]).replace("&amp;", "&") if found else None
    if answer.status != 200 or not answer.body.startswith("{"):
        return None
    told = json.loads(answer.body)
    position = told.get("nextToken") or told.get("next")
    if position is None:
        return None
    name = "nextToken" if told.get("nextToken") else "after"
    address = re.sub(rf"[?&]{name}=[^&]*", "", address)
    return f"{address}{'&' if '?' in address else '?'}{urlencode({name: position})}"


def test_the_others_are_there(apis: tuple[Api, Api]) -> None:
    """An unrestricted key sees the other namespaces in the same routes."""
    alone, among = apis
    for path in (
        "/jobs",
        "/jobs?thingGroupName=other-group",
        "/jobs/other-1",
        "/things/shared/jobs",
        "/things/shared/jobs/other-2",
        "/index/namespaces",
        "/index/things",
        "/index/things/shared",
        "/index/executions/waiting",
        "/index/jobs/other-1/changes",
        "/rejected",
        "/metrics",
        "/readyz",
        "/ui/",
        "/ui/jobs/other-1",
        "/ui/rejected",
    ):
        assert ask(alone, path, "all") != ask(among, path, "all"), path
        assert 200 == ask(among, path, "all").status, path


@pytest.mark.parametrize(
    ("path", "operation", "resource"),
    [
        ("/jobs?namespaceId=other", "ListJobs", "namespace/other"),
        ("/jobs?namespaceId=never", "ListJobs", "namespace/never"),
        ("/things/shared/jobs?namespaceId=other", "ListJobExecutionsForThing", "namespace/other"),
        ("/index/jobs?namespaceId=other", "SearchJobs", "namespace/other"),
        ("/index/executions/waiting?namespaceId=other", "ListWaitingExecutions", "namespace/other"),
        ("/index/events?namespaceId=other", "WatchChanges", "namespace/other"),
        ("/rejected", "ListRejectedMessages", "*"),
        ("/rejected/1", "GetRejectedMessage", "*"),
        ("/index/sync", "GetSync", "*"),
        ("/index/thing-groups/pumps/things", "ListThingsInThingGroup", "*"),
        ("/index/thing-groups/never/things", "ListThingsInThingGroup", "*"),
        ("/index/sync/differences", "ListDifferences", "*"),
        ("/metrics", "GetMetrics", "*"),
    ],
)
def test_what_a_key_may_not_see_is_denied(apis: tuple[Api, Api], path: str, operation: str, resource: str) -> None:
    """A denied request gets AWS's message, whether the namespace exists or not."""
    answer = ask(apis[1], path)
    message = f"User: limited is not authorized to perform: iot:{operation} on resource: {resource}"
    assert (403, {"message": message}) == (answer.status, json.loads(answer.body))
    assert ("x-amzn-errortype", "AccessDeniedException") in answer.headers


@pytest.mark.parametrize(
    "path", ["/ui/jobs?namespaceId=other", "/ui/stuck?namespaceId=other", "/ui/rejected", "/ui/reconciliation"]
)
def test_pages_say_what_a_key_may_not_see(apis: tuple[Api, Api], path: str) -> None:
    """A denied page says so, without links to denied pages."""
    answer = ask(apis[1], path, accept="text/html")
    assert 403 == answer.status
    assert "is not authorized to perform" in answer.body
    assert "/ui/rejected" not in answer.body
    assert 'href="/ui/reconciliation' not in answer.body


def test_every_route_asks_for_a_key(apis: tuple[Api, Api]) -> None:
    """Every route requires a key, except health checks and the sign-in form."""
    api = apis[1]
    paths = [re.sub(r"\{.*?\}", "x", path) for path in [*routes(api), *routes(api, "POST"), *routes(api, "DELETE")]]
    methods = ("GET", "HEAD", "POST", "DELETE", "PUT", "OPTIONS", "PATCH")
    answered = {
        (method, path) for method in methods for path in paths if ask(api, path, "nobody", method=method).status < 300
    }
    public = ("/healthz", "/readyz", "/ui/sign-in")
    # The framework's own routes answer every method that they know.
    assert {(method, path) for method in ("GET", "HEAD") for path in public} == answered
