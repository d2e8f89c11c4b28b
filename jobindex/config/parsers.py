"""Parsers that several settings share; each returns a value or raises ValueError."""

import re
from collections.abc import Callable
from typing import TypeVar

_Value = TypeVar("_Value")
_Choice = TypeVar("_Choice", bound=str)


def matching(pattern: str, expected: str, convert: Callable[[str], _Value]) -> Callable[[str], _Value]:
    """Return a parser that converts a text if all of it matches the pattern."""

    def parse(text: str) -> _Value:
        if re.fullmatch(pattern, text) is None:
            raise ValueError(f"{text!r} is not {expected}")
        return convert(text)

    return parse


def choice(choices: tuple[_Choice, ...]) -> Callable[[str], _Choice]:
    """Return a parser of one of several texts."""

    def parse(text: str) -> _Choice:
        if text not in choices:
            raise ValueError(f"{text!r} is not one of {', '.join(choices)}")
        return choices[choices.index(text)]

    return parse


def comma_separated(problem_of: Callable[[str], str | None]) -> Callable[[str], tuple[str, ...]]:
    """Return a parser of comma-separated items; `problem_of` checks each."""

    def parse(text: str) -> tuple[str, ...]:
        items = tuple(dict.fromkeys(item.strip() for item in text.split(",")))
        if problems := [problem for item in items if (problem := problem_of(item))]:
            raise ValueError(*problems)
        return items

    return parse
