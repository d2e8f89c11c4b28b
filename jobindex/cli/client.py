"""A client of the running service, over HTTP and by no proxy."""

import ssl
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from http.client import HTTPResponse, RemoteDisconnected
from time import sleep
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote, urlencode
from urllib.request import Request

import orjson

from jobindex.backoff import Backoff
from jobindex.cli.direct import BROKEN, UNANSWERED, open_directly
from jobindex.errors import (
    AccessDeniedException,
    InvalidRequestException,
    JobindexError,
    MissingAuthenticationTokenException,
    RefusedError,
    ResourceNotFoundException,
    ServiceError,
    ServiceUnreachableError,
    ThrottledError,
    ThrottlingException,
    UnrecognizedClientException,
)
from jobindex.model.listing import Filters, parameters_of
from jobindex.model.parameters import MAX_RESULTS

Json = dict[str, Any]
Parameters = Mapping[str, object]
"""Of a query string; what is None is left out."""

_SECONDS = 60
_ATTEMPTS = 20
_FRESHNESS = "jobindex-freshness"
"""A header that every answer of a jobindex has."""
_UNKNOWN = {MissingAuthenticationTokenException.__name__, UnrecognizedClientException.__name__}
_PAGE = 100
"""Of our own paths; never more than is of use, so less than the service allows."""


class ServiceClient:
    """Asks the service at `url`, with a token where keys are asked for.

    Every method raises ServiceUnreachableError when it does not answer, ResourceNotFoundException when it does not
    have what it is asked for, InvalidRequestException when that is not valid, and ServiceError when it refuses or is
    no jobindex.
    """

    def __init__(self, url: str, tls: ssl.SSLContext | None = None, *, token: str | None = None) -> None:
        self.url = url
        self.tls = tls
        """Whom to trust with HTTPS; None trusts the system's authorities."""
        self.headers = {"x-jobindex": "1"} | ({} if token is None else {"authorization": f"Bearer {token}"})
        """Of every request."""
        self.freshness = ""
        """What the last answer said of how fresh the index is."""

    def ask(self, method: str, path: str, parameters: Parameters | None = None) -> Json:
        """Return an answer; while the service is asked too often, wait and ask again, as SDKs do."""
        backoff = Backoff(first=0.5, greatest=5)
        for _ in range(_ATTEMPTS - 1):
            try:
                return self._ask(method, path, parameters)
            except ThrottledError:
                sleep(backoff.next_seconds())
        return self._ask(method, path, parameters)

    def _ask(self, method: str, path: str, parameters: Parameters | None) -> Json:
        with self.open(method, path, parameters, seconds=_SECONDS) as answer:
            return self._read(answer)

    def open(self, method: str, path: str, parameters: Parameters | None = None, *, seconds: float) -> HTTPResponse:
        """Return an answer that is still to be read; `seconds` is how long to wait for each part of it."""
        query = urlencode({name: value for name, value in (parameters or {}).items() if value is not None})
        url = f"{self.url}{path}{'?' if query else ''}{query}"
        request = Request(url, method=method, headers=self.headers)  # noqa: S310 (connect() lets http and https pass)
        try:
            answer = open_directly(request, seconds=seconds, tls=self.tls)
        except HTTPError as error:
            with error:
                self.freshness = error.headers.get(_FRESHNESS, self.freshness)
                message = _message(error) or f"{self.url}: {error}"
                if error.headers.get("location"):
                    message += f"; it leads to {error.headers['location']}: name that by --endpoint"
                refused_as = error.headers.get("x-amzn-ErrorType")
                if refused_as in _UNKNOWN:
                    told = f"{message} (the service asks for a key: JOBINDEX_HTTP_TOKEN is to hold its token)"
                    raise RefusedError(told, is_known=False) from error
                if refused_as == AccessDeniedException.__name__:
                    raise RefusedError(message, is_known=True) from error
                raise _refusal(error)(message) from error
        except UNANSWERED as error:
            raise self.unreachable(error) from error
        freshness = answer.headers.get(_FRESHNESS)
        if freshness is None:
            answer.close()
            raise ServiceError(f"{self.url}: this is no answer of jobindex: it has no header {_FRESHNESS}")
        self.freshness = freshness
        return answer

    def jobs(self, filters: Filters, *, limit: int = MAX_RESULTS) -> Iterator[Json]:
        """Return the jobs that ListJobs lists; `limit` is how many of them are of use."""
        parameters = {"maxResults": min(limit, MAX_RESULTS), "nextToken": None, **parameters_of(filters)}
        return self._pages("/jobs", "jobs", parameters, ("nextToken", "nextToken"))

    def things_jobs(self, thing_name: str) -> Iterator[Json]:
        """Return the executions on a thing, as ListJobExecutionsForThing lists them."""
        path, parameters = f"/things/{quoted(thing_name)}/jobs", {"maxResults": MAX_RESULTS, "nextToken": None}
        return self._pages(path, "executionSummaries", parameters, ("nextToken", "nextToken"))

    def pages(self, path: str, member: str, parameters: Parameters, *, limit: int | None = None) -> Iterator[Any]:
        """Yield the items of `member` in one page after another; `limit` is how many of them are of use."""
        size = _PAGE if limit is None else min(_PAGE, limit)
        return self._pages(path, member, {"limit": size, "after": None, **parameters}, ("next", "after"))

    def _pages(self, path: str, member: str, parameters: Parameters, position: tuple[str, str]) -> Iterator[Any]:
        found, given = position
        while True:
            page = self.ask("GET", path, parameters)
            yield from page[member]
            if page.get(found) is None:
                return
            parameters = {**parameters, given: page[found]}

    def unreachable(self, error: Exception) -> ServiceUnreachableError:
        """Return what to raise when the service does not answer."""
        reason = getattr(error, "reason", None) or error
        if isinstance(reason, ssl.SSLCertVerificationError):
            hint = "JOBINDEX_HTTP_CA_FILE names authorities to trust with --endpoint"
        elif isinstance(reason, ssl.SSLError):
            hint = "does it speak HTTPS?"
        elif isinstance(reason, RemoteDisconnected) and self.url.startswith("http:"):
            hint = "does it speak HTTPS alone?"
        else:
            hint = "does the service run there?"
        return ServiceUnreachableError(f"{self.url}: {reason}; {hint}")

    def _read(self, answer: HTTPResponse) -> Json:
        try:
            return dict(orjson.loads(answer.read()))
        except BROKEN as error:
            raise self.unreachable(error) from error
        except (ValueError, TypeError) as error:
            raise ServiceError(f"{self.url}: this is no answer of jobindex: {error}") from error


def quoted(name: str) -> str:
    """Return a name as a part of a path."""
    return quote(name, safe="")


def _refusal(error: HTTPError) -> type[JobindexError]:
    match error.headers.get("x-amzn-ErrorType"):
        case InvalidRequestException.__name__:
            return InvalidRequestException
        case ThrottlingException.__name__:
            return ThrottledError
    return ResourceNotFoundException if error.code == HTTPStatus.NOT_FOUND else ServiceError


def _message(error: HTTPError) -> str:
    try:
        return str(orjson.loads(error.read())["message"])
    except (*BROKEN, ValueError, KeyError, TypeError):
        return ""
