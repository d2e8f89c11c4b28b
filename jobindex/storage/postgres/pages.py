"""The pages of ListJobs as PostgreSQL reads them, merged from the streams of `sql/pages.py`.

Each stream has an order and a limit of its own: PostgreSQL then merges them, and reads none of them further than
needed. Without these it reads all jobs of all streams, and sorts them.
"""

from collections.abc import Sequence

from jobindex.model.listing import ListJobsQuery
from jobindex.storage.sql.group_keys import GroupKey
from jobindex.storage.sql.pages import PAGE_OF_ALL, PAGE_OF_GROUP, streams_of

STREAMS_MAXIMUM = 400
"""Streams that are merged at once; more are merged in several steps."""

_FIRST = "ORDER BY created_at {order}, job_id {order} LIMIT :limit"


def page_statement(query: ListJobsQuery, keys: Sequence[GroupKey] | None) -> str | None:
    """Return the statement that reads a page, and one job more where there is one; None where nothing can be listed."""
    first = _FIRST.format(order="ASC" if query.is_backwards else "DESC")
    # A job may have been told with a group in several ways.
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
