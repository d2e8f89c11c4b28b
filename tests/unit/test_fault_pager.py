"""The pager of the fault bench finds gaps and repetitions."""

from random import Random

from faults.pager import Pager


def pager(*deleted: str) -> Pager:
    """Return a pager that sends no request."""
    return Pager(list, lambda: dict.fromkeys(deleted, 1.0), Random(0))


def test_the_pager_finds_a_gap() -> None:
    """A job that is in the same place before and after a scan must be in the scan."""
    turning = pager()
    for scan in ({"job-1": [10], "job-2": [20]}, {"job-1": [10]}, {"job-1": [10], "job-2": [20]}):
        turning.take(scan)
    assert ["job-2 was missing in a scan, and seen in those before and after it"] == turning.wrong


def test_the_pager_finds_a_long_gap() -> None:
    """A job that is missing in several scans is reported when it is back."""
    turning = pager()
    for scan in ({"job-1": [10], "job-2": [20]}, {"job-1": [10]}, {"job-1": [10]}, {"job-2": [20]}):
        turning.take(scan)
    assert ["job-2 was missing in a scan, and seen in those before and after it"] == turning.wrong


def test_the_pager_finds_a_repeat() -> None:
    """A job must occur once in a scan."""
    turning = pager()
    turning.take({"job-1": [10], "job-2": [20, 20]})
    assert ["job-2 was seen twice in a scan"] == turning.wrong


def test_the_pager_blames_no_job_that_moved_or_went() -> None:
    """A job with a corrected `createdAt` may be missing or repeated, and a deleted job may be missing or new."""
    turning = pager("job-3")
    for scan in (
        {"job-1": [10], "job-2": [20], "job-3": [30], "job-4": [40]},
        {"job-2": [20, 25], "job-4": [40]},
        {"job-1": [15], "job-2": [25], "job-3": [30]},
    ):
        turning.take(scan)
    assert [] == turning.wrong
