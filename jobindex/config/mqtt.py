"""The settings of the way to the broker."""

import ssl
from typing import cast, get_args
from urllib.parse import unquote, urlsplit

from jobindex.broker import Broker, Protocol
from jobindex.config.reader import Reader
from jobindex.topics import DEFAULT_FILTERS, filter_problem

_MQTT_PORTS = {"mqtt": 1883, "mqtts": 8883}
_HTTPS_PORT = 443
_AWS_ALPN = "x-amzn-mqtt-ca"
"""What AWS IoT Core wants to be asked for on port 443, where it serves HTTPS too, by who shows a certificate.

https://docs.aws.amazon.com/iot/latest/developerguide/protocols.html
"""


def read_broker(reader: Reader) -> Broker:
    """Return how the broker is reached."""
    url = reader.value("MQTT_URL") or "mqtt://127.0.0.1:1883"
    # The URL may hold a password, so no message shows any of it; what urllib says of it would.
    try:
        parts = urlsplit(url)
    except ValueError:
        reader.problem("MQTT_URL", "is no URL")
        parts = urlsplit("mqtt://unknown")
    if parts.scheme not in _MQTT_PORTS:
        reader.problem("MQTT_URL", "its scheme is not mqtt or mqtts")
    if not parts.hostname:
        reader.problem("MQTT_URL", "names no host")
    if parts.path.strip("/") or parts.query or parts.fragment:
        reader.problem("MQTT_URL", "holds more than mqtt[s]://[user[:password]@]host[:port]")
    port = None
    try:
        port = parts.port
    except ValueError:
        reader.problem("MQTT_URL", "its port is no number from 0 to 65535; in a password, '/' is %2F, '?' %3F, '#' %23")
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


def _check_host(reader: Reader, host: str) -> None:
    try:
        host.encode("idna")
    except UnicodeError:
        reader.problem("MQTT_URL", "its host is no host name")


def _read_tls(reader: Reader, port: int, *, is_wanted: bool) -> ssl.SSLContext | None:
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


def _read_alpn(reader: Reader, port: int) -> list[str]:
    value = reader.value("MQTT_ALPN")
    if value is None:
        return [_AWS_ALPN] if port == _HTTPS_PORT else []
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
