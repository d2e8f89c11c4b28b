"""Job executions as rows, and as a bar for a whole job or thing."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

from jobindex.cli.client import Json, ServiceClient
from jobindex.cli.output import STYLES, UNKNOWN, Cell, counts, say, show_fields, show_table
from jobindex.model.views import FAILURES, PENDING

_WIDTH = 60
_DETAILS_SHOWN = 160
"""The most characters of an attempt's `statusDetails`."""

_COLUMNS = ("THING", "STATE", "WAITING SINCE", "UPDATED", "NUMBER", "DETAILS")
_FORMER_COLUMNS = ("THING", "EARLIER ATTEMPT", "STATE", "UPDATED", "DETAILS")


def failed_first(service: ServiceClient, path: str, by_state: Mapping[str, int], limit: int) -> Sequence[Json]:
    """Return at most `limit` executions of the job at `path`: failed ones first, then by thing name."""
    found: dict[str, Json] = {}
    for state in (*(state for state in FAILURES if by_state.get(state)), None):
        if len(found) < limit:
            pages = service.pages(f"{path}/executions", "executions", {"state": state}, limit=limit)
            others = (execution for execution in pages if execution["thingName"] not in found)
            found |= {execution["thingName"]: execution for execution in islice(others, limit - len(found))}
    return [*found.values()]


def show_executions_of_job(executions: Sequence[Json]) -> None:
    """Print a job's executions with their details, and a second table of earlier attempts."""
    if executions:
        say("")
        show_table(_COLUMNS, [_row(execution) for execution in executions])
    former = [row for execution in executions for row in _former_rows(execution)]
    if former:
        say("")
        show_table(_FORMER_COLUMNS, former)


def _row(execution: Json) -> tuple[Cell, ...]:
    return (
        execution["thingName"],
        execution["state"],
        execution.get("waitingSince"),
        execution.get("lastUpdatedAt"),
        _number(execution),
        _details(execution),
    )


def _former_rows(execution: Json) -> Iterator[tuple[Cell, ...]]:
    for attempt in execution["formerAttempts"]:
        updated_at = attempt.get("lastUpdatedAt")
        yield execution["thingName"], _number(attempt), attempt["state"], updated_at, _details(attempt)


def _number(attempt: Json) -> str:
    number = attempt.get("executionNumber")
    return UNKNOWN if number is None else str(number)


def _details(attempt: Json) -> str:
    line = "; ".join(f"{name}: {value}" for name, value in attempt.get("statusDetails", {}).items())
    if len(line) > _DETAILS_SHOWN:
        return f"{line[:_DETAILS_SHOWN]}… ({len(line)} characters)"
    return line or UNKNOWN


def show_executions(by_state: Mapping[str, int]) -> None:
    """Print how many of the known executions have ended, and the count of each state."""
    known = sum(by_state.values())
    ended = known - sum(by_state.get(state, 0) for state in PENDING)
    progress = f"{ended} of {known} known have ended: {counts(by_state)}" if known else "none known"
    show_fields([("executions", progress)])
    if known and sys.stdout.isatty():
        from rich.console import Console
        from rich.text import Text

        bar = Text(" " * 14)
        for state, count in sorted(by_state.items(), key=lambda item: (item[0] in PENDING, item[0])):
            bar.append(("─" if state in PENDING else "━") * max(1, count * _WIDTH // known), STYLES.get(state, "dim"))
        Console().print(bar)
