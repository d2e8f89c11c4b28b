"""`jobindex list` and `show`: jobs, as the running service knows them."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Annotated

import typer

from jobindex.cli.client import Json, ServiceClient, quoted
from jobindex.cli.executions import execution_row, show_executions
from jobindex.cli.options import AsJson, Endpoint, GroupId, GroupName, NamespaceId, Prefix, Selection, Status, asking
from jobindex.cli.output import UNKNOWN, Cell, counted, encode, note, say, show_fields, show_found, show_table, time
from jobindex.cli.progress import progress
from jobindex.cli.values import count
from jobindex.errors import ResourceNotFoundException
from jobindex.model.listing import Filters, parameters_of
from jobindex.model.reader import CHANGES_MAXIMUM

LIST_EXAMPLE = "Example: jobindex list --namespace-id acme --status IN_PROGRESS"
SHOW_EXAMPLE = "Example: jobindex show update-7"

_COLUMNS = ("JOB", "NAMESPACE", "STATUS", "SELECTION", "THING GROUP", "CREATED", "UPDATED", "COMPLETED")
_CHANGE_COLUMNS = ("CHANGED", "FROM", "TO", "NAMESPACE", "STATUS IS")


def list_(
    *,
    namespace_id: NamespaceId = None,
    status: Status = None,
    target_selection: Selection = None,
    thing_group_id: GroupId = None,
    thing_group_name: GroupName = None,
    prefix: Prefix = None,
    limit: Annotated[
        int, typer.Option(parser=count, metavar="N", help="At most so many; it is told when more follow.")
    ] = 100,
    json: AsJson = False,
    endpoint: Endpoint = None,
) -> None:
    """List jobs that pass all the filters, newest first; with --prefix in the order of their names.

    With --json each line is a JobSummary as the ListJobs API of AWS has it. Without, each job is asked for by its id
    too, for its namespace, unless --namespace-id names that. A narrow terminal gets fewer columns.
    """
    filters = Filters(
        namespace_id=namespace_id,
        status=status,
        target_selection=target_selection,
        thing_group_id=thing_group_id,
        thing_group_name=thing_group_name,
    )
    with asking(endpoint) as service:
        listed = list(islice(_found(service, filters, prefix, limit + 1), limit + 1))
        if json:
            for job in listed[:limit]:
                say(encode(job))
        else:
            is_filtered = filters != Filters() or prefix is not None
            nothing = "No job passes these filters." if is_filtered else "No job is known."
            show_found(_COLUMNS, _rows(service, listed[:limit], namespace_id), nothing)
        if len(listed) > limit:
            note(f"More follow these {limit}: take a greater --limit, or `jobindex export`.")


def _found(service: ServiceClient, filters: Filters, prefix: str | None, limit: int) -> Iterator[Json]:
    if prefix:
        return service.pages("/index/jobs", "jobs", {"prefix": prefix, **parameters_of(filters)}, limit=limit)
    return service.jobs(filters, limit=limit)


def _rows(service: ServiceClient, jobs: Sequence[Json], namespace_id: str | None) -> Sequence[Sequence[Cell]]:
    with progress("Listing") as working:
        rows = []
        for done, job in enumerate(jobs, start=1):
            rows.append(_row(job, namespace_id or _namespace(service, job["jobId"])))
            working.advance(done, len(jobs))
        return rows


def _namespace(service: ServiceClient, job_id: str) -> str:
    """Return the namespace of a job, which ListJobs does not tell."""
    try:
        return str(service.ask("GET", f"/index/jobs/{quoted(job_id)}").get("namespaceId", UNKNOWN))
    except ResourceNotFoundException:  # it was deleted meanwhile
        return UNKNOWN


def _row(job: Json, namespace_id: str) -> tuple[Cell, ...]:
    told = [
        job["jobId"],
        namespace_id,
        job["status"],
        job.get("targetSelection", UNKNOWN),
        job.get("thingGroupId", UNKNOWN),
    ]
    return (*told, *(job.get(name) for name in ("createdAt", "lastUpdatedAt", "completedAt")))


def show(
    *,
    job_id: Annotated[str, typer.Argument(metavar="JOB", help="The job's id.")],
    limit: Annotated[
        int, typer.Option(parser=count, metavar="N", help="At most so many executions, and changes.")
    ] = 20,
    json: AsJson = False,
    endpoint: Endpoint = None,
) -> None:
    """Show what is known of a job: its status and who told it, its executions, and how it changed.

    A status or a time that no message told is marked as inferred. Exits with 1 when there is no such job. With --json
    one object: `job`, `executions`, `changes`.
    """
    with asking(endpoint) as service:
        path = f"/index/jobs/{quoted(job_id)}"
        job = service.ask("GET", path)
        executions = list(islice(service.pages(f"{path}/executions", "executions", {}, limit=limit), limit))
        changes = service.ask("GET", f"{path}/changes", {"limit": min(limit, CHANGES_MAXIMUM)})["changes"]
        if json:
            say(encode({"job": job, "executions": executions, "changes": changes}))
            return
        show_fields(_fields(job))
        known = sum(job["executions"].values())
        show_executions(job["executions"])
        if executions:
            say("")
            show_table(
                ("THING", "STATE", "WAITING SINCE", "UPDATED", "NUMBER"),
                [execution_row(execution, of="thingName") for execution in executions],
            )
        if known > len(executions):
            note(f"{counted(known - len(executions), 'execution')} more: take a greater --limit.")
        if changes:
            say("")
            show_table(_CHANGE_COLUMNS, [_change_row(change) for change in changes])


def _fields(job: Json) -> list[tuple[str, str]]:
    def told(name: str) -> str:
        return "reported" if job.get(name) else "inferred"

    concurrent = job.get("isConcurrent")
    return [
        ("job", job["jobId"]),
        ("arn", job["jobArn"]),
        ("namespace", job.get("namespaceId", UNKNOWN)),
        ("status", f"{job['status']} ({told('isStatusReported')})"),
        ("selection", job.get("targetSelection", UNKNOWN)),
        ("concurrent", UNKNOWN if concurrent is None else "yes" if concurrent else "no"),
        ("group names", ", ".join(job.get("thingGroupNames") or [UNKNOWN])),
        ("group ids", ", ".join(job.get("thingGroupIds") or [UNKNOWN])),
        ("created", f"{time(job['createdAt'])} ({told('isCreatedAtReported')})"),
        ("updated", time(job["lastUpdatedAt"])),
        ("completed", time(job.get("completedAt"))),
        ("first heard", time(job.get("firstHeardAt"))),
    ]


def _change_row(change: Json) -> tuple[Cell, ...]:
    return (
        change["changedAt"],
        change.get("formerStatus") or UNKNOWN,
        change.get("status") or "deleted",
        change.get("namespaceId") or UNKNOWN,
        "reported" if change.get("isStatusReported") else "inferred",
    )
