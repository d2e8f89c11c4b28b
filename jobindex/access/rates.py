"""The request rate of each key name or address, by token buckets."""

from heapq import heappop, heappush, heapreplace

MAXIMUM = 10_000
_FEWEST = 10
_GRAIN = 0.0001
"""Of a token: the rounding error of a small time added to a large one."""
_SECONDS = 2


def burst(rate: float) -> float:
    """Return the size of a bucket for a rate."""
    return max(_SECONDS * rate, _FEWEST)


class Rates:
    """Buckets of `burst` tokens, refilled at `rate` tokens a second.

    Beyond `maximum` buckets, the fullest is deleted for a new one; the deletion of a full bucket loses nothing.
    """

    def __init__(self, rate: float, burst: float, maximum: int = MAXIMUM) -> None:
        self._rate = rate
        self._burst = burst
        self._maximum = maximum
        # The time at which each bucket is full again.
        self._full_at: dict[str, float] = {}
        # The same as a heap, each key once; outdated times are too early.
        self._soonest: list[tuple[float, str]] = []

    def __len__(self) -> int:
        return len(self._full_at)

    def take(self, key: str, now: float) -> bool:
        """Take a token, if there is one, from a key's bucket; `now` is in seconds, of any clock."""
        known = self._full_at.get(key)
        full_at = now if known is None else max(known, now)
        if (full_at - now) * self._rate + 1 > self._burst + _GRAIN:
            return False
        full_at += 1 / self._rate
        if known is None:
            if len(self._full_at) >= self._maximum:
                self._delete_fullest()
            heappush(self._soonest, (full_at, key))
        self._full_at[key] = full_at
        return True

    def _delete_fullest(self) -> None:
        while True:
            noted, key = self._soonest[0]
            full_at = self._full_at[key]
            if noted == full_at:
                heappop(self._soonest)
                del self._full_at[key]
                return
            heapreplace(self._soonest, (full_at, key))
