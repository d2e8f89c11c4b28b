"""The service as a process: start, errors, misbehaving brokers, stop."""

import asyncio
import json
import os
import signal
import socket
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import astuple
from http.client import HTTPConnection
from pathlib import Path

import pytest
from support.alpn_proxy import alpn_front
from support.brokers import mosquitto, nats, publish
from support.certificates import make_certificates
from support.commands import jobindex
from support.services import Service, running
from support.waiting import wait_until

from bench.processes import is_running
from jobindex.config.settings import read_settings
from jobindex.durations import SHUTDOWN
from jobindex.service import serve
from jobindex.web.changes import ChangeFeed

NOTIFICATION = ("$aws/things/thing/jobs/job/notify-namespace-n", "{}")


def test_wrong_settings_stop_the_start_with_all_of_them(tmp_path: Path) -> None:
    """All wrong settings are in one message, and nothing is created."""
    ended = jobindex("serve", HTTP_PORT="x", LOG_LEVEL="y", DATABASE_URL=f"sqlite:///{tmp_path}/new.db")
    assert 2 == ended.returncode
    assert (
        "jobindex cannot start:\n"
        "JOBINDEX_HTTP_PORT: 'x' is not a port from 0 to 65535\n"
        "JOBINDEX_LOG_LEVEL: 'y' is not one of debug, info, warning, error\n"
    ) == ended.stderr
    assert not list(tmp_path.iterdir())


def test_a_port_that_is_taken_stops_the_start(tmp_path: Path) -> None:
    """If the port is taken, the message names the address, and nothing is created."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        ended = jobindex("serve", HTTP_PORT=str(port), DATABASE_URL=f"sqlite:///{tmp_path}/new.db")
    assert 2 == ended.returncode
    assert f"JOBINDEX_HTTP_PORT: 127.0.0.1:{port}: Address already in use" in ended.stderr
    assert not list(tmp_path.iterdir())


def test_a_host_that_does_not_resolve_stops_the_start() -> None:
    """If the host does not resolve, the message names the setting."""
    ended = jobindex("serve", HTTP_HOST="no.such.host.invalid", HTTP_AUTH="none")
    assert 2 == ended.returncode
    assert "JOBINDEX_HTTP_HOST: 'no.such.host.invalid'" in ended.stderr


def test_the_settings_of_http_have_their_effect(tmp_path: Path) -> None:
    """Hosts, proxies, the rate and access without keys are those of the settings."""
    settings = {"HTTP_HOSTS": "jobs.internal", "HTTP_PROXIES": "127.0.0.1", "HTTP_RATE": "0.001", "HTTP_AUTH": "none"}
    service = Service(tmp_path, MQTT_URL="mqtt://127.0.0.1:1", **settings)
    with running(service, until="connecting"):

        def ask(host: str, client: str) -> int:
            connection = HTTPConnection("127.0.0.1", int(service.url.rpartition(":")[2]), timeout=10)
            connection.request("GET", "/jobs", headers={"host": host, "x-forwarded-for": client})
            with connection.getresponse() as answer:
                answer.read()
                connection.close()
                return answer.status

        assert [200] * 10 + [400] == [ask("jobs.internal", "10.0.0.1") for _ in range(11)]
        assert (200, 403) == (ask("localhost", "10.0.0.2"), ask("jobs.example", "10.0.0.3"))


@pytest.mark.parametrize("command", ["serve", "migrate"])
def test_a_file_that_is_no_database_stops_the_start(tmp_path: Path, command: str) -> None:
    """A file that is not a database is named in the message, and stays unchanged."""
    file = tmp_path / "notes.txt"
    file.write_text("not a database" * 100)
    ended = jobindex(command, HTTP_PORT="0", DATABASE_URL=f"sqlite:///{file}")
    assert 1 == ended.returncode
    assert f"jobindex cannot use its database: {file}: file is not a database" in ended.stderr
    assert file.read_text() == "not a database" * 100


def test_migrate_makes_the_database_and_ends(tmp_path: Path) -> None:
    """`migrate` may run any number of times, and prints whether it created the database."""
    for told in ("was created", "is up to date"):
        ended = jobindex("migrate", DATABASE_URL=f"sqlite:///{tmp_path}/new.db")
        assert (0, f"{tmp_path}/new.db {told}\n") == (ended.returncode, ended.stdout)


def test_a_misspelt_setting_is_told(tmp_path: Path) -> None:
    """A misspelt setting does not stop the command, but causes a warning."""
    ended = jobindex("migrate", DATABASE_URL=f"sqlite:///{tmp_path}/new.db", MQTT_URI="x", LOG_FORMAT="json")
    expected = "JOBINDEX_MQTT_URI is not a setting of jobindex; did you mean JOBINDEX_MQTT_URL?"
    assert expected == json.loads(ended.stderr)["message"]


def test_a_misspelt_setting_is_reported_with_wrong_ones() -> None:
    """A misspelt setting is reported with the wrong ones, as it may be their cause."""
    ended = jobindex("serve", MQTT_USER="me", MQTT_PASSWORD="secret", HTTP_PORT="0")
    expected = (
        "jobindex cannot start:\nJOBINDEX_MQTT_PASSWORD: is set without a user name\n"
        "JOBINDEX_MQTT_USER is not a setting of jobindex; did you mean JOBINDEX_MQTT_USERNAME?\n"
    )
    assert (2, expected) == (ended.returncode, ended.stderr)


def test_a_locked_database_is_waited_for(tmp_path: Path) -> None:
    """While a new database is locked, the service stays up and /readyz gives the reason."""
    service = Service(tmp_path, MQTT_URL="mqtt://127.0.0.1:1")
    with closing(sqlite3.connect(service.database, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        try:
            service.start_only()
            wait_until(lambda: "locked" in service.readyz()["reason"], "the reason on /readyz")
            assert service.get("/readyz")[0] == 503
            assert service.get("/jobs")[0] == 503
            assert service.get("/healthz")[0] == 200
            assert ("locked" in service.readyz()["unwritable"], service.metric("unwritable")) == (True, 1)
            other.execute("ROLLBACK")
            wait_until(lambda: service.get("/readyz")[0] == 200, "readiness")
            assert service.get("/jobs")[0] == 200
            assert service.metric("unwritable") == 0
        finally:
            assert service.stop() == 0


def test_a_service_that_still_waits_for_its_database_stops(tmp_path: Path) -> None:
    """SIGTERM ends a service in time, even while it waits for its database."""
    service = Service(tmp_path, MQTT_URL="mqtt://127.0.0.1:1")
    with closing(sqlite3.connect(service.database, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        service.start_only()
        wait_until(lambda: "locked" in service.readyz()["reason"], "the reason on /readyz")
        started = time.monotonic()
        assert service.stop() == 0
        assert time.monotonic() - started < 10


def test_a_second_service_on_the_same_database_is_refused(tmp_path: Path) -> None:
    """A second process on the same database is refused, as only one may write the file."""
    with running(Service(tmp_path, MQTT_URL="mqtt://127.0.0.1:1"), until="connecting") as service:
        ended = jobindex("serve", HTTP_PORT="0", DATABASE_URL=f"sqlite:///{service.database}")
        assert (1, True) == (ended.returncode, "is in use by another jobindex" in ended.stderr)


def test_the_health_check_tells_by_its_exit_status(tmp_path: Path) -> None:
    """`healthcheck` exits with 0 if the service is ready, and with 1 if it does not answer."""
    with running(Service(tmp_path, MQTT_URL="mqtt://127.0.0.1:1"), until="connecting") as service:
        port = service.url.rpartition(":")[2]
        assert jobindex("healthcheck", HTTP_PORT=port).returncode == 0
        assert jobindex("healthcheck", HTTP_PORT=port, HTTP_HOST="0.0.0.0").returncode == 0
    ended = jobindex("healthcheck", HTTP_PORT=port)
    assert (1, True) == (ended.returncode, "refused" in ended.stderr)


def test_the_health_check_asks_the_service_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`healthcheck` ignores proxies and supports IPv6 addresses."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    service = Service(tmp_path, MQTT_URL="mqtt://127.0.0.1:1", HTTP_HOST="::1")
    service.start_only()
    try:
        assert service.url.startswith("http://[::1]:")
        check = {"HTTP_HOST": "::1", "HTTP_PORT": service.url.rpartition(":")[2]}
        wait_until(lambda: jobindex("healthcheck", **check).returncode == 0, "a ready service")
    finally:
        assert service.stop() == 0


def test_a_stop_fails_no_request(tmp_path: Path) -> None:
    """Requests in progress at a stop are answered, as the index is closed after HTTP has ended."""
    service = Service(tmp_path, MQTT_URL="mqtt://127.0.0.1:1")
    service.start(until="connecting")

    def ask(_: int) -> set[int]:
        answers = set()
        try:
            while True:
                answers.add(service.get("/jobs")[0])
        except OSError:  # nobody listens any more
            return answers

    with ThreadPoolExecutor(8) as pool:
        asking = [pool.submit(ask, number) for number in range(8)]
        wait_until(lambda: service.get("/jobs")[0] == 200, "an answer")
        assert service.stop() == 0
        assert {200} == set().union(*(answers.result(30) for answers in asking))
    assert "Traceback" not in service.log()


def test_what_is_in_hand_is_written_before_the_service_stops(tmp_path: Path) -> None:
    """SIGTERM commits and acknowledges the messages in flight, and the exit status is 0."""
    with mosquitto(tmp_path) as broker:
        service = Service(tmp_path, MQTT_URL=f"mqtt://127.0.0.1:{broker.port}")
        with running(service):
            with closing(sqlite3.connect(service.database, isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                publish(broker.port, [NOTIFICATION])
                wait_until(lambda: service.metric("commits_failed_total") >= 1, "a commit that fails")
                assert service.process is not None
                service.process.send_signal(signal.SIGTERM)
                wait_until(lambda: service.get("/readyz")[0] == 503, "/readyz to say that the service stops")
            assert service.process.wait(10) == 0
        with closing(sqlite3.connect(service.database)) as database:
            assert [("job",)] == database.execute("SELECT job_id FROM job_summaries").fetchall()


def test_the_limits_of_a_shutdown_add_up_to_less_than_ten_seconds() -> None:
    """If every step takes as long as allowed, SIGTERM still ends the service in time."""
    assert sum(astuple(SHUTDOWN)) < 10


def test_a_service_whose_database_stays_locked_stops_in_time(tmp_path: Path) -> None:
    """The service exits with 0 within ten seconds, and the broker keeps its messages."""
    with mosquitto(tmp_path) as broker:
        service = Service(tmp_path, MQTT_URL=f"mqtt://127.0.0.1:{broker.port}")
        with running(service):
            with closing(sqlite3.connect(service.database, isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                publish(broker.port, [NOTIFICATION])
                wait_until(lambda: service.metric("commits_failed_total") >= 1, "a commit that fails")
                started = time.monotonic()
                assert service.stop() == 0
                assert time.monotonic() - started < 10
            service.start()
            wait_until(service.jobs, "the job")


def test_a_connection_attempt_that_nobody_answers_does_not_hold_the_stop(tmp_path: Path) -> None:
    """A TLS handshake that nobody answers does not delay a stop, as its thread is abandoned."""
    certificates = make_certificates(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"mqtts://127.0.0.1:{silent.getsockname()[1]}"
        service = Service(tmp_path, MQTT_URL=url, MQTT_CA_FILE=str(certificates.ca))
        service.start(until="connecting")
        with silent.accept()[0]:
            assert service.get("/jobs")[0] == 200
            started = time.monotonic()
            assert service.stop() == 0
            assert time.monotonic() - started < 10


def test_a_broker_that_never_answers_is_tried_again(tmp_path: Path) -> None:
    """A connection without CONNACK times out, and its socket is closed."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(40)
        service = Service(tmp_path, MQTT_URL=f"mqtt://127.0.0.1:{silent.getsockname()[1]}")
        with running(service, until="connecting"), silent.accept()[0] as first:
            first.settimeout(40)
            while first.recv(1000):
                pass
            wait_until(lambda: "Operation timed out" in service.log(), "the reason in the log")
            silent.accept()[0].close()


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_tls_with_a_client_certificate(tmp_path: Path, protocol: str) -> None:
    """The service connects by mqtts:// with its own authority, certificate and key."""
    files = make_certificates(tmp_path)
    settings = ("allow_anonymous true", f"cafile {files.ca}", f"certfile {files.server}", f"keyfile {files.server_key}")
    with mosquitto(tmp_path, *settings, "require_certificate true") as broker:
        service = Service(
            tmp_path,
            MQTT_URL=f"mqtts://127.0.0.1:{broker.port}",
            MQTT_PROTOCOL=protocol,
            MQTT_CA_FILE=str(files.ca),
            MQTT_CERT_FILE=str(files.client),
            MQTT_KEY_FILE=str(files.client_key),
        )
        with running(service):
            told = service.readyz()
            assert (True, "connected") == (told["ready"], told["ingestion"])


def test_a_broker_that_shares_its_port_is_asked_by_alpn(tmp_path: Path) -> None:
    """A broker such as AWS IoT Core on port 443 disconnects clients that do not offer its protocol."""
    files = make_certificates(tmp_path)
    with mosquitto(tmp_path) as broker, alpn_front(files, broker.port, "x-amzn-mqtt-ca") as port:
        settings = {
            "MQTT_URL": f"mqtts://127.0.0.1:{port}",
            "MQTT_CA_FILE": str(files.ca),
            "MQTT_CERT_FILE": str(files.client),
            "MQTT_KEY_FILE": str(files.client_key),
        }
        service = Service(tmp_path, **settings, MQTT_ALPN="x-amzn-mqtt-ca")
        with running(service):
            publish(broker.port, [NOTIFICATION])
            wait_until(service.jobs, "the job")
            service.stop()
            other = Service(tmp_path, **settings, MQTT_ALPN="mqtt")
            with running(other, until="connecting"):
                wait_until(lambda: "ingestionReason" in other.readyz(), "the reason")


def test_a_refused_password_is_told(tmp_path: Path) -> None:
    """A refused password is reported on /readyz, the service still answers, and no log has the password."""
    (tmp_path / "passwords").write_text("")
    with mosquitto(tmp_path, "allow_anonymous false", f"password_file {tmp_path}/passwords") as broker:
        service = Service(tmp_path, MQTT_URL=f"mqtt://user:hunter2@127.0.0.1:{broker.port}")
        with running(service, until="refused"):
            assert "Not authorized" in service.readyz()["ingestionReason"]
            assert service.get("/readyz")[0] == service.get("/jobs")[0] == 200
            assert "hunter2" not in service.log()


def test_a_refused_subscription_is_told_and_the_others_work(tmp_path: Path) -> None:
    """A filter that the broker does not grant is named, and messages of the granted ones are received."""
    with nats(tmp_path, refused="$aws.events.job.>") as broker:
        service = Service(
            tmp_path,
            MQTT_URL=f"mqtt://127.0.0.1:{broker.port}",
            MQTT_PROTOCOL="3.1.1",
            MQTT_TOPICS="$aws/things/+/jobs/#,$aws/events/job/#",
        )
        with running(service, until="refused"):
            assert "$aws/events/job/#" in service.readyz()["ingestionReason"]
            publish(broker.port, [NOTIFICATION])
            wait_until(service.jobs, "the job")


async def test_a_part_that_fails_ends_the_service_with_its_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failed part ends the service with its error, so that the supervisor learns of the failure."""

    async def fail(live: ChangeFeed) -> None:  # noqa: ARG001
        raise RuntimeError("nobody is told any longer")

    monkeypatch.setattr(ChangeFeed, "run", fail)
    settings = read_settings(
        {
            "JOBINDEX_DATABASE_URL": f"sqlite:///{tmp_path}/jobindex.db",
            "JOBINDEX_MQTT_URL": "mqtt://127.0.0.1:1",
            "JOBINDEX_HTTP_PORT": "0",
        },
        is_terminal=False,
    )
    with pytest.raises(RuntimeError, match="nobody is told any longer"):
        async with asyncio.timeout(20):
            await serve(settings, asyncio.Event())


def test_the_process_that_writes_ends_with_the_service(tmp_path: Path) -> None:
    """The writer ignores signals, and ends with a killed service, so that a new one can use the file."""
    service = Service(tmp_path, MQTT_URL="mqtt://127.0.0.1:1")
    with running(service, until="connecting"):
        _, writer = service.pids()
        os.kill(writer, signal.SIGTERM)
        os.kill(writer, signal.SIGINT)
        assert [writer] == service.pids()[1:]
        service.kill(leaves_writer=True)
        service.start(until="connecting")
        assert not is_running(writer)
        assert service.stop() == 0
        assert not Path(f"{service.database}-wal").exists()
