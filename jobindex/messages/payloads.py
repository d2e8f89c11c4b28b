"""JSON payloads read member by member: each becomes a domain value or an error that names it.

Unknown members are ignored and null is absent. A known member of the wrong type, out of range or outside
its enum raises MessageError with its path, such as `execution.queuedAt`.
"""

import re
from collections.abc import Iterator, Mapping, Sequence, Set
from datetime import datetime
from typing import TypeVar

import orjson

from jobindex.errors import MessageError
from jobindex.model.jobs import from_milliseconds

MAX_PAYLOAD_BYTES = 128 * 1024

_YEAR_2100_MILLISECONDS = 4_102_444_800_000
_MILLISECONDS_FROM = 100_000_000_000  # 1e11 s is the year 5138; 1e11 ms is 1973
_MAX_NUMBER = 2**63 - 1
# Without NUL, at which SQLite ends a text in JSON.
_ARN = re.compile(r"arn:[^:/\0]+:[^:/\0]+:[^:/\0]*:[^:/\0]*:(?P<type>[^:/\0]+)/(?P<name>[^\0]+)")
_ARN_CHARACTERS = 2048
_TIME = "a time in epoch seconds or milliseconds, from 0 to the year 2100"

ValueT = TypeVar("ValueT")


class Members:
    """The members of a JSON object, read by name; `path` is where the object stands in the payload."""

    __slots__ = ("_members", "_path")

    def __init__(self, members: dict[str, object], path: str = "") -> None:
        if None in members.values():
            members = {name: value for name, value in members.items() if value is not None}
        self._members = members
        self._path = path

    def __contains__(self, name: str) -> bool:
        return name in self._members

    def holds_any(self, names: Set[str]) -> bool:
        """Tell whether any of these members stands."""
        return not self._members.keys().isdisjoint(names)

    def field(self, name: str) -> str:
        """Return the path of a member, for error messages."""
        return f"{self._path}{name}"

    def value(self, name: str) -> object:
        """Return a member as it stands, None where it is absent."""
        return self._members.get(name)

    def error(self, name: str, expected: str) -> MessageError:
        """Return the error that says the member is not what was expected."""
        return MessageError(self.field(name), self.value(name), expected)

    def object(self, name: str) -> "Members | None":
        """Return a member that is an object."""
        value = self.value(name)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise self.error(name, "an object")
        return Members(value, f"{self.field(name)}.")

    def objects(self, name: str) -> "Iterator[Members]":
        """Yield the objects of a member that is a list of objects."""
        value = self.value(name)
        if value is None:
            return
        if not isinstance(value, list):
            raise self.error(name, "a list")
        for index, item in enumerate(value):
            if not isinstance(item, dict):
                raise MessageError(f"{self.field(name)}[{index}]", item, "an object")
            yield Members(item, f"{self.field(name)}[{index}].")

    def text(self, name: str, pattern: re.Pattern[str] | None = None) -> str | None:
        """Return a member that is a string, and matches `pattern` in full."""
        value = self._members.get(name)
        if value is None:
            return None
        if not isinstance(value, str):
            raise self.error(name, "a string")
        if pattern is not None and pattern.fullmatch(value) is None:
            raise self.error(name, f"a match of {pattern.pattern}")
        return value

    def same(self, name: str, expected: str, pattern: re.Pattern[str]) -> None:
        """Check that a member, where it stands, says what the topic says: the topic wins."""
        if name in self._members and self.text(name, pattern) != expected:
            raise self.error(name, f"{expected!r}, as the topic says")

    def flag(self, name: str) -> bool | None:
        """Return a member that is true or false."""
        value = self.value(name)
        if value is None or isinstance(value, bool):
            return value
        raise self.error(name, "true or false")

    def number(self, name: str) -> int | None:
        """Return a member that is an integer from 0 to 2^63-1."""
        value = self.value(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MAX_NUMBER:
            raise self.error(name, f"an integer from 0 to {_MAX_NUMBER}")
        return value

    def choice(self, name: str, choices: Mapping[str, ValueT]) -> ValueT | None:
        """Return what `choices` holds for a member that is one of its keys."""
        value = self.text(name)
        if value is None:
            return None
        if value not in choices:
            raise self.error(name, f"one of {', '.join(choices)}")
        return choices[value]

    def time(self, name: str) -> datetime | None:
        """Return a member that is a time: epoch seconds, or milliseconds from 1e11 on; as UTC to the millisecond."""
        value = self._members.get(name)
        return None if value is None else _parse_time(self.field(name), value)

    def times(self, names: Sequence[str]) -> dict[str, datetime]:
        """Return those of these members that stand, in this order, each a time as above."""
        members = self._members
        return {name: _parse_time(self.field(name), members[name]) for name in names if name in members}

    def arns(self, name: str) -> list[tuple[str, str]] | None:
        """Return a member that is a list of ARNs, each as the type and the name of what it names."""
        value = self.value(name)
        if value is None:
            return None
        if not isinstance(value, list):
            raise self.error(name, "a list of ARNs")
        return [_split_arn(f"{self.field(name)}[{index}]", item) for index, item in enumerate(value)]

    def arn_name(self, name: str, resource_type: str, pattern: re.Pattern[str]) -> str | None:
        """Return the name in a member that is an ARN of something of `resource_type`."""
        value = self.value(name)
        if value is None:
            return None
        found_type, found_name = _split_arn(self.field(name), value)
        if found_type != resource_type or pattern.fullmatch(found_name) is None:
            raise self.error(name, f"the ARN of a {resource_type}")
        return found_name


def parse_payload(payload: bytes) -> Members:
    """Return the members of a payload.

    Raises:
        MessageError: it is longer than 128 KiB, or no JSON object in UTF-8.
    """
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise MessageError("payload", len(payload), f"a number of bytes up to {MAX_PAYLOAD_BYTES}")
    try:
        value = orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        raise MessageError("payload", payload, f"JSON in UTF-8 ({error})") from error
    if not isinstance(value, dict):
        raise MessageError("payload", value, "a JSON object")
    return Members(value)


def _parse_time(field: str, value: object) -> datetime:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise MessageError(field, value, _TIME)
    milliseconds = value if value >= _MILLISECONDS_FROM else value * 1000
    if not 0 <= milliseconds <= _YEAR_2100_MILLISECONDS:
        raise MessageError(field, value, _TIME)
    return from_milliseconds(round(milliseconds))


def _split_arn(field: str, value: object) -> tuple[str, str]:
    # A thing group's name may hold ":", so the resource is split at the first "/".
    match = _ARN.fullmatch(value) if isinstance(value, str) and len(value) <= _ARN_CHARACTERS else None
    if match is None:
        raise MessageError(field, value, "an ARN")
    return match["type"], match["name"]
