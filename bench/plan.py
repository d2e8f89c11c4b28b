"""How much is measured: the whole, and a quick look."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The sizes of a run."""

    rounds: int
    """How often each figure is taken, in turn with its reference."""
    messages: int
    """Notifications of an ingest run, ten to a job."""
    script_messages: int
    """As many of them for the script that commits each, which is slow: its rate is what counts."""
    rates: tuple[int, ...]
    """Notifications a second at which freshness is measured, beside half the greatest rate."""
    probes: int
    sizes: tuple[int, ...]
    """Jobs in the indexes that are asked, least first."""
    engine_sizes: tuple[int, int]
    """The same, of those that SQLite and PostgreSQL are both asked for."""
    requests: int
    """Requests of which one figure of a page is the median."""
    connections: tuple[int, ...]
    load_seconds: float
    viewers: int
    """Live pages that are open."""


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
