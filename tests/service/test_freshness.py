"""How fresh an answer is: told with every answer, on /readyz and on /metrics."""

import re
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from support.brokers import mosquitto, publish
from support.services import Service, running
from support.waiting import wait_until

NOTIFICATION = ("$aws/things/thing/jobs/job/notify-namespace-n", "{}")
TIMES = ("connected-since", "complete-since", "last-message", "oldest-unwritten")


def freshness(service: Service) -> dict[str, str]:
    """Return the header of a ListJobs answer as a dictionary."""
    members = service.get("/jobs")[2]["jobindex-freshness"].split(", ")
    return dict(member.split("=", 1) for member in members)


def moment(service: Service, name: str) -> datetime:
    """Return a time that /readyz tells."""
    return datetime.fromisoformat(str(service.readyz()[name]))


def test_every_answer_tells_how_fresh_it_is(tmp_path: Path) -> None:
    """Header, /readyz and /metrics tell the same: since when connected, complete, and when the last message came."""
    started = datetime.now(UTC)
    with mosquitto(tmp_path) as broker:
        service = Service(tmp_path, MQTT_URL=f"mqtt://127.0.0.1:{broker.port}")
        with running(service):
            assert {"ingestion", "connected-since", "complete-since"} == set(freshness(service))
            assert service.metric("last_message_timestamp_seconds") == 0
            publish(broker.port, [NOTIFICATION])
            wait_until(service.jobs, "the job")
            told = freshness(service)
            assert ("connected", set(TIMES[:3])) == (told.pop("ingestion"), set(told))
            for name, key, metric in zip(
                TIMES[:3],
                ("connectedSince", "completeSince", "lastMessage"),
                ("connected_since", "complete_since", "last_message"),
                strict=True,
            ):
                time = moment(service, key)
                assert started <= time <= datetime.now(UTC)
                assert f"@{int(time.timestamp())}" == told[name]
                assert abs(service.metric(f"{metric}_timestamp_seconds") - time.timestamp()) < 0.01
            assert moment(service, "completeSince") <= moment(service, "lastMessage")


def test_what_is_not_written_yet_is_told(tmp_path: Path) -> None:
    """While the database cannot be written the oldest message waits in sight; then it is gone from there."""
    with mosquitto(tmp_path) as broker:
        service = Service(tmp_path, MQTT_URL=f"mqtt://127.0.0.1:{broker.port}")
        with running(service):
            with closing(sqlite3.connect(service.database, isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                publish(broker.port, [NOTIFICATION])
                oldest = wait_until(lambda: service.readyz().get("oldestUnwritten"), "a message that waits")
                publish(broker.port, [NOTIFICATION])
                wait_until(lambda: service.metric("messages_received_total") == 2, "the second message")
                assert oldest == service.readyz()["oldestUnwritten"]
                assert re.fullmatch(r"@\d+", freshness(service)["oldest-unwritten"])
            wait_until(lambda: "oldestUnwritten" not in service.readyz(), "the commit")
            assert service.metric("oldest_unwritten_timestamp_seconds") == 0


def test_the_index_stays_complete_over_a_restart(tmp_path: Path) -> None:
    """The session is kept by the broker: what was published meanwhile is not missed."""
    with mosquitto(tmp_path) as broker:
        service = Service(tmp_path, MQTT_URL=f"mqtt://127.0.0.1:{broker.port}")
        with running(service):
            complete = moment(service, "completeSince")
            assert service.stop() == 0
            service.start()
            assert complete == moment(service, "completeSince")
            assert complete < moment(service, "connectedSince")
            assert service.metric("mqtt_sessions_lost_total") == 0


def test_a_session_that_the_broker_has_forgotten_is_said_loudly(tmp_path: Path) -> None:
    """Messages may have been missed: the log says so, a metric counts it, and completeness starts anew."""
    with mosquitto(tmp_path) as broker:
        service = Service(tmp_path, MQTT_URL=f"mqtt://127.0.0.1:{broker.port}")
        with running(service):
            complete = moment(service, "completeSince")
            broker.kill()
            (tmp_path / "mosquitto.db").unlink(missing_ok=True)
            broker.start()
            wait_until(lambda: service.metric("mqtt_sessions_lost_total") == 1, "the loss", 30)
            wait_until(lambda: service.readyz()["ingestion"] == "connected", "the connection")
            assert "has forgotten the session" in service.log()
            assert complete < moment(service, "completeSince")


def test_a_filter_that_is_new_starts_blind(tmp_path: Path) -> None:
    """What the session did not hold was missed until now, though no session was lost."""
    with mosquitto(tmp_path) as broker:
        url = f"mqtt://127.0.0.1:{broker.port}"
        with running(Service(tmp_path, MQTT_URL=url, MQTT_TOPICS="$aws/events/job/#")) as narrow:
            complete = moment(narrow, "completeSince")
        with running(Service(tmp_path, MQTT_URL=url)) as wide:
            assert complete < moment(wide, "completeSince")
            assert wide.metric("mqtt_sessions_lost_total") == 0
        with running(Service(tmp_path, MQTT_URL=url, MQTT_TOPICS="$aws/events/job/#")) as narrow_again:
            assert complete < moment(narrow_again, "completeSince") < moment(narrow_again, "connectedSince")
