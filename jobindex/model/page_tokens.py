"""Page tokens: opaque, versioned, and bound to their query.

Clients may rely on this: a token has at most MAX_LENGTH characters, needs no quoting in a URL, and is valid until the
token version changes. It is not a secret: a forged token only starts elsewhere in the same answer.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from hashlib import blake2b

from jobindex.errors import InvalidRequestException
from jobindex.model.parameters import Text

MAX_LENGTH = 512
NEXT_TOKEN = Text(least_length=1, greatest_length=MAX_LENGTH)
AFTER = Text(greatest_length=MAX_LENGTH)
"""A parameter of our own operations; the empty text is the first page."""

_VERSION = b"\x01"
_DIGEST_BYTES = 8


def seal(content: bytes, bound: Sequence[str | None]) -> str:
    """Return a token for this `bound`, in which None equals the empty text."""
    body = _VERSION + content
    return _encoded(body + _digest(body, bound))


def unseal(token: str, bound: Sequence[str | None], name: str = "nextToken") -> bytes:
    """Return the content of a token.

    Raises:
        InvalidRequestException: the token, from the parameter `name`, is malformed, of another version, or made for
            another
            `bound`.
    """
    try:
        sealed = urlsafe_b64decode(token.encode("ascii") + b"=" * (-len(token) % 4))
    except ValueError as error:
        raise invalid_token(token, name) from error
    body, digest = sealed[:-_DIGEST_BYTES], sealed[-_DIGEST_BYTES:]
    # base64 accepts some changed characters.
    if body[:1] != _VERSION or digest != _digest(body, bound) or _encoded(sealed) != token:
        raise invalid_token(token, name)
    return body[1:]


def seal_text(position: str | None, bound: Sequence[str | None]) -> str | None:
    """Return the token of a position."""
    return None if position is None else seal(position.encode(), bound)


def unseal_text(token: str | None, bound: Sequence[str | None], name: str = "nextToken") -> str | None:
    """Return the position in a token; None without one.

    Raises:
        InvalidRequestException: as in `unseal`.
    """
    if not token:
        return None
    try:
        return unseal(token, bound, name).decode()
    except UnicodeDecodeError as error:
        raise invalid_token(token, name) from error


def invalid_token(token: str, name: str = "nextToken") -> InvalidRequestException:
    """Return the error for an invalid token."""
    return InvalidRequestException(
        f"Invalid {name}: '{token}' is malformed, of an unknown version, or made for other filters"
    )


def _encoded(content: bytes) -> str:
    return urlsafe_b64encode(content).decode().rstrip("=")


def _digest(body: bytes, bound: Sequence[str | None]) -> bytes:
    # Values in `bound` contain no NUL, and none is empty.
    joined = "\0".join(value or "" for value in bound).encode()
    return blake2b(body, digest_size=_DIGEST_BYTES, key=blake2b(joined, digest_size=32).digest()).digest()
