"""The alternatives: moto's server with a page of jobs, and datasette on the product's file."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import quote

from bench.errors import BenchError
from bench.processes import listens, running
from bench.waiting import wait_until
from jobindex.cli.demo.nats import free_port
from jobindex.model.parameters import MAX_RESULTS

_START_SECONDS = 60
_CREDENTIAL = "Credential=any/20260101/us-east-1/iot/aws4_request, SignedHeaders=host, Signature=any"
_AUTHORIZATION = f"Authorization: AWS4-HMAC-SHA256 {_CREDENTIAL}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A running server, and its request for a page."""

    url: str
    path: str
    headers: tuple[str, ...] = ()


def missing(python: str, module: str) -> str | None:
    """Return why a reference cannot run. None if it can."""
    found = subprocess.run([python, "-c", f"import {module}"], check=False, capture_output=True)
    return f"{module} is not importable by {python}: pip install '.[bench]'" if found.returncode else None


@contextmanager
def moto(python: str, directory: Path) -> Iterator[Server]:
    """Run moto's server with as many jobs as a page holds."""
    port = free_port()
    with running([python, "-m", "moto.server", "-H", "127.0.0.1", "-p", port], directory / "moto.log"):
        wait_until(lambda: listens(port), "moto", _START_SECONDS)
        arn = json.loads(_send(port, "POST", "/things/core", {}))["thingArn"]
        for number in range(MAX_RESULTS):
            _send(port, "PUT", f"/jobs/job-{number}", {"targets": [arn], "document": "{}"})
        path = f"/jobs?maxResults={MAX_RESULTS}"
        if len(json.loads(_send(port, "GET", path))["jobs"]) != MAX_RESULTS:
            raise BenchError("moto does not list its jobs")
        yield Server(url=f"http://127.0.0.1:{port}", path=path, headers=(_AUTHORIZATION,))


@contextmanager
def datasette(python: str, database: Path, directory: Path) -> Iterator[Server]:
    """Run datasette on an index, with a JSON page of the newest jobs and without optional content."""
    port = free_port()
    command = [python, "-m", "datasette", "serve", database, "--host", "127.0.0.1", "--port", port]
    with running(command, directory / "datasette.log"):
        wait_until(lambda: listens(port), "datasette", _START_SECONDS)
        options = f"_size={MAX_RESULTS}&_sort_desc=created_at&_shape=array&_nocount=1&_nofacet=1&_nosuggest=1"
        path = f"/{quote(database.stem)}/job_summaries.json?{options}"
        if len(json.loads(_send(port, "GET", path))) != MAX_RESULTS:
            raise BenchError("datasette does not list the jobs")
        yield Server(url=f"http://127.0.0.1:{port}", path=path)


def _send(port: int, method: str, path: str, content: object = None) -> bytes:
    connection = HTTPConnection("127.0.0.1", port, timeout=_START_SECONDS)
    name, _, value = _AUTHORIZATION.partition(": ")
    try:
        connection.request(method, path, None if content is None else json.dumps(content), {name: value})
        answer = connection.getresponse()
        body = answer.read()
    finally:
        connection.close()
    if answer.status != 200:
        raise BenchError(f"{method} {path} is answered with {answer.status}: {body[:200]!r}")
    return body
