"""`jobindex show`, `stuck` and `rejected`: every reported fact of a job and its executions."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from support.brokers import Message, mosquitto, publish
from support.commands import jobindex
from support.services import Service, running
from support.waiting import wait_until

T = 1_700_000_000
ARN = "arn:aws:iot:us-east-1:123456789012:{}"
AHEAD = (int(time.time()) // 86400 + 3) * 86400
"""A midnight more than 24 hours ahead."""


def listed(thing: str, queued_at: int, number: int) -> Message:
    """Return a list with an execution of the job `roll-1`."""
    entry = {"jobId": "roll-1", "queuedAt": queued_at, "lastUpdatedAt": queued_at, "executionNumber": number}
    topic = f"$aws/things/{thing}/jobs/notify-namespace-acme"
    return topic, json.dumps({"timestamp": queued_at, "jobs": {"QUEUED": [entry]}})


def event(thing: str, operation: str, timestamp: int, **details: str) -> Message:
    """Return an event of an execution of the job `roll-1`."""
    members: dict[str, Any] = {"thingArn": ARN.format(f"thing/{thing}"), "timestamp": timestamp}
    payload = members | ({"statusDetails": details} if details else {})
    return f"$aws/events/jobExecution/roll-1/{operation}", json.dumps(payload)


COMPLETED = {
    "timestamp": T + 90,
    "targets": [ARN.format("thinggroup/hall")],
    "description": "the winter update",
    "comment": "done",
    "reasonCode": "PLANNED",
    "completedAt": T + 90,
    "lastUpdatedAt": T + 90,
    "jobProcessDetails": {"numberOfSucceededThings": 39, "numberOfFailedThings": 2},
}
DOCUMENT = {
    "deploymentId": "d-1",
    "deploymentName": "nightly",
    "configurationArn": "arn:aws:greengrass:us-east-1:123456789012:configuration:thinggroup/hall:7",
}
NEXT = {"jobId": "roll-1", "status": "QUEUED", "queuedAt": T, "executionNumber": 1, "jobDocument": DOCUMENT}
MESSAGES: list[Message] = [
    ("$aws/things/a-1/jobs/notify-next-namespace-acme", json.dumps({"timestamp": T, "execution": NEXT})),
    event("a-1", "succeeded", T + 5),
    listed("b-2", T, 1),
    event("b-2", "failed", T + 10, reason="disk full", step="x" * 300),
    listed("c-3", T, 1),
    event("c-3", "timed_out", T + 10),
    listed("c-3", T + 11, 2),
    ("$aws/events/job/roll-1/completed", json.dumps(COMPLETED)),
    ("$aws/events/job/late/completed", json.dumps({"timestamp": AHEAD + 86400})),
]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Run a service that has applied all MESSAGES except the one stamped ahead."""
    directory = tmp_path_factory.mktemp("facts")
    with (
        mosquitto(directory) as broker,
        running(Service(directory, MQTT_URL=f"mqtt://127.0.0.1:{broker.port}")) as service,
    ):
        publish(broker.port, MESSAGES)
        wait_until(lambda: service.metric("messages_applied_total") == len(MESSAGES) - 1, "the messages")
        yield service


def printed(service: Service, *arguments: object) -> str:
    """Return the output of a command that succeeds."""
    ended = jobindex(*arguments, "--endpoint", service.url)
    assert (0, "") == (ended.returncode, ended.stderr)
    return ended.stdout


def test_a_job_is_shown_as_it_was_reported(service: Service) -> None:
    """`show` prints AWS's members, the deployment, and AWS's own counts next to the known ones."""
    shown = printed(service, "show", "roll-1")
    assert [
        "status:        COMPLETED with 2 failures (reported)",
        "description:   the winter update",
        "comment:       done",
        "reason code:   PLANNED",
        f"targets:       {ARN.format('thinggroup/hall')}",
        "deployment:    nightly, revision 7, d-1",
        "AWS counts:    39 Succeeded, 2 Failed",
        "executions:    2 of 3 known have ended: 1 FAILED, 1 QUEUED, 1 SUCCEEDED",
    ] == [
        line
        for line in shown.splitlines()
        if line.startswith(("status", "desc", "comm", "reas", "targ", "depl", "AWS", "exec"))
    ]


def test_a_completion_with_failures_is_listed_as_one(service: Service) -> None:
    """`list` shows a completion with failures together with their number."""
    assert "  COMPLETED with 2 failures  " in printed(service, "list")


def test_failed_executions_are_shown_first_with_their_details(service: Service) -> None:
    """Failed executions come first, long details are cut, and earlier attempts have their own table."""
    rows = printed(service, "show", "roll-1").splitlines()
    head = next(number for number, row in enumerate(rows) if row.startswith("THING "))
    assert ["b-2", "a-1", "c-3"] == [row.split()[0] for row in rows[head + 1 : head + 4]]
    assert rows[head].split()[-1] == "DETAILS"
    assert f"reason: disk full; step: {'x' * 100}" in rows[head + 1]
    assert rows[head + 1].endswith("… (325 characters)")
    assert rows[head + 3].split()[-2:] == ["2", "-"]
    assert ["THING", "EARLIER", "ATTEMPT", "STATE", "UPDATED", "DETAILS"] == rows[head + 5].split()
    assert ["c-3", "1", "TIMED_OUT", "2023-11-14T22:13:30Z", "-"] == rows[head + 6].split()
    (told,) = (json.loads(line) for line in printed(service, "show", "roll-1", "--json", "--limit", 1).splitlines()[:1])
    assert ["b-2"] == [execution["thingName"] for execution in told["executions"]]


def test_a_stuck_execution_is_shown_with_when_it_was_last_seen(service: Service) -> None:
    """`stuck` prints the time when an execution was last seen pending."""
    header, row = printed(service, "stuck").splitlines()
    assert header.endswith("WAITING SINCE         LAST SEEN PENDING")
    assert ["c-3", "roll-1", "acme", "QUEUED", "2023-11-14T22:13:31Z", "2023-11-14T22:13:31Z"] == row.split()


def test_a_message_that_is_stamped_ahead_says_when_it_is_applied(service: Service) -> None:
    """A message stamped ahead shows when it will be applied, on the command line, over HTTP and on the pages."""
    (kept,) = (json.loads(line) for line in printed(service, "rejected", "list", "--json").splitlines())
    assert AHEAD == kept["dueAt"]
    at = time.strftime("%Y-%m-%dT00:00:00.000Z", time.gmtime(AHEAD))
    assert printed(service, "rejected", "list").rstrip().endswith(f"(applied automatically at {at})")
    assert f"\napplied:      automatically at {at}\n" in printed(service, "rejected", "show", kept["id"])
    assert "will be applied automatically" in service.get("/ui/rejected")[1]
    assert "Will be applied automatically" in service.get(f"/ui/rejected/{kept['id']}")[1]
    assert AHEAD == json.loads(service.get(f"/rejected/{kept['id']}")[1])["dueAt"]
