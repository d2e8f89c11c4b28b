"""`jobindex export`: all jobs that pass the filters, as JSON lines."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from jobindex.cli.client import ServiceClient
from jobindex.cli.options import Endpoint, GroupId, GroupName, NamespaceId, Selection, Status, asking
from jobindex.cli.output import counted, encode, note
from jobindex.cli.progress import progress
from jobindex.cli.whole_file import opened
from jobindex.errors import ResourceNotFoundException
from jobindex.model.listing import Filters

EXAMPLE = "Example: jobindex export --namespace-id acme --output acme.jsonl"


def export(
    *,
    namespace_id: NamespaceId = None,
    status: Status = None,
    target_selection: Selection = None,
    thing_group_id: GroupId = None,
    thing_group_name: GroupName = None,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write to FILE.", show_default="standard output")
    ] = None,
    endpoint: Endpoint = None,
) -> None:
    """Write all jobs that pass the filters, newest first, one JobSummary of the ListJobs API per line.

    A job that exists during the whole export, and whose `createdAt` is not corrected meanwhile, is in it exactly once.
    FILE gets its name when it is complete and on disk: until then, and if the export fails, an existing FILE stays. A
    FILE that is a pipe or a device is written directly.
    """
    filters = Filters(
        namespace_id=namespace_id,
        status=status,
        target_selection=target_selection,
        thing_group_id=thing_group_id,
        thing_group_name=thing_group_name,
    )
    count = 0
    is_read = output is None and sys.stdout.isatty()  # the lines show the progress
    with asking(endpoint) as service, progress("Exporting", is_wanted=not is_read) as working, opened(output) as file:
        total = _total(service, filters)
        for count, job in enumerate(service.jobs(filters), start=1):
            file.write(f"{encode(job, file)}\n")
            working.advance(count, None if total is None else max(total, count))
    if output is not None:
        note(f"{output}: {counted(count, 'job')}")


def _total(service: ServiceClient, filters: Filters) -> int | None:
    if filters.target_selection or filters.thing_group_id or filters.thing_group_name:
        return None
    try:
        found = list(service.pages("/index/namespaces", "namespaces", {}))
    except ResourceNotFoundException:
        return None
    return sum(
        int(count)
        for namespace in found
        if filters.namespace_id in {None, namespace.get("namespaceId")}
        for status, count in namespace["jobs"].items()
        if filters.status in {None, status}
    )
