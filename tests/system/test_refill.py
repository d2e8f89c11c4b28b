"""One index is filled from another over HTTP: killed on the way, and within a rate."""

from pathlib import Path

import pytest
from refill.run import refill

pytestmark = pytest.mark.timeout(240)


def test_a_killed_fill_goes_on(tmp_path: Path) -> None:
    """After three kills the index equals the source, and no committed call was made again."""
    result = refill(tmp_path, jobs=2000, kills=3)
    assert [] == result.wrong, str(result)
    assert 3 == len(result.kills)
    assert result.comparison.pages > result.source.listing_calls
    assert result.comparison.pending > 600


def test_a_fill_stays_within_its_rate(tmp_path: Path) -> None:
    """No second has more calls of an operation than the rate and one, also around a kill."""
    result = refill(tmp_path, jobs=1000, kills=1, rate=20)
    assert [] == result.wrong, str(result)
    assert 10 < max(result.busiest.values()) <= 21
