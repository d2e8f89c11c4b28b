"""The namespaces whose jobs a reader sees, in Python and in SQL.

A statement for who sees all jobs says nothing of this: it is the same as if no reader were limited.
"""

import json

Visible = frozenset[str] | None
"""None sees all jobs, those without a namespace, too."""

IN_VISIBLE = "IN (SELECT value FROM json_each(:visible))"
"""Behind a column, what is of a namespace that is visible; `:visible` is what `encoded` returns."""


def encoded(visible: frozenset[str]) -> str:
    """Return namespaces as a parameter of IN_VISIBLE."""
    return json.dumps(sorted(visible))


def is_visible(namespace_id: str | None, visible: Visible) -> bool:
    """Tell whether a job of this namespace is visible."""
    return visible is None or namespace_id in visible
