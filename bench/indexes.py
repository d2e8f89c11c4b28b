"""The measured indexes, written through the product's own store and reused until their generator changes."""

import asyncio
import shutil
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from bench.jobs import reports
from bench.streams import digest
from jobindex.storage.sqlite.store import open_store

_BATCH = 20_000


def index_file(data: Path, size: int) -> Path:
    """Return the database of an index of `size` jobs; it is read-only."""
    root = Path(__file__).parent.parent
    makers = (root / "bench/jobs.py", *sorted((root / "migrations/sqlite").glob("*.sql")))
    path = data / f"index-{size}-{digest(makers)}.db"
    if not path.exists():
        written = path.with_suffix(".part")
        _remove(written)  # left by an interrupted run
        asyncio.run(_make(written, size))
        written.rename(path)
        _remove(written)
    return path


def copy_index(data: Path, size: int, directory: Path) -> Path:
    """Return a writable copy of an index."""
    return Path(shutil.copyfile(index_file(data, size), directory / f"index-{size}.db"))


def _remove(database: Path) -> None:
    """Delete a database and the files beside it."""
    for file in database.parent.glob(f"{database.name}*"):
        file.unlink()


async def _make(path: Path, size: int) -> None:
    told = reports(size)
    async with open_store(path) as store:
        while batch := list(islice(told, _BATCH)):
            await store.apply(batch, (), now=datetime.now(UTC))
