"""Bytes on a connection, through the protocol to an application that returns its request.

They arrive in one piece and in many: the requests and the first answer must be the same.
"""

import asyncio
import json
import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise

from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from fuzz.failures import Failures
from fuzz.source import Source
from fuzz.target import Target, expect
from jobindex.web.connections import LIMITS
from jobindex.web.protocol import HttpConfig, HttpProtocol

_TURNS = 30
"""The turns of the event loop in which the application answers."""
_REQUESTS = (
    b"GET /jobs?namespaceId=acme HTTP/1.1\r\nHost: x\r\nAccept: */*\r\n\r\n",
    b"POST /rejected/retry?id=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello",
    b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\n",
    b"HEAD /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    b"PUT /a%20b HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n{}",
    b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
)
_WORDS = (
    *(
        b"\r\n",
        b"\n",
        b"\r",
        b"\r\n\r\n",
        b": ",
        b"HTTP/1.1",
        b"HTTP/0.9",
        b"HTTP/2.0",
        b"0\r\n\r\n",
        b"ffffffffffffffff\r\n",
    ),
    *(b"Content-Length: 5\r\n", b"Content-Length: 65537\r\n", b"Content-Length: -1\r\n", b"Content-Length: +5\r\n"),
    *(b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding : chunked\r\n", b"Transfer-Encoding: identity\r\n"),
    *(
        b"X: " + b"a" * 17_000 + b"\r\n",
        b"/" + b"p" * 4090,
        b"?q=" + b"q" * 8190,
        b" folded\r\n",
        b"CONNECT x:1 ",
        b"PRI * ",
    ),
)

Visible = tuple[str, bytes, bytes, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """The bytes, and the places of their cuts."""

    data: bytes
    cuts: Sequence[int]
    methods: Sequence[str] | None
    """The expected methods. None if a request is broken, so that nobody knows."""


def make(source: Source) -> Case:
    """Make the bytes of a client: up to three requests, one after the other."""
    made = [source.pick(_REQUESTS) for _ in range(1 + source.below(3))]
    requests = made if source.happens(8) else [source.broken(request, _WORDS) for request in made]
    data = b"".join(requests)
    if source.happens(32):
        data = data.replace(b"hello", b"h" * LIMITS.body_bytes)
    return Case(
        data=data,
        cuts=sorted({source.below(len(data) + 1) for _ in range(1 + source.below(8))}),
        methods=_methods(made) if data == b"".join(made) else None,
    )


def _methods(requests: Sequence[bytes]) -> Sequence[str]:
    """Return the methods of requests, up to one that closes the connection."""
    closes = next(
        (number for number, request in enumerate(requests, 1) if b"HTTP/1.0" in request or b"close" in request), None
    )
    return [request.partition(b" ")[0].decode() for request in requests[:closes]]


class _Transport(asyncio.Transport):
    """A connection that records the written bytes."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 50000), "sockname": ("127.0.0.1", 8080)})
        self.written = b""
        self.is_closed = False
        self.protocol: HttpProtocol | None = None

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if not self.is_closed:  # like asyncio's own
            self.written += bytes(data)

    def close(self) -> None:
        if not self.is_closed and self.protocol is not None:
            asyncio.get_running_loop().call_soon(self.protocol.connection_lost, None)
        self.is_closed = True

    def abort(self) -> None:
        self.close()

    def is_closing(self) -> bool:
        return self.is_closed

    def get_write_buffer_size(self) -> int:
        return 0

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def pause_reading(self) -> None:
        """Ignore the pause: bytes still arrive."""

    def resume_reading(self) -> None:
        """Ignore the end of the pause."""


class _Application:
    """Answers with its request."""

    def __init__(self) -> None:
        self.seen: list[Visible] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body, is_whole = b"", False
        while not is_whole:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            is_whole = not message.get("more_body", False)
        names = [name for name, _ in scope["headers"]]
        expect(that=not {b"content-length", b"transfer-encoding"} <= {*names}, of=names)
        expect(that=len(scope["raw_path"]) <= LIMITS.path_bytes, of="the path is too long")
        expect(that=len(scope["query_string"]) <= LIMITS.query_bytes, of="the query is too long")
        expect(that=len(body) <= LIMITS.body_bytes, of="the body is too long")
        size = sum(len(name) + len(value) for name, value in scope["headers"])
        expect(that=size <= LIMITS.head_bytes, of="the headers are too long")
        self.seen.append((scope["method"], scope["raw_path"], scope["query_string"], body))
        told = json.dumps(repr(self.seen[-1])[:200]).encode()
        headers = [(b"content-length", str(len(told)).encode()), (b"x-amzn-requestid", b"id")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": told})


@contextmanager
def opened() -> Iterator[Target[Case]]:
    """Open the target."""
    failures = Failures()
    logging.getLogger().addHandler(failures)
    try:
        with asyncio.Runner() as runner:
            yield Target(make=make, check=lambda case: runner.run(check(case, failures.records)))
    finally:
        logging.getLogger().removeHandler(failures)


async def check(case: Case, failures: list[str]) -> None:
    """Check the requests and the answers."""
    failures.clear()  # left by a failed case before
    places = [0, *case.cuts, len(case.data)]
    whole_seen, whole = await _send([case.data])
    cut_seen, cut = await _send([case.data[start:end] for start, end in pairwise(places)])
    heads = case.data.count(b"\n\r\n") + case.data.count(b"\n\n")
    expect(that=len(whole_seen) <= heads, of=whole_seen)
    if case.methods is not None:
        expect(that=[method for method, *_ in whole_seen] == case.methods, of=whole_seen)
        expect(that=len(whole) == len(case.methods) and cut == whole, of=(whole, cut))
    shorter = min(len(whole_seen), len(cut_seen))
    expect(that=whole_seen[:shorter] == cut_seen[:shorter], of=(whole_seen, cut_seen))
    if whole and cut:
        expect(that=whole[0] == cut[0], of=(whole, cut))
    expect(that=not failures, of=[*failures])


async def _send(pieces: Sequence[bytes]) -> tuple[list[Visible], list[tuple[int, bytes]]]:
    """Return the application's requests, and the statuses and bodies of the answers."""
    application, transport = _Application(), _Transport()
    config = HttpConfig(application, shutdown_seconds=1)
    config.load()
    protocol = HttpProtocol(config, ServerState(), {}, asyncio.get_running_loop())
    transport.protocol = protocol
    protocol.connection_made(transport)
    for piece in pieces:
        if not transport.is_closed:
            protocol.data_received(piece)
        for _ in range(_TURNS):
            await asyncio.sleep(0)
    is_closed = transport.is_closed
    transport.close()
    for _ in range(_TURNS):
        await asyncio.sleep(0)
    methods = [method for method, *_ in application.seen]
    return application.seen, _answers(transport.written, methods, is_closed=is_closed)


def _answers(written: bytes, methods: Sequence[str], *, is_closed: bool) -> list[tuple[int, bytes]]:
    """Return the answers in the written bytes, in their order; `methods` are those of the requests."""
    answers: list[tuple[int, bytes]] = []
    while written:
        head, end, written = written.partition(b"\r\n\r\n")
        line, *lines = head.split(b"\r\n")
        found = re.fullmatch(rb"HTTP/1.1 ([0-9]{3}) [ -~]+", line)
        expect(that=bool(end) and found is not None, of=head)
        headers = {name.lower(): value for name, _, value in (each.partition(b": ") for each in lines)}
        status = int(found[1]) if found else 0
        if status == 100:
            continue
        is_head = len(answers) < len(methods) and methods[len(answers)] == "HEAD"
        length = 0 if is_head else int(headers[b"content-length"])
        expect(that=len(written) >= length, of="an answer is cut off")
        expect(that=b"x-amzn-requestid" in headers, of=head)
        answers.append((status, written[:length]))
        written = written[length:]
    for number, (status, body) in enumerate(answers):
        expect(that=200 <= status < 500 or status == 503, of=(status, body))
        if status != 200:
            expect(that=is_closed or number == len(answers) - 1, of="a refusal is not the last answer")
            expect(that=set(json.loads(body)) == {"message"}, of=body)
    return answers
