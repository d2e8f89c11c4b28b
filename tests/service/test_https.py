"""HTTPS: serving with a certificate, and the trust of the commands."""

import json
import shutil
import socket
import ssl
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization as pem
from support.certificates import Certificates, make_certificates
from support.commands import jobindex
from support.raw_http import Wire, wired
from support.services import Service
from support.waiting import wait_until
from test_protocol import HURRIED, LARGE, PIECE, app, connections, unsent_when_full

from jobindex.config.settings import Settings, read_settings
from jobindex.config.tls import pinned_context, server_context, verifying_context
from jobindex.errors import SettingsError
from jobindex.web.protocol import HttpProtocol
from jobindex.web.server import reload_certificate

__all__ = ["connections"]  # a fixture
ASKED = b"GET /b HTTP/1.1\r\nhost: x\r\n\r\n"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Make an authority and a certificate for 127.0.0.1."""
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def port(files: Certificates) -> Iterator[int]:
    """Serve HTTPS with limits short enough for a test."""
    with wired(app, HURRIED, server_context(files.server, files.server_key)) as port:
        yield port


@pytest.fixture
def client(files: Certificates) -> ssl.SSLContext:
    """Return a context that trusts the authority."""
    return verifying_context(files.ca)


def read(**settings: object) -> Settings:
    """Read settings, named without their prefix."""
    environment = {f"JOBINDEX_{name}": str(value) for name, value in settings.items()}
    return read_settings(environment, is_terminal=False)


def problems(**settings: object) -> list[str]:
    """Return the problems of settings."""
    with pytest.raises(SettingsError) as raised:
        read(**settings)
    return list(raised.value.problems)


def test_requests_follow_each_other_on_a_connection(port: int, client: ssl.SSLContext) -> None:
    """A connection stays open between requests and for event streams, as over HTTP."""
    client.set_alpn_protocols(["h2", "http/1.1"])
    with Wire(port, client) as wire:
        for _ in range(3):
            assert b"GET /b" == wire.get("/b")
        assert b"0\n1\n2\nend\n" == wire.get("/line")
        assert isinstance(wire.socket, ssl.SSLSocket)
        assert ("http/1.1", "TLSv1.3") == (wire.socket.selected_alpn_protocol(), wire.socket.version())


def test_limits_hold_within_tls(port: int, client: ssl.SSLContext) -> None:
    """The limits hold within TLS: for a slow head, a large head and an unread answer."""
    with Wire(port, client) as slow:
        slow.send(b"GET / HTTP/1.1\r\n")
        assert 408 == slow.error()[0]
    with Wire(port, client) as large:
        large.send(b"GET / HTTP/1.1\r\nx: " + b"y" * 20_000)
        assert 431 == large.error()[0]
    with Wire(port, client) as deaf:
        deaf.send(b"GET /large HTTP/1.1\r\nhost: x\r\n\r\n")
        time.sleep(HURRIED.send_seconds + 1)
        with pytest.raises((ssl.SSLError, OSError)):  # noqa: PT012 (any of the reads raises)
            read = 0
            while piece := deaf.socket.recv(1_000_000):
                read += len(piece)
            raise ssl.SSLEOFError(f"after {read}") if read < LARGE else AssertionError(read)


def test_of_a_stream_that_is_not_read_little_waits(
    port: int, client: ssl.SSLContext, connections: list[HttpProtocol]
) -> None:
    """Within TLS at most one plain and one encrypted piece of an unread stream wait."""
    with Wire(port, client) as wire:
        wire.send(b"GET /stream HTTP/1.1\r\nhost: x\r\n\r\n")
        assert 0 < unsent_when_full(connections) <= 2 * (PIECE + 100)


def test_a_request_that_comes_with_the_end_of_the_handshake_is_answered(port: int, client: ssl.SSLContext) -> None:
    """A request that arrives with the end of the handshake is answered, as TLS 1.3 allows it."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = client.wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                connection.sendall(outgoing.read())
                incoming.write(connection.recv(65536))
        tls.write(ASKED)
        connection.sendall(outgoing.read())
        answer = b""
        while not answer.endswith(b"GET /b"):
            try:
                answer += tls.read(65536)
            except ssl.SSLWantReadError:
                incoming.write(connection.recv(65536))


@pytest.mark.parametrize("seconds", [0, 0.05])
def test_a_connection_that_is_closing_does_not_disturb_a_shutdown(
    files: Certificates, client: ssl.SSLContext, seconds: float
) -> None:
    """The service has closed connections whose clients have not, when it stops: it closes none of them again."""
    limits = replace(HURRIED, send_seconds=60)
    with ExitStack() as stack, wired(app, limits, server_context(files.server, files.server_key)) as port:
        for _ in range(20):
            wire = stack.enter_context(Wire(port, client))
            assert wire.send(b"GET /b HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            assert b"GET /b" == wire.answer().read()
        time.sleep(seconds)


@pytest.mark.parametrize("sent", [b"", b"\x16\x03\x01\x02\x00\x01", ASKED], ids=["nothing", "a part", "plain HTTP"])
def test_a_handshake_that_does_not_end_ends_the_connection(port: int, sent: bytes) -> None:
    """A handshake that does not finish in time ends the connection."""
    with Wire(port) as wire:
        wire.send(sent)
        wait_until(lambda: wire.has_come() and wire.socket.recv(100) == b"", "the end")


def test_handshakes_that_do_not_end_stop_no_client(files: Certificates, client: ssl.SSLContext) -> None:
    """Unfinished handshakes are evicted like idle connections, so that clients get in."""
    limits = replace(HURRIED, handshake_seconds=60, connections=50)
    with ExitStack() as stack, wired(app, limits, server_context(files.server, files.server_key)) as port:
        slow = [stack.enter_context(Wire(port)) for _ in range(200)]
        for _ in range(10):
            assert b"GET /b" == stack.enter_context(Wire(port, client)).get("/b")
        assert [True] * 160 == [wire.is_ended() for wire in slow[:160]]


def test_handshakes_that_do_not_end_take_little_memory(port: int) -> None:
    """An unfinished handshake takes less than 64 kB of memory."""
    tracemalloc.start()
    try:
        with ExitStack() as stack:
            slow = [stack.enter_context(Wire(port)) for _ in range(100)]
            assert [True] * 100 == [wire.is_ended() for wire in slow]
            assert 100 * 16_000 < tracemalloc.get_traced_memory()[1]
            assert tracemalloc.get_traced_memory()[1] < 100 * 64_000
    finally:
        tracemalloc.stop()


def test_idle_clients_do_not_hold_the_stop(files: Certificates, client: ssl.SSLContext) -> None:
    """Idle clients and unfinished handshakes do not delay a stop."""
    limits = replace(HURRIED, handshake_seconds=60, look_seconds=60)
    with ExitStack() as stack:
        with wired(app, limits, server_context(files.server, files.server_key)) as port:
            idle, slow = stack.enter_context(Wire(port, client)), stack.enter_context(Wire(port))
            assert b"GET /b" == idle.get("/b")
            began = time.monotonic()
        assert time.monotonic() - began < 1.5
        assert idle.is_ended()
        assert slow.is_ended()


def test_a_connection_is_closed_whether_or_not_the_client_closes_it(port: int, client: ssl.SSLContext) -> None:
    """The server closes a connection without waiting for the client's TLS close."""
    with Wire(port, client) as wire:
        wire.send(b"GET /b HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        assert b"GET /b" == wire.answer().read()
        with socket.fromfd(wire.socket.fileno(), socket.AF_INET, socket.SOCK_STREAM) as below:
            below.settimeout(5)
            while below.recv(1000):
                pass


def test_a_renewed_certificate_serves_new_connections(tmp_path: Path, files: Certificates) -> None:
    """A renewed certificate serves new connections; open ones stay, and unusable files change nothing."""
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    (tmp_path / "new").mkdir()
    new = make_certificates(tmp_path / "new")
    shutil.copy(files.server, cert)
    shutil.copy(files.server_key, key)
    settings = read(HTTP_CERT_FILE=cert, HTTP_KEY_FILE=key)
    old_client, new_client = pinned_context(files.server), pinned_context(new.server)
    with wired(app, HURRIED, settings.http.tls) as port, Wire(port, old_client) as status:
        for broken in ("no certificate", new.server.read_text()):  # the second does not match the key
            cert.write_text(broken)
            reload_certificate(settings)
            with Wire(port, old_client) as wire:
                assert b"GET /b" == wire.get("/b")
        shutil.copy(new.server_key, key)
        reload_certificate(settings)
        with Wire(port, new_client) as wire:
            assert b"GET /b" == wire.get("/b")
        with pytest.raises(ssl.SSLCertVerificationError):
            Wire(port, old_client)
        assert b"GET /b" == status.get("/b")


def test_what_is_kept_is_logged(tmp_path: Path, files: Certificates, caplog: pytest.LogCaptureFixture) -> None:
    """If a new certificate cannot be used, the log names the file."""
    cert = tmp_path / "cert.pem"
    cert.write_text(files.server.read_text() + files.server_key.read_text())
    settings = read(HTTP_CERT_FILE=cert)
    cert.write_text("no certificate")
    reload_certificate(settings)
    assert [f"Keeping the current certificate: {cert} with key None cannot be used"] == [
        record.getMessage().rpartition(": ")[0] for record in caplog.records
    ]


def test_the_key_may_stand_in_the_file_of_the_certificate(tmp_path: Path, files: Certificates) -> None:
    """One file may contain both the certificate and the key."""
    both = tmp_path / "both.pem"
    both.write_text(files.server_key.read_text() + files.server.read_text())
    settings = read(HTTP_CERT_FILE=both)
    assert (both, None) == (settings.http.cert_file, settings.http.key_file)
    assert settings.http.tls is not None
    assert ssl.TLSVersion.TLSv1_2 == settings.http.tls.minimum_version


def test_wrong_files_are_told_with_all_that_is_wrong(tmp_path: Path, files: Certificates) -> None:
    """A key that is missing or another's and a file without authorities are reported together."""
    (tmp_path / "bad.pem").write_text("none")
    bad, none, cert = tmp_path / "bad.pem", tmp_path / "none.pem", files.server
    assert ["JOBINDEX_HTTP_KEY_FILE: is set without JOBINDEX_HTTP_CERT_FILE"] == problems(HTTP_KEY_FILE=bad)
    for settings in (
        {"HTTP_CERT_FILE": cert},
        {"HTTP_CERT_FILE": cert, "HTTP_KEY_FILE": files.client_key},
        {"HTTP_CERT_FILE": bad},
        {"HTTP_CERT_FILE": cert, "HTTP_KEY_FILE": none},
    ):
        told, ca_told = problems(**settings, HTTP_CA_FILE=bad)
        key = f" with key '{settings['HTTP_KEY_FILE']}'" if "HTTP_KEY_FILE" in settings else ""
        assert told.startswith(f"JOBINDEX_HTTP_CERT_FILE: '{settings['HTTP_CERT_FILE']}'{key} cannot be used: ")
        assert ca_told.startswith(f"JOBINDEX_HTTP_CA_FILE: '{bad}' cannot be used: ")


def test_an_encrypted_key_is_refused(tmp_path: Path, files: Certificates) -> None:
    """An encrypted key is refused, as nobody can enter its password."""
    key = pem.load_pem_private_key(files.server_key.read_bytes(), None)
    encrypted = tmp_path / "encrypted.key"
    encrypted.write_bytes(
        key.private_bytes(pem.Encoding.PEM, pem.PrivateFormat.PKCS8, pem.BestAvailableEncryption(b"secret"))
    )
    (told,) = problems(HTTP_CERT_FILE=files.server, HTTP_KEY_FILE=encrypted)
    assert told.startswith("JOBINDEX_HTTP_CERT_FILE: ")


def test_the_commands_ask_by_https(tmp_path: Path, files: Certificates) -> None:
    """Commands trust the local service by its certificate only, a remote one by authority and name."""
    (tmp_path / "other").mkdir()
    other = make_certificates(tmp_path / "other")
    settings = {"MQTT_URL": "mqtt://127.0.0.1:1", "HTTP_CERT_FILE": str(files.server)}
    service = Service(tmp_path, **settings, HTTP_KEY_FILE=str(files.server_key), HTTP_HOST="0.0.0.0", HTTP_AUTH="none")
    service.start_only()
    try:
        assert service.url.startswith("https://0.0.0.0:")
        port = service.url.rpartition(":")[2]
        # Clients do not need the key, which they may not read.
        local = {"HTTP_CERT_FILE": files.server, "HTTP_PORT": port, "HTTP_KEY_FILE": tmp_path / "unreadable"}
        wait_until(lambda: jobindex("healthcheck", **local, HTTP_HOST="0.0.0.0").returncode == 0, "a ready service")
        assert 0 == jobindex("list", **local, HTTP_HOST="127.0.0.2").returncode  # not in the certificate
        assert 0 == jobindex("rejected", "list", **local).returncode
        told = jobindex("doctor", "--json", **{**local, "HTTP_KEY_FILE": files.server_key}).stdout.splitlines()
        expected = {"part": "service", "ok": True, "told": f"https://127.0.0.1:{port} is ready"}
        assert expected in [json.loads(line) for line in told]
        for wrong in (other.server, files.ca):
            assert (files.ca == wrong) == (jobindex("list", HTTP_PORT=port, HTTP_CERT_FILE=wrong).returncode == 0)
        endpoint = ("list", "--endpoint", f"https://127.0.0.1:{port}")
        assert 0 == jobindex(*endpoint, HTTP_CA_FILE=files.ca).returncode
        for ended in (
            jobindex(*endpoint),
            jobindex(*endpoint, HTTP_CERT_FILE=files.server),
            jobindex("list", "--endpoint", f"https://127.0.0.2:{port}", HTTP_CA_FILE=files.ca),
        ):
            assert (3, True) == (ended.returncode, "CERTIFICATE_VERIFY_FAILED" in ended.stderr)
    finally:
        assert 0 == service.stop()
    assert "Traceback" not in service.log()
