"""The database of a site: a file or a PostgreSQL server, on a small disk."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from support.postgresql_servers import Server, server

from faults.disk import Disk, small_disk

Kind = Literal["sqlite", "postgresql"]

DATABASE = "jobindex"

_SERVER_DISK_BYTES = 256 * 1024 * 1024
# The default write-ahead log would fill the disk.
_SERVER_SETTINGS = ("min_wal_size=32MB", "max_wal_size=64MB")


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """The database of the index."""

    where: Path | str
    """The file, or the URL."""
    disk: Disk
    server: Server | None = None


@contextmanager
def open_database(directory: Path, kind: Kind) -> Iterator[Database]:
    """Create a database; a file's disk is in the directory, a server's in a directory that its user can read."""
    if kind == "sqlite":
        with small_disk(directory / "disk") as disk:
            yield Database(where=disk.directory / "jobindex.db", disk=disk)
        return
    with tempfile.TemporaryDirectory(prefix="jobindex-faults-") as temporary:
        Path(temporary).chmod(0o755)
        with (
            small_disk(Path(temporary) / "disk", size=_SERVER_DISK_BYTES) as disk,
            server(*_SERVER_SETTINGS, directory=disk.directory) as running,
        ):
            running.execute(f"CREATE DATABASE {DATABASE}")
            yield Database(where=running.url(DATABASE), disk=disk, server=running)
