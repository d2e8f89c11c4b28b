"""Backups of the database, made while the service runs, and restored while it does not.

A backup is a `VACUUM INTO`: one read transaction, so the index at one moment; the WAL cannot be emptied meanwhile. Not
chosen: SQLite's backup API, which restarts at each write of another process (or holds one transaction), and copies torn
pages and deleted contents; copying the file, which without its -wal is an older index or none.

A backup gets its name when it is whole and on disk. A restore is one rename, and keeps the former database.
"""

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from tempfile import mkstemp

from jobindex.errors import BackupError, DatabaseUnavailableError
from jobindex.storage.sqlite.check import check
from jobindex.storage.sqlite.file import locked, uri

Advance = Callable[[int, int], None]
"""Takes the number of bytes written, and roughly the total."""

_STEPS = 500_000
"""Instructions of SQLite's virtual machine between two progress reports: some hundredths of a second."""
_BESIDE = ("-wal", "-journal")
"""Files that SQLite would replay into another database of the same name."""


def back_up(database: Path, target: Path, advance: Advance | None = None) -> int:
    """Copy the index to a new file; return its size in bytes.

    Raises:
        BackupError: `target` exists, the database cannot be read, or the copy cannot be written.
    """
    with _failing():
        _check_absent(target)
        with _new_file(target) as copy:
            _copy(database, copy, advance)
            _check_absent(target)
            return _put(copy, target)


def restore(source: Path, database: Path, *, now: datetime, advance: Advance | None = None) -> Path | None:
    """Replace the database with a backup; return the new path of the former one, if any.

    "Complete since" starts again: the broker does not redeliver newer messages.

    Raises:
        BackupError: the backup does not pass `check`, or cannot be put in place.
        DatabaseRefusedError: a service runs on the database.
        DatabaseUnavailableError: another process reads the database.
    """
    with _failing(), locked(database):
        if problems := [str(finding) for finding in check(source) if finding.problem]:
            raise BackupError("\n".join((f"{source} does not pass `jobindex check`:", *problems)))
        with _new_file(database) as copy:
            _copy(source, copy, advance)
            with closing(sqlite3.connect(copy, isolation_level=None)) as connection:
                # An index of an older version lacks this table.
                if connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'session'").fetchone():
                    connection.execute("UPDATE session SET complete_since = NULL")
                if connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'sync_times'").fetchone():
                    connection.execute("DELETE FROM sync_times")  # so that the index is filled again
            former = _set_aside(database, copy, f".before-{now:%Y%m%dT%H%M%SZ}")
            _put(copy, database)
    return former


def _check_absent(target: Path) -> None:
    if target.exists():
        raise BackupError(f"{target}: already exists")


def _copy(source: Path, target: Path, advance: Advance | None) -> None:
    try:
        with closing(sqlite3.connect(uri(source, "ro"), uri=True, isolation_level=None)) as connection:
            if advance is not None:
                total = source.stat().st_size
                connection.set_progress_handler(lambda: advance(target.stat().st_size, total), _STEPS)
            connection.execute("VACUUM INTO ?", (str(target),))
    except sqlite3.Error as error:
        raise BackupError(f"{source}: cannot be copied to {target.parent}: {error}") from error


@contextmanager
def _new_file(target: Path) -> Iterator[Path]:
    """Make an empty file beside `target` (mode 0600); delete it unless it was renamed."""
    if not target.parent.is_dir():
        raise BackupError(f"{target.parent}: is not a folder")
    descriptor, name = mkstemp(prefix=f".{target.name}.", suffix=".partial", dir=target.parent)
    os.close(descriptor)
    try:
        yield Path(name)
    finally:
        for suffix in ("", *_BESIDE, "-shm"):
            Path(f"{name}{suffix}").unlink(missing_ok=True)


def _put(copy: Path, target: Path) -> int:
    size = copy.stat().st_size
    _sync(copy)  # VACUUM INTO does not sync
    copy.replace(target)
    _sync(target.parent)
    return size


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _set_aside(database: Path, copy: Path, suffix: str) -> Path | None:
    """Empty the WAL, then link the database under a second name: this process may be killed in between."""
    former = Path(f"{database}{suffix}")
    if database.exists():
        _settle(database)
        owner = database.stat()
        shutil.copymode(database, copy)
        if (owner.st_uid, owner.st_gid) != (copy.stat().st_uid, copy.stat().st_gid):
            os.chown(copy, owner.st_uid, owner.st_gid)
        os.link(database, former)
    for beside in _BESIDE:
        with suppress(FileNotFoundError):
            Path(f"{database}{beside}").rename(f"{former}{beside}")
    Path(f"{database}-shm").unlink(missing_ok=True)
    return former if former.exists() else None


def _settle(database: Path) -> None:
    # A writable connection deletes the WAL of a file that it cannot read.
    for mode, statement in (("ro", "SELECT count(*) FROM sqlite_schema"), ("rw", "PRAGMA journal_mode = DELETE")):
        try:
            with closing(sqlite3.connect(uri(database, mode), uri=True, isolation_level=None, timeout=1)) as connection:
                connection.execute(statement).fetchone()
        except sqlite3.DatabaseError as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise DatabaseUnavailableError(f"{database}: is being read by another process") from error
            return


@contextmanager
def _failing() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BackupError(": ".join(filter(None, (error.filename, error.strerror)))) from error
