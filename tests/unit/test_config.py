"""Settings are read from the environment, and all problems are reported at once."""

import re
import ssl
from datetime import timedelta
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict
from support.certificates import make_certificates

from jobindex.access.signatures import PublicUrl
from jobindex.aws.plan import AwsSync
from jobindex.config.http import Http
from jobindex.config.reader import Setting
from jobindex.config.settings import SETTINGS, Settings, nearest_setting, read_settings, unknown_settings
from jobindex.errors import SettingsError
from jobindex.ingest.broker import Broker
from jobindex.messages.topics import DEFAULT_FILTERS
from jobindex.model.store import RejectedLimits
from jobindex.storage.databases import PostgresDatabase, SqliteDatabase


def read(**settings: str) -> Settings:
    """Read settings, named without their prefix."""
    return read_settings({f"JOBINDEX_{name}": value for name, value in settings.items()}, is_terminal=False)


def problems(**settings: str) -> tuple[str, ...]:
    """Return the problems of settings."""
    with pytest.raises(SettingsError) as raised:
        read(**settings)
    return raised.value.problems


def test_without_settings_the_defaults_hold() -> None:
    """Every setting has a default, which an empty variable selects."""
    expected = Settings(
        brokers=(Broker(host="127.0.0.1", port=1883, client_id="jobindex"),),
        topic_filters=DEFAULT_FILTERS,
        topic_prefix="",
        keeps_documents=False,
        database=SqliteDatabase(path=Path("jobindex.db")),
        lease=timedelta(seconds=10),
        rejected_limits=RejectedLimits(max_messages=10_000, max_bytes=67_108_864),
        retention=None,
        stuck_after=timedelta(hours=1),
        http=Http(
            host="127.0.0.1",
            port=8080,
            keys_path=None,
            keys=None,
            token=None,
            host_names=frozenset({"127.0.0.1"}),
            public=None,
            proxies=(),
            cert_file=None,
            key_file=None,
            tls=None,
            ca_file=None,
            rate=None,
        ),
        aws_region="us-east-1",
        aws_account_id="000000000000",
        aws_sync=AwsSync(
            mode="off",
            endpoint_url=None,
            namespaces=("aws-gg-deployment",),
            rates={"": 5},
            repairs=True,
            keeps_ended=timedelta(days=30),
        ),
        log_format="json",
        log_level="info",
    )
    assert expected == read()
    assert expected == read(MQTT_URL="", HTTP_PORT="")


def test_every_setting_is_read() -> None:
    """Every setting has its own value; the URL may contain the user and password."""
    expected = Settings(
        brokers=(
            Broker(
                host="broker.example", port=2883, client_id="me", username="us er", password="p@ss", protocol="3.1.1"
            ),
        ),
        topic_filters=("site1/$aws/things/a/jobs/#", "site1/$aws/events/job/#"),
        topic_prefix="site1/",
        keeps_documents=True,
        database=SqliteDatabase(path=Path("/var/lib/jobs index.db")),
        lease=timedelta(minutes=2),
        rejected_limits=RejectedLimits(max_messages=5, max_bytes=0),
        retention=timedelta(days=30),
        stuck_after=timedelta(minutes=10),
        http=Http(
            host="0.0.0.0",
            port=0,
            keys_path=None,
            keys=None,
            token="secret",
            host_names=frozenset({"0.0.0.0", "jobindex", "jobs.internal", "jobs.example.com"}),
            public=PublicUrl(host="jobs.example.com:8443", is_secure=True, base_path="/iot"),
            proxies=("10.0.0.0/8", "::1"),
            cert_file=None,
            key_file=None,
            tls=None,
            ca_file=None,
            rate=0.5,
        ),
        aws_region="eu-central-1",
        aws_account_id="123456789012",
        aws_sync=AwsSync(
            mode="check",
            endpoint_url="http://other:8080/iot",
            namespaces=("acme", "other"),
            rates={"": 500, "DescribeJob": 2.5},
            repairs=False,
            keeps_ended=timedelta(0),
        ),
        log_format="text",
        log_level="debug",
    )
    actual = read(
        MQTT_URL="mqtt://us%20er:p%40ss@broker.example:2883",
        MQTT_CLIENT_ID="me",
        MQTT_PROTOCOL="3.1.1",
        MQTT_TOPIC_PREFIX="site1/",
        JOB_DOCUMENTS="keep",
        MQTT_TOPICS="$aws/things/a/jobs/#, $aws/events/job/#,$aws/events/job/#",
        DATABASE_URL="sqlite:////var/lib/jobs%20index.db",
        DATABASE_LEASE="2m",
        REJECTED_MAX_MESSAGES="5",
        REJECTED_MAX_BYTES="0",
        RETENTION_DAYS="30",
        STUCK_SECONDS="600",
        HTTP_AUTH="none",
        HTTP_TOKEN="secret",
        HTTP_HOSTS="jobindex, Jobs.Internal",
        HTTP_PUBLIC_URL="https://jobs.example.com:8443/iot/",
        HTTP_PROXIES="10.0.0.0/8, ::1",
        HTTP_HOST="0.0.0.0",
        HTTP_PORT="0",
        HTTP_RATE="0.5",
        AWS_REGION="eu-central-1",
        AWS_ACCOUNT_ID="123456789012",
        AWS_SYNC="check",
        AWS_ENDPOINT_URL="http://other:8080/iot/",
        AWS_SYNC_NAMESPACES="acme, other",
        AWS_SYNC_RATE="500, DescribeJob=2.5",
        AWS_SYNC_DIFFERENCES="report",
        AWS_SYNC_ENDED_DAYS="0",
        LOG_FORMAT="text",
        LOG_LEVEL="debug",
    )
    assert expected == actual


def test_a_user_set_apart_wins_over_the_url() -> None:
    """A setting of its own wins over the part of the URL."""
    [broker] = read(MQTT_URL="mqtt://a:b@host", MQTT_USERNAME="user", MQTT_PASSWORD="secret").brokers
    assert ("user", "secret") == (broker.username, broker.password)


@pytest.mark.parametrize("lease", ["ten", "-5s", "86401", "2d", "999999999.999d"])
def test_a_lease_lasts_from_a_second_to_a_day(lease: str) -> None:
    """Any other duration or text is reported as a problem."""
    assert timedelta(seconds=1) == read(DATABASE_LEASE="1").lease
    assert timedelta(days=1) == read(DATABASE_LEASE="24h").lease
    told = f"JOBINDEX_DATABASE_LEASE: '{lease}' is not a duration from 1s to 1d, such as 10s or 2m"
    assert (told,) == problems(DATABASE_LEASE=lease)


def test_a_terminal_gets_text() -> None:
    """The log format is text on a terminal, and JSON elsewhere."""
    assert read_settings({}, is_terminal=True).log_format == "text"


def test_a_secret_may_stand_in_a_file(tmp_path: Path) -> None:
    """A secret is the content of its file, without the line end."""
    (tmp_path / "password").write_text("secret \n")
    (tmp_path / "url").write_text("mqtt://user@host\n")
    [broker] = read(MQTT_URL_FILE=str(tmp_path / "url"), MQTT_PASSWORD_FILE=str(tmp_path / "password")).brokers
    assert ("host", "user", "secret ") == (broker.host, broker.username, broker.password)


NOT_THERE = "cannot be read: No such file or directory; `jobindex keys add NAME` creates it"


def test_all_problems_are_told_at_once() -> None:
    """Each problem is a line with the name of its variable."""
    assert (
        "JOBINDEX_MQTT_USERNAME: contains a character that cannot be printed, or is not UTF-8",
        "JOBINDEX_MQTT_CLIENT_ID: 'xx' is not a client id of 1 to 128 characters".replace("xx", "x" * 129),
        "JOBINDEX_MQTT_PROTOCOL: '4' is not one of 5, 3.1.1",
        "JOBINDEX_MQTT_TOPICS: '#x': a '#' must be the last level (MQTT-4.7.1-2)",
        "JOBINDEX_DATABASE_URL: 'mysql://x' is neither sqlite:///PATH, with a file as PATH, nor postgresql://HOST/DATABASE",
        "JOBINDEX_DATABASE_LEASE: '0.4s' is not a duration from 1s to 1d, such as 10s or 2m",
        "JOBINDEX_REJECTED_MAX_MESSAGES: '-1' is not a whole number",
        "JOBINDEX_REJECTED_MAX_BYTES: '1.5' is not a whole number",
        "JOBINDEX_RETENTION_DAYS: '0' is not a number of days from 1 to 99999",
        "JOBINDEX_STUCK_SECONDS: '1h' is not a number of seconds from 1 to 999999999",
        "JOBINDEX_HTTP_HOST: 'a b' is not a host name or address",
        "JOBINDEX_HTTP_PORT: '65536' is not a port from 0 to 65535",
        f"JOBINDEX_HTTP_KEYS_FILE: '/none' {NOT_THERE}",
        "JOBINDEX_HTTP_TOKEN: is not a token: it must be one line of printable ASCII, without spaces",
        "JOBINDEX_HTTP_HOSTS: 'a:80' is not a host name without a port",
        "JOBINDEX_HTTP_PROXIES: 'proxy' is not an address or a network without host bits, such as 10.0.0.0/8",
        "JOBINDEX_HTTP_RATE: '0.000' is not a number from 0.001 to 999999, such as 50 or 0.5",
        "JOBINDEX_HTTP_AUTH: 'basic' is not one of keys, none",
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
        DATABASE_LEASE="0.4s",
        REJECTED_MAX_MESSAGES="-1",
        REJECTED_MAX_BYTES="1.5",
        RETENTION_DAYS="0",
        STUCK_SECONDS="1h",
        HTTP_HOST="a b",
        HTTP_PORT="65536",
        HTTP_AUTH="basic",
        HTTP_KEYS_FILE="/none",
        HTTP_TOKEN="a b",
        HTTP_HOSTS="a:80",
        HTTP_PROXIES="proxy",
        HTTP_RATE="0.000",
        AWS_REGION="EU",
        AWS_ACCOUNT_ID="12",
        LOG_FORMAT="xml",
        LOG_LEVEL="loud",
    )


_NO_PORT = "is not a number from 0 to 65535; in a password, '/' is %2F, '?' %3F, '#' %23"


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("http://host", "its scheme is not mqtt or mqtts"),
        ("mqtt://", "names no host"),
        ("mqtt://host/path", "contains more than mqtt[s]://[user[:password]@]host[:port][,host[:port]...]"),
        ("mqtt://[host", "is not a URL"),
        ("mqtt://host\u2100x", "is not a URL"),  # normalized, it contains a "/"; urllib's error shows the password
        ("mqtt://host..x", "its host is not a host name"),
        ("mqtt://host:99999", f"its port {_NO_PORT}"),
    ],
)
def test_a_wrong_broker_url_is_told_without_its_password(url: str, problem: str) -> None:
    """A problem never shows the URL, which may contain a password."""
    assert (f"JOBINDEX_MQTT_URL: {problem}",) == problems(MQTT_URL=url.replace("host", "user:secret@host"))[:1]
    assert not any("secret" in line for line in problems(MQTT_URL=url.replace("host", "user:secret@host")))


def test_a_url_names_the_brokers_of_a_cluster() -> None:
    """Each host is used once, in order, with its own or the default port; all hosts share the other values."""
    brokers = read(MQTT_URL="mqtt://us%20er:p%40,ss@one.example:2883,two.example, [::1]:2884,One.example:2883").brokers
    assert ["mqtt://one.example:2883", "mqtt://two.example:1883", "mqtt://[::1]:2884"] == list(map(str, brokers))
    assert {("us er", "p@,ss", "jobindex")} == {(one.username, one.password, one.client_id) for one in brokers}
    secured = read(MQTT_URL="mqtts://one.example,two.example:443").brokers
    assert ["mqtts://one.example:8883", "mqtts://two.example:443"] == list(map(str, secured))
    assert b"mqtt" not in client_hello(MQTT_URL="mqtts://one.example,two.example:443")


def test_each_wrong_host_of_a_cluster_is_told() -> None:
    """A wrong host is reported by position, as it may be part of a password, and a common problem once."""
    assert (
        "JOBINDEX_MQTT_URL: host 3 of 5: is not a URL",
        "JOBINDEX_MQTT_URL: its scheme is not mqtt or mqtts",
        "JOBINDEX_MQTT_URL: contains more than mqtt[s]://[user[:password]@]host[:port][,host[:port]...]",
        "JOBINDEX_MQTT_URL: host 2 of 5: names no host",
        f"JOBINDEX_MQTT_URL: host 4 of 5: its port {_NO_PORT}",
        "JOBINDEX_MQTT_URL: host 5 of 5: its host is not a host name",
    ) == problems(MQTT_URL="http://user:secret@one,,[two,three:x,four..x/path")


def test_a_user_stands_in_a_url_once() -> None:
    """A URL or a user for each broker is a problem of its own; otherwise a password could be misread."""
    more = "JOBINDEX_MQTT_URL: contains more than mqtt[s]://[user[:password]@]host[:port][,host[:port]...]"
    assert more in problems(MQTT_URL="mqtt://user:secret@one,mqtt://user:secret@two")
    once = "one before the first host is for all hosts; in a password, '@' is %40"
    assert (f"JOBINDEX_MQTT_URL: names a user more than once: {once}",) == problems(
        MQTT_URL="mqtt://user:secret@one,user:secret@two"
    )


@pytest.mark.parametrize("mark", ["/", "?", "#"])
def test_a_password_that_ends_the_host_is_not_told_as_a_port(mark: str) -> None:
    """An unencoded '/', '?' or '#' in a password makes `user:secret` look like a host and its port."""
    expected = (
        "JOBINDEX_MQTT_URL: contains more than mqtt[s]://[user[:password]@]host[:port][,host[:port]...]",
        f"JOBINDEX_MQTT_URL: its port {_NO_PORT}",
    )
    assert expected == problems(MQTT_URL=f"mqtt://user:secret{mark}more@host")


@pytest.mark.parametrize("url", ["sqlite:///", "sqlite:///:memory:", "sqlite://relative.db", "jobindex.db"])
def test_the_database_is_a_file(url: str) -> None:
    """An index in memory would be lost, with messages that were already acknowledged."""
    assert (
        f"JOBINDEX_DATABASE_URL: '{url}' is neither sqlite:///PATH, with a file as PATH, nor postgresql://HOST/DATABASE",
    ) == problems(DATABASE_URL=url)


def test_a_secret_is_set_once(tmp_path: Path) -> None:
    """A secret with its file, an unreadable file, and a password without a user name are problems."""
    (tmp_path / "password").write_text("secret")
    assert (
        "JOBINDEX_MQTT_PASSWORD: is set, and so is JOBINDEX_MQTT_PASSWORD_FILE",
        "JOBINDEX_MQTT_PASSWORD: is set without a user name",
    ) == problems(MQTT_PASSWORD="secret", MQTT_PASSWORD_FILE=str(tmp_path / "password"))
    (found,) = problems(MQTT_PASSWORD_FILE=str(tmp_path / "none"))
    assert found.startswith(f"JOBINDEX_MQTT_PASSWORD_FILE: '{tmp_path}/none' cannot be read: ")


def test_certificates_need_tls_and_must_be_usable(tmp_path: Path) -> None:
    """Certificate files are checked before anything starts."""
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
    """An mqtts URL without files uses the system's certificates and port 8883."""
    [broker] = read(MQTT_URL="mqtts://host").brokers
    assert broker.tls is not None
    assert broker.tls.check_hostname
    assert ("mqtts://host:8883", 8883) == (str(broker), broker.port)


def client_hello(**settings: str) -> bytes:
    """Return the first message of a TLS handshake, which is not encrypted."""
    context = read(**settings).brokers[0].tls
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
    """The client offers the protocols that are set, or AWS's on port 443 (RFC 7301, 3.1)."""
    names = b"".join(bytes([len(name)]) + name.encode() for name in expected)
    extension = b"\x00\x10" + (len(names) + 2).to_bytes(2, "big") + len(names).to_bytes(2, "big") + names
    assert extension in client_hello(**settings)


@pytest.mark.parametrize("url", ["mqtts://host", "mqtts://host:8443"])
def test_other_ports_are_asked_for_no_protocol(url: str) -> None:
    """The client offers no protocol on other ports by default."""
    assert b"mqtt" not in client_hello(MQTT_URL=url)


def test_protocols_to_ask_for_need_tls_and_must_have_names() -> None:
    """The name of a protocol has 1 to 255 bytes of ASCII."""
    assert ("JOBINDEX_MQTT_ALPN: is set, but JOBINDEX_MQTT_URL is not mqtts://",) == problems(MQTT_ALPN="mqtt")
    wrong = ["", "ü", "x" * 256]
    assert tuple(
        f"JOBINDEX_MQTT_ALPN: {name!r} is not a protocol name of 1 to 255 ASCII characters" for name in wrong
    ) == problems(MQTT_URL="mqtts://host", MQTT_ALPN=",".join(["mqtt", *wrong]))
    read(MQTT_URL="mqtts://host", MQTT_ALPN="x" * 255)


def test_misspelt_settings_are_found() -> None:
    """An unknown variable with the prefix is reported; variables of other programs are not."""
    environment = {"JOBINDEX_MQTT_URI": "x", "JOBINDEX_MQTT_URL_FILE": "x", "JOBINDEX_LOG_LEVEL": "x", "HOME": "x"}
    assert ["JOBINDEX_MQTT_URI"] == unknown_settings(environment)


@pytest.mark.parametrize(
    ("unknown", "expected"),
    [
        ("MQTT_URI", "MQTT_URL"),
        ("MQTT_USER", "MQTT_USERNAME"),
        ("HTTP_TOKENFILE", "HTTP_TOKEN_FILE"),
        ("HTTP_KEY_FILES", "HTTP_KEY_FILE"),
        ("COLOUR", None),
    ],
)
def test_the_setting_nearest_to_a_misspelt_one_is_found(unknown: str, expected: str | None) -> None:
    """The nearest setting is suggested if it is similar; the common prefix does not count."""
    assert (expected and f"JOBINDEX_{expected}") == nearest_setting(f"JOBINDEX_{unknown}")


def test_variables_of_compose_and_of_the_tests_are_known() -> None:
    """Commands inherit these variables from a compose project or a test."""
    root = Path(__file__).parents[2]
    of_compose = re.findall(r"JOBINDEX_\w+", (root / "compose.yaml").read_text())
    assert "JOBINDEX_A_PORT" in of_compose
    assert [] == unknown_settings(dict.fromkeys([*of_compose, "JOBINDEX_TEST_REQUIRE"], "x"))


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_every_setting_is_declared_well(setting: Setting[object]) -> None:
    """Each default is valid, and each help is a sentence."""
    assert setting.default is None or setting.parser(setting.default) is not None
    assert re.fullmatch(r"[A-Z`].*\.", setting.help)


def test_a_client_certificate_is_loaded(tmp_path: Path) -> None:
    """A client certificate is loaded with its key."""
    files = make_certificates(tmp_path)
    [broker] = read(
        MQTT_URL="mqtts://host",
        MQTT_CA_FILE=str(files.ca),
        MQTT_CERT_FILE=str(files.client),
        MQTT_KEY_FILE=str(files.client_key),
    ).brokers
    assert broker.tls is not None
    assert len(broker.tls.get_ca_certs()) == 1


LETS_ALL_IN = (
    "JOBINDEX_HTTP_AUTH: is not set, and {} admits remote clients without a key: set JOBINDEX_HTTP_KEYS_FILE "
    "(`jobindex keys add NAME` creates the file), or JOBINDEX_HTTP_AUTH=none if every client that reaches the port may "
    "read everything"
)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "jobs.example.com", "127.0.0.1.example.com"])
def test_without_keys_other_machines_are_let_in_only_where_it_is_said(tmp_path: Path, host: str) -> None:
    """The problem names both solutions, and each of them works."""
    assert (LETS_ALL_IN.format(f"JOBINDEX_HTTP_HOST={host}"),) == problems(HTTP_HOST=host)
    assert (LETS_ALL_IN.format(f"JOBINDEX_HTTP_HOST={host}"),) == problems(HTTP_HOST=host, HTTP_AUTH="")
    assert read(HTTP_HOST=host, HTTP_AUTH="none").http.keys_path is None
    file = tmp_path / "keys.json"
    file.write_text('{"keys": []}')
    assert file == read(HTTP_HOST=host, HTTP_KEYS_FILE=str(file)).http.keys_path
    assert file == read(HTTP_HOST=host, HTTP_KEYS_FILE=str(file), HTTP_AUTH="keys").http.keys_path


def test_a_proxy_lets_others_in_too() -> None:
    """A proxy admits remote clients even if the service listens on loopback."""
    public = {"HTTP_PUBLIC_URL": "https://jobs.example"}
    told = "the proxy in JOBINDEX_HTTP_PUBLIC_URL"
    assert (LETS_ALL_IN.format(told),) == problems(**public)
    assert (LETS_ALL_IN.format(told.replace("PUBLIC_URL", "PROXIES")),) == problems(HTTP_PROXIES="127.0.0.1")
    assert read(**public, HTTP_AUTH="none").http.keys_path is None


@pytest.mark.parametrize("token", ["a b", "a\nb", "é", ""])
def test_a_token_that_is_none_is_told_without_it(tmp_path: Path, token: str) -> None:
    """A malformed token may be another secret, so its problem does not show it."""
    file = tmp_path / "token"
    file.write_text(token)
    told = "JOBINDEX_HTTP_TOKEN: is not a token: it must be one line of printable ASCII, without spaces"
    assert (told,) == problems(HTTP_TOKEN_FILE=str(file))


def test_secrets_are_not_shown_with_the_settings() -> None:
    """A problem of the public URL does not show a password in it either."""
    settings = read(HTTP_TOKEN="hunter2", MQTT_URL="mqtt://me:hunter2@broker")
    assert "hunter2" not in repr(settings)
    (told,) = problems(HTTP_PUBLIC_URL="https://me:hunter2@jobs.example?x")
    assert "JOBINDEX_HTTP_PUBLIC_URL: contains a user" == told


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.9.8.7", "::1"])
def test_this_machine_alone_needs_no_keys(host: str) -> None:
    """A port on loopback is not reachable from other machines."""
    assert read(HTTP_HOST=host).http.keys_path is None


def test_whether_keys_are_asked_for_is_said_once(tmp_path: Path) -> None:
    """Settings that contradict each other are reported."""
    file = tmp_path / "keys.json"
    file.write_text('{"keys": []}')
    assert ("JOBINDEX_HTTP_AUTH: is 'keys', but JOBINDEX_HTTP_KEYS_FILE is not set",) == problems(HTTP_AUTH="keys")
    assert (
        "JOBINDEX_HTTP_AUTH: is 'none', but JOBINDEX_HTTP_KEYS_FILE is set: with keys it must be 'keys'",
    ) == problems(HTTP_AUTH="none", HTTP_KEYS_FILE=str(file))


@pytest.mark.parametrize(
    ("url", "host", "base_path"),
    [
        ("https://jobs.example.com", "jobs.example.com", ""),
        ("https://jobs.example.com:443/", "jobs.example.com", ""),
        ("http://jobs.example.com:443/a/b", "jobs.example.com:443", "/a/b"),
        ("http://[::1]:80/iot", "[::1]", "/iot"),
        ("http://JOBS.example.com:8080", "jobs.example.com:8080", ""),
    ],
)
def test_a_public_url_is_as_clients_write_it(url: str, host: str, base_path: str) -> None:
    """The scheme's default port is left out."""
    expected = PublicUrl(host=host, is_secure=url.startswith("https"), base_path=base_path)
    assert expected == read(HTTP_PUBLIC_URL=url, HTTP_AUTH="none").http.public


@pytest.mark.parametrize(
    "url",
    [
        "jobs.example.com",
        "ftp://a",
        "https://",
        "https://a?b",
        "https://a#b",
        "https://a/b//c",
        "https://a/../b",
        "https://a/%41",
        "https://a:x",
        "https://[a",
    ],
)
def test_a_public_url_that_is_none_is_told(url: str) -> None:
    """A malformed public URL is reported as a problem."""
    (problem,) = problems(HTTP_PUBLIC_URL=url, HTTP_AUTH="none")
    assert problem in {
        f"JOBINDEX_HTTP_PUBLIC_URL: {url!r} is not http[s]://host[:port][/path]",
        "JOBINDEX_HTTP_PUBLIC_URL: is not a URL",
    }


def test_a_database_of_postgresql() -> None:
    """A URL of libpq is accepted; its text form shows neither user nor password."""
    url = "postgresql://jobs:s%20cret@db-1:5433,db-2/index?sslmode=require"
    database = read(DATABASE_URL=url).database
    assert isinstance(database, PostgresDatabase)
    expected = {
        "user": "jobs",
        "password": "s cret",
        "host": "db-1,db-2",
        "port": "5433,",
        "dbname": "index",
        "sslmode": "require",
        "target_session_attrs": "read-write",
    }
    assert expected == conninfo_to_dict(database.conninfo)
    assert "postgresql://db-1:5433,db-2/index" == str(database)
    assert "cret" not in repr(database)


def test_the_password_of_the_database_may_stand_elsewhere(tmp_path: Path) -> None:
    """A password from a setting or a file wins over the URL's."""
    (tmp_path / "password").write_text("other\n")
    database = read(
        DATABASE_URL="postgresql://jobs:old@db/index?target_session_attrs=any",
        DATABASE_PASSWORD_FILE=str(tmp_path / "password"),
    ).database
    assert isinstance(database, PostgresDatabase)
    assert "other" == conninfo_to_dict(database.conninfo)["password"]
    assert "any" == conninfo_to_dict(database.conninfo)["target_session_attrs"]


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("postgresql://jobs:secret@db", "names no database: postgresql://HOST/DATABASE"),
        (
            "postgresql://jobs:secret@db/index?colour=red",
            "is not a PostgreSQL URL: invalid URI query parameter: …",
        ),
        ("postgresql://jobs:secret@[db/index", "is not a PostgreSQL URL: "),
        ("postgres:/jobs:secret@db/index", "it is neither sqlite:///PATH, with a file as PATH, nor"),
    ],
)
def test_a_wrong_url_of_a_database_shows_no_password(url: str, problem: str) -> None:
    """The problem contains no part of the URL that may be secret."""
    [told] = problems(DATABASE_URL=url)
    assert told.startswith(f"JOBINDEX_DATABASE_URL: {problem}")
    assert "secret" not in told


def test_a_password_without_a_server_is_wrong() -> None:
    """A database password needs a PostgreSQL URL."""
    assert ("JOBINDEX_DATABASE_PASSWORD: is set, but JOBINDEX_DATABASE_URL is not postgresql://",) == problems(
        DATABASE_PASSWORD="secret"
    )


def test_the_driver_of_postgresql_is_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing driver is a problem that shows the command to install it."""
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    assert ("JOBINDEX_DATABASE_URL: is postgresql://, which needs: pip install 'psycopg[binary]>=3.2'",) == problems(
        DATABASE_URL="postgresql://db/index"
    )
