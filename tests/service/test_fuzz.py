"""The fuzzers, briefly: no input breaks an invariant, and planted bugs are found.

The cases follow from a fixed number, so a failure is reproducible; `python -m tests.fuzz` tries others.
"""

from importlib.util import find_spec

import pytest
from fuzz.engine import fuzz, simplest
from fuzz.guided import fuzz_guided
from fuzz.plants import PLANTS, Plant, planted
from fuzz.targets import TARGETS
from support.waiting import require

CASES = {"batches": 25, "queries": 1000, "settings": 1000, "wires": 500}
"""Fewer cases for slow targets; the others have 4000."""
FIRST = {plant.target: plant for plant in reversed(PLANTS)}


@pytest.mark.parametrize("target", TARGETS)
def test_nothing_is_found(target: str) -> None:
    """The fuzzer finds nothing in about a second of cases of each target."""
    outcome = fuzz(target, TARGETS[target], cases=CASES.get(target, 4000))
    assert outcome.finding is None, str(outcome)


@pytest.mark.parametrize("plant", FIRST.values(), ids=FIRST)
def test_a_planted_bug_is_found(plant: Plant) -> None:
    """A planted bug of each target is found; `python -m tests.fuzz --plant` plants them all."""
    with planted(plant):
        outcome = fuzz(plant.target, TARGETS[plant.target], seconds=30, is_made_simple=False)
    assert outcome.finding is not None, f"{plant}: {outcome}"


def test_atheris_leads_a_target() -> None:
    """Atheris, if installed, fuzzes a target in its own process."""
    require("atheris", found=find_spec("atheris") is not None)
    outcome = fuzz_guided("topics", TARGETS["topics"], seconds=2, seed=1)
    assert outcome.finding is None, str(outcome)
    assert outcome.cases > 1000


def test_every_target_has_its_bugs() -> None:
    """Every target has a planted bug, as one without might find nothing at all."""
    assert set(TARGETS) == set(FIRST)


def test_what_is_found_is_told_in_its_simplest_form() -> None:
    """A finding is made shorter, with zeros and the least number that still fails."""
    assert b"\0\x05" == simplest(bytes(range(100, 200)), lambda data: len(data) > 1 and data[1] >= 5)
