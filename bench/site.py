"""What the parts of a run share."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.figures import Results
from bench.plan import Plan


@dataclass(slots=True, kw_only=True)
class Site:
    """Where and how much is measured, and what came of it."""

    plan: Plan
    results: Results
    data: Path
    """Where made data is kept for later runs."""
    references: str
    """The Python that has moto and datasette."""

    @contextmanager
    def directory(self) -> Iterator[Path]:
        """Yield an empty directory on the disk of the data, removed at the end."""
        with tempfile.TemporaryDirectory(prefix="run-", dir=self.data) as path:
            yield Path(path)
