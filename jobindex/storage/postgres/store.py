"""The index in a PostgreSQL database, which several processes may share."""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Any, TypeVar

from psycopg import Connection

from jobindex.errors import DatabaseRefusedError, DatabaseUnavailableError
from jobindex.model.store import Changed, Lease, RejectedLimits
from jobindex.storage.databases import PostgresDatabase
from jobindex.storage.postgres import changes, lease
from jobindex.storage.postgres.connection import HOPELESS
from jobindex.storage.postgres.engine import PostgresEngine
from jobindex.storage.postgres.migrating import bring_up_to_date
from jobindex.storage.sql.rebuilding import rebuild
from jobindex.storage.sql.sql_store import SqlStore

T = TypeVar("T")


@asynccontextmanager
async def open_store(
    database: PostgresDatabase,
    limits: RejectedLimits | None = None,
    *,
    arn_prefix: str = "",
    writes_apart: bool = False,
) -> AsyncIterator["PostgresStore"]:
    """Open the index in a database, even in several processes at once; see `opening.open_store`.

    Raises:
        DatabaseRefusedError: also if this user may not use it.
        DatabaseUnavailableError: no server answers that accepts writes; a retry may help.
    """
    engine = PostgresEngine(
        database.conninfo, name=lease.process_name(), arn_prefix=arn_prefix, writes_apart=writes_apart
    )
    try:
        with _opening(database):
            version = await engine.attend(bring_up_to_date, done="opened")
            await rebuild(engine.write)
            # A pooler in transaction mode is only noticed once the writer has connected, too.
            await engine.attend(lambda transaction: _look(transaction.connection), done="opened")
        yield PostgresStore(engine, limits or RejectedLimits(), version)
    finally:
        await engine.close()


class PostgresStore(SqlStore):
    """A Store in a PostgreSQL database; `open_store` makes it."""

    _engine: PostgresEngine

    def __init__(self, engine: PostgresEngine, limits: RejectedLimits, version: int) -> None:
        super().__init__(engine, limits)
        self._version = version
        self.is_shared = True

    async def check(self) -> None:
        await self._attend(_look, done="read")

    async def take_lease(self, status: str, *, seconds: float) -> bool:
        engine = self._engine

        def take(connection: Connection[Any]) -> bool:
            generation = engine.generation
            if generation is None or not lease.keep(
                connection, holder=engine.name, generation=generation, seconds=seconds, status=status
            ):
                # Set here, because the caller may have stopped waiting.
                engine.generation = lease.take(connection, holder=engine.name, seconds=seconds, status=status)
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


@contextmanager
def _opening(database: PostgresDatabase) -> Iterator[None]:
    try:
        yield
    except DatabaseRefusedError as error:
        raise DatabaseRefusedError(f"{database}: {error}") from error
    except DatabaseUnavailableError as error:
        kind = DatabaseRefusedError if HOPELESS.search(str(error)) else DatabaseUnavailableError
        raise kind(f"{database}: {error}") from error


def _look(connection: Connection[Any]) -> None:
    connection.execute("SELECT job_id FROM job_summaries LIMIT 1").fetchall()
