"""Token buckets: each key has as many requests as its rate allows."""

from hypothesis import given
from hypothesis import strategies as st

from jobindex.access.rates import Rates, burst

RATES = st.sampled_from([0.5, 1, 3, 50])
BURSTS = st.sampled_from([1, 2, 10])
STEPS = st.lists(st.sampled_from([0, 0, 0.001, 0.02, 0.4, 1, 7]), max_size=60)
GRAIN = 0.0002
"""The rounding error of floating point, in tokens."""


def granted(rates: Rates, steps: list[float], key: str = "key") -> list[float]:
    """Return the times, separated by the steps, at which a token was granted."""
    now, times = 1000.0, []
    for step in steps:
        now += step
        if rates.take(key, now):
            times.append(now)
    return times


@given(RATES, BURSTS, STEPS)
def test_no_window_has_more_than_burst_and_rate_allow(rate: float, burst: float, steps: list[float]) -> None:
    """Requests of any pattern stay within burst and rate, in every window."""
    times = granted(Rates(rate, burst), steps)
    for first, start in enumerate(times):
        for last, end in enumerate(times[first:], first):
            assert last - first + 1 <= burst + rate * (end - start) + GRAIN


@given(RATES, BURSTS, STEPS)
def test_a_request_is_refused_only_where_its_bucket_is_empty(rate: float, burst: float, steps: list[float]) -> None:
    """A bucket behaves as if it were filled and emptied token by token."""
    tokens, now, expected = float(burst), 1000.0, []
    for step in steps:
        now += step
        tokens = min(burst, tokens + rate * step)
        if tokens >= 1 - GRAIN:
            tokens -= 1
            expected.append(now)
    assert expected == granted(Rates(rate, burst), steps)


@given(RATES, BURSTS, STEPS)
def test_a_key_that_has_rested_has_its_burst_again(rate: float, burst: int, steps: list[float]) -> None:
    """An idle key has its full burst once the bucket is filled, and no more later."""
    rates = Rates(rate, burst)
    granted(rates, steps)
    later = 1000.0 + sum(steps) + burst / rate + 1
    assert [True] * burst + [False] == [rates.take("key", later) for _ in range(burst + 1)]


@given(RATES, BURSTS, st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from([0, 0.01, 0.5])), max_size=60))
def test_a_key_does_not_affect_another(rate: float, burst: float, asked: list[tuple[str, float]]) -> None:
    """Each key is granted the same tokens as without the others."""
    together = Rates(rate, burst)
    alone = {key: Rates(rate, burst) for key in "abc"}
    now = 1000.0
    for key, step in asked:
        now += step
        assert alone[key].take(key, now) == together.take(key, now)


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from([0, 0.1, 1, 5])), max_size=60))
def test_full_buckets_are_forgotten_first(asked: list[tuple[int, float]]) -> None:
    """The number of buckets is bounded, and no key gains from it while full buckets can be evicted."""
    bounded, whole = Rates(1, 2, maximum=2), Rates(1, 2)
    now, drained_until = 1000.0, dict[int, float]()
    for number, step in asked:
        now += step
        others = sum(until > now for key, until in drained_until.items() if key != number)
        if others >= 2:
            continue  # no stored bucket could be full
        was_taken = whole.take(str(number), now)
        assert was_taken == bounded.take(str(number), now)
        if was_taken:
            drained_until[number] = max(drained_until.get(number, now), now) + 1
        assert len(bounded) <= 2


def test_a_drained_key_is_remembered_through_a_flood_of_others() -> None:
    """A client that uses a new name each time evicts no drained bucket."""
    rates = Rates(1, 10, maximum=100)
    assert [True] * 10 + [False] == [rates.take("greedy", 0) for _ in range(11)]
    assert [True] * 5000 == [rates.take(f"new {number}", 0) for number in range(5000)]
    assert not rates.take("greedy", 0)
    assert 100 == len(rates)


def test_a_burst_is_of_two_seconds_and_at_least_ten() -> None:
    """SDKs send several requests at once."""
    assert [10, 10, 10, 100] == [burst(rate) for rate in (0.5, 1, 5, 50)]
