"""The way to the broker, step by step: its name, its port, TLS, the credentials, the right to subscribe."""

import asyncio
import os
import socket
import ssl
from collections.abc import Iterator, Sequence
from dataclasses import replace

from jobindex.cli.checks.check_result import CheckResult, Part
from jobindex.errors import BrokerError, BrokerRefusedError
from jobindex.ingest.broker import Broker
from jobindex.ingest.mqtt_client import connect_probe

_BROKER = Part("broker")
_SECONDS = 8
_SUFFIX = "-doctor-"
_UNTRIED = "so the topic filters were not tried"
_UNSUPPORTED_PROTOCOL_VERSION = 132
_CLIENT_ID_NOT_VALID = 133
_NO_PROTOCOL = "no application protocol"  # OpenSSL's words; Python has no name for this alert
_ACL_ADVICE = (
    "Let the broker's access rules allow this user to subscribe to exactly this filter, or leave it out of "
    "JOBINDEX_MQTT_TOPICS."
)
_NO_LOGIN_ADVICE = (
    "It wants a user and a password, as a rule: set JOBINDEX_MQTT_USERNAME, and JOBINDEX_MQTT_PASSWORD or "
    "JOBINDEX_MQTT_PASSWORD_FILE (or the two in JOBINDEX_MQTT_URL)."
)
_LOGIN_ADVICE = (
    "Correct JOBINDEX_MQTT_USERNAME, and JOBINDEX_MQTT_PASSWORD or the content of JOBINDEX_MQTT_PASSWORD_FILE (or the "
    "two in JOBINDEX_MQTT_URL), and see that it is this broker that they are for."
)


def examine_brokers(brokers: Sequence[Broker], topic_filters: Sequence[str]) -> Iterator[CheckResult]:
    """Yield what is found on the way to each broker; of several, which of them it is about."""
    for broker in brokers:
        for result in _examine(broker, topic_filters):
            is_clear = len(brokers) == 1 or str(broker) in result.told
            yield result if is_clear else replace(result, told=f"{broker}: {result.told}")


def _examine(broker: Broker, topic_filters: Sequence[str]) -> Iterator[CheckResult]:
    """Yield what is found on the way to a broker, as far as it leads.

    It is asked under a client id of its own, so that a service that is connected stays so. That the service is tells
    nothing of these settings: they may be others than those that it was started with.
    """
    try:
        addresses = socket.getaddrinfo(broker.host, broker.port, type=socket.SOCK_STREAM)
    except OSError as error:
        yield _BROKER.bad(
            f"the name {broker.host} has no address: {error.strerror}", "Correct the host in JOBINDEX_MQTT_URL."
        )
        return
    address = str(addresses[0][4][0])
    if address != broker.host:
        yield _BROKER.well(f"{broker.host} is {address}")
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
    probe = replace(broker, client_id=f"{broker.client_id[:100]}{_SUFFIX}{os.getpid()}")
    yield from asyncio.run(_examine_session(probe, topic_filters, broker.client_id))


def _tls(broker: Broker, context: ssl.SSLContext, connection: socket.socket) -> CheckResult:
    with context.wrap_socket(connection, server_hostname=broker.host) as secured:
        protocol = secured.selected_alpn_protocol()
        agreed = f", {protocol} by ALPN" if protocol else ""
        return _BROKER.well(f"{secured.version()}{agreed}, with a certificate that is trusted")


def _tcp_fault(broker: Broker, error: OSError) -> CheckResult:
    if isinstance(error, ConnectionRefusedError):
        advice = "Start the broker, or correct the host and the port in JOBINDEX_MQTT_URL."
    elif isinstance(error, TimeoutError):
        advice = "Nobody answers there: look for a firewall between, or correct JOBINDEX_MQTT_URL."
    else:
        advice = "Correct the host and the port in JOBINDEX_MQTT_URL, and see that the network leads there."
    return _BROKER.bad(f"{broker} takes no connection: {error.strerror or error}", advice)


def _tls_fault(error: OSError) -> CheckResult:
    if isinstance(error, ssl.SSLCertVerificationError):
        advice = (
            "Use the host name that stands in the certificate."
            if "ostname" in error.verify_message or "IP address" in error.verify_message
            else "Name the authority that signed the broker's certificate in JOBINDEX_MQTT_CA_FILE."
        )
        return _BROKER.bad(f"the broker's certificate is not trusted: {error.verify_message}", advice)
    if _NO_PROTOCOL in str(error):
        return _BROKER.bad(
            "the broker speaks none of the protocols that it is asked for by ALPN",
            "Correct JOBINDEX_MQTT_ALPN; where it is not set, port 443 is asked for x-amzn-mqtt-ca, as AWS wants it.",
        )
    return _BROKER.bad(
        f"TLS with the broker fails: {error.strerror or error}",
        "A port that speaks no TLS wants mqtt:// in JOBINDEX_MQTT_URL; the TLS port of a broker is 8883 as a rule.",
    )


async def _examine_session(broker: Broker, topic_filters: Sequence[str], own_id: str) -> list[CheckResult]:
    findings: list[CheckResult] = []
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
        findings.append(_refusal(broker, error, asked, own_id))
    return findings


def _refusal(broker: Broker, error: BrokerError, asked: str | None, own_id: str) -> CheckResult:
    if asked is not None:
        return _BROKER.bad(f"the broker ended the connection when asked for {asked}: {error}", _ACL_ADVICE)
    if isinstance(error, BrokerRefusedError):
        if error.code == _CLIENT_ID_NOT_VALID:
            return _BROKER.unsure(
                f"could not check with an id of its own: the broker does not take {broker.client_id!r}: {error}; "
                f"{_UNTRIED}",
                f"Let the broker take client ids that begin with {own_id[:100] + _SUFFIX!r}, and call again. "
                "Until then only what the service says of its connection counts, if it has these settings.",
            )
        if error.code == _UNSUPPORTED_PROTOCOL_VERSION:
            other = "3.1.1" if broker.protocol == "5" else "5"
            return _BROKER.bad(
                f"the broker does not speak MQTT {broker.protocol}: {error}; {_UNTRIED}",
                f"Set JOBINDEX_MQTT_PROTOCOL={other}.",
            )
        advice = _NO_LOGIN_ADVICE if broker.username is None else _LOGIN_ADVICE
        return _BROKER.bad(
            f"the broker refuses the connection: {error}; {_UNTRIED}",
            f"{advice} Where its access rules let this user in under certain client ids alone, let them take those "
            f"that begin with {own_id[:100] + _SUFFIX!r} too, to have this checked.",
        )
    return _BROKER.bad(
        f"no MQTT connection comes about: {error}; {_UNTRIED}",
        "See that it is the MQTT port of a broker, and look into the broker's log. If it speaks only MQTT 3.1.1, set "
        "JOBINDEX_MQTT_PROTOCOL=3.1.1; if it speaks TLS there, JOBINDEX_MQTT_URL must begin with mqtts://; if it "
        "speaks other protocols there too, JOBINDEX_MQTT_ALPN must name the one for MQTT.",
    )
