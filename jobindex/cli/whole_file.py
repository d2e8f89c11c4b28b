"""A file that gets its name when it is complete and on disk."""

import os
import secrets
import signal
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TextIO

from jobindex.errors import BackupError

_SIGNALS = (signal.SIGTERM, signal.SIGHUP)


@contextmanager
def opened(output: Path | None) -> Iterator[TextIO]:
    """Yield a file that becomes `output` when the block ends without an error; stdout for None.

    An existing file is replaced and keeps its permissions; symbolic links are followed. A file that is not regular,
    such as a pipe, is written directly.

    Raises:
        BackupError: the file cannot be written; an existing file is unchanged.
    """
    if output is None:
        yield sys.stdout
        sys.stdout.flush()
        return
    try:
        mode = output.stat().st_mode if output.exists() else None
        if mode is None or stat.S_ISREG(mode):
            with _replacing(output.resolve(), mode) as file:
                yield file
        else:
            with output.open("w", encoding="utf-8") as file:
                yield file
    except OSError as error:
        raise BackupError(f"{output}: {error.strerror}") from error


@contextmanager
def _replacing(path: Path, mode: int | None) -> Iterator[TextIO]:
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    with _ending_in_order():
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
            with os.fdopen(os.open(partial, flags, 0o666 if mode is None else 0o600), "w", encoding="utf-8") as file:
                if mode is not None:
                    os.fchmod(file.fileno(), stat.S_IMODE(mode))
                yield file
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
        _sync(path.parent)


@contextmanager
def _ending_in_order() -> Iterator[None]:
    """Run the block's `finally` clauses before a signal ends the process."""

    def end(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        raise SystemExit(128 + number)

    former = {number: signal.getsignal(number) for number in _SIGNALS}
    former = {number: handler for number, handler in former.items() if handler not in {signal.SIG_IGN, None}}  # nohup
    for number in former:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
