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
    GET /ui/static/{hash}/{name} stylesheet, script, icon

HTML is made here, links and forms are all that a page needs. With `?fragment=ID,…` the answer is those sections alone:
`static/ui.js` puts them in place of the old ones when /index/events tells of a change. Not chosen: JSON and
a framework in the browser; there would be two of each word, and a build.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import Receive, Scope, Send

from jobindex.errors import (
    DatabaseUnavailableError,
    InvalidRequestException,
    JobindexError,
    ResourceNotFoundException,
    ThrottlingException,
)
from jobindex.index import STUCK_AFTER
from jobindex.parameters import Constraints
from jobindex.state import State
from jobindex.store import Store
from jobindex.ui import job, jobs, namespaces, rejected, stuck, things
from jobindex.ui.assets import read_assets
from jobindex.ui.freshness import read_freshness
from jobindex.ui.kept import Kept
from jobindex.ui.page import Page, Question
from jobindex.ui.rendering import Frame, Rendered, Renderer

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

_log = logging.getLogger(__name__)

_Endpoint = Callable[[Request], Awaitable[Response]]
_Make = Callable[[Store, Question, Request], Awaitable[Page]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    """Pages of a kind: where they are, who makes one, and what it may be asked."""

    path: str
    make: _Make
    parameters: Constraints = field(default_factory=dict)


def ui_routes(
    state: State, throttle: AbstractContextManager[None], *, stuck_after: timedelta = STUCK_AFTER
) -> Sequence[BaseRoute]:
    """Return the routes of the pages of the index in `state`; what waits longer than `stuck_after` is stuck.

    A page is answered within `throttle`, which raises ThrottlingException when too many are.
    """
    assets = read_assets()
    renderer = Renderer({name: f"/ui/static/{asset.digest}/{name}" for name, asset in assets.items()})
    pages = _Pages(state, renderer, throttle, stuck_after)

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

    return (
        Route("/", _lead_to_pages, methods=["GET"]),
        Route("/ui", _Reading(_lead_to_pages, pages)),
        Mount(
            "/ui",
            routes=[
                Route("/static/{digest}/{name}", _Reading(serve_asset, pages)),
                *(Route(kind.path, _Reading(pages.endpoint(kind), pages)) for kind in _kinds(stuck_after)),
                Route("/{rest:path}", _Reading(pages.no_page, pages)),
            ],
        ),
    )


def _kinds(stuck_after: timedelta) -> Sequence[_Kind]:
    return (
        _Kind(
            path="/",
            parameters=namespaces.PARAMETERS,
            make=lambda store, question, _: namespaces.namespaces_page(store, question),
        ),
        _Kind(
            path="/jobs",
            parameters=jobs.PARAMETERS,
            make=lambda store, question, _: jobs.jobs_page(store, question),
        ),
        _Kind(
            path="/jobs/{job_id}",
            parameters=job.PARAMETERS,
            make=lambda store, question, request: job.job_page(store, question, request.path_params["job_id"]),
        ),
        _Kind(
            path="/things",
            parameters=things.PARAMETERS,
            make=lambda store, question, _: things.things_page(store, question),
        ),
        _Kind(
            path="/things/{thing_name}",
            parameters=things.THING_PARAMETERS,
            make=lambda store, question, request: things.thing_page(
                store, question, request.path_params["thing_name"], stuck_after
            ),
        ),
        _Kind(
            path="/stuck",
            parameters=stuck.PARAMETERS,
            make=lambda store, question, _: stuck.stuck_page(store, question, stuck_after),
        ),
        _Kind(
            path="/rejected",
            parameters=rejected.PARAMETERS,
            make=lambda store, question, _: rejected.rejected_page(store, question),
        ),
        _Kind(
            path="/rejected/{id}",
            make=lambda store, _, request: rejected.rejected_message_page(store, request.path_params["id"]),
        ),
    )


async def _lead_to_pages(request: Request) -> Response:
    """Lead who takes HTML rather than JSON to the pages."""
    accepted = request.headers.get("accept", "")
    if request.url.path == "/" and not _quality(accepted, "text/html") > _quality(accepted, "application/json"):
        raise HTTPException(HTTPStatus.NOT_FOUND, headers=_BY_ACCEPT)
    return RedirectResponse("/ui/", headers=_BY_ACCEPT)


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
        self, state: State, renderer: Renderer, throttle: AbstractContextManager[None], stuck_after: timedelta
    ) -> None:
        self._state = state
        self._renderer = renderer
        self._throttle = throttle
        self._stuck_after = stuck_after
        self._rendered: Kept[Rendered] = Kept()
        self._stuck: Kept[int] = Kept(maximum=1)

    def endpoint(self, kind: _Kind) -> _Endpoint:
        """Return the endpoint of the pages of a kind."""

        async def answer(request: Request) -> Response:
            sections = request.query_params.get(_FRAGMENT)
            given = [item for item in request.query_params.multi_items() if item[0] in kind.parameters]
            question = Question(
                path=request.url.path, parameters=[item for item in given if item[1]], now=datetime.now(UTC)
            )
            if len(question.parameters) < len(given):
                return RedirectResponse(question.whole_address(), HTTPStatus.FOUND, headers=_HEADERS)
            return await self._answer(
                kind.make,
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
        return self._refusal(ResourceNotFoundException(f"There is no page at {request.url.path}"))

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
        return self._shown(Rendered(page=page, now=now), self._frame(now), headers)

    async def _answer(
        self, make: _Make, question: Question, request: Request, sections: Sequence[str] | None
    ) -> Response:
        """Answer with a page, or with the sections of it that are asked for; without any, how fresh the index is."""
        try:
            with self._throttle:
                stuck = await self._count_stuck(question.now)
                rendered = await self._page(make, question, request) if sections is None or sections else None
        except (DatabaseUnavailableError, ThrottlingException) as error:
            if isinstance(error, DatabaseUnavailableError):
                _log.warning("%s: %s", question.path, error)
            return self._refusal(error, {"retry-after": _RETRY_SECONDS}, sections)
        frame = self._frame(question.now, stuck)
        if rendered is None:
            return Response(self._renderer.status(frame), headers=_HEADERS, media_type="text/html")
        return self._shown(rendered, frame, _HEADERS, sections)

    def _refusal(
        self, error: JobindexError, headers: Mapping[str, str] | None = None, sections: Sequence[str] | None = None
    ) -> Response:
        """Return the page of an error that has nothing to do with what the index holds."""
        now = datetime.now(UTC)
        return self._shown(_error_page(error, now), self._frame(now), {**_HEADERS, **(headers or {})}, sections)

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

    def _frame(self, now: datetime, stuck: int = 0) -> Frame:
        return Frame(freshness=read_freshness(self._state, now), stuck=stuck, now=now)

    async def _page(self, make: _Make, question: Question, request: Request) -> Rendered:
        store = self._state.opened_store()

        async def render() -> Rendered:
            try:
                page = await make(store, question, request)
            except (InvalidRequestException, ResourceNotFoundException) as error:
                return _error_page(error, question.now)
            return Rendered(page=page, now=question.now)

        return await self._rendered.get(question.whole_address(), lambda: store.version, render)

    async def _count_stuck(self, now: datetime) -> int:
        store = self._state.opened_store()
        since = now - self._stuck_after
        return await self._stuck.get(
            "", lambda: store.version, lambda: store.count_waiting(since=since, maximum=stuck.COUNT_MAXIMUM)
        )


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
    InvalidRequestException: ("This cannot be asked", 400),
    ResourceNotFoundException: ("Nothing is known of this", 404),
    DatabaseUnavailableError: ("The index cannot be read just now", 503),
    ThrottlingException: ("Too much is asked at once", 503),
}
