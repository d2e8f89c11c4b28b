"""Environments: they become settings, or a list of all problems, which reveals no secret."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from fuzz.source import Source
from fuzz.target import Target, expect
from jobindex.config.reader import PREFIX
from jobindex.config.settings import ALL, read_settings
from jobindex.errors import SettingsError

_SECRET = "s3cr3t"
_VALUES: Mapping[str, tuple[str, ...]] = {
    "MQTT_URL": (
        f"mqtt://jobindex:{_SECRET}@127.0.0.1:1883",
        f"mqtts://jobindex:{_SECRET}@[::1]",
        f"mqtt://{_SECRET}@broker.example",
        f"mqtt://jobindex:{_SECRET}@one.example:1883,two.example,[::1]:1884",
        "mqtt://127.0.0.1",
    ),
    "MQTT_CLIENT_ID": ("jobindex",),
    "MQTT_USERNAME": ("user",),
    "MQTT_PASSWORD": (_SECRET,),
    "MQTT_TOPICS": ("$aws/things/+/jobs/#", "$aws/events/job/#, a/+"),
    "MQTT_PROTOCOL": ("5", "3.1.1"),
    "MQTT_ALPN": ("mqtt", "x-amzn-mqtt-ca, mqtt"),
    "DATABASE_URL": ("sqlite:///jobindex.db", "sqlite:////tmp/x.db"),
    "DATABASE_LEASE": ("10s", "2m"),
    "REJECTED_MAX_MESSAGES": ("10000",),
    "REJECTED_MAX_BYTES": ("67108864",),
    "RETENTION_DAYS": ("30",),
    "STUCK_SECONDS": ("3600",),
    "HTTP_HOST": ("127.0.0.1", "0.0.0.0", "localhost"),
    "HTTP_PORT": ("8080",),
    "HTTP_AUTH": ("none", "keys"),
    "HTTP_TOKEN": (_SECRET,),
    "HTTP_HOSTS": ("jobs.example", "a.example, b"),
    "HTTP_PUBLIC_URL": ("https://jobs.example/iot", "http://[::1]:8080", "https://user:word@jobs.example"),
    "HTTP_PROXIES": ("10.0.0.0/8, ::1",),
    "AWS_REGION": ("eu-central-1",),
    "AWS_ACCOUNT_ID": ("123456789012",),
    "LOG_FORMAT": ("json", "text"),
    "LOG_LEVEL": ("info",),
}
_WORDS = b"/ // : @ # ? [ ] % . , - mqtt:// mqtts:// user: :99999 \xe2\x84\x80 \xc2\xad \xef\xbc\x8f".split(b" ")
"""Including characters that become "/" and others when a host name is normalized."""


@contextmanager
def opened() -> Iterator[Target[Mapping[str, str]]]:
    """Open the target."""
    yield Target(make=make, check=check)


def make(source: Source) -> Mapping[str, str]:
    """Make an environment."""
    environment: dict[str, str] = {}
    for _ in range(1 + source.below(5)):
        name = source.pick(list(_VALUES))
        value = source.broken(source.pick(_VALUES[name]).encode(), _WORDS, at_most=2)
        environment[PREFIX + name] = value.decode("utf-8", "surrogateescape").replace("\0", "")
    return environment


def check(environment: Mapping[str, str]) -> None:
    """Check that an environment is parsed, or refused without revealing a secret."""
    try:
        settings = read_settings(environment, is_terminal=False)
    except SettingsError as error:
        told = str(error)
        expect(that=not any(part in told for part in ("s3cr", "cr3t")), of=told)
        names = {line.partition(":")[0].removeprefix(PREFIX).removesuffix("_FILE") for line in error.problems}
        expect(that=names <= ALL, of=told)
        return
    for broker in settings.brokers:
        expect(that=broker.host != "" and 0 < broker.port < 65536, of=settings)
        expect(that=broker.client_id.isprintable(), of=settings)
    expect(that=0 <= settings.http.port < 65536, of=settings)
