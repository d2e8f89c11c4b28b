"""The condition of a database file, without reading the index.

/proc/locks names the process that uses it, except one of another container. Only if it names none, a shared lock is
tried and released at once: a service that starts at that moment finds the file in use.
"""

import fcntl
import os
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from jobindex.errors import DatabaseUnavailableError
from jobindex.storage.migrations import load_migrations
from jobindex.storage.sql.copying import TABLE
from jobindex.storage.sqlite.file import APPLICATION_ID, newest_migration, tables_of, uri
from jobindex.storage.sqlite.wal import LONG_BYTES, wal_bytes

_LOCKS = Path("/proc/locks")
_MINIMUM_FREE_BYTES = 4 * LONG_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class SqliteInspection:
    """The condition of a file."""

    bytes: int
    wal_bytes: int
    free_bytes: int
    """Of the file system."""
    is_ours: bool
    migration: int
    newest_migration: int
    """Of this version."""
    is_whole: bool
    """False while a copy is being made in it."""
    is_locked: bool
    """Whether a jobindex process uses it."""
    holder: int | None
    """The id of that process, if the system shows it."""

    @property
    def is_wal_long(self) -> bool:
        """Whether readers keep the WAL from being emptied."""
        return self.wal_bytes > LONG_BYTES

    @property
    def is_disk_full(self) -> bool:
        """Whether the WAL may lack room to grow."""
        return self.free_bytes < _MINIMUM_FREE_BYTES


def inspect_file(path: Path) -> SqliteInspection:
    """Return the condition of an existing database.

    Raises:
        DatabaseUnavailableError: it cannot be read.
    """
    try:
        size = path.stat().st_size
        with closing(sqlite3.connect(uri(path, "ro"), uri=True, isolation_level=None, timeout=1)) as connection:
            (mark,) = connection.execute("PRAGMA application_id").fetchone()
            tables = tables_of(connection)
            applied = newest_migration(connection) if "migrations" in tables else 0
    except (OSError, sqlite3.Error) as error:
        raise DatabaseUnavailableError(f"{path}: {error}") from error
    lock = Path(f"{path}.lock")
    holder = _holder(lock)
    return SqliteInspection(
        bytes=size,
        wal_bytes=wal_bytes(path),
        free_bytes=shutil.disk_usage(path.parent).free,
        is_ours=mark == APPLICATION_ID,
        migration=applied,
        newest_migration=load_migrations("sqlite")[-1].number,
        is_whole=TABLE not in tables,
        is_locked=holder is not None or _is_locked(lock),
        holder=holder,
    )


def _holder(lock: Path) -> int | None:
    try:
        inode = str(lock.stat().st_ino)
        for line in _LOCKS.read_text().splitlines():
            _, kind, *_, process, file, _, _ = line.split()
            if kind == "FLOCK" and file.rpartition(":")[2] == inode:
                return int(process)
    except (OSError, ValueError):
        pass
    return None


def _is_locked(lock: Path) -> bool:
    try:
        descriptor = os.open(lock, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False
