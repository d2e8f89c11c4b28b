"""The condition of a PostgreSQL database, without reading the index."""

import asyncio
from dataclasses import dataclass

from jobindex.errors import DatabaseRefusedError, DatabaseUnavailableError
from jobindex.storage.databases import PostgresDatabase
from jobindex.storage.migrations import load_migrations
from jobindex.storage.postgres.connection import ReconnectingConnection, Transaction
from jobindex.storage.postgres.lease import read_lease
from jobindex.storage.postgres.migrating import newest_migration, tables_of
from jobindex.storage.sql.copying import TABLE


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresInspection:
    """The condition of a database."""

    server: str
    """Its product and version."""
    migration: int
    """0 if the database is empty."""
    newest_migration: int
    """Of this version."""
    is_whole: bool
    """False while a copy is being made in it."""
    holder: str | None
    """The replica that ingests; None if there is none."""


async def inspect_database(database: PostgresDatabase) -> PostgresInspection:
    """Return the condition of a database, without changing it.

    Raises:
        DatabaseRefusedError: it is not a jobindex database.
        DatabaseUnavailableError: it cannot be read.
    """
    link = ReconnectingConnection(database.conninfo, writes=False)
    try:
        return await asyncio.to_thread(link.run, _read, done="read")
    except (DatabaseRefusedError, DatabaseUnavailableError) as error:
        raise type(error)(f"{database}: {error}") from error
    finally:
        link.close()


def _read(transaction: Transaction) -> PostgresInspection:
    connection = transaction.connection
    [(server,)] = connection.execute("SELECT version()").fetchall()
    tables = tables_of(connection)
    migration = newest_migration(connection) if tables else 0
    lease = read_lease(connection) if migration else None
    return PostgresInspection(
        server=" ".join(server.split()[:2]),
        migration=migration,
        newest_migration=load_migrations("postgres")[-1].number,
        is_whole=TABLE not in tables,
        holder=None if lease is None or lease.is_over else lease.holder,
    )
