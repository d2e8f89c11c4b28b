"""The filter by an execution's state, which several pages have."""

from jobindex.index import ExecutionState
from jobindex.ui.invalid import invalid
from jobindex.ui.page import Question


def read_state(question: Question) -> ExecutionState | None:
    """Return the state that executions are filtered by; None where they are not.

    Raises:
        InvalidRequestException: there is no such state.
    """
    value = question.text("state")
    if value is None:
        return None
    if value not in ExecutionState.__members__:
        raise invalid("state", value, f"Member must satisfy enum value set: [{', '.join(ExecutionState)}]")
    return ExecutionState(value)
