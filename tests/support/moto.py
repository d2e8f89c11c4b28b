"""moto, a mock of AWS, as a server.

It is in the extra `bench`. JOBINDEX_TEST_MOTO names the command `moto_server` if it is neither on PATH nor beside this
Python.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

from jobindex.cli.demo.nats import free_port
from support.waiting import require, wait_until

_BOOT_SECONDS = 60  # about five on a busy machine


@contextmanager
def moto() -> Iterator[str]:
    """Run moto; yield its URL. Skip the test if it is not installed."""
    beside = Path(sys.executable).with_name("moto_server")
    program = os.environ.get("JOBINDEX_TEST_MOTO") or shutil.which("moto_server") or str(beside)
    require("moto_server", found=Path(program).is_file())
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    process = subprocess.Popen(
        [program, "-H", "127.0.0.1", "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_until(lambda: _serves(url), "moto", _BOOT_SECONDS)
        yield url
    finally:
        process.terminate()
        process.wait(10)


def _serves(url: str) -> bool:
    try:
        with urlopen(f"{url}/moto-api/", timeout=5):
            return True
    except OSError:
        return False
