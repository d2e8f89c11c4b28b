"""The amount of measurement: a full run, and a quick one."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The sizes of a run."""

    rounds: int
    """The values of each figure, taken in turn with its reference."""
    messages: int
    """Notifications of an ingest run, ten to a job."""
    script_messages: int
    """Notifications for the script that commits each: fewer, because it is slow and only its rate counts."""
    rates: tuple[int, ...]
    """Notifications per second at which freshness is measured, in addition to half the greatest rate."""
    probes: int
    sizes: tuple[int, ...]
    """Jobs in the measured indexes, smallest first."""
    engine_sizes: tuple[int, int]
    """Jobs in the indexes that compare SQLite with PostgreSQL."""
    requests: int
    """Requests whose median is one value of a page's figure."""
    connections: tuple[int, ...]
    load_seconds: float
    viewers: int
    """Open live pages."""


FULL = Plan(
    rounds=5,
    messages=200_000,
    script_messages=5_000,
    rates=(100, 1_000),
    probes=300,
    sizes=(10_000, 100_000, 1_000_000),
    engine_sizes=(10_000, 1_000_000),
    requests=21,
    connections=(1, 16, 64),
    load_seconds=3,
    viewers=200,
)
QUICK = Plan(
    rounds=2,
    messages=10_000,
    script_messages=500,
    rates=(100, 1_000),
    probes=40,
    sizes=(1_000, 10_000),
    engine_sizes=(10_000, 100_000),
    requests=3,
    connections=(1, 16),
    load_seconds=0.8,
    viewers=20,
)
