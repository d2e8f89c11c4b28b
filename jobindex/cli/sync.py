"""`jobindex sync`: starts a sync with AWS in the running service, and shows its progress until it has ended.

The service makes the calls, so the run goes on without this command.
"""

import time as clock
from typing import Annotated

import orjson
import typer

from jobindex.cli import values
from jobindex.cli.client import Json, ServiceClient
from jobindex.cli.options import Endpoint, connect
from jobindex.cli.output import Cell, counted, encode, note, printable, say, show_fields, show_found, time
from jobindex.cli.progress import Working, progress
from jobindex.durations import show_duration
from jobindex.errors import RefusedError, ServiceError
from jobindex.model.sync import CHECKS, SyncKind

EXAMPLE = "Examples: jobindex sync; jobindex sync --check active; jobindex sync --status"

_PATH = "/index/sync"
_POLL_SECONDS = 1
_AWAY_SECONDS = 60
"""The time for a restart of the service."""
_INTERRUPTED = 130
_COLUMNS = ("ID", "KIND", "REQUESTED", "ENDED", "RESULT", "ROWS", "CALLS", "THROTTLED", "DIFFERENCES")


def sync(
    *,
    check: Annotated[
        SyncKind | None,
        typer.Option(
            metavar="KIND",
            help="Compare the index with AWS instead: the `active` jobs, `all` jobs, or the `pending` executions.",
            parser=values.check,
            autocompletion=lambda: sorted(CHECKS),
        ),
    ] = None,
    is_detailed: Annotated[
        bool, typer.Option("--details", help="Describe every job and list all its executions instead.")
    ] = False,
    with_groups: Annotated[
        bool, typer.Option("--groups", help="List thing groups, their jobs and their members, too.")
    ] = False,
    returns_at_once: Annotated[bool, typer.Option("--no-wait", help="Do not wait until the run has ended.")] = False,
    is_status: Annotated[
        bool, typer.Option("--status", help="Show the status and the last runs, and start none.")
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print the last answer of the service as one JSON object.")
    ] = False,
    endpoint: Endpoint = None,
) -> None:
    """Fill the index from AWS, or compare it with AWS, and show the progress.

    The running service makes the calls, with its own credentials and at its own rate (JOBINDEX_AWS_SYNC). Without
    options it lists all jobs, with their namespaces and deployments, and the pending executions of the active jobs. If
    a run of the same kind is open, the command shows that one. Ctrl-C ends the command, not the run. Exits with 0 if
    the run is complete, and with 1 if it could not get something, which is listed.
    """
    if is_status:
        if check or is_detailed or with_groups or returns_at_once:
            raise typer.BadParameter("shows runs and starts none: give no other option", param_hint="--status")
        _show_status(connect(endpoint).ask("GET", _PATH), json=json)
        return
    if check and is_detailed:
        raise typer.BadParameter("give --check or --details, not both", param_hint="--check, --details")
    if with_groups and (check or is_detailed):
        raise typer.BadParameter("only a fill lists thing groups", param_hint="--groups")
    kind = check or (SyncKind.DETAILS if is_detailed else SyncKind.FILL)
    service = connect(endpoint)
    body = orjson.dumps({"kind": kind, "withGroups": with_groups})
    answer = run = service.ask("POST", _PATH, body=body)
    if not returns_at_once:
        try:
            answer, run = _wait(service, run)
        except KeyboardInterrupt:
            note(f"The {_named(run)} goes on in the service: see `jobindex sync --status`.")
            raise typer.Exit(_INTERRUPTED) from None
    if json:
        say(encode(answer))
    else:
        say(printable(_summary(run)))
        for problem in run["problems"]:
            say(printable(f"problem: {problem}"))
    is_wrong = not returns_at_once and (not run["isComplete"] or run["problems"])
    raise typer.Exit(int(bool(is_wrong)))


def _wait(service: ServiceClient, run: Json) -> tuple[Json, Json]:
    """Return the answer that has the ended run, and the run."""
    noted = ""
    answered_at = clock.monotonic()
    with progress(_named(run).capitalize()) as working:
        while True:
            try:
                answer = service.ask("GET", _PATH)
            except RefusedError:
                raise
            except ServiceError as error:  # it may be restarting
                if clock.monotonic() - answered_at > _AWAY_SECONDS:
                    raise
                reason = str(error)
            else:
                answered_at = clock.monotonic()
                run = _find(service, answer, run)
                if "endedAt" in run:
                    return answer, run
                _show_progress(working, run, answer)
                reason = str(answer.get("reason", ""))
            if reason and reason != noted:
                working.note(f"waiting: {reason}")
            noted = reason
            clock.sleep(_POLL_SECONDS)


def _find(service: ServiceClient, answer: Json, former: Json) -> Json:
    runs: list[Json] = answer["runs"]
    for run in runs:
        if run["id"] == former["id"]:
            return run
    raise ServiceError(f"{service.url}: the service no longer reports the run")


def _show_progress(working: Working, run: Json, answer: Json) -> None:
    details = _amounts(run)
    if answer.get("kind") not in {None, run["kind"]}:
        details += f", waiting for another run ({answer['kind']})"
    elif "secondsLeft" in answer:
        details += f", {show_duration(answer['secondsLeft'])} left"
    working.describe(f"{_named(run).capitalize()}: {run.get('phase', 'requested')}", details)
    working.advance(run["done"], _total(run))


def _total(run: Json) -> int | None:
    """Return the number of all items, None if it is not known: a phase can find more than it has counted."""
    total: int | None = run.get("total")
    return None if total is None or total < run["done"] else total


def _named(run: Json) -> str:
    match run["kind"]:
        case SyncKind.FILL:
            return "fill"
        case SyncKind.DETAILS:
            return "sync of details"
        case SyncKind.JOB:
            return f"sync of job {run['jobId']}" if "jobId" in run else "sync of one job"
        case kind:
            return f"check ({kind})"


def _amounts(run: Json) -> str:
    text = f"{counted(run['rows'], 'row')}, {counted(run['calls'], 'call')}"
    return text + (f", {run['throttled']} throttled" if run["throttled"] else "")


def _summary(run: Json) -> str:
    text = f"{_named(run).capitalize()} {_result(run)}: {_amounts(run)}"
    if run["kind"] in CHECKS:
        text += f", {counted(run['differences'], 'difference')}"
    return text + (f"; as of {time(run['asOf'])}" if "asOf" in run else "")


def _result(run: Json) -> str:
    if "endedAt" in run:
        return "complete" if run["isComplete"] else "not complete"
    return "running" if "startedAt" in run else "requested"


def _show_status(answer: Json, *, json: bool) -> None:
    if json:
        say(encode(answer))
        return
    fields = [
        ("mode", answer["mode"]),
        ("filled", time(answer.get("filled"))),
        ("reconciled", time(answer.get("reconciled"))),
    ]
    if "kind" in answer:
        of_total = "" if (total := _total(answer)) is None else f" of {total}"
        left = f", {show_duration(answer['secondsLeft'])} left" if "secondsLeft" in answer else ""
        fields.append(
            ("running", f"{_named(answer)}, {answer.get('phase', 'requested')} {answer['done']}{of_total}{left}")
        )
    if "reason" in answer:
        fields.append(("waiting", answer["reason"]))
    fields += [("problem", problem) for problem in answer.get("problems", ())]
    show_fields(fields)
    say()
    show_found(_COLUMNS, [_row(run) for run in answer["runs"]], "No run has been requested.")
    if answer["mode"] == "off":
        note("The sync with AWS is off: JOBINDEX_AWS_SYNC turns it on.")


def _row(run: Json) -> tuple[Cell, ...]:
    amounts = (str(run[name]) for name in ("rows", "calls", "throttled", "differences"))
    return (str(run["id"]), _named(run), run["requestedAt"], run.get("endedAt"), _result(run), *amounts)
