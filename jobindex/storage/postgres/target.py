"""A PostgreSQL database to copy to: no replica opens it, or ingests into it, meanwhile.

The copying process holds the lease and checks it with each page, so a second writer is refused.

COPY writes the rows: no page is written twice. Not chosen: INSERT with ON CONFLICT, which takes three times as long;
creating the indexes at the end, because reading pages needs them.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from functools import partial

from jobindex.errors import DatabaseRefusedError, DatabaseUnavailableError
from jobindex.storage.databases import PostgresDatabase
from jobindex.storage.postgres import lease
from jobindex.storage.postgres.connection import ReconnectingConnection, Transaction
from jobindex.storage.postgres.migrating import bring_up_to_date, newest_migration, tables_of
from jobindex.storage.postgres.source import naming, read_page
from jobindex.storage.sql.copying import (
    TABLE,
    Copied,
    RefusedRow,
    check_begun,
    create_copied,
    drop_copied,
    end_copied,
    read_copied,
    read_refused,
    write_copied,
)
from jobindex.storage.sql.tables import TABLES, Table, Values

_LEASE_SECONDS = 10
_HELD_SECONDS = 3
_LOOK_SECONDS = 0.5
_COPYING = "copy-"
"""The prefix of the names of copying processes."""


@contextmanager
def open_target(database: PostgresDatabase, *, is_anew: bool) -> Iterator["PostgresTarget"]:
    """Open a database to copy to; resume a partial copy unless `is_anew`.

    If a copy was killed, this waits until its lease is over.

    Raises:
        DatabaseRefusedError, DatabaseUnavailableError: see `open_copy`.
    """
    with closing(ReconnectingConnection(database.conninfo, writes=True)) as link:
        target = PostgresTarget(database, link)
        target.begin(is_anew=is_anew)
        try:
            yield target
        finally:
            target.release()


class PostgresTarget:
    """A Target in a PostgreSQL database."""

    def __init__(self, database: PostgresDatabase, link: ReconnectingConnection) -> None:
        self._database = database
        self._link = link
        self._name = _COPYING + lease.process_name()
        self._generation: int | None = None
        self._held_at = 0.0
        self.copied = Copied()

    def begin(self, *, is_anew: bool) -> None:
        """Take the lease; mark the database as a copy in progress."""
        until = time.monotonic() + _LEASE_SECONDS + 2 * _LOOK_SECONDS
        with naming(self._database):
            while True:
                try:
                    self._generation = self._link.run(partial(self._take, is_anew=is_anew), done="written")
                except _LeaseHeldError as error:
                    if not error.holder.startswith(_COPYING) or time.monotonic() > until:
                        raise DatabaseRefusedError(f"it is in use by {error.holder}") from error
                    time.sleep(_LOOK_SECONDS)
                else:
                    self._held_at = time.monotonic()
                    return

    def hold(self) -> None:
        if time.monotonic() - self._held_at > _HELD_SECONDS:
            self._write(lambda _: None)

    def page(self, table: Table, after: Values) -> Sequence[Values]:
        with naming(self._database):
            return self._link.run(lambda transaction: read_page(transaction, table, after), done="read")

    def refused(self) -> Sequence[RefusedRow]:
        with naming(self._database):
            return self._link.run(read_refused, done="read")

    def write(
        self,
        copied: Copied,
        rows: Sequence[Values] = (),
        table: Table | None = None,
        *,
        refused: RefusedRow | None = None,
    ) -> None:
        def write(transaction: Transaction) -> None:
            found = read_copied(transaction)
            if found == copied:
                return  # written, but the connection was lost before the answer
            if found != self.copied:
                raise DatabaseUnavailableError("it has lost rows that were written: run `jobindex copy` again")
            if table is not None:
                _append(transaction, table, rows)
            write_copied(transaction, copied, refused)

        self._write(write)
        self.copied = copied

    def end(self, *, is_complete: bool) -> None:
        def end(transaction: Transaction) -> None:
            if TABLE not in tables_of(transaction.connection):
                return  # as in write
            for table in TABLES:
                transaction.connection.execute(f"ANALYZE {table.name}".encode())
            end_copied(transaction, is_complete=is_complete)

        self._write(end)

    def release(self) -> None:
        """Release the lease, so that a service can start at once."""
        with suppress(DatabaseUnavailableError):
            self._link.run(
                lambda transaction: lease.release(
                    transaction.connection, holder=self._name, generation=self._generation
                ),
                done="written",
            )

    def _write(self, work: Callable[[Transaction], None]) -> None:
        def write(transaction: Transaction) -> None:
            if not lease.keep(
                transaction.connection,
                holder=self._name,
                generation=self._generation,
                seconds=_LEASE_SECONDS,
                status="{}",
            ):
                raise DatabaseRefusedError("another process has taken its lease")
            work(transaction)

        with naming(self._database):
            self._link.run(write, done="written")
        self._held_at = time.monotonic()

    def _take(self, transaction: Transaction, *, is_anew: bool) -> int:
        connection = transaction.connection
        tables = tables_of(connection)
        if TABLE not in tables:
            bring_up_to_date(transaction)
        generation = lease.take(connection, holder=self._name, seconds=_LEASE_SECONDS, status="{}")
        if generation is None:
            raise _LeaseHeldError(lease.read_lease(connection).holder)
        if TABLE in tables and is_anew:
            ours = {table.name for table in TABLES} & tables
            connection.execute(f"TRUNCATE {', '.join(sorted(ours))}".encode())
            drop_copied(transaction)
            bring_up_to_date(transaction)
        if TABLE in tables and not is_anew:
            check_begun(newest_migration(connection), "postgres")
        else:
            create_copied(transaction)
        self.copied = read_copied(transaction)
        return generation


class _LeaseHeldError(Exception):
    def __init__(self, holder: str) -> None:
        super().__init__(holder)
        self.holder = holder


def _append(transaction: Transaction, table: Table, rows: Sequence[Values]) -> None:
    statement = f"COPY {table.name} ({', '.join(table.columns)}) FROM STDIN"
    with transaction.connection.cursor() as cursor, cursor.copy(statement.encode()) as copy:
        for row in rows:
            copy.write_row(row)
