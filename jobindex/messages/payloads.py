"""JSON payloads read member by member: each becomes a domain value or an error that names it.

Unknown members are ignored and null is absent. A known member of the wrong type, out of range or outside its enum
raises MessageError with its path, such as `execution.queuedAt`: every reader takes the object's members, a member's
name, and the path of the object with a trailing dot. Not chosen: an object around each JSON object, as making it
costs more than reading its members.
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
"""The times of a job or an execution. A stamp's time is the first present; `timestamp` comes after `lastUpdatedAt`."""

_YEAR_2100_MILLISECONDS = 4_102_444_800_000
_MILLISECONDS_FROM = 100_000_000_000  # 1e11 s is the year 5138; 1e11 ms is 1973
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_TIME = "a time in epoch seconds or milliseconds, from 0 to the year 2100"
_DECIMAL = re.compile(r"[0-9]{1,20}(?:\.[0-9]{1,20})?")
# Python accepts any separator of date and time, and 20201103 as a date: digits alone are seconds.
_ISO_8601 = re.compile(r"[0-9]{4}-?[0-9W][0-9-]{1,6}(?:[T ][0-9:.,]{2,20}(?:Z|[+-][0-9:]{2,8})?)?")
# Without NUL, at which SQLite ends a text in JSON.
_ARN = re.compile(r"arn:[^:/\0]+:[^:/\0]+:[^:/\0]*:[^:/\0]*:(?P<type>[^:/\0]+)/(?P<name>[^\0]+)")
_ARN_CHARACTERS = 2048

Members = Mapping[str, object]
"""The members of a JSON object."""

ValueT = TypeVar("ValueT")


def parse_payload(payload: bytes) -> dict[str, object]:
    """Return the members of a payload.

    Raises:
        MessageError: it is longer than 128 KiB, or not a JSON object in UTF-8.
    """
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise MessageError("payload", len(payload), f"a number of bytes up to {MAX_PAYLOAD_BYTES}")
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
    """Return a member that is a list; an absent one is empty."""
    value = members.get(name)
    if value is None:
        return ()
    if not isinstance(value, list):
        raise MessageError(path + name, value, "a list")
    return value


def read_text(members: Members, name: str, path: str = "", pattern: re.Pattern[str] | None = None) -> str | None:
    """Return a member that is a string and matches `pattern` in full."""
    value = members.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise MessageError(path + name, value, "a string")
    if pattern is not None and pattern.fullmatch(value) is None:
        raise MessageError(path + name, value, f"a match of {pattern.pattern}")
    return value


def read_bounded_text(members: Members, name: str, path: str, maximum: int) -> str | None:
    """Return a member that is a text of at most `maximum` characters, without NUL, which PostgreSQL cannot store."""
    value = members.get(name)
    if value is None:
        return None
    if not is_bounded_text(value, maximum):
        raise MessageError(path + name, value, f"a text of at most {maximum} characters, without NUL")
    return str(value)


def is_bounded_text(value: object, maximum: int) -> bool:
    """Return whether a value is a text that the index can keep."""
    return isinstance(value, str) and len(value) <= maximum and "\0" not in value


def check_same(members: Members, name: str, expected: str, path: str, pattern: re.Pattern[str]) -> None:
    """Check that a member, if present, says what the topic says: the topic wins."""
    value = members.get(name)
    if value is not None and value != expected:
        read_text(members, name, path, pattern)
        raise MessageError(path + name, value, f"{expected!r}, as the topic says")


def read_flag(members: Members, name: str, path: str = "") -> bool | None:
    """Return a member that is true or false."""
    value = members.get(name)
    if value is None or isinstance(value, bool):
        return value
    raise MessageError(path + name, value, "true or false")


def read_number(members: Members, name: str, path: str = "") -> int | None:
    """Return a member that is an integer from 0 to 2^63-1."""
    value = members.get(name)
    if value is None:
        return None
    if type(value) is not int or not 0 <= value <= MAX_NUMBER:
        raise MessageError(path + name, value, f"an integer from 0 to {MAX_NUMBER}")
    return value


def read_choice(members: Members, name: str, path: str, choices: Mapping[str, ValueT]) -> ValueT | None:
    """Return the value that `choices` has for a member that is one of its keys."""
    value = members.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise MessageError(path + name, value, "a string")
    if value not in choices:
        raise MessageError(path + name, value, f"one of {', '.join(choices)}")
    return choices[value]


def read_time(members: Members, name: str, path: str = "") -> int | None:
    """Return a member that is a time, in milliseconds since the epoch.

    It is epoch seconds, or milliseconds from 1e11 on, as a number or as digits in quotes; or ISO 8601 text, which is
    UTC without an offset.
    """
    value = members.get(name)
    return None if value is None else _milliseconds(value, path, name)


def read_times(members: Members, path: str) -> dict[str, int]:
    """Return those of TIMES that are present, in their order, as `read_time` does."""
    times = {}
    for name in TIMES:
        value = members.get(name)
        if value is not None:
            times[name] = _milliseconds(value, path, name)
    return times


def read_arns(members: Members, name: str, path: str = "") -> dict[str, tuple[str, str]] | None:
    """Return a member that is a list of ARNs, each with the type and the name of its resource."""
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
    """Return the type and the name of the resource in a member that is an ARN."""
    value = members.get(name)
    if value is None:
        return None
    resource = _parsed_arn(value)
    if resource is None:
        raise MessageError(path + name, value, "an ARN")
    return resource


def read_arn_name(members: Members, name: str, path: str, resource_type: str, pattern: re.Pattern[str]) -> str | None:
    """Return the name in a member that is the ARN of a `resource_type`."""
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
    """Return the milliseconds, or -1 if the text is not a time."""
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


@lru_cache(maxsize=1024)  # a job's targets, and the things that are busy, come again and again
def _parse_arn(arn: str) -> tuple[str, str] | None:
    # A thing group's name may hold ":", so the resource is split at the first "/".
    match = _ARN.fullmatch(arn)
    return None if match is None else (match["type"], match["name"])
