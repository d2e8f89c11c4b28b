"""JSON documents, broken as values and as bytes."""

import json
from collections.abc import Callable, Sequence
from copy import copy, deepcopy
from typing import Any

from fuzz.source import ODD_WORDS, Source

_YEAR_2100 = 4_102_444_800
ODD_VALUES: Sequence[Any] = (
    *(None, True, False, "", "x", [], {}, {"": None}),
    *(0, -0.0, -1, 1, 0.5, 0.0005, 1e-7, 1e11, 1e11 - 1, 99_999_999_999.9995, 1e308, -1e308),
    *(_YEAR_2100, _YEAR_2100 + 1, _YEAR_2100 - 0.0005, 1000 * _YEAR_2100, 1000 * _YEAR_2100 + 1, 1e11 + 0.5),
    *(2**31, 2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1, 2**64, -(2**63), 10**30),
    *("DELETED", "CANCELLATION_IN_PROGRESS", "QUEUED", "SUCCEEDED", "IN_PROGRESS", "completed", "\ud800", "a\0b"),
    *("0001-01-01T00:00:00+23:00", "9999-12-31T23:59:59-23:59", "2026-11-24T12:00:00.5Z", "2026-W48-2T12+00"),
)
"""Values of unexpected types and sizes."""
_MARKS = rb'" , : { } [ ] \u0000 \ud800 NaN 1e400 \ /**/ null'.split()
_PLACES_MAXIMUM = 1000
"""A document with more members is not broken further: it would only grow."""

Place = tuple[Any, Any]
"""An object or a list, and a name or an index in it."""


def broken(source: Source, value: Any, names: Sequence[str], *, at_most: int = 4) -> Any:
    """Return a copy of a document, broken in up to `at_most` ways; `names` are possible names of its members."""
    whole = {"": json.loads(json.dumps(value))}
    for _ in range(source.below(at_most + 1)):
        places = list(_places(whole))
        if len(places) > _PLACES_MAXIMUM:
            break
        source.pick(_WAYS)(source, *source.pick(places), names)
    return whole[""]


def encoded(source: Source, value: Any, *, maximum: int = 0) -> bytes:
    """Return a document as JSON in a random style, sometimes broken, or about `maximum` long."""
    text = json.dumps(
        value,
        ensure_ascii=not source.happens(2),
        separators=source.pick([None, (",", ":"), (" ,\n", "\t:\r\n ")]),
    )
    written = text.encode("utf-8", "surrogatepass")
    if source.happens(16):
        return source.broken(written, _MARKS)
    if maximum and source.happens(128):
        return _lengthened(source, written, maximum)
    return written


def _lengthened(source: Source, written: bytes, maximum: int) -> bytes:
    """Return an object with one more member, which is a repetition that makes the whole nearly too long."""
    room = max(maximum + source.pick([-1, 0, 1]) - len(written) - 10, 0)
    units = (b"1e5", b"{}", b'"\\u00e9"', b'{"a":{}}', b'{"jobId":"j"}')
    filling = source.pick(
        [
            b'"%s"' % (b"a" * (room - 2)),
            b"[" * (room // 2) + b"]" * (room // 2),
            b"9" * room,
            b"-0." + b"1" * (room - 3),
            *(b"[" + b",".join([unit] * (room // (len(unit) + 1))) + b"]" for unit in units),
        ]
    )
    name = source.pick([b"x", b"statusDetails", b"jobDocument", b"jobs", b"targets", b"execution", b"timestamp"])
    inner = written.strip()[1:] or b"}"
    return b'{"%s":%s%s%s' % (name, filling, b"" if inner.lstrip()[:1] == b"}" else b",", inner)


def _places(value: Any) -> list[Place]:
    inner: list[Place] = []
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for name, member in items:
        inner.append((value, name))
        if isinstance(member, dict | list):
            inner += _places(member)
    return inner


def _odd(source: Source, container: Any, name: Any, _: Sequence[str]) -> None:
    container[name] = copy(source.pick(ODD_VALUES))


def _odd_text(source: Source, container: Any, name: Any, _: Sequence[str]) -> None:
    value = container[name]
    if isinstance(value, str):
        container[name] = source.broken(value.encode("utf-8", "replace"), at_most=2).decode("utf-8", "replace")
    else:
        container[name] = source.pick(ODD_WORDS).decode("utf-8", "replace")


def _number(source: Source, container: Any, name: Any, _: Sequence[str]) -> None:
    value = container[name]
    if isinstance(value, int | float):
        by: Sequence[Callable[[Any], Any]] = (
            lambda number: number * 1000,
            lambda number: number / 1000,
            lambda number: number + 1,
            lambda number: number - 1,
            lambda number: -number,
            float,
            str,
            lambda number: number + 0.0005,
        )
        container[name] = source.pick(by)(value)
    else:
        container[name] = source.below(2**32)


def _remove(source: Source, container: Any, name: Any, _: Sequence[str]) -> None:
    if name == "":
        container[name] = source.pick([{}, None, []])
    else:
        del container[name]


def _rename(source: Source, container: Any, name: Any, names: Sequence[str]) -> None:
    if isinstance(container, dict) and name != "":
        container[source.pick(names)] = container.pop(name)


def _add(source: Source, container: Any, name: Any, names: Sequence[str]) -> None:
    value = container[name]
    if isinstance(value, dict):
        value[source.pick(names)] = copy(source.pick(ODD_VALUES))
    elif isinstance(value, list):
        value.extend(deepcopy(value[:2] * source.pick([1, 5, 20])))


def _wrap(source: Source, container: Any, name: Any, names: Sequence[str]) -> None:
    value = container[name]
    container[name] = [value] if source.byte() < 128 else {source.pick(names): value}


def _deepen(source: Source, container: Any, name: Any, _: Sequence[str]) -> None:
    value: Any = container[name]
    for _depth in range(source.pick([3, 30, 60])):
        value = [value]
    container[name] = value


def _move(source: Source, container: Any, name: Any, names: Sequence[str]) -> None:
    """Copy the members of an inner object up into its parent, or down into a new object."""
    value = container[name]
    if isinstance(value, dict) and isinstance(container, dict) and name != "":
        container.update(value)
    elif isinstance(value, dict) and value:
        container[name] = {source.pick(names): dict(value), **value}


_WAYS = (_odd, _odd, _odd_text, _number, _number, _remove, _rename, _add, _wrap, _deepen, _move)
