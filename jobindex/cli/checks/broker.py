"""The broker, step by step: name, port, TLS, credentials, permission to subscribe."""

import asyncio
import os
import socket
import ssl
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace

from jobindex.cli.checks.check_result import CheckResult, Part
from jobindex.errors import BrokerError, BrokerRefusedError
from jobindex.ingest.broker import Broker
from jobindex.ingest.mqtt_probe import connect_probe

_BROKER = Part("broker")
_SECONDS = 8
_SUFFIX = "-doctor-"
_DROPPED = "$SYS/broker/publish/messages/dropped"  # https://mosquitto.org/man/mosquitto-8.html
_UNTRIED = "so the topic filters were not tried"
_UNSUPPORTED_PROTOCOL_VERSION = 132
_CLIENT_ID_NOT_VALID = 133
_NO_PROTOCOL = "no application protocol"  # OpenSSL's words; Python has no name for this alert
_ACL_ADVICE = (
    "Let the broker's access rules allow this user to subscribe to exactly this filter, or remove it from "
    "JOBINDEX_MQTT_TOPICS."
)
_NO_LOGIN_ADVICE = (
    "It probably requires a user and a password: set JOBINDEX_MQTT_USERNAME, and JOBINDEX_MQTT_PASSWORD or "
    "JOBINDEX_MQTT_PASSWORD_FILE (or the two in JOBINDEX_MQTT_URL)."
)
_LOGIN_ADVICE = (
    "Correct JOBINDEX_MQTT_USERNAME, and JOBINDEX_MQTT_PASSWORD or the content of JOBINDEX_MQTT_PASSWORD_FILE (or the "
    "two in JOBINDEX_MQTT_URL), and check that they are for this broker."
)


def examine_brokers(brokers: Sequence[Broker], topic_filters: Sequence[str]) -> Iterator[CheckResult]:
    """Yield the results for each broker; with several, each names its broker."""
    for broker in brokers:
        for result in _examine(broker, topic_filters):
            is_clear = len(brokers) == 1 or str(broker) in result.text
            yield result if is_clear else replace(result, text=f"{broker}: {result.text}")


def _examine(broker: Broker, topic_filters: Sequence[str]) -> Iterator[CheckResult]:
    """Yield the results up to the first step that fails.

    The check uses its own client id, so that a connected service stays connected. The service's connection proves
    nothing: it may have started with other settings.
    """
    try:
        addresses = socket.getaddrinfo(broker.host, broker.port, type=socket.SOCK_STREAM)
    except OSError as error:
        yield _BROKER.problem(
            f"the name {broker.host} has no address: {error.strerror}", "Correct the host in JOBINDEX_MQTT_URL."
        )
        return
    address = str(addresses[0][4][0])
    if address != broker.host:
        yield _BROKER.ok(f"{broker.host} resolves to {address}")
    try:
        connection = socket.create_connection((broker.host, broker.port), timeout=_SECONDS)
    except OSError as error:
        yield _tcp_fault(broker, error)
        return
    yield _BROKER.ok(f"{broker} accepts connections")
    with connection:
        if broker.tls is not None:
            try:
                yield _tls(broker, broker.tls, connection)
            except OSError as error:
                yield _tls_fault(error)
                return
    probe = replace(broker, client_id=f"{broker.client_id[:100]}{_SUFFIX}{os.getpid()}")
    yield from asyncio.run(_examine_session(probe, topic_filters, broker.client_id))


def _tls(broker: Broker, context: ssl.SSLContext, connection: socket.socket) -> CheckResult:
    with context.wrap_socket(connection, server_hostname=broker.host) as secured:
        protocol = secured.selected_alpn_protocol()
        agreed = f", {protocol} by ALPN" if protocol else ""
        return _BROKER.ok(f"{secured.version()}{agreed}, with a trusted certificate")


def _tcp_fault(broker: Broker, error: OSError) -> CheckResult:
    if isinstance(error, ConnectionRefusedError):
        advice = "Start the broker, or correct the host and the port in JOBINDEX_MQTT_URL."
    elif isinstance(error, TimeoutError):
        advice = "Nothing answers there: look for a firewall on the way, or correct JOBINDEX_MQTT_URL."
    else:
        advice = "Correct the host and the port in JOBINDEX_MQTT_URL, and check that the network reaches them."
    return _BROKER.problem(f"{broker} accepts no connection: {error.strerror or error}", advice)


def _tls_fault(error: OSError) -> CheckResult:
    if isinstance(error, ssl.SSLCertVerificationError):
        advice = (
            "Use the host name in the certificate."
            if "ostname" in error.verify_message or "IP address" in error.verify_message
            else "Name the authority that signed the broker's certificate in JOBINDEX_MQTT_CA_FILE."
        )
        return _BROKER.problem(f"the broker's certificate is not trusted: {error.verify_message}", advice)
    if _NO_PROTOCOL in str(error):
        return _BROKER.problem(
            "the broker supports none of the protocols that jobindex offers by ALPN",
            "Correct JOBINDEX_MQTT_ALPN. If it is not set, x-amzn-mqtt-ca is offered on port 443, as AWS requires.",
        )
    return _BROKER.problem(
        f"TLS with the broker fails: {error.strerror or error}",
        "For a port without TLS use mqtt:// in JOBINDEX_MQTT_URL; the TLS port of a broker is usually 8883.",
    )


async def _examine_session(broker: Broker, topic_filters: Sequence[str], own_id: str) -> list[CheckResult]:
    findings: list[CheckResult] = []
    asked = None
    try:
        async with connect_probe(broker) as probe:
            user = f"for user {broker.username!r}" if broker.username else "without a user name"
            findings.append(_BROKER.ok(f"the MQTT {broker.protocol} connection {user} is accepted"))
            for asked in topic_filters:
                if await probe.is_granted(asked):
                    findings.append(_BROKER.ok(f"{asked} is granted"))
                else:
                    findings.append(_BROKER.problem(f"{asked} is not granted at QoS 1", _ACL_ADVICE))
    except BrokerError as error:
        findings.append(_refusal(broker, error, asked, own_id))
    else:
        findings += await _examine_queues(broker)
    return findings


async def _examine_queues(broker: Broker) -> Sequence[CheckResult]:
    """Look for messages that mosquitto has dropped; other brokers do not report them, or close this connection."""
    dropped = None
    with suppress(BrokerError):
        async with connect_probe(broker) as probe:
            dropped = await probe.retained(_DROPPED)
    if dropped is None or not dropped.isdigit() or int(dropped) == 0:
        return ()
    return (
        _BROKER.unsure(
            f"{broker} has dropped {int(dropped):,} messages since its start, because clients' queues were full",
            "It does not report which clients are affected. `max_queued_messages 0` in mosquitto.conf removes the "
            "limit, which is 1,000 messages for a client that is away.",
        ),
    )


def _refusal(broker: Broker, error: BrokerError, asked: str | None, own_id: str) -> CheckResult:
    if asked is not None:
        return _BROKER.problem(f"the broker closed the connection at the subscription to {asked}: {error}", _ACL_ADVICE)
    if isinstance(error, BrokerRefusedError):
        if error.code == _CLIENT_ID_NOT_VALID:
            return _BROKER.unsure(
                f"could not check with the doctor's client id: the broker does not accept {broker.client_id!r}: "
                f"{error}; {_UNTRIED}",
                f"Let the broker accept client ids that begin with {own_id[:100] + _SUFFIX!r}, and run the doctor "
                "again. Until then rely on the service's report of its connection, if it has the same settings.",
            )
        if error.code == _UNSUPPORTED_PROTOCOL_VERSION:
            other = "3.1.1" if broker.protocol == "5" else "5"
            return _BROKER.problem(
                f"the broker does not speak MQTT {broker.protocol}: {error}; {_UNTRIED}",
                f"Set JOBINDEX_MQTT_PROTOCOL={other}.",
            )
        advice = _NO_LOGIN_ADVICE if broker.username is None else _LOGIN_ADVICE
        return _BROKER.problem(
            f"the broker refuses the connection: {error}; {_UNTRIED}",
            f"{advice} If its access rules allow this user certain client ids only, let them also allow ids that begin "
            f"with {own_id[:100] + _SUFFIX!r}, so that this can be checked.",
        )
    return _BROKER.problem(
        f"the MQTT connection fails: {error}; {_UNTRIED}",
        "Check that this is the MQTT port of a broker, and look at the broker's log. If the broker speaks only MQTT "
        "3.1.1, set JOBINDEX_MQTT_PROTOCOL=3.1.1. If the port uses TLS, JOBINDEX_MQTT_URL must begin with mqtts://. If "
        "the port also serves other protocols, JOBINDEX_MQTT_ALPN must name the one for MQTT.",
    )
