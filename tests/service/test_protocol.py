"""The limits of an HTTP connection: large, slow or frequent requests, and clients that do not read."""

import asyncio
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import replace
from http.client import HTTPResponse, IncompleteRead
from pathlib import Path
from typing import Any

import pytest
from support.api_server import serving
from support.raw_http import Wire, wired
from support.waiting import wait_until
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from jobindex.web.connections import LIMITS, Limits, allowed_connections
from jobindex.web.protocol import HttpProtocol
from jobindex.web.server import bound_socket, http_config

HURRIED = Limits(
    head_seconds=1, body_seconds=1, send_seconds=0.5, handshake_seconds=1, linger_seconds=0.5, look_seconds=0.05
)
"""Limits short enough for a test."""
INVALID = "InvalidRequestException"
LARGE = 30_000_000
PIECE = 16 * 1024
HEAD = b"GET /a HTTP/1.1\r\nhost: x\r\n"


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answer with the method and the path, or as the path demands."""
    body = f"{scope['method']} {scope['path']}".encode()
    match scope["path"]:
        case "/large":
            body = bytes(LARGE)
        case "/headers":
            body = b" ".join(name for name, _ in scope["headers"])
        case "/read":
            while (message := await receive()).get("more_body"):
                body += message["body"]
            if message["type"] == "http.disconnect":
                return
            body += message["body"]
        case "/line":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            for number in range(3):
                await send({"type": "http.response.body", "body": b"%d\n" % number, "more_body": True})
                await asyncio.sleep(1.2)
            await send({"type": "http.response.body", "body": b"end\n"})
            return
        case "/stream":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            for _ in range(1000):
                await send({"type": "http.response.body", "body": bytes(PIECE), "more_body": True})
            await send({"type": "http.response.body"})
            return
    length = str(len(body)).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", length)]})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture
def port() -> Iterator[int]:
    """Serve with limits short enough for a test."""
    with wired(app, HURRIED) as port:
        yield port


def test_a_thousand_slow_connections_stop_no_client(tmp_path: Path) -> None:
    """Heads that arrive header by header end in 408, and another client is answered meanwhile."""
    allowed_connections(2000)  # both ends are in this process
    limits = replace(HURRIED, head_seconds=6)
    with ExitStack() as stack, serving(tmp_path, limits=limits) as api:
        port = int(api.url.rpartition(":")[2])
        slow = [stack.enter_context(Wire(port)) for _ in range(1000)]
        slowest, rounds = 0.0, 0
        end = time.monotonic() + 1.5
        while time.monotonic() < end:
            for wire in slow:
                wire.send(HEAD if rounds == 0 else b"x-%d: y\r\n" % rounds)
            began = time.monotonic()
            assert 200 == api.request("/jobs")[0]
            slowest, rounds = max(slowest, time.monotonic() - began), rounds + 1
        assert rounds > 1
        assert slowest < 3
        expected = (408, "RequestTimeoutException", "The head of the request took longer than 6 seconds.")
        assert {expected} == {wire.error() for wire in slow}


def test_a_connection_on_which_nothing_comes_is_closed(port: int) -> None:
    """A connection without any bytes is closed without an answer, as there is nothing to answer."""
    with Wire(port) as wire:
        assert wire.is_ended()


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> list[HttpProtocol]:
    """Return a list of the connections made."""
    made: list[HttpProtocol] = []
    make = HttpProtocol.connection_made

    def connection_made(self: HttpProtocol, transport: asyncio.BaseTransport) -> None:
        made.append(self)
        make(self, transport)

    monkeypatch.setattr(HttpProtocol, "connection_made", connection_made)
    return made


def test_of_a_stream_that_is_not_read_one_piece_waits(port: int, connections: list[HttpProtocol]) -> None:
    """A stream that is not read has one waiting piece: the next is made when the system has taken it."""
    with Wire(port) as wire:
        wire.send(HEAD.replace(b"/a", b"/stream") + b"\r\n")
        assert 0 < unsent_when_full(connections) <= PIECE + 16


def test_answers_that_nobody_reads_are_bounded_in_bytes(connections: list[HttpProtocol]) -> None:
    """The largest unread answers are dropped beyond the limit, and other clients are answered."""
    maximum = 2 * LARGE
    with wired(app, replace(HURRIED, send_seconds=30, unsent_bytes=maximum)) as port, ExitStack() as stack:
        for number in range(1, 5):
            wire = stack.enter_context(Wire(port))
            wire.send(HEAD.replace(b"/a", b"/large") + b"\r\n")
            wait_until(lambda: len(connections) == number and wire.has_come(), "the answer")  # noqa: B023
        assert b"GET /b" == stack.enter_context(Wire(port)).get("/b")
        unsent = [connection.unsent_bytes() for connection in connections]
        assert sum(unsent) <= maximum
        assert 2 == sum(waiting > 0 for waiting in unsent)


def unsent_when_full(connections: list[HttpProtocol]) -> int:
    """Return the number of unsent bytes on the only connection once it stops changing."""
    unsent = [0, 1]

    def is_full() -> bool:
        unsent.append(connections[0].unsent_bytes() if connections else 0)
        return unsent[-1] > 0 and len({*unsent[-5:]}) == 1

    wait_until(is_full, "a full connection")
    return unsent[-1]


def test_a_head_that_begins_after_an_answer_has_its_own_time(port: int) -> None:
    """The time limit counts from the first byte of a head, not from the start of the connection."""
    with Wire(port) as wire:
        for _ in range(4):
            assert b"GET /b" == wire.get("/b")
            time.sleep(0.3)  # together longer than the limit of a head
        assert wire.send(HEAD)
        assert (408, "RequestTimeoutException") == wire.error()[:2]


def test_a_head_may_have_as_many_bytes_as_the_limit_says(port: int) -> None:
    """A head as large as the limit is accepted in one piece or in many, also on a used connection."""
    rest = LIMITS.head_bytes - len(HEAD) - len(b"x: \r\n\r\n")
    head = HEAD + b"x: " + b"y" * rest + b"\r\n\r\n"
    assert LIMITS.head_bytes == len(head)
    with Wire(port) as wire:
        for pieces in ([head], [head], [head[:10_000], head[10_000:-1], head[-1:]]):
            for piece in pieces:
                assert wire.send(piece)
            assert b"GET /a" == wire.answer().read()


@pytest.mark.parametrize(
    "sent",
    [
        HEAD + b"x: " + b"y" * LIMITS.head_bytes,
        HEAD + b"x: y\r\n" * 3000,
        HEAD + b"x" * 1_000_000,
        b"\r\n" * LIMITS.head_bytes,
    ],
    ids=["a long header", "many headers", "a megabyte of a name", "no request line"],
)
def test_a_head_that_is_too_large_is_refused(port: int, sent: bytes) -> None:
    """A head that is too large gets an answer that can be read, however long it goes on."""
    with Wire(port) as wire:
        wire.send(sent)
        assert (431, INVALID, "The request line and the headers have more than 16384 bytes.") == wire.error()


def test_a_head_that_is_too_large_is_not_taken_behind_another_request(port: int) -> None:
    """If a request and a head that is too large come in one piece, neither is answered."""
    rest = LIMITS.head_bytes - len(HEAD) - len(b"x: \r\n\r\n")
    for more, answers in ((0, [b"POST /read1", b"GET /a"]), (100, [])):
        with Wire(port) as wire:
            head = HEAD + b"x: " + b"y" * (rest + more) + b"\r\n\r\n"
            wire.send(b"POST /read HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\n\r\n1" + head)
            assert answers == [wire.answer().read() for _ in answers]
            assert not answers or b"GET /b" == wire.get("/b")
            assert answers or wire.is_ended()


def test_trailers_are_no_headers(port: int) -> None:
    """Trailers of a body are not added to the headers of the request."""
    with Wire(port) as wire:
        wire.send(HEAD.replace(b"/a", b"/headers") + b"transfer-encoding: chunked\r\n\r\n0\r\nauthorization: x\r\n\r\n")
        assert b"host transfer-encoding" == wire.answer().read()


@pytest.mark.parametrize(
    "target",
    [b"/" + b"p" * 4096, b"/?" + b"q" * 8193, b"/" + b"p" * 100_000, b"/" + b"p" * 4096 + b"?" + b"q" * 8192],
    ids=["path", "query", "endless", "path with a full query"],
)
def test_a_request_line_that_is_too_long_is_refused(port: int, target: bytes) -> None:
    """Path and query have their own limits, and a longer one is refused."""
    with Wire(port) as wire:
        wire.send(b"GET " + target + b" HTTP/1.1\r\nhost: x\r\n\r\n")
        assert (414, INVALID, "The path has more than 4096 bytes, or the query more than 8192.") == wire.error()


def test_a_path_and_a_query_as_long_as_the_limits_are_taken(port: int) -> None:
    """A path and a query may be as long as the limits; our tokens and AWS's signatures need less."""
    path = "/" + "p" * 4095
    with Wire(port) as wire:
        assert f"GET {path}".encode() == wire.get(f"{path}?{'q' * 8192}")


CHUNK = b"%x\r\n%s\r\n" % (4096, bytes(4096))


@pytest.mark.parametrize(
    ("sent", "path"),
    [
        (b"content-length: 65537\r\n\r\n", b"/read"),
        (b"content-length: 99999999999\r\nexpect: 100-continue\r\n\r\n", b"/read"),
        (b"transfer-encoding: chunked\r\n\r\n" + CHUNK * 30, b"/read"),
        (b"transfer-encoding: chunked\r\n\r\n" + CHUNK * 17 + b"0\r\n\r\n", b"/read"),
        (b"transfer-encoding: chunked\r\n\r\n" + b"0\r\n" + b"x: y\r\n" * 30_000, b"/read"),
    ],
    ids=["by its length", "by its length, before it is sent", "chunked", "in one piece", "by its trailers"],
)
def test_a_body_that_is_too_large_is_refused(port: int, sent: bytes, path: bytes) -> None:
    """The limit of a body applies to its declared length, or to the bytes counted if there is none."""
    with Wire(port) as wire:
        wire.send(b"POST " + path + b" HTTP/1.1\r\nhost: x\r\n" + sent)
        assert (413, INVALID, "The body has more than 65536 bytes.") == wire.error()


def test_a_body_as_large_as_the_limit_is_taken(port: int) -> None:
    """A body as large as the limit is accepted, by length or chunked, and the connection stays usable."""
    head = b"POST /read HTTP/1.1\r\nhost: x\r\n"
    with Wire(port) as wire:
        wire.send(head + b"content-length: 65536\r\n\r\n" + bytes(65536))
        assert b"POST /read" + bytes(65536) == wire.answer().read()
        wire.send(head + b"transfer-encoding: chunked\r\n\r\n" + CHUNK * 15 + b"0\r\n\r\n")
        assert b"POST /read" + bytes(4096 * 15) == wire.answer().read()
        assert b"GET /b" == wire.get("/b")


def test_a_body_that_comes_too_slowly_is_refused(port: int) -> None:
    """A slow body gets 408, and the application learns of the disconnect."""
    with Wire(port) as wire:
        wire.send(b"POST /read HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n")
        wait_until(lambda: not wire.send(b"x") or wire.has_come(), "an answer")
        expected = (408, "RequestTimeoutException", "The body of the request took longer than 1 seconds.")
        assert expected == wire.error()


def test_a_body_behind_its_answer_ends_the_connection(port: int) -> None:
    """A body that continues after its answer ends the connection without a second answer."""
    with Wire(port) as wire:
        wire.send(b"POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n")
        assert b"POST /a" == wire.answer().read()
        wait_until(lambda: not wire.send(b"x"), "the end")


def test_a_client_that_does_not_read_is_dropped(port: int) -> None:
    """A client that does not read is dropped with its buffer, and others are served meanwhile."""
    with Wire(port) as slow, Wire(port) as other:
        slow.send(b"GET /large HTTP/1.1\r\nhost: x\r\n\r\n")
        began = time.monotonic()
        while time.monotonic() < began + 1.5:
            assert b"GET /b" == other.get("/b")
        read = 0
        with suppress(ConnectionResetError):
            while piece := slow.socket.recv(1_000_000):
                read += len(piece)
        assert read < LARGE


def test_a_client_that_reads_slowly_is_served() -> None:
    """A large answer may take longer than the limit if the client keeps reading."""
    with wired(app, replace(HURRIED, send_seconds=2)) as port, Wire(port) as wire:
        wire.send(b"GET /large HTTP/1.1\r\nhost: x\r\n\r\n")
        answer = wire.answer()
        read = 0
        while piece := answer.read(2_500_000):
            read += len(piece)
            time.sleep(0.25)
        assert LARGE == read


def test_the_system_keeps_little_for_a_client_that_reads_nothing() -> None:
    """The send buffer of a connection is bounded, and the client cannot enlarge it."""
    with bound_socket("127.0.0.1", 0) as listener, socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        client.connect(listener.getsockname())
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(0)
            sent = 0
            with suppress(BlockingIOError):
                while sent < LARGE:
                    sent += connection.send(bytes(16 * 1024))
    assert 100_000 < sent < 300_000


def test_a_line_of_events_stays_open(port: int) -> None:
    """A stream stays open, however rare its events, and bytes after its request change nothing."""
    with Wire(port) as wire:
        wire.send(b"GET /line HTTP/1.1\r\nhost: x\r\n\r\nGET /b HTTP")
        assert b"0\n1\n2\nend\n" == wire.answer().read()


def test_requests_sent_ahead_are_answered_in_order(port: int) -> None:
    """Pipelined requests are answered in order, also in pieces and with bodies."""
    sent = b"".join(
        b"POST /%d HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nabc" % number for number in range(LIMITS.ahead)
    )
    with Wire(port) as wire:
        for start in range(0, len(sent), 1000):
            assert wire.send(sent[start : start + 1000])
        for number in range(LIMITS.ahead):
            assert b"POST /%d" % number == wire.answer().read()


def test_who_sends_too_many_requests_ahead_is_dropped(port: int) -> None:
    """Too many pipelined requests end the connection, as they would stay in memory."""
    with Wire(port) as wire:
        assert wire.send(b"GET /line HTTP/1.1\r\nhost: x\r\n\r\n")
        assert 200 == wire.answer().status
        wire.send(HEAD.replace(b"/a", b"/b") + b"\r\n" + (HEAD + b"\r\n") * LIMITS.ahead)
        wait_until(lambda: not wire.send(HEAD + b"\r\n"), "the end")


@pytest.mark.parametrize("sent", [b"hello\r\n\r\n", b"GET /\xff HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01"])
def test_what_is_no_http_is_an_aws_error(port: int, sent: bytes) -> None:
    """A request that is not HTTP, such as TLS, gets an error in AWS's form."""
    with Wire(port) as wire:
        wire.send(sent)
        assert (400, INVALID, "The request is not HTTP.") == wire.error()


def test_what_is_no_http_behind_a_request_is_not_answered_in_its_place(port: int) -> None:
    """Bytes that are not HTTP get no error, as it would be taken for the answer to the request in progress."""
    with Wire(port) as wire:
        wire.send(b"GET /line HTTP/1.1\r\nhost: x\r\n\r\nhello\r\n\r\n")
        assert b"HTTP/1.1 400" not in wire.socket.recv(1000)


def test_who_offers_to_upgrade_is_answered_by_http(port: int, caplog: pytest.LogCaptureFixture) -> None:
    """Offers to upgrade and pipelined requests are answered over HTTP, and nothing is logged."""
    offer = b"GET /a HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: %s\r\n\r\n"
    with Wire(port) as wire:
        wire.send(offer % b"websocket" + offer % b"h2c" + HEAD + b"\r\n")
        assert [b"GET /a"] * 3 == [wire.answer().read() for _ in range(3)]
    assert [] == caplog.records


def test_idle_connections_give_way_to_a_new_client() -> None:
    """With too many connections the longest idle ones are closed, and requests in progress continue."""
    with ExitStack() as stack, wired(app, replace(HURRIED, head_seconds=60, connections=20)) as port:
        busy = stack.enter_context(Wire(port))
        busy.send(b"GET /line HTTP/1.1\r\nhost: x\r\n\r\n")
        assert 200 == (line := busy.answer()).status
        idle = [stack.enter_context(Wire(port)) for _ in range(20)]
        for _ in range(25):
            idle.append(stack.enter_context(Wire(port)))
            assert b"GET /b" == idle[-1].get("/b")
        assert [True] * 26 == [wire.is_ended() for wire in idle[:26]]
        assert b"GET /b" == idle[-1].get("/b")
        assert b"0\n1\n2\nend\n" == line.read()


def test_the_address_with_most_idle_connections_gives_way() -> None:
    """A client elsewhere keeps its connection, however long it is idle."""
    with ExitStack() as stack, wired(app, replace(HURRIED, head_seconds=60, connections=20)) as port:
        other = stack.enter_context(Wire(port, address="127.0.0.2"))
        assert b"GET /b" == other.get("/b")
        crowd = [stack.enter_context(Wire(port)) for _ in range(60)]
        assert crowd[0].is_ended()
        assert b"GET /b" == other.get("/b")


class _From(asyncio.Transport):
    """A transport from an address that this machine does not have."""

    def __init__(self, address: str) -> None:
        super().__init__({"peername": (address, 1, 0, 0)})
        self.is_aborted = False

    def abort(self) -> None:
        self.is_aborted = True

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass


async def test_a_network_of_ipv6_is_one_address() -> None:
    """The addresses of one IPv6 network count as one address."""
    config = http_config(app, limits=replace(LIMITS, connections=4))
    addresses = ("2001:db8:0:1::1", "2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db8:0:2::1", "2001:db8:0:3::1")
    transports = [_From(address) for address in addresses]
    for transport in transports:
        HttpProtocol(config, ServerState(), {}).connection_made(transport)
    assert [False, True, True, False, False, False] == [transport.is_aborted for transport in transports]


def test_a_new_client_is_refused_where_all_connections_are_at_work() -> None:
    """A new client gets 503, which SDKs retry; one from another address evicts the busiest."""
    with ExitStack() as stack, wired(app, replace(HURRIED, connections=4)) as port:
        busy = [stack.enter_context(Wire(port)) for _ in range(4)]
        for wire in busy:
            wire.send(b"GET /line HTTP/1.1\r\nhost: x\r\n\r\n")
            assert 200 == wire.answer().status
        expected = (503, "ServiceUnavailableException", "Too many connections are open.")
        assert [expected] * 3 == [stack.enter_context(Wire(port)).error() for _ in range(3)]
        assert b"GET /b" == stack.enter_context(Wire(port, address="127.0.0.2")).get("/b")


def test_crowds_that_share_all_connections_lock_nobody_out() -> None:
    """A new address evicts the oldest connections until it has as many as the others."""
    with ExitStack() as stack, wired(app, replace(HURRIED, connections=6)) as port:

        def line_from(address: str) -> HTTPResponse:
            wire = stack.enter_context(Wire(port, address=address))
            wire.send(b"GET /line HTTP/1.1\r\nhost: x\r\n\r\n")
            return wire.answer()

        crowds = [line_from(f"127.0.0.{number}") for number in (2, 3, 4) for _ in range(2)]
        others = [line_from("127.0.0.1") for _ in range(3)]
        assert [200, 503, 503] == [line.status for line in others]
        assert [b"0\n1\n2\nend\n"] * 6 == [line.read() for line in (*crowds[1:], others[0])]
        with pytest.raises((IncompleteRead, ConnectionError)):
            crowds[0].read()


def test_a_crowd_at_work_takes_no_connection_from_who_has_fewer() -> None:
    """The busiest address evicts no client with fewer connections, even one that has sent nothing yet."""
    with ExitStack() as stack, wired(app, replace(HURRIED, head_seconds=60, connections=6)) as port:
        crowd = [stack.enter_context(Wire(port, address="127.0.0.2")) for _ in range(6)]
        for wire in crowd:
            wire.send(b"GET /line HTTP/1.1\r\nhost: x\r\n\r\n")
            assert 200 == wire.answer().status
        client = stack.enter_context(Wire(port))
        for _ in range(2):
            assert 503 == stack.enter_context(Wire(port, address="127.0.0.2")).error()[0]
            assert b"GET /b" == client.get("/b")


def test_what_is_overridden_of_uvicorn_is_there() -> None:
    """HttpProtocol overrides only existing callbacks: another name would never be called."""
    asyncio_has = set(dir(asyncio.Protocol))
    ours = {name for name, value in vars(HttpProtocol).items() if callable(value) and not name.startswith("_")}
    expected = {
        "on_header",
        "on_headers_complete",
        "on_body",
        "on_message_complete",
        "on_response_complete",
        "shutdown",
    }
    assert expected == ours - asyncio_has - {"end_overdue", "evict", "unsent_bytes"}
    assert expected | {"_unset_keepalive_if_required"} <= set(vars(HttpToolsProtocol))
