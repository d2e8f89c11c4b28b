"""Freshness: the time from the publication of a notification until ListJobs shows it.

The probes are new jobs in a namespace of their own, published in addition to the rate. One connection polls for the
newest of them.
"""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random

from bench.broker import mosquitto
from bench.errors import BenchError
from bench.figures import percentile
from bench.http import Connection
from bench.ingest import greatest_rate
from bench.packets import PUBACK_BYTES, connect_packet, publish_packet
from bench.product import serving
from bench.publisher import publisher
from bench.site import Site
from bench.streams import stream_file

PART = "freshness"

_PROBE_SECONDS = 30
_PAUSE_SECONDS = 0.02
_FIRST_SECOND = 1_700_000_000
_NEWEST = "/jobs?namespaceId=probes&maxResults=1"


def run(site: Site) -> None:
    """Measure at each rate in turn."""
    rates = {f"{rate:,} messages/s": float(rate) for rate in site.plan.rates}
    rates["half the greatest rate"] = greatest_rate(site) / 2
    for _ in range(site.plan.rounds):
        for name, rate in rates.items():
            times = _probe(site, rate)
            for share in (50, 99):
                site.results.record(PART, f"p{share} at {name}", percentile(times, share / 100), "ms")


def _probe(site: Site, rate: float) -> list[float]:
    """Return the milliseconds of each probe while a service ingests `rate` notifications per second."""
    random = Random(1)
    with (
        site.directory() as directory,
        mosquitto(directory) as broker,
        serving(directory / "jobindex.db", broker.port) as product,
        publisher(broker.port, stream_file(site.data, site.plan.messages), rate=rate) as source,
        _connected(broker.port) as prober,
        Connection(product.url) as asker,
    ):
        source.start()
        times = []
        for number in range(1, site.plan.probes + 1):
            time.sleep(random.uniform(0, _PAUSE_SECONDS))
            times.append(_until_visible(prober, asker, number))
        return times


def _until_visible(prober: socket.socket, asker: Connection, number: int) -> float:
    job_id = f"probe-{number}"
    payload = json.dumps({"createdAt": _FIRST_SECOND + number, "status": "IN_PROGRESS"}).encode()
    packet = publish_packet(f"$aws/things/prober/jobs/{job_id}/notify-namespace-probes", payload, number)
    shown = f'"{job_id}"'.encode()
    started = time.perf_counter()
    prober.sendall(packet)
    while shown not in asker.get(_NEWEST):
        if time.perf_counter() - started > _PROBE_SECONDS:
            raise BenchError(f"{job_id} is not visible after {_PROBE_SECONDS} s")
    taken = time.perf_counter() - started
    prober.recv(PUBACK_BYTES, socket.MSG_WAITALL)
    return taken * 1000


@contextmanager
def _connected(port: int) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), _PROBE_SECONDS) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(connect_packet("prober"))
        connection.recv(4, socket.MSG_WAITALL)  # CONNACK
        yield connection
