"""Compares an index with simulated fleets, whose true state is known."""

import sys
from pathlib import Path

# `python -m tests.truth` finds only the checkout; the modules import one another from tests/, as in pytest.
_TESTS = str(Path(__file__).parent.parent)
if _TESTS not in sys.path:
    sys.path.insert(0, _TESTS)
