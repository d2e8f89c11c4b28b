"""A database of PostgreSQL that a copy is made in: no replica ingests into it meanwhile, nor opens it.

Who makes the copy has the lease, and asks for it with each page: of two that make one, or of one and a replica that
waited for its turn, one is refused what it wanted to write.

Rows go by COPY into the tables themselves: as no page is written twice, none has to ask whether it is there. Not
chosen: INSERT with ON CONFLICT, which takes thrice as long; to make the indexes at the end, which knows no pages.
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
    check_begun,
    create_copied,
    end_copied,
    read_copied,
    write_copied,
)
from jobindex.storage.sql.tables import TABLES, Table, Values

_LEASE_SECONDS = 10
_HELD_SECONDS = 3
_LOOK_SECONDS = 0.5
_COPYING = "copy-"
"""How the names begin of those who make a copy."""


@contextmanager
def open_target(database: PostgresDatabase, *, is_anew: bool) -> Iterator["PostgresTarget"]:
    """Open a database to make a copy in it, or to go on with one that is not whole, unless `is_anew`.

    Where a copy was interrupted the hard way, this waits until its lease is over.

    Raises:
        DatabaseRefusedError: it holds an index already, or is in use.
        DatabaseUnavailableError: it cannot be read or written just now.
    """
    with closing(ReconnectingConnection(database.conninfo, writes=True)) as link:
        target = PostgresTarget(database, link)
        target.begin(is_anew=is_anew)
        try:
            yield target
        finally:
            target.release()


class PostgresTarget:
    """A Target in a database of PostgreSQL."""

    def __init__(self, database: PostgresDatabase, link: ReconnectingConnection) -> None:
        self._database = database
        self._link = link
        self._name = _COPYING + lease.process_name()
        self._generation: int | None = None
        self._held_at = 0.0
        self.copied = Copied()

    def begin(self, *, is_anew: bool) -> None:
        """Take the lease, and note that a copy is made here, where that is not noted yet."""
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

    def write(self, copied: Copied, rows: Sequence[Values] = (), table: Table | None = None) -> None:
        def write(transaction: Transaction) -> None:
            found = read_copied(transaction)
            if found == copied:
                return  # the connection was lost once it was written, and before that was told
            if found != self.copied:
                raise DatabaseUnavailableError("it has lost rows that were written: call `jobindex copy` again")
            if table is not None:
                _append(transaction, table, rows)
            write_copied(transaction, copied)

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
        """Give the lease back, so that a service can start at once; nothing where it is another's."""
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
                told="{}",
            ):
                raise DatabaseRefusedError("another has taken its lease meanwhile")
            work(transaction)

        with naming(self._database):
            self._link.run(write, done="written")
        self._held_at = time.monotonic()

    def _take(self, transaction: Transaction, *, is_anew: bool) -> int:
        connection = transaction.connection
        tables = tables_of(connection)
        if TABLE not in tables:
            bring_up_to_date(transaction)
        generation = lease.take(connection, holder=self._name, seconds=_LEASE_SECONDS, told="{}")
        if generation is None:
            raise _LeaseHeldError(lease.read_lease(connection).holder)
        if TABLE in tables and is_anew:
            ours = {table.name for table in TABLES} & tables
            connection.execute(f"TRUNCATE {', '.join(sorted(ours))}".encode())
            connection.execute(f"DROP TABLE {TABLE}".encode())
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
