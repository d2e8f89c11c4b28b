"""The site of the faults: a broker, a proxy, a service on a small disk, a publisher and a reader."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from random import Random

from support.brokers import Broker, mosquitto
from support.postgresql_servers import Server
from support.services import Service

from faults.database import Kind, open_database
from faults.disk import Disk
from faults.ledger import Ledger
from faults.proxy import Proxy
from faults.publisher import Publisher
from faults.reader import Reader

CLIENT_ID = "jobindex"
LEASE_SECONDS = 2
"""The time without a renewal after which another replica takes over."""

_START_ATTEMPTS = 20
# It saves only on a signal, and logs every packet.
_MOSQUITTO = ("allow_anonymous true", "autosave_interval 0", "log_type all", "log_timestamp_format %H:%M:%S")


class LoggedService(Service):
    """A service that keeps the logs of all its processes in one file; its database is a file or a URL."""

    def __init__(self, directory: Path, database: Path | str, broker_port: int) -> None:
        directory.mkdir()
        settings = {"MQTT_URL": f"mqtt://127.0.0.1:{broker_port}", "MQTT_CLIENT_ID": CLIENT_ID}
        if isinstance(database, Path):
            super().__init__(directory, DATABASE_URL=f"sqlite:///{database}", **settings)
            self.database = database
        else:
            super().__init__(directory, DATABASE_URL=database, DATABASE_LEASE=f"{LEASE_SECONDS}s", **settings)
        self.history = directory / "history.log"

    def spawn(self) -> None:
        """Start the process, and keep the log of the one before it."""
        self.keep_log()
        super().spawn()

    def keep_log(self) -> None:
        """Add the log to the history."""
        with self.history.open("a") as history:
            history.write(self.log())
        self._log.unlink(missing_ok=True)

    def has_ended(self) -> bool:
        """Return whether the process has exited."""
        return self._ended()


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Everything that runs; `counts` are those of the faults, `wrong` lists their unexpected effects."""

    directory: Path
    broker: Broker
    persistence: Path
    """The file in which the broker saves its state."""
    proxy: Proxy
    disk: Disk
    service: LoggedService
    other: LoggedService
    """A service with the same client id and an index of its own, which runs only from time to time."""
    server: Server | None = None
    """The server of the index, if it is not a file."""
    replica: LoggedService | None = None
    """A service on the same database, if it can be shared, which runs only from time to time."""
    ledger: Ledger
    publisher: Publisher
    reader: Reader
    stopping: threading.Event = field(default_factory=threading.Event)
    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def note(self, what: str) -> None:
        """Write a line with the time to a file, for the analysis of a failure."""
        with (self.directory / "faults.log").open("a") as log:
            log.write(f"{datetime.now().astimezone().isoformat(timespec='milliseconds')} {what}\n")

    def pause(self, seconds: float) -> None:
        """Wait, at most until the run ends."""
        self.stopping.wait(seconds)

    def start_service(self) -> None:
        """Start the service; an exit is wrong, and is followed by another start."""
        for _ in range(_START_ATTEMPTS):
            try:
                self.service.start_only()
            except AssertionError:
                self.wrong.append(f"the service ended by itself:\n{self.service.log()}")
                time.sleep(0.5)
            else:
                return
        raise AssertionError("the service does not start any longer")

    def probe(self, seconds: float) -> int:
        """Send a probe every second until one is in the index, and return its number.

        All messages before it have then been delivered, unless the broker lost them.
        """
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            job_id = self.publisher.probe()
            again = time.monotonic() + 1
            while time.monotonic() < again:
                if self.reader.has_probe(job_id) and (number := self.ledger.number(job_id)) is not None:
                    return number
                time.sleep(0.05)
        raise AssertionError(f"no probe was in the index within {seconds} s\n{self.service.log()[-3000:]}")


@contextmanager
def open_site(directory: Path, random: Random, *, messages_per_second: float, kind: Kind = "sqlite") -> Iterator[Site]:
    """Run everything but the publisher and the reader while the context is open."""
    broker_directory = directory / "broker"
    broker_directory.mkdir()
    with (
        closing(Ledger(directory / "ledger.txt")) as ledger,
        mosquitto(broker_directory, *_MOSQUITTO, f"log_dest file {broker_directory}/mosquitto.log") as broker,
        Proxy(broker.port).running() as proxy,
        open_database(directory, kind) as database,
    ):
        service = LoggedService(directory / "service", database.where, proxy.port)
        replica = None if database.server is None else LoggedService(directory / "replica", database.where, proxy.port)
        other = LoggedService(directory / "other", directory / "other" / "jobindex.db", proxy.port)
        site = Site(
            directory=directory,
            broker=broker,
            persistence=broker_directory / "mosquitto.db",
            proxy=proxy,
            disk=database.disk,
            service=service,
            other=other,
            server=database.server,
            replica=replica,
            ledger=ledger,
            publisher=Publisher([broker.port], ledger, random, messages_per_second=messages_per_second),
            reader=Reader(lambda: service.url, ledger.deleted_at, remote=database.server is not None),
        )
        try:
            service.start()
            yield site
        finally:
            for one in (service, other, replica):
                if one is None:
                    continue
                if one.process is not None and one.process.poll() is None:
                    one.kill()
                one.keep_log()
