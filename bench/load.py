"""Load: pages of 250 jobs per second on many connections, with and without ingestion.

All requests are for the same page, or no two are. The references are the same bytes as a constant response of the same
server (the limit), the pages as SQLite alone reads them (the limit if every page is read), moto's server and datasette.
"""

import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from random import Random

from bench import sqlite_alone
from bench.broker import Broker, mosquitto
from bench.errors import BenchError
from bench.http import Connection
from bench.indexes import copy_index
from bench.ingest import greatest_rate
from bench.jobs import jobs
from bench.processes import listens, running
from bench.product import Product, serving
from bench.publisher import publisher
from bench.questions import path
from bench.references import datasette, missing, moto
from bench.site import Site
from bench.streams import stream_file
from bench.waiting import wait_until
from bench.wrk import Load, load
from jobindex.cli.demo.nats import free_port
from jobindex.model.listing import Filters, Position
from jobindex.model.parameters import MAX_RESULTS

PART = "load"

_SAME, _DISTINCT = "the same page", "no page twice"
_CONSTANT, _MOTO, _DATASETTE = "a constant of as many bytes", "moto", "datasette"
_ALONE = "SQLite alone, no page twice"
_HELD_AGAINST = {
    _SAME: (_CONSTANT, _MOTO, _DATASETTE),
    _DISTINCT: (_CONSTANT, _ALONE, _MOTO, _DATASETTE),
    _ALONE: (_CONSTANT,),
}
_DISTINCT_MAXIMUM = 400_000
_LATENCY_CONNECTIONS = 16
_DRAIN_SECONDS = 300


@dataclass(slots=True, kw_only=True)
class _Target:
    """A server under load, with the number of its paths that are used up."""

    url: str
    paths: Path
    headers: tuple[str, ...] = ()
    asked: int = 0

    def load(self, site: Site, connections: int) -> Load:
        """Put load on some connections, from the path after the last one used."""
        done = load(
            self.url,
            self.paths,
            connections=connections,
            seconds=site.plan.load_seconds,
            first=self.asked,
            headers=self.headers,
        )
        self.asked += done.requests + connections
        return done


def run(site: Site) -> None:
    """Measure the product on the largest index, its references, and the product during ingestion."""
    with site.directory() as directory, ExitStack() as stack:
        size = max(site.plan.sizes)
        database = copy_index(site.data, size, directory)
        broker = stack.enter_context(mosquitto(directory))
        product = stack.enter_context(serving(database, broker.port))
        same = _paths(directory / "same", [path(Filters())])
        positions = _positions(size)
        distinct = _paths(directory / "distinct", [path(Filters(), position) for position in positions])
        targets = {
            _SAME: _Target(url=product.url, paths=same),
            _DISTINCT: _Target(url=product.url, paths=distinct),
            _ALONE: _Target(
                url=stack.enter_context(_server("sqlite_alone", database, directory)),
                paths=_paths(directory / "alone", [sqlite_alone.path(position) for position in positions]),
            ),
            **_references(site, stack, product.url, database, directory),
        }
        _quiet(site, targets)
        _while_ingesting(site, broker, product, {name: targets[name] for name in (_SAME, _DISTINCT)})


def _quiet(site: Site, targets: dict[str, _Target]) -> None:
    for connections in site.plan.connections:
        for _ in range(site.plan.rounds):
            for name, target in targets.items():
                held_against = [_named(other, connections) for other in _HELD_AGAINST.get(name, ()) if other in targets]
                done = target.load(site, connections)
                site.results.record(PART, _named(name, connections), done.rate, "pages/s", *held_against)


def _while_ingesting(site: Site, broker: Broker, product: Product, targets: dict[str, _Target]) -> None:
    """Measure without and with ingestion in turn, with new notifications each time."""
    rate = greatest_rate(site) / 2
    stream = stream_file(site.data, site.plan.messages)
    told = 0
    for _ in range(site.plan.rounds):
        for name, target in targets.items():
            quiet, busy = f"{name}, quiet", f"{name}, while ingesting at half rate"
            _record_times(site, quiet, target.load(site, _LATENCY_CONNECTIONS))
            with publisher(broker.port, stream, rate=rate, first=told) as source:
                source.start()
                started = time.monotonic()
                _record_times(site, busy, target.load(site, _LATENCY_CONNECTIONS), against=quiet)
                ingested = (product.messages_done() - told) / (time.monotonic() - started)
                site.results.record(PART, f"ingested beside {name}", ingested, "messages/s")
                told += source.finish()
            # A backlog would disturb the next measurement without ingestion.
            product.wait_until_done(told, _DRAIN_SECONDS)


def _record_times(site: Site, name: str, done: Load, *, against: str | None = None) -> None:
    for what, value, unit in (("p50", done.p50, "ms"), ("p99", done.p99, "ms"), ("rate", done.rate, "pages/s")):
        references = (f"{what} of {against}",) if against else ()
        site.results.record(PART, f"{what} of {name}", value, unit, *references)


def _references(site: Site, stack: ExitStack, url: str, database: Path, directory: Path) -> dict[str, _Target]:
    with Connection(url) as connection:
        content = directory / "constant.json"
        content.write_bytes(connection.get(path(Filters())))
    constant = stack.enter_context(_server("constant", content, directory))
    targets = {_CONSTANT: _Target(url=constant, paths=directory / "same")}
    for name, module in ((_MOTO, "moto.server"), (_DATASETTE, "datasette")):
        if reason := missing(site.references, module):
            site.results.skip(f"{PART}: {name}", reason)
            continue
        context = moto(site.references, directory) if name == _MOTO else datasette(site.references, database, directory)
        try:
            server = stack.enter_context(context)
        except BenchError as error:
            site.results.skip(f"{PART}: {name}", str(error))
            continue
        paths = _paths(directory / name, [server.path])
        targets[name] = _Target(url=server.url, paths=paths, headers=server.headers)
    return targets


@contextmanager
def _server(module: str, content: Path, directory: Path) -> Iterator[str]:
    """Run a module of the benchmark that serves a file on a port."""
    port = free_port()
    with running([sys.executable, "-m", f"bench.{module}", port, content], directory / f"{module}.log"):
        wait_until(lambda: listens(port), f"bench.{module}", 30)
        yield f"http://127.0.0.1:{port}"


def _positions(size: int) -> list[Position]:
    """Return positions that are followed by a full page, in random order."""
    positions = [
        Position(created_at=job.created_at, job_id=job.job_id) for job in islice(jobs(size), MAX_RESULTS, None)
    ]
    return Random(1).sample(positions, min(len(positions), _DISTINCT_MAXIMUM))


def _paths(file: Path, paths: list[str]) -> Path:
    file.write_text("".join(f"{path}\n" for path in paths))
    return file


def _named(name: str, connections: int) -> str:
    return f"{name}, {connections} connection{'s' if connections > 1 else ''}"
