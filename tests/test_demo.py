"""`jobindex demo`, as someone who has only Python runs it."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from services import Service
from waiting import require, wait_until

from jobindex.nats import find_nats_server, free_port


@pytest.fixture
def environment() -> dict[str, str]:
    """Give an environment for the demo, with a port that is free."""
    require("nats-server", found=find_nats_server() is not None)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("JOBINDEX_", "AWS_"))}
    return {**kept, "JOBINDEX_HTTP_PORT": str(free_port())}


def start(environment: dict[str, str], log: Path, *arguments: str) -> "subprocess.Popen[bytes]":
    """Start the demo, writing to a file."""
    with log.open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "jobindex", "demo", *arguments],
            env=environment,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


def commands(printed: str, url: str) -> dict[str, str]:
    """Return the three commands that the demo prints, as a person would paste them."""
    blocks = [block.strip() for block in printed.partition("Try, in")[2].split("\n\n") if url in block]
    found = {name: block for block in blocks for name in ("curl", "iot list-jobs", "boto3") if name in block}
    assert ["curl", "iot list-jobs", "boto3"] == list(found)
    return found


def test_the_demo_shows_a_fleet(environment: dict[str, str], tmp_path: Path) -> None:
    """Within 15 seconds it lists jobs of the namespace, the printed commands work, and Ctrl-C ends it cleanly."""
    service = Service(tmp_path)
    service.url = f"http://127.0.0.1:{environment['JOBINDEX_HTTP_PORT']}"
    log = tmp_path / "demo.log"
    demo = start(environment, log)
    try:
        wait_until(lambda: "Listening" in log.read_text(), "the service")
        wait_until(lambda: service.get("/readyz")[0] == 200, "readiness")
        listed = wait_until(lambda: service.jobs(namespaceId="aws-gg-deployment"), "jobs of the namespace")
        wait_until(lambda: len(service.jobs()) > len(listed), "jobs of other namespaces")
        wait_until(lambda: "Ctrl-C ends it" in log.read_text(), "what to try")

        for name, command in commands(log.read_text(), service.url).items():
            program = next(word for word in shlex.split(command) if "=" not in word)
            if shutil.which(program) is None:
                continue
            shown = subprocess.run(command, shell=True, env=environment, capture_output=True, text=True, check=True)
            assert "IN_PROGRESS" in shown.stdout, name
    finally:
        os.killpg(demo.pid, signal.SIGINT)
        assert demo.wait(15) == 0
    assert "Traceback" not in log.read_text()


def test_the_demo_ends_after_a_time(environment: dict[str, str], tmp_path: Path) -> None:
    """--seconds ends it cleanly, and its broker with it."""
    started = time.monotonic()
    log = tmp_path / "demo.log"
    assert start(environment, log, "--seconds", "2").wait(15) == 0
    assert 2 <= time.monotonic() - started < 12
    directory = re.search(r"(\S+)/jobindex\.db", log.read_text())
    assert directory is not None
    assert not Path(directory[1]).exists()
    assert subprocess.run(["pgrep", "-f", directory[1]], capture_output=True, check=False).stdout == b""


def test_the_demo_without_its_broker_says_what_to_install(environment: dict[str, str]) -> None:
    """Without the extra the message names it."""
    script = (
        "import jobindex.nats, runpy; jobindex.nats.find_nats_server = lambda: None;"
        "runpy.run_module('jobindex.__main__', run_name='__main__')"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script, "demo"], env=environment, capture_output=True, text=True, check=False, timeout=30
    )
    assert (2, True) == (ended.returncode, "pip install 'jobindex[demo]'" in ended.stderr)


def test_the_demo_says_when_its_port_is_taken(environment: dict[str, str], tmp_path: Path) -> None:
    """The message names the setting, and the broker is gone."""
    first = start(environment, tmp_path / "first.log", "--seconds", "20")
    try:
        wait_until(lambda: "Listening" in (tmp_path / "first.log").read_text(), "the first demo")
        second = start(environment, tmp_path / "second.log")
        assert second.wait(15) == 2
        assert "JOBINDEX_HTTP_PORT" in (tmp_path / "second.log").read_text()
    finally:
        first.terminate()
        assert first.wait(15) == 0
