"""Replicas that sync: one fills the index; when it is killed, the other goes on from the committed progress."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from support.brokers import mosquitto
from support.fake_aws import FakeAws
from support.fake_fleet import FakeFleet
from support.missed_events import facts
from support.services import Service, running
from support.synced_services import ended_run, request_run, synced_service
from support.waiting import wait_until

JOBS = 40
RATE = "10"
"""Calls per second to an operation: the pending executions, with two calls for a job, take eight seconds."""
BEFORE_THE_KILL = 30
"""Jobs whose pending executions are left when the first replica is killed, at most."""
UNFINISHED = 3
"""The most calls whose answers a killed replica has not committed."""


def fleet() -> FakeFleet:
    """Return jobs with pending executions."""
    made = FakeFleet()
    for number in range(JOBS):
        job = made.add_job(f"job-{number}", namespace_id="acme" if number % 2 else None)
        for place in range(3):
            job.execute(f"pump-{place}", "IN_PROGRESS" if place else "QUEUED")
    return made


@contextmanager
def replicas(directory: Path, aws: FakeAws, database_url: str) -> Iterator[tuple[Service, Service]]:
    """Run a replica that ingests, and a standby."""
    with mosquitto(directory) as broker:
        made = []
        for name in ("one", "other"):
            (directory / name).mkdir()
            given = {"MQTT_URL": f"mqtt://127.0.0.1:{broker.port}", "DATABASE_URL": database_url}
            given |= {"DATABASE_LEASE": "2s", "AWS_SYNC_RATE": RATE, "AWS_SYNC_NAMESPACES": "acme"}
            made.append(synced_service(directory / name, aws.url, **given))
        one, other = made
        with running(one), running(other, until="standby"):
            yield one, other


def whole_fill(directory: Path) -> tuple[Counter[str], dict[tuple[str, ...], Any]]:
    """Return the calls of a fill with its details that nothing interrupts, and the facts of the index."""
    directory.mkdir()
    with FakeAws(fleet()) as aws, mosquitto(directory) as broker:
        url = f"mqtt://127.0.0.1:{broker.port}"
        with running(synced_service(directory, aws.url, MQTT_URL=url, AWS_SYNC_NAMESPACES="acme")) as service:
            ended_run(service, "details")
            return aws.counts(), facts(service.client())


def test_one_syncs_and_another_goes_on_when_it_is_killed(tmp_path: Path, postgres_url: str) -> None:
    """No call is made twice, but for those whose answers were not committed, and the index is the same."""
    expected_calls, expected = whole_fill(tmp_path / "whole")
    assert JOBS * 4 < expected_calls.total()
    with FakeAws(fleet()) as aws, replicas(tmp_path, aws, postgres_url) as (one, other):

        def is_on_its_way() -> bool:
            sync = other.readyz().get("sync", {})
            left = sync.get("total", 0) - sync.get("done", 0)
            return bool(sync.get("phase") == "pending executions" and left <= BEFORE_THE_KILL)

        wait_until(is_on_its_way, "the progress of the other replica on /readyz", 30)
        shown, progress = other.readyz(), one.readyz()["sync"]
        assert ("standby", True) == (shown["ingestion"], f"-{one.pids()[0]}-" in shown["ingestionBy"]["replica"])
        assert ("fill", "pending executions", True) == tuple(
            shown["sync"].get(name) for name in ("kind", "phase", "isFirst")
        )
        assert 0 < shown["sync"]["done"] <= progress["done"] < JOBS
        one.kill()
        assert {1} == set(repeated(aws).values()), "two replicas have made the same call"

        fill, details = ended_run(other, "fill"), ended_run(other, "details")
        assert (True, True, 1) == (fill["isComplete"], details["isComplete"], fill["id"])
        assert aws.counts().total() <= expected_calls.total() + UNFINISHED
        assert sum(repeated(aws).values()) - len(repeated(aws)) <= UNFINISHED
        assert expected == facts(other.client())

        one.start(until="standby")
        assert "filled" in one.readyz()
        run = request_run(one, "active")
        assert ended_run(one, "active")["id"] == run["id"]
        begins = "The sync with AWS begins a run: active"
        assert (False, True) == (begins in one.log(), begins in other.log())


def repeated(aws: FakeAws) -> Counter[str]:
    """Count the calls, by their operation and parameters."""
    with aws.lock:
        return Counter(f"{call.operation} {json.dumps(call.parameters, sort_keys=True)}" for call in aws.calls)
