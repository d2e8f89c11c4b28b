"""Who has signed in to the pages, for as long as the process lives.

A browser holds a random secret, kept here by its SHA-256 alone. Not chosen: a signed cookie that needs no memory; it
could not be ended before its time.
"""

import secrets
from collections.abc import Callable

from jobindex.access.keys import Key, Keys, digest

SESSION_SECONDS = 12 * 3600
"""So long after signing in a session ends, used or not."""
SESSIONS_MAXIMUM = 100
"""Of each key: nobody signs others out by signing in."""


class Sessions:
    """Sessions by their secrets; `clock` tells seconds that only grow."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._sessions: dict[str, tuple[Key, float]] = {}

    def open(self, key: Key) -> str:
        """Begin a session of a key and return its secret; where it has too many, its oldest ends."""
        own = [secret for secret, (holder, _) in self._sessions.items() if holder == key]
        for secret in own[: max(0, len(own) + 1 - SESSIONS_MAXIMUM)]:
            del self._sessions[secret]
        session = secrets.token_urlsafe(32)
        self._sessions[digest(session)] = key, self._clock() + SESSION_SECONDS
        return session

    def key(self, session: str) -> Key | None:
        """Return whose session it is; None where it is none, or has ended."""
        key, ends_at = self._sessions.get(digest(session), (None, 0.0))
        if key is not None and self._clock() >= ends_at:
            self.end(session)
            return None
        return key

    def end(self, session: str) -> None:
        """End a session; one that has ended is none."""
        self._sessions.pop(digest(session), None)

    def keep(self, keys: Keys) -> None:
        """End the sessions of all but these keys."""
        kept = set(keys.all)
        self._sessions = {secret: told for secret, told in self._sessions.items() if told[0] in kept}
