"""The entry point of the command line."""

import sys
from collections.abc import Sequence

from jobindex.cli.app import run


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status."""
    return run(arguments)


if __name__ == "__main__":
    sys.exit(main())
