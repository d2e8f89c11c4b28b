"""Answers that are cached for a while, so that many clients with one question cost little more than one.

`current` and `put` are for answers that must be exact: an answer holds for one version of the index. `get` is for
pages: a page holds as long as the index is unchanged, but not beyond AGE_MAXIMUM, as the ages in it grow old. A page
that the index has overtaken is still given for OVERTAKEN_MAXIMUM: however often the index changes, a page is made twice
a second at most. A viewer asks that much later after it hears of a change, and sees the change.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

AGE_MAXIMUM = 5.0
"""Seconds."""
OVERTAKEN_MAXIMUM = 0.5
"""Seconds."""

T = TypeVar("T")


@dataclass(slots=True)
class _Entry(Generic[T]):
    """A cached answer; with the lock, one request makes it while others wait for it."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    answer: T | None = None
    version: int = -1
    made_at: float = 0


class Cache(Generic[T]):
    """At most `maximum` answers by their questions; the oldest entry is evicted first."""

    def __init__(self, maximum: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._entries: dict[Hashable, _Entry[T]] = {}
        self._maximum = maximum
        self._clock = clock

    def current(self, key: Hashable, version: int) -> T | None:
        """Return the answer to a question if it was put for this version of the index."""
        entry = self._entries.get(key)
        return entry.answer if entry is not None and entry.version == version else None

    def put(self, key: Hashable, version: int, answer: T) -> None:
        """Cache the answer to a question for a version of the index."""
        self._entries.pop(key, None)  # answers to older versions are evicted before this one
        entry = self._entry(key)
        entry.answer, entry.version, entry.made_at = answer, version, self._clock()

    async def get(
        self,
        key: Hashable,
        version: Callable[[], int],
        make: Callable[[], Awaitable[T]],
        *,
        age_maximum: float = AGE_MAXIMUM,
    ) -> T:
        """Return the answer to a question; `make` makes it if it is not cached or older than that, in seconds."""
        entry = self._entry(key)
        async with entry.lock:
            age = self._clock() - entry.made_at
            is_same = entry.version == version()
            if entry.answer is None or age > (age_maximum if is_same else OVERTAKEN_MAXIMUM):
                # The version before: a change that is written meanwhile may or may not be in the answer.
                asked = version(), self._clock()
                entry.answer = await make()
                entry.version, entry.made_at = asked
            return entry.answer

    def _entry(self, key: Hashable) -> _Entry[T]:
        entry = self._entries.get(key)
        if entry is None:
            while len(self._entries) >= self._maximum:
                del self._entries[next(iter(self._entries))]
            entry = self._entries[key] = _Entry()
        return entry
