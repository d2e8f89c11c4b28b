"""The page of the executions that have been pending for longer than a limit."""

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
"""The navigation counts stuck executions up to here, and then shows that there are more."""


async def stuck_page(reader: Reader, question: Question, stuck_after: timedelta) -> Page:
    """Return the executions pending for longer than the limit, the longest first."""
    given = {name: value for name, value in question.parameters if name in PARAMETERS}
    error, found, limit = None, ExecutionPage(executions=(), next_position=None), stuck_after
    try:
        asked = question.parse(PARAMETERS)
        if (longer_than := asked.optional("longerThan")) is not None:
            limit = parse_limit("longerThan", longer_than)
        found = await reader.waiting_executions(
            since=question.now - limit,
            namespace_id=asked.optional("namespaceId"),
            after=question.position(),
            limit=PAGE_SIZE,
        )
    except InvalidRequestException as problem:
        error = str(problem)
    values: dict[str, object] = {
        "longer_than": given.get("longerThan", written(int(limit.total_seconds()))),
        "limit_words": lasting(limit.total_seconds()),
        "namespace_id": given.get("namespaceId", ""),
        "error": error,
        "executions": found.executions,
        "pager": forward_pager(question, found.next_position) if error is None else None,
    }
    return Page(
        template="stuck.html",
        title="Stuck executions",
        section="stuck",
        values=values,
        status=200 if error is None else 400,
    )
