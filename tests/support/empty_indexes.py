"""Empty indexes in SQLite files, copied because migrations take most of the time to open a new one."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from jobindex.storage.sqlite.store import migrate


def empty_index(path: Path) -> Path:
    """Create the file of an empty index if there is none; return its path."""
    if not path.exists():
        path.write_bytes(_migrated())
    return path


@cache
def _migrated() -> bytes:
    with TemporaryDirectory() as folder, ThreadPoolExecutor(1) as thread:  # the caller may run in an event loop
        path = Path(folder) / "empty.db"
        thread.submit(asyncio.run, migrate(path)).result()
        return path.read_bytes()
