"""`jobindex list` and `show`: the jobs in the running service's index."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Annotated

import typer

from jobindex.cli.client import Json, ServiceClient, quoted
from jobindex.cli.executions import failed_first, show_executions, show_executions_of_job
from jobindex.cli.options import AsJson, Endpoint, GroupId, GroupName, NamespaceId, Prefix, Selection, Status, asking
from jobindex.cli.output import (
    UNKNOWN,
    Cell,
    counted,
    counts,
    encode,
    note,
    say,
    show_fields,
    show_found,
    show_table,
    time,
)
from jobindex.cli.progress import progress
from jobindex.cli.values import count
from jobindex.model.jobs import JobStatus
from jobindex.model.listing import Filters, parameters_of
from jobindex.model.reader import CHANGES_MAXIMUM, OUTCOMES_MAXIMUM

LIST_EXAMPLE = "Example: jobindex list --namespace-id acme --status IN_PROGRESS"
SHOW_EXAMPLE = "Example: jobindex show update-7"

_COLUMNS = ("JOB", "NAMESPACE", "STATUS", "SELECTION", "THING GROUP", "CREATED", "UPDATED", "COMPLETED")
_TARGETS_SHOWN = 10
_OUTCOMES = "/index/job-outcomes"
_CHANGE_COLUMNS = ("CHANGED", "FROM", "TO", "NAMESPACE", "STATUS IS", "ORIGIN")


def list_(
    *,
    namespace_id: NamespaceId = None,
    status: Status = None,
    target_selection: Selection = None,
    thing_group_id: GroupId = None,
    thing_group_name: GroupName = None,
    prefix: Prefix = None,
    limit: Annotated[
        int, typer.Option(parser=count, metavar="N", help="Show at most N jobs (says when there are more).")
    ] = 100,
    json: AsJson = False,
    endpoint: Endpoint = None,
) -> None:
    """List the jobs that pass all filters, newest first; with --prefix, sorted by job id.

    With --json each line is a JobSummary of the ListJobs API. Otherwise the namespaces and the failures of the jobs are
    also fetched, and whether their statuses were reported or are inferred. A narrow terminal shows fewer columns.
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
            show_found(_COLUMNS, _rows(service, listed[:limit]), _nothing_found(filters, prefix))
        if len(listed) > limit:
            note(f"There are more than these {limit}: raise --limit, or use `jobindex export`.")


def _nothing_found(filters: Filters, prefix: str | None) -> str:
    if filters.namespace_id is not None:
        return "No job passes the filters. `jobindex namespaces` lists the namespaces."
    if filters != Filters() or prefix is not None:
        return "No job passes the filters."
    return "No jobs found. `jobindex doctor` checks whether messages arrive."


def _found(service: ServiceClient, filters: Filters, prefix: str | None, limit: int) -> Iterator[Json]:
    if prefix:
        return service.pages("/index/jobs", "jobs", {"prefix": prefix, **parameters_of(filters)}, limit=limit)
    return service.jobs(filters, limit=limit)


def _rows(service: ServiceClient, jobs: Sequence[Json]) -> Sequence[Sequence[Cell]]:
    """Return the rows of jobs; a job that was deleted meanwhile has no outcome."""
    with progress("Listing") as working:
        rows: list[Sequence[Cell]] = []
        while page := jobs[len(rows) : len(rows) + OUTCOMES_MAXIMUM]:
            job_ids = [job["jobId"] for job in page]
            outcomes = {one["jobId"]: one for one in service.ask("GET", _OUTCOMES, {"jobId": job_ids})["jobs"]}
            rows += [_row(job, outcomes.get(job["jobId"], {})) for job in page]
            working.advance(len(rows), len(jobs))
        return rows


def _row(job: Json, outcome: Json) -> tuple[Cell, ...]:
    status = _outcome(job["status"], outcome.get("failures", 0))
    cells = [
        job["jobId"],
        outcome.get("namespaceId", UNKNOWN),
        status if outcome.get("isStatusReported", True) else f"{status} (inferred)",
        job.get("targetSelection", UNKNOWN),
        job.get("thingGroupId", UNKNOWN),
    ]
    return (*cells, *(job.get(name) for name in ("createdAt", "lastUpdatedAt", "completedAt")))


def show(
    *,
    job_id: Annotated[str, typer.Argument(metavar="JOB", help="The job's id.")],
    limit: Annotated[
        int, typer.Option(parser=count, metavar="N", help="Show at most N executions and N changes.")
    ] = 20,
    json: AsJson = False,
    endpoint: Endpoint = None,
) -> None:
    """Show a job: its status, its executions (failed ones first) and its changes.

    A status or a time that no message reported is marked as inferred, and never counts as a change. Exits with 1 if
    the job does not exist. With --json prints one object with `job`, `executions` and `changes`.
    """
    with asking(endpoint) as service:
        path = f"/index/jobs/{quoted(job_id)}"
        job = service.ask("GET", path)
        executions = failed_first(service, path, job["executions"], limit)
        changes = service.ask("GET", f"{path}/changes", {"limit": min(limit, CHANGES_MAXIMUM)})["changes"]
        if json:
            say(encode({"job": job, "executions": executions, "changes": changes}))
            return
        show_fields(_fields(job))
        known = sum(job["executions"].values())
        show_executions(job["executions"])
        show_executions_of_job(executions)
        if known > len(executions):
            note(f"{counted(known - len(executions), 'execution')} more: raise --limit.")
        if changes:
            say("")
            show_table(_CHANGE_COLUMNS, [_change_row(change) for change in changes])


def _fields(job: Json) -> list[tuple[str, str]]:
    def basis(name: str) -> str:
        return "reported" if job.get(name) else "inferred"

    concurrent = job.get("isConcurrent")
    optional = {
        "description": job.get("description"),
        "comment": job.get("comment"),
        "reason code": job.get("reasonCode"),
        "targets": _some(job.get("targets", [])),
        "deployment": _deployment(job),
        "AWS counts": _reported_counts(job),
    }
    return [
        ("job", job["jobId"]),
        ("arn", job["jobArn"]),
        ("namespace", job.get("namespaceId", UNKNOWN)),
        ("status", f"{_outcome(job['status'], job['failures'])} ({basis('isStatusReported')})"),
        ("selection", job.get("targetSelection", UNKNOWN)),
        ("concurrent", UNKNOWN if concurrent is None else "yes" if concurrent else "no"),
        ("group names", ", ".join(job.get("thingGroupNames") or [UNKNOWN])),
        ("group ids", ", ".join(job.get("thingGroupIds") or [UNKNOWN])),
        ("created", f"{time(job['createdAt'])} ({basis('isCreatedAtReported')})"),
        ("updated", time(job["lastUpdatedAt"])),
        ("completed", time(job.get("completedAt"))),
        ("first message", time(job.get("firstHeardAt"))),
        *((name, value) for name, value in optional.items() if value),
    ]


def _outcome(status: str, failures: int) -> str:
    return f"{status} with {counted(failures, 'failure')}" if status == JobStatus.COMPLETED and failures else status


def _some(targets: Sequence[str]) -> str:
    more = f" and {len(targets) - _TARGETS_SHOWN} more" if len(targets) > _TARGETS_SHOWN else ""
    return ", ".join(targets[:_TARGETS_SHOWN]) + more


def _deployment(job: Json) -> str:
    revision = job.get("revision")
    named = [job.get("deploymentName"), revision and f"revision {revision}", job.get("deploymentId")]
    return ", ".join(part for part in named if part)


def _reported_counts(job: Json) -> str:
    """Return the counts that AWS reported when the job ended; the index may know only some of its executions."""
    reported = job.get("reportedProcessDetails")
    if reported is None:
        return ""
    return counts(
        {name.removeprefix("numberOf").removesuffix("Things"): count for name, count in reported.items() if count}
    )


def _change_row(change: Json) -> tuple[Cell, ...]:
    return (
        change["changedAt"],
        change.get("formerStatus") or UNKNOWN,
        change.get("status") or "deleted",
        change.get("namespaceId") or UNKNOWN,
        "reported" if change.get("isStatusReported") else "inferred",
        change["origin"],
    )
