"""The index in a SQLite file.

One connection writes, and it alone checkpoints; readers open the file read-only, and no second process
writes it: SQLite up to 3.51.2 can corrupt a WAL that two connections reset, so a lock beside the file
keeps a second service out. `synchronous=FULL` makes a commit survive a loss of power, which is what an
acknowledgement to the broker promises. Not chosen: readers that share the writer's connection (a page
would wait for the batch being written).
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing, contextmanager
from math import inf
from pathlib import Path

import aiosqlite

from jobindex.errors import DatabaseRefusedError, DatabaseUnavailableError
from jobindex.model.store import Changed, Lease, RejectedLimits
from jobindex.storage.migrations import Migration, load_migrations
from jobindex.storage.sql.copying import check_whole
from jobindex.storage.sql.rebuilding import rebuild
from jobindex.storage.sql.sql_store import SqlStore
from jobindex.storage.sqlite.engine import BUSY_TIMEOUT_MS, SqliteEngine, code, unavailable
from jobindex.storage.sqlite.file import APPLICATION_ID, CREATE_MIGRATIONS, locked, migration_script, uri
from jobindex.storage.sqlite.quick import QuickReader
from jobindex.storage.sqlite.wal import CHECKPOINT_PAGES, KEPT_BYTES

READERS = 2
_WRITER_CACHE_KIB = 16_000

# What another process or the disk may mend while the service waits; anything else refuses the start.
_PASSING = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}


@asynccontextmanager
async def open_store(
    path: Path, limits: RejectedLimits | None = None, *, arn_prefix: str = ""
) -> AsyncIterator["SqliteStore"]:
    """Open the index at `path`, made or migrated where needed, for this process alone.

    `arn_prefix` begins the ARNs that no message reported.

    Raises:
        DatabaseRefusedError: it is no database of jobindex, newer than this version, in use by another
            jobindex, or cannot be written.
        DatabaseUnavailableError: another process has locked it; trying again may help.
    """
    async with AsyncExitStack() as stack:
        with _opening(path):
            stack.enter_context(locked(path))
            writer = await stack.enter_async_context(_connect(path, "rwc"))
            await _migrate(writer, path, load_migrations("sqlite"))
            idle_readers: asyncio.Queue[aiosqlite.Connection] = asyncio.Queue()
            for _ in range(READERS):
                idle_readers.put_nowait(await stack.enter_async_context(_connect(path, "ro")))
            prober = await stack.enter_async_context(_connect(path, "ro"))
            quick = stack.enter_context(closing(QuickReader(path)))
            engine = SqliteEngine(path, writer, idle_readers, quick, arn_prefix=arn_prefix)
        await rebuild(engine.write, engine.rows)
        yield SqliteStore(engine, prober, limits or RejectedLimits())


async def migrate(path: Path) -> None:
    """Bring the database at `path` to this version's schema.

    Raises:
        DatabaseRefusedError, DatabaseUnavailableError: as `open_store` does.
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
        """See Store: the lock beside the file is the lease."""

    async def take_lease(self, told: str, *, seconds: float) -> bool:  # noqa: ARG002
        return True

    async def release_lease(self) -> None:
        pass

    async def lease(self) -> Lease:
        return Lease(holder="", is_mine=True, seconds_left=inf, told="{}")

    async def changed_by_others(self) -> Sequence[Changed]:
        return ()

    async def check(self) -> None:
        # A connection of its own: it does not wait behind the pages that others ask for.
        with unavailable("read"):
            await self._prober.execute_fetchall("SELECT job_id FROM job_summaries LIMIT 1")


@asynccontextmanager
async def _connect(path: Path, mode: str) -> AsyncIterator[aiosqlite.Connection]:
    async with aiosqlite.connect(uri(path, mode), uri=True, isolation_level=None) as connection:
        connection.row_factory = sqlite3.Row
        await connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        if mode != "ro":
            await connection.execute("PRAGMA journal_mode = WAL")
            await connection.execute("PRAGMA synchronous = FULL")
            await connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
            await connection.execute(f"PRAGMA journal_size_limit = {KEPT_BYTES}")
            await connection.execute("PRAGMA temp_store = MEMORY")
            await connection.execute(f"PRAGMA cache_size = -{_WRITER_CACHE_KIB}")
        yield connection


async def _migrate(connection: aiosqlite.Connection, path: Path, migrations: Sequence[Migration]) -> None:
    await connection.execute("BEGIN IMMEDIATE")
    try:
        rows = await connection.execute_fetchall("SELECT name FROM sqlite_schema WHERE type = 'table'")
        tables = frozenset(row["name"] for row in rows)
        if tables and "migrations" not in tables:
            raise DatabaseRefusedError(f"{path}: is a database of something other than jobindex")
        try:
            check_whole(tables)
        except DatabaseRefusedError as error:
            raise DatabaseRefusedError(f"{path}: {error}") from error
        # BEGIN IMMEDIATE passes on a file that can only be read; this does not.
        await connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        await connection.execute(CREATE_MIGRATIONS)
        rows = await connection.execute_fetchall("SELECT max(number) AS newest FROM migrations")
        applied = next(iter(rows))["newest"] or 0
        await connection.execute("COMMIT")
    finally:
        await connection.rollback()
    if applied > migrations[-1].number:
        raise DatabaseRefusedError(
            f"{path}: is at migration {applied}, made by a newer jobindex; this one knows {migrations[-1].number}"
        )
    for migration in migrations:
        if migration.number > applied:
            # executescript commits first, so the transaction stands in the script.
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
