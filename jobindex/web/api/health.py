"""The health of the service: /healthz, /readyz and /metrics."""

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
from jobindex.web.api.schemas import FLAG, TEXT, an_array, an_object, if_known, known, one_of, sync_status

_MOMENT: Schema = {"type": "string", "format": "date-time"}

HEALTHZ = Operation(
    name="GetHealth",
    summary="Whether the process is alive",
    path="/healthz",
    audience=Audience.ANYONE,
    answer=an_object(alive=FLAG),
    errors=(),
)
READYZ = Operation(
    name="GetReadiness",
    summary="Whether the index can be read, and the ingestion status",
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
        filled=if_known(_MOMENT),
        reconciled=if_known(_MOMENT),
        sessionLost=if_known(_MOMENT),
        settling=if_known(an_array(TEXT)),
        setAside=if_known(an_array(TEXT)),
        unwritable=if_known(TEXT),
        sync=if_known(an_object(**sync_status("fill", "check"))),
        nothingEverArrived=if_known(FLAG),
    ),
    statuses=(HTTPStatus.OK, HTTPStatus.SERVICE_UNAVAILABLE),
    errors=(),
)
METRICS = Operation(
    name="GetMetrics",
    summary="Metrics for Prometheus",
    audience=Audience.UNLIMITED,
    path="/metrics",
    media_type="text/plain",
    answer=TEXT,
    errors=(),
)
OPERATIONS = (HEALTHZ, READYZ, METRICS)
PUBLIC = frozenset(operation.path for operation in OPERATIONS if operation.audience is Audience.ANYONE)
"""Health checks have no key."""


def health_routes(state: ServiceState, metrics: Metrics, *, stuck_after: timedelta) -> Sequence[Route]:
    """Return the routes."""

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
        status = _status(state, sees_all=sees_all)
        shown = reason if sees_all else None  # it may name the database and its user
        answer = {"ready": reason is None, **known(reason=shown), **status}
        return json_answer(answer, HTTPStatus.OK if reason is None else HTTPStatus.SERVICE_UNAVAILABLE)

    read_metrics = metrics_endpoint(state, metrics, stuck_after=stuck_after)

    async def serve_metrics(request: Request) -> Response:
        admit(METRICS, principal_of(request.scope))
        return await read_metrics(request)

    return (Route(HEALTHZ.path, healthz), Route(READYZ.path, readyz), Route(METRICS.path, serve_metrics))


def _status(state: ServiceState, *, sees_all: bool) -> dict[str, object]:
    status = described(state.ingestion_status(), sees_all=sees_all)
    if state.holder is None:
        return status
    there = known(
        replica=(state.holder.name or None) if sees_all else None,
        ingestion=status.pop("ingestion"),
        ingestionReason=status.pop("ingestionReason", None),
    )
    return {"ingestion": Ingestion.STANDBY, "ingestionBy": there, **status}
