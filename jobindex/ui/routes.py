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
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from jobindex.errors import (
    DatabaseUnavailableError,
    InvalidRequestException,
    JobindexError,
    ResourceNotFoundException,
)
from jobindex.index import STUCK_AFTER
from jobindex.state import State
from jobindex.store import Store
from jobindex.ui.assets import read_assets
from jobindex.ui.freshness import read_freshness
from jobindex.ui.job import job_page
from jobindex.ui.jobs import jobs_page
from jobindex.ui.kept import Kept
from jobindex.ui.namespaces import namespaces_page
from jobindex.ui.page import Page, Question
from jobindex.ui.rejected import rejected_message_page, rejected_page
from jobindex.ui.rendering import Frame, Rendered, Renderer
from jobindex.ui.stuck import COUNT_MAXIMUM, stuck_page
from jobindex.ui.things import thing_page, things_page

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
_FOR_GOOD = "public, max-age=31536000, immutable"
_FRAGMENT = "fragment"
_RETRY_SECONDS = "5"

_log = logging.getLogger(__name__)

_Make = Callable[[Store, Question, Request], Awaitable[Page]]


def ui_routes(state: State, *, stuck_after: timedelta = STUCK_AFTER) -> Sequence[BaseRoute]:
    """Return the routes of the pages of the index in `state`; what waits longer than `stuck_after` is stuck."""
    assets = read_assets()
    renderer = Renderer({name: f"/ui/static/{asset.digest}/{name}" for name, asset in assets.items()})
    pages = _Pages(state, renderer, stuck_after)

    async def serve_asset(request: Request) -> Response:
        asset = assets.get(request.path_params["name"])
        if asset is None:
            raise HTTPException(HTTPStatus.NOT_FOUND)
        tag = f'"{asset.digest}"'
        is_right = request.path_params["digest"] == asset.digest
        headers = {**_HEADERS, "etag": tag, "cache-control": _FOR_GOOD if is_right else "no-cache"}
        if tag in request.headers.get("if-none-match", ""):
            return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
        return Response(asset.content, headers=headers, media_type=asset.media_type)

    return (
        Route("/", _lead_to_pages, methods=["GET"]),
        Route("/ui", _lead_to_pages, methods=["GET"]),
        Mount(
            "/ui",
            routes=[
                Route("/static/{digest}/{name}", serve_asset, methods=["GET"]),
                *(Route(path, pages.endpoint(make), methods=["GET"]) for path, make in _makers(stuck_after)),
            ],
        ),
    )


def _makers(stuck_after: timedelta) -> Sequence[tuple[str, _Make]]:
    """Return who makes the page at each path."""
    return (
        ("/", lambda store, question, _: namespaces_page(store, question)),
        ("/jobs", lambda store, question, _: jobs_page(store, question)),
        ("/jobs/{job_id}", lambda store, question, request: job_page(store, question, request.path_params["job_id"])),
        ("/things", lambda store, question, _: things_page(store, question)),
        (
            "/things/{thing_name}",
            lambda store, question, request: thing_page(
                store, question, request.path_params["thing_name"], stuck_after
            ),
        ),
        ("/stuck", lambda store, question, _: stuck_page(store, question, stuck_after)),
        ("/rejected", lambda store, question, _: rejected_page(store, question)),
        ("/rejected/{id}", lambda store, _, request: rejected_message_page(store, request.path_params["id"])),
        ("/{rest:path}", _no_page),
    )


async def _lead_to_pages(request: Request) -> Response:
    """Lead who takes HTML rather than JSON to the pages."""
    accepted = request.headers.get("accept", "")
    if request.url.path == "/" and not _quality(accepted, "text/html") > _quality(accepted, "application/json"):
        raise HTTPException(HTTPStatus.NOT_FOUND)
    return RedirectResponse("/ui/", headers={"vary": "accept"})


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


async def _no_page(store: Store, question: Question, request: Request) -> Page:  # noqa: ARG001
    raise ResourceNotFoundException(f"There is no page at {request.url.path}")


class _Pages:
    """Answers requests for pages."""

    def __init__(self, state: State, renderer: Renderer, stuck_after: timedelta) -> None:
        self._state = state
        self._renderer = renderer
        self._stuck_after = stuck_after
        self._rendered: Kept[Rendered] = Kept()
        self._stuck: Kept[int] = Kept(maximum=1)

    def endpoint(self, make: _Make) -> Callable[[Request], Awaitable[Response]]:
        """Return the endpoint of a page."""

        async def answer(request: Request) -> Response:
            fragment = request.query_params.get(_FRAGMENT)
            given = [item for item in request.query_params.multi_items() if item[0] != _FRAGMENT]
            question = Question(
                path=request.url.path, parameters=[item for item in given if item[1]], now=datetime.now(UTC)
            )
            if len(question.parameters) < len(given):
                return RedirectResponse(question.whole_address(), HTTPStatus.FOUND, headers=_HEADERS)
            return await self._answer(
                make, question, request, None if fragment is None else [name for name in fragment.split(",") if name]
            )

        return answer

    async def _answer(
        self, make: _Make, question: Question, request: Request, sections: Sequence[str] | None
    ) -> Response:
        """Answer with a page, or with the sections of it that are asked for; without any, how fresh the index is."""
        headers = dict(_HEADERS)
        try:
            stuck = await self._count_stuck(question.now)
            if sections is not None and not sections:
                frame = Frame(freshness=read_freshness(self._state, question.now), stuck=stuck, now=question.now)
                return Response(self._renderer.status(frame), headers=headers, media_type="text/html")
            rendered = await self._page(make, question, request)
        except DatabaseUnavailableError as error:
            _log.warning("%s: %s", question.path, error)
            rendered, stuck = _error_page(error, question.now), 0
            headers["retry-after"] = _RETRY_SECONDS
        frame = Frame(freshness=read_freshness(self._state, question.now), stuck=stuck, now=question.now)
        status = rendered.page.status
        if sections is None:
            content = self._renderer.whole(rendered, frame)
        else:
            content = self._renderer.sections(rendered, sections, frame)
            # The sections are there, whatever the page says; a browser would complain of the others on its console.
            status = status if status == HTTPStatus.SERVICE_UNAVAILABLE else HTTPStatus.OK
        return Response(content, status, headers, media_type="text/html")

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
            "", lambda: store.version, lambda: store.count_waiting(since=since, maximum=COUNT_MAXIMUM)
        )


def _error_page(error: JobindexError, now: datetime) -> Rendered:
    title, status = _ERRORS[type(error)]
    page = Page(template="error.html", title=title, section="", values={"error": str(error)}, status=status)
    return Rendered(page=page, now=now)


_ERRORS: dict[type[JobindexError], tuple[str, int]] = {
    InvalidRequestException: ("This cannot be asked", 400),
    ResourceNotFoundException: ("Nothing is known of this", 404),
    DatabaseUnavailableError: ("The index cannot be read just now", 503),
}
