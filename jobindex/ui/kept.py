"""Answers that are kept for a while, so that many viewers of one thing cost little more than one.

An answer holds as long as the index is unchanged, but not beyond AGE_MAXIMUM, as what it says of ages grows old. An
answer that the index has overtaken is still given for OVERTAKEN_MAXIMUM: however often the index changes, an address
is worked out twice a second at most. A viewer that is told of a change asks that much later, and sees it.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

KEPT_MAXIMUM = 64
"""Answers that are kept; of pages, of some 100 kB each."""
AGE_MAXIMUM = 5.0
"""Seconds."""
OVERTAKEN_MAXIMUM = 0.5
"""Seconds."""

T = TypeVar("T")


@dataclass(slots=True)
class _Place(Generic[T]):
    """Where an answer is kept; the lock has one work it out while others wait for it."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    answer: T | None = None
    version: int = -1
    made_at: float = 0


class Kept(Generic[T]):
    """Answers by the question, the least recently made given up first."""

    def __init__(self, *, maximum: int = KEPT_MAXIMUM, clock: Callable[[], float] = time.monotonic) -> None:
        self._places: dict[Hashable, _Place[T]] = {}
        self._maximum = maximum
        self._clock = clock

    async def get(
        self,
        key: Hashable,
        version: Callable[[], int],
        make: Callable[[], Awaitable[T]],
        *,
        age_maximum: float = AGE_MAXIMUM,
    ) -> T:
        """Return the answer to a question; `make` works it out where none is kept, or all are older, in seconds."""
        place = self._places.get(key)
        if place is None:
            while len(self._places) >= self._maximum:
                del self._places[next(iter(self._places))]
            place = self._places[key] = _Place()
        async with place.lock:
            age = self._clock() - place.made_at
            is_same = place.version == version()
            if place.answer is None or age > (age_maximum if is_same else OVERTAKEN_MAXIMUM):
                # The version before: what is written meanwhile may or may not be in the answer.
                asked = version(), self._clock()
                place.answer = await make()
                place.version, place.made_at = asked
            return place.answer
