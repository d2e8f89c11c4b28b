"""Mutates `jobindex/model/` and checks that the pure tests notice it: `python scripts/mutate.py`.

mutmut makes the mutants, each with one change of a function, and runs the tests that reach it; `[tool.mutmut]` of
pyproject.toml names both. A surviving mutant is a gap, which needs a test, or its change cannot be observed: then it is
listed with the reason in `tests/unit/surviving_mutants.toml`. The check fails if too few mutants are killed, if a
survivor is not listed, and if a listed mutant was killed or does not exist.

mutmut does not mutate module-level code (constants, defaults of fields) and decorated functions (properties, caches).
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

KILLED_LEAST = 95
"""Per cent of all mutants, including the listed survivors."""
LISTED = Path("tests/unit/surviving_mutants.toml")
MUTANTS = Path("mutants")
KILLED = {"killed", "timeout"}


class Mutant(NamedTuple):
    """A mutant by its change, which stays the same if other lines change."""

    function: str
    """For example `job.Job.merge`."""
    original: str
    mutated: str

    def __str__(self) -> str:
        """Return the change as a diff."""
        removed = [f"- {line}" for line in self.original.splitlines()]
        added = [f"+ {line}" for line in self.mutated.splitlines()]
        return "\n".join([self.function, *removed, *added])


def main() -> int:
    """Test every mutant and print the result; return 1 if there is a problem."""
    parser = argparse.ArgumentParser(description="Mutate jobindex/model/ and check that the pure tests notice it.")
    processors = os.cpu_count() or 1
    parser.add_argument(
        "--children", type=int, default=processors, help="mutants tested at a time (default: one for each processor)"
    )
    children = parser.parse_args().children
    reasons = listed_mutants()
    started = time.monotonic()
    statuses = run(children)
    seconds = time.monotonic() - started
    survivors = [mutant(name) for name, status in statuses.items() if status not in KILLED]
    killed = len(statuses) - len(survivors)
    late = sum(status == "timeout" for status in statuses.values())
    found = [*problems(survivors, reasons)]
    per_cent = 100 * killed / len(statuses)
    if per_cent < KILLED_LEAST:
        found.append(f"fewer than {KILLED_LEAST} % were killed")
    for reason, count in Counter(reasons[survivor] for survivor in survivors if survivor in reasons).items():
        print(f"{count:3} survived: {reason}")
    print(
        f"killed: {killed} of {len(statuses)} mutants ({per_cent:.1f} %), {late} of them by a timeout;"
        f" survived: {len(survivors)}; time: {seconds:.0f} s"
    )
    for problem in found:
        print(f"\n{problem}")
    return 1 if found else 0


def listed_mutants() -> Mapping[Mutant, str]:
    """Return the reason of each listed mutant."""
    tables = tomllib.loads(LISTED.read_text())["mutant"]
    return {
        Mutant(table["function"], table["original"], mutated): table["reason"]
        for table in tables
        for mutated in table["mutated"]
    }


def run(children: int) -> Mapping[str, str]:
    """Test every mutant from a clean start; return the statuses by mutmut's names of the mutants."""
    shutil.rmtree(MUTANTS, ignore_errors=True)  # mutmut would not run a mutant again if only its tests changed
    subprocess.run(
        [_mutmut(), "run", "--max-children", str(children)],
        env={**os.environ, "HYPOTHESIS_PROFILE": "mutation"},
        check=True,
        stdout=None if sys.stdout.isatty() else subprocess.DEVNULL,
    )
    lines = _output("results", "--all", "true").splitlines()
    return dict(line.strip().split(": ") for line in lines)


def mutant(name: str) -> Mutant:
    """Return the mutant with a name in mutmut."""
    changed = [line for line in _output("show", name).splitlines() if line[:3] not in {"---", "+++"}]
    original, mutated = (
        "\n".join(line[1:].strip() for line in changed if line.startswith(sign)) for sign in ("-", "+")
    )
    # jobindex.model.job.xǁJobǁmerge__mutmut_21, or jobindex.model.job.x_stamp_of__mutmut_8
    module, _, mangled = name.removeprefix("jobindex.model.").partition(".x")
    function = mangled.partition("__mutmut_")[0].removeprefix("_").strip("ǁ").replace("ǁ", ".")
    return Mutant(f"{module}.{function}", original, mutated)


def problems(survivors: list[Mutant], reasons: Mapping[Mutant, str]) -> Iterator[str]:
    """Yield each difference between the survivors and the list."""
    for survivor in survivors:
        if survivor not in reasons:
            yield f"survived, and is not in {LISTED}: {survivor}"
    for listed in reasons:
        if listed not in survivors:
            yield f"is in {LISTED}, and was killed or does not exist: {listed}"


def _output(*arguments: str) -> str:
    return subprocess.run([_mutmut(), *arguments], check=True, capture_output=True, text=True).stdout


def _mutmut() -> Path:
    return Path(sys.executable).with_name("mutmut")


if __name__ == "__main__":
    sys.exit(main())
