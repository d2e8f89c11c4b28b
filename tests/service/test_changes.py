"""The change feed notifies its subscribers, and a slow one delays nobody."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib import request as urllib_request

import pytest
from starlette.requests import Request
from support.brokers import mosquitto, publish
from support.messages import parsed
from support.services import Service, running
from support.waiting import wait_until

from jobindex.access.access import PRINCIPAL
from jobindex.access.principals import ANYONE
from jobindex.errors import ServiceUnavailableException
from jobindex.model.store import NAMED_MAXIMUM, Changed
from jobindex.monitoring.metrics import Metrics
from jobindex.monitoring.state import Ingestion, ServiceState
from jobindex.web import changes as live_module
from jobindex.web.api import events
from jobindex.web.api.throttle import Throttle
from jobindex.web.changes import ChangeFeed, Interest

TOLD = parsed(("$aws/things/thing-1/jobs/job-1/notify-namespace-fleet", {"execution": {"status": "QUEUED"}}))
OTHER = parsed(("$aws/things/thing-2/jobs/job-2/notify-namespace-other", {"execution": {"status": "QUEUED"}}))


def changed(*job_ids: str, thing_name: str = "thing-1", namespace_id: str = "fleet") -> Changed:
    """Return a change of these jobs."""
    return Changed(
        job_ids=frozenset(job_ids),
        namespace_ids=frozenset({namespace_id}),
        thing_names=frozenset({thing_name}),
    )


CHANGED = changed("job-1")
OTHERS_CHANGED = changed("job-2", thing_name="thing-2", namespace_id="other")


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_module, "TICK_SECONDS", 0.01)


@pytest.fixture
async def live() -> AsyncIterator[ChangeFeed]:
    """Run a change feed while the test runs."""
    live = ChangeFeed(ServiceState(ingestion=Ingestion.CONNECTED))
    telling = asyncio.create_task(live.run())
    yield live
    live.stop()
    telling.cancel()
    with suppress(asyncio.CancelledError):
        await telling


def read(event: bytes) -> dict[str, Any]:
    """Return the change in an event."""
    change: dict[str, Any] = json.loads(event.removeprefix(b"event: change\ndata: "))
    return change


async def told(watching: AsyncIterator[bytes]) -> dict[str, Any]:
    """Return the next change that lists jobs, or has too many to list."""
    async with asyncio.timeout(5):
        async for event in watching:
            change = read(event)
            if change["jobs"] != []:
                return change
    raise AssertionError("the line ended")


async def test_a_watcher_is_told_what_has_changed(live: ChangeFeed) -> None:
    """An event combines several batches, and names jobs, things and namespaces."""
    with live.watch(Interest()) as watching:
        assert watching is not None
        live.note(TOLD, CHANGED)
        live.note(OTHER, OTHERS_CHANGED)
        change = await told(watching)
    assert (["job-1", "job-2"], ["thing-1", "thing-2"], ["fleet", "other"]) == (
        change["jobs"],
        change["things"],
        change["namespaces"],
    )
    assert {"ingestion": "connected"} == change["freshness"]


@pytest.mark.parametrize(
    "interest", [Interest(job_id="job-2"), Interest(thing_name="thing-2"), Interest(namespace_id="other")]
)
async def test_a_watcher_of_one_thing_is_not_told_of_others(live: ChangeFeed, interest: Interest) -> None:
    """A subscription to one job, thing or namespace gets no changes of others."""
    with live.watch(Interest()) as everything, live.watch(interest) as watching:
        assert everything is not None
        assert watching is not None
        live.note(TOLD, CHANGED)
        assert ["job-1"] == (await told(everything))["jobs"]
        live.note(OTHER, OTHERS_CHANGED)
        assert ["job-2"] == (await told(watching))["jobs"]


async def test_of_many_it_is_said_that_there_were_many(live: ChangeFeed) -> None:
    """An event with too many jobs to list notifies subscribers of a single job, too."""
    with live.watch(Interest(job_id="job-1")) as watching:
        assert watching is not None
        live.note((), changed(*(f"many-{number}" for number in range(NAMED_MAXIMUM))))
        live.note((), changed("another"))
        assert (await told(watching))["jobs"] is None


async def test_an_event_is_encoded_once_for_all_subscribers(live: ChangeFeed) -> None:
    """Hundreds of unread streams share the bytes of an event."""
    streams = [events._stream(live, Interest(), "key") for _ in range(3)]
    for stream in streams:
        assert [b"retry: 2000\n\n", b"event: change\n"] == [await anext(stream), (await anext(stream))[:14]]
    live.note(TOLD, CHANGED)
    first, *others = [await anext(stream) for stream in streams]
    assert ["job-1"] == read(first)["jobs"]
    assert all(other is first for other in others)


@pytest.mark.parametrize("seen", [None, frozenset(f"{number:0128}" for number in range(150))])
async def test_an_event_is_bounded_in_bytes(live: ChangeFeed, seen: frozenset[str] | None) -> None:
    """An event stays within its limit in bytes, however long the names are."""
    names = frozenset(f"{number:0128}" for number in range(NAMED_MAXIMUM))
    with live.watch(Interest(visible=seen)) as watching:
        assert watching is not None
        read(await anext(watching))
        live.note((), Changed(job_ids=frozenset(), namespace_ids=names, thing_names=names))
        event = await anext(watching)
    assert len(event) <= live_module.EVENT_BYTES
    change = read(event)
    named = None if seen is None else sorted(names)
    assert (None, None, named) == (change["jobs"], change["things"], change["namespaces"])


FLEET = frozenset({"fleet", "fleet-2"})


@pytest.mark.parametrize(
    "interest",
    [
        Interest(visible=FLEET),
        Interest(visible=FLEET, namespace_id="fleet"),
        Interest(visible=FLEET, job_id="job-2"),
        Interest(visible=FLEET, thing_name="thing-2"),
    ],
)
async def test_who_sees_some_namespaces_is_told_of_these_alone(live: ChangeFeed, interest: Interest) -> None:
    """A restricted subscriber gets only its namespaces, not the jobs and things in them."""
    live._state.last_message_at = datetime.now(UTC)
    with live.watch(interest) as watching, live.watch(Interest()) as everything:
        assert watching is not None
        assert everything is not None
        first = read(await anext(watching))
        assert ([], [], [], {"ingestion": "connected"}) == (
            first["jobs"],
            first["things"],
            first["namespaces"],
            first["freshness"],
        )
        live.note(OTHER, OTHERS_CHANGED)
        assert ["other"] == (await told(everything))["namespaces"]
        live.note(TOLD, CHANGED)
        live.note(OTHER, OTHERS_CHANGED)
        live.note((), replace(CHANGED, namespace_ids=frozenset(f"many-{n}" for n in range(NAMED_MAXIMUM + 1))))
        change = await told(watching)
        assert (None, None, ["fleet"], {"ingestion": "connected"}) == (
            change["jobs"],
            change["things"],
            change["namespaces"],
            change["freshness"],
        )
        assert (await told(everything))["namespaces"] is None


async def test_who_sees_some_is_not_told_of_what_is_of_no_namespace(live: ChangeFeed) -> None:
    """A change without a namespace notifies only unrestricted subscribers; an unknown change notifies all."""
    with live.watch(Interest(visible=FLEET)) as watching, live.watch(Interest()) as everything:
        assert watching is not None
        assert everything is not None
        live._tick.add_rewrite()
        change = await told(everything)
        assert (None, None, None) == (change["jobs"], change["things"], change["namespaces"])
        live.note((), replace(OTHERS_CHANGED, namespace_ids=None))
        first, change = read(await anext(watching)), read(await anext(watching))
        assert ([], None) == (first["namespaces"], change["namespaces"])


async def test_nobody_has_all_lines(live: ChangeFeed, monkeypatch: pytest.MonkeyPatch) -> None:
    """One key or address has a limited number of streams, so that others can subscribe."""
    monkeypatch.setattr(live_module, "WATCHERS_OF_ONE_MAXIMUM", 1)
    with live.watch(Interest(), "key a") as first, live.watch(Interest(), "key a") as second:
        assert first is not None
        assert second is None
        assert (True, False) == (live.is_full("key a"), live.is_full("key b"))
        with live.watch(Interest(), "key b") as other:
            assert other is not None


async def test_lines_that_are_ended_may_begin_again(live: ChangeFeed) -> None:
    """When new keys come into force, streams end, and clients may subscribe again."""
    with live.watch(Interest()) as watching:
        assert watching is not None
        live.end_streams()
        assert 1 == len([told async for told in watching])
    with live.watch(Interest()) as watching:
        assert watching is not None


async def test_who_does_not_take_what_is_told_is_dropped(live: ChangeFeed) -> None:
    """The stream of a slow subscriber ends, and others are still notified."""
    with live.watch(Interest()) as slow, live.watch(Interest()) as quick:
        assert slow is not None
        assert quick is not None
        for _ in range(10):
            live.note(TOLD, CHANGED)
            await told(quick)
        assert 1 == live.watchers
        assert len([change async for change in slow]) < 10


async def test_who_is_not_concerned_is_told_that_the_line_stands(
    live: ChangeFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A subscriber without changes of its own still gets the freshness, and no changes of others."""
    monkeypatch.setattr(live_module, "QUIET_SECONDS", 0.05)
    with live.watch(Interest(job_id="job-2")) as watching:
        assert watching is not None
        async with asyncio.timeout(5):
            for _ in range(3):
                live.note(TOLD, CHANGED)
                assert [] == read(await anext(watching))["jobs"]


async def test_nobody_watches_once_it_is_stopped(live: ChangeFeed) -> None:
    """A stop ends all streams and refuses new ones."""
    with live.watch(Interest()) as watching:
        assert watching is not None
        live.stop()
        assert 1 == len([told async for told in watching])
    with live.watch(Interest()) as watching:
        assert watching is None
    endpoint = events.watch(live, Throttle(Metrics(ServiceState())))
    with pytest.raises(ServiceUnavailableException, match="stopping"):
        await endpoint(
            Request(
                {
                    "type": "http",
                    "method": "GET",
                    "path_params": {},
                    "query_string": b"",
                    "headers": [],
                    PRINCIPAL: ANYONE,
                }
            )
        )


async def test_a_lost_connection_is_told_without_any_change(live: ChangeFeed) -> None:
    """The loss of the connection is reported even if no message arrives."""
    with live.watch(Interest(job_id="none")) as watching:
        assert watching is not None
        live._state.ingestion = Ingestion.CONNECTING
        async with asyncio.timeout(5):
            async for change in watching:
                if read(change)["freshness"] == {"ingestion": "connecting"}:
                    break


async def test_the_more_watch_the_less_often_they_are_told(live: ChangeFeed, monkeypatch: pytest.MonkeyPatch) -> None:
    """All subscribers together get a bounded number of events a second."""
    waited: list[float] = []
    sleep = asyncio.sleep

    async def note_sleep(seconds: float) -> None:
        waited.append(seconds)
        await sleep(0)

    monkeypatch.setattr(asyncio, "sleep", note_sleep)
    with live.watch(Interest()), live.watch(Interest()):
        monkeypatch.setattr(live_module, "WATCHERS_A_SECOND", 20)
        async with asyncio.timeout(5):
            while 0.1 not in waited:
                await sleep(0.001)


@contextmanager
def _events(service: Service, query: str = "") -> Iterator[Iterator[dict[str, Any] | None]]:
    """Subscribe to the events of a service; yield each change, and None for the end of the stream."""
    connection = HTTPConnection(service.url.removeprefix("http://"), timeout=10)
    connection.request("GET", f"/index/events{query}")
    answer = connection.getresponse()
    assert (200, "text/event-stream; charset=utf-8") == (answer.status, answer.getheader("content-type"))

    def events() -> Iterator[dict[str, Any] | None]:
        for line in answer:
            if line == b"event: end\n":
                yield None
            elif line.startswith(b"data: ") and line != b"data: {}\n":
                yield json.loads(line.removeprefix(b"data: "))

    try:
        yield events()
    finally:
        connection.close()


def test_a_published_job_is_told_over_http_and_the_service_ends_the_line(tmp_path: Path) -> None:
    """A message from MQTT becomes a server-sent event, and SIGTERM ends the stream at once."""
    with (
        mosquitto(tmp_path) as broker,
        running(Service(tmp_path, MQTT_URL=f"mqtt://127.0.0.1:{broker.port}")) as service,
        _events(service, "?jobId=job-1") as events,
    ):
        assert next(events)
        wait_until(lambda: service.metric("live_watchers") == 1, "the watcher on /metrics")
        publish(broker.port, [("$aws/things/thing-1/jobs/job-1/notify-namespace-fleet", b"{}")])
        assert next(event for event in events if event and event["jobs"] == ["job-1"])
        assert 0 == service.stop()
        assert [None] == list(events)
        assert "graceful" not in service.log()


def test_head_is_answered_at_once(tmp_path: Path) -> None:
    """HEAD returns the headers of the stream, and no events."""
    with running(Service(tmp_path, MQTT_URL="mqtt://127.0.0.1:1"), until="connecting") as service:
        connection = HTTPConnection(service.url.removeprefix("http://"), timeout=10)
        for method, path, kind in (
            ("HEAD", "/index/events", "text/event-stream; charset=utf-8"),
            ("GET", "/healthz", "application/json"),
        ):
            connection.request(method, path)
            answer = connection.getresponse()
            assert (200, kind) == (answer.status, answer.getheader("content-type"))
            answer.read()
        connection.close()


def test_what_is_changed_otherwise_is_told_too(tmp_path: Path) -> None:
    """A purge of rejected messages is reported, although it is not a batch."""
    with (
        mosquitto(tmp_path) as broker,
        running(Service(tmp_path, MQTT_URL=f"mqtt://127.0.0.1:{broker.port}")) as service,
        _events(service) as events,
    ):
        assert next(events)
        publish(broker.port, [("$aws/things/thing-1/jobs/job-1/notify-namespace-fleet", b"no JSON")])
        wait_until(lambda: service.metric("messages_rejected_total") == 1, "the rejected message")
        purge = urllib_request.Request(f"{service.url}/rejected?all=true", headers={"x-jobindex": "1"}, method="DELETE")
        urllib_request.urlopen(purge, timeout=10).close()
        assert next(event for event in events if event and event["jobs"] is None)
