"""Reading pages at once, in the thread of the event loop.

A page is a few hundred rows that lie in memory, read in less time than it takes to hand a statement to another
thread and to come back: the event loop waits longer for the other thread to let go of the interpreter than for
the page. What takes long after all, or would have to wait for a lock, is given up here and read in a thread.
"""

import sqlite3
from pathlib import Path

from jobindex.listing import JobPage
from jobindex.sqlite_file import uri
from jobindex.sqlite_list import Steps

INSTRUCTIONS_MAXIMUM = 200_000
"""Instructions of SQLite's machine that a statement may take: some milliseconds; a page takes about a tenth."""

_CACHE_KIB = 8 * 1024


class QuickReader:
    """A connection that only reads, and never waits."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(uri(path, "ro"), uri=True, isolation_level=None, timeout=0)
        self._connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        self._connection.set_progress_handler(lambda: True, INSTRUCTIONS_MAXIMUM)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def read(self, steps: Steps) -> JobPage:
        """Return the page that comes of some steps, in one snapshot.

        Raises:
            sqlite3.OperationalError: it took too long (SQLITE_INTERRUPT), or would have to wait (SQLITE_BUSY).
        """
        self._connection.execute("BEGIN")
        try:
            statement, parameters = next(steps)
            while True:
                statement, parameters = steps.send(self._connection.execute(statement, parameters).fetchall())
        except StopIteration as end:
            page: JobPage = end.value
            return page
        finally:
            self._connection.rollback()
