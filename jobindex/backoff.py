"""Waiting times between attempts: exponential, with full jitter."""

import random


class Backoff:
    """Returns the seconds to wait before each further attempt; `reset` it after a success.

    Full jitter keeps clients that failed together from retrying together (AWS Architecture Blog, "Exponential Backoff
    And Jitter").
    """

    def __init__(self, *, first: float, greatest: float) -> None:
        self._first = first
        self._greatest = greatest
        self._attempts = 0

    def reset(self) -> None:
        """Start again from `first`."""
        self._attempts = 0

    def next_seconds(self) -> float:
        """Return the seconds to wait: at least a tenth of `first`, at most `greatest`."""
        ceiling = min(self._greatest, self._first * 2 ** min(self._attempts, 30))
        self._attempts += 1
        return random.uniform(self._first / 10, ceiling)
