"""The budget of calls to AWS."""

from collections.abc import Callable
from itertools import pairwise

import pytest

from jobindex.aws.budget import Budget


class _Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> _Clock:
    """Return a clock that the test moves."""
    return _Clock()


def _calls_within(budget: Budget, clock: _Clock, seconds: float, operation: str, call: Callable[[], None]) -> int:
    """Return how many calls are made in this time; `call` is made at each."""
    end, calls = clock.now + seconds, 0
    while True:
        delay = budget.take(operation)
        if clock.now + delay >= end:
            clock.now = end
            return calls
        clock.now += delay
        calls += 1
        call()


def test_calls_are_spaced_evenly_at_the_rate(clock: _Clock) -> None:
    """Ten seconds at five calls a second have fifty calls, and no two of them are nearer than a fifth of a second."""
    budget = Budget({"": 5}, clock=clock)
    times: list[float] = []
    assert _calls_within(budget, clock, 10, "ListJobs", lambda: times.append(clock.now)) == 50
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert min(gaps) == pytest.approx(0.2)


def test_an_idle_time_is_not_saved_up(clock: _Clock) -> None:
    """After a pause of a minute, the second call still waits its turn."""
    budget = Budget({"": 5}, clock=clock)
    budget.take("ListJobs")
    clock.now += 60
    assert budget.take("ListJobs") == 0
    assert budget.take("ListJobs") == pytest.approx(0.2)


def test_each_operation_has_its_own_bucket_and_rate(clock: _Clock) -> None:
    """A call of one operation does not delay another; an operation may have a rate of its own."""
    budget = Budget({"": 5, "DescribeJob": 2}, clock=clock)
    assert (budget.take("ListJobs"), budget.take("DescribeJob")) == (0, 0)
    assert budget.take("DescribeJob") == pytest.approx(0.5)
    assert budget.take("ListJobs") == pytest.approx(0.2)


def test_throttling_halves_the_rate_of_its_operation_alone(clock: _Clock) -> None:
    """Each throttled call halves the rate, down to a sixty-fourth."""
    budget = Budget({"": 8}, clock=clock)
    budget.note_throttled("ListJobs")
    assert (budget.rate("ListJobs"), budget.rate("DescribeJob")) == (4, 8)
    assert budget.take("ListJobs") == pytest.approx(0.25)
    for _ in range(20):
        budget.note_throttled("ListJobs")
    assert budget.rate("ListJobs") == pytest.approx(8 / 64)


def test_the_rate_is_regained_slowly(clock: _Clock) -> None:
    """From half of the rate, fifty answered calls regain all of it, and no more."""
    budget = Budget({"": 10}, clock=clock)
    budget.note_throttled("ListJobs")
    for _ in range(25):
        budget.note_answered("ListJobs")
    assert budget.rate("ListJobs") == pytest.approx(7.5)
    for _ in range(50):
        budget.note_answered("ListJobs")
    assert budget.rate("ListJobs") == 10
