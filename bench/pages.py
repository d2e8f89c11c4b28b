"""Pages: the time of a request at each size of the index, for each combination of filters.

Every request differs, as a cached response would be fast: a request for the first page has a position of its own, in
front of all jobs.
"""

import asyncio
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path

from bench.broker import mosquitto
from bench.http import Connection
from bench.indexes import copy_index
from bench.product import serving
from bench.questions import COMBINATIONS, from_the_middle, in_front, label, path, questions
from bench.site import Site
from jobindex.model.listing import Filters, ListJobsQuery, Position
from jobindex.model.store import Store
from jobindex.storage.sqlite.store import open_store

PART = "pages"

_SLOWEST = "slowest combination"
_IN_STORE = "slowest combination, in the store alone"
_FEWEST = 3
_ENOUGH_MS = 500


def run(site: Site) -> None:
    """Measure the same requests at each size in turn, first in the store and then over HTTP."""
    with site.directory() as directory:
        databases = {size: copy_index(site.data, size, directory) for size in site.plan.sizes}
        hardest = asyncio.run(_ask_stores(site, databases))
        with ExitStack() as stack:
            broker = stack.enter_context(mosquitto(directory))
            services = {
                size: stack.enter_context(serving(database, broker.port)) for size, database in databases.items()
            }
            connections = {size: stack.enter_context(Connection(product.url)) for size, product in services.items()}
            _ask_services(site, connections, hardest)


async def _ask_stores(site: Site, databases: Mapping[int, Path]) -> Sequence[Filters]:
    """Record the slowest combination in the store; return the slowest values of each at the largest size."""
    positions = in_front()
    async with AsyncExitStack() as stack:
        stores = {size: await stack.enter_async_context(open_store(path)) for size, path in databases.items()}
        hardest = [await _hardest(stores[max(stores)], names, positions) for names in COMBINATIONS]
        site.results.notes["asked for each combination"] = [path(filters) for filters in hardest]
        for _ in range(site.plan.rounds):
            for size, store in stores.items():
                slowest = 0.0
                for filters in hardest:
                    taken = statistics.median(await _in_store(store, filters, positions))
                    _record(site, f"{label(filters)}, in the store", size, taken, is_shown=False)
                    slowest = max(slowest, taken)
                _record(site, _IN_STORE, size, slowest)
    return hardest


async def _hardest(store: Store, names: tuple[str, ...], positions: Iterator[Position]) -> Filters:
    """Return the slowest values of a combination."""
    times = {}
    for filters in questions(names):
        times[filters] = min(await _in_store(store, filters, positions))  # the first may read cold pages
    return max(times, key=times.__getitem__)


async def _in_store(store: Store, filters: Filters, positions: Iterator[Position]) -> Sequence[float]:
    """Return the times of some pages, in ms: of fewer pages if they are slow."""
    times: list[float] = []
    while len(times) < _FEWEST and sum(times) < _ENOUGH_MS:
        query = ListJobsQuery(filters=filters, after=next(positions))
        started = time.perf_counter()
        await store.list_jobs(query)
        times.append((time.perf_counter() - started) * 1000)
    return times


def _ask_services(site: Site, connections: Mapping[int, Connection], hardest: Sequence[Filters]) -> None:
    positions = in_front()
    asked = site.plan.rounds * site.plan.requests
    middles = {size: from_the_middle(size, asked) for size in connections}
    for _ in range(site.plan.rounds):
        for size, connection in connections.items():
            repeated = [connection.milliseconds(path(Filters())) for _ in range(site.plan.requests)]
            _record(site, "first page, asked again and again", size, statistics.median(repeated))
            _record(site, "deep page", size, _median(site, connection, Filters(), middles[size]))
            slowest = 0.0
            for filters in hardest:
                taken = _median(site, connection, filters, positions)
                is_first = filters == Filters()
                is_shown = is_first or size == max(connections)
                _record(site, "first page" if is_first else label(filters), size, taken, is_shown=is_shown)
                slowest = max(slowest, taken)
            _record(site, _SLOWEST, size, slowest)


def _median(site: Site, connection: Connection, filters: Filters, positions: Iterator[Position]) -> float:
    """Return the median time of different requests, in ms: of fewer requests if they are slow."""
    times: list[float] = []
    while len(times) < site.plan.requests and (len(times) < _FEWEST or sum(times) < _ENOUGH_MS):
        times.append(connection.milliseconds(path(filters, next(positions))))
    return statistics.median(times)


def _record(site: Site, name: str, size: int, milliseconds: float, *, is_shown: bool = True) -> None:
    least, *_, greatest = site.plan.sizes
    references = [f"{name}, {least:,} jobs"] if size != least else []
    site.results.record(
        PART, f"{name}, {size:,} jobs", milliseconds, "ms", *references, is_shown=is_shown and size in {least, greatest}
    )
