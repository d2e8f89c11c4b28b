"""Runs of the sync in the test's own process, against a fake AWS."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from unittest.mock import patch

import pytest

from jobindex.aws.client import AwsClient
from jobindex.aws.plan import AwsSync
from jobindex.aws.synchronizer import Schedule, Synchronizer
from jobindex.model.store import Store
from jobindex.model.sync import SyncKind, SyncRun
from jobindex.monitoring.metrics import Metrics
from jobindex.monitoring.state import Ingestion, ServiceState

T = TypeVar("T")

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_EC2_METADATA_DISABLED": "true",
}
"""The environment of the SDK's chain in tests."""


def give_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the SDK's chain credentials."""
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)


NEVER = Schedule(active=timedelta(days=3650), all=timedelta(days=3650), refill=timedelta(days=3650))
"""No run but the first fill, and those that a test requests."""


def plan(url: str, **members: Any) -> AwsSync:
    """Return the plan of a sync with a fake AWS, without a limit of its rate."""
    given = {
        "mode": "fill",
        "endpoint_url": url,
        "namespaces": ("aws-gg-deployment",),
        "rates": {"": 100_000.0},
        "repairs": True,
        "keeps_ended": timedelta(days=30),
    }
    return AwsSync(**{**given, **members})


def connected() -> ServiceState:
    """Return the state of a service that has subscribed."""
    state = ServiceState()
    state.ingestion, state.connected_since = Ingestion.CONNECTED, datetime.now(UTC)
    return state


class Syncing:
    """A synchronizer that runs while the context is open."""

    def __init__(self, store: Store, state: ServiceState, metrics: Metrics, task: "asyncio.Task[None]") -> None:
        self.store = store
        self.state = state
        self.metrics = metrics
        self._task = task

    async def ended(self, kind: SyncKind, *, seconds: float = 60) -> SyncRun:
        """Return the newest run of a kind once it has ended."""

        async def look() -> SyncRun | None:
            runs = [run for run in await self.store.sync_runs(limit=50) if run.kind is kind]
            return runs[0] if runs and all(run.ended_at is not None for run in runs) else None

        return await self.until(look, seconds=seconds)

    async def until(self, look: Callable[[], Awaitable[T | None]], *, seconds: float = 60) -> T:
        """Return the first true result of a look; the synchronizer's own error is raised."""
        end = asyncio.get_running_loop().time() + seconds
        while asyncio.get_running_loop().time() < end:
            if self._task.done():
                self._task.result()
            found = await look()
            if found:
                return found
            await asyncio.sleep(0.02)
        raise AssertionError(f"not within {seconds} s; the status is {self.state.sync}")

    async def reason(self) -> str:
        """Return the reason why no call succeeds, once there is one."""

        async def look() -> str | None:
            return None if self.state.sync is None else self.state.sync.reason

        return await self.until(look)

    async def run(self, kind: SyncKind, **parameters: Any) -> SyncRun:
        """Request a run, and return it once it has ended."""
        former = {run.id for run in await self.store.sync_runs(limit=50)}
        await self.store.request_sync(kind, now=datetime.now(UTC), **parameters)

        async def look() -> SyncRun | None:
            new = [run for run in await self.store.sync_runs(limit=50) if run.id not in former and run.kind is kind]
            return new[0] if new and new[0].ended_at is not None else None

        return await self.until(look)


@asynccontextmanager
async def syncing(
    store: Store, aws_plan: AwsSync, *, state: ServiceState | None = None, schedule: Schedule = NEVER
) -> AsyncIterator[Syncing]:
    """Run a synchronizer on a store while the context is open."""
    state = state or connected()
    metrics = Metrics(state)
    synchronizer = Synchronizer(
        AwsClient(endpoint_url=aws_plan.endpoint_url, region="us-east-1"),
        store,
        state,
        metrics,
        aws_plan,
        arn_prefix=None,
        on_applied=lambda *_: None,
        on_deferred=lambda _: None,
        note_dropped=lambda _: None,
        clock=lambda: datetime.now(UTC),
        schedule=schedule,
    )
    with patch("jobindex.aws.synchronizer.LOOK_SECONDS", 0.1):
        task = asyncio.create_task(synchronizer.run())
        try:
            yield Syncing(store, state, metrics, task)
        finally:
            task.cancel()
            await asyncio.wait((task,))
