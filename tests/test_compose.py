"""compose.yaml on a Docker engine: what `docker compose up` starts, keeps, stops and denies.

One test, in steps, as all share one stack, which takes a while to build: pytest-xdist would give each worker a stack,
and with pytest 9.2 its groups have no effect (https://github.com/pytest-dev/pytest-xdist/issues/1386).
"""

import json
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from brokers import publish
from services import Service
from waiting import require, wait_until

from jobindex.nats import free_port

USERS = {"mosquitto": 1883, "jobindex": 10001}


class Stack:
    """The two services of compose.yaml, as a project of their own on ports that were free."""

    def __init__(self) -> None:
        self.ports = {"mosquitto": free_port(), "jobindex": free_port()}
        client = Service(Path())  # never started here: a container runs it
        client.url = f"http://127.0.0.1:{self.ports['jobindex']}"
        self.jobs = client.jobs
        file = Path(__file__).parents[1] / "compose.yaml"
        # Neither compose.override.yaml nor .env: they are the developer's own.
        self.project = f"jobindex-{uuid4().hex[:8]}"
        self._options = [f"--project-name={self.project}", f"--file={file}", f"--env-file={os.devnull}"]
        ports = {f"{service.upper()}_PORT": str(port) for service, port in self.ports.items()}
        account = {"JOBINDEX_AWS_REGION": "eu-west-1", "JOBINDEX_AWS_ACCOUNT_ID": "123456789012"}
        self._settings = {**os.environ, **ports, **account}

    def attempt(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run a command of docker compose to its end, whatever that is."""
        command = ["docker", "compose", *self._options, *arguments]
        return subprocess.run(command, env=self._settings, capture_output=True, text=True, check=False)

    def compose(self, *arguments: str) -> str:
        """Run a command of docker compose, which must succeed, and return what it prints."""
        done = self.attempt(*arguments)
        assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
        return done.stdout

    def inspect(self, service: str, what: str) -> str:
        """Return what the engine tells of a service's container, by a template of `docker inspect`."""
        container = self.compose("ps", "--all", "--quiet", service).strip()
        return subprocess.check_output(["docker", "inspect", f"--format={what}", container], text=True).strip()

    def publish(self, job_id: str, payload: str = "{}") -> None:
        """Publish a job's notification inside the mosquitto container, and wait for its acknowledgement."""
        topic = f"$aws/things/thing/jobs/{job_id}/notify-namespace-{job_id}"
        self.compose("exec", "-T", "mosquitto", "mosquitto_pub", "-q", "1", "-t", topic, "-m", payload)

    def publisher(self) -> tuple[str, str]:
        """Return the user who may publish, and its password, as the README tells to find it."""
        told = self.compose("exec", "-T", "mosquitto", "cat", "/mosquitto/credentials/mosquitto_pub").split()
        assert ["-u", "-P"] == told[::2]
        return told[1], told[3]

    def client(self, program: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run a client of mosquitto's in its container with these arguments alone: without the publisher's password."""
        bare = ["exec", "-T", "--env=XDG_CONFIG_HOME=/none", "mosquitto", program, "-V", "5", "-q", "1"]
        return self.attempt(*bare, *arguments)

    def wait_for_jobs(self, *job_ids: str) -> None:
        """Wait until jobindex is connected, for which it pauses up to 30 s an attempt, and tells the host of jobs."""
        check = ["exec", "-T", "jobindex", "jobindex", "healthcheck"]
        wait_until(lambda: '"connected"' in self.attempt(*check).stdout, "a connection", 90)
        wait_until(lambda: self.jobs().keys() >= set(job_ids), f"{len(job_ids)} jobs", 60)


@pytest.fixture
def stack() -> Iterator[Stack]:
    """Give both services, built, started and healthy; afterwards nothing of them is left."""
    ask = ["docker", "compose", "ls"]  # needs both: the plug-in Compose, and an engine that answers it
    found = shutil.which("docker") is not None and subprocess.run(ask, capture_output=True, check=False).returncode == 0
    require("docker", found=found)
    stack = Stack()
    try:
        stack.compose("up", "--build", "--wait")
        yield stack
    finally:
        print(stack.attempt("logs").stdout)  # noqa: T201  # pytest shows it when the test fails
        stack.compose("down", "--volumes", "--rmi", "local")


@pytest.mark.compose
@pytest.mark.timeout(600)  # the first build downloads what it is made from
def test_compose(stack: Stack) -> None:
    """`docker compose up --build --wait` gives a stack that does what each step says."""
    assert {stack.inspect(service, "{{.State.Health.Status}}") for service in USERS} == {"healthy"}
    the_host_is_answered(stack)
    for service in USERS:
        containers_have_no_rights(stack, service)
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
    """What a container publishes is what ListJobs tells the host, with settings from its environment."""
    stack.publish("inside", '{"status":"SCHEDULED","createdAt":1700000000.5}')
    stack.wait_for_jobs("inside")
    then = datetime.fromtimestamp(1700000000.5, UTC)
    arn = "arn:aws:iot:eu-west-1:123456789012:job/inside"
    job = {"jobArn": arn, "jobId": "inside", "status": "SCHEDULED", "createdAt": then, "lastUpdatedAt": then}
    assert stack.jobs(namespaceId="inside") == {"inside": job}


def containers_have_no_rights(stack: Stack, service: str) -> None:
    """Process 1 is not root, has no capability nor gets one, writes no image, and is reached from this host only."""
    lines = stack.compose("exec", "-T", service, "cat", "/proc/1/status").splitlines()
    status = dict(line.split(":\t", 1) for line in lines)
    assert status["Uid"].split() == [str(USERS[service])] * 4
    assert {status[name] for name in ("CapEff", "CapPrm", "CapInh", "CapBnd", "CapAmb")} == {"0" * 16}
    assert status["NoNewPrivs"] == "1"
    assert stack.inspect(service, "{{.HostConfig.ReadonlyRootfs}}") == "true"
    published = [{"HostIp": "127.0.0.1", "HostPort": str(stack.ports[service])}]
    assert json.loads(stack.inspect(service, "{{range .HostConfig.PortBindings}}{{json .}}{{end}}")) == published


def the_one_that_makes_passwords_had_no_rights(stack: Stack) -> None:
    """It has ended well, was not root, had no capability and no network, and mosquitto has nothing to warn of."""
    assert stack.inspect("credentials", "{{.State.Status}} {{.State.ExitCode}}") == "exited 0"
    limits = "{{.Config.User}} {{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}} {{.HostConfig.CapAdd}} "
    limits += "{{.HostConfig.SecurityOpt}} {{.HostConfig.NetworkMode}}"
    assert stack.inspect("credentials", limits) == "1883:1883 true [ALL] [] [no-new-privileges:true] none"
    assert "Warning" not in stack.compose("logs", "mosquitto")


def nobody_is_let_in_without_a_password(stack: Stack) -> None:
    """Neither who names no user, nor who guesses a password."""
    for who in ((), ("-u", "publisher", "-P", "guessed")):
        ended = stack.client(
            "mosquitto_pub", *who, "-t", "$aws/things/thing/jobs/denied/notify-namespace-n", "-m", "{}"
        )
        assert (ended.returncode != 0, "Not authorized" in ended.stderr) == (True, True)


def each_user_has_only_its_rights(stack: Stack) -> None:
    """The reader publishes nothing and has no other password; who publishes hears nothing, and writes to `$aws`."""
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
    """Publish to `$aws` from the host, with the publisher's password, again and again."""
    username, password = stack.publisher()
    while not is_enough():
        topic = "$aws/things/thing/jobs/again/notify-namespace-n"
        publish(stack.ports["mosquitto"], [(topic, "{}")], username=username, password=password)


def the_doctor_finds_nothing(stack: Stack) -> None:
    """`jobindex doctor` in the container, with the container's settings, is content with broker and service."""
    ended = stack.attempt("exec", "-T", "jobindex", "jobindex", "doctor")
    assert (ended.returncode, {line[:2] for line in ended.stdout.splitlines()}) == (0, {"ok"}), ended.stdout
    assert "MQTT 5 by user 'jobindex' is accepted" in ended.stdout


def build_tools_stay_out_of_the_image(stack: Stack) -> None:
    """Neither a compiler nor what made the wheel is in the image."""
    programs = "filter(shutil.which, ['cc', 'gcc', 'make', 'hatchling'])"
    packages = "filter(importlib.util.find_spec, ['hatchling', 'pip', 'setuptools'])"
    code = f"import importlib.util, shutil; print([*{programs}, *{packages}])"
    assert stack.compose("exec", "-T", "jobindex", "python", "-c", code) == "[]\n"


def the_health_check_misses_the_service(stack: Stack) -> None:
    """`jobindex healthcheck` fails in a container that does not run the service."""
    alone = stack.attempt("run", "--rm", "--no-deps", "-T", "jobindex", "healthcheck")
    assert (alone.returncode, alone.stdout) == (1, "")


def restarts_lose_nothing(stack: Stack) -> None:
    """The index, messages that wait for jobindex and passwords outlive a restart of either service, and `down`."""
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
    """The broker saves the messages that wait every few seconds, not only when it is stopped."""
    stack.compose("stop", "jobindex")
    stack.publish("saved")
    search = ["exec", "-T", "mosquitto", "grep", "-q", "jobs/saved/notify", "/mosquitto/data/mosquitto.db"]
    wait_until(lambda: stack.attempt(*search).returncode == 0, "mosquitto to save")
    stack.compose("kill", "mosquitto")
    stack.compose("up", "--detach")
    stack.wait_for_jobs("saved")


def stopping_under_load_is_orderly(stack: Stack) -> None:
    """`docker compose stop jobindex` amid messages ends it with 0 in time, and what was acknowledged is not lost."""
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
    """Without the volume that holds them, the next start makes new ones, for jobindex too, and jobs are kept."""
    publisher = stack.publisher()
    stack.compose("down")
    subprocess.run(
        ["docker", "volume", "rm", f"{stack.project}_mosquitto-credentials"], check=True, capture_output=True
    )
    stack.compose("up", "--wait")
    assert stack.publisher() != publisher
    stack.publish("changed")
    stack.wait_for_jobs("inside", "changed")
