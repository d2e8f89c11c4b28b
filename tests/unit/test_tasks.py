"""Racing tasks: the beginning and end of the context, and the error or cancellation that counts."""

import asyncio
import gc
from collections.abc import AsyncIterator
from typing import Any

import pytest

from jobindex.ingest.tasks import first_of


@pytest.fixture
async def logged() -> AsyncIterator[list[str]]:
    """Collect the errors that asyncio would log as never retrieved."""
    loop = asyncio.get_running_loop()
    errors: list[str] = []
    loop.set_exception_handler(lambda _, context: errors.append(str(context["exception"])))
    yield errors
    loop.set_exception_handler(None)


class Endless:
    """A task that runs until it is cancelled, and then ends when allowed, with an error if there is one."""

    def __init__(self, error: Exception | None = None) -> None:
        self.may_end = asyncio.Event()
        self.has_ended = False
        self._error = error
        self.task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await self.may_end.wait()
            self.has_ended = True
            if self._error is not None:
                raise self._error


async def succeed() -> str:
    """Return at once."""
    return "first"


async def fail() -> str:
    """Raise at once."""
    raise RuntimeError("the winner")


async def turn() -> None:
    """Let every task run some steps."""
    for _ in range(10):
        await asyncio.sleep(0)


def start(*tasks: "asyncio.Task[Any]", entered: asyncio.Event) -> "asyncio.Task[None]":
    """Start a race in its own task, which stays in the context until it is cancelled."""

    async def race() -> None:
        async with first_of(*tasks):
            entered.set()
            await asyncio.Event().wait()

    return asyncio.create_task(race())


async def test_the_context_is_entered_with_the_first_task_and_left_with_the_last(logged: list[str]) -> None:
    """The other tasks continue inside the context, are cancelled at its exit, and are awaited without a limit."""
    winner, loser = asyncio.create_task(succeed()), Endless()
    asyncio.get_running_loop().call_later(0.05, loser.may_end.set)
    async with first_of(loser.task, winner):
        assert "first" == winner.result()
        await turn()
        assert not loser.task.done()
        assert 0 == loser.task.cancelling()
    assert loser.has_ended
    assert loser.task.cancelled()
    assert [] == logged


async def test_tasks_that_end_together_are_all_done() -> None:
    """The context has the result of each task, and may choose among them."""
    tasks = [asyncio.create_task(succeed()) for _ in range(3)]
    async with first_of(*tasks):
        assert ["first"] * 3 == [task.result() for task in tasks]


async def test_a_task_can_be_awaited_inside_the_context() -> None:
    """A task that the context awaits ends in its own time."""
    winner, other = asyncio.create_task(succeed()), asyncio.create_task(asyncio.sleep(0.01, "second"))
    async with first_of(winner, other):
        assert "second" == await other


async def test_the_error_of_the_winner_is_raised_where_its_result_is_asked_for(logged: list[str]) -> None:
    """The error leaves the context without a group, once the loser has ended."""
    winner, loser = asyncio.create_task(fail()), Endless()
    loser.may_end.set()
    with pytest.raises(RuntimeError, match="the winner"):
        async with first_of(winner, loser.task):
            winner.result()
    assert loser.has_ended
    assert [] == logged


async def test_the_error_of_a_loser_is_logged(logged: list[str]) -> None:
    """The error of a loser is not lost, and does not affect the winner."""
    winner, loser = asyncio.create_task(succeed()), Endless(RuntimeError("the loser"))
    loser.may_end.set()
    async with first_of(winner, loser.task):
        pass
    assert "first" == winner.result()
    assert loser.has_ended
    assert [] == logged
    del loser
    gc.collect()
    assert ["the loser"] == logged


async def test_the_error_of_the_context_counts_before_that_of_a_loser(logged: list[str]) -> None:
    """The context's error is raised once the loser has ended."""
    winner, loser = asyncio.create_task(succeed()), Endless(RuntimeError("the loser"))
    loser.may_end.set()
    with pytest.raises(ValueError, match="the context"):
        async with first_of(winner, loser.task):
            raise ValueError("the context")
    assert loser.has_ended
    del loser
    gc.collect()
    assert ["the loser"] == logged


async def test_a_cancellation_before_any_task_is_done_ends_them_all() -> None:
    """The cancellation is raised once every task has ended; the context is not entered."""
    one, other, entered = Endless(), Endless(), asyncio.Event()
    race = start(one.task, other.task, entered=entered)
    await turn()
    race.cancel()
    await turn()
    assert 1 == one.task.cancelling() == other.task.cancelling()
    one.may_end.set()
    await turn()
    assert not race.done()
    other.may_end.set()
    await asyncio.wait((race,))
    assert race.cancelled()
    assert one.has_ended
    assert other.has_ended
    assert not entered.is_set()


async def test_a_cancellation_inside_the_context_ends_the_losers() -> None:
    """The cancellation is raised once the losers have ended."""
    loser, entered = Endless(), asyncio.Event()
    race = start(asyncio.create_task(succeed()), loser.task, entered=entered)
    await entered.wait()
    race.cancel()
    await turn()
    assert not race.done()
    loser.may_end.set()
    await asyncio.wait((race,))
    assert race.cancelled()
    assert loser.has_ended


async def test_a_cancellation_together_with_the_first_result_counts() -> None:
    """The cancellation is raised.

    `asyncio.wait_for` of Python 3.11 loses it: https://github.com/python/cpython/issues/86296.
    """
    loser, entered, won = Endless(), asyncio.Event(), asyncio.Event()
    loser.may_end.set()
    winner = asyncio.create_task(won.wait())
    race = start(winner, loser.task, entered=entered)
    await turn()
    winner.add_done_callback(lambda _: race.cancel())
    won.set()
    await asyncio.wait((race,))
    assert winner.result()
    assert race.cancelled()
    assert loser.has_ended
    assert not entered.is_set()


async def test_a_second_cancellation_does_not_wait_for_the_losers() -> None:
    """The losers are already cancelled, and end on their own."""
    loser, entered = Endless(), asyncio.Event()
    race = start(asyncio.create_task(succeed()), loser.task, entered=entered)
    await entered.wait()
    race.cancel()
    await turn()
    race.cancel()
    await asyncio.wait((race,))
    assert race.cancelled()
    assert not loser.has_ended
    loser.may_end.set()
    await asyncio.wait((loser.task,))
    assert loser.has_ended
