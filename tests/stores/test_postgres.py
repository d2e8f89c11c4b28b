"""The index in PostgreSQL: promises in addition to those of every store."""

import asyncio
import random
import string
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from itertools import count
from typing import Any, TypeVar

import pytest
from support.message_streams import parse
from support.messages import NOW, Index, job, parsed, summary
from support.postgresql_servers import Databases, execute

from jobindex.durations import SHUTDOWN
from jobindex.errors import DatabaseRefusedError, DatabaseUnavailableError, LeaseLostError
from jobindex.model.jobs import JobStatus
from jobindex.model.listing import Filters
from jobindex.model.reports import RejectedMessage
from jobindex.model.store import Changed, Store
from jobindex.storage.databases import PostgresDatabase
from jobindex.storage.migrations import load_migrations
from jobindex.storage.opening import migrate, open_store

T = TypeVar("T")

SILENT = ("idle_in_transaction_session_timeout", "synchronous_commit")


@asynccontextmanager
async def opened(url: str, *, has_lease: bool = True) -> AsyncIterator[Any]:
    """Open the index in a database, as the lease holder or as a standby."""
    async with open_store(PostgresDatabase(conninfo=url, shown="postgresql://there/db")) as store:
        if has_lease:
            assert await store.take_lease("{}", seconds=3600)
        yield store


async def told(store: Store, *messages: tuple[str, dict[str, object]]) -> None:
    """Apply messages to a store."""
    await Index(store, reverse=False).tell(*messages)


def end_connections(url: str) -> int:
    """Close all other connections to a database, as a server shutdown does, and return their number."""
    ended = execute(
        url,
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )
    return int(ended[0][0])


def test_the_migrations_of_both_engines_have_the_same_numbers() -> None:
    """The newest migration has the same number on both engines."""
    newest = {engine: load_migrations(engine)[-1].number for engine in ("sqlite", "postgres")}
    assert {"sqlite": newest["sqlite"], "postgres": newest["sqlite"]} == newest


async def test_many_may_migrate_at_once(postgres_url: str) -> None:
    """Of several replicas that start together, one creates the tables and the others use them."""
    database = PostgresDatabase(conninfo=postgres_url, shown="postgresql://there/db")
    await asyncio.gather(*(migrate(database) for _ in range(8)))
    expected = [(number,) for number in (0, *(one.number for one in load_migrations("postgres")))]
    assert expected == execute(postgres_url, "SELECT number FROM migrations ORDER BY number")


async def test_a_database_of_something_else_is_refused(postgres_url: str) -> None:
    """A database with foreign tables is refused, and does not change."""
    execute(postgres_url, "CREATE TABLE theirs (a INTEGER)")
    with pytest.raises(DatabaseRefusedError, match=r"postgresql://there/db: .*do not belong to jobindex"):
        async with opened(postgres_url):
            pass
    assert [("theirs",)] == execute(postgres_url, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")


async def test_a_newer_database_is_refused(postgres_url: str) -> None:
    """A database of a newer version is refused."""
    async with opened(postgres_url):
        execute(postgres_url, "INSERT INTO migrations (number, name) VALUES (9999, 'later')")
    with pytest.raises(DatabaseRefusedError, match="at migration 9999 of a newer jobindex"):
        async with opened(postgres_url):
            pass


async def test_what_cannot_be_entered_is_refused(postgres_url: str) -> None:
    """A missing database or user is refused; a server that does not answer is unavailable."""
    with pytest.raises(DatabaseRefusedError, match='"nowhere" does not exist'):
        async with opened(f"{postgres_url.rpartition('/')[0]}/nowhere"):
            pass
    with pytest.raises(DatabaseRefusedError, match='"nobody" does not exist'):
        async with opened(postgres_url.replace("//jobindex@", "//nobody:secret@")):
            pass
    with pytest.raises(DatabaseUnavailableError, match=r"postgresql://there/db: .*refused"):
        async with opened("postgresql://127.0.0.1:1/db?password=secret"):
            pass


async def test_who_has_no_lease_ingests_nothing(postgres_url: str) -> None:
    """Only the replica with the lease applies messages and deletes jobs."""
    async with opened(postgres_url) as owner, opened(postgres_url, has_lease=False) as other:
        assert not await other.take_lease("{}", seconds=3600)
        with pytest.raises(LeaseLostError):
            await told(other, job(lastUpdatedAt=10))
        with pytest.raises(LeaseLostError):
            await anext(other.retain(timedelta(days=1), now=NOW))
        assert set() == await Index(other, reverse=False).job_ids()
        await owner.release_lease()
        assert await other.take_lease("{}", seconds=3600)
        await told(other, job(lastUpdatedAt=10))
        with pytest.raises(LeaseLostError):
            await told(owner, job(lastUpdatedAt=20))
        assert summary(10) == await Index(owner, reverse=False).job()


async def test_others_learn_what_has_changed(postgres_url: str) -> None:
    """A replica learns each change of the others once, in order; a purge has no namespace."""
    async with opened(postgres_url) as owner, opened(postgres_url, has_lease=False) as other:
        assert () == tuple(await other.changed_by_others())
        await told(owner, job("j1", "n1", lastUpdatedAt=10))
        await told(owner, job("j2", "n2", lastUpdatedAt=10))
        first, second = await other.changed_by_others()
        assert Changed(job_ids=frozenset({"j1"}), namespace_ids=frozenset({"n1"}), thing_names=frozenset()) == first
        assert frozenset({"j2"}) == second.job_ids
        assert () == tuple(await other.changed_by_others())
        assert () == tuple(await owner.changed_by_others())
        _, [bad] = parse([("$aws/things/t1/jobs/j1/notify-namespace-n1", b"{")])
        await owner.apply((), (bad,), now=NOW)
        assert 1 == await other.purge_rejected(None)
        [purged] = await owner.changed_by_others()
        assert Changed(job_ids=None, namespace_ids=frozenset(), thing_names=None) == purged


async def test_who_asks_late_learns_that_much_has_changed(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A replica that asks late learns only that changes are unknown, because few of them are stored."""
    from jobindex.storage.postgres import changes  # noqa: PLC0415 (needs psycopg)

    monkeypatch.setattr(changes, "KEPT", 3)
    async with opened(postgres_url) as owner, opened(postgres_url, has_lease=False) as other:
        for number in range(5):
            await told(owner, job(f"j{number}", lastUpdatedAt=10))
        [everything] = await other.changed_by_others()
        assert everything.job_ids is None
        assert [(3,)] == execute(postgres_url, "SELECT count(*) FROM changes")


async def test_of_a_write_with_many_namespaces_others_learn_that_much_has_changed(postgres_url: str) -> None:
    """A change of many namespaces is stored as unknown, because a thousand such batches would take a gigabyte."""
    async with opened(postgres_url) as owner, opened(postgres_url, has_lease=False) as other:
        for count in (400, 1000):
            jobs = [job(f"j{n}", f"{n:0128}", lastUpdatedAt=10 + count) for n in range(count)]
            await owner.apply(parsed(*jobs), (), now=NOW)
        named, unknown = await other.changed_by_others()
        assert named.namespace_ids == {f"{n:0128}" for n in range(400)}
        assert Changed(job_ids=None, namespace_ids=None, thing_names=None) == unknown


async def test_connections_that_were_ended_come_back(postgres_url: str) -> None:
    """Connections that a server closes are replaced without an error."""
    async with opened(postgres_url) as store:
        index = Index(store, reverse=False)
        await index.tell(job(lastUpdatedAt=10))
        assert summary(10) == await index.job()
        assert end_connections(postgres_url) >= 3  # those of the lease, the writer and a reader
        await index.tell(job(status="COMPLETED", lastUpdatedAt=20))
        assert summary(10, 20, status=JobStatus.COMPLETED) == await index.job()
        await store.check()
        assert end_connections(postgres_url) >= 2  # the reader's connection was closed for the writer's
        assert await store.take_lease("{}", seconds=3600)


async def test_what_the_server_refuses_for_a_moment_is_tried_again(postgres_url: str) -> None:
    """Serialization failures and deadlocks are retried."""
    attempts = count(1)

    def failing(connection: Any) -> int:
        attempt = next(attempts)
        if attempt < 3:
            code = {1: "40001", 2: "40P01"}[attempt]
            connection.execute(f"DO $$ BEGIN RAISE EXCEPTION 'once more' USING ERRCODE = '{code}'; END $$")
        return attempt

    async with opened(postgres_url) as store:
        assert 3 == await store._engine.write(failing)


async def test_a_read_only_session_is_replaced(postgres_url: str) -> None:
    """A session that refuses writes (SQLSTATE 25006) is closed, and the write succeeds in a new one."""
    async with opened(postgres_url) as store:
        await store._engine.write(
            lambda connection: connection.execute("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY")
        )
        await told(store, job(lastUpdatedAt=10))
        assert summary(10) == await Index(store, reverse=False).job()


async def test_a_long_namespace_does_not_stop_ingestion(postgres_url: str) -> None:
    """A namespace that is too long for an index row is rejected; a message with the longest possible key is stored."""
    letters = "".join(random.Random(0).choices(string.ascii_letters + string.digits, k=2700))
    async with opened(postgres_url) as store:
        _, [bad] = parse([(f"$aws/things/t1/jobs/j1/notify-namespace-{letters}", b"{}")])
        await store.apply((), (bad,), now=NOW)
        index = Index(store, reverse=False)
        await index.tell(job(letters[:64], letters[:128], lastUpdatedAt=10, thingGroupName=letters[:128]))
        assert {letters[:64]} == await index.job_ids(Filters(namespace_id=letters[:128]))


async def test_what_it_refuses_for_good_is_not(postgres_url: str) -> None:
    """A permanent error is raised at once, and the connection remains usable."""
    attempts = count(1)

    def failing(connection: Any) -> None:
        next(attempts)
        connection.execute("SELECT missing")

    async with opened(postgres_url) as store:
        with pytest.raises(DatabaseUnavailableError, match='cannot be written: column "missing" does not exist'):
            await store._engine.write(failing)
        assert 2 == next(attempts)
        await told(store, job(lastUpdatedAt=10))


async def test_a_deadlock_costs_nothing(postgres_url: str) -> None:
    """Of two deadlocked transactions, one is retried."""
    async with opened(postgres_url) as store, opened(postgres_url, has_lease=False) as other:
        execute(postgres_url, "CREATE TABLE two (a INTEGER PRIMARY KEY, b INTEGER)")
        execute(postgres_url, "INSERT INTO two VALUES (1, 0), (2, 0)")

        def crossing(first: int, second: int) -> Callable[[Any], None]:
            def work(connection: Any) -> None:
                for number in (first, second):
                    connection.execute("UPDATE two SET b = b + 1 WHERE a = :a", {"a": number})
                    connection.execute("SELECT pg_sleep(0.2)")

            return work

        # Writes of a store are serialized, so these two use `attend`.
        await asyncio.gather(
            store._engine.attend(crossing(1, 2), done="written"), other._engine.attend(crossing(2, 1), done="written")
        )
        assert [(2,), (2,)] == execute(postgres_url, "SELECT b FROM two ORDER BY a")


async def test_a_commit_survives_whatever_the_server_is_set_to(postgres_url: str) -> None:
    """A commit is synchronous even if the server's default differs, and an idle transaction ends after five seconds."""
    name = postgres_url.rpartition("/")[2]
    execute(postgres_url, f"ALTER DATABASE {name} SET synchronous_commit = off")
    async with opened(postgres_url) as store:
        settings = await store._engine.write(
            lambda connection: [connection.execute(f"SHOW {setting}").fetchone()[0] for setting in SILENT]
        )
    assert ["5s", "on"] == settings


async def test_a_topic_with_nul_is_kept(postgres_url: str) -> None:
    """A rejected message with NUL is stored, although PostgreSQL's texts have no NUL."""
    async with opened(postgres_url) as store:
        await store.apply((), (RejectedMessage(topic="a\0b", payload=b"\0", reason="no \0"),), now=NOW)
        [kept] = await store.rejected_messages(after=0, limit=10)
        assert ("a\N{REPLACEMENT CHARACTER}b", "no \N{REPLACEMENT CHARACTER}", 1) == (
            kept.topic,
            kept.reason,
            kept.payload_bytes,
        )


async def test_a_page_is_from_one_moment(postgres_url: str) -> None:
    """A page shows one moment: a write between its statements is in the next page only."""
    async with opened(postgres_url) as store:
        await told(store, job("j1", lastUpdatedAt=10))
        loop = asyncio.get_running_loop()

        def read(connection: Any) -> tuple[int, int]:
            count_jobs = "SELECT count(*) FROM job_summaries"
            [(before,)] = connection.execute(count_jobs).fetchall()
            asyncio.run_coroutine_threadsafe(told(store, job("j2", lastUpdatedAt=10)), loop).result(10)
            [(after,)] = connection.execute(count_jobs).fetchall()
            return before, after

        assert (1, 1) == await store._engine.read(read)
        assert 2 == len(await Index(store, reverse=False).jobs())


async def test_nothing_is_kept_of_an_older_answer(postgres_url: str) -> None:
    """No two versions are equal, because another process may write at any time."""
    async with opened(postgres_url) as store:
        assert store.version < store.version < store.visible_to(frozenset({"n1"})).version


async def test_a_server_that_stands_still_holds_up_nobody_for_good(
    postgresql: Databases, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A read from a frozen server raises an error after a timeout, and succeeds when the server resumes."""
    from jobindex.storage.postgres import engine  # noqa: PLC0415 (needs psycopg)

    monkeypatch.setattr(engine, "_READ_SECONDS", 0.2)
    monkeypatch.setattr(engine, "_READ_ATTEMPTS", 1)
    async with opened(postgres_url) as store:
        index = Index(store, reverse=False)
        await index.tell(job(lastUpdatedAt=10))
        assert summary(10) == await index.job()
        with postgresql.server.frozen(), pytest.raises(DatabaseUnavailableError, match="cannot be read"):
            await index.job()
        assert summary(10) == await index.job()


async def test_it_is_closed_though_the_server_stands_still(
    postgresql: Databases, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A read without an answer does not keep the index from closing."""
    from jobindex.storage.postgres import engine  # noqa: PLC0415 (needs psycopg)

    monkeypatch.setattr(engine, "SHUTDOWN", replace(SHUTDOWN, close_seconds=0.1))
    with ExitStack() as stack:
        async with opened(postgres_url) as store:
            index = Index(store, reverse=False)
            await index.tell(job(lastUpdatedAt=10))
            assert summary(10) == await index.job()
            stack.enter_context(postgresql.server.frozen())
            asking = asyncio.ensure_future(index.job())
            await asyncio.sleep(0)  # the read starts
        with pytest.raises((DatabaseUnavailableError, asyncio.CancelledError)):
            await asking
