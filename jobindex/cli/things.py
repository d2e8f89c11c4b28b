"""`jobindex things`, `stuck` and `namespaces`: things, executions that wait, and namespaces."""

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

THINGS_EXAMPLE = "Examples: jobindex things --prefix pump-; jobindex things pump-1; jobindex things --group pumps"
STUCK_EXAMPLE = "Example: jobindex stuck --longer-than 2h"
NAMESPACES_EXAMPLE = "Example: jobindex namespaces --json"

_STUCK_COLUMNS = ("THING", "JOB", "NAMESPACE", "STATE", "WAITING SINCE", "LAST SEEN PENDING")
_COLUMNS = ("JOB", "STATE", "QUEUED", "STARTED", "UPDATED", "NUMBER")

_Group = Annotated[str | None, typer.Option(metavar="NAME", help="List the things of the thing group with this name.")]
_Limit = Annotated[int, typer.Option(parser=count, metavar="N", help="Show at most N (says when there are more).")]
_LongerThan = Annotated[
    int | None,
    typer.Option(
        metavar="DURATION",
        parser=duration,
        help="Show executions that have waited longer than DURATION: 90s, 30m, 2h, 1d.",
        show_default="JOBINDEX_STUCK_SECONDS of the service, 1h",
    ),
]


def things(
    *,
    thing_name: Annotated[
        str | None, typer.Argument(metavar="THING", help="Show this thing.", show_default="list all names")
    ] = None,
    prefix: Prefix = None,
    group: _Group = None,
    limit: _Limit = 100,
    json: AsJson = False,
    endpoint: Endpoint = None,
) -> None:
    """List things, or show one thing: its executions, and the times of its complete pending lists.

    A pending list names the executions that wait for a thing; an execution that a complete list leaves out has ended.
    With --group, lists the things of a thing group, which `jobindex sync --groups` fetches from AWS; the index has
    neither an execution nor a pending list of a thing that it has "never heard of".

    Exits with 1 if the thing or the group does not exist. THING, --prefix and --group exclude each other.
    """
    given = {"THING": thing_name, "--prefix": prefix, "--group": group}
    if sum(value is not None for value in given.values()) > 1:
        raise typer.BadParameter(f"{', '.join(given)} exclude each other")
    with asking(endpoint) as service:
        if group is not None:
            _show_members(service, group, limit, json=json)
            return
        if thing_name is not None:
            _show_thing(service, thing_name, limit, json=json)
            return
        names = list(islice(service.pages("/index/things", "things", {"prefix": prefix}, limit=limit + 1), limit + 1))
        for name in names[:limit]:
            say(encode({"thingName": name}) if json else printable(name))
        if not names and not json:
            note("No things found." if prefix is None else "No thing has a name with this prefix.")
        _note_more(len(names), limit)


def _show_members(service: ServiceClient, group: str, limit: int, *, json: bool) -> None:
    path = f"/index/thing-groups/{quoted(group)}/things"
    as_of = service.ask("GET", path, {"limit": 1}).get("membersAsOf")
    things = list(islice(service.pages(path, "things", {}, limit=limit + 1), limit + 1))
    if json:
        for thing in things[:limit]:
            say(encode(thing))
    else:
        rows = [(one["thingName"], "known" if one["isHeardOf"] else "never heard of") for one in things[:limit]]
        show_found(("THING", "INDEX"), rows, "No things of this group found.")
        if as_of is not None:
            note(f"AWS listed this group as of {time(as_of)}.")
    if as_of is None:
        note("AWS has never listed this group completely: `jobindex sync --groups` asks for that.")
    _note_more(len(things), limit)


def _show_thing(service: ServiceClient, thing_name: str, limit: int, *, json: bool) -> None:
    thing = service.ask("GET", f"/index/things/{quoted(thing_name)}")
    executions = list(islice(service.things_jobs(thing_name), limit + 1))
    if json:
        say(encode({"thing": thing, "executions": executions[:limit]}))
        return
    show_fields(
        [
            ("thing", thing["thingName"]),
            ("last message", time(thing.get("lastHeardAt"))),
            ("waiting since", time(thing.get("waitingSince"))),
            *(("pending lists", line) for line in _pending_lists(thing)),
        ]
    )
    show_executions(thing["executions"])
    if executions:
        say("")
        show_table(_COLUMNS, [_row(one) for one in executions[:limit]])
    _note_more(len(executions), limit)


def _pending_lists(thing: Json) -> Sequence[str]:
    return [
        f"{listed.get('namespaceId', 'without a namespace')}: complete at {time(listed['listedAt'])}"
        for listed in thing["pendingLists"]
    ] or ["none is complete: only events show which executions have ended"]


def _row(execution: Json) -> tuple[Cell, ...]:
    summary = execution["jobExecutionSummary"]
    number = summary.get("executionNumber")
    return (
        execution["jobId"],
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
    """List executions that have been QUEUED or IN_PROGRESS for a long time, the longest wait first.

    LAST SEEN PENDING is the time of the last message that showed the execution pending: the service may have missed
    its end since then.
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
        show_found(_STUCK_COLUMNS, rows, "No execution has waited this long.")
    _note_more(len(waiting), limit)


def namespaces(*, json: AsJson = False, endpoint: Endpoint = None) -> None:
    """Count the jobs and executions of each namespace, and show its activity in the last 24 hours.

    A dash is the row of jobs without a namespace. ACTIVITY shows the changes of jobs, one character per hour.
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
    show_found(columns, rows, "No jobs found.")


def _note_more(found: int, limit: int) -> None:
    if found > limit:
        note(f"There are more than these {limit}: raise --limit.")
