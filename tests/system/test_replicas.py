"""Replicas as processes, on one PostgreSQL and one broker: whichever ends, nothing is lost and another goes on."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from support.brokers import Broker, mosquitto, publish
from support.commands import jobindex
from support.services import Service, running
from support.waiting import wait_until

LEASE_SECONDS = 2


class Site:
    """A broker, and replicas beside it."""

    def __init__(self, directory: Path, database_url: str, broker: Broker, lease: str) -> None:
        self.broker = broker
        self._settings = {
            "MQTT_URL": f"mqtt://127.0.0.1:{broker.port}",
            "DATABASE_URL": database_url,
            "DATABASE_LEASE": lease,
        }
        self._directory = directory
        self._published = 0
        self._publishing = threading.Lock()

    def replica(self, name: str) -> Service:
        """Return a replica that is not started yet."""
        directory = self._directory / name
        directory.mkdir()
        return Service(directory, **self._settings)

    def publish(self, count: int) -> None:
        """Publish so many messages, each of a job of its own; the broker has taken them all then."""
        with self._publishing:
            jobs = [f"job-{number:04}" for number in range(self._published, self._published + count)]
            publish(self.broker.port, [(f"$aws/things/t/jobs/{job}/notify-namespace-n", "{}") for job in jobs])
            self._published += count

    def await_all(self, *replicas: Service) -> None:
        """Wait until each of these replicas lists all that was published."""
        for replica in replicas:
            wait_until(partial(self._is_all_listed, replica), "all jobs")

    def _is_all_listed(self, replica: Service) -> bool:
        return len(replica.jobs()) == self._published

    @contextmanager
    def publishing(self) -> Iterator[None]:
        """Publish while the context is open."""
        ended = threading.Event()

        def go_on() -> None:
            while not ended.wait(0.01):
                self.publish(10)

        thread = threading.Thread(target=go_on)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()


@contextmanager
def site(directory: Path, url: str, lease: str = f"{LEASE_SECONDS}s") -> Iterator[tuple[Site, Service, Service]]:
    """Run a broker, a replica that ingests, and one that stands by."""
    with mosquitto(directory) as broker, ExitStack() as stack:
        made = Site(directory, url, broker, lease)
        one, other = made.replica("one"), made.replica("other")
        stack.enter_context(running(one))
        stack.enter_context(running(other, until="standby"))
        yield made, one, other


def last_message(service: Service) -> str:
    """Return when the last message arrived, as an answer tells; "" where it does not."""
    return service.get("/jobs")[2]["jobindex-freshness"].partition("last-message=")[2]


def ingestion_status(service: Service) -> str:
    """Return how a replica stands."""
    return str(service.readyz()["ingestion"])


def test_all_answer_and_say_how_fresh_the_index_is(tmp_path: Path, postgres_url: str) -> None:
    """A replica that stands by is as good to ask as the one that ingests, for people and programs."""
    with site(tmp_path, postgres_url) as (made, one, other):
        made.publish(10)
        made.await_all(one, other)
        for replica in (one, other):
            assert 200 == replica.get("/readyz")[0]
            assert wait_until(partial(last_message, replica), "the time of the last message").startswith("@")
            assert "ingestion=connected, " in replica.get("/jobs")[2]["jobindex-freshness"]
        assert (1, 0) == (one.metric("ingesting"), other.metric("ingesting"))
        assert (1, 1) == (one.metric("mqtt_connected"), other.metric("mqtt_connected"))
        there = other.readyz()["ingestionBy"]
        assert "connected" == there["ingestion"]
        assert one.process is not None
        assert f"-{one.process.pid}-" in there["replica"]
        port = other.url.rpartition(":")[2]
        listed = jobindex("list", HTTP_PORT=port)
        assert (0, "") == (listed.returncode, listed.stderr)
        assert 0 == jobindex("healthcheck", HTTP_PORT=port).returncode


def test_when_one_is_killed_another_goes_on(tmp_path: Path, postgres_url: str) -> None:
    """Within its lease, with what the broker kept; nothing that the broker had taken is lost."""
    with site(tmp_path, postgres_url) as (made, one, other):
        with made.publishing():
            made.publish(50)
            one.kill()
            killed = time.monotonic()
            wait_until(lambda: ingestion_status(other) == "connected", "the other")
            assert time.monotonic() - killed < LEASE_SECONDS + 4
            one.start(until="standby")
        made.await_all(one, other)
        assert 0 == other.metric("mqtt_sessions_lost_total")


def test_one_that_is_stopped_hands_over_at_once(tmp_path: Path, postgres_url: str) -> None:
    """However long the lease: it is given back."""
    with site(tmp_path, postgres_url, "1h") as (made, one, other):
        with made.publishing():
            made.publish(50)
            assert 0 == one.stop()
            wait_until(lambda: ingestion_status(other) == "connected", "the other", 5)
        made.await_all(other)
        assert "another replica" not in other.log()


def test_one_that_was_held_up_gives_way(tmp_path: Path, postgres_url: str) -> None:
    """Another goes on meanwhile; the first, once it runs again, neither writes nor fights for the broker."""
    with site(tmp_path, postgres_url) as (made, one, other):
        with made.publishing():
            made.publish(50)
            assert one.process is not None
            one.process.send_signal(signal.SIGSTOP)
            try:
                wait_until(lambda: ingestion_status(other) == "connected", "the other", 30)
            finally:
                one.process.send_signal(signal.SIGCONT)
            wait_until(lambda: ingestion_status(one) == "standby", "the first to stand by")
            made.publish(50)
        made.await_all(one, other)
        assert ("standby", "connected") == (ingestion_status(one), ingestion_status(other))
        assert other.metric("mqtt_connections_total") <= 2
