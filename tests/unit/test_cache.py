"""Cached answers: their lifetime, and their number."""

import asyncio
from itertools import count

import pytest

from jobindex.web.cache import AGE_MAXIMUM, OVERTAKEN_MAXIMUM, Cache


class Index:
    """An index that counts its answers."""

    def __init__(self) -> None:
        self.version = 1
        self.now = 100.0
        self.asked = 0
        self.cache: Cache[int] = Cache(maximum=2, clock=lambda: self.now)

    async def ask(self, question: str = "question") -> int:
        """Return the number of answers computed so far."""

        async def make() -> int:
            await asyncio.sleep(0)
            self.asked += 1
            return self.asked

        return await self.cache.get(question, lambda: self.version, make)


async def test_an_answer_holds_while_the_index_is_unchanged() -> None:
    """An answer is valid while its ages are right, but after a change only for half a second."""
    index = Index()
    assert [1, 1] == [await index.ask(), await index.ask()]
    index.now += AGE_MAXIMUM
    assert 1 == await index.ask()
    index.version += 1
    assert 2 == await index.ask()
    index.version += 1
    index.now += OVERTAKEN_MAXIMUM
    assert 2 == await index.ask()
    index.now += 0.01
    assert 3 == await index.ask()
    index.now += AGE_MAXIMUM + 1
    assert 4 == await index.ask()


async def test_those_who_ask_together_share_an_answer() -> None:
    """An answer to concurrent requests is computed once."""
    index = Index()
    assert [1] * 50 == await asyncio.gather(*(index.ask() for _ in range(50)))


async def test_few_answers_are_kept() -> None:
    """The oldest answer is evicted, so that memory does not grow with the number of questions."""
    index = Index()
    for question in ("a", "b", "c"):
        await index.ask(question)
    assert [4, 3, 4] == [await index.ask("a"), await index.ask("c"), await index.ask("a")]


async def test_cached_answers_are_bounded_in_bytes() -> None:
    """The oldest answers are evicted, even if the questions stay the same and their answers grow."""
    hours = count(0, 3600)
    cache: Cache[bytes] = Cache(maximum=9, maximum_bytes=30, size=len, clock=lambda: next(hours))
    for question, size in {"a": 10, "b": 10, "c": 11, "d": 1}.items():
        cache.put(question, 1, bytes(size))
    assert [None, 10, 11, 1] == sizes(cache)

    async def ask(question: str, size: int) -> None:
        async def make() -> bytes:
            return bytes(size)

        await cache.get(question, lambda: 1, make)

    for question in ("c", "d"):
        await ask(question, 40)
    assert [None, None, None, 40] == sizes(cache)


def sizes(cache: Cache[bytes]) -> list[int | None]:
    """Return the sizes of the answers to four questions, or None if an answer is not cached."""
    entries = [cache._entries.get(question) for question in "abcd"]
    return [None if entry is None or entry.answer is None else len(entry.answer) for entry in entries]


async def test_a_failure_is_not_kept() -> None:
    """The next request after a failure asks the index again."""
    index = Index()

    async def fail() -> int:
        raise ValueError

    with pytest.raises(ValueError, match=r"^$"):
        await index.cache.get("question", lambda: 1, fail)
    assert 1 == await index.ask()


def test_an_exact_answer_holds_for_one_version() -> None:
    """An exact answer is valid only for its version; the least recently stored one is evicted."""
    cache: Cache[str] = Cache(maximum=2)
    assert cache.current("a", 1) is None
    cache.put("a", 1, "a1")
    assert ["a1", None, None] == [cache.current("a", 1), cache.current("a", 2), cache.current("b", 1)]
    cache.put("b", 1, "b1")
    cache.put("a", 2, "a2")
    cache.put("c", 2, "c2")
    assert ["a2", None, "c2"] == [cache.current("a", 2), cache.current("b", 1), cache.current("c", 2)]
