"""Times and durations in the words of the pages; `static/ui.js` says them in the same words as they age."""

import re
from datetime import datetime, timedelta

from jobindex.ui.invalid import invalid

DURATION_MAXIMUM = timedelta(days=3650)

_DURATION = re.compile(r"([0-9]{1,10}) ?(s|m|min|h|d|)")
_SECONDS = {"": 1, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}
_STEPS = ((86400 * 2, 86400, "d"), (3600, 3600, "h"), (60, 60, "min"))


def lasting(seconds: float) -> str:
    """Return how long something lasts, in one unit, cut to whole ones: `7 s`, `12 min`, `40 h`, `3 d`."""
    for least, unit, name in _STEPS:
        if seconds >= least:
            return f"{int(seconds // unit):,} {name}"
    return f"{int(max(seconds, 0))} s"


def relative(time: datetime, now: datetime) -> str:
    """Return how long ago a time was, or in how long it will be."""
    seconds = (now - time).total_seconds()
    if abs(seconds) < 2:
        return "just now"
    return f"{lasting(seconds)} ago" if seconds > 0 else f"in {lasting(-seconds)}"


def exact(time: datetime) -> str:
    """Return a time to the second, in UTC."""
    return time.strftime("%Y-%m-%d %H:%M:%S UTC")


def parse_duration(name: str, value: str) -> timedelta:
    """Return the duration in a parameter: seconds, or a number with `s`, `m`, `h` or `d`.

    Raises:
        InvalidRequestException: it is none, or longer than DURATION_MAXIMUM.
    """
    found = _DURATION.fullmatch(value.strip())
    duration = timedelta(seconds=min(int(found[1]) * _SECONDS[found[2]], 10**9)) if found else None
    if duration is None or not timedelta() < duration <= DURATION_MAXIMUM:
        constraint = f"Member must be a number of seconds, or such as 90m, 6h or 2d, up to {DURATION_MAXIMUM.days}d"
        raise invalid(name, value, constraint)
    return duration


def written(duration: timedelta) -> str:
    """Return a duration as `parse_duration` reads it, in the greatest unit that is whole."""
    seconds = int(duration.total_seconds())
    for unit, name in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds % unit == 0:
            return f"{seconds // unit}{name}"
    return f"{seconds}s"
