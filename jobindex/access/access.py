"""Authentication: the principal of a request, from its credentials and the current keys.

SDKs sign (`signatures.py`), programs send a token (`Authorization: Bearer …`), browsers a cookie that they got for a
token. The cookie is only valid for reads, so no web page can use a browser to change anything.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from jobindex.access.keys import Key, Keys
from jobindex.access.principals import ANYONE, Principal
from jobindex.access.sessions import Sessions
from jobindex.access.signatures import PublicUrl, SignedRequest, verify
from jobindex.errors import MissingAuthenticationTokenException, UnrecognizedClientException
from jobindex.model.reader import Reader
from jobindex.model.store import Store

COOKIE = "jobindex-session"
"""The prefix of the names of session cookies."""
PRINCIPAL = "jobindex.principal"
"""The key of the principal in an ASGI scope."""

_READING = {"GET", "HEAD"}
_UNKNOWN = "The security token included in the request is invalid."


class Access:
    """Authenticates requests signed for `region`; without `keys`, every client is ANYONE."""

    def __init__(
        self,
        keys: Keys | None = None,
        *,
        region: str = "us-east-1",
        public: PublicUrl | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._keys = keys
        self._region = region
        self.public = public
        self._clock = clock
        self._sessions = Sessions(time.monotonic)

    @property
    def is_open(self) -> bool:
        """Whether no keys are required."""
        return self._keys is None

    @property
    def base_path(self) -> str:
        """The prefix of clients' paths."""
        return self.public.base_path if self.public else ""

    def replace(self, keys: Keys) -> None:
        """Replace the keys, and end the sessions of removed ones."""
        self._keys = keys
        self._sessions.keep(keys)

    def authenticate(self, request: SignedRequest) -> Principal:
        """Return the principal of a request.

        Raises:
            MissingAuthenticationTokenException: the request has no credentials.
            UnrecognizedClientException: the credentials belong to no key.
            IncompleteSignatureException, InvalidSignatureException: the signature is not valid.
        """
        if self._keys is None:
            return ANYONE
        headers = dict(request.headers)
        authorization = headers.get(b"authorization", b"").decode("latin-1").strip(" \t")
        if not authorization:
            return self._of_session(request.method, headers.get(b"cookie", b"")).principal
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() == "bearer":
            return _known(self._keys.of_token(token.strip())).principal
        access_key_id = verify(request, self._keys.secrets, region=self._region, now=self._clock(), public=self.public)
        return _known(self._keys.of_access_key(access_key_id)).principal

    def sign_in(self, token: str) -> str:
        """Begin a session of the key with a token, and return its cookie's value.

        Raises:
            UnrecognizedClientException: no key has this token.
        """
        return self._sessions.open(_known(self._keys.of_token(token) if self._keys else None))

    def sign_out(self, cookies: bytes) -> Sequence[Principal]:
        """End the sessions in a browser's cookies, and return their principals."""
        ended = [(session, key) for session in _sessions(cookies) if (key := self._sessions.key(session))]
        for session, _ in ended:
            self._sessions.end(session)
        return [key.principal for _, key in ended]

    def _of_session(self, method: str, cookies: bytes) -> Key:
        for session in _sessions(cookies) if method in _READING else ():
            if key := self._sessions.key(session):
                return key
        raise MissingAuthenticationTokenException("Missing Authentication Token")


def _sessions(cookies: bytes) -> Iterator[str]:
    for cookie in cookies.decode("latin-1").split(";"):
        name, _, value = cookie.strip().partition("=")
        if name == COOKIE or name.startswith(f"{COOKIE}-"):
            yield value


def _known(key: Key | None) -> Key:
    if key is None:
        raise UnrecognizedClientException(_UNKNOWN)
    return key


def principal_of(scope: Mapping[str, Any]) -> Principal:
    """Return the principal that the gateway set in an ASGI scope."""
    principal: Principal = scope[PRINCIPAL]
    return principal


def visible_to(store: Store, principal: Principal) -> Reader:
    """Return the part of a store that is visible to a principal."""
    return store if principal.namespace_ids is None else store.visible_to(principal.namespace_ids)
