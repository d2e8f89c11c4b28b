"""The pages of ListJobs in SQL: each reads a bounded number of rows, whatever the filters and the size of the index.

A page merges streams, each read in index order and no further than needed: one for each kind of job (`kinds.py`) and
each key of the requested thing group. Each combination of filters has its own statement, because SQLite would read
every job for `(:status IS NULL OR status = :status)`. Jobs are stored as JSON and read as one string, whose
placeholders one `%` fills in: converting 250 rows to Python objects costs three times as much as reading them,
splitting the string at the placeholders half as much.

One query is unbounded: the name of one thing group with the id of another that was reported by name. It reads all jobs
of the first group that have more than eight groups: their pairs would take more rows than the rest of the index.
"""

import json
import re
from collections.abc import Iterator, Sequence

from jobindex.model.jobs import from_milliseconds, to_milliseconds
from jobindex.model.listing import Filters, JobPage, ListJobsQuery, Position
from jobindex.storage.sql.connection import Connection
from jobindex.storage.sql.engine import Engine
from jobindex.storage.sql.group_keys import GroupKey, kinds_of, read_keys
from jobindex.storage.sql.scope import Visible
from jobindex.storage.sql.scoped_pages import read_partitions, scoped_parameters
from jobindex.storage.sql.source import read_arn_prefix

STREAMS_MAXIMUM = 400
"""Streams merged at once (SQLite takes 500); more are merged in steps."""

_MERGED = "{streams} ORDER BY created_at {order}, job_id {order} LIMIT :limit"

_NEWEST_FIRST = "SELECT * FROM ({merged}) AS page ORDER BY created_at DESC, job_id DESC"

PAGE_OF_ALL = "SELECT CAST(group_concat(listed) AS BLOB), count(*) FROM ({merged}) AS page"

_OF_ALL = "SELECT created_at, job_id, listed FROM job_summaries AS job WHERE {conditions}"

PAGE_OF_GROUP = """
SELECT CAST(group_concat(job.listed) AS BLOB), count(*)
FROM ({merged}) AS page
CROSS JOIN job_summaries AS job USING (created_at, job_id)
"""

_OF_GROUP = "SELECT created_at, job_id FROM job_thing_groups AS member WHERE {conditions}"

_ALSO_IN = (
    "EXISTS (SELECT 1 FROM job_thing_groups AS other WHERE other.thing_group = {} AND other.kind = member.kind"
    " AND other.created_at = member.created_at AND other.job_id = member.job_id)"
)

# The id tied to each group name.
_TIED_IDS = """
SELECT name.value, (
    SELECT min(thing_group_id)
    FROM thing_groups
    WHERE thing_group_name = name.value
    AND thing_group_id > ''
)
FROM json_each(:names) AS name
"""

# A job's start, its position, and the name in a placeholder.
_OPENING = b',{"jobArn":'
_POSITION = re.compile(rb'"jobId":"([^"]*)".*"createdAt":([^,]+)')
_GROUP_NAME = re.compile(rb"%\(([a-zA-Z0-9:_-]+)\)b")  # an ARN may contain "%(", and precede a placeholder

Known = dict[bytes, bytes]
"""The known values of the placeholders in job_summaries.listed."""


def read_placeholders(connection: Connection, listed: bytes, known: Known, default_arn_prefix: str) -> bytes:
    """Return jobs with placeholders filled in; extend `known` if needed."""
    try:
        return listed % known
    except KeyError:
        prefix = read_arn_prefix(connection, default_arn_prefix)
        known[b""] = json.dumps(f"{prefix}:job/")[1:-1].encode()
        names = {name.decode() for name in _GROUP_NAME.findall(listed)}
        for name, id_ in connection.execute(_TIED_IDS, {"names": json.dumps(list(names))}):
            known[name.encode()] = b"" if id_ is None else b',"thingGroupId":"%s"' % id_.encode()
        return listed % known


def _position(listed: bytes) -> Position:
    job_id, created_at = _POSITION.findall(listed)[0]
    return Position(created_at=from_milliseconds(round(float(created_at) * 1000)), job_id=job_id.decode())


def page_statement(query: ListJobsQuery, keys: Sequence[GroupKey] | None) -> str | None:
    """Return the statement of `Engine.page_statement`."""
    streams = list(streams_of(query, keys))
    # A job may have several of the keys.
    union = " UNION ALL " if keys is None or len(keys) == 1 else " UNION "
    order = "ASC" if query.is_backwards else "DESC"
    while len(streams) > STREAMS_MAXIMUM:
        parts = [streams[start : start + STREAMS_MAXIMUM] for start in range(0, len(streams), STREAMS_MAXIMUM)]
        streams = [f"SELECT * FROM ({_MERGED.format(streams=union.join(part), order=order)}) AS part" for part in parts]
    if not streams:
        return None
    merged = _MERGED.format(streams=union.join(streams), order=order)
    if query.is_backwards:
        merged = _NEWEST_FIRST.format(merged=merged)
    return (PAGE_OF_ALL if keys is None else PAGE_OF_GROUP).format(merged=merged)


def page_parameters(query: ListJobsQuery, keys: Sequence[GroupKey] | None) -> dict[str, object]:
    """Return the parameters of `page_statement`."""
    parameters: dict[str, object] = {"limit": query.max_results + 1, "namespace_id": query.filters.namespace_id}
    for number, key in enumerate(keys or ()):
        parameters |= {f"group_{number}": key.thing_group, f"other_{number}": key.other}
    if query.after is not None:
        parameters |= {"created_at": to_milliseconds(query.after.created_at), "job_id": query.after.job_id}
    return parameters


def streams_of(query: ListJobsQuery, keys: Sequence[GroupKey] | None) -> Iterator[str]:
    """Yield the streams of a page."""
    conditions = []
    if query.filters.namespace_id is not None:
        conditions.append("namespace_id = :namespace_id")
    if query.after is not None:
        conditions.append(f"(created_at, job_id) {'>' if query.is_backwards else '<'} (:created_at, :job_id)")
    # Without filters one stream is enough.
    kinds = [f"kind = {kind}" for kind in kinds_of(query.filters)] if query.filters != Filters() else ["true"]
    if keys is None:
        for kind in kinds:
            yield _OF_ALL.format(conditions=" AND ".join([kind, *conditions]))
        return
    for number, key in enumerate(keys):
        of_group = [f"thing_group = :group_{number}"]
        if key.other is not None:
            of_group.append(_ALSO_IN.format(f":other_{number}"))
        for kind in kinds:
            yield _OF_GROUP.format(conditions=" AND ".join([*of_group, kind, *conditions]))


def read_page(
    connection: Connection, *, engine: Engine, query: ListJobsQuery, known: Known, visible: Visible = None
) -> JobPage:
    """Return a page; `known` has values from this snapshot, and is extended.

    Raises:
        ResourceNotFoundException: as for `read_keys`.
    """
    keys = read_keys(connection, query.filters, visible)
    if visible is None:
        statement, parameters = engine.page_statement(query, keys), page_parameters(query, keys)
    else:
        partitions = read_partitions(connection, query.filters, keys, visible)
        statement, parameters = engine.scoped_statement(query, keys), scoped_parameters(query, partitions)
    if statement is None:
        return JobPage(jobs=b"", next_position=None)
    listed, count = connection.execute(statement, parameters).fetchone()
    if not count:
        return JobPage(jobs=b"", next_position=None)
    position = None
    if count > query.max_results:
        if query.is_backwards:
            listed = listed[listed.index(_OPENING) + 1 :]
            edge = listed.partition(_OPENING)[0]
        else:
            listed = listed[: listed.rindex(_OPENING)]
            edge = listed[listed.rfind(_OPENING) + 1 :]
        position = _position(edge)
    jobs = read_placeholders(connection, listed, known, engine.arn_prefix)
    return JobPage(jobs=jobs, next_position=position)
