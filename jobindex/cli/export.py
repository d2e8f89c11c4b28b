"""`jobindex export`: all jobs that pass the filters, a line of JSON each."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkstemp
from typing import Annotated

import typer

from jobindex.cli.client import Json, ServiceClient
from jobindex.cli.options import Endpoint, GroupId, GroupName, NamespaceId, Selection, Status, connect, filters
from jobindex.cli.output import encode, note
from jobindex.cli.progress import progress
from jobindex.errors import BackupError, ResourceNotFoundException

EXAMPLE = "Example: jobindex export --namespace-id acme --output acme.jsonl"

_Write = Callable[[str], object]


def export(
    *,
    namespace_id: NamespaceId = None,
    status: Status = None,
    selection: Selection = None,
    group_id: GroupId = None,
    group_name: GroupName = None,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where to write.", show_default="standard output")
    ] = None,
    endpoint: Endpoint = None,
) -> None:
    """Write all jobs that pass all the filters, newest first, a JobSummary of the ListJobs API a line.

    Every job that exists during the whole export is in it exactly once, however much changes meanwhile. FILE gets its
    name when all is written and on disk: a former one stays until then, and when the export fails.
    """
    service = connect(endpoint)
    wanted = dict(filters(namespace_id, status, selection, group_id, group_name))
    count = 0
    is_read = output is None and sys.stdout.isatty()  # the lines themselves show how far it is
    with progress("Exporting", is_wanted=not is_read) as working, _opened(output) as write:
        total = _total(service, wanted)
        for count, job in enumerate(service.jobs(wanted), start=1):
            write(f"{encode(job)}\n")
            working.advance(count, None if total is None else max(total, count))
    if output is not None:
        note(f"{output}: {count} jobs")


def _total(service: ServiceClient, wanted: Json) -> int | None:
    """Return how many jobs there are to come; None where that is counted nowhere."""
    if any(wanted[name] for name in ("targetSelection", "thingGroupId", "thingGroupName")):
        return None
    try:
        found = list(service.pages("/index/namespaces", "namespaces", {}))
    except ResourceNotFoundException:
        return None
    return sum(
        int(count)
        for namespace in found
        if wanted["namespaceId"] in {None, namespace.get("namespaceId")}
        for status, count in namespace["jobs"].items()
        if wanted["status"] in {None, status}
    )


@contextmanager
def _opened(output: Path | None) -> Iterator[_Write]:
    """Yield what writes to `output`, which has its name only once the block has ended well; to stdout for None."""
    if output is None:
        yield sys.stdout.write
        sys.stdout.flush()
        return
    partial = None
    try:
        descriptor, partial = mkstemp(prefix=f".{output.name}.", suffix=".partial", dir=output.parent)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            yield file.write
            file.flush()
            os.fsync(file.fileno())
        Path(partial).chmod(0o666 & ~_umask())
        Path(partial).replace(output)
    except OSError as error:
        raise BackupError(f"{output}: {error.strerror}") from error
    finally:
        if partial is not None:
            Path(partial).unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
