"""Database dumps of every earlier schema, each written by the version that used it.

`python -m support.schema_dumps` (in `tests/`, in a checkout with the whole history) makes the same dumps again, byte
for byte, in `tests/stores/schemas/`. It exports each of COMMITS; in a separate process, that version's parser and store
apply the messages of `schema_messages.py` in several batches, with a fixed clock. Then `sqlite3`'s iterdump or pg_dump
dumps the closed database as SQL. Values that depend on the real clock or on the process are replaced:
`migrations.applied_at`, and in PostgreSQL `lease.expires_at` and `changes.writer`.

`expected.json` has the answers that a faithful migration preserves: `jobs` if all dumps agree with AWS's truth,
`inDoubt` if one does not, with the truth, the reason, and the answer of each such dump.
"""

import asyncio
import importlib
import json
import os
import re
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

from support.schema_messages import BATCHES, HORIZON_DAYS, START, TRUTH, WRONG

REPOSITORY = Path(__file__).parents[2]
SCHEMAS = REPOSITORY / "tests" / "stores" / "schemas"
COMMITS: Mapping[tuple[str, int], str] = {
    ("sqlite", 1): "8f119662a4",
    ("sqlite", 2): "3595b7083e",
    ("sqlite", 3): "0311dda5fe",
    ("sqlite", 4): "f4f7ac8263",
    ("sqlite", 5): "79ea843698",
    ("sqlite", 6): "49fbfa2360",
    ("postgres", 6): "49fbfa2360",
}
"""The last commit with each schema; the next commit belongs to the next migration."""

_FILTERS = ("$aws/things/+/jobs/#", "$aws/events/job/#", "$aws/events/jobExecution/#", "$aws/events/thingGroup/#")
_APPLIED_AT = "UPDATE migrations SET applied_at = '2026-11-24 00:00:00'"
_APPLICATION_ID = 0x6A6F6269

# The jobs of a dump. Since schema 5 the status is a part of `kind`.
_JOBS = """
SELECT listed.job_id, listed.namespace_id, listed.created_at, {columns}, told.status IS NOT NULL AS is_reported
FROM job_summaries AS listed
JOIN counted_jobs AS told ON told.job_id = listed.job_id
ORDER BY listed.job_id
"""
_EXECUTIONS = """
SELECT job_id, CASE WHEN status_rank < 3 AND has_ended = 1 THEN 'ENDED' ELSE status END AS state
FROM executions
WHERE status <> 'DELETED'
ORDER BY job_id
"""
_STATUSES = ("SCHEDULED", "IN_PROGRESS", "COMPLETED", "CANCELED", "DELETION_IN_PROGRESS")
_SELECTIONS = (None, "CONTINUOUS", "SNAPSHOT")


def dump_path(engine: str, schema: int) -> Path:
    """Return the file of a dump."""
    return SCHEMAS / f"{engine}-{schema:04}.sql"


def load_sqlite(dump: Path, path: Path) -> None:
    """Create a SQLite file from a dump."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript(dump.read_text("utf-8"))


def load_postgres(dump: Path, url: str) -> None:
    """Fill an empty database of PostgreSQL with a dump."""
    import psycopg  # noqa: PLC0415 (psycopg may be missing)

    # The dump empties its connection's search path, so it gets its own connection.
    with psycopg.connect(url) as connection:
        connection.execute(dump.read_text("utf-8").encode())


def main() -> None:
    """Make all dumps and `expected.json`."""
    from support.postgresql_servers import databases  # noqa: PLC0415 (old versions, which run `_write`, do not have it)

    SCHEMAS.mkdir(exist_ok=True)
    found: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as name:
        for (engine, schema), commit in COMMITS.items():
            path = dump_path(engine, schema)
            version = Path(name) / commit
            _export(commit, version)
            if engine == "sqlite":
                database = str(Path(name) / f"{schema}.db")
                _write_by(version, engine, database)
                path.write_text(_dump_sqlite(database), "utf-8")
                with closing(sqlite3.connect(database)) as connection:
                    found[path.stem] = _read(schema, connection.execute)
            else:
                import psycopg  # noqa: PLC0415 (as above)

                with databases() as opened, opened.fresh() as url:
                    _write_by(version, engine, url)
                    path.write_text(_dump_postgres(url), "utf-8")
                    with psycopg.connect(url) as reading:
                        found[path.stem] = _read(schema, lambda sql: reading.execute(sql.encode()))
    (SCHEMAS / "expected.json").write_text(json.dumps(_expected(found), indent=2) + "\n", "utf-8")


def _export(commit: str, folder: Path) -> None:
    """Write the package and the migrations of a commit to a folder."""
    archive = ["git", "-C", str(REPOSITORY), "archive", commit, "jobindex", "migrations"]
    packed = subprocess.run(archive, check=True, capture_output=True).stdout
    with tarfile.open(fileobj=BytesIO(packed)) as opened:
        opened.extractall(folder, filter="data")


def _write_by(version: Path, engine: str, database: str) -> None:
    """Apply all messages to an empty database with another version."""
    path = f"{version}:{REPOSITORY / 'tests'}"
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "support.schema_dumps", engine, database]
    subprocess.run(command, check=True, env=environment, cwd=version, timeout=120)


async def _write(engine: str, database: str) -> None:
    """Apply all messages with the version of jobindex on the path."""
    package = Path(str(importlib.import_module("jobindex").__file__)).parent
    assert Path.cwd() == package.parent, package
    parsing = _module("messages.parsing", "events")
    errors = importlib.import_module("jobindex.errors")
    rejected_message = _module("model.jobs", "jobs").RejectedMessage
    async with _opened(engine, database) as store:
        if engine == "postgres":
            assert await store.take_lease("{}", seconds=3600)
        await _remember_session(store)
        for batch in BATCHES:
            reports: list[Any] = []
            rejected: list[Any] = []
            for topic, payload in batch.messages:
                try:
                    reports += parsing.parse_message(topic, payload)
                except errors.MessageError as error:
                    rejected.append(rejected_message(topic=topic, payload=payload, reason=str(error)))
            await store.apply(reports, rejected, now=_at(batch.now))
            if batch is BATCHES[0] and hasattr(store, "retain"):
                async for _ in store.retain(timedelta(days=HORIZON_DAYS), now=_at(batch.now)):
                    pass
        if engine == "postgres":
            await store.release_lease()


def _opened(engine: str, database: str) -> Any:
    if engine == "postgres":
        from jobindex.storage.databases import PostgresDatabase  # noqa: PLC0415 (older versions have none)

        postgres = importlib.import_module("jobindex.storage.postgres.store")
        return postgres.open_store(PostgresDatabase(conninfo=database, shown="postgresql"))
    return _module("storage.sqlite.store", "sqlite.store", "sqlite").open_store(Path(database))


async def _remember_session(store: Any) -> None:
    if hasattr(store, "remember_subscriptions"):  # schema 1
        await store.remember_subscriptions(_FILTERS)
        return
    session = _module("model.store", "store").Session
    await store.remember_session(session(topic_filters=frozenset(_FILTERS), complete_since=_at(0)))


def _module(*names: str) -> Any:
    """Return the first module of the package that exists in this version, because modules moved."""
    for name in names:
        try:
            return importlib.import_module(f"jobindex.{name}")
        except ModuleNotFoundError:
            pass
    raise ModuleNotFoundError(names)


def _at(seconds: int) -> datetime:
    return datetime.fromtimestamp(START + seconds, UTC)


def _dump_sqlite(database: str) -> str:
    with closing(sqlite3.connect(database)) as connection:
        connection.execute(_APPLIED_AT)
        connection.commit()
        ((application_id,),) = connection.execute("PRAGMA application_id")
        assert application_id == _APPLICATION_ID
        assert connection.execute("PRAGMA user_version").fetchone() == (0,)
        return "\n".join([f"PRAGMA application_id = {application_id};", *connection.iterdump(), ""])


def _dump_postgres(url: str) -> str:
    from bench.postgresql import program  # noqa: PLC0415 (as in main)
    from support.postgresql_servers import execute  # noqa: PLC0415

    execute(url, f"{_APPLIED_AT.removesuffix(chr(39))}+00'")
    execute(url, "UPDATE lease SET expires_at = '2026-11-24 00:00:00+00'")
    execute(url, "UPDATE changes SET writer = 'writer'")
    for (table,) in execute(url, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"):
        # pg_dump writes rows in their physical order.
        execute(url, f"CLUSTER {table} USING {table}_pkey")
        execute(url, f"ALTER TABLE {table} SET WITHOUT CLUSTER")
    options = ["--no-owner", "--no-privileges", "--inserts", "--rows-per-insert=100"]
    command = [program("pg_dump"), *options, "--dbname", url]
    dump = subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ, "TZ": "UTC"}).stdout
    # Comments contain versions, and psql's own commands a random key.
    lines = (line for line in dump.splitlines() if not line.startswith(("--", "\\")))
    return re.sub(r"\n{2,}", "\n\n", "\n".join(lines)).strip() + "\n"


def _read(schema: int, query: Any) -> dict[str, Any]:
    """Return the jobs of a database."""
    columns = "listed.kind, NULL" if schema >= 5 else "listed.status, listed.target_selection"
    jobs: dict[str, Any] = {}
    for job_id, namespace_id, created_at, status, selection, is_reported in query(_JOBS.format(columns=columns)):
        jobs[job_id] = {
            "status": _STATUSES[status // 3] if schema >= 5 else status,
            "isStatusReported": bool(is_reported),
            "namespaceId": namespace_id,
            "createdAt": created_at,
            "targetSelection": _SELECTIONS[status % 3] if schema >= 5 else selection,
            "executions": {},
        }
    for job_id, state in query(_EXECUTIONS):
        if job_id in jobs:
            counts = jobs[job_id]["executions"]
            counts[state] = counts.get(state, 0) + 1
    return jobs


def _expected(found: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    job_ids = sorted({*TRUTH, *(job_id for jobs in found.values() for job_id in jobs)})
    agreed: dict[str, Any] = {}
    in_doubt: dict[str, Any] = {}
    for job_id in job_ids:
        truth = TRUTH.get(job_id)
        others = {name: jobs.get(job_id) for name, jobs in found.items() if jobs.get(job_id) != truth}
        if not others and job_id not in WRONG:
            agreed[job_id] = truth
            continue
        in_doubt[job_id] = {"truth": truth, "why": WRONG[job_id], "dumps": _together(others)}
    assert {*WRONG} == {*in_doubt}
    return {"jobs": agreed, "inDoubt": in_doubt, "deleted": _deleted({*agreed, *in_doubt})}


def _together(others: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Return each distinct answer once, with the names of its dumps."""
    answers: dict[str, list[str]] = {}
    for name, answer in others.items():
        answers.setdefault(json.dumps(answer), []).append(name)
    return [{"names": names, "answer": json.loads(answer)} for answer, names in answers.items()]


def _deleted(known: Iterable[str]) -> Sequence[str]:
    told = (re.search(r"\$aws/events/job/([^/]+)/deleted", topic) for batch in BATCHES for topic, _ in batch.messages)
    return sorted({match[1] for match in told if match} - {*known})


if __name__ == "__main__":
    if len(sys.argv) == 1:
        main()
    else:
        asyncio.run(_write(*sys.argv[1:]))
