"""Durations in text, and the time limits of a shutdown."""

import re
from dataclasses import dataclass

_UNITS = {"": 1, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?) ?(s|m|min|h|d|)")
_STEPS = ((86400 * 2, 86400, "d"), (3600, 3600, "h"), (60, 60, "min"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ShutdownBudget:
    """The time limits of a shutdown's steps, in order; SIGTERM ends the service within ten seconds."""

    drain_seconds: float = 4
    """Commit and acknowledge the messages in flight (`service`)."""
    release_seconds: float = 1
    """Give the lease back (`replica`)."""
    spare_seconds: float = 1
    """End the tasks of the two steps before, if a replica has to cancel them."""
    http_seconds: int = 2
    """Finish the HTTP requests in flight (`web`)."""
    close_seconds: float = 1
    """Finish the queries and the batch in flight before their connections are cut (`postgres/engine`, `writers`)."""
    end_seconds: float = 0.5
    """End the process that writes before it is killed (`writers`)."""

    @property
    def replica_seconds(self) -> float:
        """The limit of the three steps above (`replica`)."""
        return self.drain_seconds + self.release_seconds + self.spare_seconds


SHUTDOWN = ShutdownBudget()


def parse_duration(text: str) -> int:
    """Return the whole seconds in `90`, `90s`, `30m`, `10 min`, `1.5h` or `2d`.

    Raises:
        ValueError: the text is not a duration.
    """
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a duration such as 90s, 30m, 2h or 1d")
    return round(float(match[1]) * _UNITS[match[2]])


def written(seconds: int) -> str:
    """Return seconds in the form of `parse_duration`, in the greatest unit of which they are a whole number."""
    for name in ("d", "h", "m"):
        if seconds % _UNITS[name] == 0:
            return f"{seconds // _UNITS[name]}{name}"
    return f"{seconds}s"


def lasting(seconds: float) -> str:
    """Return seconds in one unit, rounded down: `7 s`, `12 min`, `40 h`, `3 d`."""
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
