"""The index agrees with simulated fleets, whose true state is known."""

import random
from collections.abc import Sequence
from functools import cache
from itertools import chain

import pytest
from support.postgresql_servers import Databases
from support.simulated_aws import SimulatedFleet, batches, delivered, simulate
from support.simulated_evidence import Message
from support.simulated_judgement import judge
from truth.store_answers import differences, postgres_after, sqlite_after

SEEDS = range(1, 21)
DELIVERIES = ("in order", "shuffled", "in batches")


@cache
def fleet_of(seed: int) -> SimulatedFleet:
    """Return the fleet of a seed."""
    return simulate(seed)


def arrivals(fleet: SimulatedFleet, delivery: str) -> Sequence[Sequence[Message]]:
    """Return the batches in which a fleet's messages arrive."""
    rng = random.Random(fleet.seed)
    messages = delivered(fleet, rng, shuffled=delivery != "in order")
    if delivery == "in batches":
        return [*batches(messages, rng)]
    return [messages[start : start + 50] for start in range(0, len(messages), 50)]


@pytest.mark.parametrize("seed", SEEDS)
def test_no_answer_is_wrong(seed: int) -> None:
    """Each knowable answer is right if messages arrive in order, shuffled with three in ten repeated, or in batches."""
    fleet = fleet_of(seed)
    filled = [sqlite_after(arrivals(fleet, one), fleet.job_lives, fleet.execution_lives) for one in DELIVERIES]
    assert [] == [*map(str, chain.from_iterable(judge(fleet, one.answers) for one in filled))]


@pytest.mark.parametrize("seed", SEEDS)
def test_both_engines_have_the_same_rows(postgresql: Databases, seed: int) -> None:
    """PostgreSQL has the same rows as SQLite in every table, and its answers are right."""
    fleet = fleet_of(seed)
    for delivery in DELIVERIES:
        arrived = arrivals(fleet, delivery)
        with postgresql.fresh() as url:
            filled = postgres_after(url, arrived, fleet.job_lives, fleet.execution_lives)
        assert [] == [*map(str, judge(fleet, filled.answers))]
        assert [] == [*differences(filled, sqlite_after(arrived, fleet.job_lives, fleet.execution_lives))]
