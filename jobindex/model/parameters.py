"""Parameters of HTTP operations: their constraints, and validation errors in AWS's words.

A constraint both validates a value and renders its JSON Schema, so that an operation and /openapi.json agree. Names,
limits and patterns are AWS's.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

from jobindex.errors import InvalidRequestException

MAX_RESULTS = 250

_INTEGER = re.compile(r"-?[0-9]{1,4000}")

EnumT = TypeVar("EnumT", bound=StrEnum)
Schema = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Integer:
    """An integer parameter."""

    least: int
    greatest: int
    default: int | None = None

    def problems(self, value: str) -> Iterator[str]:
        """Yield the violated constraints."""
        if _INTEGER.fullmatch(value) is None:
            yield "Member must be an integer"
        elif int(value) > self.greatest:
            yield f"Member must have value less than or equal to {self.greatest}"
        elif int(value) < self.least:
            yield f"Member must have value greater than or equal to {self.least}"

    def schema(self) -> Schema:
        """Return the JSON Schema."""
        schema: Schema = {"type": "integer", "minimum": self.least, "maximum": self.greatest}
        return schema if self.default is None else {**schema, "default": self.default}


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A text of bounded length that matches a pattern."""

    pattern: str | None = None
    least_length: int = 0
    greatest_length: int | None = None
    is_required: bool = False

    def problems(self, value: str) -> Iterator[str]:
        """Yield the violated constraints."""
        if len(value) < self.least_length:
            yield f"Member must have length greater than or equal to {self.least_length}"
        elif self.greatest_length is not None and len(value) > self.greatest_length:
            yield f"Member must have length less than or equal to {self.greatest_length}"
        if self.pattern is not None and re.fullmatch(self.pattern, value) is None:
            yield f"Member must satisfy regular expression pattern: {self.pattern}"

    def schema(self) -> Schema:
        """Return the JSON Schema."""
        return {
            "type": "string",
            **({"pattern": f"^{self.pattern}$"} if self.pattern is not None else {}),
            **({"minLength": self.least_length} if self.least_length else {}),
            **({"maxLength": self.greatest_length} if self.greatest_length is not None else {}),
        }


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a closed set."""

    values: Iterable[str]

    def problems(self, value: str) -> Iterator[str]:
        """Yield the violated constraints."""
        if value not in tuple(self.values):
            yield f"Member must satisfy enum value set: [{', '.join(self.values)}]"

    def schema(self) -> Schema:
        """Return the JSON Schema."""
        return {"type": "string", "enum": [str(value) for value in self.values]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Several:
    """The values of a repeated parameter."""

    of: Integer | Text
    least: int
    greatest: int

    @property
    def times(self) -> str:
        """The problem of too few or too many values."""
        return f"Member must be given 1 to {self.greatest} times"

    def schema(self) -> Schema:
        """Return the JSON Schema."""
        return {"type": "array", "items": self.of.schema(), "minItems": 1, "maxItems": self.greatest}


Constraint = Integer | Text | Choice | Several
Constraints = Mapping[str, Constraint]

JOB_ID = Text(pattern="[a-zA-Z0-9_-]+", least_length=1, greatest_length=64)
THING_NAME = Text(pattern="[a-zA-Z0-9:_-]+", least_length=1, greatest_length=128)
NAMESPACE_ID = Text(pattern="[a-zA-Z0-9_-]+")
THING_GROUP_ID = Text(pattern=r"[a-zA-Z0-9\-]+", least_length=1, greatest_length=128)
THING_GROUP_NAME = Text(pattern="[a-zA-Z0-9:_-]+", least_length=1, greatest_length=128)
PAGE_SIZE = Integer(least=1, greatest=MAX_RESULTS, default=MAX_RESULTS)


class Values:
    """Validated parameters, with defaults."""

    def __init__(self, values: Mapping[str, Sequence[str]]) -> None:
        self._values = values
        self.body: Mapping[str, Any] = {}
        """The validated members of the body, if the operation has one."""

    def text(self, name: str) -> str:
        """Return a text; empty if absent."""
        return self.optional(name) or ""

    def optional(self, name: str) -> str | None:
        """Return a text; None if absent."""
        return self._values[name][0] if name in self._values else None

    def choice(self, name: str, kind: type[EnumT]) -> EnumT | None:
        """Return an enum's member; None if absent."""
        return kind(self._values[name][0]) if name in self._values else None

    def integer(self, name: str) -> int:
        """Return an integer, or its default."""
        return int(self._values[name][0])

    def texts(self, name: str) -> list[str]:
        """Return the texts of a repeated parameter."""
        return [*self._values.get(name, ())]

    def integers(self, name: str) -> list[int]:
        """Return the integers of a repeated parameter."""
        return [int(value) for value in self._values.get(name, ())]


def parse_parameters(
    constraints: Constraints, parameters: Iterable[tuple[str, str]], *, refuses_unknown: bool = False
) -> Values:
    """Return the values of parameters; unknown ones are ignored unless `refuses_unknown`.

    Raises:
        InvalidRequestException: parameters violate their constraints; it names all of them.
    """
    given: dict[str, list[str]] = {}
    problems: list[str] = []
    for name, value in parameters:
        if name in constraints:
            given.setdefault(name, []).append(value)
        elif refuses_unknown:
            known = ", ".join(constraints) or "none"
            problems.append(problem(name, value, f"Member must be one of the known parameters: {known}"))
    for name, values in given.items():
        if len(values) > 1 and not isinstance(constraints[name], Several):
            problems.append(problem(name, values, "Member must not be repeated"))
    for name in dict.fromkeys((*given, *constraints)):
        problems += _problems(name, constraints[name], given.get(name, ()))
    if problems:
        raise invalid(*problems)
    return Values({**_defaults(constraints), **given})


def problem(name: str, value: object, constraint: str) -> str:
    """Return AWS's message for a violated constraint."""
    return f"Value '{value}' at '{name}' failed to satisfy constraint: {constraint}"


def missing(name: str) -> str:
    """Return AWS's message for a required member that is absent."""
    return f"Value null at '{name}' failed to satisfy constraint: Member must not be null"


def invalid(*problems: str) -> InvalidRequestException:
    """Return the error with all problems."""
    count = f"{len(problems)} validation error{'s' if len(problems) > 1 else ''} detected"
    return InvalidRequestException(f"{count}: {'; '.join(problems)}")


def _problems(name: str, constraint: Constraint, values: Sequence[str]) -> Iterator[str]:
    if isinstance(constraint, Several):
        if not constraint.least <= len(values) <= constraint.greatest:
            yield problem(name, len(values), constraint.times)
        yield from (problem(name, value, violated) for value in values for violated in constraint.of.problems(value))
    elif not values and isinstance(constraint, Text) and constraint.is_required:
        yield missing(name)
    elif values:
        yield from (problem(name, values[-1], violated) for violated in constraint.problems(values[-1]))


def _defaults(constraints: Constraints) -> dict[str, list[str]]:
    return {
        name: [str(constraint.default)]
        for name, constraint in constraints.items()
        if isinstance(constraint, Integer) and constraint.default is not None
    }
