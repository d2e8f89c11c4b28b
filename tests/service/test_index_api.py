"""The index beyond AWS's operations, under /index/."""

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from support.api_server import ARN_PREFIX, THING_ARN_PREFIX, Api, serving

from jobindex.model.sync import SyncKind, SyncStep

Message = tuple[str, dict[str, Any]]

NOW = datetime(2026, 1, 1, 12, 30, tzinfo=UTC)
ARRIVED = NOW.timestamp()
PATHS = (
    "/index/namespaces",
    "/index/things",
    "/index/things/thing",
    "/index/thing-groups/group/things",
    "/index/executions/waiting",
    "/index/jobs",
    "/index/jobs/job",
    "/index/job-outcomes?jobId=job",
    "/index/jobs/job/changes",
    "/index/jobs/job/executions",
)


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    """Serve an empty index."""
    with serving(tmp_path) as running:
        yield running


def execution(job_id: str, thing_name: str = "thing", namespace_id: str | None = "n", **told: Any) -> Message:
    """Make a message that reports an execution."""
    level = "notify" if namespace_id is None else f"notify-namespace-{namespace_id}"
    return (f"$aws/things/{thing_name}/jobs/{job_id}/{level}", {"execution": told})


def ended(thing_name: str, namespace_id: str, timestamp: float) -> Message:
    """Make a complete list without pending executions, of a thing and a namespace."""
    return (f"$aws/things/{thing_name}/jobs/notify-namespace-{namespace_id}", {"timestamp": timestamp, "jobs": {}})


def without_namespace(job_id: str, thing_name: str = "thing") -> Message:
    """Make a message about a job without a namespace."""
    return (
        f"$aws/events/jobExecution/{job_id}/succeeded",
        {"timestamp": 1000, "thingArn": f"arn:aws:iot:us-east-1:123456789012:thing/{thing_name}"},
    )


def pages(api: Api, path: str, member: str, limit: int) -> list[Any]:
    """Return the items of all pages of a path; an empty `after` asks for the first."""
    found: list[Any] = []
    following = ""
    while True:
        _, page, _ = api.request(f"{path}{'&' if '?' in path else '?'}limit={limit}&after={following}")
        assert len(page[member]) <= limit
        found += page[member]
        if page["next"] is None:
            return found
        assert page["next"]
        following = quote(page["next"], safe="")


def test_an_empty_index_tells_empty_pages(api: Api) -> None:
    """An empty index returns empty pages, and an unknown thing or job is not found."""
    assert {"namespaces": [], "next": None} == api.request("/index/namespaces")[1]
    assert {"things": [], "next": None} == api.request("/index/things")[1]
    assert {"executions": [], "next": None} == api.request("/index/executions/waiting")[1]
    assert {"jobs": [], "next": None} == api.request("/index/jobs")[1]
    assert {"changes": []} == api.request("/index/jobs/job/changes")[1]
    for path in (
        "/index/things/thing",
        "/index/thing-groups/group/things",
        "/index/jobs/job",
        "/index/jobs/job/executions",
    ):
        status, _, headers = api.request(path)
        assert (404, "ResourceNotFoundException") == (status, headers["x-amzn-errortype"])


def counts(**known: int) -> dict[str, int]:
    """Return AWS's `jobProcessDetails` with these counts, and 0 for the others."""
    names = ("Queued", "InProgress", "TimedOut", "Failed", "Rejected", "Removed", "Canceled", "Succeeded")
    return dict.fromkeys((f"numberOf{name}Things" for name in names), 0) | known


def test_a_job_is_told_whole(api: Api) -> None:
    """A job comes with all its facts, and whether they were reported or inferred."""
    job = {
        "status": "SCHEDULED",
        "targetSelection": "CONTINUOUS",
        "thingGroupName": "group",
        "thingGroupId": "id",
        "isConcurrent": True,
        "createdAt": 1486687079.743,
        "lastUpdatedAt": 1486687080.123,
        "completedAt": 1486687081.5,
    }
    api.apply(("$aws/things/thing/jobs/full/notify-namespace-n", {"job": job}), now=NOW)
    api.apply(execution("full", "t1", status="QUEUED"), execution("full", "t2", status="FAILED"), now=NOW)
    assert {
        "jobId": "full",
        "jobArn": ARN_PREFIX + "full",
        "namespaceId": "n",
        "status": "SCHEDULED",
        "isStatusReported": True,
        "targetSelection": "CONTINUOUS",
        "thingGroupIds": ["id"],
        "thingGroupNames": ["group"],
        "isConcurrent": True,
        "createdAt": 1486687079.743,
        "isCreatedAtReported": True,
        "lastUpdatedAt": 1486687081.5,
        "completedAt": 1486687081.5,
        "firstHeardAt": ARRIVED,
        "executions": {"QUEUED": 1, "FAILED": 1},
        "failures": 1,
        "knownProcessDetails": counts(numberOfQueuedThings=1, numberOfFailedThings=1),
    } == api.request("/index/jobs/full")[1]

    api.apply(without_namespace("bare"), now=NOW)
    assert {
        "jobId": "bare",
        "jobArn": "arn:aws:iot:us-east-1:123456789012:job/bare",
        "status": "COMPLETED",
        "isStatusReported": False,
        "thingGroupIds": [],
        "thingGroupNames": [],
        "createdAt": 1000,
        "isCreatedAtReported": False,
        "lastUpdatedAt": 1000,
        "completedAt": 1000,
        "firstHeardAt": ARRIVED,
        "executions": {"SUCCEEDED": 1},
        "failures": 0,
        "knownProcessDetails": counts(numberOfSucceededThings=1),
    } == api.request("/index/jobs/bare")[1]


def test_the_changes_of_a_job_are_told_newest_first(api: Api) -> None:
    """Changes come newest first, and a deletion leaves no status."""
    at = [datetime.fromtimestamp(second, UTC) for second in (1000, 1200, 1300)]
    api.apply(execution("job", status="QUEUED", queuedAt=100), now=at[0])
    api.apply(("$aws/events/job/job/completed", {"timestamp": 200}), now=at[1])
    api.apply(("$aws/events/job/job/deleted", {"timestamp": 300}), now=at[2])
    every: dict[str, object] = {"namespaceId": "n", "origin": "message"}
    expected = [
        {"changedAt": 1300, "formerStatus": "COMPLETED", "isStatusReported": False, **every},
        {"changedAt": 1200, "status": "COMPLETED", "formerStatus": "IN_PROGRESS", "isStatusReported": True, **every},
        {"changedAt": 1000, "status": "IN_PROGRESS", "isStatusReported": False, **every},
    ]
    assert 404 == api.request("/index/jobs/job")[0]
    assert {"changes": expected} == api.request("/index/jobs/job/changes")[1]
    assert {"changes": expected[:1]} == api.request("/index/jobs/job/changes?limit=1")[1]


@pytest.mark.parametrize("limit", [1, 7, 1000])
def test_jobs_are_searched_by_the_beginning_of_their_ids(api: Api, limit: int) -> None:
    """Jobs come in the order of their ids, once each, with the filters and the form of ListJobs."""
    ids = sorted(f"{prefix}-{number}" for prefix in ("a", "ab", "b") for number in range(20))
    statuses = {job_id: ("COMPLETED", "CANCELED")[number % 2] for number, job_id in enumerate(ids)}
    api.apply(
        *(
            (f"$aws/things/t/jobs/{job_id}/notify-namespace-n", {"status": status, "thingGroupName": "g"})
            for job_id, status in statuses.items()
        )
    )
    found = pages(api, "/index/jobs", "jobs", limit)
    assert ids == [job["jobId"] for job in found]
    assert found == sorted(api.request("/jobs")[1]["jobs"], key=lambda job: str(job["jobId"]))
    found = pages(api, "/index/jobs?prefix=ab-1&status=CANCELED&namespaceId=n&thingGroupName=g", "jobs", limit)
    assert [job_id for job_id in ids if job_id.startswith("ab-1") and statuses[job_id] == "CANCELED"] == [
        job["jobId"] for job in found
    ]
    assert 404 == api.request("/index/jobs?thingGroupName=unknown")[0]


@pytest.mark.parametrize("limit", [1, 7, 1000])
def test_the_executions_of_a_job_are_told_in_any_state(api: Api, limit: int) -> None:
    """Executions come in the order of thing names, also those with an unknown outcome."""
    things = sorted(f"thing:{number}" for number in range(20))
    api.apply(
        *(execution("job", thing, status="QUEUED", queuedAt=100, executionNumber=1) for thing in things),
        *(ended(thing, "n", 200) for thing in things[::2]),
    )
    expected = [
        {
            "jobId": "job",
            "thingName": thing,
            "thingArn": THING_ARN_PREFIX + thing,
            "namespaceId": "n",
            "state": "QUEUED",
            "queuedAt": 100,
            "lastUpdatedAt": 100,
            "waitingSince": 100,
            "seenPendingAt": 100,
            "executionNumber": 1,
            "formerAttempts": [],
        }
        for thing in things
    ]
    for told in expected[::2]:
        told["state"] = "ENDED"
        del told["waitingSince"]
    path = "/index/jobs/job/executions"
    assert expected == pages(api, path, "executions", limit)
    assert expected[::2] == pages(api, f"{path}?state=ENDED", "executions", limit)
    assert expected[1::2] == pages(api, f"{path}?state=QUEUED", "executions", limit)
    assert [] == pages(api, f"{path}?state=FAILED", "executions", limit)


@pytest.mark.parametrize("limit", [1, 7, 1000])
def test_executions_that_wait_are_told_longest_first(api: Api, limit: int) -> None:
    """Executions that wait longer than requested, or than the setting, come longest first."""
    now = time.time()
    waits = {f"job-{number}": 60 * number for number in range(1, 100)}
    api.apply(
        *(
            execution(job_id, namespace_id=f"n{wait // 60 % 2}", status="QUEUED", queuedAt=now - wait - 30)
            for job_id, wait in waits.items()
        ),
        execution("succeeded", status="SUCCEEDED", queuedAt=now - 9999, lastUpdatedAt=now),
        execution("gone", "other", status="QUEUED", queuedAt=now - 9999),
        ended("other", "n", now),
    )
    longest = sorted(waits, key=lambda job_id: waits[job_id], reverse=True)

    def waiting(query: str) -> list[str]:
        return [told["jobId"] for told in pages(api, f"/index/executions/waiting{query}", "executions", limit)]

    assert longest == waiting("?longerThan=0")
    assert [job_id for job_id in longest if waits[job_id] >= 3600] == waiting("")
    assert [job_id for job_id in longest if waits[job_id] >= 5400 and waits[job_id] // 60 % 2] == waiting(
        "?longerThan=5400&namespaceId=n1"
    )
    assert [] == waiting("?longerThan=999999999")


@pytest.mark.parametrize("limit", [1, 7, 1000])
def test_namespaces_are_told_with_their_counts(api: Api, limit: int) -> None:
    """The jobs without a namespace come first, without a `namespaceId`."""
    names = [f"n-{number:02}" for number in range(20)]
    api.apply(
        without_namespace("bare"), *(execution(f"job-{name}", namespace_id=name, status="QUEUED") for name in names)
    )
    api.apply(ended("thing", "n-03", 2000), execution("second", namespace_id="n-03", status="FAILED", lastUpdatedAt=1))
    first, *others = pages(api, "/index/namespaces", "namespaces", limit)
    assert (False, {"COMPLETED": 1}, {"SUCCEEDED": 1}) == ("namespaceId" in first, first["jobs"], first["executions"])
    assert names == [namespace["namespaceId"] for namespace in others]
    assert ({"IN_PROGRESS": 1}, {"QUEUED": 1}) == (others[0]["jobs"], others[0]["executions"])
    assert ({"COMPLETED": 2}, {"FAILED": 1, "ENDED": 1}) == (others[3]["jobs"], others[3]["executions"])
    for namespace in (first, *others):
        assert 24 == len(namespace["activity"])
        assert 1 <= sum(namespace["activity"])
        assert abs(time.time() - namespace["lastChangeAt"]) < 60


@pytest.mark.parametrize("limit", [1, 7, 1000])
def test_things_are_told_by_the_beginning_of_their_names(api: Api, limit: int) -> None:
    """Things are found by a prefix of their names, in order, once each."""
    names = sorted(f"{prefix}:{number}" for prefix in ("a", "ab", "b") for number in range(20))
    api.apply(*(execution("job", name, status="QUEUED") for name in names))
    assert names == pages(api, "/index/things", "things", limit)
    assert [name for name in names if name.startswith("ab:1")] == pages(
        api, "/index/things?prefix=ab:1", "things", limit
    )
    assert [] == pages(api, "/index/things?prefix=c", "things", limit)


def test_a_thing_is_told(api: Api) -> None:
    """A thing has counts of its executions, the time since when it waits, and its complete lists."""
    api.apply(
        execution("j1", "a:b", status="QUEUED", queuedAt=3000.5),
        execution("j2", "a:b", status="IN_PROGRESS", queuedAt=3100, startedAt=3200),
        execution("j3", "a:b", namespace_id="m", status="QUEUED", queuedAt=100),
        without_namespace("j4", "a:b"),
        ended("a:b", "m", 2000),
        ("$aws/things/a:b/jobs/notify", {"timestamp": 2500, "jobs": {}}),
    )
    expected = {
        "thingName": "a:b",
        "executions": {"QUEUED": 1, "IN_PROGRESS": 1, "SUCCEEDED": 1, "ENDED": 1},
        "waitingSince": 3000.5,
        "lastHeardAt": 3200,
        "pendingLists": [{"listedAt": 2500}, {"namespaceId": "m", "listedAt": 2000}],
    }
    _, told, _ = api.request("/index/things/a%3Ab")
    told["pendingLists"].sort(key=lambda list_: str(list_.get("namespaceId", "")))
    assert expected == told


def test_outcomes_are_those_of_each_job(api: Api) -> None:
    """Namespace, failures and whether the status was reported, in the order of the request, of listed jobs once."""
    api.apply(
        execution("job-0", status="FAILED", queuedAt=1, lastUpdatedAt=2),
        without_namespace("job-1"),
        ("$aws/events/job/job-2/completed", {"timestamp": 9, "completedAt": 8}),
    )
    path = "/index/job-outcomes?jobId=job-2&jobId=gone&jobId=job-0&jobId=job-1&jobId=job-2"
    outcomes = api.request(path)[1]["jobs"]
    assert outcomes == [
        {"jobId": "job-2", "isStatusReported": True, "failures": 0},
        {"jobId": "job-0", "namespaceId": "n", "isStatusReported": False, "failures": 1},
        {"jobId": "job-1", "isStatusReported": False, "failures": 0},
    ]
    for outcome in outcomes:
        job = api.request(f"/index/jobs/{outcome['jobId']}")[1]
        assert outcome == {name: job[name] for name in outcome}


@pytest.mark.parametrize(
    ("path", "named"),
    [
        ("/index/namespaces?limit=0", "limit"),
        ("/index/namespaces?after=a%20b", "after"),
        ("/index/things?limit=1001", "limit"),
        ("/index/things?prefix=%20", "prefix"),
        ("/index/things/%20", "thingName"),
        ("/index/executions/waiting?longerThan=-1", "longerThan"),
        ("/index/executions/waiting?longerThan=1e3", "longerThan"),
        ("/index/executions/waiting?namespaceId=", "namespaceId"),
        ("/index/executions/waiting?after=x", "after"),
        ("/index/jobs?prefix=a:b", "prefix"),
        ("/index/jobs?status=QUEUED", "status"),
        ("/index/jobs?thingGroupName=", "thingGroupName"),
        ("/index/jobs/a%20b", "jobId"),
        ("/index/jobs/a%2Fb", "jobId"),
        ("/index/job-outcomes", "jobId"),
        ("/index/job-outcomes?jobId=a%20b", "jobId"),
        ("/index/job-outcomes?" + "&".join(f"jobId=j{number}" for number in range(101)), "jobId"),
        ("/index/jobs/job/changes?limit=101", "limit"),
        ("/index/jobs/job/executions?state=DELETED", "state"),
        ("/index/jobs/job/executions?after=W10", "after"),
        ("/index/events?thingName=a%20b", "thingName"),
    ],
)
def test_bad_queries_name_the_parameter(api: Api, path: str, named: str) -> None:
    """A bad query gets status 400 in AWS's form, and the message names the parameter."""
    status, body, headers = api.request(path)
    assert (400, "InvalidRequestException") == (status, headers["x-amzn-errortype"])
    assert named in body["message"]


def test_a_page_goes_on_for_its_question_alone(api: Api) -> None:
    """The position in `next` is valid only for its own query."""
    api.apply(*(execution(f"job-{job}", thing, status="QUEUED", queuedAt=1) for job in range(2) for thing in "ab"))
    following = api.request("/index/jobs/job-0/executions?limit=1")[1]["next"]
    assert 200 == api.request(f"/index/jobs/job-0/executions?after={following}")[0]
    for path in (
        "/index/jobs/job-1/executions?",
        "/index/jobs/job-0/executions?state=QUEUED&",
        "/index/executions/waiting?",
    ):
        status, body, _ = api.request(f"{path}after={following}")
        assert (400, f"Invalid after: '{following}'") == (status, body["message"].partition(" is ")[0])


def test_the_things_of_a_group_are_listed(api: Api) -> None:
    """Things are in the order of their names, each with whether the index has heard of it, as of the fill's start."""
    api.apply(execution("job", "t:1", status="QUEUED"), ("$aws/events/thingGroup/g:1/created", {"thingGroupId": "id"}))
    path = "/index/thing-groups/g%3A1/things"
    assert (200, {"things": [], "next": None}) == api.request(path)[:2]
    store = api.state.opened_store()
    api.run(store.request_sync(SyncKind.FILL, with_groups=True, now=NOW))
    run = api.run(store.next_sync())
    assert run is not None
    members = [("g:1", name) for name in ("t3", "t2", "t:1")]
    api.run(store.record_sync(SyncStep(run=replace(run, as_of=NOW), members=members, whole_group="g:1"), now=NOW))
    expected = [{"thingName": name, "isHeardOf": name == "t:1"} for name in ("t2", "t3", "t:1")]
    for limit in (1, 2, 3, 1000):
        assert expected == pages(api, path, "things", limit)
    assert {"things": expected[:1], "membersAsOf": NOW.timestamp(), "next": "t2"} == api.request(f"{path}?limit=1")[1]
    status, body, _ = api.request("/index/thing-groups/g.1/things")
    assert (400, True) == (status, "Value 'g.1' at 'thingGroupName'" in body["message"])


def test_without_a_database_the_service_is_unavailable(api: Api) -> None:
    """Without a database each path answers 503."""
    api.state.store, api.state.reason = None, "the database is locked"
    for path in PATHS:
        status, _, headers = api.request(path)
        assert (503, "ServiceUnavailableException") == (status, headers["x-amzn-errortype"])
