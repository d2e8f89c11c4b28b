"""Changes of the index as server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html.

`event: change` for each tick of `changes.py`; `event: end` when the service stops or the client was too slow.
"""

from collections.abc import AsyncIterator, Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from jobindex.access.access import principal_of
from jobindex.errors import InvalidRequestException, ServiceUnavailableException, ThrottlingException
from jobindex.model.parameters import JOB_ID, NAMESPACE_ID, THING_NAME
from jobindex.web.api.caller import client_id_of
from jobindex.web.api.operations import Operation, parse
from jobindex.web.api.schemas import TEXT
from jobindex.web.api.throttle import Throttle
from jobindex.web.changes import ChangeFeed, Interest

WATCH = Operation(
    name="WatchChanges",
    summary="Changes of the index, as server-sent events",
    path="/index/events",
    parameters={"jobId": JOB_ID, "thingName": THING_NAME, "namespaceId": NAMESPACE_ID},
    answer=TEXT,
    media_type="text/event-stream",
    errors=(InvalidRequestException, ThrottlingException, ServiceUnavailableException),
)
RETRY_MS = 2000
"""The delay after which a disconnected browser reconnects."""

_HEADERS = {
    "cache-control": "no-store",
    "x-accel-buffering": "no",  # nginx would buffer events
}


def watch(feed: ChangeFeed, throttle: Throttle) -> Callable[[Request], Awaitable[Response]]:
    """Return the endpoint that streams the events of `feed`."""

    async def events(request: Request) -> Response:
        values = parse(WATCH, request)
        principal = principal_of(request.scope)
        interest = Interest(
            visible=principal.namespace_ids,
            job_id=values.optional("jobId"),
            thing_name=values.optional("thingName"),
            namespace_id=values.optional("namespaceId"),
        )
        if feed.is_stopped:
            # A stream that ends at once would look like a successful connection.
            raise ServiceUnavailableException("The service is stopping.")
        holder = client_id_of(request.scope)
        if feed.is_full(holder):
            throttle.refuse()
        if request.method == "HEAD":
            return Response(media_type=WATCH.media_type, headers=_HEADERS)
        return StreamingResponse(_stream(feed, interest, holder), media_type=WATCH.media_type, headers=_HEADERS)

    return events


async def _stream(feed: ChangeFeed, interest: Interest, holder: str) -> AsyncIterator[bytes]:
    with feed.watch(interest, holder) as stream:
        yield b"retry: %d\n\n" % RETRY_MS
        if stream is not None:
            async for event in stream:
                yield event
        yield b"event: end\ndata: {}\n\n"
