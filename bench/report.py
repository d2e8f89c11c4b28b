"""The results as a table and as a file."""

import json
from collections.abc import Iterator
from pathlib import Path

from bench.figures import Results


def table(results: Results) -> str:
    """Return the figures as text: name, unit, median, least and greatest value, and the ratio to each reference."""
    rows: list[tuple[str, ...]] = [("", "unit", "median", "least", "greatest", "ratio")]
    part = ""
    for figure in results:
        if not figure.is_shown:
            continue
        if figure.part != part:
            part = figure.part
            rows += [("", "", "", "", "", ""), (part, "", "", "", "", "")]
        ratios = "; ".join(
            f"{ratio:.2f} of {_other(figure.name, name)}" for name, ratio in results.ratios(figure).items()
        )
        numbers = (figure.median, min(figure.values), max(figure.values))
        rows.append((f"  {figure.name}", figure.unit, *map(_rounded, numbers), ratios))
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    lines = [
        f"{row[0]:<{widths[0]}}  {row[1]:<{widths[1]}}  "
        + "  ".join(f"{cell:>{width}}" for cell, width in zip(row[2:5], widths[2:], strict=True))
        + f"  {row[5]}"
        for row in rows
    ]
    return "\n".join([*(line.rstrip() for line in lines), *_left_out(results)])


def write(results: Results, machine: dict[str, str | int], path: Path, *, is_quick: bool) -> None:
    """Write everything as JSON."""
    content = {
        "machine": machine,
        "quick": is_quick,
        "figures": members(results),
        "notes": results.notes,
        "skipped": results.skipped,
    }
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def members(results: Results) -> list[dict[str, object]]:
    """Return each figure in the format of the file."""
    return [
        {
            "part": figure.part,
            "name": figure.name,
            "unit": figure.unit,
            "median": _short(figure.median),
            "least": _short(min(figure.values)),
            "greatest": _short(max(figure.values)),
            "values": [_short(value) for value in figure.values],
            "ratios": {name: _short(ratio) for name, ratio in results.ratios(figure).items()},
        }
        for figure in results
    ]


def _other(name: str, reference: str) -> str:
    """Return the part of a reference's name that differs from the figure's."""
    (head, _, tail), (other_head, _, other_tail) = name.rpartition(", "), reference.rpartition(", ")
    if head and head == other_head:
        return other_tail
    return other_head if other_head and tail == other_tail else reference


def _left_out(results: Results) -> Iterator[str]:
    if results.skipped:
        yield ""
    for what, reason in results.skipped.items():
        yield f"not measured: {what}: {reason}"


def _rounded(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _short(value: float) -> float:
    return float(f"{value:.5g}")
