"""`jobindex` on a terminal, as people run it."""

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

_ROWS, _COLUMNS = 40, 120


def on_terminal(*arguments: object, **environment: str) -> tuple[int, str]:
    """Run a command of jobindex to its end on a terminal; return its exit status and all that it drew."""
    return run_on_terminal(["-m", "jobindex", *arguments], environment=environment)


def run_on_terminal(
    arguments: Sequence[object], output: Path | None = None, *, environment: Mapping[str, str] | None = None
) -> tuple[int, str]:
    """Run Python to its end on a terminal, but for what it prints to `output`; return its exit status and the rest."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", _ROWS, _COLUMNS, 0, 0))
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("JOBINDEX_", "NO_COLOR"))}
    with open(output or os.devnull, "wb") as file:  # noqa: PTH123 (either a path or a name)
        process = subprocess.Popen(
            [sys.executable, *map(str, arguments)],
            env={**inherited, "TERM": "xterm-256color", "COLUMNS": str(_COLUMNS), **(environment or {})},
            stdin=theirs,
            stdout=theirs if output is None else file,
            stderr=theirs,
        )
    os.close(theirs)
    drawn = b""
    with suppress(OSError):  # so Linux says that the other end is closed
        while chunk := os.read(ours, 65536):
            drawn += chunk
    os.close(ours)
    return process.wait(60), drawn.decode()
