"""Figures: what was measured, how often, and how it stands to its reference."""

import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field


@dataclass(slots=True, kw_only=True)
class Figure:
    """One thing measured, once a round."""

    part: str
    name: str
    unit: str
    references: tuple[str, ...]
    """The names of the figures of the same part that this one is held against."""
    is_shown: bool
    """Whether the table has it; the file has every one."""
    values: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        """Return the middle value."""
        return statistics.median(self.values)


class Results:
    """All figures of a run, in the order in which they were first taken, and what was left out."""

    def __init__(self) -> None:
        self._figures: dict[tuple[str, str], Figure] = {}
        self.skipped: dict[str, str] = {}
        """What was not measured, with its reason."""
        self.notes: dict[str, list[str]] = {}
        """What one should know to measure the same again."""

    def record(self, part: str, name: str, value: float, unit: str, *references: str, is_shown: bool = True) -> None:
        """Add a value to a figure, which its first value makes."""
        figure = Figure(part=part, name=name, unit=unit, references=references, is_shown=is_shown)
        self._figures.setdefault((part, name), figure).values.append(value)

    def skip(self, what: str, reason: str) -> None:
        """Note that something is not measured."""
        self.skipped[what] = reason

    def __iter__(self) -> Iterator[Figure]:
        return iter(self._figures.values())

    def median(self, part: str, name: str) -> float | None:
        """Return the median of a figure, None where it was not taken."""
        figure = self._figures.get((part, name))
        return None if figure is None else figure.median

    def ratios(self, figure: Figure) -> dict[str, float]:
        """Return how often the median of each of its references is in that of a figure."""
        medians = {name: self.median(figure.part, name) for name in figure.references}
        return {name: figure.median / median for name, median in medians.items() if median}


def percentile(values: Sequence[float], share: float) -> float:
    """Return the least value that `share` of all values do not exceed."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]
