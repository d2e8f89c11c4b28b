"""The pages, read without JavaScript."""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import parse_qsl, quote, urlsplit
from urllib.request import Request, urlopen

import pytest
from support.api_server import Api, serving
from support.html_browser import Document, read
from support.sync_checks import check
from support.waiting import wait_until

from jobindex.model.listing import JobPage, ListJobsQuery
from jobindex.model.reports import RejectedMessage
from jobindex.monitoring.state import Ingestion
from jobindex.web.ui.page import PAGE_SIZE

JOB = "$aws/things/{}/jobs/{}/notify-namespace-{}"
PAGES = ("", "jobs", "jobs/job-1", "things", "things/pump-1", "stuck", "rejected", "rejected/1", "reconciliation")


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    """Serve an empty index and its pages."""
    with serving(tmp_path) as running:
        yield running


def page(api: Api, path: str = "", **headers: str) -> Document:
    """Return a page."""
    return read(f"{api.url}/ui/{path}", **headers)


def seconds(**ago: float) -> float:
    """Return the time so long ago, in seconds as in messages."""
    return (datetime.now(UTC) - timedelta(**ago)).timestamp()


def pending(thing: str, namespace: str, **states: list[dict[str, Any]]) -> tuple[str, dict[str, Any]]:
    """Return a list of the pending executions of a thing."""
    return f"$aws/things/{thing}/jobs/notify-namespace-{namespace}", {"timestamp": int(seconds()), "jobs": states}


def execution(job_id: str, *, hours: float) -> dict[str, Any]:
    """Return an entry of such a list, queued so many hours ago."""
    return {"jobId": job_id, "queuedAt": int(seconds(hours=hours)), "executionNumber": 1, "versionNumber": 1}


def event(job_id: str, thing: str, operation: str, **more: Any) -> tuple[str, dict[str, Any]]:
    """Return an event of an ended execution."""
    arn = f"arn:aws:iot:us-east-1:000000000000:thing/{thing}"
    told = {"operation": operation, "jobId": job_id, "thingArn": arn, "timestamp": int(seconds()), **more}
    return f"$aws/events/jobExecution/{job_id}/{operation}", told


def fill(api: Api) -> None:
    """Apply messages of a job with a stuck execution and of a completed one, and reject a message."""
    api.apply(
        (
            JOB.format("pump-1", "job-1", "acme"),
            {"job": {"targetSelection": "SNAPSHOT", "createdAt": seconds(hours=3)}},
        ),
        (JOB.format("pump-1", "job-2", "other"), {"job": {"status": "COMPLETED", "thingGroupName": "hall"}}),
        pending("pump-1", "acme", QUEUED=[execution("job-1", hours=3)]),
        pending("pump-2", "acme", QUEUED=[execution("job-1", hours=0.1)]),
        event("job-1", "pump-3", "failed"),
    )
    api.reject(RejectedMessage(topic="$aws/<b>", payload=b'{"status": 1}', reason="status: 1 is not a string"))


@pytest.mark.parametrize("path", [*PAGES, "jobs/none", "things/none", "rejected/99", "nowhere", "jobs?status=none"])
def test_a_page_allows_nothing_from_elsewhere_and_nothing_inline(api: Api, path: str) -> None:
    """Every page, errors included, sends the strict policy and conforms to it."""
    fill(api)
    shown = page(api, path)
    assert (200 if path in PAGES else 400 if "?" in path else 404) == shown.status
    assert shown.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'; script-src 'self'; style-src 'self';" in shown.headers["content-security-policy"]
    assert shown.headers["x-content-type-options"] == "nosniff"
    assert shown.headers["referrer-policy"] == "same-origin"
    assert "<style" not in shown.html
    assert not re.search(r"<script>|<script(?! src=)", shown.html)
    assert not [name for _, name, _ in shown.attributes if name == "style" or name.startswith("on")]
    assert not [value for _, name, value in shown.attributes if name in {"src", "href"} and "//" in (value or "")]


@pytest.mark.parametrize("path", PAGES)
def test_every_page_of_an_empty_index_says_what_to_do(api: Api, path: str) -> None:
    """A page without data has an explanation instead of an empty table."""
    shown = page(api, path)
    told = r"No jobs yet|No things yet|No stuck executions|No rejected messages|No differences|Not found"
    assert re.search(told + "|No such job|No such thing", shown.text)
    assert not shown.rows


def test_a_browser_is_led_to_the_pages_and_a_program_is_not(api: Api) -> None:
    """`/` redirects browsers to the pages; other clients get AWS's error."""
    assert f"{api.url}/ui/" == read(api.url + "/").url
    assert f"{api.url}/ui/" == read(api.url + "/ui").url
    for accept in ("*/*", "application/json", "text/html;q=0.5,application/json", "text/html;q=none"):
        shown = read(api.url + "/", accept=accept)
        assert (404, "UnknownOperationException") == (shown.status, shown.headers["x-amzn-errortype"])
        assert "accept" == shown.headers["vary"]


def test_static_files_are_kept_for_good_under_the_hash_of_their_content(api: Api) -> None:
    """Static files are cached under the hash of their content, and revalidated by their tag."""
    shown = page(api)
    addresses = {
        value for _, name, value in shown.attributes if name in {"src", "href"} and "/static/" in (value or "")
    }
    assert {"ui.css", "ui.js", "icon.svg"} == {str(address).rpartition("/")[2] for address in addresses}
    for address in addresses:
        with urlopen(f"{api.url}{address}") as answer:
            assert "immutable" in answer.headers["cache-control"]
            tag = answer.headers["etag"]
        with pytest.raises(HTTPError) as known:
            urlopen(Request(f"{api.url}{address}", headers={"if-none-match": tag}))
        known.value.close()
        assert known.value.code == 304
    with urlopen(f"{api.url}/ui/static/0/ui.css") as answer:
        assert answer.headers["cache-control"] == "no-cache"
    assert read(f"{api.url}/ui/static/0/none.css").status == 404


def test_a_namespace_has_its_counts(api: Api) -> None:
    """A namespace has its counts and a link to its jobs; jobs without one come first."""
    fill(api)
    api.apply(event("job-3", "pump-1", "succeeded"))
    shown = page(api)
    assert ["without a namespace", "acme", "other"] == shown.column(0)
    assert ["Completed 1", "In progress 1", "Completed 1"] == shown.column(1)
    assert "Queued 2 Failed 1" == " ".join(sorted(re.findall(r"Queued 2|Failed 1", shown.column(2)[1]), reverse=True))
    assert ["job-1"] == shown.follow("acme").column(0)
    assert 'aria-label="acme: ' in shown.html


def test_namespaces_are_paged(api: Api) -> None:
    """A page has a link to the next namespaces."""
    api.apply(*[(JOB.format("t", f"job-{number}", f"n{number:03}"), {}) for number in range(PAGE_SIZE + 1)])
    first = page(api)
    second = first.follow("Next →")
    assert [f"n{number:03}" for number in range(PAGE_SIZE + 1)] == first.column(0) + second.column(0)
    assert "Next →" not in second.links
    assert first.column(0) == second.follow("First").column(0)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("namespaceId", "n1"),
        ("status", "COMPLETED"),
        ("targetSelection", "SNAPSHOT"),
        ("thingGroupName", "hall"),
        ("thingGroupId", "id-1"),
        ("prefix", "wanted"),
    ],
)
def test_jobs_are_filtered_by_a_form(api: Api, field: str, value: str) -> None:
    """Each filter finds only its job, and is in the form and in the address, which can be shared."""
    given = {"status": "COMPLETED", "targetSelection": "SNAPSHOT", "thingGroupName": "hall", "thingGroupId": "id-1"}
    api.apply(
        (JOB.format("t", "wanted-1", "n1"), {"job": given}),
        (JOB.format("t", "another", "n2"), {"job": {"status": "IN_PROGRESS", "targetSelection": "CONTINUOUS"}}),
    )
    everything = page(api, "jobs")
    assert {"another": "n2", "wanted-1": "n1"} == dict(zip(everything.column(0), everything.column(2), strict=True))
    found = everything.send(**{field: value})
    assert ["wanted-1"] == found.column(0)
    assert [(field, value)] == parse_qsl(urlsplit(found.url).query, keep_blank_values=True)
    assert value == found.forms[0].fields[field]
    assert 2 == len(found.follow("Clear").column(0))
    assert "No job matches these filters" in found.send(prefix="absent").text


def test_what_is_wrong_with_a_filter_stands_in_the_page(api: Api) -> None:
    """A wrong filter gets AWS's message and the status of ListJobs, and the form keeps its input."""
    fill(api)
    for query in ("status=none", "namespaceId=a%20b", "after=none", "before=none", "status=A&status=B"):
        expected = api.request("/jobs?" + query.replace("after=", "nextToken=").replace("before=", "nextToken="))
        shown = page(api, f"jobs?{query}")
        assert expected[0] == shown.status == 400
        assert expected[1]["message"] in shown.text
    assert "none" == page(api, "jobs?status=none").forms[0].fields["status"]
    assert "a b" == page(api, "jobs?namespaceId=a%20b").forms[0].fields["namespaceId"]
    unknown = page(api, "jobs?thingGroupName=unknown")
    assert 404 == unknown.status
    assert api.request("/jobs?thingGroupName=unknown")[1]["message"] in unknown.text


@pytest.mark.parametrize("query", ["jobs", "jobs?namespaceId=n"])
def test_jobs_are_paged_both_ways(api: Api, query: str) -> None:
    """Paging forward and back shows the same pages."""
    count = 2 * PAGE_SIZE + 7
    # Some jobs share their createdAt.
    api.apply(
        *[
            (JOB.format("t", f"job-{number:03}", "n"), {"createdAt": 1_600_000_000 + number // 3})
            for number in range(count)
        ]
    )
    pages = [page(api, query)]
    while "Next →" in pages[-1].links:
        pages.append(pages[-1].follow("Next →"))
    assert [f"job-{number:03}" for number in reversed(range(count))] == [
        job_id for shown in pages for job_id in shown.column(0)
    ]
    assert "← Previous" not in pages[0].links
    second = pages[2].follow("← Previous")
    first = second.follow("← Previous")
    assert [shown.column(0) for shown in pages[:2]] == [first.column(0), second.column(0)]
    assert pages[2].column(0) == second.follow("Next →").column(0)
    assert "← Previous" not in first.links
    assert pages[0].column(0) == pages[2].follow("First").column(0)


def test_a_search_by_id_is_paged(api: Api) -> None:
    """A search by prefix lists jobs in the order of their ids."""
    ids = [f"update-{number:03}" for number in range(PAGE_SIZE + 3)]
    api.apply(*[(JOB.format("t", job_id, "n"), {}) for job_id in [*ids, "other"]])
    first = page(api, "jobs").send(prefix="update-")
    second = first.follow("Next →")
    assert ids == first.column(0) + second.column(0)
    assert first.column(0) == second.follow("First").column(0)


def test_a_job_says_how_its_status_is_known(api: Api) -> None:
    """A job's page explains its status, reported or inferred, and lists executions and changes."""
    fill(api)
    shown = page(api, "jobs").follow("job-1")
    assert "Inferred: no message reported a status, and 2 of 3 known executions have not ended." in shown.text
    assert [["pump-3", "Failed"], ["pump-1", "Queued"], ["pump-2", "Queued"]] == [row[:2] for row in shown.rows[1:]]
    assert "first listed as In progress" in shown.text
    failed = shown.send(state="FAILED")
    assert ["pump-3"] == failed.column(0)
    assert "No known execution of this job has the state canceled" in failed.send(state="CANCELED").text
    assert 400 == page(api, "jobs/job-1?state=none").status
    assert "Things" in shown.follow("pump-1").links
    told = page(api, "jobs/job-2")
    assert "A message reported this status." in told.text
    assert ["job-2"] == told.follow("hall").column(0)


def test_executions_of_a_job_are_paged(api: Api) -> None:
    """A page has a link to the next executions."""
    things = [f"thing-{number:03}" for number in range(PAGE_SIZE + 2)]
    api.apply(*[event("job", thing, "succeeded") for thing in things])
    first = page(api, "jobs/job")
    assert things == first.column(0) + first.follow("Next →").column(0)
    assert f"all {len(things)} known executions have ended" in first.text


def test_a_job_that_is_gone_is_told_with_its_history(api: Api) -> None:
    """A deleted job's page is a 404 with its history; an unknown job's page says that no message reported it."""
    fill(api)
    deleted = {"operation": "deleted", "jobId": "job-1", "timestamp": int(seconds()) + 5}
    api.apply(("$aws/events/job/job-1/deleted", deleted))
    gone = page(api, "jobs/job-1")
    assert 404 == gone.status
    assert "It was deleted." in gone.text
    assert "deleted, was In progress" in gone.text
    assert "No message has reported it." in page(api, "jobs/never").text


def test_things_are_found_by_their_names(api: Api) -> None:
    """A prefix finds things in order, and a thing's page highlights the executions that wait."""
    fill(api)
    things = page(api, "things")
    assert {"pump-1", "pump-2", "pump-3"} <= set(things.links)
    found = things.send(prefix="pump-2")
    assert "pump-1" not in found.links
    assert "No thing name has this prefix" in things.send(prefix="x").text
    shown = found.follow("pump-2")
    assert "acme: complete list " in shown.text
    assert ["job-1", "Queued pending for 6 min", "acme"] == shown.rows[1][:3]
    assert 'class="waits"' in shown.html
    stuck = page(api, "things/pump-1")
    job, execution, namespace = stuck.rows[1][:3]
    assert ("job-1", "acme") == (job, namespace)
    assert execution.startswith("Queued pending for 3 h Stuck last seen pending ")
    assert 'class="waits"' not in page(api, "things/pump-3").html


def test_things_are_paged(api: Api) -> None:
    """A page has a link to the next things."""
    names = [f"thing-{number:03}" for number in range(130)]
    api.apply(*[event("job", name, "succeeded") for name in names])
    first = page(api, "things")
    second = first.follow("Next →")
    assert names == sorted({*first.links, *second.links} & set(names))
    assert not {*first.links} & {*second.links} & set(names)


def test_a_position_leads_nowhere_but_in_its_list(api: Api) -> None:
    """A position is sealed, and valid only for its page and filters."""
    things = [f"thing-{number:03}" for number in range(130)]
    api.apply(*[pending(thing, "acme", QUEUED=[execution("job", hours=3)]) for thing in things])
    api.apply(*[(JOB.format("t", f"job-{thing}", thing), {}) for thing in things])
    api.reject(*[RejectedMessage(topic=f"t/{n}", payload=b"", reason="a reason") for n in range(PAGE_SIZE + 1)])
    check(api, *(f"job-{number}" for number in range(PAGE_SIZE + 1)))
    lists = ("", "jobs?prefix=job", "jobs/job", "things", "stuck", "rejected", "reconciliation")
    positions = {}
    for path in lists:
        shown = page(api, path)
        positions[path] = dict(parse_qsl(urlsplit(shown.links["Next →"]).query))["after"]
        assert re.fullmatch("[A-Za-z0-9_-]+", positions[path])
        assert 200 == shown.follow("Next →").status
    for path in lists:
        for position in [positions[other] for other in lists if other != path] + [
            "thing-001",
            '["job","thing-001"]',
            "50",
        ]:
            refused = page(api, f"{path}{'&' if '?' in path else '?'}after={quote(position)}")
            assert (400, True) == (refused.status, "malformed, of an unknown version" in refused.text), path
    for other in ("stuck?namespaceId=acme", "stuck?longerThan=2h"):
        assert 400 == page(api, f"{other}&after={positions['stuck']}").status


def test_what_is_stuck_is_found(api: Api) -> None:
    """Executions are found by duration and namespace, and the navigation counts them."""
    fill(api)
    api.apply(pending("pump-9", "other", IN_PROGRESS=[execution("job-2", hours=30)]))
    shown = page(api, "stuck")
    assert [["pump-9", "job-2"], ["pump-1", "job-1"]] == [row[:2] for row in shown.rows[1:]]
    assert "Stuck 2 stuck executions" in page(api, "jobs").links
    assert "1h" == shown.forms[0].fields["longerThan"]
    assert ["pump-9", "pump-1", "pump-2"] == shown.send(longerThan="5m").column(0)
    assert ["pump-1"] == shown.send(namespaceId="acme").column(0)
    assert ["pump-9"] == shown.send(longerThan="1d").column(0)
    assert "longer than 7 d" in shown.send(longerThan="7d").text
    for query in ("longerThan=soon", "longerThan=0", "namespaceId=a%20b", "after=none"):
        wrong = page(api, f"stuck?{query}")
        assert 400 == wrong.status
        assert "Invalid request" in wrong.text


def test_rejected_messages_are_shown_with_reason_and_payload(api: Api) -> None:
    """A payload is shown as text, or in hexadecimal and base64, and never as HTML."""
    payloads = (b'{"a": "<script>"}', b"\xff\x00A", b"", b"x" * 20_000)
    api.reject(*[RejectedMessage(topic="$aws/<i>", payload=payload, reason="a <reason>") for payload in payloads])
    listed = page(api, "rejected")
    assert [["a <reason>", "$aws/<i>", "17"], ["a <reason>", "$aws/<i>", "3"]] == [row[1:4] for row in listed.rows[1:3]]
    text = listed.follow("Message 1")
    assert '{"a": "<script>"}' in text.text
    assert "a <reason>" in text.text
    binary = page(api, "rejected/2")
    assert "000000 ff 00 41 ..A" in binary.text
    assert "/wBB" in binary.text
    assert "empty" in page(api, "rejected/3").text
    long = page(api, "rejected/4")
    assert "/rejected/4" == long.links["whole message as JSON"]
    assert 404 == page(api, "rejected/none").status
    assert 400 == page(api, "rejected?after=none").status


def test_freshness_stands_on_every_page(api: Api) -> None:
    """Every page shows the connection with its reason, the backlog and the completeness."""
    state = api.state
    state.ingestion, state.ingestion_reason = Ingestion.REFUSED, "not authorized"
    shown = page(api)
    assert "Not connected: refused: not authorized" in shown.text
    assert "Not known to be complete" in shown.text
    past = datetime(2026, 11, 20, 10, tzinfo=UTC)
    state.ingestion, state.ingestion_reason = Ingestion.CONNECTED, None
    state.connected_since = state.complete_since = state.last_message_at = past
    state.in_flight.append(datetime.now(UTC) - timedelta(seconds=90))
    shown = page(api, "jobs")
    for told in ("Connected since 2026-11-20 10:00 UTC", "Complete since 2026-11-20 10:00 UTC", "1 min behind"):
        assert told in shown.text
    state.in_flight.clear()
    shown = page(api, "jobs")
    assert "Up to date" in shown.text
    assert "until the connection was lost" not in shown.text
    state.ingestion = Ingestion.CONNECTING
    expected = "Complete since 2026-11-20 10:00 UTC, until the connection was lost"
    assert expected in page(api, "jobs").text


def test_a_section_is_asked_for_alone(api: Api) -> None:
    """A fragment has only the requested sections and the freshness."""
    fill(api)
    whole = page(api, "jobs/job-1")
    sections = page(api, "jobs/job-1?fragment=executions,history")
    ids = [value for _, name, value in sections.attributes if name == "id"]
    given = [id_ for id_ in ids if id_ and not id_.startswith("thing-")]
    assert ["status", "sync", "stuck-count", "executions"] == given[:4]
    assert "history" in ids
    assert "job" not in ids
    assert len(sections.html) < len(whole.html)
    alone = page(api, "jobs/job-1?fragment=")
    assert ["status", "sync", "stuck-count"] == [value for _, name, value in alone.attributes if name == "id"]
    gone = page(api, "jobs/none?fragment=executions")
    assert 'id="main"' in gone.html
    assert 200 == gone.status


def test_an_answer_is_kept_until_the_index_changes(api: Api) -> None:
    """A cached page is made again half a second after a change."""
    fill(api)
    first = page(api, "jobs")
    assert first.html.partition("<main")[2] == page(api, "jobs").html.partition("<main")[2]
    api.apply((JOB.format("t", "later", "n"), {}))
    wait_until(lambda: "later" in page(api, "jobs").links, "the job in the page", 2)


def test_an_index_that_cannot_be_read_is_a_page_too(api: Api) -> None:
    """While the index cannot be read, a page is a 503 with the reason and a retry time."""
    store, api.state.store = api.state.store, None
    api.state.reason = "the database is not open yet"
    try:
        for path in ("", "jobs", "jobs?fragment=list"):
            shown = page(api, path)
            assert 503 == shown.status
            assert shown.headers["retry-after"]
            assert "the database is not open yet" in shown.text
    finally:
        api.state.store = store


def test_a_change_by_a_form_is_not_offered(api: Api) -> None:
    """Another method than GET or HEAD gets a page with the same strict policy."""
    for path in ("", "/", "/jobs", "/static/0/ui.css", "/nowhere"):
        with pytest.raises(HTTPError) as refused:
            urlopen(Request(f"{api.url}/ui{path}", data=b"", method="POST"))
        with refused.value:
            assert (405, "GET, HEAD") == (refused.value.code, refused.value.headers["allow"])
            assert f"Pages are read-only: the method POST is not allowed for /ui{path}" in refused.value.read().decode()
            _check_is_strict(dict(refused.value.headers))


def _check_is_strict(headers: Mapping[str, str]) -> None:
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "nosniff" == headers["x-content-type-options"]
    assert "text/html; charset=utf-8" == headers["content-type"]


@pytest.mark.parametrize("path", ["static/x/nope", "static/x", "static", "a/b/c"])
def test_where_there_is_no_page_a_page_says_so(api: Api, path: str) -> None:
    """An unknown page has the same strict policy, and needs no query to the index."""
    api.state.store, store = None, api.state.store
    try:
        shown = page(api, path)
    finally:
        api.state.store = store
    assert (404, True) == (shown.status, f"Unknown page: /ui/{path}" in shown.text)
    _check_is_strict(shown.headers)


def test_more_pages_than_can_be_made_are_turned_away(tmp_path: Path) -> None:
    """Pages and sections beyond the bound get 503 with a retry time; ListJobs has its own bound."""
    with serving(tmp_path, pages_maximum=0) as api:
        for path in ("", "jobs", "jobs?fragment=list", "jobs?fragment="):
            shown = page(api, path)
            assert 503 == shown.status
            assert ("The rate exceeds the limit" in shown.text) is not path.endswith("=")
            assert shown.headers["retry-after"]
            _check_is_strict(shown.headers)
        assert 200 == api.request("/jobs")[0]
        assert b"jobindex_http_requests_throttled_total 4.0" in api.metrics.encode()


def test_what_a_page_does_not_know_makes_no_other_page(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unknown parameters share one cached answer, and are not in links."""
    api.apply(*[(JOB.format("t", f"job-{number}", "n"), {}) for number in range(PAGE_SIZE + 1)])
    assert api.state.store is not None
    asked: list[object] = []
    listed = api.state.store.list_jobs

    async def list_jobs(query: ListJobsQuery) -> JobPage:
        asked.append(query)
        return await listed(query)

    monkeypatch.setattr(api.state.store, "list_jobs", list_jobs)
    for number in range(20):
        shown = page(api, f"jobs?namespaceId=n&x={number}")
        assert "x=" not in shown.links["Next →"]
    assert 1 == len(asked)
