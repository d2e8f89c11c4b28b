"""Rows of AWS's answers over HTTP, merged in the one process that writes the index."""

import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial

from jobindex.errors import AccessDeniedException, MessageError
from jobindex.messages.rows import ROWS_MAXIMUM, RowOperation, RowSource, read_row
from jobindex.model.jobs import to_milliseconds
from jobindex.model.parameters import JOB_ID, THING_NAME, Choice, Text, Values
from jobindex.model.reports import Report
from jobindex.model.store import Store
from jobindex.web.api.bodies import Body, Objects, Seconds
from jobindex.web.api.operations import COMMON_ERRORS, Audience, Note, Operation, StoreServed
from jobindex.web.api.schemas import NUMBER, TEXT, an_array, an_object

IMPORT_ROWS = Operation(
    name="ImportRows",
    summary="Merge rows of AWS's answers into the index; each row is applied or refused alone",
    method="POST",
    path="/index/import",
    body=Body(
        members={
            "operation": Choice(RowOperation),
            "rows": Objects(greatest=ROWS_MAXIMUM),
            "namespaceId": Text(pattern="[a-zA-Z0-9_-]+", least_length=1, greatest_length=128),
            "jobId": JOB_ID,
            "thingName": THING_NAME,
            "asOf": Seconds(),
        },
        required={"operation", "rows"},
    ),
    audience=Audience.OPERATORS,
    answer=an_object(applied=NUMBER, refused=an_array(an_object(row=NUMBER, reason=TEXT))),
    errors=(*COMMON_ERRORS, AccessDeniedException),
)

_log = logging.getLogger(__name__)


async def _import(note: Note, note_dropped: Callable[[str], None], store: Store, values: Values) -> object:
    now, body = datetime.now(UTC), values.body
    source = RowSource(
        operation=RowOperation(body["operation"]),
        namespace_id=body.get("namespaceId"),
        job_id=body.get("jobId"),
        thing_name=body.get("thingName"),
        as_of=None if "asOf" not in body else round(1000 * body["asOf"]),
    )
    refused: dict[int, str] = {}
    read: dict[int, Sequence[Report]] = {}
    for index, row in enumerate(body["rows"]):
        try:
            read[index] = read_row(row, source, to_milliseconds(now), note_dropped)
        except MessageError as error:
            refused[index] = str(error)
    if read:
        imported = await store.import_rows([*read.values()], now=now)
        indexes = [*read]
        refused |= {indexes[place]: reason for place, reason in imported.refused.items()}
        note((), imported.changed)
    applied = len(body["rows"]) - len(refused)
    _log.info("Imported %d rows of %s; refused %d", applied, source.operation, len(refused))
    return {
        "applied": applied,
        "refused": [{"row": index, "reason": reason} for index, reason in sorted(refused.items())],
    }


def served(note: Note, note_dropped: Callable[[str], None]) -> StoreServed:
    """Return the operation; it passes its changes to `note`, and names dropped members to `note_dropped`."""
    return ((IMPORT_ROWS, partial(_import, note, note_dropped)),)
