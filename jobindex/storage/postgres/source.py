"""A PostgreSQL database to copy from, read in one snapshot, even while replicas write it."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial

import psycopg
from psycopg.rows import tuple_row

from jobindex.errors import DatabaseRefusedError, DatabaseUnavailableError
from jobindex.storage.databases import PostgresDatabase
from jobindex.storage.postgres.connection import ReconnectingConnection, Transaction
from jobindex.storage.postgres.dialect import translated
from jobindex.storage.postgres.lease import read_lease
from jobindex.storage.postgres.migrating import newest_migration, tables_of
from jobindex.storage.sql.copying import check_source
from jobindex.storage.sql.tables import Table, Values


@contextmanager
def open_source(database: PostgresDatabase) -> Iterator["PostgresSource"]:
    """Open a database to copy from.

    Raises:
        DatabaseRefusedError, DatabaseUnavailableError: see `open_copy`.
    """
    with (
        closing(ReconnectingConnection(database.conninfo, writes=False)) as link,
        closing(ReconnectingConnection(database.conninfo, writes=False)) as now,
    ):
        with naming(database):
            snapshot = link.begin()
            connection = snapshot.connection
            check_source(tables_of(connection), partial(newest_migration, connection), "postgres")
        yield PostgresSource(database, snapshot, now)


class PostgresSource:
    """A Source in a PostgreSQL database; `now` reads outside the snapshot."""

    def __init__(self, database: PostgresDatabase, snapshot: Transaction, now: ReconnectingConnection) -> None:
        self._database = database
        self._snapshot = snapshot
        self._now = now

    def is_in_use(self) -> bool:
        with naming(self._database):
            return not self._now.run(lambda transaction: read_lease(transaction.connection), done="read").is_over

    def count(self, table: Table) -> int:
        with naming(self._database):
            [(rows,)] = self._snapshot.execute(f"SELECT count(*) FROM {table.name}").fetchall()
        return int(rows)

    def page(self, table: Table, after: Values) -> Sequence[Values]:
        with naming(self._database):
            return read_page(self._snapshot, table, after)


@contextmanager
def naming(database: PostgresDatabase) -> Iterator[None]:
    """Convert errors of a database to errors that name it."""
    try:
        yield
    except (DatabaseRefusedError, DatabaseUnavailableError) as error:
        raise type(error)(f"{database}: {error}") from error
    except psycopg.Error as error:
        raise DatabaseUnavailableError(f"{database}: {' '.join(str(error).split())}") from error


def read_page(transaction: Transaction, table: Table, after: Values) -> Sequence[Values]:
    """Return a page of rows, the same from every engine."""
    statement, parameters = table.page(after)
    with transaction.connection.cursor(row_factory=tuple_row) as cursor:
        return cursor.execute(translated(statement).encode(), parameters).fetchall()
