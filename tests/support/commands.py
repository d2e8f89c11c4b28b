"""`jobindex` as a command that ends.

What a command imports takes longer than most commands do. So a plain run forks each command from a process that has
imported it all; with `--system` or `--left-out` each is a process of its own, as a shell starts it.
"""

import atexit
import os
import pkgutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from multiprocessing import get_context
from pathlib import Path

import jobindex as package
from jobindex.__main__ import main

_SECONDS = 60


def _modules() -> list[str]:
    """Return the modules of jobindex, many of which a command imports only when it needs them."""
    return [
        module.name for module in pkgutil.walk_packages(package.__path__, "jobindex.") if "__main__" not in module.name
    ]


_forking = get_context("forkserver")
_forking.set_forkserver_preload(["support.commands", *_modules()])


def jobindex(*arguments: object, **settings: object) -> "subprocess.CompletedProcess[str]":
    """Run a command of jobindex to its end."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("JOBINDEX_")}
    environment |= {f"JOBINDEX_{name}": str(value) for name, value in settings.items()}
    called = [str(argument) for argument in arguments]
    return _fork(called, environment) if is_forked else _run(called, environment)


is_forked = False
"""Whether a command is forked; conftest.py sets it."""


def _run(arguments: Sequence[str], environment: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "jobindex", *arguments],
        env=environment,
        check=False,
        capture_output=True,
        text=True,
        timeout=_SECONDS,
    )


def _fork(arguments: Sequence[str], environment: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
    with tempfile.TemporaryDirectory(prefix="jobindex-command-") as folder:
        files = [Path(folder) / name for name in ("stdout", "stderr")]
        for file in files:
            file.touch()
        process = _forking.Process(target=_command, args=(arguments, environment, Path.cwd(), files))
        process.start()
        process.join(_SECONDS)
        if process.exitcode is None:
            process.kill()
            raise subprocess.TimeoutExpired([*arguments], _SECONDS)
        output, errors = (file.read_text() for file in files)
        return subprocess.CompletedProcess([*arguments], process.exitcode, output, errors)


def _command(arguments: Sequence[str], environment: Mapping[str, str], folder: Path, files: Sequence[Path]) -> None:
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    for descriptor, file in enumerate(files, start=1):
        os.dup2(os.open(file, os.O_WRONLY | os.O_APPEND), descriptor)
    try:
        sys.exit(main(arguments))
    finally:
        atexit._run_exitfuncs()  # multiprocessing ends a forked process without them; coverage saves its data in one
