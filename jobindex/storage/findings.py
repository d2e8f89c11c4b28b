"""What a check of a database finds."""

from dataclasses import dataclass

SHOWN = 5
"""How much of what is wrong a line tells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one check has found."""

    name: str
    problem: str | None = None
    """What is wrong; None where nothing is."""
    detail: str = ""

    def __str__(self) -> str:
        outcome = "ok" if self.problem is None else "FAILED"
        return f"{outcome:<6}  {self.name}: {self.detail if self.problem is None else self.problem}"
