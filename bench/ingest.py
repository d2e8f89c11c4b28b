"""Ingest: durable notifications per second, compared with the broker's own client and a short script."""

import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from bench import script
from bench.broker import mosquitto, program
from bench.processes import running
from bench.product import serving
from bench.publisher import publisher
from bench.site import Site
from bench.streams import stream_file
from bench.waiting import wait_until
from jobindex.messages.topics import DEFAULT_FILTERS

PART = "ingest"
PRODUCT = "jobindex serve"

_LIMIT, _SCRIPT = "mosquitto_sub -q 1", "a script, a commit a message"
_COUNTER = "counter"
_SECONDS = 900
_SCRIPT_ENDS_BEFORE = 1


def run(site: Site) -> None:
    """Measure the product and its references in turn."""
    for _ in range(site.plan.rounds):
        site.results.record(PART, PRODUCT, product_rate(site), "messages/s", _LIMIT, _SCRIPT)
        site.results.record(PART, _LIMIT, _limit_rate(site), "messages/s")
        site.results.record(PART, _SCRIPT, _script_rate(site), "messages/s")


def greatest_rate(site: Site) -> float:
    """Return the median rate of the product in this run; measure it if the run has not."""
    if site.results.median(PART, PRODUCT) is None:
        site.results.record(PART, PRODUCT, product_rate(site), "messages/s")
    return site.results.median(PART, PRODUCT) or 0


def product_rate(
    site: Site, beside: Callable[[str], AbstractContextManager[object]] = nullcontext, *, database: str | None = None
) -> float:
    """Return a service's messages per second on an empty index, from the first publication to the last commit.

    `beside` runs meanwhile and gets the service's URL. `database` is the URL of a database that is not a file.
    """
    count = site.plan.messages
    with (
        site.directory() as directory,
        mosquitto(directory) as broker,
        serving(directory / "jobindex.db", broker.port, url=database) as product,
        beside(product.url),
        publisher(broker.port, stream_file(site.data, count)) as source,
    ):
        return _rate(count, source.start, lambda: product.messages_done() >= count, every=0.05)


def _limit_rate(site: Site) -> float:
    count = site.plan.messages
    subscriptions = [part for topic_filter in DEFAULT_FILTERS for part in ("-t", topic_filter)]
    with (
        site.directory() as directory,
        mosquitto(directory) as broker,
        running(
            [program("mosquitto_sub"), "-p", broker.port, "-i", _COUNTER, "-q", 1, "-C", count, *subscriptions],
            Path("/dev/null"),
        ) as counter,
        publisher(broker.port, stream_file(site.data, count)) as source,
    ):
        broker.wait_subscribed(_COUNTER)
        return _rate(count, source.start, lambda: _has_ended(counter))


def _script_rate(site: Site) -> float:
    count = site.plan.script_messages
    with site.directory() as directory, mosquitto(directory) as broker:
        command = [sys.executable, "-m", "bench.script", broker.port, directory / "script.db", count]
        with (
            running(command, directory / "script.log") as keeper,
            publisher(broker.port, stream_file(site.data, count)) as source,
        ):
            broker.wait_subscribed(script.CLIENT_ID)
            return _rate(count, source.start, lambda: _has_ended(keeper))


def _rate(count: int, start: Callable[[], None], is_done: Callable[[], bool], *, every: float = 0.005) -> float:
    started = time.monotonic()
    start()
    wait_until(is_done, f"{count} messages", _SECONDS, every=every)
    return count / (time.monotonic() - started)


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    return process.poll() is not None
