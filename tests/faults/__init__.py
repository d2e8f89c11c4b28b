"""The fault bench: it breaks everything around the service, and judges the index that is left."""

import sys
from pathlib import Path

# `python -m tests.faults` knows the checkout alone; the modules import one another as pytest finds them, beside tests/.
_TESTS = str(Path(__file__).parent.parent)
if _TESTS not in sys.path:
    sys.path.insert(0, _TESTS)
