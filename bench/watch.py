"""Watching: the page of namespaces at any size of the index, and the cost of open live pages to ingestion."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from bench.broker import mosquitto
from bench.http import Connection
from bench.indexes import copy_index
from bench.ingest import product_rate
from bench.processes import running
from bench.product import serving
from bench.site import Site
from bench.waiting import wait_until
from jobindex.web.cache import AGE_MAXIMUM

PART = "watch"

_ALONE = "notifications, nobody watches"
_PAGES = 5
_SECONDS = 60


def run(site: Site) -> None:
    """Measure the page on the smallest and the largest index, then ingestion without and with viewers in turn."""
    sizes = min(site.plan.sizes), max(site.plan.sizes)
    for size in sizes:
        _page(site, size)
    for _ in range(site.plan.rounds):
        site.results.record(PART, _ALONE, product_rate(site), "messages/s")
        watched = product_rate(site, lambda url: _viewers(site, url))
        site.results.record(PART, f"notifications, {site.plan.viewers} live pages", watched, "messages/s", _ALONE)


def _page(site: Site, size: int) -> None:
    """Request the page so rarely that no response is cached."""
    with (
        site.directory() as directory,
        mosquitto(directory) as broker,
        serving(copy_index(site.data, size, directory), broker.port) as product,
        Connection(product.url) as connection,
    ):
        for _ in range(_PAGES):
            time.sleep(AGE_MAXIMUM + 0.1)
            site.results.record(PART, f"namespaces page, {size:,} jobs", connection.milliseconds("/ui/"), "ms")


@contextmanager
def _viewers(site: Site, url: str) -> Iterator[None]:
    with site.directory() as directory:
        log = directory / "viewers.log"
        with running([sys.executable, "-m", "bench.viewers", url, site.plan.viewers], log) as viewers:

            def are_open() -> bool:
                assert viewers.poll() is None, log.read_text()
                return log.read_text().count("open") == site.plan.viewers

            wait_until(are_open, "the viewers", _SECONDS)
            yield
            assert viewers.poll() is None, log.read_text()
