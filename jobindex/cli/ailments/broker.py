"""The way to the broker, step by step: its name, its port, TLS, the credentials, the right to subscribe."""

import asyncio
import os
import socket
import ssl
from collections.abc import Iterator, Sequence
from dataclasses import replace

from jobindex.broker import Broker
from jobindex.cli.ailments.finding import Finding, Part
from jobindex.errors import BrokerError, BrokerRefusedError
from jobindex.mqtt import connect_probe

_BROKER = Part("broker")
_SECONDS = 8
_ACL_ADVICE = (
    "Let the broker's access rules allow this user to subscribe to exactly this filter, or leave it out of "
    "JOBINDEX_MQTT_TOPICS."
)


def examine_broker(broker: Broker, topic_filters: Sequence[str], *, is_connected: bool) -> Iterator[Finding]:
    """Yield what is found on the way to a broker, as far as it leads.

    It is asked under a client id of its own, so that a service that is connected stays so; `is_connected` says that
    one is: then a refusal is of that id alone.
    """
    try:
        addresses = socket.getaddrinfo(broker.host, broker.port, type=socket.SOCK_STREAM)
    except OSError as error:
        yield _BROKER.bad(
            f"the name {broker.host} has no address: {error.strerror}", "Correct the host in JOBINDEX_MQTT_URL."
        )
        return
    yield _BROKER.well(f"{broker.host} is {addresses[0][4][0]}")
    try:
        connection = socket.create_connection((broker.host, broker.port), timeout=_SECONDS)
    except OSError as error:
        yield _tcp_fault(broker, error)
        return
    yield _BROKER.well(f"{broker} takes connections")
    with connection:
        if broker.tls is not None:
            try:
                yield _tls(broker, broker.tls, connection)
            except OSError as error:
                yield _tls_fault(error)
                return
    probe = replace(broker, client_id=f"{broker.client_id[:100]}-doctor-{os.getpid()}")
    yield from asyncio.run(_examine_session(probe, topic_filters, broker.client_id, is_connected=is_connected))


def _tls(broker: Broker, context: ssl.SSLContext, connection: socket.socket) -> Finding:
    with context.wrap_socket(connection, server_hostname=broker.host) as secured:
        return _BROKER.well(f"{secured.version()}, with a certificate that is trusted")


def _tcp_fault(broker: Broker, error: OSError) -> Finding:
    if isinstance(error, ConnectionRefusedError):
        advice = "Start the broker, or correct the host and the port in JOBINDEX_MQTT_URL."
    elif isinstance(error, TimeoutError):
        advice = "Nobody answers there: look for a firewall between, or correct JOBINDEX_MQTT_URL."
    else:
        advice = "Correct the host and the port in JOBINDEX_MQTT_URL, and see that the network leads there."
    return _BROKER.bad(f"{broker} takes no connection: {error.strerror or error}", advice)


def _tls_fault(error: OSError) -> Finding:
    if isinstance(error, ssl.SSLCertVerificationError):
        advice = (
            "Use the host name that stands in the certificate."
            if "ostname" in error.verify_message or "IP address" in error.verify_message
            else "Name the authority that signed the broker's certificate in JOBINDEX_MQTT_CA_FILE."
        )
        return _BROKER.bad(f"the broker's certificate is not trusted: {error.verify_message}", advice)
    return _BROKER.bad(
        f"TLS with the broker fails: {error.strerror or error}",
        "A port that speaks no TLS wants mqtt:// in JOBINDEX_MQTT_URL; the TLS port of a broker is 8883 as a rule.",
    )


async def _examine_session(
    broker: Broker, topic_filters: Sequence[str], own_id: str, *, is_connected: bool
) -> list[Finding]:
    findings: list[Finding] = []
    asked = None
    try:
        async with connect_probe(broker) as is_granted:
            who = f"user {broker.username!r}" if broker.username else "a client without a user name"
            findings.append(_BROKER.well(f"MQTT {broker.protocol} by {who} is accepted"))
            for asked in topic_filters:
                if await is_granted(asked):
                    findings.append(_BROKER.well(f"{asked} is granted"))
                else:
                    findings.append(_BROKER.bad(f"{asked} is not granted at QoS 1", _ACL_ADVICE))
    except BrokerError as error:
        if asked is None and is_connected:
            told = f"it lets in {own_id!r}, as the service is connected, and not {broker.client_id!r}: {error}"
            findings.append(_BROKER.well(told))
        else:
            findings.append(_refusal(broker, error, asked, own_id))
    return findings


def _refusal(broker: Broker, error: BrokerError, asked: str | None, own_id: str) -> Finding:
    if isinstance(error, BrokerRefusedError):
        advice = (
            "Correct JOBINDEX_MQTT_USERNAME and JOBINDEX_MQTT_PASSWORD, or the broker's access rules (they may allow "
            f"{own_id!r} alone, while this was asked as {broker.client_id!r}: then what the service says counts). A "
            "broker that speaks only MQTT 3.1.1 wants JOBINDEX_MQTT_PROTOCOL=3.1.1."
        )
        return _BROKER.bad(f"the broker refuses the connection: {error}", advice)
    if asked is None:
        advice = (
            "Look into the broker's log. If it speaks only MQTT 3.1.1, set JOBINDEX_MQTT_PROTOCOL=3.1.1; if it speaks "
            "TLS there, JOBINDEX_MQTT_URL must begin with mqtts://."
        )
        return _BROKER.bad(f"no MQTT connection comes about: {error}", advice)
    return _BROKER.bad(f"the broker ended the connection when asked for {asked}: {error}", _ACL_ADVICE)
