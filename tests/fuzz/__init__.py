"""The fuzzers: valid inputs, broken in every way, and the properties that must hold for them."""

import sys
from pathlib import Path

# `python -m tests.fuzz` has only the checkout on its path, but the modules import each other relative to tests/.
_TESTS = str(Path(__file__).parent.parent)
if _TESTS not in sys.path:
    sys.path.insert(0, _TESTS)
