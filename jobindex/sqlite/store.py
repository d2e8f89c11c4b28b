"""The index in a SQLite file.

One connection writes, and it alone checkpoints; readers open the file read-only, and no second process
writes it: SQLite up to 3.51.2 can corrupt a WAL that two connections reset, so a lock beside the file
keeps a second service out. `synchronous=FULL` makes a commit survive a loss of power, which is what an
acknowledgement to the broker promises. Not chosen: readers that share the writer's connection (a page
would wait for the batch being written).
"""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing, contextmanager
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TypeVar

import aiosqlite

from jobindex.errors import DatabaseRefusedError, DatabaseUnavailableError, ResourceNotFoundException
from jobindex.jobs import (
    RejectedMessage,
    Report,
    from_milliseconds,
    to_milliseconds,
)
from jobindex.migrations import Migration, load_migrations
from jobindex.sqlite import readings, retention
from jobindex.sqlite.batch import apply, retry
from jobindex.sqlite.file import APPLICATION_ID, CREATE_MIGRATIONS, locked, migration_script, uri
from jobindex.sqlite.quick import QuickReader
from jobindex.sqlite.reader import Source, SqliteReader, code, in_its_thread, unavailable
from jobindex.sqlite.rejected import (
    FORGET_ALL_REJECTED,
    FORGET_REJECTED,
    LIST_REJECTED,
    READ_REJECTED,
    kept_message,
    rejected_summary,
)
from jobindex.sqlite.wal import CHECKPOINT_PAGES, KEPT_BYTES, WalLimit, wal_bytes
from jobindex.store import Applied, Forgotten, KeptMessage, RejectedLimits, RejectedSummary, Retried, Session

T = TypeVar("T")

READERS = 2
_BUSY_TIMEOUT_MS = 1000
_WRITER_CACHE_KIB = 16_000

# What another process or the disk may mend while the service waits; anything else refuses the start.
_PASSING = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}


@asynccontextmanager
async def open_store(
    path: Path, limits: RejectedLimits | None = None, *, arn_prefix: str = ""
) -> AsyncIterator["SqliteStore"]:
    """Open the index at `path`, made or migrated where needed, for this process alone.

    `arn_prefix` stands in front of the ids of jobs told without an ARN.

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
            await writer.executescript(readings.CREATE_CHANGED)
            idle_readers: asyncio.Queue[aiosqlite.Connection] = asyncio.Queue()
            for _ in range(READERS):
                idle_readers.put_nowait(await stack.enter_async_context(_connect(path, "ro")))
            prober = await stack.enter_async_context(_connect(path, "ro"))
            quick = stack.enter_context(closing(QuickReader(path, arn_prefix)))
            source = Source(quick=quick, idle_readers=idle_readers, arn_prefix=arn_prefix)
        yield SqliteStore(path, source, writer, prober, limits or RejectedLimits())


async def migrate(path: Path) -> None:
    """Bring the database at `path` to this version's schema.

    Raises:
        DatabaseRefusedError, DatabaseUnavailableError: as `open_store` does.
    """
    async with open_store(path):
        pass


class SqliteStore(SqliteReader):
    """A Store on one SQLite file; `open_store` makes it."""

    def __init__(
        self,
        path: Path,
        source: Source,
        writer: aiosqlite.Connection,
        prober: aiosqlite.Connection,
        limits: RejectedLimits,
    ) -> None:
        super().__init__(source)
        self._path = path
        self._wal_limit = WalLimit()
        self._limits = limits
        self._writer = writer
        self._prober = prober
        self.rewrites = 0
        """See Store."""

    async def apply(self, reports: Sequence[Report], rejected: Sequence[RejectedMessage], *, now: datetime) -> Applied:
        """See Store."""
        return await self._write(partial(apply, reports, rejected, now, self._limits))

    def seen_by(self, namespace_ids: frozenset[str]) -> SqliteReader:
        """See Store."""
        return SqliteReader(self._source, namespace_ids - {""})  # which stands for no namespace

    async def check(self) -> None:
        """See Store."""
        # A connection of its own: it does not wait behind the pages that others ask for.
        with unavailable("read"):
            await self._prober.execute_fetchall("SELECT job_id FROM job_summaries LIMIT 1")

    async def session(self) -> Session:
        """See Store."""
        async with self._reading() as reader:
            filters = await reader.execute_fetchall("SELECT topic_filter FROM subscriptions")
            times = [row["complete_since"] for row in await reader.execute_fetchall("SELECT * FROM session")]
        return Session(
            topic_filters=frozenset(row["topic_filter"] for row in filters),
            complete_since=next((from_milliseconds(time) for time in times if time is not None), None),
        )

    async def remember_session(self, session: Session) -> None:
        """See Store."""
        since = None if session.complete_since is None else to_milliseconds(session.complete_since)
        filters = [(topic_filter,) for topic_filter in session.topic_filters]

        def remember(writer: sqlite3.Connection) -> None:
            writer.execute("DELETE FROM subscriptions")
            writer.executemany("INSERT INTO subscriptions (topic_filter) VALUES (?)", filters)
            writer.execute("INSERT OR REPLACE INTO session (the_one, complete_since) VALUES (1, ?)", (since,))

        await self._write(remember)

    async def retain(self, age: timedelta, *, now: datetime) -> AsyncIterator[Forgotten]:
        """See Store."""
        async for forgotten in retention.retain(self._reading, self._write, age, now):
            self.rewrites += 1
            yield forgotten

    async def rejected_messages(self, *, after: int, limit: int) -> Sequence[RejectedSummary]:
        """See Store."""
        async with self._reading() as reader:
            rows = await reader.execute_fetchall(LIST_REJECTED, {"after": after, "limit": limit})
        return [rejected_summary(row) for row in rows]

    async def rejected_message(self, id_: int) -> KeptMessage:
        """See Store."""
        async with self._reading() as reader:
            rows = await reader.execute_fetchall(READ_REJECTED, {"ids": json.dumps([id_])})
        for row in rows:
            return kept_message(row)
        raise ResourceNotFoundException(f"Rejected message {id_} cannot be found.")

    async def retry_rejected(
        self, ids: Collection[int], parse: Callable[[str, bytes], Sequence[Report]], *, now: datetime
    ) -> Retried:
        """See Store."""
        retried = await self._write(partial(retry, ids, parse, now))
        self.rewrites += 1
        return retried

    async def purge_rejected(self, ids: Collection[int] | None) -> int:
        """See Store."""

        def purge(writer: sqlite3.Connection) -> int:
            if ids is None:
                return writer.execute(FORGET_ALL_REJECTED).rowcount
            return writer.execute(FORGET_REJECTED, {"ids": json.dumps(list(ids))}).rowcount

        purged = await self._write(purge)
        self.rewrites += 1
        return purged

    async def _write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do some work in one durable transaction; canceled, it is done all the same."""

        def write(writer: sqlite3.Connection) -> T:
            writer.execute("BEGIN IMMEDIATE")
            try:
                done = work(writer)
                writer.execute("COMMIT")
                return done
            finally:
                writer.rollback()
                self._source.version += 1

        with unavailable("written"):
            done = await in_its_thread(self._writer, write)
        await self._shorten_wal()
        return done

    async def _shorten_wal(self) -> None:
        """Empty the write-ahead log where it is too long; what was committed stays so, whatever comes of it."""
        patience_ms = self._wal_limit.patience_ms(wal_bytes(self._path))
        if patience_ms is None:
            return
        reset = f"PRAGMA busy_timeout = {_BUSY_TIMEOUT_MS};"
        try:
            await self._writer.executescript(
                f"PRAGMA busy_timeout = {patience_ms}; PRAGMA wal_checkpoint(TRUNCATE); {reset}"
            )
        except sqlite3.Error:
            await self._writer.executescript(reset)


@asynccontextmanager
async def _connect(path: Path, mode: str) -> AsyncIterator[aiosqlite.Connection]:
    async with aiosqlite.connect(uri(path, mode), uri=True, isolation_level=None) as connection:
        connection.row_factory = sqlite3.Row
        await connection.execute(f"PRAGMA busy_timeout = {_BUSY_TIMEOUT_MS}")
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
        tables = {row["name"] for row in rows}
        if tables and "migrations" not in tables:
            raise DatabaseRefusedError(f"{path}: is a database of something other than jobindex")
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
