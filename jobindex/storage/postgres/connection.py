"""A connection to PostgreSQL that reconnects after a loss, used in one thread.

Serialization failures, deadlocks and lost connections are retried here, after a pause with jitter. A transaction may
run twice: merges change nothing then.

A pooler in transaction mode gives each transaction another session, without our settings and with others' prepared
statements. So each writing session has a random mark, which every transaction reads first. If it differs, the next
connection is tested: a second one marks its own session, which behind such a pooler is the same. Not chosen:
`pg_backend_pid()`, the same for all connections if the pool has one session.

Not chosen: pipeline mode, which halves the time of a batch. Its session does not count as idle, so a process frozen
there (SIGSTOP) would block all writers without limit.
"""

import os
import random
import re
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import count
from typing import Any, Protocol, TypeVar

import psycopg
from psycopg import capabilities
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import TransactionStatus
from psycopg.types.numeric import Int8Dumper
from psycopg.types.string import StrDumper

from jobindex.errors import DatabaseUnavailableError, DataRefusedError
from jobindex.storage.postgres.dialect import translated

T = TypeVar("T")

_FIRST_PAUSE_SECONDS = 0.02
_PASSING_STATES = ("40001", "40P01", "57P01", "57P02", "57P03")
"""Serialization failure, deadlock, shutdown, crash, not yet started."""
_READ_ONLY = "25006"
"""The session leads to a standby, or is read-only: only a new session can write."""
_PASSING_CLASSES = ("08", "53")
"""Connection exceptions, insufficient resources."""

_OF_THE_DATA = ("22", "23", "54")
"""Data exceptions, violated constraints, exceeded limits."""

HOPELESS = re.compile(
    "does not exist|authentication failed|no password supplied|pg_hba.conf|permission denied|pool_mode|pooling mode"
)
"""Errors that a retry does not fix; for a failed connection libpq gives only a text, no code."""

MARK = "current_setting('jobindex.session', true)"
"""The mark of the current session; NULL if it has none."""
_SET_MARK = "SELECT set_config('jobindex.session', %(mark)s, false)"
_POOLED = (
    "the session changes between transactions: a pooler in transaction mode is between jobindex and PostgreSQL; "
    "set pool_mode = session in PgBouncer, or connect to the server itself"
)

_CANCEL_SECONDS = 0.5
"""The limit for a cancellation: a shutdown waits for it."""

# These detect a server that dies silently; the URL may set others.
_DEFAULTS = {
    "application_name": "jobindex",
    "connect_timeout": "5",
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "tcp_user_timeout": "10000",
}

# Plans whose cost does not grow with the index, even with old or missing statistics: the statements fix the order of
# joins, and the cost is the rows that a plan reads. An engine may lack some settings.
_PLANS = {
    "join_collapse_limit": "1",
    "from_collapse_limit": "1",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "enable_sort": "off",
    "jit": "off",
    "random_page_cost": "0.01",
    "seq_page_cost": "0.01",
    "cpu_operator_cost": "0.0001",
}
# A process that stops inside a transaction blocks others for at most this long.
_PATIENCE = {"idle_in_transaction_session_timeout": "5s"}

_SET = """
SELECT set_config(name, wanted.value, false)
FROM pg_settings
JOIN (VALUES {values}) AS wanted (setting, value) ON wanted.setting = name
"""
# A commit survives a crash of the server, and with a synchronous standby the loss of the primary.
_SET_DURABLE = """
SELECT set_config(name, 'on', false)
FROM pg_settings
WHERE name = 'synchronous_commit'
AND setting IN ('off', 'local')
"""


class NamedRow:
    """A row with named, ordered columns."""

    __slots__ = ("_places", "_values")

    def __init__(self, places: Mapping[str, int], values: Sequence[Any]) -> None:
        self._places = places
        self._values = values

    def __getitem__(self, column: str | int) -> Any:  # noqa: ANN401
        return self._values[self._places[column] if isinstance(column, str) else column]

    def __iter__(self) -> Any:  # noqa: ANN401
        return iter(self._values)


def _rows(cursor: psycopg.Cursor[Any]) -> Callable[[Sequence[Any]], NamedRow]:
    places = {column.name: place for place, column in enumerate(cursor.description or ())}
    return lambda values: NamedRow(places, values)


class _TextDumper(StrDumper):
    """Replaces NUL, which PostgreSQL cannot store; only a rejected message may contain it."""

    def dump(self, obj: str) -> Any:  # noqa: ANN401
        return super().dump(obj.replace("\0", "\N{REPLACEMENT CHARACTER}"))


class Transaction:
    """A Connection of `sql/` in an open transaction; it translates the statements."""

    def __init__(self, connection: psycopg.Connection[NamedRow], opened: NamedRow | None = None) -> None:
        self.connection = connection
        self.opened = opened
        """The row of the first statement, if the transaction writes."""

    def execute(self, statement: str, parameters: Mapping[str, Any] | None = None, /) -> psycopg.Cursor[NamedRow]:
        """Run a statement."""
        return self.connection.execute(translated(statement).encode(), parameters or {})

    def executemany(self, statement: str, parameters: Iterable[Mapping[str, Any]], /) -> psycopg.Cursor[NamedRow]:
        """Run a statement with each set of parameters."""
        cursor = self.connection.cursor()
        cursor.executemany(translated(statement).encode(), list(parameters))
        return cursor


class PrecedingConnection(Protocol):
    """A connection that must exist before others."""

    @property
    def is_connected(self) -> bool:
        """Whether the connection exists and is not known to be lost."""

    def connect(self) -> object:
        """Connect if needed, in any thread.

        Raises:
            psycopg.Error, DatabaseUnavailableError: it failed.
        """


class _PooledError(Exception):
    """The session has another mark."""


class ReconnectingConnection:
    """A connection of one thread at a time.

    A transaction that writes starts with `opening`, whose first column is MARK. `make_room` runs before connecting. The
    connections in `first` are made before; while one is lost, this one is closed after use.
    """

    def __init__(
        self,
        conninfo: str,
        *,
        writes: bool,
        attempts: int = 4,
        opening: str = f"SELECT {MARK}",
        make_room: Callable[[], None] = lambda: None,
        first: Sequence[PrecedingConnection] = (),
    ) -> None:
        self._conninfo = conninfo
        self._writes = writes
        self._attempts = attempts
        self._opening = opening.encode()
        self._make_room = make_room
        self._first = first
        self._connecting = threading.Lock()
        self._mark = ""
        self._was_pooled = False
        self._connection: psycopg.Connection[NamedRow] | None = None
        self.used_at = 0.0
        """When the last transaction ended, by the monotonic clock."""

    def run(self, work: Callable[[Transaction], T], *, done: str) -> T:
        """Do some work in its own transaction.

        Raises:
            DataRefusedError: the database refuses the data.
            DatabaseUnavailableError: the index could not be `done` ("read" or "written").
        """
        try:
            return self._run(work, done=done)
        finally:
            self.used_at = time.monotonic()
            if not all(one.is_connected for one in self._first):
                self.close()

    def _run(self, work: Callable[[Transaction], T], *, done: str) -> T:
        for attempt in count(1):
            try:
                connection = self.connect()
                with connection.transaction():
                    return work(self._opened(connection))
            except _PooledError as error:
                self.close()
                self._was_pooled = True
                raise DatabaseUnavailableError(f"The index cannot be {done}: {_POOLED}") from error
            except psycopg.Error as error:
                if self._writes and _is_of_the_data(error):
                    raise DataRefusedError(said(error)) from error
                if not self._may_try_again(error) or attempt >= self._attempts:
                    raise DatabaseUnavailableError(f"The index cannot be {done}: {said(error)}") from error
            time.sleep(random.uniform(0.5, 1) * _FIRST_PAUSE_SECONDS * 4**attempt)
        raise AssertionError  # it returns or raises

    def _opened(self, connection: psycopg.Connection[NamedRow]) -> Transaction:
        if not self._writes:
            return Transaction(connection)
        # Another session may have another prepared statement of this name.
        opened = connection.execute(self._opening, prepare=False).fetchone()
        if opened is not None and opened[0] != self._mark:
            raise _PooledError
        self._was_pooled = False
        return Transaction(connection, opened)

    def abort(self) -> None:
        """Cancel the statement (needs libpq 17) and cut the connection, from another thread."""
        connection = self._connection
        with suppress(psycopg.Error, OSError):
            if connection is not None and not connection.closed:
                with socket.socket(fileno=os.dup(connection.fileno())) as wire:
                    with suppress(psycopg.Error):
                        _cancel(connection)
                    wire.shutdown(socket.SHUT_RDWR)

    def end(self) -> None:
        """Cut the connection for good, from any thread; nothing is retried."""
        self._attempts = 0
        self.abort()

    def begin(self) -> Transaction:
        """Begin a transaction that lasts until `close`, without retries.

        Raises:
            psycopg.Error: the connection failed.
        """
        connection = self.connect()
        connection.autocommit = False
        return Transaction(connection)

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            with suppress(psycopg.Error):
                self._connection.close()
            self._connection = None

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection, as far as is known."""
        return self._connection is not None and not self._connection.closed

    def connect(self) -> psycopg.Connection[NamedRow]:
        """Connect if needed, in any thread.

        Raises:
            psycopg.Error: the connection failed.
        """
        with self._connecting:
            if self._connection is None or self._connection.closed:
                for one in self._first:
                    one.connect()
                self._make_room()
                connection = connect(self._conninfo)
                try:
                    self._set(connection)
                    if self._was_pooled:
                        with connect(self._conninfo) as other:
                            other.execute(_SET_MARK, {"mark": "another"})
                except BaseException:
                    connection.close()
                    raise
                self._connection = connection
            return self._connection

    def _set(self, connection: psycopg.Connection[NamedRow]) -> None:
        wanted = {**_PLANS, **(_PATIENCE if self._writes else {})}
        values = ", ".join(["(%s, %s)"] * len(wanted))
        settings = [part for setting in wanted.items() for part in setting]
        connection.execute(_SET.format(values=values).encode(), settings)
        if self._writes:
            self._mark = secrets.token_hex(8)
            connection.execute(_SET_MARK, {"mark": self._mark})
            connection.execute(_SET_DURABLE)
            connection.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
        else:
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            connection.read_only = True

    def _may_try_again(self, error: psycopg.Error) -> bool:
        """Return whether a retry may help; close an unusable connection."""
        state = error.sqlstate or ""
        is_lost = isinstance(error, psycopg.OperationalError | psycopg.InterfaceError) and not state.startswith("40")
        if state == _READ_ONLY:
            self.close()
            return True
        if is_lost or self._connection is None or self._connection.broken:
            self.close()
            return HOPELESS.search(str(error)) is None
        return state in _PASSING_STATES or state.startswith(_PASSING_CLASSES)


def connect(conninfo: str) -> psycopg.Connection[NamedRow]:
    """Return a connection in autocommit mode.

    Raises:
        psycopg.Error: the connection failed.
    """
    given = {name: str(value) for name, value in conninfo_to_dict(conninfo).items() if value is not None}
    connection = psycopg.Connection[NamedRow].connect(
        make_conninfo(**{**_DEFAULTS, **given}), autocommit=True, row_factory=_rows
    )
    # With one type for all integers a statement is prepared once, not for each size.
    connection.adapters.register_dumper(int, Int8Dumper)
    connection.adapters.register_dumper(str, _TextDumper)
    return connection


def _cancel(connection: psycopg.Connection[NamedRow]) -> None:
    if capabilities.has_cancel_safe() and connection.info.transaction_status is TransactionStatus.ACTIVE:
        connection.cancel_safe(timeout=_CANCEL_SECONDS)


def _is_of_the_data(error: psycopg.Error) -> bool:
    if error.sqlstate is None:  # psycopg cannot convert a parameter
        return isinstance(error, psycopg.DataError)
    return error.sqlstate.startswith(_OF_THE_DATA)


def said(error: psycopg.Error) -> str:
    """Return the message of the server or libpq, on one line."""
    return " ".join((str(error) or type(error).__name__).split())
