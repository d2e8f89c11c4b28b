"""A reference: the pages of an index, read by SQLite and sent unchanged.

`python -m bench.sqlite_alone PORT DATABASE` answers `/?CREATED_AT/JOB_ID` with the 250 jobs behind that position. It
parses nothing, has no filters and no groups, and makes no token: the cost is that of reading a page, and nothing else.
"""

import asyncio
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

from starlette.types import ASGIApp, Receive, Scope, Send

from bench.server import headers_of, serve
from jobindex.model.jobs import to_milliseconds
from jobindex.model.listing import Position
from jobindex.model.parameters import MAX_RESULTS
from jobindex.storage.sqlite.file import uri

_PAGE = f"""
SELECT CAST(group_concat(listed) AS BLOB)
FROM (
    SELECT listed
    FROM job_summaries
    WHERE (created_at, job_id) < (?, ?)
    ORDER BY created_at DESC, job_id DESC
    LIMIT {MAX_RESULTS}
)
"""


def path(position: Position) -> str:
    """Return the request for a page."""
    return f"/?{to_milliseconds(position.created_at)}/{position.job_id}"


def pages(connection: sqlite3.Connection) -> ASGIApp:
    """Return an application that serves the pages of an index."""

    async def answer_page(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001 (ASGI's three)
        created_at, job_id = scope["query_string"].decode().split("/")
        [(body,)] = connection.execute(_PAGE, (int(created_at), job_id)).fetchall()
        await send({"type": "http.response.start", "status": 200, "headers": headers_of(body)})
        await send({"type": "http.response.body", "body": body})

    return answer_page


if __name__ == "__main__":
    with closing(sqlite3.connect(uri(Path(sys.argv[2]), "ro"), uri=True, isolation_level=None)) as index:
        asyncio.run(serve(int(sys.argv[1]), pages(index)))
