"""uvicorn with the product's configuration, for the reference applications."""

import uvicorn
from starlette.types import ASGIApp

from jobindex.web.server import bound_socket, http_config


async def serve(port: int, app: ASGIApp) -> None:
    """Serve on a port of loopback until a signal arrives."""
    with bound_socket("127.0.0.1", port) as listener:
        await uvicorn.Server(http_config(app)).serve(sockets=[listener])


def headers_of(body: bytes) -> list[tuple[bytes, bytes]]:
    """Return the fewest headers that a response can have."""
    return [(b"content-length", str(len(body)).encode()), (b"content-type", b"application/json")]
