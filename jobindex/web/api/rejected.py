"""The rejected messages over HTTP: list, show, retry and purge, in the one process that writes the index."""

import logging
from base64 import b64encode
from datetime import UTC, datetime
from functools import partial

from jobindex.errors import AccessDeniedException
from jobindex.messages.parsing import Parser
from jobindex.model.jobs import to_milliseconds
from jobindex.model.parameters import Choice, Integer, Schema, Several, Values, invalid, problem
from jobindex.model.store import RejectedSummary, Store, StoredMessage
from jobindex.web.api.operations import COMMON_ERRORS, Audience, Note, Operation, StoreServed, page_limit
from jobindex.web.api.schemas import NUMBER, TEXT, TIME, an_array, an_object, if_known, known, or_null, seconds

AT_ONCE = 100
"""The greatest number of messages in a request to retry or purge."""

_ID = Integer(least=0, greatest=10**18 - 1)
_IDS = Several(of=_ID, least=1, greatest=AT_ONCE)
_IDS_OR_NONE = Several(of=_ID, least=0, greatest=AT_ONCE)
_MESSAGE: dict[str, Schema] = {
    "id": NUMBER,
    "rejectedAt": TIME,
    "topic": TEXT,
    "reason": TEXT,
    "payloadBytes": NUMBER,
    "dueAt": if_known({**TIME, "description": "The time of the automatic retry, in seconds since the epoch."}),
}

LIST_REJECTED_MESSAGES = Operation(
    name="ListRejectedMessages",
    summary="The rejected messages in the order of ids, without their payloads",
    path="/rejected",
    audience=Audience.UNLIMITED,
    parameters={"limit": page_limit(), "after": Integer(least=0, greatest=_ID.greatest, default=0)},
    answer=an_object(messages=an_array(an_object(**_MESSAGE)), next=or_null(NUMBER)),
    errors=COMMON_ERRORS,
)
GET_REJECTED_MESSAGE = Operation(
    name="GetRejectedMessage",
    summary="A rejected message with its payload in base64, and as text if it is UTF-8",
    path="/rejected/{id}",
    audience=Audience.UNLIMITED,
    parameters={"id": _ID},
    answer=an_object(**_MESSAGE, payload=TEXT, text=if_known(TEXT)),
)
RETRY_REJECTED_MESSAGES = Operation(
    name="RetryRejectedMessages",
    summary="Parse rejected messages again and apply those that are valid now",
    method="POST",
    path="/rejected/retry",
    parameters={"id": _IDS},
    audience=Audience.OPERATORS,
    answer=an_object(
        applied=an_array(NUMBER), rejected=an_array(an_object(id=NUMBER, reason=TEXT)), missing=an_array(NUMBER)
    ),
    errors=(*COMMON_ERRORS, AccessDeniedException),
)
PURGE_REJECTED_MESSAGES = Operation(
    name="PurgeRejectedMessages",
    summary="Delete rejected messages permanently: some by id, or all of them",
    method="DELETE",
    path="/rejected",
    parameters={"id": _IDS_OR_NONE, "all": Choice(("true", "false"))},
    audience=Audience.OPERATORS,
    answer=an_object(purged=NUMBER),
    errors=(*COMMON_ERRORS, AccessDeniedException),
)

_log = logging.getLogger(__name__)


async def _list(store: Store, values: Values) -> object:
    limit = values.integer("limit")
    found = await store.rejected_messages(after=values.integer("after"), limit=limit + 1)
    page = found[:limit]
    return {"messages": [_encode(summary) for summary in page], "next": page[-1].id if found[limit:] else None}


async def _get(store: Store, values: Values) -> object:
    return _encode_whole(await store.rejected_message(values.integer("id")))


async def _retry(note: Note, parser: Parser, store: Store, values: Values) -> object:
    now = datetime.now(UTC)
    parse = partial(parser.parse, now=to_milliseconds(now))
    retried = await store.retry_rejected(values.integers("id"), parse, now=now)
    note((), retried.changed)
    _log.info("Applied %d rejected messages; %d are still rejected", len(retried.applied), len(retried.rejected))
    return {
        "applied": retried.applied,
        "rejected": [{"id": id_, "reason": reason} for id_, reason in retried.rejected.items()],
        "missing": retried.missing,
    }


async def _purge(store: Store, values: Values) -> object:
    ids, is_all = values.integers("id"), values.optional("all") == "true"
    if is_all and ids:
        raise invalid(problem("all", "true", "Member must not be given together with id"))
    if not is_all and not ids:
        raise invalid(problem("id", 0, _IDS.times))
    purged = await store.purge_rejected(None if is_all else ids)
    _log.info("Purged %d rejected messages", purged)
    return {"purged": purged}


def _encode(summary: RejectedSummary) -> dict[str, object]:
    return {
        "id": summary.id,
        "rejectedAt": summary.rejected_at.timestamp(),
        "topic": summary.topic,
        "reason": summary.reason,
        "payloadBytes": summary.payload_bytes,
        **known(dueAt=seconds(summary.due_at)),
    }


def _encode_whole(kept: StoredMessage) -> dict[str, object]:
    message = kept.message
    whole: dict[str, object] = {
        "id": kept.id,
        "rejectedAt": kept.rejected_at.timestamp(),
        "topic": message.topic,
        "reason": message.reason,
        "payloadBytes": len(message.payload),
        **known(dueAt=seconds(kept.due_at)),
        "payload": b64encode(message.payload).decode(),
    }
    try:
        return {**whole, "text": message.payload.decode()}
    except UnicodeDecodeError:
        return whole


def served(note: Note, parser: Parser) -> StoreServed:
    """Return the operations; they pass their changes to `note`."""
    return (
        (LIST_REJECTED_MESSAGES, _list),
        (PURGE_REJECTED_MESSAGES, _purge),
        (RETRY_REJECTED_MESSAGES, partial(_retry, note, parser)),
        (GET_REJECTED_MESSAGE, _get),
    )
