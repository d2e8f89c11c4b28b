"""The index in SQL: its writes, and the reads that only its owner needs."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from jobindex.errors import DataRefusedError, ResourceNotFoundException
from jobindex.model.jobs import from_milliseconds, to_milliseconds
from jobindex.model.reports import Parsed, RejectedMessage, Report, Reports, refusal, refused
from jobindex.model.store import (
    NOTHING_CHANGED,
    Applied,
    Imported,
    RejectedLimits,
    RejectedSummary,
    RetentionStep,
    Retried,
    Session,
    Settled,
    StoredMessage,
    Synced,
)
from jobindex.model.sync import JobIds, StoredDifference, SyncKind, SyncRun, SyncStep, SyncTimes
from jobindex.model.views import ChangeOrigin, NamespaceCounts
from jobindex.storage.sql import deferred, retention, syncs, unlisted
from jobindex.storage.sql.applying import apply, merge, record_sync, retry, settle
from jobindex.storage.sql.connection import Connection, Row
from jobindex.storage.sql.deferred import Piece
from jobindex.storage.sql.engine import Engine
from jobindex.storage.sql.index import read_namespace_counts, time_of
from jobindex.storage.sql.rejected import (
    DELETE_ALL_REJECTED,
    DELETE_REJECTED,
    DUE_REJECTED,
    LIST_REJECTED,
    MEASURE_REJECTED,
    READ_REJECTED,
    rejected_summary,
    stored_message,
)
from jobindex.storage.sql.source import read_arn_prefix
from jobindex.storage.sql.sql_reader import SqlReader

# The newest arrivals of a message that changed a job, and of a rejected message.
_NEWEST_ARRIVALS = """
SELECT max(changed_at) AS arrived_at
FROM namespace_activity
UNION ALL
SELECT rejected_at
FROM rejected_messages
WHERE rejected_message_id = (SELECT max(rejected_message_id) FROM rejected_messages)
"""
RETRIED_BYTES = 4 * 1024 * 1024
"""Bytes of payloads parsed again in one transaction; their reports may take fifty times the memory."""

_REMEMBER_SESSION = """
INSERT INTO session (the_one, complete_since)
VALUES (1, :since)
ON CONFLICT (the_one) DO UPDATE SET complete_since = excluded.complete_since
"""

# Does any row come from a message?
_HAS_MESSAGES = """
SELECT EXISTS (SELECT 1 FROM jobs)
    OR EXISTS (SELECT 1 FROM executions)
    OR EXISTS (SELECT 1 FROM pending_lists)
    OR EXISTS (SELECT 1 FROM thing_groups)
    OR EXISTS (SELECT 1 FROM rejected_messages)
"""


class SqlStore(SqlReader):
    """A Store on an engine, except for the methods that each engine implements."""

    def __init__(self, engine: Engine, limits: RejectedLimits) -> None:
        super().__init__(engine)
        self._limits = limits
        self.rewrites = 0

    def visible_to(self, namespace_ids: frozenset[str]) -> SqlReader:
        return SqlReader(self._engine, namespace_ids - {""})  # "" is stored for jobs without a namespace

    async def apply(self, reports: Sequence[Report], rejected: Sequence[RejectedMessage], *, now: datetime) -> Applied:
        work = partial(
            apply,
            reports=Reports(reports),
            rejected=rejected,
            now=to_milliseconds(now),
            limits=self._limits,
        )
        return await self._engine.write(work, by_owner=True)

    async def settle(self, *, now: datetime) -> Settled | None:
        piece = await self._engine.read(deferred.next_piece)
        if piece is None:
            return None
        engine = self._engine
        step = partial(settle, piece=piece, now=to_milliseconds(now))
        try:
            return await engine.write(step, by_owner=True)
        except DataRefusedError as error:
            return await engine.write(partial(_set_aside, piece=piece, reason=str(error)), by_owner=True)

    async def retry_set_aside(self) -> None:
        if await self._engine.read(deferred.aside):
            await self._engine.write(deferred.retry_set_aside, by_owner=True)

    async def namespace_counts(self, *, maximum: int) -> NamespaceCounts:
        return await self._engine.read(partial(read_namespace_counts, maximum=maximum))

    async def is_empty(self) -> bool:
        [(has_messages,)] = await self._engine.read(lambda connection: connection.execute(_HAS_MESSAGES).fetchall())
        return not has_messages

    async def session(self) -> Session:
        return await self._engine.read(_session)

    async def remember_session(self, session: Session) -> None:
        await self._engine.write(partial(_remember_session, session=session), by_owner=True)

    async def retain(self, age: timedelta, *, now: datetime) -> AsyncIterator[RetentionStep]:
        write = partial(self._engine.write, by_owner=True)
        async for step in retention.retain(self._engine, write, age, now):
            self.rewrites += 1
            yield step

    async def newest_arrival(self) -> datetime | None:
        rows = await self._engine.read(lambda connection: connection.execute(_NEWEST_ARRIVALS).fetchall())
        newest = max((arrived_at for (arrived_at,) in rows if arrived_at is not None), default=None)
        return time_of(newest)

    async def rejected_messages(self, *, after: int, limit: int) -> Sequence[RejectedSummary]:
        rows = await self._engine.read(
            lambda connection: connection.execute(LIST_REJECTED, {"after": after, "limit": limit}).fetchall()
        )
        return [rejected_summary(row) for row in rows]

    async def rejected_message(self, id_: int) -> StoredMessage:
        rows = await self._engine.read(
            lambda connection: connection.execute(READ_REJECTED, {"ids": json.dumps([id_])}).fetchall()
        )
        for row in rows:
            return stored_message(row)
        raise ResourceNotFoundException(f"Rejected message {id_} cannot be found.")

    async def retry_rejected(
        self, ids: Collection[int], parse: Callable[[str, bytes], Parsed], *, now: datetime
    ) -> Retried:
        asked = [*dict.fromkeys(ids)]
        middle = len(asked) // 2
        if not middle or await self._engine.read(partial(_payload_bytes, ids=asked)) <= RETRIED_BYTES:
            try:
                return await self._retry_rejected(asked, parse, now=now)
            except DataRefusedError as error:
                if not middle:
                    return await self._retry_rejected(asked, partial(refused, error=error), now=now)
        first = await self.retry_rejected(asked[:middle], parse, now=now)
        return first.joined(await self.retry_rejected(asked[middle:], parse, now=now))

    async def _retry_rejected(
        self, ids: Collection[int], parse: Callable[[str, bytes], Parsed], *, now: datetime
    ) -> Retried:
        given = {"ids": json.dumps([*ids])}
        rows = await self._engine.read(lambda connection: connection.execute(READ_REJECTED, given).fetchall())
        parsed = await asyncio.to_thread(_parsed_again, rows, parse)
        reports, applied, rejected = Reports(), [], {}
        for id_, one in parsed.items():
            if isinstance(one, RejectedMessage):
                rejected[id_] = one
            else:
                applied.append(id_)
                reports += one
        work = partial(retry, applied=applied, reports=reports, rejected=rejected, now=to_milliseconds(now))
        changed = await self._engine.write(work)
        self.rewrites += 1
        return Retried(
            applied=tuple(applied),
            rejected={id_: one.reason for id_, one in rejected.items()},
            missing=tuple(id_ for id_ in ids if id_ not in parsed),
            changed=changed,
        )

    async def import_rows(self, rows: Sequence[Sequence[Report]], *, now: datetime) -> Imported:
        work = partial(merge, reports=_reports(rows), now=to_milliseconds(now), origin=ChangeOrigin.IMPORT)
        try:
            changed = await self._engine.write(work)
        except DataRefusedError as error:
            if len(rows) <= 1:
                return Imported(refused={0: refusal(error)}, changed=NOTHING_CHANGED)
            middle = len(rows) // 2
            first = await self.import_rows(rows[:middle], now=now)
            return first.joined(await self.import_rows(rows[middle:], now=now), after=middle)
        self.rewrites += 1
        return Imported(refused={}, changed=changed)

    async def request_sync(self, kind: SyncKind, *, job_id: str = "", with_groups: bool = False, now: datetime) -> None:
        if await self._engine.read(partial(syncs.is_requested, kind=kind, job_id=job_id)):
            return
        request = partial(syncs.request, kind=kind, job_id=job_id, with_groups=with_groups, now=to_milliseconds(now))
        await self._engine.write(request)

    async def next_sync(self) -> SyncRun | None:
        return await self._engine.read(syncs.next_run)

    async def record_sync(self, step: SyncStep, *, now: datetime) -> Synced:
        synced = await self._record_sync(replace(step, rows=()), step.rows, now=to_milliseconds(now))
        if synced.changed != NOTHING_CHANGED:
            self.rewrites += 1
        return synced

    async def _record_sync(
        self, step: SyncStep, rows: Sequence[Sequence[Report]], *, is_last: bool = True, now: int
    ) -> Synced:
        work = partial(record_sync, step=step, reports=_reports(rows), is_last=is_last, now=now)
        try:
            return await self._engine.write(work, by_owner=True)
        except DataRefusedError as error:
            if not rows:
                raise
            if len(rows) == 1:
                done = await self._record_sync(step, (), is_last=is_last, now=now)
                return replace(done, refused={0: refusal(error)})
        middle = len(rows) // 2
        first = await self._record_sync(step, rows[:middle], is_last=False, now=now)
        return first.joined(await self._record_sync(step, rows[middle:], is_last=is_last, now=now), after=middle)

    async def sync_runs(self, *, limit: int) -> Sequence[SyncRun]:
        return await self._engine.read(partial(syncs.runs, limit=limit))

    async def sync_times(self) -> SyncTimes:
        return await self._engine.read(syncs.times)

    async def differences(self, *, before: int | None, limit: int) -> Sequence[StoredDifference]:
        return await self._engine.read(partial(syncs.read_differences, before=before, limit=limit))

    async def unlisted_jobs(
        self, run_id: int, *, stamped_before: datetime, ended_since: datetime, only_active: bool, after: str, limit: int
    ) -> JobIds:
        read = partial(
            unlisted.unlisted_jobs,
            run_id=run_id,
            stamped_before=to_milliseconds(stamped_before),
            ended_since=to_milliseconds(ended_since),
            only_active=only_active,
            after=after,
            limit=limit,
        )
        return await self._engine.read(read)

    async def unlisted_executions(
        self, run_id: int, job_id: str, *, seen_before: datetime, limit: int
    ) -> Sequence[str]:
        read = partial(
            unlisted.unlisted_executions, run_id=run_id, job_id=job_id, seen_before=to_milliseconds(seen_before) // 1000
        )
        found: list[str] = []
        after: str | None = ""
        while after is not None and len(found) < limit:
            names, after = await self._engine.read(partial(read, after=after, limit=limit - len(found)))
            found += names
        return found

    async def jobs_to_list(self, *, with_pending: bool, after: str, limit: int) -> JobIds:
        return await self._engine.read(
            partial(unlisted.jobs_to_list, with_pending=with_pending, after=after, limit=limit)
        )

    async def reported_arn_prefix(self) -> str | None:
        return await self._engine.read(partial(read_arn_prefix, default="")) or None

    async def due_rejected(self, *, now: datetime, limit: int) -> Sequence[int]:
        due = {"now": to_milliseconds(now), "limit": limit}
        rows = await self._engine.read(lambda connection: connection.execute(DUE_REJECTED, due).fetchall())
        return [id_ for (id_,) in rows]

    async def purge_rejected(self, ids: Collection[int] | None) -> int:
        purged = await self._engine.write(partial(_purge, ids=ids))
        self.rewrites += 1
        return purged


def _reports(rows: Iterable[Iterable[Report]]) -> Reports:
    return Reports(report for row in rows for report in row)


def _set_aside(connection: Connection, *, piece: Piece, reason: str) -> Settled:
    deferred.set_aside(connection, piece, reason)
    return Settled(changed=NOTHING_CHANGED, left=deferred.left(connection), set_aside=deferred.aside(connection))


def _parsed_again(rows: Sequence[Row], parse: Callable[[str, bytes], Parsed]) -> Mapping[int, Parsed]:
    stored = map(stored_message, rows)
    return {one.id: parse(one.message.topic, one.message.payload) for one in stored}


def _payload_bytes(connection: Connection, *, ids: Collection[int]) -> int:
    return sum(length for (length,) in connection.execute(MEASURE_REJECTED, {"ids": json.dumps([*ids])}))


def _session(connection: Connection) -> Session:
    filters = connection.execute("SELECT topic_filter FROM subscriptions").fetchall()
    times = connection.execute("SELECT complete_since FROM session WHERE complete_since IS NOT NULL").fetchall()
    return Session(
        topic_filters=frozenset(topic_filter for (topic_filter,) in filters),
        complete_since=next((from_milliseconds(time) for (time,) in times), None),
    )


def _remember_session(connection: Connection, *, session: Session) -> None:
    since = None if session.complete_since is None else to_milliseconds(session.complete_since)
    filters = [{"topic_filter": topic_filter} for topic_filter in session.topic_filters]
    connection.execute("DELETE FROM subscriptions")
    connection.executemany("INSERT INTO subscriptions (topic_filter) VALUES (:topic_filter)", filters)
    connection.execute(_REMEMBER_SESSION, {"since": since})


def _purge(connection: Connection, *, ids: Collection[int] | None) -> int:
    if ids is None:
        return connection.execute(DELETE_ALL_REJECTED).rowcount
    return connection.execute(DELETE_REJECTED, {"ids": json.dumps(list(ids))}).rowcount
