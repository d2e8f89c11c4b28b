"""The HTTP side: ListJobs, and beside AWS's path space /healthz, /readyz, /metrics and /rejected.

AWS IoT speaks rest-json: an error is `{"message": …}` under the header `x-amzn-ErrorType`, and every answer has
`x-amzn-RequestId`.
"""

from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus
from random import getrandbits
from typing import cast

import orjson
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, ExceptionHandler, Message, Receive, Scope, Send

from jobindex.api import events
from jobindex.api.list_jobs import PATH, ListJobs
from jobindex.api.rejected import rejected_endpoints
from jobindex.api.throttle import CONCURRENCY_MAXIMUM, Throttle
from jobindex.errors import (
    AccessDeniedException,
    DatabaseUnavailableError,
    InvalidRequestException,
    ResourceNotFoundException,
    ServiceUnavailableException,
    ThrottlingException,
)
from jobindex.live import Live
from jobindex.metrics import CONTENT_TYPE, Metrics
from jobindex.state import State, described

App = ASGIApp

_STATUS: dict[type[Exception], int] = {
    InvalidRequestException: 400,
    ResourceNotFoundException: 404,
    ThrottlingException: 400,
    ServiceUnavailableException: 503,
    AccessDeniedException: 403,
}

_Endpoint = Callable[[Request], Awaitable[Response]]


def create_app(
    state: State,
    metrics: Metrics,
    live: Live,
    *,
    pages: Sequence[BaseRoute] = (),
    concurrency_maximum: int = CONCURRENCY_MAXIMUM,
) -> App:
    """Return the ASGI app that answers from the store in `state`, and that `pages` belong to."""
    handlers: dict[type[Exception] | int, ExceptionHandler] = {
        **dict.fromkeys(_STATUS, _answer_error),
        HTTPException: _answer_http_error,
        Exception: _answer_failure,
    }
    list_jobs = ListJobs(state, Throttle(metrics, concurrency_maximum))
    app = Starlette(
        routes=[
            Route(PATH, list_jobs, methods=["GET"]),
            Route("/healthz", _healthz),
            Route("/readyz", _readyz(state)),
            Route("/metrics", _metrics(metrics)),
            Route(events.PATH, events.watch(live)),
            *(
                Route(path, _throttled(endpoint, Throttle(metrics, concurrency_maximum)), methods=[method])
                for method, path, endpoint in rejected_endpoints(state.opened_store)
            ),
            *pages,
        ],
        exception_handlers=handlers,
    )
    app.router.redirect_slashes = False
    return _Front(app, list_jobs)


async def _healthz(request: Request) -> Response:  # noqa: ARG001
    return _json({"alive": True})


def _readyz(state: State) -> _Endpoint:
    async def readyz(request: Request) -> Response:  # noqa: ARG001
        reason = state.reason
        try:
            if reason is None:
                await state.opened_store().check()
        except DatabaseUnavailableError as error:
            reason = str(error)
        answer = {"ready": reason is None, **({} if reason is None else {"reason": reason}), **described(state)}
        return _json(answer, HTTPStatus.OK if reason is None else HTTPStatus.SERVICE_UNAVAILABLE)

    return readyz


def _metrics(metrics: Metrics) -> _Endpoint:
    async def serve_metrics(request: Request) -> Response:  # noqa: ARG001
        return Response(metrics.encode(), headers={"content-type": CONTENT_TYPE})

    return serve_metrics


def _throttled(endpoint: _Endpoint, throttle: Throttle) -> _Endpoint:
    async def throttled(request: Request) -> Response:
        with throttle:
            return await endpoint(request)

    return throttled


async def _answer_error(request: Request, error: Exception) -> Response:  # noqa: ARG001
    return _refusal(error)


async def _answer_http_error(request: Request, error: Exception) -> Response:
    error = cast("HTTPException", error)
    what = f"{request.method} {request.url.path}"
    if error.status_code == HTTPStatus.NOT_FOUND:
        return _error(error.status_code, "UnknownOperationException", f"There is no operation at {what}")
    response = _error(error.status_code, "MethodNotAllowedException", f"There is no operation {what}")
    response.headers.update(error.headers or {})
    return response


async def _answer_failure(request: Request, error: Exception) -> Response:  # noqa: ARG001
    # starlette raises the error again behind this answer, so that the server logs it.
    return _failure()


def _refusal(error: Exception) -> Response:
    return _error(_STATUS[type(error)], type(error).__name__, str(error))


def _failure() -> Response:
    return _error(HTTPStatus.INTERNAL_SERVER_ERROR, "InternalFailureException", "The service failed.")


def _error(status: int, name: str, message: str) -> Response:
    response = _json({"message": message}, status)
    response.headers["x-amzn-ErrorType"] = name
    return response


def _json(content: object, status: int = HTTPStatus.OK) -> Response:
    return Response(orjson.dumps(content), status, media_type="application/json")


def _request_id() -> bytes:
    """Return an id in the form of AWS's, a UUID of version 4; `uuid4` takes three times as long."""
    digits = f"{getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}".encode()


class _Front:
    """Gives every answer an id of its own, where SDKs look for it, and leads to ListJobs past the framework's routing.

    Routing takes as long as it takes to read a page.
    """

    def __init__(self, app: ASGIApp, list_jobs: ListJobs) -> None:
        self._app = app
        self._list_jobs = list_jobs

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"].append((b"x-amzn-requestid", _request_id()))
            await send(message)

        if scope["type"] != "http" or scope["path"] != PATH or scope["method"] != "GET":
            await self._app(scope, receive, send_with_id)
            return
        try:
            await self._list_jobs(scope, receive, send_with_id)
        except tuple(_STATUS) as error:
            await _refusal(error)(scope, receive, send_with_id)
        except Exception:
            await _failure()(scope, receive, send_with_id)
            raise  # for the server to log
