"""The settings of HTTP: where, and by which certificates."""

import ssl
from dataclasses import dataclass
from pathlib import Path

from jobindex.config.reader import Reader
from jobindex.tls import pinned_context, server_context, verifying_context


@dataclass(frozen=True, slots=True, kw_only=True)
class Http:
    """How the service is asked."""

    host: str
    port: int
    cert_file: Path | None
    """The certificate of the service, with those that lead to its authority; HTTP is HTTPS where it is set."""
    key_file: Path | None
    """Its key; None where that stands in the same file."""
    tls: ssl.SSLContext | None
    """What HTTPS is served with."""
    ca_file: Path | None
    """The authorities of an endpoint that a command is given; None is the system's."""
    rate: float | None
    """Requests a second that each key, or address, may send; None does not limit them."""


def read_http(reader: Reader) -> Http:
    """Return how the service is asked."""
    cert_file, key_file = reader.path("HTTP_CERT_FILE"), reader.path("HTTP_KEY_FILE")
    return Http(
        host=reader.text("HTTP_HOST", "127.0.0.1", r"\S+", "a host name or address"),
        port=reader.port("HTTP_PORT", 8080),
        cert_file=cert_file,
        key_file=key_file,
        tls=_read_http_tls(reader, cert_file, key_file),
        ca_file=_read_http_ca_file(reader),
        rate=reader.rate("HTTP_RATE"),
    )


def _read_http_tls(reader: Reader, cert_file: Path | None, key_file: Path | None) -> ssl.SSLContext | None:
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


def _read_http_ca_file(reader: Reader) -> Path | None:
    ca_file = reader.path("HTTP_CA_FILE")
    if ca_file is None:
        return None
    try:
        verifying_context(ca_file)
    except OSError as error:
        reader.problem("HTTP_CA_FILE", f"{str(ca_file)!r} cannot be used: {error}")
        return None
    return ca_file
