"""Keeps the write-ahead log short although readers overlap.

SQLite copies the log into the database by itself (a PASSIVE checkpoint at CHECKPOINT_PAGES), but restarts it only when
no reader uses it. If readers overlap, it may grow without limit
(sqlite.org/wal.html#avoiding_excessively_large_wal_files).

So the writer runs a TRUNCATE checkpoint, which blocks commits until the readers of the log have ended:

- past SHORT_BYTES for 50 ms, enough for pages of ListJobs; again after each further SHORT_BYTES;
- past LONG_BYTES for 5 s, enough for readers of seconds; again when the log has doubled. Messages wait at the broker.

Only the writing connection does this (`store.py` has the reason). Not chosen: a TRUNCATE checkpoint after every batch,
which waits for the disk twice more.
"""

from pathlib import Path

CHECKPOINT_PAGES = 4000
"""16 MiB: about as many as a batch of thousands of messages writes; the next batch writes half of them again."""
SHORT_BYTES = 24 * 1024 * 1024
LONG_BYTES = 64 * 1024 * 1024
KEPT_BYTES = 18 * 1024 * 1024
"""The file keeps this size when SQLite restarts the log: more than the log needs, because growing a file costs time."""
_MOMENT_MS = 50
_WHILE_MS = 5000


def wal_bytes(database: Path) -> int:
    """Return the size of the log; 0 if there is none."""
    try:
        return Path(f"{database}-wal").stat().st_size
    except FileNotFoundError:
        return 0


class WalLimit:
    """Decides when a writing connection empties the log."""

    def __init__(self) -> None:
        self._next_try = SHORT_BYTES
        self._next_wait = LONG_BYTES

    def patience_ms(self, length: int) -> int | None:
        """Return how long a checkpoint may wait for readers; None if none is due."""
        if length < SHORT_BYTES:
            self._next_try, self._next_wait = SHORT_BYTES, LONG_BYTES
        if length < self._next_try:
            return None
        self._next_try = length + SHORT_BYTES
        if length < self._next_wait:
            return _MOMENT_MS
        self._next_wait = 2 * length
        return _WHILE_MS
