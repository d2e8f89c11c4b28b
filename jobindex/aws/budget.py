"""The budget of calls: the account's quotas are shared with its console and its scripts."""

import time
from collections.abc import Callable, Mapping

_LEAST_SHARE = 1 / 64
"""A throttled operation is called at least at this share of its rate."""
_REGAINED_SHARE = 1 / 100
"""Each call that is not throttled regains this share of the full rate."""


class Budget:
    """A token bucket of one token for each operation, so calls are spaced evenly.

    The rate is halved when AWS throttles the operation, and regained slowly (additive increase, multiplicative
    decrease). `rates` are calls per second by operation, "" for the others.
    """

    def __init__(self, rates: Mapping[str, float], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._rates = rates
        self._clock = clock
        self._shares: dict[str, float] = {}
        self._next_at: dict[str, float] = {}

    def rate(self, operation: str) -> float:
        """Return the current rate of an operation, in calls per second."""
        return self._rates.get(operation, self._rates[""]) * self._shares.get(operation, 1)

    def take(self, operation: str) -> float:
        """Take a call from the budget; return the seconds to wait before it."""
        now = self._clock()
        at = max(now, self._next_at.get(operation, now))
        self._next_at[operation] = at + 1 / self.rate(operation)
        return at - now

    def note_throttled(self, operation: str) -> None:
        """Halve the rate of an operation."""
        self._shares[operation] = max(_LEAST_SHARE, self._shares.get(operation, 1) / 2)
        self._next_at[operation] = self._clock() + 1 / self.rate(operation)

    def note_answered(self, operation: str) -> None:
        """Regain a part of the rate of an operation."""
        if operation in self._shares:
            self._shares[operation] = min(1, self._shares[operation] + _REGAINED_SHARE)
