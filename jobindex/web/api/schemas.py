"""The members of JSON objects: their encoding and their JSON Schemas.

Times are seconds since the epoch with a fraction of milliseconds, as in AWS's rest-json. Unknown members are left out.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import TypeVar

from jobindex.model.jobs import to_milliseconds
from jobindex.model.parameters import Schema
from jobindex.model.sync import SyncKind
from jobindex.model.views import ExecutionState

EnumT = TypeVar("EnumT", bound=StrEnum)

TIME: Schema = {"type": "number", "minimum": 0, "description": "Seconds since the epoch."}
NUMBER: Schema = {"type": "integer", "minimum": 0}
TEXT: Schema = {"type": "string"}
FLAG: Schema = {"type": "boolean"}
TEXTS: Schema = {"type": "object", "additionalProperties": {"type": "string"}}

_PROCESS_DETAILS = {
    state: f"numberOf{''.join(word.capitalize() for word in state.split('_'))}Things"
    for state in ExecutionState
    if state is not ExecutionState.ENDED
}


def seconds(time: datetime | None) -> float | None:
    """Return a time as in JSON."""
    return None if time is None else to_milliseconds(time) / 1000


def known(**members: object) -> dict[str, object]:
    """Return the known members."""
    return {name: value for name, value in members.items() if value is not None}


def counted(counts: Mapping[EnumT, int]) -> dict[str, int]:
    """Return counts by name."""
    return {name.value: count for name, count in counts.items()}


def one_of(names: Iterable[str]) -> Schema:
    """Return the schema of a text from a closed set."""
    return {"type": "string", "enum": [str(name) for name in names]}


class _IfKnown(dict[str, object]):
    """The schema of an optional member."""


def if_known(schema: Schema) -> Schema:
    """Return the schema of a member that is left out if unknown."""
    return _IfKnown(schema)


def an_object(**members: Schema) -> Schema:
    """Return the schema of an object; members that are not `if_known` are required."""
    required = [name for name, schema in members.items() if not isinstance(schema, _IfKnown)]
    return {"type": "object", "properties": members, **({"required": required} if required else {})}


def an_array(items: Schema) -> Schema:
    """Return the schema of an array."""
    return {"type": "array", "items": items}


def or_null(schema: Schema) -> Schema:
    """Return the schema of a value that may be null."""
    return {**schema, "type": [schema["type"], "null"]}


def sync_status(*modes: str) -> dict[str, Schema]:
    """Return the schemas of the members of a SyncStatus."""
    return {
        "mode": one_of(modes),
        "isFirst": if_known(FLAG),
        "kind": if_known(one_of(SyncKind)),
        "phase": if_known(TEXT),
        **dict.fromkeys(("done", "total", "rows", "calls", "throttled", "secondsLeft"), if_known(NUMBER)),
        "reason": if_known(TEXT),
        "problems": if_known(an_array(TEXT)),
    }


def process_details_schema() -> Schema:
    """Return the schema of AWS's `jobProcessDetails`; reported ones can lack a member."""
    return an_object(**{name: if_known(NUMBER) for name in _PROCESS_DETAILS.values()})


def process_details(counts: Mapping[ExecutionState, int]) -> dict[str, int]:
    """Return the counts of known executions as `jobProcessDetails`, without unknown outcomes."""
    return {name: counts.get(state, 0) for state, name in _PROCESS_DETAILS.items()}


def counts_of(names: Iterable[str]) -> Schema:
    """Return the schema of counts by name; counts of 0 are left out."""
    return an_object(**{str(name): if_known({"type": "integer", "minimum": 1}) for name in names})
