"""Reading pages at once, in the thread of the event loop.

A page is a few hundred rows that lie in memory, read in less time than it takes to hand a statement to another
thread and to come back: the event loop waits longer for the other thread to let go of the interpreter than for
the page. What takes long after all, or would have to wait for a lock, is given up here and read in a thread.
"""

import sqlite3
from pathlib import Path

from jobindex.model.listing import JobPage, ListJobsQuery
from jobindex.storage.sql.engine import Engine
from jobindex.storage.sql.pages import Known, read_page
from jobindex.storage.sql.scope import Visible
from jobindex.storage.sqlite.file import uri

INSTRUCTIONS_MAXIMUM = 100_000
"""Instructions of SQLite's machine that a page may take, up to twice as many: some milliseconds; most take a tenth."""
KNOWN_MAXIMUM = 10_000
"""Thing groups of which is known whether an id is tied to them; beyond, all are forgotten."""

_CACHE_KIB = 8 * 1024


class QuickReader:
    """A connection that only reads, and never waits."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(uri(path, "ro"), uri=True, isolation_level=None, timeout=0)
        self._connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        self._connection.set_progress_handler(self._takes_long, INSTRUCTIONS_MAXIMUM)
        self._halts = 0
        self._known: Known = {}
        self._known_at: object = None

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def read(self, engine: Engine, query: ListJobsQuery, visible: Visible) -> JobPage:
        """Return a page of the visible jobs from one snapshot.

        Raises:
            ResourceNotFoundException: as `read_page` raises it.
            sqlite3.OperationalError: it took too long (SQLITE_INTERRUPT), or would have to wait (SQLITE_BUSY).
        """
        self._halts = 0
        self._connection.execute("BEGIN")
        try:
            self._expire()
            return read_page(self._connection, engine=engine, query=query, known=self._known, visible=visible)
        finally:
            self._connection.rollback()

    def _takes_long(self) -> bool:
        # SQLite counts on from where the statement, which it keeps, ended the last time: one halt says nothing. (Two,
        # of two statements of a page, do not either; then a page is read in a thread for nothing.)
        self._halts += 1
        return self._halts > 1

    def _expire(self) -> None:
        """Drop the known ids if they are of an older snapshot, or too many."""
        [(version,)] = self._connection.execute("PRAGMA data_version").fetchall()
        if version != self._known_at or len(self._known) > KNOWN_MAXIMUM:
            self._known, self._known_at = {}, version
