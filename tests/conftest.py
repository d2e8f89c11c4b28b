"""Fixtures that several test modules share."""

import os
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
from hypothesis import Phase, settings
from telling import Index

from jobindex.sqlite.store import open_store
from jobindex.store import Store

settings.register_profile("default", deadline=None, max_examples=80)
settings.register_profile("long", deadline=None, max_examples=3000)
# For flips.py: that an example fails is enough, and the same ones are tried each time.
for _name, _examples in (("few", 80), ("many", 2000)):
    settings.register_profile(
        _name, deadline=None, max_examples=_examples, phases=[Phase.generate], derandomize=True, database=None
    )
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


def _open_sqlite(folder: Path) -> AbstractAsyncContextManager[Store]:
    return open_store(folder / "jobindex.db")


@pytest.fixture(params=[pytest.param(_open_sqlite, id="sqlite")])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    """Open an empty index; every backend goes through every test that asks for one."""
    async with request.param(tmp_path) as opened:
        yield opened


@pytest.fixture(params=[False, True], ids=["as told", "in reverse"])
def index(request: pytest.FixtureRequest, store: Store) -> Index:
    """Run a test twice: messages reach the store in the order in which the test tells them, and in reverse."""
    return Index(store, reverse=request.param)
