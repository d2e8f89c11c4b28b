"""What commands print: tables on a terminal, aligned text in a pipe, JSON for programs.

What a message told may hold anything that whoever publishes wrote; nothing of it reaches a terminal unescaped.
"""

import sys
from collections.abc import Sequence

import orjson
import typer

say = typer.echo


def encode(content: object) -> str:
    """Return content as a line of JSON."""
    return orjson.dumps(content).decode()


def show_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows under the names of their columns."""
    if not sys.stdout.isatty():
        say(plain_table(columns, rows))
        return
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")  # a name that is cut cannot be looked up
    for row in rows:
        table.add_row(*(Text(printable(cell), style=_STYLES.get(cell, "")) for cell in row))
    Console().print(table)


_STYLES = {
    "IN_PROGRESS": "cyan",
    "COMPLETED": "green",
    "SUCCEEDED": "green",
    "CANCELED": "yellow",
    "TIMED_OUT": "red",
    "FAILED": "red",
    "REJECTED": "red",
    "DELETION_IN_PROGRESS": "magenta",
}


def plain_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in plain text, each column as wide as what it holds, the last one as its text."""
    lines = [columns, *([printable(cell) for cell in row] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(columns) - 1)]
    return "\n".join(
        "  ".join([*(cell.ljust(width) for cell, width in zip(line, widths, strict=False)), line[-1]]) for line in lines
    )


def printable(text: str, keep: str = "") -> str:
    """Escape what a terminal would obey."""
    return "".join(
        character if character.isprintable() or character in keep else ascii(character)[1:-1] for character in text
    )
