"""/metrics: what the service counts as it runs, and what its index holds when it is asked."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from starlette.requests import Request
from starlette.responses import Response

from jobindex.errors import DatabaseUnavailableError
from jobindex.monitoring.index_counts import read_census
from jobindex.monitoring.metrics import CONTENT_TYPE, Metrics
from jobindex.monitoring.state import ServiceState

READ_SECONDS = 5
"""Prometheus gives up a scrape after ten: what cannot be read by then must not cost the other figures."""


def metrics_endpoint(
    state: ServiceState, metrics: Metrics, *, stuck_after: timedelta
) -> Callable[[Request], Awaitable[Response]]:
    """Return the endpoint of /metrics; while the index cannot be read, its figures are left out."""
    reading = asyncio.Lock()  # however many ask, one reads: the others' pages go first

    async def serve_metrics(request: Request) -> Response:  # noqa: ARG001
        try:
            async with asyncio.timeout(READ_SECONDS), reading:
                census = await read_census(state.opened_store(), stuck_after=stuck_after, now=datetime.now(UTC))
        except (DatabaseUnavailableError, TimeoutError):
            census = None
        return Response(metrics.encode(census), headers={"content-type": CONTENT_TYPE})

    return serve_metrics
