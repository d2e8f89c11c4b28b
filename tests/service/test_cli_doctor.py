"""`jobindex doctor`: what is wrong with a set-up, and what to do about it."""

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
from support.served_fleet import THING, served_fleet
from support.services import Service, running
from support.stub_server import answering
from support.waiting import require, wait_until

from jobindex.cli.checks.database import examine_database
from jobindex.cli.checks.service import examine_service
from jobindex.cli.client import ServiceClient
from jobindex.cli.demo.nats import free_port
from jobindex.messages.topics import DEFAULT_FILTERS
from jobindex.storage.migrations import load_migrations
from jobindex.storage.sqlite.file import locked
from jobindex.storage.sqlite.wal import LONG_BYTES

FILTER = "$aws/things/+/jobs/#"


def examined(**settings: object) -> tuple[int, list[str], list[str]]:
    """Return the exit status of the doctor, what is well and what is wrong, each with its part."""
    ended = jobindex("doctor", "--json", **settings)
    findings = [json.loads(line) for line in ended.stdout.splitlines()]
    assert all(finding["ok"] or finding["advice"] for finding in findings)
    well = [f"{finding['part']}: {finding['told']}" for finding in findings if finding["ok"]]
    return ended.returncode, well, [f"{one['part']}: {one['told']}" for one in findings if not one["ok"]]


@contextmanager
def secured(directory: Path, rights: str) -> Iterator[int]:
    """Run a broker that lets in the user `sub` alone, with these rights; yield its port."""
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
    """Exits with 0, and the service has not noticed."""
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
        assert "ok      settings: are valid" == text

        ahead = int((datetime.now(UTC) + timedelta(hours=2)).timestamp())
        topic = f"{THING.format('t')}/ahead-1/notify-namespace-n"
        publish(port, [(topic, json.dumps({"job": {"createdAt": ahead, "status": "IN_PROGRESS"}}))])
        wait_until(lambda: "ahead-1" in service.jobs(), "the job")
        status, _, wrong = examined(**settings)
        assert (1, ["clock: job ahead-1 was created at"]) == (status, [told[:33] for told in wrong])


def test_nothing_there_is_told_step_by_step(tmp_path: Path) -> None:
    """Each finding says what to do; the database is not made."""
    database = tmp_path / "jobindex.db"
    settings = {"HTTP_PORT": 1, "DATABASE_URL": f"sqlite:///{database}"}
    status, well, wrong = examined(MQTT_URL="mqtt://127.0.0.1:1", **settings)
    assert 1 == status
    assert ["broker: mqtt://127.0.0.1:1 takes no connection: Connection refused"] == wrong[:1]
    assert wrong[1].startswith("service: no service answers at http://127.0.0.1:1: ")
    assert f"database: {database} is not there yet; `jobindex serve` makes it" in well
    assert [] == list(tmp_path.iterdir())
    ended = jobindex("doctor", MQTT_URL="mqtt://nobody.invalid", **settings)
    assert "WRONG   broker: the name nobody.invalid has no address: " in ended.stdout
    assert "        -> Correct the host in JOBINDEX_MQTT_URL.\n" in ended.stdout


def test_wrong_settings_are_findings() -> None:
    """All of them, and the exit status is 2."""
    ended = jobindex("doctor", HTTP_PORT="high", MQTT_URL="http://host")
    assert (2, "") == (ended.returncode, ended.stderr)
    assert "WRONG   settings: JOBINDEX_HTTP_PORT: 'high' is not a port from 0 to 65535\n" in ended.stdout
    assert "WRONG   settings: JOBINDEX_MQTT_URL: its scheme is not mqtt or mqtts\n" in ended.stdout


def test_a_setting_that_is_none_is_a_finding(tmp_path: Path) -> None:
    """Once, beside those that are wrong too."""
    settings = {"HTTP_PORT": 1, "DATABASE_URL": f"sqlite:///{tmp_path}/none.db", "MQTT_URL": "mqtt://127.0.0.1:1"}
    told = "WRONG   settings: JOBINDEX_HTTP_PRT is no setting of jobindex\n"
    ended = jobindex("doctor", HTTP_PRT=1, **settings)
    assert (1, "", 1) == (ended.returncode, ended.stderr, ended.stdout.count("JOBINDEX_HTTP_PRT"))
    assert told in ended.stdout
    assert "-> Correct its name to JOBINDEX_HTTP_PORT, or unset it: it has no effect.\n" in ended.stdout
    assert "settings: are valid" not in ended.stdout
    assert "127.0.0.1 is 127.0.0.1" not in ended.stdout
    ended = jobindex("doctor", HTTP_PRT=1, **{**settings, "HTTP_PORT": "high"})
    assert (2, "", True) == (ended.returncode, ended.stderr, told in ended.stdout)


def test_a_protocol_that_the_broker_does_not_speak_is_told(tmp_path: Path) -> None:
    """With the other one as advice, and nothing of passwords."""
    with refusing_broker(132) as port:
        ended = jobindex(
            "doctor",
            MQTT_URL=f"mqtt://u:p@127.0.0.1:{port}",
            HTTP_PORT=1,
            DATABASE_URL=f"sqlite:///{tmp_path}/none.db",
        )
    assert "WRONG   broker: the broker does not speak MQTT 5: " in ended.stdout
    assert "-> Set JOBINDEX_MQTT_PROTOCOL=3.1.1.\n" in ended.stdout
    assert "PASSWORD" not in ended.stdout


def test_what_a_service_was_told_ends_where_it_lost_its_broker() -> None:
    """That it was complete until then is no comfort."""
    moment = "2026-11-23T10:00:00.000Z"
    readyz = {"ready": True, "ingestion": "refused", "ingestionReason": "no", "completeSince": moment}
    with answering(json.dumps({**readyz, "lastMessage": moment}).encode()) as url:
        findings = [finding for finding in examine_service(ServiceClient(url)) if finding.part == "service"]
    assert [True, False] == [finding.advice is None for finding in findings]
    assert findings[1].told == (
        "it is refused: no; it was told everything from 2026-11-23T10:00:00Z until it lost the broker "
        "(the last message came at 2026-11-23T10:00:00Z)"
    )


def of_standby(there: Mapping[str, str]) -> list[tuple[bool, str]]:
    """Return what is found of a replica that stands by: whether it is well, and what."""
    moment = "2026-11-23T10:00:00.000Z"
    times = {"connectedSince": moment} if there["ingestion"] == "connected" else {}
    readyz = {"ready": True, "ingestion": "standby", "ingestionBy": there, "completeSince": moment, **times}
    with answering(json.dumps(readyz).encode()) as url:
        found = [finding for finding in examine_service(ServiceClient(url)) if finding.part == "service"]
    return [(finding.advice is None, finding.told) for finding in found[1:]]


def test_a_replica_that_stands_by_is_well_where_another_is_connected() -> None:
    """How the one that ingests fares counts for both."""
    assert [
        (True, "it stands by: it would ingest in place of another replica"),
        (True, "the replica that ingests, host-7-5d1f0a, is connected to its broker since 2026-11-23T10:00:00Z"),
        (True, "it has been told everything since 2026-11-23T10:00:00Z"),
    ] == of_standby({"replica": "host-7-5d1f0a", "ingestion": "connected"})
    until = "; it was told everything from 2026-11-23T10:00:00Z until it lost the broker"
    assert [
        (True, "it stands by: it would ingest in place of another replica"),
        (False, f"the replica that ingests is connecting: no replica ingests just now{until}"),
    ] == of_standby({"ingestion": "connecting", "ingestionReason": "no replica ingests just now"})


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_credentials_and_rights_are_told_apart(tmp_path: Path, protocol: str) -> None:
    """Who is not let in, and who may not subscribe to what."""
    rights = f"user sub\ntopic read {FILTER}\ntopic read $aws/events/#\n"
    settings = {"MQTT_PROTOCOL": protocol, "HTTP_PORT": 1, "DATABASE_URL": f"sqlite:///{tmp_path}/none.db"}
    with secured(tmp_path, rights) as port:
        for credentials, advice in (
            ("", "It wants a user and a password"),
            ("sub:wrong@", "Correct JOBINDEX_MQTT_USER"),
        ):
            told = jobindex("doctor", MQTT_URL=f"mqtt://{credentials}127.0.0.1:{port}", **settings).stdout
            assert "WRONG   broker: the broker refuses the connection: " in told
            assert f"-> {advice}" in told
        _, well, _ = examined(MQTT_URL=f"mqtt://sub:secret@127.0.0.1:{port}", **settings)
        assert f"broker: MQTT {protocol} by user 'sub' is accepted" in well
        assert f"broker: {FILTER} is granted" in well


def test_that_a_service_is_connected_excuses_nothing(tmp_path: Path) -> None:
    """It may have other settings: a wrong password, a port that speaks no MQTT."""
    with secured(tmp_path, f"user sub\ntopic read {FILTER}\ntopic read $aws/events/#\n") as port:
        url = f"127.0.0.1:{port}"
        with running(Service(tmp_path, MQTT_URL=f"mqtt://sub:secret@{url}", MQTT_TOPICS=FILTER)) as service:
            settings = {"HTTP_PORT": service.url.rpartition(":")[2], "DATABASE_URL": f"sqlite:///{service.database}"}
            status, _, wrong = examined(MQTT_URL=f"mqtt://sub:wrong@{url}", **settings)
            assert (1, 1) == (status, len(wrong))
            assert wrong[0].startswith("broker: the broker refuses the connection: ")
            assert wrong[0].endswith("; so the topic filters were not tried")
            status, _, wrong = examined(MQTT_URL=f"mqtt://{service.url.removeprefix('http://')}", **settings)
            assert (1, 1) == (status, len(wrong))
            assert wrong[0].startswith("broker: no MQTT connection comes about: ")
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
    """Neither well nor wrong; it says what to do, and the exit status is that of the rest."""
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
    assert told["told"].startswith("could not check with an id of its own: ")
    assert "client ids that begin with 'jobindex-doctor-'" in told["advice"]


def test_a_filter_that_is_refused_is_named(tmp_path: Path) -> None:
    """The others are asked for too."""
    with mosquitto(tmp_path, "allow_anonymous true", "max_qos 0") as broker:
        url = f"mqtt://127.0.0.1:{broker.port}"
        _, _, wrong = examined(MQTT_URL=url, HTTP_PORT=1, DATABASE_URL=f"sqlite:///{tmp_path}/none.db")
    assert [f"broker: {one} is not granted at QoS 1" for one in DEFAULT_FILTERS] == wrong[:-1]


def test_each_broker_of_a_cluster_is_looked_at(tmp_path: Path) -> None:
    """What is found is told of the one that it is about."""
    port = free_port()
    with mosquitto(tmp_path) as broker:
        settings = {"HTTP_PORT": 1, "DATABASE_URL": f"sqlite:///{tmp_path}/none.db"}
        url = f"mqtt://127.0.0.1:{broker.port}"
        _, well, wrong = examined(MQTT_URL=f"{url},127.0.0.1:{port}", **settings)
    assert f"broker: {url} takes connections" in well
    assert f"broker: {url}: {FILTER} is granted" in well
    assert [f"broker: mqtt://127.0.0.1:{port} takes no connection: Connection refused"] == wrong[:1]


def test_the_broker_is_asked_by_alpn(tmp_path: Path) -> None:
    """As the service asks it; who asks for another protocol is not understood."""
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
        assert "broker: TLSv1.3, x-amzn-mqtt-ca by ALPN, with a certificate that is trusted" in well
        assert f"broker: {FILTER} is granted" in well
        told = jobindex("doctor", **settings).stdout
        assert "WRONG   broker: no MQTT connection comes about: " in told
        assert "JOBINDEX_MQTT_ALPN must name the one for MQTT" in told


def test_a_broker_that_knows_no_such_protocol_is_told(tmp_path: Path) -> None:
    """It says so in an alert of its own, while TLS is all right."""
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
            return "" if "takes no connection" in told else told

        assert "the broker speaks none of the protocols that it is asked for by ALPN\n" in wait_until(
            told, "the server"
        )
    finally:
        server.kill()
        server.communicate()


def test_faults_of_tls_are_told_apart(tmp_path: Path) -> None:
    """An authority that is not known, another name in the certificate, and a port without TLS."""
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
        assert "Use the host name that stands in the certificate." in told
        _, well, _ = examined(MQTT_URL=url, **settings)
        assert [line for line in well if "with a certificate that is trusted" in line]
        assert f"broker: {FILTER} is granted" in well
        told = jobindex("doctor", MQTT_URL=f"mqtts://127.0.0.1:{plain.port}", **settings).stdout
        assert "TLS with the broker fails: " in told
        told = jobindex(
            "doctor", MQTT_URL=f"mqtt://127.0.0.1:{broker.port}", HTTP_PORT=1, DATABASE_URL=settings["DATABASE_URL"]
        ).stdout
        assert "JOBINDEX_MQTT_URL must begin with mqtts://" in told


def test_a_service_that_is_not_connected_is_told(tmp_path: Path) -> None:
    """With its own reason."""
    port = free_port()
    with running(Service(tmp_path, MQTT_URL=f"mqtt://127.0.0.1:{port}"), until="connecting") as service:
        settings = {"HTTP_PORT": service.url.rpartition(":")[2], "DATABASE_URL": f"sqlite:///{service.database}"}
        status, well, wrong = examined(MQTT_URL=f"mqtt://127.0.0.1:{port}", **settings)
    assert 1 == status
    assert f"service: {service.url} is ready" in well
    assert [told for told in wrong if told.startswith("service: it is connecting: ")]
    assert "service: it does not know since when it has been told everything" in wrong


def test_clocks_that_differ_are_told() -> None:
    """And messages that wait to be written, and what is no jobindex."""
    there = datetime.now(UTC) - timedelta(minutes=3)
    readyz = {"ready": True, "ingestion": "connected", "oldestUnwritten": there.isoformat()}
    with answering(json.dumps(readyz).encode(), date=format_datetime(there, usegmt=True)) as url:
        told = [f"{finding.part}: {finding.told}" for finding in examine_service(ServiceClient(url)) if finding.advice]
    assert any(one.startswith("clock: the service's clock says ") for one in told)
    assert any(one.startswith("service: it is 3m 0") and "behind" in one for one in told)
    with answering(b"<html>", date=format_datetime(there, usegmt=True)) as url:
        (finding,) = examine_service(ServiceClient(url))
    assert f"what answers at {url} is no jobindex" == finding.told


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Make an empty index."""
    path = tmp_path / "jobindex.db"
    assert 0 == jobindex("migrate", DATABASE_URL=f"sqlite:///{path}").returncode
    return path


def told_of(path: Path, *, is_served: bool = False) -> str:
    """Return what is wrong with a database, with the advice."""
    findings = examine_database(path, is_served=is_served)
    return "\n".join(f"{finding.told}; {finding.advice}" for finding in findings if finding.advice)


def execute(path: Path, statement: str) -> None:
    """Change a database."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(statement)


def test_a_database_without_faults(database: Path) -> None:
    """Nothing is wrong with it, nor is it changed or locked."""
    files = {path: path.read_bytes() for path in database.parent.iterdir()}
    assert "" == told_of(database)
    with locked(database):
        assert "" == told_of(database, is_served=True)
        assert "works with it, and no service answers" in told_of(database)
    assert files[database] == database.read_bytes()
    assert not [finding for finding in examine_database(database, is_served=False) if "0.0 MiB" in finding.told]


def bound_by_rights() -> list[str]:
    """Return what to put before a command for files' rights to bind it: root passes over them."""
    if os.geteuid() != 0:
        return []
    program = shutil.which("setpriv")
    require("setpriv", found=program is not None)
    return [str(program), "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all"]


@pytest.mark.parametrize("denied", ["", ".lock", "folder"])
def test_a_database_that_may_not_be_written(database: Path, denied: str) -> None:
    """The file, one beside it, or its folder: what may not be written is named."""
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
    assert f"WRONG   database: this user may not write {path}\n" in ended.stdout


def test_versions_of_a_database(database: Path) -> None:
    """One made by a newer version, by an older one, and one of somebody else."""
    execute(database, "INSERT INTO migrations (number, name) VALUES (9999, 'later')")
    assert "was made by a newer jobindex: it is at migration 9999" in told_of(database)
    execute(database, "DELETE FROM migrations WHERE number > 1")
    assert "`jobindex migrate` brings it up to date" in told_of(database)
    execute(database, "PRAGMA application_id = 1")
    assert "is no database of jobindex" in told_of(database)
    database.write_bytes(b"This is no database, however long it is. " * 100)
    assert "cannot be read: " in told_of(database)


def test_a_database_that_readers_hold(database: Path) -> None:
    """Its write-ahead log is too long."""
    execute(database, "PRAGMA journal_mode = WAL")
    with closing(sqlite3.connect(database)) as reader:
        reader.execute("SELECT * FROM migrations").fetchall()
        with Path(f"{database}-wal").open("ab") as log:
            log.truncate(LONG_BYTES + 1)
        assert "the write-ahead log has 64.0 MiB; Some process reads the database for long" in told_of(database)


def test_a_database_that_is_not_there(tmp_path: Path) -> None:
    """It cannot be made, or the service has another one."""
    assert "is no folder that this user may write" in told_of(tmp_path / "none" / "jobindex.db")
    assert "is not there, though a service answers" in told_of(tmp_path / "jobindex.db", is_served=True)


def test_a_service_with_another_database(database: Path) -> None:
    """Nobody works with the one of the settings."""
    assert "no jobindex works with it, though a service answers" in told_of(database, is_served=True)


def test_keys_are_looked_at(tmp_path: Path) -> None:
    """Whether there is one, and who could read them."""
    file = tmp_path / "keys.json"
    assert ["keys: none are asked for: whoever reaches the service reads all"] == [
        finding for finding in examined()[1] if finding.startswith("keys:")
    ]
    file.write_text('{"keys": []}')
    file.chmod(0o644)
    assert [
        f"keys: {file} has none, so nobody is let in",
        f"keys: {file} is open to every user of this machine",
    ] == [finding for finding in examined(HTTP_KEYS_FILE=file)[2] if finding.startswith("keys:")]
    file.chmod(0o600)
    jobindex("keys", "add", "ops", "--token", "--file", file)
    assert [f"keys: {file} has 1; the service goes by them once it is started, or gets SIGHUP"] == [
        finding for finding in examined(HTTP_KEYS_FILE=file)[1] if finding.startswith("keys:")
    ]


def test_a_database_server_is_looked_at(postgres_url: str) -> None:
    """What is told of it: whether it is there, its schema, who ingests; never the password."""
    settings = {"HTTP_PORT": 1, "MQTT_URL": "mqtt://127.0.0.1:1", "DATABASE_URL": f"{postgres_url}?password=secret"}
    address = postgres_url.replace("jobindex@", "")
    _, well, _ = examined(**settings)
    assert f"database: {address} is empty; `jobindex serve` brings it up to date" in well
    migrated = jobindex("migrate", **settings)
    assert (0, f"{address} is up to date\n", "") == (migrated.returncode, migrated.stdout, migrated.stderr)
    _, well, _ = examined(**settings)
    newest = load_migrations("postgres")[-1].number
    told = [finding for finding in well if finding.startswith("database: ")]
    assert re.fullmatch(rf"database: {address} takes writes \(PostgreSQL [\d.]+\), at migration {newest}", told[0])
    assert ["database: no replica ingests just now; the next that starts does"] == told[1:]
    server.execute(postgres_url, "UPDATE lease SET holder = 'host-7', expires_at = now() + INTERVAL '1 hour'")
    assert "database: host-7 ingests" in examined(**settings)[1]
    server.execute(postgres_url, "DROP TABLE migrations")
    _, _, wrong = examined(**settings)
    assert f"database: {address}: the database holds tables of something other than jobindex" in wrong
    _, _, wrong = examined(**{**settings, "DATABASE_URL": "postgresql://jobindex@127.0.0.1:1/db?password=secret"})
    [told_of] = [finding for finding in wrong if finding.startswith("database: ")]
    assert told_of.startswith("database: postgresql://127.0.0.1:1/db: The index cannot be read: ")
    assert "refused" in told_of
    assert "secret" not in told_of


@pytest.mark.parametrize("command", [("backup", "copy.db"), ("check",), ("restore", "copy.db")])
def test_what_is_for_files_says_so(tmp_path: Path, postgres_url: str, command: tuple[str, ...]) -> None:
    """A database of a server is copied and checked by its own tools."""
    (tmp_path / "copy.db").touch()
    ended = jobindex(command[0], *(tmp_path / name for name in command[1:]), DATABASE_URL=postgres_url)
    assert ended.returncode != 0
    assert "is no file: PostgreSQL's own tools (pg_dump, pg_basebackup) copy and check it" in ended.stderr


@pytest.mark.parametrize(
    "command", [("doctor",), ("migrate",), ("copy", "--from", "sqlite:///a.db", "--to", "sqlite:///b.db")]
)
def test_without_a_server_its_driver_is_not_missed(tmp_path: Path, command: tuple[str, ...]) -> None:
    """The driver of PostgreSQL is an extra: who has SQLite alone has none."""
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
