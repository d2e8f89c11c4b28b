"""The bench fills the same index in PostgreSQL as in SQLite."""

import asyncio
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from support.postgresql_servers import execute

from bench import postgresql
from bench.indexes import index_file
from bench.jobs import reports
from jobindex.model.listing import ListJobsQuery
from jobindex.storage.databases import PostgresDatabase, SqliteDatabase
from jobindex.storage.opening import open_store

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def test_a_filled_database_tells_what_the_file_tells(postgres_url: str, tmp_path: Path) -> None:
    """Every table of the index has the same rows in both engines, and takes space on disk."""
    index = index_file(tmp_path, 100)
    postgresql.fill(postgres_url, index)
    assert 100 == execute(postgres_url, "SELECT count(*) FROM jobs")[0][0]
    with closing(sqlite3.connect(index)) as source:
        for name in ("jobs", "executions", "thing_groups", "job_summaries", "job_thing_groups", "job_changes"):
            columns = ", ".join(row[1] for row in source.execute(f"PRAGMA table_info({name})"))
            rows = source.execute(f"SELECT {columns} FROM {name}").fetchall()
            assert rows
            assert sorted(rows, key=repr) == sorted(
                (
                    tuple(int(value) if isinstance(value, bool) else value for value in row)
                    for row in execute(postgres_url, f"SELECT {columns} FROM {name}")
                ),
                key=repr,
            )
    [(whole,)] = execute(postgres_url, "SELECT pg_database_size(current_database())")
    assert 0 < postgresql.size(postgres_url) < whole


async def test_an_index_is_the_same_on_both_engines(tmp_path: Path, postgres_url: str) -> None:
    """PostgreSQL lists the jobs of the SQLite index that filled it, and grants the lease."""
    file = tmp_path / "index.db"
    async with open_store(SqliteDatabase(path=file)) as store:
        assert await store.take_lease("{}", seconds=3600)
        await store.apply(list(reports(300)), (), now=NOW)
        expected = await store.list_jobs(ListJobsQuery())
    await asyncio.to_thread(postgresql.fill, postgres_url, file)
    async with open_store(PostgresDatabase(conninfo=postgres_url, shown="postgresql")) as store:
        assert expected == await store.list_jobs(ListJobsQuery())
        assert await store.take_lease("{}", seconds=3600)
