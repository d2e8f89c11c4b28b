"""The status reports a batch that waits for a lock."""

import asyncio

import pytest
from support.ingestors import ingest
from support.messages import job, parsed
from support.postgresql_servers import locked
from support.waiting import wait_until

from jobindex.ingest.inbox import Delivery
from jobindex.monitoring import state
from jobindex.monitoring.state import ServiceState
from jobindex.storage.databases import PostgresDatabase
from jobindex.storage.opening import open_store


async def test_a_write_that_waits_for_long_is_reported(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that waits long is reported until it succeeds, because PostgreSQL never ends a wait for a lock."""
    monkeypatch.setattr(state, "SLOW_SECONDS", 0.2)
    status = ServiceState()
    async with open_store(PostgresDatabase(conninfo=postgres_url, shown="a database")) as store:
        assert await store.take_lease("{}", seconds=3600)
        delivery = Delivery(topic="t", payload=b"{}", parsed=tuple(parsed(job())), qos=1, packet_id=1)
        with locked(postgres_url) as is_locked:
            assert is_locked
            applying = asyncio.create_task(ingest(store, [delivery], status))
            await asyncio.to_thread(wait_until, lambda: status.unwritable, "the report")
            assert "The index cannot be written: the database has taken more than 0.2 s" == status.unwritable
        await applying
        assert status.unwritable is None
