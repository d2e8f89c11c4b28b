"""The documentation's examples work: each page's blocks run in order, in one shell, with a real broker."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.brokers import mosquitto
from support.documentation import PAGES, blocks, script
from support.waiting import require

from jobindex.cli.demo.nats import free_port


@pytest.mark.parametrize(
    "page", [page for page in PAGES if any(block.is_run for block in blocks(page))], ids=lambda page: page.stem
)
def test_the_blocks_of_a_page_run(page: Path, tmp_path: Path) -> None:
    """Each block of a page succeeds, or ends as the comment before it states."""
    for program in ("mosquitto_pub", "curl", "bash", "jq"):
        require(program, found=shutil.which(program) is not None)
    home, texts, directory = (tmp_path / name for name in ("home", "blocks", "directory"))
    for made in (home / ".config", texts, directory):
        made.mkdir(parents=True)
    port = free_port()
    with mosquitto(tmp_path) as broker:
        for client in ("mosquitto_pub", "mosquitto_sub"):
            (home / ".config" / client).write_text(f"-p {broker.port}\n")
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("JOBINDEX_", "AWS_", "XDG_"))},
            "HOME": str(home),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "JOBINDEX_HTTP_PORT": str(port),
            "JOBINDEX_MQTT_URL": f"mqtt://127.0.0.1:{broker.port}",
        }
        replaced = {"127.0.0.1:8080": f"127.0.0.1:{port}", "127.0.0.1:1883": f"127.0.0.1:{broker.port}"}
        ran = subprocess.run(
            ["bash", "-c", script(page, texts, replaced)],
            cwd=directory,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=110,
            check=False,
        )
    log = directory / "background.log"
    assert ran.stdout.endswith("=== done\n"), ran.stdout + (log.read_text() if log.exists() else "")
