"""`jobindex` on a terminal, as users run it."""

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Thread

from support.commands import Process, start

_ROWS, _COLUMNS = 40, 120
_SECONDS = 60


def on_terminal(*arguments: object, **environment: str) -> tuple[int, str]:
    """Run a command of jobindex to its end on a terminal; return its exit status and its output."""

    def begin(terminal: Path) -> Process:
        return start(
            *arguments, environment=_environment(environment), input_=terminal, output=terminal, errors=terminal
        )

    return _on_terminal(begin)


def run_on_terminal(
    arguments: Sequence[object], output: Path | None = None, *, environment: Mapping[str, str] | None = None
) -> tuple[int, str]:
    """Run Python to its end on a terminal, with stdout in `output` if given; return its exit status and the rest."""

    def begin(terminal: Path) -> Process:
        with terminal.open("r+b", buffering=0) as theirs, (output or terminal).open("wb") as file:
            return subprocess.Popen(
                [sys.executable, *map(str, arguments)],
                env=_environment(environment or {}),
                stdin=theirs,
                stdout=file,
                stderr=theirs,
            )

    return _on_terminal(begin)


def _environment(further: Mapping[str, str]) -> Mapping[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("JOBINDEX_", "NO_COLOR"))}
    return {**inherited, "TERM": "xterm-256color", "COLUMNS": str(_COLUMNS), **further}


def _on_terminal(begin: Callable[[Path], Process]) -> tuple[int, str]:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", _ROWS, _COLUMNS, 0, 0))
    process = begin(Path(os.ttyname(theirs)))

    def close() -> None:
        try:
            process.wait(_SECONDS)
        finally:
            os.close(theirs)  # keeps the terminal open until then, even before the process opens it

    closing = Thread(target=close)
    closing.start()
    drawn = b""
    with suppress(OSError):  # so Linux reports that the other side is closed
        while chunk := os.read(ours, 65536):
            drawn += chunk
    closing.join()
    os.close(ours)
    return process.wait(_SECONDS), drawn.decode()
