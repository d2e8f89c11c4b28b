"""Responses to page requests: a page, sections of it, or an error page."""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from jobindex.access.access import principal_of, visible_to
from jobindex.access.principals import Principal
from jobindex.errors import (
    AccessDeniedException,
    DatabaseUnavailableError,
    InvalidRequestException,
    JobindexError,
    ResourceNotFoundException,
    ThrottlingException,
)
from jobindex.monitoring.state import ServiceState
from jobindex.web.cache import AGE_MAXIMUM, OVERTAKEN_MAXIMUM, Cache
from jobindex.web.ui import stuck
from jobindex.web.ui.freshness import read_freshness
from jobindex.web.ui.kinds import Kind, Make
from jobindex.web.ui.page import Page, Question
from jobindex.web.ui.rendering import Frame, Rendered, Renderer

_CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": _CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cache-control": "no-cache",
}
METHODS = ("GET", "HEAD")
_FRAGMENT = "fragment"
_RETRY_SECONDS = "5"
_CACHED_MAXIMUM = 64
"""Pages, of some 100 kB each."""
_DIFFERENCES_SECONDS = 60
"""A browser may see a link to the page of the syncs so much later."""
_CACHED_BYTES = 16 * 1024 * 1024
"""Of all of them: with the longest `statusDetails` a page has five megabytes."""

_log = logging.getLogger(__name__)

Endpoint = Callable[[Request], Awaitable[Response]]


class Pages:
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
        self._rendered: Cache[Rendered] = Cache(
            _CACHED_MAXIMUM, maximum_bytes=_CACHED_BYTES, size=lambda rendered: rendered.size()
        )
        self._stuck: Cache[int] = Cache(_CACHED_MAXIMUM)
        self._has_differences: Cache[bool] = Cache(1)

    def endpoint(self, kind: Kind) -> Endpoint:
        """Return the endpoint of a kind of pages."""

        async def answer(request: Request) -> Response:
            sections = request.query_params.get(_FRAGMENT)
            given = [item for item in request.query_params.multi_items() if item[0] in kind.parameters]
            question = Question(
                path=self._base_path + request.url.path,
                subject=next(iter(request.path_params.values()), ""),
                parameters=[item for item in given if item[1]],
                now=datetime.now(UTC),
            )
            if len(question.parameters) < len(given):
                return RedirectResponse(question.whole_address(), HTTPStatus.FOUND, headers=HEADERS)
            names = None if sections is None else [name for name in sections.split(",") if name]
            return await self._answer(kind, question, principal_of(request.scope), names)

        return answer

    async def missing(self, request: Request) -> Response:
        """Return the error page for an unknown address."""
        error = ResourceNotFoundException(f"Unknown page: {request.url.path}")
        return self._refusal(error, principal_of(request.scope))

    def refused(self, request: Request, error: JobindexError) -> Response | None:
        """Return the error page for a refused request; None if the client did not ask for a page."""
        if type(error) not in _ERRORS or not request.url.path.startswith("/ui/"):
            return None
        headers = {"retry-after": _RETRY_SECONDS} if isinstance(error, ThrottlingException) else {}
        return self._refusal(error, principal_of(request.scope), headers)

    def not_allowed(self, request: Request) -> Response:
        """Return the error page for a method that pages do not have."""
        error = f"Pages are read-only: the method {request.method} is not allowed for {request.url.path}"
        now = datetime.now(UTC)
        rendered = _error_page("Invalid request", HTTPStatus.METHOD_NOT_ALLOWED, error, now)
        headers = {**HEADERS, "allow": ", ".join(METHODS)}
        return self._shown(rendered, self._frame(now, principal_of(request.scope)), headers)

    async def _answer(
        self, kind: Kind, question: Question, principal: Principal, sections: Sequence[str] | None
    ) -> Response:
        try:
            # Before the cache, which principals with the same visible namespaces share.
            _check(principal, kind, question)
            with self._throttle:
                stuck = await self._count_stuck(question.now, principal)
                has_differences = principal.namespace_ids is None and await self._differ()
                rendered = await self._page(kind.make, question, principal) if sections is None or sections else None
        except AccessDeniedException as error:
            return self._refusal(error, principal, sections=sections)
        except (DatabaseUnavailableError, ThrottlingException) as error:
            if isinstance(error, DatabaseUnavailableError):
                _log.warning("%s: %s", question.path, error)
            return self._refusal(error, principal, {"retry-after": _RETRY_SECONDS}, sections)
        frame = self._frame(question.now, principal, stuck, has_differences=has_differences)
        if rendered is None:
            return Response(self._renderer.status(frame), headers=HEADERS, media_type="text/html")
        return self._shown(rendered, frame, HEADERS, sections)

    def _refusal(
        self,
        error: JobindexError,
        principal: Principal,
        headers: Mapping[str, str] | None = None,
        sections: Sequence[str] | None = None,
    ) -> Response:
        now = datetime.now(UTC)
        return self._shown(_page_of(error, now), self._frame(now, principal), {**HEADERS, **(headers or {})}, sections)

    def _shown(
        self, rendered: Rendered, frame: Frame, headers: Mapping[str, str], sections: Sequence[str] | None = None
    ) -> Response:
        status = rendered.page.status
        if sections is None:
            content = self._renderer.whole(rendered, frame)
        else:
            content = self._renderer.sections(rendered, sections, frame)
            # The sections exist, even of an error; the browser would log other status codes.
            status = status if status == HTTPStatus.SERVICE_UNAVAILABLE else HTTPStatus.OK
        return Response(content, status, headers, media_type="text/html")

    def _frame(self, now: datetime, principal: Principal, stuck: int = 0, *, has_differences: bool = False) -> Frame:
        sees_all = principal.namespace_ids is None
        return Frame(
            freshness=read_freshness(self._state, now, sees_all=sees_all),
            stuck=stuck,
            has_reconciliation=sees_all and (has_differences or self._state.ingestion_status().sync is not None),
            now=now,
            principal=principal,
        )

    async def _page(self, make: Make, question: Question, principal: Principal) -> Rendered:
        store = self._state.opened_store()

        async def render() -> Rendered:
            try:
                page = await make(store, principal, question)
            except (InvalidRequestException, ResourceNotFoundException) as error:
                return _page_of(error, question.now)
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

    async def _differ(self) -> bool:
        store = self._state.opened_store()

        async def read() -> bool:
            return bool(await store.differences(before=None, limit=1))

        # Whatever the version: only a check finds differences, and while it runs, the sync is on.
        return await self._has_differences.get(None, lambda: 0, read, age_maximum=_DIFFERENCES_SECONDS)


def _check(principal: Principal, kind: Kind, question: Question) -> None:
    if kind.of_all is not None:
        principal.check_all_visible(kind.of_all)
    for name, value in question.parameters:
        principal.check_namespace(value if name == "namespaceId" else None, "ListJobs")


def _age_maximum(principal: Principal) -> float:
    """Return how long to cache: an age must not show a restricted reader whether other namespaces change."""
    return AGE_MAXIMUM if principal.namespace_ids is None else OVERTAKEN_MAXIMUM


def _page_of(error: JobindexError, now: datetime) -> Rendered:
    return _error_page(*_ERRORS[type(error)], str(error), now)


def _error_page(title: str, status: int, error: str, now: datetime) -> Rendered:
    page = Page(template="error.html", title=title, section="", values={"error": error}, status=status)
    return Rendered(page=page, now=now)


_ERRORS: dict[type[JobindexError], tuple[str, int]] = {
    AccessDeniedException: ("No access", 403),
    InvalidRequestException: ("Invalid request", 400),
    ResourceNotFoundException: ("Not found", 404),
    DatabaseUnavailableError: ("The index is not available", 503),
    ThrottlingException: ("Too many requests", 503),
}
