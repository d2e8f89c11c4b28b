"""The database server: whether it accepts writes, the schema, and the replica that ingests."""

import asyncio
from collections.abc import Iterator

from jobindex.cli.checks.check_result import CheckResult, Part
from jobindex.errors import DatabaseRefusedError, DatabaseUnavailableError
from jobindex.storage.databases import PostgresDatabase
from jobindex.storage.postgres.inspection import PostgresInspection, inspect_database

_DATABASE = Part("database")


def examine_server(database: PostgresDatabase) -> Iterator[CheckResult]:
    """Yield the results."""
    try:
        found = asyncio.run(inspect_database(database))
    except DatabaseUnavailableError as error:
        yield _DATABASE.problem(
            str(error),
            "Check that a server runs there and accepts writes, and that its pg_hba.conf admits this user. One of "
            "several hosts must be the primary.",
        )
        return
    except DatabaseRefusedError as error:
        yield _DATABASE.problem(str(error), "Correct JOBINDEX_DATABASE_URL; jobindex will not touch the database.")
        return
    yield _schema(database, found)
    if found.migration:
        yield _ingestion(found)


def _schema(database: PostgresDatabase, found: PostgresInspection) -> CheckResult:
    if not found.is_whole:
        return _DATABASE.problem(
            f"{database} is an unfinished copy",
            "Run `jobindex copy` again with the same options: it continues the copy.",
        )
    if found.migration > found.newest_migration:
        return _DATABASE.problem(
            f"{database} was written by a newer jobindex: it is at migration {found.migration}, this version has "
            f"{found.newest_migration}",
            "Install that version again.",
        )
    if found.migration < found.newest_migration:
        state = f"at migration {found.migration} of {found.newest_migration}" if found.migration else "empty"
        return _DATABASE.ok(f"{database} is {state}; `jobindex serve` brings it up to date")
    return _DATABASE.ok(f"{database} accepts writes ({found.server}), at migration {found.migration}")


def _ingestion(found: PostgresInspection) -> CheckResult:
    if found.holder is None:
        return _DATABASE.ok("no replica ingests now; the next one that starts will")
    return _DATABASE.ok(f"{found.holder} ingests")
