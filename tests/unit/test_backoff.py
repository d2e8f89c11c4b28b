"""Back-off between attempts."""

from jobindex.backoff import Backoff


def test_waiting_times_grow_with_jitter_up_to_a_limit() -> None:
    """Each wait is above zero and within a ceiling that doubles up to the greatest wait."""
    backoff = Backoff(first=1, greatest=30)
    ceilings = [1, 2, 4, 8, 16, 30, 30]
    for _ in range(50):
        backoff.reset()
        waits = [backoff.next_seconds() for _ in ceilings]
        assert all(0.1 <= wait <= ceiling for wait, ceiling in zip(waits, ceilings, strict=True))


def test_any_number_of_attempts_is_fine() -> None:
    """An hour of failures does not overflow the back-off."""
    backoff = Backoff(first=1, greatest=30)
    assert all(backoff.next_seconds() <= 30 for _ in range(5000))
