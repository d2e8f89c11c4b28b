"""Runs a target for some time, or until a property does not hold."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from random import Random
from traceback import format_exception
from typing import Any

from fuzz.source import Source
from fuzz.target import Target

CASE_BYTES = 384
"""The maximum length of a case's bytes; after them, each choice is the simplest."""
_TRIES = 3000
"""The maximum number of attempts to simplify a failing case."""
_TRY_SECONDS = 60
"""The maximum time of these attempts."""

Open = Callable[[], AbstractContextManager[Target[Any]]]
"""Opens a target, with everything it needs while it is fuzzed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The result of fuzzing a target."""

    name: str
    cases: int
    seconds: float
    finding: str | None = None
    """The case in its simplest form, and its exception. None if all properties held."""

    def __str__(self) -> str:
        """Return a line, followed by the finding."""
        told = f"{self.name:<14} {self.cases:>9} cases in {self.seconds:6.1f} s: "
        return told + ("nothing found" if self.finding is None else f"FOUND\n{self.finding}")


def fuzz(
    name: str, opened: Open, *, seconds: float = 0, cases: int = 0, seed: int = 1, is_made_simple: bool = True
) -> Outcome:
    """Fuzz a target for some time, or with a number of cases; a finding ends the run.

    The seed determines the cases: only their number in a given time differs from run to run.
    """
    random, tried, started = Random(seed), 0, time.monotonic()
    with opened() as target:
        while tried < cases or (not cases and time.monotonic() - started < seconds):
            tried += 1
            data = random.randbytes(CASE_BYTES)
            if error := raised_by(target, data):
                finding = told_of(target, data) if is_made_simple else repr(error)
                return Outcome(name=name, cases=tried, seconds=time.monotonic() - started, finding=finding)
    return Outcome(name=name, cases=tried, seconds=time.monotonic() - started)


def raised_by(target: Target[Any], data: bytes) -> Exception | None:
    """Return the exception that a target raises for the case made of some bytes. None if all properties hold."""
    case = target.make(Source(data))
    try:
        target.check(case)
    except Exception as error:  # noqa: BLE001 (any exception is a finding)
        return error
    return None


def told_of(target: Target[Any], data: bytes) -> str:
    """Return the simplest form of a failing case, and its exception."""
    error = raised_by(target, data)
    if error is None:
        return f"{target.make(Source(data))!r}\n{data.hex()}\nIt did not fail again: the target has kept state.\n"
    data = simplest(data, lambda simpler: raised_by(target, simpler) is not None)
    error = raised_by(target, data) or error
    return f"{target.make(Source(data))!r}\n{data.hex()}\n{''.join(format_exception(error, limit=-8))}"


def simplest(data: bytes, fails: Callable[[bytes], bool]) -> bytes:
    """Return the simplest bytes found that still fail: fewer bytes, zeros, lower numbers."""
    tries, end = 0, time.monotonic() + _TRY_SECONDS

    def try_(simpler: bytes) -> bool:
        nonlocal data, tries
        tries += 1
        if simpler == data or tries > _TRIES or time.monotonic() > end or not fails(simpler):
            return False
        data = simpler
        return True

    former = None
    while data != former and tries <= _TRIES:
        former = data
        length = len(data) // 2
        while length:
            for start in reversed(range(0, len(data), length)):
                before, part, behind = data[:start], data[start : start + length], data[start + length :]
                _ = try_(before + behind) or try_(before + bytes(len(part)) + behind)
            length //= 2
        for place in range(len(data)):
            for byte in (0, data[place] >> 4, data[place] >> 1, data[place] - 1):
                if 0 <= byte < data[place] and try_(data[:place] + bytes([byte]) + data[place + 1 :]):
                    break
        data = data.rstrip(b"\0") if fails(data.rstrip(b"\0")) else data
    return data
