"""Applies reports, rejected messages and steps of syncs in an open transaction."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager

import orjson

from jobindex.errors import DataRefusedError
from jobindex.model.reports import RejectedMessage, Report
from jobindex.model.store import NOTHING_CHANGED, Applied, Changed, RejectedLimits, Settled, Synced
from jobindex.model.sync import SyncStep
from jobindex.model.views import ChangeOrigin
from jobindex.storage.sql import deferred, group_members, syncs
from jobindex.storage.sql.batch import Batch
from jobindex.storage.sql.deferred import Piece, Work
from jobindex.storage.sql.dependents import inferred_jobs
from jobindex.storage.sql.engine import WriteTransaction
from jobindex.storage.sql.rejected import (
    DELETE_REJECTED,
    DISCARD_REJECTED,
    KEEP_REJECTED,
    REJECT_AGAIN,
    rejected_row,
)
from jobindex.storage.sql.retention import horizon_in_force
from jobindex.storage.sql.source import MessageSource

_DEFECTS = (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError)


@contextmanager
def _refusing_data() -> Iterator[None]:
    """Turn our own defects into DataRefusedError, which rejects only one message."""
    try:
        yield
    except _DEFECTS as error:
        raise DataRefusedError(f"{type(error).__name__}: {error}") from error


def apply(
    writer: WriteTransaction,
    *,
    reports: Sequence[Report],
    rejected: Sequence[RejectedMessage],
    now: int,
    limits: RejectedLimits,
) -> Applied:
    """Merge reports, store rejected messages, and evict the oldest over the limits."""
    discarded = 0
    with _refusing_data():
        batch = Batch(writer, writer.access, now, cache=writer.cache)
        changed = batch.apply(reports, horizon_in_force(writer, now))
        if rejected:
            writer.executemany(KEEP_REJECTED, [rejected_row(message, now) for message in rejected])
            kept = {"max_messages": limits.max_messages, "max_bytes": limits.max_bytes}
            discarded = writer.execute(DISCARD_REJECTED, kept).rowcount
    return Applied(discarded=discarded, changed=changed, deferred=batch.deferred)


def merge(
    writer: WriteTransaction, *, reports: Sequence[Report], now: int, origin: ChangeOrigin = ChangeOrigin.MESSAGE
) -> Changed:
    """Merge reports without rejected messages."""
    with _refusing_data():
        batch = Batch(writer, writer.access, now, cache=writer.cache, origin=origin)
        return batch.apply(reports, horizon_in_force(writer, now))


def record_sync(
    writer: WriteTransaction, *, step: SyncStep, reports: Sequence[Report], is_last: bool, now: int
) -> Synced:
    """Merge or compare reports of a step; with its last reports, store the rest of the step."""
    with _refusing_data():
        if step.repairs:
            batch = Batch(writer, writer.access, now, cache=writer.cache, origin=ChangeOrigin.SYNC)
            changed = batch.apply(reports, horizon_in_force(writer, now))
            found = batch.differences(step.compared)
        else:
            # Without the cache, which then would hold the states that are rolled back.
            batch = Batch(writer, writer.access, now)
            writer.execute("SAVEPOINT comparison")
            batch.apply(reports, horizon_in_force(writer, now))
            # What a job's first listing differed in, its next listing would again.
            found = batch.differences(syncs.unmarked(writer, step.run.id, step.compared))
            changed = NOTHING_CHANGED
            writer.execute("ROLLBACK TO comparison")
            writer.execute("RELEASE comparison")
        syncs.keep_differences(writer, found, run_id=step.run.id, is_repaired=step.repairs, now=now)
        if is_last:
            syncs.advance(writer, step, found=len(found))
            group_members.keep(writer, step)
        elif found:
            syncs.count_differences(writer, step.run.id, len(found))
    return Synced(
        changed=changed,
        refused={},
        differences=Counter(one.kind for one in found),
        deferred=batch.deferred if step.repairs else frozenset(),
    )


def settle(writer: WriteTransaction, *, piece: Piece, now: int) -> Settled:
    """Run a step of deferred work."""
    batch = Batch(writer, writer.access, now, cache=writer.cache)
    with _refusing_data():
        if piece.work is Work.INFERRED:
            events_since = MessageSource.load(writer).events_since
            job_ids = inferred_jobs(writer, events_since, deferred.STEP_ROWS)
            changed = batch.view_again((), job_ids)
            # Once derived again, a job is no longer inferred COMPLETED, so it is not found again.
            is_over = len(job_ids) < deferred.STEP_ROWS or changed.job_ids == frozenset()
            reached = None if is_over else job_ids[-1]
        else:
            keys = deferred.keys_of(writer, piece)
            changed = batch.view_again(keys)
            is_over = len(keys) < deferred.STEP_ROWS
            reached = None if is_over else keys[-1][1 if piece.work is Work.JOB else 0]
    deferred.go_on(writer, piece, reached)
    return Settled(changed=changed, left=deferred.left(writer), set_aside=deferred.aside(writer))


def retry(
    writer: WriteTransaction,
    *,
    applied: Collection[int],
    reports: Sequence[Report],
    rejected: Mapping[int, RejectedMessage],
    now: int,
) -> Changed:
    """Merge the reports of the `applied` messages; update those still rejected."""
    changed = merge(writer, reports=reports, now=now)
    writer.execute(DELETE_REJECTED, {"ids": orjson.dumps([*applied]).decode()})
    writer.executemany(
        REJECT_AGAIN, [{"id": id_, "reason": one.reason, "due_at": one.due_at} for id_, one in rejected.items()]
    )
    return changed
