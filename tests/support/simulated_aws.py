"""A simulated AWS IoT: a seed determines a fleet, its history and all of its messages."""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from support.simulated_evidence import Message, Published
from support.simulated_fleet import FleetHistory
from support.simulated_messages import FleetPublisher
from support.simulated_truth import FleetSwitches, TrueExecution, TrueJob

_STEPS = (30, 140)


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedFleet:
    """A fleet's final state, and the messages that lead to it."""

    seed: int
    switches: FleetSwitches
    ended_at: int
    published: Sequence[Published]
    """In the order of publication."""
    jobs: Mapping[str, TrueJob]
    """By id, existing jobs only."""
    executions: Mapping[tuple[str, str], TrueExecution]
    """By job id and thing name, existing executions only."""
    job_lives: Mapping[str, Sequence[TrueJob]]
    """By id, every job that ever had it, in order."""
    execution_lives: Mapping[tuple[str, str], Sequence[TrueExecution]]
    """By job id and thing name, every execution that ever existed, in order."""

    @property
    def messages(self) -> Sequence[Message]:
        """The messages in the order of publication."""
        return [published.message for published in self.published]


def simulate(
    seed: int, *, steps: int | None = None, make_history: Callable[[random.Random], FleetHistory] = FleetHistory
) -> SimulatedFleet:
    """Return the fleet of a seed, after a number of random changes; None lets the seed choose it."""
    rng = random.Random(seed)
    history = make_history(rng)
    switches = _switches(rng, history.now)
    publisher = FleetPublisher(history, switches)
    history.observer = publisher
    chosen = rng.randint(*_STEPS)
    history.run(chosen if steps is None else steps)
    job_lives: dict[str, list[TrueJob]] = {}
    for job in history.jobs:
        job_lives.setdefault(job.job_id, []).append(job)
    return SimulatedFleet(
        seed=seed,
        switches=switches,
        ended_at=history.now,
        published=sorted(publisher.published, key=lambda published: published.message.published_at),
        jobs={job.job_id: job for job in history.live_jobs},
        executions={key: lives[-1] for key, lives in history.lives.items() if lives[-1].exists},
        job_lives=job_lives,
        execution_lives=history.lives,
    )


def delivered(fleet: SimulatedFleet, rng: random.Random, *, shuffled: bool) -> list[Message]:
    """Return the messages in order, or shuffled with three in ten repeated."""
    messages = [*fleet.messages]
    if shuffled:
        messages += [message for message in messages if rng.random() < 0.3]
        rng.shuffle(messages)
    return messages


def batches(messages: Sequence[Message], rng: random.Random) -> Iterator[Sequence[Message]]:
    """Yield the messages in batches of random sizes."""
    start = 0
    while start < len(messages):
        size = rng.choice((1, 2, 5, 20, 100))
        yield messages[start : start + size]
        start += size


def _switches(rng: random.Random, start: int) -> FleetSwitches:
    """Return switches: most fleets have both events and lists, the others lack one of them."""
    events, lists = rng.choice(((True, True),) * 6 + ((True, False), (False, True)))
    return FleetSwitches(
        events=events,
        lists=lists,
        answers=rng.random() < 0.35,
        event_details=rng.random() < 0.8,
        numbered_events=rng.random() < 0.25,
        event_time_is_publication=rng.random() < 0.35,
        deletion_moves_last_updated=rng.random() < 0.5,
        canceled_event_is_full=rng.random() < 0.5,
        stale_lists=rng.random() < 0.15,
        lists_on_start=rng.random() < 0.5,
        events_from=start + (rng.randrange(15_000_000) if rng.random() < 0.15 else 0),
        reader_from=start + (rng.randrange(15_000_000) if rng.random() < 0.15 else 0),
    )
