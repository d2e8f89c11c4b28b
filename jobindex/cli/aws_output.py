"""The output of the AWS CLI as rows, and as requests to import them.

The members of a document say which command printed it. Not chosen: an option for the command, which a file with the
output of several could not have.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import orjson

from jobindex.errors import shown
from jobindex.messages.rows import ROWS_MAXIMUM, RowOperation

_REQUEST_BYTES = 63 * 1024
"""The most bytes of rows in a request: the service accepts 64 KiB, and the other members take less than 1 KiB."""

_FOR_JOB, _FOR_THING = RowOperation.LIST_JOB_EXECUTIONS_FOR_JOB, RowOperation.LIST_JOB_EXECUTIONS_FOR_THING
_NAMES_NO_JOB = (
    "a deployment of a list does not name its job: import the output of `aws greengrassv2 get-deployment "
    "--deployment-id {}`"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRow:
    """A row of an answer, in a file."""

    file: str
    number: int
    """In the order of the file, from 1."""
    operation: RowOperation
    content: bytes
    """As JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedFileRow:
    """A row that is not imported."""

    file: str
    number: int
    reason: str


def read_rows(file: str, text: str) -> Iterator[FileRow | RefusedFileRow]:
    """Yield the rows of all JSON documents in a text, which follow each other in a file."""
    number = 0
    try:
        for document in _documents(text):
            for found in _found(document):
                number += 1
                yield _row(file, number, found)
    except (ValueError, RecursionError) as error:
        yield RefusedFileRow(file=file, number=number + 1, reason=f"this is not JSON: {error}")


def requests(rows: Iterable[FileRow]) -> Iterator[list[FileRow]]:
    """Yield the rows of each request, in order: as many of one operation as fit."""
    request: list[FileRow] = []
    size = 0
    for row in rows:
        is_other = bool(request) and request[0].operation != row.operation
        if is_other or len(request) == ROWS_MAXIMUM or size + len(row.content) + 1 > _REQUEST_BYTES:
            if request:
                yield request
            request, size = [], 0
        request.append(row)
        size += len(row.content) + 1
    if request:
        yield request


def _documents(text: str) -> Iterator[object]:
    decoder = json.JSONDecoder(parse_constant=_refuse_constant)
    position = len(text) - len(text.lstrip())
    while position < len(text):
        document, position = decoder.raw_decode(text, position)
        yield document
        rest = text[position : position + 1]
        while rest and rest.isspace():
            position += 1
            rest = text[position : position + 1]


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a number in JSON")


def _found(document: object) -> Iterator[tuple[RowOperation, object] | str]:
    """Yield the rows of a document; a text is the reason why there is none."""
    match document:
        case {"jobs": [*jobs]}:
            yield from ((RowOperation.LIST_JOBS, job) for job in jobs)
        case {"job": job}:
            yield RowOperation.DESCRIBE_JOB, job
        case {"executionSummaries": [*summaries]}:
            for summary in summaries:
                is_of_job = isinstance(summary, dict) and "thingArn" in summary
                yield _FOR_JOB if is_of_job else _FOR_THING, summary
        case {"execution": execution}:
            yield RowOperation.DESCRIBE_JOB_EXECUTION, execution
        case {"deployments": [*deployments]}:
            for deployment in deployments:
                yield _NAMES_NO_JOB.format(deployment.get("deploymentId") if isinstance(deployment, dict) else "ID")
        case {"deploymentId": _}:
            yield RowOperation.GET_DEPLOYMENT, document
        case dict():
            yield f"this is not the output of a command that can be imported: it has the members {shown([*document])}"
        case _:
            yield f"this is not the output of a command that can be imported: {shown(document)}"


def _row(file: str, number: int, found: tuple[RowOperation, object] | str) -> FileRow | RefusedFileRow:
    if isinstance(found, str):
        return RefusedFileRow(file=file, number=number, reason=found)
    operation, row = found
    if not isinstance(row, dict):
        return RefusedFileRow(file=file, number=number, reason=f"{shown(row)} is not an object")
    try:
        content = orjson.dumps(row)
    except TypeError as error:
        return RefusedFileRow(file=file, number=number, reason=f"the row cannot be sent as JSON: {error}")
    if len(content) > _REQUEST_BYTES:
        reason = f"the row has {len(content):,} bytes, more than the {_REQUEST_BYTES:,} that the service accepts"
        return RefusedFileRow(file=file, number=number, reason=reason)
    return FileRow(file=file, number=number, operation=operation, content=content)
