"""PostgreSQL gives the same answers as SQLite, even if several stores write."""

import asyncio
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.message_streams import NAMESPACE_IDS, Arrival, Message, arrivals, parse, streams, streams_of
from support.postgresql_servers import Databases
from support.questions import Asking, askings, values
from support.shuffles import NOW, Index, opened

from jobindex.model.jobs import to_milliseconds
from jobindex.model.listing import Filters
from jobindex.model.reports import RejectedMessage, Report
from jobindex.model.store import RejectedLimits, Store
from jobindex.storage.databases import PostgresDatabase
from jobindex.storage.sql.applying import apply
from jobindex.storage.sqlite.store import open_store as open_sqlite

pytestmark = pytest.mark.timeout(1800)  # for the long profile

# Each example uses a socket, so a few are enough.
_few = settings(max_examples=max(10, settings().max_examples // 6))


class Engines:
    """The same index in SQLite and, written by two stores, in PostgreSQL."""

    def __init__(
        self, runner: asyncio.Runner, sqlite: Store, postgres: Sequence[Any], connections: Mapping[str, Any]
    ) -> None:
        self.runner = runner
        self.sqlite = Index(runner, sqlite, connections["sqlite"].execute)
        self.postgres = Index(
            runner,
            postgres[0],
            connections["postgres"].execute,
            notes_write="UPDATE writes SET version = version + 1",
        )
        self.stores = sqlite, postgres[0]
        self.others = postgres

    def answers(self, store: Store, asking: Asking, seen: frozenset[str] | None) -> dict[str, object]:
        """Return the answers of a store, with JSON as values, so that 1.0 equals 1."""
        reader = store if seen is None else store.visible_to(seen)
        return {name: values(answer) for name, answer in self.runner.run(asking.answers(reader)).items()}


@pytest.fixture(scope="module")
def engines(postgresql: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engines]:
    """Open one index of each engine for all examples."""
    import psycopg  # noqa: PLC0415 (needs psycopg)

    from jobindex.storage.postgres.store import open_store as open_postgres  # noqa: PLC0415

    path: Path = tmp_path_factory.mktemp("engines") / "jobindex.db"
    with ExitStack() as stack:
        url = stack.enter_context(postgresql.fresh())
        runner = stack.enter_context(asyncio.Runner())
        database = PostgresDatabase(conninfo=url, shown="postgresql")
        sqlite = stack.enter_context(opened(runner, open_sqlite(path)))
        postgres = [stack.enter_context(opened(runner, open_postgres(database))) for _ in range(2)]
        assert runner.run(postgres[0].take_lease("{}", seconds=3600))
        connections = {
            "sqlite": stack.enter_context(closing(sqlite3.connect(path, isolation_level=None))),
            "postgres": stack.enter_context(psycopg.connect(url, autocommit=True)),
        }
        yield Engines(runner, sqlite, postgres, connections)


_kinds = [("groups",), ("sightings", "ends"), ("life", "group_event"), ("deletion", "rivals", "job_event")]


@_few
@given(
    data=st.data(),
    messages=st.one_of(streams(), *(streams_of(some) for some in _kinds)),
    asking=askings(),
    visible=st.sampled_from([None, frozenset(NAMESPACE_IDS[:1]), frozenset(NAMESPACE_IDS)]),
)
def test_both_engines_answer_the_same(
    engines: Engines, data: st.DataObject, messages: list[Message], asking: Asking, visible: frozenset[str] | None
) -> None:
    """Both engines give the same answers, however messages arrive."""
    arrival = data.draw(arrivals(messages))
    for index in (engines.sqlite, engines.postgres):
        index.fill(arrival, later=timedelta(minutes=1))
    expected, actual = (engines.answers(store, asking, visible) for store in engines.stores)
    assert expected == actual


@_few
@given(data=st.data(), messages=streams())
def test_no_order_shows(engines: Engines, data: st.DataObject, messages: list[Message]) -> None:
    """Any order, repetition and batches of the messages produce the same rows."""
    expected = engines.postgres.fill(data.draw(arrivals(messages)))
    assert expected == engines.postgres.fill(data.draw(arrivals(messages)))


@_few
@given(data=st.data(), messages=streams())
def test_two_who_write_at_once_make_the_same_index(
    engines: Engines, data: st.DataObject, messages: list[Message]
) -> None:
    """Two stores that write at once without the lease produce the same index."""
    arrival = data.draw(arrivals(messages))
    expected = engines.postgres.fill(arrival)
    engines.postgres.empty()

    async def write(store: Any, batches: Sequence[tuple[Sequence[Report], Sequence[RejectedMessage]]]) -> None:
        for reports, rejected in batches:
            await store._engine.write(partial(_apply, reports, rejected, NOW))  # bypasses the lease

    async def write_all() -> None:
        halves = (arrival.batches[::2], arrival.batches[1::2])
        await asyncio.gather(*(write(store, half) for store, half in zip(engines.others, halves, strict=True)))

    engines.runner.run(write_all())
    assert expected == engines.postgres.rows()


def _apply(reports: Sequence[Report], rejected: Sequence[RejectedMessage], now: datetime, connection: Any) -> object:
    return apply(
        connection,
        reports=reports,
        rejected=rejected,
        now=to_milliseconds(now),
        limits=RejectedLimits(),
    )


@_few
@given(messages=streams(), horizon=st.sampled_from([timedelta(hours=1), timedelta(days=3000)]))
def test_both_engines_forget_the_same(engines: Engines, messages: list[Message], horizon: timedelta) -> None:
    """Retention deletes the same jobs on both engines."""
    reports, _ = parse(messages)
    left = []
    for index in (engines.sqlite, engines.postgres):
        index.fill(Arrival(batches=[(reports, ())]))
        forgotten = index.retain(NOW - horizon)
        left.append((forgotten, index.pages(Filters(), 250), index.executions()))
    assert left[0] == left[1]
