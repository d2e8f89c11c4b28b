"""Holds an index against simulated fleets, whose true state is known."""

import sys
from pathlib import Path

# `python -m tests.truth` knows the checkout alone; the modules import one another as pytest finds them, beside tests/.
_TESTS = str(Path(__file__).parent.parent)
if _TESTS not in sys.path:
    sys.path.insert(0, _TESTS)
