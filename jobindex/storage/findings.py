"""The findings of a database check."""

from dataclasses import dataclass

SHOWN = 5
"""The number of examples that a finding shows of a problem."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The result of one check."""

    name: str
    problem: str | None = None
    """None if the check passed."""
    detail: str = ""

    def __str__(self) -> str:
        outcome = "ok" if self.problem is None else "FAILED"
        return f"{outcome:<6}  {self.name}: {self.detail if self.problem is None else self.problem}"
