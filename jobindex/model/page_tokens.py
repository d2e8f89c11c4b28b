"""Tokens that go on behind a page: opaque, versioned, and bound to the question that they were made for.

Clients may rely on this of a token: it has at most MAX_LENGTH characters, none of which needs quoting in a URL, and is
valid as long as the service's version of tokens. It is no secret: who makes one up starts somewhere else in the same
answer. Not chosen: a cursor kept by the service, which would have to survive restarts.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from hashlib import blake2b

from jobindex.errors import InvalidRequestException
from jobindex.model.parameters import Text

MAX_LENGTH = 512
NEXT_TOKEN = Text(least_length=1, greatest_length=MAX_LENGTH)
AFTER = Text(greatest_length=MAX_LENGTH)
"""Of operations of our own: the empty one stands for none."""

_VERSION = b"\x01"
_DIGEST_BYTES = 8


def seal(content: bytes, bound: Sequence[str | None]) -> str:
    """Return the token of a content, for who asks with the same `bound` alone; None and the empty text are the same."""
    body = _VERSION + content
    return _encoded(body + _digest(body, bound))


def unseal(token: str, bound: Sequence[str | None], name: str = "nextToken") -> bytes:
    """Return the content of a token that `seal` made for `bound`; `name` is the parameter's that it came in.

    Raises:
        InvalidRequestException: the token is malformed, of another version, or made for something else.
    """
    try:
        sealed = urlsafe_b64decode(token.encode("ascii") + b"=" * (-len(token) % 4))
    except ValueError as error:
        raise invalid_token(token, name) from error
    body, digest = sealed[:-_DIGEST_BYTES], sealed[-_DIGEST_BYTES:]
    # base64 lets some changed characters pass.
    if body[:1] != _VERSION or digest != _digest(body, bound) or _encoded(sealed) != token:
        raise invalid_token(token, name)
    return body[1:]


def seal_text(position: str | None, bound: Sequence[str | None]) -> str | None:
    """Return the token of a position of a store; None for None."""
    return None if position is None else seal(position.encode(), bound)


def unseal_text(token: str | None, bound: Sequence[str | None], name: str = "nextToken") -> str | None:
    """Return the position in a token that `seal_text` made for `bound`; None for none.

    Raises:
        InvalidRequestException: as `unseal` does.
    """
    if not token:
        return None
    try:
        return unseal(token, bound, name).decode()
    except UnicodeDecodeError as error:
        raise invalid_token(token, name) from error


def invalid_token(token: str, name: str = "nextToken") -> InvalidRequestException:
    """Return the error that tells of a token which leads nowhere."""
    return InvalidRequestException(
        f"Invalid {name}: '{token}' is malformed, of an unknown version, or made for other filters"
    )


def _encoded(content: bytes) -> str:
    return urlsafe_b64encode(content).decode().rstrip("=")


def _digest(body: bytes, bound: Sequence[str | None]) -> bytes:
    # Nothing that is bound holds a NUL or is empty.
    joined = "\0".join(value or "" for value in bound).encode()
    return blake2b(body, digest_size=_DIGEST_BYTES, key=blake2b(joined, digest_size=32).digest()).digest()
