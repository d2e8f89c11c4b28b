"""The pages over HTTP, at /ui/.

    GET /                        leads a browser to the pages
    GET /ui/                     the namespaces
    GET /ui/jobs                 the jobs                     ?namespaceId=&status=&…&prefix=&after=|before=
    GET /ui/jobs/{jobId}         a job                        ?state=&after=
    GET /ui/things               the things                   ?prefix=&after=
    GET /ui/things/{thingName}   a thing                      ?state=&after=
    GET /ui/stuck                executions that wait long    ?longerThan=&namespaceId=&after=
    GET /ui/rejected             messages not understood      ?after=
    GET /ui/rejected/{id}        one of them
    /ui/sign-in, /ui/sign-out    see `sign_in.py`
    GET /ui/static/{hash}/{name} stylesheet, script, icon

HTML is made here, links and forms are all that a page needs. With `?fragment=ID,…` the answer is those sections alone:
`static/ui.js` puts them in place of the old ones when /index/events tells of a change. Not chosen: JSON and
a framework in the browser; there would be two of each word, and a build.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import Receive, Scope, Send

from jobindex.access.access import Access, principal_of, visible_to
from jobindex.access.principals import Principal
from jobindex.errors import (
    AccessDeniedException,
    DatabaseUnavailableError,
    InvalidRequestException,
    JobindexError,
    ResourceNotFoundException,
    ThrottlingException,
    UnknownClientError,
)
from jobindex.model.views import STUCK_AFTER
from jobindex.monitoring.state import ServiceState
from jobindex.web.cache import AGE_MAXIMUM, OVERTAKEN_MAXIMUM, Cache
from jobindex.web.ui import stuck
from jobindex.web.ui.assets import read_assets
from jobindex.web.ui.freshness import read_freshness
from jobindex.web.ui.kinds import Kind, Make, kinds
from jobindex.web.ui.page import Page, Question
from jobindex.web.ui.rendering import Frame, Rendered, Renderer
from jobindex.web.ui.sign_in import SIGN_IN, SIGN_OUT, SignIn

_CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "content-security-policy": _CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cache-control": "no-cache",
}
_BY_ACCEPT = {"vary": "accept"}
_METHODS = ("GET", "HEAD")
_FOR_GOOD = "public, max-age=31536000, immutable"
_FRAGMENT = "fragment"
_RETRY_SECONDS = "5"
_CACHED_MAXIMUM = 64
"""Pages, of some 100 kB each."""

_log = logging.getLogger(__name__)

_Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ui:
    """The pages."""

    routes: Sequence[BaseRoute]
    refuse: Callable[[Request, JobindexError], Response | None]
    """Answers who is not let in with a page, or leads to where one signs in; None for who asks for no page."""


PUBLIC_PATHS = frozenset({SIGN_IN, SIGN_OUT})
"""Paths that need no session."""
FREE = ("/ui/static/",)
"""What begins so needs none either, and takes nothing off what one may ask: a page has several."""


def make_ui(
    state: ServiceState,
    throttle: AbstractContextManager[None],
    *,
    stuck_after: timedelta = STUCK_AFTER,
    access: Access | None = None,
    refused: Callable[[], None] = lambda: None,
    signed_out: Callable[[Principal], None] = lambda principal: None,  # noqa: ARG005
) -> Ui:
    """Return the pages of the index in `state`; what waits longer than `stuck_after` is stuck.

    A page is answered within `throttle`, which raises ThrottlingException when too many are; `refused` is
    called where a token is of no key, `signed_out` where somebody has ended a session.
    """
    access = access or Access()
    base_path = access.base_path
    assets = read_assets()
    addresses = {name: f"{base_path}/ui/static/{asset.digest}/{name}" for name, asset in assets.items()}
    renderer = Renderer(addresses, base_path)
    pages = _Pages(state, renderer, throttle, stuck_after, base_path)
    sign_in = SignIn(access, renderer, _HEADERS, refused=refused, signed_out=signed_out)

    async def lead_to_pages(request: Request) -> Response:
        return _lead_to_pages(request, base_path)

    async def serve_asset(request: Request) -> Response:
        asset = assets.get(request.path_params["name"])
        if asset is None:
            return pages.missing(request)
        tag = f'"{asset.digest}"'
        is_right = request.path_params["digest"] == asset.digest
        headers = {**_HEADERS, "etag": tag, "cache-control": _FOR_GOOD if is_right else "no-cache"}
        if tag in request.headers.get("if-none-match", ""):
            return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
        return Response(asset.content, headers=headers, media_type=asset.media_type)

    routes = (
        Route("/", lead_to_pages, methods=["GET"]),
        Route("/ui", _Reading(lead_to_pages, pages)),
        *sign_in.routes(),
        Mount(
            "/ui",
            routes=[
                Route("/static/{digest}/{name}", _Reading(serve_asset, pages)),
                *(Route(kind.path, _Reading(pages.endpoint(kind), pages)) for kind in kinds(stuck_after)),
                Route("/{rest:path}", _Reading(pages.no_page, pages)),
            ],
        ),
    )

    def refuse(request: Request, error: JobindexError) -> Response | None:
        return sign_in.lead_here(request) if isinstance(error, UnknownClientError) else pages.refused(request, error)

    return Ui(routes=routes, refuse=refuse)


def _lead_to_pages(request: Request, base_path: str) -> Response:
    """Lead who takes HTML rather than JSON to the pages."""
    accepted = request.headers.get("accept", "")
    if request.url.path == "/" and not _quality(accepted, "text/html") > _quality(accepted, "application/json"):
        raise HTTPException(HTTPStatus.NOT_FOUND, headers=_BY_ACCEPT)
    return RedirectResponse(f"{base_path}/ui/", headers=_BY_ACCEPT)


def _quality(accepted: str, media_type: str) -> float:
    """Return how much a media type is wanted by an Accept header that names it; 0 where it does not."""
    for part in accepted.split(","):
        name, *parameters = (piece.strip() for piece in part.split(";"))
        if name == media_type:
            quality = next((value for value in parameters if value.startswith("q=")), "q=1")
            try:
                return float(quality[2:])
            except ValueError:
                return 0
    return 0


class _Pages:
    """Answers requests for pages."""

    def __init__(
        self,
        state: ServiceState,
        renderer: Renderer,
        throttle: AbstractContextManager[None],
        stuck_after: timedelta,
        base_path: str,
    ) -> None:
        self._state = state
        self._renderer = renderer
        self._throttle = throttle
        self._stuck_after = stuck_after
        self._base_path = base_path
        self._rendered: Cache[Rendered] = Cache(_CACHED_MAXIMUM)
        self._stuck: Cache[int] = Cache(_CACHED_MAXIMUM)

    def endpoint(self, kind: Kind) -> _Endpoint:
        """Return the endpoint of the pages of a kind."""

        async def answer(request: Request) -> Response:
            sections = request.query_params.get(_FRAGMENT)
            given = [item for item in request.query_params.multi_items() if item[0] in kind.parameters]
            question = Question(
                path=self._base_path + request.url.path,
                parameters=[item for item in given if item[1]],
                now=datetime.now(UTC),
            )
            if len(question.parameters) < len(given):
                return RedirectResponse(question.whole_address(), HTTPStatus.FOUND, headers=_HEADERS)
            return await self._answer(
                kind,
                question,
                request,
                None if sections is None else [name for name in sections.split(",") if name],
            )

        return answer

    async def no_page(self, request: Request) -> Response:
        """Answer where there is no page."""
        return self.missing(request)

    def missing(self, request: Request) -> Response:
        """Return a page that says that there is none."""
        error = ResourceNotFoundException(f"There is no page at {request.url.path}")
        return self._refusal(error, principal_of(request.scope))

    def refused(self, request: Request, error: JobindexError) -> Response | None:
        """Return a page that says why a request for one is not taken; None for who asks for anything else."""
        if type(error) not in _ERRORS or not request.url.path.startswith("/ui/"):
            return None
        headers = {"retry-after": _RETRY_SECONDS} if isinstance(error, ThrottlingException) else {}
        return self._refusal(error, principal_of(request.scope), headers)

    def not_allowed(self, request: Request) -> Response:
        """Return a page that says that pages are only read."""
        values = {"error": f"A page is only read: there is no {request.method} {request.url.path}"}
        page = Page(
            template="error.html",
            title="This cannot be asked",
            section="",
            values=values,
            status=HTTPStatus.METHOD_NOT_ALLOWED,
        )
        now = datetime.now(UTC)
        headers = {**_HEADERS, "allow": ", ".join(_METHODS)}
        return self._shown(Rendered(page=page, now=now), self._frame(now, principal_of(request.scope)), headers)

    async def _answer(
        self, kind: Kind, question: Question, request: Request, sections: Sequence[str] | None
    ) -> Response:
        """Answer with a page, or with the sections of it that are asked for; without any, how fresh the index is."""
        principal = principal_of(request.scope)
        try:
            # Before the cache, which is shared by all principals with the same visible namespaces.
            _check(principal, kind, question)
            with self._throttle:
                stuck = await self._count_stuck(question.now, principal)
                rendered = await self._page(kind.make, question, request) if sections is None or sections else None
        except AccessDeniedException as error:
            return self._refusal(error, principal, sections=sections)
        except (DatabaseUnavailableError, ThrottlingException) as error:
            if isinstance(error, DatabaseUnavailableError):
                _log.warning("%s: %s", question.path, error)
            return self._refusal(error, principal, {"retry-after": _RETRY_SECONDS}, sections)
        frame = self._frame(question.now, principal, stuck)
        if rendered is None:
            return Response(self._renderer.status(frame), headers=_HEADERS, media_type="text/html")
        return self._shown(rendered, frame, _HEADERS, sections)

    def _refusal(
        self,
        error: JobindexError,
        principal: Principal,
        headers: Mapping[str, str] | None = None,
        sections: Sequence[str] | None = None,
    ) -> Response:
        """Return the page of an error that has nothing to do with what the index holds."""
        now = datetime.now(UTC)
        return self._shown(
            _error_page(error, now), self._frame(now, principal), {**_HEADERS, **(headers or {})}, sections
        )

    def _shown(
        self, rendered: Rendered, frame: Frame, headers: Mapping[str, str], sections: Sequence[str] | None = None
    ) -> Response:
        status = rendered.page.status
        if sections is None:
            content = self._renderer.whole(rendered, frame)
        else:
            content = self._renderer.sections(rendered, sections, frame)
            # The sections are there, whatever the page says; a browser would complain of the others on its console.
            status = status if status == HTTPStatus.SERVICE_UNAVAILABLE else HTTPStatus.OK
        return Response(content, status, headers, media_type="text/html")

    def _frame(self, now: datetime, principal: Principal, stuck: int = 0) -> Frame:
        freshness = read_freshness(self._state, now, sees_all=principal.namespace_ids is None)
        return Frame(freshness=freshness, stuck=stuck, now=now, principal=principal)

    async def _page(self, make: Make, question: Question, request: Request) -> Rendered:
        store, principal = self._state.opened_store(), principal_of(request.scope)

        async def render() -> Rendered:
            try:
                page = await make(store, principal, question, request)
            except (InvalidRequestException, ResourceNotFoundException) as error:
                return _error_page(error, question.now)
            return Rendered(page=page, now=question.now)

        asked = principal.namespace_ids, question.whole_address()
        return await self._rendered.get(asked, lambda: store.version, render, age_maximum=_age_maximum(principal))

    async def _count_stuck(self, now: datetime, principal: Principal) -> int:
        reader = visible_to(self._state.opened_store(), principal)
        since = now - self._stuck_after
        return await self._stuck.get(
            principal.namespace_ids,
            lambda: reader.version,
            lambda: reader.count_waiting(since=since, maximum=stuck.COUNT_MAXIMUM),
            age_maximum=_age_maximum(principal),
        )


def _check(principal: Principal, kind: Kind, question: Question) -> None:
    """Raise AccessDeniedException where a principal may not see what is asked."""
    if kind.of_all is not None:
        principal.check_all_seen(kind.of_all)
    for name, value in question.parameters:
        principal.check_namespace(value if name == "namespaceId" else None, "ListJobs")


def _age_maximum(principal: Principal) -> float:
    """Return how long an answer is cached: to a restricted reader it must not show whether other namespaces change."""
    return AGE_MAXIMUM if principal.namespace_ids is None else OVERTAKEN_MAXIMUM


def _error_page(error: JobindexError, now: datetime) -> Rendered:
    title, status = _ERRORS[type(error)]
    page = Page(template="error.html", title=title, section="", values={"error": str(error)}, status=status)
    return Rendered(page=page, now=now)


class _Reading:
    """Answers reading requests by an endpoint, and others with a page that says so."""

    def __init__(self, endpoint: _Endpoint, pages: _Pages) -> None:
        self._endpoint = endpoint
        self._pages = pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive, send)
        is_reading = request.method in _METHODS
        response = await self._endpoint(request) if is_reading else self._pages.not_allowed(request)
        await response(scope, receive, send)


_ERRORS: dict[type[JobindexError], tuple[str, int]] = {
    AccessDeniedException: ("This is not yours to see", 403),
    InvalidRequestException: ("This cannot be asked", 400),
    ResourceNotFoundException: ("Nothing is known of this", 404),
    DatabaseUnavailableError: ("The index cannot be read just now", 503),
    ThrottlingException: ("Too much is asked at once", 503),
}
