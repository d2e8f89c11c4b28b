"""Operations on the index over HTTP: parameters and responses, defined once for the route and for /openapi.json.

An operation that changes something needs the header `x-jobindex: 1`. A web page of another origin cannot send it: its
browser would ask the service first (CORS), which never grants it. After DNS rebinding it can, but its browser marks the
request as a page's, and it is refused.
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
from jobindex.model.reports import Report
from jobindex.model.store import Changed, Store
from jobindex.monitoring.state import ServiceState
from jobindex.web.api.bodies import Body, read_body
from jobindex.web.api.responses import json_answer
from jobindex.web.api.throttle import Throttle

CHANGE_HEADER = "x-jobindex"
OWN_PATHS = "/index/"
"""The prefix of the paths that AWS does not have: unknown parameters are refused there."""
LIMIT_MAXIMUM = 1000

_log = logging.getLogger(__name__)


class Audience(Enum):
    """The principals with access to an operation."""

    ANYONE = auto()
    """Every client, with or without a key."""
    ANY_KEY = auto()
    """Every key; the response is limited to its visible namespaces."""
    UNLIMITED = auto()
    """Keys that are not limited to namespaces: the response covers all namespaces, or none."""
    OPERATORS = auto()
    """Unlimited keys of the role `operate`, with CHANGE_HEADER."""


COMMON_ERRORS = (InvalidRequestException, ThrottlingException, ServiceUnavailableException)
"""The errors of an operation that does not look up one thing, job or message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """The definition of an operation."""

    name: str
    summary: str
    path: str
    """With names from `parameters` in braces."""
    answer: Schema
    method: str = "GET"
    parameters: Constraints = field(default_factory=dict)
    body: Body | None = None
    """The members of the body, which a request must then have."""
    audience: Audience = Audience.ANY_KEY
    errors: tuple[type[Exception], ...] = (
        InvalidRequestException,
        ResourceNotFoundException,
        ThrottlingException,
        ServiceUnavailableException,
    )
    statuses: tuple[int, ...] = (HTTPStatus.OK,)
    """The status codes of `answer`."""
    media_type: str = "application/json"


Endpoint = Callable[[Request], Awaitable[Response]]

Answer = Callable[[Reader, Values], Awaitable[object]]
"""Returns the response to parameters: a value to encode as JSON, or bytes that are JSON."""

StoreAnswer = Callable[[Store, Values], Awaitable[object]]
"""The same for an operation on the whole store."""

Note = Callable[[Sequence[Report], Changed], None]
"""Receives changes of the index."""

Served = Sequence[tuple[Operation, Answer]]
StoreServed = Sequence[tuple[Operation, StoreAnswer]]


def page_limit(default: int = 100, greatest: int = LIMIT_MAXIMUM) -> Integer:
    """Return the constraint of `limit`, the page size under /index/."""
    return Integer(least=1, greatest=greatest, default=default)


def operation_routes(
    served: Served, store_served: StoreServed, state: ServiceState, throttle: Throttle
) -> Sequence[Route]:
    """Return a route for each path, which answers from the store in `state`."""
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
        if operation.body is not None:
            values.body = operation.body.parse(await read_body(request))
        with throttle, _reaching(operation):
            return json_answer(await ask(state.opened_store(), principal, values))

    return endpoint


def admit(operation: Operation, principal: Principal) -> None:
    """Check that a principal has access to an operation.

    Raises:
        AccessDeniedException: it has not.
    """
    match operation.audience:
        case Audience.ANYONE | Audience.ANY_KEY:
            pass
        case Audience.UNLIMITED:
            principal.check_all_visible(operation.name)
        case Audience.OPERATORS:
            principal.check_operates(operation.name)
        case _:
            assert_never(operation.audience)


def _check_change(request: Request) -> None:
    if request.headers.get(CHANGE_HEADER) != "1":
        raise AccessDeniedException(f"An operation that changes something needs the header {CHANGE_HEADER}: 1")
    if "origin" in request.headers or request.headers.get("sec-fetch-site", "none") != "none":
        raise AccessDeniedException("An operation that changes something is not available to web pages")


class _Resource:
    """Answers all methods of a path.

    With a route for each, the framework would list only the first in Allow, and pass a GET for a path without one to
    another route whose parameter matches it.
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
    """Return the values of an operation's parameters in a request.

    Raises:
        InvalidRequestException: parameters outside their constraints, all of them in one message.
        AccessDeniedException: the namespace is not visible to the principal.
    """
    in_path = request.path_params
    query = parse_qsl(request.scope["query_string"].decode("latin-1"), keep_blank_values=True)
    # SDKs may add parameters to AWS's operations. Ignoring a misspelt one of ours would make the response too wide.
    refuses_unknown = operation.path.startswith(OWN_PATHS)
    # In the query, the name of a path parameter is unknown.
    in_query = [(name, value) for name, value in query if refuses_unknown or name not in in_path]
    values = parse_parameters(operation.parameters, [*in_path.items(), *in_query], refuses_unknown=refuses_unknown)
    principal_of(request.scope).check_namespace(values.optional("namespaceId"), operation.name)
    return values
