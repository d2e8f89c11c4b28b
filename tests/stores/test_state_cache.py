"""The cache of states is bounded in number and length, and does not change answers."""

from pathlib import Path

import pytest
from support.empty_indexes import empty_index
from support.messages import NOW, execution, job, parsed
from support.writers import writer_of

from jobindex.storage.sql import state_cache
from jobindex.storage.sqlite.store import open_store


async def test_long_states_leave_room_for_few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Long executions limit the cache, because thousands with AWS's longest statusDetails would take gigabytes."""
    monkeypatch.setattr(state_cache, "CHARACTERS_MAXIMUM", 40_000)
    names = ["j1", "j2", "j3"]
    details = {name: {"log": name * 7500} for name in names}
    async with open_store(empty_index(tmp_path / "jobindex.db")) as store:
        kept = writer_of(store).cache._states
        for name in names:
            told = execution("QUEUED", name, statusDetails=details[name], queuedAt=10, lastUpdatedAt=10)
            await store.apply(parsed(told), (), now=NOW)
        assert [("j2", "t1"), ("j3", "t1")] == [*kept.executions]
        for _ in range(2):  # cached states are not counted twice
            for name in names:
                await store.apply(parsed(execution("IN_PROGRESS", name, lastUpdatedAt=20)), (), now=NOW)
        assert [("j2", "t1"), ("j3", "t1")] == [*kept.executions]
        assert details == {name: (await store.job_execution(name, "t1")).status_details for name in names}


async def test_long_jobs_leave_room_for_few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs with long descriptions limit the cache, too."""
    monkeypatch.setattr(state_cache, "CHARACTERS_MAXIMUM", 5_000)
    async with open_store(empty_index(tmp_path / "jobindex.db")) as store:
        for name in ("j1", "j2", "j3"):
            await store.apply(parsed(job(name, status="IN_PROGRESS", description="d" * 2000)), (), now=NOW)
        assert ["j2", "j3"] == [*writer_of(store).cache._states.jobs]
