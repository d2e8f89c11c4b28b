"""Bringing a database up to date, whoever else does so at the same time.

All of it is one transaction, which begins with a row that only one process can have written and not yet committed:
the others wait for it, and find everything done.
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
# Number 0 stands for all that are to come: who writes it first goes first.
_TAKE_TURN = """
INSERT INTO migrations (number, name)
VALUES (0, 'turn')
ON CONFLICT (number) DO UPDATE SET applied_at = now()
"""
_NEWEST = "SELECT max(number) FROM migrations"
# Of these PostgreSQL would know how often each value occurs, and read all jobs in the order of time where it takes many
# to pass: of a value that it saw yesterday, or of two that never occur together, it finds none. Without, it looks up.
_UNKNOWN = (
    ("executions", "state"),
    ("job_summaries", "kind"),
    ("job_summaries", "namespace_id"),
    ("job_thing_groups", "kind"),
    ("job_thing_groups", "namespace_id"),
)
_RECORD = "INSERT INTO migrations (number, name) VALUES (%(number)s, %(name)s)"


def bring_up_to_date(transaction: Transaction) -> int:
    """Apply the migrations that a database lacks; return how often its index was written.

    Raises:
        DatabaseRefusedError: it is a database of something else, of a newer version, or a copy that is not whole.
    """
    connection = transaction.connection
    tables_of(connection)
    migrations = load_migrations("postgres")
    # Of two who make it at once, one is told that the other has.
    with suppress(errors.UniqueViolation, errors.DuplicateTable), connection.transaction():
        connection.execute(_CREATE_MIGRATIONS)
    connection.execute(_TAKE_TURN)
    check_whole(tables_of(connection))
    applied = newest_migration(connection)
    if applied > migrations[-1].number:
        raise DatabaseRefusedError(
            f"the database is at migration {applied}, made by a newer jobindex; this one knows {migrations[-1].number}"
        )
    for migration in migrations:
        if migration.number > applied:
            connection.execute(migration.sql.encode())
            connection.execute(_RECORD, {"number": migration.number, "name": migration.name})
    if applied < migrations[-1].number:
        _keep_no_statistics(connection)
    return changes.read_version(connection)


def _keep_no_statistics(connection: Connection[Any]) -> None:
    # An engine that knows no such setting goes without it.
    with suppress(errors.FeatureNotSupported, errors.SyntaxError), connection.transaction():
        for table, column in _UNKNOWN:
            connection.execute(f"ALTER TABLE {table} ALTER COLUMN {column} SET STATISTICS 0".encode())


def tables_of(connection: Connection[Any]) -> frozenset[str]:
    """Return the names of the tables that are there.

    Raises:
        DatabaseRefusedError: they are of something else.
    """
    tables = frozenset(name for (name,) in connection.execute(_TABLES))
    if tables and "migrations" not in tables:
        raise DatabaseRefusedError("the database holds tables of something other than jobindex")
    return tables


def newest_migration(connection: Connection[Any]) -> int:
    """Return the number of the newest migration that was applied, 0 where there is none."""
    row = connection.execute(_NEWEST).fetchone()
    return int(row[0] or 0) if row else 0
