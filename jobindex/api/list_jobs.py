"""ListJobs over HTTP, in AWS's form.

An answer is kept until the index changes: the same question then needs no reading. That, and answering as a plain
ASGI application, is what a page of 250 jobs costs besides its bytes.
"""

import logging
from urllib.parse import parse_qsl

import orjson
from starlette.types import Receive, Scope, Send

from jobindex.access import principal_of, seen_by
from jobindex.api.members import FLAG, TEXT, TIME, an_array, an_object, one_of, or_null
from jobindex.api.operations import Operation
from jobindex.api.throttle import Throttle
from jobindex.errors import DatabaseUnavailableError, ServiceUnavailableException
from jobindex.jobs import JobStatus, TargetSelection
from jobindex.listing import PARAMETERS, JobPage, ListJobsQuery, encode_token, parse_list_jobs
from jobindex.parameters import JOB_ID
from jobindex.principals import Principal
from jobindex.state import State

JOB_SUMMARY = an_object(
    "jobArn",
    "jobId",
    "status",
    "createdAt",
    "lastUpdatedAt",
    jobArn=TEXT,
    jobId=JOB_ID.schema(),
    thingGroupId=TEXT,
    targetSelection=one_of(TargetSelection),
    status=one_of(JobStatus),
    createdAt=TIME,
    lastUpdatedAt=TIME,
    completedAt=TIME,
    isConcurrent=FLAG,
)
LIST_JOBS = Operation(
    name="ListJobs",
    summary="Jobs that pass the filters, newest first",
    path="/jobs",
    parameters=PARAMETERS,
    answer=an_object("jobs", "nextToken", jobs=an_array(JOB_SUMMARY), nextToken=or_null(TEXT)),
)
KEPT_MAXIMUM = 32
"""Answers that are kept, of up to 100 kB each."""

_Asked = tuple[frozenset[str] | None, bytes]
"""The namespaces that may be seen, and the query string."""

_log = logging.getLogger(__name__)


class ListJobs:
    """Answers ListJobs from the store in `state`."""

    def __init__(self, state: State, throttle: Throttle) -> None:
        self._state = state
        self._throttle = throttle
        self._kept: dict[_Asked, bytes] = {}
        self._kept_version = -1

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 (ASGI)
        """Answer a request; what is wrong with it is raised, for who answers errors."""
        principal = principal_of(scope)
        asked = principal.namespace_ids, scope["query_string"]
        body = self._kept_answer(asked) or self._keep(asked, *await self._answer(principal, scope["query_string"]))
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _kept_answer(self, asked: _Asked) -> bytes | None:
        """Return an answer where it is kept and still holds."""
        store = self._state.store
        return self._kept.get(asked) if store and store.version == self._kept_version else None

    async def _answer(self, principal: Principal, query_string: bytes) -> tuple[int | None, bytes]:
        """Return an answer, and the version of the store that it holds for; None where that changed meanwhile."""
        query = parse_list_jobs(parse_qsl(query_string.decode("latin-1"), keep_blank_values=True))
        principal.check_namespace(query.filters.namespace_id, LIST_JOBS.name)
        with self._throttle:
            try:
                store = self._state.opened_store()
                version = store.version
                body = _encode(query, await seen_by(store, principal).list_jobs(query))
            except DatabaseUnavailableError as error:
                _log.warning("ListJobs: %s", error)
                raise ServiceUnavailableException("The service is temporarily unavailable.") from error
        return version if version == store.version else None, body

    def _keep(self, asked: _Asked, version: int | None, body: bytes) -> bytes:
        """Keep an answer for as long as it holds, and return it."""
        if version is not None:
            if version != self._kept_version or len(self._kept) >= KEPT_MAXIMUM:
                self._kept.clear()
                self._kept_version = version
            self._kept[asked] = body
        return body


def _encode(query: ListJobsQuery, page: JobPage) -> bytes:
    token = None if page.next_position is None else encode_token(page.next_position, query.filters)
    return b"".join((b'{"jobs":[', page.jobs, b'],"nextToken":', orjson.dumps(token), b"}"))
