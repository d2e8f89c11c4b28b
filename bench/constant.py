"""A reference: the same bytes as a page of the product, as a constant answer of the same HTTP server.

`python -m bench.constant PORT BODY` answers every request with the content of the file BODY.
"""

import asyncio
import sys
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from jobindex.service import bound_socket, http_config


def constant(body: bytes) -> ASGIApp:
    """Return an application that always answers the same."""
    headers = [(b"content-length", str(len(body)).encode()), (b"content-type", b"application/json")]

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001 (ASGI's three)
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return answer


async def serve(port: int, body: bytes) -> None:
    """Answer until a signal comes, with uvicorn as the product has it."""
    with bound_socket("127.0.0.1", port) as listener:
        await uvicorn.Server(http_config(constant(body))).serve(sockets=[listener])


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), Path(sys.argv[2]).read_bytes()))
