"""The database server: does one answer that takes writes, is the database ours, and who ingests?"""

import asyncio
from collections.abc import Iterator

from jobindex.cli.checks.check_result import CheckResult, Part
from jobindex.errors import DatabaseRefusedError, DatabaseUnavailableError
from jobindex.storage.databases import PostgresDatabase
from jobindex.storage.postgres.inspection import PostgresInspection, inspect_database

_DATABASE = Part("database")


def examine_server(database: PostgresDatabase) -> Iterator[CheckResult]:
    """Yield what is found of a database of PostgreSQL."""
    try:
        found = asyncio.run(inspect_database(database))
    except DatabaseUnavailableError as error:
        yield _DATABASE.bad(
            str(error),
            "Is a server running there that takes writes, and does its pg_hba.conf let this user in? Of several hosts "
            "one must be the primary.",
        )
        return
    except DatabaseRefusedError as error:
        yield _DATABASE.bad(str(error), "Correct JOBINDEX_DATABASE_URL; nothing will touch the database.")
        return
    yield _schema(database, found)
    if found.migration:
        yield _ingestion(found)


def _schema(database: PostgresDatabase, found: PostgresInspection) -> CheckResult:
    if not found.is_whole:
        return _DATABASE.bad(
            f"{database} is a copy that is not whole", "Call `jobindex copy` again as before: it goes on with it."
        )
    if found.migration > found.newest_migration:
        return _DATABASE.bad(
            f"{database} was made by a newer jobindex: it is at migration {found.migration}, this one knows "
            f"{found.newest_migration}",
            "Install that version again.",
        )
    if found.migration < found.newest_migration:
        told = f"at migration {found.migration} of {found.newest_migration}" if found.migration else "empty"
        return _DATABASE.well(f"{database} is {told}; `jobindex serve` brings it up to date")
    return _DATABASE.well(f"{database} takes writes ({found.server}), at migration {found.migration}")


def _ingestion(found: PostgresInspection) -> CheckResult:
    if found.holder is None:
        return _DATABASE.well("no replica ingests just now; the next that starts does")
    return _DATABASE.well(f"{found.holder} ingests")
