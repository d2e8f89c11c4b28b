"""The files of deploy/mosquitto on a real mosquitto: authentication, topic rights and the bridge."""

import shutil
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

import pytest
from paho.mqtt.client import Client, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode
from support.brokers import Broker, mosquitto, publish
from support.certificates import make_certificates
from support.services import Service, running
from support.waiting import require, wait_until

from jobindex.cli.demo.nats import free_port

DEPLOYED = Path(__file__).parents[2] / "deploy" / "mosquitto"
SYSTEM = "$SYS/broker/version"  # retained: a client that may read it gets it on subscribing
OURS = {"$aws/things/t/jobs/j/notify-namespace-n", "$aws/events/job/j/completed", "$aws/other"}
OTHERS = {"things/t/jobs/j", "aws/things/t", "$AWS/things/t"}
SECONDS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Secured:
    """A mosquitto that runs as in compose.yaml, with the passwords of its users."""

    broker: Broker
    directory: Path
    passwords: dict[str, str]


def make_passwords(for_mosquitto: Path, for_jobindex: Path) -> dict[str, str]:
    """Run the script that makes the passwords; return them by user."""
    require("mosquitto", found=shutil.which("mosquitto_passwd") is not None)
    for directory in (for_mosquitto, for_jobindex):
        directory.mkdir(exist_ok=True)
    subprocess.run(["sh", DEPLOYED / "credentials.sh", for_mosquitto, for_jobindex], check=True)
    options = [(for_mosquitto / name).read_text().split() for name in ("mosquitto_pub", "mosquitto_sub")]
    assert [["-u", "-P"]] * 2 == [option[::2] for option in options]
    jobindex = (for_jobindex / "mqtt-password").read_text().rstrip("\n")
    return {"jobindex": jobindex, **{option[1]: option[3] for option in options}}


@contextmanager
def secured(directory: Path, *settings: str) -> Iterator[Secured]:
    """Run mosquitto with the deployed mosquitto.conf and acl, paths replaced, and a user `admin` with all rights."""
    passwords = make_passwords(directory, directory / "jobindex")
    additions = directory / "conf.d"
    additions.mkdir()
    (additions / "more.conf").write_text("\n".join(settings))
    with (directory / "acl").open("a") as acl:
        acl.write(
            "\nuser admin\n" + "".join(f"topic readwrite {name}\n" for name in ("#", "$aws/#", "$AWS/#", "$SYS/#"))
        )
    subprocess.run(["mosquitto_passwd", "-b", directory / "passwords", "admin", "secret"], check=True)
    own = ("#", "listener ", "persistence ", "persistence_location ")
    lines = [
        line for line in (DEPLOYED / "mosquitto.conf").read_text().splitlines() if line and not line.startswith(own)
    ]
    paths = {"/mosquitto/credentials": str(directory), "/mosquitto/config/conf.d": str(additions)}
    for inside, outside in paths.items():
        lines = [line.replace(inside, outside) for line in lines]
    with mosquitto(directory, *lines) as broker:
        yield Secured(broker=broker, directory=directory, passwords={**passwords, "admin": "secret"})


class User:
    """An MQTT 5 client, which learns whether the broker accepts a publication."""

    def __init__(self, port: int, username: str | None, password: str | None) -> None:
        self._client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTv5, reconnect_on_failure=False)
        self._client.username_pw_set(username, password)
        self._answers: SimpleQueue[list[ReasonCode]] = SimpleQueue()
        self._received: set[str] = set()
        self._client.on_connect = lambda _client, _data, _flags, reason, _properties: self._answers.put([reason])
        self._client.on_publish = lambda _client, _data, _id, reason, _properties: self._answers.put([reason])
        self._client.on_subscribe = lambda _client, _data, _id, reasons, _properties: self._answers.put(reasons)
        self._client.on_unsubscribe = lambda _client, _data, _id, reasons, _properties: self._answers.put(reasons)
        self._client.on_message = lambda _client, _data, message: self._received.add(message.topic)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        (self.connected,) = self._answers.get(timeout=SECONDS)

    def close(self) -> None:
        """End the connection."""
        self._client.disconnect()
        self._client.loop_stop()

    def subscribe(self, *topic_filters: str) -> None:
        """Subscribe, and wait for the answer, granted or not."""
        self._client.subscribe([(topic_filter, 1) for topic_filter in topic_filters])
        self._answers.get(timeout=SECONDS)

    def publish(self, topic: str) -> bool:
        """Publish to a topic; return whether the broker accepts it."""
        self._client.publish(topic, b"{}", qos=1)
        (reason,) = self._answers.get(timeout=SECONDS)
        return not reason.is_failure

    def received(self) -> set[str]:
        """Return the topics of the messages received: the broker answers only after all that it sent before."""
        self._client.unsubscribe("none")
        self._answers.get(timeout=SECONDS)
        return self._received


@pytest.fixture
def closed_broker(tmp_path: Path) -> Iterator[Secured]:
    """Run a mosquitto that accepts only its users."""
    with secured(tmp_path) as closed:
        yield closed


@contextmanager
def connected(closed: Secured, username: str) -> Iterator[User]:
    """Connect a user."""
    user = User(closed.broker.port, username, closed.passwords[username])
    try:
        assert "Success" == str(user.connected)
        yield user
    finally:
        user.close()


def published(closed: Secured, username: str, topics: Iterable[str]) -> set[str]:
    """Publish to topics as a user; return those that the broker accepts.

    Each has its own connection: mosquitto 2.0 closes one after a denied publication.
    """
    taken = set()
    for topic in topics:
        with connected(closed, username) as user:
            if user.publish(topic):
                taken.add(topic)
    return taken


@pytest.mark.parametrize(
    ("username", "may_read", "may_write"),
    [
        ("admin", OURS | OTHERS | {SYSTEM}, OURS | OTHERS),
        ("jobindex", OURS, set()),
        ("publisher", set(), OURS),
        ("healthcheck", {SYSTEM}, set()),
    ],
)
def test_users_have_the_rights_they_need(
    closed_broker: Secured, username: str, may_read: set[str], may_write: set[str]
) -> None:
    """Each user has exactly the rights it needs; `admin`, only in this test, receives every topic."""
    filters, asked = ("#", "$aws/#", "$AWS/#", "$SYS/#"), OURS | OTHERS
    with connected(closed_broker, username) as user:
        user.subscribe(*filters)
        assert asked == published(closed_broker, "admin", asked)
        received = user.received()
        if username == "admin":
            received &= asked | {SYSTEM}  # without the rest of $SYS
        assert may_read == received
    with connected(closed_broker, "admin") as admin:
        admin.subscribe(*filters)
        assert may_write == published(closed_broker, username, asked)
        assert may_write == admin.received() & asked


@pytest.mark.parametrize(("username", "password"), [(None, None), ("publisher", "wrong"), ("nobody", "secret")])
def test_who_has_no_password_is_not_let_in(closed_broker: Secured, username: str | None, password: str | None) -> None:
    """A client without a user name, with a wrong password or as an unknown user is refused."""
    user = User(closed_broker.broker.port, username, password)
    user.close()
    assert "Not authorized" == str(user.connected)


def test_what_is_published_while_jobindex_is_away_is_kept_for_it(closed_broker: Secured, tmp_path: Path) -> None:
    """Messages for an absent jobindex are kept, also over a restart of mosquitto from its file."""
    password_file = closed_broker.directory / "jobindex" / "mqtt-password"
    service = Service(
        tmp_path,
        MQTT_URL=f"mqtt://127.0.0.1:{closed_broker.broker.port}",
        MQTT_USERNAME="jobindex",
        MQTT_PASSWORD_FILE=str(password_file),
    )

    def announce(job_id: str) -> None:
        assert published(closed_broker, "publisher", [f"$aws/things/t/jobs/{job_id}/notify-namespace-n"])

    with running(service):
        announce("before")
        wait_until(service.jobs, "a job")
        service.stop()
        announce("while-away")
        closed_broker.broker.stop()
        closed_broker.broker.start()
        announce("after-restart")
        service.start()
        wait_until(lambda: {"before", "while-away", "after-restart"} == set(service.jobs()), "all jobs")


def test_passwords_are_made_once(tmp_path: Path) -> None:
    """Passwords are long, kept on a second run, and different in another place."""
    first = make_passwords(tmp_path / "mosquitto", tmp_path / "jobindex")
    assert {"jobindex", "publisher", "healthcheck"} == set(first)
    assert 3 == len({*first.values()})
    assert {48} == {len(password) for password in first.values()}
    hashes = (tmp_path / "mosquitto" / "passwords").read_text()
    assert not [password for password in first.values() if password in hashes]
    assert first == make_passwords(tmp_path / "mosquitto", tmp_path / "jobindex")
    assert hashes == (tmp_path / "mosquitto" / "passwords").read_text()
    assert not {*first.values()} & {*make_passwords(tmp_path / "other", tmp_path / "of jobindex").values()}


def test_passwords_are_for_their_readers_alone(tmp_path: Path) -> None:
    """Only mosquitto's user may read its files, and jobindex gets only its own password."""
    passwords = make_passwords(tmp_path / "mosquitto", tmp_path / "jobindex")
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "mosquitto").iterdir()}
    assert dict.fromkeys(("acl", "mosquitto_pub", "mosquitto_sub", "passwords"), 0o600) == modes
    assert [tmp_path / "jobindex" / "mqtt-password"] == list((tmp_path / "jobindex").iterdir())
    assert f"{passwords['jobindex']}\n" == (tmp_path / "jobindex" / "mqtt-password").read_text()


def test_an_interrupted_first_start_is_begun_again(tmp_path: Path) -> None:
    """If a file is missing, all passwords are made again, so that they match."""
    first = make_passwords(tmp_path / "mosquitto", tmp_path / "jobindex")
    for missing in (tmp_path / "mosquitto" / "passwords", tmp_path / "jobindex" / "mqtt-password"):
        missing.unlink()
        second = make_passwords(tmp_path / "mosquitto", tmp_path / "jobindex")
        assert not {*first.values()} & {*second.values()}
        first = second


def test_a_changed_acl_holds_from_the_next_start(tmp_path: Path) -> None:
    """A changed acl is copied at the next start, even if the passwords are kept."""
    make_passwords(tmp_path / "mosquitto", tmp_path / "jobindex")
    (tmp_path / "mosquitto" / "acl").write_text("topic readwrite #")
    make_passwords(tmp_path / "mosquitto", tmp_path / "jobindex")
    assert (DEPLOYED / "acl").read_text() == (tmp_path / "mosquitto" / "acl").read_text()


def test_the_bridge_brings_what_is_published_elsewhere(tmp_path: Path) -> None:
    """The bridge delivers the topics that it subscribes, and no others.

    bridge.conf is as deployed, except for address and paths, with a mosquitto in AWS's role.
    """
    files = make_certificates(tmp_path)
    there, here = tmp_path / "there", tmp_path / "here"
    there.mkdir()
    here.mkdir()
    tls = (f"cafile {files.ca}", f"certfile {files.server}", f"keyfile {files.server_key}", "require_certificate true")
    port = free_port()
    with mosquitto(there, *tls, f"listener {port} 127.0.0.1", "allow_anonymous true") as cloud:
        bridge = (DEPLOYED / "bridge.conf").read_text()
        for written, meant in {
            "ENDPOINT-ats.iot.REGION.amazonaws.com:8883": f"127.0.0.1:{cloud.port}",
            "/mosquitto/certs/AmazonRootCA1.pem": str(files.ca),
            "/mosquitto/certs/certificate.pem.crt": str(files.client),
            "/mosquitto/certs/private.pem.key": str(files.client_key),
        }.items():
            assert written in bridge
            bridge = bridge.replace(written, meant)
        events = {f"$aws/events/{kind}/a/b" for kind in ("job", "jobExecution", "thingGroup")}
        fetched = {"$aws/things/t/jobs/j/notify-namespace-n"} | events
        with secured(here, bridge) as closed, connected(closed, "jobindex") as jobindex:
            jobindex.subscribe("#", "$aws/#")

            def has_arrived() -> bool:
                publish(port, [(topic, "{}") for topic in ("$aws/other", "things/t", *sorted(fetched))])
                return jobindex.received() >= fetched

            wait_until(has_arrived, "the bridge")
            assert fetched == jobindex.received()
