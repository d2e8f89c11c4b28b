"""The namespaces whose jobs a reader sees, in Python and in SQL.

A statement for who sees all jobs says nothing of this: it is the same as if no reader were limited.
"""

import json

Seen = frozenset[str] | None
"""None sees all jobs, those without a namespace, too."""

OF_SEEN = "IN (SELECT value FROM json_each(:seen))"
"""Behind a column, what is of a namespace that is seen; `:seen` is what `encoded` returns."""


def encoded(seen: frozenset[str]) -> str:
    """Return namespaces as a parameter of OF_SEEN."""
    return json.dumps(sorted(seen))


def is_seen(namespace_id: str | None, seen: Seen) -> bool:
    """Tell whether a job of this namespace is seen."""
    return seen is None or namespace_id in seen
