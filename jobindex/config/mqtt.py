"""The settings of the broker connection."""

import re
import ssl
from collections.abc import Set
from dataclasses import dataclass, field
from typing import get_args
from urllib.parse import SplitResult, unquote, urlsplit

from jobindex.config.parsers import choice, comma_separated, matching
from jobindex.config.reader import Setting, SettingsReader
from jobindex.ingest.broker import Broker, Protocol
from jobindex.messages.topics import DEFAULT_FILTERS, filter_problem

_MQTT_PORTS = {"mqtt": 1883, "mqtts": 8883}
_HTTPS_PORT = 443
_AWS_ALPN = "x-amzn-mqtt-ca"
"""The protocol that AWS IoT Core expects from a client with a certificate on port 443, which also serves HTTPS.

https://docs.aws.amazon.com/iot/latest/developerguide/protocols.html
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _BrokerUrl:
    addresses: tuple[tuple[str, int], ...]
    """In the order in which they are tried."""
    username: str | None
    password: str | None = field(repr=False)


def _parse_url(url: str) -> _BrokerUrl:
    """Return the parts of a URL of one broker, or of a cluster's brokers.

    As in libpq, there is one scheme and one user, and commas separate the hosts. Not chosen: a URL for each broker, as
    in NATS; all parts but the host would have to be the same.
    """
    problems: list[str] = []
    urls = _member_urls(url, problems)
    which = [f"host {number} of {len(urls)}: " if len(urls) > 1 else "" for number in range(1, len(urls) + 1)]
    members = [_parse(url, one, problems) for url, one in zip(urls, which, strict=True)]
    parts = members[0]
    if parts.scheme not in _MQTT_PORTS:
        problems.append("its scheme is not mqtt or mqtts")
    if parts.path.strip("/") or parts.query or parts.fragment:
        problems.append("contains more than mqtt[s]://[user[:password]@]host[:port][,host[:port]...]")
    addresses = dict.fromkeys(_address(member, one, problems) for member, one in zip(members, which, strict=True))
    if problems:
        raise ValueError(*problems)
    return _BrokerUrl(
        addresses=tuple(addresses),
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
    )


def _member_urls(url: str, problems: list[str]) -> list[str]:
    start = url.find("//") + 2
    end = min((found for mark in "/?#" if (found := url.find(mark, start)) >= 0), default=len(url))
    login, at, hosts = url[start:end].rpartition("@")
    if "," in login.partition("@")[2]:
        problems.append(
            "names a user more than once: one before the first host is for all hosts; in a password, '@' is %40"
        )
    return [f"{url[:start]}{login}{at}{host.strip()}{url[end:]}" for host in hosts.split(",")]


def _parse(url: str, which: str, problems: list[str]) -> SplitResult:
    # The URL may hold a password, so no message shows any of it; urllib's own message would.
    try:
        return urlsplit(url)
    except ValueError:
        problems.append(which + "is not a URL")
        return urlsplit("mqtt://unknown")


def _address(parts: SplitResult, which: str, problems: list[str]) -> tuple[str, int]:
    host, port = parts.hostname or "", None
    if not host:
        problems.append(which + "names no host")
    try:
        port = parts.port
    except ValueError:
        problems.append(which + "its port is not a number from 0 to 65535; in a password, '/' is %2F, '?' %3F, '#' %23")
    try:
        host.encode("idna")
    except UnicodeError:
        problems.append(which + "its host is not a host name")
    return host, port or _MQTT_PORTS.get(parts.scheme, 1883)


def _filter_problem(topic_filter: str) -> str | None:
    problem = filter_problem(topic_filter)
    return problem and f"{topic_filter!r}: {problem}"


def _alpn_problem(protocol: str) -> str | None:
    if protocol.isascii() and 1 <= len(protocol) <= 255:
        return None
    return f"{protocol!r} is not a protocol name of 1 to 255 ASCII characters"


_URL = Setting(
    "MQTT_URL",
    _parse_url,
    default="mqtt://127.0.0.1:1883",
    help="The broker; `mqtts://` for TLS. The URL can hold a user, a password, and further hosts after commas.",
    is_secret=True,
    hide=lambda url: re.sub("//([^:]*):.*@", r"//\1:(hidden)@", url, flags=re.DOTALL),
)
_USERNAME = Setting("MQTT_USERNAME", str, help="The user at the broker, instead of the URL's.")
_PASSWORD = Setting("MQTT_PASSWORD", str, help="The user's password.", is_secret=True)
_CLIENT_ID = Setting(
    "MQTT_CLIENT_ID",
    matching(r"[^\0]{1,128}", "a client id of 1 to 128 characters", str),
    default="jobindex",
    help="The client id under which the broker keeps the session. No two indexes may share it.",
)
_PROTOCOL: Setting[Protocol] = Setting(
    "MQTT_PROTOCOL",
    choice(get_args(Protocol)),
    default="5",
    help="The MQTT version; NATS, and RabbitMQ before 3.13, need `3.1.1`.",
)
TOPICS = Setting(
    "MQTT_TOPICS",
    comma_separated(_filter_problem),
    default=",".join(DEFAULT_FILTERS),
    unset="all topics of AWS IoT Jobs",
    help="The topic filters to subscribe to, separated by commas.",
)
TOPIC_PREFIX = Setting(
    "MQTT_TOPIC_PREFIX",
    matching(r"[^+#\0]{0,128}", "a prefix of topics without + and #", str),
    default="",
    unset="none",
    help="The prefix that a bridge adds to each topic, such as `site1/`; it is added to each filter, too.",
)
_CA_FILE = Setting("MQTT_CA_FILE", str, unset="the system's", help="The authorities to trust with `mqtts://`.")
_CERT_FILE = Setting("MQTT_CERT_FILE", str, help="The client certificate.")
_KEY_FILE = Setting("MQTT_KEY_FILE", str, help="The key of the client certificate.")
_ALPN = Setting(
    "MQTT_ALPN",
    comma_separated(_alpn_problem),
    unset=f"`{_AWS_ALPN}` on port {_HTTPS_PORT}",
    help="The protocols to offer in the TLS handshake (ALPN), separated by commas.",
)
SETTINGS = [setting for setting in list(vars().values()) if isinstance(setting, Setting)]


def read_brokers(reader: SettingsReader) -> tuple[Broker, ...]:
    """Return the broker, or a cluster's brokers in the order in which they are tried."""
    url = reader[_URL]
    username = reader.get(_USERNAME) or url.username
    password = reader.get(_PASSWORD) or url.password
    may_name_user = reader.is_wrong(_URL) and "@" in (reader.text(_URL) or "")
    if password is not None and username is None and not may_name_user:
        reader.problem(_PASSWORD, "is set without a user name")
    tls = _read_tls(reader, {port for _, port in url.addresses})
    return tuple(
        Broker(
            host=host,
            port=port,
            client_id=reader[_CLIENT_ID],
            username=username,
            password=password,
            tls=tls,
            protocol=reader[_PROTOCOL],
        )
        for host, port in url.addresses
    )


def _read_tls(reader: SettingsReader, ports: Set[int]) -> ssl.SSLContext | None:
    # The text, because another part of the URL may be wrong.
    if not (reader.text(_URL) or "").strip().lower().startswith("mqtts:"):
        for setting in (_CA_FILE, _CERT_FILE, _KEY_FILE, _ALPN):
            if reader.text(setting):
                reader.problem(setting, "is set, but JOBINDEX_MQTT_URL is not mqtts://")
        return None
    ca_file, cert_file, key_file = reader.get(_CA_FILE), reader.get(_CERT_FILE), reader.get(_KEY_FILE)
    if key_file and not cert_file:
        reader.problem(_KEY_FILE, "is set without JOBINDEX_MQTT_CERT_FILE")
    context = ssl.create_default_context()
    if ca_file:
        try:
            context = ssl.create_default_context(cafile=ca_file)
        except (OSError, ssl.SSLError) as error:
            reader.problem(_CA_FILE, f"{ca_file!r} cannot be used: {error}")
    if cert_file:
        try:
            context.load_cert_chain(cert_file, key_file)
        except (OSError, ssl.SSLError) as error:
            reader.problem(_CERT_FILE, f"{cert_file!r} with key {key_file!r} cannot be used: {error}")
    if protocols := reader.get(_ALPN) or ([_AWS_ALPN] if ports == {_HTTPS_PORT} else []):
        context.set_alpn_protocols(list(protocols))
    return context
