"""How the service fares: /healthz, /readyz and /metrics."""

from collections.abc import Sequence
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from jobindex.api.answers import json_answer
from jobindex.api.members import FLAG, TEXT, an_object, one_of
from jobindex.api.operations import Operation
from jobindex.errors import DatabaseUnavailableError
from jobindex.metrics import CONTENT_TYPE, Metrics
from jobindex.parameters import Schema
from jobindex.state import Ingestion, State, described

_MOMENT: Schema = {"type": "string", "format": "date-time"}

HEALTHZ = Operation(
    name="GetHealth", summary="The process lives", path="/healthz", answer=an_object("alive", alive=FLAG), errors=()
)
READYZ = Operation(
    name="GetReadiness",
    summary="Whether the index answers, and how ingestion fares",
    path="/readyz",
    answer=an_object(
        "ready",
        "ingestion",
        ready=FLAG,
        reason=TEXT,
        ingestion=one_of(Ingestion),
        ingestionReason=TEXT,
        connectedSince=_MOMENT,
        completeSince=_MOMENT,
        lastMessage=_MOMENT,
        oldestUnwritten=_MOMENT,
    ),
    statuses=(HTTPStatus.OK, HTTPStatus.SERVICE_UNAVAILABLE),
    errors=(),
)
METRICS = Operation(
    name="GetMetrics",
    summary="Figures for Prometheus",
    path="/metrics",
    media_type="text/plain",
    answer=TEXT,
    errors=(),
)
OPERATIONS = (HEALTHZ, READYZ, METRICS)


def health_routes(state: State, metrics: Metrics) -> Sequence[Route]:
    """Return the routes of the operations."""

    async def healthz(request: Request) -> Response:  # noqa: ARG001
        return json_answer({"alive": True})

    async def readyz(request: Request) -> Response:  # noqa: ARG001
        reason = state.reason
        try:
            if reason is None:
                await state.opened_store().check()
        except DatabaseUnavailableError as error:
            reason = str(error)
        answer = {"ready": reason is None, **({} if reason is None else {"reason": reason}), **described(state)}
        return json_answer(answer, HTTPStatus.OK if reason is None else HTTPStatus.SERVICE_UNAVAILABLE)

    async def serve_metrics(request: Request) -> Response:  # noqa: ARG001
        return Response(metrics.encode(), headers={"content-type": CONTENT_TYPE})

    return (Route(HEALTHZ.path, healthz), Route(READYZ.path, readyz), Route(METRICS.path, serve_metrics))
