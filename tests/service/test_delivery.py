"""Delivery: every message that the broker accepted reaches the index, whichever process is killed."""

import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from pathlib import Path

import pytest
from support.brokers import Broker, mosquitto, nats, publish
from support.services import Service, running
from support.waiting import wait_until

StartBroker = Callable[[Path], AbstractContextManager[Broker]]

each_broker = pytest.mark.parametrize(
    ("start_broker", "protocol"),
    [
        pytest.param(mosquitto, "5", id="mosquitto, MQTT 5"),
        pytest.param(mosquitto, "3.1.1", id="mosquitto, MQTT 3.1.1"),
        pytest.param(nats, "3.1.1", id="NATS, MQTT 3.1.1"),
    ],
)


def notifications(count: int, prefix: str = "job") -> list[tuple[str, str]]:
    """Return a notification for each of `count` jobs."""
    return [(f"$aws/things/thing/jobs/{prefix}-{number}/notify-namespace-n", "{}") for number in range(count)]


def ids(count: int, prefix: str = "job") -> set[str]:
    """Return the ids of the jobs of `notifications`."""
    return {f"{prefix}-{number}" for number in range(count)}


def locked(database: Path) -> "closing[sqlite3.Connection]":
    """Hold the database locked for writing, as another process would."""
    connection = sqlite3.connect(database, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    return closing(connection)


@each_broker
def test_a_kill_between_delivery_and_commit_loses_nothing(
    start_broker: StartBroker, protocol: str, tmp_path: Path
) -> None:
    """A message without a commit is not acknowledged, so the broker redelivers it after a kill."""
    with start_broker(tmp_path) as broker:
        service = Service(tmp_path, MQTT_URL=f"mqtt://127.0.0.1:{broker.port}", MQTT_PROTOCOL=protocol)
        with running(service):
            with locked(service.database):
                publish(broker.port, notifications(200))
                wait_until(lambda: service.metric("messages_received_total") >= 20, "deliveries")
                wait_until(lambda: service.metric("commits_failed_total") >= 1, "a commit that fails")
                assert service.metric("messages_applied_total") == 0
                service.kill()
            service.start()
            wait_until(lambda: ids(200) == set(service.jobs()), "all jobs")


def test_nats_redelivers_while_the_database_is_locked(tmp_path: Path) -> None:
    """A redelivery on the same connection adds nothing to the messages in flight."""
    with nats(tmp_path, ack_wait_seconds=1) as broker:
        service = Service(tmp_path, MQTT_URL=f"mqtt://127.0.0.1:{broker.port}", MQTT_PROTOCOL="3.1.1")
        with running(service):
            with locked(service.database):
                publish(broker.port, notifications(200))
                wait_until(lambda: service.metric("messages_redelivered_total") >= 400, "two redeliveries", 30)
            wait_until(lambda: ids(200) == set(service.jobs()), "all jobs")
            assert service.metric("messages_applied_total") < 600
            assert service.stop() == 0


@each_broker
def test_messages_wait_at_the_broker_while_the_service_is_away(
    start_broker: StartBroker, protocol: str, tmp_path: Path
) -> None:
    """Messages published while the service is down are delivered at its next start."""
    with start_broker(tmp_path) as broker:
        service = Service(tmp_path, MQTT_URL=f"mqtt://127.0.0.1:{broker.port}", MQTT_PROTOCOL=protocol)
        with running(service):
            assert service.stop() == 0
            publish(broker.port, notifications(50))
            service.start()
            wait_until(lambda: ids(50) == set(service.jobs()), "all jobs")


def test_the_service_outlives_its_broker(tmp_path: Path) -> None:
    """The service answers while its broker is away, reports the loss, and reconnects."""
    with mosquitto(tmp_path) as broker:
        service = Service(tmp_path, MQTT_URL=f"mqtt://127.0.0.1:{broker.port}")
        with running(service):
            publish(broker.port, notifications(1))
            wait_until(service.jobs, "the job")
            broker.kill()
            wait_until(lambda: service.readyz()["ingestion"] == "connecting", "the loss of the connection")
            assert service.get("/readyz")[0] == 200
            assert set(service.jobs()) == ids(1)
            assert service.metric("mqtt_connected") == 0
            broker.start()
            wait_until(lambda: service.readyz()["ingestion"] == "connected", "the connection", 30)
            publish(broker.port, notifications(1, "later"))
            wait_until(lambda: ids(1) | ids(1, "later") == set(service.jobs()), "the job published later")


def test_brokers_that_share_no_session_are_told(tmp_path: Path) -> None:
    """A new session at the next broker restarts completeness, as messages may be missing."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    with mosquitto(tmp_path / "one") as one, mosquitto(tmp_path / "two") as two:
        service = Service(tmp_path, MQTT_URL=f"mqtt://127.0.0.1:{one.port},127.0.0.1:{two.port}")
        with running(service):
            complete_since = service.readyz()["completeSince"]
            one.kill()
            wait_until(lambda: service.metric("mqtt_sessions_lost_total") == 1, "the loss of the session")
            wait_until(lambda: service.readyz()["ingestion"] == "connected", "the connection")
            assert complete_since < service.readyz()["completeSince"]
            publish(two.port, notifications(1))
            wait_until(lambda: ids(1) == set(service.jobs()), "the job")


def test_a_message_that_cannot_be_understood_stops_nothing(tmp_path: Path) -> None:
    """A bad message is stored once with its reason, and the messages around it are applied."""
    bad = "$aws/things/thing/jobs/bad/notify-namespace-n"
    with mosquitto(tmp_path) as broker:
        service = Service(tmp_path, MQTT_URL=f"mqtt://127.0.0.1:{broker.port}")
        with running(service):
            before, after = notifications(2)
            publish(broker.port, [before, (bad, "not JSON"), (bad, "not JSON"), (bad, b"\xff"), after])
            wait_until(lambda: ids(2) == set(service.jobs()), "the good messages")
            assert service.metric("messages_rejected_total") == 3
            assert service.stop() == 0
        with closing(sqlite3.connect(service.database)) as database:
            rows = database.execute("SELECT topic, payload FROM rejected_messages ORDER BY 2").fetchall()
        assert [(bad, b"not JSON"), (bad, b"\xff")] == rows


def test_qos_0_messages_in_hand_are_bounded(tmp_path: Path) -> None:
    """QoS 0 messages beyond the bound are dropped and counted; QoS 1 messages are unaffected."""
    with mosquitto(tmp_path) as broker:
        service = Service(tmp_path, MQTT_URL=f"mqtt://127.0.0.1:{broker.port}")
        with running(service):
            with locked(service.database):
                publish(broker.port, notifications(1))
                wait_until(lambda: service.metric("commits_failed_total") >= 1, "a commit that fails")
                publish(broker.port, notifications(1500, "unsafe"), qos=0)
                publish(broker.port, notifications(50))
                wait_until(lambda: service.metric("messages_received_total") == 1551, "deliveries")
                assert service.metric("messages_dropped_total") == 500
            wait_until(lambda: ids(50) <= set(service.jobs()), "the acknowledged messages")
            assert len(service.jobs()) == 50 + 1000


def test_former_subscriptions_are_given_up(tmp_path: Path) -> None:
    """A filter of an earlier run is unsubscribed, as the session would keep it."""
    with mosquitto(tmp_path) as broker:
        url = f"mqtt://127.0.0.1:{broker.port}"
        with running(Service(tmp_path, MQTT_URL=url)):
            pass
        narrow = Service(tmp_path, MQTT_URL=url, MQTT_TOPICS="$aws/things/other/jobs/#")
        with running(narrow):
            assert "Unsubscribed $aws/events/job/#" in narrow.log()
            event = ("$aws/events/job/event/completed", '{"timestamp":1}')
            publish(broker.port, [event, ("$aws/things/other/jobs/told/notify-namespace-n", "{}")])
            wait_until(lambda: {"told"} == set(narrow.jobs()), "the job of the narrow filter")
            assert narrow.metric("messages_received_total") == 1
