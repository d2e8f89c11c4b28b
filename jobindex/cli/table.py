"""Tables on a terminal, however narrow: ids stay whole, and what tells least is left out where there is no room."""

from collections.abc import Mapping, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

_IDS = frozenset({"JOB", "THING"})
"""Columns that are never cut or folded, as the first one: what is in two pieces cannot be looked up or copied."""
_DISPENSABLE = (
    "THING GROUP",
    "NUMBER",
    "NOTHING HEARD SINCE",
    "SELECTION",
    "COMPLETED",
    "STARTED",
    "QUEUED",
    "CREATED",
    "UPDATED",
    "NAMESPACE",
)
"""Columns that are left out where there is no room, those first that tell least."""
_LEAST_WIDTH = 8
"""Of a column that is folded."""
_UNBOUNDED = 100_000


def draw_table(columns: Sequence[str], rows: Sequence[Sequence[str]], styles: Mapping[str, str]) -> None:
    """Draw rows under the names of their columns, each cell in the style of what it holds."""
    console = Console()
    shown = list(range(len(columns)))
    for name in _DISPENSABLE:
        if _width(console, _table(columns, rows, shown, styles)) <= console.width:
            break
        shown = [column for column in shown if column == 0 or columns[column] != name]
    table = _table(columns, rows, shown, styles)
    # Where even the ids have no room, the terminal breaks the line, and what is copied from it is whole.
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
    """Return the style of a cell: of what it holds, or of its first two words."""
    return styles.get(text) or styles.get(" ".join(text.split(" ", 2)[:2]), "")
