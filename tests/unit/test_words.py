"""The prose is plain English: expressions that it avoids stay below their limits."""

import sys
from collections import Counter
from pathlib import Path

import pytest
from support.documentation import ROOT

sys.path.append(str(ROOT / "scripts"))
import words


def test_expressions_stay_below_their_limits() -> None:
    """In docs, docstrings, comments, templates and messages; scripts/words.py says what to write instead."""
    total, places = 0, list[tuple[words.Expression, str]]()
    for passage in words.passages(words.files_with_prose()):
        total += words.count_words(passage)
        for expression, line, context in words.matches(passage):
            places.append((expression, f"{passage.path.relative_to(ROOT)}:{line}: {context}"))
    counts = Counter(expression for expression, _ in places)
    for expression, count in counts.items():
        found = "\n".join(place for each, place in places if each is expression)
        assert 1000 * count / total <= expression.limit, f"write {expression.instead}, not {expression.name}:\n{found}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Return what was told.", {"what (as a noun)", "tell, told"}),
        ("What does a message report?", set()),
        ("None where there is none.", {"where (for if)"}),
        ("It goes on from where it was.", set()),
        ("Answers to who asks.", {"who (as a noun)"}),
        ("The engineers who run fleets.", set()),
        ("It is no page.", {"is no"}),
        ("The job is no longer listed.", set()),
    ],
)
def test_an_expression_is_found_in_a_statement_but_not_in_a_question(text: str, expected: set[str]) -> None:
    """Words in their plain sense do not count."""
    passage = words.Passage(path=Path("x.py"), line=1, kind="docstring", text=text)
    assert expected == {expression.name for expression, _, _ in words.matches(passage)}


def test_a_place_is_named_by_its_line(tmp_path: Path) -> None:
    """Of Python, Markdown and templates; code in them does not count."""
    python, page, template = tmp_path / "a.py", tmp_path / "a.md", tmp_path / "a.html"
    python.write_text('"""A module.\n\nIt is what it is.\n"""\nX = "what they may not do"  # what\n')
    page.write_text("# Page\n\n```sh\nwhat\n```\nIt says `what` and what.\n")
    template.write_text('{% if what %}\n<p title="what else">what</p>\n')
    found = {
        path.suffix: [
            (passage.kind, line) for passage in words.passages([path]) for _, line, _ in words.matches(passage)
        ]
        for path in (python, page, template)
    }
    expected = {
        ".py": [("docstring", 3), ("message", 5), ("comment", 5)],
        ".md": [("documentation", 6)],
        ".html": [("page", 2), ("page", 2)],
    }
    assert expected == found
