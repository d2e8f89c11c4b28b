"""The index in SQL: its writes, and the reads that only its owner needs."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial

from jobindex.errors import DataRefusedError, ResourceNotFoundException
from jobindex.model.jobs import from_milliseconds, to_milliseconds
from jobindex.model.reports import Parsed, RejectedMessage, Report, Reports, refused
from jobindex.model.store import (
    Applied,
    Changed,
    Imported,
    RejectedLimits,
    RejectedSummary,
    RetentionStep,
    Retried,
    Session,
    Settled,
    StoredMessage,
)
from jobindex.model.views import NamespaceCounts
from jobindex.storage.sql import deferred, retention
from jobindex.storage.sql.applying import apply, merge, retry, settle
from jobindex.storage.sql.connection import Connection, Row
from jobindex.storage.sql.deferred import Piece
from jobindex.storage.sql.engine import Engine
from jobindex.storage.sql.index import read_namespace_counts
from jobindex.storage.sql.rejected import (
    DELETE_ALL_REJECTED,
    DELETE_REJECTED,
    DUE_REJECTED,
    LIST_REJECTED,
    MEASURE_REJECTED,
    READ_REJECTED,
    kept_message,
    rejected_summary,
)
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

_NOTHING = Changed(job_ids=frozenset(), namespace_ids=frozenset(), thing_names=frozenset())


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
        async for forgotten in retention.retain(self._engine, write, age, now):
            self.rewrites += 1
            yield forgotten

    async def newest_arrival(self) -> datetime | None:
        rows = await self._engine.read(lambda connection: connection.execute(_NEWEST_ARRIVALS).fetchall())
        newest = max((arrived_at for (arrived_at,) in rows if arrived_at is not None), default=None)
        return None if newest is None else from_milliseconds(newest)

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
            return kept_message(row)
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
        reports = Reports(report for row in rows for report in row)
        try:
            changed = await self._engine.write(partial(merge, reports=reports, now=to_milliseconds(now)))
        except DataRefusedError as error:
            if len(rows) <= 1:
                return Imported(refused={0: f"the database refuses it: {error}"}, changed=_NOTHING)
            middle = len(rows) // 2
            first = await self.import_rows(rows[:middle], now=now)
            return first.joined(await self.import_rows(rows[middle:], now=now), after=middle)
        self.rewrites += 1
        return Imported(refused={}, changed=changed)

    async def due_rejected(self, *, now: datetime, limit: int) -> Sequence[int]:
        due = {"now": to_milliseconds(now), "limit": limit}
        rows = await self._engine.read(lambda connection: connection.execute(DUE_REJECTED, due).fetchall())
        return [id_ for (id_,) in rows]

    async def purge_rejected(self, ids: Collection[int] | None) -> int:
        purged = await self._engine.write(partial(_purge, ids=ids))
        self.rewrites += 1
        return purged


def _set_aside(connection: Connection, *, piece: Piece, reason: str) -> Settled:
    deferred.set_aside(connection, piece, reason)
    return Settled(changed=_NOTHING, left=deferred.left(connection), set_aside=deferred.aside(connection))


def _parsed_again(rows: Sequence[Row], parse: Callable[[str, bytes], Parsed]) -> Mapping[int, Parsed]:
    kept = map(kept_message, rows)
    return {one.id: parse(one.message.topic, one.message.payload) for one in kept}


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
