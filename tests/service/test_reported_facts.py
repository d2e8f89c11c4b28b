"""Every reported fact, and no other, comes back through boto3, under /index/ and on the pages."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from botocore import xform_name
from support.api_server import Api, serving
from support.html_browser import read
from support.reported_facts import (
    COMPLETED,
    CONFIGURATION,
    DEPLOYMENT,
    DETAILS,
    GATEWAY,
    REPORTED,
    RETRIES,
    RUNNING,
    SCENARIOS,
    SUCCEEDED,
    TARGETS,
    Scenario,
    T,
    event,
    listed,
)

from jobindex.monitoring.state import ServiceState
from jobindex.web.api import data_plane, describe_job, executions
from jobindex.web.api.list_jobs import LIST_JOBS
from jobindex.web.opened_jobs import OpenedJobs

READS = {
    ("iot", "ListJobs"): LIST_JOBS,
    **{
        ("iot", operation.name): operation
        for operation, _ in (*describe_job.served(OpenedJobs(ServiceState())), *executions.SERVED)
    },
    ("iot-jobs-data", "GetPendingJobExecutions"): data_plane.GET_PENDING_JOB_EXECUTIONS,
    ("iot-jobs-data", "DescribeJobExecution"): data_plane.DESCRIBE_JOB_EXECUTION,
}


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    """Serve an empty index."""
    with serving(tmp_path) as running:
        yield running


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
def test_boto3_reads_back_every_fact(api: Api, scenario: Scenario) -> None:
    """Whole answers are compared: a member that no message reported is not in them."""
    api.apply(*scenario.messages)
    client = api.client(scenario.service)
    for operation, given, expected in scenario.answers:
        answer = getattr(client, xform_name(operation))(**given)
        del answer["ResponseMetadata"]
        assert expected == answer, (operation, given)


def absent(schema: Mapping[str, Any], answers: Sequence[Any], path: str = "") -> Iterator[str]:
    """Yield the members of a schema that no answer has, except the token, which other tests cover."""
    if "items" in schema:
        yield from absent(schema["items"], [item for answer in answers for item in answer], path)
    for name, member in schema.get("properties", {}).items():
        found = [answer[name] for answer in answers if name in answer]
        if found:
            yield from absent(member, found, f"{path}.{name}")
        elif name != "nextToken":
            yield f"{path}.{name}"


@pytest.mark.parametrize("read", READS, ids=" ".join)
def test_the_scenarios_have_every_member_that_an_answer_can_have(read: tuple[str, str]) -> None:
    """The scenarios cover every member of every answer, so the client reads back every fact."""
    service, operation = read
    answers = [
        answer
        for scenario in SCENARIOS.values()
        for name, _, answer in scenario.answers
        if (scenario.service, name) == (service, operation)
    ]
    assert answers
    assert [] == list(absent(READS[read].answer, answers))


def test_a_job_that_an_event_alone_reports_is_described_by_it(api: Api) -> None:
    """A job known only from events has AWS's counts, not those of the index, and the event's other facts."""
    api.apply(COMPLETED, SUCCEEDED)
    _, told, _ = api.request("/index/jobs/old")
    assert (REPORTED, {"SUCCEEDED": 1}, 3) == (told["reportedProcessDetails"], told["executions"], told["failures"])
    assert (1, 0) == tuple(told["knownProcessDetails"][f"numberOf{state}Things"] for state in ("Succeeded", "Failed"))
    members = ("description", "targets", "comment", "reasonCode")
    assert ["the winter update", TARGETS, "done", "PLANNED"] == [told[name] for name in members]


def test_what_ends_after_a_plain_cancellation_is_counted(api: Api) -> None:
    """A `canceled` event counts earlier ends; later ones are counted without another job event."""
    topic = "$aws/events/job/stopped/canceled"
    canceled = {"timestamp": T + 100, "status": "CANCELED", "jobProcessDetails": REPORTED}
    ends = [event("stopped", thing, "failed", T + 110) for thing in ("a", "b", "c")]
    api.apply((topic, canceled), event("stopped", "d", "succeeded", T + 120), *ends)
    expected = {**REPORTED, "numberOfFailedThings": 3}
    assert expected == api.client().describe_job(jobId="stopped")["job"]["jobProcessDetails"]
    told = api.request("/index/jobs/stopped")[1]
    assert (REPORTED, 3) == (told["reportedProcessDetails"], told["knownProcessDetails"]["numberOfFailedThings"])


def test_what_ends_later_is_no_longer_counted_as_pending(api: Api) -> None:
    """The pending executions of a canceled job that DescribeJob counted, minus those that have ended since."""
    counts = {"numberOfFailedThings": 1, "numberOfInProgressThings": 2, "numberOfQueuedThings": 0}
    canceled = {"timestamp": T + 100, "status": "CANCELED", "jobProcessDetails": counts}
    ends = [event("stopped", thing, "failed", T + 110) for thing in ("a", "b")]
    api.apply(("$aws/events/job/stopped/canceled", canceled), event("stopped", "c", "failed", T + 120), *ends)
    expected = {"numberOfFailedThings": 3, "numberOfInProgressThings": 0, "numberOfQueuedThings": 0}
    assert expected == api.client().describe_job(jobId="stopped")["job"]["jobProcessDetails"]


def test_what_no_message_reported_is_left_out(api: Api) -> None:
    """No member is made up, and no execution is counted if none is known."""
    api.apply(("$aws/things/t/jobs/bare/notify-namespace-n", {}))
    assert {"jobArn", "jobId", "status", "namespaceId", "createdAt", "lastUpdatedAt"} == set(
        api.client().describe_job(jobId="bare")["job"]
    )
    _, told, _ = api.request("/index/jobs/bare")
    unknown = {"description", "targets", "comment", "reasonCode", "deploymentId", "deploymentName", "revision"}
    assert not ({*unknown, "configurationArn", "reportedProcessDetails"} & set(told))
    assert (False, {}, 0) == (told["isStatusReported"], told["executions"], told["failures"])


def test_the_details_of_an_execution_come_back(api: Api) -> None:
    """Details come back under /index/ and on the pages, and the ARN as it was reported."""
    api.apply(RUNNING)
    (told,) = api.request("/index/jobs/j/executions")[1]["executions"]
    assert (DETAILS, False, GATEWAY, []) == (
        told["statusDetails"],
        told["statusDetailsCut"],
        told["thingArn"],
        told["formerAttempts"],
    )
    for path in ("jobs/j", "things/site:gw"):
        shown = read(f"{api.url}/ui/{path}").text
        assert "progress: 12/100" in shown
        assert f"reason: {'r' * 200}…" in shown


def test_an_ended_execution_is_found_by_its_number(api: Api) -> None:
    """An ended execution is found by the number of earlier messages, although the event of its end has none."""
    api.apply(listed("d", "j", T, 1, T), event("j", "d", "succeeded", T + 5))
    client = api.client()
    found = client.describe_job_execution(jobId="j", thingName="d", executionNumber=1)["execution"]
    assert ("SUCCEEDED", 1) == (found["status"], found["executionNumber"])
    (summary,) = client.list_job_executions_for_job(jobId="j")["executionSummaries"]
    assert 1 == summary["jobExecutionSummary"]["executionNumber"]


def test_details_that_are_not_a_map_are_no_details(api: Api) -> None:
    """Details that are not a map are dropped, and the rest of the event counts: PHP sends an empty map as `[]`."""
    topic, members = event("j", "t", "failed", T)
    api.apply((topic, {**members, "statusDetails": []}))
    execution = api.client().describe_job_execution(jobId="j", thingName="t")["execution"]
    assert ("FAILED", False) == (execution["status"], "statusDetails" in execution)


def test_details_that_were_too_long_to_keep_are_said_to_be_cut(api: Api) -> None:
    """Details that were cut are reported as cut, as a reader would take the rest for all."""
    reported = {f"key-{number}": "x" * 1024 for number in range(10, 40)}
    api.apply(event("j", "t", "failed", T, **reported))
    (told,) = api.request("/index/jobs/j/executions")[1]["executions"]
    assert told["statusDetailsCut"] is True
    assert 0 < len(told["statusDetails"]) < len(reported)
    assert "others were too long to store" in read(f"{api.url}/ui/jobs/j").text


def test_each_attempt_is_an_execution_of_its_own_in_awss_lists(api: Api) -> None:
    """Each attempt is in AWS's lists, the latest first, and an unreported number is not found."""
    api.apply(*RETRIES)
    client = api.client()
    expected = [(3, "QUEUED"), (2, "TIMED_OUT"), (1, "FAILED")]
    for pages in (
        client.get_paginator("list_job_executions_for_job").paginate(jobId="j", PaginationConfig={"PageSize": 2}),
        client.get_paginator("list_job_executions_for_thing").paginate(thingName="t", PaginationConfig={"PageSize": 1}),
    ):
        found = [one["jobExecutionSummary"] for page in pages for one in page["executionSummaries"]]
        assert expected == [(one["executionNumber"], one["status"]) for one in found]
    with pytest.raises(client.exceptions.ResourceNotFoundException, match="Job execution 4 of j on t cannot be found"):
        client.describe_job_execution(jobId="j", thingName="t", executionNumber=4)


def test_an_execution_is_shown_as_its_current_attempt_with_the_former_ones(api: Api) -> None:
    """An execution has its current attempt and its former ones, and its thing counts once."""
    api.apply(*RETRIES)
    (told,) = api.request("/index/jobs/j/executions")[1]["executions"]
    assert ("QUEUED", 3, T + 21) == (told["state"], told["executionNumber"], told["seenPendingAt"])
    assert [(2, "TIMED_OUT"), (1, "FAILED")] == [
        (attempt["executionNumber"], attempt["state"]) for attempt in told["formerAttempts"]
    ]
    assert {"QUEUED": 1} == api.request("/index/jobs/j")[1]["executions"]
    shown = read(f"{api.url}/ui/jobs/j").text
    assert "Attempt 1 Failed" in shown
    assert "reason: disk full" in shown


def test_a_greengrass_deployment_is_named(api: Api) -> None:
    """The name, id and revision of a Greengrass deployment are under /index/ and on the job's page."""
    api.apply(DEPLOYMENT)
    _, told, _ = api.request("/index/jobs/gg")
    assert ("d-1", "nightly", CONFIGURATION, "7") == tuple(
        told[name] for name in ("deploymentId", "deploymentName", "configurationArn", "revision")
    )
    assert "nightly, revision 7" in read(f"{api.url}/ui/jobs/gg").text


def test_a_document_that_is_not_kept_is_not_found(api: Api) -> None:
    """A document that is not stored is not found, and the error names the setting."""
    api.apply(("$aws/things/t/jobs/bare/notify-namespace-n", {}))
    client = api.client()
    with pytest.raises(client.exceptions.ResourceNotFoundException, match="JOBINDEX_JOB_DOCUMENTS=keep"):
        client.get_job_document(jobId="bare")
    with pytest.raises(client.exceptions.ResourceNotFoundException, match="Job none cannot be found"):
        client.get_job_document(jobId="none")


def test_listing_tags_needs_a_resource(api: Api) -> None:
    """ListTagsForResource without a resource is an invalid request."""
    status, body, headers = api.request("/tags")
    assert (400, "InvalidRequestException") == (status, headers["x-amzn-errortype"])
    expected = "1 validation error detected: Value null at 'resourceArn' failed to satisfy constraint: "
    assert f"{expected}Member must not be null" == body["message"]


@pytest.mark.parametrize(
    ("path", "known"),
    [
        ("/index/executions/waiting?thingGroupName=x", "longerThan, namespaceId, limit, after"),
        ("/index/jobs/j?namespaceId=n", "jobId"),
        ("/index/namespaces?Limit=1", "limit, after"),
        ("/index/events?job=j", "jobId, thingName, namespaceId"),
    ],
)
def test_a_misspelt_parameter_of_ours_is_refused(api: Api, path: str, known: str) -> None:
    """A misspelt parameter of /index/ would answer for the whole fleet; AWS's operations ignore it."""
    status, body, headers = api.request(path)
    assert (400, "InvalidRequestException") == (status, headers["x-amzn-errortype"])
    name = path.partition("?")[2].partition("=")[0]
    assert (
        f"at '{name}' failed to satisfy constraint: Member must be one of the known parameters: {known}"
        in (body["message"])
    )
    assert 200 == api.request("/jobs?somethingNew=1")[0]


def test_a_parameter_in_the_path_is_not_given_again(api: Api) -> None:
    """A path parameter must not be repeated in the query, as it could name another job."""
    api.apply(COMPLETED)
    status, body, _ = api.request("/index/jobs/old?jobId=other")
    assert (400, True) == (status, "at 'jobId' failed to satisfy constraint: Member must not be repeated" in str(body))


def test_a_thing_group_can_be_unknown_here_and_exist_at_aws(api: Api) -> None:
    """The error for an unknown group says that it is unknown here, as AWS may have it."""
    client = api.client()
    with pytest.raises(client.exceptions.ResourceNotFoundException, match="hall cannot be found: it is not known here"):
        client.list_jobs(thingGroupName="hall")


def test_a_job_that_completed_with_failures_is_not_plainly_green(api: Api) -> None:
    """Pages show the number of failures in words, and label an inferred status."""
    api.apply(
        COMPLETED,
        listed("a", "ok", T, 1, T),
        event("ok", "a", "succeeded", T + 1),
        ("$aws/events/job/ok/completed", {"timestamp": T + 2}),
        listed("a", "running", T + 3, 1, T + 3),
    )
    rows = {row[0]: row[1] for row in read(f"{api.url}/ui/jobs").rows[1:]}
    assert {"old": "Completed with 3 failures", "ok": "Completed", "running": "In progress inferred"} == rows
    for job_id, drawn in (("old", "s-COMPLETED_WITH_FAILURES"), ("ok", "s-COMPLETED")):
        classes = [value for _, name, value in read(f"{api.url}/ui/jobs/{job_id}").attributes if name == "class"]
        assert f"badge {drawn}" in classes
    assert "2 failed, 1 rejected, 39 succeeded" in read(f"{api.url}/ui/jobs/old").text


def test_failed_executions_come_first_on_a_jobs_page(api: Api) -> None:
    """Failed executions come first on a job's page, the others by state, each once over the pages."""
    things = [f"t-{number:03}" for number in range(120)]
    api.apply(
        *(listed(thing, "j", T, 1, T) for thing in things),
        event("j", "t-077", "failed", T + 1, reason="disk full"),
        event("j", "t-099", "rejected", T + 1),
        *(event("j", thing, "succeeded", T + 1) for thing in things[:60]),
    )
    address = f"{api.url}/ui/jobs/j"
    found: list[str] = []
    while True:
        shown = read(address)
        found += shown.column(0)
        following = [value for _, name, value in shown.attributes if name == "href" and "after=" in (value or "")]
        if not following:
            break
        address = api.url + str(following[-1])
    assert ["t-077", "t-099"] == found[:2]
    assert sorted(things) == sorted(found)


def test_a_rollout_in_stages_that_only_lists_show_has_no_history_of_completions(api: Api) -> None:
    """An inferred completion comes and goes, so only the reported one is in the history."""
    for number in range(3):
        thing, queued_at = f"t-{number}", T + 100 * number
        api.apply(
            listed(thing, "j", queued_at, 1, queued_at),
            (f"$aws/things/{thing}/jobs/notify-namespace-n", {"timestamp": queued_at + 50, "jobs": {}}),
        )
        assert ("COMPLETED", False) == tuple(
            api.request("/index/jobs/j")[1][name] for name in ("status", "isStatusReported")
        )
    changes = api.request("/index/jobs/j/changes")[1]["changes"]
    assert [("IN_PROGRESS", False)] == [(change["status"], change["isStatusReported"]) for change in changes]
    api.apply(("$aws/events/job/j/completed", {"timestamp": T + 400}))
    changes = api.request("/index/jobs/j/changes")[1]["changes"]
    assert [("COMPLETED", True), ("IN_PROGRESS", False)] == [
        (change["status"], change["isStatusReported"]) for change in changes
    ]


def test_a_stuck_execution_says_since_when_nothing_was_heard_of_it(api: Api) -> None:
    """A stuck execution has the time it was last seen pending, as its end may have been missed."""
    api.apply(
        (
            "$aws/things/t/jobs/notify-next",
            {"timestamp": T + 5, "execution": {"jobId": "j", "status": "QUEUED", "queuedAt": T, "executionNumber": 1}},
        ),
        ("$aws/things/t/jobs/j/update/accepted", {"timestamp": T + 60}),
        ("$aws/things/t/jobs/notify-next", {"timestamp": T + 60}),
    )
    (told,) = api.request("/index/executions/waiting")[1]["executions"]
    assert ("QUEUED", T, T + 5) == (told["state"], told["waitingSince"], told["seenPendingAt"])
    shown = read(f"{api.url}/ui/stuck")
    assert "Last seen pending" in shown.text
    assert "2023-11-14 22:13:25 UTC" in shown.html
    assert "last seen pending" in read(f"{api.url}/ui/things/t").text
