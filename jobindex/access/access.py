"""Who asks: found out from a request's credentials, by the keys that are in force.

SDKs sign (`signatures.py`), programs send a token (`Authorization: Bearer …`), browsers a cookie that they got for a
token. The cookie is taken for reading alone, so no page can have a browser change anything.
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
"""How the names of cookies begin that hold a session."""
PRINCIPAL = "jobindex.principal"
"""Where an ASGI scope tells who asks."""

_READING = {"GET", "HEAD"}
_UNKNOWN = "The security token included in the request is invalid."


class Access:
    """Tells who asks; without `keys`, that anyone does.

    `region` is what clients sign for, `public` where a proxy has them ask.
    """

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
        """Where a proxy has clients ask."""
        self._clock = clock
        self._sessions = Sessions(time.monotonic)

    @property
    def is_open(self) -> bool:
        """Whether nobody is asked for a key."""
        return self._keys is None

    @property
    def base_path(self) -> str:
        """What stands in front of every path that clients ask for."""
        return self.public.base_path if self.public else ""

    def replace(self, keys: Keys) -> None:
        """Go by these keys from now on; the sessions of others end."""
        self._keys = keys
        self._sessions.keep(keys)

    def who(self, request: SignedRequest) -> Principal:
        """Return who asks.

        Raises:
            MissingAuthenticationTokenException: there are no credentials.
            UnrecognizedClientException: they are of no key.
            IncompleteSignatureException, InvalidSignatureException: they are a signature that is not right.
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
        """Begin a session of the key that has a token, and return what the cookie is to hold.

        Raises:
            UnrecognizedClientException: no key has it.
        """
        return self._sessions.open(_known(self._keys.of_token(token) if self._keys else None))

    def sign_out(self, cookies: bytes) -> Sequence[Principal]:
        """End the sessions that a browser's cookies tell of, and return whose they were."""
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
    """Return who asks in an ASGI scope, as it was found out before the request was led to who answers it."""
    principal: Principal = scope[PRINCIPAL]
    return principal


def visible_to(store: Store, principal: Principal) -> Reader:
    """Return what a principal may read of a store."""
    return store if principal.namespace_ids is None else store.visible_to(principal.namespace_ids)
