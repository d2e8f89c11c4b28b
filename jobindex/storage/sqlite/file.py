"""The SQLite file itself: its address, its mark, its lock, its tables, and the statements that migrate it."""

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from jobindex.errors import DatabaseRefusedError
from jobindex.storage.migrations import Migration

APPLICATION_ID = 0x6A6F6269  # "jobi", for file(1)

CREATE_MIGRATIONS = """
CREATE TABLE IF NOT EXISTS migrations (
    number     INTEGER PRIMARY KEY,
    name       TEXT    NOT NULL,
    applied_at TEXT    NOT NULL DEFAULT CURRENT_TIMESTAMP
) STRICT;
"""


def uri(path: Path, mode: str) -> str:
    """Return the address of a file for SQLite; `mode` is `ro`, `rw` or `rwc`."""
    return f"file:{quote(str(path))}?mode={mode}"


def migration_script(migration: Migration) -> str:
    """Return the statements that apply a migration and record it."""
    return f"{migration.sql}INSERT INTO migrations (number, name) VALUES ({migration.number}, '{migration.name}');"


def tables_of(connection: sqlite3.Connection) -> frozenset[str]:
    """Return the names of the tables that are there."""
    return frozenset(name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'"))


def newest_migration(connection: sqlite3.Connection) -> int:
    """Return the number of the newest migration that was applied."""
    return int(connection.execute("SELECT coalesce(max(number), 0) FROM migrations").fetchone()[0])


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file of the database: the kernel lets it go when the process ends, however it ends."""
    lock = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise DatabaseRefusedError(f"{path}: is in use by another jobindex") from error
    finally:
        os.close(lock)
