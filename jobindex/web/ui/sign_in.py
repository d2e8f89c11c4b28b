"""Signing in to the pages with a token, and signing out.

    GET  /ui/sign-in?next=   a form
    POST /ui/sign-in         accepts a token, sets a cookie
    POST /ui/sign-out        ends the session

Scripts cannot read the cookie, and browsers do not send it with forms and subresource requests of other sites. A form
from another site is refused, so that no other site can sign a user in or out.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from urllib.parse import parse_qsl, urlencode

from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from jobindex.access.access import COOKIE, Access
from jobindex.access.principals import NOBODY, Principal
from jobindex.access.sessions import SESSION_SECONDS
from jobindex.errors import UnrecognizedClientException
from jobindex.web.ui.page import Page
from jobindex.web.ui.rendering import Frame, Rendered, Renderer

SIGN_IN = "/ui/sign-in"
SIGN_OUT = "/ui/sign-out"
HOME = "/ui/"


class SignIn:
    """Signs browsers in and out; a cookie that was set over HTTPS is only sent over HTTPS."""

    def __init__(
        self,
        access: Access,
        renderer: Renderer,
        headers: Mapping[str, str],
        *,
        refused: Callable[[], None],
        signed_out: Callable[[Principal], None],
    ) -> None:
        self._access = access
        self._refused = refused
        self._signed_out = signed_out
        self._renderer = renderer
        self._headers = {**headers, "cache-control": "no-store"}

    def routes(self) -> Sequence[BaseRoute]:
        """Return the routes, which precede those of the pages."""
        return (
            Route(SIGN_IN, self._form, methods=["GET"]),
            Route(SIGN_IN, self._sign_in, methods=["POST"]),
            Route(SIGN_OUT, self._sign_out, methods=["POST"]),
        )

    def lead_here(self, request: Request) -> Response | None:
        """Redirect to the form, which leads back; None if the client did not ask for a page."""
        path = request.url.path
        is_page = (path == "/" and "text/html" in request.headers.get("accept", "")) or path.startswith(HOME)
        if not is_page or request.method not in {"GET", "HEAD"} or "fragment" in request.query_params:
            return None
        query = f"?{request.url.query}" if request.url.query else ""
        following = {"next": path + query} if path.startswith(HOME) and path + query != HOME else {}
        return self._lead(SIGN_IN + (f"?{urlencode(following)}" if following else ""))

    async def _form(self, request: Request) -> Response:
        if self._access.is_open:
            return self._lead(HOME)
        return self._shown(request.query_params.get("next", ""))

    async def _sign_in(self, request: Request) -> Response:
        given = dict(parse_qsl((await _body(request)).decode("latin-1")))
        following = given.get("next", "")
        if self._is_from_elsewhere(request):
            return self._shown(following, "This form was sent by another site.")
        try:
            session = self._access.sign_in(given.get("token", "").strip())
        except UnrecognizedClientException:
            self._refused()
            return self._shown(following, "No key has this token.")
        public = self._access.public
        response = self._lead(following if following.startswith(HOME) and following.isprintable() else HOME)
        response.set_cookie(
            f"{COOKIE}-{_port(request)}",
            session,
            path=self._access.base_path or "/",
            max_age=SESSION_SECONDS,
            httponly=True,
            samesite="lax",
            secure=request.url.scheme == "https" or bool(public and public.is_secure),
        )
        return response

    async def _sign_out(self, request: Request) -> Response:
        if self._is_from_elsewhere(request):
            return self._shown("", "This form was sent by another site.")
        for principal in self._access.sign_out(request.headers.get("cookie", "").encode("latin-1")):
            self._signed_out(principal)
        response = self._lead(SIGN_IN)
        response.delete_cookie(
            f"{COOKIE}-{_port(request)}", path=self._access.base_path or "/", httponly=True, samesite="lax"
        )
        return response

    def _is_from_elsewhere(self, request: Request) -> bool:
        site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
        if site is not None:
            return site not in {"same-origin", "none"}
        public = self._access.public
        own = {request.headers.get("host"), public.host if public else None}
        return origin is not None and origin.partition("://")[2] not in own

    def _lead(self, path: str) -> RedirectResponse:
        return RedirectResponse(self._access.base_path + path, HTTPStatus.SEE_OTHER, headers=self._headers)

    def _shown(self, following: str, error: str | None = None) -> Response:
        status = HTTPStatus.OK if error is None else HTTPStatus.FORBIDDEN
        values = {"next": following, "error": error}
        page = Page(template="sign_in.html", title="Sign in", section="", values=values, watched=None)
        now = datetime.now(UTC)
        content = self._renderer.whole(Rendered(page=page, now=now), Frame(now=now, principal=NOBODY))
        return Response(content, status, self._headers, media_type="text/html")


def _port(request: Request) -> int:
    # For the cookie's name: a host's services share their cookies.
    port: int = request.scope["server"][1]
    return port


async def _body(request: Request) -> bytes:
    try:
        return await request.body()
    except ClientDisconnect:
        return b""
