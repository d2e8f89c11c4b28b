"""The fault bench in short: whatever breaks, nothing is lost."""

import math
from pathlib import Path

import pytest
from faults.backlog import drain
from faults.bench import run
from faults.cluster import run_on_cluster
from faults.steadiness import stay_on_full_disk, stay_through_silence

pytestmark = pytest.mark.timeout(240)


def test_whatever_breaks_nothing_is_lost(tmp_path: Path) -> None:
    """Every fault strikes at least once, at the same time as others."""
    result = run(tmp_path, seed=3, seconds=10)
    assert [] == result.wrong, str(result)
    assert {"service killed", "broker killed", "session forgotten", "connection cut", "disk full"} <= {*result.faults}
    assert result.messages["must be there"] > 100


def test_a_silent_broker_freezes_nothing(tmp_path: Path) -> None:
    """ListJobs is answered while packets are dropped, and what was sent meanwhile arrives."""
    found = stay_through_silence(tmp_path, seed=1, seconds=3, slow_ms=math.inf)
    assert [] == found.wrong, str(found)
    assert all(answers.statuses["200"] > 1 for answers in found.answers.values()), str(found)


def test_a_full_disk_stops_no_reader(tmp_path: Path) -> None:
    """ListJobs is answered while nothing can be written, and everything is written once there is room."""
    found = stay_on_full_disk(tmp_path, seed=1, seconds=3, slow_ms=math.inf)
    assert [] == found.wrong, str(found)


def test_a_backlog_is_drained(tmp_path: Path) -> None:
    """What the broker queued while the service was away is in the index, of each job the newest."""
    drained = drain(tmp_path, messages=3000)
    assert [] == drained.wrong, str(drained)
    assert drained.peak_mib > 0


def test_a_cluster_loses_nothing_when_a_broker_is_killed(tmp_path: Path) -> None:
    """The next broker has the session, and every message that one of them has acknowledged."""
    result = run_on_cluster(tmp_path, seed=1, seconds=8, every=4)
    assert [] == result.wrong, str(result)
    assert sum(result.faults.values()) == 2
    assert result.logged["Connected to"] >= 2
    assert result.messages["acknowledged"] == result.messages["sent"] > 100
