"""A connection to the database that comes back when it was lost, used in one thread.

What a server refuses for a moment is tried again here, after a moment that jitter spreads: serialization failures and
deadlocks (another transaction was first), and connections that were lost or that a server in trouble ended (it is
restarted, or another takes its place). Every transaction may be run twice: merges change nothing the second time.

Each statement is waited for. Not chosen: pipeline mode, which halves the time of a batch: a server that has not been
asked for an answer does not count as idle, and a process that stops there (SIGSTOP, a machine that is frozen) would
hold its transaction, and with it the turn of every writer, for as long as it likes.
"""

import os
import random
import re
import socket
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import count
from typing import Any, TypeVar

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.types.numeric import Int8Dumper
from psycopg.types.string import StrDumper

from jobindex.errors import DatabaseUnavailableError
from jobindex.storage.postgres.dialect import translated

T = TypeVar("T")

_FIRST_PAUSE_SECONDS = 0.02
_PASSING_STATES = ("40001", "40P01", "57P01", "57P02", "57P03")
"""Serialization failure, deadlock, shutdown, crash, not yet started."""
_READ_ONLY = "25006"
"""The session leads to a standby, or was made read-only: only a new session may write again."""
_PASSING_CLASSES = ("08", "53")
"""Connection exceptions, insufficient resources."""

HOPELESS = re.compile("does not exist|authentication failed|no password supplied|pg_hba.conf|permission denied")
"""What waiting does not mend: of a connection that does not come about, libpq tells the text alone, and no code."""

# What a server is asked for where the URL does not say otherwise: one that died without a word is noticed.
_DEFAULTS = {
    "application_name": "jobindex",
    "connect_timeout": "5",
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "tcp_user_timeout": "10000",
}

# Settings of PostgreSQL that hold it to plans that cost the same at any size: the statements say how they are to be
# run, and statistics of yesterday, or none, do not know better. A plan's cost is the rows that it reads. An engine that
# lacks one goes without it.
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
# A process that stops within a transaction does not hold up the others for longer.
_PATIENCE = {"idle_in_transaction_session_timeout": "5s"}

_SET = """
SELECT set_config(name, wanted.value, false)
FROM pg_settings
JOIN (VALUES {values}) AS wanted (setting, value) ON wanted.setting = name
"""
# A commit survives the loss of the server, and where there is a synchronous standby that of the primary.
_SET_DURABLE = """
SELECT set_config(name, 'on', false)
FROM pg_settings
WHERE name = 'synchronous_commit'
AND setting IN ('off', 'local')
"""


class NamedRow:
    """A row, whose columns are known by their names and in their order."""

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
    """Dumps texts without NUL, which PostgreSQL cannot hold; only a rejected message may have one."""

    def dump(self, obj: str) -> Any:  # noqa: ANN401
        return super().dump(obj.replace("\0", "\N{REPLACEMENT CHARACTER}"))


class Transaction:
    """A Connection of `sql/`, in an open transaction: it says the statements in PostgreSQL's words."""

    def __init__(self, connection: psycopg.Connection[NamedRow]) -> None:
        self.connection = connection

    def execute(self, statement: str, parameters: Mapping[str, Any] | None = None, /) -> psycopg.Cursor[NamedRow]:
        """Run a statement."""
        return self.connection.execute(translated(statement).encode(), parameters or {})

    def executemany(self, statement: str, parameters: Iterable[Mapping[str, Any]], /) -> psycopg.Cursor[NamedRow]:
        """Run a statement with each of these parameters."""
        cursor = self.connection.cursor()
        cursor.executemany(translated(statement).encode(), list(parameters))
        return cursor


class ReconnectingConnection:
    """A connection of one thread; `prepare` is run on each that is made.

    A transaction is tried `attempts` times before it is the caller's turn to wait.
    """

    def __init__(
        self,
        conninfo: str,
        prepare: Callable[[psycopg.Connection[NamedRow]], None] = lambda _: None,
        *,
        writes: bool,
        attempts: int = 4,
    ) -> None:
        self._conninfo = conninfo
        self._prepare = prepare
        self._writes = writes
        self._attempts = attempts
        self._connection: psycopg.Connection[NamedRow] | None = None

    def run(self, work: Callable[[Transaction], T], *, done: str) -> T:
        """Do some work in a transaction of its own.

        Raises:
            DatabaseUnavailableError: it could not be `done`, read or written, in several attempts.
        """
        for attempt in count(1):
            try:
                connection = self._connected()
                with connection.transaction():
                    return work(Transaction(connection))
            except psycopg.Error as error:
                if not self._may_try_again(error) or attempt >= self._attempts:
                    raise DatabaseUnavailableError(f"The index cannot be {done}: {_said(error)}") from error
            time.sleep(random.uniform(0.5, 1) * _FIRST_PAUSE_SECONDS * 4**attempt)
        raise AssertionError  # it returns or raises

    def abort(self) -> None:
        """Cut the connection, from whatever thread: who waits for an answer waits no longer, and tries once more."""
        connection = self._connection
        with suppress(psycopg.Error, OSError):
            if connection is not None and not connection.closed:
                with socket.socket(fileno=os.dup(connection.fileno())) as wire:
                    wire.shutdown(socket.SHUT_RDWR)

    def end(self) -> None:
        """Cut the connection for good, from whatever thread: nothing is tried again."""
        self._attempts = 0
        self.abort()

    def begin(self) -> Transaction:
        """Begin a transaction that lasts until this is closed; nothing in it is tried again.

        Raises:
            psycopg.Error: there is no connection.
        """
        connection = self._connected()
        connection.autocommit = False
        return Transaction(connection)

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            with suppress(psycopg.Error):
                self._connection.close()
            self._connection = None

    def _connected(self) -> psycopg.Connection[NamedRow]:
        if self._connection is None or self._connection.closed:
            connection = connect(self._conninfo)
            try:
                self._set(connection)
                self._prepare(connection)
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
            connection.execute(_SET_DURABLE)
            connection.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
        else:
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            connection.read_only = True

    def _may_try_again(self, error: psycopg.Error) -> bool:
        """Tell whether an error may pass; a connection that is of no more use is closed."""
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
    """Return a connection on which each statement is a transaction of its own.

    Raises:
        psycopg.Error: there is none.
    """
    told = {name: str(value) for name, value in conninfo_to_dict(conninfo).items() if value is not None}
    connection = psycopg.Connection[NamedRow].connect(
        make_conninfo(**{**_DEFAULTS, **told}), autocommit=True, row_factory=_rows
    )
    # One type of number and of text: a statement is prepared once, not for each size of its numbers.
    connection.adapters.register_dumper(int, Int8Dumper)
    connection.adapters.register_dumper(str, _TextDumper)
    return connection


def _said(error: psycopg.Error) -> str:
    return " ".join((str(error) or type(error).__name__).split())
