"""The connection that writes a PostgreSQL database, with its cache of states."""

from collections.abc import Callable
from typing import TypeVar

import psycopg

from jobindex.errors import DatabaseUnavailableError
from jobindex.storage.postgres import changes, lease
from jobindex.storage.postgres.connection import MARK, ReconnectingConnection, Transaction, said
from jobindex.storage.postgres.rows import PostgresRows
from jobindex.storage.sql.engine import WriteTransaction
from jobindex.storage.sql.state_cache import StateCache

T = TypeVar("T")

_COUNT_WRITE = f"UPDATE writes SET version = version + 1 WHERE the_one = 1 RETURNING {MARK} AS mark, version"


class PostgresTransaction(Transaction):
    """A WriteTransaction of a connection."""

    def __init__(self, transaction: Transaction, cache: StateCache) -> None:
        super().__init__(transaction.connection, transaction.opened)
        self.access = PostgresRows(transaction.connection)
        self.cache = cache


class PostgresWriter:
    """Writes a database as the process `name`."""

    def __init__(self, conninfo: str, *, name: str) -> None:
        self.link = ReconnectingConnection(conninfo, writes=True, opening=_COUNT_WRITE)
        self.cache = StateCache()
        self._name = name
        self._written_version = -1
        """Of this process's last write; if it was not committed, the next one clears the cache."""

    def write(self, work: Callable[[WriteTransaction], T], *, by_owner: bool, generation: int | None) -> T:
        """Do some work in one durable transaction; if `by_owner`, only with this lease.

        Raises:
            LeaseLostError, DataRefusedError, DatabaseUnavailableError: see `Engine.write`.
        """

        def write(transaction: Transaction) -> T:
            # A write locks this row, so each one reads the result of the one before.
            assert transaction.opened is not None  # noqa: S101 (a migration made the row)
            version = transaction.opened["version"]
            self.cache.begin()
            if version != self._written_version + 1:
                self.cache.clear()  # another process has written
            if by_owner:
                lease.check_held(transaction.connection, holder=self._name, generation=generation)
            done = work(PostgresTransaction(transaction, self.cache))
            changes.record(transaction.connection, version, self._name, done)
            self._written_version = version
            return done

        done = self.link.run(write, done="written")
        self.cache.commit()
        return done

    def connect(self) -> None:
        """Connect if needed.

        Raises:
            DatabaseUnavailableError: it failed.
        """
        try:
            self.link.connect()
        except psycopg.Error as error:
            raise DatabaseUnavailableError(f"The index cannot be written: {said(error)}") from error

    def has_session(self) -> bool:
        """Return whether there is a connection, as far as is known."""
        return self.link.is_connected

    def abort(self) -> None:
        """Cut the running statement; its transaction is retried."""
        self.link.abort()

    def end(self) -> None:
        """Cut the connection for good."""
        self.link.end()

    def close(self) -> None:
        """Close the connection."""
        self.link.close()
