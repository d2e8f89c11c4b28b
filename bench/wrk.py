"""wrk: as many requests as the server answers, on many connections."""

import json
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.broker import program
from bench.errors import BenchError
from bench.processes import stop

_SCRIPT = Path(__file__).parent / "pages.lua"
_SPARE_SECONDS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """The result of a run of wrk."""

    requests: int
    rate: float
    """Answers per second."""
    p50: float
    """Milliseconds."""
    p99: float


def load(
    url: str, paths: Path, *, connections: int, seconds: float, first: int = 0, headers: Sequence[str] = ()
) -> Load:
    """Request the paths of a file in order from `first`, and repeat the file.

    Raises:
        BenchError: a request failed, or wrk did.
    """
    options = [f"-c{connections}", "-t1", f"-d{max(1, round(seconds))}s", "--timeout", "30s", "--latency"]
    sent = [option for header in headers for option in ("-H", header)]
    command = [program("wrk"), *options, *sent, "-s", str(_SCRIPT), url, "--", str(paths), str(first)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)
    try:
        printed = process.communicate(timeout=seconds + _SPARE_SECONDS)[0].decode()
    finally:
        stop(process)
    found = re.search(r"^\{.*\}$", printed, re.MULTILINE)
    if found is None:
        raise BenchError(f"wrk: {printed}")
    told = json.loads(found[0])
    if told["failed"] or not told["requests"]:
        raise BenchError(f"wrk: {told['failed']} requests to {url} failed of {told['requests']}")
    return Load(
        requests=told["requests"],
        rate=told["requests"] / (told["microseconds"] / 1e6),
        p50=told["p50"] / 1000,
        p99=told["p99"] / 1000,
    )
