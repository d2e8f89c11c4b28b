"""The gateway in front of the framework's routing: authentication, rate limits, and the headers of every response.

Without a key, only public paths can be reached: a new route is closed until it is declared public.
"""

import logging
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import unquote

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from jobindex.access.access import PRINCIPAL, Access
from jobindex.access.principals import ANYONE, NOBODY, Principal
from jobindex.access.rates import Rates
from jobindex.access.signatures import DATA_PLANE, SignedRequest, signed_service
from jobindex.errors import JobindexError, UnknownClientError, shown
from jobindex.monitoring.metrics import Metrics
from jobindex.web.api.bodies import read_body
from jobindex.web.api.caller import client_id_of
from jobindex.web.api.data_plane import PREFIX
from jobindex.web.api.freshness import FreshnessHeader
from jobindex.web.api.health import PUBLIC
from jobindex.web.api.hosts import Hosts
from jobindex.web.api.list_jobs import LIST_JOBS, ListJobs
from jobindex.web.api.responses import STATUS, failure, refusal, request_id
from jobindex.web.api.throttle import Throttle

Refuse = Callable[[Request, JobindexError], Response | None]
"""Renders a refusal as HTML if the client asked for a page; otherwise returns None."""

_LOGGED_A_SECOND, _LOGGED_AT_ONCE = 0.2, 20
"""The logged requests of unknown clients."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """The rules of access, and the rates."""

    access: Access = field(default_factory=Access)
    hosts: Hosts = field(default_factory=Hosts)
    rates: Rates | None = None
    """None: unlimited."""
    public_paths: frozenset[str] = frozenset()
    """Paths that need no key, in addition to the health checks."""
    free: tuple[str, ...] = ()
    """Prefixes of paths that need no key and have no rate limit."""
    refuse: Refuse = lambda request, error: None  # noqa: ARG005


class Gateway:
    """Admits requests; ListJobs bypasses the routing, which takes as long as reading a page.

    Every response gets its own id, in the header that SDKs read, and the index's freshness.
    """

    def __init__(
        self,
        app: Starlette,
        list_jobs: ListJobs,
        *,
        freshness: FreshnessHeader,
        throttle: Throttle,
        metrics: Metrics,
        admission: Admission,
    ) -> None:
        self.routes = app.routes
        self._app = app
        self._list_jobs = list_jobs
        self._freshness = freshness
        self._throttle = throttle
        self._metrics = metrics
        self._admission = admission
        self._logged = Rates(_LOGGED_A_SECOND, _LOGGED_AT_ONCE)
        self._base_path = admission.access.base_path.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        principal = NOBODY

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] += (
                    (b"x-amzn-requestid", request_id()),
                    (b"jobindex-freshness", self._freshness.encoded(principal)),
                )
            await send(message)

        as_sent = scope
        scope[PRINCIPAL] = principal
        try:
            self._admission.hosts.check(scope["headers"])
            scope = _with_slashes_kept(self._without_base_path(scope))
            if self._admission.access.is_open:
                principal = ANYONE
            else:
                body = b""
                if _is_signed_with_body(scope):
                    body = await read_body(Request(scope, receive))
                    receive = _again(body, receive)
                principal = self._authenticate(scope, _signed(as_sent, body))
            scope[PRINCIPAL] = principal
            self._charge(scope)
            scope = _by_service(scope)
            if scope["path"] == LIST_JOBS.path and scope["method"] == "GET":
                await self._list_jobs(scope, receive, send_with_headers)
                return
        except tuple(STATUS) as error:
            self._log_unknown(as_sent, error)
            response = self._admission.refuse(Request(scope), cast("JobindexError", error)) or refusal(error)
            await response(scope, receive, send_with_headers)
            return
        except Exception:
            await failure()(scope, receive, send_with_headers)
            raise  # for the server to log
        await self._app(scope, receive, send_with_headers)

    def _authenticate(self, scope: Scope, request: SignedRequest) -> Principal:
        try:
            return self._admission.access.authenticate(request)
        except UnknownClientError:
            if self._is_free(scope) or scope["path"] in self._admission.public_paths:
                return NOBODY
            self._metrics.unauthenticated.inc()
            self._charge(scope)
            raise

    def _is_free(self, scope: Scope) -> bool:
        return scope["path"] in PUBLIC or scope["path"].startswith(self._admission.free)

    def _log_unknown(self, scope: Scope, error: Exception) -> None:
        # As it arrived: a proxy may have changed the request.
        if isinstance(error, UnknownClientError) and self._logged.take("", time.monotonic()):
            host = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"host"), "")
            asked = f"{scope['method']} {shown(host)} {shown(scope['path'])}"
            client = scope["client"][0] if scope.get("client") else "an unknown address"
            _log.info("%s from %s: %s: %s", asked, client, type(error).__name__, error)

    def _charge(self, scope: Scope) -> None:
        if self._admission.rates is None or self._is_free(scope):
            return
        if not self._admission.rates.take(client_id_of(scope), time.monotonic()):
            self._throttle.refuse()

    def _without_base_path(self, scope: Scope) -> Scope:
        sent: bytes = scope.get("raw_path") or scope["path"].encode()
        base = self._base_path
        if not base or not (sent == base or sent.startswith(base + b"/")):
            return scope
        raw_path = sent[len(base) :] or b"/"
        return {**scope, "raw_path": raw_path, "path": unquote(raw_path.decode("latin-1"))}


def _by_service(scope: Scope) -> Scope:
    path: str = scope["path"]
    if not path.startswith("/things/") or signed_service(scope["headers"]) != DATA_PLANE:
        return scope
    return {**scope, "path": PREFIX + path}


def _signed(scope: Scope, body: bytes) -> SignedRequest:
    return SignedRequest(
        method=scope["method"],
        path=scope.get("raw_path") or scope["path"].encode(),
        query_string=scope["query_string"],
        headers=scope["headers"],
        body=body,
    )


def _is_signed_with_body(scope: Scope) -> bool:
    names = {name for name, _ in scope["headers"]}
    return b"authorization" in names and not names.isdisjoint({b"content-length", b"transfer-encoding"})


def _again(body: bytes, receive: Receive) -> Receive:
    left = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> Message:
        return left.pop() if left else await receive()

    return receive_again


def _with_slashes_kept(scope: Scope) -> Scope:
    # No name contains a slash, so the path is invalid.
    sent = scope.get("raw_path") or b""
    if b"%2f" not in sent.lower():
        return scope
    return {**scope, "path": "%2F".join(unquote(part.decode("latin-1")) for part in re.split(b"%2[fF]", sent))}
