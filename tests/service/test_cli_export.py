"""`jobindex export --output`: pipes, links, permissions, errors and signals."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.commands import jobindex
from support.served_fleet import JOBS, served_fleet
from support.services import Service
from support.waiting import wait_until

from jobindex.cli import whole_file
from jobindex.errors import BackupError


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Run a service with the fleet in its index."""
    with served_fleet(tmp_path_factory.mktemp("export")) as (service, _):
        yield service


def job_ids(text: str) -> set[str]:
    """Return the ids of the exported jobs."""
    return {json.loads(line)["jobId"] for line in text.splitlines()}


def test_a_pipe_stays_a_pipe(service: Service, tmp_path: Path) -> None:
    """An export to a pipe writes the jobs into it and leaves it a pipe."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()), daemon=True)
    reader.start()
    ended = jobindex("export", "--output", pipe, "--endpoint", service.url)
    assert (0, f"{pipe}: {len(JOBS)} jobs\n") == (ended.returncode, ended.stderr)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    reader.join(10)
    assert JOBS == job_ids(read[0])
    assert [pipe] == list(tmp_path.iterdir())


def test_a_device_is_written_to(service: Service, tmp_path: Path) -> None:
    """An export writes to a device and refuses a folder."""
    assert JOBS == job_ids(jobindex("export", "--output", "/dev/fd/1", "--endpoint", service.url).stdout)
    ended = jobindex("export", "--output", tmp_path, "--endpoint", service.url)
    assert (1, f"jobindex export: {tmp_path}: Is a directory\n") == (ended.returncode, ended.stderr)


def test_a_link_and_the_rights_of_a_file_stay(service: Service, tmp_path: Path) -> None:
    """An export through a link replaces the link's target and keeps the target's permissions."""
    (tmp_path / "folder").mkdir()
    file, link = tmp_path / "folder" / "jobs.jsonl", tmp_path / "link"
    link.symlink_to(Path("folder") / "jobs.jsonl")
    for mode in (None, 0o600, 0o664):
        if mode is not None:
            file.chmod(mode)
        assert 0 == jobindex("export", "--output", link, "--endpoint", service.url).returncode
        assert (True, JOBS) == (link.is_symlink(), job_ids(file.read_text()))
        assert mode in {None, stat.S_IMODE(file.stat().st_mode)}
    assert [file] == list(file.parent.iterdir())


def test_a_new_file_has_the_rights_of_the_umask(tmp_path: Path) -> None:
    """A new file has the same permissions as any other."""
    with whole_file.opened(tmp_path / "jobs") as file:
        file.write("x")
    (tmp_path / "other").write_text("x")
    assert (tmp_path / "other").stat().st_mode == (tmp_path / "jobs").stat().st_mode


def test_what_is_written_is_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An export syncs the file before its rename, and the folder afterwards."""
    synced: list[tuple[bool, bool]] = []

    def sync(descriptor: int) -> None:
        synced.append((stat.S_ISDIR(os.fstat(descriptor).st_mode), (tmp_path / "jobs").exists()))

    monkeypatch.setattr(os, "fsync", sync)
    with whole_file.opened(tmp_path / "jobs"):
        pass
    assert [(False, False), (True, True)] == synced


def test_a_file_that_cannot_be_written_is_as_it_was(tmp_path: Path) -> None:
    """A failed write keeps the former file and leaves no other."""
    path = tmp_path / "jobs"
    path.write_text("former")
    with pytest.raises(BackupError, match="No space left"), whole_file.opened(path):
        raise OSError(28, "No space left on device")
    assert ("former", [path]) == (path.read_text(), list(tmp_path.iterdir()))


def test_what_handled_signals_before_does_so_afterwards(tmp_path: Path) -> None:
    """Signal handlers are restored, and an ignored signal, as under nohup, stays ignored."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN), signal.getsignal(signal.SIGTERM)
    try:
        with whole_file.opened(tmp_path / "jobs"):
            assert signal.SIG_IGN == signal.getsignal(signal.SIGHUP)
            assert before[1] != signal.getsignal(signal.SIGTERM)
        assert (signal.SIG_IGN, before[1]) == (signal.getsignal(signal.SIGHUP), signal.getsignal(signal.SIGTERM))
    finally:
        signal.signal(signal.SIGHUP, before[0])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_leaves_nothing_behind(tmp_path: Path, number: signal.Signals) -> None:
    """A signal removes the partial file and leaves the former one unchanged."""
    path = tmp_path / "jobs"
    path.write_text("former")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        asking = ["export", "--thing-group-id", "g", "--output", str(path), "--endpoint", endpoint]
        process = subprocess.Popen([sys.executable, "-m", "jobindex", *asking], stderr=subprocess.PIPE)
        wait_until(lambda: len(list(tmp_path.iterdir())) == 2, "the partial file")
        process.send_signal(number)
        _, told = process.communicate(timeout=30)
    assert (128 + number, b"") == (process.returncode, told)
    assert ("former", [path]) == (path.read_text(), list(tmp_path.iterdir()))
