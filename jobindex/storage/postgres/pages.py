"""The pages of ListJobs in PostgreSQL, merged from the streams of `sql/pages.py`.

Each stream has its own order and limit; otherwise PostgreSQL would read and sort all jobs of all streams.
"""

from collections.abc import Sequence

from jobindex.model.listing import ListJobsQuery
from jobindex.storage.sql.group_keys import GroupKey
from jobindex.storage.sql.pages import PAGE_OF_ALL, PAGE_OF_GROUP, streams_of

STREAMS_MAXIMUM = 400
"""Streams of one merge; more are merged in steps."""

_FIRST = "ORDER BY created_at {order}, job_id {order} LIMIT :limit"


def page_statement(query: ListJobsQuery, keys: Sequence[GroupKey] | None) -> str | None:
    """Return the statement for a page and the job behind it; None if no job can match."""
    first = _FIRST.format(order="ASC" if query.is_backwards else "DESC")
    # Messages may have reported a job's group in several ways.
    columns = "*" if keys is None or len(keys) == 1 else "DISTINCT *"
    streams = [f"{stream} {first}" for stream in streams_of(query, keys)]
    while len(streams) > 1:
        parts = [streams[start : start + STREAMS_MAXIMUM] for start in range(0, len(streams), STREAMS_MAXIMUM)]
        streams = [
            f"SELECT {columns} FROM ({' UNION ALL '.join(f'({stream})' for stream in part)}) AS merged {first}"
            for part in parts
        ]
    if not streams:
        return None
    return (PAGE_OF_ALL if keys is None else PAGE_OF_GROUP).format(merged=streams[0])
