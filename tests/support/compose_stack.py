"""compose.yaml on a Docker engine, as users start it."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from jobindex.cli.demo.nats import free_port
from support.services import Service
from support.waiting import require, wait_until

ROOT = Path(__file__).parents[2]
REPLICAS = ("jobindex-a", "jobindex-b")
SERVICES = ("jobindex", *REPLICAS)
LEASE_SECONDS = 4


class Stack:
    """The services of compose.yaml, including those of profiles, as a separate project on free ports."""

    def __init__(self, *profiles: str) -> None:
        self.ports = {service: free_port() for service in ("mosquitto", *SERVICES)}
        self.services = {service: Service(Path()) for service in SERVICES}  # never started here: containers run them
        for name, service in self.services.items():
            service.url = f"http://127.0.0.1:{self.ports[name]}"
        self.jobs = self.services["jobindex"].jobs
        # Without compose.override.yaml and .env, which are the developer's own.
        self.project = f"jobindex-{uuid4().hex[:8]}"
        self._options = [
            f"--project-name={self.project}",
            f"--file={ROOT / 'compose.yaml'}",
            f"--env-file={os.devnull}",
        ]
        self._options += [f"--profile={profile}" for profile in profiles]
        ports = {f"{name.upper().replace('-', '_')}_PORT": str(port) for name, port in self.ports.items()}
        told = {
            "JOBINDEX_AWS_REGION": "eu-west-1",
            "JOBINDEX_AWS_ACCOUNT_ID": "123456789012",
            "JOBINDEX_DATABASE_LEASE": f"{LEASE_SECONDS}s",
        }
        self._settings = {**os.environ, **ports, **told}

    def attempt(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run a docker compose command to its end, whether or not it succeeds."""
        command = ["docker", "compose", *self._options, *arguments]
        return subprocess.run(command, env=self._settings, capture_output=True, text=True, check=False)

    def compose(self, *arguments: str) -> str:
        """Run a docker compose command that must succeed, and return its output."""
        done = self.attempt(*arguments)
        assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
        return done.stdout

    def inspect(self, service: str, what: str) -> str:
        """Return a property of a service's container, by a template of `docker inspect`."""
        container = self.compose("ps", "--all", "--quiet", service).strip()
        return subprocess.check_output(["docker", "inspect", f"--format={what}", container], text=True).strip()

    def publish(self, job_id: str, payload: str = "{}") -> None:
        """Publish a job's notification in the mosquitto container, and wait for the acknowledgement."""
        topic = f"$aws/things/thing/jobs/{job_id}/notify-namespace-{job_id}"
        self.compose("exec", "-T", "mosquitto", "mosquitto_pub", "-q", "1", "-t", topic, "-m", payload)

    def publisher(self) -> tuple[str, str]:
        """Return the publisher's name and password, read as the README describes."""
        told = self.compose("exec", "-T", "mosquitto", "cat", "/mosquitto/credentials/mosquitto_pub").split()
        assert ["-u", "-P"] == told[::2]
        return told[1], told[3]

    def client(self, program: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run a mosquitto client in its container with only these arguments: without the publisher's password."""
        bare = ["exec", "-T", "--env=XDG_CONFIG_HOME=/none", "mosquitto", program, "-V", "5", "-q", "1"]
        return self.attempt(*bare, *arguments)

    def wait_for_jobs(self, *job_ids: str) -> None:
        """Wait until jobindex is connected, which takes up to 30 s per attempt, and lists jobs to the host."""
        check = ["exec", "-T", "jobindex", "jobindex", "healthcheck"]
        wait_until(lambda: '"connected"' in self.attempt(*check).stdout, "a connection", 90)
        wait_until(lambda: self.jobs().keys() >= set(job_ids), f"{len(job_ids)} jobs", 60)


def read_compose(*profiles: str) -> Any:
    """Return compose.yaml with profiles, as Compose parses it; this needs no engine."""
    ask = ["docker", "compose", "version"]
    found = shutil.which("docker") is not None and subprocess.run(ask, capture_output=True, check=False).returncode == 0
    require("docker", found=found)
    command = ["docker", "compose", f"--file={ROOT / 'compose.yaml'}", f"--env-file={os.devnull}"]
    options = [*(f"--profile={profile}" for profile in profiles), "config", "--format=json"]
    return json.loads(subprocess.check_output([*command, *options]))


def assert_limits(service: Any) -> None:
    """Assert that a service has neither root nor capabilities, and can write neither image nor checkout."""
    assert service["read_only"]
    assert ["ALL"] == service["cap_drop"]
    assert ["no-new-privileges:true"] == service["security_opt"]
    assert service["user"].split(":")[0] not in {"0", "root"}
    mounts = [volume for volume in service["volumes"] if volume["type"] == "bind"]
    assert all(mount["read_only"] and Path(mount["source"]).is_relative_to(ROOT / "deploy") for mount in mounts)


@contextmanager
def running_stack(*profiles: str) -> Iterator[Stack]:
    """Run all services, built, started and healthy; remove them completely afterwards."""
    ask = ["docker", "compose", "ls"]  # needs both the Compose plug-in and an engine that answers it
    found = shutil.which("docker") is not None and subprocess.run(ask, capture_output=True, check=False).returncode == 0
    require("docker", found=found)
    stack = Stack(*profiles)
    try:
        stack.compose("up", "--build", "--wait")
        yield stack
    finally:
        print(stack.attempt("logs").stdout)  # noqa: T201  # pytest shows it when the test fails
        stack.compose("down", "--volumes", "--rmi", "local")


def assert_no_rights(stack: Stack, service: str, user: int) -> None:
    """Assert that process 1 has neither root nor capabilities, cannot write the image, and is reached locally only."""
    lines = stack.compose("exec", "-T", service, "cat", "/proc/1/status").splitlines()
    status = dict(line.split(":\t", 1) for line in lines)
    assert status["Uid"].split() == [str(user)] * 4
    assert {status[name] for name in ("CapEff", "CapPrm", "CapInh", "CapBnd", "CapAmb")} == {"0" * 16}
    assert status["NoNewPrivs"] == "1"
    assert stack.inspect(service, "{{.HostConfig.ReadonlyRootfs}}") == "true"
    published = [{"HostIp": "127.0.0.1", "HostPort": str(stack.ports[service])}] if service in stack.ports else []
    ports = json.loads(stack.inspect(service, "{{json .HostConfig.PortBindings}}"))
    assert [port for bound in ports.values() for port in bound] == published
