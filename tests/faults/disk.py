"""A small disk for the index, which can be full: a tmpfs of its own for root, else a limit on the size of files."""

import os
import resource
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_SIZE_BYTES = 64 * 1024 * 1024
_CHUNK = 64 * 1024


class Disk:
    """A directory for the files of an index."""

    def __init__(self, directory: Path, *, is_mounted: bool) -> None:
        self.directory = directory
        self.is_mounted = is_mounted

    @contextmanager
    def full(self, pid: int) -> Iterator[None]:
        """Leave no room on the disk while the context is open, at least not for files of the process `pid`."""
        if not self.is_mounted:
            largest = max((file.stat().st_size for file in self.directory.iterdir()), default=0)
            with _limited(pid, largest):
                yield
            return
        filler = self.directory / "filler"
        try:
            _fill(filler)
            yield
        finally:
            filler.unlink()


@contextmanager
def small_disk(directory: Path, *, size: int = _SIZE_BYTES) -> Iterator[Disk]:
    """Make a disk in a directory, and take it away afterwards."""
    directory.mkdir()
    mount = shutil.which("mount")
    options = ["-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(directory)]
    is_mounted = (
        os.geteuid() == 0
        and mount is not None
        and subprocess.run([mount, *options], check=False, capture_output=True).returncode == 0
    )
    try:
        yield Disk(directory, is_mounted=is_mounted)
    finally:
        if is_mounted:
            subprocess.run(["umount", str(directory)], check=True, timeout=10)


def _fill(filler: Path) -> None:
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(b"\0" * _CHUNK):
            pass


@contextmanager
def _limited(pid: int, size: int) -> Iterator[None]:
    """Let a process make no file larger than `size`; what it raises is EFBIG, as Python ignores the signal."""
    soft, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (soft, hard))
