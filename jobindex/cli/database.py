"""`jobindex migrate`, `backup`, `check` and `restore`: commands on the database, without the service."""

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
    """Create the database, or migrate it to the schema of this version."""
    from jobindex.storage.opening import migrate

    database = load_settings(OF_DATABASE).database
    is_new = isinstance(database, SqliteDatabase) and not database.path.exists()
    with progress("Migrating"):
        asyncio.run(migrate(database))
    say(printable(f"{database} {'was created' if is_new else 'is up to date'}"))


def backup(
    *, file: Annotated[Path, typer.Argument(metavar="FILE", help="The copy to write; its folder needs room for it.")]
) -> None:
    """Copy the index to a new file, even while the service runs.

    Copies a snapshot of the index to FILE. The database is only read, so a service may be running. FILE gets its name
    when it is complete and on disk. An existing file is never overwritten. Prints the number of bytes. Exits with 0,
    or with 1 if FILE was not written.
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
        Path | None,
        typer.Argument(metavar="FILE", help="The file to check.", show_default="the database of the settings"),
    ] = None,
) -> None:
    """Check that a database is intact and consistent.

    Prints a line for each check: its pages and indexes, its schema, the plan of every ListJobs query (none may read or
    sort the whole index), and each table that ListJobs reads against the states that the messages reported. The
    database is only read, so a service may be running. Exits with 0 if every check is ok, otherwise with 1.
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


def restore(
    *, file: Annotated[Path, typer.Argument(metavar="FILE", help="A file that `jobindex backup` wrote.")]
) -> None:
    """Replace the database with a backup, while no service runs.

    Checks FILE and puts a copy of it in place of the database. The old database stays beside it, under the printed
    name. Refused while a service runs on the database. The messages since the backup are missing and brokers do not
    repeat them, so the index is complete only from its next connection on.
    """
    from datetime import UTC, datetime

    from jobindex.storage.sqlite.backup import restore

    database = _file_of_settings()
    _require(file)
    with progress("Checking and copying", is_bytes=True) as working:
        former = restore(file, database, now=datetime.now(UTC), advance=working.advance)
    say(printable(f"{database}: restored from {file}"))
    if former is not None:
        say(printable(f"{former}: the old database"))


def _file_of_settings() -> Path:
    database = load_settings(OF_DATABASE).database
    if isinstance(database, SqliteDatabase):
        return database.path
    raise BackupError(f"{database} is not a file: PostgreSQL's own tools (pg_dump, pg_basebackup) copy and check it")


def _require(path: Path) -> None:
    if not path.exists():
        raise BackupError(f"{path} does not exist")
