"""An HTTP client of the running service, without a proxy."""

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
"""Query parameters; those that are None are left out."""

_SECONDS = 60
_ATTEMPTS = 20
_FRESHNESS = "jobindex-freshness"
"""A header of every answer from jobindex."""
_UNKNOWN = {MissingAuthenticationTokenException.__name__, UnrecognizedClientException.__name__}
_PAGE = 100
"""The page size on our own paths, below the service's maximum."""


class ServiceClient:
    """A client of the service at `url`.

    Every method raises ServiceUnreachableError if the service does not answer, ResourceNotFoundException if the
    resource does not exist, InvalidRequestException if the request is invalid, and ServiceError if the service refuses
    it or is not jobindex.
    """

    def __init__(self, url: str, tls: ssl.SSLContext | None = None, *, token: str | None = None) -> None:
        self.url = url
        self.tls = tls
        """The certificates that HTTPS trusts; None for the system's authorities."""
        self.headers = {"x-jobindex": "1"} | ({} if token is None else {"authorization": f"Bearer {token}"})
        self.freshness = ""
        """The freshness header of the last answer."""

    def ask(self, method: str, path: str, parameters: Parameters | None = None, body: bytes | None = None) -> Json:
        """Return an answer; retry while the service throttles, as SDKs do."""
        backoff = Backoff(first=0.5, greatest=5)
        for _ in range(_ATTEMPTS - 1):
            try:
                return self._ask(method, path, parameters, body)
            except ThrottledError:
                sleep(backoff.next_seconds())
        return self._ask(method, path, parameters, body)

    def _ask(self, method: str, path: str, parameters: Parameters | None, body: bytes | None) -> Json:
        with self.open(method, path, parameters, body, seconds=_SECONDS) as answer:
            return self._read(answer)

    def open(
        self,
        method: str,
        path: str,
        parameters: Parameters | None = None,
        body: bytes | None = None,
        *,
        seconds: float,
    ) -> HTTPResponse:
        """Return an answer to read; `body` is JSON, and `seconds` the timeout of each socket operation."""
        given = {name: value for name, value in (parameters or {}).items() if value is not None}
        query = urlencode(given, doseq=True)
        url = f"{self.url}{path}{'?' if query else ''}{query}"
        headers = self.headers if body is None else {**self.headers, "content-type": "application/json"}
        request = Request(url, body, headers, method=method)  # noqa: S310 (connect() allows only http and https)
        try:
            answer = open_directly(request, seconds=seconds, tls=self.tls)
        except HTTPError as error:
            with error:
                self.freshness = error.headers.get(_FRESHNESS, self.freshness)
                message = _message(error) or f"{self.url}: {error}"
                if error.headers.get("location"):
                    message += f"; it redirects to {error.headers['location']}: use that as --endpoint"
                refused_as = error.headers.get("x-amzn-ErrorType")
                if refused_as in _UNKNOWN:
                    message += " (the service requires a key: set JOBINDEX_HTTP_TOKEN to its token)"
                    raise RefusedError(message, is_known=False) from error
                if refused_as == AccessDeniedException.__name__:
                    raise RefusedError(message, is_known=True) from error
                raise _refusal(error)(message) from error
        except UNANSWERED as error:
            raise self.unreachable(error) from error
        freshness = answer.headers.get(_FRESHNESS)
        if freshness is None:
            answer.close()
            raise ServiceError(f"{self.url}: this is not an answer from jobindex: it has no header {_FRESHNESS}")
        self.freshness = freshness
        return answer

    def jobs(self, filters: Filters, *, limit: int = MAX_RESULTS) -> Iterator[Json]:
        """Yield the jobs of ListJobs; the caller needs at most `limit`."""
        parameters = {"maxResults": min(limit, MAX_RESULTS), "nextToken": None, **parameters_of(filters)}
        return self._pages("/jobs", "jobs", parameters, ("nextToken", "nextToken"))

    def things_jobs(self, thing_name: str) -> Iterator[Json]:
        """Yield the executions of ListJobExecutionsForThing."""
        path, parameters = f"/things/{quoted(thing_name)}/jobs", {"maxResults": MAX_RESULTS, "nextToken": None}
        return self._pages(path, "executionSummaries", parameters, ("nextToken", "nextToken"))

    def pages(self, path: str, member: str, parameters: Parameters, *, limit: int | None = None) -> Iterator[Any]:
        """Yield the items of `member` from all pages; the caller needs at most `limit`."""
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
        """Return the error for a service that does not answer."""
        reason = getattr(error, "reason", None) or error
        if isinstance(reason, ssl.SSLCertVerificationError):
            hint = "JOBINDEX_HTTP_CA_FILE names the authorities to trust with --endpoint"
        elif isinstance(reason, ssl.SSLError):
            hint = "does it speak HTTPS?"
        elif isinstance(reason, RemoteDisconnected) and self.url.startswith("http:"):
            hint = "does it speak only HTTPS?"
        else:
            hint = "is the service running there?"
        return ServiceUnreachableError(f"{self.url}: {reason}; {hint}")

    def _read(self, answer: HTTPResponse) -> Json:
        try:
            return dict(orjson.loads(answer.read()))
        except BROKEN as error:
            raise self.unreachable(error) from error
        except (ValueError, TypeError) as error:
            raise ServiceError(f"{self.url}: this is not an answer from jobindex: {error}") from error


def quoted(name: str) -> str:
    """Return a name as a path segment."""
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
