"""The command `python -m tests.truth --fleets 30 --seed 1`, run from the root of the checkout."""

import argparse
import random
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import nullcontext

from support.postgresql_servers import Databases, databases
from support.simulated_aws import SimulatedFleet, batches, delivered, simulate
from support.simulated_evidence import Message
from support.simulated_judgement import Judgement, judged

from truth.store_answers import Filled, differences, postgres_after, sqlite_after


def main() -> int:
    """Judge an index of each fleet, and print a table; return 1 if anything is wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.truth", description="Hold the index against the truth.")
    parser.add_argument("--fleets", type=int, default=30, help="how many (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the first fleet (%(default)s)")
    parser.add_argument(
        "--engine", choices=("sqlite", "postgres", "both"), default="sqlite", help="both are also compared row by row"
    )
    parser.add_argument("--in-order", action="store_true", help="deliver once and in order, instead of shuffled")
    parser.add_argument("--mistakes", type=int, default=0, metavar="N", help="print N of them (%(default)s)")
    parser.add_argument("--member", help="print mistakes of this member only")
    arguments = parser.parse_args()
    total = Judgement()
    shown = messages = different = 0
    with nullcontext() if arguments.engine == "sqlite" else databases() as servers:
        for seed in range(arguments.seed, arguments.seed + arguments.fleets):
            fleet, rng = simulate(seed), random.Random(seed)
            arrived = [*batches(delivered(fleet, rng, shuffled=not arguments.in_order), rng)]
            filled = [*_filled(fleet, arrived, arguments.engine, servers)]
            judgement = judged(fleet, filled[0].answers)
            total.add(judgement)
            messages += len(fleet.published)
            for difference in differences(filled[0], filled[-1]):
                different += 1
                print(f"fleet {seed}: the engines differ in {difference}")  # noqa: T201
            for mistake in judgement.mistakes:
                if shown < arguments.mistakes and arguments.member in {None, mistake.fact.member}:
                    shown += 1
                    print(f"fleet {seed}: {mistake}")  # noqa: T201
    print(f"{arguments.fleets} fleets from seed {arguments.seed}, {messages} messages")  # noqa: T201
    print("\n".join(summary(total)))  # noqa: T201
    if arguments.engine == "both":
        print(f"tables in which the engines differ: {different}")  # noqa: T201
    return 1 if total.mistakes or different else 0


def _filled(
    fleet: SimulatedFleet, arrived: Sequence[Sequence[Message]], engine: str, servers: Databases | None
) -> Iterator[Filled]:
    """Yield the index of a fleet in each engine, PostgreSQL first, because the first one is judged."""
    if servers is not None:
        with servers.fresh() as url:
            yield postgres_after(url, arrived, fleet.job_lives, fleet.execution_lives)
    if engine != "postgres":
        yield sqlite_after(arrived, fleet.job_lives, fleet.execution_lives)


def summary(judgement: Judgement) -> Iterator[str]:
    """Yield the lines of a table: judged, wrong and excluded answers by member, and the reasons for exclusions."""
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
