"""`jobindex doctor`: the problems of a set-up, with advice."""

import json
import os
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from support import postgresql_servers as server
from support.alpn_proxy import alpn_front
from support.brokers import mosquitto, publish
from support.certificates import make_certificates
from support.commands import jobindex
from support.html_browser import read
from support.served_fleet import THING, served_fleet
from support.services import Service, running
from support.stub_server import answering
from support.waiting import require, wait_until

from jobindex.cli.checks.database import examine_database
from jobindex.cli.checks.service import examine_service, listen
from jobindex.cli.client import ServiceClient
from jobindex.cli.demo.nats import free_port
from jobindex.messages.topics import DEFAULT_FILTERS
from jobindex.storage.migrations import load_migrations
from jobindex.storage.sqlite.file import locked
from jobindex.storage.sqlite.wal import LONG_BYTES

FILTER = "$aws/things/+/jobs/#"


def examined(**settings: object) -> tuple[int, list[str], list[str]]:
    """Return the exit status, the ok checks and the problems, each with its part."""
    ended = jobindex("doctor", "--json", **settings)
    findings = [json.loads(line) for line in ended.stdout.splitlines()]
    assert all(finding["ok"] or finding["advice"] for finding in findings)
    well = [f"{finding['part']}: {finding['told']}" for finding in findings if finding["ok"]]
    return ended.returncode, well, [f"{one['part']}: {one['told']}" for one in findings if not one["ok"]]


@contextmanager
def secured(directory: Path, rights: str) -> Iterator[int]:
    """Run a broker that accepts only the user `sub`, with these rights; yield its port."""
    program = shutil.which("mosquitto_passwd")
    require("mosquitto", found=program is not None)
    passwords, acl = directory / "passwords", directory / "acl"
    subprocess.run([str(program), "-c", "-b", passwords, "sub", "secret"], check=True)
    acl.write_text(rights)
    for file in (passwords, acl):
        file.chmod(0o644)
    with mosquitto(directory, "allow_anonymous false", f"password_file {passwords}", f"acl_file {acl}") as broker:
        yield broker.port


def test_a_set_up_without_faults_is_told_to_be_well(tmp_path: Path) -> None:
    """A sound set-up exits with 0, and the doctor does not disturb the service."""
    with served_fleet(tmp_path) as (service, port):
        before = service.readyz()
        settings = {
            "MQTT_URL": f"mqtt://127.0.0.1:{port}",
            "HTTP_PORT": service.url.rpartition(":")[2],
            "DATABASE_URL": f"sqlite:///{service.database}",
        }
        status, well, wrong = examined(**settings)
        assert (0, []) == (status, wrong)
        parts = [told.partition(":")[0] for told in well]
        assert ["settings", "keys", "broker", "service", "clock", "messages", "database"] == list(dict.fromkeys(parts))
        assert f"broker: {FILTER} is granted" in well
        assert service.process is not None
        holders = (f"database: process {service.process.pid} (", "database: a process that the system does not name")
        assert [told for told in well if told.startswith(holders)]
        assert before["connectedSince"] == service.readyz()["connectedSince"]
        assert 1 == service.metric("mqtt_connections_total")

        (text, *_) = jobindex("doctor", **settings).stdout.splitlines()
        assert "ok      settings: all are valid" == text

        ahead = int((datetime.now(UTC) + timedelta(hours=2)).timestamp())
        topic = f"{THING.format('t')}/ahead-1/notify-namespace-n"
        publish(port, [(topic, json.dumps({"job": {"createdAt": ahead, "status": "IN_PROGRESS"}}))])
        wait_until(lambda: "ahead-1" in service.jobs(), "the job")
        status, _, wrong = examined(**settings)
        assert (1, ["clock: job ahead-1 was created at"]) == (status, [told[:33] for told in wrong])


def test_stamps_ahead_of_the_clock_are_named(tmp_path: Path) -> None:
    """The doctor reports stamps ahead of the clock, of applied messages and of those not due yet."""
    now = datetime.now(UTC)
    soon, later = (int((now + timedelta(hours=hours)).timestamp()) for hours in (2, 30))
    members = {"createdAt": int(now.timestamp()), "lastUpdatedAt": soon, "status": "IN_PROGRESS"}
    waiting = "$aws/events/job/late/completed"
    with (
        mosquitto(tmp_path) as broker,
        running(Service(tmp_path, MQTT_URL=f"mqtt://127.0.0.1:{broker.port}")) as service,
    ):
        publish(
            broker.port,
            [
                (waiting, json.dumps({"timestamp": later})),
                ("$aws/events/job/later/completed", json.dumps({"timestamp": later + 9})),
                (f"{THING.format('t')}/job-1/notify-namespace-n", json.dumps({"job": members})),
            ],
        )
        wait_until(lambda: "job-1" in service.jobs(), "the job")
        settings = {"HTTP_PORT": service.url.rpartition(":")[2], "DATABASE_URL": f"sqlite:///{service.database}"}
        status, _, wrong = examined(MQTT_URL=f"mqtt://127.0.0.1:{broker.port}", **settings)
        assert soon == service.metric("newest_stamp_timestamp_seconds")
    due = datetime.fromtimestamp(later - 24 * 3600, UTC)
    counts = f"a message is stamped {datetime.fromtimestamp(soon, UTC):%Y-%m-%dT%H:%M:%SZ}, 1h 59m from now"
    waits = f"will be applied later, the first on {waiting} at {due:%Y-%m-%dT%H:%M:%SZ}"
    expected = [f"clock: {counts}", f"clock: 2 messages stamped more than 24 hours ahead {waits}"]
    assert (1, expected) == (status, wrong)


def test_nothing_there_is_told_step_by_step(tmp_path: Path) -> None:
    """Each problem comes with advice, and a missing database is not created."""
    database = tmp_path / "jobindex.db"
    settings = {"HTTP_PORT": 1, "DATABASE_URL": f"sqlite:///{database}"}
    status, well, wrong = examined(MQTT_URL="mqtt://127.0.0.1:1", **settings)
    assert 1 == status
    assert ["broker: mqtt://127.0.0.1:1 accepts no connection: Connection refused"] == wrong[:1]
    assert wrong[1].startswith("service: no service answers at http://127.0.0.1:1: ")
    assert f"database: {database} does not exist yet; `jobindex serve` creates it" in well
    assert [] == list(tmp_path.iterdir())
    ended = jobindex("doctor", MQTT_URL="mqtt://nobody.invalid", **settings)
    assert "problem broker: the name nobody.invalid has no address: " in ended.stdout
    assert "        -> Correct the host in JOBINDEX_MQTT_URL.\n" in ended.stdout


def test_wrong_settings_are_findings() -> None:
    """All wrong settings are reported, with exit status 2."""
    ended = jobindex("doctor", HTTP_PORT="high", MQTT_URL="http://host")
    assert (2, "") == (ended.returncode, ended.stderr)
    assert "problem settings: JOBINDEX_HTTP_PORT: 'high' is not a port from 0 to 65535\n" in ended.stdout
    assert "problem settings: JOBINDEX_MQTT_URL: its scheme is not mqtt or mqtts\n" in ended.stdout


def test_a_setting_that_is_none_is_a_finding(tmp_path: Path) -> None:
    """An unknown setting is reported once, also next to wrong ones."""
    settings = {"HTTP_PORT": 1, "DATABASE_URL": f"sqlite:///{tmp_path}/none.db", "MQTT_URL": "mqtt://127.0.0.1:1"}
    told = "problem settings: JOBINDEX_HTTP_PRT is not a setting of jobindex\n"
    ended = jobindex("doctor", HTTP_PRT=1, **settings)
    assert (1, "", 1) == (ended.returncode, ended.stderr, ended.stdout.count("JOBINDEX_HTTP_PRT"))
    assert told in ended.stdout
    assert "-> Correct its name to JOBINDEX_HTTP_PORT, or unset it: it has no effect.\n" in ended.stdout
    assert "settings: all are valid" not in ended.stdout
    assert "127.0.0.1 resolves to 127.0.0.1" not in ended.stdout
    ended = jobindex("doctor", HTTP_PRT=1, **{**settings, "HTTP_PORT": "high"})
    assert (2, "", True) == (ended.returncode, ended.stderr, told in ended.stdout)


def test_a_protocol_that_the_broker_does_not_speak_is_told(tmp_path: Path) -> None:
    """If the broker does not speak the protocol, the advice is the other protocol, not a password."""
    with refusing_broker(132) as port:
        ended = jobindex(
            "doctor",
            MQTT_URL=f"mqtt://u:p@127.0.0.1:{port}",
            HTTP_PORT=1,
            DATABASE_URL=f"sqlite:///{tmp_path}/none.db",
        )
    assert "problem broker: the broker does not speak MQTT 5: " in ended.stdout
    assert "-> Set JOBINDEX_MQTT_PROTOCOL=3.1.1.\n" in ended.stdout
    assert "PASSWORD" not in ended.stdout


def test_what_a_service_was_told_ends_where_it_lost_its_broker() -> None:
    """A service that has lost its broker is a problem, even if its index was complete until then."""
    moment = "2026-11-23T10:00:00.000Z"
    readyz = {"ready": True, "ingestion": "refused", "ingestionReason": "no", "completeSince": moment}
    with answering(json.dumps({**readyz, "lastMessage": moment}).encode()) as url:
        findings = [finding for finding in examine_service(ServiceClient(url)) if finding.part == "service"]
    assert [True, False] == [finding.advice is None for finding in findings]
    assert findings[1].text == (
        "it is refused: no; its index is complete from 2026-11-23T10:00:00Z until it lost the broker "
        "(the last message arrived at 2026-11-23T10:00:00Z)"
    )


def of_standby(there: Mapping[str, str]) -> list[tuple[bool, str]]:
    """Return the checks of a standby replica: whether each is ok, and its text."""
    moment = "2026-11-23T10:00:00.000Z"
    times = {"connectedSince": moment} if there["ingestion"] == "connected" else {}
    readyz = {"ready": True, "ingestion": "standby", "ingestionBy": there, "completeSince": moment, **times}
    with answering(json.dumps(readyz).encode()) as url:
        found = [finding for finding in examine_service(ServiceClient(url)) if finding.part == "service"]
    return [(finding.advice is None, finding.text) for finding in found[1:]]


def test_a_replica_that_stands_by_is_well_where_another_is_connected() -> None:
    """A standby replica is ok if the replica that ingests is connected."""
    assert [
        (True, "it is on standby: it takes over if the replica that ingests stops"),
        (True, "the replica that ingests, host-7-5d1f0a, has been connected to its broker since 2026-11-23T10:00:00Z"),
        (True, "its index has been complete since 2026-11-23T10:00:00Z"),
    ] == of_standby({"replica": "host-7-5d1f0a", "ingestion": "connected"})
    until = "; its index is complete from 2026-11-23T10:00:00Z until it lost the broker"
    assert [
        (True, "it is on standby: it takes over if the replica that ingests stops"),
        (False, f"the replica that ingests is connecting: no replica ingests just now{until}"),
    ] == of_standby({"ingestion": "connecting", "ingestionReason": "no replica ingests just now"})


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_credentials_and_rights_are_told_apart(tmp_path: Path, protocol: str) -> None:
    """Refused credentials are a problem with advice; accepted ones show the granted filters."""
    rights = f"user sub\ntopic read {FILTER}\ntopic read $aws/events/#\n"
    settings = {"MQTT_PROTOCOL": protocol, "HTTP_PORT": 1, "DATABASE_URL": f"sqlite:///{tmp_path}/none.db"}
    with secured(tmp_path, rights) as port:
        for credentials, advice in (
            ("", "It probably requires a user and a password"),
            ("sub:wrong@", "Correct JOBINDEX_MQTT_USER"),
        ):
            told = jobindex("doctor", MQTT_URL=f"mqtt://{credentials}127.0.0.1:{port}", **settings).stdout
            assert "problem broker: the broker refuses the connection: " in told
            assert f"-> {advice}" in told
        _, well, _ = examined(MQTT_URL=f"mqtt://sub:secret@127.0.0.1:{port}", **settings)
        assert f"broker: the MQTT {protocol} connection for user 'sub' is accepted" in well
        assert f"broker: {FILTER} is granted" in well


def test_that_nothing_has_ever_arrived_is_reported(tmp_path: Path) -> None:
    """If no message has ever arrived, the doctor is unsure, as the access rules may grant nothing."""
    rights = f"user sub\ntopic readwrite {FILTER}\n"
    with (
        secured(tmp_path, "user sub\ntopic read none\n") as port,
        running(Service(tmp_path, MQTT_URL=f"mqtt://sub:secret@127.0.0.1:{port}", MQTT_TOPICS=FILTER)) as service,
    ):
        assert ("connected", True) == (service.readyz()["ingestion"], service.readyz()["nothingEverArrived"])
        shown = read(f"{service.url}/ui/jobs")
        assert "Connected and subscribed, but no message has ever arrived" in shown.text
        assert ("class", "light ") in [(name, value) for _, name, value in shown.attributes]
        settings = {
            "HTTP_PORT": service.url.rpartition(":")[2],
            "DATABASE_URL": f"sqlite:///{service.database}",
            "MQTT_URL": f"mqtt://sub:secret@127.0.0.1:{port}",
            "MQTT_TOPICS": FILTER,
        }
        ended = jobindex("doctor", "--listen", "1s", **settings)
        told = "unsure  messages: the service is connected and subscribed, but no message has ever arrived\n"
        assert (0, True) == (ended.returncode, told in ended.stdout)
        assert "unsure  messages: no message arrived within 1s\n" in ended.stdout
    with (
        secured(tmp_path, rights) as port,
        running(Service(tmp_path, MQTT_URL=f"mqtt://sub:secret@127.0.0.1:{port}", MQTT_TOPICS=FILTER)) as service,
    ):
        assert service.readyz()["nothingEverArrived"]
        publish(port, [(f"{THING.format('t')}/j/notify-namespace-n", "no JSON")], username="sub", password="secret")

        wait_until(lambda: service.metric("messages_rejected_total") == 1, "the message")
        assert "nothingEverArrived" not in service.readyz()
        assert service.stop() == 0
        service.start()
        assert "nothingEverArrived" not in service.readyz()
        assert "No message since the start" in read(f"{service.url}/ui/jobs").text


def test_the_doctor_waits_for_a_message(tmp_path: Path) -> None:
    """--listen reports the next message without another connection; a restricted key leaves it unsure."""
    with served_fleet(tmp_path) as (service, port):
        ended = threading.Event()

        def publish_again() -> None:
            while not ended.wait(0.3):
                publish(port, [(f"{THING.format('t')}/j/notify-namespace-n", "{}")])

        publishing = threading.Thread(target=publish_again)
        publishing.start()
        settings = {
            "HTTP_PORT": service.url.rpartition(":")[2],
            "DATABASE_URL": f"sqlite:///{service.database}",
            "MQTT_URL": f"mqtt://127.0.0.1:{port}",
        }
        try:
            listened = jobindex("doctor", "--listen", "20s", **settings)
        finally:
            ended.set()
            publishing.join()
        assert (0, "Listening for 20s: publish a message now.\n") == (listened.returncode, listened.stderr)
        assert re.fullmatch(r"ok      messages: a message arrived within \ds", listened.stdout.splitlines()[-1])
        assert 1 == service.metric("mqtt_connections_total")
    refusing = {"x-amzn-ErrorType": "AccessDeniedException", "jobindex-freshness": "ingestion=connected"}
    with answering(b'{"message": "not for this key"}', 403, **refusing) as url:
        found = listen(ServiceClient(url), 1)
    assert (True, "could not listen: not for this key") == (found.is_unsure, found.text)


def test_that_a_service_is_connected_excuses_nothing(tmp_path: Path) -> None:
    """A wrong password or port is a problem, even if the service is connected with other settings."""
    with secured(tmp_path, f"user sub\ntopic readwrite {FILTER}\ntopic read $aws/events/#\n") as port:
        url = f"127.0.0.1:{port}"
        with running(Service(tmp_path, MQTT_URL=f"mqtt://sub:secret@{url}", MQTT_TOPICS=FILTER)) as service:
            publish(port, [(f"{THING.format('t')}/j/notify-namespace-n", "{}")], username="sub", password="secret")
            wait_until(lambda: "lastMessage" in service.readyz(), "a message")
            settings = {"HTTP_PORT": service.url.rpartition(":")[2], "DATABASE_URL": f"sqlite:///{service.database}"}
            status, _, wrong = examined(MQTT_URL=f"mqtt://sub:wrong@{url}", **settings)
            assert (1, 1) == (status, len(wrong))
            assert wrong[0].startswith("broker: the broker refuses the connection: ")
            assert wrong[0].endswith("; so the topic filters were not tried")
            status, _, wrong = examined(MQTT_URL=f"mqtt://{service.url.removeprefix('http://')}", **settings)
            assert (1, 1) == (status, len(wrong))
            assert wrong[0].startswith("broker: the MQTT connection fails: ")
            assert wrong[0].endswith("; so the topic filters were not tried")


@contextmanager
def refusing_broker(code: int) -> Iterator[int]:
    """Refuse every connection with a reason code of MQTT 5; yield the port."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def refuse() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    with connection:
                        if connection.recv(4096):
                            connection.sendall(bytes((0x20, 3, 0, code, 0)))

        thread = threading.Thread(target=refuse)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


def test_an_id_that_the_broker_does_not_take_leaves_it_unsure(tmp_path: Path) -> None:
    """A refused client id leaves the doctor unsure, and does not change the exit status."""
    with served_fleet(tmp_path) as (service, _), refusing_broker(133) as port:
        ended = jobindex(
            "doctor",
            "--json",
            MQTT_URL=f"mqtt://127.0.0.1:{port}",
            HTTP_PORT=service.url.rpartition(":")[2],
            DATABASE_URL=f"sqlite:///{service.database}",
        )
    (told,) = [one for one in map(json.loads, ended.stdout.splitlines()) if not one["ok"]]
    assert (0, "broker", True) == (ended.returncode, told["part"], told["unsure"])
    assert told["told"].startswith("could not check with the doctor's client id: ")
    assert "client ids that begin with 'jobindex-doctor-'" in told["advice"]


def test_a_broker_that_drops_messages_is_reported(tmp_path: Path) -> None:
    """Dropped messages are reported; the doctor is unsure, as it cannot see which client missed them."""
    with mosquitto(tmp_path, "allow_anonymous true", "sys_interval 1", "max_queued_messages 10") as broker:
        service = Service(tmp_path, MQTT_URL=f"mqtt://127.0.0.1:{broker.port}", MQTT_TOPICS=FILTER)
        with running(service):
            pass
        publish(broker.port, [(f"{THING.format('t')}/j-{number}/notify-namespace-n", "{}") for number in range(50)])
        settings = {"MQTT_URL": f"mqtt://127.0.0.1:{broker.port}", "HTTP_PORT": 1, "DATABASE_URL": "sqlite:///none.db"}

        def dropped() -> list[str]:
            return [told for told in examined(**settings)[2] if "dropped" in told]

        told = f"broker: mqtt://127.0.0.1:{broker.port} has dropped 40 messages since its start, "
        assert [f"{told}because clients' queues were full"] == wait_until(dropped, "the count")


def test_a_filter_that_is_refused_is_named(tmp_path: Path) -> None:
    """A refused filter is reported, and the others are checked too."""
    with mosquitto(tmp_path, "allow_anonymous true", "max_qos 0") as broker:
        url = f"mqtt://127.0.0.1:{broker.port}"
        _, _, wrong = examined(MQTT_URL=url, HTTP_PORT=1, DATABASE_URL=f"sqlite:///{tmp_path}/none.db")
    assert [f"broker: {one} is not granted at QoS 1" for one in DEFAULT_FILTERS] == wrong[:-1]


def test_each_broker_of_a_cluster_is_looked_at(tmp_path: Path) -> None:
    """Each broker of a cluster is checked, and each result names its broker."""
    port = free_port()
    with mosquitto(tmp_path) as broker:
        settings = {"HTTP_PORT": 1, "DATABASE_URL": f"sqlite:///{tmp_path}/none.db"}
        url = f"mqtt://127.0.0.1:{broker.port}"
        _, well, wrong = examined(MQTT_URL=f"{url},127.0.0.1:{port}", **settings)
    assert f"broker: {url} accepts connections" in well
    assert f"broker: {url}: {FILTER} is granted" in well
    assert [f"broker: mqtt://127.0.0.1:{port} accepts no connection: Connection refused"] == wrong[:1]


def test_the_broker_is_asked_by_alpn(tmp_path: Path) -> None:
    """The doctor offers ALPN as the service does, and names the setting if a connection fails."""
    made = make_certificates(tmp_path)
    with mosquitto(tmp_path) as broker, alpn_front(made, broker.port, "x-amzn-mqtt-ca") as port:
        settings = {
            "MQTT_URL": f"mqtts://127.0.0.1:{port}",
            "MQTT_CA_FILE": made.ca,
            "MQTT_CERT_FILE": made.client,
            "MQTT_KEY_FILE": made.client_key,
            "HTTP_PORT": 1,
            "DATABASE_URL": f"sqlite:///{tmp_path}/none.db",
        }
        _, well, _ = examined(**settings, MQTT_ALPN="x-amzn-mqtt-ca")
        assert "broker: TLSv1.3, x-amzn-mqtt-ca by ALPN, with a trusted certificate" in well
        assert f"broker: {FILTER} is granted" in well
        told = jobindex("doctor", **settings).stdout
        assert "problem broker: the MQTT connection fails: " in told
        assert "JOBINDEX_MQTT_ALPN must name the one for MQTT" in told


def test_a_broker_that_knows_no_such_protocol_is_told(tmp_path: Path) -> None:
    """An ALPN alert of TLS is reported as an unsupported protocol."""
    made = make_certificates(tmp_path)
    port = free_port()
    files = ("-cert", made.server, "-key", made.server_key)
    server = subprocess.Popen(
        ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", *files, "-alpn", "mqtt", "-quiet"],
        stdin=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        settings = {"MQTT_URL": f"mqtts://127.0.0.1:{port}", "MQTT_CA_FILE": made.ca, "MQTT_ALPN": "x-amzn-mqtt-ca"}
        others = {"HTTP_PORT": 1, "DATABASE_URL": f"sqlite:///{tmp_path}/none.db"}

        def told() -> str:
            told = jobindex("doctor", **settings, **others).stdout
            return "" if "accepts no connection" in told else told

        assert "the broker supports none of the protocols that jobindex offers by ALPN\n" in wait_until(
            told, "the server"
        )
    finally:
        server.kill()
        server.communicate()


def test_faults_of_tls_are_told_apart(tmp_path: Path) -> None:
    """The doctor distinguishes an unknown authority, a wrong host name, and TLS on one side only."""
    made = make_certificates(tmp_path)
    lines = (f"cafile {made.ca}", f"certfile {made.server}", f"keyfile {made.server_key}", "allow_anonymous true")
    settings = {"HTTP_PORT": 1, "DATABASE_URL": f"sqlite:///{tmp_path}/none.db"}
    (tmp_path / "plain").mkdir()
    with mosquitto(tmp_path, *lines) as broker, mosquitto(tmp_path / "plain") as plain:
        url = f"mqtts://127.0.0.1:{broker.port}"
        told = jobindex("doctor", MQTT_URL=url, **settings).stdout
        assert "the broker's certificate is not trusted: " in told
        assert "in JOBINDEX_MQTT_CA_FILE" in told
        settings["MQTT_CA_FILE"] = str(made.ca)
        told = jobindex("doctor", MQTT_URL=f"mqtts://localhost:{broker.port}", **settings).stdout
        assert "Use the host name in the certificate." in told
        _, well, _ = examined(MQTT_URL=url, **settings)
        assert [line for line in well if "with a trusted certificate" in line]
        assert f"broker: {FILTER} is granted" in well
        told = jobindex("doctor", MQTT_URL=f"mqtts://127.0.0.1:{plain.port}", **settings).stdout
        assert "TLS with the broker fails: " in told
        told = jobindex(
            "doctor", MQTT_URL=f"mqtt://127.0.0.1:{broker.port}", HTTP_PORT=1, DATABASE_URL=settings["DATABASE_URL"]
        ).stdout
        assert "JOBINDEX_MQTT_URL must begin with mqtts://" in told


def test_a_service_that_is_not_connected_is_told(tmp_path: Path) -> None:
    """A service that is not connected is a problem, with its own reason."""
    port = free_port()
    with running(Service(tmp_path, MQTT_URL=f"mqtt://127.0.0.1:{port}"), until="connecting") as service:
        settings = {"HTTP_PORT": service.url.rpartition(":")[2], "DATABASE_URL": f"sqlite:///{service.database}"}
        status, well, wrong = examined(MQTT_URL=f"mqtt://127.0.0.1:{port}", **settings)
    assert 1 == status
    assert f"service: {service.url} is ready" in well
    assert [told for told in wrong if told.startswith("service: it is connecting: ")]
    assert "service: its index is not known to be complete" in wrong


def test_clocks_that_differ_are_told() -> None:
    """A clock difference, unwritten messages and a server that is not jobindex are problems."""
    there = datetime.now(UTC) - timedelta(minutes=3)
    readyz = {"ready": True, "ingestion": "connected", "oldestUnwritten": there.isoformat()}
    with answering(json.dumps(readyz).encode(), date=format_datetime(there, usegmt=True)) as url:
        told = [f"{finding.part}: {finding.text}" for finding in examine_service(ServiceClient(url)) if finding.advice]
    assert any(one.startswith("clock: the service's clock says ") for one in told)
    assert any(one.startswith("service: it is 3m 0") and "behind" in one for one in told)
    with answering(b"<html>", date=format_datetime(there, usegmt=True)) as url:
        (finding,) = examine_service(ServiceClient(url))
    assert f"the server at {url} is not jobindex" == finding.text


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Create a database with an empty index."""
    path = tmp_path / "jobindex.db"
    assert 0 == jobindex("migrate", DATABASE_URL=f"sqlite:///{path}").returncode
    return path


def told_of(path: Path, *, is_served: bool = False) -> str:
    """Return the problems of a database, with their advice."""
    findings = examine_database(path, is_served=is_served)
    return "\n".join(f"{finding.text}; {finding.advice}" for finding in findings if finding.advice)


def execute(path: Path, statement: str) -> None:
    """Execute a statement on a database."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(statement)


def test_a_database_without_faults(database: Path) -> None:
    """A sound database has no problems, and is neither changed nor locked."""
    files = {path: path.read_bytes() for path in database.parent.iterdir()}
    assert "" == told_of(database)
    with locked(database):
        assert "" == told_of(database, is_served=True)
        assert "uses it, but no service answers" in told_of(database)
    assert files[database] == database.read_bytes()
    assert not [finding for finding in examine_database(database, is_served=False) if "0.0 MiB" in finding.text]


def bound_by_rights() -> list[str]:
    """Return the command prefix that makes file permissions apply to root."""
    if os.geteuid() != 0:
        return []
    program = shutil.which("setpriv")
    require("setpriv", found=program is not None)
    return [str(program), "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all"]


@pytest.mark.parametrize("denied", ["", ".lock", "folder"])
def test_a_database_that_may_not_be_written(database: Path, denied: str) -> None:
    """The doctor names the path that it cannot write: the database, a file next to it, or the folder."""
    Path(f"{database}.lock").touch()
    path = database.parent if denied == "folder" else Path(f"{database}{denied}")
    rights = path.stat().st_mode
    path.chmod(0o555 if denied == "folder" else 0o444)
    try:
        ended = subprocess.run(
            [*bound_by_rights(), sys.executable, "-m", "jobindex", "doctor"],
            env={**os.environ, "JOBINDEX_DATABASE_URL": f"sqlite:///{database}", "JOBINDEX_HTTP_PORT": "1"},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    finally:
        path.chmod(rights)
    assert (1, "") == (ended.returncode, ended.stderr)
    assert f"problem database: this user may not write {path}\n" in ended.stdout


def test_versions_of_a_database(database: Path) -> None:
    """The doctor distinguishes databases of a newer version, an older one and another program."""
    execute(database, "INSERT INTO migrations (number, name) VALUES (9999, 'later')")
    assert "was written by a newer jobindex: it is at migration 9999" in told_of(database)
    execute(database, "DELETE FROM migrations WHERE number > 1")
    assert "`jobindex migrate` brings it up to date" in told_of(database)
    execute(database, "PRAGMA application_id = 1")
    assert "is not a database of jobindex" in told_of(database)
    database.write_bytes(b"This is no database, however long it is. " * 100)
    assert "cannot be read: " in told_of(database)


def test_a_database_that_readers_hold(database: Path) -> None:
    """A write-ahead log that is too long is a problem, with a long read as its likely cause."""
    execute(database, "PRAGMA journal_mode = WAL")
    with closing(sqlite3.connect(database)) as reader:
        reader.execute("SELECT * FROM migrations").fetchall()
        with Path(f"{database}-wal").open("ab") as log:
            log.truncate(LONG_BYTES + 1)
        assert "the write-ahead log is 64.0 MiB long; A process has been reading the database for a long" in told_of(
            database
        )


def test_a_database_that_is_not_there(tmp_path: Path) -> None:
    """A missing database is a problem if it cannot be created or if a service answers."""
    assert "is not a folder that this user may write" in told_of(tmp_path / "none" / "jobindex.db")
    assert "does not exist, but a service answers" in told_of(tmp_path / "jobindex.db", is_served=True)


def test_a_service_with_another_database(database: Path) -> None:
    """A database that no process uses is a problem if a service answers."""
    assert "no jobindex uses it, but a service answers" in told_of(database, is_served=True)


def test_keys_are_looked_at(tmp_path: Path) -> None:
    """The doctor reports whether keys exist, and whether other users can read them."""
    file = tmp_path / "keys.json"
    assert ["keys: no key is required: every client that reaches the service can read everything"] == [
        finding for finding in examined()[1] if finding.startswith("keys:")
    ]
    file.write_text('{"keys": []}')
    file.chmod(0o644)
    assert [
        f"keys: {file} has no keys, so no client has access",
        f"keys: {file} is open to every user of this machine",
    ] == [finding for finding in examined(HTTP_KEYS_FILE=file)[2] if finding.startswith("keys:")]
    file.chmod(0o600)
    jobindex("keys", "add", "ops", "--token", "--file", file)
    assert [f"keys: {file} has 1 key; the service reads it at its start and on SIGHUP"] == [
        finding for finding in examined(HTTP_KEYS_FILE=file)[1] if finding.startswith("keys:")
    ]


def test_a_database_that_is_open_to_everyone_is_told(tmp_path: Path) -> None:
    """A database that every user can open is a problem; a new one is readable only by its owner."""
    file = tmp_path / "open.db"
    assert 0 == jobindex("migrate", DATABASE_URL=f"sqlite:///{file}").returncode
    told = f"database: {file} is open to every user of this machine"
    assert told not in examined(DATABASE_URL=f"sqlite:///{file}")[2]
    file.chmod(0o644)
    assert told in examined(DATABASE_URL=f"sqlite:///{file}")[2]


def test_a_database_server_is_looked_at(postgres_url: str) -> None:
    """The doctor reports the server, the schema and the replica that ingests, never the password."""
    settings = {"HTTP_PORT": 1, "MQTT_URL": "mqtt://127.0.0.1:1", "DATABASE_URL": f"{postgres_url}?password=secret"}
    address = postgres_url.replace("jobindex@", "")
    _, well, _ = examined(**settings)
    assert f"database: {address} is empty; `jobindex serve` brings it up to date" in well
    migrated = jobindex("migrate", **settings)
    assert (0, f"{address} is up to date\n", "") == (migrated.returncode, migrated.stdout, migrated.stderr)
    _, well, _ = examined(**settings)
    newest = load_migrations("postgres")[-1].number
    told = [finding for finding in well if finding.startswith("database: ")]
    assert re.fullmatch(rf"database: {address} accepts writes \(PostgreSQL [\d.]+\), at migration {newest}", told[0])
    assert ["database: no replica ingests now; the next one that starts will"] == told[1:]
    server.execute(postgres_url, "UPDATE lease SET holder = 'host-7', expires_at = now() + INTERVAL '1 hour'")
    assert "database: host-7 ingests" in examined(**settings)[1]
    server.execute(postgres_url, "DROP TABLE migrations")
    _, _, wrong = examined(**settings)
    assert f"database: {address}: the database contains tables that do not belong to jobindex" in wrong
    _, _, wrong = examined(**{**settings, "DATABASE_URL": "postgresql://jobindex@127.0.0.1:1/db?password=secret"})
    [told_of] = [finding for finding in wrong if finding.startswith("database: ")]
    assert told_of.startswith("database: postgresql://127.0.0.1:1/db: The index cannot be read: ")
    assert "refused" in told_of
    assert "secret" not in told_of


@pytest.mark.parametrize("command", [("backup", "copy.db"), ("check",), ("restore", "copy.db")])
def test_what_is_for_files_says_so(tmp_path: Path, postgres_url: str, command: tuple[str, ...]) -> None:
    """Backup, check and restore refuse a database server and name PostgreSQL's own tools."""
    (tmp_path / "copy.db").touch()
    ended = jobindex(command[0], *(tmp_path / name for name in command[1:]), DATABASE_URL=postgres_url)
    assert ended.returncode != 0
    assert "is not a file: PostgreSQL's own tools (pg_dump, pg_basebackup) copy and check it" in ended.stderr


@pytest.mark.parametrize(
    "command", [("doctor",), ("migrate",), ("copy", "--from", "sqlite:///a.db", "--to", "sqlite:///b.db")]
)
def test_without_a_server_its_driver_is_not_missed(tmp_path: Path, command: tuple[str, ...]) -> None:
    """Commands on SQLite work without PostgreSQL's driver, which is an extra."""
    made = jobindex("migrate", DATABASE_URL=f"sqlite:///{tmp_path}/a.db")
    assert 0 == made.returncode
    hidden = f"import sys; sys.modules['psycopg'] = None; sys.argv = {['jobindex', *command]}; "
    ended = subprocess.run(
        [sys.executable, "-c", hidden + "from jobindex.__main__ import main; sys.exit(main())"],
        env={**os.environ, "JOBINDEX_DATABASE_URL": "sqlite:///a.db", "JOBINDEX_MQTT_URL": "mqtt://127.0.0.1:1"},
        cwd=tmp_path,
        check=False,
        capture_output=True,
        text=True,
    )
    assert "psycopg" not in ended.stderr
    assert ended.returncode == (1 if command == ("doctor",) else 0), ended.stderr
