"""The fault bench's runs on PostgreSQL, in short; and its pager finds the gaps and repeats that there are."""

from pathlib import Path
from random import Random

import pytest
from faults.bench import run
from faults.pager import Pager
from faults.replicas import fail_over, kill_replicas

pytestmark = pytest.mark.timeout(240)


def test_whatever_breaks_nothing_is_lost_with_postgresql(tmp_path: Path) -> None:
    """Every fault strikes at least once, those of the server among them."""
    result = run(tmp_path, seed=3, seconds=15, kind="postgresql")
    assert [] == result.wrong, str(result)
    assert {"service killed", "database killed", "database frozen", "replica on the same database"} <= {*result.faults}
    assert result.messages["must be there"] > 100


def test_a_standby_goes_on_within_the_lease(tmp_path: Path) -> None:
    """Whoever ingests is killed, the other goes on, and neither loses a message nor turns a page wrong."""
    outcome = kill_replicas(tmp_path, seed=1, kills=2)
    assert [] == outcome.wrong, str(outcome)
    assert 2 == len(outcome.milliseconds)


def test_a_promoted_database_lacks_nothing(tmp_path: Path) -> None:
    """The primary is killed, its standby promoted, and all that was acknowledged is in the index."""
    outcome = fail_over(tmp_path, seed=1, failovers=1)
    assert [] == outcome.wrong, str(outcome)
    assert 1 == len(outcome.milliseconds)


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
