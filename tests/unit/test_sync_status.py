"""The status of the sync with AWS in the freshness header, on /readyz, in /metrics and in the event stream."""

import asyncio
import re
from contextlib import suppress
from datetime import UTC, datetime

import orjson
import pytest

from jobindex.access.principals import ANYONE, Principal, Role
from jobindex.model.sync import DifferenceKind
from jobindex.monitoring.metrics import Metrics
from jobindex.monitoring.state import ServiceState, SyncStatus, described
from jobindex.web.api.freshness import FreshnessHeader
from jobindex.web.api.health import READYZ
from jobindex.web.changes import ChangeFeed, Interest

FILLED, RECONCILED = datetime(2026, 11, 30, 10, tzinfo=UTC), datetime(2026, 11, 30, 11, tzinfo=UTC)
SYNC = SyncStatus(
    mode="check",
    kind="fill",
    phase="jobs",
    done=1,
    total=7,
    rows=250,
    calls=1,
    throttled=1,
    seconds_left=30,
    is_first=True,
    reason="ListJobs: expired",
    problems=("events are off: job", "ListThingGroups: denied"),
)
LIMITED = Principal(name="limited", role=Role.READ, namespace_ids=frozenset({"acme"}))


def metric(metrics: Metrics, name: str) -> float:
    """Return the value of a series."""
    found = re.search(rf"^jobindex_{re.escape(name)} (\S+)$", metrics.encode().decode(), re.MULTILINE)
    assert found is not None, name
    return float(found[1])


@pytest.mark.parametrize("principal", [ANYONE, LIMITED])
def test_the_header_has_the_times_of_the_last_syncs(principal: Principal) -> None:
    """For restricted readers, too: the times are not those of messages."""
    state = ServiceState()
    header = FreshnessHeader(state)
    assert b"ingestion=connecting" == header.encoded(principal)
    state.filled_at = FILLED
    assert f"ingestion=connecting, filled=@{int(FILLED.timestamp())}".encode() == header.encoded(principal)
    state.reconciled_at = RECONCILED
    assert header.encoded(principal).endswith(f", reconciled=@{int(RECONCILED.timestamp())}".encode())


@pytest.mark.parametrize("sees_all", [True, False])
def test_readyz_describes_what_it_returns(sees_all: bool) -> None:  # noqa: FBT001
    """Every member is in the schema; a restricted reader gets the progress, but neither reasons nor problems."""
    state = ServiceState(filled_at=FILLED, reconciled_at=RECONCILED, sync=SYNC)
    members = {"ready": True, **described(state, sees_all=sees_all)}
    properties = READYZ.answer["properties"]
    assert isinstance(properties, dict)
    sync = members["sync"]
    assert isinstance(sync, dict)
    assert (set(), set()) == (members.keys() - properties.keys(), sync.keys() - properties["sync"]["properties"].keys())
    assert ("2026-11-30T10:00:00.000Z", 250, 30) == (members["filled"], sync["rows"], sync["secondsLeft"])
    assert ({"reason", "problems"} if sees_all else set()) == sync.keys() & {"reason", "problems"}


def test_the_gauges_follow_the_status() -> None:
    """All are 0 while the sync is off."""
    state = ServiceState()
    metrics = Metrics(state)
    names = ["sync_checking", "sync_waiting", "sync_problems"]
    names += ["filled_timestamp_seconds", "reconciled_timestamp_seconds"]
    assert [0, 0, 0, 0, 0] == [metric(metrics, name) for name in names]
    state.sync, state.filled_at, state.reconciled_at = SYNC, FILLED, RECONCILED
    times = [FILLED.timestamp(), RECONCILED.timestamp()]
    assert [1, 1, 2, *times] == [metric(metrics, name) for name in names]
    state.sync = SyncStatus(mode="fill")
    assert [0, 0, 0, *times] == [metric(metrics, name) for name in names]


def test_calls_rows_and_differences_are_counted() -> None:
    """Each kind of difference has its series from the start, so that the first one is an increase."""
    metrics = Metrics(ServiceState())
    assert {0} == {metric(metrics, f'differences_total{{kind="{kind}"}}') for kind in DifferenceKind}
    metrics.sync_calls.labels("ListJobs", "throttled").inc()
    metrics.sync_rows.labels("jobs").inc(250)
    metrics.differences.labels(DifferenceKind.JOB_STATUS).inc(2)
    assert 1 == metric(metrics, 'sync_calls_total{operation="ListJobs",outcome="throttled"}')
    assert 250 == metric(metrics, 'sync_rows_total{phase="jobs"}')
    assert 2 == metric(metrics, 'differences_total{kind="job_status"}')


async def test_a_change_of_the_sync_is_an_event() -> None:
    """A subscriber learns at once that a run has begun, without a change of the index."""
    state = ServiceState(sync=SyncStatus(mode="check"))
    feed = ChangeFeed(state)
    feeding = asyncio.create_task(feed.run())
    with feed.watch(Interest()) as events:
        assert events is not None
        first = await anext(events)
        await asyncio.sleep(0)  # the feed has read the former status
        state.sync = SYNC
        second = await asyncio.wait_for(anext(events), 5)
    feeding.cancel()
    with suppress(asyncio.CancelledError):
        await feeding
    kinds = [orjson.loads(event.split(b"data: ")[1])["freshness"]["sync"].get("kind") for event in (first, second)]
    assert [None, "fill"] == kinds
