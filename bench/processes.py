"""Processes that the bench starts, and ends by their ids whatever happens."""

import re
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

_STOP_SECONDS = 15


@contextmanager
def running(
    command: Sequence[object], log: Path, *, environment: Mapping[str, str] | None = None, user: str | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process while the context is open; what it prints goes to `log`. It may run as another user."""
    with log.open("wb") as output:
        # A session of its own: Ctrl-C on the terminal reaches the bench alone, which ends each process in its turn.
        process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            user=user,
            group=user,
            extra_groups=None if user is None else [],
            start_new_session=True,
        )
    try:
        yield process
    finally:
        stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a process, by force where it does not end by itself."""
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def listens(port: int) -> bool:
    """Tell whether somebody listens on a port of loopback."""
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def resident_mib(pid: int) -> float:
    """Return the memory that a process and its descendants hold resident, what they may share counted once (Linux).

    Not chosen: the proportional set size, which sinks with every stranger that runs the same libraries.
    """
    private, shared = 0, 0
    for process in _tree(pid):
        try:
            rollup = Path(f"/proc/{process}/smaps_rollup").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended since
        private += _kib(rollup, "Private")
        shared = max(shared, _kib(rollup, "Shared"))
    return (private + shared) / 1024


def _kib(rollup: str, kind: str) -> int:
    return sum(int(kib) for kib in re.findall(rf"^{kind}_(?:Clean|Dirty):\s+(\d+) kB", rollup, re.MULTILINE))


def _tree(pid: int) -> Iterator[int]:
    yield pid
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in children.read_text().split():
            yield from _tree(int(child))
