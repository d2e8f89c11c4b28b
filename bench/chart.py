"""The results as a bar chart in SVG: `python -m bench.chart RESULTS.json CHART.svg`.

The file is the only input. The colours follow the reader's scheme, light or dark.
"""

import argparse
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape


@dataclass(frozen=True, slots=True, kw_only=True)
class _Panel:
    """Bars on one scale."""

    title: str
    part: str
    figures: Mapping[str, str]
    """The label of each bar, by the name of its figure. A figure without a measurement has no bar."""


_WIDTH = 760
_LABEL_WIDTH = 270
_BAR_WIDTH = 360
_ROW = 24
_BAR_HEIGHT = 14
_TITLE = 40
_MARGIN = 16

_STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1f2328; }
.title { font-weight: 600; }
.own { fill: #0969da; }
.other { fill: #afb8c1; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; }
  .own { fill: #4493f8; }
  .other { fill: #59636e; }
}
"""


def draw(results: Mapping[str, Any]) -> str:
    """Return the chart of results in the format of `bench/report.py`."""
    figures = {(figure["part"], figure["name"]): figure for figure in results["figures"]}
    rows: list[str] = []
    height = _MARGIN
    for panel in _panels(list(results["figures"])):
        bars = [
            (label, figures[panel.part, name]) for name, label in panel.figures.items() if (panel.part, name) in figures
        ]
        if bars:
            rows += _draw_panel(panel.title, bars, height)
            height += _TITLE + _ROW * len(bars)
    height += _MARGIN
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" viewBox="0 0 {_WIDTH} {height}">'
    )
    return "\n".join([head, f"<style>{_STYLE}</style>", *rows, "</svg>", ""])


def main() -> None:
    """Draw the chart of a file of results."""
    parser = argparse.ArgumentParser(prog="python -m bench.chart", description="Draw results as SVG.")
    parser.add_argument("results", type=Path)
    parser.add_argument("chart", type=Path)
    arguments = parser.parse_args()
    arguments.chart.write_text(draw(json.loads(arguments.results.read_text())))


def _panels(figures: Sequence[Mapping[str, Any]]) -> Iterator[_Panel]:
    yield _Panel(
        title="Notifications a second, durable",
        part="ingest",
        figures={
            "mosquitto_sub -q 1": "mosquitto_sub, which keeps nothing",
            "jobindex serve": "jobindex",
            "a script, a commit a message": "a script, a commit a message",
        },
    )
    yield _Panel(
        title="Pages of 250 jobs a second, 16 connections",
        part="load",
        figures={
            "a constant of as many bytes, 16 connections": "a constant of as many bytes",
            "the same page, 16 connections": "jobindex, all ask for the same",
            "SQLite alone, no page twice, 16 connections": "SQLite alone, no page twice",
            "no page twice, 16 connections": "jobindex, no page twice",
            "datasette, 16 connections": "datasette",
            "moto, 16 connections": "moto",
        },
    )
    for title, name in (
        ("First page", "first page"),
        ("Slowest of the 32 combinations of filters", "slowest combination"),
    ):
        named = re.compile(rf"{name}, ([\d,]+ jobs)")
        sized = [match for figure in figures if (match := named.fullmatch(figure["name"]))]
        bars = {match[0]: f"jobindex, {match[1]}" for match in sized}
        yield _Panel(title=f"{title}, milliseconds", part="pages", figures=bars)


def _draw_panel(title: str, bars: Sequence[tuple[str, Mapping[str, Any]]], top: int) -> Iterator[str]:
    yield f'<text class="title" x="{_MARGIN}" y="{top + 22}">{escape(title)}</text>'
    greatest = max(figure["median"] for _, figure in bars)
    for number, (label, figure) in enumerate(bars):
        middle = top + _TITLE + _ROW * number
        length = max(1, round(_BAR_WIDTH * figure["median"] / greatest))
        kind = "own" if label.startswith("jobindex") else "other"
        yield f'<text x="{_MARGIN + _LABEL_WIDTH - 10}" y="{middle + 4}" text-anchor="end">{escape(label)}</text>'
        yield (
            f'<rect class="{kind}" x="{_MARGIN + _LABEL_WIDTH}" y="{middle - _BAR_HEIGHT // 2}" '
            f'width="{length}" height="{_BAR_HEIGHT}" rx="2"/>'
        )
        value = f"{figure['median']:,.0f}" if figure["median"] >= 100 else f"{figure['median']:.3g}"
        yield f'<text x="{_MARGIN + _LABEL_WIDTH + length + 8}" y="{middle + 4}">{value}</text>'


if __name__ == "__main__":
    main()
