"""PostgreSQL and SQLite in turn: messages per second, the time of a page, and bytes on disk.

Both run behind the service and return the same pages; in each round, one answers all of its requests before the other.
As in `pages.py`, every request differs. Not chosen: alternating after each page: SQLite then takes a quarter longer and
PostgreSQL a twentieth; the other parts send requests without a pause, too.
"""

import statistics
from collections.abc import Mapping
from contextlib import ExitStack
from itertools import islice

from bench import postgresql
from bench.broker import mosquitto
from bench.errors import BenchError
from bench.figures import percentile
from bench.http import Connection
from bench.indexes import copy_index
from bench.ingest import product_rate
from bench.product import serving
from bench.questions import from_the_middle, in_front, label, path, questions
from bench.site import Site
from jobindex.model.parameters import MAX_RESULTS

PART = "postgres"
SQLITE, POSTGRESQL = "SQLite", "PostgreSQL"
ASKED = tuple(questions(names)[0] for names in ((), ("namespace_id",), ("status",), ("thing_group_name",)))
"""Filters that match at least a quarter of all jobs, so that every page is full."""


def run(site: Site) -> None:
    """Measure both in turn; skip the part if PostgreSQL is not installed."""
    if reason := postgresql.missing():
        site.results.skip(PART, reason)
        return
    with postgresql.postgresql(site.data) as server:
        site.results.notes[POSTGRESQL] = [server.version()]
        for _ in range(site.plan.rounds):
            _record(site, "notifications", SQLITE, product_rate(site), "messages/s")
            with server.database("empty") as url:
                _record(site, "notifications", POSTGRESQL, product_rate(site, database=url), "messages/s")
        for size in site.plan.engine_sizes:
            _measure_index(site, server, size)


def _measure_index(site: Site, server: postgresql.PostgreSQL, size: int) -> None:
    with site.directory() as directory, mosquitto(directory) as broker, ExitStack() as stack:
        index = copy_index(site.data, size, directory)
        url = stack.enter_context(server.database("filled"))
        postgresql.fill(url, index)
        _record(site, f"disk a job, {size:,} jobs", SQLITE, index.stat().st_size / size, "bytes")
        _record(site, f"disk a job, {size:,} jobs", POSTGRESQL, postgresql.size(url) / size, "bytes")
        services = {
            SQLITE: serving(index, broker.port),
            POSTGRESQL: serving(directory / "postgresql.db", broker.port, url=url),
        }
        connections = {
            engine: stack.enter_context(Connection(stack.enter_context(service).url))
            for engine, service in services.items()
        }
        _ask(site, connections, size)


def _ask(site: Site, connections: Mapping[str, Connection], size: int) -> None:
    first = in_front()
    later = {filters: from_the_middle(size, site.plan.rounds * site.plan.probes + 1) for filters in ASKED}
    for filters in ASKED:
        for positions in (first, later[filters]):
            _check(connections, path(filters, next(positions)))
    for _ in range(site.plan.rounds):
        for filters in ASKED:
            for page, positions in (("first page", first), ("later page", later[filters])):
                asked = [path(filters, position) for position in islice(positions, site.plan.probes)]
                times = {
                    engine: [connection.milliseconds(request) for request in asked]
                    for engine, connection in connections.items()
                }
                what = f"{page}, {label(filters)}, {size:,} jobs"
                for engine in connections:
                    _record(site, f"{what}, p50", engine, statistics.median(times[engine]), "ms")
                for engine in connections:
                    _record(site, f"{what}, p99", engine, percentile(times[engine], 0.99), "ms")


def _check(connections: Mapping[str, Connection], request: str) -> None:
    """Check that all return the same full page.

    Raises:
        BenchError: they do not.
    """
    answers = {connection.get(request) for connection in connections.values()}
    if len(answers) > 1:
        raise BenchError(f"{request} is answered differently by {' and '.join(connections)}")
    [answer] = answers
    if answer.count(b'"jobId"') != MAX_RESULTS:
        raise BenchError(f"{request} is not answered with a full page")


def _record(site: Site, what: str, engine: str, value: float, unit: str) -> None:
    references = [f"{what}, {SQLITE}"] if engine == POSTGRESQL else []
    site.results.record(PART, f"{what}, {engine}", value, unit, *references)
