"""`jobindex import`: brings the output of the AWS CLI into the index of the running service."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import orjson
import typer

from jobindex.cli import values
from jobindex.cli.aws_output import FileRow, RefusedFileRow, read_rows, requests
from jobindex.cli.client import ServiceClient
from jobindex.cli.options import Endpoint, connect
from jobindex.cli.output import encode, printable, say
from jobindex.cli.progress import progress
from jobindex.messages.rows import RowOperation

EXAMPLE = "Example: aws iot list-jobs --namespace-id acme --output json | jobindex import --namespace-id acme -"

_FOR_JOB, _FOR_THING = RowOperation.LIST_JOB_EXECUTIONS_FOR_JOB, RowOperation.LIST_JOB_EXECUTIONS_FOR_THING


def import_(
    *,
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE",
            help="Files that contain JSON documents, one after another; `-` is standard input.",
            show_default=False,
        ),
    ],
    namespace_id: Annotated[
        str | None,
        typer.Option(parser=values.namespace, metavar="NAME", help="The files list the jobs of this namespace."),
    ] = None,
    job_id: Annotated[
        str | None,
        typer.Option(parser=values.job_id, metavar="ID", help="The job of `list-job-executions-for-job`."),
    ] = None,
    thing_name: Annotated[
        str | None,
        typer.Option(parser=values.thing_name, metavar="NAME", help="The thing of `list-job-executions-for-thing`."),
    ] = None,
    as_of: Annotated[
        float | None,
        typer.Option(
            parser=values.moment,
            metavar="TIME",
            help="When AWS answered, in ISO 8601: executions were still pending then.",
            show_default="the lastUpdatedAt of each execution",
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    endpoint: Endpoint = None,
) -> None:
    """Import the output of the AWS CLI into the index of the running service.

    Imports the output, as JSON, of `aws iot list-jobs`, `describe-job`, `list-job-executions-for-job` (with --job-id),
    `list-job-executions-for-thing` (with --thing-name) and `describe-job-execution`, and of `aws greengrassv2
    get-deployment`. Each row is merged like a message with the row's own times: an old or repeated file changes nothing
    that is newer, and a row removes nothing. Prints how many rows were applied, and the refused ones by file, number
    and reason. Exits with 0 if all rows were applied, otherwise with 1.
    """
    rows, refused = _read(files)
    _check_named(rows, _FOR_JOB, job_id, "--job-id")
    _check_named(rows, _FOR_THING, thing_name, "--thing-name")
    shared = {"namespaceId": namespace_id, "asOf": as_of}
    named = {_FOR_JOB: {"jobId": job_id}, _FOR_THING: {"thingName": thing_name}}
    service = connect(endpoint)
    applied = done = 0
    with progress("Importing") as working:
        for request in requests(rows):
            found = _send(service, request, {**shared, **named.get(request[0].operation, {})})
            applied += len(request) - len(found)
            refused += found
            done += len(request)
            working.advance(done, len(rows))
    places = {file: place for place, file in enumerate(files)}
    refused.sort(key=lambda row: (places[row.file], row.number))
    _show(applied, refused, json=json)


def _read(files: Iterable[str]) -> tuple[Sequence[FileRow], list[RefusedFileRow]]:
    rows: list[FileRow] = []
    refused: list[RefusedFileRow] = []
    for file in files:
        for row in read_rows(file, _text(file)):
            if isinstance(row, RefusedFileRow):
                refused.append(row)
            else:
                rows.append(row)
    return rows, refused


def _text(file: str) -> str:
    try:
        content = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        return content.decode("utf-8-sig")
    except OSError as error:
        raise typer.BadParameter(f"{file}: {error.strerror}", param_hint="FILE") from error
    except UnicodeDecodeError as error:
        raise typer.BadParameter(f"{file}: this is not text in UTF-8: {error.reason}", param_hint="FILE") from error


def _check_named(rows: Iterable[FileRow], operation: RowOperation, name: str | None, option: str) -> None:
    row = next((row for row in rows if row.operation is operation), None)
    if row is not None and name is None:
        raise typer.BadParameter(f"{row.file} has the output of {operation}, which needs it", param_hint=option)


def _send(service: ServiceClient, rows: Sequence[FileRow], parameters: Mapping[str, object]) -> list[RefusedFileRow]:
    body = {
        "operation": rows[0].operation,
        **{name: value for name, value in parameters.items() if value is not None},
        "rows": [orjson.Fragment(row.content) for row in rows],
    }
    answer = service.ask("POST", "/index/import", body=orjson.dumps(body))
    refused = [(rows[one["row"]], one["reason"]) for one in answer["refused"]]
    return [RefusedFileRow(file=row.file, number=row.number, reason=reason) for row, reason in refused]


def _show(applied: int, refused: Sequence[RefusedFileRow], *, json: bool) -> None:
    if json:
        say(encode({"applied": applied, "refused": [asdict(row) for row in refused]}))
    else:
        say(f"{applied} applied, {len(refused)} refused")
        for row in refused:
            say(printable(f"{row.file}, row {row.number}: {row.reason}"))
    raise typer.Exit(int(bool(refused)))
