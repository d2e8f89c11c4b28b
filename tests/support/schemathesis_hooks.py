"""Findings of schemathesis that are valid behaviour, with the reasons: a schema cannot express every rule."""

from typing import Any

import schemathesis
from schemathesis.core.failures import Failure
from schemathesis.openapi.checks import RejectedPositiveData

TOKENS = ("nextToken", "after")


@schemathesis.hook
def before_call(
    context: schemathesis.HookContext,  # noqa: ARG001
    case: schemathesis.Case[Any],
    kwargs: dict[str, Any],  # noqa: ARG001
) -> None:
    """Omit half of the tokens, which are all made up; otherwise a list would be rejected for its token only."""
    if case.meta is not None and case.meta.generation.mode is schemathesis.GenerationMode.POSITIVE:
        case.query = {
            name: value for name, value in case.query.items() if name not in TOKENS or len(str(value)) % 2 == 0
        }


@schemathesis.hook
def filter_failure(
    context: schemathesis.HookContext,  # noqa: ARG001
    failure: Failure,
    case: schemathesis.Case[Any],
    response: schemathesis.Response,
) -> bool:
    """Return whether a failure counts."""
    if response.status_code == 414:  # longer than the server accepts on any connection: no operation is called
        return False
    if not isinstance(failure, RejectedPositiveData) or response.status_code != 400:
        return True
    message = response.json()["message"]
    is_made_up_token = message.startswith(tuple(f"Invalid {name}: " for name in TOKENS))
    # Either ids or `all` is required: with neither, or with both, nothing is deleted.
    is_neither_or_both = case.operation.label == "DELETE /rejected" and ("'id'" in message or "'all'" in message)
    # Only a fill lists thing groups, and not one that was requested without them before.
    is_wrong_with_groups = case.operation.label == "POST /index/sync" and (
        "'withGroups'" in message or "a fill without thing groups" in message
    )
    return not (is_made_up_token or is_neither_or_both or is_wrong_with_groups)
