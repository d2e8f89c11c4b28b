"""Short runs of the fault bench: no fault loses a message."""

import math
from pathlib import Path
from typing import Literal

import pytest
from faults.backlog import drain
from faults.bench import run
from faults.cluster import run_on_cluster
from faults.hostile import run_beside_hostile
from faults.steadiness import stay_on_full_disk, stay_through_silence

pytestmark = pytest.mark.timeout(240)


def test_whatever_breaks_nothing_is_lost(tmp_path: Path) -> None:
    """No message is lost when every fault occurs at least once, at the same time as others."""
    result = run(tmp_path, seed=3, seconds=10)
    assert [] == result.wrong, str(result)
    assert {"service killed", "broker killed", "session forgotten", "connection cut", "disk full"} <= {*result.faults}
    assert result.messages["must be there"] > 100


def test_a_silent_broker_freezes_nothing(tmp_path: Path) -> None:
    """ListJobs is answered while packets are dropped, and messages sent meanwhile arrive later."""
    found = stay_through_silence(tmp_path, seed=1, seconds=3, slow_ms=math.inf)
    assert [] == found.wrong, str(found)
    assert all(answers.statuses["200"] > 1 for answers in found.answers.values()), str(found)


def test_a_full_disk_stops_no_reader(tmp_path: Path) -> None:
    """ListJobs is answered while the disk is full, and everything is written once there is space."""
    found = stay_on_full_disk(tmp_path, seed=1, seconds=3, slow_ms=math.inf)
    assert [] == found.wrong, str(found)


def test_a_backlog_is_drained(tmp_path: Path) -> None:
    """The newest message about each job in the broker's backlog is in the index."""
    drained = drain(tmp_path, messages=3000)
    assert [] == drained.wrong, str(drained)
    assert drained.peak_mib > 0


def test_a_cluster_loses_nothing_when_a_broker_is_killed(tmp_path: Path) -> None:
    """The next broker has the session and every message that any broker has acknowledged."""
    result = run_on_cluster(tmp_path, seed=1, seconds=8, every=4)
    assert [] == result.wrong, str(result)
    assert sum(result.faults.values()) == 2
    assert result.logged["Connected to"] >= 2
    assert result.messages["acknowledged"] == result.messages["sent"] > 100


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_hostile_publisher_stops_nobody(tmp_path: Path, kind: Literal["sqlite", "postgresql"]) -> None:
    """With a hostile publisher, all of the fleet's messages become visible; speed is not judged here."""
    beside = run_beside_hostile(
        tmp_path, seed=1, seconds=30, kind=kind, slower_maximum=math.inf, visible_seconds=math.inf
    )
    assert [] == beside.wrong, str(beside)
    assert beside.messages["of the hostile publisher"] > 500
    assert beside.counted["rejected"] > 100
