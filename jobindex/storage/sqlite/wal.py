"""How the write-ahead log stays short while readers never stop.

SQLite copies the log into the database by itself (a PASSIVE checkpoint after the commit that makes the log
longer than CHECKPOINT_PAGES), but begins it anew only when no reader stands in it. Readers that overlap may never
leave such a moment, and then the log grows without limit (sqlite.org/wal.html#avoiding_excessively_large_wal_files).

So the writer, once the log is longer than it should be, asks for a TRUNCATE checkpoint: it keeps new commits
away until the readers that stand in the log have gone; those that come meanwhile read the database itself.
How long it may wait grows with the log:

- past SHORT_BYTES a moment, in which pages of ListJobs end; again after each further SHORT_BYTES;
- past LONG_BYTES long enough for readers of seconds; again when the log has doubled.
  Meanwhile messages wait in the broker: that is the price of the limit, and a reader that stays for hours
  asks it only a few times.

Only the writing connection does this: SQLite up to 3.51.2 can corrupt a log that two connections reset. Not
chosen: a TRUNCATE checkpoint after every batch (each waits for the disk twice more), and none but PASSIVE ones.
"""

from pathlib import Path

CHECKPOINT_PAGES = 4000
"""16 MiB. A batch of thousands of messages writes about as many, half of which the next one writes again."""
SHORT_BYTES = 24 * 1024 * 1024
LONG_BYTES = 64 * 1024 * 1024
KEPT_BYTES = 18 * 1024 * 1024
"""What the file keeps when SQLite begins the log anew by itself: more than that takes, as a longer file costs time."""
_MOMENT_MS = 50
_WHILE_MS = 5000


def wal_bytes(database: Path) -> int:
    """Return the length of a database's write-ahead log, 0 where there is none."""
    try:
        return Path(f"{database}-wal").stat().st_size
    except FileNotFoundError:
        return 0


class WalLimit:
    """Tells when the log must be emptied; one for each writing connection."""

    def __init__(self) -> None:
        self._next_try = SHORT_BYTES
        self._next_wait = LONG_BYTES

    def patience_ms(self, length: int) -> int | None:
        """Return how long a checkpoint may wait for readers now that the log is so long, None where none is due."""
        if length < SHORT_BYTES:
            self._next_try, self._next_wait = SHORT_BYTES, LONG_BYTES
        if length < self._next_try:
            return None
        self._next_try = length + SHORT_BYTES
        if length < self._next_wait:
            return _MOMENT_MS
        self._next_wait = 2 * length
        return _WHILE_MS
