"""AWS's client, boto3, in threads of their own: one call at a time, with a limit of time.

At ten calls a second, AWS's default quota, an asyncio client would gain nothing. Retries are the caller's, so that each
throttled call is seen and counted. Credentials come from the SDK's own chain.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any, TypeVar

import boto3
import botocore.session
from botocore import exceptions, xform_name
from botocore.config import Config

from jobindex.aws.answers import AwsAnswer
from jobindex.errors import (
    AwsCredentialsError,
    AwsDeniedError,
    AwsError,
    AwsFailedError,
    AwsInvalidError,
    AwsNotFoundError,
    AwsThrottledError,
    AwsUnreachableError,
)

SECONDS = 10
"""The limit of connecting, and of each wait for bytes of an answer."""
_CALL_SECONDS = 60
"""The limit of a whole call: an answer may arrive in drips."""

_SERVICES = {"ListDeployments": "greengrassv2", "GetDeployment": "greengrassv2", "GetCallerIdentity": "sts"}
"""The services of the operations that are not of `iot`."""

_THROTTLED = {"ThrottlingException", "Throttling", "TooManyRequestsException", "RequestLimitExceeded", "SlowDown"}
_DENIED = {"AccessDeniedException", "AccessDenied", "UnauthorizedException", "ForbiddenException"}
_CREDENTIALS = {
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignatureException",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "MissingAuthenticationTokenException",
    "RequestExpired",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}
_INVALID = {
    "InvalidRequestException",
    "InvalidToken",
    "UnknownOperationException",  # of a jobindex: it has no such operation
    "ValidationException",
}
_NO_CREDENTIALS = (
    exceptions.ConfigParseError,
    exceptions.CredentialRetrievalError,
    exceptions.InvalidConfigError,
    exceptions.InvalidRegionError,
    exceptions.MissingDependencyException,
    exceptions.NoCredentialsError,
    exceptions.PartialCredentialsError,
    exceptions.ProfileNotFound,
    exceptions.SSOError,
    exceptions.TokenRetrievalError,
)
_UNREACHABLE = (
    exceptions.ConnectionError,
    exceptions.HTTPClientError,
    exceptions.IncompleteReadError,
    OSError,
)
_TOO_MANY_REQUESTS = 429
_REFUSED = range(400, 500)
"""The status codes of requests that a retry does not help, such as those of an endpoint without the operation."""
_FORBIDDEN = {401, 403}
_MESSAGE_CHARACTERS = 300
"""A server in between may answer with a page of HTML."""
_OF_CREDENTIALS = "security token"
"""In the message of an error of the credentials, whatever its name: AWS IoT has sent ForbiddenException.

https://github.com/aws/aws-iot-device-sdk-js/issues/146
"""

T = TypeVar("T")


class AwsClient:
    """Calls operations of AWS by their names; `endpoint_url` replaces the URL of every service.

    `region` counts if the SDK's chain has none.
    """

    def __init__(self, *, endpoint_url: str | None, region: str) -> None:
        self._endpoint_url = endpoint_url
        self._region = region
        self._session: boto3.Session | None = None
        self._clients: dict[str, Any] = {}

    async def call(self, operation: str, **parameters: Any) -> AwsAnswer:  # noqa: ANN401 (as the operation needs)
        """Call an operation; parameters of None are left out.

        Raises:
            AwsError: one of its kinds; the message names the operation.
        """
        given = {name: value for name, value in parameters.items() if value is not None}
        return await self._in_thread(lambda: self._call(operation, given), operation)

    async def region(self) -> str:
        """Return the region of the calls.

        Raises:
            AwsCredentialsError: the SDK's configuration cannot be read.
        """
        return await self._in_thread(lambda: str(self._client("ListJobs").meta.region_name), "the configuration")

    async def _in_thread(self, work: Callable[[], T], subject: str) -> T:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()

        def run() -> None:
            try:
                done = partial(_set_result, future, work())
            except Exception as error:  # noqa: BLE001 (the awaiting task raises it)
                done = partial(_set_error, future, error)
            with suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(done)

        # A daemon: the interpreter would wait for the threads of an executor.
        threading.Thread(target=run, name="aws", daemon=True).start()
        try:
            async with asyncio.timeout(_CALL_SECONDS):
                return await future
        except TimeoutError as error:
            self._clients.clear()  # its connections may be in use for ever
            raise AwsUnreachableError(f"{subject}: no whole answer within {_CALL_SECONDS} s") from error

    def _call(self, operation: str, parameters: Mapping[str, Any]) -> AwsAnswer:
        sent_at = time.monotonic()
        try:
            members = getattr(self._client(operation), xform_name(operation))(**parameters)
        except Exception as error:
            translated = _translated(operation, error)
            if isinstance(translated, AwsCredentialsError):  # the next call looks for new ones
                self._session = None
                self._clients.clear()
            raise translated from error
        now = time.time()
        date = members["ResponseMetadata"]["HTTPHeaders"].get("date")
        try:
            answered_at = now if date is None else parsedate_to_datetime(date).timestamp()
        except ValueError:
            answered_at = now
        # Date has no fraction.
        as_of = int(answered_at - (time.monotonic() - sent_at))
        headers = members["ResponseMetadata"]["HTTPHeaders"]
        return AwsAnswer(
            members=members,
            answered_at=round(answered_at * 1000),
            as_of=as_of * 1000,
            is_from_jobindex="jobindex-freshness" in headers,
        )

    def _client(self, operation: str) -> Any:  # noqa: ANN401 (boto3 makes its classes at run time)
        service = _SERVICES.get(operation, "iot")
        if service not in self._clients:
            session = self._session = self._session or _make_session()
            made = session.client(
                service,
                region_name=session.region_name or self._region,
                endpoint_url=self._endpoint_url,
                config=Config(connect_timeout=SECONDS, read_timeout=SECONDS, retries={"total_max_attempts": 1}),
            )
            made.meta.events.register("before-parse", _check_whole)
            self._clients[service] = made
        return self._clients[service]


def _set_result(future: "asyncio.Future[T]", outcome: T) -> None:
    if not future.cancelled():
        future.set_result(outcome)


def _set_error(future: "asyncio.Future[T]", error: Exception) -> None:
    if not future.cancelled():
        future.set_exception(error)


def _make_session() -> boto3.Session:
    session = botocore.session.Session()
    # Times stay as AWS writes them: rows are read like messages.
    session.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=lambda time: time)
    return boto3.Session(botocore_session=session)


def _check_whole(response_dict: Mapping[str, Any], **_: object) -> None:
    """Check the length of an answer: botocore takes one that is cut for an answer without members."""
    expected, body = response_dict["headers"].get("content-length"), response_dict["body"]
    if expected is not None and int(expected) != len(body):
        raise exceptions.IncompleteReadError(actual_bytes=len(body), expected_bytes=expected)


def _translated(operation: str, error: Exception) -> AwsError:
    if isinstance(error, exceptions.ClientError):
        failure = error.response.get("Error", {})
        code, status = failure.get("Code", ""), error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        # Only the first line: a signature error goes on with the signed headers.
        text = next(iter(str(failure.get("Message") or "without a message").strip().splitlines()), "")
        message = f"{operation}: {code}: {text[:_MESSAGE_CHARACTERS]}"
        # Another operation is a call for the credentials themselves, such as AssumeRole.
        if _OF_CREDENTIALS in text or error.operation_name != operation:
            return AwsCredentialsError(message)
        for codes, kind in (
            (_THROTTLED, AwsThrottledError),
            (_DENIED, AwsDeniedError),
            (_CREDENTIALS, AwsCredentialsError),
            ({"ResourceNotFoundException"}, AwsNotFoundError),
            (_INVALID, AwsInvalidError),
        ):
            if code in codes:
                return kind(message)
        if status == _TOO_MANY_REQUESTS:
            return AwsThrottledError(message)
        if status in _FORBIDDEN:
            return AwsDeniedError(message)
        return AwsInvalidError(message) if status in _REFUSED else AwsFailedError(message)
    message = f"{operation}: {type(error).__name__}: {error}"
    if isinstance(error, _NO_CREDENTIALS):
        return AwsCredentialsError(message)
    if isinstance(error, exceptions.ParamValidationError):
        return AwsInvalidError(message)
    return AwsUnreachableError(message) if isinstance(error, _UNREACHABLE) else AwsFailedError(message)
