"""What commands print: tables on a terminal, aligned text in a pipe, JSON for programs.

What a message told may hold anything that whoever publishes wrote; nothing of it reaches a terminal unescaped.
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
"""What stands in a table: text, a time in seconds since the epoch, or a time that is not known."""

UNKNOWN = "-"
"""What stands in a table where nothing is known."""

STYLES = {
    "ok": "green",
    "WRONG": "red",
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
    """Return content as a line of JSON, to be written to `file`, to stdout for None.

    Where that is a terminal, what it would obey is escaped: JSON lets the controls beyond ASCII and the marks that
    turn the direction of writing stand as they are.
    """
    line = orjson.dumps(content).decode()
    if line.isprintable() or not (file or sys.stdout).isatty():
        return line
    return "".join(character if character.isprintable() else _json_escape(character) for character in line)


def _json_escape(character: str) -> str:
    units = character.encode("utf-16-be").hex()
    return "".join(f"\\u{units[start : start + 4]}" for start in range(0, len(units), 4))


def note(text: str) -> None:
    """Tell what a program that reads the output is not to read, on a line."""
    typer.echo(printable(text), err=True)


def show_table(columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
    """Print rows under the names of their columns; on a terminal times are told by how long ago they were."""
    if not sys.stdout.isatty():
        say(plain_table(columns, rows))
        return
    from jobindex.cli.table import draw_table

    cells = [[printable(cell if isinstance(cell, str) else _ago(cell)) for cell in row] for row in rows]
    draw_table(columns, cells, STYLES)


def show_found(columns: Sequence[str], rows: Sequence[Sequence[Cell]], nothing: str) -> None:
    """Print rows as show_table does; where there are none, only tell so, by the sentence `nothing`."""
    if rows:
        show_table(columns, rows)
    else:
        note(nothing)


def counted(number: int, noun: str) -> str:
    """Return so many of what `noun` names in the singular."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def show_fields(fields: Sequence[tuple[str, str]]) -> None:
    """Print values behind their names, a line each."""
    for name, value in fields:
        say(f"{f'{printable(name)}:':<14} {styled(printable(value))}")


def styled(text: str) -> str:
    """Return text in the colour of the status that it begins with, on a terminal that is to have colours."""
    words = text.split(" ", 2)
    style = STYLES.get(" ".join(words[:2]), STYLES.get(words[0]))
    if style is None or not sys.stdout.isatty() or os.environ.get("NO_COLOR"):
        return text
    return typer.style(text, fg=style)


def sparkline(numbers: Sequence[int]) -> str:
    """Return numbers as a line of blocks, as high as each is beside the greatest."""
    greatest = max(numbers, default=0)
    return "".join(_BLOCKS[-(-number * 8 // greatest)] if greatest else " " for number in numbers).rstrip()


def plain_table(columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> str:
    """Return a table in plain text, each column as wide as what it holds, the last one as its text."""
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
    """Return a time in ISO 8601, to the second; a dash where it is not known."""
    if seconds is None:
        return UNKNOWN
    return datetime.fromtimestamp(int(seconds), UTC).isoformat().replace("+00:00", "Z")


def _ago(seconds: float | None) -> str:
    if seconds is None:
        return UNKNOWN
    since = datetime.now(UTC).timestamp() - seconds
    return f"{show_duration(since)} ago" if since >= 0 else f"in {show_duration(-since)}"


def counts(by_state: Mapping[str, int]) -> str:
    """Return counts on a line, the greatest first; a dash where there are none."""
    found = sorted(by_state.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{count} {printable(state)}" for state, count in found) or UNKNOWN


def printable(text: str, keep: str = "") -> str:
    """Escape what a terminal would obey."""
    return "".join(
        character if character.isprintable() or character in keep else ascii(character)[1:-1] for character in text
    )
