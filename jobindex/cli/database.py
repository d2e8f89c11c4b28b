"""`jobindex migrate`, `backup`, `check` and `restore`: the database file, without the service."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from jobindex.cli.output import counted, printable, say
from jobindex.cli.progress import progress
from jobindex.cli.settings import OF_DATABASE, load_settings
from jobindex.errors import BackupError
from jobindex.storage.databases import SqliteDatabase

MIGRATE_EXAMPLE = "Example: JOBINDEX_DATABASE_URL=sqlite:////var/lib/jobindex/jobindex.db jobindex migrate"
BACKUP_EXAMPLE = "Example: jobindex backup /backups/jobindex-$(date +%F).db"
CHECK_EXAMPLE = "Example: jobindex check /backups/jobindex-2026-11-23.db"
RESTORE_EXAMPLE = "Example: jobindex restore /backups/jobindex-2026-11-23.db"


def migrate() -> None:
    """Make the database, or bring it to this version's schema, and end."""
    from jobindex.storage.opening import migrate

    database = load_settings(OF_DATABASE).database
    is_new = isinstance(database, SqliteDatabase) and not database.path.exists()
    with progress("Migrating"):
        asyncio.run(migrate(database))
    say(printable(f"{database} {'was made' if is_new else 'is up to date'}"))


def backup(
    *, file: Annotated[Path, typer.Argument(metavar="FILE", help="The copy; its folder must have room for it.")]
) -> None:
    """Copy the index to a new file, also while the service runs.

    Copies the index, as it is at one moment, to a new FILE. A service may run meanwhile: the database is only read.
    FILE gets its name when it is whole and on disk; one that exists is never overwritten. Prints how many bytes it
    has; exits with 0, or with 1 and no FILE.
    """
    from jobindex.storage.sqlite.backup import back_up

    database = _file_of_settings()
    _require(database)
    with progress("Copying", is_bytes=True) as working:
        size = back_up(database, file, working.advance)
    say(printable(f"{file}: {counted(size, 'byte')}"))


def check(
    *,
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="What to check.", show_default="the database of the settings")
    ] = None,
) -> None:
    """Tell whether a database is whole and says what it was told.

    Reads a database, of which nothing is changed, and prints a line for each check: its pages and indexes, its
    schema, the plan of every ListJobs question (none may read or sort the whole index), and each table that ListJobs
    reads against what the messages told. A service may run on it. Exits with 0 when all are ok, else with 1.
    """
    from jobindex.storage.sqlite.check import check

    path = file or _file_of_settings()
    is_wrong = False
    _require(path)
    with progress("Checking") as working:
        for done, finding in enumerate(check(path), start=1):
            working.say(str(finding))
            is_wrong |= finding.problem is not None
            working.advance(done, None)
    raise typer.Exit(int(is_wrong))


def restore(*, file: Annotated[Path, typer.Argument(metavar="FILE", help="What `jobindex backup` made.")]) -> None:
    """Put a backup in place of the database, while no service runs.

    Checks FILE and puts a copy of it in place of the database. The database that was there stays beside it, under the
    name that is printed. Refused while a service runs on it. What happened since the backup is not in it and brokers
    do not repeat it: the index tells that it is complete only from its next connection.
    """
    from datetime import UTC, datetime

    from jobindex.storage.sqlite.backup import restore

    database = _file_of_settings()
    _require(file)
    with progress("Checking and copying", is_bytes=True) as working:
        former = restore(file, database, now=datetime.now(UTC), advance=working.advance)
    say(printable(f"{database}: restored from {file}"))
    if former is not None:
        say(printable(f"{former}: what was there before"))


def _file_of_settings() -> Path:
    database = load_settings(OF_DATABASE).database
    if isinstance(database, SqliteDatabase):
        return database.path
    raise BackupError(f"{database} is no file: PostgreSQL's own tools (pg_dump, pg_basebackup) copy and check it")


def _require(path: Path) -> None:
    if not path.exists():
        raise BackupError(f"{path} is not there")
