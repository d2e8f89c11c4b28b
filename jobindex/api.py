"""The HTTP side: ListJobs in AWS's form, and beside AWS's path space /healthz, /readyz, /metrics and /rejected.

AWS IoT speaks rest-json: times are numbers of seconds with a fraction, an unknown member is left out, an
error is `{"message": …}` under the header `x-amzn-ErrorType`, and every answer has `x-amzn-RequestId`.
"""

import logging
from collections.abc import Awaitable, Callable
from datetime import datetime
from http import HTTPStatus
from typing import cast
from uuid import uuid4

import orjson
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, ExceptionHandler, Message, Receive, Scope, Send

from jobindex.errors import (
    AccessDeniedException,
    DatabaseUnavailableError,
    InvalidRequestException,
    ResourceNotFoundException,
    ServiceUnavailableException,
    ThrottlingException,
)
from jobindex.jobs import JobSummary
from jobindex.listing import encode_token, parse_list_jobs
from jobindex.metrics import CONTENT_TYPE, Metrics
from jobindex.rejected_api import rejected_endpoints
from jobindex.state import State
from jobindex.store import Store

CONCURRENCY_MAXIMUM = 1000
"""ListJobs requests under way at once; further ones are throttled, and SDKs try again."""

App = ASGIApp

_STATUS: dict[type[Exception], int] = {
    InvalidRequestException: 400,
    ResourceNotFoundException: 404,
    ThrottlingException: 400,
    ServiceUnavailableException: 503,
    AccessDeniedException: 403,
}

_log = logging.getLogger(__name__)

_Endpoint = Callable[[Request], Awaitable[Response]]


def create_app(
    state: State,
    metrics: Metrics,
    *,
    region: str,
    account_id: str,
    concurrency_maximum: int = CONCURRENCY_MAXIMUM,
) -> App:
    """Return the ASGI app that answers from the store in `state`; `region` and `account_id` make job ARNs."""
    handlers: dict[type[Exception] | int, ExceptionHandler] = {
        **dict.fromkeys(_STATUS, _answer_error),
        HTTPException: _answer_http_error,
        Exception: _answer_failure,
    }
    list_jobs = _list_jobs(state, f"arn:aws:iot:{region}:{account_id}:job/")
    app = Starlette(
        routes=[
            Route("/jobs", _throttled(list_jobs, metrics, concurrency_maximum)),
            Route("/healthz", _healthz),
            Route("/readyz", _readyz(state)),
            Route("/metrics", _metrics(metrics)),
            *(
                Route(path, _throttled(endpoint, metrics, concurrency_maximum), methods=[method])
                for method, path, endpoint in rejected_endpoints(lambda: _store(state))
            ),
        ],
        exception_handlers=handlers,
    )
    app.router.redirect_slashes = False
    return _RequestId(app)


def _list_jobs(state: State, arn_prefix: str) -> _Endpoint:
    async def list_jobs(request: Request) -> Response:
        query = parse_list_jobs(request.query_params.multi_items())
        try:
            page = await _store(state).list_jobs(query)
        except DatabaseUnavailableError as error:
            _log.warning("ListJobs: %s", error)
            raise ServiceUnavailableException("The service is temporarily unavailable.") from error
        position = page.next_position()
        response = _json(
            {
                "jobs": [_encode_job(job, arn_prefix) for job in page.jobs],
                "nextToken": None if position is None else encode_token(position, query.filters),
            }
        )
        response.headers["jobindex-freshness"] = _encode_freshness(state)
        return response

    return list_jobs


def _encode_job(job: JobSummary, arn_prefix: str) -> dict[str, object]:
    """Return a job as AWS writes it, without the members that are not known."""
    members = {
        "jobArn": job.job_arn or arn_prefix + job.job_id,
        "jobId": job.job_id,
        "status": job.status,
        "isConcurrent": job.is_concurrent,
        "targetSelection": job.target_selection,
        "thingGroupId": job.thing_group_id,
        "createdAt": _seconds(job.created_at),
        "lastUpdatedAt": _seconds(job.last_updated_at),
        "completedAt": None if job.completed_at is None else _seconds(job.completed_at),
    }
    return {name: value for name, value in members.items() if value is not None}


def _encode_freshness(state: State) -> str:
    """Return how fresh the answer is, as a dictionary of structured fields (RFC 9651)."""
    times = (f"{name.replace('_', '-')}=@{int(time.timestamp())}" for name, time in state.freshness().items())
    return ", ".join((f"ingestion={state.ingestion}", *times))


def _camel_case(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(other.capitalize() for other in others)


def _iso(time: datetime) -> str:
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _seconds(time: datetime) -> float:
    return time.timestamp()


async def _healthz(request: Request) -> Response:  # noqa: ARG001
    return _json({"alive": True})


def _readyz(state: State) -> _Endpoint:
    async def readyz(request: Request) -> Response:  # noqa: ARG001
        reason = state.reason
        try:
            if reason is None:
                await _store(state).check()
        except DatabaseUnavailableError as error:
            reason = str(error)
        answer = {
            "ready": reason is None,
            "reason": reason,
            "ingestion": state.ingestion,
            "ingestionReason": state.ingestion_reason,
            **{_camel_case(name): _iso(time) for name, time in state.freshness().items()},
        }
        known = {name: value for name, value in answer.items() if value is not None}
        return _json(known, HTTPStatus.OK if reason is None else HTTPStatus.SERVICE_UNAVAILABLE)

    return readyz


def _metrics(metrics: Metrics) -> _Endpoint:
    async def serve_metrics(request: Request) -> Response:  # noqa: ARG001
        return Response(metrics.encode(), headers={"content-type": CONTENT_TYPE})

    return serve_metrics


def _throttled(endpoint: _Endpoint, metrics: Metrics, maximum: int) -> _Endpoint:
    """Bound the requests that wait for the index: more would only wait longer, in memory."""
    under_way = 0

    async def throttled(request: Request) -> Response:
        nonlocal under_way
        if under_way >= maximum:
            metrics.throttled.inc()
            raise ThrottlingException("The rate exceeds the limit.")
        under_way += 1
        try:
            return await endpoint(request)
        finally:
            under_way -= 1

    return throttled


def _store(state: State) -> Store:
    if state.store is None:
        raise DatabaseUnavailableError(state.reason)
    return state.store


async def _answer_error(request: Request, error: Exception) -> Response:  # noqa: ARG001
    return _error(_STATUS[type(error)], type(error).__name__, str(error))


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
    return _error(HTTPStatus.INTERNAL_SERVER_ERROR, "InternalFailureException", "The service failed.")


def _error(status: int, name: str, message: str) -> Response:
    response = _json({"message": message}, status)
    response.headers["x-amzn-ErrorType"] = name
    return response


def _json(content: object, status: int = HTTPStatus.OK) -> Response:
    return Response(orjson.dumps(content), status, media_type="application/json")


class _RequestId:
    """Gives every answer an id of its own, where SDKs look for it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["x-amzn-RequestId"] = str(uuid4())
            await send(message)

        await self._app(scope, receive, send_with_id)
