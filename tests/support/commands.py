"""`jobindex` as a process.

Its imports take longer than most commands. So a plain run forks each process from one that has imported everything;
with `--system` or `--left-out` each is a separate process, as a shell starts it.
"""

import atexit
import os
import pkgutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from io import TextIOWrapper
from multiprocessing import get_context
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import jobindex as package
from jobindex.__main__ import main

_SECONDS = 60
_NOTHING = Path(os.devnull)


def _modules() -> list[str]:
    """Return the modules of jobindex, many of which a command imports only when it needs them."""
    return [
        module.name for module in pkgutil.walk_packages(package.__path__, "jobindex.") if "__main__" not in module.name
    ]


_IMPORTED_LATE = ("encodings.idna", "rich.markdown", "typer._adapters", "typer.rich_utils")
"""Late imports of typer, rich and urllib, including pydantic and the Markdown parser: most of a command's time."""

_forking = get_context("forkserver")
_forking.set_forkserver_preload(["support.commands", *_modules(), *_IMPORTED_LATE])

is_forked = False
"""Whether processes are forked; conftest.py sets it."""


class _Forked:
    """A forked process, with the methods of `subprocess.Popen`."""

    def __init__(self, process: ForkServerProcess) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        if (status := self._process.exitcode) is None:
            raise subprocess.TimeoutExpired("jobindex", timeout or 0)
        return status

    def send_signal(self, sig: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, sig)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


Process = subprocess.Popen[bytes] | _Forked


def jobindex(*arguments: object, **settings: object) -> "subprocess.CompletedProcess[str]":
    """Run a command of jobindex to its end."""
    return piped(_NOTHING, *arguments, **settings)


def piped(input_: Path, *arguments: object, **settings: object) -> "subprocess.CompletedProcess[str]":
    """Run a command of jobindex that reads a file as its standard input, to its end."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("JOBINDEX_")}
    environment |= {f"JOBINDEX_{name}": str(value) for name, value in settings.items()}
    with tempfile.TemporaryDirectory(prefix="jobindex-command-") as folder:
        output, errors = (Path(folder) / name for name in ("stdout", "stderr"))
        process = start(*arguments, environment=environment, input_=input_, output=output, errors=errors)
        try:
            status = process.wait(_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
        return subprocess.CompletedProcess([*map(str, arguments)], status, output.read_text(), errors.read_text())


def start(
    *arguments: object,
    environment: Mapping[str, str],
    input_: Path = _NOTHING,
    output: Path = _NOTHING,
    errors: Path = _NOTHING,
) -> Process:
    """Start a command of jobindex; its output and its errors are appended to files or written to terminals."""
    called = [str(argument) for argument in arguments]
    files = (input_, output, errors)
    if is_forked:
        process = _forking.Process(target=_command, args=(called, environment, Path.cwd(), files), daemon=True)
        process.start()
        return _Forked(process)
    with ExitStack() as stack:
        opened = [_open(file) for file in files]
        for descriptor in opened:
            stack.callback(os.close, descriptor)
        stdin, stdout, stderr = opened
        return subprocess.Popen(
            [sys.executable, "-m", "jobindex", *called], env=environment, stdin=stdin, stdout=stdout, stderr=stderr
        )


def _open(file: Path) -> int:
    return os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOCTTY, 0o600)


def _command(arguments: Sequence[str], environment: Mapping[str, str], folder: Path, files: Sequence[Path]) -> None:
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    for descriptor, file in enumerate(files):
        os.dup2(_open(file), descriptor)
    sys.stdin = os.fdopen(0, closefd=False)  # multiprocessing has replaced it by the null device
    assert isinstance(sys.stdout, TextIOWrapper)
    sys.stdout.reconfigure(line_buffering=os.isatty(1))
    try:
        sys.exit(main(arguments))
    finally:
        atexit._run_exitfuncs()  # multiprocessing ends a forked process without them; coverage saves its data in one
