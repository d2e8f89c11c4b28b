"""`jobindex copy`: copies an index from one database to another."""

import os
from typing import Annotated

import typer

from jobindex.cli.output import counted, note, printable, say
from jobindex.cli.progress import progress
from jobindex.cli.settings import OF_KEYS, load_settings
from jobindex.errors import SettingsError

EXAMPLE = "Example: jobindex copy --from sqlite:///jobindex.db --to postgresql://jobindex@db.example/jobindex"


def copy(
    *,
    source: Annotated[
        str, typer.Option("--from", metavar="URL", help="Copy this database; URLs are as in JOBINDEX_DATABASE_URL.")
    ],
    target: Annotated[
        str, typer.Option("--to", metavar="URL", help="Copy to this empty database, or to a file that does not exist.")
    ],
    is_anew: Annotated[
        bool, typer.Option("--anew", help="Delete an unfinished copy from the target and start again.")
    ] = False,
    skips_refused: Annotated[
        bool, typer.Option("--skip-refused", help="Skip and list the rows that the target refuses.")
    ] = False,
) -> None:
    """Copy the index into another database, for example from SQLite to PostgreSQL.

    Copies a snapshot of the index into an empty database, compares both, and prints a line for each table. If it is
    interrupted, run it again: it continues. No service starts on an unfinished copy. The source is only read. The copy
    lacks the messages that a service receives meanwhile, so stop the service first: the broker keeps messages for the
    same client id. JOBINDEX_DATABASE_PASSWORD is the password for both databases. The copy stops at a row that the
    target refuses, for example because its key is too long, and names the row. Exits with 0 if nothing differs and no
    row is skipped, otherwise with 1.
    """
    from jobindex.config.database import read_databases
    from jobindex.storage.copying import open_copy

    load_settings(OF_KEYS)
    from_database, to_database = read_databases(os.environ, {"--from": source, "--to": target})
    if from_database == to_database:
        raise SettingsError(["--to: is the same database as --from"])
    with open_copy(from_database, to_database, is_anew=is_anew) as copying:
        with progress("Reading") as working:
            copying.survey(working.advance)
        if copying.rows_copied:
            note(f"{to_database}: {copying.rows_copied} of {counted(copying.rows, 'row')} already copied")
        with progress("Copying") as working:
            copying.write(working.advance, skips_refused=skips_refused)
        say(printable(f"{to_database}: {counted(copying.rows_copied, 'row')} copied from {from_database}"))
        for refused in copying.refused:
            say(printable(f"{'refused':<7} {refused}"))
        is_wrong = False
        with progress("Checking") as working:
            for finding in copying.compare(working.advance):
                working.say(str(finding))
                is_wrong |= finding.problem is not None
        if is_wrong:
            note(f"{to_database} differs from {from_database}, and no service starts on it: start again with --anew")
            raise typer.Exit(1)
        if copying.end():
            note(
                f"{from_database} is in use: the copy lacks the messages that its service has received since the copy "
                "began. The index in the copy is complete only from its next connection on"
            )
        if copying.refused:
            missing = counted(copying.rows - copying.rows_copied, "row")
            note(
                f"{to_database} lacks {missing}: the refused rows, and all rows of refused jobs. Its "
                "index is complete only from its next connection on"
            )
            raise typer.Exit(1)
