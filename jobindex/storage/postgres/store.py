"""The index in a database of PostgreSQL, which several processes may share."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, TypeVar

from psycopg import Connection

from jobindex.errors import DatabaseRefusedError, DatabaseUnavailableError
from jobindex.model.store import Changed, Lease, RejectedLimits
from jobindex.storage.databases import PostgresDatabase
from jobindex.storage.postgres import changes, lease
from jobindex.storage.postgres.connection import HOPELESS, Transaction
from jobindex.storage.postgres.engine import PostgresEngine
from jobindex.storage.postgres.migrating import bring_up_to_date
from jobindex.storage.sql.rebuilding import rebuild
from jobindex.storage.sql.sql_store import SqlStore

T = TypeVar("T")


@asynccontextmanager
async def open_store(
    database: PostgresDatabase, limits: RejectedLimits | None = None, *, arn_prefix: str = ""
) -> AsyncIterator["PostgresStore"]:
    """Open the index in a database, made or migrated where needed.

    `arn_prefix` begins the ARNs that no message reported.

    Any number of processes may do so at once.

    Raises:
        DatabaseRefusedError: it is no database of jobindex, newer than this version, or not to be worked with by
            this user.
        DatabaseUnavailableError: no server answers that takes writes; trying again may help.
    """
    engine = PostgresEngine(database.conninfo, name=lease.process_name(), arn_prefix=arn_prefix)
    try:
        version = await _first(engine, bring_up_to_date, database)
        await rebuild(engine.write, engine.rows)
        yield PostgresStore(engine, limits or RejectedLimits(), version)
    finally:
        await engine.close()


class PostgresStore(SqlStore):
    """A Store in a database of PostgreSQL; `open_store` makes it."""

    _engine: PostgresEngine

    def __init__(self, engine: PostgresEngine, limits: RejectedLimits, version: int) -> None:
        super().__init__(engine, limits)
        self._version = version
        self.is_shared = True

    async def check(self) -> None:
        await self._attend(_look, done="read")

    async def take_lease(self, told: str, *, seconds: float) -> bool:
        engine = self._engine

        def take(connection: Connection[Any]) -> bool:
            generation = engine.generation
            if generation is None or not lease.keep(
                connection, holder=engine.name, generation=generation, seconds=seconds, told=told
            ):
                # Known here at once, though nobody may wait for it any longer.
                engine.generation = lease.take(connection, holder=engine.name, seconds=seconds, told=told)
            return engine.generation is not None

        return await self._attend(take, done="written")

    async def release_lease(self) -> None:
        engine = self._engine
        generation, engine.generation = engine.generation, None
        await self._attend(partial(lease.release, holder=engine.name, generation=generation), done="written")

    async def lease(self) -> Lease:
        read = partial(lease.read_lease, holder=self._engine.name, generation=self._engine.generation)
        return await self._attend(read, done="read")

    async def changed_by_others(self) -> Sequence[Changed]:
        read = partial(changes.read_news, version=self._version, reader=self._engine.name)
        self._version, changed = await self._attend(read, done="read")
        return changed

    async def _attend(self, work: Callable[[Connection[Any]], T], *, done: str) -> T:
        return await self._engine.attend(lambda transaction: work(transaction.connection), done=done)


async def _first(engine: PostgresEngine, work: Callable[[Transaction], int], database: PostgresDatabase) -> int:
    """Do the first thing with a database, of which is not known whether it is one to work with."""
    try:
        return await engine.attend(work, done="opened")
    except DatabaseRefusedError as error:
        raise DatabaseRefusedError(f"{database}: {error}") from error
    except DatabaseUnavailableError as error:
        kind = DatabaseRefusedError if HOPELESS.search(str(error)) else DatabaseUnavailableError
        raise kind(f"{database}: {error}") from error


def _look(connection: Connection[Any]) -> None:
    connection.execute("SELECT job_id FROM job_summaries LIMIT 1").fetchall()
