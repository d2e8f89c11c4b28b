"""Answers that are cached briefly, so that many clients with one question cost little more than one.

`current` and `put` are exact: an answer is valid for one version of the index. `get` is for pages, which show relative
times: a page is valid up to AGE_MAXIMUM while the index is unchanged, and up to OVERTAKEN_MAXIMUM after a change, so it
is rendered at most twice a second. A browser waits that long after an event, so it sees the change.
"""

import asyncio
import sys
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
    """A cached answer; its lock lets one request make it while others wait."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    answer: T | None = None
    version: int = -1
    made_at: float = 0


class Cache(Generic[T]):
    """At most `maximum` answers by question; all but the last one have at most `maximum_bytes` together.

    The oldest are evicted first. `size` returns an answer's bytes, which may grow: pages are rendered in parts.
    """

    def __init__(
        self,
        maximum: int,
        *,
        maximum_bytes: int = sys.maxsize,
        size: Callable[[T], int] = lambda _: 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._entries: dict[Hashable, _Entry[T]] = {}
        self._maximum = maximum
        self._maximum_bytes = maximum_bytes
        self._size = size
        self._clock = clock

    def current(self, key: Hashable, version: int) -> T | None:
        """Return the answer that was put for this version of the index."""
        entry = self._entries.get(key)
        return entry.answer if entry is not None and entry.version == version else None

    def put(self, key: Hashable, version: int, answer: T) -> None:
        """Cache an answer for a version of the index."""
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
        """Return the answer, by `make` if it is not cached or older than `age_maximum` seconds."""
        entry = self._entry(key)
        async with entry.lock:
            age = self._clock() - entry.made_at
            is_same = entry.version == version()
            if entry.answer is None or age > (age_maximum if is_same else OVERTAKEN_MAXIMUM):
                # Before `make`: the answer may or may not contain a change that is written meanwhile.
                asked = version(), self._clock()
                entry.answer = await make()
                entry.version, entry.made_at = asked
            return entry.answer

    def _entry(self, key: Hashable) -> _Entry[T]:
        others = {other: entry for other, entry in self._entries.items() if other != key}
        sizes = {other: 0 if entry.answer is None else self._size(entry.answer) for other, entry in others.items()}
        count, total = len(sizes), sum(sizes.values())
        for other, size in sizes.items():
            if count < self._maximum and total <= self._maximum_bytes:
                break
            del self._entries[other]
            count, total = count - 1, total - size
        return self._entries.setdefault(key, _Entry())
