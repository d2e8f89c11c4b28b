"""The body of a request."""

from starlette.requests import ClientDisconnect, Request

from jobindex.errors import InvalidRequestException


async def read_body(request: Request) -> bytes:
    """Return the body of a request; `web/protocol.py` refuses long and slow bodies.

    Raises:
        InvalidRequestException: the client has not sent all of it.
    """
    try:
        return await request.body()
    except ClientDisconnect as error:
        raise InvalidRequestException("The body is incomplete.") from error
