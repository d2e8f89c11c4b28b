"""`jobindex serve` as users run it, on loopback."""

import json
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.errors import BenchError
from bench.http import Connection
from bench.processes import running
from bench.waiting import wait_until
from jobindex.cli.demo.nats import free_port

_CLIENT_ID = "jobindex"

_DONE = re.compile(rb"^jobindex_messages_(?:applied|ignored|rejected)_total (\S+)$", re.MULTILINE)
_REJECTED = re.compile(rb"^jobindex_messages_rejected_total (\S+)$", re.MULTILINE)


class Product:
    """A running service."""

    def __init__(self, pid: int, url: str) -> None:
        self.pid = pid
        self.url = url

    def is_ready(self) -> bool:
        """Return whether the service answers from its index."""
        try:
            with Connection(self.url, seconds=5) as connection:
                connection.get("/readyz")
        except (OSError, BenchError):
            return False
        return True

    def is_connected(self) -> bool:
        """Return whether the broker has granted every subscription."""
        with Connection(self.url) as connection:
            return bool(json.loads(connection.get("/readyz"))["ingestion"] == "connected")

    def messages_done(self) -> int:
        """Return how many messages the service has processed.

        Raises:
            BenchError: the service rejected a message.
        """
        with Connection(self.url) as connection:
            metrics = connection.get("/metrics")
        if any(float(count) for count in _REJECTED.findall(metrics)):
            raise BenchError("the service rejected messages")
        return int(sum(float(count) for count in _DONE.findall(metrics)))

    def wait_until_done(self, count: int, seconds: float) -> None:
        """Wait until `count` messages are processed.

        Raises:
            BenchError: the timeout of `seconds` expired.
        """
        wait_until(lambda: self.messages_done() >= count, f"{count} messages", seconds, every=0.1)


@contextmanager
def starting(database: Path, broker_port: int, *, url: str | None = None) -> Iterator[Product]:
    """Run a service while the context is open, without waiting until it is ready.

    `url` is that of a database that is not a file; `database` then only names the log.
    """
    port = free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("JOBINDEX_")} | {
        "JOBINDEX_MQTT_URL": f"mqtt://127.0.0.1:{broker_port}",
        "JOBINDEX_MQTT_CLIENT_ID": f"{_CLIENT_ID}-{port}",
        "JOBINDEX_DATABASE_URL": url or f"sqlite:///{database}",
        "JOBINDEX_HTTP_PORT": str(port),
        "JOBINDEX_LOG_FORMAT": "text",
    }
    command = [sys.executable, "-m", "jobindex", "serve"]
    with running(command, database.with_suffix(".log"), environment=environment) as process:
        yield Product(process.pid, f"http://127.0.0.1:{port}")


@contextmanager
def serving(database: Path, broker_port: int, *, url: str | None = None) -> Iterator[Product]:
    """Run a service, as `starting` does, that is ready and subscribed.

    Raises:
        BenchError: it takes more than a minute to be ready, or to subscribe.
    """
    with starting(database, broker_port, url=url) as product:
        log = database.with_suffix(".log")
        wait_until(product.is_ready, f"the service, see {log}", 60)
        wait_until(product.is_connected, f"the service's subscriptions, see {log}", 60)
        yield product
