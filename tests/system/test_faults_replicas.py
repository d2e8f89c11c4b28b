"""The fault bench's runs on PostgreSQL, in short."""

from pathlib import Path

import pytest
from faults.bench import run
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
