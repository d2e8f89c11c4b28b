"""`jobindex serve` as a process, as users run it."""

import json
import os
import re
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import boto3
from botocore.config import Config

from bench.processes import is_running, process_tree
from support.commands import Process, start
from support.waiting import wait_until

_LISTENING = re.compile(r"Listening on (https?://\S+:\d+)(?!\S)")


class Service:
    """A service process on a free HTTP port; `environment` are variables of other programs, such as AWS's SDK."""

    def __init__(
        self, directory: Path, environment: Mapping[str, str] = MappingProxyType({}), /, **settings: str
    ) -> None:
        self.database = directory / "jobindex.db"
        self._log = directory / "service.log"
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("JOBINDEX_")},
            "JOBINDEX_DATABASE_URL": f"sqlite:///{self.database}",
            "JOBINDEX_HTTP_PORT": "0",
            "JOBINDEX_LOG_FORMAT": "text",
            **environment,
            **{f"JOBINDEX_{name}": value for name, value in settings.items()},
        }
        self.process: Process | None = None
        self.url = ""

    def start(self, *, until: str = "connected") -> None:
        """Start the process, and wait until /readyz reports that it is ready, with the ingestion status `until`."""
        self.start_only()
        ready = {"ready": True, "ingestion": until}
        wait_until(lambda: ready.items() <= self.readyz().items(), f"{until!r} on /readyz\n{self.log()}")

    def spawn(self) -> None:
        """Start the process."""
        self._log.write_bytes(b"")
        self.process = start("serve", environment=self._environment, errors=self._log)

    def start_only(self) -> None:
        """Start the process and wait until it listens."""
        self.spawn()
        listening = wait_until(lambda: _LISTENING.search(self.log()) or self._ended(), f"the service\n{self.log()}")
        assert isinstance(listening, re.Match), self.log()
        self.url = listening[1]

    def kill(self, *, leaves_writer: bool = False) -> None:
        """End the processes as a loss of power would; with `leaves_writer`, end only the main process."""
        assert self.process is not None
        _, *apart = self.pids()
        self.process.kill()
        self.process.wait()
        if not leaves_writer:
            for pid in apart:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            wait_until(lambda: not any(map(is_running, apart)), "the end of the process that writes")

    def stop(self) -> int:
        """End the process by SIGTERM; return its exit status."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(15)

    def pids(self) -> list[int]:
        """Return the ids of the service's processes: the main process and the writer."""
        assert self.process is not None
        return [*process_tree(self.process.pid)]

    def log(self) -> str:
        """Return the log of the process."""
        return self._log.read_text() if self._log.exists() else ""

    def get(self, path: str) -> tuple[int, str, dict[str, str]]:
        """Return the status, the body and the headers of an answer."""
        try:
            with urlopen(self.url + path, timeout=10) as answer:
                return answer.status, answer.read().decode(), dict(answer.headers)
        except HTTPError as error:
            with error:
                return error.code, error.read().decode(), dict(error.headers)

    def readyz(self) -> dict[str, Any]:
        """Return the content of /readyz."""
        return dict(json.loads(self.get("/readyz")[1]))

    def metric(self, name: str) -> float:
        """Return the value of a metric."""
        found = re.search(rf"^jobindex_{name} (\S+)$", self.get("/metrics")[1], re.MULTILINE)
        assert found is not None, name
        return float(found[1])

    def client(self) -> Any:  # botocore makes the class at run time
        """Return boto3's client of the service."""
        return boto3.client(
            "iot",
            region_name="us-east-1",
            endpoint_url=self.url,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"total_max_attempts": 1}),
        )

    def jobs(self, **filters: str) -> dict[str, dict[str, Any]]:
        """Return all jobs by id, as boto3 lists them."""
        pages = self.client().get_paginator("list_jobs").paginate(**filters)
        return {job["jobId"]: job for page in pages for job in page["jobs"]}

    def _ended(self) -> bool:
        return self.process is not None and self.process.poll() is not None


@contextmanager
def running(service: Service, *, until: str = "connected") -> Iterator[Service]:
    """Run a service while the context is open."""
    try:
        service.start(until=until)
        yield service
    finally:
        if service.process is not None and service.process.poll() is None:
            service.stop()
