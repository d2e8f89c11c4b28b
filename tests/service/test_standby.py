"""A replica that stands by: it answers, and tells how the one that ingests fares."""

from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from support.api_server import Api, serving
from support.html_browser import read

from jobindex.access.access import Access
from jobindex.access.keys import Key, Keys, digest
from jobindex.access.principals import Principal, Role
from jobindex.monitoring.state import Ingestion, IngestionStatus, LeaseHolder

PAST = datetime(2026, 11, 20, 10, tzinfo=UTC)
HOLDER = LeaseHolder(
    name="host-7-5d1f0a",
    status=IngestionStatus(
        ingestion=Ingestion.CONNECTED,
        connected_since=PAST,
        complete_since=PAST - timedelta(days=1),
        last_message_at=PAST + timedelta(days=1),
    ),
)
NOBODY = LeaseHolder(
    name="host-7-5d1f0a",
    status=IngestionStatus(ingestion_reason="no replica ingests just now", complete_since=PAST, in_hand=deque([PAST])),
)


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    """Serve an empty index as a replica that stands by."""
    with serving(tmp_path) as running:
        running.state.holder = HOLDER
        yield running


def metric(api: Api, name: str) -> float:
    """Return a figure of /metrics."""
    lines = dict(line.rsplit(" ", 1) for line in api.metrics.encode().decode().splitlines() if line[0] != "#")
    return float(lines[f"jobindex_{name}"])


def test_it_is_ready_and_tells_who_ingests(api: Api) -> None:
    """Only /readyz tells that it is not this one; the times are those of the index."""
    expected = {
        "ready": True,
        "ingestion": "standby",
        "ingestionBy": {"replica": "host-7-5d1f0a", "ingestion": "connected"},
        "connectedSince": "2026-11-20T10:00:00.000Z",
        "completeSince": "2026-11-19T10:00:00.000Z",
        "lastMessage": "2026-11-21T10:00:00.000Z",
    }
    assert (200, expected) == api.request("/readyz")[:2]


def test_its_answers_tell_how_fresh_the_index_is(api: Api) -> None:
    """As those of the replica that ingests do, in the header, on the pages and on /metrics."""
    times = [int(time.timestamp()) for time in (PAST, PAST - timedelta(days=1), PAST + timedelta(days=1))]
    connected, complete, last = times
    told = f"ingestion=connected, connected-since=@{connected}, complete-since=@{complete}, last-message=@{last}"
    assert told == api.request("/jobs")[2]["jobindex-freshness"]
    shown = read(f"{api.url}/ui/jobs").text
    assert "Connected since 2026-11-20 10:00 UTC" in shown
    assert "Complete since 2026-11-19 10:00 UTC" in shown
    names = ("connected_since", "complete_since", "last_message", "oldest_unwritten")
    assert [*times, 0] == [metric(api, f"{name}_timestamp_seconds") for name in names]
    assert (1, 0) == (metric(api, "mqtt_connected"), metric(api, "ingesting"))


def test_that_nobody_ingests_is_told_by_each(api: Api) -> None:
    """With the reason, and until when the index was told everything."""
    api.state.holder = NOBODY
    expected = {
        "ready": True,
        "ingestion": "standby",
        "ingestionBy": {
            "replica": "host-7-5d1f0a",
            "ingestion": "connecting",
            "ingestionReason": "no replica ingests just now",
        },
        "completeSince": "2026-11-20T10:00:00.000Z",
        "oldestUnwritten": "2026-11-20T10:00:00.000Z",
    }
    assert (200, expected) == api.request("/readyz")[:2]
    assert api.request("/jobs")[2]["jobindex-freshness"].startswith("ingestion=connecting, complete-since=")
    assert "Not connected: no replica ingests just now" in read(f"{api.url}/ui/jobs").text
    assert (0, 0) == (metric(api, "mqtt_connected"), metric(api, "ingesting"))


def test_what_it_was_before_plays_no_part(api: Api) -> None:
    """Of one that once ingested, what it then noted of itself is told no more until it does again."""
    api.state.ingestion, api.state.connected_since = Ingestion.REFUSED, PAST + timedelta(days=9)
    assert f"connected-since=@{int(PAST.timestamp())}," in api.request("/jobs")[2]["jobindex-freshness"]
    api.state.holder = None
    assert api.request("/jobs")[2]["jobindex-freshness"].startswith("ingestion=refused, connected-since=")
    assert ("refused", 1) == (api.request("/readyz")[1]["ingestion"], metric(api, "ingesting"))


def test_who_does_not_see_all_is_not_told_of_machines(tmp_path: Path) -> None:
    """Neither the name of the replica nor the reason: /readyz is for anyone."""
    principal = Principal(name="one", role=Role.READ, namespace_ids=None)
    keys = Keys([Key(principal=principal, created_at=PAST, token_sha256=digest("secret"))])
    with serving(tmp_path, access=Access(keys)) as running:
        running.state.holder = NOBODY
        ready = {"ready": True, "ingestion": "standby", "completeSince": "2026-11-20T10:00:00.000Z"}
        assert {**ready, "ingestionBy": {"ingestion": "connecting"}} == running.request("/readyz")[1]
        known = Request(f"{running.url}/readyz", headers={"authorization": "Bearer secret"})
        with urlopen(known, timeout=10) as answer:
            assert b'"replica":"host-7-5d1f0a"' in answer.read()
