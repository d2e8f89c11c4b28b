"""The database file: is it there, whose is it, has it room, and who works with it?"""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from jobindex.cli.checks.check_result import CheckResult, Part
from jobindex.errors import DatabaseUnavailableError
from jobindex.storage.sqlite.inspection import SqliteInspection, inspect_file

_TELLING_BYTES = 1024**2
"""What is smaller tells nothing."""

_DATABASE = Part("database")


def examine_database(path: Path, *, is_served: bool) -> Iterator[CheckResult]:
    """Yield what is found of a database; `is_served` says whether a service answers that should have it."""
    if not path.exists():
        yield _absence(path, is_served=is_served)
        return
    if not is_served and (denied := _denied(path)):
        # Not looked into: what SQLite makes beside it to read it would be of as little use.
        yield _DATABASE.bad(
            f"this user may not write {', '.join(denied)}",
            "`jobindex serve` writes the file, and others beside it: give its user the right to, or call the doctor as "
            "that user.",
        )
        return
    try:
        found = inspect_file(path)
    except DatabaseUnavailableError as error:
        yield _DATABASE.bad(
            f"cannot be read: {error}",
            "Run this as the user that the service runs as. If it is damaged, `jobindex restore` puts a backup in its "
            "place.",
        )
        return
    yield _schema(path, found)
    yield _room(path, found)
    if found.is_wal_long:
        yield _DATABASE.bad(
            f"the write-ahead log has {_mib(found.wal_bytes)}",
            "Some process reads the database for long (a backup, a check, sqlite3): let it end.",
        )
    yield _holding(found, is_served=is_served)


def _denied(path: Path) -> list[str]:
    folder = path.parent
    files = [path, *(Path(f"{path}{ending}") for ending in ("-wal", "-shm", ".lock"))]
    return [
        *([] if _may(folder, os.W_OK | os.X_OK) else [str(folder)]),
        *(str(file) for file in files if file.exists() and not _may(file, os.R_OK | os.W_OK)),
    ]


def _may(path: Path, rights: int) -> bool:
    return os.access(path, rights, effective_ids=os.access in os.supports_effective_ids)


def _absence(path: Path, *, is_served: bool) -> CheckResult:
    folder = path.absolute().parent
    if not folder.is_dir() or not _may(folder, os.W_OK | os.X_OK):
        return _DATABASE.bad(
            f"{path} is not there, and cannot be made: {folder} is no folder that this user may write",
            "Make the folder, or correct JOBINDEX_DATABASE_URL.",
        )
    if is_served:
        return _DATABASE.bad(
            f"{path} is not there, though a service answers: it has another one",
            "Call the doctor with the settings of the service, in its folder.",
        )
    return _DATABASE.well(f"{path} is not there yet; `jobindex serve` makes it")


def _schema(path: Path, found: SqliteInspection) -> CheckResult:
    if not found.is_whole:
        return _DATABASE.bad(
            f"{path} is a copy that is not whole", "Call `jobindex copy` again as before: it goes on with it."
        )
    if not found.is_ours:
        return _DATABASE.bad(
            f"{path} is no database of jobindex", "Correct JOBINDEX_DATABASE_URL; nothing will touch the file."
        )
    if found.migration > found.newest_migration:
        return _DATABASE.bad(
            f"{path} was made by a newer jobindex: it is at migration {found.migration}, this one knows "
            f"{found.newest_migration}",
            "Install that version again, or put a backup of this version in its place.",
        )
    if found.migration < found.newest_migration:
        return _DATABASE.bad(
            f"{path} is at migration {found.migration} of {found.newest_migration}",
            "`jobindex migrate` brings it up to date, and so does `jobindex serve` when it starts.",
        )
    return _DATABASE.well(f"{path} is readable, at migration {found.migration}{_with(found.bytes)}")


def _room(path: Path, found: SqliteInspection) -> CheckResult:
    told = f"the disk of {path} has {_mib(found.free_bytes)} left"
    if not found.is_disk_full:
        return _DATABASE.well(told)
    return _DATABASE.bad(told, "Make room: what cannot be written stays with the broker, within the broker's limits.")


def _holding(found: SqliteInspection, *, is_served: bool) -> CheckResult:
    if not found.is_locked:
        if is_served:
            return _DATABASE.bad(
                "no jobindex works with it, though a service answers: that one has another database",
                "Call the doctor with the settings of the service, on its machine.",
            )
        return _DATABASE.well("this user may write it, and no jobindex works with it")
    who = "a process that the system does not name" if found.holder is None else _process(found.holder)
    if is_served:
        return _DATABASE.well(f"{who} works with it")
    return _DATABASE.bad(
        f"{who} works with it, and no service answers",
        "It may just be starting or restoring. If it serves, correct JOBINDEX_HTTP_PORT; if it hangs, end it.",
    )


def _process(number: int) -> str:
    with suppress(OSError):
        words = Path(f"/proc/{number}/cmdline").read_bytes().decode(errors="replace").split("\0")
        return f"process {number} ({' '.join(words).strip()[:100]})"
    return f"process {number}"


def _with(size: int) -> str:
    return f", with {_mib(size)}" if size >= _TELLING_BYTES else ""


def _mib(size: int) -> str:
    return f"{size / 1024**3:.1f} GiB" if size >= 1024**3 else f"{size / 1024**2:.1f} MiB"
