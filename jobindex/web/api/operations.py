"""Operations on the index over HTTP: what each takes and answers, told once for its route and for /openapi.json.

What changes something needs the header `x-jobindex: 1`. A web page of another origin cannot send it: its
browser would ask first (CORS), and nothing here grants that. A page whose name was made to lead here (DNS
rebinding) can, but its browser says that a page asks, which is refused too.
"""

import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum, auto
from http import HTTPStatus
from typing import assert_never
from urllib.parse import parse_qsl

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from jobindex.access.access import principal_of, visible_to
from jobindex.access.principals import Principal
from jobindex.errors import (
    AccessDeniedException,
    DatabaseUnavailableError,
    InvalidRequestException,
    ResourceNotFoundException,
    ServiceUnavailableException,
    ThrottlingException,
)
from jobindex.model.parameters import Constraints, Integer, Schema, Values, parse_parameters
from jobindex.model.reader import Reader
from jobindex.model.store import Store
from jobindex.monitoring.state import ServiceState
from jobindex.web.api.responses import json_answer
from jobindex.web.api.throttle import Throttle

CHANGE_HEADER = "x-jobindex"
OWN_PATHS = "/index/"
"""The beginning of the paths that AWS does not have: an unknown parameter is refused there."""
LIMIT_MAXIMUM = 1000

_log = logging.getLogger(__name__)


class Audience(Enum):
    """Who may ask for an operation."""

    ANYONE = auto()
    """Also without a key."""
    ANY_KEY = auto()
    """Any key; what is answered is what it may see."""
    UNLIMITED = auto()
    """A key that is not limited to some namespaces: what is answered is of all, or of none."""
    OPERATORS = auto()
    """An unlimited key of the role `operate`, by a header that a web page from elsewhere cannot send."""


COMMON_ERRORS = (InvalidRequestException, ThrottlingException, ServiceUnavailableException)
"""The errors of an operation that does not look for one thing, job or message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What an operation takes and answers."""

    name: str
    summary: str
    path: str
    """Parameters stand in it in braces, under their names in `parameters`."""
    answer: Schema
    method: str = "GET"
    parameters: Constraints = field(default_factory=dict)
    audience: Audience = Audience.ANY_KEY
    errors: tuple[type[Exception], ...] = (
        InvalidRequestException,
        ResourceNotFoundException,
        ThrottlingException,
        ServiceUnavailableException,
    )
    statuses: tuple[int, ...] = (HTTPStatus.OK,)
    """Those of `answer`."""
    media_type: str = "application/json"


Endpoint = Callable[[Request], Awaitable[Response]]

Answer = Callable[[Reader, Values], Awaitable[object]]
"""Answers what was asked by parameters: a value to encode as JSON, or bytes that are JSON."""

StoreAnswer = Callable[[Store, Values], Awaitable[object]]
"""The same for an operation that works on all of the store."""

Served = Sequence[tuple[Operation, Answer]]
StoreServed = Sequence[tuple[Operation, StoreAnswer]]


def page_limit(default: int = 100, greatest: int = LIMIT_MAXIMUM) -> Integer:
    """Return the constraint of `limit`, the length of a page of ours."""
    return Integer(least=1, greatest=greatest, default=default)


def operation_routes(
    served: Served, store_served: StoreServed, state: ServiceState, throttle: Throttle
) -> Sequence[Route]:
    """Return the routes that answer operations from the store in `state`, one for each path."""
    answers: list[tuple[Operation, _Ask]] = [(operation, _reading(answer)) for operation, answer in served]
    answers += [(operation, _on_all(answer)) for operation, answer in store_served]
    endpoints: dict[str, dict[str, Endpoint]] = {}
    for operation, ask in answers:
        endpoints.setdefault(operation.path, {})[operation.method] = _endpoint(operation, ask, state, throttle)
    return [Route(path, _Resource(methods)) for path, methods in endpoints.items()]


_Ask = Callable[[Store, Principal, Values], Awaitable[object]]


def _reading(answer: Answer) -> _Ask:
    return lambda store, principal, values: answer(visible_to(store, principal), values)


def _on_all(answer: StoreAnswer) -> _Ask:
    return lambda store, _, values: answer(store, values)


def _endpoint(operation: Operation, ask: _Ask, state: ServiceState, throttle: Throttle) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        principal = principal_of(request.scope)
        admit(operation, principal)
        if operation.audience is Audience.OPERATORS:
            _check_change(request)
        values = parse(operation, request)
        with throttle, _reaching(operation):
            return json_answer(await ask(state.opened_store(), principal, values))

    return endpoint


def admit(operation: Operation, principal: Principal) -> None:
    """Return where a principal may ask for an operation.

    Raises:
        AccessDeniedException: it may not.
    """
    match operation.audience:
        case Audience.ANYONE | Audience.ANY_KEY:
            pass
        case Audience.UNLIMITED:
            principal.check_all_seen(operation.name)
        case Audience.OPERATORS:
            principal.check_operates(operation.name)
        case _:
            assert_never(operation.audience)


def _check_change(request: Request) -> None:
    if request.headers.get(CHANGE_HEADER) != "1":
        raise AccessDeniedException(f"A request that changes something needs the header {CHANGE_HEADER}: 1")
    if "origin" in request.headers or request.headers.get("sec-fetch-site", "none") != "none":
        raise AccessDeniedException("A request that changes something is not taken from a web page")


class _Resource:
    """Answers every method at a path.

    The framework's routes of one method each would tell only the first one's in Allow, and lead GET of a path that has
    none to another whose parameter matches it.
    """

    def __init__(self, endpoints: Mapping[str, Endpoint]) -> None:
        self._endpoints = dict(endpoints)
        if "GET" in endpoints:
            self._endpoints["HEAD"] = endpoints["GET"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive, send)
        endpoint = self._endpoints.get(request.method)
        if endpoint is None:
            raise HTTPException(HTTPStatus.METHOD_NOT_ALLOWED, headers={"Allow": ", ".join(self._endpoints)})
        response = await endpoint(request)
        await response(scope, receive, send)


@contextmanager
def _reaching(operation: Operation) -> Iterator[None]:
    try:
        yield
    except DatabaseUnavailableError as error:
        _log.warning("%s: %s", operation.name, error)
        raise ServiceUnavailableException("The service is temporarily unavailable.") from error


def parse(operation: Operation, request: Request) -> Values:
    """Return what a request gives for an operation's parameters.

    Raises:
        InvalidRequestException: parameters outside their constraints, all of them in one message.
        AccessDeniedException: it asks for a namespace that who asks may not see.
    """
    in_path = request.path_params
    query = parse_qsl(request.scope["query_string"].decode("latin-1"), keep_blank_values=True)
    # SDKs may add parameters to AWS's operations; a misspelt one of ours would answer for the whole fleet.
    refuses_unknown = operation.path.startswith(OWN_PATHS)
    # The name of one in the path is an unknown one in the query.
    in_query = [(name, value) for name, value in query if refuses_unknown or name not in in_path]
    values = parse_parameters(operation.parameters, [*in_path.items(), *in_query], refuses_unknown=refuses_unknown)
    principal_of(request.scope).check_namespace(values.optional("namespaceId"), operation.name)
    return values
