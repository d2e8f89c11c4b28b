"""The syncs of a real index over HTTP and on the pages."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from support.api_server import Api, keys_of_roles, serving
from support.html_browser import read
from support.sync_checks import check
from support.waiting import wait_until

from jobindex.access.access import Access
from jobindex.model.sync import SyncKind
from jobindex.monitoring.state import SyncStatus

CHECKING = SyncStatus(mode="check")
JOB = "$aws/things/thing/jobs/{}/notify-namespace-n"


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    """Serve an empty index, with the sync on."""
    with serving(tmp_path) as running:
        running.state.sync = CHECKING
        yield running


def post(api: Api, body: object, **headers: str) -> tuple[int, Any]:
    """Return the status of an answer, and its members or the message of the error."""
    return api.post("/index/sync", body, **headers)


def test_a_run_is_started_and_listed(api: Api) -> None:
    """The answer is the open run, also of the second request; GetSync lists it."""
    status, run = post(api, {"kind": "fill", "withGroups": True})
    assert (200, "fill", True, False) == (status, run["kind"], run["withGroups"], run["isComplete"])
    assert abs(run["requestedAt"] - datetime.now(UTC).timestamp()) < 60
    assert (200, run) == post(api, {"kind": "fill"})
    _, details = post(api, {"kind": "details"})
    answer = api.request("/index/sync")[1]
    assert {"mode": "check", "runs": [run, details]} == answer


def test_the_sync_must_be_on(api: Api) -> None:
    """The error names the setting, and the status says so."""
    api.state.sync = None
    assert (400, "The sync with AWS is off. JOBINDEX_AWS_SYNC=fill or =check turns it on.") == post(
        api, {"kind": "all"}
    )
    assert {"mode": "off", "runs": []} == api.request("/index/sync")[1]


def test_only_operators_start_a_sync(tmp_path: Path) -> None:
    """A key that only reads sees the status; a web page starts nothing."""
    with serving(tmp_path, access=Access(keys_of_roles())) as api:
        api.state.sync = CHECKING
        body = {"kind": "active"}
        assert 403 == post(api, body)[0]
        assert 403 == post(api, body, authorization="Bearer read")[0]
        operating = {"authorization": "Bearer operate"}
        for refused in ({"x-jobindex": "0"}, {"origin": "http://evil.example"}):
            assert 403 == post(api, body, **operating, **refused)[0]
        assert (200, "active") == ((answer := post(api, body, **operating))[0], answer[1]["kind"])
        asked = Request(f"{api.url}/index/sync", headers={"authorization": "Bearer read"})
        with urlopen(asked, timeout=10) as found:
            assert ["active"] == [run["kind"] for run in json.loads(found.read())["runs"]]


@pytest.mark.parametrize("repairs", [True, False])
def test_a_difference_is_in_the_api_and_on_the_page(api: Api, repairs: bool) -> None:  # noqa: FBT001
    """What the index said and what AWS says, newest first, with links; the job's history has its origin."""
    stamp = (datetime.now(UTC) - timedelta(hours=1)).timestamp()
    for job_id in ("j1", "j2"):
        api.apply((JOB.format(job_id), {"status": "IN_PROGRESS", "createdAt": stamp, "lastUpdatedAt": stamp}))
    check(api, "j1", repairs=repairs)
    check(api, "j2", repairs=repairs)
    page, following = (api.request(f"/index/sync/differences?limit=1{more}")[1] for more in ("", "&before=2"))
    assert ([2, 1], 2, None) == (
        [found["id"] for each in (page, following) for found in each["differences"]],
        page["next"],
        following["next"],
    )
    (difference,) = page["differences"]
    assert ("job_status", "j2", "IN_PROGRESS", "CANCELED", repairs) == (
        *(difference[name] for name in ("kind", "jobId", "was", "now")),
        difference["isRepaired"],
    )
    shown = read(f"{api.url}/ui/").follow("Reconciliation")
    result = "Repaired" if repairs else "Only reported"
    assert [["j2", "", "Status of the job", "In progress", "Canceled", result]] == [row[:6] for row in shown.rows[1:2]]
    assert ("CANCELED" if repairs else "IN_PROGRESS") == api.request("/jobs/j2")[1]["job"]["status"]
    origins = [change["origin"] for change in api.request("/index/jobs/j2/changes")[1]["changes"]]
    assert (["sync", "message"] if repairs else ["message"]) == origins
    assert repairs == ("found by a sync with AWS" in shown.follow("j2").text)


@pytest.mark.parametrize("job_ids", [(), ("j1",)])
def test_the_navigation_has_differences_though_the_sync_is_off(api: Api, job_ids: tuple[str, ...]) -> None:
    """Without differences, a service without the sync has no link."""
    api.state.sync = None
    if job_ids:
        check(api, *job_ids)
    assert bool(job_ids) == ("Reconciliation" in read(f"{api.url}/ui/").links)


@pytest.mark.parametrize("path", ["/jobs/j1", "/index/jobs/j1", "/ui/jobs/j1"])
@pytest.mark.parametrize("is_known", [True, False])
def test_an_opened_job_is_synced_next(api: Api, path: str, is_known: bool) -> None:  # noqa: FBT001
    """While a run is open: also a job that the index does not have yet."""
    if is_known:
        api.apply((JOB.format("j1"), {"status": "IN_PROGRESS"}))
    api.state.sync = replace(CHECKING, kind="fill", is_first=True)
    answer = read(f"{api.url}{path}")
    assert (200 if is_known else 404) == answer.status
    runs = wait_until(lambda: api.run(api.state.opened_store().sync_runs(limit=10)), "the run of the job")
    assert [(SyncKind.JOB, "j1")] == [(run.kind, run.job_id) for run in runs]


def test_the_first_fill_is_announced_in_the_parts_of_a_live_page(api: Api) -> None:
    """A browser replaces the notice together with the freshness."""
    api.state.sync = replace(CHECKING, kind="fill", phase="jobs", is_first=True, rows=250)
    live = read(f"{api.url}/ui/jobs?fragment=")
    assert "The index is being filled from AWS: some jobs are still missing. Now: jobs (0), 250 rows." in live.text
    assert ("section", "id", "sync") in live.attributes
    api.state.sync = CHECKING
    assert ("section", "hidden", None) in read(f"{api.url}/ui/jobs?fragment=").attributes
