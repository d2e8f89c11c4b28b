"""The faults: each breaks one thing for a while, and repairs it before it returns."""

import math
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from random import Random

from support.waiting import wait_until

from faults.site import CLIENT_ID, Site

_PROBE_SECONDS = 90
_SAVE_SECONDS = 15
_CUT_SECONDS = 1.5
_WINDOW_BYTES = 300_000

# A process that takes the write lock. It is killed: a process that closes the file may write to it.
_LOCK = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], timeout=10, isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
time.sleep(60)
"""


def note_end(site: Site) -> None:
    """Restart the service if it has exited, and record the exit as wrong."""
    if site.service.has_ended():
        site.wrong.append(f"the service ended by itself:\n{site.service.log()}")
        site.start_service()


def kill_service(site: Site, random: Random) -> None:
    """Kill the service at a random time, sometimes during its start, and restart it."""
    note_end(site)
    site.service.kill(leaves_writer=random.random() < 0.5)
    site.counts["service killed"] += 1
    if random.random() < 0.2:
        site.pause(random.uniform(0, 1))
    if random.random() < 0.2:
        site.service.spawn()
        site.pause(random.uniform(0, 0.7))
        site.service.kill()
        site.counts["service killed"] += 1
    site.start_service()


def clash(site: Site, random: Random) -> None:  # noqa: ARG001 (as every fault)
    """Start a second service on the same database: it must refuse, and not disturb the first."""
    note_end(site)
    service = site.service
    wait_until(lambda: service.get("/readyz")[0] == 200, "the index to be open, and its lock held", _PROBE_SECONDS)
    second = subprocess.run(
        [sys.executable, "-m", "jobindex", "serve"],
        env=service._environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    if second.returncode == 0 or "in use by another jobindex" not in second.stderr:
        site.wrong.append(f"a second service on the same database ended with {second.returncode}: {second.stderr}")
    site.counts["second service on the same database"] += 1


def freeze_service(site: Site, random: Random) -> None:
    """Stop one or all of the service's processes with SIGSTOP for a while; other faults may kill them meanwhile."""
    pids = site.service.pids()
    stopped = pids if random.random() < 0.5 else [random.choice(pids)]
    _signal(stopped, signal.SIGSTOP)
    site.pause(random.uniform(0.1, 3))
    _signal(stopped, signal.SIGCONT)
    site.counts["service frozen"] += 1


def kill_writer(site: Site, random: Random) -> None:  # noqa: ARG001 (as every fault)
    """Kill the writer process, as a system does that runs out of memory."""
    _, *apart = site.service.pids()
    _signal(apart, signal.SIGKILL)
    site.counts["process that writes killed"] += len(apart)


def _signal(pids: Sequence[int], number: int) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def save_broker(site: Site, random: Random | None = None) -> None:  # noqa: ARG001
    """Make the broker save; the messages that it had acknowledged before are saved once its file has changed."""
    acknowledged = site.ledger.acknowledged()
    before = _written_at(site)
    end = time.monotonic() + _SAVE_SECONDS
    asked = -math.inf
    while _written_at(site) == before:
        if time.monotonic() > end:
            raise AssertionError(f"the broker did not save within {_SAVE_SECONDS} s")
        if time.monotonic() > asked + 1:  # a signal is lost at the end of a save
            site.broker.send_signal(signal.SIGUSR1)
            asked = time.monotonic()
        time.sleep(0.01)
    site.ledger.save(acknowledged)
    site.note(f"the broker has saved {len(acknowledged)} messages")
    site.counts["broker saved"] += 1


def kill_broker(site: Site, random: Random) -> None:
    """Kill the broker a moment after it has saved, and restart it from its file."""
    save_broker(site)
    site.pause(random.choice([0, random.uniform(0, 2)]))
    site.note(f"the broker is killed, with {len(site.ledger.acknowledged())} messages not saved")
    site.broker.kill()
    site.counts["broker killed"] += 1
    site.pause(random.uniform(0, 2))
    connections = site.ledger.connections
    site.broker.start()
    # It listens before it handles signals: until then, the one that makes it save would end it.
    wait_until(lambda: site.ledger.connections > connections, "the publisher's connection", _SAVE_SECONDS)


def forget_session(site: Site, random: Random) -> None:
    """Make the broker delete the session, like a client with the same id and a clean start; then make it save.

    Messages between the two probes may be lost: there was no session, or it was deleted before they were delivered.
    """
    first = site.probe(_PROBE_SECONDS)
    site.pause(random.uniform(0, 1))
    client_id = CLIENT_ID.encode()
    connect = b"\x00\x04MQTT\x04\x02\x00\x0a" + len(client_id).to_bytes(2, "big") + client_id
    with socket.create_connection(("127.0.0.1", site.broker.port), 5) as channel:
        channel.sendall(b"\x10" + bytes([len(connect)]) + connect)
        if not channel.recv(4).startswith(b"\x20"):
            raise AssertionError("the broker refused the client that deletes the session")
        channel.sendall(b"\xe0\x00")
    site.ledger.excuse(first, site.probe(_PROBE_SECONDS))
    save_broker(site)
    site.counts["session forgotten"] += 1


def cut(site: Site, random: Random) -> None:
    """Cut the connection inside a packet: one of its first packets, or a later one that delivers.

    Some connections last for more than a receive window: otherwise a backlog would never shrink.
    """
    after = random.choice([0, random.randrange(20_000), random.randrange(_WINDOW_BYTES)])
    site.counts["connection cut"] += site.proxy.cut(_CUT_SECONDS, after=after)


def stall(site: Site, random: Random) -> None:
    """Block all traffic between the service and its broker for a while."""
    with site.proxy.stalling():
        site.pause(random.uniform(0.2, 3))
    site.counts["connection stalled"] += 1


def delay(site: Site, random: Random) -> None:
    """Delay all traffic between the service and its broker for a while."""
    with site.proxy.delaying(random.uniform(0.01, 0.3)):
        site.pause(random.uniform(0.5, 3))
    site.counts["connection delayed"] += 1


def fill_disk(site: Site, random: Random) -> None:
    """Fill the service's disk for a while."""
    with site.disk.full(site.service.pids()):
        site.pause(random.uniform(0.5, 4))
    site.counts["disk full"] += 1


def lock_database(site: Site, random: Random) -> None:
    """Lock the database for a while, from another process."""
    command = [sys.executable, "-c", _LOCK, str(site.service.database)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        is_locked = process.stdout.readline() != b""
        site.pause(random.uniform(0.2, 3) if is_locked else 0)
        process.kill()
    site.counts["database locked"] += is_locked


def run_other_service(site: Site, random: Random) -> None:
    """Run a second service with the same client id for a while: each takes the session over from the other."""
    site.other.start_only()
    site.pause(random.uniform(1, 4))
    status = site.other.stop()
    if status != 0:
        site.wrong.append(f"the second service ended with {status}:\n{site.other.log()}")
    site.counts["second service with the same client id"] += 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of fault, and its frequency."""

    strike: Callable[[Site, Random], None]
    per_minute: float


GROUPS: Mapping[str, Sequence[Kind]] = {
    "service": (Kind(strike=kill_service, per_minute=24), Kind(strike=clash, per_minute=0.5)),
    "process": (Kind(strike=freeze_service, per_minute=5), Kind(strike=kill_writer, per_minute=5)),
    "broker": (
        Kind(strike=kill_broker, per_minute=2.8),
        Kind(strike=save_broker, per_minute=3),
        Kind(strike=forget_session, per_minute=0.8),
    ),
    "network": (
        Kind(strike=cut, per_minute=45),
        Kind(strike=stall, per_minute=3),
        Kind(strike=delay, per_minute=3),
    ),
    "disk": (Kind(strike=fill_disk, per_minute=2), Kind(strike=lock_database, per_minute=3)),
    "other service": (Kind(strike=run_other_service, per_minute=0.8),),
}
"""The kinds of fault: groups run at the same time, the kinds of a group one after the other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Strike:
    """A fault, with its time in seconds from the start and a seed of its own."""

    moment: float
    strike: Callable[[Site, Random], None]
    seed: str


def plan(kinds: Sequence[Kind], seed: int, seconds: float) -> list[Strike]:
    """Return the strikes of a group, at least one of each kind."""
    strikes = []
    for kind in kinds:
        name = kind.strike.__name__
        random = Random(f"{seed} {name}")
        for number in range(max(1, round(kind.per_minute * seconds / 60))):
            moment = random.uniform(0, seconds * 0.98)
            strikes.append(Strike(moment=moment, strike=kind.strike, seed=f"{seed} {name} {number}"))
    return sorted(strikes, key=lambda strike: strike.moment)


def strike_all(site: Site, strikes: Sequence[Strike], seconds: float) -> None:
    """Run each strike at its time or after the one before it; after `seconds`, run only the first of each kind."""
    started = time.monotonic()
    struck = set()
    for strike in strikes:
        site.pause(started + strike.moment - time.monotonic())
        is_late = time.monotonic() - started > seconds
        if site.stopping.is_set() or (is_late and strike.strike in struck):
            continue
        struck.add(strike.strike)
        site.note(strike.seed)
        strike.strike(site, Random(strike.seed))
        site.note(f"{strike.seed} is over")


def _written_at(site: Site) -> tuple[int, int]:
    if not site.persistence.exists():
        return 0, 0
    status = site.persistence.stat()
    return status.st_mtime_ns, status.st_ino
