"""The database file: its existence, schema and free space, and the process that uses it."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from jobindex.cli.checks.check_result import CheckResult, Part
from jobindex.errors import DatabaseUnavailableError
from jobindex.storage.sqlite.inspection import SqliteInspection, inspect_file

_SHOWN_BYTES = 1024**2
"""Smaller sizes are not shown."""

_DATABASE = Part("database")


def examine_database(path: Path, *, is_served: bool) -> Iterator[CheckResult]:
    """Yield the results; `is_served` says whether a service answers that should use the database."""
    if not path.exists():
        yield _absence(path, is_served=is_served)
        return
    if not is_served and (denied := _denied(path)):
        # Not opened: to read it, SQLite would create files beside it with the same fault.
        yield _DATABASE.problem(
            f"this user may not write {', '.join(denied)}",
            "`jobindex serve` writes the file and others beside it: give its user permission, or run the doctor as "
            "that user.",
        )
        return
    try:
        found = inspect_file(path)
    except DatabaseUnavailableError as error:
        yield _DATABASE.problem(
            f"cannot be read: {error}",
            "Run the doctor as the user of the service. If the database is damaged, `jobindex restore` replaces it "
            "with a backup.",
        )
        return
    yield _schema(path, found)
    if path.stat().st_mode & 0o007:
        yield _DATABASE.problem(
            f"{path} is open to every user of this machine",
            f"Run `chmod o= {path}*`: it contains your devices' jobs. A new database is open to its owner only.",
        )
    yield _room(path, found)
    if found.is_wal_long:
        yield _DATABASE.problem(
            f"the write-ahead log is {_mib(found.wal_bytes)} long",
            "A process has been reading the database for a long time (a backup, a check, sqlite3): wait "
            "until it ends, or end it.",
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
        return _DATABASE.problem(
            f"{path} does not exist and cannot be created: {folder} is not a folder that this user may write",
            "Create the folder, or correct JOBINDEX_DATABASE_URL.",
        )
    if is_served:
        return _DATABASE.problem(
            f"{path} does not exist, but a service answers: it uses another database",
            "Run the doctor with the settings of the service, in its folder.",
        )
    return _DATABASE.ok(f"{path} does not exist yet; `jobindex serve` creates it")


def _schema(path: Path, found: SqliteInspection) -> CheckResult:
    if not found.is_whole:
        return _DATABASE.problem(
            f"{path} is an unfinished copy", "Run `jobindex copy` again with the same options: it continues the copy."
        )
    if not found.is_ours:
        return _DATABASE.problem(
            f"{path} is not a database of jobindex", "Correct JOBINDEX_DATABASE_URL; jobindex will not touch the file."
        )
    if found.migration > found.newest_migration:
        return _DATABASE.problem(
            f"{path} was written by a newer jobindex: it is at migration {found.migration}, this version has "
            f"{found.newest_migration}",
            "Install that version again, or restore a backup of this version.",
        )
    if found.migration < found.newest_migration:
        return _DATABASE.problem(
            f"{path} is at migration {found.migration} of {found.newest_migration}",
            "`jobindex migrate` brings it up to date, and so does `jobindex serve` when it starts.",
        )
    return _DATABASE.ok(f"{path} is readable, at migration {found.migration}{_with(found.bytes)}")


def _room(path: Path, found: SqliteInspection) -> CheckResult:
    text = f"the disk of {path} has {_mib(found.free_bytes)} left"
    if not found.is_disk_full:
        return _DATABASE.ok(text)
    return _DATABASE.problem(text, "Free some space: new messages wait at the broker, within the broker's limits.")


def _holding(found: SqliteInspection, *, is_served: bool) -> CheckResult:
    if not found.is_locked:
        if is_served:
            return _DATABASE.problem(
                "no jobindex uses it, but a service answers: the service uses another database",
                "Run the doctor with the settings of the service, on its machine.",
            )
        return _DATABASE.ok("this user may write it, and no jobindex uses it")
    holder = "a process that the system does not name" if found.holder is None else _process(found.holder)
    if is_served:
        return _DATABASE.ok(f"{holder} uses it")
    return _DATABASE.problem(
        f"{holder} uses it, but no service answers",
        "It may be starting or restoring. If it is a service, correct JOBINDEX_HTTP_PORT; if it hangs, end it.",
    )


def _process(number: int) -> str:
    with suppress(OSError):
        words = Path(f"/proc/{number}/cmdline").read_bytes().decode(errors="replace").split("\0")
        return f"process {number} ({' '.join(words).strip()[:100]})"
    return f"process {number}"


def _with(size: int) -> str:
    return f", with {_mib(size)}" if size >= _SHOWN_BYTES else ""


def _mib(size: int) -> str:
    return f"{size / 1024**3:.1f} GiB" if size >= 1024**3 else f"{size / 1024**2:.1f} MiB"
