"""The sessions of browsers, in memory.

A browser has a random secret, of which only the SHA-256 is stored. Not chosen: a signed cookie, which needs no memory
but cannot be revoked.
"""

import secrets
from collections.abc import Callable

from jobindex.access.keys import Key, Keys, digest

SESSION_SECONDS = 12 * 3600
"""The lifetime of a session after the sign-in, used or not."""
SESSIONS_MAXIMUM = 100
"""For each key, so that a sign-in never ends the sessions of other keys."""


class Sessions:
    """Sessions by their secrets; `clock` is monotonic, in seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._sessions: dict[str, tuple[Key, float]] = {}

    def open(self, key: Key) -> str:
        """Begin a session and return its secret; if the key has too many, its oldest one ends."""
        own = [secret for secret, (holder, _) in self._sessions.items() if holder == key]
        for secret in own[: max(0, len(own) + 1 - SESSIONS_MAXIMUM)]:
            del self._sessions[secret]
        session = secrets.token_urlsafe(32)
        self._sessions[digest(session)] = key, self._clock() + SESSION_SECONDS
        return session

    def key(self, session: str) -> Key | None:
        """Return the key of a session, unless it has ended."""
        key, ends_at = self._sessions.get(digest(session), (None, 0.0))
        if key is not None and self._clock() >= ends_at:
            self.end(session)
            return None
        return key

    def end(self, session: str) -> None:
        """End a session."""
        self._sessions.pop(digest(session), None)

    def keep(self, keys: Keys) -> None:
        """End the sessions of all keys but these."""
        kept = set(keys.all)
        self._sessions = {secret: session for secret, session in self._sessions.items() if session[0] in kept}
