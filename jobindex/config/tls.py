"""The TLS contexts of the HTTPS server and its clients."""

import logging
import ssl
from pathlib import Path

_log = logging.getLogger(__name__)


def server_context(cert_file: Path, key_file: Path | None) -> ssl.SSLContext:
    """Return the context of a server with this certificate; without `key_file` the key is in `cert_file`.

    Raises:
        OSError: a file cannot be read, or its content is wrong (ssl.SSLError is an OSError).
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    # Without this, OpenSSL would wait at the terminal for the password of an encrypted key.
    context.load_cert_chain(cert_file, key_file, password="")
    return context


def pinned_context(cert_file: Path) -> ssl.SSLContext:
    """Return a context that trusts only the certificates in a file, and does not check the server's name.

    Raises:
        OSError: the file cannot be read, or has no certificate.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    # The server's own certificate is enough, although it is not an authority's.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(cert_file)
    return context


def verifying_context(ca_file: Path | None) -> ssl.SSLContext:
    """Return a context that checks the server's name and trusts the authorities in a file, by default the system's.

    Raises:
        OSError: the file cannot be read, or has no certificate.
    """
    return ssl.create_default_context(cafile=ca_file)


def renew_certificate(context: ssl.SSLContext, cert_file: Path, key_file: Path | None) -> None:
    """Make `context`, from server_context(), use the files' current content for new connections.

    Files that cannot be used are logged and change nothing. Not chosen: loading them into the context itself, which
    would have no key if the certificate is new and the key is old.
    """
    try:
        renewed = server_context(cert_file, key_file)
    except OSError as error:
        _log.error("Keeping the current certificate: %s with key %s cannot be used: %s", cert_file, key_file, error)
        return

    def take(connection: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:  # noqa: ARG001
        connection.context = renewed

    # OpenSSL calls it even for clients that name no server.
    context.sni_callback = take
    _log.info("Certificate renewed from %s", cert_file)
