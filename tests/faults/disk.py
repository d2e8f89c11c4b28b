"""A small disk for the index, which can be full: a tmpfs for root, otherwise a limit on the size of files."""

import os
import resource
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

_SIZE_BYTES = 64 * 1024 * 1024
_CHUNK = 64 * 1024


class Disk:
    """A directory for the files of an index."""

    def __init__(self, directory: Path, *, is_mounted: bool) -> None:
        self.directory = directory
        self.is_mounted = is_mounted

    @contextmanager
    def full(self, pids: Sequence[int]) -> Iterator[None]:
        """Fill the disk while the context is open, or at least limit the files of these processes."""
        if not self.is_mounted:
            largest = max((file.stat().st_size for file in self.directory.iterdir()), default=0)
            with ExitStack() as stack:
                for pid in pids:
                    stack.enter_context(_limited(pid, largest))
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
    """Mount a disk in a directory, and unmount it afterwards."""
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
    """Limit the files of a process to `size`; a write then raises EFBIG, as Python ignores SIGXFSZ."""
    try:
        soft, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, hard))
    except ProcessLookupError:
        yield
        return
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (soft, hard))
