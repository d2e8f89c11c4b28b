"""The index in a SQLite file.

One connection writes, in a separate process if answers must not wait for it; readers open the file read-only. A lock
file keeps a second service out, because SQLite up to 3.51.2 can corrupt a WAL that two connections reset. With
`synchronous=FULL` a commit survives a power loss, as PUBACK promises. Not chosen: readers that share the writer's
connection (a page would wait for the running batch).
"""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing, contextmanager
from functools import partial
from math import inf
from pathlib import Path

import aiosqlite

from jobindex.errors import DatabaseRefusedError, DatabaseUnavailableError
from jobindex.model.store import Changed, Lease, RejectedLimits
from jobindex.storage.migrations import Migration, load_migrations
from jobindex.storage.sql.copying import check_whole
from jobindex.storage.sql.rebuilding import rebuild
from jobindex.storage.sql.sql_store import SqlStore
from jobindex.storage.sqlite.engine import SqliteEngine
from jobindex.storage.sqlite.file import (
    APPLICATION_ID,
    CREATE_MIGRATIONS,
    locked,
    make_private,
    migration_script,
    uri,
)
from jobindex.storage.sqlite.quick import QuickReader
from jobindex.storage.sqlite.writer import BUSY_TIMEOUT_MS, SqliteWriter, code, unavailable
from jobindex.storage.writers import workplace

READERS = 2
_LOCK_SECONDS = 3
"""Wait for the lock: the writing process of a killed service ends shortly after it."""

# Errors that may pass; after any other the service does not start.
_PASSING = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}


@asynccontextmanager
async def open_store(
    path: Path, limits: RejectedLimits | None = None, *, arn_prefix: str = "", writes_apart: bool = False
) -> AsyncIterator["SqliteStore"]:
    """Open the index at `path`, for this service only; see `opening.open_store`.

    Raises:
        DatabaseRefusedError: also if another jobindex uses it, or it cannot be written.
        DatabaseUnavailableError: another process has locked it; a retry may help.
    """
    async with AsyncExitStack() as stack:
        with _opening(path):
            lock = await _enter_lock(stack, path)
            make_private(path)
            async with _connect(path, "rwc") as connection:
                await _migrate(connection, path, load_migrations("sqlite"))
            writer = workplace(partial(SqliteWriter, path), writes_apart=writes_apart, kept=[lock])
            stack.push_async_callback(writer.close)
            idle_readers: asyncio.Queue[aiosqlite.Connection] = asyncio.Queue()
            for _ in range(READERS):
                idle_readers.put_nowait(await stack.enter_async_context(_connect(path, "ro")))
            prober = await stack.enter_async_context(_connect(path, "ro"))
            quick = stack.enter_context(closing(QuickReader(path)))
            engine = SqliteEngine(writer, idle_readers, quick, arn_prefix=arn_prefix)
        await rebuild(engine.write)
        yield SqliteStore(engine, prober, limits or RejectedLimits())


async def migrate(path: Path) -> None:
    """Migrate a database to this version's schema.

    Raises:
        DatabaseRefusedError, DatabaseUnavailableError: see `open_store`.
    """
    async with open_store(path):
        pass


class SqliteStore(SqlStore):
    """A Store on one SQLite file; `open_store` makes it."""

    _engine: SqliteEngine

    def __init__(self, engine: SqliteEngine, prober: aiosqlite.Connection, limits: RejectedLimits) -> None:
        super().__init__(engine, limits)
        self._prober = prober
        self.is_shared = False
        """The lock file is the lease."""

    async def take_lease(self, status: str, *, seconds: float) -> bool:  # noqa: ARG002
        return True

    async def release_lease(self) -> None:
        pass

    async def lease(self) -> Lease:
        return Lease(holder="", is_mine=True, seconds_left=inf, status="{}")

    async def changed_by_others(self) -> Sequence[Changed]:
        return ()

    async def check(self) -> None:
        # A separate connection does not wait for the pages of clients.
        with unavailable("read"):
            await self._prober.execute_fetchall("SELECT job_id FROM job_summaries LIMIT 1")


async def _enter_lock(stack: AsyncExitStack, path: Path) -> int:
    end = time.monotonic() + _LOCK_SECONDS
    while True:
        try:
            return stack.enter_context(locked(path))
        except DatabaseRefusedError:
            if time.monotonic() > end:
                raise
        await asyncio.sleep(0.02)


@asynccontextmanager
async def _connect(path: Path, mode: str) -> AsyncIterator[aiosqlite.Connection]:
    async with aiosqlite.connect(uri(path, mode), uri=True, isolation_level=None) as connection:
        connection.row_factory = sqlite3.Row
        await connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        if mode != "ro":
            await connection.execute("PRAGMA journal_mode = WAL")
            await connection.execute("PRAGMA synchronous = FULL")
        yield connection


async def _migrate(connection: aiosqlite.Connection, path: Path, migrations: Sequence[Migration]) -> None:
    await connection.execute("BEGIN IMMEDIATE")
    try:
        rows = await connection.execute_fetchall("SELECT name FROM sqlite_schema WHERE type = 'table'")
        tables = frozenset(row["name"] for row in rows)
        if tables and "migrations" not in tables:
            raise DatabaseRefusedError(f"{path}: is not a jobindex database")
        try:
            check_whole(tables)
        except DatabaseRefusedError as error:
            raise DatabaseRefusedError(f"{path}: {error}") from error
        # BEGIN IMMEDIATE succeeds on a read-only file; this fails.
        await connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        await connection.execute(CREATE_MIGRATIONS)
        rows = await connection.execute_fetchall("SELECT max(number) AS newest FROM migrations")
        applied = next(iter(rows))["newest"] or 0
        await connection.execute("COMMIT")
    finally:
        await connection.rollback()
    if applied > migrations[-1].number:
        raise DatabaseRefusedError(
            f"{path}: is at migration {applied} of a newer jobindex; this version has {migrations[-1].number}"
        )
    for migration in migrations:
        if migration.number > applied:
            # executescript commits first, so the transaction is in the script.
            await connection.executescript(f"BEGIN IMMEDIATE; {migration_script(migration)} COMMIT;")


@contextmanager
def _opening(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DatabaseRefusedError(f"{path}: {error.strerror}") from error
    except sqlite3.Error as error:
        if code(error) in _PASSING:
            raise DatabaseUnavailableError(f"{path}: {error}") from error
        raise DatabaseRefusedError(f"{path}: {error}") from error
