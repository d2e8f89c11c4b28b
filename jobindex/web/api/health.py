"""How the service fares: /healthz, /readyz and /metrics."""

from collections.abc import Sequence
from datetime import timedelta
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from jobindex.access.access import principal_of
from jobindex.errors import DatabaseUnavailableError
from jobindex.model.parameters import Schema
from jobindex.monitoring.metrics import Metrics
from jobindex.monitoring.state import Ingestion, ServiceState, described
from jobindex.web.api.metrics import metrics_endpoint
from jobindex.web.api.operations import Audience, Operation, admit
from jobindex.web.api.responses import json_answer
from jobindex.web.api.schemas import FLAG, TEXT, an_object, if_known, known, one_of

_MOMENT: Schema = {"type": "string", "format": "date-time"}

HEALTHZ = Operation(
    name="GetHealth",
    summary="The process lives",
    path="/healthz",
    audience=Audience.ANYONE,
    answer=an_object(alive=FLAG),
    errors=(),
)
READYZ = Operation(
    name="GetReadiness",
    summary="Whether the index answers, and how ingestion fares",
    path="/readyz",
    audience=Audience.ANYONE,
    answer=an_object(
        ready=FLAG,
        reason=if_known(TEXT),
        ingestion=one_of(Ingestion),
        ingestionReason=if_known(TEXT),
        ingestionBy=if_known(
            an_object(replica=if_known(TEXT), ingestion=one_of(Ingestion), ingestionReason=if_known(TEXT))
        ),
        connectedSince=if_known(_MOMENT),
        completeSince=if_known(_MOMENT),
        lastMessage=if_known(_MOMENT),
        oldestUnwritten=if_known(_MOMENT),
    ),
    statuses=(HTTPStatus.OK, HTTPStatus.SERVICE_UNAVAILABLE),
    errors=(),
)
METRICS = Operation(
    name="GetMetrics",
    summary="Figures for Prometheus",
    audience=Audience.UNLIMITED,
    path="/metrics",
    media_type="text/plain",
    answer=TEXT,
    errors=(),
)
OPERATIONS = (HEALTHZ, READYZ, METRICS)
PUBLIC = frozenset(operation.path for operation in OPERATIONS if operation.audience is Audience.ANYONE)
"""What asks whether a process lives has no key."""


def health_routes(state: ServiceState, metrics: Metrics, *, stuck_after: timedelta) -> Sequence[Route]:
    """Return the routes of the operations; an execution pending for `stuck_after` is stuck."""

    async def healthz(request: Request) -> Response:  # noqa: ARG001
        return json_answer({"alive": True})

    async def readyz(request: Request) -> Response:
        sees_all = principal_of(request.scope).namespace_ids is None
        reason = state.reason
        try:
            if reason is None:
                await state.opened_store().check()
        except DatabaseUnavailableError as error:
            reason = str(error)
        told = _told(state, sees_all=sees_all)
        answer = {"ready": reason is None, **({} if reason is None else {"reason": reason}), **told}
        return json_answer(answer, HTTPStatus.OK if reason is None else HTTPStatus.SERVICE_UNAVAILABLE)

    read_metrics = metrics_endpoint(state, metrics, stuck_after=stuck_after)

    async def serve_metrics(request: Request) -> Response:
        admit(METRICS, principal_of(request.scope))
        return await read_metrics(request)

    return (Route(HEALTHZ.path, healthz), Route(READYZ.path, readyz), Route(METRICS.path, serve_metrics))


def _told(state: ServiceState, *, sees_all: bool) -> dict[str, object]:
    """Return how ingestion fares; of a replica that stands by, how it does where it is done, too."""
    told = described(state.ingestion_status(), sees_all=sees_all)
    if state.holder is None:
        return told
    there = known(
        replica=(state.holder.name or None) if sees_all else None,
        ingestion=told.pop("ingestion"),
        ingestionReason=told.pop("ingestionReason", None),
    )
    return {"ingestion": Ingestion.STANDBY, "ingestionBy": there, **told}
