"""Waiting for a condition with a limit, never a plain sleep."""

import os
import time
from collections.abc import Callable
from typing import TypeVar

import pytest

T = TypeVar("T")


def wait_until(condition: Callable[[], T], what: str, seconds: float = 15) -> T:
    """Return the result of `condition` once it is true; fail if it is not within `seconds`."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > end:
            pytest.fail(f"waited {seconds} s in vain for {what}")
        time.sleep(0.02)
    return value


def require(name: str, *, found: bool) -> None:
    """Skip a test or a module if a requirement was not found; fail instead if JOBINDEX_TEST_REQUIRE names it."""
    if found:
        return
    if name in os.environ.get("JOBINDEX_TEST_REQUIRE", "").split(","):
        pytest.fail(f"{name} is not there, and JOBINDEX_TEST_REQUIRE names it")
    pytest.skip(f"{name} is not there", allow_module_level=True)
