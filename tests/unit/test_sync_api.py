"""The operations under /index/sync: what they return, and which requests they refuse."""

import json
from dataclasses import replace
from typing import Any, cast

import pytest
from support.sync_examples import AT, RUN, SECOND, SyncStore

from jobindex.errors import InvalidRequestException
from jobindex.model.parameters import Values, parse_parameters
from jobindex.model.store import Store
from jobindex.model.sync import SyncKind, SyncRun, SyncTimes
from jobindex.monitoring.state import SyncStatus
from jobindex.web.api.sync import GET_SYNC, LIST_DIFFERENCES, START_SYNC, served

CHECKING = SyncStatus(mode="check")


async def ask(store: SyncStore, operation: Any, values: Values | None = None, *, sync: SyncStatus | None = None) -> Any:
    """Return the answer of an operation."""
    answers = {each.name: answer for each, answer in served(lambda: sync)}
    return await answers[operation.name](cast("Store", store), values or Values({}))


async def start(store: SyncStore, sync: SyncStatus | None = CHECKING, **body: Any) -> Any:
    """Return the answer to a body, which is validated first."""
    values = Values({})
    assert START_SYNC.body is not None
    values.body = START_SYNC.body.parse(json.dumps(body).encode())
    return await ask(store, START_SYNC, values, sync=sync)


async def test_the_status_has_the_progress_the_times_and_the_runs() -> None:
    """Unknown members are left out."""
    sync = SyncStatus(
        mode="fill", kind="fill", phase="jobs", done=3, total=9, seconds_left=4, is_first=True, problems=("p",)
    )
    ended = SyncRun(id=6, kind=SyncKind.JOB, requested_at=AT, job_id="j1", ended_at=AT, is_complete=True)
    store = SyncStore([RUN, ended], times=SyncTimes(filled_at=AT))
    assert {
        "mode": "fill",
        "isFirst": True,
        "kind": "fill",
        "phase": "jobs",
        "done": 3,
        "total": 9,
        "rows": 0,
        "calls": 0,
        "throttled": 0,
        "secondsLeft": 4,
        "problems": ["p"],
        "filled": SECOND,
        "runs": [
            {
                "id": 7,
                "kind": "fill",
                "withGroups": True,
                "requestedAt": SECOND,
                "startedAt": SECOND + 1,
                "asOf": SECOND + 1.25,
                "isComplete": False,
                "phase": "jobs",
                "done": 3,
                "total": 9,
                "rows": 750,
                "calls": 4,
                "throttled": 1,
                "differences": 2,
                "problems": ("ListThingGroups: AccessDeniedException: no",),
            },
            {
                "id": 6,
                "kind": "job",
                "jobId": "j1",
                "withGroups": False,
                "requestedAt": SECOND,
                "endedAt": SECOND,
                "isComplete": True,
                **dict.fromkeys(("done", "rows", "calls", "throttled", "differences"), 0),
                "problems": (),
            },
        ],
    } == await ask(store, GET_SYNC, sync=sync)


async def test_a_sync_that_is_off_has_its_former_runs() -> None:
    """The mode is off, and the times are those of the last complete syncs."""
    answer = await ask(SyncStore([RUN], times=SyncTimes(reconciled_at=AT)), GET_SYNC)
    assert ("off", SECOND, [7]) == (answer["mode"], answer["reconciled"], [run["id"] for run in answer["runs"]])


@pytest.mark.parametrize("kind", ["fill", "active", "all", "pending", "details"])
async def test_a_run_is_requested_once(kind: str) -> None:
    """The answer is the open run of the kind; a second request answers the same run."""
    store = SyncStore([replace(RUN, kind=SyncKind.JOB, job_id="j1", with_groups=False)])
    first, second = await start(store, kind=kind), await start(store, SyncStatus(mode="fill"), kind=kind)
    assert (first, 100, kind, False) == (second, first["id"], first["kind"], first["withGroups"])
    assert 2 == len(store.runs)


async def test_a_fill_lists_thing_groups_if_asked() -> None:
    """An open fill without them is not the requested one: the error names it."""
    store = SyncStore()
    assert (await start(store, kind="fill", withGroups=True))["withGroups"]
    store = SyncStore([replace(RUN, with_groups=False)])
    with pytest.raises(InvalidRequestException, match="Run 7 is a fill without thing groups, and has not ended yet"):
        await start(store, kind="fill", withGroups=True)


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({}, "'kind' failed to satisfy constraint: Member must not be null"),
        ({"kind": "job"}, "Member must satisfy enum value set: \\[pending, fill, active, all, details\\]"),
        ({"kind": 1}, "Member must be a string"),
        ({"kind": "fill", "withGroups": "yes"}, "'yes' at 'withGroups' .* Member must be true or false"),
        ({"kind": "all", "withGroups": True}, "'withGroups' .* Member must be given only with the kind fill"),
        ({"kind": "all", "groups": True}, "Member must have only the known members: kind, withGroups"),
    ],
)
async def test_a_bad_request_is_refused(body: dict[str, Any], problem: str) -> None:
    """The error names the member and its constraint, and nothing is requested."""
    store = SyncStore()
    with pytest.raises(InvalidRequestException, match=problem):
        await start(store, **body)
    assert [] == store.runs


async def test_a_sync_that_is_off_cannot_be_started() -> None:
    """The error names the setting."""
    store = SyncStore()
    with pytest.raises(InvalidRequestException, match=r"is off. JOBINDEX_AWS_SYNC=fill or =check turns it on"):
        await start(store, None, kind="fill")
    assert [] == store.runs


async def test_differences_are_paged_from_the_newest() -> None:
    """Each is in one page; a member that is absent stands for nothing."""
    store = SyncStore(differences=5)
    pages, before = list[Any](), None
    while True:
        query = [("limit", "2"), *([] if before is None else [("before", str(before))])]
        page = await ask(store, LIST_DIFFERENCES, parse_parameters(LIST_DIFFERENCES.parameters, query))
        pages.append([each["id"] for each in page["differences"]])
        if (before := page["next"]) is None:
            break
    assert [[5, 4], [3, 2], [1]] == pages
    (first, second) = (
        await ask(store, LIST_DIFFERENCES, parse_parameters(LIST_DIFFERENCES.parameters, [("limit", "2")]))
    )["differences"]
    common = {"jobId": "j1", "foundAt": SECOND, "runId": 7}
    assert {
        "id": 5,
        "kind": "job_status",
        "was": "IN_PROGRESS",
        "now": "CANCELED",
        "isRepaired": False,
        **common,
    } == first
    assert {
        "id": 4,
        "kind": "execution_deleted",
        "thingName": "t1",
        "was": "QUEUED",
        "isRepaired": True,
        **common,
    } == second
