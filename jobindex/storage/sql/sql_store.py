"""The index in SQL: what is written, and what only its owner reads."""

import json
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from datetime import datetime, timedelta
from functools import partial

from jobindex.errors import ResourceNotFoundException
from jobindex.model.jobs import from_milliseconds, to_milliseconds
from jobindex.model.reports import RejectedMessage, Report, Told
from jobindex.model.store import Applied, Forgotten, KeptMessage, RejectedLimits, RejectedSummary, Retried, Session
from jobindex.storage.sql import retention
from jobindex.storage.sql.applying import apply, retry
from jobindex.storage.sql.connection import Connection
from jobindex.storage.sql.engine import Engine
from jobindex.storage.sql.rejected import (
    DUE_REJECTED,
    FORGET_ALL_REJECTED,
    FORGET_REJECTED,
    LIST_REJECTED,
    READ_REJECTED,
    kept_message,
    rejected_summary,
)
from jobindex.storage.sql.sql_reader import SqlReader

_REMEMBER_SESSION = """
INSERT INTO session (the_one, complete_since)
VALUES (1, :since)
ON CONFLICT (the_one) DO UPDATE SET complete_since = excluded.complete_since
"""


class SqlStore(SqlReader):
    """A Store on an engine, but for what each engine does its own way."""

    def __init__(self, engine: Engine, limits: RejectedLimits) -> None:
        super().__init__(engine)
        self._limits = limits
        self.rewrites = 0

    def visible_to(self, namespace_ids: frozenset[str]) -> SqlReader:
        return SqlReader(self._engine, namespace_ids - {""})  # which stands for no namespace

    async def apply(self, reports: Sequence[Report], rejected: Sequence[RejectedMessage], *, now: datetime) -> Applied:
        work = partial(
            apply,
            reports=reports,
            rejected=rejected,
            now=to_milliseconds(now),
            limits=self._limits,
            rows=self._engine.rows,
            cache=self._engine.cache,
        )
        return await self._engine.write(work, by_owner=True)

    async def session(self) -> Session:
        return await self._engine.read(_session)

    async def remember_session(self, session: Session) -> None:
        await self._engine.write(partial(_remember_session, session=session), by_owner=True)

    async def retain(self, age: timedelta, *, now: datetime) -> AsyncIterator[Forgotten]:
        write = partial(self._engine.write, by_owner=True)
        async for forgotten in retention.retain(self._engine, write, age, now):
            self.rewrites += 1
            yield forgotten

    async def rejected_messages(self, *, after: int, limit: int) -> Sequence[RejectedSummary]:
        rows = await self._engine.read(
            lambda connection: connection.execute(LIST_REJECTED, {"after": after, "limit": limit}).fetchall()
        )
        return [rejected_summary(row) for row in rows]

    async def rejected_message(self, id_: int) -> KeptMessage:
        rows = await self._engine.read(
            lambda connection: connection.execute(READ_REJECTED, {"ids": json.dumps([id_])}).fetchall()
        )
        for row in rows:
            return kept_message(row)
        raise ResourceNotFoundException(f"Rejected message {id_} cannot be found.")

    async def retry_rejected(
        self, ids: Collection[int], parse: Callable[[str, bytes], Told], *, now: datetime
    ) -> Retried:
        work = partial(
            retry,
            ids=ids,
            parse=parse,
            now=to_milliseconds(now),
            rows=self._engine.rows,
            cache=self._engine.cache,
        )
        retried = await self._engine.write(work)
        self.rewrites += 1
        return retried

    async def due_rejected(self, *, now: datetime, limit: int) -> Sequence[int]:
        due = {"now": to_milliseconds(now), "limit": limit}
        rows = await self._engine.read(lambda connection: connection.execute(DUE_REJECTED, due).fetchall())
        return [id_ for (id_,) in rows]

    async def purge_rejected(self, ids: Collection[int] | None) -> int:
        purged = await self._engine.write(partial(_purge, ids=ids))
        self.rewrites += 1
        return purged


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
        return connection.execute(FORGET_ALL_REJECTED).rowcount
    return connection.execute(FORGET_REJECTED, {"ids": json.dumps(list(ids))}).rowcount
