"""A reference: a page of the product, as a constant response of the same HTTP server.

`python -m bench.constant PORT BODY` answers every request with the content of the file BODY.
"""

import asyncio
import sys
from pathlib import Path

from starlette.types import ASGIApp, Receive, Scope, Send

from bench.server import headers_of, serve


def constant(body: bytes) -> ASGIApp:
    """Return an application that always sends the same response."""
    headers = headers_of(body)

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001 (ASGI's three)
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return answer


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), constant(Path(sys.argv[2]).read_bytes())))
