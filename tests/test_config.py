"""Settings: read from the environment, and all that is wrong with them told at once."""

import ssl
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest

from jobindex.broker import Broker
from jobindex.config.http import Http
from jobindex.config.settings import Settings, read_settings, unknown_settings
from jobindex.errors import SettingsError
from jobindex.store import RejectedLimits
from jobindex.topics import DEFAULT_FILTERS


def read(**settings: str) -> Settings:
    """Read settings, named without their prefix."""
    return read_settings({f"JOBINDEX_{name}": value for name, value in settings.items()}, is_terminal=False)


def problems(**settings: str) -> tuple[str, ...]:
    """Return what is wrong with settings."""
    with pytest.raises(SettingsError) as raised:
        read(**settings)
    return raised.value.problems


def test_without_settings_the_defaults_hold() -> None:
    """Nothing need be set."""
    expected = Settings(
        broker=Broker(host="127.0.0.1", port=1883, client_id="jobindex"),
        topic_filters=DEFAULT_FILTERS,
        database_path=Path("jobindex.db"),
        rejected_limits=RejectedLimits(max_messages=10_000, max_bytes=67_108_864),
        retention=None,
        stuck_after=timedelta(hours=1),
        http=Http(
            host="127.0.0.1",
            port=8080,
            cert_file=None,
            key_file=None,
            tls=None,
            ca_file=None,
            rate=None,
        ),
        aws_region="us-east-1",
        aws_account_id="000000000000",
        log_format="json",
        log_level="info",
    )
    assert expected == read()
    assert expected == read(MQTT_URL="", HTTP_PORT="")


def test_every_setting_is_read() -> None:
    """Each setting has its place; user and password may stand in the URL."""
    expected = Settings(
        broker=Broker(
            host="broker.example", port=2883, client_id="me", username="us er", password="p@ss", protocol="3.1.1"
        ),
        topic_filters=("$aws/things/a/jobs/#", "$aws/events/job/#"),
        database_path=Path("/var/lib/jobs index.db"),
        rejected_limits=RejectedLimits(max_messages=5, max_bytes=0),
        retention=timedelta(days=30),
        stuck_after=timedelta(minutes=10),
        http=Http(
            host="0.0.0.0",
            port=0,
            cert_file=None,
            key_file=None,
            tls=None,
            ca_file=None,
            rate=0.5,
        ),
        aws_region="eu-central-1",
        aws_account_id="123456789012",
        log_format="text",
        log_level="debug",
    )
    actual = read(
        MQTT_URL="mqtt://us%20er:p%40ss@broker.example:2883",
        MQTT_CLIENT_ID="me",
        MQTT_PROTOCOL="3.1.1",
        MQTT_TOPICS="$aws/things/a/jobs/#, $aws/events/job/#,$aws/events/job/#",
        DATABASE_URL="sqlite:////var/lib/jobs%20index.db",
        REJECTED_MAX_MESSAGES="5",
        REJECTED_MAX_BYTES="0",
        RETENTION_DAYS="30",
        STUCK_SECONDS="600",
        HTTP_HOST="0.0.0.0",
        HTTP_PORT="0",
        HTTP_RATE="0.5",
        AWS_REGION="eu-central-1",
        AWS_ACCOUNT_ID="123456789012",
        LOG_FORMAT="text",
        LOG_LEVEL="debug",
    )
    assert expected == actual


def test_a_user_set_apart_wins_over_the_url() -> None:
    """What is set by itself wins over what stands in the URL."""
    broker = read(MQTT_URL="mqtt://a:b@host", MQTT_USERNAME="user", MQTT_PASSWORD="secret").broker
    assert ("user", "secret") == (broker.username, broker.password)


def test_a_terminal_gets_text() -> None:
    """Lines are text on a terminal and JSON elsewhere."""
    assert read_settings({}, is_terminal=True).log_format == "text"


def test_a_secret_may_stand_in_a_file(tmp_path: Path) -> None:
    """The content of the file counts, without its line end."""
    (tmp_path / "password").write_text("secret \n")
    (tmp_path / "url").write_text("mqtt://user@host\n")
    broker = read(MQTT_URL_FILE=str(tmp_path / "url"), MQTT_PASSWORD_FILE=str(tmp_path / "password")).broker
    assert ("host", "user", "secret ") == (broker.host, broker.username, broker.password)


def test_all_problems_are_told_at_once() -> None:
    """Each line names the variable and its value."""
    assert (
        "JOBINDEX_MQTT_USERNAME: holds a character that cannot be printed, or that is not UTF-8",
        "JOBINDEX_MQTT_CLIENT_ID: 'xx' is not a client id of 1 to 128 characters".replace("xx", "x" * 129),
        "JOBINDEX_MQTT_PROTOCOL: '4' is not one of 5, 3.1.1",
        "JOBINDEX_MQTT_TOPICS: '#x': a '#' fills the last level (MQTT-4.7.1-2)",
        "JOBINDEX_DATABASE_URL: 'mysql://x' is not sqlite:///PATH, with a file as PATH",
        "JOBINDEX_REJECTED_MAX_MESSAGES: '-1' is not a whole number",
        "JOBINDEX_REJECTED_MAX_BYTES: '1.5' is not a whole number",
        "JOBINDEX_RETENTION_DAYS: '0' is not a number of days from 1 to 99999",
        "JOBINDEX_STUCK_SECONDS: '1h' is not a number of seconds from 1 to 999999999",
        "JOBINDEX_HTTP_HOST: 'a b' is not a host name or address",
        "JOBINDEX_HTTP_PORT: '65536' is not a port from 0 to 65535",
        "JOBINDEX_HTTP_RATE: '0.000' is not a number from 0.001 to 999999, such as 50 or 0.5",
        "JOBINDEX_AWS_REGION: 'EU' is not a region such as us-east-1",
        "JOBINDEX_AWS_ACCOUNT_ID: '12' is not twelve digits",
        "JOBINDEX_LOG_FORMAT: 'xml' is not one of text, json",
        "JOBINDEX_LOG_LEVEL: 'loud' is not one of debug, info, warning, error",
    ) == problems(
        MQTT_CLIENT_ID="x" * 129,
        MQTT_USERNAME="\udcff",
        MQTT_PROTOCOL="4",
        MQTT_TOPICS="#x",
        DATABASE_URL="mysql://x",
        REJECTED_MAX_MESSAGES="-1",
        REJECTED_MAX_BYTES="1.5",
        RETENTION_DAYS="0",
        STUCK_SECONDS="1h",
        HTTP_HOST="a b",
        HTTP_PORT="65536",
        HTTP_RATE="0.000",
        AWS_REGION="EU",
        AWS_ACCOUNT_ID="12",
        LOG_FORMAT="xml",
        LOG_LEVEL="loud",
    )


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("http://host", "its scheme 'http' is not mqtt or mqtts"),
        ("mqtt://", "names no host"),
        ("mqtt://host/path", "holds more than mqtt[s]://[user[:password]@]host[:port]"),
        ("mqtt://[host", "Invalid IPv6 URL"),
        ("mqtt://host..x", "the host 'host..x' is no host name"),
        ("mqtt://host:99999", "Port out of range 0-65535"),
    ],
)
def test_a_wrong_broker_url_is_told_without_its_password(url: str, problem: str) -> None:
    """The URL may hold a password, so it is never shown."""
    assert (f"JOBINDEX_MQTT_URL: {problem}",) == problems(MQTT_URL=url.replace("host", "user:secret@host"))[:1]
    assert not any("secret" in line for line in problems(MQTT_URL=url.replace("host", "user:secret@host")))


@pytest.mark.parametrize("url", ["sqlite:///", "sqlite:///:memory:", "sqlite://relative.db", "jobindex.db"])
def test_the_database_is_a_file(url: str) -> None:
    """An index in memory would be lost with every message that was acknowledged for it."""
    assert (f"JOBINDEX_DATABASE_URL: '{url}' is not sqlite:///PATH, with a file as PATH",) == problems(DATABASE_URL=url)


def test_a_secret_is_set_once(tmp_path: Path) -> None:
    """A secret and its file together are a mistake, and so are a file that cannot be read and a lone password."""
    (tmp_path / "password").write_text("secret")
    assert (
        "JOBINDEX_MQTT_PASSWORD: is set, and JOBINDEX_MQTT_PASSWORD_FILE too",
        "JOBINDEX_MQTT_PASSWORD: is set without a user name",
    ) == problems(MQTT_PASSWORD="secret", MQTT_PASSWORD_FILE=str(tmp_path / "password"))
    (found,) = problems(MQTT_PASSWORD_FILE=str(tmp_path / "none"))
    assert found.startswith(f"JOBINDEX_MQTT_PASSWORD_FILE: '{tmp_path}/none' cannot be read: ")


def test_certificates_need_tls_and_must_be_usable(tmp_path: Path) -> None:
    """Files of certificates are checked before anything starts."""
    (tmp_path / "bad.pem").write_text("no certificate")
    bad = str(tmp_path / "bad.pem")
    names = ("MQTT_CA_FILE", "MQTT_CERT_FILE", "MQTT_KEY_FILE")
    assert tuple(f"JOBINDEX_{name}: is set, but JOBINDEX_MQTT_URL is not mqtts://" for name in names) == problems(
        **dict.fromkeys(names, bad)
    )
    found = problems(MQTT_URL="mqtts://host", MQTT_CA_FILE=bad, MQTT_CERT_FILE=bad)
    assert ["JOBINDEX_MQTT_CA_FILE", "JOBINDEX_MQTT_CERT_FILE"] == [line.partition(":")[0] for line in found]
    assert ("JOBINDEX_MQTT_KEY_FILE: is set without JOBINDEX_MQTT_CERT_FILE",) == problems(
        MQTT_URL="mqtts://host", MQTT_KEY_FILE=bad
    )


def test_tls_verifies_by_default() -> None:
    """Mqtts without further files trusts what the system trusts, on port 8883."""
    broker = read(MQTT_URL="mqtts://host").broker
    assert broker.tls is not None
    assert broker.tls.check_hostname
    assert ("mqtts://host:8883", 8883) == (str(broker), broker.port)


def client_hello(**settings: str) -> bytes:
    """Return the first message of a TLS handshake; it is in plain."""
    context = read(**settings).broker.tls
    assert context is not None
    sent = ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), sent, server_hostname="host").do_handshake()
    return sent.read()


@pytest.mark.parametrize(
    ("expected", "settings"),
    [
        (["x-amzn-mqtt-ca"], {"MQTT_URL": "mqtts://host:443"}),
        (["mqtt"], {"MQTT_URL": "mqtts://host:443", "MQTT_ALPN": "mqtt"}),
        (["x-amzn-mqtt-ca", "mqtt"], {"MQTT_URL": "mqtts://host", "MQTT_ALPN": "x-amzn-mqtt-ca, mqtt,mqtt"}),
    ],
)
def test_protocols_are_asked_for_by_alpn(expected: list[str], settings: dict[str, str]) -> None:
    """Those that are set, and on port 443 AWS's when nothing is (RFC 7301, 3.1)."""
    names = b"".join(bytes([len(name)]) + name.encode() for name in expected)
    extension = b"\x00\x10" + (len(names) + 2).to_bytes(2, "big") + len(names).to_bytes(2, "big") + names
    assert extension in client_hello(**settings)


@pytest.mark.parametrize("url", ["mqtts://host", "mqtts://host:8443"])
def test_other_ports_are_asked_for_no_protocol(url: str) -> None:
    """Unless it is set."""
    assert b"mqtt" not in client_hello(MQTT_URL=url)


def test_protocols_to_ask_for_need_tls_and_must_have_names() -> None:
    """A name is 1 to 255 bytes of ASCII."""
    assert ("JOBINDEX_MQTT_ALPN: is set, but JOBINDEX_MQTT_URL is not mqtts://",) == problems(MQTT_ALPN="mqtt")
    wrong = ["", "ü", "x" * 256]
    assert tuple(
        f"JOBINDEX_MQTT_ALPN: {name!r} is not a protocol's name of 1 to 255 ASCII characters" for name in wrong
    ) == problems(MQTT_URL="mqtts://host", MQTT_ALPN=",".join(["mqtt", *wrong]))
    read(MQTT_URL="mqtts://host", MQTT_ALPN="x" * 255)


def test_misspelt_settings_are_found() -> None:
    """A variable that looks like a setting and is none is told; those of others are not."""
    environment = {"JOBINDEX_MQTT_URI": "x", "JOBINDEX_MQTT_URL_FILE": "x", "JOBINDEX_LOG_LEVEL": "x", "HOME": "x"}
    assert ["JOBINDEX_MQTT_URI"] == unknown_settings(environment)


def test_a_client_certificate_is_loaded(tmp_path: Path) -> None:
    """A certificate with its key is taken."""
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=test"]
    subprocess.run([*command, "-keyout", str(key), "-out", str(cert)], check=True, capture_output=True)
    broker = read(
        MQTT_URL="mqtts://host", MQTT_CA_FILE=str(cert), MQTT_CERT_FILE=str(cert), MQTT_KEY_FILE=str(key)
    ).broker
    assert broker.tls is not None
    assert len(broker.tls.get_ca_certs()) == 1
