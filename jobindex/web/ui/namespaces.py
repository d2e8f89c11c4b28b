"""The page of the namespaces."""

from jobindex.model.parameters import Constraints
from jobindex.model.reader import Reader
from jobindex.web.ui.page import PAGE_SIZE, POSITION, Page, Question, forward_pager

PARAMETERS: Constraints = {"after": POSITION}


async def namespaces_page(reader: Reader, question: Question) -> Page:
    """Return the namespaces with their counts and recent activity.

    Raises:
        InvalidRequestException: `after` is invalid.
    """
    found = await reader.namespaces(after=question.position(), limit=PAGE_SIZE + 1, now=question.now)
    page = found[:PAGE_SIZE]
    values = {
        "namespaces": page,
        "pager": forward_pager(question, page[-1].namespace_id if found[PAGE_SIZE:] else None),
    }
    return Page(template="namespaces.html", title="Namespaces", section="namespaces", values=values)
