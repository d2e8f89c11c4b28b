"""Requests to every route, by principals with access to all, some or no namespaces; hidden data never leaks."""

import asyncio
import json
import logging
import re
import tempfile
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote_from_bytes, unquote, unquote_to_bytes

from starlette.routing import BaseRoute, Mount, Route

from fuzz import fleet
from fuzz.failures import Failures
from fuzz.source import Source
from fuzz.target import Target, expect
from jobindex.access.access import COOKIE, Access
from jobindex.access.keys import Key, Keys, digest
from jobindex.access.principals import Principal, Role
from jobindex.model.jobs import JobStatus, TargetSelection
from jobindex.model.listing import Filters, Position, encode_token
from jobindex.model.page_tokens import seal_text
from jobindex.model.store import Store
from jobindex.model.views import ExecutionState
from jobindex.monitoring.metrics import Metrics
from jobindex.monitoring.state import ServiceState
from jobindex.storage.sqlite.store import open_store
from jobindex.web.api.app import create_app
from jobindex.web.api.gateway import Admission, Gateway
from jobindex.web.api.responses import STATUS
from jobindex.web.api.throttle import Throttle
from jobindex.web.changes import ChangeFeed
from jobindex.web.ui.routes import FREE, PUBLIC_PATHS, make_ui

_NOW = datetime(2026, 11, 24, tzinfo=UTC)
_PRINCIPALS = {
    "sees-all": Principal(name="sees-all", role=Role.READ, namespace_ids=None),
    "operates": Principal(name="operates", role=Role.OPERATE, namespace_ids=None),
    "limited": Principal(name="limited", role=Role.READ, namespace_ids=frozenset(fleet.NAMESPACES)),
}
"""The principals by their tokens."""
_KEYS = Keys(
    Key(principal=principal, created_at=_NOW, token_sha256=digest(token)) for token, principal in _PRINCIPALS.items()
)
_NAMES = {*(error.__name__ for error in STATUS), "UnknownOperationException", "MethodNotAllowedException"}
_METHODS = ("GET", "GET", "GET", "HEAD", "POST", "DELETE", "PUT", "OPTIONS", "PATCH", "TRACE", "get", "X")
_PATH_BYTES, _QUERY_BYTES = 4096, 8192
_NOT_IN_A_TARGET = re.compile(rb"[^!-~]")
_NOT_IN_A_HEADER = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_SCRIPT = b"<script>alert"
_OF_ITS_OWN = {b"x-amzn-requestid", b"content-length", b"set-cookie"}
"""Headers that differ from answer to answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request in the form in which the protocol passes it to the application."""

    method: str
    path: bytes
    query: bytes
    headers: Sequence[tuple[bytes, bytes]]
    body: bytes

    def holds(self, text: str) -> bool:
        """Return whether the request contains a text, in any encoding."""
        whole = b"\n".join((self.path, self.query, self.body, *(value for _, value in self.headers)))
        return any(text.encode() in each.lower() for each in (whole, unquote_to_bytes(whole)))


_DESCRIPTION = Request(method="GET", path=b"/openapi.json", query=b"", headers=[(b"host", b"localhost")], body=b"")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A request, and a twin with names that do not exist in place of hidden ones."""

    token: str | None
    """The caller's token; None for a caller without one, empty for a service that requires none."""
    request: Request
    twin: Request

    def differs_by_name_alone(self) -> bool:
        """Return whether the two requests differ only by the hidden names."""
        return repr(self.request).replace(fleet.HIDDEN, fleet.NEVER) == repr(self.twin)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer in the form in which the application sends it."""

    status: int
    headers: Sequence[tuple[bytes, bytes]]
    body: bytes

    def header(self, name: bytes) -> bytes:
        """Return the only value of a header; an empty one if there is none."""
        values = [value for given, value in self.headers if given.lower() == name]
        expect(that=len(values) <= 1, of=(name, values))
        return values[0] if values else b""

    def told(self) -> object:
        """Return the answer without digits: those of times and ids, and those in the names of HIDDEN and NEVER."""
        kept = [(name, value) for name, value in self.headers if name not in _OF_ITS_OWN]
        return self.status, re.sub(rb"[0-9]+", b"0", repr(kept).encode()), re.sub(rb"[0-9]+", b"0", self.body)


@contextmanager
def opened() -> Iterator[Target[Case]]:
    """Open the target: one application with keys, one without, on the same index."""
    with tempfile.TemporaryDirectory(prefix="jobindex-fuzz-") as folder, asyncio.Runner() as runner:
        stack = AsyncExitStack()
        store = runner.run(stack.enter_async_context(open_store(Path(folder) / "jobindex.db")))
        runner.run(fleet.tell(store))
        access = Access(_KEYS)
        with_keys, without = _app(store, access), _app(store, Access())
        described = json.loads(runner.run(_ask(without, _DESCRIPTION)).body)["paths"]
        paths = {
            path: [one["name"] for one in described.get(path, {}).get("get", {}).get("parameters", ())] or _PARAMETERS
            for path in sorted({path for route in without.routes for path in _paths(route)})
        }
        session = access.sign_in("limited")
        failures = Failures()
        logging.getLogger().addHandler(failures)
        try:
            yield Target(
                make=partial(make, paths=paths, session=session),
                check=lambda case: runner.run(
                    check(case, without if case.token == "" else with_keys, store, failures.records)
                ),
            )
        finally:
            logging.getLogger().removeHandler(failures)
            runner.run(stack.aclose())


def _app(store: Store, access: Access) -> Gateway:
    state = ServiceState(store=store, reason=None)
    metrics = Metrics(state)
    ui = make_ui(state, Throttle(metrics), access=access)
    admission = Admission(access=access, public_paths=PUBLIC_PATHS, free=FREE, refuse=ui.refuse)
    return create_app(state, metrics, ChangeFeed(state), pages=ui.routes, admission=admission)


def _paths(route: BaseRoute) -> Iterator[str]:
    match route:
        case Mount(path=path, routes=inner):
            yield from (path + below for each in inner for below in _paths(each))
        case Route(path=path):
            yield path
        case _:
            raise AssertionError(route)


def make(source: Source, paths: Mapping[str, Sequence[str]], session: str) -> Case:
    """Make a request."""
    token = source.pick(["limited", "limited", "", "sees-all", "operates", None])
    twin = source.twin()
    return Case(
        token=token,
        request=_request(source, fleet.HIDDEN, paths, token, session),
        twin=_request(twin, fleet.NEVER, paths, token, session),
    )


def _request(
    source: Source, hidden: str, paths: Mapping[str, Sequence[str]], token: str | None, session: str
) -> Request:
    form = source.pick(list(paths))
    path = re.sub(r"\{(\w+)[^}]*\}", lambda found: _value(source, found[1], hidden, "/"), form)
    names = [source.pick(_PARAMETERS if source.happens(8) else paths[form]) for _ in range(source.below(5))]
    query = "&".join(_parameter(source, name, hidden, path) for name in names)
    broken_path = b"/" + source.broken(path.encode()[1:], _PATH_WORDS) if source.happens(3) else path.encode()
    headers = [(b"host", b"127.0.0.1:8080"), *_headers(source, token, session)]
    method, body = source.pick(_METHODS), b""
    if path.startswith("/ui/sign") or source.happens(16):
        method = "POST" if source.byte() < 128 else method
        following = source.pick(["/ui/jobs", "//evil.example", "/ui/%0d%0ax:1", "https://evil.example/"])
        body = source.broken(f"token={source.pick([token or '', 'wrong'])}&next={following}".encode())
        headers.append((b"content-length", str(len(body)).encode()))
    query_words = (b"&", b"=", b"+", b"%2B", b"namespaceId=", hidden.encode(), b"status=", b";")
    return Request(
        method=method,
        path=_in_target(broken_path.replace(b"?", b"%3f").replace(b"#", b"%23"))[:_PATH_BYTES],
        query=_in_target(source.broken(query.encode("utf-8", "surrogatepass"), query_words))[:_QUERY_BYTES],
        headers=[(name, _NOT_IN_A_HEADER.sub(b"", value).strip(b" \t")) for name, value in headers],
        body=body,
    )


_PATH_WORDS = (
    b"/",
    b"//",
    b"/..",
    b"/ui/",
    b"/ui",
    b"/jobs",
    b"/jobs/",
    b"/index/",
    b"/healthz",
    b"/ui/static/",
    b"%2F",
)


def _in_target(text: bytes) -> bytes:
    """Return a part of a request's target with percent-encoded forbidden characters."""
    return _NOT_IN_A_TARGET.sub(lambda found: quote_from_bytes(found[0]).encode(), text)


def _parameter(source: Source, name: str, hidden: str, path: str) -> str:
    value = _value(source, name, hidden, path).encode("utf-8", "surrogatepass")
    value = source.broken(value, at_most=2) if source.happens(3) else value
    return f"{name}={quote_from_bytes(value, safe=source.pick(['', '/:+,~-']))}"


_PARAMETERS = (
    *("maxResults", "limit", "namespaceId", "nextToken", "status", "state", "targetSelection", "thingGroupId"),
    *(
        "thingGroupName",
        "jobId",
        "thingName",
        "executionNumber",
        "longerThan",
        "after",
        "before",
        "prefix",
        "id",
        "all",
    ),
    *("fragment", "next", "beforeSubstitution", "unknown"),
)


def _value(source: Source, name: str, hidden: str, path: str) -> str:  # noqa: C901 (a case for each parameter)
    """Return a value for a parameter, usually a valid one."""
    job, thing = f"{hidden}-job", f"{hidden}-pump"
    match name:
        case "jobId" | "job_id":
            return source.name([*fleet.JOBS, job])
        case "thingName" | "thing_name":
            return source.name([*fleet.THINGS, thing])
        case "namespaceId":
            return source.name([*fleet.NAMESPACES, hidden])
        case "thingGroupName":
            return source.name([*fleet.GROUPS, f"{hidden}-group"])
        case "thingGroupId":
            return source.name(["1-a", hidden])
        case "status" | "state":
            return source.name([*JobStatus, *ExecutionState])
        case "targetSelection":
            return source.name([*TargetSelection])
        case "nextToken" | "after" | "before":
            bounds = ((path,), (path, None), (path, None, None, None), (f"/jobs/{job}/things", None))
            return source.pick(
                [
                    encode_token(Position(created_at=_NOW, job_id=job), Filters()),
                    *(seal_text(json.dumps(key), bound) or "" for bound in bounds for key in _keys(job, thing)),
                    "!",
                    *fleet.JOBS,
                    "",
                ]
            )
        case "prefix":
            return source.name(["", "job-", "pump-", hidden])
        case "fragment":
            return source.name(["main", "", "list,freshness", "status", "main,main"])
        case "name":
            return source.name(["ui.js", "ui.css", "icon.svg"])
        case _:
            return source.name(["1", "2", "250", "0", "251", "1000", "true", "false", "999999999", "all"])


def _keys(job: str, thing: str) -> Sequence[Sequence[object]]:
    return [thing], [1_790_000_000_000, job], [0, job, thing]


def _headers(source: Source, token: str | None, session: str) -> Iterator[tuple[bytes, bytes]]:
    if token and token == "limited" and source.happens(4):
        yield b"cookie", f"{COOKIE}={session}".encode()
    elif token:
        yield b"authorization", f"Bearer {token}".encode()
    elif source.happens(4):
        yield b"authorization", source.broken(source.pick([b"Bearer wrong", b"Basic YTpi", b"AWS4-HMAC-SHA256 x"]))
    if source.happens(2):
        yield b"accept", source.pick([b"text/html", b"application/json", b"text/html;q=2", b"*/*", b"text/html;q=nan"])
    if source.happens(3):
        yield b"x-jobindex", source.broken(b"1", at_most=1)
    for _ in range(source.below(3)):
        name = source.pick([b"origin", b"sec-fetch-site", b"if-none-match", b"cookie", b"accept", b"x-forwarded-for"])
        yield name, source.broken(source.pick([b"null", b"same-origin", b"none", b"http://127.0.0.1:8080", b'"x"']))


async def check(case: Case, app: Gateway, store: Store, failures: list[str]) -> None:
    """Check the form of the answer, and its content if the caller is restricted."""
    failures.clear()  # left by a failed case before
    answer = await _ask(app, case.request)
    _check_form(case.request, answer)
    # A token contains hidden names, and an answer may repeat it: tokens are a target of their own.
    if case.token in {"limited", None} and case.differs_by_name_alone():
        twin = await _ask(app, case.twin)
        expect(that=answer.told() == twin.told(), of=(answer, twin))
        is_told = fleet.HIDDEN.encode() in answer.body.lower()
        expect(that=not is_told or case.request.holds(fleet.HIDDEN), of=answer)
    if case.token is None:
        is_public = unquote(case.request.path.decode()).startswith(("/healthz", "/readyz", *PUBLIC_PATHS, *FREE))
        expect(that=is_public or answer.status in {403, 303}, of=answer)
    if case.request.method == "GET" and not case.request.path.startswith(b"/index/events"):
        head = Request(**{**_fields(case.request), "method": "HEAD"})
        expect(that=answer.status == (await _ask(app, head)).status, of="HEAD and GET return different statuses")
    if case.request.method == "DELETE" and answer.status == 200:
        await store.apply([], fleet.REJECTED, now=_NOW)
    expect(that=not failures, of=[*failures])


def _fields(request: Request) -> dict[str, Any]:
    return {name: getattr(request, name) for name in Request.__dataclass_fields__}


async def _ask(app: Gateway, request: Request) -> Answer:
    """Return the answer to a request; an endless one is cut off."""
    received = [{"type": "http.request", "body": request.body, "more_body": False}]
    started: list[MutableMapping[str, Any]] = []
    body: list[bytes] = []

    async def receive() -> MutableMapping[str, Any]:
        return received.pop() if received else {"type": "http.disconnect"}

    async def send(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            started.append(message)
        else:
            body.append(message.get("body", b""))

    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "scheme": "http",
        "server": ("127.0.0.1", 8080),
        "client": ("127.0.0.1", 50000),
        "root_path": "",
        "method": request.method.upper(),
        "path": unquote(request.path.decode("ascii")),
        "raw_path": request.path,
        "query_string": request.query,
        "headers": list(request.headers),
    }
    await app(scope, receive, send)
    expect(that=len(started) == 1, of=started)
    return Answer(status=started[0]["status"], headers=started[0]["headers"], body=b"".join(body))


def _check_form(request: Request, answer: Answer) -> None:
    """Check the properties of every answer."""
    expect(that=200 <= answer.status < 500, of=answer)
    expect(that=len(answer.header(b"x-amzn-requestid")) == 36, of=answer)
    length = answer.header(b"content-length")
    expect(that=not length or int(length) == len(answer.body) or request.method == "HEAD", of=answer)
    for name, value in answer.headers:
        expect(that=not re.search(rb"[\r\n\0]", name + value), of=(name, value))
    location = answer.header(b"location")
    expect(that=not location or location.startswith(b"/ui/"), of=location)
    kind = answer.header(b"content-type")
    if kind.startswith(b"text/html"):
        expect(that=_SCRIPT not in answer.body, of=answer.body)
        expect(that=b"default-src 'none'" in answer.header(b"content-security-policy"), of=answer.headers)
    elif answer.status >= 400:
        expect(that=answer.header(b"x-amzn-errortype").decode() in _NAMES, of=answer)
        if request.method != "HEAD" or answer.body:
            told = json.loads(answer.body)
            expect(that=set(told) == {"message"} and isinstance(told["message"], str), of=told)
    elif kind.startswith(b"application/json") and answer.body:
        json.loads(answer.body)
