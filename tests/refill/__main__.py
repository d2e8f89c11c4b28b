"""The command `python -m tests.refill --jobs 100000 --kills 3`, run from the root of the checkout."""

import argparse
import sys
import tempfile
from pathlib import Path

from refill.run import refill

_JOBS_MINIMUM = 500
"""A shorter fill ends before it is killed."""


def main() -> int:
    """Fill an index from another, and print the result; return 1 if anything is wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.refill",
        description="Fill one jobindex from another over HTTP, kill it on the way, and compare the two.",
    )
    parser.add_argument("--jobs", type=int, default=100_000, help="of the source (%(default)s)")
    parser.add_argument("--kills", type=int, default=3, help="how often it is killed (%(default)s)")
    parser.add_argument("--rate", type=float, help="calls per second to each operation (unlimited)")
    parser.add_argument("--seed", type=int, default=1, help="of the moments of the kills (%(default)s)")
    parser.add_argument("--keep", type=Path, help="keep databases and logs in this empty directory")
    arguments = parser.parse_args()
    if arguments.jobs < _JOBS_MINIMUM or arguments.kills < 0 or (arguments.rate is not None and arguments.rate < 1):
        parser.error(f"--jobs is at least {_JOBS_MINIMUM}, --kills at least 0, --rate at least 1")
    with tempfile.TemporaryDirectory(prefix="jobindex-refill-") as temporary:
        directory = arguments.keep or Path(temporary)
        directory.mkdir(exist_ok=True)
        result = refill(directory, jobs=arguments.jobs, kills=arguments.kills, rate=arguments.rate, seed=arguments.seed)
    print(result)  # noqa: T201
    return 1 if result.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
