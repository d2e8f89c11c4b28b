"""Job executions as commands print them: in rows, and all of a job's, or a thing's, as a bar."""

import sys
from collections.abc import Mapping

from jobindex.cli.client import Json
from jobindex.cli.output import STYLES, UNKNOWN, Cell, counts, show_fields
from jobindex.model.views import PENDING

_WIDTH = 60


def execution_row(execution: Json, *, of: str) -> tuple[Cell, ...]:
    """Return what stands of an execution in a table, behind the member `of` that names it there."""
    number = execution.get("executionNumber")
    return (
        execution[of],
        execution["state"],
        execution.get("waitingSince"),
        execution.get("lastUpdatedAt"),
        UNKNOWN if number is None else str(number),
    )


def show_executions(by_state: Mapping[str, int]) -> None:
    """Print how far executions have come: how many have ended of those that are known, and how."""
    known = sum(by_state.values())
    ended = known - sum(by_state.get(state, 0) for state in PENDING)
    told = f"{ended} of {known} known have ended: {counts(by_state)}" if known else "none known"
    show_fields([("executions", told)])
    if known and sys.stdout.isatty():
        from rich.console import Console
        from rich.text import Text

        bar = Text(" " * 14)
        for state, count in sorted(by_state.items(), key=lambda item: (item[0] in PENDING, item[0])):
            bar.append(("─" if state in PENDING else "━") * max(1, count * _WIDTH // known), STYLES.get(state, "dim"))
        Console().print(bar)
