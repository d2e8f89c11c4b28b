"""Migrates a database, even if several processes start at once.

The transaction first writes one row: other processes wait for its commit, and then find everything done.
"""

from contextlib import suppress
from typing import Any

from psycopg import Connection, errors

from jobindex.errors import DatabaseRefusedError
from jobindex.storage.migrations import load_migrations
from jobindex.storage.postgres import changes
from jobindex.storage.postgres.connection import Transaction
from jobindex.storage.sql.copying import check_whole

_TABLES = """
SELECT table_name
FROM information_schema.tables
WHERE table_schema = current_schema()
AND table_type = 'BASE TABLE'
"""
_CREATE_MIGRATIONS = """
CREATE TABLE IF NOT EXISTS migrations (
    number     INTEGER     NOT NULL PRIMARY KEY,
    name       TEXT        NOT NULL,
    applied_at TIMESTAMPTZ NOT NULL DEFAULT now()
)
"""
# Number 0 is the lock.
_TAKE_TURN = """
INSERT INTO migrations (number, name)
VALUES (0, 'turn')
ON CONFLICT (number) DO UPDATE SET applied_at = now()
"""
_NEWEST = "SELECT max(number) FROM migrations"
# With statistics on these columns PostgreSQL may read all jobs in the order of time, if a value is no longer frequent
# or two never occur together.
_UNKNOWN = (
    ("executions", "state"),
    ("job_summaries", "kind"),
    ("job_summaries", "namespace_id"),
    ("job_thing_groups", "kind"),
    ("job_thing_groups", "namespace_id"),
)
_RECORD = "INSERT INTO migrations (number, name) VALUES (%(number)s, %(name)s)"


def bring_up_to_date(transaction: Transaction) -> int:
    """Apply the missing migrations; return the number of writes to the index.

    Raises:
        DatabaseRefusedError: it is not a jobindex database, is newer than this version, or is a partial copy.
    """
    connection = transaction.connection
    tables_of(connection)
    migrations = load_migrations("postgres")
    # Of two processes at once, one gets an error.
    with suppress(errors.UniqueViolation, errors.DuplicateTable), connection.transaction():
        connection.execute(_CREATE_MIGRATIONS)
    connection.execute(_TAKE_TURN)
    check_whole(tables_of(connection))
    applied = newest_migration(connection)
    if applied > migrations[-1].number:
        raise DatabaseRefusedError(
            f"the database is at migration {applied} of a newer jobindex; this version has {migrations[-1].number}"
        )
    for migration in migrations:
        if migration.number > applied:
            connection.execute(migration.sql.encode())
            connection.execute(_RECORD, {"number": migration.number, "name": migration.name})
    if applied < migrations[-1].number:
        _keep_no_statistics(connection)
    return changes.read_version(connection)


def _keep_no_statistics(connection: Connection[Any]) -> None:
    # An engine may lack this setting.
    with suppress(errors.FeatureNotSupported, errors.SyntaxError), connection.transaction():
        for table, column in _UNKNOWN:
            connection.execute(f"ALTER TABLE {table} ALTER COLUMN {column} SET STATISTICS 0".encode())


def tables_of(connection: Connection[Any]) -> frozenset[str]:
    """Return the names of the tables.

    Raises:
        DatabaseRefusedError: they are not those of jobindex.
    """
    tables = frozenset(name for (name,) in connection.execute(_TABLES))
    if tables and "migrations" not in tables:
        raise DatabaseRefusedError("the database contains tables that do not belong to jobindex")
    return tables


def newest_migration(connection: Connection[Any]) -> int:
    """Return the number of the newest applied migration; 0 if there is none."""
    row = connection.execute(_NEWEST).fetchone()
    return int(row[0] or 0) if row else 0
