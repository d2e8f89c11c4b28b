"""`jobindex` on a terminal, as people run it."""

import os
import pty
import subprocess
import sys
from contextlib import suppress


def on_terminal(*arguments: object, **environment: str) -> tuple[int, str]:
    """Run a command to its end on a terminal of 120 columns; return its exit status and all that it drew."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "jobindex", *map(str, arguments)],
        env={
            **{name: value for name, value in os.environ.items() if not name.startswith("JOBINDEX_")},
            "TERM": "xterm-256color",
            "COLUMNS": "120",
            **environment,
        },
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    drawn = b""
    with suppress(OSError):  # Linux says so that the other end is closed
        while chunk := os.read(ours, 65536):
            drawn += chunk
    os.close(ours)
    return process.wait(60), drawn.decode()
