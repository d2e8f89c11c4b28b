"""The progress of a command: a bar on standard error, only on a terminal and after one second."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from jobindex.cli.output import note, printable, say

if TYPE_CHECKING:
    from rich.progress import Progress

_SECONDS = 1


class Working:
    """The progress of a command, for its bar."""

    def __init__(self, bar: "Progress | None" = None) -> None:
        self._bar = bar
        self._lock = threading.Lock()

    def advance(self, done: int, total: int | None) -> None:
        """Update the bar; `total` is None if unknown."""
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=done, total=total)

    def describe(self, description: str, details: str) -> None:
        """Change the text before the bar, and the text after it."""
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], description=printable(description), details=printable(details))

    def say(self, line: str) -> None:
        """Print a line, above the bar if both are on the terminal."""
        line = printable(line)
        with self._lock:
            if self._bar is not None and self._bar.live.is_started and sys.stdout.isatty():
                self._bar.console.print(line, markup=False, highlight=False, soft_wrap=True)
            else:
                say(line)

    def note(self, line: str) -> None:
        """Print a line to standard error, above the bar."""
        with self._lock:
            if self._bar is not None and self._bar.live.is_started:
                self._bar.console.print(printable(line), markup=False, highlight=False, soft_wrap=True)
            else:
                note(line)

    def show(self) -> None:
        """Show the bar, while no line is being printed."""
        if self._bar is not None:
            with self._lock:
                self._bar.start()


@contextmanager
def progress(description: str, *, is_bytes: bool = False, is_wanted: bool = True) -> Iterator[Working]:
    """Yield an object that takes progress reports; show a bar if it `is_wanted`."""
    if not is_wanted or not sys.stderr.isatty():
        yield Working()
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        MofNCompleteColumn,
        Progress,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
    )

    bar = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(binary_units=True) if is_bytes else MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[details]}", markup=False),
        console=Console(stderr=True),
        transient=True,
        redirect_stdout=False,  # stdout may be a pipe
    )
    bar.add_task(description, total=None, details="")
    working = Working(bar)
    showing = threading.Timer(_SECONDS, working.show)
    showing.daemon = True
    showing.start()
    try:
        yield working
    finally:
        showing.cancel()
        showing.join()
        bar.stop()
