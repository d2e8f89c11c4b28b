"""Footprint: memory, disk and start-up time, with a small and with a large index."""

import time
from itertools import islice

from bench.broker import mosquitto
from bench.http import Connection
from bench.indexes import copy_index
from bench.jobs import LEFT, jobs
from bench.processes import resident_mib
from bench.product import starting
from bench.questions import path
from bench.site import Site
from bench.waiting import wait_until
from jobindex.model.listing import Filters, Position

PART = "footprint"

_PAGES = 200
_START_SECONDS = 60


def run(site: Site) -> None:
    """Measure the smallest and the largest index in turn."""
    least, *_, greatest = site.plan.sizes
    with site.directory() as directory, mosquitto(directory) as broker:
        databases = {size: copy_index(site.data, size, directory) for size in (least, greatest)}
        for size, database in databases.items():
            site.results.record(PART, f"disk a job, {size:,} jobs", database.stat().st_size / size, "bytes")
        for _ in range(site.plan.rounds):
            for size, database in databases.items():
                started = time.monotonic()
                with starting(database, broker.port) as product:
                    wait_until(product.is_ready, "the service", _START_SECONDS, every=0.005)
                    _record(site, "start until ready", size, time.monotonic() - started, "s")
                    with Connection(product.url) as connection:
                        for request in _requests(size):
                            connection.get(request)
                    _record(site, "memory", size, resident_mib(product.pid), "MiB")


def _requests(size: int) -> list[str]:
    """Return requests for pages from the whole list, with and without a filter."""
    positions = (
        Position(created_at=job.created_at, job_id=job.job_id) for job in islice(jobs(size), 0, None, size // _PAGES)
    )
    chosen = (Filters(), Filters(namespace_id=LEFT.namespace_id), Filters(thing_group_name=LEFT.group))
    return [path(filters, position) for position in positions for filters in chosen]


def _record(site: Site, name: str, size: int, value: float, unit: str) -> None:
    least = min(site.plan.sizes)
    references = [f"{name}, {least:,} jobs"] if size != least else []
    site.results.record(PART, f"{name}, {size:,} jobs", value, unit, *references)
