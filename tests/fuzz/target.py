"""A target of the fuzzers: the way from choices to a case, and the properties that must hold for it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from fuzz.source import Source

CaseT = TypeVar("CaseT")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target(Generic[CaseT]):
    """A part of the product that accepts input from outside."""

    make: Callable[[Source], CaseT]
    """Makes a case; the same bytes make the same case."""
    check: Callable[[CaseT], None]
    """Returns if all properties hold for a case; otherwise raises any exception."""


def expect(*, that: bool, of: object = "") -> None:
    """Raise an error about `of` if a property does not hold."""
    if not that:
        raise AssertionError(of)
