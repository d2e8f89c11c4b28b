"""Fixtures that several test modules share."""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import Phase, settings
from support.messages import Index
from support.postgresql_servers import Databases, databases

from jobindex.model.store import Store
from jobindex.storage.databases import PostgresDatabase, SqliteDatabase
from jobindex.storage.opening import open_store

settings.register_profile("default", deadline=None, max_examples=80)
settings.register_profile("long", deadline=None, max_examples=3000)
# For flips.py: that an example fails is enough, and the same ones are tried each time.
for _name, _examples in (("few", 80), ("many", 2000)):
    settings.register_profile(
        _name, deadline=None, max_examples=_examples, phases=[Phase.generate], derandomize=True, database=None
    )
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Databases]:
    """Run a PostgreSQL server, from the first test of the process that asks until the last test's end."""
    with databases() as opened:
        yield opened


@pytest.fixture
def postgres_url(postgresql: Databases) -> Iterator[str]:
    """Return the URL of an empty database of PostgreSQL, which is dropped after the test."""
    with postgresql.fresh() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    """Open an empty index that may be written; every engine goes through every test that asks for one."""
    if request.param == "sqlite":
        opening = open_store(SqliteDatabase(path=tmp_path / "jobindex.db"))
    else:
        database = PostgresDatabase(conninfo=request.getfixturevalue("postgres_url"), shown="postgresql")
        opening = open_store(database)
    async with opening as opened:
        assert await opened.take_lease("{}", seconds=3600)
        yield opened


@pytest.fixture(params=[False, True], ids=["as told", "in reverse"])
def index(request: pytest.FixtureRequest, store: Store) -> Index:
    """Run a test twice: messages reach the store in the order in which the test tells them, and in reverse."""
    return Index(store, reverse=request.param)
