"""The index on /metrics: jobs and executions by namespace, and stuck executions."""

import re
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.requests import Request
from support.api_server import Api, serving
from support.messages import parsed

from jobindex.messages import topics
from jobindex.model.jobs import JobStatus
from jobindex.model.store import Store
from jobindex.model.views import OTHER_NAMESPACES as OTHER
from jobindex.model.views import ExecutionState
from jobindex.monitoring.index_counts import NAMESPACES_MAXIMUM
from jobindex.monitoring.metrics import Metrics
from jobindex.monitoring.state import ServiceState
from jobindex.web.api.metrics import metrics_endpoint

NOW = datetime.now(UTC)
Message = tuple[str, dict[str, Any]]


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    """Serve an empty index."""
    with serving(tmp_path) as api:
        yield api


def figures(api: Api, name: str) -> dict[tuple[str, ...], float]:
    """Return a metric's nonzero values, by the values of its labels in the order of their names."""
    with urlopen(api.url + "/metrics", timeout=10) as answer:
        text = answer.read().decode()
    (family,) = (family for family in text_string_to_metric_families(text) if family.name == name)
    cells = {tuple(value for _, value in sorted(cell.labels.items())): cell.value for cell in family.samples}
    return {labels: value for labels, value in cells.items() if value}


def job(job_id: str, namespace_id: str, status: JobStatus = JobStatus.IN_PROGRESS) -> Message:
    """Return the notification of a job."""
    return f"$aws/things/pump/jobs/{job_id}/notify-namespace-{namespace_id}", {"job": {"status": status}}


def pending(job_id: str, namespace_id: str | None, queued_at: datetime) -> Message:
    """Return a thing's list with one pending execution."""
    topic = f"$aws/things/thing-of-{job_id}/jobs/notify"
    entry = {"jobId": job_id, "queuedAt": queued_at.timestamp(), "executionNumber": 1, "versionNumber": 1}
    return (
        topic if namespace_id is None else f"{topic}-namespace-{namespace_id}",
        {"timestamp": queued_at.timestamp(), "jobs": {"QUEUED": [entry]}},
    )


def ended(job_id: str, status: str) -> Message:
    """Return the event of an execution that has ended."""
    arn = f"arn:aws:iot:us-east-1:123456789012:thing/thing-of-{job_id}"
    return f"$aws/events/jobExecution/{job_id}/{status}", {"thingArn": arn, "timestamp": NOW.timestamp()}


def test_jobs_are_counted_by_namespace_and_status(api: Api) -> None:
    """A job without a namespace has an empty label, which Prometheus treats as absent."""
    api.apply(job("a1", "a"), job("a2", "a"), job("a3", "a", JobStatus.CANCELED), job("b1", "b", JobStatus.SCHEDULED))
    api.apply(("$aws/events/job/nowhere/completed", {"timestamp": NOW.timestamp()}))
    expected = {
        ("a", "IN_PROGRESS"): 2,
        ("a", "CANCELED"): 1,
        ("b", "SCHEDULED"): 1,
        ("", "COMPLETED"): 1,
    }
    assert expected == figures(api, "jobindex_jobs")
    api.apply(job("b1", "b", JobStatus.COMPLETED))
    moved = {**expected, ("b", "COMPLETED"): 1}
    del moved["b", "SCHEDULED"]
    assert moved == figures(api, "jobindex_jobs")


def test_executions_are_counted_by_namespace_and_state(api: Api) -> None:
    """Executions are counted by state and by the namespace of their job."""
    api.apply(*(pending(f"a{number}", "a", NOW) for number in range(3)), pending("nowhere", None, NOW))
    assert {("a", "QUEUED"): 3, ("", "QUEUED"): 1} == figures(api, "jobindex_executions")
    api.apply(ended("a0", "succeeded"), ended("a1", "failed"))
    expected = {("a", "QUEUED"): 1, ("a", "SUCCEEDED"): 1, ("a", "FAILED"): 1, ("", "QUEUED"): 1}
    assert expected == figures(api, "jobindex_executions")


def test_a_status_that_no_job_has_is_told_too(api: Api) -> None:
    """A status without jobs is 0, so that a series does not end with its last job."""
    api.apply(job("a1", "a"))
    text = urlopen(api.url + "/metrics", timeout=10).read().decode()
    assert len(JobStatus) == text.count("\njobindex_jobs{")
    assert len(ExecutionState) == text.count("\njobindex_executions{")


def test_executions_that_wait_too_long_are_stuck(api: Api) -> None:
    """An execution that is pending for more than an hour is stuck until it ends."""
    api.apply(*(pending(f"old-{number}", "a", NOW - timedelta(minutes=61)) for number in range(3)))
    api.apply(pending("young", "a", NOW - timedelta(minutes=5)))
    assert {(): 3} == figures(api, "jobindex_executions_stuck")
    api.apply(ended("old-0", "timed_out"))
    assert {(): 2} == figures(api, "jobindex_executions_stuck")


def named(names: Iterable[str], count: int) -> list[Message]:
    """Return `count` jobs in each of these namespaces."""
    return [job(f"{name}-{number}"[-64:], name) for name in names for number in range(count)]


def test_namespaces_without_many_jobs_are_summed(api: Api) -> None:
    """At most 50 namespaces have their own series, and the totals stay right."""
    large = [f"large-{number}" for number in range(NAMESPACES_MAXIMUM - 1)]
    small = [f"a-small-{number}" for number in range(600)]
    api.apply(*named(large, 3), *named(["middle"], 2), *named(small, 1))
    expected = {(name, "IN_PROGRESS"): 3 for name in large} | {("middle", "IN_PROGRESS"): 2}
    assert expected | {(OTHER, "IN_PROGRESS"): 600} == figures(api, "jobindex_jobs")


def test_a_namespace_that_is_called_other_is_counted_with_the_others(api: Api) -> None:
    """A namespace with the name of the sum is part of it, as Prometheus refuses duplicate series."""
    names = [f"n-{number}" for number in range(NAMESPACES_MAXIMUM)]
    api.apply(*named([OTHER], 5), *named(names, 2), pending("other-job", OTHER, NOW))
    expected = {(name, "IN_PROGRESS"): 2 for name in names}
    assert expected | {(OTHER, "IN_PROGRESS"): 6} == figures(api, "jobindex_jobs")
    api.apply(*named(["one-more"], 1))
    assert expected | {(OTHER, "IN_PROGRESS"): 7} == figures(api, "jobindex_jobs")
    assert {(OTHER, "QUEUED"): 1} == figures(api, "jobindex_executions")


def test_a_name_that_is_too_long_for_a_label_is_one_of_the_others(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """A namespace too long for a label is summed with the others.

    Earlier versions stored up to 60 kB; fourteen series of one would add a megabyte to each scrape.
    """
    monkeypatch.setattr(topics, "NAMESPACE_ID", re.compile(r"[a-zA-Z0-9_-]+"))
    api.apply(*named(["n" * 128], 1), *named(["k" * 129, "l" * 50_000], 1))
    assert {("n" * 128, "IN_PROGRESS"): 1, (OTHER, "IN_PROGRESS"): 2} == figures(api, "jobindex_jobs")


def test_the_other_figures_are_served_while_the_index_cannot_be_read(api: Api) -> None:
    """While the index cannot be read, its metrics are left out, and the others are served."""
    store, api.state.store = api.state.store, None
    text = urlopen(api.url + "/metrics", timeout=10).read().decode()
    assert "\njobindex_mqtt_connected 0.0\n" in text
    assert "\njobindex_executions_stuck " not in text
    assert "\njobindex_jobs{" not in text
    api.state.store = store
    assert {} == figures(api, "jobindex_executions_stuck")


def test_the_counts_are_served_while_stuck_executions_cannot_be_counted(api: Api, tmp_path: Path) -> None:
    """The job counts need no query of stuck executions, so they are served without it."""
    api.apply(job("a1", "a"))
    with closing(sqlite3.connect(tmp_path / "jobindex.db")) as other:
        other.execute("DROP TABLE executions")
    assert {("a", "IN_PROGRESS"): 1} == figures(api, "jobindex_jobs")
    assert "\njobindex_executions_stuck " not in urlopen(api.url + "/metrics", timeout=10).read().decode()


def test_stuck_executions_are_counted_while_the_namespaces_cannot_be(api: Api, tmp_path: Path) -> None:
    """Stuck executions are counted without the namespaces; the alert for an unreadable index needs both to fail."""
    api.apply(pending("old", "a", NOW - timedelta(hours=2)))
    with closing(sqlite3.connect(tmp_path / "jobindex.db")) as other:
        other.execute("DROP TABLE namespace_jobs")
    assert {(): 1} == figures(api, "jobindex_executions_stuck")
    assert {} == figures(api, "jobindex_jobs")


async def test_the_time_after_which_an_execution_is_stuck_is_given(store: Store) -> None:
    """The setting decides after which time an execution is stuck."""
    await store.apply(parsed(pending("young", "a", NOW - timedelta(minutes=50))), [], now=NOW)
    state = ServiceState(store=store)
    for minutes, stuck in ((49, 1), (100, 0)):
        serve = metrics_endpoint(state, Metrics(state), stuck_after=timedelta(minutes=minutes))
        text = bytes((await serve(Request({"type": "http"}))).body).decode()
        assert f"\njobindex_executions_stuck {stuck}.0\n" in text
