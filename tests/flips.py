"""Each comparison of the merge rules, flipped one at a time: the properties of `test_order.py` must notice.

`python -m tests.flips`, from the root of the checkout, finds the comparisons by itself: in the views, and in the
modules that merge, read again, list and forget. Each member of a row is flipped too,
as it decides where those before it tie. A flip is made in a copy of the checkout. The result is `flips.md`, which git
ignores; the exit code is 1 when nothing notices a flip, unless EXCEPTIONS says why it changes no answer.

The last whole run, on 2026-11-24, made 219 flips. EXCEPTIONS names 14 of them; tests noticed all others:

    test_the_oracle_agrees                                    79
    test_no_order_shows                                       46
    test_the_oracle_agrees_on                                 31
    test_the_oracle_agrees_beyond_the_horizon                 18
    test_the_oracle_agrees_beyond_the_horizon_on              13
    test_what_is_forgotten_stays_forgotten                    13
    test_arrival_shows_only_where_nothing_is_timed             2
    test_a_deletion_takes_its_executions_along                 2
    test_a_batch_tells_what_its_reports_tell_one_by_one        1
"""

import argparse
import ast
import os
import re
import runpy
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
MODULES = ("merge", "readings", "counts", "rows", "keys", "pages", "retention")
PROFILES = {"few": 300, "many": 1200}
"""Hypothesis's profiles, tried in turn, with the seconds after which a run is given up."""

# Parts of lines of the table, and why what they flip changes no answer.
EXCEPTIONS = {
    "COUNT_JOBS, namespace_activity": "arrival shows in it; `test_index.py` tries it",
    "COUNT_JOBS, job_changes": "arrival shows in it; `test_index.py` tries it",
    "_IS_SEEN_IN_GROUP": "of who sees some namespaces alone; `test_limited.py` tries it",
    "NEWLY_TIED": "no rule of merging, but what has changed; `test_index.py` tries it",
    "CHANGED_NAMESPACES": "no rule of merging, but what has changed; `test_index.py` tries it",
    "NAMESPACES_OF_GROUPS": "no rule of merging, but what has changed; `test_index.py` tries it",
    "DISCARD_REJECTED": "no rule of merging, but which rejected messages are kept; `test_sqlite.py` tries it",
    "THEN substr(max(value), 6)": "no other answer: read where the two are equal",
    "count(*) FROM executions WHERE executions.job_id <>": "cost alone: how many jobs a transaction forgets",
    "json_array_length(told)": "cost alone: which jobs have the pairs of their groups kept",
    "CASE WHEN latest_at IS NULL THEN :now END": "where nothing bears a time; `test_store.py` tries it",
    "| `coalesce(old.changed_at, (SELECT latest_at FROM jobs": (
        "no other answer: a row says when it changed only where nothing bears a time"
    ),
    "coalesce(latest_at, former.changed_at": "no other answer: the first time of a job is another createdAt, too",
    "query.filters != Filters()": "cost alone: whether the list without a filter is merged of all kinds",
    "STREAMS_MAXIMUM": "comes to no end; `test_sqlite.py` tries many streams",
    "< EXECUTIONS_MAXIMUM": "cost alone: how many jobs a transaction forgets",
}

NOTHING = "**nothing**"
_HEAD = (
    "# Flips",
    "",
    "Made by `python -m tests.flips`: what becomes of each comparison, and the first test of `test_order.py` to fail.",
    "",
    "| Where | Comparison | Flipped | Noticed by |",
    "|---|---|---|---|",
)

_PAIRS = (
    ("<", ">"),
    ("<=", ">="),
    ("=", "<>"),
    ("min(", "max("),
    ("IS", "IS NOT"),
    ("IN", "NOT IN"),
    ("GLOB", "NOT GLOB"),
)
_FLIPPED = {
    **dict(_PAIRS),
    **{second: first for first, second in _PAIRS},
    "EXISTS": "NOT EXISTS",
    "NOT EXISTS": "EXISTS",
    "DESC": "ASC",
    "==": "!=",
    "coalesce(": "the first two arguments change places",
}
_WORDS = sorted((re.escape(word) + r"\b" * word.isupper() for word in _FLIPPED), key=len, reverse=True)
_COMPARISON = re.compile(rf"'[^']*'|(?<!\w)(?:{'|'.join(_WORDS)})")
_ASSIGNED = re.compile(r"\bSET\b(?:.*,)?\s+\w+\s$", re.DOTALL)
_ASSIGNED_IN_TEMPLATE = re.compile(r"^ *[\w{}]+ $")
_MADE = re.compile(r"^CREATE VIEW (\w+).*?;$|^DROP VIEW (\w+);$", re.DOTALL | re.MULTILINE)
_TABLE = re.compile(r"\b(?:INTO|UPDATE|FROM) (\w+)")

_Span = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Flip:
    """A comparison, what it becomes, and the text that its file then has."""

    path: Path
    place: str
    before: str
    after: str
    text: str

    def __str__(self) -> str:
        """Return the beginning of a line of the table."""
        before, after = (line.replace("|", "\\|") for line in (self.before, self.after))
        return f"| {self.path.name} {self.place} | `{before}` | `{after}` |"


@dataclass(frozen=True, slots=True)
class _Region:
    """A part of a file in which comparisons are looked for."""

    path: Path
    place: str
    text: str
    span: _Span

    def flips(self) -> Iterator[Flip]:
        """Yield the flips of all comparisons here."""
        for match in _COMPARISON.finditer(self.text, *self.span):
            word, (start, end) = match[0], match.span()
            if word.startswith("'") or (word == "=" and self._assigns(start, end)):
                continue
            if word == "coalesce(":
                one, other, *_ = _members(self.text, end - 1)
                yield self._swap(one, other, "coalesce({}, {}, …)")
                continue
            left, right = self.text[:start].split("\n")[-1].lstrip(), self.text[end:].split("\n")[0]
            yield self._flip((start, end), _FLIPPED[word], left + word + right, left + _FLIPPED[word] + right)
            if word in {"<", ">"} and left.endswith(") ") and right.startswith(" ("):
                rows = _members(self.text, _opening(self.text, start - 2)), _members(self.text, end + 1)
                for ours, theirs in zip(*rows, strict=True):
                    yield self._swap(ours, theirs, f"{{}} {word} {{}}")

    def _assigns(self, start: int, end: int) -> bool:
        """Tell whether a "=" sets a column."""
        line = self.text[:start].split("\n")[-1]
        return bool(_ASSIGNED.search(self.text[self.span[0] : start])) or (
            bool(_ASSIGNED_IN_TEMPLATE.match(line)) and self.text.startswith((" CASE", " max(", " coalesce("), end)
        )

    def _swap(self, one: _Span, other: _Span, form: str) -> Flip:
        first, between, second = self.text[slice(*one)], self.text[one[1] : other[0]], self.text[slice(*other)]
        names = [re.sub(r"\s+", " ", member) for member in (first, second)]
        span = one[0], other[1]
        return self._flip(span, second + between + first, form.format(*names), form.format(*reversed(names)))

    def _flip(self, span: _Span, new: str, before: str, after: str) -> Flip:
        text = self.text[: span[0]] + new + self.text[span[1] :]
        return Flip(path=self.path, place=self.place, before=before, after=after, text=text)


def _members(text: str, opening: int) -> list[_Span]:
    """Return where the members of a row, or the arguments of a call, stand."""
    members, depth, start, is_quoted = [], 0, opening + 1, False
    for place in range(opening, len(text)):
        is_quoted ^= text[place] == "'"
        if is_quoted:
            continue
        depth += {"(": 1, ")": -1}.get(text[place], 0)
        if depth == 0 or (depth == 1 and text[place] == ","):
            member = text[start:place]
            members.append((place - len(member.lstrip()), start + len(member.rstrip())))
            start = place + 1
        if depth == 0:
            break
    return members


def _opening(text: str, closing: int) -> int:
    depth = 1
    while depth:
        closing -= 1
        depth += {")": 1, "(": -1}.get(text[closing], 0)
    return closing


def find() -> list[Flip]:
    """Return every flip."""
    regions = [region for name in MODULES for region in _of_module(ROOT / "jobindex" / "sql" / f"{name}.py")]
    views: dict[str, _Region] = {}
    for path in sorted((ROOT / "migrations" / "sqlite").iterdir()):
        text = path.read_text("latin-1")
        for found in _MADE.finditer(text):  # one that a later migration makes anew is made as that one says
            if found[1]:
                views[found[1]] = _Region(path, found[1], text, found.span())
            else:
                views.pop(found[2], None)
    regions += views.values()
    return list({flip.text: flip for region in regions for flip in region.flips()}.values())


def _of_module(path: Path) -> Iterator[_Region]:
    """Yield the strings of a module that are no docstrings, and the gap between the sides of its own comparisons."""
    text, templates = _filled(path)
    for statement in ast.parse(text.encode("latin-1")).body:
        if _name(statement) in templates:
            continue
        nodes = list(ast.walk(statement))
        docstrings = [node.value for node in nodes if isinstance(node, ast.Expr)]
        for node in nodes:
            match node:
                case ast.Constant(value=str()) | ast.JoinedStr() if node not in docstrings:
                    span = _span(text, node)
                case ast.Compare(left=left, comparators=[right]):
                    span = _span(text, left)[1], _span(text, right)[0]
                case ast.Call(func=ast.Name(id="min" | "max"), args=[first, *_]):
                    span = _span(text, node)[0], _span(text, first)[0]
                case _:
                    continue
            table = _TABLE.search(text, *span)
            yield _Region(path, _name(statement) + (f", {table[1]}" if table else ""), text, span)


def _filled(path: Path) -> tuple[str, set[str]]:
    """Return the text of a module with its joined constants as they read, and the names of what they are joined from.

    So a clause that each register has by a template is flipped for each alone. The text has a character for each byte,
    as the places of a syntax tree count bytes.
    """
    text = path.read_text("latin-1")
    templates: set[str] = set()
    for statement in reversed(ast.parse(path.read_bytes()).body):
        match statement:
            case ast.Assign(value=ast.JoinedStr() as joined):
                start, end = _span(text, joined)
                text = f'{text[:start]}"""{runpy.run_path(str(path))[_name(statement)]}"""{text[end:]}'
                templates |= {node.id for node in ast.walk(joined) if isinstance(node, ast.Name)}
            case _:
                pass
    return text, templates


def _name(statement: ast.stmt) -> str:
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)]):
            return name
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return name
        case _:
            return ""


def _span(text: str, node: ast.expr) -> _Span:
    lines = [0, *(match.end() for match in re.finditer("\n", text))]
    end_line, end_column = node.end_lineno or node.lineno, node.end_col_offset or 0
    return lines[node.lineno - 1] + node.col_offset, lines[end_line - 1] + end_column


def caught_by(flip: Flip | None) -> str:
    """Return the test that fails first with a flip, an empty string where none does.

    Raises:
        ValueError: the flip made a statement that SQLite does not understand.
        subprocess.TimeoutExpired: the tests came to no end.
    """
    with tempfile.TemporaryDirectory(prefix="jobindex-flips-") as temporary:
        copy = Path(temporary)
        for name in ("jobindex", "migrations", "tests"):
            shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "pyproject.toml", copy)
        if flip is not None:
            (copy / flip.path.relative_to(ROOT)).write_text(flip.text, "latin-1")
        options = ("-xq", "-n0", "-pno:randomly", "-pno:cacheprovider")
        for profile, seconds in PROFILES.items():
            printed = subprocess.run(
                [sys.executable, "-m", "pytest", *options, "tests/stores/test_order.py"],
                cwd=copy,
                env={**os.environ, "PYTHONPATH": str(copy), "HYPOTHESIS_PROFILE": profile},
                stdout=subprocess.PIPE,
                text=True,
                check=False,
                timeout=seconds,
            ).stdout
            if "OperationalError" in printed:
                raise ValueError(f"{flip}\n{printed}")
            if failed := re.search(r"^(?:FAILED|ERROR) tests/stores/test_order.py::(\S+)", printed, re.MULTILINE):
                return failed[1]
            if flip is None:
                break
    return ""


def _result(flip: Flip) -> str:
    excuses = [why for part, why in EXCEPTIONS.items() if part in str(flip)]
    return f"*exception:* {excuses[0]}" if excuses else caught_by(flip) or NOTHING


def main() -> int:
    """Make every flip, two at a time, and write the table; 1 where nothing notices one."""
    parser = argparse.ArgumentParser(prog="python -m tests.flips", description="Flip each comparison of the rules.")
    parser.add_argument("only", nargs="?", default="", help="make the flips with this in their lines, write no table")
    only = parser.parse_args().only
    flips = [flip for flip in find() if only in str(flip)]
    if test := caught_by(None):
        print(f"{test} fails without a flip")  # noqa: T201
        return 1
    lines = []
    with ThreadPoolExecutor(2) as pool:
        for flip, result in zip(flips, pool.map(_result, flips), strict=True):
            lines.append(f"{flip} {result} |")
            print(f"{len(lines)}/{len(flips)} {lines[-1]}", flush=True)  # noqa: T201
    if not only:
        (ROOT / "tests" / "flips.md").write_text("\n".join([*_HEAD, *lines, ""]), "utf-8")
    survivors = sum(NOTHING in line for line in lines)
    print(f"{len(flips)} flips, {survivors} noticed by nothing")  # noqa: T201
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
