"""`jobindex things`, `stuck` and `namespaces`: who jobs are for, who keeps them waiting, and whose they are."""

from collections.abc import Sequence
from itertools import islice
from typing import Annotated

import typer

from jobindex.cli.client import Json, ServiceClient, quoted
from jobindex.cli.executions import show_executions
from jobindex.cli.options import AsJson, Endpoint, NamespaceId, Prefix, asking, duration
from jobindex.cli.output import (
    UNKNOWN,
    Cell,
    counts,
    encode,
    note,
    printable,
    say,
    show_fields,
    show_found,
    show_table,
    sparkline,
    time,
)
from jobindex.cli.values import count

THINGS_EXAMPLE = "Examples: jobindex things --prefix pump-; jobindex things pump-1"
STUCK_EXAMPLE = "Example: jobindex stuck --longer-than 2h"
NAMESPACES_EXAMPLE = "Example: jobindex namespaces --json"

_STUCK_COLUMNS = ("THING", "JOB", "NAMESPACE", "STATE", "WAITING SINCE", "NOTHING HEARD SINCE")
_COLUMNS = ("JOB", "STATE", "QUEUED", "STARTED", "UPDATED", "NUMBER")

_Limit = Annotated[int, typer.Option(parser=count, metavar="N", help="At most so many; it is told when more follow.")]
_LongerThan = Annotated[
    int | None,
    typer.Option(
        metavar="DURATION",
        parser=duration,
        help="How long an execution must have been waiting: 90s, 30m, 2h, 1d.",
        show_default="JOBINDEX_STUCK_SECONDS of the service, 1h",
    ),
]


def things(
    *,
    thing_name: Annotated[
        str | None, typer.Argument(metavar="THING", help="Show this thing.", show_default="list their names")
    ] = None,
    prefix: Prefix = None,
    limit: _Limit = 100,
    json: AsJson = False,
    endpoint: Endpoint = None,
) -> None:
    """List things, or show what is known of one: its executions, and when its pending ones were last listed.

    A pending list is what a thing is told of all that waits for it; with one, what it leaves out has ended. Exits
    with 1 when there is no such thing. THING and --prefix exclude each other.
    """
    if thing_name is not None and prefix is not None:
        raise typer.BadParameter("THING and --prefix exclude each other", param_hint="--prefix")
    with asking(endpoint) as service:
        if thing_name is not None:
            _show_thing(service, thing_name, limit, json=json)
            return
        names = list(islice(service.pages("/index/things", "things", {"prefix": prefix}, limit=limit + 1), limit + 1))
        for name in names[:limit]:
            say(encode({"thingName": name}) if json else printable(name))
        if not names and not json:
            note("No thing is known." if prefix is None else "No thing has a name that begins so.")
        _tell_more(len(names), limit)


def _show_thing(service: ServiceClient, thing_name: str, limit: int, *, json: bool) -> None:
    thing = service.ask("GET", f"/index/things/{quoted(thing_name)}")
    executions = list(islice(service.things_jobs(thing_name), limit + 1))
    if json:
        say(encode({"thing": thing, "executions": executions[:limit]}))
        return
    show_fields(
        [
            ("thing", thing["thingName"]),
            ("last heard", time(thing.get("lastHeardAt"))),
            ("waiting since", time(thing.get("waitingSince"))),
            *(("pending lists", told) for told in _pending_lists(thing)),
        ]
    )
    show_executions(thing["executions"])
    if executions:
        say("")
        show_table(_COLUMNS, [_row(one) for one in executions[:limit]])
    _tell_more(len(executions), limit)


def _pending_lists(thing: Json) -> Sequence[str]:
    return [
        f"{listed.get('namespaceId', 'without a namespace')}: listed completely at {time(listed['listedAt'])}"
        for listed in thing["pendingLists"]
    ] or ["none was complete: what this thing no longer has to do is known from events alone"]


def _row(told: Json) -> tuple[Cell, ...]:
    summary = told["jobExecutionSummary"]
    number = summary.get("executionNumber")
    return (
        told["jobId"],
        summary.get("status", "ENDED"),
        *(summary.get(name) for name in ("queuedAt", "startedAt", "lastUpdatedAt")),
        UNKNOWN if number is None else str(number),
    )


def stuck(
    *,
    longer_than: _LongerThan = None,
    namespace_id: NamespaceId = None,
    limit: _Limit = 100,
    json: AsJson = False,
    endpoint: Endpoint = None,
) -> None:
    """List executions that have been QUEUED or IN_PROGRESS for long, those that wait longest first.

    NOTHING HEARD SINCE is when a message last showed the execution pending: an end may have been missed since then.
    """
    parameters = {"longerThan": longer_than, "namespaceId": namespace_id}
    with asking(endpoint) as service:
        pages = service.pages("/index/executions/waiting", "executions", parameters, limit=limit + 1)
        _show_waiting(list(islice(pages, limit + 1)), limit, json=json)


def _show_waiting(waiting: Sequence[Json], limit: int, *, json: bool) -> None:
    if json:
        for execution in waiting[:limit]:
            say(encode(execution))
    else:
        rows = [
            (
                execution["thingName"],
                execution["jobId"],
                execution.get("namespaceId", UNKNOWN),
                execution["state"],
                execution["waitingSince"],
                execution.get("seenPendingAt"),
            )
            for execution in waiting[:limit]
        ]
        show_found(_STUCK_COLUMNS, rows, "No execution waits so long.")
    _tell_more(len(waiting), limit)


def namespaces(*, json: AsJson = False, endpoint: Endpoint = None) -> None:
    """Count the jobs and executions of each namespace, and show its last 24 hours.

    A dash is the jobs without a namespace. The activity is how often a job changed, an hour a character.
    """
    with asking(endpoint) as service:
        _show_namespaces(list(service.pages("/index/namespaces", "namespaces", {})), json=json)


def _show_namespaces(found: Sequence[Json], *, json: bool) -> None:
    if json:
        for namespace in found:
            say(encode(namespace))
        return
    rows = [
        (
            namespace.get("namespaceId", UNKNOWN),
            str(sum(namespace["jobs"].values())),
            counts(namespace["jobs"]),
            counts(namespace["executions"]),
            namespace.get("lastChangeAt"),
            sparkline(namespace["activity"]),
        )
        for namespace in found
    ]
    columns = ("NAMESPACE", "JOBS", "BY STATUS", "EXECUTIONS", "LAST CHANGE", "ACTIVITY")
    show_found(columns, rows, "No job is known.")


def _tell_more(found: int, limit: int) -> None:
    if found > limit:
        note(f"More follow these {limit}: take a greater --limit.")
