"""/metrics: the service's counters, and counts of the index, read at each scrape."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from starlette.requests import Request
from starlette.responses import Response

from jobindex.errors import DatabaseUnavailableError
from jobindex.monitoring.index_counts import NAMESPACES_MAXIMUM, STUCK_MAXIMUM
from jobindex.monitoring.metrics import CONTENT_TYPE, Metrics
from jobindex.monitoring.state import ServiceState

READ_SECONDS = 4
"""For each of two reads. A scrape of Prometheus times out after ten: a slow read must not cost the other metrics."""


def metrics_endpoint(
    state: ServiceState, metrics: Metrics, *, stuck_after: timedelta
) -> Callable[[Request], Awaitable[Response]]:
    """Return the endpoint of /metrics; counts that cannot be read are left out."""
    reading = asyncio.Lock()  # one scrape reads at a time: pages go first

    async def serve_metrics(request: Request) -> Response:  # noqa: ARG001
        counts = stuck = None
        with suppress(DatabaseUnavailableError, TimeoutError):
            async with asyncio.timeout(READ_SECONDS), reading:
                counts = await state.opened_store().namespace_counts(maximum=NAMESPACES_MAXIMUM)
        with suppress(DatabaseUnavailableError, TimeoutError):
            async with asyncio.timeout(READ_SECONDS), reading:
                since = datetime.now(UTC) - stuck_after
                stuck = await state.opened_store().count_waiting(since=since, maximum=STUCK_MAXIMUM)
        return Response(metrics.encode(counts, stuck), headers={"content-type": CONTENT_TYPE})

    return serve_metrics
