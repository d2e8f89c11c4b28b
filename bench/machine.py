"""The machine of the measurements."""

import os
import platform
import re
import sqlite3
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from bench.broker import program

_VERSION = re.compile(r"\d+(?:\.\d+)+")


def machine() -> dict[str, str | int]:
    """Return the facts of this machine that affect the figures."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "cpus": os.cpu_count() or 0,
        "cpu": _field("/proc/cpuinfo", "model name"),
        "memory": _field("/proc/meminfo", "MemTotal"),
        "system": platform.platform(),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "mosquitto": _printed("mosquitto", "-h"),
        "wrk": _printed("wrk", "-v"),
        **{name: version(name) for name in ("aiomqtt", "aiosqlite", "starlette", "uvicorn")},
    }


def _field(file: str, name: str) -> str:
    path = Path(file)
    found = re.search(rf"^{name}\s*: *(.+)$", path.read_text(), re.MULTILINE) if path.exists() else None
    return found[1] if found else "unknown"


def _printed(name: str, option: str) -> str:
    answer = subprocess.run([program(name), option], check=False, capture_output=True, text=True)
    found = _VERSION.search(answer.stdout + answer.stderr)
    return found[0] if found else "unknown"
