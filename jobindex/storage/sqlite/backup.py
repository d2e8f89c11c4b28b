"""Copies of the database: made while the service runs, and put back while it does not.

A copy is made by `VACUUM INTO` on a read-only connection: one transaction, so it is the index at one
moment, however much is written meanwhile. Not chosen: SQLite's backup API, which starts anew at every write
of another process (or holds the same transaction when it takes all pages at once), and copies pages as they
are, torn ones and deleted contents too; `VACUUM` reads every row and builds the indexes again. Nor copying
the file, which without its -wal is an older index, or none. While a copy is made the WAL cannot be emptied.

A copy takes its name only when it is whole and on disk. What is put back takes the place of the database
by one rename, and the database that was there stays beside it.
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
"""Takes how many bytes are written, and of about how many."""

_STEPS = 500_000
"""Of SQLite's machine, between two calls that tell how far a copy has come: some hundredths of a second."""
_BESIDE = ("-wal", "-journal")
"""What SQLite keeps beside a file and would play back into another one of its name."""


def back_up(database: Path, target: Path, advance: Advance | None = None) -> int:
    """Copy the index as it is at one moment to a new file; return the bytes that it has.

    The database is only read; a service may run on it. `advance` is told how far it has come.

    Raises:
        BackupError: `target` exists, the database cannot be read, or the copy cannot be written.
    """
    with _failing():
        _check_absent(target)
        with _new_file(target) as copy:
            _copy(database, copy, advance)
            shutil.copymode(database, copy)
            _check_absent(target)
            return _put(copy, target)


def restore(source: Path, database: Path, *, now: datetime, advance: Advance | None = None) -> Path | None:
    """Put a copy in place of the database; return where the database now is that was there, None without one.

    The index then begins anew to be complete: the broker does not repeat what came after the copy was made.

    Raises:
        BackupError: the copy does not pass `check`, or cannot be put in place.
        DatabaseRefusedError: a service runs on the database.
        DatabaseUnavailableError: another process reads the database.
    """
    with _failing(), locked(database):
        if problems := [str(finding) for finding in check(source) if finding.problem]:
            raise BackupError("\n".join((f"{source} does not pass `jobindex check`:", *problems)))
        with _new_file(database) as copy:
            _copy(source, copy, advance)
            shutil.copymode(source, copy)
            with closing(sqlite3.connect(copy, isolation_level=None)) as connection:
                # An index made by an older version has no such table, and is complete since no time.
                if connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'session'").fetchone():
                    connection.execute("UPDATE session SET complete_since = NULL")
            former = _set_aside(database, copy, f".before-{now:%Y%m%dT%H%M%SZ}")
            _put(copy, database)
    return former


def _check_absent(target: Path) -> None:
    if target.exists():
        raise BackupError(f"{target}: exists already")


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
    """Make an empty file beside `target` that only its owner can read, and is gone at the end unless renamed."""
    if not target.parent.is_dir():
        raise BackupError(f"{target.parent}: is no folder")
    descriptor, name = mkstemp(prefix=f".{target.name}.", suffix=".partial", dir=target.parent)
    os.close(descriptor)
    try:
        yield Path(name)
    finally:
        for suffix in ("", *_BESIDE, "-shm"):
            Path(f"{name}{suffix}").unlink(missing_ok=True)


def _put(copy: Path, target: Path) -> int:
    """Give a file its name once it is on disk; return its size."""
    size = copy.stat().st_size
    _sync(copy)  # VACUUM INTO does not
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
    """Give the database a second name, which stays, and clear what stands beside its first.

    What the WAL holds is brought into the file first: were this process killed after the WAL has gone, the
    database under its first name would else lack what was in it.
    """
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
    """Bring what the WAL holds into the file; a database that cannot be read is left as it is."""
    # A connection that may write deletes the WAL of a file that it cannot read.
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
