"""Counts expressions that this repository's prose avoids, in docs, docstrings, comments, templates and messages.

CONTRIBUTING.md (Style) has the rule. `python scripts/words.py` prints how often each occurs in 1,000 words; `--places`
also prints each place, with a replacement. `tests/unit/test_words.py` holds the counts below their limits.
"""

import argparse
import ast
import io
import re
import subprocess
import tokenize
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
_PLACES = ("jobindex", "tests", "bench", "scripts", "docs", "deploy", "*.md", "*.yaml", "*.yml")  # no migration changes
_OWN_FILES = {"words.py", "test_words.py"}
_COMMENTS = {
    ".js": r"(?:^|\s)//",
    ".css": r"/\*",
    ".conf": r"^#",
    ".sh": r"(?:^|\s)#",
    ".yml": r"(?:^|\s)#|\b(?:description|summary):",
    ".yaml": r"(?:^|\s)#",
}
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
_SUFFIXES = {".py", ".md", ".html", *_COMMENTS}


@dataclass(frozen=True, kw_only=True, slots=True)
class Expression:
    """An expression to avoid, its replacement, and how often it may occur in 1,000 words."""

    name: str
    pattern: re.Pattern[str]
    instead: str
    limit: float


def _expression(name: str, pattern: str, instead: str, limit: float) -> Expression:
    return Expression(name=name, pattern=re.compile(pattern, re.IGNORECASE), instead=instead, limit=limit)


EXPRESSIONS = (  # the patterns are those of the glossary, the limits are per 1,000 words
    _expression("what (as a noun)", r"\bwhat(?:ever)?\b", "a noun", 1),
    _expression(
        "tell, told", r"\b(?:tells?|told|telling)\b", "report, return, print, log, notify; reported, stored", 0.5
    ),
    _expression("where (for if)", r"(?<!from )\bwhere\b(?! to\b)", "if, when", 1),
    _expression(
        "who (as a noun)",
        r"(?:^|[,;:.(]\s*|\b(?:to|of|for|by|from|with|and|or|that|but|as|than|if|while|when|tells?|lets?|asks?)\s+)"
        r"who(?:ever)?\b|\bwho (?:asks?|sees?|watch(?:es)?|calls?|reads?)\b",
        "the client, caller, principal, subscriber",
        0,
    ),
    _expression("is no", r"\b(?:is|are|was|were|be) no\b(?! (?:longer|more|less|fewer))", "is not a, there is no", 0.5),
    _expression("in hand", r"\bin hand\b", "in flight", 0),
    _expression("stand by, standing", r"\bst(?:ands?|ood|anding)\b", "be; standby, ingestion status", 0.2),
    _expression("anew, besides, as ever", r"\banew\b|\bbesides\b|\bas ever\b", "again, also", 0.1),
    _expression("give way, crowd", r"\bg(?:ives?|ave|iven) way\b|\bcrowds?\b", "be evicted; the busiest address", 0),
    _expression("forget", r"\bforgets?\b|\bforgot(?:ten)?\b|\bforgetting\b", "delete, expire", 0.2),
    _expression("read otherwise", r"\breads? (?:otherwise|alike)\b|\botherwise than\b", "change; be the same", 0),
    _expression(
        "bear, put down, come about",
        r"\bbears?\b|\bputs? down\b|\bc[oa]mes? about\b|\bgoes by\b",
        "have, record, use",
        0.1,
    ),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Passage:
    """A sentence or less of prose, and its place."""

    path: Path
    line: int
    kind: str
    text: str


def passages(paths: Iterable[Path]) -> Iterator[Passage]:
    """Yield the prose of files."""
    for path in paths:
        source = path.read_text()
        match path.suffix:
            case ".py":
                yield from _python(path, source)
            case ".md":
                yield from _markdown(path, source)
            case ".html":
                yield from _template(path, source)
            case suffix:
                yield from _comments(path, source, _COMMENTS[suffix])


def _python(path: Path, source: str) -> Iterator[Passage]:
    tree = ast.parse(source)
    docstrings = set()
    for node in ast.walk(tree):
        if isinstance(node, _DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            first = node.body[0]
            assert isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)  # noqa: S101, PT018
            docstrings.add(first.value)
            yield Passage(path=path, line=first.lineno, kind="docstring", text=str(first.value.value))
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in docstrings:
            text = node.value
            if len(text.split()) > 2 and not re.search(r"\b(?:SELECT|INSERT|UPDATE|DELETE|FROM|WHERE|VALUES)\b", text):
                yield Passage(path=path, line=node.lineno, kind="message", text=text)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT and not token.string.startswith(("# noqa", "# type:")):
            yield Passage(path=path, line=token.start[0], kind="comment", text=token.string.lstrip("# "))


def _markdown(path: Path, source: str) -> Iterator[Passage]:
    is_code = False
    for number, line in enumerate(source.splitlines(), 1):
        if line.lstrip().startswith("```"):
            is_code = not is_code
        elif not is_code:
            text = re.sub(r"`[^`]*`|\]\([^)]*\)|https?://\S+|<!--.*?-->", " ", line)
            yield Passage(path=path, line=number, kind="documentation", text=text)


def _template(path: Path, source: str) -> Iterator[Passage]:
    for number, line in enumerate(source.splitlines(), 1):
        labels = " ".join(re.findall(r'(?:aria-label|title|placeholder)="([^"{]+)"', line))
        text = re.sub(r"\{%.*?%\}|\{\{.*?\}\}|\{#.*?#\}|<[^>]*>", " ", line)
        yield Passage(path=path, line=number, kind="page", text=f"{text} {labels}")


def _comments(path: Path, source: str, mark: str) -> Iterator[Passage]:
    for number, line in enumerate(source.splitlines(), 1):
        if comment := re.search(rf"(?:{mark})(.*)", line):
            yield Passage(path=path, line=number, kind="configuration", text=comment[1])


def matches(passage: Passage) -> Iterator[tuple[Expression, int, str]]:
    """Yield each expression in a passage that is in no question, with its line and the words around it."""
    for sentence in re.finditer(r"[^.?!]*(?:[.?!](?!\s|$)[^.?!]*)*[.?!]?", passage.text):
        if sentence[0].rstrip().endswith("?"):
            continue
        for expression in EXPRESSIONS:
            for match in expression.pattern.finditer(sentence[0]):
                start = sentence.start() + match.start()
                line = passage.line + passage.text.count("\n", 0, start + 1)
                context = " ".join(passage.text[max(0, start - 40) : start + 50].split())
                yield expression, line, context


def count_words(passage: Passage) -> int:
    """Return the number of words."""
    return len(re.findall(r"[A-Za-z][\w'-]*", passage.text))


def code_lines(path: Path) -> int:
    """Return how many lines of a Python file contain code: no blank lines, comments or docstrings."""
    source = path.read_text()
    layout = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    lines = {
        number
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type not in layout
        for number in range(token.start[0], token.end[0] + 1)
    }
    documented = (node for node in ast.walk(ast.parse(source)) if isinstance(node, _DOCUMENTED))
    for first in (node.body[0] for node in documented if ast.get_docstring(node)):
        lines -= set(range(first.lineno, (first.end_lineno or first.lineno) + 1))
    return len(lines)


def files_with_prose() -> list[Path]:
    """Return the files of the repository that contain prose."""
    names = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *_PLACES],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    return [
        path
        for name in names
        if (path := ROOT / name).is_file() and path.suffix in _SUFFIXES and path.name not in _OWN_FILES
    ]


def main() -> None:
    """Print the counts."""
    parser = argparse.ArgumentParser(description="Count expressions that this repository's prose avoids.")
    parser.add_argument("--places", action="store_true", help="print each place, too")
    parser.add_argument("paths", nargs="*", type=Path, help="files and folders (default: all)")
    arguments = parser.parse_args()
    named = (file for path in arguments.paths for file in ([path] if path.is_file() else sorted(path.rglob("*"))))
    files = [file for file in named if file.suffix in _SUFFIXES] or files_with_prose()
    words, counts = Counter[str](), Counter[str]()
    for passage in passages(files):
        words[passage.kind] += count_words(passage)
        for expression, line, context in matches(passage):
            counts[expression.name] += 1
            if arguments.places:
                print(f"{passage.path}:{line}: {expression.name} → {expression.instead}: {context}")
    total = sum(words.values())
    lines = sum(map(code_lines, (file for file in files if file.suffix == ".py")))
    prose = words["docstring"] + words["comment"]
    print(f"docstrings and comments: {prose:,} words, {lines:,} lines of code, {prose / max(lines, 1):.2f} a line")
    print(f"{total:,} words:", ", ".join(f"{kind} {number:,}" for kind, number in words.items()))
    for expression in EXPRESSIONS:
        rate = 1000 * counts[expression.name] / max(total, 1)
        print(f"{expression.name:34}{counts[expression.name]:5}{rate:8.2f} per 1,000 words, limit {expression.limit}")


if __name__ == "__main__":
    main()
