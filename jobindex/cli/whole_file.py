"""A file that has its name only once it is whole and on disk."""

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
    """Yield what is written to `output`, where it is whole once the block has ended well; stdout for None.

    A file that was there is replaced, under the name that symbolic links lead to, and keeps its rights. What is no
    regular file, such as a pipe, is written to directly.

    Raises:
        BackupError: it cannot be written; a file that was there is as it was.
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
    """Let signals that end a process leave the block by its `finally` clauses."""

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
