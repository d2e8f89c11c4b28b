"""A standby replica answers, and reports the status of the replica that ingests."""

from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import orjson
import pytest
from support.api_server import Api, serving
from support.html_browser import read

from jobindex.access.access import Access
from jobindex.access.keys import Key, Keys, digest
from jobindex.access.principals import Principal, Role
from jobindex.ingest.replica import _parsed
from jobindex.monitoring.state import Ingestion, IngestionStatus, LeaseHolder, described

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
    status=IngestionStatus(
        ingestion_reason="no replica ingests just now", complete_since=PAST, in_flight=deque([PAST])
    ),
)


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    """Serve an empty index as a standby replica."""
    with serving(tmp_path) as running:
        running.state.holder = HOLDER
        yield running


def metric(api: Api, name: str) -> float:
    """Return a value of /metrics."""
    lines = dict(line.rsplit(" ", 1) for line in api.metrics.encode().decode().splitlines() if line[0] != "#")
    return float(lines[f"jobindex_{name}"])


def test_it_is_ready_and_tells_who_ingests(api: Api) -> None:
    """A standby is ready, and only its /readyz shows that another replica ingests."""
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
    """A standby reports the same freshness in the header, on the pages and on /metrics."""
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
    """If no replica ingests, a standby reports the reason and the times of the index."""
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


def test_deferred_work_of_the_replica_that_ingests_is_told(api: Api) -> None:
    """A standby reports the deferred work, and the part that the database refuses."""
    refused = "job update-7: planted"
    status = replace(HOLDER.status, settling=frozenset({"thing", "job"}), set_aside=(refused,))
    told = orjson.loads(orjson.dumps(described(status, sees_all=True)))
    assert status == _parsed(told)
    api.state.holder = replace(HOLDER, status=status)
    assert api.request("/jobs")[2]["jobindex-freshness"].endswith(", settling=(job thing)")
    readyz = api.request("/readyz")[1]
    assert (["job", "thing"], [refused]) == (readyz["settling"], readyz["setAside"])
    assert "Settling: a message changed many rows" in read(f"{api.url}/ui/jobs").text
    assert "Not settled: the database refuses" in read(f"{api.url}/ui/jobs").text
    assert (1, 1) == (metric(api, "settling"), metric(api, "deferred_work_set_aside"))
    api.state.holder = HOLDER
    assert "settling" not in api.request("/jobs")[2]["jobindex-freshness"]
    assert (0, 0) == (metric(api, "settling"), metric(api, "deferred_work_set_aside"))


def test_that_the_replica_that_ingests_cannot_write_is_reported(api: Api) -> None:
    """If the replica that ingests cannot write, the reason is on /readyz, on the pages and on /metrics."""
    status = replace(HOLDER.status, unwritable="The index cannot be written: No space left on device")
    assert status == _parsed(orjson.loads(orjson.dumps(described(status, sees_all=True))))
    api.state.holder = replace(HOLDER, status=status)
    assert status.unwritable == api.request("/readyz")[1]["unwritable"]
    assert f"Cannot write: {status.unwritable}; new messages" in read(f"{api.url}/ui/jobs").text
    assert (1, 1) == (metric(api, "unwritable"), metric(api, "mqtt_connected"))


def test_that_the_replica_that_ingests_lost_its_session_is_reported(api: Api) -> None:
    """If the replica that ingests lost its session, /readyz has the time."""
    status = replace(HOLDER.status, session_lost_at=PAST)
    assert status == _parsed(orjson.loads(orjson.dumps(described(status, sees_all=True))))
    api.state.holder = replace(HOLDER, status=status)
    assert "2026-11-20T10:00:00.000Z" == api.request("/readyz")[1]["sessionLost"]


def test_that_the_replica_that_ingests_never_received_anything_is_reported(api: Api) -> None:
    """If the replica that ingests never received a message, /readyz and the pages say so while it is connected."""
    status = replace(HOLDER.status, last_message_at=None, was_empty=True)
    assert status == _parsed(orjson.loads(orjson.dumps(described(status, sees_all=True))))
    api.state.holder = replace(HOLDER, status=status)
    assert api.request("/readyz")[1]["nothingEverArrived"] is True
    assert "no message has ever arrived" in read(f"{api.url}/ui/jobs").text
    for other in (replace(status, last_message_at=PAST), replace(status, ingestion=Ingestion.CONNECTING)):
        api.state.holder = replace(HOLDER, status=other)
        assert "nothingEverArrived" not in api.request("/readyz")[1]


def test_what_it_was_before_plays_no_part(api: Api) -> None:
    """A standby ignores its own earlier ingestion status until it ingests again."""
    api.state.ingestion, api.state.connected_since = Ingestion.REFUSED, PAST + timedelta(days=9)
    assert f"connected-since=@{int(PAST.timestamp())}," in api.request("/jobs")[2]["jobindex-freshness"]
    api.state.holder = None
    assert api.request("/jobs")[2]["jobindex-freshness"].startswith("ingestion=refused, connected-since=")
    assert ("refused", 1) == (api.request("/readyz")[1]["ingestion"], metric(api, "ingesting"))


def test_who_does_not_see_all_is_not_told_of_machines(tmp_path: Path) -> None:
    """Only an unrestricted key sees the replica's name and the reason: /readyz is open to all."""
    principal = Principal(name="one", role=Role.READ, namespace_ids=None)
    limited = replace(principal, name="two", namespace_ids=frozenset({"acme"}))
    keys = Keys(
        [
            Key(principal=principal, created_at=PAST, token_sha256=digest("secret")),
            Key(principal=limited, created_at=PAST, token_sha256=digest("narrow")),
        ]
    )
    with serving(tmp_path, access=Access(keys)) as running:
        running.state.holder = replace(NOBODY, status=replace(NOBODY.status, unwritable="db.example is away"))
        ready = {"ready": True, "ingestion": "standby", "completeSince": "2026-11-20T10:00:00.000Z"}
        assert {**ready, "ingestionBy": {"ingestion": "connecting"}} == running.request("/readyz")[1]
        known = Request(f"{running.url}/readyz", headers={"authorization": "Bearer secret"})
        with urlopen(known, timeout=10) as answer:
            told = answer.read()
        page = Request(f"{running.url}/ui/jobs", headers={"authorization": "Bearer narrow"})
        with urlopen(page, timeout=10) as answer:
            assert b"<b>Cannot write</b>; new messages" in answer.read()
        assert b'"replica":"host-7-5d1f0a"' in told
        assert b'"unwritable":"db.example is away"' in told


def test_a_stranger_is_not_told_why_it_is_not_ready(tmp_path: Path) -> None:
    """The reason may name the database and its user, so only an unrestricted key sees it."""
    seen = {"limited": frozenset({"n"}), "all": None}
    principals = [Principal(name=name, role=Role.READ, namespace_ids=ids) for name, ids in seen.items()]
    keys = [Key(principal=one, created_at=PAST, token_sha256=digest(one.name)) for one in principals]
    with serving(tmp_path, access=Access(Keys(keys))) as api:
        api.state.store, api.state.reason = None, 'connection to server at "db.internal" failed'
        told = {}
        for name in ("", "limited", "all"):
            request = Request(f"{api.url}/readyz", headers={"Authorization": f"Bearer {name}"} if name else {})
            with pytest.raises(HTTPError) as refused:
                urlopen(request)
            told[name] = orjson.loads(refused.value.read()).get("reason")
        assert {"": None, "limited": None, "all": 'connection to server at "db.internal" failed'} == told
