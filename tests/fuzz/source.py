"""Choices made from bytes, so that every generator of bytes generates cases: random numbers, or atheris.

A byte of 0, like the end of the bytes, makes the simplest choice: the first value, no change. So failing bytes are
simplified without knowing their meaning. Not chosen: Hypothesis's strategies, which make a tenth as many cases in the
same time, and get no coverage of a case.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")

ODD_WORDS: Sequence[bytes] = (
    *(bytes([byte]) for byte in b"\n\r\t\0 /+#$-_:.,;=&?%~'\"\\<>{}[]()|@*^!\x7f\x1c\x85\xa0\xff"),
    *b".. // %00 %2f %2F %2e%2e % %zz %25 %0a %0D%0A %C3%A9 %ed%a0%80 0 -1 00 1e9 1_0 0x1 null None true {} []".split(),
    b"9" * 19,
    b"9" * 40,
    "\u0663".encode(),  # a digit, but not ASCII
    "\u00b2".encode(),  # str.isdigit() is true, but int() refuses it
    "\u212a".encode(),  # a letter whose lower case is "k"
    "\u00e9".encode(),
    "\u2028".encode(),
    "\ufeff".encode(),
    "\U0001f4a9".encode(),
    b"\xed\xa0\x80",  # a lone surrogate
    b"\xc0\xaf",  # an overlong "/"
    b"<script>alert(1)</script>",
    b"{{7*7}}",
    b"' OR 1=1 --",
    b"\r\nx-forged: 1",
    b"A" * 64,
    b"a" * 600,
)
"""Words that confuse parsers."""


class Source:
    """Makes each choice from the next bytes."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._place = 0

    def twin(self) -> "Source":
        """Return a source that makes the same choices from here on."""
        return Source(self._data[self._place :])

    def byte(self) -> int:
        """Return a number below 256."""
        place = self._place
        self._place = place + 1
        return self._data[place] if place < len(self._data) else 0

    def below(self, limit: int) -> int:
        """Return a number below `limit`."""
        number, room = self.byte(), 256
        while room < limit:
            number, room = number * 256 + self.byte(), room * 256
        return number % limit

    def pick(self, values: Sequence[T]) -> T:
        """Return one of the values."""
        return values[self.below(len(values))]

    def happens(self, one_in: int) -> bool:
        """Return True once in `one_in` times, which is at most 256."""
        return self.byte() >= 256 - 256 // one_in

    def some(self, make: Callable[[], T], at_most: int) -> list[T]:
        """Return up to `at_most` values of `make`."""
        return [make() for _ in range(self.below(at_most + 1))]

    def word(self, words: Sequence[bytes] = ()) -> bytes:
        """Return a word of the input's own language, or an odd one."""
        return self.pick(words) if words and self.byte() < 128 else self.pick(ODD_WORDS)

    def name(self, names: Sequence[str]) -> str:
        """Return one of the names, sometimes longer or odder, and perhaps invalid."""
        name = self.pick(names)
        if not self.happens(8):
            return name
        match self.below(5):
            case 0:
                return name * (2 + self.below(64))
            case 1:
                return name + self.word().decode("utf-8", "replace")
            case 2:
                return ""
            case 3:
                return name.swapcase()
            case _:
                return self.pick(["next-", "namespace-", "notify-", "$next", "accepted", "start-next"]) + name

    def broken(self, value: bytes, words: Sequence[bytes] = (), *, at_most: int = 3) -> bytes:
        """Return a value, broken in up to `at_most` ways."""
        for _ in range(self.below(at_most + 1)):
            value = self.pick(_WAYS)(self, value, words)
        return value

    def span(self, length: int) -> tuple[int, int]:
        """Return the start and the end of a short part of a value of some length."""
        start = self.below(length + 1)
        return start, min(length, start + 1 + self.below(8))


def _insert(source: Source, value: bytes, words: Sequence[bytes]) -> bytes:
    place = source.below(len(value) + 1)
    return value[:place] + source.word(words) + value[place:]


def _append(source: Source, value: bytes, words: Sequence[bytes]) -> bytes:
    return value + source.word(words)


def _prepend(source: Source, value: bytes, words: Sequence[bytes]) -> bytes:
    return source.word(words) + value


def _replace(source: Source, value: bytes, words: Sequence[bytes]) -> bytes:
    start, end = source.span(len(value))
    return value[:start] + source.word(words) + value[end:]


def _flip(source: Source, value: bytes, _: Sequence[bytes]) -> bytes:
    if not value:
        return value
    place = source.below(len(value))
    return value[:place] + bytes([value[place] ^ 1 << source.below(8)]) + value[place + 1 :]


def _cut_out(source: Source, value: bytes, _: Sequence[bytes]) -> bytes:
    start, end = source.span(len(value))
    return value[:start] + value[end:]


def _cut_off(source: Source, value: bytes, _: Sequence[bytes]) -> bytes:
    return value[: source.below(len(value) + 1)]


def _repeat(source: Source, value: bytes, _: Sequence[bytes]) -> bytes:
    start, end = source.span(len(value))
    return value[:end] + value[start:end] * source.pick([1, 2, 200]) + value[end:]


def _swap(source: Source, value: bytes, _: Sequence[bytes]) -> bytes:
    start, end = source.span(len(value))
    place = source.below(len(value) + 1)
    rest = value[:start] + value[end:]
    return rest[:place] + value[start:end] + rest[place:]


def _swapcase(source: Source, value: bytes, _: Sequence[bytes]) -> bytes:
    start, end = source.span(len(value))
    return value[:start] + value[start:end].swapcase() + value[end:]


def _respell(source: Source, value: bytes, _: Sequence[bytes]) -> bytes:
    """Write a character percent-encoded."""
    if not value:
        return value
    place = source.below(len(value))
    return value[:place] + b"%%%02x" % value[place] + value[place + 1 :]


_WAYS = (_insert, _append, _prepend, _replace, _flip, _cut_out, _cut_off, _repeat, _swap, _swapcase, _respell)
