"""The state that the parts of a run share."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.figures import Results
from bench.plan import Plan


@dataclass(slots=True, kw_only=True)
class Site:
    """The plan, the results and the environment of a run."""

    plan: Plan
    results: Results
    data: Path
    """The directory of generated data, which later runs reuse."""
    references: str
    """A Python that has moto and datasette."""

    @contextmanager
    def directory(self) -> Iterator[Path]:
        """Yield an empty directory on the disk of the data, and delete it at the end."""
        with tempfile.TemporaryDirectory(prefix="run-", dir=self.data) as path:
            yield Path(path)
