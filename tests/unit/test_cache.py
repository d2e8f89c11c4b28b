"""Answers that are cached: how long they hold, and how many of them there are."""

import asyncio

import pytest

from jobindex.web.cache import AGE_MAXIMUM, OVERTAKEN_MAXIMUM, Cache


class Index:
    """Answers questions, and counts them."""

    def __init__(self) -> None:
        self.version = 1
        self.now = 100.0
        self.asked = 0
        self.cache: Cache[int] = Cache(maximum=2, clock=lambda: self.now)

    async def ask(self, question: str = "question") -> int:
        """Return how often anything had to be worked out by then."""

        async def make() -> int:
            await asyncio.sleep(0)
            self.asked += 1
            return self.asked

        return await self.cache.get(question, lambda: self.version, make)


async def test_an_answer_holds_while_the_index_is_unchanged() -> None:
    """But no longer than its ages are right; overtaken by a change, half a second."""
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
    """It is worked out once."""
    index = Index()
    assert [1] * 50 == await asyncio.gather(*(index.ask() for _ in range(50)))


async def test_few_answers_are_kept() -> None:
    """The oldest goes; nothing grows with the questions that are asked."""
    index = Index()
    for question in ("a", "b", "c"):
        await index.ask(question)
    assert [4, 3, 4] == [await index.ask("a"), await index.ask("c"), await index.ask("a")]


async def test_a_failure_is_not_kept() -> None:
    """Who asks next asks the index again."""
    index = Index()

    async def fail() -> int:
        raise ValueError

    with pytest.raises(ValueError, match=r"^$"):
        await index.cache.get("question", lambda: 1, fail)
    assert 1 == await index.ask()


def test_an_exact_answer_holds_for_one_version() -> None:
    """Neither before nor after; the one that was put least recently is evicted."""
    cache: Cache[str] = Cache(maximum=2)
    assert cache.current("a", 1) is None
    cache.put("a", 1, "a1")
    assert ["a1", None, None] == [cache.current("a", 1), cache.current("a", 2), cache.current("b", 1)]
    cache.put("b", 1, "b1")
    cache.put("a", 2, "a2")
    cache.put("c", 2, "c2")
    assert ["a2", None, "c2"] == [cache.current("a", 2), cache.current("b", 1), cache.current("c", 2)]
