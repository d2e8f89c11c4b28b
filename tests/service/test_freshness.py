"""The freshness of the index, in every answer, on /readyz and on /metrics."""

import re
import resource
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.brokers import mosquitto, publish
from support.html_browser import read
from support.services import Service, running
from support.waiting import wait_until

from jobindex.cli.checks.service import examine_service
from jobindex.cli.client import ServiceClient

NOTIFICATION = ("$aws/things/thing/jobs/job/notify-namespace-n", "{}")
TIMES = ("connected-since", "complete-since", "last-message", "oldest-unwritten")


def freshness(service: Service) -> dict[str, str]:
    """Return the header of a ListJobs answer as a dictionary."""
    members = service.get("/jobs")[2]["jobindex-freshness"].split(", ")
    return dict(member.split("=", 1) for member in members)


def moment(service: Service, name: str) -> datetime:
    """Return a time from /readyz."""
    return datetime.fromisoformat(str(service.readyz()[name]))


def test_every_answer_tells_how_fresh_it_is(tmp_path: Path) -> None:
    """Header, /readyz and /metrics agree on the times of the connection, completeness and last message."""
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
    """While the database cannot be written, the freshness has the time of the oldest message."""
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


@contextmanager
def locked(service: Service) -> Iterator[None]:
    """Hold the database locked for writing, as another process would."""
    with closing(sqlite3.connect(service.database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


@contextmanager
def full(service: Service) -> Iterator[None]:
    """Limit the service's files to one page: it cannot append to its write-ahead log, as on a full disk."""
    limits = {pid: resource.prlimit(pid, resource.RLIMIT_FSIZE) for pid in service.pids()}
    for pid, (_, hard) in limits.items():
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (4096, hard))
    try:
        yield
    finally:
        for pid, limit in limits.items():
            resource.prlimit(pid, resource.RLIMIT_FSIZE, limit)


def faults(service: Service) -> list[str]:
    """Return the problems that the doctor finds in the service's own status."""
    return [found.text for found in examine_service(ServiceClient(service.url)) if found.advice and not found.is_unsure]


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (locked, "The index cannot be written: database is locked"),
        (full, "The index cannot be written: disk I/O error"),
    ],
)
def test_an_index_that_cannot_be_written_is_reported(
    tmp_path: Path, broken: Callable[[Service], AbstractContextManager[None]], reason: str
) -> None:
    """/readyz, pages, metrics and doctor give the reason while it lasts, and queries still work."""
    with mosquitto(tmp_path) as broker:
        service = Service(tmp_path, MQTT_URL=f"mqtt://127.0.0.1:{broker.port}")
        with running(service):
            assert (0, []) == (service.metric("unwritable"), faults(service))
            with broken(service):
                publish(broker.port, [NOTIFICATION])
                told = wait_until(lambda: service.readyz().get("unwritable"), "the reason on /readyz")
                assert (reason, True, 1) == (told, service.readyz()["ready"], service.metric("unwritable"))
                page = read(f"{service.url}/ui/jobs")
                assert f"Cannot write: {reason}; new messages wait at the broker" in page.text
                assert ("class", "light off") in [(name, value) for _, name, value in page.attributes]
                assert [f"it cannot write: {reason}"] == faults(service)
            wait_until(service.jobs, "the job")
            assert ("unwritable" in service.readyz(), service.metric("unwritable")) == (False, 0)
            assert ("class", "light on") in [
                (name, value) for _, name, value in read(f"{service.url}/ui/jobs").attributes
            ]


def test_the_index_stays_complete_over_a_restart(tmp_path: Path) -> None:
    """The broker keeps the session, so the index stays complete."""
    with mosquitto(tmp_path) as broker:
        service = Service(tmp_path, MQTT_URL=f"mqtt://127.0.0.1:{broker.port}")
        with running(service):
            complete = moment(service, "completeSince")
            assert service.stop() == 0
            service.start()
            assert complete == moment(service, "completeSince")
            assert complete < moment(service, "connectedSince")
            assert "sessionLost" not in service.readyz()
            assert service.metric("mqtt_sessions_lost_total") == 0


def test_a_session_that_the_broker_has_forgotten_is_said_loudly(tmp_path: Path) -> None:
    """A lost session is logged and counted, and completeness starts again."""
    with mosquitto(tmp_path) as broker:
        service = Service(tmp_path, MQTT_URL=f"mqtt://127.0.0.1:{broker.port}")
        with running(service):
            complete = moment(service, "completeSince")
            broker.kill()
            (tmp_path / "mosquitto.db").unlink(missing_ok=True)
            broker.start()
            wait_until(lambda: service.metric("mqtt_sessions_lost_total") == 1, "the loss", 30)
            wait_until(lambda: service.readyz()["ingestion"] == "connected", "the connection")
            assert "has lost the session" in service.log()
            lost = moment(service, "sessionLost")
            assert complete < lost <= moment(service, "completeSince")
            (found,) = [found for found in examine_service(ServiceClient(service.url)) if "had lost" in found.text]
            assert f"at {lost:%Y-%m-%dT%H:%M:%SZ} the broker had lost the session: messages may" in found.text
            assert "`persistence true`" in str(found.advice)
            assert complete < moment(service, "completeSince")


def test_a_filter_that_is_new_starts_blind(tmp_path: Path) -> None:
    """Completeness starts again with a new filter, although no session was lost."""
    with mosquitto(tmp_path) as broker:
        url = f"mqtt://127.0.0.1:{broker.port}"
        with running(Service(tmp_path, MQTT_URL=url, MQTT_TOPICS="$aws/events/job/#")) as narrow:
            complete = moment(narrow, "completeSince")
        with running(Service(tmp_path, MQTT_URL=url)) as wide:
            assert complete < moment(wide, "completeSince")
            assert wide.metric("mqtt_sessions_lost_total") == 0
        with running(Service(tmp_path, MQTT_URL=url, MQTT_TOPICS="$aws/events/job/#")) as narrow_again:
            assert complete < moment(narrow_again, "completeSince") < moment(narrow_again, "connectedSince")
