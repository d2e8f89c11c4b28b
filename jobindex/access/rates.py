"""How often each key name, or address, may ask: a token bucket for each of them."""

from heapq import heappop, heappush, heapreplace

MAXIMUM = 10_000
_FEWEST = 10
_GRAIN = 0.0001
"""Of a token: what is lost where a small time is added to a large one."""
_SECONDS = 2


def burst(rate: float) -> float:
    """Return how many requests may come at once where `rate` may come a second: those of two seconds, or ten."""
    return max(_SECONDS * rate, _FEWEST)


class Rates:
    """Buckets that hold `burst` tokens when full, and get `rate` a second.

    Of `maximum` buckets the fullest is forgotten for a new one: a full one with no loss, and no other while one is
    full.
    """

    def __init__(self, rate: float, burst: float, maximum: int = MAXIMUM) -> None:
        self._rate = rate
        self._burst = burst
        self._maximum = maximum
        # A bucket is told by when it is full again, if nothing is taken from it.
        self._full_at: dict[str, float] = {}
        # The same times, some of them earlier than they are by now; each key once.
        self._soonest: list[tuple[float, str]] = []

    def __len__(self) -> int:
        return len(self._full_at)

    def take(self, key: str, now: float) -> bool:
        """Take a token from a key's bucket, and tell whether there was one; `now` is in seconds, of any clock."""
        known = self._full_at.get(key)
        full_at = now if known is None else max(known, now)
        if (full_at - now) * self._rate + 1 > self._burst + _GRAIN:
            return False
        full_at += 1 / self._rate
        if known is None:
            if len(self._full_at) >= self._maximum:
                self._forget()
            heappush(self._soonest, (full_at, key))
        self._full_at[key] = full_at
        return True

    def _forget(self) -> None:
        while True:
            told, key = self._soonest[0]
            full_at = self._full_at[key]
            if told == full_at:
                heappop(self._soonest)
                del self._full_at[key]
                return
            heapreplace(self._soonest, (full_at, key))
