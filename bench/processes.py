"""Processes of the benchmark, which are always stopped, by their ids."""

import re
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

_STOP_SECONDS = 15


@contextmanager
def running(
    command: Sequence[object], log: Path, *, environment: Mapping[str, str] | None = None, user: str | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process, as another user if one is given, while the context is open; its output goes to `log`."""
    with log.open("wb") as output:
        # Its own session: Ctrl-C reaches only the benchmark, which then stops each process in order.
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
    """Stop a process; kill it after a timeout."""
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def listens(port: int) -> bool:
    """Return whether a port of loopback accepts connections."""
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def resident_mib(pid: int) -> float:
    """Return the resident memory of a process and its descendants, shared memory counted once, in MiB (Linux).

    Not chosen: the proportional set size, which shrinks with every unrelated process that uses the same libraries.
    """
    private, shared = 0, 0
    for process in process_tree(pid):
        try:
            rollup = Path(f"/proc/{process}/smaps_rollup").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has exited
        private += _kib(rollup, "Private")
        shared = max(shared, _kib(rollup, "Shared"))
    return (private + shared) / 1024


def is_running(pid: int) -> bool:
    """Return whether a process is running; a zombie is not (Linux)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def process_tree(pid: int) -> Iterator[int]:
    """Yield a process and its descendants (Linux)."""
    yield pid
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(FileNotFoundError, ProcessLookupError):  # it has exited
            for child in children.read_text().split():
                yield from process_tree(int(child))


def _kib(rollup: str, kind: str) -> int:
    return sum(int(kib) for kib in re.findall(rf"^{kind}_(?:Clean|Dirty):\s+(\d+) kB", rollup, re.MULTILINE))
