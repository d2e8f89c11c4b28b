"""The namespaces visible to a reader, in Python and in SQL."""

import json

Visible = frozenset[str] | None
"""None: all jobs are visible, including those without a namespace."""

IN_VISIBLE = "IN (SELECT value FROM json_each(:visible))"
"""Follows the column of a namespace; `encoded` returns `:visible`."""


def encoded(visible: frozenset[str]) -> str:
    """Return the parameter of IN_VISIBLE."""
    return json.dumps(sorted(visible))


def is_visible(namespace_id: str | None, visible: Visible) -> bool:
    """Return whether the jobs of a namespace are visible."""
    return visible is None or namespace_id in visible
