"""The things of thing groups, as runs of the sync have listed them."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from sqlite3 import Row as SqliteRow
from sqlite3 import connect
from typing import Any

import pytest
from support.empty_indexes import empty_index
from support.messages import NOW, execution, group, parsed, pending
from test_sqlite import is_cheap
from test_syncs import Planned, ended, opened_run

from jobindex.errors import ResourceNotFoundException
from jobindex.model.reports import ThingGroupReport
from jobindex.model.store import Store
from jobindex.model.sync import SyncKind, SyncRun, SyncStep
from jobindex.model.views import ThingGroupMember, ThingGroupMembers
from jobindex.storage.sql import group_members

FIRST = NOW - timedelta(days=2)
SECOND = NOW - timedelta(days=1)


async def fill(store: Store, as_of: Any = FIRST) -> SyncRun:
    """Return a new run that has begun; the group `pumps` is known."""
    run = replace(await opened_run(store, SyncKind.FILL), started_at=NOW, as_of=as_of)
    await store.record_sync(SyncStep(run=run, rows=[(ThingGroupReport("pumps"),)]), now=NOW)
    return run


def of_pumps(*names: str) -> Sequence[tuple[str, str]]:
    """Return the things as members of the group `pumps`."""
    return [("pumps", name) for name in names]


async def names(store: Store, name: str = "pumps") -> Sequence[str]:
    """Return the names of all things of a group."""
    return [one.thing_name for one in (await store.thing_group_members(name, after="", limit=1000)).members]


async def test_the_index_has_heard_of_a_member_with_an_execution_or_a_list(store: Store) -> None:
    """Any other member has never been heard of."""
    await store.apply(parsed(execution("QUEUED", thing="pump-1"), pending(100, thing="pump-2")), (), now=NOW)
    run = await fill(store)
    step = SyncStep(run=run, members=of_pumps("pump-3", "pump-2", "pump-1"), whole_group="pumps")
    await store.record_sync(step, now=NOW)
    expected = [
        ThingGroupMember(thing_name=name, is_heard_of=is_heard_of)
        for name, is_heard_of in (("pump-1", True), ("pump-2", True), ("pump-3", False))
    ]
    assert ThingGroupMembers(members=expected, members_as_of=FIRST) == await store.thing_group_members(
        "pumps", after="", limit=3
    )


async def test_members_are_read_in_pages(store: Store) -> None:
    """A page starts after a name, and has no things of other groups."""
    run = await fill(store)
    members = [*of_pumps("pump-1", "pump-10", "pump:2"), ("pump", "pump-4"), ("pumps-2", "pump-5")]
    await store.record_sync(SyncStep(run=run, members=members), now=NOW)
    pages = [await store.thing_group_members("pumps", after=after, limit=2) for after in ("", "pump-10", "pump:2")]
    assert [["pump-1", "pump-10"], ["pump:2"], []] == [[one.thing_name for one in page.members] for page in pages]


async def test_a_whole_list_deletes_the_members_of_earlier_runs(store: Store) -> None:
    """Until a run has listed the group completely, the members of the earlier run stay, and their time does."""
    run = await fill(store)
    others = [("valves", "valve-1")]
    first = SyncStep(run=run, members=[*of_pumps("pump-1", "pump-2"), *others], whole_group="pumps")
    await store.record_sync(first, now=NOW)
    await store.record_sync(SyncStep(run=ended(run)), now=NOW)
    run = await fill(store, SECOND)
    await store.record_sync(SyncStep(run=run, members=of_pumps("pump-2", "pump-3", "pump-3")), now=NOW)
    page = await store.thing_group_members("pumps", after="", limit=9)
    assert (["pump-1", "pump-2", "pump-3"], FIRST) == (await names(store), page.members_as_of)
    await store.record_sync(SyncStep(run=run, members=of_pumps("pump-4"), whole_group="pumps"), now=NOW)
    page = await store.thing_group_members("pumps", after="", limit=9)
    assert (["pump-2", "pump-3", "pump-4"], SECOND) == (await names(store), page.members_as_of)
    with pytest.raises(ResourceNotFoundException):
        await names(store, "valves")
    await store.apply(parsed(group("valves")), (), now=NOW)
    assert ["valve-1"] == await names(store, "valves")


async def test_a_group_may_have_no_members(store: Store) -> None:
    """A group that was listed and is empty has a time, one that was never listed has none."""
    await store.apply(parsed(group("pumps")), (), now=NOW)
    never = await store.thing_group_members("pumps", after="", limit=9)
    assert ThingGroupMembers(members=[], members_as_of=None) == never
    await store.record_sync(SyncStep(run=await fill(store), whole_group="pumps"), now=NOW)
    empty = await store.thing_group_members("pumps", after="", limit=9)
    assert ThingGroupMembers(members=[], members_as_of=FIRST) == empty


async def test_a_restricted_reader_knows_no_members(store: Store) -> None:
    """A group, known or not, is not found."""
    run = await fill(store)
    await store.record_sync(SyncStep(run=run, members=of_pumps("pump-1"), whole_group="pumps"), now=NOW)
    restricted = store.visible_to(frozenset({"n1"}))
    for reader, name in ((restricted, "pumps"), (restricted, "never"), (store, "never")):
        with pytest.raises(ResourceNotFoundException, match=f"Thing group {name} cannot be found"):
            await reader.thing_group_members(name, after="", limit=9)


def test_the_plans_of_sqlite_read_by_key(tmp_path: Path) -> None:
    """Members are stored, replaced and read by their keys, and looked up by name in other tables."""
    with closing(connect(empty_index(tmp_path / "jobindex.db"))) as connection:
        connection.row_factory = SqliteRow
        connection.execute("INSERT INTO thing_groups VALUES ('pumps', '')")
        planned: Any = Planned(connection)
        run = SyncRun(id=1, kind=SyncKind.FILL, requested_at=NOW, as_of=NOW)
        group_members.keep(planned, SyncStep(run=run, members=of_pumps("pump-1"), whole_group="pumps"))
        found = group_members.read_members(planned, thing_group_name="pumps", after="", limit=9)
        assert 1 == len(found.members)
        allowed = ("SCAN json_each VIRTUAL", "SCAN CONSTANT ROW")
        assert [] == [step for step in planned.steps if not is_cheap(step, allowed)]
        assert {
            "SEARCH thing_group_members USING PRIMARY KEY (thing_group_name=? AND thing_name>?)",
            "SEARCH thing_group_members USING PRIMARY KEY (thing_group_name=?)",
        } <= planned.steps
