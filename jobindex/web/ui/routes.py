"""The pages over HTTP, at /ui/; `kinds.py` has their paths.

HTML is rendered on the server; a page needs only links and forms. With `?fragment=ID,…` the response has only those
sections: `static/ui.js` replaces the old ones after an event of /index/events. Not chosen: JSON and a framework in the
browser, which would need a build and every text twice.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import Receive, Scope, Send

from jobindex.access.access import Access
from jobindex.access.principals import Principal
from jobindex.errors import JobindexError, UnknownClientError
from jobindex.model.views import STUCK_AFTER
from jobindex.monitoring.state import ServiceState
from jobindex.web.opened_jobs import OpenedJobs
from jobindex.web.ui.assets import read_assets
from jobindex.web.ui.kinds import kinds
from jobindex.web.ui.pages import HEADERS, METHODS, Endpoint, Pages
from jobindex.web.ui.rendering import Renderer
from jobindex.web.ui.sign_in import SIGN_IN, SIGN_OUT, SignIn

_BY_ACCEPT = {"vary": "accept"}
_FOR_GOOD = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ui:
    """The pages."""

    routes: Sequence[BaseRoute]
    refuse: Callable[[Request, JobindexError], Response | None]
    """Answers a refused request with a page or a redirect to the sign-in; None if the client asked for no page."""


PUBLIC_PATHS = frozenset({SIGN_IN, SIGN_OUT})
"""Paths that need no session."""
FREE = ("/ui/static/",)
"""Prefixes of paths that need no session and do not count for the rate: a page has several of these files."""


def make_ui(
    state: ServiceState,
    throttle: AbstractContextManager[None],
    *,
    stuck_after: timedelta = STUCK_AFTER,
    access: Access | None = None,
    refused: Callable[[], None] = lambda: None,
    signed_out: Callable[[Principal], None] = lambda principal: None,  # noqa: ARG005
    opened: OpenedJobs | None = None,
) -> Ui:
    """Return the pages of the index in `state`.

    Pages are rendered within `throttle`, which raises ThrottlingException if too many are in flight. `refused` is
    called for an unknown token, `signed_out` at the end of a session. `opened` is shared with the API.
    """
    all_kinds = kinds(stuck_after, opened or OpenedJobs(state), lambda: state.ingestion_status().sync)
    access = access or Access()
    base_path = access.base_path
    assets = read_assets()
    addresses = {name: f"{base_path}/ui/static/{asset.digest}/{name}" for name, asset in assets.items()}
    renderer = Renderer(addresses, base_path)
    pages = Pages(state, renderer, throttle, stuck_after, base_path)
    sign_in = SignIn(access, renderer, HEADERS, refused=refused, signed_out=signed_out)

    lead_to_pages = partial(_lead_to_pages, base_path=base_path)

    async def serve_asset(request: Request) -> Response:
        asset = assets.get(request.path_params["name"])
        if asset is None:
            return await pages.missing(request)
        tag = f'"{asset.digest}"'
        is_right = request.path_params["digest"] == asset.digest
        headers = {**HEADERS, "etag": tag, "cache-control": _FOR_GOOD if is_right else "no-cache"}
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
                *(Route(kind.path, _Reading(pages.endpoint(kind), pages)) for kind in all_kinds),
                Route("/{rest:path}", _Reading(pages.missing, pages)),
            ],
        ),
    )

    def refuse(request: Request, error: JobindexError) -> Response | None:
        return sign_in.lead_here(request) if isinstance(error, UnknownClientError) else pages.refused(request, error)

    return Ui(routes=routes, refuse=refuse)


async def _lead_to_pages(request: Request, base_path: str) -> Response:
    accepted = request.headers.get("accept", "")
    if request.url.path == "/" and not _quality(accepted, "text/html") > _quality(accepted, "application/json"):
        raise HTTPException(HTTPStatus.NOT_FOUND, headers=_BY_ACCEPT)
    return RedirectResponse(f"{base_path}/ui/", headers=_BY_ACCEPT)


def _quality(accepted: str, media_type: str) -> float:
    for part in accepted.split(","):
        name, *parameters = (piece.strip() for piece in part.split(";"))
        if name == media_type:
            quality = next((value for value in parameters if value.startswith("q=")), "q=1")
            try:
                return float(quality[2:])
            except ValueError:
                return 0
    return 0


class _Reading:
    def __init__(self, endpoint: Endpoint, pages: Pages) -> None:
        self._endpoint = endpoint
        self._pages = pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive, send)
        is_reading = request.method in METHODS
        response = await self._endpoint(request) if is_reading else self._pages.not_allowed(request)
        await response(scope, receive, send)
