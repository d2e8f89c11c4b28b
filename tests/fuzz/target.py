"""What is fuzzed: how a case is made of choices, and what must hold of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from fuzz.source import Source

CaseT = TypeVar("CaseT")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target(Generic[CaseT]):
    """Something that takes what others send."""

    make: Callable[[Source], CaseT]
    """Makes a case; the same of the same bytes."""
    check: Callable[[CaseT], None]
    """Returns where all holds of a case; raises whatever else where something does not."""


def expect(*, that: bool, of: object = "") -> None:
    """Go on where something holds; what it does not hold of is told."""
    if not that:
        raise AssertionError(of)
