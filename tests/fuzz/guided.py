"""Coverage-guided fuzzing: atheris keeps the bytes that reach new code.

atheris takes over its process and ends it. So a run is a process of its own, which writes to a folder the bytes of a
case that fails, takes too long, or takes too much memory.
"""

import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from fuzz.engine import CASE_BYTES, Open, Outcome, told_of
from fuzz.source import Source

_CASE_SECONDS = 20
_MEGABYTES = 1024
_EXECUTED = re.compile(rb"number_of_executed_units: ([0-9]+)")


def fuzz_guided(name: str, opened: Open, *, seconds: float, seed: int) -> Outcome:
    """Fuzz a target for some time; a finding ends the run."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="jobindex-fuzz-") as folder:
        printed = subprocess.run(
            [sys.executable, "-m", "tests.fuzz.guided", name, str(int(seconds)), str(seed), folder],
            cwd=Path(__file__).parent.parent.parent,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        ).stdout
        executed = _EXECUTED.search(printed)
        left = sorted(Path(folder).iterdir())
        finding = None
        if left:
            with opened() as target:
                finding = told_of(target, left[0].read_bytes())
            finding = f"{left[0].name}\n{finding}"
        elif executed is None:
            finding = printed.decode("utf-8", "replace")
    cases = int(executed[1]) if executed else 0
    return Outcome(name=name, cases=cases, seconds=time.monotonic() - started, finding=finding)


def _main() -> None:
    """Fuzz a target in this process, which atheris then ends."""
    import atheris  # noqa: PLC0415 (not everywhere installed)

    name, seconds, seed, folder = sys.argv[1:]
    with atheris.instrument_imports(include=["jobindex"]):
        from fuzz.targets import TARGETS  # noqa: PLC0415 (atheris instruments this import)

    options = {
        "max_total_time": seconds,
        "seed": seed,
        "max_len": CASE_BYTES,
        "len_control": 0,  # short cases are only simple ones
        "timeout": _CASE_SECONDS,
        "rss_limit_mb": _MEGABYTES,
        "artifact_prefix": f"{folder}/",
        "print_final_stats": 1,
    }
    with TARGETS[name]() as target:

        def check(data: bytes) -> None:
            target.check(target.make(Source(data)))

        atheris.Setup([sys.argv[0], *(f"-{option}={value}" for option, value in options.items())], check)
        atheris.Fuzz()


if __name__ == "__main__":
    _main()
