"""Translates the statements of `sql/`, which are written for SQLite.

Each of the few differences is handled by itself; a statement that needs more has its own text. Not chosen: a general
translator (sqlglot), which knows neither json_each nor the order of joins that CROSS JOIN fixes.
"""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache

_LITERAL = re.compile(r"'(?:[^']|'')*'")
_HIDDEN = re.compile(r"\0(\d+)\0")
_PLAIN = (
    (re.compile(r" INDEXED BY \w+"), ""),
    (re.compile(r"\bLIMIT -1\b"), "OFFSET 0"),  # a subquery that is evaluated once
    (re.compile(r"\bAS INTEGER\)"), "AS BIGINT)"),
)
_IGNORING = re.compile(r"^\s*INSERT OR IGNORE\b")
_PARAMETER = re.compile(r"(?<!:):(\w+)")
# The first of these after a join shows whether it has a condition.
_JOINED = re.compile(r"\b(ON|USING|CROSS|LEFT|JOIN|WHERE|GROUP|ORDER|LIMIT|OFFSET|UNION|AND)\b|[()]")
_PROBE = re.compile(r"\bEXISTS \(")
_STATEMENTS = 2000
"""Cached statements; ListJobs has one for each combination of filters."""


@lru_cache(maxsize=_STATEMENTS)
def translated(statement: str) -> str:
    """Return a statement for psycopg, with `%(name)s` for `:name`."""
    literals: list[str] = []

    def hide(literal: re.Match[str]) -> str:
        literals.append(literal[0])
        return f"\0{len(literals) - 1}\0"

    text = _LITERAL.sub(hide, statement)
    for pattern, replacement in _PLAIN:
        text = pattern.sub(replacement, text)
    text = _Calls(literals, are_rows="json_extract(value," in text).rewritten(text)
    text = _joined(_probed(text))
    if _IGNORING.match(text):
        text = _IGNORING.sub("INSERT", text) + " ON CONFLICT DO NOTHING"
    text = _PARAMETER.sub(r"%(\1)s", text.replace("%", "%%"))
    return _HIDDEN.sub(lambda hidden: literals[int(hidden[1])].replace("%", "%%"), text)


class _Calls:
    """Rewrites functions that PostgreSQL names differently or lacks."""

    def __init__(self, literals: Sequence[str], *, are_rows: bool) -> None:
        self._literals = literals
        # The elements of an array may be rows, not texts.
        self._element = "jsonb_array_elements" if are_rows else "jsonb_array_elements_text"
        self._value = "element" if are_rows else 'element COLLATE "C"'
        self._rewrites: dict[str, Callable[[Sequence[str]], str | None]] = {
            "max": lambda values: f"GREATEST({', '.join(values)})" if values[1:] else None,
            "min": lambda values: f"LEAST({', '.join(values)})" if values[1:] else None,
            "group_concat": lambda values: f"string_agg({values[0]}, ',' ORDER BY created_at DESC, job_id DESC)",
            "json_extract": self._extract,
            "CAST": self._cast,
        }
        self._call = re.compile(rf"\b({'|'.join(self._rewrites)}|json_each)\(")

    def rewritten(self, text: str) -> str:
        parts: list[str] = []
        at = 0
        while call := self._call.search(text, at):
            end = _closing(text, call.end())
            values = [self.rewritten(value.strip()) for value in _arguments(text[call.end() : end])]
            parts.append(text[at : call.start()])
            if call[1] == "json_each":
                alias = re.match(r" AS (\w+)", text[end + 1 :])
                parts.append(self._each(values[0], alias[1] if alias else "one"))
                at = end + 1 + (alias.end() if alias else 0)
            else:
                parts.append(self._rewrites[call[1]](values) or f"{call[1]}({', '.join(values)})")
                at = end + 1
        return "".join((*parts, text[at:]))

    def _each(self, array: str, alias: str) -> str:
        elements = f"{self._element}(CAST({array} AS jsonb)) AS elements(element)"
        return f"LATERAL (SELECT {self._value} AS value FROM {elements}) AS {alias}"

    def _extract(self, values: Sequence[str]) -> str:
        path = self._literals[int(values[1].strip("\0"))]
        place = path.removeprefix("'$[").removesuffix("]'")
        array = "value" if values[0] == "value" else f"CAST({values[0]} AS jsonb)"
        return f"({array} ->> {place})"

    @staticmethod
    def _cast(values: Sequence[str]) -> str | None:
        value = values[0].removesuffix(" AS BLOB")
        return None if value == values[0] else f"convert_to({value}, 'UTF8')"


def _closing(text: str, start: int) -> int:
    """Return the end of the parenthesis opened before `start`."""
    depth = 1
    for at in range(start, len(text)):
        depth += {"(": 1, ")": -1}.get(text[at], 0)
        if not depth:
            return at
    raise ValueError(f"a parenthesis is not closed: {text}")


def _arguments(text: str) -> Sequence[str]:
    """Split at commas outside of parentheses."""
    arguments, depth, start = [], 0, 0
    for at, sign in enumerate(text):
        depth += {"(": 1, ")": -1}.get(sign, 0)
        if sign == "," and not depth:
            arguments.append(text[start:at])
            start = at + 1
    return [*arguments, text[start:]]


def _probed(text: str) -> str:
    """Make PostgreSQL look up EXISTS row by row, not by a join or a hash."""
    parts: list[str] = []
    at = 0
    while found := _PROBE.search(text, at):
        end = _closing(text, found.end())
        parts.append(f"{text[at : found.end()]}{_probed(text[found.end() : end])} OFFSET 0")
        at = end
    return "".join((*parts, text[at:]))


def _joined(text: str) -> str:
    """Replace CROSS JOIN if there is a condition; `join_collapse_limit` keeps the order."""
    parts = text.split("CROSS JOIN")
    for number in range(1, len(parts)):
        rest = "CROSS JOIN".join(parts[number:])
        depth = 0
        for word in _JOINED.finditer(rest):
            depth += {"(": 1, ")": -1}.get(word[0], 0)
            if depth < 0 or (not depth and word[1]):
                parts[number - 1] += "JOIN" if word[1] in {"ON", "USING"} else "CROSS JOIN"
                break
        else:
            parts[number - 1] += "CROSS JOIN"
    return "".join(parts)
