"""The changes of each write, which the other processes poll.

Not chosen: LISTEN and NOTIFY, which some engines lack, and which do not reach disconnected processes.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import orjson
from psycopg import Connection

from jobindex.model.store import Applied, Changed, RetentionStep, Settled, Synced

KEPT = 1000
"""Writes whose changes are stored."""
BYTES_MAXIMUM = 64 * 1024
"""A write with longer names is recorded as unknown: a batch may name 10,000 namespaces."""

_RECORD = "INSERT INTO changes (version, writer, changed) VALUES (%(version)s, %(writer)s, %(changed)s)"
_EXPIRE = "DELETE FROM changes WHERE version <= %(version)s"
_READ = """
SELECT version, changed
FROM changes
WHERE version > %(version)s
AND writer <> %(writer)s
ORDER BY version
"""
_VERSION = "SELECT version FROM writes WHERE the_one = 1"

_UNKNOWN = Changed(job_ids=None, namespace_ids=None, thing_names=None)
# A purge of rejected messages has no namespace, so restricted keys do not see it.
_NO_JOBS = Changed(job_ids=None, namespace_ids=frozenset(), thing_names=None)


def record(connection: Connection[Any], version: int, writer: str, done: object) -> None:
    """Record the changes of a write in its transaction, if there are any."""
    match done:
        case None | 0:
            return
        case Changed() as changed:
            pass
        case (
            Applied(changed=changed)
            | RetentionStep(changed=changed)
            | Settled(changed=changed)
            | Synced(changed=changed)
        ):
            pass
        case _:
            changed = _NO_JOBS
    if any(names is None or names for names in (changed.job_ids, changed.namespace_ids)):
        text = _encoded(changed)
        if len(text) > BYTES_MAXIMUM:
            text = _encoded(_UNKNOWN)
        connection.execute(_RECORD, {"version": version, "writer": writer, "changed": text})
        connection.execute(_EXPIRE, {"version": version - KEPT})


def read_version(connection: Connection[Any]) -> int:
    """Return the number of writes to the index."""
    row = connection.execute(_VERSION).fetchone()
    return 0 if row is None else int(row[0])


def read_news(connection: Connection[Any], *, version: int, reader: str) -> tuple[int, Sequence[Changed]]:
    """Return the current version, and the changes of others since `version`."""
    newest = read_version(connection)
    if newest - version > KEPT:
        return newest, [_UNKNOWN]
    rows = connection.execute(_READ, {"version": version, "writer": reader}).fetchall()
    return newest, [_decoded(changed) for _, changed in rows]


def _encoded(changed: Changed) -> str:
    return orjson.dumps([_list(changed.job_ids), _list(changed.namespace_ids), _list(changed.thing_names)]).decode()


def _list(names: Iterable[str] | None) -> list[str] | None:
    return None if names is None else sorted(names)


def _decoded(text: str) -> Changed:
    job_ids, namespace_ids, thing_names = (None if names is None else frozenset(names) for names in orjson.loads(text))
    return Changed(job_ids=job_ids, namespace_ids=namespace_ids, thing_names=thing_names)
