"""A run on a cluster of brokers: from time to time one is killed with SIGKILL, and restarted a moment later.

Each acknowledged message must be in the index: it is on the disks of a majority, and the other brokers have the
session, too.
"""

import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from random import Random

from support.nats_cluster import cluster_url, nats_cluster
from support.services import Service, running
from support.waiting import wait_until

from faults.bench import Result, logged
from faults.checker import Verdict, judge
from faults.ledger import Ledger
from faults.publisher import Publisher
from faults.reader import NoAnswerError, Reader

_MESSAGES_PER_SECOND = 60
_KILL_EVERY_SECONDS = 20
_AWAY_SECONDS = 6
_SETTLE_SECONDS = 90


def run_on_cluster(directory: Path, *, seed: int, seconds: float, every: float = _KILL_EVERY_SECONDS) -> Result:
    """Kill a node every `every` seconds, with all files in a directory, and judge the resulting index.

    In turn, the node is the one that the service is connected to, and a random one.
    """
    random = Random(seed)
    kills: Counter[str] = Counter()
    with closing(Ledger(directory / "ledger.txt")) as ledger, nats_cluster(directory) as nodes:
        service = Service(directory, MQTT_URL=cluster_url(nodes), MQTT_PROTOCOL="3.1.1")
        ports = [node.port for node in (*nodes[1:], nodes[0])]
        publisher = Publisher(ports, ledger, random, messages_per_second=_MESSAGES_PER_SECOND)
        reader = Reader(lambda: service.url, ledger.deleted_at)
        with running(service), _publishing(publisher, reader):
            started = time.monotonic()
            for number in range(1, int(seconds / every) + 1):
                time.sleep(max(0, started + number * every - time.monotonic()))
                port = _connected_port(service.log()) if number % 2 else random.choice(ports)
                [node] = [node for node in nodes if node.port == port]
                node.kill()
                kills[f"node {nodes.index(node) + 1} killed"] += 1
                time.sleep(random.uniform(0, min(_AWAY_SECONDS, every / 2)))
                node.start()
            publisher.finish()
            wait_until(publisher.is_idle, "the brokers' acknowledgements", _SETTLE_SECONDS)
            verdict = _settle(ledger, reader)
        told = logged(service.log())
    counts = ledger.counts()
    return Result(
        faults=kills,
        messages={
            "sent": counts["sent"],
            "acknowledged": counts["acknowledged"],
            "connections of the publisher": ledger.connections,
        },
        jobs=verdict.counts,
        answers=reader.counts,
        logged=told,
        wrong=[
            *verdict.wrong,
            *reader.wrong,
            *(f"{phrase!r} in the log" for phrase in ("Traceback", "has lost the session") if told[phrase]),
        ],
    )


@contextmanager
def _publishing(publisher: Publisher, reader: Reader) -> Iterator[None]:
    """Publish and read while the context is open."""
    ending = threading.Event()
    with ThreadPoolExecutor() as pool:
        futures = [pool.submit(publisher.run), pool.submit(reader.run, ending)]
        try:
            yield
        finally:
            ending.set()
            publisher.end()
        for future in futures:
            future.result()


def _connected_port(log: str) -> int:
    """Return the port of the broker of a service's last connection."""
    return int(re.findall(r"Connected to mqtt://127\.0\.0\.1:(\d+);", log)[-1])


def _settle(ledger: Ledger, reader: Reader) -> Verdict:
    """Judge until there are no problems; retry while messages are in flight."""
    end = time.monotonic() + _SETTLE_SECONDS
    while True:
        try:
            verdict = judge(ledger.by_job(), reader.all_jobs(), {}, lambda sent: sent.acknowledged is not None)
        except NoAnswerError:
            verdict = Verdict(counts=Counter(), wrong=["the service does not answer"])
        if not verdict.wrong or time.monotonic() > end:
            return verdict
        time.sleep(0.5)
