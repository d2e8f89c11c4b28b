"""The page of the things, and that of a thing."""

from datetime import timedelta

from jobindex.errors import ResourceNotFoundException
from jobindex.model.parameters import Choice, Constraints, Text
from jobindex.model.reader import Reader
from jobindex.model.views import ExecutionState
from jobindex.web.ui.page import PAGE_SIZE, POSITION, Page, Question, forward_pager

PARAMETERS: Constraints = {"prefix": Text(), "after": POSITION}
THING_PARAMETERS: Constraints = {"state": Choice(ExecutionState), "after": POSITION}

_NAMES_SHOWN = 120


async def things_page(reader: Reader, question: Question) -> Page:
    """Return the things whose names begin with a prefix.

    Raises:
        InvalidRequestException: `after` is invalid.
    """
    prefix = question.parse(PARAMETERS).text("prefix").strip()
    found = await reader.things(prefix=prefix, after=question.position() or "", limit=_NAMES_SHOWN + 1)
    page = found[:_NAMES_SHOWN]
    values: dict[str, object] = {
        "prefix": prefix,
        "names": page,
        "pager": forward_pager(question, page[-1] if found[_NAMES_SHOWN:] else None),
    }
    return Page(template="things.html", title="Things", section="things", values=values)


async def thing_page(reader: Reader, question: Question, stuck_after: timedelta) -> Page:
    """Return a thing with its executions; an unknown thing's page follows events until a message reports it.

    Raises:
        InvalidRequestException: a parameter is invalid.
    """
    thing_name = question.subject
    state = question.parse(THING_PARAMETERS).choice("state", ExecutionState)
    watched = {"thingName": thing_name}
    try:
        thing = await reader.thing(thing_name)
    except ResourceNotFoundException as problem:
        missing = {"thing_name": thing_name, "error": str(problem)}
        return Page(
            template="no_thing.html",
            title="No such thing",
            section="things",
            values=missing,
            watched=watched,
            status=404,
        )
    executions = await reader.executions_of_thing(
        thing_name, namespace_id=None, state=state, job_id=None, after=question.position(), limit=PAGE_SIZE
    )
    values: dict[str, object] = {
        "thing": thing,
        "state": state,
        "states": tuple(ExecutionState),
        "executions": executions.executions,
        "stuck_before": question.now - stuck_after,
        "pager": forward_pager(question, executions.next_position),
        "all_address": question.address(state=None),
    }
    return Page(template="thing.html", title=f"Thing {thing_name}", section="things", values=values, watched=watched)
