"""The settings: environment variables, every secret also as a file, all problems reported at once.

Not chosen: a settings library. The few types here would be its plugins, and the messages are the point.
"""

import re
import ssl
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TypeVar, cast, get_args
from urllib.parse import unquote, urlsplit

from jobindex.broker import Broker, Protocol
from jobindex.errors import SettingsError
from jobindex.index import STUCK_AFTER
from jobindex.logs import LogFormat
from jobindex.store import RejectedLimits
from jobindex.tls import pinned_context, server_context, verifying_context
from jobindex.topics import DEFAULT_FILTERS, filter_problem

PREFIX = "JOBINDEX_"
SETTINGS = (
    "MQTT_URL",
    "MQTT_CLIENT_ID",
    "MQTT_USERNAME",
    "MQTT_PASSWORD",
    "MQTT_TOPICS",
    "MQTT_PROTOCOL",
    "MQTT_CA_FILE",
    "MQTT_CERT_FILE",
    "MQTT_KEY_FILE",
    "MQTT_ALPN",
    "DATABASE_URL",
    "REJECTED_MAX_MESSAGES",
    "REJECTED_MAX_BYTES",
    "RETENTION_DAYS",
    "STUCK_SECONDS",
    "HTTP_HOST",
    "HTTP_PORT",
    "HTTP_CERT_FILE",
    "HTTP_KEY_FILE",
    "HTTP_CA_FILE",
    "HTTP_RATE",
    "AWS_REGION",
    "AWS_ACCOUNT_ID",
    "LOG_FORMAT",
    "LOG_LEVEL",
)
SECRETS = ("MQTT_URL", "MQTT_PASSWORD")
"""Settings that `…_FILE` may hold instead: the file's content without the line end behind it."""

_LIMITS = RejectedLimits()
_LOG_SETTINGS = ("LOG_FORMAT", "LOG_LEVEL")
_LOG_LEVELS = ("debug", "info", "warning", "error")
_MQTT_PORTS = {"mqtt": 1883, "mqtts": 8883}
_HTTPS_PORT = 443
_AWS_ALPN = "x-amzn-mqtt-ca"
"""What AWS IoT Core wants to be asked for on port 443, where it serves HTTPS too, by who shows a certificate.

https://docs.aws.amazon.com/iot/latest/developerguide/protocols.html
"""

ChoiceT = TypeVar("ChoiceT", bound=str)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a service is told at its start."""

    broker: Broker
    topic_filters: tuple[str, ...]
    database_path: Path
    rejected_limits: RejectedLimits
    retention: timedelta | None
    """How long an ended job is kept after it was last told of; None is for ever."""
    stuck_after: timedelta
    """How long an execution may be pending before it counts as stuck."""
    http_host: str
    http_port: int
    http_cert_file: Path | None
    """The certificate of the service, with those that lead to its authority; HTTP is HTTPS where it is set."""
    http_key_file: Path | None
    """Its key; None where that stands in the same file."""
    http_tls: ssl.SSLContext | None
    """What HTTPS is served with."""
    http_ca_file: Path | None
    """The authorities of an endpoint that a command is given; None is the system's."""
    http_rate: float | None
    """Requests a second that each key, or address, may send; None does not limit them."""
    aws_region: str
    aws_account_id: str
    log_format: LogFormat
    log_level: str

    @property
    def arn_prefix(self) -> str:
        """What stands in front of the ids of jobs that were told without an ARN."""
        return f"{self._arn}:job/"

    @property
    def thing_arn_prefix(self) -> str:
        """What stands in front of the names of things."""
        return f"{self._arn}:thing/"

    @property
    def _arn(self) -> str:
        return f"arn:aws:iot:{self.aws_region}:{self.aws_account_id}"


def read_settings(environment: Mapping[str, str], *, is_terminal: bool, needed: Collection[str] = SETTINGS) -> Settings:
    """Return the settings in an environment; `is_terminal` decides how lines are logged by default.

    Those that are not `needed`, nor of the log, read as their defaults where they are wrong.

    Raises:
        SettingsError: one or more are wrong; a line for each names the variable and the value.
    """
    reader = _Reader(environment, {*needed, *_LOG_SETTINGS})
    http_cert_file, http_key_file = reader.path("HTTP_CERT_FILE"), reader.path("HTTP_KEY_FILE")
    settings = Settings(
        broker=_read_broker(reader),
        topic_filters=_read_topic_filters(reader),
        database_path=_read_database_path(reader),
        rejected_limits=RejectedLimits(
            max_messages=reader.number("REJECTED_MAX_MESSAGES", _LIMITS.max_messages),
            max_bytes=reader.number("REJECTED_MAX_BYTES", _LIMITS.max_bytes),
        ),
        retention=reader.days("RETENTION_DAYS"),
        stuck_after=reader.seconds("STUCK_SECONDS", STUCK_AFTER),
        http_host=reader.text("HTTP_HOST", "127.0.0.1", r"\S+", "a host name or address"),
        http_port=reader.port("HTTP_PORT", 8080),
        http_cert_file=http_cert_file,
        http_key_file=http_key_file,
        http_tls=_read_http_tls(reader, http_cert_file, http_key_file),
        http_ca_file=_read_http_ca_file(reader),
        http_rate=reader.rate("HTTP_RATE"),
        aws_region=reader.text("AWS_REGION", "us-east-1", r"[a-z0-9-]+", "a region such as us-east-1"),
        aws_account_id=reader.text("AWS_ACCOUNT_ID", "000000000000", r"[0-9]{12}", "twelve digits"),
        log_format=cast(
            "LogFormat", reader.choice("LOG_FORMAT", "text" if is_terminal else "json", get_args(LogFormat))
        ),
        log_level=reader.choice("LOG_LEVEL", "info", _LOG_LEVELS),
    )
    if reader.problems:
        raise SettingsError(reader.problems)
    return settings


def unknown_settings(environment: Mapping[str, str]) -> list[str]:
    """Return the variables that look like settings and are none, such as misspelt ones."""
    known = {PREFIX + name for name in SETTINGS} | {f"{PREFIX}{name}_FILE" for name in SECRETS}
    return sorted(name for name in environment if name.startswith(PREFIX) and name not in known)


class _Reader:
    """Reads variables and collects what is wrong with them; a wrong one reads as its default."""

    def __init__(self, environment: Mapping[str, str], needed: Collection[str]) -> None:
        self._environment = environment
        self._needed = needed
        self.problems: list[str] = []

    def needs(self, name: str) -> bool:
        return name in self._needed or name.removesuffix("_FILE") in self._needed

    def problem(self, name: str, problem: str) -> None:
        if self.needs(name):
            self.problems.append(f"{PREFIX}{name}: {problem}")

    def value(self, name: str) -> str | None:
        """Return a setting, or the content of the file that `…_FILE` names; None where neither is set."""
        value = self._environment.get(PREFIX + name) or None
        if value is not None and not value.isprintable():
            self.problem(name, "holds a character that cannot be printed, or that is not UTF-8")
            return None
        path = self._environment.get(f"{PREFIX}{name}_FILE") if name in SECRETS else None
        if not path:
            return value
        if value is not None:
            self.problem(name, f"is set, and {PREFIX}{name}_FILE too")
        try:
            return Path(path).read_text("utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            self.problem(f"{name}_FILE", f"{path!r} cannot be read: {error}")
            return None

    def text(self, name: str, default: str, pattern: str, expected: str) -> str:
        value = self.value(name)
        if value is None:
            return default
        if re.fullmatch(pattern, value) is None:
            self.problem(name, f"{value!r} is not {expected}")
            return default
        return value

    def choice(self, name: str, default: str, choices: tuple[str, ...]) -> str:
        value = self.value(name) or default
        if value not in choices:
            self.problem(name, f"{value!r} is not one of {', '.join(choices)}")
            return default
        return value

    def number(self, name: str, default: int) -> int:
        value = self.value(name) or str(default)
        if re.fullmatch(r"[0-9]{1,15}", value) is None:
            self.problem(name, f"{value!r} is not a whole number")
            return default
        return int(value)

    def days(self, name: str) -> timedelta | None:
        value = self.value(name)
        if value is None:
            return None
        if re.fullmatch(r"[0-9]{1,5}", value) is None or int(value) == 0:
            self.problem(name, f"{value!r} is not a number of days from 1 to 99999")
            return None
        return timedelta(days=int(value))

    def seconds(self, name: str, default: timedelta) -> timedelta:
        value = self.value(name)
        if value is None:
            return default
        if re.fullmatch(r"[0-9]{1,9}", value) is None or int(value) == 0:
            self.problem(name, f"{value!r} is not a number of seconds from 1 to 999999999")
            return default
        return timedelta(seconds=int(value))

    def path(self, name: str) -> Path | None:
        value = self.value(name)
        return None if value is None else Path(value)

    def rate(self, name: str) -> float | None:
        value = self.value(name)
        if value is None:
            return None
        if re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,3})?", value) is None or float(value) == 0:
            self.problem(name, f"{value!r} is not a number from 0.001 to 999999, such as 50 or 0.5")
            return None
        return float(value)

    def port(self, name: str, default: int) -> int:
        value = self.value(name) or str(default)
        if re.fullmatch(r"[0-9]{1,5}", value) is None or int(value) > 65535:
            self.problem(name, f"{value!r} is not a port from 0 to 65535")
            return default
        return int(value)


def _read_broker(reader: _Reader) -> Broker:
    url = reader.value("MQTT_URL") or "mqtt://127.0.0.1:1883"
    # The URL may hold a password, so no message shows it whole.
    try:
        parts = urlsplit(url)
    except ValueError as error:
        reader.problem("MQTT_URL", str(error))
        parts = urlsplit("mqtt://unknown")
    if parts.scheme not in _MQTT_PORTS:
        reader.problem("MQTT_URL", f"its scheme {parts.scheme!r} is not mqtt or mqtts")
    if not parts.hostname:
        reader.problem("MQTT_URL", "names no host")
    if parts.path.strip("/") or parts.query or parts.fragment:
        reader.problem("MQTT_URL", "holds more than mqtt[s]://[user[:password]@]host[:port]")
    port = None
    try:
        port = parts.port
    except ValueError as error:
        reader.problem("MQTT_URL", str(error))
    _check_host(reader, parts.hostname or "")
    username = reader.value("MQTT_USERNAME") or (unquote(parts.username) if parts.username else None)
    password = reader.value("MQTT_PASSWORD") or (unquote(parts.password) if parts.password else None)
    if password is not None and username is None:
        reader.problem("MQTT_PASSWORD", "is set without a user name")
    port = port or _MQTT_PORTS.get(parts.scheme, 1883)
    return Broker(
        host=parts.hostname or "",
        port=port,
        client_id=reader.text("MQTT_CLIENT_ID", "jobindex", r"[^\0]{1,128}", "a client id of 1 to 128 characters"),
        username=username,
        password=password,
        tls=_read_tls(reader, port, is_wanted=parts.scheme == "mqtts"),
        protocol=cast("Protocol", reader.choice("MQTT_PROTOCOL", "5", get_args(Protocol))),
    )


def _check_host(reader: _Reader, host: str) -> None:
    try:
        host.encode("idna")
    except UnicodeError:
        reader.problem("MQTT_URL", f"the host {host!r} is no host name")


def _read_tls(reader: _Reader, port: int, *, is_wanted: bool) -> ssl.SSLContext | None:
    names = ("MQTT_CA_FILE", "MQTT_CERT_FILE", "MQTT_KEY_FILE")
    ca_file, cert_file, key_file = (reader.value(name) for name in names)
    if not is_wanted:
        for name in (*names, "MQTT_ALPN"):
            if reader.value(name):
                reader.problem(name, "is set, but JOBINDEX_MQTT_URL is not mqtts://")
        return None
    if key_file and not cert_file:
        reader.problem("MQTT_KEY_FILE", "is set without JOBINDEX_MQTT_CERT_FILE")
    context = ssl.create_default_context()
    if ca_file:
        try:
            context = ssl.create_default_context(cafile=ca_file)
        except (OSError, ssl.SSLError) as error:
            reader.problem("MQTT_CA_FILE", f"{ca_file!r} cannot be used: {error}")
    if cert_file:
        try:
            context.load_cert_chain(cert_file, key_file)
        except (OSError, ssl.SSLError) as error:
            reader.problem("MQTT_CERT_FILE", f"{cert_file!r} with key {key_file!r} cannot be used: {error}")
    if protocols := _read_alpn(reader, port):
        context.set_alpn_protocols(protocols)
    return context


def _read_alpn(reader: _Reader, port: int) -> list[str]:
    value = reader.value("MQTT_ALPN")
    if value is None:
        return [_AWS_ALPN] if port == _HTTPS_PORT else []
    protocols = list(dict.fromkeys(part.strip() for part in value.split(",")))
    wrong = [protocol for protocol in protocols if not (protocol.isascii() and 1 <= len(protocol) <= 255)]
    for protocol in wrong:
        reader.problem("MQTT_ALPN", f"{protocol!r} is not a protocol's name of 1 to 255 ASCII characters")
    return [] if wrong else protocols


def _read_http_tls(reader: _Reader, cert_file: Path | None, key_file: Path | None) -> ssl.SSLContext | None:
    if cert_file is None:
        if key_file is not None:
            reader.problem("HTTP_KEY_FILE", "is set without JOBINDEX_HTTP_CERT_FILE")
        return None
    try:
        # All that a client needs, which may have no right to read the key.
        pinned_context(cert_file)
        return server_context(cert_file, key_file) if reader.needs("HTTP_KEY_FILE") else None
    except OSError as error:
        key = "" if key_file is None else f" with key {str(key_file)!r}"
        reader.problem("HTTP_CERT_FILE", f"{str(cert_file)!r}{key} cannot be used: {error}")
        return None


def _read_http_ca_file(reader: _Reader) -> Path | None:
    ca_file = reader.path("HTTP_CA_FILE")
    if ca_file is None:
        return None
    try:
        verifying_context(ca_file)
    except OSError as error:
        reader.problem("HTTP_CA_FILE", f"{str(ca_file)!r} cannot be used: {error}")
        return None
    return ca_file


def _read_topic_filters(reader: _Reader) -> tuple[str, ...]:
    value = reader.value("MQTT_TOPICS")
    if value is None:
        return DEFAULT_FILTERS
    topic_filters = tuple(dict.fromkeys(part.strip() for part in value.split(",")))
    for topic_filter in topic_filters:
        if problem := filter_problem(topic_filter):
            reader.problem("MQTT_TOPICS", f"{topic_filter!r}: {problem}")
    return topic_filters


def _read_database_path(reader: _Reader) -> Path:
    url = reader.value("DATABASE_URL") or "sqlite:///jobindex.db"
    path = url.removeprefix("sqlite:///")
    if path == url or not path or path == ":memory:":
        reader.problem("DATABASE_URL", f"{url!r} is not sqlite:///PATH, with a file as PATH")
    return Path(unquote(path))
