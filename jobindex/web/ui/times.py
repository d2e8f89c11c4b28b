"""Times in the words of the pages, which `static/ui.js` updates in the same words; durations in forms."""

from datetime import datetime, timedelta

from jobindex.durations import lasting, parse_duration
from jobindex.model.parameters import invalid, problem

DURATION_MAXIMUM = timedelta(days=3650)


def relative(time: datetime, now: datetime) -> str:
    """Return the age of a time, or the time until it."""
    seconds = (now - time).total_seconds()
    if abs(seconds) < 2:
        return "just now"
    return f"{lasting(seconds)} ago" if seconds > 0 else f"in {lasting(-seconds)}"


def exact(time: datetime) -> str:
    """Return a time to the second, in UTC."""
    return time.strftime("%Y-%m-%d %H:%M:%S UTC")


def parse_limit(name: str, value: str) -> timedelta:
    """Return the duration in a parameter.

    Raises:
        InvalidRequestException: it is not a duration, not positive, or longer than DURATION_MAXIMUM.
    """
    try:
        duration = timedelta(seconds=parse_duration(value))
    except (ValueError, OverflowError):
        duration = timedelta()
    if not timedelta() < duration <= DURATION_MAXIMUM:
        constraint = f"Member must be seconds, or a duration such as 90m, 6h or 2d, up to {DURATION_MAXIMUM.days}d"
        raise invalid(problem(name, value, constraint))
    return duration
