"""Waiting for what must come: a condition with a limit."""

import time
from collections.abc import Callable
from typing import TypeVar

from bench.errors import BenchError

T = TypeVar("T")


def wait_until(condition: Callable[[], T], what: str, seconds: float, *, every: float = 0.02) -> T:
    """Return what `condition` returns once it is true.

    Raises:
        BenchError: it was not within `seconds`.
    """
    end = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > end:
            raise BenchError(f"waited {seconds:.0f} s in vain for {what}")
        time.sleep(every)
    return value
