"""Fills one jobindex from another over HTTP, killed on the way, and compares them."""

import sys
from pathlib import Path

# `python -m tests.refill` finds only the checkout; the modules import one another from tests/, as in pytest.
_TESTS = str(Path(__file__).parent.parent)
if _TESTS not in sys.path:
    sys.path.insert(0, _TESTS)
