"""How far a command has come: a bar on standard error, on a terminal alone, once it takes longer than a second."""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Advance = Callable[[int, int | None], None]
"""Takes how much is done, and of how much; None where that is not known."""

_SECONDS = 1


@contextmanager
def progress(description: str, *, is_bytes: bool = False) -> Iterator[Advance]:
    """Show how far the block has come, by what it tells the function that is yielded."""
    if not sys.stderr.isatty():
        yield lambda _done, _total: None
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
        console=Console(stderr=True),
        transient=True,
        # Lines that the command prints meanwhile go above the bar, where both are on the terminal.
        redirect_stdout=sys.stdout.isatty(),
        redirect_stderr=True,
    )
    task = bar.add_task(description, total=None)
    showing = threading.Timer(_SECONDS, bar.start)
    showing.daemon = True
    showing.start()
    try:
        yield lambda done, total: bar.update(task, completed=done, total=total)
    finally:
        showing.cancel()
        showing.join()
        bar.stop()
