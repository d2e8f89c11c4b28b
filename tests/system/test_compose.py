"""compose.yaml on a Docker engine: start, persistence, shutdown and access rights.

One test covers all steps, because they share a stack that takes a while to build: pytest-xdist would build one in each
worker, and its groups have no effect with pytest 9.2 (https://github.com/pytest-dev/pytest-xdist/issues/1386).
"""

import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from support.brokers import publish
from support.compose_stack import Stack, assert_no_rights, running_stack
from support.waiting import wait_until

USERS = {"mosquitto": 1883, "jobindex": 10001}


@pytest.fixture
def stack() -> Iterator[Stack]:
    """Run both services."""
    with running_stack() as stack:
        yield stack


@pytest.mark.compose
@pytest.mark.timeout(600)  # the first build downloads its base images
def test_compose(stack: Stack) -> None:
    """`docker compose up --build --wait` starts a stack that passes each step."""
    assert {stack.inspect(service, "{{.State.Health.Status}}") for service in USERS} == {"healthy"}
    the_host_is_answered(stack)
    for service, user in USERS.items():
        assert_no_rights(stack, service, user)
    the_one_that_makes_passwords_had_no_rights(stack)
    build_tools_stay_out_of_the_image(stack)
    nobody_is_let_in_without_a_password(stack)
    each_user_has_only_its_rights(stack)
    the_doctor_finds_nothing(stack)
    the_health_check_misses_the_service(stack)
    restarts_lose_nothing(stack)
    a_killed_broker_keeps_what_it_has_saved(stack)
    stopping_under_load_is_orderly(stack)
    passwords_can_be_changed(stack)


def the_host_is_answered(stack: Stack) -> None:
    """ListJobs on the host returns a job published in a container, with settings from the container's environment."""
    stack.publish("inside", '{"status":"SCHEDULED","createdAt":1700000000.5}')
    stack.wait_for_jobs("inside")
    then = datetime.fromtimestamp(1700000000.5, UTC)
    arn = "arn:aws:iot:eu-west-1:123456789012:job/inside"
    job = {"jobArn": arn, "jobId": "inside", "status": "SCHEDULED", "createdAt": then, "lastUpdatedAt": then}
    assert stack.jobs(namespaceId="inside") == {"inside": job}


def the_one_that_makes_passwords_had_no_rights(stack: Stack) -> None:
    """The container that makes passwords exited with 0 and without rights, and mosquitto logs no warning."""
    assert stack.inspect("credentials", "{{.State.Status}} {{.State.ExitCode}}") == "exited 0"
    limits = "{{.Config.User}} {{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}} {{.HostConfig.CapAdd}} "
    limits += "{{.HostConfig.SecurityOpt}} {{.HostConfig.NetworkMode}}"
    assert stack.inspect("credentials", limits) == "1883:1883 true [ALL] [] [no-new-privileges:true] none"
    assert "Warning" not in stack.compose("logs", "mosquitto")


def nobody_is_let_in_without_a_password(stack: Stack) -> None:
    """The broker rejects anonymous clients and wrong passwords."""
    for who in ((), ("-u", "publisher", "-P", "guessed")):
        ended = stack.client(
            "mosquitto_pub", *who, "-t", "$aws/things/thing/jobs/denied/notify-namespace-n", "-m", "{}"
        )
        assert (ended.returncode != 0, "Not authorized" in ended.stderr) == (True, True)


def each_user_has_only_its_rights(stack: Stack) -> None:
    """The reader cannot publish and has no other password; the publisher receives nothing and writes only to `$aws`."""
    assert stack.compose("exec", "-T", "jobindex", "ls", "/credentials").split() == ["mqtt-password"]
    password = stack.compose("exec", "-T", "jobindex", "cat", "/credentials/mqtt-password").strip()
    jobindex, publisher = (("-u", user, "-P", word) for user, word in (("jobindex", password), stack.publisher()))
    refused = [(jobindex, "$aws/things/thing/jobs/denied/notify-namespace-n"), (jobindex, "x"), (publisher, "x")]
    for who, topic in refused:
        assert "Not authorized" in stack.client("mosquitto_pub", *who, "-t", topic, "-m", "{}").stderr
    stack.publish("heard")
    stack.wait_for_jobs("heard")
    assert "denied" not in stack.jobs()
    with ThreadPoolExecutor() as executor:
        filters = ("-t", "#", "-t", "$aws/#", "-t", "$SYS/#")
        hearing = executor.submit(stack.client, "mosquitto_sub", *publisher, *filters, "-W", "3", "-d")
        reading = executor.submit(stack.client, "mosquitto_sub", *jobindex, *filters, "-C", "1", "-W", "30")
        publish_until(stack, lambda: reading.done() and hearing.done())
    assert (reading.result().stdout, "Subscribed" in hearing.result().stdout) == ("{}\n", True)
    assert "PUBLISH" not in hearing.result().stdout


def publish_until(stack: Stack, is_enough: Callable[[], bool]) -> None:
    """Publish to `$aws` from the host with the publisher's password until the condition is true."""
    username, password = stack.publisher()
    while not is_enough():
        topic = "$aws/things/thing/jobs/again/notify-namespace-n"
        publish(stack.ports["mosquitto"], [(topic, "{}")], username=username, password=password)


def the_doctor_finds_nothing(stack: Stack) -> None:
    """`jobindex doctor`, run in the container with its settings, finds no problem with broker or service."""
    ended = stack.attempt("exec", "-T", "jobindex", "jobindex", "doctor")
    assert (ended.returncode, {line[:2] for line in ended.stdout.splitlines()}) == (0, {"ok"}), ended.stdout
    assert "the MQTT 5 connection for user 'jobindex' is accepted" in ended.stdout


def build_tools_stay_out_of_the_image(stack: Stack) -> None:
    """The image contains neither a compiler nor the tools that built the wheel."""
    programs = "filter(shutil.which, ['cc', 'gcc', 'make', 'hatchling'])"
    packages = "filter(importlib.util.find_spec, ['hatchling', 'pip', 'setuptools'])"
    code = f"import importlib.util, shutil; print([*{programs}, *{packages}])"
    assert stack.compose("exec", "-T", "jobindex", "python", "-c", code) == "[]\n"


def the_health_check_misses_the_service(stack: Stack) -> None:
    """`jobindex healthcheck` fails in a container that does not run the service."""
    alone = stack.attempt("run", "--rm", "--no-deps", "-T", "jobindex", "healthcheck")
    assert (alone.returncode, alone.stdout) == (1, "")


def restarts_lose_nothing(stack: Stack) -> None:
    """The index, queued messages and passwords survive a restart of either service, and `docker compose down`."""
    publisher = stack.publisher()
    running = ["start jobindex", "restart mosquitto", "restart jobindex"]
    for number, commands in enumerate((["restart mosquitto"], running, ["up --wait"], ["down", "up --wait"])):
        indexed, waiting = f"indexed-{number}", f"waiting-{number}"
        stack.publish(indexed)
        stack.wait_for_jobs(indexed)
        stack.compose("stop", "jobindex")
        stack.publish(waiting)
        for command in [*commands, "start jobindex"]:
            stack.compose(*command.split())
        stack.wait_for_jobs("inside", indexed, waiting)
        assert stack.publisher() == publisher


def a_killed_broker_keeps_what_it_has_saved(stack: Stack) -> None:
    """The broker saves its queued messages every few seconds, not only when it is stopped."""
    stack.compose("stop", "jobindex")
    stack.publish("saved")
    search = ["exec", "-T", "mosquitto", "grep", "-q", "jobs/saved/notify", "/mosquitto/data/mosquitto.db"]
    wait_until(lambda: stack.attempt(*search).returncode == 0, "mosquitto to save")
    stack.compose("kill", "mosquitto")
    stack.compose("up", "--detach")
    stack.wait_for_jobs("saved")


def stopping_under_load_is_orderly(stack: Stack) -> None:
    """`docker compose stop jobindex` under load exits with 0 in time, and no acknowledged message is lost."""
    username, password = stack.publisher()
    acknowledged: list[str] = []
    enough = threading.Event()

    def publish_without_a_pause() -> None:
        while not enough.is_set():
            job_ids = [f"load-{len(acknowledged) + number}" for number in range(100)]
            topics = [f"$aws/things/thing/jobs/{job_id}/notify-namespace-n" for job_id in job_ids]
            messages = [(topic, "{}") for topic in topics]
            publish(stack.ports["mosquitto"], messages, username=username, password=password)
            acknowledged.extend(job_ids)

    with ThreadPoolExecutor() as executor:
        publishing = executor.submit(publish_without_a_pause)
        try:
            stack.wait_for_jobs("load-500")
            began, earlier = time.monotonic(), len(acknowledged)
            stack.compose("stop", "jobindex")
            assert time.monotonic() - began < 10
            assert len(acknowledged) > earlier
            assert stack.inspect("jobindex", "{{.State.ExitCode}}") == "0"
        finally:
            enough.set()
        publishing.result()
    stack.compose("start", "jobindex")
    stack.wait_for_jobs(*acknowledged)


def passwords_can_be_changed(stack: Stack) -> None:
    """After their volume is deleted, the next start makes new passwords, also for jobindex, and keeps the jobs."""
    publisher = stack.publisher()
    stack.compose("down")
    subprocess.run(
        ["docker", "volume", "rm", f"{stack.project}_mosquitto-credentials"], check=True, capture_output=True
    )
    stack.compose("up", "--wait")
    assert stack.publisher() != publisher
    stack.publish("changed")
    stack.wait_for_jobs("inside", "changed")
