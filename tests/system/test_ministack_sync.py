"""A fill from MiniStack: the index answers what MiniStack itself answers, and its broker's later messages merge on top.

The jobs and executions are made before jobindex starts, so no message reports them. Beside the shared DEVIATIONS,
FILLED and LATER list the members that may differ, each with its reason; an entry that excuses nothing fails the test.
"""

from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from support.aws_answers import JOBS, LISTS, Difference, answers
from support.ministack import client, ministack
from support.ministack_deviations import DEVIATIONS, Deviation, compare
from support.ministack_fleet import THINGS, Fleet, reach_every_status
from support.services import Service, running
from support.synced_services import ended_run, synced_service
from support.waiting import wait_until

IGNORES = "ListJobs ignores namespaceId: the list of 'aws-gg-deployment' has job "
NO_GREENGRASS = "ListDeployments: 400: "
MADE_LATER = ("new", "last")


def is_made_later(difference: Difference) -> bool:
    """Return whether a member of a job is left out that only messages have reported."""
    return difference.key[1] in MADE_LATER and difference.answer is None


FILLED = (
    *DEVIATIONS,
    Deviation(
        "described alone",
        "the sync lists executions, and only DescribeJobExecution has these members",
        ("DescribeJobExecution", "GetPendingJobExecutions"),
        frozenset({"versionNumber", "statusDetails"}),
    ),
    Deviation(
        "pending in a namespace",
        "GetPendingJobExecutions without a namespace has no executions of one; MiniStack's has",
        ("GetPendingJobExecutions",),
        frozenset({"exists"}),
        lambda difference: difference.key[1] == "named" and difference.expected,
    ),
)
LATER = (
    *FILLED,
    Deviation(
        "job", "no message carries it", JOBS, frozenset({"description", "targets", "isConcurrent"}), is_made_later
    ),
    Deviation("selection", "no message carries it", JOBS, frozenset({"targetSelection"}), is_made_later),
    Deviation(
        "filtered by selection",
        "a job whose selection is not known is in no list by selection",
        ("ListJobs",),
        frozenset({"exists"}),
        lambda difference: difference.key[1] in MADE_LATER and "?targetSelection=" in str(difference.key[0]),
    ),
    Deviation("startedAt", "events do not carry it", ("DescribeJobExecution", *LISTS), frozenset({"startedAt"})),
    Deviation(
        "version",
        "events do not carry it; the last that a notification showed is answered",
        ("DescribeJobExecution", "GetPendingJobExecutions"),
        frozenset({"versionNumber"}),
        lambda difference: difference.answer is not None and difference.answer < difference.expected,
    ),
    Deviation(
        "completedAt",
        "`canceled` events do not carry it",
        JOBS,
        frozenset({"completedAt"}),
        lambda difference: difference.key[1] == "telemetry" and difference.answer is None,
    ),
    Deviation(
        "pending",
        "`canceled` events count ends alone",
        ("DescribeJob",),
        frozenset({"numberOfQueuedThings", "numberOfInProgressThings"}),
        lambda difference: (difference.key[1], difference.answer, difference.expected) == ("telemetry", None, 0),
    ),
)


def test_a_fill_equals_ministack_and_later_messages_merge_on_top(tmp_path: Path) -> None:
    """Each member of each job and execution, first after the fill and its details, then after more messages."""
    with ministack(tmp_path) as emulator:
        fleet = Fleet(emulator)
        reach_every_status(fleet)
        fleet.create("named", "lamp-1", "pump-1", namespaceId="acme")
        with pytest.raises(ClientError, match="ListDeployments"):  # MiniStack has no Greengrass
            client(emulator.url, "greengrassv2").list_deployments()
        broker = {"MQTT_URL": f"mqtts://127.0.0.1:{emulator.mqtt_port}", "MQTT_CA_FILE": str(emulator.ca_file)}
        with running(synced_service(tmp_path, emulator.url, **broker, MQTT_PROTOCOL="5")) as service:
            fill, details = ended_run(service, "fill"), ended_run(service, "details")
            assert (True, True, 0) == (fill["isComplete"], details["isComplete"], fill["throttled"])
            assert 0 == service.metric("messages_applied_total")
            agree(service, fleet, FILLED)
            readyz = service.readyz()
            assert {"filled", "sync"} <= readyz.keys()
            problems = readyz["sync"]["problems"]
            assert [True, True] == [problem.startswith(IGNORES) for problem in problems[:1]] + [
                problem.startswith(NO_GREENGRASS) for problem in problems[1:]
            ]
            assert {"named"} == set(service.jobs(namespaceId="acme"))  # DescribeJob has told its namespace

            go_on(fleet)
            wait_until(lambda: "last" in service.jobs(), "the last job")
            assert 0 == service.metric("messages_rejected_total")
            agree(service, fleet, LATER)


def go_on(fleet: Fleet) -> None:
    """Report, end, cancel and delete what the fill has found, and make jobs that only messages report."""
    fleet.report("named", "pump-1", "IN_PROGRESS", step="1")
    fleet.report("rollback", "pump-1", "SUCCEEDED", late="yes")
    fleet.report("settings", "fan-1", "SUCCEEDED", mode="night")
    fleet.create("new", "fans", "pump-1", description="Later")
    fleet.report("new", "fan-1", "FAILED", reason="E1")
    fleet.iot.delete_job(jobId="firmware", force=True)
    fleet.iot.cancel_job(jobId="telemetry", force=True)
    fleet.create("last", "lamp-1")


def agree(service: Service, fleet: Fleet, deviations: tuple[Deviation, ...]) -> None:
    """Compare boto3's answers from MiniStack and from jobindex."""
    job_ids = list(dict.fromkeys(fleet.job_ids))
    expected = answers(fleet.iot, fleet.data, job_ids, THINGS)
    answered = answers(client(service.url, "iot"), client(service.url, "iot-jobs-data"), job_ids, THINGS)
    compare(expected, answered, deviations)
