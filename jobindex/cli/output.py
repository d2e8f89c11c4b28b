"""The output of commands: tables on a terminal, aligned text in a pipe, JSON for programs.

Publishers choose the text in messages, so none of it reaches a terminal unescaped.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TextIO

import orjson
import typer

from jobindex.durations import show_duration

say = typer.echo

Cell = str | float | None
"""A cell of a table: text, a time in epoch seconds, or an unknown time."""

UNKNOWN = "-"

STYLES = {
    "ok": "green",
    "problem": "red",
    "unsure": "yellow",
    "IN_PROGRESS": "cyan",
    "COMPLETED": "green",
    "COMPLETED with": "yellow",
    "SUCCEEDED": "green",
    "CANCELED": "yellow",
    "TIMED_OUT": "red",
    "FAILED": "red",
    "REJECTED": "red",
    "DELETION_IN_PROGRESS": "magenta",
}
_BLOCKS = " ▁▂▃▄▅▆▇█"


def encode(content: object, file: TextIO | None = None) -> str:
    """Return content as a line of JSON for `file`, by default stdout.

    JSON permits control characters beyond ASCII and bidirectional marks; a terminal gets them escaped.
    """
    line = orjson.dumps(content).decode()
    if line.isprintable() or not (file or sys.stdout).isatty():
        return line
    return "".join(character if character.isprintable() else _json_escape(character) for character in line)


def _json_escape(character: str) -> str:
    units = character.encode("utf-16-be").hex()
    return "".join(f"\\u{units[start : start + 4]}" for start in range(0, len(units), 4))


def note(text: str) -> None:
    """Print a line for people to standard error."""
    typer.echo(printable(text), err=True)


def show_table(columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
    """Print rows under their column names; a terminal shows the ages of times."""
    if not sys.stdout.isatty():
        say(plain_table(columns, rows))
        return
    from jobindex.cli.table import draw_table

    cells = [[printable(cell if isinstance(cell, str) else _ago(cell)) for cell in row] for row in rows]
    draw_table(columns, cells, STYLES)


def show_found(columns: Sequence[str], rows: Sequence[Sequence[Cell]], nothing: str) -> None:
    """Print rows like show_table, or the note `nothing`."""
    if rows:
        show_table(columns, rows)
    else:
        note(nothing)


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, given in the singular."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def show_fields(fields: Sequence[tuple[str, str]]) -> None:
    """Print named values, one per line."""
    for name, value in fields:
        say(f"{f'{printable(name)}:':<14} {styled(printable(value))}")


def styled(text: str) -> str:
    """Return text in the colour of the status that it begins with, if the terminal shows colours."""
    words = text.split(" ", 2)
    style = STYLES.get(" ".join(words[:2]), STYLES.get(words[0]))
    if style is None or not sys.stdout.isatty() or os.environ.get("NO_COLOR"):
        return text
    return typer.style(text, fg=style)


def sparkline(numbers: Sequence[int]) -> str:
    """Return numbers as blocks, scaled to the greatest number."""
    greatest = max(numbers, default=0)
    return "".join(_BLOCKS[-(-number * 8 // greatest)] if greatest else " " for number in numbers).rstrip()


def plain_table(columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> str:
    """Return a plain-text table with aligned columns."""
    cells = [[cell if isinstance(cell, str) else time(cell) for cell in row] for row in rows]
    lines = [columns, *([printable(cell) for cell in row] for row in cells)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(columns) - 1)]
    return "\n".join(
        "  ".join([*(cell.ljust(width) for cell, width in zip(line, widths, strict=False)), line[-1]]) for line in lines
    )


def exact_time(seconds: float) -> str:
    """Return a time in ISO 8601, to the millisecond."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def time(seconds: float | None) -> str:
    """Return a time in ISO 8601, to the second; a dash if it is unknown."""
    if seconds is None:
        return UNKNOWN
    return datetime.fromtimestamp(int(seconds), UTC).isoformat().replace("+00:00", "Z")


def _ago(seconds: float | None) -> str:
    if seconds is None:
        return UNKNOWN
    since = datetime.now(UTC).timestamp() - seconds
    return f"{show_duration(since)} ago" if since >= 0 else f"in {show_duration(-since)}"


def counts(by_state: Mapping[str, int]) -> str:
    """Return counts on one line, the greatest first; a dash if there are none."""
    found = sorted(by_state.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{count} {printable(state)}" for state, count in found) or UNKNOWN


def printable(text: str, keep: str = "") -> str:
    """Escape control characters."""
    return "".join(
        character if character.isprintable() or character in keep else ascii(character)[1:-1] for character in text
    )
