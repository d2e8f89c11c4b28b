"""Figures: the measured values, and their ratios to the references."""

import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field


@dataclass(slots=True, kw_only=True)
class Figure:
    """A measurement, taken once a round."""

    part: str
    name: str
    unit: str
    references: tuple[str, ...]
    """The figures of the same part that this one is compared with."""
    is_shown: bool
    """Whether the table shows it; the file has all figures."""
    values: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        """Return the middle value."""
        return statistics.median(self.values)


class Results:
    """All figures of a run, in the order of their first values, and the skipped measurements."""

    def __init__(self) -> None:
        self._figures: dict[tuple[str, str], Figure] = {}
        self.skipped: dict[str, str] = {}
        """The skipped measurements, with reasons."""
        self.notes: dict[str, list[str]] = {}
        """Facts that are needed to repeat the measurement."""

    def record(self, part: str, name: str, value: float, unit: str, *references: str, is_shown: bool = True) -> None:
        """Add a value to a figure; the first value creates it."""
        figure = Figure(part=part, name=name, unit=unit, references=references, is_shown=is_shown)
        self._figures.setdefault((part, name), figure).values.append(value)

    def skip(self, what: str, reason: str) -> None:
        """Record that a measurement is skipped."""
        self.skipped[what] = reason

    def __iter__(self) -> Iterator[Figure]:
        return iter(self._figures.values())

    def median(self, part: str, name: str) -> float | None:
        """Return the median of a figure. None if the figure has no values."""
        figure = self._figures.get((part, name))
        return None if figure is None else figure.median

    def ratios(self, figure: Figure) -> dict[str, float]:
        """Return the median of a figure, divided by that of each of its references."""
        medians = {name: self.median(figure.part, name) for name in figure.references}
        return {name: figure.median / median for name, median in medians.items() if median}


def percentile(values: Sequence[float], share: float) -> float:
    """Return the least value that `share` of all values do not exceed."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]
