"""`jobindex` as a command that ends."""

import os
import subprocess
import sys


def jobindex(*arguments: object, **settings: object) -> "subprocess.CompletedProcess[str]":
    """Run a command of jobindex to its end."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("JOBINDEX_")}
    environment |= {f"JOBINDEX_{name}": str(value) for name, value in settings.items()}
    return subprocess.run(
        [sys.executable, "-m", "jobindex", *map(str, arguments)],
        env=environment,
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
