"""Tables for terminals of any width: ids stay whole, and if necessary the least important columns are left out."""

from collections.abc import Mapping, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

_IDS = frozenset({"JOB", "THING"})
"""Columns that, like the first, are never cut or folded: an id in two pieces cannot be copied."""
_DISPENSABLE = (
    "THING GROUP",
    "NUMBER",
    "LAST SEEN PENDING",
    "SELECTION",
    "COMPLETED",
    "STARTED",
    "QUEUED",
    "CREATED",
    "UPDATED",
    "NAMESPACE",
)
"""Columns that a narrow table leaves out, the least important first."""
_LEAST_WIDTH = 8
"""The least width of a folded column."""
_UNBOUNDED = 100_000


def draw_table(columns: Sequence[str], rows: Sequence[Sequence[str]], styles: Mapping[str, str]) -> None:
    """Draw rows under their column names, each cell in the style of its text."""
    console = Console()
    shown = list(range(len(columns)))
    for name in _DISPENSABLE:
        if _width(console, _table(columns, rows, shown, styles)) <= console.width:
            break
        shown = [column for column in shown if column == 0 or columns[column] != name]
    table = _table(columns, rows, shown, styles)
    # If even the ids do not fit, the terminal breaks the line, and a copied id is still whole.
    least = Measurement.get(console, console.options.update(width=_UNBOUNDED), table).minimum
    if least > console.width:
        console = Console(width=least)
    console.print(table)


def _width(console: Console, table: Table) -> int:
    return Measurement.get(console, console.options.update(width=_UNBOUNDED), table).maximum


def _table(
    columns: Sequence[str], rows: Sequence[Sequence[str]], shown: Sequence[int], styles: Mapping[str, str]
) -> Table:
    table = Table(box=SIMPLE_HEAD, header_style="bold", pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    for column in shown:
        longest = max(len(text) for text in (columns[column], *(row[column] for row in rows)))
        is_whole = column == 0 or columns[column] in _IDS
        table.add_column(
            columns[column],
            no_wrap=is_whole,
            overflow="fold",
            min_width=longest if is_whole else min(longest, _LEAST_WIDTH),
        )
    for row in rows:
        table.add_row(*(Text(row[column], style=_style(row[column], styles)) for column in shown))
    return table


def _style(text: str, styles: Mapping[str, str]) -> str:

    return styles.get(text) or styles.get(" ".join(text.split(" ", 2)[:2]), "")
