"""The indexes that are asked, made through the product's own store once and used again while nothing changes."""

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
    """Return the database of an index of `size` jobs; nobody may write to it."""
    root = Path(__file__).parent.parent
    makers = (root / "bench/jobs.py", *sorted((root / "migrations/sqlite").glob("*.sql")))
    path = data / f"index-{size}-{digest(makers)}.db"
    if not path.exists():
        written = path.with_suffix(".part")
        _remove(written)  # a run that was ended
        asyncio.run(_make(written, size))
        written.rename(path)
        _remove(written)
    return path


def copy_index(data: Path, size: int, directory: Path) -> Path:
    """Return a copy of an index to work with."""
    return Path(shutil.copyfile(index_file(data, size), directory / f"index-{size}.db"))


def _remove(database: Path) -> None:
    """Remove a database, and what stands beside it."""
    for file in database.parent.glob(f"{database.name}*"):
        file.unlink()


async def _make(path: Path, size: int) -> None:
    told = reports(size)
    async with open_store(path) as store:
        while batch := list(islice(told, _BATCH)):
            await store.apply(batch, (), now=datetime.now(UTC))
