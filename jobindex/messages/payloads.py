"""Readers of JSON payloads: each member becomes a domain value, or an error that names it.

Unknown members are ignored and null is absent. A known member of the wrong type, out of range or outside its enum
raises MessageError with its path, such as `execution.queuedAt`; `path` is the object's, with a trailing dot. Not
chosen: a wrapper for each object, which costs more than reading it.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TypeVar

import orjson

from jobindex.errors import MessageError

MAX_PAYLOAD_BYTES = 128 * 1024
MAX_NUMBER = 2**63 - 1

TIMES = ("lastUpdatedAt", "completedAt", "startedAt", "queuedAt", "createdAt")
"""A stamp's time is the first present; `timestamp` comes after `lastUpdatedAt`."""

_YEAR_2100_MILLISECONDS = 4_102_444_800_000
_MILLISECONDS_FROM = 100_000_000_000  # 1e11 s is the year 5138; 1e11 ms is 1973
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_TIME = "a time in epoch seconds or milliseconds, from 0 to the year 2100"
_DECIMAL = re.compile(r"[0-9]{1,20}(?:\.[0-9]{1,20})?")
# Python accepts any separator of date and time, and digits alone, which are seconds here.
_ISO_8601 = re.compile(r"[0-9]{4}-?[0-9W][0-9-]{1,6}(?:[T ][0-9:.,]{2,20}(?:Z|[+-][0-9:]{2,8})?)?")
# No NUL: SQLite ends a JSON text there.
_ARN = re.compile(r"arn:[^:/\0]+:[^:/\0]+:[^:/\0]*:[^:/\0]*:(?P<type>[^:/\0]+)/(?P<name>[^\0]+)")
_ARN_CHARACTERS = 2048

Members = Mapping[str, object]

ValueT = TypeVar("ValueT")


def parse_payload(payload: bytes) -> dict[str, object]:
    """Return the members of a payload.

    Raises:
        MessageError: it has more than 128 KiB, or is not a JSON object.
    """
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise MessageError("payload", len(payload), f"at most {MAX_PAYLOAD_BYTES} bytes")
    try:
        value = orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        raise MessageError("payload", payload, f"JSON in UTF-8 ({error})") from error
    if not isinstance(value, dict):
        raise MessageError("payload", value, "a JSON object")
    return value


def read_object(members: Members, name: str, path: str = "") -> dict[str, object] | None:
    """Return a member that is an object."""
    value = members.get(name)
    if value is None or isinstance(value, dict):
        return value
    raise MessageError(path + name, value, "an object")


def read_list(members: Members, name: str, path: str = "") -> Sequence[object]:
    """Return a member that is a list; empty if absent."""
    value = members.get(name)
    if value is None:
        return ()
    if not isinstance(value, list):
        raise MessageError(path + name, value, "a list")
    return value


def read_text(members: Members, name: str, path: str = "", pattern: re.Pattern[str] | None = None) -> str | None:
    """Return a string that matches `pattern` in full."""
    value = members.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise MessageError(path + name, value, "a string")
    if pattern is not None and pattern.fullmatch(value) is None:
        raise MessageError(path + name, value, f"a match of {pattern.pattern}")
    return value


def read_bounded_text(members: Members, name: str, path: str, maximum: int) -> str | None:
    """Return a text of at most `maximum` characters, without NUL."""
    value = members.get(name)
    if value is None:
        return None
    if not is_bounded_text(value, maximum):
        raise MessageError(path + name, value, f"a text of at most {maximum} characters, without NUL")
    return str(value)


def is_bounded_text(value: object, maximum: int) -> bool:
    """Return whether a value is a text that can be stored: PostgreSQL refuses NUL."""
    return isinstance(value, str) and len(value) <= maximum and "\0" not in value


def check_same(members: Members, name: str, expected: str, path: str, pattern: re.Pattern[str]) -> None:
    """Check that a member, if present, equals the topic's."""
    value = members.get(name)
    if value is not None and value != expected:
        read_text(members, name, path, pattern)
        raise MessageError(path + name, value, f"{expected!r} as in the topic")


def read_flag(members: Members, name: str, path: str = "") -> bool | None:
    """Return a boolean."""
    value = members.get(name)
    if value is None or isinstance(value, bool):
        return value
    raise MessageError(path + name, value, "true or false")


def read_number(members: Members, name: str, path: str = "") -> int | None:
    """Return an integer from 0 to 2^63-1."""
    value = members.get(name)
    if value is None:
        return None
    if type(value) is not int or not 0 <= value <= MAX_NUMBER:
        raise MessageError(path + name, value, f"an integer from 0 to {MAX_NUMBER}")
    return value


def read_choice(members: Members, name: str, path: str, choices: Mapping[str, ValueT]) -> ValueT | None:
    """Return the value in `choices` for a member."""
    value = members.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise MessageError(path + name, value, "a string")
    if value not in choices:
        raise MessageError(path + name, value, f"one of {', '.join(choices)}")
    return choices[value]


def read_time(members: Members, name: str, path: str = "") -> int | None:
    """Return a time in milliseconds since the epoch.

    Numbers and quoted digits are epoch seconds, or milliseconds from 1e11 on. Other text is ISO 8601, by default in
    UTC.
    """
    value = members.get(name)
    return None if value is None else _milliseconds(value, path, name)


def read_times(members: Members, path: str) -> dict[str, int]:
    """Return the TIMES that are present, in order."""
    times = {}
    for name in TIMES:
        value = members.get(name)
        if value is not None:
            times[name] = _milliseconds(value, path, name)
    return times


def read_arns(members: Members, name: str, path: str = "") -> dict[str, tuple[str, str]] | None:
    """Return ARNs with the type and name of their resources."""
    value = members.get(name)
    if value is None:
        return None
    if not isinstance(value, list):
        raise MessageError(path + name, value, "a list of ARNs")
    arns = {}
    for item in value:
        resource = _parsed_arn(item)
        if resource is None:
            raise MessageError(f"{path}{name}[{value.index(item)}]", item, "an ARN")
        arns[str(item)] = resource
    return arns


def read_resource(members: Members, name: str, path: str = "") -> tuple[str, str] | None:
    """Return the type and name of an ARN's resource."""
    value = members.get(name)
    if value is None:
        return None
    resource = _parsed_arn(value)
    if resource is None:
        raise MessageError(path + name, value, "an ARN")
    return resource


def read_arn_name(members: Members, name: str, path: str, resource_type: str, pattern: re.Pattern[str]) -> str | None:
    """Return the name in the ARN of a `resource_type`."""
    resource = read_resource(members, name, path)
    if resource is None:
        return None
    if resource[0] != resource_type or pattern.fullmatch(resource[1]) is None:
        raise MessageError(path + name, members[name], f"the ARN of a {resource_type}")
    return resource[1]


def _milliseconds(value: object, path: str, name: str) -> int:
    if type(value) is int or type(value) is float:
        milliseconds: float = value if value >= _MILLISECONDS_FROM else value * 1000
    else:
        milliseconds = _from_text(value) if isinstance(value, str) else -1
    if not 0 <= milliseconds <= _YEAR_2100_MILLISECONDS:
        raise MessageError(path + name, value, _TIME)
    return milliseconds if type(milliseconds) is int else round(milliseconds)


def _from_text(text: str) -> float:
    if _DECIMAL.fullmatch(text):
        number = float(text) if "." in text else int(text)
        return number if number >= _MILLISECONDS_FROM else number * 1000
    if _ISO_8601.fullmatch(text) is None:
        return -1
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return -1
    return ((time if time.tzinfo else time.replace(tzinfo=UTC)) - _EPOCH) / _MILLISECOND


def _parsed_arn(value: object) -> tuple[str, str] | None:
    return _parse_arn(value) if isinstance(value, str) and len(value) <= _ARN_CHARACTERS else None


@lru_cache(maxsize=1024)  # targets and busy things repeat
def _parse_arn(arn: str) -> tuple[str, str] | None:
    # A thing group's name may contain ":": split at the first "/".
    match = _ARN.fullmatch(arn)
    return None if match is None else (match["type"], match["name"])
