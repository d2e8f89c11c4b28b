"""Replicas as processes on one PostgreSQL and one broker: when one ends, another takes over and no message is lost."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from faults.proxy import Proxy
from support.brokers import Broker, mosquitto, publish
from support.commands import jobindex
from support.services import Service, running
from support.waiting import wait_until

LEASE_SECONDS = 2


class Site:
    """A broker and its replicas."""

    def __init__(self, directory: Path, database_url: str, broker: Broker, lease: str) -> None:
        self.broker = broker
        self.proxies: list[Proxy] = []
        self._settings = {"DATABASE_URL": database_url, "DATABASE_LEASE": lease}
        self._directory = directory
        self._published = 0
        self._publishing = threading.Lock()

    def replica(self, name: str, proxy: Proxy) -> Service:
        """Return a replica that is not started yet and reaches the broker through a proxy."""
        directory = self._directory / name
        directory.mkdir()
        return Service(directory, MQTT_URL=f"mqtt://127.0.0.1:{proxy.port}", **self._settings)

    def publish(self, count: int) -> None:
        """Publish messages, each about a new job, and wait until the broker has acknowledged them."""
        with self._publishing:
            jobs = [f"job-{number:04}" for number in range(self._published, self._published + count)]
            publish(self.broker.port, [(f"$aws/things/t/jobs/{job}/notify-namespace-n", "{}") for job in jobs])
            self._published += count

    def await_all(self, *replicas: Service) -> None:
        """Wait until each replica lists all published jobs."""
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
    """Run a broker, an ingesting replica and a standby; each replica has its own proxy."""
    with mosquitto(directory) as broker, ExitStack() as stack:
        made = Site(directory, url, broker, lease)
        made.proxies = [stack.enter_context(Proxy(broker.port).running()) for _ in range(2)]
        one, other = (made.replica(name, proxy) for name, proxy in zip(("one", "other"), made.proxies, strict=True))
        stack.enter_context(running(one))
        stack.enter_context(running(other, until="standby"))
        yield made, one, other


def last_message(service: Service) -> str:
    """Return the time of the last message according to an answer; "" if there is none."""
    return service.get("/jobs")[2]["jobindex-freshness"].partition("last-message=")[2]


def ingestion_status(service: Service) -> str:
    """Return a replica's ingestion status."""
    return str(service.readyz()["ingestion"])


def test_all_answer_and_say_how_fresh_the_index_is(tmp_path: Path, postgres_url: str) -> None:
    """People and programs get the same jobs and freshness from the standby as from the ingesting replica."""
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
    """The standby takes over within the lease, and no message that the broker accepted is lost."""
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
    """A stopped replica releases its lease, so the standby takes over at once, however long the lease is."""
    with site(tmp_path, postgres_url, "1h") as (made, one, other):
        with made.publishing():
            made.publish(50)
            assert 0 == one.stop()
            wait_until(lambda: ingestion_status(other) == "connected", "the other", 5)
        made.await_all(other)
        assert "another replica" not in other.log()


def test_one_that_was_held_up_gives_way(tmp_path: Path, postgres_url: str) -> None:
    """A suspended replica becomes a standby: once it resumes, it neither writes nor takes the session back."""
    with site(tmp_path, postgres_url) as (made, one, other):
        with made.publishing():
            made.publish(50)
            assert one.process is not None
            one.process.send_signal(signal.SIGSTOP)
            try:
                wait_until(lambda: ingestion_status(other) == "connected", "the other", 30)
            finally:
                one.process.send_signal(signal.SIGCONT)
            wait_until(lambda: ingestion_status(one) == "standby", "the first to become the standby")
            made.publish(50)
        made.await_all(one, other)
        assert ("standby", "connected") == (ingestion_status(one), ingestion_status(other))
        assert other.metric("mqtt_connections_total") <= 2


def test_the_lease_follows_the_broker(tmp_path: Path, postgres_url: str) -> None:
    """Within three lease times, a replica that reaches only the database loses the lease to one with a broker."""
    with site(tmp_path, postgres_url) as (made, one, other):
        with made.publishing(), made.proxies[0].refusing():
            cut = time.monotonic()
            wait_until(lambda: ingestion_status(other) == "connected", "the other")
            assert time.monotonic() - cut < 3 * LEASE_SECONDS
            wait_until(lambda: ingestion_status(one) == "standby", "the first to become the standby")
            made.publish(50)
        made.await_all(one, other)
        assert (0, 1) == (other.metric("mqtt_sessions_lost_total"), other.metric("mqtt_connections_total"))


def test_the_lease_stays_where_no_replica_reaches_a_broker(tmp_path: Path, postgres_url: str) -> None:
    """Both replicas report why nothing arrives; the first that reaches the broker again ingests."""
    with site(tmp_path, postgres_url) as (made, one, other):
        first, second = made.proxies
        with first.refusing():
            with second.refusing():
                wait_until(lambda: "has been without a broker" in one.log(), "the offer")
                told = wait_until(lambda: other.readyz()["ingestionBy"].get("ingestionReason"), "the reason")
                assert told in one.log()
                assert ("connecting", "standby") == (ingestion_status(one), ingestion_status(other))
            made.publish(50)
            wait_until(lambda: ingestion_status(other) == "connected", "the other", 3 * LEASE_SECONDS)
        made.await_all(one, other)
