"""Sessions of the index in PostgreSQL: the connection limit, abandoned statements, and poolers."""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from support.messages import Index, job
from support.poolers import pgbouncer
from support.postgresql_servers import Databases, execute
from support.writers import writer_of
from test_postgres import opened

from jobindex.errors import DatabaseRefusedError, DatabaseUnavailableError
from jobindex.model.store import Store

LIMIT = 4
"""Connections of a user: one for the lease, one for the writer, two for readers."""
POOLED = "a pooler in transaction mode is between jobindex and PostgreSQL; set pool_mode = session"

_SLEEPING = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'SELECT pg_sleep%'"
_SESSIONS = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'limited'"


@pytest.fixture
def limited_url(postgresql: Databases, postgres_url: str) -> Iterator[str]:
    """Return the URL of an empty database whose user has few connections."""
    name = postgres_url.rpartition("/")[2]
    execute(postgres_url, f"CREATE ROLE limited LOGIN CONNECTION LIMIT {LIMIT}")
    try:
        execute(postgres_url, f"ALTER DATABASE {name} OWNER TO limited")
        yield postgres_url.replace("//jobindex@", "//limited@")
    finally:
        execute(postgres_url, f"ALTER DATABASE {name} OWNER TO jobindex")
        execute(postgres_url, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'limited'")
        execute(postgres_url, "REASSIGN OWNED BY limited TO jobindex")
        postgresql.server.execute("DROP ROLE limited")


async def until(condition: Callable[[], object], what: str, seconds: float = 10) -> None:
    """Wait until a condition in the database is true, without blocking the loop."""
    end = time.monotonic() + seconds
    while not await asyncio.to_thread(condition):
        assert time.monotonic() < end, f"waited in vain for {what}"
        await asyncio.sleep(0.02)


async def read(store: Any, seconds: float) -> None:
    """Run a query that occupies a reader for some seconds."""
    await store._engine.read(lambda connection: connection.execute("SELECT pg_sleep(:long)", {"long": seconds}))


def sessions(url: str) -> int:
    """Return the number of sessions of the limited user."""
    return int(execute(url, _SESSIONS)[0][0])


def links_that_write(store: Any) -> Sequence[Any]:
    """Return the connections of the lease and the writer."""
    return *store._engine._steward._links, writer_of(store).link


def pids_that_write(store: Any) -> Sequence[int]:
    """Return the server's process ids of these connections."""
    return [link._connection.info.backend_pid for link in links_that_write(store)]


def end_those_that_write(store: Any, url: str) -> None:
    """End the sessions of the writer and the lease, as a server shutdown does."""
    pids = ", ".join(map(str, pids_that_write(store)))
    execute(url, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid IN ({pids})")


async def tell(store: Store, time_: int = 10) -> None:
    """Apply a message."""
    await Index(store, reverse=False).tell(job(lastUpdatedAt=time_))


async def test_idle_readers_leave_their_sessions_to_the_writer(postgres_url: str, limited_url: str) -> None:
    """At the server's limit, idle readers give their sessions to the writer and the lease."""
    async with opened(limited_url) as store:
        await tell(store)
        questions = [asyncio.ensure_future(read(store, 0.5)) for _ in range(LIMIT)]
        await until(lambda: sessions(postgres_url) == LIMIT, "the limit")
        end_those_that_write(store, postgres_url)
        await asyncio.gather(*questions, return_exceptions=True)
        await until(lambda: sessions(postgres_url) <= LIMIT, "the end of the two")
        await tell(store, 20)
        assert await store.take_lease("{}", seconds=3600)


async def test_busy_readers_leave_their_sessions_to_the_writer(postgres_url: str, limited_url: str) -> None:
    """The writer gets a session, even if reads never pause."""
    async with opened(limited_url) as store:
        await tell(store)
        asking = True

        async def ask() -> None:
            while asking:
                await asyncio.gather(read(store, 0.01), return_exceptions=True)

        questions = [asyncio.ensure_future(ask()) for _ in range(2 * LIMIT)]
        await until(lambda: sessions(postgres_url) == LIMIT, "the limit")
        end_those_that_write(store, postgres_url)
        try:
            await tell(store, 20)
            assert await store.take_lease("{}", seconds=3600)
        finally:
            asking = False
            await asyncio.gather(*questions)


async def test_readers_that_are_idle_leave_their_sessions_to_other_replicas(
    postgres_url: str, limited_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When a replica checks the lease, its idle readers close their sessions; lease and writer keep theirs."""
    from jobindex.storage.postgres import engine  # noqa: PLC0415 (needs psycopg)

    monkeypatch.setattr(engine, "_IDLE_SECONDS", 0.2)
    async with opened(limited_url) as store:
        await asyncio.gather(read(store, 0.1), read(store, 0.1))
        await store.lease()
        assert LIMIT == sessions(postgres_url)
        loop = asyncio.get_running_loop()

        def look() -> bool:
            asyncio.run_coroutine_threadsafe(store.lease(), loop).result(10)
            return sessions(postgres_url) == 2

        await until(look, "the end of the readers' sessions")
        async with opened(limited_url, has_lease=False) as other:
            assert LIMIT == sessions(postgres_url)
            assert not await other.take_lease("{}", seconds=3600)


async def test_a_statement_that_takes_too_long_ends_on_the_server(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A statement that times out also ends on the server."""
    from jobindex.storage.postgres import engine  # noqa: PLC0415 (needs psycopg)

    monkeypatch.setattr(engine, "_READ_SECONDS", 0.2)
    monkeypatch.setattr(engine, "_READ_ATTEMPTS", 1)
    async with opened(postgres_url) as store:
        with pytest.raises(DatabaseUnavailableError, match="cannot be read"):
            await read(store, 60)
        await until(lambda: execute(postgres_url, _SLEEPING) == [(0,)], "the statement's end", 5)


async def test_a_statement_ends_on_the_server_when_the_index_is_closed(postgres_url: str) -> None:
    """When the index is closed, its statements end on the server."""
    async with opened(postgres_url) as store:
        asked = asyncio.ensure_future(read(store, 60))
        await until(lambda: execute(postgres_url, _SLEEPING) == [(1,)], "the statement")
    with pytest.raises((DatabaseUnavailableError, asyncio.CancelledError)):
        await asked
    await until(lambda: execute(postgres_url, _SLEEPING) == [(0,)], "the statement's end", 5)


async def test_a_pooler_in_session_mode_is_as_good_as_the_server(postgres_url: str) -> None:
    """A pooler in session mode works like the server."""
    with pgbouncer(postgres_url, pool_mode="session") as pooler:
        async with opened(pooler.url) as store:
            for time_ in range(10, 30):
                await tell(store, time_)
            assert {"j1"} == await Index(store, reverse=False).job_ids()


@pytest.mark.parametrize(("pool_mode", "told"), [("transaction", POOLED), ("statement", "statement pooling mode")])
async def test_a_pooler_in_another_mode_is_refused(postgres_url: str, pool_mode: str, told: str) -> None:
    """A pooler in another mode is refused, and the error names the setting."""
    with (
        pgbouncer(postgres_url, pool_mode=pool_mode) as pooler,
        pytest.raises(DatabaseRefusedError, match=f"postgresql://there/db: .*{told}"),
    ):
        async with opened(pooler.url):
            pass


async def test_a_session_that_is_another_is_refused_and_replaced(postgres_url: str) -> None:
    """A write in a session that a pooler has exchanged fails without effect, and the next one has a new session."""
    async with opened(postgres_url) as store:

        async def write() -> int:
            read_pid = "SELECT pg_backend_pid()"
            (pid,) = await store._engine.write(lambda connection: connection.execute(read_pid).fetchone())
            return int(pid)

        before = await write()
        pids = pids_that_write(store)
        assert before in pids
        for link in links_that_write(store):
            link.run(lambda connection: connection.execute("SET jobindex.session = 'of another'"), done="set")
        with pytest.raises(DatabaseUnavailableError, match=POOLED):
            await write()
        with pytest.raises(DatabaseUnavailableError, match=POOLED):
            await store.check()
        assert await write() not in pids
        await store.check()
