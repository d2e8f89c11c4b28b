"""A reference: the shortest honest script, which stores jobs in SQLite and commits each message.

`python -m bench.script PORT DATABASE COUNT` ends after COUNT messages. It acknowledges before it commits, as aiomqtt
does by default, and does not detect late or redelivered messages.
"""

import asyncio
import sys

import aiomqtt
import aiosqlite
import orjson

from jobindex.messages.topics import DEFAULT_FILTERS

CLIENT_ID = "script"

_CREATE = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
CREATE TABLE jobs (job_id TEXT PRIMARY KEY, namespace_id TEXT, status TEXT, created_at INTEGER);
CREATE INDEX jobs_by_namespace ON jobs (namespace_id, created_at);
"""
_KEEP = """
INSERT INTO jobs VALUES (?, ?, ?, ?)
ON CONFLICT (job_id) DO UPDATE SET
    namespace_id = coalesce(excluded.namespace_id, namespace_id),
    status = coalesce(excluded.status, status),
    created_at = coalesce(excluded.created_at, created_at)
"""

_Row = tuple[str, str | None, str | None, int | None]


async def keep(port: int, database: str, count: int) -> None:
    """Store the content of `count` messages."""
    async with aiosqlite.connect(database) as index, aiomqtt.Client("127.0.0.1", port, identifier=CLIENT_ID) as client:
        await index.executescript(_CREATE)
        for topic_filter in DEFAULT_FILTERS:
            await client.subscribe(topic_filter, qos=1)
        async for message in client.messages:
            await index.executemany(_KEEP, _rows(message.topic.value, orjson.loads(message.payload)))
            await index.commit()
            count -= 1
            if not count:
                return


def _rows(topic: str, told: dict[str, dict[str, list[dict[str, int]]]]) -> list[_Row]:
    _, kind, _, *levels = topic.split("/")
    if kind == "events":
        return [(levels[0], None, levels[1], None)]
    namespace_id = topic.partition("namespace-")[2].split("/")[0] or None
    listed: list[_Row] = [
        (str(entry["jobId"]), namespace_id, status, entry["queuedAt"])
        for status, entries in told.get("jobs", {}).items()
        for entry in entries
    ]
    return listed if levels[1].startswith("notify") else [(levels[1], namespace_id, None, None)]


if __name__ == "__main__":
    asyncio.run(keep(int(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
