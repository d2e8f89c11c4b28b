"""The fault bench: it breaks everything around the service, and judges the resulting index."""

import sys
from pathlib import Path

# `python -m tests.faults` has only the checkout on its path, but the modules import each other relative to tests/.
_TESTS = str(Path(__file__).parent.parent)
if _TESTS not in sys.path:
    sys.path.insert(0, _TESTS)
