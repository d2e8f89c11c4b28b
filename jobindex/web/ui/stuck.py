"""The page of the executions that have been pending for longer than a limit."""

from dataclasses import dataclass
from datetime import timedelta

from jobindex.durations import lasting, written
from jobindex.errors import InvalidRequestException
from jobindex.model.parameters import NAMESPACE_ID, Constraints, Text
from jobindex.model.reader import Reader
from jobindex.model.views import ExecutionPage
from jobindex.web.ui.page import PAGE_SIZE, POSITION, Page, Question, forward_pager
from jobindex.web.ui.times import parse_limit

PARAMETERS: Constraints = {"longerThan": Text(), "namespaceId": NAMESPACE_ID, "after": POSITION}
COUNT_MAXIMUM = 1000
"""Stuck executions that are counted for the navigation; beyond, it says that there are more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _StuckFilter:
    """What executions are asked for."""

    limit: timedelta
    namespace_id: str | None


async def stuck_page(reader: Reader, question: Question, stuck_after: timedelta) -> Page:
    """Return the executions that wait for longer than is asked, those that wait longest first."""
    given = {name: value for name, value in question.parameters if name in PARAMETERS}
    error, found, wanted = None, ExecutionPage(executions=(), next_position=None), None
    try:
        wanted = _read(question, stuck_after)
        found = await reader.waiting_executions(
            since=question.now - wanted.limit,
            namespace_id=wanted.namespace_id,
            after=question.position(),
            limit=PAGE_SIZE,
        )
    except InvalidRequestException as problem:
        error = str(problem)
    limit = stuck_after if wanted is None else wanted.limit
    return Page(
        template="stuck.html",
        title="Stuck executions",
        section="stuck",
        values={
            "longer_than": given.get("longerThan", written(int(limit.total_seconds()))),
            "limit_words": lasting(limit.total_seconds()),
            "namespace_id": given.get("namespaceId", ""),
            "error": error,
            "executions": found.executions,
            "pager": forward_pager(question, found.next_position) if error is None else None,
        },
        status=200 if error is None else 400,
    )


def _read(question: Question, stuck_after: timedelta) -> _StuckFilter:
    values = question.parse(PARAMETERS)
    longer_than = values.optional("longerThan")
    limit = stuck_after if longer_than is None else parse_limit("longerThan", longer_than)
    return _StuckFilter(limit=limit, namespace_id=values.optional("namespaceId"))
