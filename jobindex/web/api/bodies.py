"""The body of a request: a JSON object, whose members are validated and described by the same declaration."""

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.requests import ClientDisconnect, Request

from jobindex.errors import InvalidRequestException, shown
from jobindex.model.parameters import Choice, Schema, Text, invalid, missing, problem

_SECONDS_MAXIMUM = 4_102_444_800
"""The year 2100."""


@dataclass(frozen=True, slots=True)
class Seconds:
    """A time in seconds since the epoch."""

    def problems(self, value: object) -> Iterator[str]:
        """Yield the violated constraint."""
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _SECONDS_MAXIMUM:
            yield f"Member must be a number from 0 to {_SECONDS_MAXIMUM}"

    def schema(self) -> Schema:
        """Return the JSON Schema."""
        return {
            "type": "number",
            "minimum": 0,
            "maximum": _SECONDS_MAXIMUM,
            "description": "Seconds since the epoch.",
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Objects:
    """A list of 1 to `greatest` objects."""

    greatest: int

    def problems(self, value: object) -> Iterator[str]:
        """Yield the violated constraint."""
        if not isinstance(value, list) or not 1 <= len(value) <= self.greatest:
            yield f"Member must be a list of 1 to {self.greatest} objects"
        elif not all(isinstance(item, dict) for item in value):
            yield "Member must contain only objects"

    def schema(self) -> Schema:
        """Return the JSON Schema."""
        return {"type": "array", "items": {"type": "object"}, "minItems": 1, "maxItems": self.greatest}


@dataclass(frozen=True, slots=True)
class Flag:
    """True or false."""

    def problems(self, value: object) -> Iterator[str]:
        """Yield the violated constraint."""
        if not isinstance(value, bool):
            yield "Member must be true or false"

    def schema(self) -> Schema:
        """Return the JSON Schema."""
        return {"type": "boolean"}


BodyConstraint = Text | Choice | Seconds | Objects | Flag


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """The members of a body; others are refused."""

    members: Mapping[str, BodyConstraint]
    required: Set[str]

    def parse(self, content: bytes) -> Mapping[str, Any]:
        """Return the members of a body that are present.

        Raises:
            InvalidRequestException: it is not a JSON object, or members violate their constraints; it names all of
                them.
        """
        try:
            given = orjson.loads(content)
        except orjson.JSONDecodeError as error:
            raise invalid(
                problem("body", _shown(content.decode(errors="replace")), f"Member must be JSON in UTF-8 ({error})")
            ) from error
        if not isinstance(given, dict):
            raise invalid(problem("body", shown(given), "Member must be a JSON object"))
        unknown = given.keys() - self.members.keys()
        problems = [missing(name) for name in sorted(self.required - given.keys())]
        if unknown:
            known = f"Member must have only the known members: {', '.join(self.members)}"
            problems.append(problem("body", shown(sorted(unknown)), known))
        for name, constraint in self.members.items():
            if name in given:
                value = given[name]
                problems += [problem(name, _shown(value), violated) for violated in _problems(constraint, value)]
        if problems:
            raise invalid(*problems)
        return given

    def schema(self) -> Schema:
        """Return the JSON Schema."""
        return {
            "type": "object",
            "properties": {name: constraint.schema() for name, constraint in self.members.items()},
            "required": sorted(self.required),
            "additionalProperties": False,
        }


async def read_body(request: Request) -> bytes:
    """Return the body of a request; `web/protocol.py` refuses long and slow bodies.

    Raises:
        InvalidRequestException: the client has not sent all of it.
    """
    try:
        return await request.body()
    except ClientDisconnect as error:
        raise InvalidRequestException("The body is incomplete.") from error


def _problems(constraint: BodyConstraint, value: object) -> Iterator[str]:
    if isinstance(constraint, Text | Choice):
        return constraint.problems(value) if isinstance(value, str) else iter(["Member must be a string"])
    return constraint.problems(value)


def _shown(value: object) -> str:
    return shown(value).strip("'") if isinstance(value, str) else shown(value)
