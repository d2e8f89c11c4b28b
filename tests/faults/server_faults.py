"""The faults of a PostgreSQL server under the service: each breaks it for a while, and repairs it before it returns."""

from collections.abc import Mapping, Sequence
from random import Random

from support.postgresql_servers import Server, locked
from support.waiting import wait_until

from faults.database import DATABASE
from faults.faults import GROUPS, Kind, kill_service, note_end
from faults.site import Site

_MEND_SECONDS = 60


def kill_server(site: Site, random: Random) -> None:
    """Kill the server, and restart it from its files."""
    server = _server(site)
    server.kill()
    site.counts["database killed"] += 1
    site.pause(random.uniform(0, 2))
    server.start()


def restart_server(site: Site, random: Random) -> None:
    """Shut the server down, which ends every connection, and restart it."""
    server = _server(site)
    server.stop()
    site.counts["database restarted"] += 1
    site.pause(random.uniform(0, 2))
    server.start()


def freeze_server(site: Site, random: Random) -> None:
    """Stop all of the server's processes with SIGSTOP for a while: connections stay open without an answer."""
    with _server(site).frozen():
        site.pause(random.uniform(0.1, 3))
    site.counts["database frozen"] += 1


def end_connections(site: Site, random: Random) -> None:  # noqa: ARG001 (as every fault)
    """End every connection to the index, as an operator or a failover does."""
    others = f"datname = '{DATABASE}' AND pid <> pg_backend_pid()"
    ended = _server(site).execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}")
    site.counts["connections ended"] += len(ended)


def lock_tables(site: Site, random: Random) -> None:
    """Lock every table against writes for a while, from another connection."""
    with locked(_server(site).url(DATABASE)) as is_locked:
        site.pause(random.uniform(0.2, 3) if is_locked else 0)
    site.counts["tables locked"] += is_locked


def fill_server_disk(site: Site, random: Random) -> None:
    """Fill the server's disk for a while; restart the server if it exits."""
    server = _server(site)
    if not site.disk.is_mounted:
        return
    with site.disk.full(()):
        site.pause(random.uniform(0.5, 4))
    site.counts["database's disk full"] += 1
    wait_until(lambda: server.answers() or not server.is_alive(), "the server after its disk was full", _MEND_SECONDS)
    if not server.is_alive():
        site.counts["database gave up on a full disk"] += 1
        server.start()


def run_replica(site: Site, random: Random) -> None:
    """Run a second service on the same database for a while: one of the two is the standby."""
    note_end(site)
    replica = site.replica
    assert replica is not None
    replica.start_only()
    site.pause(random.uniform(1, 4))
    status = replica.stop()
    if status != 0:
        site.wrong.append(f"the replica ended with {status}:\n{replica.log()}")
    site.counts["replica on the same database"] += 1


SERVER_GROUPS: Mapping[str, Sequence[Kind]] = {
    **GROUPS,
    "service": (Kind(strike=kill_service, per_minute=24), Kind(strike=run_replica, per_minute=2)),
    "disk": (
        Kind(strike=kill_server, per_minute=2),
        Kind(strike=restart_server, per_minute=1),
        Kind(strike=freeze_server, per_minute=2),
        Kind(strike=end_connections, per_minute=4),
        Kind(strike=lock_tables, per_minute=3),
        Kind(strike=fill_server_disk, per_minute=1),
    ),
}
"""Like GROUPS, if the index is in PostgreSQL."""


def _server(site: Site) -> Server:
    assert site.server is not None
    return site.server
