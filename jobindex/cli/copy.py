"""`jobindex copy`: an index moved from one database to another."""

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
        str, typer.Option("--from", metavar="URL", help="What to copy, as JOBINDEX_DATABASE_URL names it.")
    ],
    target: Annotated[
        str, typer.Option("--to", metavar="URL", help="Where to; an empty database, or a file that is not there.")
    ],
    is_anew: Annotated[
        bool, typer.Option("--anew", help="Remove what an unfinished copy has left there, and begin another.")
    ] = False,
) -> None:
    """Copy the index into another database, such as one of PostgreSQL.

    Copies the index, as it is at one moment, into an empty database, and compares both at the end: prints a line for
    each table. Called again after it was interrupted, it goes on where it was. No service starts on a copy that is not
    whole. The source is only read; what a service is told meanwhile is not copied, so stop it first: the broker keeps
    what comes for the same client id. JOBINDEX_DATABASE_PASSWORD is the password of both. Exits with 0 when nothing
    differs, else with 1.
    """
    from jobindex.config.database import read_databases
    from jobindex.storage.copying import open_copy

    load_settings(OF_KEYS)
    from_database, to_database = read_databases(os.environ, {"--from": source, "--to": target})
    if from_database == to_database:
        raise SettingsError(["--to: is what --from is"])
    with open_copy(from_database, to_database, is_anew=is_anew) as copying:
        with progress("Reading") as working:
            copying.survey(working.advance)
        if copying.rows_copied:
            note(f"{to_database}: {counted(copying.rows_copied, 'row')} of {copying.rows} are there from before")
        with progress("Copying") as working:
            copying.write(working.advance)
        say(printable(f"{to_database}: {counted(copying.rows, 'row')} copied from {from_database}"))
        is_wrong = False
        with progress("Checking") as working:
            for finding in copying.compare(working.advance):
                working.say(str(finding))
                is_wrong |= finding.problem is not None
        if is_wrong:
            note(f"{to_database} is no copy of {from_database}, and no service starts on it: --anew begins another")
            raise typer.Exit(1)
        if copying.end():
            note(
                f"{from_database} is in use: what its service was told since this began is not in the copy, "
                "which says that it is complete only from its next connection"
            )
