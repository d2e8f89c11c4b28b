"""The settings of the way to the broker."""

import ssl
from collections.abc import Set
from typing import cast, get_args
from urllib.parse import SplitResult, unquote, urlsplit

from jobindex.broker import Broker, Protocol
from jobindex.config.reader import Reader
from jobindex.topics import DEFAULT_FILTERS, filter_problem

_MQTT_PORTS = {"mqtt": 1883, "mqtts": 8883}
_HTTPS_PORT = 443
_AWS_ALPN = "x-amzn-mqtt-ca"
"""What AWS IoT Core wants to be asked for on port 443, where it serves HTTPS too, by who shows a certificate.

https://docs.aws.amazon.com/iot/latest/developerguide/protocols.html
"""


def read_brokers(reader: Reader) -> tuple[Broker, ...]:
    """Return how the broker is reached; of a cluster each of its brokers, in the order in which they are tried.

    A URL names them as libpq's does: one scheme, one user, and the hosts with their ports separated by commas. Not
    chosen: a URL for each, as NATS has it, which would have to agree on all but the host.
    """
    urls = _member_urls(reader, reader.value("MQTT_URL") or "mqtt://127.0.0.1:1883")
    which = [f"host {number} of {len(urls)}: " if len(urls) > 1 else "" for number in range(1, len(urls) + 1)]
    members = [_parse(reader, url, one) for url, one in zip(urls, which, strict=True)]
    parts = members[0]
    if parts.scheme not in _MQTT_PORTS:
        reader.problem("MQTT_URL", "its scheme is not mqtt or mqtts")
    if parts.path.strip("/") or parts.query or parts.fragment:
        reader.problem("MQTT_URL", "holds more than mqtt[s]://[user[:password]@]host[:port][,host[:port]...]")
    addresses = dict.fromkeys(_address(reader, member, one) for member, one in zip(members, which, strict=True))
    username = reader.value("MQTT_USERNAME") or (unquote(parts.username) if parts.username else None)
    password = reader.value("MQTT_PASSWORD") or (unquote(parts.password) if parts.password else None)
    if password is not None and username is None:
        reader.problem("MQTT_PASSWORD", "is set without a user name")
    client_id = reader.text("MQTT_CLIENT_ID", "jobindex", r"[^\0]{1,128}", "a client id of 1 to 128 characters")
    tls = _read_tls(reader, {port for _, port in addresses}, is_wanted=parts.scheme == "mqtts")
    protocol = cast("Protocol", reader.choice("MQTT_PROTOCOL", "5", get_args(Protocol)))
    return tuple(
        Broker(
            host=host,
            port=port,
            client_id=client_id,
            username=username,
            password=password,
            tls=tls,
            protocol=protocol,
        )
        for host, port in addresses
    )


def _member_urls(reader: Reader, url: str) -> list[str]:
    """Return a URL for each host that a URL names, alike in all else."""
    start = url.find("//") + 2
    end = min((found for mark in "/?#" if (found := url.find(mark, start)) >= 0), default=len(url))
    login, at, hosts = url[start:end].rpartition("@")
    if "," in login.partition("@")[2]:
        reader.problem(
            "MQTT_URL",
            "names a user more than once: it stands before the first host, for all; in a password, '@' is %40",
        )
    return [f"{url[:start]}{login}{at}{host.strip()}{url[end:]}" for host in hosts.split(",")]


def _parse(reader: Reader, url: str, which: str) -> SplitResult:
    # The URL may hold a password, so no message shows any of it; what urllib says of it would.
    try:
        return urlsplit(url)
    except ValueError:
        reader.problem("MQTT_URL", which + "is no URL")
        return urlsplit("mqtt://unknown")


def _address(reader: Reader, parts: SplitResult, which: str) -> tuple[str, int]:
    """Return the host and the port of a URL; `which` begins what is said of it."""
    host, port = parts.hostname or "", None
    if not host:
        reader.problem("MQTT_URL", which + "names no host")
    try:
        port = parts.port
    except ValueError:
        reader.problem(
            "MQTT_URL", which + "its port is no number from 0 to 65535; in a password, '/' is %2F, '?' %3F, '#' %23"
        )
    try:
        host.encode("idna")
    except UnicodeError:
        reader.problem("MQTT_URL", which + "its host is no host name")
    return host, port or _MQTT_PORTS.get(parts.scheme, 1883)


def _read_tls(reader: Reader, ports: Set[int], *, is_wanted: bool) -> ssl.SSLContext | None:
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
    if protocols := _read_alpn(reader, ports):
        context.set_alpn_protocols(protocols)
    return context


def _read_alpn(reader: Reader, ports: Set[int]) -> list[str]:
    value = reader.value("MQTT_ALPN")
    if value is None:
        return [_AWS_ALPN] if ports == {_HTTPS_PORT} else []
    protocols = list(dict.fromkeys(part.strip() for part in value.split(",")))
    wrong = [protocol for protocol in protocols if not (protocol.isascii() and 1 <= len(protocol) <= 255)]
    for protocol in wrong:
        reader.problem("MQTT_ALPN", f"{protocol!r} is not a protocol's name of 1 to 255 ASCII characters")
    return [] if wrong else protocols


def read_topic_filters(reader: Reader) -> tuple[str, ...]:
    """Return what is subscribed."""
    value = reader.value("MQTT_TOPICS")
    if value is None:
        return DEFAULT_FILTERS
    topic_filters = tuple(dict.fromkeys(part.strip() for part in value.split(",")))
    for topic_filter in topic_filters:
        if problem := filter_problem(topic_filter):
            reader.problem("MQTT_TOPICS", f"{topic_filter!r}: {problem}")
    return topic_filters
