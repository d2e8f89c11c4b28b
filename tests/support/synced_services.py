"""Services, as processes, that sync with a fake AWS or an emulator."""

import json
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from support.services import Service
from support.sync_runs import CREDENTIALS
from support.waiting import wait_until

Run = dict[str, Any]


def synced_service(directory: Path, url: str, **settings: str) -> Service:
    """Return a service, not started yet, that fills its index from the AWS at a URL as fast as it can."""
    given = {"AWS_SYNC": "fill", "AWS_ENDPOINT_URL": url, "AWS_SYNC_RATE": "100000"}
    return Service(directory, CREDENTIALS, **(given | settings))


def sync_runs(service: Service) -> list[Run]:
    """Return the runs of the sync."""
    status, body, _ = service.get("/index/sync")
    return list(json.loads(body)["runs"]) if status == 200 else []


def ended_run(service: Service, kind: str, *, after: int = 0, seconds: float = 30) -> Run:
    """Return the first run of a kind with an id greater than `after`, once it has ended."""

    def look() -> Run | None:
        runs = [run for run in sync_runs(service) if run["kind"] == kind and run["id"] > after]
        return runs[-1] if runs and "endedAt" in runs[-1] else None

    return wait_until(look, f"the end of a run of the kind {kind}\n{service.log()}", seconds) or {}


def request_run(service: Service, kind: str) -> Run:
    """Request a run over HTTP; return the answer."""
    headers = {"x-jobindex": "1", "content-type": "application/json"}
    request = Request(f"{service.url}/index/sync", json.dumps({"kind": kind}).encode(), headers)
    with urlopen(request, timeout=10) as answer:
        return dict(json.loads(answer.read()))


def stored_differences(service: Service) -> list[dict[str, Any]]:
    """Return all stored differences, newest first."""
    found: list[dict[str, Any]] = []
    path: str | None = "/index/sync/differences?limit=250"
    while path is not None:
        page = json.loads(service.get(path)[1])
        found += page["differences"]
        path = None if page["next"] is None else f"/index/sync/differences?limit=250&before={page['next']}"
    return found
