"""What a connection may take: clients that send too much, too slowly or too often, and those that do not read."""

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
"""Limits that a test can wait for."""
INVALID = "InvalidRequestException"
LARGE = 30_000_000
HEAD = b"GET /a HTTP/1.1\r\nhost: x\r\n"


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answer with the method and the path, or as the path says."""
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
    length = str(len(body)).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", length)]})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture
def port() -> Iterator[int]:
    """Serve within limits that a test can wait for."""
    with wired(app, HURRIED) as port:
        yield port


def test_a_thousand_slow_connections_stop_no_client(tmp_path: Path) -> None:
    """Heads that come header by header end in 408, and a client that asks meanwhile is answered at once."""
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
    """There is no request to answer."""
    with Wire(port) as wire:
        assert wire.is_ended()


def test_a_head_that_begins_after_an_answer_has_its_own_time(port: int) -> None:
    """A connection may be older than a head may be, which counts from its first byte."""
    with Wire(port) as wire:
        for _ in range(4):
            assert b"GET /b" == wire.get("/b")
            time.sleep(0.3)  # together longer than a head may take
        assert wire.send(HEAD)
        assert (408, "RequestTimeoutException") == wire.error()[:2]


def test_a_head_may_have_as_many_bytes_as_the_limit_says(port: int) -> None:
    """The last byte that is allowed is taken, in one piece or in many, and again on the same connection."""
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
    """However long it goes on, the answer can be read."""
    with Wire(port) as wire:
        wire.send(sent)
        assert (431, INVALID, "The request line and the headers have more than 16384 bytes.") == wire.error()


def test_a_head_that_is_too_large_is_not_taken_behind_another_request(port: int) -> None:
    """Where its beginning comes in one piece with that, which the connection ends without an answer to then."""
    rest = LIMITS.head_bytes - len(HEAD) - len(b"x: \r\n\r\n")
    for more, answers in ((0, [b"POST /read1", b"GET /a"]), (100, [])):
        with Wire(port) as wire:
            head = HEAD + b"x: " + b"y" * (rest + more) + b"\r\n\r\n"
            wire.send(b"POST /read HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\n\r\n1" + head)
            assert answers == [wire.answer().read() for _ in answers]
            assert not answers or b"GET /b" == wire.get("/b")
            assert answers or wire.is_ended()


def test_trailers_are_no_headers(port: int) -> None:
    """What stands behind a body is not taken for what stands before it, and would be only where it came in time."""
    with Wire(port) as wire:
        wire.send(HEAD.replace(b"/a", b"/headers") + b"transfer-encoding: chunked\r\n\r\n0\r\nauthorization: x\r\n\r\n")
        assert b"host transfer-encoding" == wire.answer().read()


@pytest.mark.parametrize(
    "target",
    [b"/" + b"p" * 4096, b"/?" + b"q" * 8193, b"/" + b"p" * 100_000, b"/" + b"p" * 4096 + b"?" + b"q" * 8192],
    ids=["path", "query", "endless", "path with a full query"],
)
def test_a_request_line_that_is_too_long_is_refused(port: int, target: bytes) -> None:
    """Path and query have limits of their own."""
    with Wire(port) as wire:
        wire.send(b"GET " + target + b" HTTP/1.1\r\nhost: x\r\n\r\n")
        assert (414, INVALID, "The path has more than 4096 bytes, or the query more than 8192.") == wire.error()


def test_a_path_and_a_query_as_long_as_the_limits_are_taken(port: int) -> None:
    """A token of ours, and a signature of AWS's, need less."""
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
    """Its length is believed, and counted where none is told."""
    with Wire(port) as wire:
        wire.send(b"POST " + path + b" HTTP/1.1\r\nhost: x\r\n" + sent)
        assert (413, INVALID, "The body has more than 65536 bytes.") == wire.error()


def test_a_body_as_large_as_the_limit_is_taken(port: int) -> None:
    """By its length or chunked, and the connection goes on behind it."""
    head = b"POST /read HTTP/1.1\r\nhost: x\r\n"
    with Wire(port) as wire:
        wire.send(head + b"content-length: 65536\r\n\r\n" + bytes(65536))
        assert b"POST /read" + bytes(65536) == wire.answer().read()
        wire.send(head + b"transfer-encoding: chunked\r\n\r\n" + CHUNK * 15 + b"0\r\n\r\n")
        assert b"POST /read" + bytes(4096 * 15) == wire.answer().read()
        assert b"GET /b" == wire.get("/b")


def test_a_body_that_comes_too_slowly_is_refused(port: int) -> None:
    """Byte by byte it does not come in time; the application learns that nobody waits."""
    with Wire(port) as wire:
        wire.send(b"POST /read HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n")
        wait_until(lambda: not wire.send(b"x") or wire.has_come(), "an answer")
        expected = (408, "RequestTimeoutException", "The body of the request took longer than 1 seconds.")
        assert expected == wire.error()


def test_a_body_behind_its_answer_ends_the_connection(port: int) -> None:
    """What was answered is not answered again."""
    with Wire(port) as wire:
        wire.send(b"POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n")
        assert b"POST /a" == wire.answer().read()
        wait_until(lambda: not wire.send(b"x"), "the end")


def test_a_client_that_does_not_read_is_dropped(port: int) -> None:
    """Others are served meanwhile; what is buffered for it goes with it."""
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
    """A large answer may take longer than the limit, as long as some of it is taken in that time."""
    with wired(app, replace(HURRIED, send_seconds=2)) as port, Wire(port) as wire:
        wire.send(b"GET /large HTTP/1.1\r\nhost: x\r\n\r\n")
        answer = wire.answer()
        read = 0
        while piece := answer.read(2_500_000):
            read += len(piece)
            time.sleep(0.25)
        assert LARGE == read


def test_the_system_keeps_little_for_a_client_that_reads_nothing() -> None:
    """What is sent on a connection waits in its buffer, which the client does not make larger."""
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
    """It is read, however seldom something happens on it; bytes behind its request change nothing."""
    with Wire(port) as wire:
        wire.send(b"GET /line HTTP/1.1\r\nhost: x\r\n\r\nGET /b HTTP")
        assert b"0\n1\n2\nend\n" == wire.answer().read()


def test_requests_sent_ahead_are_answered_in_order(port: int) -> None:
    """Also those that come in pieces, and with bodies."""
    sent = b"".join(
        b"POST /%d HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nabc" % number for number in range(LIMITS.ahead)
    )
    with Wire(port) as wire:
        for start in range(0, len(sent), 1000):
            assert wire.send(sent[start : start + 1000])
        for number in range(LIMITS.ahead):
            assert b"POST /%d" % number == wire.answer().read()


def test_who_sends_too_many_requests_ahead_is_dropped(port: int) -> None:
    """They would be kept in memory, as long as one takes."""
    with Wire(port) as wire:
        assert wire.send(b"GET /line HTTP/1.1\r\nhost: x\r\n\r\n")
        assert 200 == wire.answer().status
        wire.send(HEAD.replace(b"/a", b"/b") + b"\r\n" + (HEAD + b"\r\n") * LIMITS.ahead)
        wait_until(lambda: not wire.send(HEAD + b"\r\n"), "the end")


@pytest.mark.parametrize("sent", [b"hello\r\n\r\n", b"GET /\xff HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01"])
def test_what_is_no_http_is_an_aws_error(port: int, sent: bytes) -> None:
    """So is a client that speaks TLS to it."""
    with Wire(port) as wire:
        wire.send(sent)
        assert (400, INVALID, "The request is not HTTP.") == wire.error()


def test_what_is_no_http_behind_a_request_is_not_answered_in_its_place(port: int) -> None:
    """An error would be taken for the answer to the request under way."""
    with Wire(port) as wire:
        wire.send(b"GET /line HTTP/1.1\r\nhost: x\r\n\r\nhello\r\n\r\n")
        assert b"HTTP/1.1 400" not in wire.socket.recv(1000)


def test_who_offers_to_upgrade_is_answered_by_http(port: int, caplog: pytest.LogCaptureFixture) -> None:
    """The next request, sent ahead, is answered too, and nothing is logged."""
    offer = b"GET /a HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: %s\r\n\r\n"
    with Wire(port) as wire:
        wire.send(offer % b"websocket" + offer % b"h2c" + HEAD + b"\r\n")
        assert [b"GET /a"] * 3 == [wire.answer().read() for _ in range(3)]
    assert [] == caplog.records


def test_idle_connections_give_way_to_a_new_client() -> None:
    """Where there are too many, those that have waited longest are closed, and a request under way is not."""
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
    """A client elsewhere keeps its connection, however long it has been idle."""
    with ExitStack() as stack, wired(app, replace(HURRIED, head_seconds=60, connections=20)) as port:
        other = stack.enter_context(Wire(port, address="127.0.0.2"))
        assert b"GET /b" == other.get("/b")
        crowd = [stack.enter_context(Wire(port)) for _ in range(60)]
        assert crowd[0].is_ended()
        assert b"GET /b" == other.get("/b")


class _From(asyncio.Transport):
    """A connection from an address that this machine does not have."""

    def __init__(self, address: str) -> None:
        super().__init__({"peername": (address, 1, 0, 0)})
        self.is_aborted = False

    def abort(self) -> None:
        self.is_aborted = True


async def test_a_network_of_ipv6_is_one_address() -> None:
    """A client has all addresses of it, and none of them is another client."""
    config = http_config(app, limits=replace(LIMITS, connections=4))
    addresses = ("2001:db8:0:1::1", "2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db8:0:2::1", "2001:db8:0:3::1")
    transports = [_From(address) for address in addresses]
    for transport in transports:
        HttpProtocol(config, ServerState(), {}).connection_made(transport)
    assert [False, True, True, False, False, False] == [transport.is_aborted for transport in transports]


def test_a_new_client_is_refused_where_all_connections_are_at_work() -> None:
    """SDKs know this error, and try again; whoever holds the most gives way to another address."""
    with ExitStack() as stack, wired(app, replace(HURRIED, connections=4)) as port:
        busy = [stack.enter_context(Wire(port)) for _ in range(4)]
        for wire in busy:
            wire.send(b"GET /line HTTP/1.1\r\nhost: x\r\n\r\n")
            assert 200 == wire.answer().status
        expected = (503, "ServiceUnavailableException", "Too many connections are open.")
        assert [expected] * 3 == [stack.enter_context(Wire(port)).error() for _ in range(3)]
        assert b"GET /b" == stack.enter_context(Wire(port, address="127.0.0.2")).get("/b")


def test_crowds_that_share_all_connections_lock_nobody_out() -> None:
    """None of them has more than half; who comes gets as many as they have left, of those that began first."""
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
    """A client that was let in at its cost, and is about to ask, does not go for it; nor does one that asked before."""
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
    """A callback of another name would never be called."""
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
    assert expected == ours - asyncio_has - {"end_overdue", "evict"}
    assert expected | {"_unset_keepalive_if_required"} <= set(vars(HttpToolsProtocol))
