"""The page of the jobs: ListJobs with its filters and a search by id, paged in both directions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import orjson

from jobindex.errors import InvalidRequestException, ResourceNotFoundException
from jobindex.model.jobs import JobStatus, TargetSelection
from jobindex.model.listing import FILTERS, Filters, ListJobsQuery, Position, decode_token, encode_token, filters_of
from jobindex.model.parameters import Constraints, Text
from jobindex.model.reader import Reader
from jobindex.model.views import JobOutcome
from jobindex.web.ui.page import PAGE_SIZE, POSITIONS, Page, Pager, Question, forward_pager

PARAMETERS: Constraints = {"prefix": Text(), **FILTERS, **POSITIONS}

_DELETED_MEANWHILE = JobOutcome(is_status_reported=True, failures=0)
_FIELDS = ("prefix", *FILTERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRow:
    """A job in the list."""

    job_id: str
    namespace_id: str | None
    status: JobStatus
    target_selection: str | None
    created_at: datetime
    last_updated_at: datetime
    is_status_reported: bool
    failures: int
    """The number of its FAILED, TIMED_OUT and REJECTED executions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Listed:
    rows: Sequence[JobRow] = ()
    pager: Pager = field(default_factory=Pager)


async def jobs_page(reader: Reader, question: Question) -> Page:
    """Return the jobs that match the filters; problems of the filters are shown below the form."""
    listed, error, status = _Listed(), None, 200
    try:
        listed = await _listed(reader, question)
    except InvalidRequestException as problem:
        error, status = str(problem), 400
    except ResourceNotFoundException as problem:
        error, status = str(problem), 404
    given = dict.fromkeys(_FIELDS, "") | {name: value for name, value in question.parameters if name in _FIELDS}
    values: dict[str, object] = {
        "given": given,
        "is_filtered": any(given.values()),
        "statuses": tuple(JobStatus),
        "selections": tuple(TargetSelection),
        "error": error,
        "error_title": "Not found" if status == 404 else "Invalid request",
        "rows": listed.rows,
        "pager": listed.pager,
    }
    return Page(template="jobs.html", title="Jobs", section="jobs", values=values, status=status)


async def _listed(reader: Reader, question: Question) -> _Listed:
    values = question.parse(PARAMETERS)
    filters = filters_of(values)
    prefix = values.optional("prefix")
    if prefix:
        return await _found(reader, question, prefix.strip(), filters)
    before, after = values.optional("before"), values.optional("after")
    if before:
        query = ListJobsQuery(
            filters=filters, max_results=PAGE_SIZE, after=decode_token(before, filters), is_backwards=True
        )
        page = await reader.list_jobs(query)
        # Without newer jobs, this is the first page, which is read from the start to be full.
        if page.next_position is not None:
            rows = await _rows(reader, page.jobs)
            return _Listed(rows=rows, pager=_pager(question, filters, rows, has_next=True))
        after = None
    query = ListJobsQuery(filters=filters, max_results=PAGE_SIZE, after=decode_token(after, filters) if after else None)
    page = await reader.list_jobs(query)
    rows = await _rows(reader, page.jobs)
    pager = _pager(question, filters, rows, has_next=page.next_position is not None, has_previous=after is not None)
    return _Listed(rows=rows, pager=pager)


async def _found(reader: Reader, question: Question, prefix: str, filters: Filters) -> _Listed:
    found = await reader.jobs_by_id(prefix, filters, after=question.position() or "", limit=PAGE_SIZE)
    return _Listed(rows=await _rows(reader, found.jobs), pager=forward_pager(question, found.next_position))


def _pager(
    question: Question, filters: Filters, rows: Sequence[JobRow], *, has_next: bool, has_previous: bool = True
) -> Pager:
    first = question.address() if has_previous else None
    if not rows:
        return Pager(first=first)
    ends = [
        encode_token(Position(created_at=row.created_at, job_id=row.job_id), filters) for row in (rows[0], rows[-1])
    ]
    return Pager(
        first=first,
        previous=question.address(before=ends[0]) if has_previous else None,
        next=question.address(after=ends[1]) if has_next else None,
    )


async def _rows(reader: Reader, jobs: bytes) -> Sequence[JobRow]:
    summaries: list[Mapping[str, object]] = orjson.loads(b"[%s]" % jobs)
    job_ids = [str(summary["jobId"]) for summary in summaries]
    namespaces = await reader.job_namespaces(job_ids)
    outcomes = await reader.job_outcomes(job_ids)
    return [_row(summary, namespaces, outcomes) for summary in summaries]


def _row(summary: Mapping[str, object], namespaces: Mapping[str, str], outcomes: Mapping[str, JobOutcome]) -> JobRow:
    job_id = str(summary["jobId"])
    selection = summary.get("targetSelection")
    outcome = outcomes.get(job_id, _DELETED_MEANWHILE)
    return JobRow(
        job_id=job_id,
        namespace_id=namespaces.get(job_id),
        status=JobStatus(str(summary["status"])),
        target_selection=None if selection is None else str(selection),
        created_at=_time(summary["createdAt"]),
        last_updated_at=_time(summary["lastUpdatedAt"]),
        is_status_reported=outcome.is_status_reported,
        failures=outcome.failures,
    )


def _time(seconds: object) -> datetime:
    # Exact to the millisecond: it is a position in the list.
    return datetime.fromtimestamp(round(float(str(seconds)) * 1000) / 1000, UTC)
