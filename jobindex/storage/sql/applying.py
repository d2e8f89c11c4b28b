"""Reports and rejected messages, applied in an open transaction."""

from collections.abc import Callable, Collection, Sequence

import orjson

from jobindex.model.reports import RejectedMessage, Report, Told
from jobindex.model.store import Applied, RejectedLimits, Retried
from jobindex.storage.sql.batch import Batch
from jobindex.storage.sql.connection import Connection
from jobindex.storage.sql.rejected import (
    DISCARD_REJECTED,
    FORGET_REJECTED,
    KEEP_REJECTED,
    READ_REJECTED,
    REJECT_AGAIN,
    kept_message,
    rejected_row,
)
from jobindex.storage.sql.retention import horizon_in_force
from jobindex.storage.sql.row_access import Rows
from jobindex.storage.sql.state_cache import StateCache


def apply(
    writer: Connection,
    *,
    reports: Sequence[Report],
    rejected: Sequence[RejectedMessage],
    now: int,
    limits: RejectedLimits,
    rows: Rows,
    cache: StateCache | None = None,
) -> Applied:
    """Merge reports and keep rejected messages; return what changed, and how many of these went for the limits."""
    changed = Batch(writer, rows(writer), now, cache=cache).apply(reports, horizon_in_force(writer, now))
    discarded = 0
    if rejected:
        writer.executemany(KEEP_REJECTED, [rejected_row(message, now) for message in rejected])
        kept = {"max_messages": limits.max_messages, "max_bytes": limits.max_bytes}
        discarded = writer.execute(DISCARD_REJECTED, kept).rowcount
    return Applied(discarded=discarded, changed=changed)


def retry(
    writer: Connection,
    *,
    ids: Collection[int],
    parse: Callable[[str, bytes], Told],
    now: int,
    rows: Rows,
    cache: StateCache | None = None,
) -> Retried:
    """Parse rejected messages again, and merge what is understood now."""
    reports: list[Report] = []
    applied: list[int] = []
    rejected: dict[int, RejectedMessage] = {}
    for row in writer.execute(READ_REJECTED, {"ids": _json(ids)}).fetchall():
        kept = kept_message(row)
        told = parse(kept.message.topic, kept.message.payload)
        if isinstance(told, RejectedMessage):
            rejected[kept.id] = told
        else:
            reports += told
            applied.append(kept.id)
    changed = Batch(writer, rows(writer), now, cache=cache).apply(reports, horizon_in_force(writer, now))
    writer.execute(FORGET_REJECTED, {"ids": _json(applied)})
    writer.executemany(
        REJECT_AGAIN, [{"id": id_, "reason": one.reason, "due_at": one.due_at} for id_, one in rejected.items()]
    )
    return Retried(
        applied=tuple(applied),
        rejected={id_: one.reason for id_, one in rejected.items()},
        missing=tuple(id_ for id_ in dict.fromkeys(ids) if id_ not in rejected and id_ not in applied),
        changed=changed,
    )


def _json(ids: Collection[int]) -> str:
    return orjson.dumps([*ids]).decode()
