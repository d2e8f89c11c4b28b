"""Short runs of the fault bench on PostgreSQL."""

from pathlib import Path

import pytest
from faults.bench import run
from faults.replicas import fail_over, kill_replicas

pytestmark = pytest.mark.timeout(240)


def test_whatever_breaks_nothing_is_lost_with_postgresql(tmp_path: Path) -> None:
    """No message is lost when every fault occurs at least once, including faults of the database server."""
    result = run(tmp_path, seed=3, seconds=15, kind="postgresql")
    assert [] == result.wrong, str(result)
    assert {"service killed", "database killed", "database frozen", "replica on the same database"} <= {*result.faults}
    assert result.messages["must be there"] > 100


def test_a_standby_goes_on_within_the_lease(tmp_path: Path) -> None:
    """When the ingesting replica is killed, the standby takes over; no message is lost and no page is wrong."""
    outcome = kill_replicas(tmp_path, seed=1, kills=2)
    assert [] == outcome.wrong, str(outcome)
    assert 2 == len(outcome.milliseconds)


def test_a_promoted_database_lacks_nothing(tmp_path: Path) -> None:
    """When the primary is killed and its standby promoted, every acknowledged message is in the index."""
    outcome = fail_over(tmp_path, seed=1, failovers=1)
    assert [] == outcome.wrong, str(outcome)
    assert 1 == len(outcome.milliseconds)
