"""ListJobs over HTTP, in AWS's form.

A response is cached until the index changes. A page of 250 jobs then costs a cache lookup and its bytes in the plain
ASGI application.
"""

import logging
from urllib.parse import parse_qsl

import orjson
from starlette.types import Receive, Scope, Send

from jobindex.access.access import principal_of, visible_to
from jobindex.access.principals import Principal
from jobindex.errors import DatabaseUnavailableError, ServiceUnavailableException
from jobindex.model.jobs import JobStatus, TargetSelection
from jobindex.model.listing import PARAMETERS, JobPage, ListJobsQuery, encode_token, parse_list_jobs
from jobindex.model.parameters import JOB_ID
from jobindex.monitoring.state import ServiceState
from jobindex.web.api.operations import Operation
from jobindex.web.api.schemas import FLAG, TEXT, TIME, an_array, an_object, if_known, one_of, or_null
from jobindex.web.api.throttle import Throttle
from jobindex.web.cache import Cache

JOB_SUMMARY = an_object(
    jobArn=TEXT,
    jobId=JOB_ID.schema(),
    thingGroupId=if_known(TEXT),
    targetSelection=if_known(one_of(TargetSelection)),
    status=one_of(JobStatus),
    createdAt=TIME,
    lastUpdatedAt=TIME,
    completedAt=if_known(TIME),
    isConcurrent=if_known(FLAG),
)
LIST_JOBS = Operation(
    name="ListJobs",
    summary="Jobs that pass the filters, newest first",
    path="/jobs",
    parameters=PARAMETERS,
    answer=an_object(jobs=an_array(JOB_SUMMARY), nextToken=or_null(TEXT)),
)
_CACHED_MAXIMUM = 32
"""Responses, of some 100 kB each."""
_CACHED_BYTES = 8 * 1024 * 1024
"""Of all of them: with the longest ARNs a response has a megabyte."""

_Question = tuple[frozenset[str] | None, bytes]
"""The visible namespaces, and the query string."""

_log = logging.getLogger(__name__)


class ListJobs:
    """Answers ListJobs from the store in `state`."""

    def __init__(self, state: ServiceState, throttle: Throttle) -> None:
        self._state = state
        self._throttle = throttle
        self._answers: Cache[bytes] = Cache(_CACHED_MAXIMUM, maximum_bytes=_CACHED_BYTES, size=len)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 (ASGI)
        """Answer a request; the caller answers errors."""
        principal = principal_of(scope)
        question = principal.namespace_ids, scope["query_string"]
        store = self._state.store
        body = self._answers.current(question, store.version) if store else None
        if body is None:
            body = await self._answer(principal, question)
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, principal: Principal, question: _Question) -> bytes:
        query = parse_list_jobs(parse_qsl(question[1].decode("latin-1"), keep_blank_values=True))
        principal.check_namespace(query.filters.namespace_id, LIST_JOBS.name)
        with self._throttle:
            try:
                store = self._state.opened_store()
                version = store.version
                body = _encode(query, await visible_to(store, principal).list_jobs(query))
            except DatabaseUnavailableError as error:
                _log.warning("ListJobs: %s", error)
                raise ServiceUnavailableException("The service is temporarily unavailable.") from error
        if version == store.version:
            self._answers.put(question, version, body)
        return body


def _encode(query: ListJobsQuery, page: JobPage) -> bytes:
    token = None if page.next_position is None else encode_token(page.next_position, query.filters)
    return b"".join((b'{"jobs":[', page.jobs, b'],"nextToken":', orjson.dumps(token), b"}"))
