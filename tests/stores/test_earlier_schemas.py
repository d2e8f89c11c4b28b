"""Databases of every earlier schema, written by the versions that had them and opened by this version.

`support/schema_dumps.py` describes the origin of the dumps, and the members of `expected.json` that are in doubt.
"""

import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from support.schema_dumps import COMMITS, SCHEMAS, dump_path, load_postgres, load_sqlite
from support.schema_messages import FLOOR_1_ID

from jobindex.errors import ResourceNotFoundException
from jobindex.model.jobs import to_milliseconds
from jobindex.model.store import Store
from jobindex.model.views import JobDescription
from jobindex.storage.databases import PostgresDatabase, SqliteDatabase
from jobindex.storage.opening import open_store

EXPECTED = json.loads((SCHEMAS / "expected.json").read_text("utf-8"))


@pytest.fixture(params=[*(schema for engine, schema in COMMITS if engine == "sqlite"), "postgresql"])
async def earlier(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    """Open a database of an earlier schema."""
    database: SqliteDatabase | PostgresDatabase
    if request.param == "postgresql":  # conftest.py selects tests for PostgreSQL by this parameter; there is one dump
        database = PostgresDatabase(conninfo=request.getfixturevalue("postgres_url"), shown="postgresql")
        load_postgres(dump_path("postgres", 6), database.conninfo)
    else:
        database = SqliteDatabase(path=tmp_path / "jobindex.db")
        load_sqlite(dump_path("sqlite", request.param), database.path)
    async with open_store(database) as store:
        yield store


async def test_what_an_earlier_version_knew_reads_as_before(earlier: Store) -> None:
    """Each job whose answer is not in doubt keeps it, and deleted jobs stay deleted."""
    assert EXPECTED["jobs"] == {job_id: answer(await earlier.job(job_id)) for job_id in EXPECTED["jobs"]}
    for job_id in EXPECTED["deleted"]:
        with pytest.raises(ResourceNotFoundException):
            await earlier.job(job_id)


async def test_what_an_earlier_version_kept_beside_the_jobs_is_there(earlier: Store) -> None:
    """Ids of thing groups, rejected messages and the broker's session survive the migration."""
    assert [FLOOR_1_ID] == [*(await earlier.job("one-group")).thing_group_ids]
    kept = await earlier.rejected_messages(after=0, limit=10)
    assert [14, 20, 4] == [message.payload_bytes for message in kept]
    assert b"\x00\xff'\n" == (await earlier.rejected_message(kept[2].id)).message.payload
    assert 4 == len((await earlier.session()).topic_filters)


def answer(job: JobDescription) -> Mapping[str, Any]:
    """Return a job in the form of `expected.json`."""
    return {
        "status": job.status,
        "isStatusReported": job.is_status_reported,
        "namespaceId": job.namespace_id,
        "createdAt": to_milliseconds(job.created_at),
        "targetSelection": job.target_selection,
        "executions": dict(job.executions),
    }
