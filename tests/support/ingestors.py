"""The ingestor on a store, without a service."""

from collections.abc import Sequence

from jobindex.ingest.inbox import Delivery
from jobindex.ingest.ingestor import Ingestor
from jobindex.model.store import Store
from jobindex.monitoring.metrics import Metrics
from jobindex.monitoring.state import ServiceState
from support.messages import NOW


async def ingest(store: Store, batch: Sequence[Delivery], state: ServiceState) -> list[Delivery]:
    """Apply a batch; return the messages in the order in which they became durable."""
    ingestor = Ingestor(
        store,
        Metrics(state),
        clock=lambda: NOW,
        on_applied=lambda _reports, _changed: None,
        on_deferred=lambda _: None,
        status=state,
    )
    return [delivery async for durable in ingestor.apply(batch) for delivery in durable]
