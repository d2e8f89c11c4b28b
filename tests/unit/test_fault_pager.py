"""The pager of the fault bench finds the gaps and repeats that there are."""

from random import Random

from faults.pager import Pager


def pager(*deleted: str) -> Pager:
    """Return a pager that asks nobody."""
    return Pager(list, lambda: dict.fromkeys(deleted, 1.0), Random(0))


def test_the_pager_finds_a_gap() -> None:
    """A job that two scans saw in one place was there during the one between them."""
    turning = pager()
    for scan in ({"job-1": [10], "job-2": [20]}, {"job-1": [10]}, {"job-1": [10], "job-2": [20]}):
        turning.take(scan)
    assert ["job-2 was missing in a scan, and seen in those before and after it"] == turning.wrong


def test_the_pager_finds_a_long_gap() -> None:
    """A job that is missing for several scans is missed when it is back."""
    turning = pager()
    for scan in ({"job-1": [10], "job-2": [20]}, {"job-1": [10]}, {"job-1": [10]}, {"job-2": [20]}):
        turning.take(scan)
    assert ["job-2 was missing in a scan, and seen in those before and after it"] == turning.wrong


def test_the_pager_finds_a_repeat() -> None:
    """A job is seen once in a scan."""
    turning = pager()
    turning.take({"job-1": [10], "job-2": [20, 20]})
    assert ["job-2 was seen twice in a scan"] == turning.wrong


def test_the_pager_blames_no_job_that_moved_or_went() -> None:
    """A corrected createdAt moves a job past a reader or before it; a deletion takes it away, or makes it another."""
    turning = pager("job-3")
    for scan in (
        {"job-1": [10], "job-2": [20], "job-3": [30], "job-4": [40]},
        {"job-2": [20, 25], "job-4": [40]},
        {"job-1": [15], "job-2": [25], "job-3": [30]},
    ):
        turning.take(scan)
    assert [] == turning.wrong
