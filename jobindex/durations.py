"""Durations as people write and read them, and the time that the service has to stop."""

import re
from dataclasses import dataclass

_UNITS = {"": 1, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?) ?(s|m|min|h|d|)")
_STEPS = ((86400 * 2, 86400, "d"), (3600, 3600, "h"), (60, 60, "min"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ShutdownBudget:
    """The time limits of the steps of a shutdown, in their order; SIGTERM ends the service within ten seconds."""

    drain_seconds: float = 4
    """Commit and acknowledge the messages in flight (`service`)."""
    release_seconds: float = 1
    """Give the lease back (`replica`)."""
    spare_seconds: float = 1
    """End the tasks of the two steps before, if a replica has to cancel them."""
    http_seconds: int = 2
    """Finish the HTTP requests in flight (`web`)."""
    close_seconds: float = 1
    """Finish the queries in flight before the connections to PostgreSQL are cut (`postgres/engine`)."""

    @property
    def replica_seconds(self) -> float:
        """The limit of the three steps above together (`replica`)."""
        return self.drain_seconds + self.release_seconds + self.spare_seconds


SHUTDOWN = ShutdownBudget()


def parse_duration(text: str) -> int:
    """Return the whole seconds in `90`, `90s`, `30m`, `10 min`, `1.5h` or `2d`.

    Raises:
        ValueError: it is no duration.
    """
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no duration such as 90s, 30m, 2h or 1d")
    return round(float(match[1]) * _UNITS[match[2]])


def written(seconds: int) -> str:
    """Return seconds as `parse_duration` reads them, in the greatest unit that is whole."""
    for name in ("d", "h", "m"):
        if seconds % _UNITS[name] == 0:
            return f"{seconds // _UNITS[name]}{name}"
    return f"{seconds}s"


def lasting(seconds: float) -> str:
    """Return how long something lasts, in one unit, cut to whole ones: `7 s`, `12 min`, `40 h`, `3 d`."""
    for least, unit, name in _STEPS:
        if seconds >= least:
            return f"{int(seconds // unit):,} {name}"
    return f"{int(max(seconds, 0))} s"


def show_duration(seconds: float) -> str:
    """Return seconds in their two greatest units, such as `2h 05m`."""
    left = max(0, int(seconds))
    if left < 60:
        return f"{left}s"
    if left < 3600:
        return f"{left // 60}m {left % 60:02}s"
    if left < 86400:
        return f"{left // 3600}h {left % 3600 // 60:02}m"
    return f"{left // 86400}d {left % 86400 // 3600:02}h"
