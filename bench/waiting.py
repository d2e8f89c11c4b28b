"""Waiting for a condition, with a timeout."""

import time
from collections.abc import Callable
from typing import TypeVar

from bench.errors import BenchError

T = TypeVar("T")


def wait_until(condition: Callable[[], T], what: str, seconds: float, *, every: float = 0.02) -> T:
    """Return the first true value of `condition`.

    Raises:
        BenchError: the timeout of `seconds` expired.
    """
    end = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > end:
            raise BenchError(f"timed out after {seconds:.0f} s waiting for {what}")
        time.sleep(every)
    return value
