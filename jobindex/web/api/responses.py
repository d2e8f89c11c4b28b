"""JSON responses; errors as AWS IoT sends them, `{"message": …}` with the header `x-amzn-ErrorType`."""

from http import HTTPStatus
from random import getrandbits

import orjson
from starlette.responses import Response

from jobindex.errors import (
    AccessDeniedException,
    IncompleteSignatureException,
    InvalidRequestException,
    InvalidSignatureException,
    MissingAuthenticationTokenException,
    ResourceNotFoundException,
    ServiceUnavailableException,
    ThrottlingException,
    UnrecognizedClientException,
)

STATUS: dict[type[Exception], int] = {
    InvalidRequestException: 400,
    ResourceNotFoundException: 404,
    ThrottlingException: 400,
    ServiceUnavailableException: 503,
    AccessDeniedException: 403,
    MissingAuthenticationTokenException: 403,
    IncompleteSignatureException: 403,
    UnrecognizedClientException: 403,
    InvalidSignatureException: 403,
}
OF_KEYS = (
    MissingAuthenticationTokenException,
    UnrecognizedClientException,
    IncompleteSignatureException,
    InvalidSignatureException,
    AccessDeniedException,
)
"""The errors of authentication and authorization."""
ERROR_TYPE = "x-amzn-ErrorType"


def json_answer(content: object, status: int = HTTPStatus.OK) -> Response:
    """Return a JSON response; bytes are already JSON."""
    body = content if isinstance(content, bytes) else orjson.dumps(content)
    return Response(body, status, media_type="application/json")


def error_answer(status: int, name: str, message: str) -> Response:
    """Return an error in AWS's form."""
    response = json_answer({"message": message}, status)
    response.headers[ERROR_TYPE] = name
    return response


def refusal(error: Exception) -> Response:
    """Return the response to one of the errors in STATUS."""
    return error_answer(STATUS[type(error)], type(error).__name__, str(error))


def failure() -> Response:
    """Return the response to an unexpected error, without its details."""
    return error_answer(HTTPStatus.INTERNAL_SERVER_ERROR, "InternalFailureException", "The service failed.")


def request_id() -> bytes:
    """Return an id like AWS's, a UUID of version 4; `uuid4` takes three times as long."""
    digits = f"{getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}".encode()
