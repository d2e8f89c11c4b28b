"""The page of the syncs with AWS, and the notices and links about them on every page."""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import cast
from urllib.parse import parse_qsl, urlsplit

import pytest
from support.html_browser import Document
from support.sync_examples import AT, RUN, SyncStore

from jobindex.access.principals import ANYONE, Principal, Role
from jobindex.errors import InvalidRequestException
from jobindex.model.store import Store
from jobindex.model.sync import DifferenceKind, SyncKind, SyncRun, SyncTimes
from jobindex.monitoring.state import ServiceState, SyncStatus
from jobindex.web.ui.freshness import read_freshness
from jobindex.web.ui.marks import progress, said
from jobindex.web.ui.page import PAGE_SIZE, Question
from jobindex.web.ui.reconciliation import reconciliation_page
from jobindex.web.ui.rendering import Frame, Rendered, Renderer
from jobindex.web.ui.words import difference_name, run_name

NOW = AT + timedelta(minutes=5)
LIMITED = Principal(name="limited", role=Role.READ, namespace_ids=frozenset({"acme"}))
FILLING = SyncStatus(
    mode="check",
    kind="fill",
    phase="pending executions",
    done=1250,
    total=5000,
    rows=7000,
    calls=1300,
    throttled=2,
    seconds_left=750,
    is_first=True,
)


async def shown(
    store: SyncStore,
    sync: SyncStatus | None = None,
    *,
    after: str | None = None,
    principal: Principal = ANYONE,
    filled_minutes_ago: int | None = None,
) -> Document:
    """Return the whole page."""
    parameters = [] if after is None else [("after", after)]
    question = Question(path="/ui/reconciliation", parameters=parameters, now=NOW)
    page = await reconciliation_page(cast("Store", store), question, lambda: sync)
    state = ServiceState(sync=sync)
    if filled_minutes_ago is not None:
        state.filled_at = NOW - timedelta(minutes=filled_minutes_ago)
    sees_all = principal.namespace_ids is None
    freshness = read_freshness(state, NOW, sees_all=sees_all)
    frame = Frame(freshness=freshness, now=NOW, principal=principal, has_reconciliation=sees_all and sync is not None)
    assets: Mapping[str, str] = dict.fromkeys(("ui.css", "ui.js", "icon.svg"), "/asset")
    return Document("/ui/reconciliation", 200, {}, Renderer(assets).whole(Rendered(page=page, now=NOW), frame))


async def test_a_difference_has_both_sides_and_links() -> None:
    """The newest is first; a difference that was only reported says so, and a side without a value is `nothing`."""
    page = await shown(SyncStore(differences=2))
    assert ["Job", "Thing", "Difference", "Index", "AWS", "Result", "Found"] == page.rows[0]
    assert [
        ["j1", "t1", "Execution deleted", "Queued", "nothing", "Repaired", "5 min ago run 7"],
        ["j1", "", "Status of the job", "In progress", "Canceled", "Only reported", "5 min ago run 7"],
    ] == page.rows[1:3]
    assert ("/ui/jobs/j1", "/ui/things/t1") == (page.links["j1"], page.links["t1"])


def test_every_kind_of_difference_and_run_has_its_words() -> None:
    """A page never fails because of a kind."""
    assert len(DifferenceKind) == len({difference_name(kind) for kind in DifferenceKind})
    assert len(SyncKind) == len({run_name(kind) for kind in SyncKind})


async def test_differences_are_paged_from_the_newest() -> None:
    """Each is on one page; a position of another page is refused."""
    store = SyncStore(differences=2 * PAGE_SIZE + 1)
    ids, position = list[str](), None
    while True:
        page = await shown(store, after=position)
        ids += re.findall(r'<tr data-key="(\d+)" data-mark="">', page.html)
        if "Next →" not in page.links:
            break
        position = dict(parse_qsl(urlsplit(page.links["Next →"]).query))["after"]
    assert [str(id_) for id_ in range(2 * PAGE_SIZE + 1, 0, -1)] == ids
    assert "/ui/reconciliation" == page.links["First"]
    with pytest.raises(InvalidRequestException):
        await shown(store, after="1")


async def test_the_progress_of_a_run_is_shown() -> None:
    """With a bar if the total is known, and the time left if that is."""
    page = await shown(SyncStore(), FILLING)
    assert "Fill: pending executions 1,250 of 5,000 Rows 7,000 Calls 1,300 Throttled by AWS 2 About 12 min left" in (
        page.text
    )
    assert ("svg", "aria-label", "1,250 of 5,000") in page.attributes
    unknown = await shown(SyncStore(), replace(FILLING, total=None, seconds_left=None, throttled=0))
    assert "Fill: pending executions 1,250 done Rows 7,000 Calls 1,300 Mode" in unknown.text
    assert "1,250 of" not in unknown.html
    more = await shown(SyncStore(), replace(FILLING, total=1000))  # a phase can find more than it has counted
    assert "Fill: pending executions 1,250 done" in more.text
    assert "of 1,000" not in more.text


async def test_runs_show_what_they_could_not_get() -> None:
    """An open run has its phase, an ended one whether it is complete; runs of single jobs are not shown."""
    ended = replace(RUN, id=6, kind=SyncKind.ALL, with_groups=False, problems=(), ended_at=AT, throttled=0)
    complete = replace(ended, id=5, is_complete=True)
    opened = SyncRun(id=9, kind=SyncKind.JOB, job_id="j9", requested_at=AT)
    waiting = SyncRun(id=8, kind=SyncKind.PENDING, requested_at=AT)
    page = await shown(SyncStore([opened, waiting, RUN, ended, complete]))
    assert [
        ["8 Check of the active jobs and their pending executions", "Waiting", "0", "0", "0", "5 min ago", "not yet"],
        [
            "7 Fill with thing groups",
            "In progress jobs ListThingGroups: AccessDeniedException: no",
            "750",
            "4 1 throttled",
            "2",
            "5 min ago",
            "not yet",
        ],
        ["6 Check of all jobs", "Incomplete", "750", "4", "2", "5 min ago", "5 min ago"],
        ["5 Check of all jobs", "Complete", "750", "4", "2", "5 min ago", "5 min ago"],
    ] == page.rows[1:]


@pytest.mark.parametrize(
    ("sync", "times", "expected"),
    [
        (None, SyncTimes(), "The sync with AWS is off: JOBINDEX_AWS_SYNC turns it on. Mode Off Filled as of never"),
        (SyncStatus(mode="fill"), SyncTimes(filled_at=AT), "Mode Fill once Filled as of 5 min ago"),
        (
            SyncStatus(mode="check"),
            SyncTimes(),
            "Compared as of never Differences No differences No check has compared",
        ),
        (SyncStatus(mode="check"), SyncTimes(reconciled_at=AT), "No differences No check has found a difference"),
    ],
)
async def test_a_page_without_runs_and_differences_is_explained(
    sync: SyncStatus | None, times: SyncTimes, expected: str
) -> None:
    """It says whether the sync is on, and whether anything was compared."""
    page = await shown(SyncStore(times=times), sync)
    assert expected in page.text
    assert "No runs" in page.text


async def test_the_first_fill_is_announced_on_every_page() -> None:
    """To restricted readers, too, without a link that they may not follow; not later fills."""
    notice = (
        "The index is being filled from AWS: some jobs are still missing. "
        "Now: pending executions (1,250 of 5,000), 7,000 rows, about 12 min left."
    )
    assert f"{notice} Progress" in (await shown(SyncStore(), FILLING)).text
    limited = await shown(SyncStore(), FILLING, principal=LIMITED)
    assert (True, False) == (notice in limited.text, "Progress" in limited.links)
    for sync in (None, replace(FILLING, is_first=False), replace(FILLING, kind=None)):
        assert "being filled" not in (await shown(SyncStore(), sync)).text


async def test_what_is_wrong_is_announced_to_unlimited_readers() -> None:
    """The reason why no call succeeds, and the first problem."""
    sync = SyncStatus(mode="check", reason="ListJobs: expired", problems=("events are off: job", "b", "c"))
    page = await shown(SyncStore(), sync)
    assert "No call to AWS succeeds: ListJobs: expired Reconciliation" in page.text
    assert "The sync with AWS has a problem: events are off: job (and 2 other problems) Reconciliation" in page.text
    limited = await shown(SyncStore(), sync, principal=LIMITED)
    assert not re.search("No call to AWS|has a problem: ", limited.html.split("<main")[0])


async def test_the_strip_and_the_navigation_know_the_sync() -> None:
    """The times of the last fill and check; the link only if there is something behind it."""
    page = await shown(SyncStore(), SyncStatus(mode="check"), filled_minutes_ago=60)
    assert "Filled from AWS" in page.text
    assert "Compared with AWS" not in page.text
    assert "/ui/reconciliation" == page.links["Reconciliation"]
    assert "Reconciliation" not in (await shown(SyncStore())).links


def test_a_bar_shows_the_finished_part() -> None:
    """Its label has the numbers."""
    assert 'aria-label="1 of 4"><rect class="s-IN_PROGRESS" x="0" width="25.0" height="4"/>' in progress(1, 4)
    assert 'width="0.0"' in progress(0, 4)


def test_a_value_that_is_not_a_status_is_text() -> None:
    """It is escaped."""
    assert "createdAt &lt;b&gt;" == said("createdAt <b>")
    assert '<span class="badge s-TIMED_OUT">Timed out</span>' == said("TIMED_OUT")
