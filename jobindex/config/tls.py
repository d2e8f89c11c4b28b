"""What HTTPS is served with, and whom clients of it trust."""

import logging
import ssl
from pathlib import Path

_log = logging.getLogger(__name__)


def server_context(cert_file: Path, key_file: Path | None) -> ssl.SSLContext:
    """Return what a server with this certificate speaks TLS by; without `key_file` the key stands in `cert_file`.

    Raises:
        OSError: a file cannot be read, or does not hold what it should (ssl.SSLError is one too).
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    # Without a password OpenSSL would ask the terminal for that of an encrypted key, and wait.
    context.load_cert_chain(cert_file, key_file, password="")
    return context


def pinned_context(cert_file: Path) -> ssl.SSLContext:
    """Return what trusts the certificates in a file and nothing else, whatever name the server is called by.

    Raises:
        OSError: the file cannot be read, or holds none (ssl.SSLError is one too).
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    # The server's own certificate is enough, though it is no authority's.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(cert_file)
    return context


def verifying_context(ca_file: Path | None) -> ssl.SSLContext:
    """Return what trusts the authorities in a file, for None the system's, and looks at the server's name.

    Raises:
        OSError: the file cannot be read, or holds none (ssl.SSLError is one too).
    """
    return ssl.create_default_context(cafile=ca_file)


def renew_certificate(context: ssl.SSLContext, cert_file: Path, key_file: Path | None) -> None:
    """Let `context`, as server_context() returned it, serve new connections with what the files hold now.

    Files that cannot be used are logged, and change nothing. Not chosen: to load them into the context itself, which
    would be left without a key where the certificate is new and the key not yet.
    """
    try:
        renewed = server_context(cert_file, key_file)
    except OSError as error:
        _log.error("The certificate in use is kept: %s with key %s cannot be used: %s", cert_file, key_file, error)
        return

    def take(connection: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:  # noqa: ARG001
        connection.context = renewed

    # It is called for clients that name no server too.
    context.sni_callback = take
    _log.info("The certificate is renewed from %s", cert_file)
