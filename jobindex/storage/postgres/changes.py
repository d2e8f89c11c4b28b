"""What each write has changed, for the processes that did not do it: they ask again and again.

Not chosen: LISTEN and NOTIFY, which some engines lack, and which says nothing to who was not there.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import orjson
from psycopg import Connection

from jobindex.model.store import Applied, Changed, Forgotten, Retried

KEPT = 1000
"""Writes of which is told what they have changed."""

_TELL = "INSERT INTO changes (version, writer, changed) VALUES (%(version)s, %(writer)s, %(changed)s)"
_FORGET = "DELETE FROM changes WHERE version <= %(version)s"
_READ = """
SELECT version, changed
FROM changes
WHERE version > %(version)s
AND writer <> %(writer)s
ORDER BY version
"""
_VERSION = "SELECT version FROM writes WHERE the_one = 1"

_NOBODY_KNOWS = Changed(job_ids=None, namespace_ids=None, thing_names=None)
# A purge of rejected messages: of no namespace, so that who sees some alone is not told of it.
_NO_JOBS = Changed(job_ids=None, namespace_ids=frozenset(), thing_names=None)


def tell(connection: Connection[Any], version: int, writer: str, done: object) -> None:
    """Put down what a write has done, in its transaction, unless that is nothing."""
    match done:
        case None | 0:
            return
        case Applied(changed=changed) | Retried(changed=changed) | Forgotten(changed=changed):
            pass
        case _:
            changed = _NO_JOBS
    if any(names is None or names for names in (changed.job_ids, changed.namespace_ids)):
        connection.execute(_TELL, {"version": version, "writer": writer, "changed": _encoded(changed)})
        connection.execute(_FORGET, {"version": version - KEPT})


def read_version(connection: Connection[Any]) -> int:
    """Return how often the index was written."""
    row = connection.execute(_VERSION).fetchone()
    return 0 if row is None else int(row[0])


def read_news(connection: Connection[Any], *, version: int, reader: str) -> tuple[int, Sequence[Changed]]:
    """Return the version now, and what others than `reader` have changed since an older one."""
    newest = read_version(connection)
    if newest - version > KEPT:
        return newest, [_NOBODY_KNOWS]
    rows = connection.execute(_READ, {"version": version, "writer": reader}).fetchall()
    return newest, [_decoded(changed) for _, changed in rows]


def _encoded(changed: Changed) -> str:
    return orjson.dumps([_list(changed.job_ids), _list(changed.namespace_ids), _list(changed.thing_names)]).decode()


def _list(names: Iterable[str] | None) -> list[str] | None:
    return None if names is None else sorted(names)


def _decoded(text: str) -> Changed:
    job_ids, namespace_ids, thing_names = (None if names is None else frozenset(names) for names in orjson.loads(text))
    return Changed(job_ids=job_ids, namespace_ids=namespace_ids, thing_names=thing_names)
