"""The HTTP application: AWS's read operations on jobs, and our own outside AWS's path space.

AWS IoT uses rest-json: an error is `{"message": …}` with the header `x-amzn-ErrorType`, and every response has
`x-amzn-RequestId`.
"""

from collections.abc import Sequence
from datetime import timedelta
from http import HTTPStatus
from typing import cast

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, ExceptionHandler

from jobindex.messages.parsing import Parser
from jobindex.model.views import STUCK_AFTER
from jobindex.monitoring.metrics import Metrics
from jobindex.monitoring.state import ServiceState
from jobindex.web.api import (
    data_plane,
    describe_job,
    events,
    executions,
    health,
    import_rows,
    index_executions,
    index_jobs,
    index_things,
    rejected,
    sync,
)
from jobindex.web.api.freshness import FreshnessHeader
from jobindex.web.api.gateway import Admission, Gateway
from jobindex.web.api.list_jobs import LIST_JOBS, ListJobs
from jobindex.web.api.openapi import GET_OPENAPI, describe
from jobindex.web.api.operations import operation_routes
from jobindex.web.api.responses import STATUS, error_answer, failure, json_answer, refusal
from jobindex.web.api.throttle import CONCURRENCY_MAXIMUM, Throttle
from jobindex.web.changes import ChangeFeed
from jobindex.web.opened_jobs import OpenedJobs

App = ASGIApp

DEFAULT_PARSER = Parser()


def create_app(
    state: ServiceState,
    metrics: Metrics,
    feed: ChangeFeed,
    *,
    pages: Sequence[BaseRoute] = (),
    parser: Parser = DEFAULT_PARSER,
    stuck_after: timedelta = STUCK_AFTER,
    concurrency_maximum: int = CONCURRENCY_MAXIMUM,
    admission: Admission | None = None,
    opened: OpenedJobs | None = None,
) -> Gateway:
    """Return the ASGI application on the store in `state`, with the routes of `pages`.

    `parser` parses rejected messages again, and notes the members dropped from imported rows. An execution pending
    longer than `stuck_after` is stuck. Without `admission` every client has access. `opened` is shared with the pages.
    """
    opened = opened or OpenedJobs(state)
    handlers: dict[type[Exception] | int, ExceptionHandler] = {
        **dict.fromkeys(STATUS, _answer_error),
        HTTPException: _answer_http_error,
        Exception: _answer_failure,
    }
    throttle = Throttle(metrics, concurrency_maximum)
    list_jobs = ListJobs(state, throttle)
    served = (
        *describe_job.served(opened),
        *executions.SERVED,
        *data_plane.SERVED,
        *index_things.SERVED,
        *index_jobs.served(opened),
        *index_executions.served(stuck_after),
    )
    on_store = (
        *rejected.served(feed.note, parser),
        *import_rows.served(feed.note, parser.note),
        *sync.served(lambda: state.ingestion_status().sync),
    )
    operations = [operation for operation, _ in (*served, *on_store)]
    description = describe([LIST_JOBS, *operations, events.WATCH, *health.OPERATIONS, GET_OPENAPI])

    async def openapi(request: Request) -> Response:  # noqa: ARG001
        return json_answer(description)

    app = Starlette(
        routes=[
            Route(LIST_JOBS.path, list_jobs, methods=["GET"]),
            *operation_routes(served, on_store, state, throttle),
            *health.health_routes(state, metrics, stuck_after=stuck_after),
            Route(events.WATCH.path, events.watch(feed, throttle)),
            Route(GET_OPENAPI.path, openapi),
            *pages,
        ],
        exception_handlers=handlers,
    )
    app.router.redirect_slashes = False
    return Gateway(
        app,
        list_jobs,
        freshness=FreshnessHeader(state),
        throttle=throttle,
        metrics=metrics,
        admission=admission or Admission(),
    )


async def _answer_error(request: Request, error: Exception) -> Response:  # noqa: ARG001
    return refusal(error)


async def _answer_http_error(request: Request, error: Exception) -> Response:
    error = cast("HTTPException", error)
    method, path = request.method, request.url.path
    if error.status_code == HTTPStatus.NOT_FOUND:
        response = error_answer(error.status_code, "UnknownOperationException", f"Unknown operation: {method} {path}")
    else:
        message = f"The method {method} is not allowed for {path}"
        response = error_answer(error.status_code, "MethodNotAllowedException", message)
    response.headers.update(error.headers or {})
    return response


async def _answer_failure(request: Request, error: Exception) -> Response:  # noqa: ARG001
    # starlette raises the error again after this response, for the server to log.
    return failure()
