"""What changes in the index, as server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html.

    GET /index/events?jobId=&thingName=&namespaceId=

`event: change` for each tick of `live.py`; `event: end` when the service stops or the reader was too slow.
"""

from collections.abc import AsyncIterator, Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from jobindex.errors import ThrottlingException
from jobindex.live import WATCHERS_MAXIMUM, Interest, Live

PATH = "/index/events"
RETRY_MS = 2000
"""After which time a browser that has lost the line comes back."""

_HEADERS = {
    "cache-control": "no-store",
    "x-accel-buffering": "no",  # nginx would hold events back
}


def watch(live: Live) -> Callable[[Request], Awaitable[Response]]:
    """Return the endpoint that tells what `live` tells."""

    async def events(request: Request) -> Response:
        interest = Interest(
            job_id=request.query_params.get("jobId"),
            thing_name=request.query_params.get("thingName"),
            namespace_id=request.query_params.get("namespaceId"),
        )
        if live.watchers >= WATCHERS_MAXIMUM:
            raise ThrottlingException("Rate exceeded")
        return StreamingResponse(_encoded(live, interest), media_type="text/event-stream", headers=_HEADERS)

    return events


async def _encoded(live: Live, interest: Interest) -> AsyncIterator[bytes]:
    with live.watch(interest) as told:
        yield b"retry: %d\n\n" % RETRY_MS
        if told is not None:
            async for change in told:
                yield b"event: change\ndata: %s\n\n" % change
        yield b"event: end\ndata: {}\n\n"
