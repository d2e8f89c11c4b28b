"""The fuzzers: valid inputs, broken in every way, and what must hold of whatever becomes of them."""

import sys
from pathlib import Path

# `python -m tests.fuzz` knows the checkout alone; the modules import one another as pytest finds them, beside tests/.
_TESTS = str(Path(__file__).parent.parent)
if _TESTS not in sys.path:
    sys.path.insert(0, _TESTS)
