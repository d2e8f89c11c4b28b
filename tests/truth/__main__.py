"""The command line: `python -m tests.truth --fleets 30 --seed 1`, from the root of the checkout."""

import argparse
import random
import sys
from collections import Counter
from collections.abc import Iterator

from support.simulated_aws import batches, delivered, simulate
from support.simulated_judgement import Judgement, judged

from truth.store_answers import answers_after


def main() -> int:
    """Judge an index of each fleet, and print a table; 1 if anything is wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.truth", description="Hold the index against the truth.")
    parser.add_argument("--fleets", type=int, default=30, help="how many (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the first fleet (%(default)s)")
    parser.add_argument("--in-order", action="store_true", help="deliver once and in order, instead of shuffled")
    parser.add_argument("--mistakes", type=int, default=0, metavar="N", help="print N of them (%(default)s)")
    parser.add_argument("--member", help="print mistakes of this member only")
    arguments = parser.parse_args()
    total = Judgement()
    shown = messages = 0
    for seed in range(arguments.seed, arguments.seed + arguments.fleets):
        fleet, rng = simulate(seed), random.Random(seed)
        arrived = batches(delivered(fleet, rng, shuffled=not arguments.in_order), rng)
        judgement = judged(fleet, answers_after(arrived, fleet.job_lives, fleet.execution_lives))
        total.add(judgement)
        messages += len(fleet.published)
        for mistake in judgement.mistakes:
            if shown < arguments.mistakes and arguments.member in {None, mistake.fact.member}:
                shown += 1
                print(f"fleet {seed}: {mistake}")  # noqa: T201
    print(f"{arguments.fleets} fleets from seed {arguments.seed}, {messages} messages")  # noqa: T201
    print("\n".join(summary(total)))  # noqa: T201
    return 1 if total.mistakes else 0


def summary(judgement: Judgement) -> Iterator[str]:
    """Yield the lines of a table: judged, wrong and excluded by member, and the reasons of what is excluded."""
    excluded: Counter[tuple[str, str]] = Counter()
    reasons: Counter[tuple[str, str]] = Counter()
    for (kind, member, reason), count in judgement.excluded.items():
        excluded[kind, member] += count
        reasons[reason, kind] += count
    yield f"{'':21}{'member':24}{'judged':>8}{'wrong':>8}{'excluded':>10}"
    for kind, member in sorted({*judgement.judged, *excluded}):
        key = kind, member
        yield f"{kind:21}{member:24}{judgement.judged[key]:8}{judgement.wrong[key]:8}{excluded[key]:10}"
    for (reason, kind), count in sorted(reasons.items()):
        yield f"excluded {count:5} of {kind + 's':11} {reason}"


if __name__ == "__main__":
    sys.exit(main())
