"""Reads pages in the thread of the event loop.

A page is a few hundred rows in memory, read faster than a statement goes to another thread and back. A read that takes
long, or would wait for a lock, is repeated in a thread.
"""

import sqlite3
from pathlib import Path

from jobindex.model.listing import JobPage, ListJobsQuery
from jobindex.storage.sql.engine import Engine
from jobindex.storage.sql.pages import Known, read_page
from jobindex.storage.sql.scope import Visible
from jobindex.storage.sqlite.file import uri

INSTRUCTIONS_MAXIMUM = 100_000
"""A page may take up to twice as many instructions of SQLite: some milliseconds. Most take a tenth."""
KNOWN_MAXIMUM = 10_000
"""Thing groups whose tied ids are cached; a larger cache is cleared."""

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
            ResourceNotFoundException: see `read_page`.
            sqlite3.OperationalError: it took too long (SQLITE_INTERRUPT), or would wait (SQLITE_BUSY).
        """
        self._halts = 0
        self._connection.execute("BEGIN")
        try:
            self._expire()
            return read_page(self._connection, engine=engine, query=query, known=self._known, visible=visible)
        finally:
            self._connection.rollback()

    def _takes_long(self) -> bool:
        # The count of a cached statement continues from its last run, so one halt proves nothing. (Nor do two, if the
        # page has two statements; then a thread reads it needlessly.)
        self._halts += 1
        return self._halts > 1

    def _expire(self) -> None:
        [(version,)] = self._connection.execute("PRAGMA data_version").fetchall()
        if version != self._known_at or len(self._known) > KNOWN_MAXIMUM:
            self._known, self._known_at = {}, version
