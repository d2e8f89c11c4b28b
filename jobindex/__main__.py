"""Where the command line begins."""

import sys
from collections.abc import Sequence

from jobindex.cli.app import run


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status: 0 done, 1 failed, 2 called or set up wrongly."""
    return run(arguments)


if __name__ == "__main__":
    sys.exit(main())
