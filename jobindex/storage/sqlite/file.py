"""The SQLite file: its URI, application id, lock, tables and migration scripts."""

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
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
    """Return a file's SQLite URI; `mode` is `ro`, `rw` or `rwc`."""
    return f"file:{quote(str(path))}?mode={mode}"


def make_private(path: Path) -> None:
    """Create a file with mode 0600 if there is none; SQLite gives its other files the same mode."""
    with suppress(OSError):  # SQLite reports the error
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def migration_script(migration: Migration) -> str:
    """Return a script that applies and records a migration."""
    return f"{migration.sql}INSERT INTO migrations (number, name) VALUES ({migration.number}, '{migration.name}');"


def tables_of(connection: sqlite3.Connection) -> frozenset[str]:
    """Return the names of the tables."""
    return frozenset(name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'"))


def newest_migration(connection: sqlite3.Connection) -> int:
    """Return the number of the newest applied migration."""
    return int(connection.execute("SELECT coalesce(max(number), 0) FROM migrations").fetchone()[0])


@contextmanager
def locked(path: Path) -> Iterator[int]:
    """Hold the database's lock file; yield its descriptor.

    The lock ends with the last process that has the descriptor.

    Raises:
        DatabaseRefusedError: another process has it.
    """
    lock = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield lock
    except BlockingIOError as error:
        raise DatabaseRefusedError(f"{path}: is in use by another jobindex") from error
    finally:
        os.close(lock)
