"""The command line: `python -m tests.fuzz topics tokens --minutes 10 --seed 1`, from the root of the checkout."""

import argparse
import sys
from collections.abc import Sequence
from importlib.util import find_spec

from fuzz.engine import fuzz
from fuzz.guided import fuzz_guided
from fuzz.plants import PLANTS, planted
from fuzz.targets import TARGETS


def main() -> int:
    """Fuzz each target and print the findings; return 1 if there are any."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Fuzz everything that accepts input.")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"{', '.join(TARGETS)} (all)")
    parser.add_argument("--minutes", type=float, default=10, help="duration for each target (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="seed of the cases (%(default)s)")
    parser.add_argument("--guided", action="store_true", help="let atheris guide the cases by their coverage")
    parser.add_argument("--plant", action="store_true", help="instead, plant bugs, and report whether each is found")
    arguments = parser.parse_args()
    if unknown := set(arguments.targets) - set(TARGETS):
        parser.error(f"there is no target {', '.join(sorted(unknown))}")
    if arguments.guided and find_spec("atheris") is None:
        parser.error("atheris is not installed: pip install -e '.[fuzz]'")
    if arguments.plant:
        return _plant(arguments.targets or [*TARGETS], arguments.seed)
    found = 0
    for name in arguments.targets or TARGETS:
        run = fuzz_guided if arguments.guided else fuzz
        outcome = run(name, TARGETS[name], seconds=arguments.minutes * 60, seed=arguments.seed)
        print(outcome, flush=True)  # noqa: T201
        found += outcome.finding is not None
    return 1 if found else 0


def _plant(targets: Sequence[str], seed: int) -> int:
    """Plant each bug of some targets, and print when it is found; return 1 if one is not."""
    missed = 0
    for plant in PLANTS:
        if plant.target in targets:
            with planted(plant):
                outcome = fuzz(plant.target, TARGETS[plant.target], seconds=60, seed=seed, is_made_simple=False)
            missed += outcome.finding is None
            told = "MISSED" if outcome.finding is None else f"found by case {outcome.cases}, {outcome.seconds:.1f} s"
            print(f"{plant}: {told}", flush=True)  # noqa: T201
    return 1 if missed else 0


sys.exit(main())
