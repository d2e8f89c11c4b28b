"""The rejected messages over HTTP: listed, shown, tried again and purged, by the one process that writes the index.

    GET    /rejected?limit=&after=      a page, in the order of ids, without payloads
    GET    /rejected/{id}               one, with its payload
    POST   /rejected/retry?id=&id=      parse them again, apply what is understood now
    DELETE /rejected?id=&id= | ?all=true

What changes something needs the header `x-jobindex: 1`. A web page of another origin cannot send it: its
browser would ask first (CORS), and nothing here grants that. Not chosen: a password, which ListJobs has not
either; who reaches the port is trusted, pages that happen to be open beside are not.
"""

import logging
import re
from base64 import b64encode
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

import orjson
from starlette.requests import Request
from starlette.responses import Response

from jobindex.errors import (
    AccessDeniedException,
    DatabaseUnavailableError,
    InvalidRequestException,
    ServiceUnavailableException,
)
from jobindex.events import parse_message
from jobindex.store import KeptMessage, RejectedSummary, Store

LIMIT = 100
"""Messages in a page when no limit is asked for, and at most in a request to retry or purge."""
LIMIT_MAXIMUM = 1000

_HEADER = "x-jobindex"
_ID = re.compile(r"[0-9]{1,18}")

_log = logging.getLogger(__name__)

_Endpoint = Callable[[Request], Awaitable[Response]]


def rejected_endpoints(store: Callable[[], Store]) -> Sequence[tuple[str, str, _Endpoint]]:
    """Return method, path and endpoint of each operation on the rejected messages of a store."""

    async def list_(request: Request) -> Response:
        limit = _number(request, "limit", default=LIMIT)
        if not 1 <= limit <= LIMIT_MAXIMUM:
            raise _invalid("limit", limit, f"Member must be between 1 and {LIMIT_MAXIMUM}")
        after = _number(request, "after", default=0)
        with _reaching():
            found = await store().rejected_messages(after=after, limit=limit + 1)
        page = found[:limit]
        return _json(
            {"messages": [_encode(summary) for summary in page], "next": page[-1].id if found[limit:] else None}
        )

    async def show(request: Request) -> Response:
        id_ = _parse_id("id", request.path_params["id"])
        with _reaching():
            return _json(_encode_whole(await store().rejected_message(id_)))

    async def retry(request: Request) -> Response:
        _check_header(request)
        ids = _ids(request)
        with _reaching():
            retried = await store().retry_rejected(ids, parse_message, now=datetime.now(UTC))
        _log.info("Applied %d rejected messages; %d are still rejected", len(retried.applied), len(retried.rejected))
        return _json(
            {
                "applied": retried.applied,
                "rejected": [{"id": id_, "reason": reason} for id_, reason in retried.rejected.items()],
                "missing": retried.missing,
            }
        )

    async def purge(request: Request) -> Response:
        _check_header(request)
        ids = None if request.query_params.get("all") == "true" else _ids(request)
        with _reaching():
            purged = await store().purge_rejected(ids)
        _log.info("Purged %d rejected messages", purged)
        return _json({"purged": purged})

    return (
        ("GET", "/rejected", list_),
        ("DELETE", "/rejected", purge),
        ("POST", "/rejected/retry", retry),
        ("GET", "/rejected/{id}", show),
    )


def _encode(summary: RejectedSummary) -> dict[str, object]:
    return {
        "id": summary.id,
        "rejectedAt": summary.rejected_at.timestamp(),
        "topic": summary.topic,
        "reason": summary.reason,
        "payloadBytes": summary.payload_bytes,
    }


def _encode_whole(kept: KeptMessage) -> dict[str, object]:
    """Return a message with its payload, as text too where it is UTF-8."""
    message = kept.message
    whole: dict[str, object] = {
        "id": kept.id,
        "rejectedAt": kept.rejected_at.timestamp(),
        "topic": message.topic,
        "reason": message.reason,
        "payloadBytes": len(message.payload),
        "payload": b64encode(message.payload).decode(),
    }
    try:
        return {**whole, "text": message.payload.decode()}
    except UnicodeDecodeError:
        return whole


def _check_header(request: Request) -> None:
    if request.headers.get(_HEADER) != "1":
        raise AccessDeniedException(f"A request that changes something needs the header {_HEADER}: 1")


def _ids(request: Request) -> list[int]:
    values = request.query_params.getlist("id")
    if not 1 <= len(values) <= LIMIT:
        raise _invalid("id", len(values), f"Member must be given 1 to {LIMIT} times")
    return [_parse_id("id", value) for value in values]


def _number(request: Request, name: str, *, default: int) -> int:
    return _parse_id(name, request.query_params.get(name, str(default)))


def _parse_id(name: str, value: str) -> int:
    if _ID.fullmatch(value) is None:
        raise _invalid(name, value, "Member must be a whole number")
    return int(value)


def _invalid(name: str, value: object, constraint: str) -> InvalidRequestException:
    return InvalidRequestException(
        f"1 validation error detected: Value '{value}' at '{name}' failed to satisfy constraint: {constraint}"
    )


@contextmanager
def _reaching() -> Iterator[None]:
    try:
        yield
    except DatabaseUnavailableError as error:
        _log.warning("Rejected messages: %s", error)
        raise ServiceUnavailableException("The service is temporarily unavailable.") from error


def _json(content: object) -> Response:
    return Response(orjson.dumps(content), media_type="application/json")
